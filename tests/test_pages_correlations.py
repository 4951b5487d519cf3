"""Study 1's page: numbers, tables and figures from tables worked by hand."""

import pandas as pd
import pytest

from nasrepro.claims import read_claims
from nasrepro.pages import correlations as page
from nasrepro.pages.correlations import half_precision_grid, own_truth_grid
from nasrepro.pages.inputs import Absent, Inputs, how_to_get, is_here
from nasrepro.studies import correlations, results


def inputs(profile: str = "cpu", **frames: pd.DataFrame) -> Inputs:
    """Inputs without records."""
    return Inputs("correlations", profile, results.Plan([], []), frames)


def number(name: str, known: Inputs) -> str:
    return str(page.NUMBERS[name](known))


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
    grid = half_precision_grid(rows)
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
    row, other = own_truth_grid(rows, gains).to_dict("records")
    assert (row["size"], other["size"]) == ("S", "M")
    assert row["by our benchmark"] == "0.70 [0.60, 0.80]"
    assert row["by the published table"] == "0.50 [0.40, 0.60]"
    assert row["difference, interval over cells"] == "0.20 [0.10, 0.30]"


def test_numbers_are_of_small_supernets_of_the_full_space():
    baseline = pd.DataFrame(
        [
            ("all operations", "M", 0.1, 0.0, 0.2, 3, 0.05, 0.9),
            ("all operations", "S", 0.5, 0.4, 0.6, 5, 0.7, 0.8),  # below the parameter count
            ("no Zero", "S", 0.5, 0.4, 0.6, 5, 0.3, 0.8),  # above
            ("no Skip", "S", 0.5, 0.4, 0.6, 5, 0.55, 0.8),  # open
        ],
        columns=[
            *("subspace", "size", "mean", "ci_low", "ci_high", "n"),
            *("parameter_count", "between_seeds"),
        ],
    )
    known = inputs(baseline=baseline)
    assert number("spearman-full", known) == "0.50 [0.40, 0.60]"
    assert number("spearman-full-n", known) == "5"
    assert number("spearman-parameters", known) == "0.70"
    assert [number(f"floor-{name}", known) for name in ("above", "below", "open")] == ["1"] * 3
    assert number("small-settings", known) == "3"
    with pytest.raises(Absent):
        number("spearman-full", inputs(baseline=baseline[baseline["size"] == "M"]))


def test_claims_count_with_our_supernets_and_never_the_authors():
    supported = pd.DataFrame({"claim": ["a"], "verdict": ["supported"], "counted": [True]})
    contradicted = pd.DataFrame({"claim": ["b"], "verdict": ["contradicted"], "counted": [False]})
    found = page.claims({"claims": supported, "authors_claims": contradicted})
    assert found["verdict"].tolist() == [
        "supported",
        *["not run"] * len(read_claims("pourchot_ranking")),
    ]
    found = page.claims({"claims": supported, "ours_claims": contradicted})
    assert found["verdict"].tolist() == ["supported", "contradicted"]
    assert found["source"].tolist() == ["NAS-Bench-201", "ours"]


def test_settings_are_those_of_subspaces_in_which_more_than_one_was_tried():
    rows = [("all", False, 0.1), ("all", True, 0.2), ("no Zero", True, 0.3)]
    tried = pd.DataFrame(rows, columns=["subspace", "in_grid", "mean"]).assign(
        sampler="uniform",
        batch_size=8,
        learning_rate=0.1,
        weight_decay=0,
        epochs=2,
        n=1,
        ci_low=float("nan"),
        ci_high=float("nan"),
    )
    shown = page.settings_tried(inputs(tried=tried))
    assert shown["subspace"].tolist() == ["all", "all"]
    assert shown["sampler"].tolist() == ["uniform", "uniform (the grid's)"]
    with pytest.raises(Absent, match="Only the grid's setting"):
        page.settings_tried(inputs(tried=tried[tried["in_grid"]]))


def test_a_column_of_panels_has_an_operation_masked_alone_and_with_others():
    assert page.with_mask(inputs(), "none") == [
        *("all operations", "no Zero", "no Zero, no Skip", "no Zero, no 1x1 Conv"),
        *("no Zero, no 3x3 Conv", "no Zero, no Pool"),
    ]
    assert page.with_mask(inputs(), "skip_connect") == [  # pairs are with Zero or Pool
        *("all operations", "no Skip", "no Zero, no Skip", "no Skip, no Pool"),
    ]


def test_what_a_profile_does_not_have_is_not_called_not_run():
    empty = pd.DataFrame()
    with pytest.raises(Absent, match="has no supernets of size M"):
        page.FIGURES["topn-medium"].draw(inputs("smoke", top_n=empty))
    with pytest.raises(Absent, match="profile own has no runs on NAS-Bench-101"):
        page.TABLES["ours"].rows(inputs("own", usage=empty))
    with pytest.raises(Absent, match="need all cells of the space; the table nb201-selfmade"):
        page.FIGURES["usage"].draw(inputs("own", usage=empty))
    with pytest.raises(Absent, match="in both precisions"):
        page.TABLES["half-precision"].rows(inputs("smoke", usage=empty))


@pytest.fixture
def stored() -> Inputs:
    """The records of the published book, with the files of others."""
    needed = [correlations.TABLE, *page.NEEDS["authors"]]
    if missing := [name for name in needed if not is_here(name)]:
        pytest.skip(how_to_get(missing))
    return Inputs("correlations", "cpu", results.plan("correlations", "cpu"), {})


def test_one_supernet_of_two_subspaces_is_set_against_the_table(stored):
    titles = [axis.get_title() for axis in page.scatter(stored).axes]
    groups = ("true top 50", "true top 250", "random sample")
    assert titles == [f"{s}: {group}" for s in ("all operations", "no Zero") for group in groups]


@pytest.mark.slow
def test_one_supernet_of_each_space_and_source_is_set_against_the_table(stored):
    runs = page.one_supernet(stored)
    assert set(runs) == {"authors", "ours"}
    assert all(run["seed"].eq(0).all() and len(set(run["space"])) == 7 for run in runs.values())
    assert len(page.bias(stored).axes) == 4  # two spaces with a bias, two sources
    assert len(page.all_spaces(stored).axes) == 16  # seven spaces each, in rows of four
