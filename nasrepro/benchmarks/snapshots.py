"""One supernet after each of its last 128 steps, as Zhang, Lin et al. (2020) published it.

It shares its weights among all 64 networks of a small space, each of which was trained alone, too.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import DataError
from nasrepro.files import naming

if TYPE_CHECKING:
    import pandas as pd

NAME, TRUTH = "snapshots", "snapshots-truth"
NETWORKS = 64


def read_states(path: Path) -> "pd.DataFrame":
    """Read `share_all_acc_last128.csv`.

    Returns:
        Accuracy in percent of each network, a column by its number, after each step, a row.

    Raises:
        DataError: if it is not such a file, or a step is missing.
    """
    import pandas as pd  # only needed here, and slow to import

    with naming(path):
        try:
            found = pd.read_csv(path, index_col=0)
            states = 100 * found.rename(columns=int).astype(float)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path} is not a table of accuracies ({error})") from None
    if list(states) != list(range(NETWORKS)) or states.isna().any(axis=None):
        raise DataError(f"{path}: expected accuracies of networks 0 to {NETWORKS - 1}")
    if not (np.diff(states.index) == 1).all():
        raise DataError(f"{path}: expected consecutive steps")
    return states


def read_truth(path: Path) -> np.ndarray:
    """Read `gt_acc.txt`: accuracy in percent of each network alone, mean over its trainings.

    Raises:
        DataError: if it is not such a file.
    """
    with naming(path):
        try:
            found = 100 * np.loadtxt(path)
        except ValueError as error:
            raise DataError(f"{path} is not a list of accuracies ({error})") from None
    if found.shape != (NETWORKS,):
        raise DataError(f"{path}: expected {NETWORKS} accuracies, found {found.size}")
    return found


def load() -> "tuple[pd.DataFrame, np.ndarray]":
    """What `read_states` and `read_truth` give.

    Raises:
        DataError: if a file cannot be had or is not as expected.
    """
    return read_states(fetch(SOURCES[NAME])), read_truth(fetch(SOURCES[TRUTH]))
