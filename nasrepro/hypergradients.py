"""Exact derivatives of an unrolled training by one hyper-parameter, in forward mode.

The hyper-parameter may act on the update (a learning rate) or on the loss (an architecture). The
derivative of the weights goes along with the weights, so memory does not grow with the number of
steps; reverse mode would have to keep all of them.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import grad_and_value, jvp

with warnings.catch_warnings(), forward_ad.dual_level():
    # The first use of forward mode loads a part of torch that warns of another part of torch.
    warnings.simplefilter("ignore", DeprecationWarning)
    forward_ad.make_dual(torch.zeros(()), torch.zeros(()))

Weights = Mapping[str, Tensor]
Loss = Callable[[Weights, Tensor, Any], Tensor]  # of weights, hyper-parameter and a batch
# From weights, hyper-parameter and a batch: the loss before the update, the weights after it.
Step = Callable[[Weights, Tensor, Any], tuple[Tensor, Weights]]


class Unrolled(NamedTuple):
    """A training of some steps.

    Attributes:
        total: sum of the losses, each before its update (SoTL).
        gradient: of that sum by the hyper-parameter, exact.
        weights: after the last update.
        tangents: their derivatives by the hyper-parameter.
    """

    total: Tensor
    gradient: Tensor
    weights: Weights
    tangents: Weights


def sgd(loss: Loss) -> Step:
    """The step of plain SGD whose learning rate is the hyper-parameter (SoTL thesis, 4.1)."""

    def step(weights: Weights, rate: Tensor, batch: Any) -> tuple[Tensor, Weights]:
        slopes, value = grad_and_value(loss)(weights, rate, batch)
        return value, {name: weights[name] - rate * slopes[name] for name in weights}

    return step


def unroll(step: Step, weights: Weights, hyper: Tensor, batches: Iterable[Any]) -> Unrolled:
    """SoTL over an unrolled training, and its exact derivative by the hyper-parameter.

    With w' = step(w, h), dw'/dh = (step's derivative by w) dw/dh + (its derivative by h), from
    dw/dh = 0: what came before the first step is taken as given (SoTL thesis, 4.1.1 and 3.3.2).

    Args:
        step: one update; differentiable.
        weights: at first, by name.
        hyper: a scalar, or one of each of several independent trainings that `step` runs at once.
        batches: one a step.

    With loss w^2 / 2 from w = 1, the losses are 1/2 and (1 - h)^2 / 2, whose sum falls by 1 - h:

    >>> step = sgd(lambda weights, rate, _: weights["w"] ** 2 / 2)
    >>> found = unroll(step, {"w": torch.tensor(1.0)}, torch.tensor(0.25), range(2))
    >>> found.total.item(), found.gradient.item(), found.weights["w"].item()
    (0.78125, -0.75, 0.5625)
    """
    total, gradient = torch.zeros_like(hyper), torch.zeros_like(hyper)
    weights = dict(weights)
    tangents: Weights = {name: torch.zeros_like(value) for name, value in weights.items()}
    for batch in batches:
        at, along = (weights, hyper), (tangents, torch.ones_like(hyper))
        after: Any = jvp(partial(_before, step, batch), at, along)
        (loss, weights), (slope, tangents) = after
        total, gradient = total + loss, gradient + slope
    return Unrolled(total, gradient, weights, tangents)


def _before(step: Step, batch: Any, weights: Weights, hyper: Tensor) -> tuple[Tensor, Weights]:
    return step(weights, hyper, batch)


def gradient_after(loss: Loss, unrolled: Unrolled, hyper: Tensor, batch: Any) -> Tensor:
    """Exact derivative of a loss after an unrolled training, e.g. of a validation loss.

    Args:
        loss: of the last weights.
        unrolled: the training.
        hyper: what it was unrolled with.
        batch: what the loss is of.
    """
    at, along = (unrolled.weights, hyper), (unrolled.tangents, torch.ones_like(hyper))
    both: Any = jvp(lambda weights, hyper: loss(weights, hyper, batch), at, along)
    return both[1]
