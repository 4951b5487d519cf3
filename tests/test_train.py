"""The training loop against the same updates written by hand, and its promises on real digits."""

import copy
import dataclasses
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro import train as train_module
from nasrepro.data.augment import normalise, random_crop, random_flip
from nasrepro.data.autoaugment import auto_augment
from nasrepro.data.images import Split, load_images, split
from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import Network, supernet
from nasrepro.runs.families import make_sampler
from nasrepro.samplers.nb201 import StrictlyFair, Uniform
from nasrepro.spaces.nb201 import OPERATIONS, Cell, Subspace
from nasrepro.train import (
    POURCHOT,
    PourchotRMSprop,
    RMSprop,
    TrainConfig,
    autocast,
    batches,
    initialise,
    learning_rate,
    make_optimizer,
    train,
)
from nasrepro.updates import Reptile

TINY = NetConfig(channels=4, cells_per_stage=1)


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"), train_images=64, validation_images=32, size=8)


class Given:
    """A sampler that takes the groups of a list, over and over."""

    def __init__(self, groups):
        self.groups, self.group_size, self.drawn = groups, len(groups[0]), 0

    def draw(self, generator):
        self.drawn += 1
        return self.groups[(self.drawn - 1) % len(self.groups)]


class Toy(nn.Module):
    """Convolution, batch normalisation, classifier; a path scales what the classifier sees."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.bn = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(36, 10)

    def forward(self, x: Tensor, cell: Cell) -> Tensor:
        x = F.relu(self.bn(self.conv(x))).flatten(1)
        return self.classifier(x * (1 + cell.code % 5))


def toy() -> Toy:
    net = Toy()
    initialise(net, torch.Generator().manual_seed(1))
    return net


def cells(*codes: int) -> tuple[Cell, ...]:
    return tuple(Cell.from_code(code) for code in codes)


def order(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(net: nn.Module) -> Tensor:
    """All parameters in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def run(net, part, sampler, config, seed=3):
    return list(train(net, part, sampler, config, np.random.default_rng(seed), order(seed)))


# ---- the schedule


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, 0.025),
        (1 / 3, 0.0000500 + 0.02495 * 0.75),  # cos 60 degrees = 1/2
        (0.5, 0.0000500 + 0.02495 * 0.5),
        (2 / 3, 0.0000500 + 0.02495 * 0.25),
        (1.0, 0.00005),
    ],
)
def test_the_schedule_is_the_papers_cosine(progress, expected):
    assert learning_rate(progress, TrainConfig()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.0), (0.05, 0.25), (0.1, 0.5), (0.2, 1.0), (0.6, 0.6), (1.0, 0.2)],
)
def test_warm_up_is_a_line_from_zero_before_the_cosine(progress, expected):
    config = TrainConfig(epochs=10, warmup_epochs=2, learning_rate=1.0, final_learning_rate=0.2)
    assert learning_rate(progress, config) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 9), st.floats(0, 1), st.floats(0, 1))
def test_the_schedule_rises_in_the_warm_up_and_falls_afterwards(warmup, a, b):
    config = TrainConfig(epochs=10, warmup_epochs=warmup, final_learning_rate=0.001)
    early, late = sorted((a, b))
    if late <= warmup / 10:
        assert learning_rate(early, config) <= learning_rate(late, config)
    elif early >= warmup / 10:
        assert learning_rate(early, config) >= learning_rate(late, config)
    assert 0 <= learning_rate(a, config) <= 0.025


def test_defaults_are_the_papers_table():
    assert TrainConfig() == TrainConfig(
        epochs=250,
        batch_size=256,
        learning_rate=0.025,
        final_learning_rate=0.00005,
        warmup_epochs=0,
        momentum=0.9,
        nesterov=False,
        weight_decay=0.0003,
        gradient_clip=None,
        crop_padding=4,
        precision="float32",
        gradients="sum",
        rmsprop=None,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "half"}, "unknown precision 'half'; choose from float32, bfloat16"),
        ({"epochs": 5, "warmup_epochs": 5}, "0 to 4 epochs of 5, found warmup_epochs=5"),
        ({"warmup_epochs": -1}, "found warmup_epochs=-1"),
        ({"gradients": "median"}, "unknown gradients 'median'; choose from sum, mean"),
        ({"batches": "twice"}, "unknown batches 'twice'; choose from separate, shared"),
        ({"rmsprop": RMSprop(), "nesterov": True}, "RMSprop has no Nesterov momentum"),
        ({"augmentation": "mixup"}, "unknown augmentation 'mixup'; choose from standard, auto"),
        ({"label_smoothing": 1.0}, "label smoothing is a share below 1, found 1.0"),
        ({"epochs": 0}, "at least 1 epoch .* found epochs=0"),
        ({"batch_size": 1}, "2 images per batch, found .*batch_size=1"),
        ({"learning_rate": -1.0}, "learning_rate is at least 0, found -1.0"),
        ({"weight_decay": -0.1}, "weight_decay is at least 0, found -0.1"),
        ({"crop_padding": -3}, "crop_padding is at least 0, found -3"),
        ({"momentum": 1.0}, "momentum is a share below 1, found 1.0"),
        ({"gradient_clip": 0.0}, "a norm above 0, or None, found 0.0"),
        ({"gradients": "mean", "adaptation": Reptile()}, "mean of the paths already"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**change)


# ---- the update


def by_hand(net: Toy, part: Split, groups, config: TrainConfig) -> list[tuple[float, float]]:
    """The same training with every formula spelt out: SGD of Sutskever et al. 2013 in
    PyTorch's form, or RMSprop; weights other than batch normalisation's decayed.
    """
    names = [name for name, _ in net.named_parameters()]
    values = [parameter for _, parameter in net.named_parameters()]
    velocity = [torch.zeros_like(value) for value in values]
    squares = [torch.zeros_like(value) for value in values]
    stream = batches(part, config, order())
    size, per_epoch = len(groups[0]), len(part.train_labels) // config.batch_size
    taken_at_once = 1 if config.batches == "shared" else size
    total, taken, history = per_epoch * config.epochs, 0, []
    for epoch in range(1, config.epochs + 1):
        losses, hits = [], 0
        while taken < epoch * per_epoch:
            done, warm = taken / total, config.warmup_epochs / config.epochs
            if done < warm:
                rate = config.learning_rate * done / warm
            else:
                angle = math.pi * (done - warm) / (1 - warm)
                low, high = config.final_learning_rate, config.learning_rate
                rate = low + (high - low) * (1 + math.cos(angle)) / 2
            gradients = [torch.zeros_like(value) for value in values]
            group = groups[taken // taken_at_once % len(groups)]
            given = [next(stream) for _ in range(taken_at_once)]
            for cell, (x, y) in zip(group, given * (size // taken_at_once), strict=True):
                logits = net(x, cell)
                loss = -logits.log_softmax(1)[torch.arange(len(y)), y].mean()
                smoothing, spread = config.label_smoothing, -logits.log_softmax(1).mean()
                target = (1 - smoothing) * loss + smoothing * spread
                for sum_, new in zip(gradients, torch.autograd.grad(target, values), strict=True):
                    sum_ += new
                losses.append(loss.item())
                hits += int((logits.argmax(1) == y).sum())
            taken += taken_at_once
            if config.gradients == "mean":
                gradients = [gradient / size for gradient in gradients]
            if config.gradient_clip is not None:
                norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
                if norm > config.gradient_clip:
                    gradients = [g * config.gradient_clip / norm for g in gradients]
            with torch.no_grad():
                for name, value, speed, square, gradient in zip(
                    names, values, velocity, squares, gradients, strict=True
                ):
                    pourchot = config.rmsprop is not None and config.rmsprop.form == "pourchot"
                    if pourchot or not name.startswith("bn."):
                        gradient = gradient + config.weight_decay * value
                    if config.rmsprop is not None:
                        decay, epsilon = config.rmsprop.decay, config.rmsprop.epsilon
                        square.mul_(decay).add_((1 - decay) * gradient**2)
                        square.add_(epsilon if pourchot else 0)  # and there it stays
                        gradient = gradient / (square.sqrt() + (0 if pourchot else epsilon))
                    speed.mul_(config.momentum).add_(gradient)
                    step = gradient + config.momentum * speed if config.nesterov else speed
                    value -= rate * step
        history.append((sum(losses) / len(losses), 100 * hits / (len(losses) * config.batch_size)))
    return history


TWO_PATHS = [cells(0, 1), cells(2, 3), cells(4, 2)]


@pytest.mark.parametrize(
    "settings_",
    [
        {},
        {"nesterov": True},
        {"weight_decay": 0.3},
        {"gradient_clip": 0.5},
        {"gradient_clip": 0.5, "nesterov": True, "weight_decay": 0.1, "warmup_epochs": 1},
        {"momentum": 0.0, "learning_rate": 0.5},
        {"epochs": 5, "warmup_epochs": 2, "crop_padding": 0},
        {"gradients": "mean", "gradient_clip": 0.2},
        {"label_smoothing": 0.3},
        {"augmentation": "autoaugment"},
        {"batches": "shared", "gradients": "mean"},
        {"rmsprop": RMSprop(), "learning_rate": 0.2},
        {"rmsprop": RMSprop(0.5, 0.1), "learning_rate": 0.02, "gradients": "mean"},
        {"rmsprop": POURCHOT, "learning_rate": 0.2, "weight_decay": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("groups", [[cells(0), cells(3), cells(1)], TWO_PATHS, [cells(0, 1, 2)]])
def test_training_is_the_updates_written_by_hand(digits, settings_, groups):
    config = TrainConfig(
        **{"epochs": 3, "batch_size": 16, "learning_rate": 0.1, "crop_padding": 1} | settings_
    )
    expected, net = toy(), toy()
    history = by_hand(expected, digits, groups, config)
    epochs = run(net, digits, Given(groups), config)
    torch.testing.assert_close(net.state_dict(), expected.state_dict(), rtol=1e-3, atol=1e-4)
    assert [e.loss for e in epochs] == pytest.approx([loss for loss, _ in history], rel=1e-3)
    assert [e.accuracy for e in epochs] == pytest.approx([hit for _, hit in history], abs=2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"nesterov": True}),
        ({}, {"weight_decay": 0.3}),
        ({}, {"gradient_clip": 0.5}),
        ({}, {"warmup_epochs": 1}),
        ({}, {"momentum": 0.0}),
        ({}, {"crop_padding": 2}),
        ({}, {"label_smoothing": 0.3}),
        ({}, {"augmentation": "autoaugment"}),
        ({}, {"batches": "shared"}),
    ],
)
def test_every_setting_of_that_test_matters(digits, one, other):
    """By far more than the tolerance of the test above."""

    def weights(change):
        net = toy()
        config = {"epochs": 3, "batch_size": 16, "learning_rate": 0.1, "crop_padding": 1} | change
        run(net, digits, Given(TWO_PATHS), TrainConfig(**config))
        return flat(net)

    assert (weights(one) - weights(other)).abs().max() > 0.01


def test_an_unknown_form_of_rmsprop_is_refused():
    with pytest.raises(ConfigError, match="unknown form 'tf'; choose from pytorch, pourchot"):
        RMSprop(form="tf")


def test_pourchots_rmsprop_by_hand():
    """Three updates of one weight with gradient 2 and no decay of weights, in NumPy."""
    weight = nn.Parameter(torch.tensor([5.0], dtype=torch.float64))
    optimizer = PourchotRMSprop([weight], lr=0.2, decay=0.99, epsilon=1.0, momentum=0.9)
    value, square, buffer = 5.0, 0.0, 0.0
    for _ in range(3):
        weight.grad = torch.full_like(weight, 2.0)
        optimizer.step()
        square = 0.99 * square + 0.01 * 2.0**2 + 1.0
        buffer = 0.9 * buffer + 2.0 / np.sqrt(square)
        value -= 0.2 * buffer
    assert weight.item() == pytest.approx(value, rel=1e-12)
    for _ in range(2_000):  # s tends to 100 + g^2: steps are ten times as small as g times the rate
        weight.grad = torch.full_like(weight, 2.0)
        before = weight.item()
        optimizer.step()
    assert before - weight.item() == pytest.approx(0.2 * 2 / np.sqrt(104) / (1 - 0.9), rel=1e-6)


def test_a_group_sums_the_gradients_of_its_paths(digits):
    """One update of two paths, without momentum and decay: the step is the sum of two."""
    config = TrainConfig(
        epochs=1, batch_size=32, learning_rate=0.1, momentum=0, weight_decay=0, crop_padding=0
    )
    net, start = toy(), toy()
    run(net, digits, Given([cells(1, 4)]), config)
    stream, steps = batches(digits, config, order()), []
    for cell in cells(1, 4):
        x, y = next(stream)
        loss = F.cross_entropy(start(x, cell), y)
        steps.append(torch.autograd.grad(loss, list(start.parameters())))
    for before, after, one, two in zip(start.parameters(), net.parameters(), *steps, strict=True):
        torch.testing.assert_close(before - after, 0.1 * (one + two), rtol=1e-4, atol=1e-6)


def test_a_clip_larger_than_every_gradient_changes_nothing(digits):
    free, clipped = toy(), toy()
    config = TrainConfig(epochs=2, batch_size=16)
    run(free, digits, Given(TWO_PATHS), config)
    run(clipped, digits, Given(TWO_PATHS), dataclasses.replace(config, gradient_clip=1e6))
    assert all(
        torch.equal(a, b) for a, b in zip(free.parameters(), clipped.parameters(), strict=True)
    )


def test_weight_decay_leaves_out_batch_normalisation():
    net = supernet(TINY)
    optimizer = make_optimizer(net, TrainConfig(weight_decay=0.0123))
    decay = {
        id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]
    }
    assert len(decay) == sum(len(group["params"]) for group in optimizer.param_groups)
    for name, parameter in net.named_parameters():
        normalisation = ".bn." in name or name.startswith("head_bn.")
        assert decay.pop(id(parameter)) == (0.0 if normalisation else 0.0123), name
    assert not decay


# ---- the initial weights


def test_initial_weights_are_pytorchs_default_distribution():
    """Kaiming uniform with a = sqrt(5) and its bias, both by PyTorch's own modules."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        default = supernet(NetConfig(channels=16, cells_per_stage=1))
    net = copy.deepcopy(default)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1.0)
    initialise(net, torch.Generator().manual_seed(0))
    expected = dict(default.named_parameters())
    for name, parameter in net.named_parameters():
        ours, theirs = parameter.detach().flatten(), expected[name].detach().flatten()
        if "bn." in name:
            assert (ours == 1).all(), name  # normalisation keeps what it has
            continue
        assert ks_2samp(ours.numpy(), theirs.numpy()).pvalue > 1e-5, name
        if len(ours) > 1_000:
            assert float(ours.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.01), (
                name
            )


def test_initial_weights_follow_the_generator_alone():
    def weights(seed: int, world: int) -> Tensor:
        net = supernet(TINY)
        torch.manual_seed(world)
        before = torch.get_rng_state()
        initialise(net, torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), before)
        return flat(net)

    with torch.random.fork_rng():
        assert torch.equal(weights(5, world=1), weights(5, world=2))
        assert not torch.equal(weights(5, world=1), weights(6, world=1))


# ---- the batches


def numbered(part: Split) -> Split:
    """The labels are the images' own numbers, so that a batch shows which it holds."""
    return dataclasses.replace(part, train_labels=torch.arange(len(part.train_labels)))


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 30), st.integers(0, 2**40))
def test_no_image_is_seen_twice_in_an_epoch(batch_size, seed):
    part = numbered(split(load_images("digits"), 30, 8))
    stream = batches(part, TrainConfig(batch_size=batch_size), torch.Generator().manual_seed(seed))
    per_epoch = 30 // batch_size
    epochs = [torch.cat([next(stream)[1] for _ in range(per_epoch)]).tolist() for _ in range(3)]
    for seen in epochs:
        assert len(seen) == len(set(seen)) == per_epoch * batch_size
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_holds_its_labels_images_as_they_are_or_mirrored(digits):
    part, flips = numbered(digits), []
    for seed in (3, 4):
        stream = batches(part, TrainConfig(batch_size=64, crop_padding=0), order(seed))
        for x, y in (next(stream), next(stream)):
            assert x.is_contiguous(memory_format=torch.channels_last)
            plain = normalise(part.train_images[y], part.mean, part.std)
            same = (x == plain).flatten(1).all(1)
            mirrored = (x == plain.flip(3)).flatten(1).all(1)
            assert (same | mirrored).all()
            assert 10 < (mirrored & ~same).sum() < 54
            flips.append(tuple((mirrored & ~same).tolist()))
    assert len(set(flips)) == 4  # drawn anew for every batch, from the generator


@pytest.mark.parametrize("padding", [0, 1])
def test_batches_follow_the_generator(digits, padding):
    def pixels(seed):
        config = TrainConfig(batch_size=16, crop_padding=padding)
        return next(batches(digits, config, order(seed)))[0]

    assert torch.equal(pixels(3), pixels(3))
    assert not torch.equal(pixels(3), pixels(4))


def test_the_policy_comes_after_crops_and_flips(digits):
    config = TrainConfig(batch_size=16, crop_padding=1, augmentation="autoaugment")
    first, source = next(batches(digits, config, order(3))), order(3)
    chosen = torch.randperm(len(digits.train_labels), generator=source)[:16]
    usual = random_flip(random_crop(digits.train_images[chosen], 1, source), source)
    expected = normalise(auto_augment(usual, source), digits.mean, digits.std)
    assert torch.equal(first[0], expected) and torch.equal(first[1], digits.train_labels[chosen])


def test_an_epoch_takes_each_batch_once(digits):
    for group in (1, 2, 4):
        sampler = Given([cells(*range(group))])
        history = run(toy(), digits, sampler, TrainConfig(epochs=3, batch_size=16))
        assert len(history) == 3
        assert sampler.drawn * group == 3 * 4


@pytest.mark.parametrize("group", [2, 3, 4, 5])
@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_a_group_that_does_not_divide_an_epoch_is_finished(group, epochs):
    """Five batches an epoch: every epoch has an update, and no more paths than it takes."""
    part = split(load_images("digits"), 80, 8)
    sampler = Given([cells(*range(group))])
    history = run(toy(), part, sampler, TrainConfig(epochs=epochs, batch_size=16))
    assert len(history) == epochs
    assert all(math.isfinite(epoch.loss) and epoch.accuracy <= 100 for epoch in history)
    assert sampler.drawn == math.ceil(5 * epochs / group)


@pytest.mark.parametrize(("batch_size", "group"), [(65, 1), (33, 2), (16, 5)])
def test_fewer_batches_than_an_update_takes_are_refused(digits, batch_size, group):
    with pytest.raises(ConfigError, match=f"takes {group} x {batch_size} images.* has 64;"):
        run(toy(), digits, Given([cells(*range(group))]), TrainConfig(batch_size=batch_size))


# ---- whole trainings of a supernet


def trained(part: Split, name: str, config: TrainConfig, seed: int = 0, size: NetConfig = TINY):
    net: Network = supernet(size)
    initialise(net, torch.Generator().manual_seed(seed))
    history = run(net, part, make_sampler(name, Subspace()), config, seed)
    return net, history


@pytest.mark.parametrize("name", ["uniform", "strictly-fair"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_two_executions_agree_to_the_bit(digits, name, precision):
    config = TrainConfig(epochs=2, batch_size=12, crop_padding=1, precision=precision)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        one, first = trained(digits, name, config)
        torch.manual_seed(2)  # the world's random numbers do not matter
        two, second = trained(digits, name, config)
    assert first == second
    state = two.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in one.state_dict().items())
    _, other = trained(digits, name, config, seed=1)
    assert other != first


@pytest.mark.parametrize("sampler", [Uniform, StrictlyFair])
def test_only_the_operations_that_were_drawn_learn(digits, sampler):
    """A supernet of all operations, trained in a subspace: the masked convolution stays."""
    net = supernet(TINY)
    before = copy.deepcopy(net.state_dict())
    config = TrainConfig(epochs=2, batch_size=16, weight_decay=0.1)
    run(net, digits, sampler(Subspace.without("nor_conv_1x1", "none")), config)
    changed = {
        key for key, value in net.state_dict().items() if not torch.equal(value, before[key])
    }
    assert not [key for key in changed if "nor_conv_1x1" in key]
    assert [key for key in changed if "nor_conv_3x3" in key]
    assert {"stem.conv.weight", "classifier.bias", "head_bn.running_var"} <= changed


def test_every_epoch_begins_in_training_mode_and_is_told_when_it_ends(digits):
    """Between two epochs the network may be evaluated; the training stays the same to the bit."""
    config = TrainConfig(epochs=3, batch_size=16, crop_padding=1)
    undisturbed, disturbed = toy(), toy()
    expected = run(undisturbed, digits, Given(TWO_PATHS), config)
    epochs = train(disturbed, digits, Given(TWO_PATHS), config, np.random.default_rng(3), order(3))
    before, history = flat(disturbed), []
    for epoch in epochs:
        history.append(epoch)
        assert disturbed.training and not torch.equal(flat(disturbed), before)
        before = flat(disturbed)
        disturbed.eval()
    assert history == expected
    state = disturbed.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in undisturbed.state_dict().items())


@pytest.mark.parametrize("rmsprop", [None, RMSprop(), POURCHOT])
def test_an_operation_that_is_not_drawn_rests(digits, rmsprop):
    """Neither momentum nor weight decay moves what is not on the path."""
    drawn, other = (Cell((op,) * 6) for op in ("nor_conv_3x3", "nor_conv_1x1"))
    weights = []
    for epochs in (1, 3):
        net = supernet(TINY)
        initialise(net, order())
        config = TrainConfig(
            epochs=epochs,
            batch_size=64,
            learning_rate=0.1,
            final_learning_rate=0.1,
            weight_decay=0.1,
            rmsprop=rmsprop,
        )
        run(net, digits, Given([(drawn,), (other,), (other,)]), config)
        weights.append(net.state_dict())
    once, later = weights
    resting = [key for key in once if "nor_conv_3x3" in key]
    assert resting and all(torch.equal(once[key], later[key]) for key in resting)
    assert not torch.equal(once["stem.conv.weight"], later["stem.conv.weight"])


def test_a_run_that_diverges_ends_early(digits):
    config = TrainConfig(epochs=40, batch_size=16, learning_rate=1e6)
    _, history = trained(digits, "uniform", config)
    losses = [epoch.loss for epoch in history]
    assert len(losses) < 40
    assert not math.isfinite(losses[-1])
    assert all(math.isfinite(loss) for loss in losses[:-1])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls_on_digits(precision, monkeypatch):
    """In either precision, and in the one that was asked for."""
    monkeypatch.setattr(train_module, "multiplies_bfloat16", lambda kind: True)
    part = split(load_images("digits"), 600, 200, size=8)
    config = TrainConfig(
        epochs=10, batch_size=30, learning_rate=0.1, crop_padding=0, precision=precision
    )
    net = supernet(NetConfig(8, 1))
    initialise(net, order())
    types = set()
    net.classifier.register_forward_hook(lambda *call: types.add(str(call[-1].dtype)))
    history = run(net, part, Uniform(Subspace(("nor_conv_3x3", "nor_conv_1x1"))), config)
    assert types == {f"torch.{precision}"}
    assert history[0].loss > 1.9 > 1.0 > history[-1].loss
    assert history[0].accuracy < 40 < 65 < history[-1].accuracy


def test_the_network_is_left_in_training_mode_on_every_operation(digits):
    net, _ = trained(digits, "uniform", TrainConfig(epochs=1, batch_size=32))
    assert all(module.training for module in net.modules())
    assert net.choices == (OPERATIONS,) * 6


# ---- bfloat16 where the device multiplies it, float32 elsewhere


def dtype_within(precision: str) -> torch.dtype:
    with autocast(torch.device("cpu"), precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(("multiplies", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_is_computed_where_the_device_multiplies_it(multiplies, dtype, monkeypatch):
    monkeypatch.setattr(train_module, "multiplies_bfloat16", lambda kind: multiplies)
    assert dtype_within("bfloat16") == dtype
    assert dtype_within("float32") == torch.float32


def test_a_processor_without_avx512_does_not_multiply_bfloat16():
    """As oneDNN reports it when it may use no more; no other kind of device is asked for."""
    code = "from nasrepro.train import multiplies_bfloat16 as m; print(m('cpu'), m('mps'))"
    limits = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | limits,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
