"""What study 4's claims on supernets compute: paired by supernet, on frames made by hand."""

from itertools import product

import pandas as pd
import pytest

from nasrepro.claims import interval_of, read_claims
from nasrepro.studies import sotl_supernets
from nasrepro.studies.sotl_supernets import DIFFERENCES, HIGH, LOW, SPOS, TRUTHS, VARIANTS

SEEDS = (0, 1, 2)
NUMBERS = {"SoTL": 0.7, "TLMini": 0.6, "ValAcc": 0.5, "ValAccMini": 0.4}
GRADIENTS = {"SoG": 0.8, "SoGN": 0.3, "SoG (code)": 0.75, "SoGN (code)": 0.35}


def run(estimator, step, rate, trainer=SPOS, truth="cifar10", batch="64", order="0", **values):
    base = NUMBERS.get(estimator) or GRADIENTS[estimator]
    return [
        {
            "trainer": trainer,
            "start": "trained",
            "rate": rate,
            "batch": batch,
            "order": order,
            "seed": seed,
            "truth": truth,
            "estimator": estimator,
            "step": step,
            "spearman": base + 0.01 * seed + values.get("more", 0.0),
            "top10": 90 + 10 * base + seed,
        }
        for seed in SEEDS
    ]


@pytest.fixture
def runs() -> pd.DataFrame:
    rows = []
    for trainer, truth in product((SPOS, *VARIANTS), TRUTHS):
        more = 0.02 * (trainer == "MultiPath")
        for rate, step in product((HIGH, LOW), (10, 50, 100, 300)):
            rows += run("SoTL", step, rate, trainer, truth, more=more + 0.03 * (rate == LOW))
        rows += run("ValAcc", 0, "0", trainer, truth)
    for rate, step in product((HIGH, LOW), (100, 300)):
        rows += run("ValAcc", step, rate, more=-0.1)
    rows += run("TLMini", 1, HIGH) + run("ValAccMini", 0, HIGH)
    for name, rate in product(GRADIENTS, (HIGH, LOW)):
        drop = -0.1 if name.startswith("SoGN") else -0.05
        rows += run(name, 100, rate, more=drop * (rate == LOW))
    rows += run("SoG", 100, HIGH, truth="parameters", more=0.05)
    for truth, more in (("cifar100", 0.02), ("imagenet16", 0.01)):
        rows += run("SoG", 100, HIGH, truth=truth, more=more)
    rows += run("SoTL", 100, HIGH, batch="256", more=0.04)
    rows += run("SoTL", 100, HIGH, order="1", more=-5.0)  # another order is not the thesis'
    return pd.DataFrame(rows)


def test_every_difference_is_of_one_supernet_or_of_independent_groups(runs):
    """Supernets deviate by .01, so that two groups of three differ by 2.776 errors of .01."""
    found = sotl_supernets.ranked(runs)
    assert set(DIFFERENCES) <= set(found) <= set(read_claims("sotl"))
    expected = {
        "sotl-spos-valacc": 0.2,
        "sotl-spos-valaccmini": 0.3,
        "sotl-tlmini-above-valaccmini": 0.2,
        "sotl-finetuning-harms-valacc": -0.1,
        "sotl-enough-100": 0.0,
        "sotl-fairnas-above-spos": 0.03,
        "sotl-multipath-above-spos": 0.05,
        "sotl-multipath-best": 0.02,
        "sotl-meta-matches": -0.01,
        "sotl-rate-correlation": -0.03,
        "sotl-batch-correlation": 0.04,
        "sotl-sog-sogn-low": 0.55,
        "sotl-sog-sotl": 0.1,
        "sotl-sogn-rate": -0.05,
        "sotl-sog-parameters": 0.05,
        "sotl-spos-level": 0.71,
        "sotl-spos-top10": 2.0,
    }
    for claim, value in expected.items():
        interval = interval_of(found[claim])
        assert interval.mean == pytest.approx(value, abs=1e-9), claim
        of_trainers = claim in ("sotl-fairnas-above-spos", "sotl-multipath-above-spos")
        if of_trainers:
            half = 2.7764 * 0.01 * (2 / 3) ** 0.5
            assert interval.high - interval.mean == pytest.approx(half, rel=1e-3)
        elif claim not in ("sotl-spos-level", "sotl-multipath-best", "sotl-meta-matches"):
            assert interval.high - interval.low < 1e-6, claim  # one supernet's differ alike


def test_how_often_sotl_is_better_is_counted_over_trainers_and_truths(runs):
    found = sotl_supernets.ranked(runs)
    assert interval_of(found["sotl-usually-best"]) == (15, 15, 15, 15)
    lacking = runs[runs["trainer"] != "Reptile"]
    assert "sotl-usually-best" not in sotl_supernets.ranked(lacking)
    assert "sotl-multipath-best" not in sotl_supernets.ranked(lacking)


def loss_rows(rate: str, group: str, first: float, late: float) -> list[dict]:
    return [
        {
            **{"rate": rate, "group": group, "batch": "64", "truth": "cifar10"},
            **{"seed": seed, "step": step, "loss": value + seed},
        }
        for seed in SEEDS
        for step, value in [(20, first), *((step, late) for step in range(220, 301, 20))]
    ]


def test_losses_are_compared_late_and_at_the_beginning():
    rows = pd.DataFrame(
        loss_rows(HIGH, "all", 1.0, 1.5)
        + loss_rows(HIGH, "best tenth", 0.9, 1.2)
        + loss_rows(HIGH, "median tenth", 1.0, 1.7)
        + loss_rows(LOW, "all", 1.0, 0.8)
        + loss_rows(LOW, "best tenth", 0.9, 0.7)
        + loss_rows(LOW, "median tenth", 1.0, 0.75)
    )
    found = {name: interval_of(q).mean for name, q in sotl_supernets.losses(rows).items()}
    assert found == {
        "sotl-loss-rises": pytest.approx(0.5),
        "sotl-loss-falls": pytest.approx(-0.2),
        "sotl-loss-rates": pytest.approx(0.7),
        "sotl-groups-widen": pytest.approx(0.4),
        "sotl-groups-close": pytest.approx(0.1),
        "sotl-best-rises-least": pytest.approx(-0.2),
    }
    assert list(sotl_supernets.losses(rows[rows["rate"] == LOW])) == ["sotl-loss-falls"]


def test_single_minibatches_rank_better_late_or_not():
    rows = pd.DataFrame(
        {
            **{"rate": HIGH, "batch": "64"},
            "seed": [0, 0, 1, 1],
            "first": [1, 201, 1, 201],
            "spearman": [0.5, 0.6, 0.4, 0.6],
        }
    )
    (found,) = sotl_supernets.windows(rows).values()
    assert interval_of(found).mean == pytest.approx(0.15)
    assert sotl_supernets.windows(rows[rows["first"] == 1]) == {}


def test_costs_are_those_of_equal_steps_and_of_the_thesis_images():
    rows = pd.DataFrame(
        [
            {
                **{"trainer": trainer, "start": "trained", "rate": HIGH, "batch": "64"},
                **{"order": "0", "seed": 0, "supernet_images": 1_000 * paths},
                **{"seconds_100": 4.5, "seconds_1000": 0.26},
            }
            for trainer, paths in zip((SPOS, *VARIANTS), (1, 5, 4, 4, 4), strict=True)
        ]
    )
    found = sotl_supernets.usage(rows)
    assert interval_of(found["sotl-cost-trainers"]).mean == 5
    assert interval_of(found["sotl-cost-finetuning"]).mean == pytest.approx(4.5 / 6.5)


def test_without_frames_nothing_is_found():
    assert sotl_supernets.quantities({}) == {}
