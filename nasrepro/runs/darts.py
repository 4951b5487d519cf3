"""Which cells of DARTS' space a run evaluates."""

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.runs.parts import DrawnCells
from nasrepro.runs.tables import table_of_cells
from nasrepro.spaces.darts import Cell, Subspace, uses_only


def select_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """The cells of `drawn_cells` in ascending order of their code."""
    return sorted(drawn_cells(subspace, config), key=lambda cell: cell.code)


def drawn_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """Distinct cells drawn uniformly from a subspace or from those of it that a table has.

    In the order in which they were drawn.

    Raises:
        ConfigError: if there are not enough.
        DataError: if the table is not available.
    """
    generator = np.random.default_rng(config.seed)
    if config.table is not None:
        codes = trainable(subspace, config)
        _check_enough(config, len(codes), f"{config.table} has only")
        chosen = generator.choice(codes, config.count, replace=False)
        return [Cell.from_code(int(code)) for code in chosen]
    _check_enough(config, subspace.size, f"with {subspace} there are only")
    cells: dict[Cell, None] = {}
    while len(cells) < config.count:
        cells.setdefault(subspace.sample(generator))
    return list(cells)


def trainable(subspace: Subspace, config: DrawnCells) -> np.ndarray:
    """Codes of the cells of a subspace that a table has, int64, ascending.

    Raises:
        ConfigError: if no table is given: nobody can list all cells.
        DataError: if the table is not available.
    """
    if config.table is None:
        raise ConfigError(
            "the cells of DARTS' space are too many for a list; draw from those of a table"
        )
    codes = table_of_cells(subspace, config.table).codes
    return np.sort(codes[uses_only(codes, subspace.choices)])


def _check_enough(config: DrawnCells, there: int, where: str) -> None:
    if there < config.count:
        raise ConfigError(
            f"cannot draw {config.count:,} cells: {where} {there:,} of DARTS' space; draw fewer"
        )
