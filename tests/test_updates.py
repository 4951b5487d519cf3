"""Updates that adapt to a path, against the same steps written by hand."""

import copy
from itertools import cycle, islice

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.runs.config import from_dict, to_dict
from nasrepro.samplers import Fixed
from nasrepro.spaces.nb201 import Cell
from nasrepro.train import TrainConfig, updates
from nasrepro.updates import MetaMinibatchProx, Reptile

RATE = 0.05
PLAIN = {"learning_rate": RATE, "final_learning_rate": RATE, "momentum": 0.0, "weight_decay": 0.0}
ONE, TWO = Cell.from_code(1), Cell.from_code(2)


class Toy(nn.Module):
    """A path scales what the classifier sees."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(5, 7)
        self.classifier = nn.Linear(7, 3)

    def forward(self, x, cell):
        return self.classifier(torch.tanh(self.hidden(x)) * (1 + cell.code % 5))


class Pair:
    """A sampler of two paths, in a given order."""

    group_size = 2

    def __init__(self, *paths):
        self.paths = paths

    def draw(self, generator):
        return self.paths


@pytest.fixture
def toy():
    torch.manual_seed(3)
    return Toy()


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(4)
    return [
        (torch.randn(6, 5, generator=generator), torch.randint(3, (6,), generator=generator))
        for _ in range(8)
    ]


def trained(net, stream, sampler, count=1, **settings):
    """A copy of a network after some updates, and what the paths of the last one showed."""
    net = copy.deepcopy(net)
    config = TrainConfig(batch_size=6, **(PLAIN | settings))
    loop = updates(net, iter(stream), sampler, config, np.random.default_rng(0), len(stream))
    shown = list(islice(loop, count))[-1]
    return net, shown


def vector(net):
    return nn.utils.parameters_to_vector(net.parameters()).detach()


def gradient(net, cell, batch, penalty=lambda: 0.0):
    x, y = batch
    loss = F.cross_entropy(net(x, cell), y) + penalty()
    grads = torch.autograd.grad(loss, list(net.parameters()))
    return nn.utils.parameters_to_vector(grads).detach()


def descend(net, step):
    nn.utils.vector_to_parameters(vector(net) - step, net.parameters())


def test_reptile_descends_the_approximate_gradient_of_sotl(toy, batches):
    """Equation 3.24: the way is the rate times the sum of the gradients along it (3.22)."""
    along, total = copy.deepcopy(toy), 0.0
    for _ in range(4):
        found = gradient(along, ONE, batches[0])
        total += found
        descend(along, RATE * found)
    for outer in (1.0, 0.3):
        adapted, _ = trained(toy, batches, Fixed(ONE), adaptation=Reptile(4, outer))
        way = vector(adapted) - vector(toy)
        torch.testing.assert_close(way, -outer * RATE * total, rtol=1e-5, atol=1e-6)


def test_reptile_as_the_authors_run_it_is_four_steps_on_each_batch(toy, batches):
    """One path at a time, the whole way, the same images: SPOS with every batch four times."""
    settings = {"momentum": 0.9, "weight_decay": 1e-3}
    adapted, _ = trained(toy, batches, Fixed(ONE), 2, adaptation=Reptile(), **settings)
    repeated = [batch for batch in batches[:2] for _ in range(4)]
    spos, _ = trained(toy, repeated, Fixed(ONE), 8, **settings)
    assert torch.equal(vector(adapted), vector(spos))


def test_a_group_goes_the_mean_of_its_paths_ways(toy, batches):
    alone = [
        trained(toy, batches[number:], Fixed(cell), adaptation=Reptile(3))[0]
        for number, cell in enumerate((ONE, TWO))
    ]
    ways = torch.stack([vector(net) - vector(toy) for net in alone])
    both, _ = trained(toy, batches, Pair(ONE, TWO), adaptation=Reptile(3, outer_rate=0.5))
    torch.testing.assert_close(vector(both) - vector(toy), 0.5 * ways.mean(0))


def test_the_momentum_goes_on_from_path_to_path_of_a_group(toy, batches):
    """The weights are put back for each path, the optimiser is not."""
    first, second = copy.deepcopy(toy), copy.deepcopy(toy)
    momentum = 0.0
    for net, cell, batch in ((first, ONE, batches[0]), (second, TWO, batches[1])):
        for _ in range(2):
            momentum = 0.9 * momentum + gradient(net, cell, batch)
            descend(net, RATE * momentum)
    both, _ = trained(toy, batches, Pair(ONE, TWO), adaptation=Reptile(2), momentum=0.9)
    torch.testing.assert_close(vector(both), (vector(first) + vector(second)) / 2)


def test_one_inner_step_of_a_group_is_multipath(toy, batches):
    """The thesis' remark in 3.4.2."""
    shared = {"batches": "shared"}
    multipath, _ = trained(toy, batches, Pair(ONE, TWO), 3, gradients="mean", **shared)
    reptile, _ = trained(toy, batches, Pair(ONE, TWO), 3, adaptation=Reptile(1), **shared)
    torch.testing.assert_close(vector(reptile), vector(multipath))


@pytest.mark.parametrize("penalty", ["squared", "norm"])
def test_metaprox_descends_the_loss_and_its_penalty(toy, batches, penalty):
    start, along = vector(toy), copy.deepcopy(toy)
    parameters = list(along.parameters())

    def added():
        square = (nn.utils.parameters_to_vector(parameters) - start).square().sum()
        # At the start the distance has no derivative; zero is the least of its subgradients.
        if penalty == "norm" and square > 0:
            return 2.0 / 2 * square.sqrt()
        return 2.0 / 2 * square

    for _ in range(4):
        descend(along, RATE * gradient(along, ONE, batches[0], added))
    adaptation = MetaMinibatchProx(4, strength=2.0, penalty=penalty)
    adapted, _ = trained(toy, batches, Fixed(ONE), adaptation=adaptation)
    torch.testing.assert_close(vector(adapted), vector(along), rtol=1e-5, atol=1e-6)
    reptile, _ = trained(toy, batches, Fixed(ONE), adaptation=Reptile(4))
    nearer, further = ((vector(net) - start).norm() for net in (adapted, reptile))
    assert nearer < further


def test_metaprox_without_strength_is_reptile(toy, batches):
    reptile, _ = trained(toy, batches, Pair(ONE, TWO), 2, adaptation=Reptile())
    free = MetaMinibatchProx(strength=0.0)
    metaprox, _ = trained(toy, batches, Pair(ONE, TWO), 2, adaptation=free)
    assert torch.equal(vector(metaprox), vector(reptile))


def test_the_penalty_leaves_what_is_not_of_the_path(batches):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.ways = nn.ModuleList([nn.Linear(5, 3), nn.Linear(5, 3)])

        def forward(self, x, cell):
            return self.ways[cell.code - 1](x)

    net = Two()
    adapted, _ = trained(
        net, batches, Fixed(ONE), adaptation=MetaMinibatchProx(penalty="norm"), weight_decay=0.1
    )
    assert torch.equal(vector(adapted.ways[1]), vector(net.ways[1]))
    assert not torch.equal(vector(adapted.ways[0]), vector(net.ways[0]))


@pytest.mark.parametrize("adaptation", [None, Reptile(), MetaMinibatchProx()])
def test_what_is_shown_is_the_plain_loss_before_the_update(toy, batches, adaptation):
    """Neither label smoothing nor a penalty nor later steps leak into a loss that is summed."""
    _, shown = trained(toy, batches, Pair(ONE, TWO), adaptation=adaptation, label_smoothing=0.3)
    for (loss, correct), cell, (x, y) in zip(shown, (ONE, TWO), batches[:2], strict=True):
        logits = toy(x, cell)
        torch.testing.assert_close(loss, F.cross_entropy(logits, y))
        assert correct == (logits.argmax(1) == y).sum()


def test_updates_end_with_their_batches(toy, batches):
    config = TrainConfig(batch_size=6)
    loop = updates(toy, iter(batches), Pair(ONE, TWO), config, np.random.default_rng(0), 8)
    assert len(list(loop)) == 4
    with_rest = updates(toy, iter(batches[:3]), Pair(ONE, TWO), config, np.random.default_rng(0), 8)
    assert len(list(with_rest)) == 1  # and not an update of half a group


def test_after_an_update_the_gradients_are_those_of_its_step(toy, batches):
    net = copy.deepcopy(toy)
    config = TrainConfig(batch_size=6, weight_decay=0.1, momentum=0.9)
    loop = updates(net, cycle(batches), Fixed(ONE), config, np.random.default_rng(0), 8)
    next(loop)
    found = nn.utils.parameters_to_vector([p.grad for p in net.parameters()])
    assert torch.equal(found, gradient(toy, ONE, batches[0]))  # without the decay


def test_texts_of_updates_are_told_apart():
    for adaptation in (Reptile(), MetaMinibatchProx()):
        config = TrainConfig(adaptation=adaptation)
        assert from_dict(to_dict(config), TrainConfig) == config
    assert "adaptation" not in to_dict(TrainConfig())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Reptile(inner_steps=0), "at least 1 step"),
        (lambda: Reptile(outer_rate=0.0), "a share of its way up to 1"),
        (lambda: MetaMinibatchProx(outer_rate=1.5), "a share of its way up to 1"),
        (lambda: MetaMinibatchProx(penalty="l2"), "unknown penalty 'l2'; choose from squared"),
        (lambda: MetaMinibatchProx(strength=-1.0), "strength is at least 0, found -1"),
    ],
)
def test_impossible_updates_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
