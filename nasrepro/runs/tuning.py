"""A training that tunes its own learning rate by exact SoTL gradients (SoTL thesis, 4.1.1).

An update of the rate unrolls T steps of plain SGD on a copy of the weights, moves the rate along
the gradient of the sum of their losses, and repeats the steps with the new rate.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from nasrepro.data.augment import normalise
from nasrepro.data.images import GREY, held_out_test
from nasrepro.errors import ConfigError, at_least
from nasrepro.hypergradients import Loss, Weights, gradient_after, sgd, unroll
from nasrepro.nets.plain import MlpConfig, VggConfig, build
from nasrepro.runs.config import RunConfig
from nasrepro.runs.machine import check_device
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.setup import (
    Stopwatch,
    deterministic_convolutions,
    generators,
    images_of,
    initialise_on,
    load_split,
)
from nasrepro.train import TrainConfig

ARRAYS = (
    "rates",  # learning rate at first and after each update
    "halved",  # whether an update would have made it negative, and halved it
    "clipped",  # whether an update was clipped
    "test_images",
)
LOSSES = ("train", "validation")
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """How the learning rate is tuned; the defaults are the thesis' (4.1.1)."""

    unroll: int = 2  # T: losses that an update is the gradient of
    loss: str = "train"  # or "validation": one batch's, after unroll - 1 steps
    rate: float = 1e-2  # of the learning rate's own update
    clip: float = 10.0  # largest gradient of an update

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ConfigError(f"unknown loss {self.loss!r}; choose from {', '.join(LOSSES)}")
        if self.unroll < 2:
            raise ConfigError(
                "a learning rate has no effect on the first loss: unroll at least 2 steps, "
                f"found unroll={self.unroll}"
            )
        at_least(0, rate=self.rate, clip=self.clip)


# Plain SGD without augmentation; the learning rate is the first one.
PLAIN = TrainConfig(
    epochs=20,
    batch_size=64,
    learning_rate=1e-3,
    final_learning_rate=1e-3,
    momentum=0.0,
    weight_decay=0.0,
    crop_padding=0,
)


@dataclass(frozen=True, slots=True)
class TuningConfig(RunConfig):
    """A training with a tuned learning rate: all that decides the record."""

    data: DataConfig
    net: MlpConfig | VggConfig
    tune: TuneConfig = field(default_factory=TuneConfig)
    train: TrainConfig = PLAIN
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        train = self.train
        free = ("epochs", "batch_size", "learning_rate", "final_learning_rate")
        own = {name: getattr(train, name) for name in free}
        if (plain := replace(PLAIN, **own)) != train:
            odd = next(
                f.name for f in fields(train) if getattr(train, f.name) != getattr(plain, f.name)
            )
            raise ConfigError(
                "the rate of plain SGD in float32 is tuned, on images as they are; take "
                f"train.{odd}={getattr(plain, odd)!r}, not {getattr(train, odd)!r}"
            )
        if self.data.train_images < train.batch_size:
            raise ConfigError(
                f"{self.data.train_images} images are less than a batch of {train.batch_size}"
            )

    @property
    def evaluate(self) -> None:
        """How paths are evaluated: there are none."""
        return None

    @property
    def trained_images(self) -> int:
        """Images in the training: those of the unrolled steps, and of the repeated ones."""
        return 2 * self.train.epochs * self.data.train_images

    @property
    def evaluated_images(self) -> int:
        """Images in the evaluations after each epoch, about."""
        return self.train.epochs * self.data.train_images


@dataclass(frozen=True, slots=True)
class TuningEpoch:
    """What one epoch showed: the training, and the test images after it."""

    train_loss: float  # mean over the batches
    test_loss: float  # mean over the images
    test_correct: int  # images
    learning_rate: float  # at the end


def run_tuning(config: TuningConfig, device: str = "cpu") -> Record:
    """Train with a tuned learning rate, and look at the test images after each epoch.

    Args:
        config: all that decides the result.
        device: where to compute: "cpu", "cuda" or "mps".

    Returns:
        The record with the arrays `ARRAYS`. A run diverged, and ended, if a loss is not finite.

    Raises:
        ConfigError: if the config or the device does not fit.
        DataError: if the images are not available.
    """
    check_device(device)
    rng, images = generators(config.seed), images_of(config.data.name)
    part = load_split(images, config.data, config.net, device)
    channels = 1 if config.data.name in GREY else 3

    def prepared(pixels: Tensor, labels: Tensor) -> Batch:
        return normalise(pixels, part.mean, part.std)[:, :channels].contiguous(), labels

    train = prepared(part.train_images, part.train_labels)
    validation = prepared(part.validation_images, part.validation_labels)
    test = prepared(*held_out_test(images, config.data.size, device))
    net = build(config.net, channels, part.train_images.shape[-1])
    initialise_on(net, rng.weights, device)

    def loss(weights: Weights, rate: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(functional_call(net, dict(weights), (batch[0],)), batch[1])

    weights: Weights = {name: value.detach() for name, value in net.named_parameters()}
    rate = torch.tensor(config.train.learning_rate, device=device)
    rates, seen, history = [rate.item()], list[float](), list[TuningEpoch]()
    halved, clipped = list[bool](), list[bool]()
    step, size = sgd(loss), config.train.batch_size
    batches, others = (shuffled(*of, size, rng.images) for of in (train, validation))
    in_epoch = len(train[1]) // size
    left = config.train.epochs * in_epoch
    watch = Stopwatch(device)
    with deterministic_convolutions(), torch.no_grad():
        while left and all(map(math.isfinite, seen[-1:])):
            chosen = [next(batches) for _ in range(min(config.tune.unroll, left))]
            gradient = _gradient(config.tune, loss, weights, rate, chosen, others)
            rate, was_halved = updated(rate, gradient, config.tune)
            rates.append(rate.item())
            halved.append(was_halved)
            clipped.append(bool(gradient.abs() > config.tune.clip))
            for batch in chosen:
                value, weights = step(weights, rate, batch)
                seen.append(value.item())
                if len(seen) % in_epoch == 0:
                    watch.lap("train")
                    shown = _tested(net, weights, test)
                    history.append(TuningEpoch(_mean(seen[-in_epoch:]), *shown, rates[-1]))
                    watch.lap("evaluate")
            left -= len(chosen)
        watch.lap("train")
    return Record(
        config=config,
        status="ok" if all(map(math.isfinite, seen)) else "diverged",
        history=tuple(history),
        arrays={
            "rates": np.array(rates),
            "halved": np.array(halved),
            "clipped": np.array(clipped),
            "test_images": np.asarray(len(test[1])),
        },
        measurement=watch.measurement(
            trained=2 * len(seen) * size, evaluated=len(history) * len(test[1])
        ),
    )


def updated(rate: Tensor, gradient: Tensor, tune: TuneConfig) -> tuple[Tensor, bool]:
    """The learning rate after its update, and whether it was halved instead of going below zero.

    >>> rate, halved = updated(torch.tensor(0.5), torch.tensor(40.0), TuneConfig(rate=0.1))
    >>> rate.item(), halved  # clipped to 10, which would be 0.5 - 1
    (0.25, True)
    """
    new = rate - tune.rate * gradient.clamp(-tune.clip, tune.clip)
    return (rate / 2, True) if new <= 0 else (new, False)


def shuffled(
    images: Tensor, labels: Tensor, size: int, generator: torch.Generator
) -> Iterator[Batch]:
    """Batches without end, in a new order each epoch; the last incomplete one is left out."""
    while True:
        order = torch.randperm(len(labels), generator=generator).to(labels.device)
        for chosen in order.split(size)[: max(len(labels) // size, 1)]:
            yield images[chosen], labels[chosen]


def _gradient(
    tune: TuneConfig,
    loss: Loss,
    weights: Weights,
    rate: Tensor,
    chosen: list[Batch],
    others: Iterator[Batch],
) -> Tensor:
    """What an update of the rate descends."""
    if tune.loss == "train":
        return unroll(sgd(loss), weights, rate, chosen).gradient
    before = unroll(sgd(loss), weights, rate, chosen[:-1])
    return gradient_after(loss, before, rate, next(others))


def _tested(net: torch.nn.Module, weights: Weights, test: Batch) -> tuple[float, int]:
    """Mean loss over the test images, and how many are classified correctly."""
    total, correct = 0.0, 0
    for images, labels in zip(*(part.split(1_000) for part in test), strict=True):
        logits = functional_call(net, dict(weights), (images,))
        total += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += int((logits.argmax(dim=1) == labels).sum())
    return total / len(test[1]), correct


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
