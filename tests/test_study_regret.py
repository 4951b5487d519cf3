"""Study 3: searches on small landscapes worked by hand, and what is stored of the real ones."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from records import arrays, codes, counts

from nasrepro import benchmarks
from nasrepro.benchmarks import Table, macro, nb101
from nasrepro.claims import read_claims
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.effects import effect_interval, p_of_effect
from nasrepro.runs.kinds import SUPERNET, store_of
from nasrepro.runs.nb201 import select_cells
from nasrepro.spaces.nb101 import SUBSPACES
from nasrepro.spaces.nb201 import Cell, Subspace, neighbours
from nasrepro.studies import (
    appraisal,
    audit,
    comparison,
    complete_spaces,
    correlations,
    regret,
    results,
)
from nasrepro.studies.appraisal import rank_correlations
from nasrepro.studies.comparison import Protocol
from nasrepro.studies.measure import observe_run

SMALL = Protocol(runs=5, draws=200, evaluations=60, points=5, resamples=99)


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


def test_the_grid_is_that_of_study_1_without_its_medium_networks_and_five_that_evaluate_all():
    grid, added, others = (
        regret.design("cpu"),
        regret.whole_design("cpu"),
        regret.macro_design("cpu"),
    )
    assert set(grid) - set(added) - set(others) < set(correlations.design("cpu"))
    assert {config.net.cells_per_stage for config in set(grid) - set(others)} == {1}
    assert len(grid) == 6 * 5 + 10 * 3 + 7 * 3 + 5 + 5
    assert {len(select_cells(config.subspace, config.cells)) for config in added} == {15_625}
    # Trained as those of study 1: but for the cells, the same configs.
    same = {replace(config, cells=next(iter(grid)).cells) for config in added}
    assert same == {
        config for config in regret.small_design("cpu") if config.subspace == Subspace()
    }


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
    assert tuple(table) == comparison.COMPARED
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
    grid = list(appraisal.design("smoke", methods=(appraisal.BASELINE,)))
    cell = int(SUBSPACES["A_4"].codes()[0])
    record = next(iter(store_of(SUPERNET).records()))
    records = [
        replace(record, config=grid[0], arrays=arrays([cell], [50])),
        replace(record, config=grid[1], status="diverged", arrays=arrays()),
    ]
    truth = Table(
        nb101.NAME,
        np.array([cell]),
        nb101.COLUMNS,
        {column.name: np.array([90.0]) for column in nb101.COLUMNS},
        "nb101",
    )
    found = regret.nb101_evaluations(records, "smoke", truth).set_index("space")
    assert found["proxy"].isna().to_dict() == {"A_4": False, "A_1": True}
    assert set(found["method"]) == {regret.OURS}


def test_cells_chosen_by_their_true_rank_are_no_candidates(table):
    """Whatever a supernet says of the true top 500, its searches find the same."""
    grid = {
        c: labels for c, labels in regret.small_design("cpu").items() if c.subspace == Subspace()
    }
    record = next(r for r in store_of(SUPERNET).records() if r.config in grid)
    random = observe_run(record, table, regret.COLUMN)["random"].to_numpy()
    assert random.sum() == 1_000 and (~random).sum() > 400
    flattered = np.where(random, counts(record), record.config.data.validation_images)
    other = replace(record, arrays=arrays(codes(record), flattered))
    both = [regret.evaluations_of([r], grid) for r in (record, other)]
    assert len(both[0]) == 1_000
    pd.testing.assert_frame_equal(*both)


def test_a_perfect_supernet_that_evaluated_all_cells_picks_the_best(table):
    """All 729 cells are evaluated, in the order of their codes, which is not the table's."""
    (config, other) = regret.whole_design("smoke")
    codes = [cell.code for cell in select_cells(config.subspace, config.cells)]
    ranks = table.accuracy(codes, regret.COLUMN).argsort().argsort()
    perfect = replace(
        store_of(SUPERNET).records()[0],
        config=config,
        arrays=arrays(codes, ranks),
    )
    constant = replace(perfect, config=other, arrays=arrays(codes, [7] * len(codes)))
    protocol = replace(regret.PROFILES["smoke"], evaluations=729)
    found = regret.nb201_statistics([perfect, constant], "smoke", table, protocol)
    rows = found["comparisons_nb201"]
    assert set(rows["benchmark"]) == {complete_spaces.NB201_WHOLE} and len(rows) == 2 * 2 * 2 * 2
    assert set(rows["supernets"]) == set(rows["failed"]) == {1}
    all_seen = rows[rows["space"] == "729 cells by proxy"]
    assert (all_seen["guided_regret"] == 0).all()
    budgets = all_seen.loc[all_seen["charge"] == complete_spaces.AS_IN_PAPER, "budget"].to_numpy()
    assert budgets == pytest.approx(comparison.SUPERNET + 729 * comparison.EVALUATION + 1)
    few = rows[rows["space"] == "17 cells by proxy"]  # 10,000 of 423,624
    assert (few["guided_regret"] > 0).all() and (few["guided_runs"] == 5).all()


def test_the_largest_cells_have_their_mean_regret():
    """Of 90, 80, 70 and 60 percent the two in the middle have the most parameters.

    Ranks of the accuracies 4, 3, 2, 1, of the counts 1, 3.5, 3.5, 2: the products of what they
    deviate by from their means add up to -1.5, the squares to 5 and 4.5.
    """
    accuracy = {macro.COLUMNS[0].name: np.array([90.0, 80.0, 70.0, 60.0])}
    truth = Table(macro.NAME, np.arange(4), macro.COLUMNS, accuracy, "macro")
    found = complete_spaces.by_size(
        truth,
        macro.COLUMNS[0].name,
        {"all": np.arange(4), "some": np.array([1, 3])},
        lambda codes: np.array([1, 5, 5, 2])[codes],
    )
    assert found["parameters"].to_list() == pytest.approx([-1.5 / math.sqrt(5 * 4.5), 1])
    assert found.drop(columns=["parameters", "flops"]).to_dict("records") == [
        {"benchmark": "macro", "space": "all", "cells": 2, "regret": 15.0},
        {"benchmark": "macro", "space": "some", "cells": 1, "regret": 0.0},
    ]


def test_supernets_that_evaluated_all_rank_beside_the_size_of_networks():
    """One swaps two of three neighbours, 1 - 6 * 2 / 24; one says the same of all, one diverged."""
    name = macro.COLUMNS[0].name
    accuracy = {name: np.array([70.0, 80.0, 90.0])}
    truth = Table(macro.NAME, np.arange(3), macro.COLUMNS, accuracy, "macro")
    proxies = {0: [50.0, 40.0, 60.0], 1: [10.0, 10.0, 10.0]}
    runs = [pd.DataFrame({"seed": s, "code": np.arange(3), "proxy": p}) for s, p in proxies.items()]
    evaluations = pd.concat([*runs, pd.DataFrame({"seed": [2]})]).assign(space="all")
    ranks = complete_spaces.ranks_of_whole(evaluations, truth, name)
    assert ranks["spearman"].to_list() == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)
    counts = (lambda codes: np.array([3, 2, 1])[codes], lambda codes: np.array([2, 1, 3])[codes])
    size = complete_spaces.by_size(truth, name, {"all": np.arange(3)}, *counts)
    (row,) = regret.beside_size(ranks, size).itertuples()
    assert (row.benchmark, row.n, row.failed) == ("macro", 1, 2)
    assert (row.mean, row.parameters, row.flops) == pytest.approx((0.5, -1, 0.5))


def test_a_training_repeated_from_its_seed_counts_the_same_images():
    """Five supernets that were trained twice: 1,462 cells that both evaluated."""
    assert regret.repeated_counts(store_of(SUPERNET).records(), "cpu") == (5 * 1_462, 5 * 1_462)


def test_supernets_of_nasbench_macro_search_their_space():
    """One predicts the truth, one diverged; 256 networks, two operations in each block."""
    if macro.NAME not in benchmarks.available_tables():
        pytest.skip("the NAS-Bench-Macro table is not on this machine; set NASREPRO_DATA")
    table, (config, other) = benchmarks.load_table(macro.NAME), regret.macro_design("smoke")
    codes = np.sort([cell.code for cell in config.subspace.cells()])
    truth = table.accuracy(codes, macro.COLUMNS[0].name)
    ranks = truth.argsort(kind="stable").argsort()
    perfect = replace(
        store_of(SUPERNET).records()[0],
        config=config,
        arrays=arrays(codes, ranks),
    )
    diverged = replace(perfect, config=other, status="diverged", arrays=arrays())
    found = regret.macro_statistics(
        [perfect, diverged], "smoke", table, replace(regret.PROFILES["smoke"], evaluations=999)
    )
    rows = found["comparisons_macro"]
    assert set(rows["benchmark"]) == {complete_spaces.MACRO_WHOLE} and len(rows) == 2 * 2 * 2 * 2
    assert set(rows["supernets"]) == set(rows["failed"]) == {1}
    assert set(rows["space"]) == {"6 cells by proxy", "256 cells by proxy"}
    assert (rows.loc[rows["space"] == "256 cells by proxy", "guided_regret"] == 0).all()
    # Two searches of two spaces without supernets, and again beside those with: two panels.
    assert set(found["searches_macro"]["space"]) == {"all networks", "no MB6 5x5"}
    names = found["curves_macro"].groupby(["benchmark", "space"])["search"].unique()
    assert len(names) == 4 and [len(searches) for searches in names] == [2, 2, 4, 4]


def test_guided_greedy_search_asks_for_neighbours(table):
    """The first cells after the start of a climb are its neighbours, the best one goes on."""
    space = regret.PROFILES["smoke"].whole
    codes = np.sort(table.subset(space.operations))
    proxy = table.accuracy(codes, regret.COLUMN)
    evaluations = pd.DataFrame({"space": [str(space)], "seed": 0, "code": codes[0], "proxy": 1.0})
    protocol = regret.PROFILES["smoke"]
    cells = complete_spaces.Complete("nb201", str(space), codes, proxy)
    guides = complete_spaces.asking_any(cells, evaluations, protocol)
    assert [(guide.space, guide.search) for guide in guides] == [
        (f"{count} cells by proxy", search) for count in (17, 200) for search in ("RS", "GS")
    ]
    order = guides[3].by_proxy.draw(proxy, np.random.default_rng(0))
    assert order.shape == (5, 200) and all(len(set(run)) == 200 for run in order.tolist())
    for start, *others in order:
        # Six edges with two other operations each.
        around = {cell.code for cell in neighbours(Cell.from_code(int(codes[start])))}
        inside = around & set(codes.tolist()) - {int(codes[start])}
        assert {int(code) for code in codes[others[:12]]} == inside


def test_failed_supernets_of_nasbench201_are_counted(table):
    """One diverged, one says the same of each cell drawn at random; the third is as it was."""
    grid = [config for config in regret.small_design("cpu") if config.subspace == Subspace()]
    good, other, third = [r for r in store_of(SUPERNET).records() if r.config in grid][:3]
    random = observe_run(other, table, regret.COLUMN)["random"].to_numpy()
    constant = replace(other, arrays=arrays(codes(other), np.where(random, 100, counts(other))))
    diverged = replace(third, status="diverged", arrays=arrays())
    frames = regret.nb201_statistics([good, constant, diverged], "cpu", table, SMALL)
    assert set(frames["comparisons_nb201"]["supernets"]) == {1}
    assert set(frames["comparisons_nb201"]["failed"]) == {2}
    frames = regret.nb201_statistics([constant, diverged], "cpu", table, SMALL)
    rows = frames["comparisons_nb201"]
    assert len(rows) == 4 and rows["difference"].isna().all()
    assert set(rows["supernets"]) == {0} and set(rows["failed"]) == {2}
    assert set(frames["curves_nb201"]["search"]) == {"RS", "GS"}


def test_charge_for_a_supernet_of_ours():
    """56 epochs of 25,000 images over 200 of 50,000; a cell on 1,000 images, a third a pass."""
    config = next(iter(regret.small_design("cpu")))
    charge = complete_spaces.charges_of(config, regret.NB201_IMAGES)[complete_spaces.AS_RUN]
    assert charge.supernet == pytest.approx(0.14)
    assert charge.evaluation == pytest.approx(1_000 / 3e7)


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
        .between(5 + 180 * comparison.EVALUATION, 5 + 200 * comparison.EVALUATION)
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
    frames = regret.nb201_statistics(store_of(SUPERNET).records(), "cpu", table, SMALL)
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
    """d from difference and deviation; p and t's interval from d and the paper's runs alone."""
    known = regret.gather(stored, "comparisons").dropna(subset="d")
    assert len(known) >= 42
    ratio = known["difference"] / known["deviation"]
    assert known["d"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=1e-4)
    for row in known.itertuples():
        assert row.p_student == pytest.approx(p_of_effect(row.d, 100, 25), rel=1e-3)
        bounds = effect_interval(row.d, 100, 25)
        assert (row.t_low, row.t_high) == pytest.approx((bounds.low, bounds.high), abs=1e-3)


def test_time_of_a_one_shot_search_and_what_the_claims_say_of_it():
    """4 trainings the supernet, 10,000 times 9,984 / (3 * 108 * 40,000) the cells, 1 the pick."""
    time = comparison.SUPERNET + 10_000 * comparison.EVALUATION + 1
    assert time == pytest.approx(12.7037, abs=1e-4)
    known = read_claims("pourchot_search")
    trainings = re.search(r"after (\d+) trainings", known["greedy-first-nb201"].quantity)
    assert comparison.ONE_SHOT == 12 == int(trainings[1])
    assert comparison.ONE_SHOT in comparison.AT


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
        if name == "oneshot-average":
            assert claim.printed == pytest.approx(printed["mean"].mean(), abs=0.005)
        elif kind in ("oneshot", "effect"):
            row = printed.loc[space]
            assert claim.printed == row["mean" if kind == "oneshot" else "d"]
            wanted = [f"d = {row['d']:+.2f}", f"p = {row['p']:.2f}"]
            wanted += [f"{row['mean']:+.2f}"] if kind == "oneshot" else []
            assert all(number in claim.reported for number in wanted), name


@pytest.mark.slow
def test_stored_statistics_are_those_of_the_stored_records(table, authors, stored):
    computed = results.compute_statistics("regret", "cpu")
    assert set(stored) == set(computed)
    for name, frame in computed.items():
        assert results.to_csv(stored[name]) == results.to_csv(frame), name
