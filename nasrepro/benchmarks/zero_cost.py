"""Scores of untrained networks of NAS-Bench-201, as NASLib's authors computed them on CIFAR-10."""

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING

from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.spaces.nb201 import EDGES, Cell

if TYPE_CHECKING:
    import pandas as pd

NAME = "nb201-zero-cost"
SCORES = (
    *("nwot", "jacov", "synflow", "snip", "grasp", "fisher", "grad_norm"),
    *("l2_norm", "plain", "epe_nas", "params", "flops"),
)
# The file's numbers of operations, and its order of edges, which is not the benchmark's.
OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
IN_FILE = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


def read_scores(path: Path) -> "pd.DataFrame":
    """Read `zc_nasbench201.json`.

    Returns:
        One row a cell and score: `code`, `score` (a name of `SCORES`), `value`, larger for cells
        that it holds to be better, and `seconds` that it took.

    Raises:
        DataError: if it is not such a file.
    """
    import pandas as pd  # only needed here, and slow to import

    with naming(path):
        text = path.read_text(encoding="utf-8")
    try:
        rows = [
            (_code(key), score, float(entry[score]["score"]), float(entry[score]["time"]))
            for key, entry in json.loads(text)["cifar10"].items()
            for score in SCORES
        ]
    except (ValueError, LookupError, TypeError, AttributeError, SyntaxError) as error:
        raise DataError(f"{path} is not a table of zero-cost scores ({error!r})") from None
    return pd.DataFrame(rows, columns=["code", "score", "value", "seconds"])


def _code(key: str) -> int:
    """`Cell.code` of a key of the file.

    >>> print(Cell.from_code(_code("(2, 0, 1, 4, 0, 3)")))
    |nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_1x1~2|
    """
    numbers = dict(zip(IN_FILE, ast.literal_eval(key), strict=True))
    return Cell(tuple(OPERATIONS[numbers[edge]] for edge in EDGES)).code


def load() -> "pd.DataFrame":
    """What `read_scores` gives.

    Raises:
        DataError: if the file cannot be had or is not as expected.
    """
    return read_scores(fetch(SOURCES[NAME]))
