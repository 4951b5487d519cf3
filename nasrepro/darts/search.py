"""The search: one loop for all algorithms."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.darts.algorithm import Algorithm, Phase, check_search
from nasrepro.darts.gradients import GRADIENTS
from nasrepro.darts.learner import Batch, Learner, widened
from nasrepro.darts.relaxations import RELAXATIONS, Relax, among, strongest
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError
from nasrepro.train import TrainConfig, batches


@dataclass(frozen=True, eq=False, slots=True)
class Searched:
    """What one epoch of a search showed.

    Attributes:
        loss: mean over the training batches, as they were trained on last.
        alphas: after the epoch, float32 (edges, operations); minus infinity of those left out.
        gradient: sum over the epoch, float32 (edges, operations).
        steps: updates of the alphas, or of notes of their gradient.
        net: the supernet as it stands.
        phase: that the epoch belongs to.
    """

    loss: float
    alphas: np.ndarray
    gradient: np.ndarray
    steps: int
    net: nn.Module
    phase: Phase


def initial_alphas(
    shape: Sequence[int],
    algorithm: Algorithm,
    generator: torch.Generator,
    offered: Tensor | None = None,
) -> Tensor:
    """Small random numbers, or zeros, on the CPU; zeros where `offered`, if given, says no."""
    noise = torch.randn(tuple(shape), generator=generator)
    if offered is not None:
        noise = noise * offered
    return (algorithm.initial_noise * noise).requires_grad_()


def search(
    build: Callable[[Phase], nn.Module],
    alphas: Tensor,
    split: Split,
    train: TrainConfig,
    algorithm: Algorithm,
    training_images: torch.Generator,
    validation_images: torch.Generator,
    draws: torch.Generator,
    offered: Tensor | None = None,
) -> Iterator[Searched]:
    """Search alphas in place, and train the weights of a supernet.

    Of each period of `algorithm.steps` batches, first the alphas' gradient is found, then they are
    updated, then the weights are trained: from where they were, on the same batches (SoTL thesis,
    algorithm 3); or, without a replay, on the one batch that the sum has not trained on. An epoch's
    last period is as long as the epoch leaves. Between two epochs the network may be evaluated. A
    search ends early, after the epoch, when a loss or an alpha is not finite.

    Args:
        build: makes an initialised supernet for a phase, called as `net(images, weights)`, on the
            device of the split; with `skip_dropout`, if phases have one.
        alphas: as `initial_alphas` gives them.
        split: images, uint8, on the device to train on; the validation images are augmented, too.
        train: schedule and optimiser of the weights; its batch size holds for both.
        algorithm: all that decides the alphas.
        training_images: draws order and augmentation of the training images; on the CPU.
        validation_images: of the validation images.
        draws: what relaxations draw, and what begins anew or gets wider between phases.
        offered: see `among`; alphas that stand for nothing stay as they are, zero.

    Yields:
        One entry after each epoch.

    Raises:
        ConfigError: before the first epoch, if there are too few images for a batch.
    """
    check_search(algorithm, train)
    per_epoch = len(split.train_labels) // train.batch_size
    validates = GRADIENTS[algorithm.gradient].validates
    if not per_epoch or (validates and len(split.validation_labels) < train.batch_size):
        raise ConfigError(f"there are too few images for a batch of {train.batch_size}")
    swapped = replace(
        split, train_images=split.validation_images, train_labels=split.validation_labels
    )
    stream = batches(split, train, training_images)
    judged = batches(swapped, train, validation_images) if validates else iter(())
    kept: Tensor | None = None
    scores = alphas.detach()
    for number, phases in enumerate(algorithm.stretches(train.epochs)):
        if number:
            alphas.data.copy_(initial_alphas(alphas.shape, algorithm, draws, offered).detach())
        steps = per_epoch * sum(phase.epochs for phase in phases)
        learner, optimizer = Learner(build(phases[0]), train, steps), _adam(alphas, algorithm)
        gathered = torch.zeros_like(alphas, requires_grad=False)
        for before, phase in pairwise((phases[0], *phases)):
            if phase.share != before.share:
                learner = widened(learner, build(phase), draws)
            if phase.operations is not None:
                kept = strongest(among(scores, kept), phase.operations)
                alphas.data.masked_fill_(~kept, 0.0)
            relax = partial(_weights, algorithm, learner, draws, offered if kept is None else kept)
            for epoch in range(phase.epochs):
                waits = epoch < algorithm.warmup_epochs
                with _dropping(learner.net, phase.dropout(epoch, algorithm.warmup_epochs)):
                    gradient, updates = _epoch(
                        learner,
                        alphas,
                        None if waits else optimizer,
                        relax,
                        algorithm,
                        islice(stream, per_epoch),
                        judged,
                    )
                gathered += gradient
                loss = float(torch.stack(learner.losses[-per_epoch:]).mean())
                left = among(alphas.detach(), kept).numpy().copy()
                yield Searched(loss, left, gradient.numpy(), updates, learner.net, phase)
                if not math.isfinite(loss) or not alphas.isfinite().all():
                    return
            scores = alphas.detach().clone() if algorithm.learning_rate else -gathered


def _adam(alphas: Tensor, algorithm: Algorithm) -> torch.optim.Adam:
    return torch.optim.Adam(
        [alphas],
        lr=algorithm.learning_rate,
        betas=algorithm.betas,
        weight_decay=algorithm.weight_decay,
    )


def _weights(
    algorithm: Algorithm,
    learner: Learner,
    draws: torch.Generator,
    present: Tensor | None,
    alphas: Tensor,
) -> Tensor:
    """The weights of a forward pass; see `among` for what is present."""
    relaxation = RELAXATIONS[algorithm.relaxation]
    return relaxation.weights(among(alphas, present), learner.progress, draws)


@contextmanager
def _dropping(net: Any, rate: float) -> Iterator[None]:
    """Within it, skips of a network are dropped out, if the rate is not zero."""
    if rate:
        net.skip_dropout = rate
    yield
    if rate:
        net.skip_dropout = 0.0


def _epoch(
    learner: Learner,
    alphas: Tensor,
    optimizer: torch.optim.Adam | None,
    relax: Relax,
    algorithm: Algorithm,
    training: Iterator[Batch],
    validation: Iterator[Batch],
) -> tuple[Tensor, int]:
    """Search and train on the training batches of an epoch, period by period.

    Returns:
        The sum of the alphas' gradients, and how many there were: none without an optimiser.
    """
    learner.net.train()
    total, updates = torch.zeros_like(alphas, requires_grad=False), 0
    while period := list(islice(training, algorithm.steps)):
        left = period
        if optimizer is not None:
            others = list(islice(validation, len(period)))
            gradient, left = _update(learner, alphas, optimizer, relax, algorithm, period, others)
            total, updates = total + gradient, updates + 1
        for batch in left:
            learner.step(batch, relax(alphas).detach())
    return total, updates


def _update(
    learner: Learner,
    alphas: Tensor,
    optimizer: torch.optim.Optimizer,
    relax: Relax,
    algorithm: Algorithm,
    training: list[Batch],
    validation: list[Batch],
) -> tuple[Tensor, list[Batch]]:
    """Update the alphas once; returns their gradient and the batches to train on afterwards."""
    way = GRADIENTS[algorithm.gradient]
    replays = algorithm.replay and way.trains and len(training) > 1
    kept = learner.kept() if replays else None
    gradient = way.function(learner, alphas, relax, training, validation)
    if replays:
        learner.restore(kept)
    if algorithm.learning_rate:
        alphas.grad = gradient.clone()
        optimizer.step()
        optimizer.zero_grad()
    return gradient.detach(), training if algorithm.replay or not way.trains else training[-1:]
