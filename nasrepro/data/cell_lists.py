"""The cells that the SoTL thesis looks at: lists that its authors drew once and kept."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.spaces.nb101 import Cell

SOURCE = "sotl-cells"


@dataclass(frozen=True)
class CellList:
    """One list: its name in the file, how many cells it has, and how many come again."""

    key: str
    count: int
    repeated: int = 0


LISTS = {
    "sotl-nb201": CellList("archs_random_200_seed50", 200),
    "sotl-1shot1-1": CellList("archs_nb101_1_random_200_seed3000", 200, repeated=3),
    "sotl-1shot1-2": CellList("archs_nb101_2_random_200_seed3000", 200, repeated=1),
    "sotl-1shot1-3": CellList("archs_nb101_3_random_200_seed3000", 200),
}


def read_list(name: str) -> list[str]:
    """The texts of a list's cells, in its order, some of them more than once.

    Args:
        name: a key of `LISTS`.

    Raises:
        DataError: if the file cannot be had, or is not as expected.
    """
    wanted, path = LISTS[name], fetch(SOURCES[SOURCE])
    with naming(path):
        cells = list(map(_text, json.loads(path.read_text(encoding="utf-8"))[wanted.key]))
        if (len(cells), len(set(cells))) != (wanted.count, wanted.count - wanted.repeated):
            raise DataError(
                f"expected {wanted.count} cells in {wanted.key}, {wanted.repeated} of them again, "
                f"found {len(cells)}, {len(cells) - len(set(cells))} of them again"
            )
    return cells


def _text(cell: Any) -> str:
    """A text as it is; of NAS-Bench-101 the file has matrices and operations."""
    if isinstance(cell, str):
        return cell
    return str(Cell.from_matrix(np.array(cell["adj"]), cell["ops"]))
