"""Fourier degrees: a toy of architecture search whose answer is known (SoTL thesis, 4.1.2).

A target is 1 + the sum of cos(2 pi j x) + sin(2 pi j x) over j = 1 to the true degree. A linear
model has the same features up to some degree, which is to be found: by training one model of each
degree, or by gradient, with `MaxDeg` as an architecture parameter (equation 4.5).

Arrays have the axes (data sets, models, points or features): trainings side by side, of which those
of a data set see the same batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from nasrepro.errors import ConfigError

RANGE = 10.0  # points are uniform between -10 and 10
LOSSES = ("train", "validation")
Batch = tuple[np.ndarray, np.ndarray]  # features (data sets, points, features), targets
Draw = Callable[[], Batch]


def features(x: np.ndarray, degree: int) -> np.ndarray:
    """1 and cos(2 pi j x) + sin(2 pi j x) for j = 1 to `degree` (equation 4.3, a_0 = 1).

    Args:
        x: any shape.
        degree: the highest.

    Returns:
        One more axis, of degree + 1 features.

    >>> features(np.array([0.0, 0.25]), 2).round(9).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]]
    """
    angles = 2 * np.pi * np.asarray(x)[..., None] * np.arange(1, degree + 1)
    waves = np.cos(angles) + np.sin(angles)
    return np.concatenate([np.ones((*waves.shape[:-1], 1)), waves], axis=-1)


@dataclass(frozen=True)
class Problem:
    """A data set, and how models are trained on it.

    Attributes:
        points: of the training; validation has as many others.
        degree: the highest that a model can have.
        truth: the degree of the targets.
        batch_size: points of a step, drawn with replacement.
        rate: learning rate of the weights, which begin at 0.
        steps: of a training.
    """

    points: int = 10_000
    degree: int = 21
    truth: int = 3
    batch_size: int = 64
    rate: float = 0.01
    steps: int = 5_000

    def __post_init__(self) -> None:
        if not 0 <= self.truth <= self.degree:
            raise ConfigError(
                f"the true degree is one of 0 to {self.degree}, found truth={self.truth}"
            )

    def draw(self, seeds: Sequence[int]) -> tuple[Draw, Draw]:
        """What draws batches of training points and of validation points, one data set a seed."""
        sequences = [np.random.SeedSequence(seed).spawn(2) for seed in seeds]
        x = [
            np.random.default_rng(points).uniform(-RANGE, RANGE, (2, self.points))
            for points, _ in sequences
        ]
        phi = features(np.array(x), self.degree)
        y = phi[..., : self.truth + 1].sum(axis=-1)
        of = np.arange(len(seeds))[:, None]
        size = (self.steps, self.batch_size)
        drawn = [
            [np.random.default_rng(part).integers(self.points, size=size) for part in s.spawn(2)]
            for _, s in sequences
        ]
        steps = np.array(drawn).transpose(1, 2, 0, 3)  # of both parts: steps, data sets, points

        def batches(part: int) -> Draw:
            stream = ((phi[of, part, chosen], y[of, part, chosen]) for chosen in steps[part])
            return partial(next, stream)

        return batches(0), batches(1)


@dataclass(frozen=True)
class Search:
    """How MaxDeg is found by gradient.

    Attributes:
        unroll: T, the losses that an update of MaxDeg is the gradient of.
        loss: "train" for SoTL; "validation" for the validation loss after unroll - 1 steps.
        rate: learning rate of MaxDeg.
        weight_decay: of MaxDeg.
    """

    unroll: int = 25
    loss: str = "train"
    rate: float = 0.05
    weight_decay: float = 0.2

    def __post_init__(self) -> None:
        if self.unroll < 2 or self.loss not in LOSSES:
            raise ConfigError(
                f"a search unrolls at least 2 steps of one of {', '.join(LOSSES)}, "
                f"found unroll={self.unroll}, loss={self.loss!r}"
            )


def soft_step(distance: np.ndarray) -> np.ndarray:
    """f_sigma of section 4.1.2, (tanh + 1) / 2: how far a feature is selected."""
    return (np.tanh(distance) + 1) / 2


class Slopes(NamedTuple):
    """A mean squared error and its derivatives; total ones follow the weights by MaxDeg.

    Attributes:
        loss: shape (data sets, models).
        gradient: by the weights, (data sets, models, features).
        total: of the loss by MaxDeg, shape of `loss`.
        turned: of the gradient by MaxDeg, shape of `gradient`.
    """

    loss: np.ndarray
    gradient: np.ndarray
    total: np.ndarray
    turned: np.ndarray


def slopes(weights: np.ndarray, tangents: np.ndarray, degree: np.ndarray, batch: Batch) -> Slopes:
    """The loss of models with a MaxDeg (equation 4.5), in forward mode.

    Args:
        weights: shape (data sets, models, features).
        tangents: their derivatives by MaxDeg.
        degree: MaxDeg, (data sets, models).
        batch: of each data set.
    """
    phi, y = batch
    away = degree[..., None] - np.arange(phi.shape[-1])
    scale = soft_step(away)
    slope = 2 * scale * (1 - scale)  # of (tanh + 1) / 2
    flat, twice = np.swapaxes(phi, -1, -2), phi * (2 / y.shape[-1])
    rest = (weights * scale) @ flat - y[:, None]
    drift = (tangents * scale + weights * slope) @ flat
    pull = rest @ twice
    return Slopes(
        loss=(rest**2).mean(axis=-1),
        gradient=pull * scale,
        total=2 * (rest * drift).mean(axis=-1),
        turned=drift @ twice * scale + pull * slope,
    )


def search(
    problem: Problem, how: Search, starts: Sequence[float], seeds: Sequence[int]
) -> np.ndarray:
    """MaxDeg after each update, from several starts on several data sets (figure 4.3).

    An update unrolls T steps on a copy of the weights, moves MaxDeg along the gradient of the sum
    of their losses, and repeats the steps from the old weights (as algorithm 3 does). With the
    validation loss, the gradient is of one validation batch after T - 1 of the steps.

    Args:
        problem: the data sets and the training of weights.
        how: the training of MaxDeg.
        starts: MaxDeg at first, one of each model.
        seeds: of points and batches, one of each data set.

    Returns:
        Shape (updates + 1, data sets, starts).
    """
    train, validation = problem.draw(seeds)
    degree = np.tile(np.array(starts, dtype=np.float64), (len(seeds), 1))
    weights = np.zeros((*degree.shape, problem.degree + 1))
    path = [degree]
    for _ in range(problem.steps // how.unroll):
        batches = [train() for _ in range(how.unroll)]
        moved, tangents, gradient = weights, np.zeros_like(weights), np.zeros_like(degree)
        for batch in batches if how.loss == "train" else batches[:-1]:
            at = slopes(moved, tangents, degree, batch)
            moved = moved - problem.rate * at.gradient
            tangents = tangents - problem.rate * at.turned
            gradient = gradient + at.total
        if how.loss == "validation":
            gradient = slopes(moved, tangents, degree, validation()).total
        degree = degree - how.rate * (gradient + how.weight_decay * degree)
        scale = soft_step(degree[..., None] - np.arange(problem.degree + 1))
        for phi, y in batches:
            rest = (weights * scale) @ np.swapaxes(phi, -1, -2) - y[:, None]
            weights = weights - problem.rate * scale * (rest @ phi) * (2 / y.shape[-1])
        path.append(degree)
    return np.array(path)


def train_fixed(problem: Problem, degrees: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
    """Training loss before each step of one linear model of each degree (figure 4.2).

    Args:
        problem: the data sets and the training.
        degrees: of the models.
        seeds: of points and batches, one of each data set.

    Returns:
        Shape (data sets, degrees, steps); its sum over steps is SoTL.
    """
    train, _ = problem.draw(seeds)
    kept = np.arange(problem.degree + 1) <= np.array(degrees)[:, None]
    weights = np.zeros((len(seeds), *kept.shape))
    found = np.empty((len(seeds), len(degrees), problem.steps))
    for i in range(problem.steps):
        phi, y = train()
        rest = weights @ np.swapaxes(phi, -1, -2) - y[:, None]
        found[..., i] = (rest**2).mean(axis=-1)
        weights = weights - problem.rate * kept * (rest @ phi) * (2 / y.shape[-1])
    return found
