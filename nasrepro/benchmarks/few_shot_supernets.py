"""Supernets that others trained at the scale of a GPU, each evaluated on all of NAS-Bench-201."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.data.few_shot import CELLS
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import ConfigError, DataError
from nasrepro.spaces.nb201 import NUM_CELLS, Cell

if TYPE_CHECKING:
    import pandas as pd

NAME = "nb201-supernets"
IMAGES = 10_000  # all test images of CIFAR-10, of which an accuracy is a share
# A single supernet; the order of the numbers is that of the authors' scripts.
SINGLE = re.compile(
    r"seed-(?P<seed>\d+)-.*baseline-"
    r"(?P<channels>\d+)-(?P<batch>\d+)-(?P<epochs>\d+)(?P<balanced>-balanced)?"
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
    singles_first = sorted(runs, key=lambda name: SINGLE.fullmatch(name) is None)
    return distinct(runs[singles_first])


def distinct(runs: "pd.DataFrame") -> "pd.DataFrame":
    """The columns without those that repeat an earlier one in every row.

    >>> import pandas as pd
    >>> list(distinct(pd.DataFrame({"a": [1, 2], "b": [1, 3], "c": [1, 2]})))
    ['a', 'b']
    """
    return runs.loc[:, ~runs.T.duplicated().to_numpy()]


def single_supernets(runs: "pd.DataFrame") -> "pd.DataFrame":
    """The single supernets among runs, with what their names say.

    The stored accuracies are averages of batches in floating point, which splits ties: they become
    whole images.

    Args:
        runs: what `read_runs` gives.

    Returns:
        One row an evaluation: `run`, its name; `channels` of the stem; `batch` size; `epochs`;
        `balanced`, whether training drew equally from three parts of the cells; `seed`; `code` of
        the cell; `proxy` accuracy, percent.

    Raises:
        DataError: if there is none, or an accuracy is no share of `IMAGES`.
    """
    import pandas as pd

    frames = []
    for name, accuracies in runs.items():
        if found := SINGLE.fullmatch(str(name)):
            exact = accuracies.to_numpy() * (IMAGES / 100)
            counts = np.rint(exact)
            if not (np.abs(exact - counts) < 0.01).all() or not accuracies.between(0, 100.01).all():
                raise DataError(f"{name}: expected percentages of {IMAGES:,} images")
            numbers = {key: int(found[key]) for key in ("channels", "batch", "epochs")}
            evaluations = {"code": runs.index, "proxy": counts * (100 / IMAGES)}
            about = {"balanced": bool(found["balanced"]), "seed": int(found["seed"])}
            frames.append(pd.DataFrame({"run": name, **numbers, **about, **evaluations}))
    if not frames:
        raise DataError("expected single supernets among the runs, found none")
    return pd.concat(frames, ignore_index=True)


def load() -> "pd.DataFrame":
    """The single supernets, as `single_supernets` gives them.

    Raises:
        DataError: if the file cannot be had or is not as expected.
    """
    return single_supernets(read_runs(fetch(SOURCES[NAME])))
