"""The official NAS-Bench-201 and NATS-Bench files, where a user has them.

They are read once, by the results class of their own package (`ArchResults.get_metrics` of
`nas-bench-201` or `nats-bench`), and what the studies need goes into the cache. Of every cell it
is the accuracy after the last epoch of the 200-epoch schedule, as the mean over all of the
benchmark's seeds that are there; `nb201.SETS` names the set of images each column is measured on.

Both files are pickles. The first is read by `torch.load(weights_only=True)`, and only if its md5
begins as its name says; the second is a folder, which no checksum covers. Neither may name anything
but containers and numbers. The first takes about a quarter of an hour and 25 GB of memory.
"""

import bz2
import hashlib
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from nasrepro.benchmarks import compact
from nasrepro.benchmarks.nb201 import MEAN, SETS, column, parse_cells, require
from nasrepro.benchmarks.table import Column, Table, complete
from nasrepro.data.pickles import NUMBERS, restricted_load
from nasrepro.data.sources import find_file
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.paths import exists

NAME = "nb201-official"
EPOCHS = 200
ALLOWED = NUMBERS | {("collections", "OrderedDict")}


def columns(source: str) -> tuple[Column, ...]:
    """Validation and test accuracy on the three data sets."""
    return tuple(column(dataset, split, EPOCHS, MEAN, source) for dataset, split in SETS)


def first_available(table: str, filenames: Iterable[str]) -> str | None:
    """The first file that was converted to the table before or is on this machine, else None."""
    ready = (name for name in filenames if exists(compact.location(table, name)) or find_file(name))
    return next(ready, None)


def require_file(filename: str, table: str, filenames: Iterable[str], origin: str) -> Path:
    """Where a file lies that only a user can get; DataError that says whence if it is not here."""
    path = find_file(filename)
    if path is None:
        raise DataError(
            f"{table} needs {' or '.join(filenames)}, from {origin}; "
            "put it in a folder and set $NASREPRO_DATA to that folder"
        )
    return path


def preferred() -> str | None:
    """The first of `READERS` that was converted before or is on this machine, else None."""
    return first_available(NAME, READERS)


def load() -> Table:
    """Load the table from the cache, else convert the user's file.

    Raises:
        DataError: if neither is there, or the file is not as expected.
    """
    filename = preferred() or next(iter(READERS))
    return compact.load(NAME, filename, columns(filename), lambda: _read(filename))


def _read(filename: str) -> Table:
    origin = "github.com/D-X-Y/NAS-Bench-201 or github.com/D-X-Y/NATS-Bench"
    path = require_file(filename, NAME, READERS, origin)
    with naming(path):
        return complete(READERS[filename](path))


def read_nasbench201(path: Path) -> Table:
    """Read a file such as `NAS-Bench-201-v1_1-096897.pth`.

    Raises:
        DataError: if the package `nas-bench-201` is missing, the md5 does not begin with the
            digits in the name, or the content is not as expected.
    """
    _verify_md5(path)
    contents = _require_dict(path, _load_weights_only(path), "meta_archs", "arch2infos")
    infos = contents["arch2infos"]

    def state(index: int) -> dict:
        return infos.pop(index)["full"]  # frees the memory; `less` is the 12-epoch schedule

    try:
        from nas_201_api import ArchResults
    except ImportError:
        raise DataError(f"to read {path}, pip install nas-bench-201") from None

    def where(index: int) -> str:
        return f"{path}, index {index}"

    return _convert(path, contents["meta_archs"], state, where, ArchResults.create_from_state_dict)


def read_nats(folder: Path) -> Table:
    """Read a folder such as `NATS-tss-v1_0-3ffb9-simple`: one compressed pickle per cell.

    Raises:
        DataError: if the package `nats-bench` is missing, or the content is not as expected.
    """
    try:
        from nats_bench import ArchResults
    except ImportError:
        raise DataError(f"to read {folder}, pip install nats-bench") from None
    cells = folder / "meta.pickle.pbz2"
    meta = _require_dict(cells, _load_bz2(cells), "meta_archs")

    def file(index: int) -> Path:
        return folder / f"{index:06d}.pickle.pbz2"

    def state(index: int) -> dict:
        return _require_dict(file(index), _load_bz2(file(index)), str(EPOCHS))[str(EPOCHS)]

    def where(index: int) -> str:
        return f"{file(index)}, index {index}"

    return _convert(folder, meta["meta_archs"], state, where, ArchResults.create_from_state_dict)


# What is read, in the order of preference. The six or five digits are the md5 of the file (of the
# NATS folder: of its one-file version), so the name stands for the content in the cache.
READERS = {
    "NAS-Bench-201-v1_1-096897.pth": read_nasbench201,
    "NATS-tss-v1_0-3ffb9-simple": read_nats,
}


def _convert(
    path: Path,
    cells: Iterable[str],
    state: Callable[[int], dict],
    where: Callable[[int], str],
    results: Callable,
) -> Table:
    """Collect the columns of every cell.

    Args:
        path: the source.
        cells: their strings in the benchmark's own order.
        state: for an index, the state of its results after 200 epochs.
        where: from an index to its place in the source, for the messages.
        results: makes an `ArchResults` of a state.
    """
    cells = list(cells)
    values = np.empty((len(SETS), len(cells)))
    for index, cell in enumerate(cells):
        try:
            result = results(state(index))
            if (result.arch_str, result.get_total_epoch()) != (cell, EPOCHS):
                raise DataError(
                    f"{where(index)}: expected {cell} after {EPOCHS} epochs, "
                    f"found {result.arch_str} after {result.get_total_epoch()}"
                )
            values[:, index] = [
                result.get_metrics(*names, is_random=False)["accuracy"]
                for names, _ in SETS.values()
            ]
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"{where(index)}: not the results of a cell ({error!r})") from None
    meanings = columns(path.name)
    by_name = {column.name: row for column, row in zip(meanings, values, strict=True)}
    with naming(path):
        return Table(NAME, parse_cells(path, cells), meanings, by_name)


def _verify_md5(path: Path) -> None:
    """Check the file against the first digits of its md5, which are the end of its name."""
    expected = path.stem.rpartition("-")[2]
    with naming(path), path.open("rb") as file:
        actual = hashlib.file_digest(file, "md5").hexdigest()
    if len(expected) < 6 or not actual.startswith(expected):
        raise DataError(
            f"{path}: its name promises an md5 that begins with {expected}, found {actual}; "
            "download it again, and keep its name"
        )


def _require_dict(path: Path, contents: object, *expected: str) -> dict:
    """The contents of a file, if they are a dictionary with some keys; else DataError."""
    if not isinstance(contents, dict):
        raise DataError(f"{path}: expected a dictionary, found {type(contents).__name__}")
    require(path, contents, expected)
    return contents


def _load_weights_only(path: Path) -> object:
    """A PyTorch file that may hold only containers, tensors and NumPy numbers."""
    import torch  # only needed here, and slow to import

    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]  # not public
    dtypes = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    names = [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *dtypes]
    try:
        with torch.serialization.safe_globals(names):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise DataError(f"{path} is not a file of plain numbers: {error}") from None


def _load_bz2(path: Path) -> object:
    """A compressed pickle that may hold only containers and NumPy numbers."""
    with naming(path), bz2.open(path) as file:
        return restricted_load(file, ALLOWED)
