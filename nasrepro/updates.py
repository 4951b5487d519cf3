"""How one update of a network uses the gradients of its paths: small interchangeable objects.

Which paths an update takes is a sampler's business. SPOS, FairNAS and MultiPath (SoTL thesis 3.4.2)
differ in the sampler alone and add up or average gradients; Reptile and MetaMinibatchProx train
each path some steps on the same images, and take over where that led.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from nasrepro.errors import ConfigError
from nasrepro.spaces import AnyPath

PENALTIES = ("squared", "norm")


class Task(NamedTuple):
    """A path, and the images that it learns from."""

    path: AnyPath
    images: Tensor  # normalised, (batch, 3, height, width)
    labels: Tensor  # (batch,)


class Shown(NamedTuple):
    """What a path made of its images before the update."""

    loss: Tensor  # mean cross-entropy, never smoothed; one number
    correct: Tensor  # images; one number


class Learner(Protocol):
    """A network and its optimiser."""

    @property
    def parameters(self) -> Sequence[Tensor]:
        """All that is trained."""
        ...

    def gradients(self, tasks: Sequence[Task], share: float = 1) -> list[Shown]:
        """Replace the gradients by the sum of those of some tasks' losses, times `share`."""
        ...

    def descend(self) -> None:
        """One step of the optimiser, after the clipping of the gradients."""
        ...


@dataclass(frozen=True, slots=True)
class Accumulate:
    """One step with the sum, or the mean, of the tasks' gradients: SPOS, FairNAS, MultiPath."""

    mean: bool = False

    def __call__(self, learner: Learner, tasks: Sequence[Task]) -> list[Shown]:
        """Update the network; what its tasks showed, in their order."""
        shown = learner.gradients(tasks, 1 / len(tasks) if self.mean else 1)
        learner.descend()
        return shown


@dataclass(frozen=True, slots=True)
class Reptile:
    """Steps of each path on its images; the weights go a share of the mean way (Algorithm 4).

    With plain gradient descent the way is the learning rate times the sum of the gradients along
    it: the thesis' approximate gradient of SoTL (equation 3.24). With one path and the whole way,
    as in the authors' code, it is nothing but these steps.
    """

    inner_steps: int = 4
    outer_rate: float = 1.0  # share of the way; the thesis names none, its code takes all

    def __post_init__(self) -> None:
        _check_adaptation(self.inner_steps, self.outer_rate)

    def __call__(self, learner: Learner, tasks: Sequence[Task]) -> list[Shown]:
        """As `Accumulate`; what each task showed before its first step."""
        return _adapt(learner, tasks, self.inner_steps, self.outer_rate)


@dataclass(frozen=True, slots=True)
class MetaMinibatchProx:
    """Reptile whose steps are drawn back to where they began (Zhou et al. 2019; Metaprox).

    To the loss comes strength / 2 times the squared distance of the weights from those before the
    first step, as in the authors' code and Zhou et al., or the distance itself, as the text prints.
    """

    inner_steps: int = 4
    outer_rate: float = 1.0
    strength: float = 10.0  # the text's lambda
    penalty: str = "squared"  # or "norm"

    def __post_init__(self) -> None:
        _check_adaptation(self.inner_steps, self.outer_rate)
        if self.penalty not in PENALTIES:
            raise ConfigError(
                f"unknown penalty {self.penalty!r}; choose from {', '.join(PENALTIES)}"
            )
        if self.strength < 0:
            raise ConfigError(f"the penalty's strength is at least 0, found {self.strength}")

    def __call__(self, learner: Learner, tasks: Sequence[Task]) -> list[Shown]:
        """As `Reptile`; a loss is shown without the penalty."""
        return _adapt(learner, tasks, self.inner_steps, self.outer_rate, self)

    @torch.no_grad()
    def pull(self, parameters: Sequence[Tensor], start: Sequence[Tensor]) -> None:
        """Add the penalty's gradient; where the weights are still those of the start, it has none.

        Args:
            parameters: with the gradients of the loss; those without one are not of the path.
            start: their values before the first step.
        """
        ways = {
            parameter: parameter - before
            for parameter, before in zip(parameters, start, strict=True)
            if parameter.grad is not None
        }
        scale: float | Tensor = self.strength
        if self.penalty == "norm":
            length = torch.stack([way.square().sum() for way in ways.values()]).sum().sqrt()
            scale = self.strength / 2 / length.clamp_min(torch.finfo(length.dtype).tiny)
        for parameter, way in ways.items():
            assert parameter.grad is not None  # by the choice above
            parameter.grad += scale * way


Adaptation = Reptile | MetaMinibatchProx
Update = Accumulate | Adaptation


def _check_adaptation(inner_steps: int, outer_rate: float) -> None:
    if inner_steps < 1 or not 0 < outer_rate <= 1:
        raise ConfigError(
            "a path takes at least 1 step and the weights a share of its way up to 1, found "
            f"inner_steps={inner_steps}, outer_rate={outer_rate}"
        )


def _adapt(
    learner: Learner,
    tasks: Sequence[Task],
    steps: int,
    rate: float,
    penalty: MetaMinibatchProx | None = None,
) -> list[Shown]:
    """Train every task from the same weights, then go towards the mean of where that led."""
    parameters = learner.parameters
    start = [parameter.detach().clone() for parameter in parameters]
    ends = [torch.zeros_like(before) for before in start]
    shown = []
    for task in tasks:
        _set(parameters, start)
        for step in range(steps):
            seen = learner.gradients([task])
            if step == 0:
                shown += seen
            if penalty:
                penalty.pull(parameters, start)
            learner.descend()
        for end, parameter in zip(ends, parameters, strict=True):
            end += parameter.detach() / len(tasks)
    _set(parameters, [torch.lerp(*way, rate) for way in zip(start, ends, strict=True)])
    return shown


@torch.no_grad()
def _set(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
