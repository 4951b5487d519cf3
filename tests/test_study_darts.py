"""Study 5: its design, what a cell and a search are, and its claims, worked by hand."""

import math
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest

from nasrepro.benchmarks.table import Column, Table
from nasrepro.claims import read_claims
from nasrepro.darts.algorithm import Algorithm, Phase
from nasrepro.nets.nb201 import num_parameters
from nasrepro.published import read
from nasrepro.runs.config import changed
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.search import ARRAYS, SearchConfig, SearchEpoch, run_search
from nasrepro.spaces.nb201 import EDGES, NUM_CELLS, OPERATIONS, Cell
from nasrepro.studies import darts, darts_claims
from nasrepro.studies.darts import (
    COLUMNS,
    EVOLUTION,
    EXACT,
    FIRST,
    FROZEN_PROGRESSIVE,
    FROZEN_TRAINING,
    FROZEN_VALIDATION,
    GDAS,
    LONGER,
    NO_REPLAY,
    PRINTED,
    PROFILES,
    PROGRESSIVE,
    RANDOM,
    SECOND,
    SOTL,
    SOTL_PROGRESSIVE,
    SOVL,
    describe,
    longest,
)

SKIPS = Cell(("skip_connect",) * 6)
CONVOLUTIONS = Cell(("nor_conv_3x3",) * 6)


def configs(profile: str) -> dict[str, SearchConfig]:
    """The first search of each setting."""
    found: dict[str, SearchConfig] = {}
    for config, labels in darts.design(profile, 1).items():
        found.setdefault(labels["setting"], config)
    return found


# ---- design


def test_one_seed_of_every_setting_comes_before_two_of_any():
    design = darts.design("cpu")
    seeds = [config.seed for config in design]
    assert seeds == sorted(seeds)
    counts = pd.Series([labels["setting"] for labels in design.values()]).value_counts()
    assert counts.pop(FIRST) == counts.pop(SECOND) == counts.pop(SOTL) == 5
    in_phases = [PROGRESSIVE, SOTL_PROGRESSIVE, FROZEN_PROGRESSIVE]
    assert [counts.pop(name) for name in in_phases] == [2, 2, 2]
    assert set(counts) == {3}


def test_the_architecture_is_updated_as_often_in_an_epoch_as_in_the_paper():
    for profile in ("cpu", "paper"):
        base, period = PROFILES[profile].base, PROFILES[profile].period
        batches = base.data.train_images // base.train.batch_size
        assert -(-batches // period) == 4


def test_the_paper_profile_is_table_b1():
    base = PROFILES["paper"].base
    train, algorithm = base.train, base.algorithm
    assert (train.batch_size, train.epochs) == (64, 50)
    assert (train.learning_rate, train.final_learning_rate) == (0.025, 0.001)
    assert (train.weight_decay, train.momentum, train.nesterov) == (5e-4, 0.9, False)
    assert (algorithm.learning_rate, algorithm.weight_decay) == (3e-4, 1e-3)
    assert (base.net.channels, base.net.cells_per_stage) == (16, 5)
    assert PROFILES["paper"].period == 100


@pytest.mark.parametrize("setting", list(configs("paper")))
def test_every_algorithm_of_the_paper_profile_builds_and_steps(setting):
    """On a few small images in place of all: the networks, optimisers and sums are the paper's."""
    config = configs("paper")[setting]
    assert config.algorithm.steps in (1, 7, 100, 390)
    phases = shortest(config.algorithm)
    small = {
        "data.name": "digits",
        "data.train_images": 12,
        "data.validation_images": 8,
        "data.size": 8,
        "train.batch_size": 4,
        "train.epochs": len(phases) or 1,
        "algorithm.warmup_epochs": 0,
        "algorithm.phases": phases,
        "evaluated": 8,
        "spectrum_every": 0,
    }
    record = run_search(changed(config, small))
    assert record.status == "ok" and record.arrays["alphas"].shape == (len(phases) or 1, 6, 5)


def shortest(algorithm: Algorithm) -> tuple[Phase, ...]:
    """The phases of an algorithm, each of one epoch."""
    return tuple(replace(phase, epochs=1) for phase in algorithm.phases)


def test_drnas_has_the_two_phases_of_its_authors():
    known = configs("paper")
    search = known[SOTL_PROGRESSIVE]
    assert search.train.epochs == 100 and search.algorithm.warmup_epochs == 10
    first, second = search.algorithm.phases
    assert (first.epochs, first.operations, first.share) == (50, None, 4)
    assert (second.epochs, second.operations, second.share) == (50, 3, 2)
    assert (search.algorithm.relaxation, search.algorithm.steps) == ("dirichlet", 100)
    plain = known[PROGRESSIVE].algorithm
    assert (plain.gradient, plain.steps, plain.phases) == ("validation", 1, (first, second))
    frozen = known[FROZEN_PROGRESSIVE].algorithm
    assert frozen.learning_rate == frozen.initial_noise == 0 and frozen.phases == (first, second)


def test_alphas_that_are_left_out_do_not_count_as_moved():
    config = configs("cpu")[PROGRESSIVE]
    record = record_of(config, [SKIPS, SKIPS])
    left = record.arrays["alphas"].copy()
    left[1, :, 0] = -np.inf
    record = replace(record, arrays=record.arrays | {"alphas": left})
    found = darts.epochs_of(record, describe)
    assert found["largest_alpha"].tolist() == pytest.approx([0.1, 0.2])
    assert found["skips"].tolist() == [6, 6]


def test_phases_are_told_in_words():
    text = darts.algorithm_text(configs("cpu")[PROGRESSIVE].algorithm)
    assert text.endswith(
        "; 50 epochs with all operations, one channel of 4; then 50 epochs with the 3 strongest "
        "operations, one channel of 2"
    )
    limited = darts.algorithm_text(Algorithm(most_skips=2))
    assert limited.endswith("; at most 2 skips in the normal cell")


def test_controls_differ_from_what_they_control_in_what_they_say():
    known = configs("cpu")
    sotl, sovl = known[SOTL].algorithm, known[SOVL].algorithm
    assert (sotl.gradient, sotl.steps, sotl.replay) == ("training", 25, True)
    assert (sovl.gradient, sovl.steps, sovl.replay) == ("validation", 25, False)
    for frozen, like in ((FROZEN_TRAINING, sotl), (FROZEN_VALIDATION, sovl)):
        algorithm = known[frozen].algorithm
        assert algorithm.learning_rate == algorithm.initial_noise == 0
        assert (algorithm.gradient, algorithm.steps) == (like.gradient, like.steps)
    assert known[LONGER].train.epochs == 3 * known[SOTL].train.epochs
    assert known[EXACT].algorithm.gradient == "unrolled" and known[EXACT].algorithm.steps == 7
    assert not known[NO_REPLAY].algorithm.replay


# ---- cells


def all_paths() -> list[list[int]]:
    """Edges of each path from input to output."""
    edges = {pair: number for number, pair in enumerate(EDGES)}
    return [
        [edges[pair] for pair in pairwise(nodes)]
        for inner in product([False, True], repeat=2)
        for nodes in [[0, *(n for n, on in zip((1, 2), inner, strict=True) if on), 3]]
    ]


def test_depth_is_the_longest_of_all_paths():
    generator = np.random.default_rng(0)
    for code in generator.integers(NUM_CELLS, size=200):
        cell = Cell.from_code(int(code))
        lengths = {"depth": [0], "deepest": [0]}
        for path in all_paths():
            operations = [cell.operations[edge] for edge in path]
            if "none" not in operations:
                lengths["depth"].append(len(path))
                lengths["deepest"].append(sum(o.startswith("nor_conv") for o in operations))
        found = describe(cell)
        assert {name: found[name] for name in lengths} == {n: max(v) for n, v in lengths.items()}


def test_a_cell_is_described_by_its_operations():
    cell = Cell(
        ("nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "skip_connect")
    )
    found = describe(cell)
    assert (found["skips"], found["zeros"], found["pools"]) == (2, 1, 1)
    assert (found["convolutions1"], found["convolutions3"]) == (1, 1)
    assert found["parameters"] == num_parameters(cell)
    assert longest(cell, OPERATIONS) == 3 and longest(Cell(("none",) * 6), OPERATIONS) == 0


# ---- statistics


def table(truth: np.ndarray) -> Table:
    """A table of all cells with the same truth in all columns."""
    names = [("cifar10", "test"), ("cifar100", "test"), ("imagenet16-120", "test")]
    columns = tuple(Column(data, split, 200, "", "", "") for data, split in names)
    values = {column.name: truth for column in columns}
    assert set(values) == set(COLUMNS.values())
    return Table(darts.TABLE, np.arange(NUM_CELLS), columns, values)


def record_of(config: SearchConfig, cells: list[Cell], status: str = "ok") -> Record:
    """A search that selects these cells, one after each epoch."""
    alphas = np.zeros((len(cells), 6, 5), np.float32)
    for epoch, cell in enumerate(cells):
        for edge, operation in enumerate(cell.operations):
            alphas[epoch, edge, OPERATIONS.index(operation)] = 0.1 * (epoch + 1)
    spectra = np.zeros((2, 2, 30))
    spectra[:, :, -1] = [[1, 2], [3, 5]]
    arrays = {
        "alphas": alphas,
        "gradients": -alphas,
        "steps": np.full(len(cells), 4),
        "spectrum_epochs": np.array([1, len(cells)]),
        "spectra": spectra,
    }
    assert set(arrays) == set(ARRAYS)
    history = tuple(SearchEpoch(1.0, 1.0, 500, 2.0, 250) for _ in cells)
    about = Measurement(30, 10, 20, 1, 1, 100, "cpu", 1, "cpu", {})
    return Record(config, status, history, arrays, about)


def test_statistics_are_those_of_the_selected_cells(monkeypatch):
    monkeypatch.setattr(darts, "available_tables", lambda: ())
    truth = np.linspace(10, 94, NUM_CELLS)
    design = darts.design("cpu", 1)
    chosen = next(config for config, labels in design.items() if labels["setting"] == SOTL)
    found = darts.statistics([record_of(chosen, [SKIPS, CONVOLUTIONS])], "cpu", table(truth))
    (search,) = found["searches"].to_dict("records")
    assert (search["setting"], search["seed"], search["cell"]) == (SOTL, 0, str(CONVOLUTIONS))
    assert search["cifar10"] == search["imagenet16"] == truth[CONVOLUTIONS.code]
    assert (search["skips"], search["convolutions3"], search["updates"]) == (0, 6, 8)
    assert (search["eigenvalue_training"], search["eigenvalue_validation"]) == (3, 5)
    assert search["cpu_seconds"] == 20 * 30 / 40 and search["validation_accuracy"] == 50
    assert search["gap"] == 50 - search["path_accuracy"] == 25
    epochs = found["epochs"]
    assert epochs["skips"].tolist() == [6, 0] and epochs["epoch"].tolist() == [1, 2]
    assert epochs["largest_alpha"].tolist() == pytest.approx([0.1, 0.2])
    assert "cell" not in epochs  # no column of the benchmark is kept by cell and epoch
    assert found["spectra"][["epoch", "training", "validation"]].values.tolist() == [
        [1, 1, 2],
        [2, 3, 5],
    ]
    alone = found["alone"].set_index("choice")["cifar10"]
    assert alone["six skips"] == truth[SKIPS.code]
    assert alone["a random cell"] == pytest.approx(52)


def test_a_diverged_search_is_kept_and_counts_in_no_mean(monkeypatch):
    monkeypatch.setattr(darts, "available_tables", lambda: ())
    first, second = (
        config for config, labels in darts.design("cpu", 2).items() if labels["setting"] == FIRST
    )
    records = [record_of(first, [SKIPS]), record_of(second, [CONVOLUTIONS], "diverged")]
    truth = np.linspace(10, 94, NUM_CELLS)
    tables = darts.tables(darts.statistics(records, "cpu", table(truth)))
    assert set(tables) == set(darts.TABLES)
    assert tables["searches"]["status"].tolist() == ["ok", "diverged"]
    row = tables["settings"].set_index(["setting", "metric"]).loc[(FIRST, "skips")]
    assert (row["mean"], row["n"]) == (6, 1)


def test_settings_are_compared_where_alphas_have_moved_as_far():
    rows = [
        *((SOTL, 0, epoch, alpha) for epoch, alpha in enumerate([0.01, 0.04, 0.03], 1)),
        *((FIRST, 0, epoch, alpha) for epoch, alpha in enumerate([0.02, 0.05, 0.01, 0.3], 1)),
        (FIRST, 1, 1, 0.9),  # no SoTL-DARTS of this seed
        (SOVL, 0, 1, 0.02),  # never so far
    ]
    epochs = pd.DataFrame(rows, columns=["setting", "seed", "epoch", "largest_alpha"])
    found = darts.at_equal_movement(epochs.assign(cifar10=90.0 + epochs["epoch"], skips=1))
    assert found[["setting", "seed", "epoch", "cifar10"]].values.tolist() == [
        [SOTL, 0, 2, 92.0],
        [FIRST, 0, 2, 92.0],
    ]


# ---- claims


def frames(**accuracy: list[float]) -> dict[str, pd.DataFrame]:
    """Statistics of searches of two epochs, by setting, from their accuracies at the end."""
    rows = [
        {
            "setting": setting,
            "space": darts.SPACE,
            "seed": seed,
            "status": "ok",
            "cifar10": value,
            "skips": 6 if value < 60 else 1,
            "cpu_seconds": 100.0 if setting == FIRST else 200.0,
        }
        for setting, values in accuracy.items()
        for seed, value in enumerate(values)
    ]
    searches = pd.DataFrame(rows)
    epochs = pd.concat(
        [searches.assign(epoch=1, cifar10=80.0), searches.assign(epoch=2)], ignore_index=True
    )
    spectra = pd.concat(
        [
            searches.assign(epoch=epoch, training=float(epoch), validation=-float(epoch))
            for epoch in (1, 2)
        ]
    )[["setting", "seed", "epoch", "training", "validation"]]
    alone = pd.DataFrame({"choice": [RANDOM, EVOLUTION], "cifar10": [93.0, 94.0]})
    return {"searches": searches, "epochs": epochs, "spectra": spectra, "alone": alone}


def test_every_claim_that_is_judged_and_every_setting_exists():
    judged = (
        *darts_claims.COLLAPSES,
        *darts_claims.AGAINST_ALONE,
        *darts_claims.DIFFERENCES,
        *darts_claims.TRENDS,
        *darts_claims.RISES,
        *darts_claims.CORRELATIONS,
        *darts_claims.COSTS,
    )
    assert len(judged) == len(set(judged))
    assert set(judged) <= set(read_claims(darts_claims.FILE))
    pairs = (*darts_claims.DIFFERENCES.values(), *darts_claims.COSTS.values())
    others = (darts_claims.AGAINST_ALONE, darts_claims.RISES, darts_claims.CORRELATIONS)
    compared = {
        *(setting for pair in pairs for setting in pair[-2:]),
        *(setting for claims in others for setting, _ in claims.values()),
        *(*darts_claims.COLLAPSES.values(), *darts_claims.TRENDS.values()),
    }
    assert compared <= set(configs("cpu"))


def test_quantities_compare_independent_groups_of_searches():
    statistics = frames(
        **{FIRST: [54.3, 54.3, 70.0], SOTL: [93.0, 94.0], SOVL: [54.3], GDAS: [90.0, 90.0]}
    )
    found = darts_claims.quantities(statistics)
    collapse = found["darts-collapses"].interval()
    assert (collapse.mean, collapse.n) == (2 / 3, 3)
    better = found["sotl-darts-better"].interval()
    assert better.mean == pytest.approx(93.5 - 178.6 / 3) and better.n == 5
    assert found["sotl-darts-prevents-collapse"].interval().mean == pytest.approx(1 - 13 / 3)
    assert found["darts-below-random"].interval().mean == pytest.approx(178.6 / 3 - 93)
    assert found["sotl-darts-below-evolution"].interval().mean == pytest.approx(-0.5)
    assert found["sovl-worse"].interval().n == 4 and math.isnan(found["sovl-worse"].error)
    assert found["darts-declines"].interval().mean == pytest.approx(178.6 / 3 - 80)
    assert found["sotl-darts-improves"].interval().mean == pytest.approx(13.5)
    assert found["darts-eigenvalue-rises"].interval().mean == -1
    assert found["sotl-darts-eigenvalue-rises"].interval().mean == 1
    assert found["sotl-darts-eigenvalue-positive"].interval().mean == pytest.approx(1)
    assert found["sotl-darts-as-cheap"].interval().mean == pytest.approx(2)
    assert "second-order-collapses" not in found and "sotl-darts-longer" not in found


def test_a_single_measured_epoch_is_no_trend():
    statistics = frames(**{FIRST: [54.3, 60.0], SOTL: [93.0, 94.0]})
    first = statistics["spectra"]["epoch"] == 1
    found = darts_claims.quantities(statistics | {"spectra": statistics["spectra"][first]})
    assert {*darts_claims.CORRELATIONS, *darts_claims.RISES}.isdisjoint(found)


def test_verdicts_follow_from_quantities():
    statistics = frames(**{FIRST: [54.3] * 5, SOTL: [93.0, 94.0, 93.5, 93.0, 93.2], SECOND: [60.0]})
    verdicts = darts_claims.judged(statistics).set_index("claim")["verdict"]
    assert verdicts["darts-collapses"] == "supported"  # five of five: Wilson's bound is above half
    assert verdicts["sotl-darts-better"] == "supported"
    assert verdicts["sotl-darts-as-cheap"] == "contradicted"
    assert verdicts["sotl-darts-better-second"] == "undecided"
    assert verdicts["darts-other-data-sets"] == "not testable here"
    assert verdicts["s2-no-skips"] == "not run"
    assert set(darts_claims.judged({})["verdict"]) == {"not run", "not testable here"}


def test_printed_claims_are_those_of_the_printed_table():
    rows = read("sotl_darts_tables")
    rows = rows[(rows["table"] == 4.6) & (rows["measure"] == "CIFAR-10 test accuracy")]
    values = rows.set_index("algorithm")["value"]
    of = {RANDOM: values["Random Search"], EVOLUTION: values["REA"]}
    of |= {setting: values[row] for setting, row in PRINTED.items()}
    claims = read_claims(darts_claims.FILE)
    pairs = {
        c: (a, b) for c, (column, a, b) in darts_claims.DIFFERENCES.items() if column != "skips"
    }
    for claim, (a, b) in (pairs | darts_claims.AGAINST_ALONE).items():
        if not math.isnan(claims[claim].printed):
            assert claims[claim].printed == pytest.approx(of[a] - of[b], abs=0.005), claim
