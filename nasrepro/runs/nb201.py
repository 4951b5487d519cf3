"""What a run needs of NAS-Bench-201: the cells it evaluates, its supernet, its sampler."""

import numpy as np

from nasrepro.benchmarks import load_table
from nasrepro.nets.nb201 import Network, supernet
from nasrepro.runs.config import CellsConfig, RunConfig
from nasrepro.samplers import Sampler
from nasrepro.samplers.nb201 import make_sampler
from nasrepro.spaces.nb201 import Cell, Subspace, is_connected


def parts(config: RunConfig) -> tuple[list[Cell], Network, Sampler]:
    """The cells that a run evaluates, its supernet before initialisation, and its sampler.

    Args:
        config: of a NAS-Bench-201 run.

    Raises:
        ConfigError: if there is no such sampler, table or column.
        DataError: if the table cannot be had.
    """
    return (
        select_cells(config.subspace, config.cells),
        supernet(config.net, config.subspace.operations),
        make_sampler(config.sampler, config.subspace),
    )


def select_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The cells a run evaluates, in ascending order of their code, each once.

    Sorted, so that the list tells nothing of how the table ranks its best cells.
    """
    return sorted(
        set(random_cells(subspace, config)) | set(top_cells(subspace, config)),
        key=lambda cell: cell.code,
    )


def random_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """Distinct cells drawn uniformly from a subspace, connected or not; all if it has fewer."""
    if subspace.size <= config.random:
        return list(subspace.cells())
    cells = list(subspace.cells())
    chosen = np.random.default_rng(config.seed).choice(len(cells), config.random, replace=False)
    return [cells[i] for i in chosen]


def drawn_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The connected ones of `random_cells`, in the order in which they were drawn."""
    return [cell for cell in random_cells(subspace, config) if is_connected(cell)]


def top_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The best cells of a subspace by the config's table, best first."""
    if not config.top:
        return []
    table = load_table(config.table)
    codes = table.subset(subspace.operations)
    order = np.argsort(-table.accuracy(codes, config.column), kind="stable")
    return [Cell.from_code(int(code)) for code in codes[order[: config.top]]]
