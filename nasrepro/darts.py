"""Differentiable architecture search: what differs between algorithms, and the one loop of all.

An algorithm is a way to make the weights of a forward pass from alphas (`RELAXATIONS`), a gradient
of the alphas (`GRADIENTS`), and how many steps of training lie between two of their updates. Alphas
are few: they, what is drawn for them and their optimiser live on the CPU.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
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
    """

    weights: Callable[[Tensor, float, torch.Generator], Tensor]
    mean: Callable[[Tensor], Tensor]
    paths: int | None = None
    drawn: bool = True


def softmax(alphas: Tensor) -> Tensor:
    """DARTS (SoTL thesis, equation 3.8)."""
    return alphas.softmax(dim=-1)


def among(alphas: Tensor, offered: Tensor | None) -> Tensor:
    """Alphas that stand for no alternative are minus infinity, of which a softmax makes zeros.

    Args:
        alphas: (choices, alternatives).
        offered: whether a choice has so many alternatives, bool of the same shape; None: all have.
    """
    return alphas if offered is None else alphas.masked_fill(~offered, -math.inf)


def concentrations(alphas: Tensor) -> Tensor:
    """Those of DrNAS' Dirichlet distributions, ELU + 1 (Chen et al. 2021)."""
    return F.elu(alphas) + 1


def dirichlet(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """DrNAS: drawn from a Dirichlet distribution on each edge, with pathwise gradients."""
    with torch.random.fork_rng(devices=[]):  # its draws take no generator
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        return Dirichlet(concentrations(alphas)).rsample()


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
    "softmax": Relaxation(lambda alphas, *_: softmax(alphas), softmax, drawn=False),
    "dirichlet": Relaxation(dirichlet, _mean_of_dirichlet),
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
    warmup_epochs: int = later(0)  # before the first update

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
    if algorithm.warmup_epochs >= train.epochs:
        raise ConfigError(f"the warm-up ends before the search of {train.epochs} epochs")


@dataclass(frozen=True, eq=False, slots=True)
class Searched:
    """What one epoch of a search showed.

    Attributes:
        loss: mean over the training batches, as they were trained on last.
        alphas: after the epoch, float32 (edges, operations).
        gradient: sum over the epoch, float32 (edges, operations).
        steps: updates of the alphas, or of notes of their gradient.
    """

    loss: float
    alphas: np.ndarray
    gradient: np.ndarray
    steps: int


def initial_alphas(
    shape: tuple[int, int],
    algorithm: Algorithm,
    generator: torch.Generator,
    offered: Tensor | None = None,
) -> Tensor:
    """Small random numbers, or zeros, on the CPU; zeros where `offered`, if given, says no."""
    noise = torch.randn(shape, generator=generator)
    if offered is not None:
        noise = noise * offered
    return (algorithm.initial_noise * noise).requires_grad_()


def search(
    net: nn.Module,
    alphas: Tensor,
    split: Split,
    train: TrainConfig,
    algorithm: Algorithm,
    training_images: torch.Generator,
    validation_images: torch.Generator,
    draws: torch.Generator,
    offered: Tensor | None = None,
) -> Iterator[Searched]:
    """Search alphas and train a supernet's weights, both in place.

    Of each period of `algorithm.steps` batches, first the alphas' gradient is found, then they are
    updated, then the weights are trained: from where they were, on the same batches (SoTL thesis,
    algorithm 3); or, without a replay, on the one batch that the sum has not trained on. An epoch's
    last period is as long as the epoch leaves. Between two epochs the network may be evaluated. A
    search ends early, after the epoch, when a loss or an alpha is not finite.

    Args:
        net: called as `net(images, weights)`, on the device of the split.
        alphas: as `initial_alphas` gives them.
        split: images, uint8, on the device to train on; the validation images are augmented, too.
        train: schedule and optimiser of the weights; its batch size holds for both.
        algorithm: all that decides the alphas.
        training_images: draws order and augmentation of the training images; on the CPU.
        validation_images: of the validation images.
        draws: what relaxations draw.
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
    learner = Learner(net, train, train.epochs * per_epoch)
    optimizer = torch.optim.Adam(
        [alphas],
        lr=algorithm.learning_rate,
        betas=algorithm.betas,
        weight_decay=algorithm.weight_decay,
    )
    swapped = replace(
        split, train_images=split.validation_images, train_labels=split.validation_labels
    )
    stream = batches(split, train, training_images)
    judged = batches(swapped, train, validation_images)

    def relax(given: Tensor) -> Tensor:
        alternatives = among(given, offered)
        return RELAXATIONS[algorithm.relaxation].weights(alternatives, learner.progress, draws)

    for epoch in range(train.epochs):
        net.train()
        total, updates = torch.zeros_like(alphas, requires_grad=False), 0
        for start in range(0, per_epoch, algorithm.steps):
            period = list(islice(stream, min(algorithm.steps, per_epoch - start)))
            left = period
            if epoch >= algorithm.warmup_epochs:
                others = list(islice(judged, len(period))) if validates else []
                gradient, left = _update(
                    learner, alphas, optimizer, relax, algorithm, period, others
                )
                total, updates = total + gradient, updates + 1
            for batch in left:
                learner.step(batch, relax(alphas).detach())
        loss = float(torch.stack(learner.losses[-per_epoch:]).mean())
        yield Searched(loss, alphas.detach().numpy().copy(), total.numpy(), updates)
        if not math.isfinite(loss) or not alphas.isfinite().all():
            return


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
