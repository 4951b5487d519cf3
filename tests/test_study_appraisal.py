"""NAS-Bench-101's part of study 1: its runs, what is computed from supernets, its claims."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from records import arrays, codes, counts

from nasrepro.benchmarks import available_tables, load_table, nb101
from nasrepro.claims import interval_of, judge, read_claims
from nasrepro.runs.config import changed
from nasrepro.runs.nb101 import select_cells
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.supernet import run
from nasrepro.spaces.nb101 import Cell
from nasrepro.stats import Share
from nasrepro.studies import appraisal, correlations, measure
from nasrepro.studies.appraisal import EQUAL_IMAGES, METHODS, SPACES, variants
from nasrepro.train import POURCHOT, RMSprop


@pytest.fixture(scope="module")
def table():
    if nb101.NAME not in available_tables():
        pytest.skip("the NAS-Bench-101 sample is not on this machine; set NASREPRO_DATA")
    return load_table(nb101.NAME)


def ranks_of(values):
    """A frame of rank correlations from {(space, method): values of the seeds}."""
    rows = [
        (*key, seed, value) for key, group in values.items() for seed, value in enumerate(group)
    ]
    return pd.DataFrame(rows, columns=["space", "method", "seed", "spearman"])


def intervals(ranks):
    """The intervals of the claims' quantities."""
    found = appraisal.rank_quantities(ranks)
    return {claim: interval_of(quantity) for claim, quantity in found.items()}


# ---- runs


def test_the_cpu_grid_has_every_cell_of_table_3_with_at_least_three_seeds():
    design = appraisal.design("cpu", methods=METHODS)
    assert len(design) == len(set(design)) == 7 * 6 * 3
    assert {tuple(labels.values()) for labels in design.values()} == {
        (space, method) for space in SPACES for method in METHODS
    }
    equal = appraisal.design("cpu", methods=[EQUAL_IMAGES])
    assert {(c.seed, labels["space"]) for c, labels in equal.items()} == {(0, s) for s in SPACES}
    assert set(design) | set(equal) < set(correlations.design("cpu"))
    assert appraisal.design("digits") == {}


@pytest.mark.parametrize("profile", appraisal.PROFILES)
def test_methods_differ_from_the_baseline_in_what_they_are_named_after(profile):
    chosen = appraisal.PROFILES[profile]
    base = chosen.base
    found = {method: changed(base, change) for method, change in variants(base).items()}
    assert found["BNS-FT"] == base
    assert len(set(found.values())) == 7
    assert base.evaluate.batch_norm == "calibrated" and base.evaluate.calibration_batches == 1
    assert found["NO FT"].evaluate.batch_norm == "tracked"
    assert replace(found["NO FT"], evaluate=base.evaluate) == base
    assert (found["PRO-RATA"].sampler, found["PRO-RATA"].net.kernels) == ("pro-rata", "separate")
    assert (found["SINGLE-K"].sampler, found["SINGLE-K"].net.kernels) == ("uniform", "single")
    assert (found["S-K + P-R"].sampler, found["S-K + P-R"].net.kernels) == ("pro-rata", "single")
    average = found["AVG-3"].train
    assert average.gradients == "mean"
    assert found["AVG-3"].sampler == "uniform-3"
    assert average.epochs == 3 * base.train.epochs, "as many updates as the others"
    equal = found[EQUAL_IMAGES]
    assert equal.train == replace(average, epochs=base.train.epochs), "as many images"
    assert replace(equal, train=average) == found["AVG-3"]


def test_the_paper_profile_is_section_4_2():
    base = appraisal.PROFILES["paper"].base
    assert (base.net.channels, base.net.cells_per_stage, base.net.statistics_momentum) == (
        16,
        3,
        0.003,
    )
    train = base.train
    assert (train.epochs, train.batch_size, train.learning_rate) == (432, 256, 0.2)
    assert (train.momentum, train.weight_decay, train.final_learning_rate) == (0.9, 1e-4, 0.0)
    assert train.rmsprop is not None and train.rmsprop.epsilon == 1.0
    assert (base.evaluate.batch_size, base.cells.count) == (256, 1_000)
    assert appraisal.PROFILES["paper"].seeds == 5


@pytest.mark.parametrize("method", METHODS)
def test_the_paper_profile_takes_a_few_steps(method):
    """Its networks, samplers, optimiser and ways of evaluation, on few and small images."""
    base = appraisal.PROFILES["paper"].base
    config = changed(base, variants(base)[method])
    small = replace(
        config,
        data=DataConfig("digits", train_images=80, validation_images=20, size=8),
        train=replace(config.train, epochs=1, batch_size=20),
        evaluate=replace(config.evaluate, batch_size=20),
        cells=DrawnCells(count=2, table=None),
    )
    record = run(small)
    assert (record.status, len(counts(record)), len(record.history)) == ("ok", 2, 1)


def test_tiny_runs_are_observed_beside_the_benchmark(table):
    config = next(iter(appraisal.design("smoke", seeds=1)))
    record = run(config)
    evaluations = appraisal.observe([record], "smoke", table)
    cells = select_cells(config.subspace, config.cells)
    known = [cell for cell in cells if cell.code in set(table.codes.tolist())]
    assert 2 < len(known) < config.cells.count, "the space has cells that the sample lacks"
    assert evaluations["code"].tolist() == [cell.code for cell in known]
    assert set(evaluations["space"]) == {"A_4"} and set(evaluations["method"]) == {"BNS-FT"}
    right = dict(zip(codes(record), counts(record), strict=True))
    assert evaluations["proxy"].tolist() == [right[cell.code] for cell in known]  # of 100 images
    assert evaluations["validation"].between(50, 96).all()


def test_a_diverged_run_is_kept_without_a_rank_correlation(table):
    one, other, *_ = appraisal.design("smoke", seeds=1)
    record = run(one)
    lost = Record(
        config=other,
        status="diverged",
        arrays=arrays(),
        history=record.history,
        measurement=record.measurement,
    )
    assert isinstance(lost.measurement, Measurement)
    ranks = appraisal.our_statistics([record, lost], "smoke", table)["ours"]
    assert ranks["spearman"].isna().tolist() == [False, True]
    assert appraisal.summarise(ranks)["failed"].tolist() == [0, 1]
    assert appraisal.our_statistics([], "smoke", table) == {}


def test_each_rmsprop_has_a_supernet_with_the_paper_s_rates():
    design = appraisal.optimisers("cpu")
    base, paper = (appraisal.PROFILES[name].base for name in ("cpu", "paper"))
    assert [config.train.rmsprop for config in design] == [RMSprop(), POURCHOT]
    for config in design:
        train = replace(config.train, rmsprop=None)
        rates = {n: getattr(paper.train, n) for n in ("learning_rate", "weight_decay")}
        assert train == replace(base.train, gradient_clip=None, **rates)
        assert replace(config, train=base.train) == base
    assert appraisal.optimisers("paper") == appraisal.optimisers("digits") == {}


def test_what_an_optimiser_learned_stands_beside_how_it_ranks(table):
    one, other = appraisal.optimisers("smoke")
    record = run(one)
    lost = replace(record, config=other, status="diverged", arrays=arrays())
    rows = appraisal.optimiser_runs([record, lost], "smoke", table)
    assert rows["optimiser"].tolist() == list(appraisal.OPTIMISERS)
    assert rows["train_accuracy"].tolist() == [record.history[-1].accuracy] * 2
    assert rows["cells"].tolist()[1] == 0 < rows["cells"].tolist()[0]
    assert rows["spearman"].isna().tolist() == [False, True]


# ---- what is computed


def test_bias_worked_by_hand():
    """Of four cells, the two with the feature are first by proxy, second and last by truth."""
    frame = pd.DataFrame(
        {
            "seed": [0] * 4 + [1] * 4,
            "code": [0, 1, 2, 3] * 2,
            "proxy": [40, 30, 20, 10, 7, 7, 7, 7],  # the second supernet failed
            "validation": [70, 60, 80, 75, 70, 60, 80, 75],
        }
    )
    # Percentiles by proxy 100 and 75, by truth 50 and 25.
    assert appraisal.biases(frame, lambda codes: codes < 2) == [50]


def test_cells_are_rated_part_by_part_of_their_own_accuracy(monkeypatch):
    """Of four cells, by proxy the best two change places; a supernet that failed says nothing."""
    monkeypatch.setattr(appraisal, "FEW", 1)
    frame = pd.DataFrame(
        {
            "space": "A_1",
            "seed": [0] * 4 + [1] * 4 + [2] * 4,
            "proxy": [10, 20, 40, 30, 10, 20, 30, 40, 7, 7, 7, 7],
            "validation": [60, 70, 75, 80] * 3,
        }
    )
    halves = appraisal.rated(frame, 2)
    assert halves["part"].tolist() == [1, 2] and halves["mean"].tolist() == [37.5, 87.5]
    quarters = appraisal.rated(frame, 4)
    assert quarters["mean"].tolist() == [25, 50, 87.5, 87.5] and quarters["n"].eq(2).all()
    half = 12.706 * 12.5  # 100 and 75: Student's quantile times sd / sqrt(n)
    assert quarters["ci_high"].iloc[2] == pytest.approx(87.5 + half, abs=0.01)
    monkeypatch.setattr(appraisal, "FEW", 2)
    assert appraisal.rated(frame, 4).empty and len(appraisal.rated(frame, 2)) == 2


def test_features_of_cells():
    conv3, pool = "conv3x3-bn-relu", "maxpool3x3"
    cells = [
        Cell(((0, 1), (1, 2)), (conv3,)),
        Cell(((0, 1), (0, 2), (1, 2)), (pool,)),
        Cell(((0, 1),), ()),
    ]
    codes = np.array([cell.code for cell in cells])
    assert appraisal.has_residual(codes).tolist() == [False, True, True]
    assert appraisal.begins_with_conv3(codes).tolist() == [True, False, False]
    assert appraisal.begins_with_conv3(codes[:0]).dtype == bool


def test_failed_supernets_are_counted_and_left_out():
    ranks = ranks_of({("A_1", "BNS-FT"): [0.5, 0.7, np.nan], ("A_2", "BNS-FT"): [np.nan]})
    one, two = appraisal.summarise(ranks).itertuples(index=False)
    assert (one.mean, one.n, one.failed) == (pytest.approx(0.6), 2, 1)
    bounds = (one.ci_low, one.ci_high)  # 0.6 ± 12.706 * 0.1, but no correlation is above 1
    assert bounds == (pytest.approx(-0.6706, abs=1e-4), 1)
    assert (two.n, two.failed) == (0, 1) and np.isnan(two.mean)


def test_quantities_of_the_claims_worked_by_hand():
    """Every trick adds 0.1 to BNS-FT, NO FT lacks 0.4; tricks scatter half as much."""
    shift = {"BNS-FT": 0.0, "NO FT": -0.4} | dict.fromkeys(appraisal.TRICKS, 0.1)
    level = dict(zip(SPACES, (0.60, 0.55, 0.52, 0.70, 0.50, 0.40, 0.65), strict=True))
    spread = {"BNS-FT": 0.02, "NO FT": 0.02} | dict.fromkeys(appraisal.TRICKS, 0.01)
    ranks = ranks_of(
        {
            (space, method): level[space] + shift[method] + spread[method] * np.array([-1, 0, 1])
            for space in SPACES
            for method in METHODS
        }
    )
    found = intervals(ranks)
    assert found["fine-tuning"][:3] == pytest.approx((0.4, 0.4, 0.4))  # of every supernet
    for trick in appraisal.TRICKS:
        assert found[f"improves-{trick}"].mean == pytest.approx(0.1)
    assert found["less-variance"].mean == pytest.approx(0.5)
    assert found["outputs-matter"].mean == pytest.approx(0.70 - 0.55)
    assert found["residual-ranks"].mean == pytest.approx(0.65 - 0.40)
    assert found["same-level"].mean == pytest.approx(0.52 - 0.55)
    # Sizes rise in the order A_4, RES, A_3, A_1, A_2, NRES, FULL; levels rank 5 6 4 7 3 1 2.
    assert found["size-hint"].mean == pytest.approx(1 - 6 * (16 + 16 + 1 + 9 + 4 + 25 + 25) / 336)


def test_equal_images_are_compared_space_by_space_with_the_same_seed():
    """By hand: 0.2 and 0.4 more than BNS-FT of seed 0; the third space has no such run yet."""
    ranks = ranks_of(
        {
            **{(space, "BNS-FT"): [0.3, 0.9] for space in SPACES[:3]},
            **{(space, "AVG-3"): [0.6, 0.1] for space in SPACES[:3]},
            (SPACES[0], EQUAL_IMAGES): [0.5],
            (SPACES[1], EQUAL_IMAGES): [0.7],
        }
    )
    rows = appraisal.equal_images(ranks).set_index(["more", "less"])
    assert rows["mean"]["AVG-3", "BNS-FT"] == pytest.approx(0.3)
    equal = rows.loc[(EQUAL_IMAGES, "BNS-FT")]
    assert (equal["mean"], equal["n"]) == (pytest.approx(0.3), 2)
    assert equal["ci_high"] == pytest.approx(0.3 + 12.7062 * 0.1, abs=1e-4)
    assert rows["mean"]["AVG-3", EQUAL_IMAGES] == pytest.approx(0.0)
    assert appraisal.equal_images(ranks[ranks["method"] != EQUAL_IMAGES]).empty


def test_fine_tuning_is_compared_supernet_by_supernet():
    """In each space the gains are 0.3 and 0.5; a failed supernet takes its twin with it."""
    ranks = ranks_of(
        {(space, "BNS-FT"): [0.6, 0.7, 0.9] for space in SPACES}
        | {(space, "NO FT"): [0.3, 0.2, math.nan] for space in SPACES}
    )
    found = intervals(ranks)["fine-tuning"]
    assert (found.mean, found.n) == (pytest.approx(0.4), 14)
    # Seven variances of 0.02 in pairs: the error is sqrt(7 * 0.01) / 7, t of 7 degrees 2.364624.
    assert found.high - found.mean == pytest.approx(2.364624 * math.sqrt(0.07) / 7, abs=1e-6)
    one_space = ranks[ranks["space"] != SPACES[0]]
    assert "fine-tuning" not in intervals(one_space)


def test_methods_are_held_against_the_parameter_count_by_their_best():
    statistics = {
        "ours": ranks_of(
            {("A_1", "BNS-FT"): [0.6], ("A_1", "AVG-3"): [0.3], ("A_2", "BNS-FT"): [0.4]}
        ),
        "ours_parameters": pd.DataFrame(
            {"space": ["A_1", "A_2"], "n": [9, 9], "spearman": [0.5, 0.5]}
        ),
    }
    assert appraisal.spaces_above_floor(statistics, "ours") == "1 of 2"
    assert appraisal.spaces_above_floor(statistics, "authors") == "–"


def test_claims_need_all_spaces_and_methods():
    ranks = ranks_of({(space, "BNS-FT"): [0.5, 0.6] for space in SPACES[:6]})
    found = intervals(ranks)
    assert set(found) == {"outputs-matter", "same-level"}


def test_every_claim_is_judged_on_the_authors_supernets():
    if missing := appraisal.missing_files():
        pytest.skip(f"{', '.join(missing)} not on this machine; set NASREPRO_DATA")
    frames = appraisal.statistics(nb101.load_supernets(), "authors")
    found = appraisal.quantities(frames["authors"], frames["authors_patterns"])
    judged = pd.DataFrame(judge(appraisal.CLAIMS, found))
    assert set(judged["claim"]) == set(read_claims("pourchot_ranking"))
    assert "not run" not in set(judged["verdict"])
    by_claim = judged.set_index("claim")
    assert by_claim["verdict"]["fine-tuning"] == "supported"
    printed = appraisal.published_table3().groupby("method")["mean"].mean()
    assert by_claim["ours"]["fine-tuning"] == pytest.approx(
        printed["BNS-FT"] - printed["NO FT"], abs=0.005
    )
    known = read_claims("pourchot_ranking")
    for trick in appraisal.TRICKS:
        gain = printed[trick] - printed["BNS-FT"]
        assert known[f"improves-{trick}"].printed == pytest.approx(gain, abs=0.005)
    # Prototypes of this project: parameters rank about 0.44 on A_1 and 0.46 on the whole space.
    counts = frames["authors_parameters"].set_index("space")["spearman"]
    assert counts["A_1"] == pytest.approx(0.5, abs=0.06)


def test_a_pattern_of_one_supernet_is_no_share_and_is_undecided():
    """As of the smallest profile: a mean that can be negative, without an interval."""
    names = ["claim", "mean", "ci_low", "ci_high", "n", "df"]
    rows = [
        ("bias-residual", -7.1, *[math.nan] * 2, 1, math.nan),
        (appraisal.BEST, 0.0, 0.0, 0.79, 1, math.nan),
    ]
    no_ranks = pd.DataFrame(columns=["space", "method", "seed", "spearman"])
    found = appraisal.quantities(no_ranks, pd.DataFrame(rows, columns=names))
    judged = pd.DataFrame(judge(appraisal.CLAIMS, found)).set_index("claim")
    assert judged.loc["bias-residual", ["ours", "verdict"]].tolist() == [-7.1, "undecided"]
    assert found[appraisal.BEST] == Share(0, 1)


def test_without_cells_a_summary_has_numbers_of_no_row():
    """So that frames that are put together stay numbers; of objects nothing can be drawn."""
    runs = pd.DataFrame({"space": ["A_1"], "part": [1], "value": [0.5]})
    some, none = (measure.summarise(rows, ["space", "part"]) for rows in (runs, runs[:0]))
    assert len(none) == 0 and none.dtypes.equals(some.dtypes)
    assert pd.concat([none, some])["mean"].dtype == np.float64
