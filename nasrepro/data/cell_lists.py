"""The cells that the SoTL thesis looks at: lists that its authors drew once and kept."""

import json
from dataclasses import dataclass

from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import DataError
from nasrepro.files import naming

SOURCE = "sotl-cells"


@dataclass(frozen=True)
class CellList:
    """One list: its name in the file, and how many cells it has."""

    key: str
    count: int


LISTS = {"sotl-nb201": CellList("archs_random_200_seed50", 200)}


def read_list(name: str) -> list[str]:
    """The texts of a list's cells, in its order.

    Args:
        name: a key of `LISTS`.

    Raises:
        DataError: if the file cannot be had, or is not as expected.
    """
    wanted, path = LISTS[name], fetch(SOURCES[SOURCE])
    with naming(path):
        cells = json.loads(path.read_text(encoding="utf-8"))[wanted.key]
        if len(set(cells)) != wanted.count:
            raise DataError(f"expected {wanted.count} cells in {wanted.key}, found {len(cells)}")
    return cells
