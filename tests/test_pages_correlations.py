"""Study 1's page: numbers, tables and figures from tables worked by hand."""

import pandas as pd
import pytest

from nasrepro.claims import read_claims
from nasrepro.pages import correlations as page
from nasrepro.pages.correlations import figures, measured, tables
from nasrepro.pages.correlations.tables import half_precision_grid, own_truth_grid
from nasrepro.pages.inputs import Absent, Inputs, how_to_get, is_here
from nasrepro.studies import ceilings, results, subspaces


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
    shown = tables.settings_tried(inputs(tried=tried))
    assert shown["subspace"].tolist() == ["all", "all"]
    assert shown["sampler"].tolist() == ["uniform", "uniform (the grid's)"]
    with pytest.raises(Absent, match="Only the grid's setting"):
        tables.settings_tried(inputs(tried=tried[tried["in_grid"]]))


def test_masks_of_one_operation_and_all_others_are_shown_beside_the_full_space():
    names = ["all operations", "no Zero", "no Zero, no Skip", "no Skip, no 1x1 Conv"]
    known = inputs(top_n=pd.DataFrame({"subspace": names, "size": "S"}))
    assert figures.top_n(known)["subspace"].tolist() == names[:2]
    assert figures.top_n_more(known)["subspace"].tolist() == [names[0], *names[2:]]


def test_a_noise_ceiling_stands_beside_correlations_with_the_truth_that_it_is_of():
    rows = [
        ("NAS-Bench-201", "validation", "no Zero", "ceiling of one run", 0.98765, 9),
        ("NAS-Bench-201", "validation", "no Zero", "between runs", 0.9, 9),
        ("NAS-Bench-101", "validation", "A_1", "ceiling of a mean of three", 0.99, 9),
        ("NAS-Bench-101", "test", "A_1", "ceiling of a mean of three", 0.5, 9),
    ]
    known = inputs(ceilings=pd.DataFrame(rows, columns=ceilings.COLUMNS))
    grid = pd.DataFrame({"subspace": ["no Zero", "no Skip"]})
    beside = tables.beside_ceiling(grid, measured.ceilings_of(known, "NAS-Bench-201"), "subspace")
    assert beside["Spearman's noise ceiling"].tolist() == ["0.988", "–"]
    assert number("ceiling-masks", known) == "0.99 to 0.99"
    assert number("ceiling-101", known) == "0.99 to 0.99"
    own = inputs("own", ceilings=known.frames["ceilings"])  # whose truth is another
    assert measured.ceilings_of(own, "NAS-Bench-201") == {}
    with pytest.raises(Absent):
        number("ceiling-masks", own)


def test_what_a_profile_does_not_have_is_not_called_not_run():
    empty = pd.DataFrame()
    with pytest.raises(Absent, match="has no supernets of size M"):
        page.FIGURES["topn-medium"].data(inputs("smoke", top_n=empty))
    with pytest.raises(Absent, match="profile own has no runs on NAS-Bench-101"):
        page.TABLES["ours"].rows(inputs("own", usage=empty))
    with pytest.raises(Absent, match="need all cells of the space; the table nb201-selfmade"):
        page.FIGURES["usage"].data(inputs("own", usage=empty))
    with pytest.raises(Absent, match="in both precisions"):
        page.TABLES["half-precision"].rows(inputs("smoke", usage=empty))


@pytest.fixture
def stored() -> Inputs:
    """The records of the published book, with the files of others."""
    needed = [subspaces.TABLE, *measured.NEEDS["authors"]]
    if missing := [name for name in needed if not is_here(name)]:
        pytest.skip(how_to_get(missing))
    return Inputs("correlations", "cpu", results.plan("correlations", "cpu"), {})


def test_one_supernet_of_two_subspaces_is_set_against_the_table(stored):
    cells = figures.scattered(stored)
    panels = cells.groupby(["subspace", "group"], sort=False).size()
    spaces, groups = ("all operations", "no Zero"), ("random sample", "true top 250")
    assert set(panels.index) == {(space, group) for space in spaces for group in groups}
    assert panels.xs("true top 250", level="group").tolist() == [250, 250]
    said = figures.by_group(cells)
    for (space, group), part in cells.groupby(["subspace", "group"]):
        found = part["proxy"].corr(part["truth"], method="spearman")
        assert f"{found:.2f} ({space}, {group})" in said


@pytest.mark.slow
def test_supernets_of_each_space_and_source_are_set_against_the_table(stored):
    spaces = figures.all_spaces(stored)
    assert spaces.groupby(["panel", "line"])["part"].agg(tuple).map(len).eq(10).all()
    assert set(spaces["line"]) == {"authors", "ours"} and spaces["panel"].nunique() == 7
    assert set(figures.bias(stored)["panel"]) == {
        f"{space}, {source}" for space in ("A_1", "A_4") for source in ("authors", "ours")
    }


# ---- what figures show


def test_the_best_cells_use_some_operations_more():
    rows = [("50", "nor_conv_3x3", 0.4), ("50", "none", 0.6), ("all", "none", 0.2)]
    usage = pd.DataFrame(rows, columns=["top", "operation", "value"]).assign(subspace="all")
    assert figures.most_used(usage, "Share in") == (
        "Share in the true top 50 with all: Zero 60%, 3x3 Conv 40%."
    )


def test_tau_is_above_zero_over_the_sample_and_seldom_within_the_best():
    rows = [("a", "10", -0.1), ("a", "50", 0.1), ("a", "random", 0.2)]
    rows += [("b", "10", -0.1), ("b", "50", -0.1), ("b", "random", 0.2)]
    table = pd.DataFrame(rows, columns=["subspace", "top", "tau_low"])
    assert figures.within_top(table).startswith("Of 2 subspaces, tau-a is above zero by its whole")
    assert "in 2 over the random sample, but in no more than 1 within" in figures.within_top(table)


def test_the_best_method_is_counted_against_the_parameter_count():
    rows = [("ours", "x", "A", 0.5), ("ours", "x", figures.COUNT, 0.4)]
    rows += [("ours", "y", "A", 0.3), ("ours", "y", figures.COUNT, 0.4)]
    ranks = pd.DataFrame(rows, columns=["source", "space", "method", "mean"])
    assert figures.best_method(ranks).endswith("count in 1 of 2 spaces with our supernets.")


def test_a_feature_is_over_rated_by_so_many_percentiles_where_both_lines_are():
    rows = [(1, "with", 60), (1, "without", 20), (2, "with", 80), (2, "without", 50)]
    rows += [(3, "with", 99)]
    table = pd.DataFrame(rows, columns=["part", "line", "mean"]).assign(panel="A_1, ours")
    assert figures.over_rated(table).endswith("higher by 30 to 40 (A_1, ours).")


def test_the_worst_and_the_best_parts_are_told_by_source():
    rows = [("x", 1, 10), ("x", 2, 90), ("y", 1, 20), ("y", 2, 70)]
    table = pd.DataFrame(rows, columns=["panel", "part", "mean"]).assign(line="ours")
    assert figures.at_the_ends(table).endswith(
        "our supernets rate the worst tenth at 10 to 20 and the best at 70 to 90."
    )
