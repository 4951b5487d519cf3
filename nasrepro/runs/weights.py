"""Trained supernets that other runs begin with, kept in the store beside the records.

A config does not decide weights to the last bit: another kind of processor rounds differently, and
a training ends elsewhere. So that all runs of a supernet begin with the same, on whatever machine,
its weights are those that its first run kept; like a record, they are not computed again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from filelock import FileLock

from nasrepro.canonical import digest
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import whole_file, writing
from nasrepro.nets.paths import PathNetwork
from nasrepro.paths import exists, files, result, results_dir, results_dirs
from nasrepro.runs.config import SCHEMA, to_dict
from nasrepro.runs.families import family_of
from nasrepro.runs.record import archive, epoch_of, epoch_values, read_archive
from nasrepro.runs.setup import deterministic_convolutions, generators, initialise_on
from nasrepro.runs.supernet import SupernetConfig, sampler_of
from nasrepro.train import Epoch, train

FOLDER = "weights"  # of the store
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

    Raises:
        DataError: if the store's weights cannot be read: to train anew could give others.
    """
    if epochs == 0:  # any machine initialises alike
        return _trained_now(config, epochs, part, device)
    name = weights_name(config, epochs)
    with _only_one(name):
        if exists(path := result(FOLDER, f"{name}.npz")):
            return _read(path, config, device)
        found = _trained_now(config, epochs, part, device)
        with writing(f"the store {results_dir()}", NOT_KEPT):
            _write(results_dir() / FOLDER / f"{name}.npz", found)
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


def weights_name(config: SupernetConfig, epochs: int | None) -> str:
    """A name that differs wherever trainings do.

    How cells are evaluated is no part of it, and which are only where some are drawn to be trained.
    """
    other = ("evaluate",) if config.trained_cells else ("evaluate", "cells")
    settings = {name: value for name, value in to_dict(config).items() if name not in other}
    whole = epochs == config.train.epochs  # which None stands for
    return digest([SCHEMA, settings, None if whole else epochs])[:16]


def stored() -> list[Path]:
    """The files of all weights that are kept, by name."""
    folders = [folder / FOLDER for folder in results_dirs()]
    names = {path.name for folder in folders for path in files(folder, "*.npz")}
    return [result(FOLDER, name) for name in sorted(names)]


def verify() -> Iterator[tuple[str, str]]:
    """Name and problem of every damaged file of weights."""
    for path in stored():
        try:
            read_archive(path.read_bytes())
        except (OSError, DataError) as error:
            yield path.stem, f"the weights in {path} cannot be read ({error}); bring the file back"


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
    head = {
        "history": [epoch_values(epoch) for epoch in trained.history],
        "seconds": trained.seconds,
    }
    arrays = {name: value.cpu().numpy() for name, value in trained.net.state_dict().items()}
    with whole_file(path, NOT_KEPT) as file:
        file.write(archive(head, arrays))


def _read(path: Path, config: SupernetConfig, device: str) -> Trained:
    """The supernet of a file; DataError if it is damaged or of other code."""
    drawn = generators(config.seed).network  # by the network itself, as in its training
    net = family_of(config.subspace).supernet(config.net, config.subspace, drawn)
    try:
        head, arrays = read_archive(path.read_bytes())
        net.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
        history = tuple(epoch_of(epoch, Epoch) for epoch in head["history"])
    except (OSError, DataError, ConfigError, KeyError, RuntimeError) as error:
        raise DataError(
            f"the weights of a supernet in {path} cannot be read ({error}); bring the file back, "
            "or delete it and the records that began with it, and compute these again"
        ) from error
    # As training leaves it: in another layout the last bits of what it computes can differ.
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(net, history, head["seconds"])
