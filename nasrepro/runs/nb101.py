"""Which cells of NAS-Bench-101 a run evaluates."""

import itertools

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.runs.parts import DrawnCells
from nasrepro.runs.tables import table_of_cells
from nasrepro.spaces.nb101 import Cell, Subspace
from nasrepro.spaces.nb101_codes import MAX_VERTICES


def select_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """The cells of `drawn_cells` in ascending order of their code."""
    return sorted(drawn_cells(subspace, config), key=lambda cell: cell.code)


def drawn_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """Distinct cells of a subspace in canonical form, in the order in which they were drawn.

    Each cell of the subspace is about equally likely, though a table may have more of some kinds
    than of others: cells are weighted so that each number of outputs, with and without the input
    joined to the output, comes as often as in the subspace.

    Raises:
        ConfigError: if there are not enough.
        DataError: if the table is not available.
    """
    codes = subspace.codes()
    if config.table is not None:
        known = table_of_cells(subspace, config.table).codes
        codes = np.sort(known[subspace.mask(known)])
    if len(codes) < config.count:
        raise ConfigError(
            f"cannot draw {config.count:,} cells: {config.table or 'the space'} has only "
            f"{len(codes):,} in {subspace}; draw fewer"
        )
    weights = _weights(codes)
    generator = np.random.default_rng(config.seed)
    chosen = generator.choice(codes, config.count, replace=False, p=weights / weights.sum())
    return [Cell.from_code(int(code)) for code in chosen]


def _weights(codes: np.ndarray) -> np.ndarray:
    """For each cell, how many of the space stand for one of its kind among the codes, [n]."""
    weights = np.empty(len(codes))
    for outputs, residual in itertools.product(range(MAX_VERTICES - 1), (True, False)):
        kind = Subspace(outputs, residual)
        matches = kind.mask(codes)
        if matches.any():
            weights[matches] = kind.size / matches.sum()
    return weights
