"""One run: from a config to a record."""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.benchmarks import load_table
from nasrepro.data.images import ImageSet, Split, load_images, split
from nasrepro.errors import ConfigError
from nasrepro.evaluate import count_correct
from nasrepro.nets.config import NetConfig
from nasrepro.runs import macro, nb101, nb201
from nasrepro.runs.config import DataConfig, RunConfig
from nasrepro.runs.machine import check_device, machine
from nasrepro.runs.store import Measurement, Record
from nasrepro.samplers import Sampler
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb201 import Subspace
from nasrepro.train import initialise, train


def run(config: RunConfig, device: str = "cpu") -> Record:
    """Train one supernet and evaluate its cells.

    Args:
        config: all that decides the result.
        device: where to compute, e.g. "cpu", "cuda", "cuda:1", "mps".

    Returns:
        The record; of a diverged run without counts. A run diverged if a loss of its training was
        not finite, or most outputs of its evaluation are not.

    Raises:
        ConfigError: if the config or the device does not fit.
        DataError: if the images or the table of its cells cannot be had.
    """
    check_device(device)
    # Independent streams, so that e.g. another sampler leaves the initial weights alone.
    weights, order, paths, shuffles = np.random.SeedSequence(config.seed).spawn(4)
    cells, net, sampler = parts(config, torch_generator(shuffles))
    part = load_split(images_of(config.data.name), config.data, config.net, device)
    initialise(net, torch_generator(weights))
    net.to(device)
    start, start_cpu = time.perf_counter(), time.process_time()
    correct = []
    with deterministic_convolutions():
        history = list(
            train(
                net,
                part,
                sampler,
                config.train,
                np.random.default_rng(paths),
                torch_generator(order),
            )
        )
        trained = time.perf_counter()
        diverged = not np.isfinite(history[-1].loss)
        if not diverged:
            with watch_finite(net.classifier) as finite:
                correct = count_correct(net, cells, part, config.evaluate).tolist()
            # Most and not all: what no convolution leads to stays finite.
            diverged = bool(torch.cat(finite).float().mean() < 0.5)
    evaluated = time.perf_counter()
    batches = len(part.train_labels) // config.train.batch_size
    return Record(
        config=config,
        status="diverged" if diverged else "ok",
        codes=() if diverged else tuple(cell.code for cell in cells),
        correct=() if diverged else tuple(correct),
        history=tuple(history),
        measurement=Measurement(
            train_seconds=round(trained - start, 3),
            evaluate_seconds=round(evaluated - trained, 3),
            cpu_seconds=round(time.process_time() - start_cpu, 3),
            train_images_per_second=round(
                len(history) * batches * config.train.batch_size / (trained - start), 1
            ),
            evaluate_images_per_second=round(
                len(correct) * len(part.validation_labels) / (evaluated - trained), 1
            ),
            **machine(device),
        ),
    )


def parts(config: RunConfig, shuffles: torch.Generator) -> tuple[list[Any], nn.Module, Sampler]:
    """The cells that a run evaluates, its supernet before initialisation, and its sampler."""
    if isinstance(config.subspace, Subspace):
        return nb201.parts(config)
    if isinstance(config.subspace, MacroSubspace):
        return macro.parts(config)
    return nb101.parts(config, shuffles)


def check_inputs(configs: Iterable[Any], device: str) -> None:
    """Bring to this machine what some runs need, or raise at once what each of them would.

    Args:
        configs: of supernets or of networks trained on their own.
        device: where they will be computed.

    Raises:
        ConfigError: if the device, the images or the network of a run do not fit.
        DataError: if images or a table cannot be had.
    """
    check_device(device)
    configs = list(configs)
    for config in {(config.data, config.net.num_classes): config for config in configs}.values():
        load_split(load_images(config.data.name), config.data, config.net, "cpu")
    cells = (config.cells for config in configs if isinstance(config, RunConfig))
    for table in sorted({chosen.needed_table for chosen in cells} - {None}):
        load_table(table)


def deterministic_convolutions() -> AbstractContextManager[None]:
    """Within it, cuDNN takes algorithms that give the same bits each time; a CPU has no others."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=cudnn.allow_tf32
    )


@contextmanager
def watch_finite(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, for each output of a module from now on, whether each path's part is finite.

    Outputs are (batch, classes) of one path or (batch, paths, classes): one flag, or one a path.
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


def load_split(images: ImageSet, data: DataConfig, net: NetConfig, device: str) -> Split:
    """The images of a run on its device; ConfigError if the network has other classes."""
    part = split(images, data.train_images, data.validation_images, data.size, device)
    if net.num_classes != part.num_classes:
        raise ConfigError(
            f"{data.name} has {part.num_classes} classes, the network {net.num_classes}"
        )
    return part


def torch_generator(seed: np.random.SeedSequence) -> torch.Generator:
    """A generator on the CPU, so that a GPU run draws the same numbers."""
    return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
