"""Tables and numbers of a page, and its figures: what is drawn is what the tables hold."""

import math

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from nasrepro import plots, report
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import regret, results
from nasrepro.studies.correlations import PROFILES, design


def summary_rows(**metrics: tuple[float, float, float, int]) -> pd.DataFrame:
    rows = [("no Zero", "S", name, *values) for name, values in metrics.items()]
    columns = ["subspace", "size", "metric", "mean", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def test_a_diverged_run_is_an_asterisk_and_not_counted():
    summary = summary_rows(diverged=(0.4, 0.0, 1.0, 5), spearman=(0.5, 0.4, 0.6, 3))
    table = report.interval_grid(summary, {"spearman": "Spearman"})
    assert table.iloc[0].to_dict() == {
        "subspace": "no Zero",
        "size": "S",
        "n": "3**",
        "Spearman": "0.50 [0.40, 0.60]",
    }


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.123, 0.1, 0.15), "0.12 [0.10, 0.15]"),
        ((1.0, 1.0, 1.0), "1.00 [1.00, 1.00]"),  # runs that agree are no exact count
        ((0.5, math.nan, math.nan), "0.50 [no interval]"),
        ((math.nan,) * 3, "–"),
    ],
)
def test_a_number_never_stands_without_its_interval(interval, text):
    assert report.with_interval(*interval) == text


def test_a_table_is_numbered_and_keeps_its_texts():
    table = report.markdown_table(pd.DataFrame({"n": ["007"], "x": ["> 0"]}), "What.", "tab-x")
    lines = table.splitlines()
    assert lines[:2] == ["```{table} What.", ":name: tab-x"]
    assert "007" in table and "> 0" in table  # neither parsed as a number nor changed
    assert lines[-1] == "```"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_description_says_what_the_configs_say(profile):
    config: SupernetConfig = next(iter(design(profile)))
    text = " ".join(report.describe_runs(design(profile), PROFILES[profile].nets)["value"])
    for number in (config.data.train_images, config.data.validation_images, config.cells.random):
        assert f"{number:,}" in text
    assert f"{config.train.epochs} epochs, batches of {config.train.batch_size}" in text
    assert config.sampler in text


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


COMPARISONS = pd.DataFrame(
    {
        "space": ["A_4", "A_1"],
        "baseline": "RS",
        "guided": "RS",
        "supernets": [4, 5],
        "failed": [1, 0],
        "guided_runs": [20, 25],
        "baseline_trainings": [4.67, 5.0],
        "baseline_regret": [1.846, 1.7],
        "guided_regret": [2.466, 0.2],
        "difference": [-0.62, 1.5],
        "ci_low": [-1.41, np.nan],
        "ci_high": [0.17, np.nan],
        "d": [-0.775, 2.0],
        "d_low": [-1.77, np.nan],
        "d_high": [0.22, np.nan],
        "superiority": [0.298, 0.9],
        "trainings_to_match": [2.0, np.nan],
    }
)


def test_comparisons_show_failed_supernets_and_missing_intervals():
    first, second = report.comparison_table(COMPARISONS).to_dict("records")
    assert first["supernets × searches"] == "4* × 5"
    assert first["difference"] == "-0.62 [-1.41, 0.17]" and first["trainings to match"] == "2"
    assert second["difference"] == "1.50 [no interval]"
    assert second["trainings to match"] == "more than searched"


def test_networks_of_every_space_are_described():
    shown = [str(net) for net in (NetConfig(), CellNetConfig(), ChainNetConfig())]
    assert shown == [
        "16 channels, 5 cell(s) a stage",
        "16 channels, 3 cell(s) a stage",
        "32 channels in the stem, 1,280 in the last convolution",
    ]


def test_recomputed_numbers_are_text_and_truths_are_words():
    frame = pd.DataFrame({"d": [0.444], "where": ["5.2"], "agrees": [True], "other": [1]})
    shown = report.recomputed_table(frame, {"where": "place", "d": "d", "agrees": "agrees"})
    assert shown.to_dict("records") == [{"place": "5.2", "d": "0.44", "agrees": "yes"}]


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


def test_what_half_precision_changes_is_one_row_for_each_number_of_images():
    rows = pd.DataFrame(
        [
            (1_000, 900, "agreement", 0.99876, 0.99, 1, 2),
            (1_000, 900, "change", -0.0021, -0.005, 0.0008, 2),
            (10_000, 500, "agreement", 0.99951, 0.999, 1, 2),
            (10_000, 500, "change", 0.00004, -0.001, 0.001, 2),
        ],
        columns=["images", "cells", "what", "mean", "ci_low", "ci_high", "n"],
    )
    grid = report.half_precision_grid(rows)
    assert grid.columns[:3].tolist() == ["images", "cells", "n"]
    assert grid.to_numpy().tolist() == [
        ["1,000", "900", "2", "0.9988 [0.9900, 1.0000]", "-0.0021 [-0.0050, 0.0008]"],
        ["10,000", "500", "2", "0.9995 [0.9990, 1.0000]", "0.0000 [-0.0010, 0.0010]"],
    ]


def test_two_truths_and_their_difference_in_one_row():
    rows = pd.DataFrame(
        [
            ("all", size, 25, truth, mean, mean - 0.1, mean + 0.1, 5)
            for size in ("S", "M")
            for truth, mean in (("own", 0.7), ("table", 0.5))
        ],
        columns=["subspace", "size", "cells", "truth", "mean", "ci_low", "ci_high", "n"],
    )
    gains = pd.DataFrame(
        [("all", size, 5, 0.2, 0.1, 0.3, 25) for size in ("S", "M")],
        columns=["subspace", "size", "runs", "mean", "ci_low", "ci_high", "n"],
    )
    row, other = report.own_truth_grid(rows, gains).to_dict("records")
    assert (row["size"], other["size"]) == ("S", "M")
    assert row["with our own benchmark"] == "0.70 [0.60, 0.80]"
    assert row["with the published table"] == "0.50 [0.40, 0.60]"
    assert row["difference, interval over cells"] == "0.20 [0.10, 0.30]"
