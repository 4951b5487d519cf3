"""Study 2: factors that change one thing, effects worked by hand."""

import dataclasses
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nasrepro.benchmarks import available_tables
from nasrepro.claims import read_claims
from nasrepro.errors import ConfigError
from nasrepro.nets.nb201 import count_parameters
from nasrepro.runs.config import changed, to_dict
from nasrepro.runs.families import make_sampler
from nasrepro.runs.nb201 import random_cells
from nasrepro.runs.parts import CellsConfig, DataConfig, DrawnCells
from nasrepro.runs.supernet import part_of, run
from nasrepro.spaces.nb201 import EDGES, Cell, Subspace
from nasrepro.studies import channels, rankings, tricks, tricks_claims
from nasrepro.studies.design import Factor
from nasrepro.studies.measure import effects, equivalence
from nasrepro.studies.tricks import (
    BASELINES,
    BUDGETS,
    FACTORS,
    FAIR,
    PROFILES,
    PRUNED,
    REDUCED,
    UNIFORM,
    VARIANTS,
    design,
    factor_design,
)
from nasrepro.train import TrainConfig

PAPERS = ("paper", "paper-yu", "paper-zhang")
CLAIMS = ("laube_tricks", "yu_tricks", "zhang_tricks")


def flat(values: dict, path: str = "") -> dict:
    """Plain values by their dotted paths."""
    found = {}
    for name, value in values.items():
        inner = flat(value, f"{path}{name}.") if isinstance(value, dict) else {path + name: value}
        found |= inner
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_a_factor_changes_what_it_says_and_nothing_else(profile):
    settings = {FAIR: PROFILES[profile].base, **tricks.configs(profile)}
    for factor in FACTORS:
        if factor.name not in settings:
            continue
        before = flat(to_dict(settings[factor.baseline]))
        after = flat(to_dict(settings[factor.name]))
        differ = {path for path in before | after if before.get(path) != after.get(path)}
        # Smoke evaluates no best cells anyway.
        same = {"cells.top"} if profile == "smoke" else set()
        assert differ == set(factor.change) - same, factor.name


def test_the_design_has_one_seed_of_every_setting_before_two_of_any():
    labels = [labels["setting"] for labels in factor_design("cpu").values()]
    seeds = [config.seed for config in factor_design("cpu")]
    left_out = (*REDUCED, *tricks.ON_MEDIUM)
    settings = len(tricks.ALL_FACTORS) + 2 - len(left_out)
    assert seeds == sorted(seeds) and len(set(labels[:settings])) == settings
    expected = {f.name: 3 for f in tricks.ALL_FACTORS if f.name not in left_out}
    expected |= {channels.FIXED: 3}
    assert Counter(labels) == expected | dict.fromkeys(BASELINES, 5)
    assert {config.seed for config in factor_design("cpu", seeds=1)} == {0}
    elsewhere = (*PRUNED, *channels.SETTINGS)
    others = {
        c.cells for c, labels in factor_design("cpu").items() if labels["setting"] not in elsewhere
    }
    assert others == {PROFILES["cpu"].base.cells}


def test_smoke_needs_no_table():
    smoke = design("smoke")
    assert {config.needed_table for config in smoke} == {None}
    missing = {f.name for f in tricks.ALL_FACTORS} - {
        labels["setting"] for labels in smoke.values()
    }
    assert missing == {*PRUNED, *REDUCED, *tricks.ON_MEDIUM}


@pytest.mark.parametrize(
    ("k", "cells", "evaluated"), [(4, 3906, 1000), (16, 976, 976), (64, 244, 244)]
)
def test_a_part_and_the_whole_are_ranked_over_the_same_cells(k, cells, evaluated):
    """All of a part that the baseline evaluates: a thousand, or the whole part."""
    parts = {}
    for config, labels in design("cpu").items():
        if labels["setting"] == f"density 1/{k}":
            parts[config.seed] = set(part_of(config).tolist())
    sample = {cell.code for cell in random_cells(Subspace(), PROFILES["cpu"].base.cells)}
    assert {len(part) for part in parts.values()} == {cells}
    assert {len(part & sample) for part in parts.values()} == {evaluated}
    assert len(set(map(frozenset, parts.values()))) == 3  # another one for each seed


def test_correlations_in_a_part_are_over_its_cells_alone():
    """In the part both rank perfectly; elsewhere the baseline ranks in reverse."""
    wanted = {c: n for c, n in design("cpu", seeds=1).items() if n["setting"] == "density 1/64"}
    (config,) = wanted
    part = part_of(config)[:50]
    codes = np.append(part, np.setdiff1d(np.arange(0, 15_625, 300), part_of(config)))
    truth = np.arange(len(codes), dtype=float)
    inside = np.arange(len(codes)) < 50
    rows = [
        pd.DataFrame(
            {"setting": setting, "seed": 0, "code": codes, "truth": truth, "random": True}
        ).assign(proxy=np.where(inside, truth, sign * truth))
        for setting, sign in (("density 1/64", 1), (UNIFORM, -1))
    ]
    found = tricks.in_parts([SimpleNamespace(config=config)], wanted, pd.concat(rows))
    assert found["setting"].tolist() == ["density 1/64", UNIFORM]
    assert set(found["metric"]) == {"spearman_in_density 1/64"}
    assert found["value"].tolist() == pytest.approx([1, 1])
    assert all(map(tricks.correlates, found["metric"]))


def test_a_pruned_space_is_trained_and_evaluated_by_truth():
    for config, labels in design("cpu").items():
        if labels["setting"] in PRUNED:
            best = PRUNED[labels["setting"]]
            assert (config.trained_cells, config.cells.best, config.cells.top) == (best, best, 0)
            assert config.needed_table == "nb201-200epochs"


def test_a_factor_that_is_another_ones_is_refused(monkeypatch):
    same = Factor("twice", FACTORS[-1].baseline, "here", dict(FACTORS[-1].change))
    monkeypatch.setattr(tricks, "FACTORS", (*FACTORS, same))
    with pytest.raises(ConfigError, match="in a design twice"):
        design("smoke")
    with pytest.raises(ConfigError, match="unknown profile 'huge'"):
        design("huge")


def runs_of(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        (setting, seed, "spearman", value)
        for setting, numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    return pd.DataFrame(rows, columns=["setting", "seed", "metric", "value"])


def test_effects_are_of_independent_groups_and_corrected_over_the_family():
    """Means .5 (variance .08 / 3) of four, .9 (.02) and .5 (0) of two; squared errors add up."""
    values = {FAIR: [0.5, 0.3, 0.7, 0.5], "a": [0.8, 1.0], "b": [0.5, 0.5]}
    found = effects(runs_of(values), [("a", FAIR), ("b", FAIR)]).set_index("setting")
    a, b = found.loc["a"], found.loc["b"]
    assert (a.n, a.n_baseline, b.n, b.n_baseline) == (2, 4, 2, 4)
    assert (a.baseline, a.value) == pytest.approx((0.5, 0.9))
    both, one = 0.02 / 2, 0.08 / 3 / 4
    df = (both + one) ** 2 / (both**2 / 1 + one**2 / 3)
    half = stats.t.ppf(0.975, df) * math.sqrt(both + one)
    assert (a.difference, a.ci_low, a.ci_high) == pytest.approx((0.4, 0.4 - half, 0.4 + half))
    assert a.p_holm == pytest.approx(2 * 2 * stats.t.sf(0.4 / math.sqrt(both + one), df))
    assert (b.difference, b.p_holm) == pytest.approx((0, 1), abs=1e-12)


def test_one_seed_gives_a_difference_without_interval_or_p():
    found = effects(runs_of({FAIR: [0.5, 0.6], "a": [0.7]}), [("a", FAIR), ("unrun", FAIR)])
    (found,) = found.itertuples()
    assert found.setting == "a" and found.difference == pytest.approx(0.15)
    assert (found.n, found.n_baseline) == (1, 2)
    assert math.isnan(found.ci_low) and math.isnan(found.p_holm)


def statistics_of(values: dict[str, list[float]]) -> dict[str, pd.DataFrame]:
    """All statistics, of which only the runs have rows."""
    empty = pd.DataFrame(columns=["setting_a", "seed_a", "setting_b", "seed_b", "spearman"])
    exact = pd.DataFrame({"name": list(tricks_claims.COUNTED.values()), "value": 0.5, "n": 9})
    return {
        "runs": runs_of(values),
        "pooled": pd.DataFrame(),
        "agreement": empty,
        "exact": exact,
    }


def test_tables_have_the_columns_that_users_ask_for():
    values = {FAIR: [0.5, 0.6], **{factor.name: [0.5, 0.7] for factor in tricks.ALL_FACTORS}}
    tables = tricks.tables(statistics_of(values))
    without = ("published", "protocols", "recipes", "zero_cost")
    assert set(tables) == {n for n in tricks.TABLES if not n.startswith(without)}
    assert list(tables["factors"]) == [
        *("factor", "setting", "paper", "space", "metric"),
        *("baseline", "value", "difference", "ci_low", "ci_high", "p_holm", "n"),
        "n_baseline",
    ]
    row = tables["factors"].set_index("factor").loc["gradient clipping"]
    assert (row.setting, row.paper) == ("train.gradient_clip=5.0", "Laube 4.3")
    spaces = tables["factors"].set_index("factor")["space"]
    assert (spaces["WSBN"], spaces[channels.DISABLED[1]]) == ("NAS-Bench-201", "NAS-Bench-101")


def test_the_baseline_is_what_the_paper_trains_with_at_a_smaller_scale():
    train = PROFILES["cpu"].base.train
    smaller = {"epochs", "batch_size", "crop_padding"}
    defaults = dataclasses.replace(train, **{n: getattr(type(train)(), n) for n in smaller})
    assert defaults == type(train)()  # the defaults are Laube's table 1


def test_settings_left_out_of_reduced_profiles_have_another_name_there():
    """But for Yu's four cells, a change of another size."""
    base = PROFILES["cpu"].base
    for factor in FACTORS:
        if factor.name in REDUCED and factor.name != tricks_claims.FOUR_CELLS:
            assert changed(base, dict(factor.change)) == base


def test_profiles_of_papers_have_what_their_tables_say():
    laube, yu, zhang = (tricks.configs(name) for name in PAPERS)
    assert laube[FAIR].train == TrainConfig() and laube["warm-up"].train.warmup_epochs == 5
    widths = {"M": (64, 4), "channels x3": (96, 2), FAIR: (32, 2)}
    for name, width in widths.items():
        assert (laube[name].net.channels, laube[name].net.cells_per_stage) == width
    depths = {laube[n].net.cells_per_stage for n in tricks.DEPTHS if n in laube}
    assert depths == {1, 3, 4, 5}
    # Yu's grids, table 10 and 11.
    train = yu[UNIFORM].train
    rates = {c.train.learning_rate for c in yu.values() if c.net == yu[UNIFORM].net}
    assert rates == {0.005, 0.025, 0.05, 0.1, 0.2}
    assert (train.batch_size, train.epochs, train.weight_decay) == (128, 1_000, 3e-3)
    assert yu[tricks_claims.FOUR_CELLS].net.cells_per_stage == yu[UNIFORM].net.cells_per_stage - 1
    # Zhang's pair is that of the other space's baseline, halved and tripled as it is there.
    there, here = zhang[channels.FIXED].train, zhang[UNIFORM].train
    assert (there.learning_rate, there.weight_decay) == (0.1, 1e-4)
    assert (here.learning_rate, here.weight_decay, here.gradient_clip) == (0.05, 5e-4, 5)
    evaluate = zhang[UNIFORM].evaluate
    assert (evaluate.batch_size, evaluate.calibration_batches) == (400, 25)


def test_every_setting_is_one_of_some_paper():
    """Laube's baseline is not its third depth; two cells are not Yu's, whose baseline has five."""
    known = {name for paper in PAPERS for name in tricks.configs(paper)}
    every = {FAIR, channels.FIXED, *(factor.name for factor in tricks.ALL_FACTORS)}
    assert every - known == {tricks.DEPTHS[1], tricks_claims.TWO_CELLS}


def trained_in_two_steps(config):
    """The record of a config with few and small images and cells, all else as it is."""
    group = make_sampler(config.sampler, config.subspace).group_size
    batches = 1 if config.train.batches == "shared" else group  # of a step
    small = {
        "data": DataConfig("digits", 4 * batches, validation_images=8, size=8),
        "train.batch_size": 4,
        "train.epochs": 2,
        "train.warmup_epochs": min(config.train.warmup_epochs, 1),
        "evaluate.batch_size": 4,
        "evaluate.calibration_batches": min(config.evaluate.calibration_batches, 1),
    }
    if isinstance(config.cells, CellsConfig):
        small |= {"cells.random": 2, "cells.top": 0}
    else:
        small |= {"cells": DrawnCells(count=2, table=None)}
    return run(changed(config, small))


@pytest.mark.parametrize(
    ("paper", "setting"),
    [
        pytest.param(paper, name, marks=() if name in BASELINES else pytest.mark.slow)
        for paper in PAPERS
        for name in tricks.configs(paper)
    ],
)
def test_every_setting_of_the_papers_builds_and_takes_two_steps(paper, setting):
    """Its network, sampler, optimiser and way of evaluation, one step in each of two epochs."""
    config = tricks.configs(paper)[setting]
    if config.needed_table and setting in PRUNED and tricks.TABLE not in available_tables():
        pytest.skip(f"the table {tricks.TABLE} is not on this machine")
    record = trained_in_two_steps(config)
    assert (record.status, len(record.history), len(record.arrays["codes"])) == ("ok", 2, 2)
    assert 0 < record.history[0].loss < 20


# ---- what a run measures


def test_a_perfect_ranking_finds_the_best_cells_and_prefers_nothing():
    codes = np.random.default_rng(0).choice(15_625, 300, replace=False)
    truth = np.random.default_rng(1).permutation(np.linspace(50, 94, 300))
    searched = np.arange(300) < 200
    parameters = count_parameters(codes)
    found = rankings.ranking(truth, truth, parameters, searched)
    assert found["spearman"] == found["kendall_tau_a"] == found["tau_b_top_tenth"] == 1
    assert found["final_accuracy"] == np.sort(truth[:200])[-3:].mean()
    assert found["top_10_accuracy"] == 94
    assert found["top_10_gain"] == pytest.approx(94 - (50 + 44 * (10 / 11 * 301 - 1) / 299))
    assert found["top_10_rank"] == 5.5 / 300
    worst = rankings.ranking(-truth, truth, parameters, searched)
    assert worst["spearman"] == worst["s_kdt"] == -1 and worst["top_10_rank"] == 295.5 / 300
    assert rankings.biases(truth, truth, codes)["bias_conv3"] == 0


def test_a_ranking_by_parameters_tells_nothing_beyond_them():
    codes = np.arange(0, 15_625, 25)
    truth = np.random.default_rng(0).normal(size=len(codes))
    parameters = count_parameters(codes)
    found = rankings.ranking(parameters, truth, parameters, codes < 5_000)
    assert found["spearman_parameters"] == pytest.approx(1)
    assert found["parameters_less_spearman"] == pytest.approx(0)
    other = rankings.ranking(-parameters, parameters, parameters, codes < 5_000)
    assert other["parameters_less_spearman"] == pytest.approx(2)
    assert math.isnan(found["partial_spearman"])


def test_biases_are_percentiles_by_proxy_less_those_by_truth():
    """Four cells; the 3x3 on edge 0-3 is last by truth and first by proxy, Skip third and last."""
    ops = ["nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3"]
    on_edge = [Cell(tuple(op if e == (0, 3) else "avg_pool_3x3" for e in EDGES)).code for op in ops]
    proxy, truth = np.array([90, 60, 80, 70]), np.array([60, 70, 80, 90])
    found = rankings.biases(proxy, truth, np.array(on_edge))
    assert found["bias_conv3"] == 100
    assert found["bias_conv3_less_skip"] == pytest.approx(100 - (0 - 100 / 3))
    assert found["bias_convolutions"] == pytest.approx(
        stats.spearmanr([100, -100 / 3, 0, 100 / 3 - 100], [1, 0, 0, 0]).statistic
    )


# ---- claims


def test_every_claim_and_setting_that_is_judged_exists():
    ids = {claim for file in CLAIMS for claim in read_claims(file)}
    settings = {FAIR, channels.FIXED, *(factor.name for factor in tricks.ALL_FACTORS)}
    judged = (tricks_claims.DIFFERENCES, tricks_claims.LEVELS, tricks_claims.RATIOS)
    for table in judged:
        assert set(table) <= ids
        assert {name for of in table.values() for name in of[1:]} <= settings
    assert set(tricks_claims.COUNTED) <= ids
    groups = (tricks_claims.HYPER_PARAMETERS, tricks_claims.OTHERS, tricks_claims.DEPTHS)
    assert {name for group in (*groups, BUDGETS, VARIANTS) for name in group} <= settings
    assert set(tricks_claims.HYPER_PARAMETERS) < set(tricks.YU_SETTINGS)
    assert len(set(ids)) == sum(len(read_claims(file)) for file in CLAIMS)


def runs_with(values: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    """By metric and setting, one value a seed."""
    rows = [
        (setting, seed, metric, value)
        for (metric, setting), numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    return pd.DataFrame(rows, columns=["setting", "seed", "metric", "value"])


def judge_runs(values: dict[tuple[str, str], list[float]], agreement=()) -> dict:
    statistics_ = statistics_of({}) | {"runs": runs_with(values)}
    if len(agreement):
        names = ["setting_a", "seed_a", "setting_b", "seed_b", "spearman"]
        statistics_["agreement"] = pd.DataFrame(agreement, columns=names)
    return tricks_claims.quantities(statistics_)


def test_a_claim_about_a_difference_is_of_independent_groups():
    """Means .4 and .4, variances .02 of two and .07 of three runs."""
    found = judge_runs({("s_kdt", "WSBN"): [0.3, 0.5], ("s_kdt", UNIFORM): [0.5, 0.6, 0.1]})[
        "yu-wsbn-s-kdt"
    ]
    assert found.interval().n == 5 and found.mean == pytest.approx(0)
    assert found.error == pytest.approx(math.sqrt(0.02 / 2 + 0.07 / 3))
    assert set(judge_runs({("s_kdt", "WSBN"): [0.3]})) == set(tricks_claims.COUNTED)


def test_the_baseline_stands_where_its_depth_is():
    """Accuracy falls with depth; the baseline has one cell a stage in one profile, two in another.

    Without a run of yet another depth nothing is said.
    """
    for own in (0, 1):  # the depth that the baseline has
        values = {
            ("mean_prediction", FAIR if n == own else depth): [40.0 - n, 41.0 - n]
            for n, depth in enumerate(tricks.DEPTHS)
        }
        assert judge_runs(values)["laube-cells-accuracy"].mean == pytest.approx(-1)
        del values["mean_prediction", tricks.DEPTHS[3]]
        assert "laube-cells-accuracy" not in judge_runs(values)


def test_one_cell_less_is_less_than_the_baseline_of_the_profile():
    shallow, deep = [0.4, 0.5], [0.7, 0.6]
    reduced = {("s_kdt", UNIFORM): shallow, ("s_kdt", tricks_claims.TWO_CELLS): deep}
    yus = {("s_kdt", tricks_claims.FOUR_CELLS): shallow, ("s_kdt", UNIFORM): deep}
    for values in (reduced, yus):
        assert judge_runs(values)["yu-cells"].mean == pytest.approx(-0.2)


def test_budgets_are_counted_from_surely_to_possibly():
    """Rising by 1 +- 0.1 thrice and falling by as much once: one of four, surely."""
    levels = [0, 1, 2, 3, 2]
    noise = [-0.05, 0.05, 0.0]
    values = {
        (metric, budget): [sign * (level + noise[(seed + i) % 3]) for seed in range(3)]
        for metric, sign in {
            "spearman": 1,
            "top_10_accuracy": 1,
            "mean_prediction": 1,
            "spearman_parameters": 2,
        }.items()
        for i, (budget, level) in enumerate(zip(BUDGETS, levels, strict=True))
    }
    found = judge_runs(values)
    # One is enough for the claim, so each has an interval of 1 - .05 / 4, which of two groups of
    # three is 4.31 errors of .05 sqrt(2 / 3) wide: it is sure of a fall by 1, and not of one by .1.
    assert found["zhang-longer-spearman"][:3] == (1, 1, 1)
    assert found["zhang-accuracy-judges-poorly"][:3] == (0, 0, 0)
    little = values | {
        ("spearman", BUDGETS[-1]): [2.9 + noise[(seed + 4) % 3] for seed in range(3)]
    }
    assert judge_runs(little)["zhang-longer-spearman"][:3] == (1, 0, 1)
    assert found["zhang-longer-accuracy"].interval().mean == pytest.approx(-1)
    number, surely, possibly, of = found["zhang-favours-large-more"]
    assert (surely, possibly, of) == (4, 5, 5) and number in (4, 5)  # the first is about 0


def test_seeds_agree_by_the_jackknife_over_them():
    rho = {("spearman", UNIFORM): [0.2, 0.4, 0.3]}
    pairs = [
        (UNIFORM, 0, UNIFORM, 1, 0.5),
        (UNIFORM, 0, UNIFORM, 2, 0.7),
        (UNIFORM, 1, UNIFORM, 2, 0.9),
    ]
    found = judge_runs(rho, pairs)
    assert found["zhang-consistent-seeds"].mean == pytest.approx(0.7)
    # Without each seed 0.9, 0.7, 0.5: the error is sqrt(2 / 3 * 0.08).
    assert found["zhang-consistent-seeds"].error == pytest.approx(math.sqrt(2 * 0.08 / 3))
    assert found["zhang-seed"].mean == pytest.approx((0.2 + 0.1 + 0.1) / 3)


def test_the_best_hyper_parameter_is_compared_with_the_best_other_setting():
    noise = np.array([-0.01, 0.0, 0.01])
    means = {"learning rate x8": 93.0, "weight decay 0": 91.0, "FairNAS": 91.5, UNIFORM: 90.0}
    accuracy = {s: pd.Series(mean + noise) for s, mean in means.items()}
    mean, low, high, n = tricks_claims.best_of(accuracy).interval()
    assert (mean, n) == (pytest.approx(93 - 91.5), 6) and 0 < low < mean < high
    worse = accuracy | {"FairNAS": accuracy["FairNAS"] + 3}
    assert tricks_claims.best_of(worse).interval().high < 0


def test_settings_alike_do_not_support_that_hyper_parameters_help_most():
    generator = np.random.default_rng(0)
    names = [UNIFORM, *tricks_claims.HYPER_PARAMETERS[:5], *tricks_claims.OTHERS[:5]]
    supported = []
    for _ in range(300):
        accuracy = pd.DataFrame(generator.normal(92, 0.7, (3, len(names))), columns=names)
        supported.append(tricks_claims.best_of(accuracy).interval().low > 0)
    assert np.mean(supported) < 0.06  # 0.025, and four errors of 300 draws


def test_others_are_counted_where_they_help_by_more_than_the_margin():
    runs = {("final_accuracy", UNIFORM): [90.0, 90.01, 90.02]}
    gains = dict.fromkeys(tricks_claims.OTHERS, 0.0) | {"WSBN": 0.9, "Random-A": 3.0}
    for name, gain in gains.items():
        runs["final_accuracy", name] = [90.0 + gain, 90.01 + gain, 90.02 + gain]
    assert judge_runs(runs)["yu-others-do-not-help"][:3] == (1, 1, 1)


@pytest.mark.parametrize(("accuracy", "testable"), [([38.0, 42.0], False), ([11.0, 12.5], True)])
def test_what_is_not_at_chance_needs_no_rescue(accuracy, testable):
    """12% is the limit: two points over chance."""
    medium, rescued = tricks.MEDIUM_NO_ZERO_NO_POOL, tricks_claims.MEDIUM_LT
    values = {
        ("mean_prediction", medium): accuracy,
        ("mean_prediction", rescued): [51.0, 53.0],
        ("tau_a", medium): [0.5, 0.6],
        ("tau_a", rescued): [0.1, 0.3],
    }
    frames = statistics_of({}) | {"runs": runs_with(values)}
    judged = tricks_claims.judged(frames, CLAIMS).set_index("claim")
    rescue = judged.loc["laube-lt-medium-rescue"]
    assert (rescue["verdict"] == "not testable here") is not testable
    if testable:
        assert rescue["reason"] == "" and rescue["ours"] == pytest.approx(40.25)
    else:
        assert rescue["reason"].startswith("M, no Zero, no Pool predicts 40% on average without it")
        assert math.isnan(rescue["ours"]) and math.isnan(rescue["p"])
    # M itself is not known, nor does tau_a need a rescue.
    assert judged.loc["laube-uniform-medium", "verdict"] == "not run"
    assert judged.loc["laube-lt-medium-tau_a", "ours"] == pytest.approx(-0.35)


def test_every_claim_that_is_to_be_rescued_from_chance_is_conditional():
    conditional = {
        claim.id
        for file in CLAIMS
        for claim in read_claims(file).values()
        if "no interval where M" in claim.quantity
    }
    assert conditional == set(tricks_claims.RESCUED)


def test_a_factor_is_equivalent_when_both_one_sided_tests_say_so():
    """Differences of .02 and of 0, a margin of .05; all deviations .01, or one of .05."""
    runs = runs_with(
        {
            ("s_kdt", UNIFORM): [0.49, 0.5, 0.51],
            ("s_kdt", "WSBN"): [0.51, 0.52, 0.53],
            ("s_kdt", "OFA kernel"): [0.45, 0.5, 0.55],
            ("s_kdt", "FairNAS"): [0.5],
            ("spearman", "WSBN"): [0.5, 0.6, 0.5],
        }
    )
    pairs = [(name, UNIFORM) for name in ("WSBN", "OFA kernel", "FairNAS")]
    found = equivalence(runs, pairs, {"s_kdt": 0.05}).set_index("setting")
    assert set(found["metric"]) == {"s_kdt"}
    row = found.loc["WSBN"]
    p = stats.t.sf((0.05 - 0.02) / (0.01 * math.sqrt(2 / 3)), 4)
    assert (row.n, row.difference) == (3, pytest.approx(0.02)) and row.p == pytest.approx(p)
    assert row.p < 0.05 < found.loc["OFA kernel", "p"] and row.p_holm == pytest.approx(2 * p)
    assert math.isnan(found.loc["FairNAS", "p"])


def test_judges_are_correlated_over_settings_and_not_over_runs():
    """Four settings: proxy accuracy orders them as the final accuracy does, s-KdT the other way."""
    values = {}
    for number, setting in enumerate(("Random-A", UNIFORM, "WSBN", "OFA kernel")):
        values["mean_prediction", setting] = [10 * number, 10 * number + 25]
        values["final_accuracy", setting] = [90 + number, 90 + number]
        values["s_kdt", setting] = [-number, -number - 1.5]
    for other in (channels.FIXED, tricks.NO_ZERO, "best 1/8", FAIR):  # other cells, other papers
        values |= {(metric, other): [50.0] for metric in tricks.JUDGED}
    values["s_kdt", "FairNAS"] = [3.0]  # without the others
    judged = tricks.tables({"runs": runs_with(values)})["judges"]
    found = judged.set_index(["metric_a", "metric_b"])
    assert found.loc[("mean_prediction", "final_accuracy"), "spearman"] == pytest.approx(1)
    assert found.loc[("s_kdt", "final_accuracy"), "spearman"] == pytest.approx(-1)
    assert set(found["n"]) == {4} and len(found) == 3
