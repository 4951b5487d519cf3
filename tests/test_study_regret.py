"""Study 3: searches on small landscapes worked by hand, and what is stored of the real ones."""

from dataclasses import replace

import numpy as np
import pytest

from nasrepro import benchmarks
from nasrepro.benchmarks import nb101
from nasrepro.claims import read_claims
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.runs.store import supernets
from nasrepro.search import Curves
from nasrepro.spaces.nb101 import NUM_CELLS
from nasrepro.spaces.nb201 import Subspace
from nasrepro.studies import correlations, regret, results
from nasrepro.studies.appraisal import rank_correlations
from nasrepro.studies.regret import Charge, Landscape, Protocol

SMALL = Protocol(runs=5, evaluations=60, points=5)


@pytest.fixture(scope="module")
def table():
    if regret.TABLE not in benchmarks.available_tables():
        pytest.skip("the NAS-Bench-201 table is not on this machine; set NASREPRO_DATA")
    return benchmarks.load_table(regret.TABLE)


@pytest.fixture(scope="module")
def authors():
    if missing := regret.missing_files():
        pytest.skip(f"{', '.join(missing)} not on this machine; set NASREPRO_DATA")
    sample = nb101.read_sample(fetch(SOURCES[nb101.NAME]))
    return sample, nb101.read_supernets(fetch(SOURCES["nb101-supernets"]), sample)


@pytest.fixture(scope="module")
def small_nb101(authors):
    return regret.nb101_statistics(*authors, SMALL)


@pytest.fixture(scope="module")
def stored():
    return results.stored_statistics("regret", "cpu")


def test_the_grid_is_that_of_study_1_without_its_medium_networks():
    grid = regret.grid("cpu")
    assert set(grid) < set(correlations.grid("cpu"))
    assert {config.net.cells_per_stage for config in grid} == {1}
    assert len(grid) == 6 * 5 + 7 * 3 + 7 * 3


def test_searches_with_a_supernet_worked_by_hand():
    """Four cells shared out to two searches; the supernet costs 100, an evaluation a tenth."""
    cells = Landscape(
        np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 20.0, 30.0, 40.0]), np.full(4, 10.0), 50.0
    )
    curves = regret.guided_curves(
        cells, np.array([4.0, 3.0, 2.0, 1.0]), Charge(100, 0.1), 2, np.random.default_rng(0)
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
    row = regret.compare(baseline, guided)
    assert (row["budget"], row["baseline_trainings"]) == (10, 2)
    assert (row["baseline_regret"], row["guided_regret"], row["difference"]) == (4, 2, 2)
    assert row["deviation"] == pytest.approx(2**0.5)
    assert row["d"] == pytest.approx(2 / 2**0.5)
    assert row["ci_high"] - 2 == pytest.approx(2 - row["ci_low"])
    assert row["d_low"] == pytest.approx(row["ci_low"] / 2**0.5)
    # Welch's degrees of freedom: (4/3)^2 / ((1/3)^2 / 2 + 1^2 / 1) = 1.684; t is 5.18.
    assert row["ci_high"] - 2 == pytest.approx(5.18 * (4 / 3) ** 0.5, rel=2e-3)
    # Pairs: 3 beats 0, 2, 2; 4 beats these and ties with 4; 5 beats all.
    assert row["superiority"] == pytest.approx((3 + 3.5 + 4) / 12)
    assert row["trainings_to_match"] == 3
    assert (row["supernets"], row["guided_runs"], row["baseline_runs"]) == (2, 4, 3)


def test_one_supernet_has_a_difference_and_no_interval():
    baseline = Curves(np.array([[1.0]] * 3), np.array([[3.0], [4.0], [5.0]]))
    row = regret.compare(baseline, [Curves(np.array([[1.0], [1.0]]), np.array([[1.0], [3.0]]))])
    assert row["difference"] == 2 and np.isnan(row["ci_low"]) and np.isnan(row["d_high"])


def test_random_and_greedy_search_are_compared_training_by_training():
    random = Curves(np.ones((2, 6)), np.array([[6.0, 5, 4, 3, 2, 1], [6, 5, 4, 3, 3, 3]]))
    greedy = Curves(np.ones((2, 6)), np.zeros((2, 6)))
    rows = regret.against_greedy({"RS": random, "GS": greedy}, size=NUM_CELLS // 5_000)
    assert [row["trainings"] for row in rows] == [2, 5]
    assert [row["difference"] for row in rows] == [5, 2.5]
    assert rows[0]["ci_low"] == 5 and rows[1]["ci_low"] < 2.5


def test_costs_on_nasbench101_follow_the_paper(small_nb101, authors):
    """A supernet costs 432 / 108 = 4 average trainings, with three paths a step 12."""
    table = small_nb101["comparisons_nb101"].set_index(["space", "method"])
    sample, supernets = authors
    seconds = sample.set_index("code")[["seconds_0", "seconds_1", "seconds_2"]].mean(axis=1)
    codes = supernets[supernets["space"] == "A_2"]["code"].unique()
    training = seconds[codes].mean()
    budget = table["budget"]["A_2"]
    # One training of the pick and 200 forward passes come on top: 0.15 trainings.
    assert 4.5 < budget["BNS-FT"] / training < 6.5
    assert budget["AVG-3"] - budget["BNS-FT"] == pytest.approx(8 * training, rel=0.15)


def test_failed_supernets_are_counted_and_search_nothing(small_nb101, authors):
    table = small_nb101["comparisons_nb101"]
    assert len(table) == 42
    assert (table["supernets"] + table["failed"] == 5).all()
    assert (table["guided_runs"] == 5 * table["supernets"]).all()
    failed = table[table["failed"] == 1][["space", "method"]].to_numpy().tolist()
    ranks = rank_correlations(authors[1])
    lost = ranks[ranks["spearman"].isna()][["space", "method"]].to_numpy().tolist()
    assert sorted(failed) == sorted(lost)
    assert ["A_FULL^NRES", "BNS-FT"] in failed and len(failed) == 5


def test_cells_chosen_by_their_true_rank_are_no_candidates(table):
    """Whatever a supernet says of the true top 500, its searches find the same."""
    grid = [config for config in regret.grid("cpu") if config.subspace == Subspace()]
    record = next(r for r in supernets().records() if r.config in grid)
    random = correlations.observe_run(record, "cpu", table)["random"].to_numpy()
    assert random.sum() == 1_000 and (~random).sum() > 400
    flattered = np.where(random, record.correct, record.config.data.validation_images)
    other = replace(record, correct=tuple(flattered.tolist()))
    both = [
        regret.guided_search(r, "cpu", table, 95.0, regret.AS_RUN, SMALL) for r in (record, other)
    ]
    assert both[0].regret.shape == (5, 200)
    assert np.array_equal(both[0].regret, both[1].regret)


def test_charge_for_a_supernet_of_ours(table):
    """56 epochs of 25,000 images over 200 of 50,000; 200 cells on 1,000 images, a third a pass."""
    record = next(r for r in supernets().records() if r.config in regret.grid("cpu"))
    curves = regret.guided_search(record, "cpu", table, 95.0, regret.AS_RUN, SMALL)
    assert curves.time[0, 0] == pytest.approx(0.14 + 200 * 1_000 / 3e7 + 1)


def test_without_the_other_benchmarks_their_claims_are_not_run(table):
    frames = regret.nb201_statistics(supernets().records(), "cpu", table, SMALL)
    judged = regret.tables(frames)["claims"].set_index("claim")["verdict"]
    assert judged["oneshot-A_1"] == judged["greedy-first-macro"] == "not run"
    assert judged["greedy-first-nb201"] != "not run"


def test_every_claim_is_judged_and_every_table_named(stored):
    tables = regret.tables(stored)
    assert set(tables) == set(regret.TABLES)
    assert set(tables["claims"]["claim"]) == set(read_claims("pourchot_search"))
    assert "not run" not in set(tables["claims"]["verdict"])
    assert len(tables["table4"]) == 7 and tables["table4"]["printed_d"].notna().all()


def test_intervals_of_the_stored_comparisons_hold_their_differences(stored):
    known = regret.gather(stored, "comparisons").dropna(subset=["ci_low"])
    assert len(known) >= 42
    assert (known["ci_low"] <= known["difference"]).all()
    assert (known["difference"] <= known["ci_high"]).all()
    assert known["superiority"].between(0, 1).all()


@pytest.mark.slow
def test_stored_statistics_are_those_of_the_stored_records(table, authors, stored):
    computed = results.compute_statistics("regret", "cpu")
    assert set(stored) == set(computed)
    for name, frame in computed.items():
        assert results.to_csv(stored[name]) == results.to_csv(frame), name
