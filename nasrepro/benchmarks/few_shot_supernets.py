"""Supernets that others trained at the scale of a GPU, each evaluated on all of NAS-Bench-201."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.data.few_shot import CELLS
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import ConfigError, DataError
from nasrepro.rounding import counted
from nasrepro.spaces.nb201 import NUM_CELLS, Cell

if TYPE_CHECKING:
    import pandas as pd

NAME = "nb201-supernets"
IMAGES = 10_000  # all test images of CIFAR-10, of which an accuracy is a share
# The order of the numbers is that of the authors' scripts. `decom5` is a supernet whose later cells
# are there two to four times: a path takes the copy that fits how many of its convolutions come
# one after the other up to there, compared with the limits in the name, or one at random.
SUPERNET = re.compile(
    r"seed-(?P<seed>\d+)-.*(?:baseline|decom5)-(?P<channels>\d+)(?:-(?P<limits>\d+(?:-\d+)*))?"
    r"-(?P<batch>\d+)-(?P<epochs>\d+)(?P<balanced>-balanced)?(?P<random>rand)?"
)


def read_runs(path: Path) -> "pd.DataFrame":
    """Read `supernets_191x15625.parquet`: every supernet once, under whatever names it has.

    Returns:
        Accuracies in percent, as stored: one column a supernet, by the name of its run; one row a
        cell, under its `Cell.code`. Of runs that agree in every cell, one is left: a single
        supernet if any is, else the first.

    Raises:
        DataError: if it is not such a table of all cells.
    """
    import pandas as pd  # only needed here, and slow to import
    import pyarrow

    try:
        frame = pd.read_parquet(path)
        runs = frame.astype(np.float64).set_axis([Cell.parse(text).code for text in frame.index])
    except (OSError, ValueError, TypeError, ConfigError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} is not a table of supernets' accuracies ({error})") from None
    if sorted(runs.index) != list(range(NUM_CELLS)):
        raise DataError(f"{path}: expected each of {NUM_CELLS:,} cells once under {CELLS}")
    singles_first = sorted(runs, key=lambda name: not is_single(name))
    return distinct(runs[singles_first])


def distinct(runs: "pd.DataFrame") -> "pd.DataFrame":
    """The columns without those that repeat an earlier one in every row.

    >>> import pandas as pd
    >>> list(distinct(pd.DataFrame({"a": [1, 2], "b": [1, 3], "c": [1, 2]})))
    ['a', 'b']
    """
    _, first = np.unique(runs.to_numpy().T, axis=0, return_index=True)
    return runs.iloc[:, np.sort(first)]


def is_single(name: str) -> bool:
    """Whether a run is one supernet of all cells, and its name says how it was trained.

    >>> is_single("seed-0-opt5-wotrash-baseline-16-64-250")
    True
    >>> is_single("seed-0-opt5-wotrash-decom5-8-15-64-250"), is_single("seed-0-last10064")
    (False, False)
    """
    found = SUPERNET.fullmatch(name)
    return found is not None and found["limits"] is None


def supernets(runs: "pd.DataFrame") -> "pd.DataFrame":
    """The supernets among runs whose names say how they were trained.

    The stored accuracies are averages of batches in floating point, which splits ties: they become
    whole images.

    Args:
        runs: what `read_runs` gives.

    Returns:
        One row an evaluation: `run`, its name; `channels` of the stem; `batch` size; `epochs`;
        `balanced`, whether training drew equally from three parts of the cells; `split`, the limits
        between the copies of a cell, "random" or, of a single supernet, nothing; `seed`; `code` of
        the cell; `proxy` accuracy, percent.

    Raises:
        DataError: if there is no single one, or an accuracy is no share of `IMAGES`.
    """
    import pandas as pd

    frames = []
    for name, accuracies in runs.items():
        if found := SUPERNET.fullmatch(str(name)):
            try:
                counts = counted(accuracies.to_numpy() / 100, IMAGES)
            except ValueError as error:
                raise DataError(f"{name}: {error}") from None
            numbers = {key: int(found[key]) for key in ("channels", "batch", "epochs")}
            evaluations = {"code": runs.index, "proxy": counts * (100 / IMAGES)}
            split = "random" if found["random"] else found["limits"] or ""
            about = {"balanced": bool(found["balanced"]), "split": split}
            about["seed"] = int(found["seed"])
            frames.append(pd.DataFrame({"run": name, **numbers, **about, **evaluations}))
    if not any(is_single(str(name)) for name in runs):
        raise DataError("expected single supernets among the runs, found none")
    return pd.concat(frames, ignore_index=True)


def load() -> "pd.DataFrame":
    """The supernets, as `supernets` gives them; of what `nasrepro data fetch` makes, single ones.

    Raises:
        DataError: if the file cannot be had or is not as expected.
    """
    return supernets(read_runs(fetch(SOURCES[NAME])))
