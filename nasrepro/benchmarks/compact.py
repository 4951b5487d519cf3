"""Tables converted once to a small file in the cache, so that they load in milliseconds.

It is only a cache: a file that cannot be read whole is built again from its source.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nasrepro import paths
from nasrepro.benchmarks.table import Column, Table
from nasrepro.files import whole_file, writing_cache

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
    path = location(name, key)
    with contextlib.suppress(Exception):  # none, or a damaged one, which can raise nearly anything
        return _read(path, name, columns, space)
    table = convert()
    with writing_cache(), whole_file(path, "set $NASREPRO_CACHE to another folder") as file:
        np.savez(file, codes=table.codes, allow_pickle=False, **table.values)
    return table


def _read(path: Path, name: str, columns: tuple[Column, ...], space: str) -> Table:
    """Read every array whole: the archive's checksums are checked on the way."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        values = {column.name: archive[column.name] for column in columns}
        return Table(name, archive["codes"], columns, values, space)
