"""The official NAS-Bench-201 and NATS-Bench files, where a user has them.

They are read once, by the results class of their own package (`ArchResults.get_metrics` of
`nas-bench-201` or `nats-bench`), and what the studies need goes into the cache. Of every cell it
is the accuracy after the last epoch of the 200-epoch schedule, as the mean over all of the
benchmark's seeds that are there; `nb201.SETS` names the set of images each column is measured on.
What `official_curves` needs is read by the same functions.

Both files are pickles. The first is read by `torch.load(weights_only=True)`, and only if its md5
begins as its name says; the second is a folder, which no checksum covers. Neither may name anything
but containers and numbers. The first takes about a quarter of an hour and 25 GB of memory.
"""

import bz2
import hashlib
import pickle
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nasrepro.benchmarks import compact
from nasrepro.benchmarks.nb201 import MEAN, SETS, column, parse_cells, require
from nasrepro.benchmarks.table import Column, Table, complete
from nasrepro.data.pickles import NUMBERS, restricted_load
from nasrepro.data.sources import find_file
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.paths import exists

T = TypeVar("T")
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


def file_of(filename: str, table: str) -> Path:
    """Where one of `READERS` lies; DataError that says whence a table has it if it is not here."""
    origin = "github.com/D-X-Y/NAS-Bench-201 or github.com/D-X-Y/NATS-Bench"
    return require_file(filename, table, READERS, origin)


def _read(filename: str) -> Table:
    path = file_of(filename, NAME)
    with naming(path):
        return complete(to_table(path, *READERS[filename](path, accuracies)))


def accuracies(results: Any) -> list[float]:
    """The accuracies of a cell after its last epoch, in the order of `nb201.SETS`.

    Args:
        results: an `ArchResults` of the benchmark's own package.
    """
    return [results.get_metrics(*names, is_random=False)["accuracy"] for names, _ in SETS.values()]


def to_table(path: Path, cells: Iterable[str], values: Sequence[Sequence[float]]) -> Table:
    """The table of what `accuracies` measured.

    Args:
        path: the source.
        cells: as the benchmark writes them.
        values: of each cell.
    """
    meanings = columns(path.name)
    rows = np.array(values, dtype=np.float64).T
    by_name = {column.name: row for column, row in zip(meanings, rows, strict=True)}
    with naming(path):
        return Table(NAME, parse_cells(path, cells), meanings, by_name)


def read_nasbench201(path: Path, measure: Callable[[Any], T]) -> tuple[list[str], list[T]]:
    """Read a file such as `NAS-Bench-201-v1_1-096897.pth`.

    Args:
        path: of the file.
        measure: what is taken of each cell, from its `ArchResults` after 200 epochs.

    Returns:
        The cells in the benchmark's own order and notation, and what was taken of each.

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

    made = ArchResults.create_from_state_dict
    return _measured(contents["meta_archs"], state, where, made, measure)


def read_nats(folder: Path, measure: Callable[[Any], T]) -> tuple[list[str], list[T]]:
    """Read a folder such as `NATS-tss-v1_0-3ffb9-simple`: one compressed pickle per cell.

    Arguments and what is returned are as in `read_nasbench201`.

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

    made = ArchResults.create_from_state_dict
    return _measured(meta["meta_archs"], state, where, made, measure)


# What is read, in the order of preference. The six or five digits are the md5 of the file (of the
# NATS folder: of its one-file version), so the name stands for the content in the cache.
READERS = {
    "NAS-Bench-201-v1_1-096897.pth": read_nasbench201,
    "NATS-tss-v1_0-3ffb9-simple": read_nats,
}


def _measured(
    cells: Iterable[str],
    state: Callable[[int], dict],
    where: Callable[[int], str],
    results: Callable[[dict], Any],
    measure: Callable[[Any], T],
) -> tuple[list[str], list[T]]:
    """Every cell, and what is taken of its results.

    Args:
        cells: their strings in the benchmark's own order.
        state: for an index, the state of its results after 200 epochs.
        where: from an index to its place in the source, for the messages.
        results: makes an `ArchResults` of a state.
        measure: of one.
    """
    cells, found = list(cells), []
    for index, cell in enumerate(cells):
        try:
            result = results(state(index))
            if (result.arch_str, result.get_total_epoch()) != (cell, EPOCHS):
                raise DataError(
                    f"{where(index)}: expected {cell} after {EPOCHS} epochs, "
                    f"found {result.arch_str} after {result.get_total_epoch()}"
                )
            found.append(measure(result))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"{where(index)}: not the results of a cell ({error!r})") from None
    return cells, found


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
