"""Numbers and tables of pages as text."""

import math

import pandas as pd
import pytest

from nasrepro.claims import decides
from nasrepro.pages.text import (
    decides_table,
    interval_grid,
    numbered_table,
    recomputed_table,
    table3_grid,
    with_failures,
    with_interval,
)
from nasrepro.stats import Student


def summary_rows(**metrics: tuple[float, float, float, int]) -> pd.DataFrame:
    rows = [("no Zero", "S", name, *values) for name, values in metrics.items()]
    columns = ["subspace", "size", "metric", "mean", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def test_a_diverged_run_is_an_asterisk_and_not_counted():
    summary = summary_rows(diverged=(0.4, 0.0, 1.0, 5), spearman=(0.5, 0.4, 0.6, 3))
    table = interval_grid(summary, {"spearman": "Spearman"})
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
    assert with_interval(*interval) == text


def test_what_a_design_can_decide_is_two_chances_a_truth():
    found = {"same-level": Student(0.03, 0.02, math.inf, 6)}
    shown = decides_table(pd.DataFrame(decides("pourchot_ranking", found))).iloc[0]
    # ± 0.0392 leaves ± 0.0108 of ± 0.05: 0.54 errors on either side of 0, 0.04 and 1.04 of 0.01.
    assert shown["truth zero"] == "41.1% / 0.0% (at 0)"
    assert shown["truth as printed"] == "36.7% / 0.0% (at 0.01)"
    assert shown["truth at the region's edge"] == "2.4% / 2.5% (at 0.05)"
    assert shown["supported 4 times in 5 at"] == "nothing"


def test_a_table_is_numbered_folded_and_keeps_its_texts():
    table = numbered_table(pd.DataFrame({"n": ["007"], "x": ["> 0"]}), "What. How read.", "tab-x")
    lines = table.splitlines()
    assert lines[0] == ":::::{dropdown} {numref}`tab-x`: What."
    assert "```{table} What.\n:name: tab-x" in table and "\nHow read.\n" in table
    assert "007" in table and "> 0" in table  # neither parsed as a number nor changed
    assert ":open:" not in table and lines[-1] == ":::::"


def test_intervals_stand_below_their_numbers_where_there_are_many():
    few = pd.DataFrame({"a": ["0.5 [0.4, 0.6]"]})
    many = pd.DataFrame({name: ["0.5 [0.4, 0.6]"] for name in "abcdef"})
    assert "0.5\N{NO-BREAK SPACE}[0.4,\N{NO-BREAK SPACE}0.6]" in numbered_table(few, "X.", "x")
    assert numbered_table(many, "X.", "x").count("0.5<br>[0.4,\N{NO-BREAK SPACE}0.6]") == 6


def test_a_grid_has_one_order_and_one_column_of_n():
    rows = [("b", "y", 0.1, 3, 0), ("b", "x", 0.2, 4, 1), ("a", "x", 0.3, 5, 0)]
    table = pd.DataFrame(rows, columns=["space", "method", "mean", "n", "failed"])
    table = table.assign(ci_low=0.0, ci_high=1.0)
    grid = table3_grid(table, with_failures, ["a", "b"], ["x"])
    assert grid.to_numpy().tolist() == [
        ["a", "5", "0.30 [0.00, 1.00]", "–"],
        ["b", "3 to 4", "0.20 [0.00, 1.00]*", "0.10 [0.00, 1.00]"],
    ]


def test_recomputed_numbers_are_text_and_truths_are_words():
    frame = pd.DataFrame({"d": [0.444], "where": ["5.2"], "agrees": [True], "other": [1]})
    shown = recomputed_table(frame, {"where": "place", "d": "d", "agrees": "agrees"})
    assert shown.to_dict("records") == [{"place": "5.2", "d": "0.44", "agrees": "yes"}]
