"""One network trained on its own: from a config to a record, as `run` does for a supernet.

The network is a supernet of a single path, trained by the supernets' own loop, so mapping and
protocol can be the same in both (Yu 2020, section 3.2: f_proxy = f_ws).
"""

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nasrepro.canonical import digest
from nasrepro.data.images import held_out_test
from nasrepro.evaluate import EvaluateConfig, check_fits, loss_and_correct
from nasrepro.nets import macro, nb101, nb201
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.nets.paths import PathNetwork
from nasrepro.runs.config import SCHEMA, AnyNet, DataConfig, check_parts, to_dict
from nasrepro.runs.machine import check_device, machine
from nasrepro.runs.run import (
    deterministic_convolutions,
    images_of,
    load_split,
    torch_generator,
)
from nasrepro.runs.store import Measurement
from nasrepro.samplers import Fixed
from nasrepro.spaces import AnyCell
from nasrepro.train import TrainConfig, initialise, train


@dataclass(frozen=True, slots=True)
class StandaloneConfig:
    """One network, trained and evaluated: all that decides the record."""

    data: DataConfig
    cell: AnyCell
    net: AnyNet
    train: TrainConfig
    evaluate: EvaluateConfig
    seed: int = 0

    def __post_init__(self) -> None:
        check_parts(self.cell, self.net)
        check_fits(self.evaluate, self.net.tracked_statistics, self.data.train_images)

    @property
    def key(self) -> str:
        """Name of the record: 16 hexadecimal digits of the canonical JSON's SHA-256."""
        return digest({"schema": SCHEMA, "config": to_dict(self)})[:16]


@dataclass(frozen=True, slots=True)
class StandaloneEpoch:
    """What one epoch showed: its training, and the held-out images after it."""

    train_loss: float  # mean over the batches; their sum is this times the number of batches
    train_accuracy: float  # percent of the augmented training images
    validation_loss: float  # mean over the images
    validation_correct: int  # images


@dataclass(frozen=True, slots=True)
class StandaloneRecord:
    """What one run measured."""

    config: StandaloneConfig
    status: str  # "ok" or "diverged": then a loss is not finite, and there is no test
    history: tuple[StandaloneEpoch, ...]
    test_loss: float | None  # after the last epoch, mean over all test images
    test_correct: int | None
    test_images: int
    parameters: int  # trainable ones, of NAS-Bench-201's edges that lead nowhere, too
    flops: int  # of the forward pass of one image
    measurement: Measurement

    @property
    def key(self) -> str:
        """The config's key."""
        return self.config.key


def run_standalone(config: StandaloneConfig, device: str = "cpu") -> StandaloneRecord:
    """Train one network, look at the held-out images after each epoch and at the test images last.

    Args:
        config: all that decides the result.
        device: where to compute, as for `run`.

    Raises:
        ConfigError: if the config or the device does not fit.
        DataError: if the images cannot be had.
    """
    check_device(device)
    images = images_of(config.data.name)
    part = load_split(images, config.data, config.net, device)
    test = held_out_test(images, config.data.size, device)
    weights, order, paths = np.random.SeedSequence(config.seed).spawn(3)
    net = stand_alone(config.cell, config.net)
    initialise(net, torch_generator(weights))
    net.to(device)
    epochs = train(
        net,
        part,
        Fixed(config.cell),
        config.train,
        np.random.default_rng(paths),
        torch_generator(order),
    )
    start_cpu, mark = time.process_time(), time.perf_counter()
    train_seconds = evaluate_seconds = 0.0
    history, validation = [], (part.validation_images, part.validation_labels)
    with deterministic_convolutions():
        for epoch in epochs:
            trained = time.perf_counter()
            loss, correct = loss_and_correct(net, config.cell, *validation, part, config.evaluate)
            history.append(StandaloneEpoch(epoch.loss, epoch.accuracy, loss, correct))
            train_seconds += trained - mark
            mark = time.perf_counter()
            evaluate_seconds += mark - trained
        tested = loss_and_correct(net, config.cell, *test, part, config.evaluate)
    evaluate_seconds += time.perf_counter() - mark
    losses = [loss for epoch in history for loss in (epoch.train_loss, epoch.validation_loss)]
    ok = all(map(math.isfinite, [*losses, tested[0]]))
    batches = len(part.train_labels) // config.train.batch_size
    evaluated = len(history) * len(part.validation_labels) + len(images.test_labels)
    return StandaloneRecord(
        config=config,
        status="ok" if ok else "diverged",
        history=tuple(history),
        test_loss=tested[0] if ok else None,
        test_correct=tested[1] if ok else None,
        test_images=len(images.test_labels),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        flops=count_flops(config.cell, config.net, part.train_images.shape[-1]),
        measurement=Measurement(
            train_seconds=round(train_seconds, 3),
            evaluate_seconds=round(evaluate_seconds, 3),
            cpu_seconds=round(time.process_time() - start_cpu, 3),
            train_images_per_second=round(
                len(history) * batches * config.train.batch_size / train_seconds, 1
            ),
            evaluate_images_per_second=round(evaluated / evaluate_seconds, 1),
            **machine(device),
        ),
    )


def stand_alone(cell: AnyCell, net: AnyNet) -> PathNetwork:
    """The network of one cell of any space, before initialisation."""
    builders = {
        NetConfig: nb201.stand_alone,
        CellNetConfig: nb101.stand_alone,
        ChainNetConfig: macro.stand_alone,
    }
    return builders[type(net)](cell, net)


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
        alone = stand_alone(cell, replace(net, tracked_statistics=True)).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            alone(torch.empty(1, 3, size, size), cell)
    return counter.get_total_flops()
