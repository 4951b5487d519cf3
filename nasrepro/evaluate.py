"""How well a path classifies images: proxy accuracy in a supernet, or a network's own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.data.augment import normalise
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces import AnyCell
from nasrepro.train import autocast, check_precision

BATCH_NORM_MODES = ("batch", "tracked", "calibrated")
CALIBRATED_MEMO = 120  # tensors of a batch kept while paths are calibrated, by all batches together

# From a network, normalised images and paths to the logits of each path.
ManyPaths = Callable[[PathNetwork, Tensor, Sequence[AnyCell]], Iterable[Tensor]]


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """How paths are evaluated."""

    batch_norm: str = "tracked"  # statistics: of the batch, tracked in training, or calibrated
    batch_size: int = 500  # images
    calibration_batches: int = 0  # of training images, for "calibrated"
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.batch_norm not in BATCH_NORM_MODES:
            raise ConfigError(
                f"unknown batch_norm {self.batch_norm!r}; choose from {', '.join(BATCH_NORM_MODES)}"
            )
        if (self.batch_norm == "calibrated") != (self.calibration_batches > 0):
            raise ConfigError(
                "batch_norm='calibrated' needs calibration_batches >= 1, the others need 0; "
                f"found {self.batch_norm!r} with {self.calibration_batches}"
            )
        if self.batch_size < 1:
            raise ConfigError(f"a batch has at least 1 image, found batch_size={self.batch_size}")
        check_precision(self.precision)


def check_fits(config: EvaluateConfig, tracked: bool, train_images: int) -> None:
    """Raise a ConfigError if a network or its images lack what batch normalisation needs.

    Args:
        config: how the network is evaluated.
        tracked: whether it keeps running statistics.
        train_images: how many there are to calibrate on.
    """
    if config.batch_norm != "batch" and not tracked:
        raise ConfigError(
            f"batch_norm={config.batch_norm!r} needs a network with tracked statistics; "
            "this one keeps none: evaluate it with batch_norm='batch'"
        )
    if config.calibration_batches * config.batch_size > train_images:
        raise ConfigError(
            f"calibration wants {config.calibration_batches} batches of {config.batch_size}, "
            f"but there are only {train_images} training images"
        )


def check_batches(config: EvaluateConfig, images: int) -> None:
    """Raise a ConfigError if one of so many validation images would have to normalise itself."""
    if config.batch_norm == "batch" and images % config.batch_size == 1:
        raise ConfigError(
            f"{images} validation images in batches of {config.batch_size} leave one, "
            "which no batch normalises; take another number of them, or other batches"
        )


@dataclass(frozen=True, slots=True)
class Evaluations:
    """What many paths make of the validation images."""

    correct: np.ndarray  # correctly classified images of each path, int64 [paths]
    loss: np.ndarray  # mean cross-entropy over the images, float32 [paths]


@torch.inference_mode()
def evaluate_paths(
    net: PathNetwork,
    cells: Sequence[AnyCell],
    split: Split,
    config: EvaluateConfig,
    *,
    stacked: ManyPaths | None = None,
) -> Evaluations:
    """How well each cell's path classifies the validation images.

    Args:
        net: a supernet; its batch normalisation is put back as it was.
        cells: the paths to evaluate.
        split: validation images (and training images for calibration), uint8, on the device.
        config: statistics of batch normalisation, batch size, precision.
        stacked: takes many paths through in one batch, as suits a GPU; None: one after the other,
            sharing what they can, as suits a CPU.

    Returns:
        Two numbers per cell, in their order.

    Raises:
        ConfigError: if tracked statistics are wanted of a network that keeps none, or more
            batches to calibrate on than there are training images; or if `stacked` is given for
            calibrated paths.
    """
    norms, calibration = _norms(net, split, config), _calibration(split, config)
    if stacked and config.batch_norm == "calibrated":
        raise ConfigError("calibrated paths have separate statistics: they cannot be stacked")
    validation = prepared(split, split.validation_images, config.batch_size)
    labels = split.validation_labels.split(config.batch_size)
    paths, rows = distinct_paths(cells)
    device = split.validation_labels.device
    correct = torch.zeros(len(paths), dtype=torch.int64, device=device)
    loss = torch.zeros(len(paths), device=device)
    with _statistics(net, norms, config.batch_norm), autocast(device, config.precision):
        for i, logits, y in _evaluated(net, norms, paths, calibration, validation, labels, stacked):
            correct[i] += (logits.argmax(1) == y).sum()
            loss[i] += F.cross_entropy(logits.float(), y, reduction="sum")
    images = len(split.validation_labels)
    return Evaluations(correct.cpu().numpy()[rows], (loss.cpu().numpy() / images)[rows])


def distinct_paths(cells: Sequence[AnyCell]) -> tuple[list[AnyCell], list[int]]:
    """One cell for each path of some cells, and the place of each cell's path among them.

    Cells that differ only in edges off every route to the output are one path. In this order
    neighbours share the most; see `forward_many`.
    """
    path_of_cell = [cell.path for cell in cells]
    representatives = dict(sorted(zip(path_of_cell, cells, strict=True)))
    row = {path: i for i, path in enumerate(representatives)}
    return list(representatives.values()), [row[path] for path in path_of_cell]


@torch.inference_mode()
def evaluate_batches(
    net: PathNetwork,
    cells: Sequence[AnyCell],
    batches: Sequence[tuple[Tensor, Tensor]],
    precision: str,
    *,
    stacked: ManyPaths | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What each cell's path makes of each batch, normalised with the statistics of that batch.

    As in training, but nothing is learned, and no statistics are tracked.

    Args:
        net: as for `evaluate_paths`.
        cells: the paths.
        batches: normalised images and labels, on the device of the network.
        precision: of the forward pass.
        stacked: as for `evaluate_paths`.

    Returns:
        Mean cross-entropy, float32, and correctly classified images, int64: each [cells, batches].
    """
    paths, rows = distinct_paths(cells)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    loss, correct = [], []
    for x, y in batches:
        with _statistics(net, norms, "batch"), autocast(x.device, precision):
            many = list(stacked(net, x, paths) if stacked else net.forward_many(x, paths))
        logits = torch.stack(many).float()
        targets = y.expand(len(paths), -1)
        losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        loss.append(losses.mean(dim=1))
        correct.append((logits.argmax(2) == targets).sum(dim=1))
    found = [torch.stack(each, dim=1).cpu().numpy()[rows] for each in (loss, correct)]
    return found[0], found[1]


def _evaluated(
    net: PathNetwork,
    norms: list[nn.BatchNorm2d],
    paths: list[AnyCell],
    calibration: list[Tensor],
    validation: list[Tensor],
    labels: Sequence[Tensor],
    stacked: ManyPaths | None,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Each path's number, its logits of a validation batch, and the batch's labels."""
    if calibration:
        evaluated = _calibrated_logits(net, norms, paths, calibration, validation)
        for i, batches in enumerate(evaluated):
            for logits, y in zip(batches, labels, strict=True):
                yield i, logits, y
        return
    for x, y in zip(validation, labels, strict=True):
        many = stacked(net, x, paths) if stacked else net.forward_many(x, paths)
        for i, logits in enumerate(many):
            yield i, logits, y


def _calibrated_logits(
    net: PathNetwork,
    norms: list[nn.BatchNorm2d],
    cells: Sequence[AnyCell],
    calibration: list[Tensor],
    validation: list[Tensor],
) -> Iterator[list[Tensor]]:
    """Logits of every path on each batch, normalised with the path's own statistics.

    All batches go through the paths in step, so they share the same things with the path before:
    what is computed anew from validation images was computed anew from training images just
    before, and that estimated its statistics.
    """
    keep = max(1, CALIBRATED_MEMO // (len(calibration) + len(validation)))
    calibrating = [net.forward_many(x, cells, keep) for x in calibration]
    evaluating = [net.forward_many(x, cells, keep) for x in validation]
    for _ in cells:
        with _estimating(norms):
            for logits in calibrating:
                next(logits)
        yield [next(logits) for logits in evaluating]


@torch.inference_mode()
def loss_and_correct(
    net: nn.Module,
    cell: AnyCell | Tensor,
    images: Tensor,
    labels: Tensor,
    split: Split,
    config: EvaluateConfig,
) -> tuple[float, int]:
    """Mean cross-entropy and number of correctly classified images of one path or mixture.

    Args:
        net: as for `evaluate_paths`; or one that mixes operations.
        cell: the path; or the weights of the operations.
        images: uint8 [n, 3, size, size], on the device of the network.
        labels: int64 [n].
        split: how the images are normalised, and training images for calibration.
        config: statistics of batch normalisation, batch size, precision.

    Raises:
        ConfigError: as `evaluate_paths`.
    """
    norms, calibration = _norms(net, split, config), _calibration(split, config)
    loss = torch.zeros((), device=labels.device)
    correct = torch.zeros((), dtype=torch.int64, device=labels.device)
    batches = zip(
        prepared(split, images, config.batch_size), labels.split(config.batch_size), strict=True
    )
    with _statistics(net, norms, config.batch_norm), autocast(labels.device, config.precision):
        if config.batch_norm == "calibrated":
            with _estimating(norms):
                for x in calibration:
                    net(x, cell)
        for x, y in batches:
            logits = net(x, cell).float()
            loss += F.cross_entropy(logits, y, reduction="sum")
            correct += (logits.argmax(1) == y).sum()
    return loss.item() / len(labels), int(correct)


def _norms(net: nn.Module, split: Split, config: EvaluateConfig) -> list[nn.BatchNorm2d]:
    """The batch normalisations of a network; ConfigError as `check_fits`."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    tracked = all(norm.running_mean is not None for norm in norms)
    check_fits(config, tracked, len(split.train_images))
    return norms


def _calibration(split: Split, config: EvaluateConfig) -> list[Tensor]:
    """The batches to calibrate on, if any."""
    wanted = config.calibration_batches * config.batch_size
    if not wanted:
        return []
    return prepared(split, split.train_images[:wanted], config.batch_size)


def prepared(split: Split, images: Tensor, batch_size: int) -> list[Tensor]:
    """Images, uint8 [n, 3, size, size], in normalised batches, as a network takes them."""
    return [
        normalise(batch, split.mean, split.std).contiguous(memory_format=torch.channels_last)
        for batch in images.split(batch_size)
    ]


@contextmanager
def _statistics(net: nn.Module, norms: list[nn.BatchNorm2d], mode: str) -> Iterator[None]:
    """Set the statistics that batch normalisation uses, and put everything back afterwards."""
    before = [(norm.track_running_stats, norm.momentum) for norm in norms]
    saved = (
        {key: value.clone() for key, value in net.state_dict().items()}
        if mode == "calibrated"
        else None
    )
    was_training = net.training
    net.eval()
    if mode == "batch":
        for norm in norms:
            # In training mode without tracking, PyTorch normalises with the batch and stores
            # nothing.
            norm.train()
            norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, (tracked, momentum) in zip(norms, before, strict=True):
            norm.track_running_stats, norm.momentum = tracked, momentum
        if saved is not None:
            net.load_state_dict(saved)
        net.train(was_training)


@contextmanager
def _estimating(norms: list[nn.BatchNorm2d]) -> Iterator[None]:
    """Estimate statistics anew, as the mean over the training batches that now go through."""
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
        norm.train()
    yield
    for norm in norms:
        norm.eval()
