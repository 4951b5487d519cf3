"""Searches with and without weight sharing, on landscapes worked by hand."""

import numpy as np
import pandas as pd
import pytest

from nasrepro.pages.regret import comparison_table, effects_table
from nasrepro.search import Curves
from nasrepro.spaces.nb101 import NUM_CELLS
from nasrepro.stats import effect_interval, p_of_effect
from nasrepro.studies import comparison
from nasrepro.studies.comparison import Charge, Landscape


def test_searches_with_a_supernet_worked_by_hand():
    """Four cells shared out to two searches; the supernet costs 100, an evaluation a tenth."""
    cells = Landscape(
        np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 20.0, 30.0, 40.0]), np.full(4, 10.0), 50.0
    )
    curves = comparison.guided_curves(
        cells,
        np.array([4.0, 3.0, 2.0, 1.0]),
        Charge(100, 0.1),
        comparison.sharing_out(2),
        np.random.default_rng(0),
    )
    assert curves.time.tolist() == [[112, 122]] * 2
    worse, better = curves.regret.T  # the proxy puts the worse cell first
    assert (worse > better).all()
    assert sorted([*worse, *better]) == [10, 20, 30, 40], "no two searches share a cell"


def test_comparison_worked_by_hand():
    """Two supernets of two searches, budget (8 + 12) / 2: their means 1 and 3, the baseline's 4.

    Baseline 3, 4, 5 (variance 1) less means 1, 3 (variance 2): 2 with an error sqrt(1/3 + 2/2).
    Squares 2 over the baseline and 8 over the searches 0, 2, 2, 4: deviation sqrt(10 / 5).
    """
    baseline = Curves(
        np.array([[5.0, 10.0, 11.0]] * 3), np.array([[9.0, r, 0.0] for r in (3.0, 4.0, 5.0)])
    )
    guided = [
        Curves(np.array([[8.0], [8.0]]), np.array([[0.0], [2.0]])),
        Curves(np.array([[12.0], [12.0]]), np.array([[2.0], [4.0]])),
    ]
    row = comparison.compare(baseline, [*guided, None], np.random.default_rng(0), 99)
    assert list(row) == [name for name in comparison.COMPARED if name in row]
    assert (row["supernets"], row["failed"]) == (2, 1)
    assert (row["guided_runs"], row["baseline_runs"]) == (4, 3)
    assert (row["budget"], row["baseline_trainings"]) == (10, 2)
    assert (row["baseline_regret"], row["guided_regret"], row["difference"]) == (4, 2, 2)
    assert row["deviation"] == pytest.approx(2**0.5)
    assert row["d"] == pytest.approx(2 / 2**0.5)
    assert row["ci_high"] - 2 == pytest.approx(2 - row["ci_low"])
    assert row["d_low"] == pytest.approx(row["ci_low"] / 2**0.5)
    # Welch's degrees of freedom: (4/3)^2 / ((1/3)^2 / 2 + 1^2 / 1) = 1.684; t is 5.18.
    assert row["ci_high"] - 2 == pytest.approx(5.18 * (4 / 3) ** 0.5, rel=2e-3)
    # t = 2 / sqrt(4 / 3) = 1.732; with 1.684 degrees of freedom p lies between that of 1 and of 2.
    assert 0.225 < row["p_welch"] < 0.333
    # All runs as independent: t = d sqrt(12 / 7) = 1.852 with 5 degrees of freedom.
    assert row["p_student"] == pytest.approx(p_of_effect(2**0.5, 3, 4))
    noncentral = effect_interval(2**0.5, 3, 4)
    assert (row["t_low"], row["t_high"]) == pytest.approx((noncentral.low, noncentral.high))
    # Pairs: 3 beats 0, 2, 2; 4 beats these and ties with 4; 5 beats all.
    assert row["superiority"] == pytest.approx((3 + 3.5 + 4) / 12)
    assert row["trainings_to_match"] == 3


def test_one_supernet_has_a_difference_and_no_interval():
    baseline = Curves(np.array([[1.0]] * 3), np.array([[3.0], [4.0], [5.0]]))
    one = Curves(np.array([[1.0], [1.0]]), np.array([[1.0], [3.0]]))
    row = comparison.compare(baseline, [one], np.random.default_rng(0), 99)
    unknown = ("ci_low", "d_high", "p_welch", "bootstrap_low")
    assert row["difference"] == 2 and np.isnan([row[name] for name in unknown]).all()


def test_supernets_that_all_failed_leave_a_row_of_counts():
    baseline = Curves(np.array([[1.0]] * 3), np.array([[3.0], [4.0], [5.0]]))
    row = comparison.compare(baseline, [None, None], np.random.default_rng(0), 99)
    assert row == {"supernets": 0, "failed": 2, "guided_runs": 0, "baseline_runs": 3}
    frame = pd.DataFrame([{"space": "A_4", "baseline": "RS", **row}], columns=comparison.COMPARED)
    (shown,) = comparison_table(frame).to_dict("records")
    assert (shown["supernets × searches"], shown["difference"]) == ("0** × 0", "–")
    assert shown["trainings to match"] == "–"


def test_searches_that_all_end_alike_have_no_effect():
    """All runs and searches 0.04 from the best, 10 and 5 x 3 of them; the baseline's second try."""
    for runs, supernets, searches in ((10, 5, 3), (30, 2, 5), (7, 3, 1)):
        baseline = Curves(np.full((runs, 2), [1.0, 2.0]), np.full((runs, 2), [0.5, 0.04]))
        one = Curves(np.full((searches, 1), 2.1), np.full((searches, 1), 0.04))
        row = comparison.compare(baseline, [one] * supernets, np.random.default_rng(0), 99)
        assert (row["budget"], row["baseline_trainings"]) == (2.1, 2)
        assert row["baseline_regret"] == row["guided_regret"] == 0.04
        assert (row["difference"], row["deviation"], row["superiority"]) == (0, 0, 0.5)
        undefined = ("ci_low", "d", "d_high", "t_low", "bootstrap_high", "p_welch", "p_student")
        assert np.isnan([row[name] for name in undefined]).all()
        assert row["trainings_to_match"] == 2


def test_effects_as_text():
    """Runs 3, 5; either supernet found 0, 2: a difference of 3, deviation sqrt((2 + 4) / 4)."""
    found = np.array([[0.0, 2.0], [0.0, 2.0]])
    row = comparison.effect(np.array([3.0, 5.0]), found, np.random.default_rng(0), 99)
    about = {"space": "A_4", "baseline": "GS", "guided": "RS", "supernets": 2, "failed": 1}
    (shown,) = effects_table(pd.DataFrame([about | row])).to_dict("records")
    assert (shown["space"], shown["column"], shown["n"]) == ("A_4", "GS - RS_ws", "2*")
    assert shown["difference ± deviation"] == "3.00 ± 1.22"
    assert shown["d, noncentral t"].startswith("2.45 [")
    # Welch: the means do not differ, so t = 3 / sqrt(2 / 2) with one degree of freedom.
    assert shown["p, Welch"] == "0.205"
    assert shown["P"] == "1.00"
    (tiny,) = effects_table(pd.DataFrame([about | row | {"p_student": 1e-5}])).to_dict("records")
    assert tiny["p, Student"] == "< 0.001"


def test_a_supernet_that_ranks_nothing_searches_nothing():
    cells = Landscape(np.arange(4.0), np.arange(4.0), np.ones(4), 3.0)
    draw, generator = comparison.sharing_out(2), np.random.default_rng(0)
    rounded = np.array([0.3, 0.1 + 0.2, 0.3, 0.3])
    for proxy in (np.full(4, 10.0), rounded, np.array([])):
        assert comparison.guided_curves(cells, proxy, Charge(1, 0.1), draw, generator) is None


def test_random_and_greedy_search_are_compared_training_by_training():
    random = Curves(np.ones((2, 6)), np.array([[6.0, 5, 4, 3, 2, 1], [6, 5, 4, 3, 3, 3]]))
    greedy = Curves(np.ones((2, 6)), np.zeros((2, 6)))
    rows = comparison.against_greedy({"RS": random, "GS": greedy}, size=NUM_CELLS // 5_000)
    assert [row["trainings"] for row in rows] == [2, 5]
    assert [row["difference"] for row in rows] == [5, 2.5]
    assert rows[0]["ci_low"] == 5 and rows[1]["ci_low"] < 2.5
