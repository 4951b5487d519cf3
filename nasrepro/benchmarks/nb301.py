"""NAS-Bench-301's predictions for 725 cells of DARTS' space (Siems et al. 2020).

No cell was trained for them: a surrogate, fitted to 60,000 trainings, predicts what a training
would give. They come with the zero-cost scores of NASLib's authors.
"""

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np

from nasrepro.benchmarks.table import Column, Table
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import naming
from nasrepro.spaces.darts import CHOICES, Cell

NAME = "nb301-surrogate"
COUNT = 725
COLUMNS = (
    Column(
        dataset="cifar10",
        split="validation",
        epochs=100,
        seeds="a surrogate's prediction",
        detail="of NAS-Bench-301, for networks of 8 cells with 32 channels: val_accuracy",
        source="zc_nasbench301.json",
    ),
)


def read_json(path: Path) -> Table:
    """Read `zc_nasbench301.json`.

    Raises:
        DataError: if it is not a table of 725 cells with possible accuracies.
    """
    entries = read_entries(path)
    codes = np.array([cell.code for cell in entries], dtype=np.int64)
    with naming(path):
        if len(codes) != COUNT:
            raise DataError(f"expected {COUNT} cells, found {len(codes)}")
        try:
            found = [float(entry["val_accuracy"]) for entry in entries.values()]
        except (ValueError, LookupError, TypeError) as error:
            raise DataError(f"expected an accuracy of each cell ({error!r})") from None
        return Table(NAME, codes, COLUMNS, {COLUMNS[0].name: np.array(found)}, space="darts")


def read_entries(path: Path) -> dict[Cell, Any]:
    """What the file says of each cell.

    Raises:
        DataError: if it is not such a file, or has a cell twice.
    """
    with naming(path):
        text = path.read_text(encoding="utf-8")
    try:
        listed = json.loads(text)["cifar10"]
        entries = {_cell(key): entry for key, entry in listed.items()}
    except (ValueError, LookupError, TypeError, AttributeError, SyntaxError, ConfigError) as error:
        raise DataError(f"{path} is not a table of cells of DARTS' space ({error!r})") from None
    if len(entries) != len(listed):
        raise DataError(
            f"{path}: {len(listed)} cells are written down, but only {len(entries)} differ"
        )
    return entries


def _cell(key: str) -> Cell:
    """The cell of a key: normal and reduction cell, each of eight pairs of source and operation.

    >>> _cell(str([[(1, 2), (0, 3)] * 4, [(0, 0), (1, 6)] * 4])).normal[:2]
    (('sep_conv_3x3', 0), ('skip_connect', 1))
    """
    normal, reduction = ast.literal_eval(key)
    return Cell(_inputs(normal), _inputs(reduction))


def _inputs(pairs: list[tuple[int, int]]) -> tuple[tuple[str, int], ...]:
    return tuple((CHOICES[operation], source) for source, operation in pairs)
