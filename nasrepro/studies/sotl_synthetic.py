"""Study 4, where the theory is exact or the answer known (SoTL thesis, 3.1 and 4.1).

Bayesian linear regression and Fourier degrees are computed in seconds, whenever they are asked for;
trainings that tune their learning rate are runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pandas as pd

from nasrepro.evidence import bound, log_evidence, predictions, sampled_bound
from nasrepro.fourier import RANGE, Problem, Search, features, search, train_fixed
from nasrepro.nets.plain import MlpConfig, VggConfig
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.tuning import PLAIN, TuneConfig, TuningConfig
from nasrepro.stats import mean_interval
from nasrepro.studies.design import Design, in_order, labelled

DEGREES = (0, 1, *range(3, 22, 2))  # of the models that are compared (4.1.2)
STARTS = (-1.0, 0.0, 1.0, 5.0, 10.0, 15.0, 21.0)  # of MaxDeg; the first is figure 4.3b's
POINTS = 50  # of a path of MaxDeg in tables
FITTED = 0.01  # of the targets' variance
LAST = 10  # steps over which that is looked at
NEARLY_ALL = 50_000  # training images, with which accuracies can be compared with the printed ones
NEAR = 1.0  # of the true degree, where MaxDeg has come to it
OF_CURVES = ["mean", "ci_low", "ci_high", "n"]
OF_MAXDEG = ["final", "distance", "reached"]
VALIDATION = "validation, T = 2"  # the validation loss after one step
TWICE, DECAY = f"{VALIDATION}, rate x2", "T = 2, decay of T = 25"
TABLES = ("evidence", "degrees", "degree_curves", "maxdeg", "maxdeg_paths", "tuning", "rates")
TEXTS = ("setting", "network", "metric")


@dataclass(frozen=True)
class Toy:
    """How large the toys are: numbers only.

    The rate and the decay of MaxDeg were chosen on data sets of other seeds (100 to 102) so that
    with T = 25 it comes near the truth from the lowest and from the highest start. The thesis does
    not print its own, and says that longer unrolling was what they were chosen for.

    Attributes:
        problem: of figures 4.2 and 4.3.
        seeds: data sets of it.
        search: with the longest unrolling.
        points: of a data set of Bayesian linear regression.
        sets: data sets of it.
        noise: standard deviation of its targets; that of each weight's prior is 1.
        samples: of each posterior.
    """

    problem: Problem = field(default_factory=Problem)
    seeds: int = 5
    search: Search = field(default_factory=Search)
    points: int = 200
    sets: int = 50
    noise: float = 1.0
    samples: int = 10


@dataclass(frozen=True)
class Tuned:
    """The trainings with a tuned rate: numbers only."""

    mlp: TuningConfig
    vgg: TuningConfig
    seeds: int
    unrolls: tuple[int, ...] = (2, 10, 50, 150, 250)
    vgg_unrolls: tuple[int, ...] = (2, 10)
    constant: float = 0.1  # a rate that is not tuned, for comparison


TOYS = {
    "smoke": Toy(Problem(points=200, steps=200), seeds=2, points=20, sets=2),
    "cpu": Toy(),
    "paper": Toy(),
}
TUNED = {
    "smoke": Tuned(
        mlp=TuningConfig(
            DataConfig("digits", train_images=300, validation_images=100),
            MlpConfig(hidden=20),
            train=replace(PLAIN, epochs=2, batch_size=30),
        ),
        vgg=TuningConfig(
            DataConfig("digits", train_images=300, validation_images=100),
            VggConfig(channels=4, convolutions=2),
            train=replace(PLAIN, epochs=2, batch_size=30),
        ),
        seeds=2,
        unrolls=(2, 5, 10),
        vgg_unrolls=(2, 5),
    ),
    # A sixth of the images at half of the size: half a minute a run instead of half an hour, and
    # small batches, so that 250 steps are unrolled 12 times.
    "cpu": Tuned(
        mlp=TuningConfig(
            DataConfig("mnist", train_images=10_000, validation_images=5_000, size=14),
            MlpConfig(),
            train=replace(PLAIN, epochs=10, batch_size=32),
        ),
        vgg=TuningConfig(
            DataConfig("cifar10", train_images=5_000, validation_images=1_000, size=16),
            VggConfig(),
            train=replace(PLAIN, epochs=10, batch_size=32),
        ),
        seeds=3,
    ),
    # As in the text, for a GPU: 55,000 images, since 5,000 are held out for the validation loss.
    "paper": Tuned(
        mlp=TuningConfig(
            DataConfig("mnist", train_images=55_000, validation_images=5_000),
            MlpConfig(),
            train=replace(PLAIN, epochs=50),
        ),
        vgg=TuningConfig(
            DataConfig("cifar10", train_images=45_000, validation_images=5_000),
            VggConfig(channels=64, convolutions=5),
            train=replace(PLAIN, epochs=50),
        ),
        seeds=3,
    ),
}


def unrolled(steps: int) -> str:
    """The name of a setting.

    >>> unrolled(25)
    'T = 25'
    """
    return f"T = {steps}"


def design(profile: str, seeds: int | None = None) -> Design:
    """The trainings with a tuned rate, labelled by network and setting.

    Args:
        profile: a name in `TUNED`.
        seeds: at most so many of each setting; None for the profile's own.
    """
    chosen = TUNED[profile]
    first = chosen.mlp.train.learning_rate
    settings: list[tuple[str, str, TuningConfig]] = [
        *(
            (name, unrolled(steps), replace(config, tune=TuneConfig(unroll=steps)))
            for name, config, known in (
                ("MLP", chosen.mlp, chosen.unrolls),
                ("VGG", chosen.vgg, chosen.vgg_unrolls),
            )
            for steps in known
        ),
        ("MLP", VALIDATION, replace(chosen.mlp, tune=TuneConfig(loss="validation"))),
        *(
            (
                "MLP",
                f"constant rate {rate:g}",
                replace(
                    chosen.mlp,
                    tune=TuneConfig(rate=0.0),
                    train=replace(chosen.mlp.train, learning_rate=rate),
                ),
            )
            for rate in (first, chosen.constant)
        ),
    ]
    return labelled(
        (replace(config, seed=seed), {"network": network, "setting": setting})
        for seed in range(min(chosen.seeds, seeds or chosen.seeds))
        for network, setting, config in settings
    )


def statistics(records: Iterable[Record], profile: str) -> dict[str, pd.DataFrame]:
    """The frames `TABLES`: those of toys always, those of runs as far as there are any.

    Returns:
        evidence: seed, degree, log_evidence, bound, sampled (nats);
        degrees: seed, degree, sotl, fitted (steps until the loss is small, or one more than all);
        degree_curves: degree, step, and mean, ci_low, ci_high, n of the loss over seeds;
        maxdeg: setting, first (MaxDeg), seed, final, distance (from the truth, mean over steps),
            reached (steps until it is within `NEAR` of the truth; all and one update if never);
        maxdeg_paths: setting, first, step, and the same of MaxDeg;
        tuning: network, setting, seed, metric, value;
        rates: network, setting, epoch, and mean, ci_low, ci_high of the test accuracy in percent;
            learning_rate (mean), n.
    """
    toys = dict(_toys(TOYS[profile]))
    wanted = design(profile)
    mine = in_order(records, wanted)
    if mine:
        toys |= {"tuning": tuning(mine, wanted), "rates": rates(mine, wanted)}
    return toys


@cache
def _toys(toy: Toy) -> tuple[tuple[str, pd.DataFrame], ...]:
    return (("evidence", evidence(toy)), *degrees(toy).items(), *maxdeg(toy).items())


def evidence(toy: Toy) -> pd.DataFrame:
    """Log evidence and SoTL's bound of each degree on each data set, exact and by samples."""
    generators = [np.random.default_rng(seed) for seed in range(toy.sets)]
    x = np.array([rng.uniform(-RANGE, RANGE, toy.points) for rng in generators])
    noise = np.array([rng.standard_normal(toy.points) for rng in generators])
    phi = features(x, max(DEGREES))
    targets = phi[..., : toy.problem.truth + 1].sum(axis=-1) + toy.noise * noise
    sampling = np.random.default_rng(toy.sets)
    parts = []
    for degree in DEGREES:
        predicted = predictions(phi[..., : degree + 1], targets, toy.noise, prior=1.0)
        of = (predicted, targets, toy.noise)
        found = {
            "log_evidence": log_evidence(*of),
            "bound": bound(*of),
            "sampled": sampled_bound(*of, toy.samples, sampling),
        }
        parts.append(pd.DataFrame({"seed": range(toy.sets), "degree": degree, **found}))
    return pd.concat(parts, ignore_index=True)


def degrees(toy: Toy) -> dict[str, pd.DataFrame]:
    """Models of fixed degrees (figure 4.2)."""
    losses = train_fixed(toy.problem, DEGREES, range(toy.seeds))
    # cos + sin has a variance of 1 over whole periods, and so has each degree of the targets.
    small = FITTED * toy.problem.truth
    recent = np.lib.stride_tricks.sliding_window_view(losses, LAST, axis=-1).mean(axis=-1) < small
    steps = losses.shape[-1]
    fitted = np.where(recent.any(axis=-1), recent.argmax(axis=-1) + LAST, steps + 1)
    rows = [
        (seed, degree, losses[seed, at].sum(), int(fitted[seed, at]))
        for seed in range(toy.seeds)
        for at, degree in enumerate(DEGREES)
    ]
    shown = np.unique(np.geomspace(1, steps, POINTS).astype(int))
    curves = [
        (degree, int(step), *mean_interval(losses[:, at, step - 1]))
        for at, degree in enumerate(DEGREES)
        for step in shown
    ]
    return {
        "degrees": pd.DataFrame(rows, columns=["seed", "degree", "sotl", "fitted"]),
        "degree_curves": pd.DataFrame(curves, columns=["degree", "step", *OF_CURVES]),
    }


def searches(toy: Toy) -> dict[str, Search]:
    """The settings of MaxDeg: figure 4.3b's, and two that take its comparisons apart.

    With T = 2, SoTL's gradient is that of two losses and the validation loss that of one; and decay
    acts once an update, so 12 times as often with T = 2 as with T = 25.
    """
    longest = toy.search
    shares = {steps: replace(longest, unroll=steps) for steps in (2, 5, 10)}
    by_validation = replace(longest, unroll=2, loss="validation")
    return {
        unrolled(longest.unroll): longest,
        **{unrolled(steps): how for steps, how in shares.items()},
        VALIDATION: by_validation,
        TWICE: replace(by_validation, rate=2 * longest.rate, weight_decay=longest.weight_decay / 2),
        DECAY: replace(shares[2], weight_decay=longest.weight_decay * 2 / longest.unroll),
    }


def maxdeg(toy: Toy) -> dict[str, pd.DataFrame]:
    """MaxDeg by gradient: from all starts with the longest unrolling, else from the first."""
    rows, paths = [], []
    for setting, how in searches(toy).items():
        starts = STARTS if how == toy.search else STARTS[:1]
        path = search(toy.problem, how, starts, range(toy.seeds))
        away = np.abs(path - toy.problem.truth)
        near = away <= NEAR
        reached = np.where(near.any(axis=0), near.argmax(axis=0), len(path)) * how.unroll
        for at, start in enumerate(starts):
            for seed in range(toy.seeds):
                of_run = path[-1, seed, at], away[:, seed, at].mean(), int(reached[seed, at])
                rows.append((setting, start, seed, *of_run))
            for place in np.unique(np.linspace(0, len(path) - 1, POINTS).astype(int)):
                values = mean_interval(path[place, :, at])
                paths.append((setting, start, int(place) * how.unroll, *values))
    return {
        "maxdeg": pd.DataFrame(rows, columns=["setting", "first", "seed", *OF_MAXDEG]),
        "maxdeg_paths": pd.DataFrame(paths, columns=["setting", "first", "step", *OF_CURVES]),
    }


def tuning(records: Sequence[Record], wanted: Design) -> pd.DataFrame:
    """What each training with a tuned rate came to, as far as it did not diverge.

    Metrics: `final` and `mean` test accuracy over the epochs, percent; `log_rate`, mean of log10 of
    the rate over the epochs; `late_halvings`, share of halved updates in the second half of the
    updates less that in the first; `clipped`, share of updates; `updates`, their number; `diverged`
    of every training. Where nearly all images of a data set are trained on, as in the thesis, and
    for as long: `best_20`, the best within 20 epochs, and `at_50`.
    """
    rows = []
    for record in records:
        labels = wanted[record.config] | {"seed": record.config.seed}
        metrics = {"diverged": float(record.status != "ok")}
        if record.status == "ok":
            correct = [epoch.test_correct for epoch in record.history]
            accuracy = 100 * np.array(correct) / record.arrays["test_images"]
            halved = record.arrays["halved"].astype(float)
            half = len(halved) // 2
            log_rates = np.log10([epoch.learning_rate for epoch in record.history])
            metrics |= {
                "final": accuracy[-1],
                "mean": accuracy.mean(),
                "log_rate": log_rates.mean(),
                "late_halvings": halved[half:].mean() - halved[:half].mean() if half else np.nan,
                "clipped": record.arrays["clipped"].mean(),
                "updates": float(len(halved)),
            }
            if record.config.data.train_images >= NEARLY_ALL and len(accuracy) >= 50:
                metrics |= {"best_20": accuracy[:20].max(), "at_50": accuracy[49]}
        rows += [labels | {"metric": name, "value": value} for name, value in metrics.items()]
    return pd.DataFrame(rows)[["network", "setting", "seed", "metric", "value"]]


def rates(records: Sequence[Record], wanted: Design) -> pd.DataFrame:
    """Test accuracy and learning rate after each epoch, over the seeds that did not diverge."""
    rows = [
        wanted[record.config]
        | {
            "epoch": place + 1,
            "accuracy": 100 * epoch.test_correct / float(record.arrays["test_images"]),
            "learning_rate": epoch.learning_rate,
        }
        for record in records
        if record.status == "ok"
        for place, epoch in enumerate(record.history)
    ]
    columns = ["network", "setting", "epoch", "mean", "ci_low", "ci_high", "learning_rate", "n"]
    found = []
    if rows:
        for of, part in pd.DataFrame(rows).groupby(["network", "setting", "epoch"], sort=False):
            mean, low, high, n = mean_interval(part["accuracy"])
            found.append((*of, mean, low, high, part["learning_rate"].mean(), n))
    return pd.DataFrame(found, columns=columns)
