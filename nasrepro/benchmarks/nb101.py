"""The part of NAS-Bench-101 that Pourchot et al. published, and what their supernets said of it.

Where a user has the whole benchmark, `nb101_official` reads it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.benchmarks.table import Column, Table
from nasrepro.data.pourchot import EPOCHS, IMAGES, RUNS
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.rounding import mean_share
from nasrepro.spaces.nb101_codes import encode

if TYPE_CHECKING:
    import pandas as pd

NAME = "nb101-sample"
MEAN = "mean of three runs"
SPLITS = {
    "validation": "on 9,984 of the 10,000 training images held out",
    "test": "on 9,984 of the 10,000 test images",
}


def columns(source: str, extent: str) -> tuple[Column, ...]:
    """Validation and test accuracy of a file; the extent says which cells it has."""
    return tuple(
        Column("cifar10", split, EPOCHS, MEAN, f"{images}, trained on 40,000; {extent}", source)
        for split, images in SPLITS.items()
    )


COLUMNS = columns(
    SOURCES[NAME].filename,
    "a sample: the 151,644 of 423,624 cells on which Pourchot et al. evaluated supernets, "
    "equally many draws from each of their seven subspaces, so not uniform over the space",
)

# The authors' folders: how table 3 of the paper and `SUBSPACES` call them.
SPACES = {
    "4": "A_4",
    "3": "A_3",
    "2": "A_2",
    "1": "A_1",
    "full": "A_FULL",
    "full_0": "A_FULL^NRES",
    "full_1": "A_FULL^RES",
}
METHODS = {
    "baseline_no_ft": "NO FT",
    "baseline_ft_bn": "BNS-FT",
    "single-k_ft_bn": "SINGLE-K",
    "pro-rata_ft_bn": "PRO-RATA",
    "avg-3_ft_bn": "AVG-3",
    "s-k+p-r_ft_bn": "S-K + P-R",
}


def read_sample(path: Path) -> "pd.DataFrame":
    """Read `nb101_pourchot_151644.parquet` as a data frame.

    Returns:
        One row a cell: its `code`; `params`, trainable parameters; of each of the three runs
        `validation_0` and `test_0`, percent, and `seconds_0` of training, float64; and the means
        `validation` and `test` of the runs, percent, float64: equal ones are equal numbers.

    Raises:
        DataError: if it is not such a table.
    """
    runs = [f"{what}{run}" for what in ("val", "test", "time") for run in RUNS]
    frame = _read_parquet(path, ("n", "adj_upper", "ops", "params", *runs))
    sample = frame[["params"]].astype(np.int64)
    sample.insert(0, "code", _parse_cells(path, frame))
    for run in RUNS:
        sample[f"validation_{run}"] = frame[f"val{run}"] / IMAGES * 100
        sample[f"test_{run}"] = frame[f"test{run}"] / IMAGES * 100
        sample[f"seconds_{run}"] = frame[f"time{run}"].astype(np.float64)
    for split, what in {"validation": "val", "test": "test"}.items():
        counts = frame[[f"{what}{run}" for run in RUNS]].to_numpy(np.int64)
        sample[split] = mean_share(counts, IMAGES)
    return sample


def read_table(path: Path) -> Table:
    """Read `nb101_pourchot_151644.parquet` as a table of validation and test accuracy.

    Raises:
        DataError: if it is not such a table, or holds an impossible cell or accuracy.
    """
    sample = read_sample(path)
    values = {column.name: sample[column.split].to_numpy() for column in COLUMNS}
    with naming(path):
        return Table(NAME, sample["code"].to_numpy(), COLUMNS, values, space="nb101")


def read_supernets(path: Path, sample: "pd.DataFrame") -> "pd.DataFrame":
    """Read `pourchot_supernet_evaluations.parquet` and look its cells up in the sample.

    Args:
        path: the file.
        sample: what `read_sample` gives.

    Returns:
        One row an evaluation: `space` and `method` as in the paper's table 3, `seed` of the
        supernet, `code` of the cell, `proxy` accuracy with the supernet's weights, `validation`
        and `test` accuracy after training alone (means of three runs), all three in percent. A
        supernet has 1,000 evaluations, of which a few are of the same cell.

    Raises:
        DataError: if it is not such a table, or names a cell that the sample lacks.
    """
    frame = _read_parquet(path, ("method", "space", "seed", "arch_row", "supernet_val_acc"))
    rows = frame["arch_row"].to_numpy()
    if ((rows < 0) | (rows >= len(sample))).any():
        raise DataError(f"{path}: expected rows of a sample of {len(sample):,} cells")
    if unknown := set(frame["space"]) - set(SPACES) | set(frame["method"]) - set(METHODS):
        raise DataError(f"{path}: unknown spaces or methods {', '.join(sorted(unknown))}")
    frame["space"] = frame["space"].astype(object).map(SPACES)
    frame["method"] = frame["method"].astype(object).map(METHODS)
    frame["code"] = sample["code"].to_numpy()[rows]
    frame["proxy"] = frame["supernet_val_acc"].astype(np.float64) * 100
    for split in SPLITS:
        frame[split] = sample[split].to_numpy()[rows]
    return frame[["space", "method", "seed", "code", "proxy", *SPLITS]]


def load_supernets() -> "pd.DataFrame":
    """The authors' own supernet evaluations, as `read_supernets` gives them.

    Raises:
        DataError: if one of the two files cannot be had or is not as expected.
    """
    return read_supernets(fetch(SOURCES["nb101-supernets"]), read_sample(fetch(SOURCES[NAME])))


def _read_parquet(path: Path, expected: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd  # only needed here, and slow to import
    import pyarrow

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"cannot read {path} as a Parquet table ({error})") from None
    if missing := [name for name in expected if name not in frame]:
        raise DataError(f"{path}: expected the columns {', '.join(missing)}")
    return frame


def _parse_cells(path: Path, frame: "pd.DataFrame") -> np.ndarray:
    """The codes of matrices written as their upper triangle row by row, and operations."""
    codes = np.empty(len(frame), dtype=np.int64)
    for vertices, rows in frame.groupby("n").indices.items():
        above = np.triu_indices(vertices, 1)
        matrices = np.zeros((len(rows), vertices, vertices), dtype=np.int64)
        matrices[:, *above] = _digits(path, frame["adj_upper"].iloc[rows], len(above[0]), "01")
        operations = _digits(path, frame["ops"].iloc[rows], vertices - 2, "012")
        codes[rows] = encode(matrices, operations)
    return codes


def _digits(path: Path, texts: Sequence[str], length: int, allowed: str) -> np.ndarray:
    """Strings of digits as integers [n, length]."""
    for text in texts:
        if len(text) != length or set(text) - set(allowed):
            raise DataError(f"{path}: expected {length} digits of {allowed}, found {text!r}")
    digits = np.frombuffer("".join(texts).encode(), dtype=np.uint8) - ord("0")
    return digits.reshape(len(texts), length).astype(np.int64)
