"""NAS-Bench-301's predictions: which cells they are of, which their parameters prove."""

import json

import numpy as np
import pytest

from nasrepro.benchmarks import load_table, nb301
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import DataError
from nasrepro.nets.darts import count_parameters
from nasrepro.spaces.darts import Cell

SKIPS = [(0, 2), (1, 2)] * 4
POOLS = [(1, 0), (0, 1)] * 4


def real():
    if (path := locate(SOURCES[nb301.NAME])) is None:
        pytest.skip(f"set NASREPRO_DATA to a folder with {SOURCES[nb301.NAME].filename}")
    return path


def test_every_cell_has_the_parameters_of_its_key():
    """They agree only if operations, sources and kinds of cells are read in the right order."""
    entries = nb301.read_entries(real())
    counted = count_parameters(np.array([cell.code for cell in entries]))
    wanted = [entry["params"]["score"] * 1e6 for entry in entries.values()]
    assert counted.tolist() == [round(count) for count in wanted] and len(wanted) == 725


def test_predictions_are_percentages_and_are_called_what_they_are():
    real()
    table = load_table(nb301.NAME)
    (column,) = table.columns
    assert "a surrogate's prediction" in str(column)
    values = table.accuracy(table.codes, column.name)
    assert (values.min(), values.max()) == pytest.approx((91.2366, 94.4889), abs=1e-4)


def written(tmp_path, entries):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"cifar10": entries}))
    return path


def test_a_key_names_sources_and_operations(tmp_path):
    path = written(tmp_path, {str([SKIPS, POOLS]): {"val_accuracy": 93.5}})
    ((cell, entry),) = nb301.read_entries(path).items()
    assert cell.normal == (("skip_connect", 0), ("skip_connect", 1)) * 4
    assert cell.reduction == (("avg_pool_3x3", 0), ("max_pool_3x3", 1)) * 4
    assert isinstance(cell, Cell) and entry["val_accuracy"] == 93.5


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({str([SKIPS]): {}}, "is not a table of cells"),
        ({str([SKIPS, SKIPS[:6]]): {}}, "is not a table of cells"),
        ({str([SKIPS, [(0, 9)] * 8]): {}}, "is not a table of cells"),
        ({str([SKIPS, POOLS]): {"val_accuracy": 93.5}}, "expected 725 cells, found 1"),
        ({str([SKIPS, s]): {} for s in (SKIPS, SKIPS[::-1])}, "2 cells .*but only 1 differ"),
    ],
)
def test_another_file_is_refused(tmp_path, entries, message):
    with pytest.raises(DataError, match=message):
        nb301.read_json(written(tmp_path, entries))
