"""The cells of a published list that a run looks at, in any space."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nasrepro.data.cell_lists import read_list
from nasrepro.errors import ConfigError
from nasrepro.runs.parts import ListedCells
from nasrepro.runs.tables import table_of_cells
from nasrepro.spaces import SPACES, name_of


def listed_cells(
    subspace: Any,
    config: ListedCells,
    known_as: Callable[[np.ndarray], np.ndarray] = lambda codes: codes,
) -> list[Any]:
    """The cells of a list in its order, or those of them that a table has.

    Args:
        subspace: of any space, that all of them are in.
        config: the list and the table.
        known_as: from codes of cells to those that a table knows them by.

    Raises:
        ConfigError: if a list has cells of another space.
        DataError: if the list or the table is not available.
    """
    parse = SPACES[name_of(subspace)].Cell.parse
    cells = [parse(text) for text in read_list(config.listed)]
    if outside := [cell for cell in cells if cell not in subspace]:
        raise ConfigError(
            f"{len(outside)} of the {len(cells)} cells of {config.listed} are not in the subspace "
            f"{subspace}, e.g. {outside[0]}"
        )
    if config.table is None:
        return cells
    codes = known_as(np.array([cell.code for cell in cells], dtype=np.int64))
    known = table_of_cells(subspace, config.table).has(codes)
    return [cell for cell, is_known in zip(cells, known, strict=True) if is_known]
