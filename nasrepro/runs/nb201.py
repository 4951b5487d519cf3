"""Which cells of NAS-Bench-201 a run evaluates."""

from dataclasses import replace
from functools import cache

import numpy as np

from nasrepro.benchmarks import load_table
from nasrepro.runs.parts import CellsConfig
from nasrepro.spaces.nb201 import Cell, Subspace, is_connected


def select_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The distinct cells that a run evaluates, in ascending order of their code.

    Sorted, so that the list tells nothing of how the table ranks its best cells.
    """
    return sorted(
        set(random_cells(subspace, config)) | set(top_cells(subspace, config)),
        key=lambda cell: cell.code,
    )


def random_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """Distinct cells, drawn uniformly from a subspace; all if it has fewer.

    From its connected ones, or from its best, if the config says so.
    """
    return list(_random_cells(subspace, replace(config, top=0)))


@cache  # the same few samples are asked for with every record that is read
def _random_cells(subspace: Subspace, config: CellsConfig) -> tuple[Cell, ...]:
    if config.best is None:
        cells = list(subspace.cells())
    else:
        cells = top_cells(subspace, replace(config, top=config.best))
    if config.connected:
        cells = [cell for cell in cells if is_connected(cell)]
    if len(cells) <= config.random:
        return tuple(cells)
    chosen = np.random.default_rng(config.seed).choice(len(cells), config.random, replace=False)
    return tuple(cells[i] for i in chosen)


def drawn_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The connected ones of `random_cells`, in the order in which they were drawn."""
    return [cell for cell in random_cells(subspace, config) if is_connected(cell)]


def trainable(subspace: Subspace, config: CellsConfig) -> np.ndarray:
    """Codes of the connected cells that `random_cells` draws from, int64."""
    everything = replace(config, random=subspace.size, connected=True)
    return np.array([cell.code for cell in random_cells(subspace, everything)])


def top_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The best cells of a subspace by the config's table, best first."""
    if not config.top or config.table is None or config.column is None:
        return []
    table = load_table(config.table)
    codes = table.subset(subspace.operations)
    order = np.argsort(-table.accuracy(codes, config.column), kind="stable")
    return [Cell.from_code(int(code)) for code in codes[order[: config.top]]]
