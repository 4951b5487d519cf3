"""Differentiable architecture search: what differs between algorithms, and the one loop of all.

An algorithm is a way to make the weights of a forward pass from alphas (`RELAXATIONS`), a gradient
of the alphas (`GRADIENTS`), and how many steps of training lie between two of their updates. Alphas
are few: they, what is drawn for them and their optimiser live on the CPU.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice, pairwise
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.distributions import Dirichlet
from torch.func import functional_call
from torch.nn import functional as F

from nasrepro.canonical import later
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError, meant
from nasrepro.train import TrainConfig, autocast, batches, learning_rate, make_optimizer

Batch = tuple[Tensor, Tensor]  # normalised images and labels
Parameters = dict[str, Tensor]
Relax = Callable[[Tensor], Tensor]  # from alphas to the weights of one forward pass


# ---- from alphas to weights


@dataclass(frozen=True)
class Relaxation:
    """How alphas become weights.

    Attributes:
        weights: from alphas (edges, operations), the share of the search that is over and a
            generator to the weights of one forward pass, of the same shape.
        mean: the weights that stand for all draws.
        paths: operations that are computed on each edge; None: all.
        drawn: whether two calls give different weights.
        some: whether it can do with some of the alternatives: see `among`.
    """

    weights: Callable[[Tensor, float, torch.Generator], Tensor]
    mean: Callable[[Tensor], Tensor]
    paths: int | None = None
    drawn: bool = True
    some: bool = False


def softmax(alphas: Tensor) -> Tensor:
    """DARTS (SoTL thesis, equation 3.8)."""
    return alphas.softmax(dim=-1)


def among(alphas: Tensor, offered: Tensor | None) -> Tensor:
    """Alphas that stand for no alternative are minus infinity, of which relaxations make zeros.

    Args:
        alphas: (choices, alternatives).
        offered: which of them stand for one, bool of the same shape; None: all.
    """
    return alphas if offered is None else alphas.masked_fill(~offered, -math.inf)


def strongest(scores: Tensor, count: int) -> Tensor:
    """Which alternatives of each choice have the largest scores, bool; the first of equal ones.

    Args:
        scores: (choices, alternatives).
        count: of alternatives that a choice keeps.

    >>> strongest(torch.tensor([[0.1, 0.3, 0.2], [0.0, 0.0, 0.0]]), 2).tolist()
    [[False, True, True], [True, True, False]]
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, order[:, :count], True)


def concentrations(alphas: Tensor) -> Tensor:
    """Those of DrNAS' Dirichlet distributions, ELU + 1 (Chen et al. 2021)."""
    return F.elu(alphas) + 1


def dirichlet(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """DrNAS: drawn from a Dirichlet distribution on each edge, with pathwise gradients.

    Some weights of such a draw, divided by their sum, are drawn from the Dirichlet distribution of
    these alone: so the authors leave out operations (Chen et al. 2021).
    """
    left_out = alphas.isneginf()
    beta = concentrations(alphas).masked_fill(left_out, 1.0)
    with torch.random.fork_rng(devices=[]):  # its draws take no generator
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        drawn = Dirichlet(beta).rsample()
    if not left_out.any():
        return drawn
    kept = drawn.masked_fill(left_out, 0.0)
    return kept / kept.sum(dim=-1, keepdim=True)


def gumbel(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """GDAS: one operation an edge, drawn by the Gumbel trick (Dong & Yang 2019).

    Its weight is 1 and passes on the gradient of a softmax whose temperature falls from 10 to 0.1.
    The others are not computed, so their weights send none.
    """
    temperature = 10 + (0.1 - 10) * progress
    noise = -torch.empty_like(alphas).exponential_(generator=generator).log()
    soft = ((alphas.log_softmax(dim=-1) + noise) / temperature).softmax(dim=-1)
    hard = F.one_hot(soft.argmax(dim=-1), soft.shape[-1]).to(soft)
    return hard - soft.detach() + soft


def categorical(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """One operation an edge, drawn by the softmax, without a gradient."""
    chosen = torch.multinomial(alphas.detach().softmax(dim=-1), 1, generator=generator)[:, 0]
    return F.one_hot(chosen, alphas.shape[-1]).to(alphas)


def _mean_of_dirichlet(alphas: Tensor) -> Tensor:
    beta = concentrations(alphas)
    return beta / beta.sum(dim=-1, keepdim=True)


RELAXATIONS: Mapping[str, Relaxation] = {
    "softmax": Relaxation(lambda alphas, *_: softmax(alphas), softmax, drawn=False, some=True),
    "dirichlet": Relaxation(dirichlet, _mean_of_dirichlet, some=True),
    "gumbel": Relaxation(gumbel, softmax, paths=1),
    "categorical": Relaxation(categorical, softmax, paths=1),
}


# ---- the weights of the supernet


class Learner:
    """A supernet and the optimiser of its weights: they take steps, and can be put back.

    Args:
        net: called as `net(images, weights)`.
        config: schedule and optimiser.
        steps: of the whole training, which the learning rate is scheduled over.
    """

    def __init__(self, net: nn.Module, config: TrainConfig, steps: int) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config = config
        self.optimizer = make_optimizer(net, config)
        self.steps = steps
        self.losses: list[Tensor] = []  # of each step so far, before it

    @property
    def progress(self) -> float:
        """The share of the training that is over."""
        return len(self.losses) / self.steps

    def rate(self, ahead: int = 0) -> float:
        """The learning rate of the next step, or of one that lies so many steps ahead."""
        return learning_rate((len(self.losses) + ahead) / self.steps, self.config)

    def logits(self, batch: Batch, weights: Tensor, parameters: Parameters | None = None) -> Tensor:
        """Of a batch, with the supernet's own parameters or others."""
        images, _ = batch
        with autocast(images.device, self.config.precision):
            if parameters is None:
                return self.net(images, weights).float()
            return functional_call(self.net, parameters, (images, weights)).float()

    def loss(self, batch: Batch, weights: Tensor, parameters: Parameters | None = None) -> Tensor:
        """Mean cross-entropy of a batch."""
        return F.cross_entropy(self.logits(batch, weights, parameters), batch[1])

    def step(self, batch: Batch, weights: Tensor) -> None:
        """Train on a batch; whatever else the weights depend on receives its gradient, too."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch, weights)
        loss.backward()
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.losses.append(loss.detach())

    def parameters(self) -> Parameters:
        """The supernet's, by name."""
        return dict(self._named())

    def momenta(self) -> Parameters:
        """The momentum of each parameter, zero before the first step."""
        state = self.optimizer.state
        known = {name: state.get(p, {}).get("momentum_buffer") for name, p in self._named()}
        return {
            name: torch.zeros_like(p) if known[name] is None else known[name]
            for name, p in self._named()
        }

    def stepped(
        self, parameters: Parameters, momenta: Parameters, gradients: Sequence[Tensor], rate: float
    ) -> tuple[Parameters, Parameters]:
        """Parameters and momenta after a step of SGD, without clipping, as a function of them."""
        groups = self.optimizer.param_groups
        decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
        decays = {name: decay[id(p)] for name, p in self._named()}
        moved = {
            name: self.config.momentum * momenta[name] + gradient + decays[name] * parameters[name]
            for name, gradient in zip(parameters, gradients, strict=True)
        }
        return {name: p - rate * moved[name] for name, p in parameters.items()}, moved

    def kept(self) -> Any:
        """What `restore` puts back: weights, momentum and the number of steps."""
        state = self.net.state_dict(), self.optimizer.state_dict()
        return *copy.deepcopy(state), len(self.losses)

    def restore(self, kept: Any) -> None:
        """Put back what was kept."""
        weights, optimizer, done = kept
        self.net.load_state_dict(weights)
        self.optimizer.load_state_dict(optimizer)
        del self.losses[done:]

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        return list(self.net.named_parameters())


def widened(learner: Learner, net: nn.Module, generator: torch.Generator) -> Learner:
    """A learner of a wider network that goes on where that of a narrower one stands.

    Each new row of a tensor, in each of its dimensions, is a copy of an old one that is drawn, and
    so is its momentum: as DrNAS' authors widen a network. What it computes does change.

    Args:
        learner: of the narrower network.
        net: with the same parameters, each at least as large in every dimension.
        generator: draws the rows; on the CPU.
    """
    wider = Learner(net, learner.config, learner.steps)
    wider.losses = learner.losses
    for old, new in zip(learner.net.parameters(), net.parameters(), strict=True):
        rows = [
            torch.cat([torch.arange(few), torch.randint(few, (many - few,), generator=generator)])
            for few, many in zip(old.shape, new.shape, strict=True)
        ]
        with torch.no_grad():
            new.copy_(_copied(old, rows))
        wider.optimizer.state[new] = {
            name: _copied(value, rows) if value.shape == old.shape else value
            for name, value in learner.optimizer.state[old].items()
        }
    return wider


def _copied(values: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """The rows of a tensor that are named for each of its dimensions."""
    for dimension, chosen in enumerate(rows):
        values = values.index_select(dimension, chosen.to(values.device))
    return values


# ---- gradients of the alphas

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
        sides.append(torch.autograd.grad(loss, alphas)[0])
    return (sides[0] - sides[1]) / (2 * distance).cpu()


def by_autograd(
    learner: Learner, alphas: Tensor, relax: Relax, batch: Batch, vector: list[Tensor]
) -> Tensor:
    """The same product without an approximation."""
    parameters = learner.parameters()
    loss = learner.loss(batch, relax(alphas), parameters)
    gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    inner = torch.stack([(g * v).sum() for g, v in zip(gradients, vector, strict=True)]).sum()
    return torch.autograd.grad(inner, alphas)[0]


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
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        ahead, _ = learner.stepped(parameters, learner.momenta(), gradients, rate)
        ahead = {name: p.detach().requires_grad_() for name, p in ahead.items()}
        validated = learner.loss(validation[0], relax(alphas), ahead)
        direct, *vector = torch.autograd.grad(validated, [alphas, *ahead.values()])
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
            gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
            rate = learner.rate(ahead=number)
            parameters, momenta = learner.stepped(parameters, momenta, gradients, rate)
    return torch.autograd.grad(total, alphas)[0]


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


# ---- the search


FADING = 5.0  # of a dropout's logarithm over a phase: PDARTS' 0.2 an epoch in 25 epochs


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a search; the defaults change nothing.

    Where the number of cells changes all begins anew, weights, alphas and the learning rate's
    schedule, but for the operations that are left (PDARTS, Chen et al. 2019); where it stays all
    goes on, and a network that gets wider keeps its weights (DrNAS, Chen et al. 2021).
    """

    epochs: int
    operations: int | None = None  # kept on each edge, the strongest; None: all that were there
    share: int = 1  # operations see one channel of so many, and the others pass by
    cells: int | None = None  # of the network; None: as its config says
    skip_dropout: float = 0.0  # chance of a skip's value to be zero, when the phase begins

    def __post_init__(self) -> None:
        for name in ("epochs", "operations", "share", "cells"):
            least = 2 if name == "operations" else 1
            if (value := getattr(self, name)) is not None and value < least:
                raise ConfigError(f"a phase has at least {least} {name}, not {value}")
        if not 0 <= self.skip_dropout < 1:
            raise ConfigError(f"skip_dropout is a share below 1, found {self.skip_dropout}")

    def dropout(self, epoch: int, warmup: int) -> float:
        """The dropout of skips in an epoch of the phase, as PDARTS' authors let it fall.

        Linearly while alphas wait, and exponentially from its start again when they move.

        >>> phase = Phase(25, skip_dropout=0.5)
        >>> [round(phase.dropout(epoch, warmup=10), 3) for epoch in (0, 9, 10, 15, 24)]
        [0.48, 0.3, 0.5, 0.184, 0.03]
        """
        if epoch < warmup:
            return self.skip_dropout * (self.epochs - epoch - 1) / self.epochs
        return self.skip_dropout * math.exp(-FADING * (epoch - warmup) / self.epochs)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How alphas are searched; the defaults are first-order DARTS with table B.1's values."""

    relaxation: str = "softmax"
    gradient: str = "validation"
    steps: int = 1  # of training, over which a gradient is summed (the thesis' T)
    replay: bool = True  # put the weights back after the sum, and train on the same batches again
    learning_rate: float = 3e-4  # of Adam; 0: alphas stay, and gradients are only noted
    weight_decay: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)  # of Adam, as Liu et al. 2018
    initial_noise: float = 1e-3  # standard deviation of the first alphas
    warmup_epochs: int = later(0)  # before the first update, of each phase
    phases: tuple[Phase, ...] = later(())  # one after the other; none: a single one
    most_skips: int | None = later(None)  # of the normal cell that is selected; None: any

    def __post_init__(self) -> None:
        for name, known in (("relaxation", RELAXATIONS), ("gradient", GRADIENTS)):
            if (value := getattr(self, name)) not in known:
                raise ConfigError(
                    f"unknown {name} {value!r}{meant(value, known)}; choose from {', '.join(known)}"
                )
        gradient, relaxation = GRADIENTS[self.gradient], RELAXATIONS[self.relaxation]
        if self.steps < 1 or self.steps > (gradient.longest or self.steps):
            most = "1" if gradient.longest == 1 else "at least 1"
            raise ConfigError(
                f"the gradient {self.gradient!r} takes steps={most}, not {self.steps}"
            )
        if gradient.deterministic and relaxation.drawn:
            raise ConfigError(
                f"the gradient {self.gradient!r} takes the same weights several times; with "
                f"{self.relaxation!r} they are drawn"
            )
        if (self.gradient == "reinforce") != (self.relaxation == "categorical"):
            raise ConfigError("gradient='reinforce' and relaxation='categorical' go together")
        self._check_phases()

    def _check_phases(self) -> None:
        """Raise a ConfigError unless phases follow each other, and the algorithm can have them."""
        kept = [phase.operations for phase in self.phases if phase.operations is not None]
        if self.phases and self.phases[0].operations is not None:
            raise ConfigError("the first phase has all operations: operations=None")
        if kept != sorted(set(kept), reverse=True):
            raise ConfigError(
                "a phase keeps fewer operations than the one before, found "
                + " after ".join(map(str, reversed(kept)))
            )
        if kept and not RELAXATIONS[self.relaxation].some:
            able = [repr(name) for name, relaxation in RELAXATIONS.items() if relaxation.some]
            raise ConfigError(
                f"phases leave out operations with relaxation={' or '.join(able)}, "
                f"not {self.relaxation!r}"
            )
        if self.most_skips is not None and (self.most_skips < 0 or min(kept, default=3) < 3):
            raise ConfigError(
                "a limit of skips is a number from 0, and leaves a choice of 3 operations on each "
                f"edge, found most_skips={self.most_skips} and {min(kept, default=3)} operations"
            )
        for before, phase in pairwise(self.phases):
            if before.cells == phase.cells and before.share < phase.share:
                raise ConfigError("a network gets no narrower: share falls, or cells change")
        drops = any(phase.skip_dropout for phase in self.phases)
        if drops and GRADIENTS[self.gradient].deterministic:
            raise ConfigError(
                f"the gradient {self.gradient!r} takes the same weights several times; with "
                "skip_dropout other skips are dropped each time"
            )

    def stretches(self, epochs: int) -> list[list[Phase]]:
        """The phases of a search of so many epochs, in parts that begin anew."""
        phases = self.phases or (Phase(epochs),)
        return [list(part) for _, part in groupby(phases, key=lambda phase: phase.cells)]

    @property
    def passes(self) -> float:
        """How often a batch of training images, or one of validation, goes through the network."""
        gradient = GRADIENTS[self.gradient]
        once = 1 / self.steps
        # Where the sum trains, direct gradients of training losses cost no pass of their own.
        trained = 1 - once if gradient.trains and gradient.validates else 0
        return gradient.passes + trained + (1 if self.replay or not gradient.trains else once)


def check_search(algorithm: Algorithm, train: TrainConfig) -> None:
    """Raise a ConfigError unless the weights are trained as the algorithm differentiates them."""
    ahead = ("finite differences", "exact product", "unrolled")
    if algorithm.gradient in ahead and (train.rmsprop or train.nesterov):
        raise ConfigError(
            f"the gradient {algorithm.gradient!r} looks through steps of SGD with plain momentum; "
            "take rmsprop=None and nesterov=False"
        )
    if algorithm.gradient == "unrolled" and train.gradient_clip is not None:
        raise ConfigError("exact gradients look through steps without clipping: gradient_clip=None")
    if (train.label_smoothing, train.gradients, train.batches) != (0, "sum", "separate"):
        raise ConfigError("a search takes one batch a step and its plain loss: no smoothing")
    phases = [phase for part in algorithm.stretches(train.epochs) for phase in part]
    if (total := sum(phase.epochs for phase in phases)) != train.epochs:
        raise ConfigError(f"the phases have {total} epochs together, the search {train.epochs}")
    if algorithm.warmup_epochs >= (shortest := min(phase.epochs for phase in phases)):
        raise ConfigError(f"the warm-up ends before a phase of {shortest} epochs does")


@dataclass(frozen=True, eq=False, slots=True)
class Searched:
    """What one epoch of a search showed.

    Attributes:
        loss: mean over the training batches, as they were trained on last.
        alphas: after the epoch, float32 (edges, operations); minus infinity of those left out.
        gradient: sum over the epoch, float32 (edges, operations).
        steps: updates of the alphas, or of notes of their gradient.
        net: the supernet as it stands.
        phase: that the epoch belongs to.
    """

    loss: float
    alphas: np.ndarray
    gradient: np.ndarray
    steps: int
    net: nn.Module
    phase: Phase


def initial_alphas(
    shape: Sequence[int],
    algorithm: Algorithm,
    generator: torch.Generator,
    offered: Tensor | None = None,
) -> Tensor:
    """Small random numbers, or zeros, on the CPU; zeros where `offered`, if given, says no."""
    noise = torch.randn(tuple(shape), generator=generator)
    if offered is not None:
        noise = noise * offered
    return (algorithm.initial_noise * noise).requires_grad_()


def search(
    build: Callable[[Phase], nn.Module],
    alphas: Tensor,
    split: Split,
    train: TrainConfig,
    algorithm: Algorithm,
    training_images: torch.Generator,
    validation_images: torch.Generator,
    draws: torch.Generator,
    offered: Tensor | None = None,
) -> Iterator[Searched]:
    """Search alphas in place, and train the weights of a supernet.

    Of each period of `algorithm.steps` batches, first the alphas' gradient is found, then they are
    updated, then the weights are trained: from where they were, on the same batches (SoTL thesis,
    algorithm 3); or, without a replay, on the one batch that the sum has not trained on. An epoch's
    last period is as long as the epoch leaves. Between two epochs the network may be evaluated. A
    search ends early, after the epoch, when a loss or an alpha is not finite.

    Args:
        build: makes an initialised supernet for a phase, called as `net(images, weights)`, on the
            device of the split; with `skip_dropout`, if phases have one.
        alphas: as `initial_alphas` gives them.
        split: images, uint8, on the device to train on; the validation images are augmented, too.
        train: schedule and optimiser of the weights; its batch size holds for both.
        algorithm: all that decides the alphas.
        training_images: draws order and augmentation of the training images; on the CPU.
        validation_images: of the validation images.
        draws: what relaxations draw, and what begins anew or gets wider between phases.
        offered: see `among`; alphas that stand for nothing stay as they are, zero.

    Yields:
        One entry after each epoch.

    Raises:
        ConfigError: before the first epoch, if there are too few images for a batch.
    """
    check_search(algorithm, train)
    per_epoch = len(split.train_labels) // train.batch_size
    validates = GRADIENTS[algorithm.gradient].validates
    if not per_epoch or (validates and len(split.validation_labels) < train.batch_size):
        raise ConfigError(f"there are too few images for a batch of {train.batch_size}")
    swapped = replace(
        split, train_images=split.validation_images, train_labels=split.validation_labels
    )
    stream = batches(split, train, training_images)
    judged = batches(swapped, train, validation_images) if validates else iter(())
    kept: Tensor | None = None
    scores = alphas.detach()
    for number, phases in enumerate(algorithm.stretches(train.epochs)):
        if number:
            alphas.data.copy_(initial_alphas(alphas.shape, algorithm, draws, offered).detach())
        steps = per_epoch * sum(phase.epochs for phase in phases)
        learner, optimizer = Learner(build(phases[0]), train, steps), _adam(alphas, algorithm)
        gathered = torch.zeros_like(alphas, requires_grad=False)
        for before, phase in pairwise((phases[0], *phases)):
            if phase.share != before.share:
                learner = widened(learner, build(phase), draws)
            if phase.operations is not None:
                kept = strongest(among(scores, kept), phase.operations)
                alphas.data.masked_fill_(~kept, 0.0)
            relax = partial(_weights, algorithm, learner, draws, offered if kept is None else kept)
            for epoch in range(phase.epochs):
                waits = epoch < algorithm.warmup_epochs
                with _dropping(learner.net, phase.dropout(epoch, algorithm.warmup_epochs)):
                    gradient, updates = _epoch(
                        learner,
                        alphas,
                        None if waits else optimizer,
                        relax,
                        algorithm,
                        islice(stream, per_epoch),
                        judged,
                    )
                gathered += gradient
                loss = float(torch.stack(learner.losses[-per_epoch:]).mean())
                left = among(alphas.detach(), kept).numpy().copy()
                yield Searched(loss, left, gradient.numpy(), updates, learner.net, phase)
                if not math.isfinite(loss) or not alphas.isfinite().all():
                    return
            scores = alphas.detach().clone() if algorithm.learning_rate else -gathered


def _adam(alphas: Tensor, algorithm: Algorithm) -> torch.optim.Adam:
    return torch.optim.Adam(
        [alphas],
        lr=algorithm.learning_rate,
        betas=algorithm.betas,
        weight_decay=algorithm.weight_decay,
    )


def _weights(
    algorithm: Algorithm,
    learner: Learner,
    draws: torch.Generator,
    present: Tensor | None,
    alphas: Tensor,
) -> Tensor:
    """The weights of a forward pass; see `among` for what is present."""
    relaxation = RELAXATIONS[algorithm.relaxation]
    return relaxation.weights(among(alphas, present), learner.progress, draws)


@contextmanager
def _dropping(net: Any, rate: float) -> Iterator[None]:
    """Within it, skips of a network are dropped out, if the rate is not zero."""
    if rate:
        net.skip_dropout = rate
    yield
    if rate:
        net.skip_dropout = 0.0


def _epoch(
    learner: Learner,
    alphas: Tensor,
    optimizer: torch.optim.Adam | None,
    relax: Relax,
    algorithm: Algorithm,
    training: Iterator[Batch],
    validation: Iterator[Batch],
) -> tuple[Tensor, int]:
    """Search and train on the training batches of an epoch, period by period.

    Returns:
        The sum of the alphas' gradients, and how many there were: none without an optimiser.
    """
    learner.net.train()
    total, updates = torch.zeros_like(alphas, requires_grad=False), 0
    while period := list(islice(training, algorithm.steps)):
        left = period
        if optimizer is not None:
            others = list(islice(validation, len(period)))
            gradient, left = _update(learner, alphas, optimizer, relax, algorithm, period, others)
            total, updates = total + gradient, updates + 1
        for batch in left:
            learner.step(batch, relax(alphas).detach())
    return total, updates


def _update(
    learner: Learner,
    alphas: Tensor,
    optimizer: torch.optim.Optimizer,
    relax: Relax,
    algorithm: Algorithm,
    training: list[Batch],
    validation: list[Batch],
) -> tuple[Tensor, list[Batch]]:
    """Update the alphas once; returns their gradient and the batches to train on afterwards."""
    way = GRADIENTS[algorithm.gradient]
    replays = algorithm.replay and way.trains and len(training) > 1
    kept = learner.kept() if replays else None
    gradient = way.function(learner, alphas, relax, training, validation)
    if replays:
        learner.restore(kept)
    if algorithm.learning_rate:
        alphas.grad = gradient.clone()
        optimizer.step()
        optimizer.zero_grad()
    return gradient.detach(), training if algorithm.replay or not way.trains else training[-1:]


# ---- diagnostics


def architecture_spectrum(
    net: nn.Module,
    alphas: Tensor,
    mean: Callable[[Tensor], Tensor],
    batch: Batch,
    largest: int | None = None,
) -> np.ndarray:
    """Eigenvalues of the Hessian of a loss by the alphas, ascending, float64 (alphas,).

    By automatic differentiation, one product of Hessian and vector for each alpha, as Zela et al.
    2019 have it: it does not see the kinks of ReLU, which a difference over a finite distance
    would. A softmax leaves one direction of each edge without effect, so that as many are zero.

    Args:
        net: called as `net(images, weights)`; batch normalisation takes the batch's statistics.
        alphas: (edges, operations).
        mean: from alphas to the weights that are differentiated, as `Relaxation.mean`.
        batch: normalised images and labels.
        largest: so many of the eigenvalues, the largest, to a thousandth, by Lanczos' method, which
            takes fewer products; None: all.
    """
    images, labels = batch

    def loss(flat: Tensor) -> Tensor:
        weights = mean(flat.view_as(alphas))
        return F.cross_entropy(net(images, weights).float(), labels).cpu()

    flat = alphas.detach().flatten()
    if largest is not None:
        return _largest_eigenvalues(loss, flat, largest)
    hessian = torch.autograd.functional.hessian(loss, flat)
    return np.linalg.eigvalsh(((hessian + hessian.T) / 2).double().numpy())


def _largest_eigenvalues(loss: Callable[[Tensor], Tensor], at: Tensor, count: int) -> np.ndarray:
    """Of the Hessian of a function, ascending; from a fixed first vector."""
    at = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at), at, create_graph=True)

    def product(vector: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(vector.ravel()).to(gradient)
        return torch.autograd.grad(gradient, at, given, retain_graph=True)[0].double().numpy()

    size = len(at)
    hessian = LinearOperator((size, size), matvec=product, dtype=np.float64)
    first = np.random.default_rng(0).standard_normal(size)
    found = eigsh(hessian, count, which="LA", v0=first, tol=1e-3, return_eigenvectors=False)
    return np.sort(found)
