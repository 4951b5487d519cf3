"""One network trained on its own: from a config to a record, as `run` does for a supernet.

The network is a supernet of a single path, trained by the supernets' own loop, so mapping and
protocol can be the same in both (Yu 2020, section 3: f_proxy and f_ws as close as possible).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nasrepro.data.images import held_out_test
from nasrepro.errors import at_least
from nasrepro.evaluate import EvaluateConfig, check_batches, check_fits, loss_and_correct
from nasrepro.runs.config import RunConfig
from nasrepro.runs.families import check_parts, family_of
from nasrepro.runs.machine import check_device
from nasrepro.runs.parts import AnyNet, DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.setup import (
    Stopwatch,
    deterministic_convolutions,
    generators,
    images_of,
    initialise_on,
    load_split,
)
from nasrepro.samplers import Fixed
from nasrepro.spaces import AnyCell
from nasrepro.train import TrainConfig, train

ARRAYS = (
    "test_loss",  # after the last epoch, mean over all test images; not of a diverged run
    "test_correct",  # of `test_images`; not of a diverged run
    "test_images",
    "parameters",  # trainable ones, of NAS-Bench-201's edges that lead nowhere, too
    "flops",  # of the forward pass of one image
)


@dataclass(frozen=True, slots=True)
class StandaloneConfig(RunConfig):
    """One network, trained and evaluated: all that decides the record."""

    data: DataConfig
    cell: AnyCell
    net: AnyNet
    train: TrainConfig
    evaluate: EvaluateConfig
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        check_parts(self.cell, self.net)
        check_fits(self.evaluate, self.net.tracked_statistics, self.data.train_images)
        check_batches(self.evaluate, self.data.validation_images)

    @property
    def trained_images(self) -> int:
        """Images in the training."""
        return self.train.epochs * self.data.train_images

    @property
    def evaluated_images(self) -> int:
        """Images in the evaluations after each epoch."""
        return self.train.epochs * self.data.validation_images


@dataclass(frozen=True, slots=True)
class StandaloneEpoch:
    """What one epoch showed: its training, and the held-out images after it."""

    train_loss: float  # mean over the batches; their sum is this times the number of batches
    train_accuracy: float  # percent of the augmented training images
    validation_loss: float  # mean over the images
    validation_correct: int  # images


def run_standalone(config: StandaloneConfig, device: str = "cpu") -> Record:
    """Train one network, look at the held-out images after each epoch and at the test images last.

    Args:
        config: all that decides the result.
        device: where to compute, as for a supernet.

    Returns:
        The record with the arrays `ARRAYS`, each one number. A run diverged if a loss is not
        finite.

    Raises:
        ConfigError: if the config or the device does not fit.
        DataError: if the images are not available.
    """
    check_device(device)
    rng, images = generators(config.seed), images_of(config.data.name)
    part = load_split(images, config.data, config.net, device)
    test = held_out_test(images, config.data.size, device)
    net = family_of(config.cell).stand_alone(config.cell, config.net)
    initialise_on(net, rng.weights, device)
    sampler = Fixed(config.cell)
    history: list[StandaloneEpoch] = []
    validation = (part.validation_images, part.validation_labels)
    watch = Stopwatch(device)
    with deterministic_convolutions():
        for epoch in train(net, part, sampler, config.train, rng.sampler, rng.images):
            watch.lap("train")
            loss, correct = loss_and_correct(net, config.cell, *validation, part, config.evaluate)
            history.append(StandaloneEpoch(epoch.loss, epoch.accuracy, loss, correct))
            watch.lap("evaluate")
        test_loss, test_correct = loss_and_correct(net, config.cell, *test, part, config.evaluate)
        watch.lap("evaluate")
    losses = [loss for epoch in history for loss in (epoch.train_loss, epoch.validation_loss)]
    finite = all(map(math.isfinite, [*losses, test_loss]))
    numbers: dict[str, float] = {
        "test_images": len(images.test_labels),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "flops": count_flops(config.cell, config.net, part.train_images.shape[-1]),
    }
    if finite:
        numbers |= {"test_loss": test_loss, "test_correct": test_correct}
    batches = len(part.train_labels) // config.train.batch_size
    return Record(
        config=config,
        status="ok" if finite else "diverged",
        history=tuple(history),
        arrays={name: np.asarray(number) for name, number in numbers.items()},
        measurement=watch.measurement(
            trained=len(history) * batches * config.train.batch_size,
            evaluated=len(history) * len(part.validation_labels) + len(images.test_labels),
        ),
    )


def count_flops(cell: AnyCell, net: AnyNet, size: int) -> int:
    """Floating-point operations of one image's forward pass, as PyTorch's own counter has them.

    Those of convolutions and of the classifier: a multiplication and an addition are two. Counted
    without data, where pooling is pooling and no convolution with ones.

    Args:
        cell: only what lies between its input and output is computed.
        net: width and depth.
        size: height and width of the images.
    """
    with torch.device("meta"):
        alone = family_of(cell).stand_alone(cell, replace(net, tracked_statistics=True)).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            alone(torch.empty(1, 3, size, size), cell)
    return counter.get_total_flops()
