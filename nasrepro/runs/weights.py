"""Trained supernets that other runs begin with: a cache of weights, never a result.

A file is used only where the config, the code that trains, PyTorch and the kind of device are those
that wrote it; otherwise the supernet is trained again.
"""

import hashlib
import io
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import torch
from filelock import FileLock

import nasrepro
from nasrepro.canonical import digest
from nasrepro.data.images import Split
from nasrepro.files import whole_file, writing_cache
from nasrepro.nets.paths import PathNetwork
from nasrepro.paths import cache_dir, exists
from nasrepro.runs.config import to_dict
from nasrepro.runs.families import family_of
from nasrepro.runs.machine import public_version
from nasrepro.runs.setup import deterministic_convolutions, generators, initialise_on
from nasrepro.runs.supernet import SupernetConfig, sampler_of
from nasrepro.train import Epoch, multiplies_bfloat16, train

# What reading a file raises that is cut or altered.
DAMAGED = (OSError, RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError)
PACKAGE = Path(nasrepro.__file__).parent
# What in it decides the weights.
CODE = (
    *("nets", "samplers", "spaces", "data/augment.py", "data/autoaugment.py"),
    "data/images.py",
    *("train.py", "updates.py", "runs/setup.py", "runs/supernet.py"),
)


@dataclass(frozen=True, eq=False)
class Trained:
    """A supernet after its training, or a part of it."""

    net: PathNetwork
    history: tuple[Epoch, ...]
    seconds: float  # that the training took, whenever it was


def trained_supernet(
    config: SupernetConfig, epochs: int | None, part: Split, device: str
) -> Trained:
    """A supernet after so many epochs of its training, from the cache or trained now.

    Args:
        config: its schedule is that of the whole training.
        epochs: None: all; 0: as it is initialised.
        part: its images, on the device.
        device: where to train.
    """
    family, rng = family_of(config.subspace), generators(config.seed)
    net = family.supernet(config.net, config.subspace, rng.network)
    path = cache_dir() / "weights" / f"{_name(config, epochs, device)}.pt"
    with _only_one(path):
        if exists(path):
            with suppress(*DAMAGED):
                return _read(path, net, device)
        initialise_on(net, rng.weights, device)
        sampler, start = sampler_of(config, net), time.perf_counter()
        with deterministic_convolutions():
            learning = train(net, part, sampler, config.train, rng.sampler, rng.images)
            history = tuple(islice(learning, epochs))
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # in place
        found = Trained(net, history, round(time.perf_counter() - start, 3))
        with writing_cache():
            _write(path, found)
    return found


def _name(config: SupernetConfig, epochs: int | None, device: str) -> str:
    """A name that differs wherever the weights can."""
    settings = {k: v for k, v in to_dict(config).items() if k not in ("cells", "evaluate")}
    kind = torch.device(device).type
    made_by = [code_version(), public_version("torch"), kind, multiplies_bfloat16(kind)]
    return digest([settings, epochs, made_by])[:32]


@cache
def code_version() -> str:
    """SHA-256 of the code that decides what a training gives."""
    found = [PACKAGE / part for part in CODE]
    files = [file for part in found for file in ([part] if part.is_file() else part.rglob("*.py"))]
    summed = hashlib.sha256()
    for file in sorted(files):
        summed.update(str(file.relative_to(PACKAGE)).encode() + file.read_bytes())
    return summed.hexdigest()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let others that want the same weights wait, where files can be locked at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"), fallback_to_soft=False)
        lock.acquire()
    except (OSError, NotImplementedError):
        yield  # each trains for itself
        return
    try:
        yield
    finally:
        lock.release()


def _write(path: Path, trained: Trained) -> None:
    buffer = io.BytesIO()
    history = [(epoch.loss, epoch.accuracy) for epoch in trained.history]
    values = {"history": history, "seconds": trained.seconds, "net": trained.net.state_dict()}
    torch.save(values, buffer)
    with whole_file(path, "set $NASREPRO_CACHE to another folder") as file:
        file.write(buffer.getvalue())


def _read(path: Path, net: PathNetwork, device: str) -> Trained:
    values = torch.load(path, map_location=device, weights_only=True)
    net.load_state_dict(values["net"])
    # As training leaves it: in another layout the last bits of what it computes can differ.
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    history = tuple(Epoch(*epoch) for epoch in values["history"])
    return Trained(net, history, values["seconds"])
