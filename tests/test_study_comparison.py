"""Searches with and without weight sharing, on landscapes worked by hand."""

import numpy as np
import pandas as pd
import pytest

from nasrepro.effects import effect_interval, p_of_effect
from nasrepro.pages.regret.tables import comparison_table, effects_table
from nasrepro.search import Curves
from nasrepro.spaces.nb101 import NUM_CELLS
from nasrepro.studies import comparison
from nasrepro.studies.comparison import Baseline, Charge, Guided, Landscape, Regrets


def even(*values: float) -> Regrets:
    """Regrets that are equally probable."""
    return Regrets(np.array(values), np.full(len(values), 1 / len(values)))


def guided(budget: float, *regrets: float) -> Guided:
    """A supernet whose searches are as good as equally probable regrets."""
    curves = Curves(np.full((len(regrets), 1), budget), np.array(regrets)[:, None])
    return Guided(curves, even(*regrets), budget)


def baseline(time: list[float], *regrets: list[float]) -> Baseline:
    """Runs that train at the same times."""
    curves = Curves(np.tile(np.array(time), (len(regrets), 1)), np.array(regrets))
    return Baseline(curves, curves, np.mean(regrets, axis=0))


def test_searches_with_a_supernet_worked_by_hand():
    """Four cells shared out to two searches; the supernet costs 100, an evaluation a tenth.

    Of six pairs, three have the cell that the proxy puts first, two the second one and not the
    first, one neither. Cells cost 10 on average; the best by proxy costs 4, the others 12.
    """
    cells = Landscape(
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([10.0, 20.0, 30.0, 40.0]),
        np.array([4.0, 12.0, 12.0, 12.0]),
        50.0,
    )
    found = comparison.search_with(
        cells,
        np.array([4.0, 3.0, 2.0, 1.0]),
        Charge(100, 0.1),
        comparison.sharing_out(2),
        np.random.default_rng(0),
    )
    assert found is not None
    worse, better = found.curves.regret.T  # the proxy puts the worse cell first
    assert (worse > better).all()
    assert sorted([*worse, *better]) == [10, 20, 30, 40], "no two searches share a cell"
    assert sorted(found.curves.time[:, 0]) == pytest.approx([105.6, 114.4])
    assert found.first.values.tolist() == [40, 30, 20, 10]
    assert found.first.weights == pytest.approx([1 / 2, 1 / 3, 1 / 6, 0])
    assert found.first.mean == pytest.approx(20 + 10 + 20 / 6)
    assert found.budget == pytest.approx(100 + 0.1 * 2 * 10 + (4 / 2 + 12 / 2))


def test_what_a_random_search_picks_does_not_depend_on_the_draw():
    generator = np.random.default_rng(3)
    proxy, test = generator.random(1_000), generator.random(1_000)
    cells = Landscape(test, test, generator.random(1_000) + 1, 1.0)
    one, other = (
        comparison.search_with(
            cells, proxy, Charge(4, 0.1), comparison.sharing_out(5), np.random.default_rng(seed)
        )
        for seed in (0, 1)
    )
    assert one is not None and other is not None
    assert one.curves.regret.tolist() != other.curves.regret.tolist()
    assert (one.first.mean, one.budget) == (other.first.mean, other.budget)


def test_what_a_greedy_search_picks_is_the_share_of_the_drawn_ones():
    order = np.array([[0, 1], [1, 2], [2, 0], [1, 0]])
    assert comparison.by_share(order, np.array([0.2, 0.3, 0.1])).tolist() == [0.25, 0.75, 0]


def test_comparison_worked_by_hand():
    """Two supernets, budget (8 + 12) / 2: they expect 1 and 3, the baseline 4.

    Baseline 3, 4, 5 (variance 1) less 1, 3 (variance 2): 2 with an error sqrt(1/3 + 2/2). Searches
    with one supernet have a variance of 1, with any of 1 + 2; pooled as of 100 and 25 runs that is
    (99 + 24 * 3) / 123.
    """
    runs = [[9.0, r, 0.0] for r in (3.0, 4.0, 5.0)]
    supernets = [guided(8, 0.0, 2.0), guided(12, 2.0, 4.0)]
    row = comparison.compare(
        baseline([5.0, 10.0, 11.0], *runs), [*supernets, None], np.random.default_rng(0), 99
    )
    assert list(row) == [name for name in comparison.COMPARED if name in row]
    assert (row["supernets"], row["failed"]) == (2, 1)
    assert (row["guided_runs"], row["baseline_runs"]) == (4, 3)
    assert (row["budget"], row["baseline_trainings"]) == (10, 2)
    assert (row["baseline_regret"], row["guided_regret"], row["difference"]) == (4, 2, 2)
    unit = (171 / 123) ** 0.5
    assert row["deviation"] == pytest.approx(unit)
    assert row["d"] == pytest.approx(2 / unit)
    assert row["ci_high"] - 2 == pytest.approx(2 - row["ci_low"])
    assert row["d_low"] == pytest.approx(row["ci_low"] / unit)
    # Welch's degrees of freedom: (4/3)^2 / ((1/3)^2 / 2 + 1^2 / 1) = 1.684; t is 5.18.
    assert row["ci_high"] - 2 == pytest.approx(5.18 * (4 / 3) ** 0.5, rel=2e-3)
    # t = 2 / sqrt(4 / 3) = 1.732; with 1.684 degrees of freedom p lies between that of 1 and of 2.
    assert 0.225 < row["p_welch"] < 0.333
    assert row["p_student"] == pytest.approx(p_of_effect(2 / unit, 100, 25))
    noncentral = effect_interval(2 / unit, 100, 25)
    assert (row["t_low"], row["t_high"]) == pytest.approx((noncentral.low, noncentral.high))
    # Twice the first or twice the second supernet: no variance over supernets, a deviation of 1.
    assert (row["bootstrap_low"], row["bootstrap_high"]) == pytest.approx((1, 3))
    # Pairs: 3 beats 0, 2, 2; 4 beats these and ties with 4; 5 beats all.
    assert row["superiority"] == pytest.approx((3 + 3.5 + 4) / 12)
    assert row["trainings_to_match"] == 3


def test_one_supernet_has_a_difference_and_no_interval():
    runs = baseline([1.0], [3.0], [4.0], [5.0])
    row = comparison.compare(runs, [guided(1, 1.0, 3.0)], np.random.default_rng(0), 99)
    unknown = ("ci_low", "d_high", "p_welch", "bootstrap_low")
    assert row["difference"] == 2 and np.isnan([row[name] for name in unknown]).all()
    assert row["deviation"] == 1  # both variances are


def test_supernets_that_all_failed_leave_a_row_of_counts():
    runs = baseline([1.0], [3.0], [4.0], [5.0])
    row = comparison.compare(runs, [None, None], np.random.default_rng(0), 99)
    assert row == {"supernets": 0, "failed": 2, "guided_runs": 0, "baseline_runs": 3}
    frame = pd.DataFrame([{"space": "A_4", "baseline": "RS", **row}], columns=comparison.COMPARED)
    (shown,) = comparison_table(frame).to_dict("records")
    assert (shown["supernets"], shown["difference"]) == ("0**", "–")
    assert shown["trainings to match"] == "–"


def test_searches_that_all_end_alike_have_no_effect():
    """All runs and searches 0.04 from the best, 10 and 5 x 3 of them; the baseline's second try."""
    for runs, supernets, searches in ((10, 5, 3), (30, 2, 5), (7, 3, 1)):
        without = baseline([1.0, 2.0], *[[0.5, 0.04]] * runs)
        one = guided(2.1, *[0.04] * searches)
        row = comparison.compare(without, [one] * supernets, np.random.default_rng(0), 99)
        assert (row["budget"], row["baseline_trainings"]) == (2.1, 2)
        assert row["baseline_regret"] == row["guided_regret"] == 0.04
        assert (row["difference"], row["deviation"], row["superiority"]) == (0, 0, 0.5)
        undefined = ("ci_low", "d", "d_high", "t_low", "bootstrap_high", "p_welch", "p_student")
        assert np.isnan([row[name] for name in undefined]).all()


def test_a_baseline_that_ends_too_early_is_refused():
    early = Curves(np.array([[1.0]] * 3), np.array([[3.0], [4.0], [5.0]]))
    whole = Baseline(early, early, np.array([4.0, 3.0]))  # a second cell was left
    with pytest.raises(ValueError, match=r"the baseline ends at 1\.0, before the budget of 2"):
        comparison.compare(whole, [guided(2, 1.0)], np.random.default_rng(0), 99)


def test_random_search_goes_on_for_as_long_as_a_one_shot_search_takes():
    """Costs 1 to 3: whichever cells are drawn, their time reaches 25 mean trainings."""
    generator = np.random.default_rng(4)
    accuracy = generator.random(400)
    cells = Landscape(accuracy, accuracy, generator.uniform(1, 3, 400), 1.0)
    protocol = comparison.Protocol(runs=3, draws=2_000, evaluations=50)
    found = comparison.at_random(cells, protocol, generator)
    assert found.curves.regret.shape == (3, 50) and found.regret.shape == (50,)
    assert found.early.time[:, -1].min() >= comparison.LONGEST * cells.cost.mean()
    error = found.early.regret[:, 0].std() / 2_000**0.5
    assert found.early.regret[:, 0].mean() == pytest.approx(found.regret[0], abs=4 * error)


def test_effects_as_text():
    """Runs 3, 5 have a variance of 2; searches 0, 2 with either supernet of 1."""
    found = [even(0.0, 2.0)] * 2
    row = comparison.effect(np.array([3.0, 5.0]), found, np.random.default_rng(0), 99)
    unit = ((99 * 2 + 24) / 123) ** 0.5
    about = {"space": "A_4", "baseline": "GS", "guided": "RS", "supernets": 2, "failed": 1}
    (shown,) = effects_table(pd.DataFrame([about | row])).to_dict("records")
    assert (shown["space"], shown["column"], shown["n"]) == ("A_4", "GS - RS_ws", "2*")
    assert shown["difference ± deviation"] == "3.00 ± 1.34"
    assert shown["d, over supernets"].startswith(f"{3 / unit:.2f} [")
    # Welch: the means do not differ, so t = 3 / sqrt(2 / 2) with one degree of freedom.
    assert shown["p, Welch"] == "0.205"
    assert shown["P"] == "1.00"
    (tiny,) = effects_table(pd.DataFrame([about | row | {"p_student": 1e-5}])).to_dict("records")
    assert tiny["p, Student"] == "< 0.001"


def test_a_supernet_that_ranks_nothing_searches_nothing():
    cells = Landscape(np.arange(4.0), np.arange(4.0), np.ones(4), 3.0)
    search, generator = comparison.sharing_out(2), np.random.default_rng(0)
    rounded = np.array([0.3, 0.1 + 0.2, 0.3, 0.3])
    for proxy in (np.full(4, 10.0), rounded, np.array([])):
        assert comparison.search_with(cells, proxy, Charge(1, 0.1), search, generator) is None


def test_random_and_greedy_search_are_compared_training_by_training():
    random = baseline([1.0] * 6, [6.0, 5, 4, 3, 2, 1], [6, 5, 4, 3, 3, 3])
    greedy = baseline([1.0] * 6, *[[0.0] * 6] * 2)
    rows = comparison.against_greedy({"RS": random, "GS": greedy}, size=NUM_CELLS // 5_000)
    assert [row["trainings"] for row in rows] == [2, 5]
    assert [row["difference"] for row in rows] == [5, 2.5]
    assert [row["ci_low"] for row in rows] == [5, 2.5], "neither expectation nor runs vary"
