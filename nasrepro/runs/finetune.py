"""Fine-tuning: each path of a trained supernet is trained on, alone, and watched step by step.

The thesis' way to rank cells (SoTL thesis 3.4.1, 4.2): each begins with a copy of its own weights
in the supernet, and all take the same batches in the same order. In memory are the supernet, one
path, its optimiser's momentum and the batches of all steps.

A path of a supernet that was not trained has its initial weights: it is a network trained from
scratch, which begins like all others in what it has in common with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from nasrepro import sotl
from nasrepro.canonical import later
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError
from nasrepro.evaluate import (
    EvaluateConfig,
    distinct_paths,
    evaluate_batches,
    evaluate_paths,
    loss_and_correct,
    prepared,
)
from nasrepro.nets.paths import PathNetwork
from nasrepro.runs.config import RunConfig
from nasrepro.runs.families import family_of
from nasrepro.runs.machine import check_device
from nasrepro.runs.parts import AnyNet, DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.setup import (
    Stopwatch,
    deterministic_convolutions,
    images_of,
    load_split,
    torch_generator,
)
from nasrepro.runs.supernet import SupernetConfig, stacked_on
from nasrepro.runs.weights import trained_supernet
from nasrepro.samplers import Fixed
from nasrepro.spaces import AnyCell
from nasrepro.train import TrainConfig, batches, updates

# Of the cells: their codes, ascending. After each step: loss of the training images (mean
# cross-entropy before the update) and how many were classified correctly, [cells, steps].
CODES, LOSS, CORRECT = "codes", "loss", "correct"
# Numbers of steps after which a curve has a point, and there, [cells, points]: a batch of
# validation images, another one at each point, and sums over the gradients of all steps so far.
CURVE, MINI_LOSS, MINI_CORRECT = "curve", "validation_mini_loss", "validation_mini_correct"
GRADIENTS = SOG, SOG_L1, SOGN, SOGN_L2 = sotl.SOG, sotl.SOG_L1, sotl.SOGN, sotl.SOGN_L2
# Numbers of steps after which all validation images were looked at, and there, [cells, validated].
VALIDATED, WHOLE_LOSS, WHOLE_CORRECT = "validated", "validation_loss", "validation_correct"
# Of paths that do not learn, batches as large as those of training and normalised alike, [cells,
# batches]: all validation images, and as many training images without augmentation.
BATCHES_LOSS, BATCHES_CORRECT = "validation_batches_loss", "validation_batches_correct"
PLAIN_LOSS, PLAIN_CORRECT = "train_batches_loss", "train_batches_correct"
SUPERNET_SECONDS = "supernet_seconds"  # that its training took, whenever it was
ARRAYS = (
    *(CODES, LOSS, CORRECT, CURVE, MINI_LOSS, MINI_CORRECT, *GRADIENTS),
    *(VALIDATED, WHOLE_LOSS, WHOLE_CORRECT, BATCHES_LOSS, BATCHES_CORRECT),
    *(PLAIN_LOSS, PLAIN_CORRECT, SUPERNET_SECONDS),
)
# A loss of one batch is kept to three digits: half precision.
TYPES: dict[str, type] = {
    **dict.fromkeys((LOSS, MINI_LOSS, BATCHES_LOSS, PLAIN_LOSS), np.float16),
    **dict.fromkeys((CORRECT, MINI_CORRECT, BATCHES_CORRECT, PLAIN_CORRECT), np.uint16),
    **dict.fromkeys((*GRADIENTS, WHOLE_LOSS), np.float32),
}

POINTS = (
    *(0, 1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100),
    *(120, 140, 160, 180, 200, 220, 240, 260, 280, 300),
)
EVERY = 40  # steps from one point to the next after the last of these


@dataclass(frozen=True, slots=True)
class FinetuneConfig(RunConfig):
    """The fine-tuning of some cells, one by one: all that decides the record.

    The defaults are the thesis' (4.2 and table B.1) for SPOS.
    """

    supernet: SupernetConfig  # whose cells are trained on, and evaluated as it says
    steps: int = 300  # batches
    batch_size: int = 64
    learning_rate: float = 0.01  # constant; 0: the paths stay as they are
    momentum: float = 0.9
    weight_decay: float = 5e-4
    validated: tuple[int, ...] = (0, 100, 200, 300)  # steps after which to look at all images
    order: int = 0  # seed of the order of the images and of their augmentation
    epochs: int | None = later(None)  # of the supernet's training that come before; None: all
    final_learning_rate: float | None = later(None)  # by a cosine over the steps; None: constant
    nesterov: bool = later(False)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate < 0:
            raise ConfigError(
                "fine-tuning takes at least 1 step with a learning rate of at least 0, found "
                f"steps={self.steps}, learning_rate={self.learning_rate}"
            )
        if any(not 0 <= step <= self.steps for step in self.validated):
            raise ConfigError(
                f"a fine-tuning of {self.steps} steps can be validated after 0 to {self.steps} "
                f"of them, found validated={self.validated}"
            )
        if self.frozen and set(self.validated) - {0}:
            raise ConfigError(
                "with learning_rate=0 paths stay as they are; take validated=(0,) or ()"
            )
        if self.final_learning_rate is not None and not (
            0 <= self.final_learning_rate <= self.learning_rate and not self.frozen
        ):
            raise ConfigError(
                "the learning rate falls, from more than 0 to at least 0, or is constant "
                f"(final_learning_rate=None); found learning_rate={self.learning_rate}, "
                f"final_learning_rate={self.final_learning_rate}"
            )
        if self.epochs is not None and not 0 <= self.epochs <= self.supernet.train.epochs:
            raise ConfigError(
                "a fine-tuning begins within the training of its supernet, after 0 to "
                f"{self.supernet.train.epochs} epochs, found epochs={self.epochs}"
            )
        if self.batch_size > self.data.train_images:
            raise ConfigError(
                f"a batch of {self.batch_size} is more than the {self.data.train_images} training "
                "images"
            )
        if getattr(self.net, "transformers", ()):
            raise ConfigError(
                "linear transformers are the supernet's alone: a path has no network of its own "
                "with them; take transformers=()"
            )
        if getattr(self.net, "narrowing", "first") != "first":
            raise ConfigError(
                "a path has weights of its own only where it takes the first channels; take "
                "narrowing='first'"
            )
        self.train  # noqa: B018  # whose checks are these settings', too

    @property
    def seed(self) -> int:
        """That of the supernet."""
        return self.supernet.seed

    @property
    def frozen(self) -> bool:
        """Whether nothing is learned."""
        return self.learning_rate == 0

    @property
    def data(self) -> DataConfig:
        """The images, which are the supernet's."""
        return self.supernet.data

    @property
    def net(self) -> AnyNet:
        """The supernet's network."""
        return self.supernet.net

    @property
    def evaluate(self) -> EvaluateConfig:
        """How all validation images are looked at."""
        return self.supernet.evaluate

    @property
    def train(self) -> TrainConfig:
        """How a path is trained: all steps are one epoch of its schedule."""
        final = self.final_learning_rate
        return TrainConfig(
            epochs=1,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            final_learning_rate=self.learning_rate if final is None else final,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            crop_padding=self.supernet.train.crop_padding,
            precision=self.supernet.train.precision,
        )

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.supernet.needed_table

    @property
    def needed_list(self) -> str | None:
        """The list without which the cells are not known."""
        return self.supernet.needed_list

    @property
    def trained_images(self) -> int:
        """Images that the paths take, all together; the supernet's training is not counted."""
        return self.steps * self.batch_size * self.supernet.cells.at_most(self.supernet.subspace)

    @property
    def evaluated_images(self) -> int:
        """Images in the evaluations of all cells, at most."""
        return self.evaluated_per_path * self.supernet.cells.at_most(self.supernet.subspace)

    @property
    def evaluated_per_path(self) -> int:
        """Images that a path is evaluated on, those of single batches among them."""
        whole = len(self.validated) * self.data.validation_images
        if self.frozen:  # at once, in batches, and as many training images
            return 3 * whole
        # A batch at each point of the curve.
        return whole + int(np.resize(self.validation_sizes, len(points(self.steps))).sum())

    @property
    def validation_sizes(self) -> np.ndarray:
        """Images of each batch of validation images; the last may have fewer."""
        images, size = self.data.validation_images, self.batch_size
        return np.minimum(size, images - np.arange(0, images, size))


@dataclass(frozen=True, eq=False)
class _Images:
    """What every path of a run looks at."""

    part: Split
    training: Sequence[tuple[Tensor, Tensor]]  # one batch a step
    validation: Sequence[tuple[Tensor, Tensor]]  # all images, in batches as large
    plain: Sequence[tuple[Tensor, Tensor]]  # the first training images, as many, likewise


def run_finetune(config: FinetuneConfig, device: str = "cpu") -> Record:
    """Train a supernet, or take its weights from the store, and train each path on.

    Args:
        config: all that decides the result.
        device: where to compute, as for a supernet.

    Returns:
        The record with the arrays `ARRAYS`, whose history is the supernet's. It diverged if the
        supernet did, and has no arrays then; losses of single paths can be infinite or not numbers.
        With learning rate 0 there are no sums of gradients, and only then each batch of images
        that are not augmented; no validation images at all if they are not asked for.

    Raises:
        ConfigError: if the config or the device does not fit, or the supernet lacks a cell.
        DataError: if the images, or the table or list of its cells, are not available.
    """
    check_device(device)
    supernet = config.supernet
    cells = family_of(supernet.subspace).select(supernet.subspace, supernet.cells)
    part = load_split(images_of(config.data.name), config.data, config.net, device)
    begun = trained_supernet(supernet, config.epochs, part, device)
    diverged = bool(begun.history) and not np.isfinite(begun.history[-1].loss)
    watch = Stopwatch(device)
    arrays: dict[str, np.ndarray] = {}
    if not diverged:
        images = _look_at(config, part)
        with deterministic_convolutions():
            watch_paths = watch_frozen if config.frozen else watch_trained
            arrays = watch_paths(config, begun.net, cells, images, watch)
        arrays |= {
            CODES: np.array([cell.code for cell in cells], dtype=np.int64),
            CURVE: np.array(points(config.steps)),
            VALIDATED: np.array(config.validated, dtype=np.int64),
        }
    else:
        watch.lap("train")
    arrays[SUPERNET_SECONDS] = np.asarray(begun.seconds)
    with np.errstate(over="ignore"):  # a loss too large for half precision is infinite
        arrays = {
            name: array.astype(TYPES.get(name, array.dtype)) for name, array in arrays.items()
        }
    paths = 0 if diverged else len(distinct_paths(cells)[0])
    return Record(
        config=config,
        status="diverged" if diverged else "ok",
        history=begun.history,
        arrays=arrays,
        measurement=watch.measurement(
            trained=paths * config.steps * config.batch_size,
            evaluated=paths * config.evaluated_per_path,
        ),
    )


def points(steps: int) -> tuple[int, ...]:
    """Numbers of steps after which a curve has a point; `steps` is the last.

    >>> points(12)
    (0, 1, 2, 3, 5, 7, 10, 12)
    >>> points(400)[-4:]
    (300, 320, 360, 400)
    """
    more = range((POINTS[-1] // EVERY + 1) * EVERY, steps, EVERY)
    return (*(point for point in POINTS if point < steps), *more, steps)


def _look_at(config: FinetuneConfig, part: Split) -> _Images:
    # The fifth child of a seed, with which a supernet draws cells to train on; see `generators`.
    seed = np.random.SeedSequence(config.order, spawn_key=(4,))
    stream = batches(part, config.train, torch_generator(seed))
    count = len(part.validation_labels)

    def in_batches(images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        of_images = prepared(part, images, config.batch_size)
        return list(zip(of_images, labels.split(config.batch_size), strict=True))

    return _Images(
        part=part,
        training=list(islice(stream, config.steps)),
        validation=in_batches(part.validation_images, part.validation_labels),
        plain=in_batches(part.train_images[:count], part.train_labels[:count]),
    )


def watch_frozen(
    config: FinetuneConfig,
    net: PathNetwork,
    cells: Sequence[AnyCell],
    images: _Images,
    watch: Stopwatch,
) -> dict[str, np.ndarray]:
    """What fine-tuning with learning rate 0 shows: the losses of paths that do not learn.

    All paths take a batch in a row and share what they have in common, which is several times as
    fast as one path after the other.
    """
    stacked = stacked_on(next(net.parameters()).device, config.supernet)
    precision = config.train.precision
    loss, correct = evaluate_batches(net, cells, images.training, precision, stacked=stacked)
    watch.lap("train")
    found = {LOSS: loss, CORRECT: correct}
    if config.validated:
        whole = evaluate_paths(net, cells, images.part, config.evaluate, stacked=stacked)
        found |= {WHOLE_LOSS: whole.loss[:, None], WHOLE_CORRECT: whole.correct[:, None]}
        plain = evaluate_batches(net, cells, images.plain, precision, stacked=stacked)
        found |= {PLAIN_LOSS: plain[0], PLAIN_CORRECT: plain[1]}
        each = evaluate_batches(net, cells, images.validation, precision, stacked=stacked)
        found |= {BATCHES_LOSS: each[0], BATCHES_CORRECT: each[1]}
        mini = [place % len(images.validation) for place in range(len(points(config.steps)))]
        found |= {MINI_LOSS: each[0][:, mini], MINI_CORRECT: each[1][:, mini]}
    watch.lap("evaluate")
    return found


def watch_trained(
    config: FinetuneConfig,
    net: PathNetwork,
    cells: Sequence[AnyCell],
    images: _Images,
    watch: Stopwatch,
) -> dict[str, np.ndarray]:
    """What fine-tuning shows: one path after the other; equal paths are trained once."""
    family = family_of(config.supernet.subspace)
    paths, rows = distinct_paths(cells)
    found = []
    for cell in paths:
        alone = family.extract(net, cell, config.net).to(images.part.train_images.device)
        found.append(follow(config, alone, cell, images, watch))
    return {name: np.stack([path[name] for path in found])[rows] for name in found[0]}


def follow(
    config: FinetuneConfig, net: PathNetwork, cell: AnyCell, images: _Images, watch: Stopwatch
) -> dict[str, np.ndarray]:
    """Train one path in place, and what it shows on the way.

    Returns:
        The arrays of its row: those after each step, at the points of the curve, and of validation.
    """
    seen: list[Tensor] = []
    mini: list[Mapping[str, np.ndarray]] = []
    whole: list[Mapping[str, np.ndarray]] = []
    gradients = Gradients()
    rng = np.random.default_rng(0)  # of which nothing is drawn: the path is fixed
    stream = iter(images.training)
    learning = updates(net, stream, Fixed(cell), config.train, rng, config.steps)
    net.train()
    for step in range(config.steps + 1):
        if step:
            (shown,) = next(learning)
            seen.append(torch.stack([shown.loss, shown.correct]))
            gradients.add(net)
        if step in points(config.steps):
            watch.lap("train")
            mini.append(_mini(config, net, cell, images, place=len(mini)))
            gradients.note()
            watch.lap("evaluate")
        if step in config.validated:
            watch.lap("train")
            whole.append(_validated(config, net, cell, images))
            watch.lap("evaluate")
    loss, correct = torch.stack(seen, dim=1).cpu().double().numpy()
    watch.lap("train")
    rows = [*mini, *whole]
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: np.stack([row[name] for row in rows if name in row]) for name in names}
    return {LOSS: loss, CORRECT: correct, **found, **gradients.curves()}


class Gradients:
    """Sums over the gradients of a path's steps, as `sotl.sog` to `sotl.sogn_l2` define them."""

    def __init__(self) -> None:
        self.accumulated: Tensor | None = None
        self.sums = torch.zeros(3)  # signed, L1 and L2 norm, over the steps so far
        self.noted: list[Tensor] = []

    def add(self, net: torch.nn.Module) -> None:
        """Count the gradients that a network has now."""
        found = [p.grad.flatten() for p in net.parameters() if p.grad is not None]
        gradient = torch.cat(found)
        self.accumulated = gradient if self.accumulated is None else self.accumulated + gradient
        norms = [gradient.sum(), gradient.abs().sum(), gradient.norm()]
        self.sums = self.sums.to(gradient.device) + torch.stack(norms)

    def note(self) -> None:
        """Set a point of the curves."""
        at_first = torch.zeros((), device=self.sums.device)
        l1 = at_first if self.accumulated is None else self.accumulated.abs().sum()
        self.noted.append(torch.stack([self.sums[0], l1, self.sums[1], self.sums[2]]).cpu())

    def curves(self) -> dict[str, np.ndarray]:
        """Each sum at the points that were set."""
        curves = torch.stack(self.noted, dim=1).double().numpy()
        return dict(zip(GRADIENTS, curves, strict=True))


def _mini(
    config: FinetuneConfig, net: PathNetwork, cell: AnyCell, images: _Images, place: int
) -> dict[str, np.ndarray]:
    """One batch of validation images: another one at each place of the curve."""
    batch = images.validation[place % len(images.validation)]
    loss, correct = evaluate_batches(net, [cell], [batch], config.train.precision)
    return {MINI_LOSS: loss[0, 0], MINI_CORRECT: correct[0, 0]}


def _validated(
    config: FinetuneConfig, net: PathNetwork, cell: AnyCell, images: _Images
) -> dict[str, np.ndarray]:
    """All validation images."""
    part = images.part
    validation = part.validation_images, part.validation_labels
    loss, correct = loss_and_correct(net, cell, *validation, part, config.evaluate)
    return {WHOLE_LOSS: np.asarray(loss), WHOLE_CORRECT: np.asarray(correct)}
