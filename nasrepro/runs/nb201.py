"""Which cells of NAS-Bench-201 a run evaluates."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import compress

import numpy as np

from nasrepro.runs.listed import listed_cells
from nasrepro.runs.parts import CellsConfig, ListedCells
from nasrepro.runs.tables import table_of_cells
from nasrepro.spaces.nb201 import Cell, Subspace, connected


def select_cells(subspace: Subspace, config: CellsConfig | ListedCells) -> list[Cell]:
    """The distinct cells that a run evaluates, in ascending order of their code.

    Sorted, so that the list tells nothing of how the table ranks its best cells.
    """
    top = [] if isinstance(config, ListedCells) else top_cells(subspace, config)
    chosen = set(random_cells(subspace, config)) | set(top)
    return sorted(chosen, key=lambda cell: cell.code)


def random_cells(subspace: Subspace, config: CellsConfig | ListedCells) -> list[Cell]:
    """Distinct cells drawn uniformly from a subspace, by us or by who published a list.

    From its connected ones, or from its best, if the config says so; all if it has fewer.

    Raises:
        ConfigError: if a list has cells that are not of the subspace.
    """
    if isinstance(config, ListedCells):
        return listed_cells(subspace, config)
    return list(_random_cells(subspace, replace(config, top=0)))


@cache  # the same few samples are asked for with every record that is read
def _random_cells(subspace: Subspace, config: CellsConfig) -> tuple[Cell, ...]:
    if config.best is None:
        cells = list(subspace.cells())
    else:
        cells = top_cells(subspace, replace(config, top=config.best))
    if config.connected:
        cells = _connected(cells)
    if len(cells) <= config.random:
        return tuple(cells)
    chosen = np.random.default_rng(config.seed).choice(len(cells), config.random, replace=False)
    return tuple(cells[i] for i in chosen)


def drawn_cells(subspace: Subspace, config: CellsConfig | ListedCells) -> list[Cell]:
    """The connected ones of `random_cells`, in the order in which they were drawn."""
    return _connected(random_cells(subspace, config))


def _connected(cells: Sequence[Cell]) -> list[Cell]:
    codes = np.array([cell.code for cell in cells], dtype=np.int64)
    return list(compress(cells, connected(codes)))


def trainable(subspace: Subspace, config: CellsConfig | ListedCells) -> np.ndarray:
    """Codes of the connected cells that `random_cells` draws from, int64; with a list, of all."""
    drawn = CellsConfig() if isinstance(config, ListedCells) else config
    everything = replace(drawn, random=subspace.size, connected=True)
    return np.array([cell.code for cell in random_cells(subspace, everything)])


def top_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The best cells of a subspace by the config's table, best first."""
    if not config.top or config.table is None or config.column is None:
        return []
    table = table_of_cells(subspace, config.table)
    codes = table.subset(subspace.operations)
    order = np.argsort(-table.accuracy(codes, config.column), kind="stable")
    return [Cell.from_code(int(code)) for code in codes[order[: config.top]]]
