"""Study 3: searches on small landscapes worked by hand, and what is stored of the real ones."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nasrepro import benchmarks, report
from nasrepro.benchmarks import Table, nb101
from nasrepro.claims import read_claims
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.runs.store import supernets
from nasrepro.search import Curves
from nasrepro.spaces.nb101 import NUM_CELLS, SUBSPACES
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import effect_interval, p_of_effect
from nasrepro.studies import appraisal, audit, correlations, regret, results
from nasrepro.studies.appraisal import rank_correlations
from nasrepro.studies.regret import Charge, Landscape, Protocol

SMALL = Protocol(runs=5, evaluations=60, points=5, resamples=99)


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
    row = regret.compare(baseline, [*guided, None], np.random.default_rng(0), 99)
    assert list(row) == [name for name in regret.COMPARED if name in row]
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
    row = regret.compare(baseline, [one], np.random.default_rng(0), 99)
    unknown = ("ci_low", "d_high", "p_welch", "bootstrap_low")
    assert row["difference"] == 2 and np.isnan([row[name] for name in unknown]).all()


def test_supernets_that_all_failed_leave_a_row_of_counts():
    baseline = Curves(np.array([[1.0]] * 3), np.array([[3.0], [4.0], [5.0]]))
    row = regret.compare(baseline, [None, None], np.random.default_rng(0), 99)
    assert row == {"supernets": 0, "failed": 2, "guided_runs": 0, "baseline_runs": 3}
    frame = pd.DataFrame([{"space": "A_4", "baseline": "RS", **row}], columns=regret.COMPARED)
    (shown,) = report.comparison_table(frame).to_dict("records")
    assert (shown["supernets × searches"], shown["difference"]) == ("0** × 0", "–")
    assert shown["trainings to match"] == "–"


def test_effects_as_text():
    """Runs 3, 5; either supernet found 0, 2: a difference of 3, deviation sqrt((2 + 4) / 4)."""
    found = np.array([[0.0, 2.0], [0.0, 2.0]])
    row = regret.effect(np.array([3.0, 5.0]), found, np.random.default_rng(0), 99)
    about = {"space": "A_4", "baseline": "GS", "supernets": 2, "failed": 1}
    (shown,) = report.effects_table(pd.DataFrame([about | row])).to_dict("records")
    assert (shown["space"], shown["column"], shown["n"]) == ("A_4", "GS - RS_ws", "2*")
    assert shown["difference ± deviation"] == "3.00 ± 1.22"
    assert shown["d, noncentral t"].startswith("2.45 [")
    # Welch: the means do not differ, so t = 3 / sqrt(2 / 2) with one degree of freedom.
    assert shown["p, Welch"] == "0.205"
    assert shown["P"] == "1.00"
    (tiny,) = report.effects_table(pd.DataFrame([about | row | {"p_student": 1e-5}])).to_dict(
        "records"
    )
    assert tiny["p, Student"] == "< 0.001"


def test_a_supernet_that_ranks_nothing_searches_nothing():
    cells = Landscape(np.arange(4.0), np.arange(4.0), np.ones(4), 3.0)
    for proxy in (np.full(4, 10.0), np.array([])):
        assert (
            regret.guided_curves(cells, proxy, Charge(1, 0.1), 2, np.random.default_rng(0)) is None
        )


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
    assert tuple(table) == regret.COMPARED
    assert (table["supernets"] + table["failed"] == 5).all()
    assert (table["guided_runs"] == 5 * table["supernets"]).all()
    failed = table[table["failed"] == 1][["space", "method"]].to_numpy().tolist()
    ranks = rank_correlations(authors[1])
    lost = ranks[ranks["spearman"].isna()][["space", "method"]].to_numpy().tolist()
    assert sorted(failed) == sorted(lost)
    assert ["A_FULL^NRES", "BNS-FT"] in failed and len(failed) == 5


def test_our_supernets_leave_the_authors_comparisons_as_they_are(small_nb101, authors):
    """Ours of A_1 has cells that the authors' have not; of A_4, one is constant, one diverged."""
    sample, theirs = authors
    inside = SUBSPACES["A_1"].mask(sample["code"].to_numpy())
    seen = set(theirs.loc[theirs["space"] == "A_1", "code"])
    new = [code for code in sample["code"][inside] if code not in seen][:100]
    proxies = {("A_1", 0): np.arange(100.0), ("A_4", 0): np.full(100, 10.0)}
    frames = [
        pd.DataFrame({"space": space, "seed": seed, "code": new, "proxy": proxy})
        for (space, seed), proxy in proxies.items()
    ]
    diverged = pd.DataFrame({"space": ["A_4", "A_2"], "seed": [1, 0]})
    ours = pd.concat([*frames, diverged], ignore_index=True).assign(method=regret.OURS)
    found = regret.nb101_statistics(sample, theirs, SMALL, ours)
    added = found["comparisons_nb101"]["method"] == regret.OURS
    pd.testing.assert_frame_equal(
        found["comparisons_nb101"][~added], small_nb101["comparisons_nb101"]
    )
    pd.testing.assert_frame_equal(found["curves_nb101"], small_nb101["curves_nb101"])
    own = found["comparisons_nb101"][added].set_index("space")
    assert own["supernets"].to_dict() == {"A_4": 0, "A_2": 0, "A_1": 1}
    assert own["failed"].to_dict() == {"A_4": 2, "A_2": 1, "A_1": 0}
    tests = sample.set_index("code").loc[new, ["test_0", "test_1", "test_2"]].mean(axis=1)
    best = sample[inside][["test_0", "test_1", "test_2"]].mean(axis=1).max()
    # Baseline regrets are those of its own candidates: never below the best of them.
    assert own["baseline_regret"]["A_1"] >= best - tests.max() > 0


def test_a_diverged_supernet_of_nasbench101_is_kept_as_a_row_without_a_cell():
    grid = appraisal.grid("smoke", methods=(appraisal.BASELINE,))
    cell = int(SUBSPACES["A_4"].codes()[0])
    record = next(iter(supernets().records()))
    records = [
        replace(record, config=grid[0], codes=(cell,), correct=(50,)),
        replace(record, config=grid[1], status="diverged", codes=(), correct=()),
    ]
    truth = Table(
        nb101.NAME,
        np.array([cell]),
        nb101.COLUMNS,
        {column.name: np.array([90.0]) for column in nb101.COLUMNS},
        "nb101",
    )
    found = regret.evaluations_of(records, "smoke", truth).set_index("space")
    assert found["proxy"].isna().to_dict() == {"A_4": False, "A_1": True}
    assert set(found["method"]) == {regret.OURS}


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


def test_failed_supernets_of_nasbench201_are_counted(table):
    """One diverged, one says the same of each cell drawn at random; the third is as it was."""
    grid = [config for config in regret.grid("cpu") if config.subspace == Subspace()]
    good, other, third = [r for r in supernets().records() if r.config in grid][:3]
    random = correlations.observe_run(other, "cpu", table)["random"].to_numpy()
    constant = replace(other, correct=tuple(np.where(random, 100, other.correct).tolist()))
    diverged = replace(third, status="diverged", codes=(), correct=())
    frames = regret.nb201_statistics([good, constant, diverged], "cpu", table, SMALL)
    assert set(frames["comparisons_nb201"]["supernets"]) == {1}
    assert set(frames["comparisons_nb201"]["failed"]) == {2}
    frames = regret.nb201_statistics([constant, diverged], "cpu", table, SMALL)
    rows = frames["comparisons_nb201"]
    assert len(rows) == 4 and rows["difference"].isna().all()
    assert set(rows["supernets"]) == {0} and set(rows["failed"]) == {2}
    assert set(frames["curves_nb201"]["search"]) == {"RS", "GS"}


def test_charge_for_a_supernet_of_ours(table):
    """56 epochs of 25,000 images over 200 of 50,000; 200 cells on 1,000 images, a third a pass."""
    record = next(r for r in supernets().records() if r.config in regret.grid("cpu"))
    curves = regret.guided_search(record, "cpu", table, 95.0, regret.AS_RUN, SMALL)
    assert curves.time[0, 0] == pytest.approx(0.14 + 200 * 1_000 / 3e7 + 1)


def test_searches_of_the_whole_benchmark(authors):
    """The sample stands in for the whole: of its own cells it is complete."""
    table, supernets = benchmarks.load_table(nb101.NAME), authors[1]
    found = regret.whole_nb101_statistics(table, supernets, SMALL)
    assert set(found) == {
        f"{kind}_nb101-official" for kind in ("comparisons", "searches", "curves")
    }
    comparisons = found["comparisons_nb101-official"].set_index(["space", "baseline"])
    assert list(comparisons.index) == [(space, b) for space in SUBSPACES for b in ("RS", "GS")]
    # 4 trainings the supernet, up to 200 forward passes (few cells were drawn twice), 1 the pick.
    assert (
        comparisons["budget"]
        .between(5 + 180 * regret.EVALUATION, 5 + 200 * regret.EVALUATION)
        .all()
    )
    assert (comparisons["baseline_trainings"] == 5).all()
    searches = found["searches_nb101-official"].set_index(["space", "trainings"])
    assert comparisons.xs("GS", level=1)["baseline_regret"].to_dict() == pytest.approx(
        searches.xs(5, level=1)["greedy"].to_dict()
    )
    judged = regret.tables(found)["claims"].set_index("claim")["verdict"]
    assert judged["greedy-first-nb101-official"] != "not run"


def test_without_the_other_benchmarks_their_claims_are_not_run(table):
    frames = regret.nb201_statistics(supernets().records(), "cpu", table, SMALL)
    judged = regret.tables(frames)["claims"].set_index("claim")["verdict"]
    assert judged["oneshot-A_1"] == judged["greedy-first-macro"] == "not run"
    assert judged["greedy-first-nb201"] != "not run"


def test_every_claim_is_judged_and_every_table_named(stored):
    tables = regret.tables(stored)
    assert set(tables) == set(regret.TABLES)
    assert set(tables["claims"]["claim"]) == set(read_claims("pourchot_search"))
    unknown = tables["claims"].query("verdict == 'not run'")["claim"]
    assert list(unknown) == ["greedy-first-nb101-official", "greedy-last-nb101-official"]
    assert len(tables["table4"]) == 7 and tables["table4"]["printed_d"].notna().all()


def test_stored_effects_follow_from_what_is_stored_beside_them(stored):
    """d from difference and deviation; p and the interval of d from d and the runs alone."""
    known = regret.gather(stored, "comparisons").dropna(subset="d")
    assert len(known) >= 42
    ratio = known["difference"] / known["deviation"]
    assert known["d"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=1e-4)
    for row in known.itertuples():
        runs = row.baseline_runs, row.guided_runs
        assert row.p_student == pytest.approx(p_of_effect(row.d, *runs), rel=1e-3)
        bounds = effect_interval(row.d, *runs)
        assert (row.t_low, row.t_high) == pytest.approx((bounds.low, bounds.high), abs=1e-3)


def test_time_of_a_one_shot_search_and_what_the_claims_say_of_it():
    """4 trainings the supernet, 10,000 times 9,984 / (3 * 108 * 40,000) the cells, 1 the pick."""
    time = regret.SUPERNET + 10_000 * regret.EVALUATION + 1
    assert time == pytest.approx(12.7037, abs=1e-4)
    known = read_claims("pourchot_search")
    trainings = re.search(r"after (\d+) trainings", known["greedy-first-nb201"].quantity)
    assert regret.ONE_SHOT == 12 == int(trainings[1])
    assert regret.ONE_SHOT in regret.AT


def test_the_claims_quote_the_printed_tables():
    """All numbers of `reported` that tables 4 and 5 have, or that follow from them."""
    known, greedy = read_claims("pourchot_search"), audit.greedy_against_random()
    for claim in ("greedy-first-nb101-official", "greedy-first-nb201", "greedy-first-macro"):
        assert known[claim].reported.startswith(
            f"{greedy.max():.2f} to {greedy.min():.2f} in all {(greedy < 0).sum()} spaces"
        )
    printed = audit.effects().query("column == 'RS_bs - RS_ws'").set_index("space")
    for name, claim in known.items():
        kind, _, space = name.partition("-")
        if kind in ("oneshot", "effect"):
            row = printed.loc[space]
            wanted = [f"d = {row['d']:+.2f}", f"p = {row['p']:.2f}"]
            wanted += [f"{row['mean']:+.2f}"] if kind == "oneshot" else []
            assert all(number in claim.reported for number in wanted), name


@pytest.mark.slow
def test_stored_statistics_are_those_of_the_stored_records(table, authors, stored):
    computed = results.compute_statistics("regret", "cpu")
    assert set(stored) == set(computed)
    for name, frame in computed.items():
        assert results.to_csv(stored[name]) == results.to_csv(frame), name
