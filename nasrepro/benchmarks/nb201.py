"""The two small tables of NAS-Bench-201: after 200 epochs (CSV) and after 12 (pandas pickle)."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasrepro.benchmarks.table import Column, Table, complete
from nasrepro.data.pickles import ARRAYS, restricted_load
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import naming
from nasrepro.spaces.nb201 import Cell

MEAN = "mean of the benchmark's seeds"  # one to three runs per cell after 200 epochs

# For each data set and split: the benchmark's own names of them (Dong & Yang 2020, section 3),
# and the images. `cifar10-valid` and `cifar10` are separate training runs.
SETS = {
    ("cifar10", "validation"): (
        ("cifar10-valid", "x-valid"),
        "on 25,000 training images, trained on the other 25,000",
    ),
    ("cifar10", "test"): (
        ("cifar10", "ori-test"),
        "on all 10,000 test images, trained on all 50,000 training images",
    ),
    ("cifar100", "validation"): (
        ("cifar100", "x-valid"),
        "on 5,000 of the 10,000 test images, trained on all 50,000 training images",
    ),
    ("cifar100", "test"): (
        ("cifar100", "x-test"),
        "on the other 5,000 test images, trained on all 50,000 training images",
    ),
    ("imagenet16-120", "validation"): (
        ("ImageNet16-120", "x-valid"),
        "on 3,000 of the 6,000 test images, trained on all 151,700 training images",
    ),
    ("imagenet16-120", "test"): (
        ("ImageNet16-120", "x-test"),
        "on the other 3,000 test images, trained on all 151,700 training images",
    ),
}


def column(dataset: str, split: str, epochs: int, seeds: str, source: str) -> Column:
    """A column of NAS-Bench-201, for a key of `SETS`."""
    (benchmark_dataset, benchmark_set), images = SETS[dataset, split]
    detail = f"{images} (the benchmark's {benchmark_set} of {benchmark_dataset})"
    return Column(dataset, split, epochs, seeds, detail, source)


# The header of each file, and what stands below it. The CSV does not say which images it means,
# but each value is the mean of one to three counts of 10,000, 5,000 and 3,000: on CIFAR-100 and
# ImageNet16-120 it is `x-test`. The script that wrote the pickle names its sets. Both files hold
# means that were rounded on the way, so that some equal ones differ in their last digits. They are
# kept so: the true best cells that stored runs evaluated were chosen among them.
CSV = {
    "CIFAR10TestAccuracy200Epochs": column("cifar10", "test", 200, MEAN, "nats_bench.csv"),
    "CIFAR100TestAccuracy200Epochs": column("cifar100", "test", 200, MEAN, "nats_bench.csv"),
    "ImageNetTestAccuracy200Epochs": column("imagenet16-120", "test", 200, MEAN, "nats_bench.csv"),
}
_PD = "mini-bench-arch-cell-accs.pd"
FRAME = {
    "cifar10-val": column("cifar10", "validation", 12, "mean of two seeds", _PD),
    "cifar10-test": column("cifar10", "test", 12, "one seed", _PD),
    "cifar100-val": column("cifar100", "validation", 12, "one seed", _PD),
    "cifar100-test": column("cifar100", "test", 12, "one seed", _PD),
    "imagenet-val": column("imagenet16-120", "validation", 12, "one seed", _PD),
    "imagenet-test": column("imagenet16-120", "test", 12, "one seed", _PD),
}

# All that the pandas pickle names, spelt as in the file.
FRAME_GLOBALS = ARRAYS | {
    ("numpy.core.numeric", "_frombuffer"),
    ("builtins", "slice"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}


def read_csv(path: Path) -> Table:
    """Read `nats_bench.csv`: test accuracy after 200 epochs on three data sets.

    Raises:
        DataError: if it is not a table of all 15,625 cells with a possible accuracy each.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows, header = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path} as a CSV table ({error})") from None
    require(path, header, ("ArchitectureString", *CSV))
    values = {
        column.name: parse_numbers(path, [row[key] for row in rows]) for key, column in CSV.items()
    }
    codes = parse_cells(path, (row["ArchitectureString"] for row in rows))
    with naming(path):
        return complete(Table("nb201-200epochs", codes, tuple(CSV.values()), values))


def read_frame(path: Path) -> Table:
    """Read `mini-bench-arch-cell-accs.pd`: validation and test accuracy after 12 epochs.

    These are separate trainings, whose learning rate falls to zero within 12 epochs; not the
    first 12 epochs of the long ones.

    Raises:
        DataError: if it is not a frame of all 15,625 cells with a possible accuracy each, or the
            pickle names anything but the parts of a pandas frame.
    """
    with naming(path), path.open("rb") as file:
        frame = restricted_load(file, FRAME_GLOBALS)
    require(path, getattr(frame, "columns", ()), ("arch", "cellstr", *FRAME))
    if list(frame["arch"]) != list(range(len(frame))):
        raise DataError(f"{path}: the rows are not in the benchmark's own order")
    values = {column.name: parse_numbers(path, frame[key]) for key, column in FRAME.items()}
    codes = parse_cells(path, frame["cellstr"])
    with naming(path):
        return complete(Table("nb201-12epochs", codes, tuple(FRAME.values()), values))


def require(path: Path, names: Iterable[str], expected: Iterable[str]) -> None:
    """Raise a DataError unless every expected name is among the names."""
    names = list(names)
    if missing := [name for name in expected if name not in names]:
        raise DataError(
            f"{path}: expected {', '.join(missing)}, found {', '.join(map(str, names)) or 'none'}"
        )


def parse_cells(path: Path, texts: Iterable[Any]) -> np.ndarray:
    """The codes of cells in the benchmark's notation; DataError for any other text."""
    codes = []
    for row, text in enumerate(texts):
        try:
            codes.append(Cell.parse(text).code)
        except ConfigError as error:
            raise DataError(f"{path}, cell {row}: {error}") from None
    return np.array(codes, dtype=np.int64)


def parse_numbers(path: Path, texts: Sequence[Any]) -> np.ndarray:
    """Numbers as float64; DataError if one is missing or is no number."""
    try:
        return np.array([float(text) for text in texts])
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: expected a number in every row ({error})") from None
