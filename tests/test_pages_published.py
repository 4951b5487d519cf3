"""Study 1's tables of published supernets and of noise ceilings, from frames worked by hand."""

import pandas as pd
import pytest

from nasrepro.pages import correlations as page
from nasrepro.pages.correlations import tables
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.studies import results


def inputs(**frames: pd.DataFrame) -> Inputs:
    """Inputs without records."""
    return Inputs("correlations", "cpu", results.Plan([], []), frames)


def number(name: str, known: Inputs) -> str:
    return str(page.NUMBERS[name](known))


def published_frames() -> dict[str, pd.DataFrame]:
    """Two settings of others, the parameter count and a ceiling, in two subspaces."""
    keys = ["subspace", "cells", "metric"]
    spaces = ("all operations", "no Zero")
    published = pd.DataFrame(
        [
            (setting, space, cells, metric, mean, mean - 0.1, mean + 0.1, n)
            for setting, mean, n in (("5-64-250", 0.8, 3), ("16-64-250", 0.7, 2))
            for space in spaces
            for cells in ("all", "connected")
            for metric in ("spearman", "kendall_tau_b", "sparse_kendall_tau", "tau_top_tenth")
        ],
        columns=["setting", *keys, "mean", "ci_low", "ci_high", "n"],
    )
    best = published[published["metric"] == "spearman"].assign(metric="top_10_accuracy")
    counted = published[published["setting"] == "5-64-250"][[*keys, "n"]].assign(value=0.75)
    summary = pd.DataFrame(
        [
            ("all operations", "S", "spearman", 0.6, 0.5, 0.7, 5),
            ("all operations", "S", "spearman_connected", 0.5, 0.4, 0.6, 5),
            ("no Zero", "S", "spearman", 0.1, 0.0, 0.2, 5),
        ],
        columns=["subspace", "size", "metric", "mean", "ci_low", "ci_high", "n"],
    )
    whats = {"between runs": 0.9, "lowest pair": 0.8, "highest pair": 0.95}
    whats |= {"between means of three": 0.96, "ceiling of one run": 0.94}
    whats |= {"ceiling of a mean of three": 0.98}
    about = [("NAS-Bench-201", "validation", cells, 10) for cells in (*spaces, "above 90%")]
    ceilings = [(*row[:3], what, value, row[3]) for row in about for what, value in whats.items()]
    return {
        "published": pd.concat([published, best], ignore_index=True),
        "published_parameters": counted,
        "summary": summary,
        "baseline": summary[summary["metric"] == "spearman"].drop(columns="metric"),
        "ceilings": pd.DataFrame(
            ceilings, columns=["benchmark", "accuracy", "cells", "what", "value", "n"]
        ),
    }


def test_published_supernets_stand_beside_the_parameter_count_and_ours():
    grid = tables.published(inputs(**published_frames())).set_index("ranking")
    assert list(grid.index) == [
        *("published, 5-64-250", "published, 16-64-250", "parameter count", "ours, S"),
        "noise ceiling",
    ]
    assert grid["Spearman"].tolist() == [
        *("0.80 [0.70, 0.90]", "0.70 [0.60, 0.80]", "0.75", "0.60 [0.50, 0.70]"),
        "0.940",
    ]
    assert grid["Spearman, connected"].tolist()[2:] == ["0.75", "0.50 [0.40, 0.60]", "–"]
    assert grid["tau-b, true top 10%"].tolist()[2:] == ["0.75", "–", "–"]
    assert grid["n"].tolist() == ["3", "2", "–", "5", "–"]


def test_every_subspace_has_its_ceiling_beside_what_was_reached():
    grid = tables.published_masks(inputs(**published_frames())).set_index("subspace")
    assert list(grid) == [
        *("published, 5-64-250 (n = 3)", "ours, S", "parameter count", "noise ceiling"),
    ]
    assert grid.loc["no Zero"].tolist() == [
        *("0.80 [0.70, 0.90]", "0.10 [0.00, 0.20]", "0.75", "0.940"),
    ]
    rows = tables.ceilings_table(inputs(**published_frames()))
    assert rows["cells"].tolist() == ["all operations", "above 90%"]  # masks have theirs above
    assert rows.iloc[0].tolist()[3:] == [
        *("10", "0.900", "0.800 to 0.950", "0.960", "0.940", "0.980"),
    ]


def test_numbers_of_published_supernets_are_of_the_whole_space(monkeypatch):
    known = inputs(**published_frames())
    assert number("published-supernets", known) == "5"
    assert number("published-spearman", known) == "0.70 to 0.80"
    assert number("published-ours", known) == "0.60 [0.50, 0.70]"
    assert (number("published-floor", known), number("published-floor-top", known)) == ("0.75",) * 2
    assert (number("ceiling-all", known), number("ceiling-high-n", known)) == ("0.900", "10")
    monkeypatch.setattr("nasrepro.pages.inputs.is_here", lambda name: False)
    with pytest.raises(Absent, match="`nasrepro data fetch nb201-supernets` gets it"):
        number("published-top", inputs(summary=pd.DataFrame()))
