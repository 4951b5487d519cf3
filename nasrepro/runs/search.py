"""A differentiable search: alphas of every epoch, and what tells how they came about."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.canonical import later
from nasrepro.darts.algorithm import Algorithm, Phase, check_search
from nasrepro.darts.relaxations import LEAVING_OUT, RELAXATIONS, among
from nasrepro.darts.search import Searched, initial_alphas, search
from nasrepro.darts.spectrum import architecture_spectrum
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError, at_least
from nasrepro.evaluate import EvaluateConfig, check_batches, check_fits, loss_and_correct, prepared
from nasrepro.nets.config import NetConfig
from nasrepro.runs.config import RunConfig, changed
from nasrepro.runs.families import Relaxed, check_parts, relaxed_of
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
from nasrepro.spaces import SPACES, AnyCell, AnySubspace, name_of
from nasrepro.spaces.nb201 import Subspace
from nasrepro.train import TrainConfig

ALPHAS, GRADIENTS, STEPS, SPECTRUM_EPOCHS, SPECTRA = ARRAYS = (
    "alphas",  # after each epoch, float32 [epochs, choices, alternatives]
    "gradients",  # sum over each epoch, float32 [epochs, choices, alternatives]
    "steps",  # updates of the alphas in each epoch, or notes of their gradient, int64 [epochs]
    "spectrum_epochs",  # after which the Hessian of the alphas was taken, int64 [measured]
    # Its eigenvalues on training and on validation images, ascending, float64 [measured, 2, all],
    # or so many of the largest as `spectrum_largest` says
    "spectra",
)
TRAINING, VALIDATION = range(2)  # in `SPECTRA`
SMALL = 2.0**-20  # a power of two: the order of sums stays what it is
LANCZOS_STEPS = 30  # products of Hessian and vector that it takes, about


@dataclass(frozen=True, slots=True)
class SearchConfig(RunConfig):
    """One search: all that decides the record."""

    data: DataConfig = field(default_factory=DataConfig)  # its validation images are searched on
    subspace: AnySubspace = field(default_factory=Subspace)
    net: AnyNet = field(default_factory=lambda: NetConfig(affine=False, tracked_statistics=False))
    train: TrainConfig = field(default_factory=TrainConfig)
    algorithm: Algorithm = field(default_factory=Algorithm)
    evaluate: EvaluateConfig = field(default_factory=lambda: EvaluateConfig("batch"))
    evaluated: int = 1_000  # validation images that are looked at after each epoch
    spectrum_every: int = 10  # epochs between two looks at the Hessian, after the first; 0: none
    spectrum_images: int = 64
    seed: int = 0
    spectrum_largest: int | None = later(None)  # so many eigenvalues by Lanczos; None: all, exactly

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed, spectrum_every=self.spectrum_every)
        at_least(1, evaluated=self.evaluated, spectrum_images=self.spectrum_images)
        check_parts(self.subspace, self.net)
        relaxed = relaxed_of(self.subspace)
        if relaxed.alternatives and not RELAXATIONS[self.algorithm.relaxation].leaves_out:
            raise ConfigError(
                f"where choices have different numbers of alternatives, as in {self.subspace}, "
                f"take relaxation={LEAVING_OUT}, not {self.algorithm.relaxation!r}"
            )
        check_search(self.algorithm, self.train)
        self._check_phases()
        check_fits(self.evaluate, self.net.tracked_statistics, self.data.train_images)
        check_batches(self.evaluate, self.evaluated)
        if self.evaluated > self.data.validation_images:
            raise ConfigError(
                f"{self.data.validation_images} validation images are there, not {self.evaluated}"
            )
        edges, operations = relaxed.shape
        if self.spectrum_largest and not 0 < self.spectrum_largest < edges * operations:
            raise ConfigError(
                f"Lanczos finds fewer eigenvalues than the {edges * operations} alphas, not "
                f"spectrum_largest={self.spectrum_largest}"
            )

    def _check_phases(self) -> None:
        """Raise a ConfigError if the space cannot have the phases of the algorithm."""
        relaxed, algorithm = relaxed_of(self.subspace), self.algorithm
        title = SPACES[name_of(self.subspace)].TITLE
        plain = Phase(1)
        asked = [
            name
            for name in ("operations", "share", "cells", "skip_dropout")
            if any(getattr(phase, name) != getattr(plain, name) for phase in algorithm.phases)
        ] + ["most_skips"] * (algorithm.most_skips is not None)
        if unknown := [name for name in asked if name not in relaxed.varies]:
            raise ConfigError(
                f"a search of {title} cannot have phases with {' and '.join(unknown)}; it can "
                f"have {', '.join(relaxed.varies) or 'epochs alone'}"
            )
        _, operations = relaxed.shape
        if most := [n for n in (p.operations for p in algorithm.phases) if n and n >= operations]:
            raise ConfigError(
                f"a phase keeps some of the {operations} operations of an edge, not {most[0]}"
            )
        channels = getattr(self.net, "channels", 0)
        if uneven := [p.share for p in algorithm.phases if channels % p.share]:
            raise ConfigError(
                f"share={uneven[0]} does not divide the {channels} channels of the network"
            )

    @property
    def trained_images(self) -> int:
        """Images in the search, times passes through the network and operations of an edge.

        Phases count in proportion to their cells and to the share of channels.
        """
        _, operations = relaxed_of(self.subspace).shape
        paths, work = RELAXATIONS[self.algorithm.relaxation].paths or operations, 0.0
        for phase in self.algorithm.phases or (Phase(self.train.epochs),):
            paths = phase.operations or paths
            depth = phase.cells / self.net.cells if phase.cells else 1  # type: ignore[union-attr]
            work += phase.epochs * paths * depth / phase.share
        return round(work * self.data.train_images * self.algorithm.passes)

    @property
    def evaluated_images(self) -> int:
        """Images in the looks after each epoch, times operations of an edge, roughly."""
        edges, operations = relaxed_of(self.subspace).shape
        looks = self.train.epochs * self.evaluated * (operations + 1)
        products = LANCZOS_STEPS if self.spectrum_largest else edges * operations
        spectra = 2 * self.spectrum_images * products * operations
        return looks + len(self.spectrum_epochs) * spectra

    @property
    def spectrum_epochs(self) -> list[int]:
        """The epochs after which the Hessian is taken."""
        if not self.spectrum_every:
            return []
        others = range(self.spectrum_every, self.train.epochs + 1, self.spectrum_every)
        return sorted({1, *others})


@dataclass(frozen=True, slots=True)
class SearchEpoch:
    """What one epoch showed: its training, and validation images after it."""

    train_loss: float  # mean over the batches
    validation_loss: float  # of the mixed network, mean over the images that are looked at
    validation_correct: int  # of these images
    path_loss: float  # of the selected cell with the supernet's weights
    path_correct: int


def run_search(config: SearchConfig, device: str = "cpu") -> Record:
    """Search, and look at the network after each epoch.

    Args:
        config: all that decides the result.
        device: where to compute, as for a supernet.

    Returns:
        The record with the arrays `ARRAYS`. A search diverged if a loss or an alpha is not finite;
        its arrays end there.

    Raises:
        ConfigError: if the config or the device does not fit.
        DataError: if the images are not available.
    """
    check_device(device)
    rng, relaxed = generators(config.seed), relaxed_of(config.subspace)
    part = load_split(images_of(config.data.name), config.data, config.net, device)
    offered, discretise = relaxed.offered, _discretise(config)

    def build(phase: Phase) -> nn.Module:
        depth = {} if phase.cells is None else {"cells": phase.cells}
        net = relaxed.network(changed(config.net, depth), rng.network, phase.share)
        initialise_on(net, rng.weights, device)
        return net

    def mean(given: Tensor) -> Tensor:
        return RELAXATIONS[config.algorithm.relaxation].mean(among(given, offered))

    alphas = initial_alphas(relaxed.shape, config.algorithm, rng.network, offered)
    kept: dict[str, list[Any]] = {ALPHAS: [], GRADIENTS: [], STEPS: [], SPECTRA: []}
    history: list[SearchEpoch] = []
    watch = Stopwatch(device)
    with deterministic_convolutions():
        streams = (rng.images, rng.validation, rng.network)
        for epoch in search(build, alphas, part, config.train, config.algorithm, *streams, offered):
            watch.lap("train")
            kept[ALPHAS].append(epoch.alphas)
            kept[GRADIENTS].append(epoch.gradient)
            kept[STEPS].append(epoch.steps)
            scores = _scores(config, kept[ALPHAS], kept[GRADIENTS])[-1]
            now = torch.from_numpy(epoch.alphas)
            cell = discretise(torch.from_numpy(scores))
            history.append(_look(config, relaxed, epoch, mean(now), cell, part))
            if len(history) in config.spectrum_epochs and math.isfinite(epoch.loss):
                images = _plain_batches(part, config.spectrum_images)
                of = partial(architecture_spectrum, epoch.net, now, mean)
                kept[SPECTRA].append([of(b, config.spectrum_largest) for b in images])
            watch.lap("evaluate")
    share = len(history) / config.train.epochs
    done = share == 1 and math.isfinite(history[-1].train_loss)
    return Record(
        config=config,
        status="ok" if done else "diverged",
        history=tuple(history),
        arrays={
            ALPHAS: np.array(kept[ALPHAS]),
            GRADIENTS: np.array(kept[GRADIENTS]),
            STEPS: np.array(kept[STEPS], np.int64),
            SPECTRUM_EPOCHS: np.array(config.spectrum_epochs[: len(kept[SPECTRA])], np.int64),
            SPECTRA: np.array(kept[SPECTRA], np.float64).reshape(
                -1, 2, config.spectrum_largest or alphas.numel()
            ),
        },
        measurement=watch.measurement(
            trained=round(config.trained_images * share),
            evaluated=round(config.evaluated_images * share),
        ),
    )


def _look(
    config: SearchConfig,
    relaxed: Relaxed,
    epoch: Searched,
    mixture: Tensor,
    cell: AnyCell,
    part: Split,
) -> SearchEpoch:
    """The loss of an epoch, and what mixture and cell make of validation images after it."""
    net: Any = epoch.net
    images = part.validation_images[: config.evaluated]
    looked = images, part.validation_labels[: config.evaluated], part, config.evaluate
    mixed = loss_and_correct(net, mixture, *looked)
    if epoch.phase.share > 1 and relaxed.alone:  # no path: operations see some channels alone
        return SearchEpoch(epoch.loss, *mixed, *loss_and_correct(net, relaxed.alone(cell), *looked))
    return SearchEpoch(epoch.loss, *mixed, *loss_and_correct(net.net, cell, *looked))


def selected(record: Record) -> list[AnyCell]:
    """The cell that a search selects after each of its epochs."""
    discretise = _discretise(record.config)
    return [discretise(torch.from_numpy(scores)) for scores in _scores_of(record)]


def ends_with(record: Record) -> AnyCell:
    """The cell that a search selects after its last epoch."""
    return _discretise(record.config)(torch.from_numpy(_scores_of(record)[-1]))


def _discretise(config: SearchConfig) -> Callable[[Tensor], AnyCell]:
    """From scores to the cell that an algorithm selects."""
    discretise, limit = relaxed_of(config.subspace).discretise, config.algorithm.most_skips
    return discretise if limit is None else partial(discretise, most_skips=limit)


def _scores_of(record: Record) -> np.ndarray:
    return _scores(record.config, record.arrays[ALPHAS], record.arrays[GRADIENTS])


def _scores(
    config: SearchConfig,
    alphas: Sequence[np.ndarray] | np.ndarray,
    gradients: Sequence[np.ndarray] | np.ndarray,
) -> np.ndarray:
    """What the cell is read from after each epoch, [epochs, choices, alternatives].

    The alphas; where they stay as they are, one small step against all gradients since they began.
    How small matters only where edges compete, by their softmax, which is linear there.
    """
    if config.algorithm.learning_rate:
        return np.array(alphas)
    parts = config.algorithm.stretches(config.train.epochs)
    lengths = [sum(phase.epochs for phase in part) for part in parts]
    since = np.split(np.array(gradients), np.cumsum(lengths)[:-1])
    steps = -SMALL * np.concatenate([np.cumsum(part, axis=0) for part in since])
    return np.where(np.isneginf(alphas), -np.inf, steps)


def _plain_batches(part: Split, images: int) -> list[tuple[Tensor, Tensor]]:
    """The first training and validation images, as they are, in one batch each."""
    parts = (
        (part.train_images, part.train_labels),
        (part.validation_images, part.validation_labels),
    )
    return [
        (prepared(part, pixels[:images], images)[0], labels[:images]) for pixels, labels in parts
    ]
