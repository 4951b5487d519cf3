"""The one training loop."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.canonical import later
from nasrepro.data.augment import normalise, random_crop, random_flip
from nasrepro.data.autoaugment import auto_augment
from nasrepro.data.images import Split
from nasrepro.errors import ConfigError, at_least
from nasrepro.samplers import Sampler
from nasrepro.updates import Accumulate, Adaptation, Shown, Task, Update

PRECISIONS = ("float32", "bfloat16")
GRADIENTS = ("sum", "mean")
BATCHES = ("separate", "shared")
FORMS = ("pytorch", "pourchot")
AUGMENTATIONS = ("standard", "autoaugment")


@dataclass(frozen=True, slots=True)
class RMSprop:
    """RMSprop instead of SGD, with the benchmark's own settings, which Pourchot takes over."""

    decay: float = 0.9  # of the mean square
    epsilon: float = 1.0  # added to its root, as PyTorch does
    form: str = later("pytorch")  # or "pourchot": see `PourchotRMSprop`

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ConfigError(f"unknown form {self.form!r}; choose from {', '.join(FORMS)}")
        if not 0 <= self.decay < 1:
            raise ConfigError(f"the decay of a mean is a share below 1, found {self.decay}")
        at_least(0, epsilon=self.epsilon)


# What Pourchot's published code does with the settings of section 4.2, which are `RMSprop()`.
POURCHOT = RMSprop(decay=0.99, form="pourchot")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a network is trained; the defaults are Laube's table 1."""

    epochs: int = 250
    batch_size: int = 256  # images per path and step
    learning_rate: float = 0.025
    final_learning_rate: float = 5e-5  # Laube's table 1; his section 3.3 says 1e-5
    warmup_epochs: int = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 3e-4  # not on batch normalisation
    gradient_clip: float | None = None  # largest L2 norm of an update's gradient
    crop_padding: int = 4  # pixels
    precision: str = "float32"  # or "bfloat16": see `autocast`
    gradients: str = later("sum")  # or "mean": of the paths of an update
    batches: str = later("separate")  # or "shared": all paths of an update take the same images
    # Instead of SGD; it has the same momentum and weight decay.
    rmsprop: RMSprop | None = later(None)
    label_smoothing: float = later(0.0)  # share of the target spread over all classes
    # Crops and flips; or after them CIFAR-10's policy, too: see `autoaugment`.
    augmentation: str = later("standard")
    # Each path of an update takes some steps, instead of one with the gradients of all.
    adaptation: Adaptation | None = later(None)

    def __post_init__(self) -> None:
        check_precision(self.precision)
        choices = {"gradients": GRADIENTS, "batches": BATCHES, "augmentation": AUGMENTATIONS}
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise ConfigError(f"unknown {name} {value!r}; choose from {', '.join(known)}")
        if self.adaptation and self.gradients == "mean":
            raise ConfigError(
                "with an adaptation the weights go towards the mean of the paths already; take "
                "gradients='sum'"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(f"label smoothing is a share below 1, found {self.label_smoothing}")
        if self.rmsprop and self.nesterov:
            raise ConfigError("RMSprop has no Nesterov momentum; take nesterov=False")
        at_least(0, learning_rate=self.learning_rate, weight_decay=self.weight_decay)
        at_least(0, final_learning_rate=self.final_learning_rate, crop_padding=self.crop_padding)
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is a share below 1, found {self.momentum}")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise ConfigError(
                f"gradient_clip is a norm above 0, or None, found {self.gradient_clip}"
            )
        if self.epochs < 1 or self.batch_size < 2:
            raise ConfigError(
                "training needs at least 1 epoch and 2 images per batch, "
                f"found epochs={self.epochs}, batch_size={self.batch_size}"
            )
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ConfigError(
                f"the warm-up ends before the training: 0 to {self.epochs - 1} epochs of "
                f"{self.epochs}, found warmup_epochs={self.warmup_epochs}"
            )


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch of training showed, over the sampled paths."""

    loss: float  # mean over the batches; their sum is this times the number of batches
    accuracy: float  # percent of the augmented training images


def learning_rate(progress: float, config: TrainConfig) -> float:
    """Learning rate after a share `progress` (0 to 1) of the training.

    Linear warm-up from zero, then a cosine to the final value.

    >>> config = TrainConfig(epochs=10, learning_rate=0.1, final_learning_rate=0.0)
    >>> [round(learning_rate(p, config), 3) for p in (0, 0.5, 1)]
    [0.1, 0.05, 0.0]
    """
    warmup = config.warmup_epochs / config.epochs
    if progress < warmup:
        return config.learning_rate * progress / warmup
    cosine = (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2
    span = config.learning_rate - config.final_learning_rate
    return config.final_learning_rate + span * cosine


class PourchotRMSprop(torch.optim.Optimizer):
    """RMSprop as in Pourchot's published code.

    With gradient g, mean square s and momentum buffer b, both from 0, an update is
    s <- decay s + (1 - decay) g^2 + epsilon, b <- momentum b + g / sqrt(s), w <- w - rate b. The
    epsilon stays in s: with decay 0.99 and epsilon 1, s tends to at least 100, and steps to a tenth
    of what PyTorch's form takes at the same rate.
    """

    def __init__(
        self, params: Any, lr: float, decay: float, epsilon: float, momentum: float
    ) -> None:
        """Args: as in `RMSprop` and `TrainConfig`; groups have a `weight_decay`."""
        options = {"lr": lr, "decay": decay, "epsilon": epsilon, "momentum": momentum}
        super().__init__(params, options | {"weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of the parameters that have a gradient."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state = self.state[weights]
                if not state:
                    state |= {name: torch.zeros_like(weights) for name in ("square", "buffer")}
                square, buffer = state["square"], state["buffer"]
                gradient = weights.grad.add(weights, alpha=group["weight_decay"])
                square.mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
                square.add_(group["epsilon"])
                buffer.mul_(group["momentum"]).addcdiv_(gradient, square.sqrt())
                weights.sub_(buffer, alpha=group["lr"])


def make_optimizer(net: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD or RMSprop whose weight decay leaves out the parameters of batch normalisation.

    Pourchot's form of RMSprop decays these, too.
    """
    if config.rmsprop is not None and config.rmsprop.form == "pourchot":
        return PourchotRMSprop(
            [{"params": list(net.parameters()), "weight_decay": config.weight_decay}],
            lr=config.learning_rate,
            decay=config.rmsprop.decay,
            epsilon=config.rmsprop.epsilon,
            momentum=config.momentum,
        )
    norms = [p for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()]
    excluded = set(map(id, norms))
    decayed = [p for p in net.parameters() if id(p) not in excluded]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    if config.rmsprop is not None:
        return torch.optim.RMSprop(
            groups,
            lr=config.learning_rate,
            alpha=config.rmsprop.decay,
            eps=config.rmsprop.epsilon,
            momentum=config.momentum,
        )
    return torch.optim.SGD(
        groups,
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
    )


def initialise(net: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's default initialisation, drawn from a generator on the CPU."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            # kaiming_uniform_(a=sqrt(5)) for weights and PyTorch's bias are this same bound.
            bound = 1 / math.sqrt(fan_in)
            for parameter in module.parameters(recurse=False):
                values = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                with torch.no_grad():
                    parameter.copy_(values)


def batches(
    split: Split, config: TrainConfig, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Augmented, normalised training batches without end, shuffled anew each epoch.

    The last incomplete batch of an epoch is left out.
    """
    images, labels = split.train_images, split.train_labels
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for chosen in order.split(config.batch_size)[: len(images) // config.batch_size]:
            batch = random_flip(
                random_crop(images[chosen], config.crop_padding, generator), generator
            )
            if config.augmentation == "autoaugment":
                batch = auto_augment(batch, generator)
            x = normalise(batch, split.mean, split.std)
            yield x.contiguous(memory_format=torch.channels_last), labels[chosen]


@dataclass(frozen=True, eq=False)
class _Learner:
    """A network with its optimiser: what an update works with; see `updates.Learner`."""

    net: nn.Module
    config: TrainConfig
    device: torch.device
    optimizer: torch.optim.Optimizer

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [weights for group in self.optimizer.param_groups for weights in group["params"]]

    def gradients(self, tasks: Sequence[Task], share: float = 1) -> list[Shown]:
        self.optimizer.zero_grad(set_to_none=True)
        shown = []
        for path, x, y in tasks:
            with autocast(self.device, self.config.precision):
                logits = self.net(x, path)
            logits = logits.float()
            loss = target = F.cross_entropy(logits, y)  # noted as it is, never smoothed
            if smoothing := self.config.label_smoothing:
                target = F.cross_entropy(logits, y, label_smoothing=smoothing)
            (share * target).backward()
            shown.append(Shown(loss.detach(), (logits.detach().argmax(1) == y).sum()))
        return shown

    def descend(self) -> None:
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.config.gradient_clip)
        self.optimizer.step()


def updates(
    net: nn.Module,
    stream: Iterator[tuple[Tensor, Tensor]],
    sampler: Sampler,
    config: TrainConfig,
    path_generator: np.random.Generator,
    batches_per_epoch: int,
) -> Iterator[list[Shown]]:
    """Update a network in place, again and again: the loop of every training.

    Each path of a group takes a batch of its own, or all take the same one. After an update the
    network's gradients are those of its last step.

    Args:
        net: called as `net(images, cell)`; in training mode whenever an update is asked for.
        stream: batches of images and labels, on the device of the network.
        sampler: the paths of each update.
        config: schedule, optimiser and how the paths' gradients are used.
        path_generator: draws the paths.
        batches_per_epoch: how many batches the schedule counts as an epoch.

    Yields:
        What each path of an update showed before it; without end, as far as batches come.
    """
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # in place
    optimizer = make_optimizer(net, config)
    learner = _Learner(net, config, next(net.parameters()).device, optimizer)
    update: Update = config.adaptation or Accumulate(mean=config.gradients == "mean")
    batches_per_update = 1 if config.batches == "shared" else sampler.group_size
    taken, total = 0, config.epochs * batches_per_epoch
    while True:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(taken / total, config)
        group_of_batches = list(islice(stream, batches_per_update))
        if len(group_of_batches) < batches_per_update:
            return
        paths = zip(sampler.draw(path_generator), cycle(group_of_batches))
        yield update(learner, [Task(path, *batch) for path, batch in paths])
        taken += batches_per_update


def train(
    net: nn.Module,
    split: Split,
    sampler: Sampler,
    config: TrainConfig,
    path_generator: np.random.Generator,
    image_generator: torch.Generator,
) -> Iterator[Epoch]:
    """Train a network in place, epoch by epoch; see `updates`.

    An epoch has as many batches whether the paths of an update share one or not. Training ends
    early, after the epoch, when a loss is not finite. Between two epochs the network may be
    evaluated: each begins by putting it into training mode.

    Args:
        net: called as `net(images, cell)`; on the device of the split.
        split: training images, uint8, on the device to train on.
        sampler: the paths of each update.
        config: schedule and optimiser.
        path_generator: draws the paths.
        image_generator: draws the order of the images and their augmentation; on the CPU.

    Yields:
        One entry after each epoch; the last one's loss is not finite if training diverged.

    Raises:
        ConfigError: before the first epoch, if one has fewer whole batches than an update takes.
    """
    device = split.train_images.device
    batches_per_epoch = len(split.train_images) // config.batch_size
    batches_per_update = 1 if config.batches == "shared" else sampler.group_size
    if batches_per_epoch < batches_per_update:
        raise ConfigError(
            f"an update takes {batches_per_update} x {config.batch_size} images, but an epoch has "
            f"{len(split.train_images)}; take smaller batches"
        )
    stream = batches(split, config, image_generator)
    done = updates(net, stream, sampler, config, path_generator, batches_per_epoch)
    taken = 0
    for epoch in range(1, config.epochs + 1):
        net.train()
        loss_sum = torch.zeros((), device=device)
        correct = torch.zeros((), device=device)
        seen = 0
        while taken < epoch * batches_per_epoch:
            for shown in next(done):
                loss_sum += shown.loss
                correct += shown.correct
                seen += 1
            taken += batches_per_update
        epoch_shown = Epoch(
            loss_sum.item() / seen, 100 * correct.item() / (seen * config.batch_size)
        )
        yield epoch_shown
        if not math.isfinite(epoch_shown.loss):
            return


def check_precision(precision: str) -> None:
    """Raise a ConfigError unless `autocast` knows the precision."""
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision {precision!r}; choose from {', '.join(PRECISIONS)}")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The precision of a config on a device.

    "bfloat16" is mixed precision where the device multiplies it in hardware. Elsewhere it would be
    several times as slow as float32, which is then computed instead, as for "float32".
    """
    enabled = precision == "bfloat16" and multiplies_bfloat16(device.type)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@cache
def multiplies_bfloat16(kind: str) -> bool:
    """Whether a kind of device, e.g. "cpu" or "cuda", multiplies bfloat16 in hardware here.

    Of a CPU as oneDNN reports it, which obeys ONEDNN_MAX_CPU_ISA; it also says so of processors
    with AVX-512 alone, where it would only imitate it.
    """
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    x86 = torch.cpu._is_avx2_supported()
    return torch.cpu._is_avx512_bf16_supported() if x86 else True
