"""Trained supernets that other runs begin with, kept in the store beside the records.

A config does not decide weights to the last bit: another kind of processor rounds differently, and
a training ends elsewhere. So that all runs of a supernet begin with the same, on whatever machine,
its weights are those that its first run kept; like a record, they are not computed again.
"""

import io
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from filelock import FileLock

from nasrepro.canonical import digest
from nasrepro.data.images import Split
from nasrepro.files import whole_file, writing
from nasrepro.nets.paths import PathNetwork
from nasrepro.paths import exists, result, results_dir
from nasrepro.runs.config import SCHEMA, to_dict
from nasrepro.runs.families import family_of
from nasrepro.runs.setup import deterministic_convolutions, generators, initialise_on
from nasrepro.runs.supernet import SupernetConfig, sampler_of
from nasrepro.train import Epoch, train

FOLDER = "weights"  # of the store
# What reading a file raises that is cut or altered.
DAMAGED = (OSError, RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError)
NOT_KEPT = "each run trains its supernet itself; set $NASREPRO_RESULTS to another folder"


@dataclass(frozen=True, eq=False)
class Trained:
    """A supernet after its training, or a part of it."""

    net: PathNetwork
    history: tuple[Epoch, ...]
    seconds: float  # that the training took, whenever it was


def trained_supernet(
    config: SupernetConfig, epochs: int | None, part: Split, device: str
) -> Trained:
    """A supernet after so many epochs of its training, from the store or trained now.

    Args:
        config: its schedule is that of the whole training.
        epochs: None: all; 0: as it is initialised.
        part: its images, on the device.
        device: where to train.
    """
    if epochs == 0:  # any machine initialises alike
        return _trained_now(config, epochs, part, device)
    name = name_of(config, epochs)
    with _only_one(name):
        if exists(path := result(FOLDER, f"{name}.pt")):
            with suppress(*DAMAGED):
                return _read(path, config, device)
        found = _trained_now(config, epochs, part, device)
        with writing(f"the store {results_dir()}", NOT_KEPT):
            _write(results_dir() / FOLDER / f"{name}.pt", found)
    return found


def _trained_now(config: SupernetConfig, epochs: int | None, part: Split, device: str) -> Trained:
    """Arguments as in `trained_supernet`."""
    rng, start = generators(config.seed), time.perf_counter()
    net = family_of(config.subspace).supernet(config.net, config.subspace, rng.network)
    initialise_on(net, rng.weights, device)
    sampler = sampler_of(config, net)
    with deterministic_convolutions():
        learning = train(net, part, sampler, config.train, rng.sampler, rng.images)
        history = tuple(islice(learning, epochs))
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # in place
    return Trained(net, history, round(time.perf_counter() - start, 3))


def name_of(config: SupernetConfig, epochs: int | None) -> str:
    """A name that differs wherever trainings do; which cells are evaluated, and how, is no part."""
    settings = {k: v for k, v in to_dict(config).items() if k not in ("cells", "evaluate")}
    return digest([SCHEMA, settings, epochs])[:16]


@contextmanager
def _only_one(name: str) -> Iterator[None]:
    """Let others that want the same weights wait, where files can be locked at all."""
    path = results_dir() / FOLDER / ".state" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, fallback_to_soft=False)
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
    with whole_file(path, NOT_KEPT) as file:
        file.write(buffer.getvalue())


def _read(path: Path, config: SupernetConfig, device: str) -> Trained:
    drawn = generators(config.seed).network  # by the network itself, as in its training
    net = family_of(config.subspace).supernet(config.net, config.subspace, drawn)
    values = torch.load(path, map_location=device, weights_only=True)
    net.load_state_dict(values["net"])
    # As training leaves it: in another layout the last bits of what it computes can differ.
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    history = tuple(Epoch(*epoch) for epoch in values["history"])
    return Trained(net, history, values["seconds"])
