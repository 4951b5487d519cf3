"""Study 4 on toys and tuned rates: statistics and what its claims compute."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nasrepro.claims import interval_of, judge, read_claims
from nasrepro.runs.config import changed
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.tuning import TuningEpoch
from nasrepro.stats import Share
from nasrepro.studies import sotl_claims, sotl_synthetic
from nasrepro.studies.sotl_synthetic import TOYS, TUNED, VALIDATION, unrolled

ABOUT = Measurement(1, 1, 1, 1, 1, 1, "cpu", 1, "cpu", {})


@pytest.fixture(scope="module")
def toys() -> dict[str, pd.DataFrame]:
    return sotl_synthetic.statistics([], "smoke")


def test_toys_need_no_run(toys):
    assert list(toys) == ["evidence", "degrees", "degree_curves", "maxdeg", "maxdeg_paths"]
    assert (toys["evidence"]["bound"] <= toys["evidence"]["log_evidence"]).all()
    starts = toys["maxdeg"].groupby("setting", sort=False)["first"].nunique()
    assert starts.iloc[0] == len(sotl_synthetic.STARTS) and (starts.iloc[1:] == 1).all()
    first = toys["maxdeg_paths"].query("step == 0")
    assert (first["first"] == first["mean"]).all()
    assert set(toys["maxdeg_paths"]["n"]) == {toys["maxdeg"]["seed"].nunique()}


def test_steps_to_the_true_degree_are_counted_by_hand(monkeypatch):
    """Updates of T steps, until MaxDeg is within 1 of 3; one more than all if it never is."""
    toy = replace(TOYS["smoke"], seeds=2)

    def by_hand(problem, how, starts, seeds):
        ways = np.array([[-1.0, 1.9, 2.1, 3.0], [-1.0, 0.0, 1.0, 1.5]])
        return np.repeat(ways.T[:, :, None], len(starts), axis=2)

    monkeypatch.setattr(sotl_synthetic, "search", by_hand)
    rows = sotl_synthetic.maxdeg(toy)["maxdeg"].query("first == -1")
    for setting, how in sotl_synthetic.searches(toy).items():
        found = rows[rows["setting"] == setting]["reached"].tolist()
        assert found == [2 * how.unroll, 4 * how.unroll]


def test_two_searches_take_the_comparisons_apart():
    known = sotl_synthetic.searches(TOYS["cpu"])
    longest, short = known[unrolled(25)], known[unrolled(2)]
    # Decay over as many steps: rate x decay / T.
    by_step = known[sotl_synthetic.DECAY]
    assert by_step.weight_decay / 2 == pytest.approx(longest.weight_decay / 25)
    twice, once = known[sotl_synthetic.TWICE], known[VALIDATION]
    assert twice.rate == 2 * once.rate and twice.loss == "validation"
    assert twice.rate * twice.weight_decay == once.rate * once.weight_decay
    assert short.rate == once.rate and short.unroll == once.unroll == 2


def record(config, correct: list[int], rates: list[float], halved: list[bool], status="ok"):
    history = tuple(TuningEpoch(1.0, 1.0, n, rate) for n, rate in zip(correct, rates, strict=True))
    arrays = {
        "halved": np.array(halved),
        "clipped": np.array([False, True, True, True]),
        "rates": np.array([0.001] * 5),
        "test_images": np.asarray(200),
    }
    return Record(config, status, history, arrays, ABOUT)


def test_a_training_is_summed_up_by_hand():
    design = sotl_synthetic.design("smoke")
    config = next(config for config, labels in design.items() if labels["setting"] == unrolled(2))
    one = record(config, [100, 180], [0.01, 0.1], [False, False, True, False])
    found = sotl_synthetic.tuning([one], design).set_index("metric")["value"]
    assert found[["final", "mean", "log_rate"]].tolist() == pytest.approx([90, 70, -1.5])
    assert found[["late_halvings", "clipped", "updates"]].tolist() == [0.5, 0.75, 4]
    lost = record(config, [], [], [], status="diverged")
    assert sotl_synthetic.tuning([lost], design)["metric"].tolist() == ["diverged"]
    assert sotl_synthetic.rates([lost], design).empty


def test_printed_levels_are_compared_with_trainings_as_long_and_on_as_many_images():
    design = sotl_synthetic.design("paper")
    config = next(config for config, labels in design.items() if labels["setting"] == unrolled(2))
    correct = [*range(100, 130), *range(90, 110)]
    one = record(config, correct, [0.01] * 50, [False] * 4)
    found = sotl_synthetic.tuning([one], design).set_index("metric")["value"]
    assert found[["best_20", "at_50"]].tolist() == pytest.approx([59.5, 54.5])
    short = record(config, correct[:49], [0.01] * 49, [False] * 4)
    small = changed(config, {"data.train_images": 10_000})
    rows = [
        sotl_synthetic.tuning([short], design),
        sotl_synthetic.tuning([replace(one, config=small)], {small: design[config]}),
    ]
    assert not pd.concat(rows)["metric"].isin(["best_20", "at_50"]).any()


def test_accuracies_are_averaged_epoch_by_epoch():
    design = sotl_synthetic.design("smoke")
    two = [c for c, labels in design.items() if labels == {"network": "VGG", "setting": "T = 2"}]
    assert [config.seed for config in two] == [0, 1]
    records = [record(two[0], [100], [0.1], [True]), record(two[1], [120], [0.3], [True])]
    (row,) = sotl_synthetic.rates(records, design).to_dict("records")
    assert (row["mean"], row["n"], row["learning_rate"]) == (55, 2, pytest.approx(0.2))
    assert row["ci_low"] < 50 and row["ci_high"] > 60


def test_every_profile_has_the_papers_settings_and_controls():
    for profile in TUNED:
        settings = {tuple(labels.values()) for labels in sotl_synthetic.design(profile).values()}
        assert {("MLP", VALIDATION), ("VGG", "T = 2"), ("MLP", "constant rate 0.1")} <= settings
        assert sum(config.seed == 0 for config in sotl_synthetic.design(profile, 1)) == len(
            settings
        )
    paper = TUNED["paper"]
    assert paper.mlp.train.learning_rate == 1e-3 and paper.mlp.tune.rate == 1e-2
    assert paper.mlp.tune.clip == 10 and max(paper.unrolls) == 250


# ---- claims


def test_models_are_chosen_by_evidence_bound_and_samples():
    rows = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1],
            "degree": [1, 3, 1, 3],
            "log_evidence": [-5.0, -4.0, -3.0, -4.0],
            "bound": [-6.0, -5.0, -6.0, -5.5],
            "sampled": [-6.0, -5.0, -5.0, -5.5],
        }
    )
    found = sotl_claims.evidence(rows)
    assert interval_of(found["sotl-bound-holds"]).mean == -1
    assert found["sotl-bound-selects"] == Share(1, 2)
    assert found["sotl-samples-select"] == Share(2, 2)


def test_the_true_degree_is_compared_with_the_best_of_the_others():
    rows = pd.DataFrame(
        [
            (seed, degree, 100.0 + abs(degree - 3) + seed, 50 if degree == 5 else 60)
            for seed in (0, 1)
            for degree in sotl_synthetic.DEGREES
        ],
        columns=["seed", "degree", "sotl", "fitted"],
    )
    found = {name: interval_of(q).mean for name, q in sotl_claims.degrees(rows).items()}
    assert found["sotl-degree-lowest"] == pytest.approx((2 / 100 + 2 / 101) / 2)
    assert found["sotl-degree-fastest"] == -10


def test_maxdeg_and_rates_are_paired_by_seed():
    settings = [unrolled(n) for n in (25, 10, 5, 2)] + [VALIDATION]
    rows = pd.DataFrame(
        [
            (setting, -1.0, seed, 3.0 + 0.2 * seed, 0.1 * place + seed, 10 * place + seed)
            for place, setting in enumerate(settings)
            for seed in (0, 1)
        ],
        columns=["setting", "first", "seed", "final", "distance", "reached"],
    )
    found = {name: interval_of(q) for name, q in sotl_claims.maxdeg(rows).items()}
    assert found["sotl-maxdeg-converges"].mean == pytest.approx(0.1)
    assert found["sotl-maxdeg-longer"].mean == pytest.approx(30)
    assert found["sotl-maxdeg-ordered"].mean == pytest.approx(10)
    assert found["sotl-maxdeg-same-unrolling"].low == pytest.approx(0.1)  # both seeds agree
    runs = pd.DataFrame(
        [
            ("MLP", setting, seed, "final", value + seed)
            for setting, value in (("T = 250", 97.0), ("T = 2", 95.0))
            for seed in (0, 1, 2)
        ],
        columns=["network", "setting", "seed", "metric", "value"],
    )
    assert interval_of(sotl_claims.tuning(runs)["sotl-rate-final"]) == (2, 2, 2, 3)
    assert "sotl-rate-vgg" not in sotl_claims.tuning(runs)
    assert "sotl-rate-level-short" in sotl_claims.untestable(sotl_claims.tuning(runs))
    levels = pd.DataFrame(
        [("MLP", unrolled(2), 0, "at_50", 96.4), ("MLP", unrolled(250), 0, "best_20", 98.3)],
        columns=runs.columns,
    )
    found = sotl_claims.tuning(levels)
    assert interval_of(found["sotl-rate-level-short"]).mean == 96.4
    assert interval_of(found["sotl-rate-level-long"]).mean == 98.3
    assert "sotl-rate-level-short" not in sotl_claims.untestable(found)


def test_every_quantity_is_of_a_claim_and_what_is_missing_is_not_run(toys):
    found = sotl_claims.quantities(toys)
    assert set(found) <= set(read_claims("sotl")) and len(found) > 8
    rows = pd.DataFrame(judge("sotl", {})).set_index("claim")
    assert set(rows["verdict"]) == {"not run", "not testable here"}
    assert math.isnan(rows["ours"].iloc[0])
