"""Which networks of NAS-Bench-Macro a run evaluates."""

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.runs.parts import DrawnCells
from nasrepro.spaces.macro import Cell, Subspace


def select_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """The networks of `drawn_cells` in ascending order of their code."""
    return sorted(drawn_cells(subspace, config), key=lambda cell: cell.code)


def drawn_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """Distinct networks drawn uniformly from a subspace, in the order in which they were drawn.

    Raises:
        ConfigError: if there are not enough, or only those of a table are wanted: it has all.
    """
    if config.table is not None:
        raise ConfigError(
            f"the table of NAS-Bench-Macro has all networks; take table=None, not {config.table!r}"
        )
    if subspace.size < config.count:
        raise ConfigError(
            f"cannot draw {config.count:,} networks: there are only {subspace.size:,} with "
            f"{subspace}; draw fewer"
        )
    codes = np.sort([cell.code for cell in subspace.cells()])
    generator = np.random.default_rng(config.seed)
    chosen = generator.choice(codes, config.count, replace=False)
    return [Cell.from_code(int(code)) for code in chosen]
