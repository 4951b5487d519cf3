"""Gradients of the alphas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nasrepro.darts.learner import Batch, Learner
from nasrepro.darts.relaxations import Relax

# From the supernet, the alphas, their relaxation, and equally many batches of training and of
# validation images to the gradient of the alphas, (edges, operations). It trains on all training
# batches but the last, or on none.
GradientFunction = Callable[[Learner, Tensor, Relax, list[Batch], list[Batch]], Tensor]


def of_training(
    learner: Learner,
    alphas: Tensor,
    relax: Relax,
    training: list[Batch],
    validation: list[Batch],
) -> Tensor:
    """The approximate gradient of the sum over training losses (SoTL thesis, equation 3.22).

    Direct gradients come with those of the weights, and are summed, not averaged.
    """
    alphas.grad = None
    for batch in training[:-1]:
        learner.step(batch, relax(alphas))
    learner.loss(training[-1], relax(alphas)).backward(inputs=[alphas])
    return _taken(alphas)


def of_validation(
    learner: Learner,
    alphas: Tensor,
    relax: Relax,
    training: list[Batch],
    validation: list[Batch],
) -> Tensor:
    """The same sum with validation losses: SoVL-DARTS; with one step, first-order DARTS."""
    alphas.grad = None
    for number, batch in enumerate(validation):
        learner.loss(batch, relax(alphas)).backward(inputs=[alphas])
        if number + 1 < len(validation):
            learner.step(training[number], relax(alphas).detach())
    return _taken(alphas)


def by_finite_differences(
    learner: Learner, alphas: Tensor, relax: Relax, batch: Batch, vector: list[Tensor]
) -> Tensor:
    """The second derivative by alphas and weights times a vector (SoTL thesis, equation 3.12).

    With the distance that Liu et al. 2018 take, 0.01 by the vector's norm.
    """
    distance = 0.01 / torch.cat([part.flatten() for part in vector]).norm()
    sides = []
    for sign in (1, -1):
        parameters = {
            name: p.detach() + sign * distance * part
            for (name, p), part in zip(learner.parameters().items(), vector, strict=True)
        }
        loss = learner.loss(batch, relax(alphas), parameters)
        sides.append(torch.autograd.grad(loss, alphas, materialize_grads=True)[0])
    return (sides[0] - sides[1]) / (2 * distance).cpu()


def by_autograd(
    learner: Learner, alphas: Tensor, relax: Relax, batch: Batch, vector: list[Tensor]
) -> Tensor:
    """The same product without an approximation."""
    parameters = learner.parameters()
    loss = learner.loss(batch, relax(alphas), parameters)
    gradients = torch.autograd.grad(
        loss, list(parameters.values()), create_graph=True, materialize_grads=True
    )
    inner = torch.stack([(g * v).sum() for g, v in zip(gradients, vector, strict=True)]).sum()
    return torch.autograd.grad(inner, alphas, materialize_grads=True)[0]


def one_step_ahead(product: Callable[..., Tensor]) -> GradientFunction:
    """Second-order DARTS: the validation loss after one step (SoTL thesis, equation 3.11).

    Args:
        product: `by_finite_differences` or `by_autograd`.
    """

    def gradient(
        learner: Learner,
        alphas: Tensor,
        relax: Relax,
        training: list[Batch],
        validation: list[Batch],
    ) -> Tensor:
        parameters, rate = learner.parameters(), learner.rate()
        loss = learner.loss(training[0], relax(alphas), parameters)
        gradients = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
        ahead, _ = learner.stepped(parameters, learner.momenta(), gradients, rate)
        ahead = {name: p.detach().requires_grad_() for name, p in ahead.items()}
        validated = learner.loss(validation[0], relax(alphas), ahead)
        direct, *vector = torch.autograd.grad(
            validated, [alphas, *ahead.values()], materialize_grads=True
        )
        return direct - rate * product(learner, alphas, relax, training[0], vector)

    return gradient


def unrolled(
    learner: Learner,
    alphas: Tensor,
    relax: Relax,
    training: list[Batch],
    validation: list[Batch],
) -> Tensor:
    """The exact gradient of the sum over training losses (SoTL thesis, equation 3.20).

    By differentiating through all steps, so memory grows with their number.
    """
    parameters, momenta, total = learner.parameters(), learner.momenta(), torch.zeros(())
    for number, batch in enumerate(training):
        loss = learner.loss(batch, relax(alphas), parameters)
        total = total + loss.cpu()
        if number + 1 < len(training):
            gradients = torch.autograd.grad(
                loss, list(parameters.values()), create_graph=True, materialize_grads=True
            )
            rate = learner.rate(ahead=number)
            parameters, momenta = learner.stepped(parameters, momenta, gradients, rate)
    return torch.autograd.grad(total, alphas, materialize_grads=True)[0]


DRAWN = 4  # paths whose rewards are compared


def reinforce(
    learner: Learner,
    alphas: Tensor,
    relax: Relax,
    training: list[Batch],
    validation: list[Batch],
) -> Tensor:
    """Policy gradient of the validation accuracy of drawn paths (Williams 1992).

    Plain REINFORCE in place of ENAS' controller; the baseline of a path is the mean reward of the
    others.
    """
    batch = validation[0]
    paths = torch.stack([relax(alphas) for _ in range(DRAWN)])
    with torch.no_grad():
        hits = [
            (learner.logits(batch, path).argmax(1) == batch[1]).float().mean() for path in paths
        ]
    rewards = torch.stack(hits).cpu()
    advantages = (rewards - rewards.mean()) * DRAWN / (DRAWN - 1)
    chances = (paths * alphas.log_softmax(dim=-1)).sum(dim=(1, 2))
    return torch.autograd.grad(-(advantages * chances).mean(), alphas)[0]


def _taken(alphas: Tensor) -> Tensor:
    """The gradient that alphas have gathered, if any path leads to the output; they keep none."""
    gradient, alphas.grad = alphas.grad, None
    return torch.zeros_like(alphas) if gradient is None else gradient


@dataclass(frozen=True)
class Gradient:
    """A way to find the gradient of the alphas.

    Attributes:
        function: see `GradientFunction`.
        passes: times that a batch goes forward and back through the network for it.
        validates: whether it takes validation images.
        trains: whether it trains on all batches but the last.
        longest: steps that it can look ahead; None: any number.
        deterministic: whether it takes the same weights several times, so that none may be drawn.
    """

    function: GradientFunction
    passes: int = 1
    validates: bool = True
    trains: bool = False
    longest: int | None = 1
    deterministic: bool = False


GRADIENTS: Mapping[str, Gradient] = {
    "training": Gradient(of_training, validates=False, trains=True, longest=None),
    "validation": Gradient(of_validation, trains=True, longest=None),
    "finite differences": Gradient(
        one_step_ahead(by_finite_differences), passes=4, deterministic=True
    ),
    "exact product": Gradient(one_step_ahead(by_autograd), passes=4, deterministic=True),
    "unrolled": Gradient(unrolled, passes=4, validates=False, longest=None, deterministic=True),
    "reinforce": Gradient(reinforce, passes=2),
}
