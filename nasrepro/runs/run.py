"""One run: from a config to a record."""

import importlib.metadata
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.benchmarks import load_table
from nasrepro.data.images import ImageSet, Split, load_images, split
from nasrepro.errors import ConfigError
from nasrepro.evaluate import count_correct
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import supernet
from nasrepro.runs import nb101
from nasrepro.runs.config import CellsConfig, DataConfig, RunConfig
from nasrepro.runs.store import Measurement, Record
from nasrepro.samplers import Sampler, make_sampler
from nasrepro.spaces.nb201 import Cell, Subspace
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
    correct = []
    if not diverged:
        with watch_finite(net.classifier) as finite:
            correct = count_correct(net, cells, part, config.evaluate).tolist()
        # Most and not all: what no convolution leads to stays finite.
        diverged = bool(torch.stack(finite).float().mean() < 0.5)
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
    if not isinstance(config.subspace, Subspace):
        return nb101.parts(config, shuffles)
    return (
        select_cells(config.subspace, config.cells),
        supernet(config.net, config.subspace.operations),
        make_sampler(config.sampler, config.subspace),
    )


@contextmanager
def watch_finite(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, for each output of a module from now on, whether all of it is finite."""
    finite: list[Tensor] = []
    hook = module.register_forward_hook(
        lambda module, inputs, output: finite.append(output.isfinite().all())
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


def select_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The cells a run evaluates, in ascending order of their code, each once.

    Sorted, so that the list tells nothing of how the table ranks its best cells.
    """
    return sorted(
        set(random_cells(subspace, config)) | set(top_cells(subspace, config)),
        key=lambda cell: cell.code,
    )


def random_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """Distinct cells drawn uniformly from a subspace, connected or not; all if it has fewer."""
    if subspace.size <= config.random:
        return list(subspace.cells())
    cells = list(subspace.cells())
    chosen = np.random.default_rng(config.seed).choice(len(cells), config.random, replace=False)
    return [cells[i] for i in chosen]


def top_cells(subspace: Subspace, config: CellsConfig) -> list[Cell]:
    """The best cells of a subspace by the config's table, best first."""
    if not config.top:
        return []
    table = load_table(config.table)
    codes = table.subset(subspace.operations)
    order = np.argsort(-table.accuracy(codes, config.column), kind="stable")
    return [Cell.from_code(int(code)) for code in codes[order[: config.top]]]


def torch_generator(seed: np.random.SeedSequence) -> torch.Generator:
    """A generator on the CPU, so that a GPU run draws the same numbers."""
    return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))


def check_device(device: str) -> None:
    """Raise a ConfigError unless this machine has the device."""
    try:
        torch.zeros(1, device=device).item()  # "meta" has no values
    except (RuntimeError, AssertionError) as error:
        have = ["cpu"]
        have += ["cuda"] if torch.cuda.is_available() else []
        have += ["mps"] if torch.backends.mps.is_available() else []
        raise ConfigError(
            f"cannot compute on {device!r}; this machine has {', '.join(have)}"
        ) from error


def machine(device: str) -> dict[str, Any]:
    """The fields of `Measurement` that say where a run was computed, at its end."""
    return {
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "cpu": cpu_name(),
        "versions": {
            "python": platform.python_version(),
            **{p: importlib.metadata.version(p) for p in ("nasrepro", "numpy", "torch")},
        },
    }


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in units of 10^6 bytes.

    On Linux `execute` lets it start anew with each run.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
    # Not ru_maxrss: a new process inherits it from the one that started it.
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


def cpu_name() -> str:
    """Model of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
