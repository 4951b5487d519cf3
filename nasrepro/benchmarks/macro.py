"""NAS-Bench-Macro: all 6,561 chain-structured networks on CIFAR-10 (Su et al. 2021).

Networks that agree but for the place of an identity were trained once: 3,969 trainings.
"""

import json
from pathlib import Path

import numpy as np

from nasrepro.benchmarks.table import Column, Table
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import naming
from nasrepro.rounding import counted, mean_share
from nasrepro.spaces.macro import NUM_CELLS, Cell

NAME = "nb-macro"
TEST_IMAGES = 10_000
COLUMNS = (
    Column(
        dataset="cifar10",
        split="test",
        epochs=50,
        seeds="mean of three runs",
        detail="on all 10,000 test images, trained on all 50,000 training images; of each run the "
        "highest after any epoch, by the benchmark's training script",
        source="nas-bench-macro_cifar10.json",
    ),
)


def read_json(path: Path) -> Table:
    """Read `nas-bench-macro_cifar10.json`.

    Raises:
        DataError: if it is not a table of all networks with three possible accuracies each.
    """
    try:
        networks = json.loads(path.read_text(encoding="utf-8"))
        codes = np.array([Cell.parse(text).code for text in networks], dtype=np.int64)
        runs = np.array([entry["test_acc"] for entry in networks.values()], dtype=np.float64)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigError) as error:
        raise DataError(f"{path} is not the table of NAS-Bench-Macro ({error!r})") from None
    if runs.shape != (NUM_CELLS, 3):
        raise DataError(
            f"{path}: expected {NUM_CELLS:,} networks with 3 accuracies each, "
            f"found an array of shape {runs.shape}"
        )
    try:
        counts = counted(runs / 100, TEST_IMAGES)
    except ValueError as error:
        raise DataError(f"{path}, accuracies: {error}") from None
    values = {column.name: mean_share(counts, TEST_IMAGES) for column in COLUMNS}
    with naming(path):
        return Table(NAME, codes, COLUMNS, values, space="macro")
