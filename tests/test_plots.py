"""Figures: what is drawn is what the tables hold."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from nasrepro import plots
from nasrepro.studies import regret, results


def test_points_are_drawn_where_the_table_says():
    baseline = pd.DataFrame(
        {
            "subspace": ["a", "b"],
            "size": ["S", "S"],
            "mean": [0.2, 0.4],
            "ci_low": [0.1, np.nan],
            "ci_high": [0.3, np.nan],
            "n": [5, 1],
            "parameter_count": [0.7, 0.8],
            "between_seeds": [0.9, np.nan],
        }
    )
    axis = plots.floor_and_ceiling(baseline, "S").axes[0]
    assert axis.lines[0].get_xdata().tolist() == [0.2, 0.4]
    bars = axis.containers[0].lines[2][0].get_segments()
    assert bars[0][:, 0].tolist() == pytest.approx([0.1, 0.3])
    assert bars[1][:, 0].tolist() == [0.4, 0.4]  # one run: no bar
    assert axis.collections[1].get_offsets()[:, 0].tolist() == [0.7, 0.8]


def test_lines_of_the_top_n_are_those_of_the_subspace_and_size():
    rows = pd.DataFrame(
        {
            "subspace": ["a", "a", "b", "a"],
            "size": ["S", "S", "S", "M"],
            "top": ["10", "25", "10", "10"],
            "tau": [0.1, 0.2, 0.3, 0.9],
            "mean_prediction": [50.0, 51.0, 52.0, 99.0],
            "n": 2,
        }
    )
    for name in ("tau", "mean_prediction"):
        rows[f"{name}_low"], rows[f"{name}_high"] = rows[name] - 0.1, rows[name] + 0.1
    figure = plots.top_n_curves(rows, {"one": ["a"], "two": ["b", "missing"]}, "S")
    drawn = [axis.containers[0].lines[0].get_ydata().tolist() for axis in figure.axes]
    assert drawn == [[0.1, 0.2], [0.3], [50.0, 51.0], [52.0]]


def test_figures_of_study_3_hold_what_the_tables_say():
    stored = results.stored_statistics("regret", "cpu")
    tables = regret.tables(stored)
    curves = tables["curves"].query("benchmark == 'nb101'")
    spaces = list(tables["table4"]["space"])
    figure = plots.regret_curves(curves, spaces, "seconds")
    panel = figure.axes[0]
    lines = {line.get_label(): line.get_ydata() for line in panel.lines}
    assert panel.get_title() == spaces[0] and set(lines) == set(curves["search"])
    expected = curves[(curves["space"] == spaces[0]) & (curves["search"] == "RS")]["regret"]
    assert lines["RS"].tolist() == expected.tolist()
    axis = plots.effect_sizes(tables["table4"]).axes[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels[spaces.index("A_FULL^NRES")] == "A_FULL^NRES (n=4)"
    plt.close("all")
