"""Study 1: its grid, its statistics worked by hand, its stored results."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from records import arrays, codes, counts

from nasrepro import benchmarks, claims
from nasrepro.benchmarks import Column, Table
from nasrepro.claims import read_claims
from nasrepro.errors import ConfigError
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.nb201 import random_cells, select_cells
from nasrepro.runs.parts import CellsConfig, DataConfig
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.supernet import run
from nasrepro.spaces.nb201 import OPERATIONS, Cell, Subspace
from nasrepro.stats import Interval, mean_interval
from nasrepro.studies import appraisal, correlations, correlations_claims, results, subspaces
from nasrepro.studies.measure import agreement_of_seeds, observe, observe_run, run_metrics
from nasrepro.studies.subspaces import CELLS, DOUBLES, SINGLES
from nasrepro.train import Epoch

ABOUT = Column("cifar10", "test", 200, "mean of the benchmark's seeds", "", "by hand")
MEASUREMENT = Measurement(1, 1, 1, 1, 1, 1, "cpu", 1, "cpu", {})


def small_table(accuracies: dict[Cell, float]) -> Table:
    codes = np.array([cell.code for cell in accuracies])
    return Table("by hand", codes, (ABOUT,), {ABOUT.name: np.array(list(accuracies.values()))})


@pytest.fixture(scope="module")
def table() -> Table:
    if subspaces.TABLE not in benchmarks.available_tables():
        pytest.skip("the NAS-Bench-201 table is not on this machine; set NASREPRO_DATA")
    return benchmarks.load_table(subspaces.TABLE)


# Those of NAS-Bench-101 need its files, or supernets of ours, which may be absent.
NB101_TABLES = {name for name in correlations.TABLES if name.startswith(("authors", "ours"))}
NB101_TABLES |= {*correlations.TABLE3.values(), "optimisers"}
OPTIONAL = {
    "own",
    "own_gain",
    "own_truth",
    "half_precision",
    "ceilings",
    *(name for name in correlations.TABLES if name.startswith("published")),
}  # of NAS-Bench-201, where something is at hand


def test_the_sixteen_subspaces_are_all_distinct():
    assert [subspace.size for subspace in SINGLES] == [5**6] + [4**6] * 5
    assert [subspace.size for subspace in DOUBLES] == [3**6] * 10
    assert len({str(subspace) for subspace in SINGLES + DOUBLES}) == 16


def test_the_cpu_grid_has_the_runs_the_study_promises():
    design = subspaces.nb201_design("cpu")
    grid = list(design)
    small = [c for c, labels in design.items() if labels["size"] == "S"]
    assert len(grid) == len({c.key for c in grid}) == 6 * 5 + 10 * 3 + 6 * 3
    assert len(small) == 6 * 5 + 10 * 3
    assert list(subspaces.nb201_design("cpu", seeds=1)) == [c for c in grid if c.seed == 0]
    precise = subspaces.precision_design("cpu")
    others = [*appraisal.design("cpu"), *appraisal.optimisers("cpu")]
    assert list(correlations.design("cpu")) == [*grid, *precise, *others]
    keys = {config.key for config in correlations.design("cpu")}
    assert len(keys) == len(grid) + 6 + 7 * (6 * 3 + 1) + 2


def test_supernets_are_evaluated_in_two_precisions_on_few_images_and_on_many():
    pairs = subspaces.precision_pairs("cpu")
    grid, evaluate = subspaces.nb201_design("cpu"), subspaces.PROFILES["cpu"].base.evaluate
    assert len(pairs) == 4 and [half in grid for half, _ in pairs] == [True] * 2 + [False] * 2
    for half, single in pairs:
        assert half.subspace == Subspace() and half.seed < 2
        assert (half.evaluate.precision, single.evaluate.precision) == ("bfloat16", "float32")
        assert replace(single, evaluate=evaluate) == half  # the same training, images and cells
    assert [half.data.validation_images for half, _ in pairs] == [1_000] * 2 + [10_000] * 2
    assert len(subspaces.precision_design("cpu")) == 6  # what the grid has is not made again
    assert list(subspaces.precision_design("cpu", seeds=1)) == [
        config for config in subspaces.precision_design("cpu") if config.seed == 0
    ]
    assert subspaces.precision_design("own") == {}


@pytest.mark.parametrize("profile", subspaces.PROFILES)
def test_a_profile_changes_numbers_only(profile):
    config = next(iter(subspaces.nb201_design(profile)))
    assert config.sampler in ("uniform", "strictly-fair")
    assert {c.data for c in subspaces.nb201_design(profile)} == {config.data}
    # What is done is the same in every profile: only sizes differ.
    likeness = next(iter(subspaces.nb201_design("cpu")))
    assert config.evaluate.batch_norm == likeness.evaluate.batch_norm
    for name in ("affine", "tracked_statistics"):
        found = {getattr(c.net, name) for c in subspaces.nb201_design(profile)}
        assert found == {getattr(likeness.net, name)}
    assert type(config.train.rmsprop) is type(likeness.train.rmsprop)
    assert config.train.gradients == likeness.train.gradients


def intervals(runs: pd.DataFrame) -> dict[str, Interval]:
    """The intervals of the claims' quantities."""
    quantities = correlations_claims.run_quantities(runs)
    return {claim: claims.interval_of(found) for claim, found in quantities.items()}


def runs_of(subspace: Subspace, size: str = "S", **metrics: list[float]) -> pd.DataFrame:
    """The rows of `measure_runs`: a metric's value in each run, seed by seed."""
    rows = [
        (str(subspace), size, seed, metric, value)
        for metric, values in metrics.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["subspace", "size", "seed", "metric", "value"])


@pytest.mark.parametrize(
    ("without", "full", "verdict"),
    [
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "undecided"),  # no such cell anywhere
        ([0.0, 0.0, 0.0], [0.2, 0.3, 0.25], "supported"),
        ([0.2, 0.3, 0.25], [0.0, 0.0, 0.0], "contradicted"),
    ],
)
def test_cells_wrongly_at_chance_need_to_exist_before_they_can_be_fewer(without, full, verdict):
    runs = pd.concat(
        [
            runs_of(subspaces.FULL, share_wrongly_at_chance=full),
            runs_of(subspaces.NO_ZERO, share_wrongly_at_chance=without),
        ]
    )
    found = intervals(runs)["mask-zero-chance"]
    assert claims.verdict(found, read_claims("laube")["mask-zero-chance"].region) == verdict


def test_a_cell_at_chance_on_its_own_is_not_wrongly_predicted_so():
    """Three cells predicted at chance: disconnected, connected but at chance, and a good one."""
    zero, skip = Cell(("none",) * 6), Cell(("skip_connect",) * 6)
    others = [Cell(("nor_conv_3x3", *("skip_connect",) * i, *("none",) * (5 - i))) for i in (4, 5)]
    run = pd.DataFrame(
        {
            "code": [cell.code for cell in (zero, skip, *others)],
            "connected": [False, True, True, True],
            "proxy": [10.0, 10.0, 11.0, 60.0],
            "truth": [10.0, 11.0, 90.0, 91.0],
            "random": True,
        }
    )
    metrics = run_metrics(pd.concat([run] * 3), ())  # ten are the least
    assert metrics["share_wrongly_at_chance"] == 1 / 4
    # Without the disconnected cell, the three others are in order, as they are with it.
    assert metrics["spearman_connected"] == pytest.approx(1)
    assert metrics["pearson_connected"] != pytest.approx(metrics["pearson"])


@pytest.mark.parametrize(
    ("taus", "expected", "verdict"),
    [
        ([0.0, 0.1, -0.1], (0, 0, 6), "undecided"),
        ([-0.2, -0.3, -0.25], (0, 0, 0), "supported"),
        ([0.2, 0.3, 0.25], (6, 6, 6), "contradicted"),
    ],
)
def test_subspaces_of_which_the_runs_cannot_tell_are_counted_both_ways(taus, expected, verdict):
    tops = {f"tau_top_{n}": taus for n in correlations.TOP_NS}
    runs = pd.concat([runs_of(subspace, **tops) for subspace in SINGLES])
    found = intervals(runs)
    assert found["tau-within-top"][:3] == expected
    rows = pd.DataFrame(claims.judge("laube", found)).set_index("claim")
    assert rows["verdict"]["tau-within-top"] == verdict


def test_one_supernet_of_size_m_decides_nothing_about_its_subspace():
    runs = pd.concat(
        [runs_of(subspace, "M", mean_prediction=[10.0, 10.0, 10.0]) for subspace in SINGLES[:2]]
        + [runs_of(subspace, "M", mean_prediction=[50.0, 51.0, 52.0]) for subspace in SINGLES[2:5]]
        + [runs_of(SINGLES[5], "M", mean_prediction=[10.0])]
    )
    # Two are at chance for sure; the last one by its only run.
    assert intervals(runs)["medium-fails"] == (3, 2, 3, 6)


@pytest.mark.parametrize(
    ("best", "expected", "verdict"),
    [
        ([50.0, 61.0, 62.0], (1 / 3, 3), "supported"),  # one does, so it happens
        ([61.0, 62.0, 63.0], (0, 3), "undecided"),  # none of three is not never
    ],
)
def test_what_happens_sometimes_happens_in_one_supernet_and_is_never_ruled_out(
    best, expected, verdict
):
    runs = runs_of(subspaces.NO_SKIP, mean_top_10=best, mean_connected=[60.0] * 3)
    found = intervals(runs)["mask-skip-below-random"]
    assert (found.mean, found.n) == expected
    assert claims.verdict(found, read_claims("laube")["mask-skip-below-random"].region) == verdict


def test_disconnected_cells_do_not_make_the_best_cells_better_than_random_ones():
    """By hand: the best are below the connected cells, above the sample with a disconnected one."""
    run = pd.DataFrame(
        {
            "proxy": [50.0, *[60.0, 64.0] * 5, *[10.0] * 5],
            "truth": [99.0, *range(60, 70), *[10.0] * 5],
            "random": [False, *[True] * 15],
            "connected": [*[True] * 11, *[False] * 5],
        }
    )
    assert run_metrics(run, ())["mean_connected"] == 62.0
    assert run_metrics(run, ())["mean_prediction"] < 50.0
    runs = pd.concat(
        runs_of(
            s, "M", mean_prediction=[46.0] * 2, mean_connected=[62.0, 62.1], mean_top_10=[50.0] * 2
        )
        for s in SINGLES
    )
    assert intervals(runs)["medium-below-random"][:3] == (6, 6, 6)


def test_the_most_harmful_mask_is_worse_than_each_other():
    def curve(rises: bool) -> dict[str, list[float]]:
        order = correlations.TOP_NS if rises else correlations.TOP_NS[::-1]
        return {f"mean_top_{n}": [i, i + 0.1, i - 0.1] for i, n in enumerate(order)}

    best = {s: curve(s == subspaces.NO_SKIP) for s in SINGLES}
    found = intervals(pd.concat(runs_of(s, **m) for s, m in best.items()))
    assert found["mask-skip-tau_a"][:3] == (2, 2, 2)
    best[subspaces.NO_POOL] = curve(True)  # as harmful as Skip's: nothing tells them apart
    found = intervals(pd.concat(runs_of(s, **m) for s, m in best.items()))
    assert found["mask-skip-tau_a"].mean == 0 and np.isnan(found["mask-skip-tau_a"].low)


def test_masking_zero_is_compared_setting_by_setting_outside_the_grid():
    rows = [
        ("all operations", 64, False, 0.4),
        ("no Zero", 64, False, 0.5),
        ("all operations", 96, False, 0.4),
        ("no Zero", 96, False, 0.1),
        ("all operations", 128, True, 0.6),  # the grid's
        ("no Zero", 128, True, 0.9),
        ("all operations", 256, False, 0.1),  # not run without Zero
    ]
    tried = pd.DataFrame(rows, columns=["subspace", "batch_size", "in_grid", "mean"]).assign(
        sampler="uniform", learning_rate=0.1, weight_decay=0.0, epochs=9
    )
    assert correlations.mask_zero_elsewhere(tried) == {"tried": 2, "higher": 1}
    assert correlations.mask_zero_elsewhere(tried[tried["in_grid"]]) == {"tried": 0, "higher": 0}


def test_two_masks_together_must_beat_both():
    both = Subspace.without("none", "avg_pool_3x3")
    taus = {
        both: [0.5, 0.51, 0.52],
        subspaces.NO_ZERO: [0.1, 0.11],
        subspaces.NO_POOL: [0.6, 0.61],
    }
    runs = pd.concat(runs_of(s, kendall_tau_a=values) for s, values in taus.items())
    found = intervals(runs)["mask-both"]
    assert found.mean == pytest.approx(-0.095) and found.high < 0


def test_the_rank_correlation_rises_only_if_both_steps_of_figure_2_do():
    steps = {"tau_top_50": [0.1, 0.2], "tau_top_250": [0.1, 0.22], "kendall_tau_a": [0.7, 0.8]}
    found = intervals(runs_of(subspaces.FULL, **steps))["tau-rises"]
    assert found.mean == pytest.approx(0.01) and found.low < 0


def test_only_spaces_where_medium_supernets_generalise_tell_how_they_differ():
    means = {"S": [50.0, 51.0, 52.0], "M": [50.0, 52.0, 54.0]}
    chance = {"S": [50.0, 51.0, 52.0], "M": [10.0, 90.0, 15.0]}
    runs = pd.concat(
        runs_of(s, size, mean_prediction=(chance if s == SINGLES[0] else means)[size])
        for s in SINGLES
        for size in ("S", "M")
    )
    found = intervals(runs)["medium-deviation"]
    assert (found.mean, found.n) == (pytest.approx(2), 5 * 6)


def test_laubes_tau_a_is_of_the_mean_over_seeds():
    """By hand: one run falls steeply and two rise a little, so that their mean falls."""
    tops = np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]) * [[9], [1], [1]]
    means = {f"mean_top_{n}": tops[:, i].tolist() for i, n in enumerate(correlations.TOP_NS)}
    runs = runs_of(subspaces.FULL, tau_a=[-1.0, 1.0, 1.0], **means)
    (row,) = correlations.pooled_tau_a(runs).to_numpy().tolist()
    assert row == ["all operations", "S", -1, -1, 1, 3]  # each run alone is a resample
    found = intervals(runs)["baseline-tau_a"]
    assert found == (-1, -1, 1, 3)


def test_a_correlations_interval_ends_where_correlations_do():
    runs = runs_of(subspaces.FULL, tau_a=[1.0, 0.9], mean_prediction=[99.0, 100.0])
    summary = correlations.summarise_metrics(runs).set_index("metric")
    assert summary["ci_high"]["tau_a"] == 1 and summary["ci_low"]["tau_a"] < 0.9
    assert summary["ci_high"]["mean_prediction"] > 100  # no correlation: as Student has it


def test_the_floor_is_beaten_by_whole_intervals_only():
    baseline = pd.DataFrame(
        {
            "ci_low": [0.5, 0.1, 0.3, np.nan],
            "ci_high": [0.7, 0.2, 0.5, np.nan],
            "parameter_count": [0.4, 0.4, 0.4, 0.4],
        }
    )
    assert correlations.against_floor(baseline) == {"above": 1, "below": 1, "open": 2}


@pytest.mark.parametrize("size", subspaces.PROFILES["paper"].nets)
def test_the_paper_profile_takes_a_few_steps(size):
    """Its networks, sampler, schedule and way of evaluation, on few and small images."""
    chosen = subspaces.PROFILES["paper"]
    config = replace(
        chosen.base,
        net=chosen.nets[size],
        data=DataConfig("digits", train_images=100, validation_images=20, size=8),
        train=replace(chosen.base.train, epochs=1, batch_size=10),
        cells=CellsConfig(random=2),
    )
    record = run(config)
    assert (record.status, len(counts(record)), len(record.history)) == ("ok", 2, 1)


def test_unknown_names_answer_with_the_possible_ones():
    with pytest.raises(ConfigError, match="smoke, cpu, paper"):
        correlations.design("laptop")
    with pytest.raises(ConfigError, match="seeds=0"):
        correlations.design("cpu", seeds=0)


def test_usage_follows_the_example_of_laubes_caption():
    """Three of the top-10 cells use Pool, four times together: usage 3/10; ours of 60 edges."""
    conv = ["nor_conv_3x3"] * 6
    pools = [["avg_pool_3x3", "avg_pool_3x3", *conv[2:]], ["avg_pool_3x3", *conv[1:]]]
    pools += [[*conv[:5], "avg_pool_3x3"]]
    others = [[*conv[:i], "skip_connect", *conv[i + 1 :]] for i in range(6)]
    rest = [conv, ["none"] * 6, ["skip_connect"] * 6]  # the last two are beyond the top 10
    cells = [Cell(tuple(ops)) for ops in [*pools, *others, *rest]]
    ranked = small_table({cell: 90.0 - i for i, cell in enumerate(cells)})
    usage = correlations.usage(ranked, Subspace())
    pool = usage[(usage["top"] == "10") & (usage["operation"] == "avg_pool_3x3")].iloc[0]
    assert pool["usage"] == 3 / 10
    assert pool["share"] == pytest.approx(4 / 60)
    top = usage[usage["top"] == "10"]
    assert top["share"].sum() == pytest.approx(1)
    best = usage[usage["top"] == "10"].assign(top="500")
    others = 1 - 4 / 60 - top.set_index("operation")["share"]["skip_connect"]  # the 3x3 Conv's
    assert correlations_claims.conv3_by_caption(best) == pytest.approx(others * 60 / (5 * 10))


def test_the_best_cells_by_hand():
    """Of twelve cells a step of 0.5 apart, the best and three more have Zero or Pool."""
    conv = ["nor_conv_3x3"] * 5
    others = ("none", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "nor_conv_3x3")
    cells = [Cell((operation, *conv)) for operation in others]
    cells += [Cell((*conv, operation)) for operation in others[:4]]
    cells += [Cell((*conv[:2], op, *conv[:3])) for op in ("nor_conv_1x1", "skip_connect", "none")]
    ranked = small_table({cell: 90 - i / 2 for i, cell in enumerate(cells)})
    found = correlations.best_cells(ranked, Subspace()).set_index("what")["value"]
    assert found["gap"] == 4.5
    assert found["kept 10"] == 6 / 10 and found["kept 500"] == 7 / 12
    both = correlations.best_cells(ranked, Subspace())
    no_skip = both.assign(subspace=str(subspaces.NO_SKIP), value=both["value"] + 1)
    quantities = correlations_claims.best_quantities(pd.concat([both, no_skip]))
    assert quantities["best-gap-rises"] == claims.exact(1.0, 10)
    assert quantities["top-kept"] == claims.exact(7 / 12, 500)


def test_the_best_cells_are_predicted_highest_only_above_every_larger_group():
    falls = {f"mean_top_{n}": [70 - i, 70.1 - i] for i, n in enumerate(correlations.TOP_NS)}
    ends_high = falls | {"mean_top_500": [71.0, 71.2]}
    curves = [falls, ends_high, *[falls] * 4]
    runs = pd.concat(runs_of(s, **curve) for s, curve in zip(SINGLES, curves, strict=True))
    assert intervals(runs)["best-highest"][:3] == (5, 5, 5)


def test_a_size_is_as_well_ranked_as_its_subspaces():
    """Sixteen subspaces, three sizes: the smaller, the better."""
    taus = dict.fromkeys(DOUBLES, 0.9) | dict.fromkeys(SINGLES, 0.8) | {subspaces.FULL: 0.5}
    runs = pd.concat(runs_of(s, kendall_tau_a=[tau, tau]) for s, tau in taus.items())
    found = intervals(runs)["size-tau"]
    assert (found.mean, found.n) == (pytest.approx(-1), 16)
    medium = pd.concat(
        runs_of(s, "M", kendall_tau_a=[0.85, 0.85], mean_prediction=[50.0, 51.0]) for s in SINGLES
    )
    assert intervals(pd.concat([runs, medium]))["medium-tau"][:3] == (6, 6, 6)
    fewer = runs[runs["subspace"] != str(DOUBLES[0])]
    assert "size-tau" not in intervals(fewer)


def test_the_rank_correlation_without_skip_is_compared_top_by_top():
    full = {f"tau_top_{n}": [0.1, 0.11] for n in correlations.TOP_NS}
    better = full | {"tau_top_10": [0.3, 0.31]} | {"tau_top_25": [-0.3, -0.31]}
    runs = pd.concat([runs_of(s, **full) for s in SINGLES if s != subspaces.NO_SKIP])
    runs = pd.concat([runs, runs_of(subspaces.NO_SKIP, **better)])
    assert intervals(runs)["mask-skip-tau"][:3] == (1, 1, 5)  # four cannot be told apart


def test_summary_has_the_mean_and_interval_over_runs():
    runs = pd.DataFrame(
        {
            "subspace": "no Zero",
            "size": "S",
            "seed": [0, 1, 2, 3],
            "metric": "mean_prediction",
            "value": [1.0, 2.0, 3.0, np.nan],
        }
    )
    summary = correlations.summarise_metrics(runs)
    assert list(summary) == ["subspace", "size", "metric", "mean", "ci_low", "ci_high", "n"]
    row = summary.iloc[0]
    assert (row["mean"], row["n"]) == (2, 3)  # a value that is not a number is left out
    assert row["ci_high"] == pytest.approx(4.484, abs=5e-4)  # 2 + 4.303 / sqrt(3)


def test_agreement_of_seeds_pairs_the_same_cells():
    observations = pd.DataFrame(
        {
            "subspace": "s",
            "size": "S",
            "seed": [0, 0, 0, 1, 1, 1],
            "code": [1, 2, 3, 3, 2, 1],
            "proxy": [10, 20, 30, 60, 50, 40],
            "random": True,
        }
    )
    pairs = agreement_of_seeds(observations, ["subspace", "size"])
    assert pairs[["seed_a", "seed_b", "spearman"]].to_numpy().tolist() == [[0, 1, 1]]


def perfect_record(subspace: Subspace, table: Table, seed: int) -> Record:
    """A record whose proxy accuracy ranks every cell of the sample as the truth does."""
    config = replace(next(iter(correlations.design("cpu"))), subspace=subspace, seed=seed)
    codes = tuple(cell.code for cell in select_cells(subspace, config.cells))
    truth = table.accuracy(codes, subspaces.COLUMN)
    correct = tuple(int(c) for c in truth.argsort().argsort() // 2)
    return Record(config, "ok", (), arrays(codes, correct), MEASUREMENT)


def test_a_perfect_supernet_has_perfect_metrics_and_supports_what_it_can(table):
    records = [perfect_record(Subspace(), table, seed) for seed in range(3)]
    statistics = correlations.nb201_statistics(records, "cpu", table)
    summary = correlations.summarise_metrics(statistics["runs"]).set_index("metric")["mean"]
    assert summary["spearman"] == pytest.approx(1, abs=1e-4)
    assert summary["tau_a"] == -1
    assert summary["top_10_accuracy"] == pytest.approx(
        table.accuracy([c.code for c in sample(Subspace())], subspaces.COLUMN).max()
    )
    claims = correlations.tables(statistics)["claims"].set_index("claim")["verdict"]
    assert claims["baseline-tau_a"] == "contradicted"  # it ranks the top groups, the paper's not
    assert claims["mask-zero-tau_a"] == "not run"


def sample(subspace: Subspace) -> list[Cell]:
    return random_cells(subspace, CELLS)


def test_top_groups_are_the_true_top_of_the_subspace(table):
    subspace = Subspace.without("none")
    run = observe_run(perfect_record(subspace, table, 0), table, subspaces.COLUMN)
    best = np.sort(table.accuracy(table.subset(subspace.operations), subspaces.COLUMN))[::-1]
    assert np.sort(run["truth"])[::-1][:500].tolist() == best[:500].tolist()
    assert run["random"].sum() == 1_000
    assert len(sample(Subspace.without("none", "avg_pool_3x3"))) == 729


def test_parameter_count_correlates_as_published(table):
    row = correlations.parameter_baseline(table, Subspace(), CELLS).set_index("cells").loc["all"]
    assert (row["n"], round(row["spearman"], 3)) == (15_625, 0.753)


def digits_record(table: Table, seed: int) -> Record:
    """A supernet that ranks the cells of the small benchmark as their own trainings do."""
    (config,) = correlations.design("digits", seeds=1)
    codes = tuple(cell.code for cell in config.subspace.cells())
    ranks = table.values["digits-test-10"].argsort().argsort()
    rank = dict(zip(table.codes.tolist(), ranks.tolist(), strict=True))
    correct = tuple(rank.get(code, 0) for code in codes)
    return Record(replace(config, seed=seed), "ok", (), arrays(codes, correct), MEASUREMENT)


def test_a_table_of_a_part_of_the_space_is_joined_on_what_it_has():
    """The profile of digits: 27 of the 729 cells that a supernet evaluates have a truth."""
    cells, generator = BENCHES["nb201-digits"].chosen_cells(), np.random.default_rng(0)
    about = Column("digits", "test", 10, "mean of seeds 0 to 1", "", "by hand")
    truth = Table(
        "nb201-digits",
        np.array([cell.code for cell in cells]),
        (about,),
        {about.name: 100 * generator.permutation(27) / 27},
    )
    statistics = correlations.nb201_statistics([digits_record(truth, 0)], "digits", truth)
    metrics = statistics["runs"].set_index("metric")["value"]
    assert metrics["spearman"] == pytest.approx(1)
    assert metrics["top_10_accuracy"] == pytest.approx(100 * 26 / 27)
    assert statistics["parameters"]["n"].tolist() == [27, 27]
    assert len(statistics["usage"]) == 0
    tables = correlations.tables(statistics)
    assert set(correlations.TABLES) - set(tables) <= NB101_TABLES | OPTIONAL
    assert set(tables["claims"]["verdict"]) == {"not run", "not testable here"}


def test_runs_are_ranked_by_two_truths_over_the_same_cells():
    """A supernet that ranks as the table does, and a benchmark of ours that ranks the reverse."""
    cells = BENCHES["nb201-digits"].chosen_cells()
    codes, ranks = np.array([cell.code for cell in cells]), np.arange(27.0)
    test = Column("digits", "test", 10, "mean of seeds 0 to 1", "", "by hand")
    truth = Table("nb201-digits", codes, (test,), {test.name: ranks})
    own = Table("nb201-selfmade", codes[:25], (test,), {test.name: 90 - ranks[:25]})
    records = [digits_record(truth, seed) for seed in range(2)]
    observations = observe(records, subspaces.nb201_design("digits"), truth, "digits-test-10")
    found = correlations.beside_own(observations, own)
    frame, gain = found["own"], found["own_gain"]
    assert gain[["runs", "n"]].to_numpy().tolist() == [[2, 25]]
    assert gain[["mean", "ci_low", "ci_high"]].to_numpy()[0] == pytest.approx([-2, -2, -2])
    assert frame["n"].tolist() == [25, 25]
    assert frame["own"].tolist() == pytest.approx([-1, -1])
    assert frame["table"].tolist() == pytest.approx([1, 1])
    rows = correlations.own_truth(frame)
    assert rows[["truth", "mean", "n"]].to_numpy().tolist() == [
        ["own", pytest.approx(-1), 2],
        ["table", pytest.approx(1), 2],
    ]
    few = Table("nb201-selfmade", codes[:19], (test,), {test.name: ranks[:19]})
    assert all(f.empty for f in correlations.beside_own(observations, few).values())


def test_the_profile_of_our_own_benchmark_needs_no_table_of_others():
    grid = list(correlations.design("own"))
    assert len(grid) == 3
    assert {config.cells.table for config in grid} == {None}
    assert correlations.table_of("own") == "nb201-selfmade"
    sample = {cell.code for cell in random_cells(grid[0].subspace, grid[0].cells)}
    assert {cell.code for cell in BENCHES["nb201-selfmade"].chosen_cells()} <= sample


def test_half_precision_is_compared_with_single_supernet_by_supernet(table):
    """By hand: single precision turns the ranks of the first of two supernets round."""
    half = [perfect_record(Subspace(), table, seed) for seed in range(3)]
    configs = [single for _, single in subspaces.precision_pairs("cpu")[:2]]
    single = [replace(r, config=c) for r, c in zip(half[:2], configs, strict=True)]
    most = max(counts(single[0]))
    single[0] = replace(
        single[0], arrays=arrays(codes(single[0]), [most - count for count in counts(single[0])])
    )
    found = correlations.beside_single_precision([*single, *half], "cpu", table)
    assert found["seed"].tolist() == [0, 1] and found["n"].tolist() == [1_000, 1_000]
    assert found["images"].tolist() == [1_000, 1_000]  # of the others, none is stored
    assert found["agreement"].tolist() == [pytest.approx(-1), 1]
    assert found["half"].tolist() == [pytest.approx(1, abs=1e-4)] * 2
    assert found["single"].tolist() == [pytest.approx(-1, abs=1e-4), pytest.approx(1, abs=1e-4)]
    rows = correlations.half_precision(found)["half_precision"]
    assert rows[["images", "cells", "what", "n"]].to_numpy().tolist() == [
        [1_000, 1_000, "agreement", 2],
        [1_000, 1_000, "change", 2],
    ]
    assert rows["mean"].tolist() == [pytest.approx(x, abs=1e-4) for x in (0, -1)]
    assert correlations.half_precision(found[:0]) == {}
    elsewhere = [replace(single[0], history=(Epoch(1.0, 50.0),)), single[1]]
    again = correlations.beside_single_precision([*elsewhere, *half], "cpu", table)
    assert again["seed"].tolist() == [1]  # the first was trained on another processor


def test_every_claim_about_the_table_is_computed(table):
    usage = pd.concat([correlations.usage(table, s) for s in SINGLES])
    found = correlations_claims.usage_quantities(usage)
    assert set(found) < set(read_claims("laube"))
    assert found["conv3-everywhere"].mean == 1  # exact, from 500 cells of five subspaces


@pytest.fixture(scope="module")
def computed() -> dict[str, pd.DataFrame]:
    if subspaces.TABLE not in benchmarks.available_tables():
        pytest.skip("set NASREPRO_DATA to a folder with the table")
    return results.compute_statistics("correlations", "cpu")


def test_stored_statistics_are_those_of_the_stored_records(computed):
    """What a machine without the table shows is what a machine with it computes."""
    stored = results.stored_statistics("correlations", "cpu")
    assert set(computed) <= set(stored)  # not all, where the authors' supernets are not here
    for name, frame in computed.items():
        assert results.to_csv(stored[name]) == results.to_csv(frame), name


def test_every_table_is_named(computed):
    stored = results.stored_statistics("correlations", "cpu")
    tables = set(correlations.tables(stored | computed))
    assert tables <= set(correlations.TABLES)
    absent = {"own", "own_truth", "half_precision"} | {
        name for name in NB101_TABLES if "ours" in name
    }
    assert set(correlations.TABLES) - tables <= absent


def test_intervals_of_the_summary_come_from_the_runs():
    stored = results.stored_statistics("correlations", "cpu")
    summary = correlations.summarise_metrics(stored["runs"])
    row = summary[(summary["metric"] == "spearman") & (summary["subspace"] == "all operations")]
    runs = stored["runs"].query("metric == 'spearman' and subspace == 'all operations'")
    small = runs[runs["size"] == "S"]["value"]
    assert tuple(row[row["size"] == "S"].iloc[0][["mean", "n"]]) == (
        pytest.approx(mean_interval(small).mean),
        len(small),
    )
    assert set(OPERATIONS) == set(stored["usage"]["operation"])


def test_a_training_repeated_for_other_cells_is_no_setting_that_was_tried(table):
    """Study 3 trains some supernets again to evaluate all cells; another rate is a setting."""
    config = next(iter(subspaces.nb201_design("smoke")))
    codes = sorted(cell.code for cell in random_cells(config.subspace, config.cells))
    record = Record(config, "ok", (), arrays(codes, range(len(codes))), MEASUREMENT)
    repeated = replace(record, config=replace(config, cells=CellsConfig(random=729)))
    evaluate = replace(config.evaluate, precision="bfloat16")
    otherwise = replace(record, config=replace(config, evaluate=evaluate))
    train = replace(config.train, learning_rate=0.5)
    tried = replace(record, config=replace(config, train=train))
    # Another protocol, which with the epochs of this profile would be none.
    train = replace(config.train, epochs=2, warmup_epochs=1)
    warmed_up = replace(record, config=replace(config, train=train))
    stored = [record, repeated, otherwise, tried, warmed_up]
    found = correlations.settings(stored, "smoke", table)
    assert found[["learning_rate", "in_grid"]].to_numpy().tolist() == [
        [config.train.learning_rate, True],
        [0.5, False],
    ]
