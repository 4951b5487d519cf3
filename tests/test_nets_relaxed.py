"""The relaxed supernet against the supernet of paths and against a plain sum of operations."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import SearchedCell, average_pool, extract, supernet
from nasrepro.nets.relaxed import SHAPE, RelaxedNetwork, alone, discretise, mixed
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell
from nasrepro.train import initialise

PLAIN = NetConfig(
    channels=4, cells_per_stage=2, affine=False, tracked_statistics=False, affine_around=True
)
cells = st.integers(0, 15_624).map(Cell.from_code)
quick = settings(deadline=None, max_examples=20)


def relaxed_network(config: NetConfig = PLAIN) -> RelaxedNetwork:
    net = supernet(config)
    initialise(net, torch.Generator().manual_seed(0))
    return RelaxedNetwork(net).double()


def pictures(n: int = 6, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, channels, 8, 8, generator=generator, dtype=torch.float64)


def one_hot(cell: Cell) -> Tensor:
    chosen = torch.tensor([OPERATIONS.index(operation) for operation in cell.operations])
    return F.one_hot(chosen, len(OPERATIONS)).double()


@quick
@given(cell=cells)
def test_weights_of_one_operation_an_edge_are_a_path(cell):
    relaxed = relaxed_network()
    expected = relaxed.net(pictures(), cell)
    torch.testing.assert_close(relaxed(pictures(), one_hot(cell)), expected)
    assert discretise(one_hot(cell)) == cell


@quick
@given(cell=cells)
def test_a_discretised_network_is_the_stand_alone_one_with_its_weights(cell):
    relaxed = relaxed_network()
    alone = extract(relaxed.net, cell, PLAIN).double()
    torch.testing.assert_close(relaxed(pictures(), one_hot(cell)), alone(pictures(), cell))


def plain_sum(cell: SearchedCell, x: Tensor, weights: Tensor) -> Tensor:
    """The mixed cell as the papers write it: every operation of every edge, one after the other."""
    nodes = [x]
    for target in (1, 2, 3):
        total = torch.zeros_like(x)
        for edge, (source, end) in enumerate(EDGES):
            if end != target:
                continue
            for number, operation in enumerate(OPERATIONS):
                if operation == "skip_connect":
                    value = nodes[source]
                elif operation == "avg_pool_3x3":
                    value = F.avg_pool2d(nodes[source], 3, 1, 1, count_include_pad=False)
                elif operation != "none":
                    value = cell.edges[edge][operation](F.relu(nodes[source]))
                else:
                    continue
                total = total + weights[edge, number] * value
        nodes.append(total)
    return nodes[3]


def test_a_mixed_cell_is_the_weighted_sum_of_all_operations_with_its_gradients():
    relaxed = relaxed_network()
    searched = relaxed.net.stages[0][0]
    x = pictures(channels=4)
    results = []
    for forward in (plain_sum, lambda *a: mixed(*a, torch.ones(SHAPE, dtype=torch.bool))):
        generator = torch.Generator().manual_seed(2)
        weights = torch.randn(SHAPE, generator=generator, dtype=torch.float64).requires_grad_()
        out = forward(searched, x, weights)
        leaves = [weights, *searched.parameters()]
        grads = torch.autograd.grad(out.pow(3).sum(), leaves, allow_unused=True)
        results.append([out, grads[0][:, 1:], *grads[1:]])
    for slow, fast in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("share", [2, 4])
def test_of_partial_channels_the_others_pass_by_on_each_edge_and_all_are_shuffled(share):
    """Edge after edge, as the authors of PC-DARTS and of DrNAS have it."""
    net = supernet(PLAIN, share=share)
    initialise(net, torch.Generator().manual_seed(0))
    cell = net.double().stages[0][0]
    x, part = pictures(channels=4), 4 // share
    weights = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights[2:4] = 0  # edges on which no operation is computed
    nodes = [x]
    for target in (1, 2, 3):
        total = torch.zeros_like(x)
        for edge, (source, end) in enumerate(EDGES):
            if end != target:
                continue
            seen, passed = nodes[source][:, :part], nodes[source][:, part:]
            brought = torch.zeros_like(seen)
            for number, operation in enumerate(OPERATIONS):
                if operation == "skip_connect":
                    brought = brought + weights[edge, number] * seen
                elif operation == "avg_pool_3x3":
                    brought = brought + weights[edge, number] * average_pool(seen)
                elif operation != "none":
                    value = cell.edges[edge][operation](F.relu(seen))
                    brought = brought + weights[edge, number] * value
            both = torch.cat([brought, passed], dim=1)
            order = [g * part + j for j in range(part) for g in range(share)]
            total = total + both[:, order]
        nodes.append(total)
    torch.testing.assert_close(mixed(cell, x, weights, weights != 0, share), nodes[3])


def test_the_weights_of_a_cell_are_its_operations_alone():
    cell = Cell.from_code(9_876)
    torch.testing.assert_close(alone(cell).double(), one_hot(cell))


def test_pooling_is_the_same_in_both():
    x = pictures()
    torch.testing.assert_close(average_pool(x), F.avg_pool2d(x, 3, 1, 1, count_include_pad=False))


def test_an_operation_without_weight_sends_no_gradient():
    relaxed = relaxed_network()
    weights = one_hot(Cell(("nor_conv_3x3",) * 6)).requires_grad_()
    relaxed(pictures(), weights).pow(2).sum().backward()
    three = OPERATIONS.index("nor_conv_3x3")
    others = [n for n in range(5) if n != three]
    assert (weights.grad[:, three] != 0).all() and (weights.grad[:, others] == 0).all()


@pytest.mark.parametrize("change", [{"affine": True}, {"tracked_statistics": True}])
def test_other_supernets_are_refused(change):
    plain = {"channels": 4, "cells_per_stage": 1, "affine": False, "tracked_statistics": False}
    with pytest.raises(ConfigError, match="by their weights alone"):
        RelaxedNetwork(supernet(NetConfig(**(plain | change))))
    with pytest.raises(ConfigError, match="offers all operations"):
        RelaxedNetwork(supernet(NetConfig(**plain), ("none", "skip_connect")))


def test_what_is_not_searched_learns_a_scale_where_that_is_wanted():
    """Stem, two convolutions of each reduction and head: a scale and a shift a channel."""
    around = sum(p.numel() for p in supernet(PLAIN).parameters())
    without = sum(p.numel() for p in supernet(replace(PLAIN, affine_around=False)).parameters())
    assert around - without == 2 * (4 + 2 * 8 + 2 * 16 + 16)
