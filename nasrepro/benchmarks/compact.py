"""Tables converted once to a small file in the cache, so that they load in milliseconds.

It is only a cache: a file that cannot be read whole is built again from its source.
"""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from nasrepro import paths
from nasrepro.benchmarks.table import Column, Table
from nasrepro.files import whole_file, writing_cache

T = TypeVar("T")
SCHEMA = 2  # raise it whenever a converter changes what it writes


def location(name: str, key: str) -> Path:
    """Where a converted table lives; the key stands for the content of its source."""
    return paths.cache_dir() / "tables" / f"{name}-{key}-{SCHEMA}.npz"


def load(
    name: str,
    key: str,
    columns: tuple[Column, ...],
    convert: Callable[[], Table],
    space: str = "nb201",
) -> Table:
    """Read a table from the cache, or convert it from its source and keep it there.

    Args:
        name: as in `load_table`.
        key: stands for the content of the source, e.g. its sha256.
        columns: what the table holds.
        convert: reads the source.
        space: whose cells they are, a key of `SPACES`.

    Raises:
        DataError: if the source is needed and is not there or not as expected.
    """

    def arrays() -> dict[str, np.ndarray]:
        table = convert()
        return {"codes": table.codes, **table.values}

    def table_of(found: dict[str, np.ndarray]) -> Table:
        return Table(name, found["codes"], columns, {n: found[n] for n in names}, space)

    names = [column.name for column in columns]
    return kept(location(name, key), ("codes", *names), arrays, table_of)


def kept(
    path: Path,
    names: Iterable[str],
    convert: Callable[[], dict[str, np.ndarray]],
    make: Callable[[dict[str, np.ndarray]], T],
) -> T:
    """What is made of the arrays in a file of the cache, or of those that are converted now.

    Args:
        path: of the file.
        names: of the arrays.
        convert: gives them, from their source; they are kept in the file.
        make: what is wanted; a file of which it cannot be made is written again.

    Raises:
        DataError: if the source is needed and is not there or not as expected.
    """
    with contextlib.suppress(Exception):  # none, or a damaged one, which can raise nearly anything
        return make(_read(path, names))
    arrays = convert()
    with writing_cache(), whole_file(path, "set $NASREPRO_CACHE to another folder") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return make(arrays)


def _read(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read every array whole: the archive's checksums are checked on the way."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in names}
