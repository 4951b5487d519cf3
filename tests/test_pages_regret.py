"""Study 3's page: numbers, tables and figures from tables worked by hand."""

import numpy as np
import pandas as pd
import pytest

from nasrepro.pages import regret as page
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.regret import figures, numbers
from nasrepro.pages.regret.tables import comparison_table
from nasrepro.studies import complete_spaces, results


def inputs(**frames: pd.DataFrame) -> Inputs:
    """Inputs without records."""
    return Inputs("regret", "cpu", results.Plan([], []), frames)


def number(name: str, known: Inputs) -> str:
    return str(page.NUMBERS[name](known))


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
    first, second = comparison_table(COMPARISONS).to_dict("records")
    assert first["supernets"] == "4*"
    assert first["difference"] == "-0.62 [-1.41, 0.17]" and first["trainings to match"] == "2"
    assert second["difference"] == "1.50 [no interval]"
    assert second["trainings to match"] == "more than searched"


def test_table_4_is_counted_by_sign_and_interval():
    table4 = pd.DataFrame(
        [
            (0.5, 0.1, 0.9, 0.4, 0.45, 1.0, 5),  # same sign, clear of zero, printed one outside
            (-0.5, -0.9, 0.1, 0.4, -0.9, 0.5, 4),  # other sign, zero inside, printed one inside
        ],
        columns=["d", "ci_low", "ci_high", "printed_d", "d_low", "d_high", "supernets"],
    )
    known = inputs(table4=table4)
    names = ("spaces", "same-sign", "clear", "outside", "supernets")
    assert [number(name, known) for name in names] == ["2", "1", "1", "1", "5"]
    with pytest.raises(Absent):
        number("same-sign", inputs())
    with pytest.raises(Absent):  # a single supernet has no effect to detect
        number("detectable-here", inputs(table4=table4.assign(supernets=1)))


def comparisons(benchmark: str, **columns: object) -> pd.DataFrame:
    """Comparisons of random search in the full space, by both accounts."""
    row = {
        "benchmark": benchmark,
        "space": "all operations",
        "method": "S",
        "charge": [complete_spaces.AS_RUN, complete_spaces.AS_IN_PAPER],
        "baseline": "RS",
        "guided": "RS",
        "supernets": 5,
        "budget": [1.5, 5.0],
        "baseline_trainings": [1.4, 5.0],
        "guided_regret": 0.8,
        "difference": [0.3, -0.2],
        "ci_low": [0.1, -0.3],
        "ci_high": [0.5, -0.1],
        "trainings_to_match": 7.0,
    }
    return pd.DataFrame(row | columns)


def test_each_account_has_numbers_of_its_own():
    known = inputs(comparisons=comparisons("nb201"))
    assert [number(f"{name}-run", known) for name in ("better", "worse", "time")] == ["1", "0", "1"]
    assert [number(f"{name}-paper", known) for name in ("better", "worse", "time")] == [
        "0",
        "1",
        "5",
    ]
    assert number("difference-run", known) == "0.30 [0.10, 0.50]"
    assert number("difference-paper", known) == "-0.20 [-0.30, -0.10]"
    assert number("cost-201", known) == "0.50" and number("match-201", known) == "7"
    failed = inputs(comparisons=comparisons("nb201", supernets=0))
    with pytest.raises(Absent):
        number("difference-run", failed)


def test_a_pick_is_worth_so_many_trainings_or_more_than_there_were():
    rows = comparisons("macro-whole", space="155 cells by proxy", trainings_to_match=[1, 61])
    never = comparisons("macro-whole", space="6,561 cells by proxy", trainings_to_match=np.nan)
    known = inputs(comparisons=pd.concat([rows, never.assign(guided="GS")]))
    assert number("worth-macro", known) == (
        "61 (RS, 155 cells by proxy), more than were searched (GS, 6,561 cells by proxy)"
    )


def test_the_largest_cell_is_set_against_what_supernets_pick():
    rows = [comparisons("nb201", space=space) for space in ("all operations", "no Zero")]
    size = pd.DataFrame(
        [("nb201", "all operations", 0.7), ("nb201", "no Zero", 0.9), ("macro", "no Zero", 0.0)],
        columns=["benchmark", "space", "regret"],
    )
    known = inputs(comparisons=pd.concat(rows), size=size)
    assert number("largest-201", known) == "1 of 2"
    with pytest.raises(Absent):
        number("largest-201", inputs(comparisons=pd.concat(rows)))


def test_curves_have_the_one_shot_time_and_regret_of_their_space_and_search():
    guided = "RS with weight sharing"
    rows = [
        ("nb201", space, search, time, 1 / time, 0.1, 2.0)
        for space in "ab"
        for search in ("RS", guided)
        for time in (1, 10)
    ]
    columns = ["benchmark", "space", "search", "time", "regret", "ci_low", "ci_high"]
    compared = comparisons("nb201", space="b").assign(
        method="S", guided="RS", budget=5.0, baseline_regret=0.9, guided_regret=0.4
    )
    known = inputs(curves=pd.DataFrame(rows, columns=columns), comparisons=compared)
    assert figures.curves(known, "nb201")["space"].unique().tolist() == ["a", "b"]
    b = figures.curves(known, "nb201", ["b"])
    assert b["space"].eq("b").all() and b["one_shot"].eq(5).all()
    assert b.groupby("search")["at_one_shot"].first().to_dict() == {"RS": 0.9, guided: 0.4}
    assert figures.in_one_shots(b)["time"].tolist() == [0.2, 2, 0.2, 2]
    assert "in 1 of 1 cases, when it has trained its last pick in 0." in figures.ahead(b)
    assert figures.curves(known, "nb201", ["a"])["at_one_shot"].isna().all()
    with pytest.raises(Absent, match="Not run yet"):
        figures.curves(known, "macro")


def test_greedy_search_pays_from_some_training_on():
    regrets = {"RS": (4, 3, 2, 1), "GS": (5, 4, 1, 1)}
    rows = [
        (s, t, r) for s, line in regrets.items() for t, r in zip((1, 2, 3, 4), line, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["search", "time", "regret"])
    assert figures.greedy_pays(table).startswith("After 2 trainings, greedy search has the lower")


def test_recomputed_effects_are_compared_with_the_printed_ones():
    rows = [("a", "printed", 0.5, 0.1, 0.9), ("a", "authors", 0.4, 0.2, 0.6)]
    rows += [("b", "printed", 0.5, 0.1, 0.9), ("b", "authors", -0.1, -0.3, 0.1)]
    effects = pd.DataFrame(rows, columns=["space", "source", "mean", "ci_low", "ci_high"])
    assert figures.recomputed(effects) == (
        "Recomputed from the published supernets, d has the printed sign in 1 of 2 spaces; its "
        "interval leaves out zero in 1 and holds the printed d in 1."
    )


def test_printed_effects_called_small_are_those_of_the_spaces_that_the_paper_calls_small():
    judged = pd.DataFrame({"claim": ["effect-A_1", "oneshot-A_2", "greedy-first-nb201"]})
    small = numbers.small_effects(inputs(claims=judged))
    assert small[["space", "column"]].to_numpy().tolist() == [["A_1", "RS_bs - RS_ws"]]


def test_each_caption_says_whose_accuracy_it_means():
    captions = {name: table.caption for name, table in page.TABLES.items()}
    assert "{accuracy-nb201}" in captions["nb201-whole"]
    assert "{accuracy-macro}" in captions["macro-whole"] and "{runs}" in captions["greedy-macro"]
