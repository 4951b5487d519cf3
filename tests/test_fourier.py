"""Fourier degrees: derivatives, searches and the two ways to the same gradient."""

import numpy as np
import pytest
import torch

from nasrepro.errors import ConfigError
from nasrepro.fourier import Problem, Search, features, search, slopes, soft_step, train_fixed
from nasrepro.hypergradients import sgd, unroll

SMALL = Problem(points=200, degree=6, batch_size=16, rate=0.02, steps=60)
SEEDS, STARTS = (0, 1), (-1.0, 2.0, 5.0)


def total_loss(degree: np.ndarray, batches: list, rate: float) -> np.ndarray:
    """SoTL of some steps, by the loss alone."""
    weights = np.zeros((*degree.shape, SMALL.degree + 1))
    total = np.zeros_like(degree)
    for batch in batches:
        at = slopes(weights, np.zeros_like(weights), degree, batch)
        total += at.loss
        weights = weights - rate * at.gradient
    return total


def unrolled(degree: np.ndarray, batches: list, rate: float) -> np.ndarray:
    """The derivative of the same, in forward mode."""
    weights = np.zeros((*degree.shape, SMALL.degree + 1))
    tangents, total = np.zeros_like(weights), np.zeros_like(degree)
    for batch in batches:
        at = slopes(weights, tangents, degree, batch)
        weights, tangents = weights - rate * at.gradient, tangents - rate * at.turned
        total += at.total
    return total


@pytest.fixture
def batches() -> list:
    train, _ = SMALL.draw(SEEDS)
    return [train() for _ in range(7)]


def test_the_gradient_of_maxdeg_is_that_of_finite_differences(batches):
    degree = np.tile(STARTS, (len(SEEDS), 1))
    h = 1e-5
    up, down = (total_loss(degree + way * h, batches, 0.02) for way in (1, -1))
    assert unrolled(degree, batches, 0.02) == pytest.approx((up - down) / (2 * h), rel=1e-6)


def test_it_is_also_that_of_automatic_differentiation(batches):
    """The closed form of this model and `hypergradients.unroll` of any model."""
    start = 2.5
    kinds = torch.arange(SMALL.degree + 1, dtype=torch.float64)

    def loss(weights, degree, batch):
        phi, y = batch
        scale = (torch.tanh(degree - kinds) + 1) / 2
        return ((phi @ (weights["w"] * scale) - y) ** 2).mean()

    def step(weights, degree, batch):
        slope = torch.func.grad(loss)(weights, degree, batch)["w"]
        return loss(weights, degree, batch), {"w": weights["w"] - 0.02 * slope}

    first = [tuple(torch.from_numpy(part[0]) for part in batch) for batch in batches]
    zeros = {"w": torch.zeros(SMALL.degree + 1, dtype=torch.float64)}
    by_torch = unroll(step, zeros, torch.tensor(start, dtype=torch.float64), first)
    ours = unrolled(np.full((len(SEEDS), 1), start), batches, 0.02)
    assert ours[0, 0] == pytest.approx(by_torch.gradient.item(), rel=1e-9)


def test_models_and_data_sets_side_by_side_are_those_alone():
    how = Search(unroll=5, rate=0.1, weight_decay=0.05)
    together = search(SMALL, how, STARTS, SEEDS)
    assert together.shape == (60 // 5 + 1, 2, 3)
    alone = search(SMALL, how, STARTS[1:2], SEEDS[1:])
    assert alone[:, 0, 0] == pytest.approx(together[:, 1, 1], rel=1e-9)


def test_only_decay_moves_maxdeg_where_nothing_is_learned():
    """With a weights' rate of 0 all weights stay 0, so no loss depends on MaxDeg."""
    frozen = Problem(points=50, degree=4, batch_size=8, rate=0.0, steps=6)
    path = search(frozen, Search(unroll=2, rate=0.5, weight_decay=0.1), [4.0], [0])
    assert path[:, 0, 0] == pytest.approx(4 * 0.95 ** np.arange(4))


def test_from_zero_weights_only_the_second_of_two_losses_moves_maxdeg():
    """So there SoTL with T = 2 and the validation loss after one step move it alike."""
    one = Problem(points=200, degree=6, batch_size=4_000, rate=0.02, steps=2)
    moves = [
        search(one, Search(2, loss, rate=1.0, weight_decay=0.0), [2.0], [0])[:, 0, 0]
        for loss in ("train", "validation")
    ]
    by_train, by_validation = (float(np.diff(move).item()) for move in moves)
    # Other points of the same function: equal but for sampling.
    assert by_train > 0 and by_validation == pytest.approx(by_train, rel=0.3)


def test_too_low_a_degree_cannot_fit_and_the_true_one_can():
    found = train_fixed(SMALL, [1, 3], SEEDS)
    assert found.shape == (2, 2, 60)
    # From weights 0, the first losses are those of the targets themselves.
    assert found[:, 0, 0] == pytest.approx(found[:, 1, 0])
    assert (found[:, 1, -1] < 0.1 * found[:, 0, -1]).all()


def test_waves_and_the_soft_step():
    assert features(np.array([1 / 8]), 1)[0] == pytest.approx([1, np.sqrt(2)])
    assert soft_step(np.array([-30.0, 0.0, 30.0])) == pytest.approx([0, 0.5, 1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="one of 0 to 4, found truth=5"):
        Problem(degree=4, truth=5)
    with pytest.raises(ConfigError, match="at least 2 steps"):
        Search(unroll=1)
    with pytest.raises(ConfigError, match="loss='test'"):
        Search(loss="test")


def test_the_learning_rate_is_a_hyper_parameter_like_another():
    step = sgd(lambda weights, rate, target: (weights["w"] - target) ** 2)
    found = unroll(step, {"w": torch.tensor(0.0)}, torch.tensor(0.1), [1.0, 1.0])
    # w = 0, 0.2: losses 1 and 0.64; d/dh (1 - 2h)^2 = -4 (1 - 2h).
    assert found.total.item() == pytest.approx(1.64)
    assert found.gradient.item() == pytest.approx(-3.2)
