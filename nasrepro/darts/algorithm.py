"""What an algorithm of search is: all that decides the alphas."""

import math
from dataclasses import dataclass
from itertools import groupby, pairwise

from nasrepro.canonical import later
from nasrepro.darts.gradients import GRADIENTS
from nasrepro.darts.relaxations import LEAVING_OUT, RELAXATIONS
from nasrepro.errors import ConfigError, at_least, meant
from nasrepro.train import TrainConfig

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
        at_least(0, learning_rate=self.learning_rate, weight_decay=self.weight_decay)
        at_least(0, initial_noise=self.initial_noise, warmup_epochs=self.warmup_epochs)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"Adam's betas are shares below 1, found {self.betas}")
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
        if kept and not RELAXATIONS[self.relaxation].leaves_out:
            raise ConfigError(
                f"phases leave out operations with relaxation={LEAVING_OUT}, "
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
    if algorithm.gradient == "finite differences" and train.precision != "float32":
        raise ConfigError(
            "finite differences are smaller than bfloat16 can tell apart; take precision='float32'"
        )
    plain = (train.label_smoothing, train.gradients, train.batches, train.adaptation)
    if plain != (0, "sum", "separate", None):
        raise ConfigError(
            "a search takes one batch a step and its plain loss: no smoothing, no adaptation"
        )
    phases = [phase for part in algorithm.stretches(train.epochs) for phase in part]
    if (total := sum(phase.epochs for phase in phases)) != train.epochs:
        raise ConfigError(f"the phases have {total} epochs together, the search {train.epochs}")
    if algorithm.warmup_epochs >= (shortest := min(phase.epochs for phase in phases)):
        raise ConfigError(f"the warm-up ends before a phase of {shortest} epochs does")
