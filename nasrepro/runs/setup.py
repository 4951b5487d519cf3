"""What every kind of run does before and around its own work: random numbers, images, the clock."""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.benchmarks import load_table
from nasrepro.data.cell_lists import read_list
from nasrepro.data.images import ImageSet, Split, load_images, split
from nasrepro.errors import ConfigError
from nasrepro.runs.machine import check_device, machine
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Measurement
from nasrepro.train import initialise


class HasClasses(Protocol):
    """What images must fit: the config of any network."""

    @property
    def num_classes(self) -> int: ...


@dataclass(frozen=True)
class Generators:
    """Independent ones, so that e.g. another sampler leaves the initial weights as they are."""

    weights: torch.Generator  # initial ones; all on the CPU: a GPU run draws the same numbers
    images: torch.Generator  # their order and augmentation
    sampler: np.random.Generator  # the paths of each update
    network: torch.Generator  # what it draws itself: the order of channels, what is dropped
    part: np.random.Generator  # the cells that are trained, where not all are
    validation: torch.Generator  # order and augmentation of validation images that are learnt from


def generators(seed: int) -> Generators:
    """The generators of a run."""
    spawned = np.random.SeedSequence(seed).spawn(6)
    weights, images, sampler, network, part, validation = spawned
    return Generators(
        weights=torch_generator(weights),
        images=torch_generator(images),
        sampler=np.random.default_rng(sampler),
        network=torch_generator(network),
        part=np.random.default_rng(part),
        validation=torch_generator(validation),
    )


def torch_generator(seed: np.random.SeedSequence) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))


def initialise_on(net: nn.Module, generator: torch.Generator, device: str) -> None:
    """Initialise a network, drawing its weights on the CPU, and move it to its device."""
    initialise(net, generator)
    net.to(device)


class Stopwatch:
    """Seconds of training and of evaluating, lap by lap, and what a record says of them."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds = {"train": 0.0, "evaluate": 0.0}
        self._start_cpu, self._mark = time.process_time(), time.perf_counter()

    def lap(self, work: str) -> None:
        """Count the time since the last lap as "train" or "evaluate"."""
        if torch.device(self.device).type != "cpu":
            torch.accelerator.synchronize(self.device)  # what was asked of it may not be done yet
        now = time.perf_counter()
        self.seconds[work] += now - self._mark
        self._mark = now

    def measurement(self, trained: int, evaluated: int) -> Measurement:
        """How long it all took, and on what.

        Args:
            trained: images in training, times paths.
            evaluated: images in evaluation, times paths.
        """
        train, evaluate = self.seconds["train"], self.seconds["evaluate"]
        return Measurement(
            train_seconds=round(train, 3),
            evaluate_seconds=round(evaluate, 3),
            cpu_seconds=round(time.process_time() - self._start_cpu, 3),
            train_images_per_second=round(trained / train, 1),
            evaluate_images_per_second=round(evaluated / evaluate, 1) if evaluate else 0.0,
            **machine(self.device),
        )


def check_inputs(configs: Iterable[Any], device: str) -> None:
    """Bring to this machine what some runs need, or raise at once what each of them would.

    Args:
        configs: of runs of any kinds.
        device: where they will be computed.

    Raises:
        ConfigError: if the device, the images or the network of a run do not fit.
        DataError: if images, a table or a list of cells are not available.
    """
    check_device(device)
    configs = list(configs)
    for config in {(config.data, config.net.num_classes): config for config in configs}.values():
        load_split(load_images(config.data.name), config.data, config.net, "cpu")
    tables = {config.needed_table for config in configs}
    for table in sorted(table for table in tables if table is not None):
        load_table(table)
    lists = {config.needed_list for config in configs}
    for name in sorted(name for name in lists if name is not None):
        read_list(name)


def deterministic_convolutions() -> AbstractContextManager[None]:
    """Within it, cuDNN takes algorithms that give the same bits each time; a CPU has no others.

    Nor does it round what is float32 to the ten bits of TF32, as PyTorch lets it by default.
    """
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )


@contextmanager
def watch_finite(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, for each output of a module from now on, whether each path's part is finite.

    Outputs are (batch, classes) of one path or (batch, paths, classes): one flag, or one per path.
    """
    finite: list[Tensor] = []
    hook = module.register_forward_hook(
        lambda module, inputs, output: finite.append(
            output.isfinite().all(dim=-1).all(dim=0).reshape(-1)
        )
    )
    try:
        yield finite
    finally:
        hook.remove()


@lru_cache(maxsize=1)  # a lasting worker computes many runs on the same images
def images_of(name: str) -> ImageSet:
    """`load_images`, once for runs in a row that name the same data set."""
    return load_images(name)


def load_split(images: ImageSet, data: DataConfig, net: HasClasses, device: str) -> Split:
    """The images of a run on its device.

    Raises:
        ConfigError: if the network has other classes, or cannot halve the images as it does.
    """
    part = split(images, data.train_images, data.validation_images, data.size, device)
    if net.num_classes != part.num_classes:
        raise ConfigError(
            f"{data.name} has {part.num_classes} classes, the network {net.num_classes}"
        )
    size, step = part.train_images.shape[-1], 2 ** getattr(net, "HALVINGS", 0)
    if size % step:
        raise ConfigError(
            f"the network halves images until they have 1/{step} of their height; take a size that "
            f"is a multiple of {step}, not {size} pixels"
        )
    return part
