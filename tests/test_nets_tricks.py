"""What the paths of a NAS-Bench-201 supernet share, and what it drops: each factor on its own."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import Network, drop, extract, num_parameters, stand_alone, supernet
from nasrepro.nets.stacked import forward_stacked
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell, CellPerPosition
from nasrepro.train import initialise
from tests.test_nets import images, randomise

SIZE = {"channels": 4, "cells_per_stage": 2}
BATCH = {**SIZE, "tracked_statistics": False}
BOTH = ("skip_connect", "avg_pool_3x3")
ON_NODES = {"operations_on": "nodes", "norms_on": "nodes"}
WSBN = {"operations_on": "nodes"}
ALL_TRICKS = NetConfig(
    **BATCH, **WSBN, transformers=BOTH, kernels="projected", path_dropout=0.1, global_dropout=0.2
)
CELLS = st.integers(0, 15_624).map(Cell.from_code)
quick = settings(deadline=None, max_examples=20)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parameters(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def operation_on(edge: int, operation: str) -> Cell:
    """A cell that is the operation on one edge."""
    return Cell(tuple(operation if e == edge else "none" for e in range(len(EDGES))))


@pytest.mark.parametrize("transformed", [("skip_connect",), BOTH])
def test_linear_transformers_add_exactly_their_kernels(transformed):
    """One c x c kernel for each operation, edge and searched cell: 4, 8 and 16 channels, 2 each."""
    plain = supernet(NetConfig(**SIZE))
    more = supernet(NetConfig(**SIZE, transformers=transformed))
    kernels = len(transformed) * len(EDGES) * 2 * (4**2 + 8**2 + 16**2)
    assert parameters(more) - parameters(plain) == kernels


@pytest.mark.parametrize("operation", BOTH)
def test_a_linear_transformer_is_a_plain_convolution_after_its_operation(operation):
    net = randomise(supernet(NetConfig(**BATCH, transformers=BOTH)))
    searched, edge = net.stages[0][0], EDGES.index((0, 3))
    x = images()[:, :1].repeat(1, 4, 1, 1)
    kernel = searched.edges[edge][operation].weight
    pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    expected = F.conv2d(pooled if operation == "avg_pool_3x3" else x, kernel)
    torch.testing.assert_close(searched(x, operation_on(edge, operation), [edge], {}), expected)


@quick
@given(CELLS)
def test_a_network_of_its_own_has_none_of_the_tricks(cell):
    alone = stand_alone(cell, ALL_TRICKS)
    assert parameters(alone) == num_parameters(cell, channels=4, cells_per_stage=2)
    assert set(alone.state_dict()) == set(stand_alone(cell, NetConfig(**BATCH)).state_dict())
    assert ALL_TRICKS.alone() == NetConfig(**BATCH)


@quick
@given(CELLS, st.sampled_from([ON_NODES, WSBN, {"kernels": "projected"}]), st.booleans())
def test_a_path_equals_its_own_network_whatever_is_shared(cell, shared, tracked):
    config = NetConfig(**{**BATCH, "tracked_statistics": tracked}, **shared)
    net = randomise(supernet(config)).eval()
    torch.testing.assert_close(
        extract(net, cell, config).eval()(images(), cell), net(images(), cell)
    )


@pytest.mark.parametrize(
    "config", [NetConfig(**BATCH, transformers=BOTH), NetConfig(**BATCH, **WSBN)]
)
def test_stacked_paths_are_each_path_alone_with_tricks(config):
    net = randomise(supernet(config)).train()
    paths = [Cell.from_code(code) for code in (7_000, 9_321, 12_345, 15_624)]
    with torch.no_grad():
        stacked = forward_stacked(net, images(), paths).unbind(1)
        for logits, path in zip(stacked, paths, strict=True):
            torch.testing.assert_close(logits, net(images(), path), rtol=1e-4, atol=1e-4)


def test_edges_into_a_node_share_what_they_are_asked_to():
    """Three nodes instead of six edges; with WSBN each edge keeps its own normalisation."""
    widths = (4, 8, 16)
    kernels = sum(c * c + 9 * c * c for c in widths)
    norms = 2 * 2 * sum(widths)  # scale and shift after either convolution
    sizes = {
        name: parameters(supernet(NetConfig(channels=4, cells_per_stage=1, **shared)))
        for name, shared in {"edges": {}, "nodes": ON_NODES, "WSBN": WSBN}.items()
    }
    assert sizes["edges"] - sizes["WSBN"] == 3 * kernels
    assert sizes["WSBN"] - sizes["nodes"] == 3 * norms
    edges = supernet(NetConfig(**SIZE, **WSBN)).stages[0][0].edges
    into = {
        node: [e for e, (_, target) in enumerate(EDGES) if target == node] for node in (1, 2, 3)
    }
    for node, those in into.items():
        convolutions = {id(edges[e]["nor_conv_3x3"].conv) for e in those}
        assert len(convolutions) == 1, node
        assert len({id(edges[e]["nor_conv_3x3"].bn) for e in those}) == len(those)


def test_a_projected_kernel_begins_as_the_middle_and_learns_its_places():
    net = supernet(NetConfig(**BATCH, kernels="projected"))
    initialise(net, seeded())
    narrow = net.stages[0][0].edges[0]["nor_conv_1x1"].conv
    assert torch.equal(narrow.weight[..., 0, 0], narrow.wide.weight[..., 1, 1])
    net(images(), Cell(("nor_conv_1x1",) * 6)).square().sum().backward()
    assert narrow.places.grad.abs().min() > 0  # every place of the 3x3 kernel
    assert narrow.wide.weight.grad[..., 0, 0].abs().max() == 0  # whose weight is 0 as yet
    assert narrow.wide.weight.grad[..., 1, 1].abs().max() > 0


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 0.9), st.integers(0, 9))
def test_what_is_not_dropped_is_scaled(rate, seed):
    x = torch.randn(64, 3, 4, 4, generator=seeded(seed + 100))
    paths = drop(x, rate, (64, 1, 1, 1), seeded(seed)).flatten(1)
    whole = x.flatten(1) / (1 - rate)
    kept = paths.abs().sum(1) > 0
    torch.testing.assert_close(paths[kept], whole[kept])
    assert not paths[~kept].any()
    values = drop(torch.ones(100_000), rate, (100_000,), seeded(seed))
    spread = (rate / (1 - rate) / 100_000) ** 0.5  # of the mean
    assert abs(values.mean() - 1) < 5 * spread
    torch.testing.assert_close(values.unique(), torch.tensor([0, 1 / (1 - rate)]))


@pytest.mark.parametrize("name", ["path_dropout", "global_dropout"])
def test_dropout_is_for_training_and_follows_its_generator(name):
    config = NetConfig(**BATCH, **{name: 0.5})
    cell = Cell(("nor_conv_3x3",) * 6)

    def logits(seed: int, training: bool):
        net = Network([OPERATIONS] * 6, config, seeded(seed))
        initialise(net, seeded())
        return net.train(training)(images(), cell)

    plain = supernet(NetConfig(**BATCH))
    initialise(plain, seeded())
    assert torch.equal(logits(1, training=False), plain(images(), cell))
    assert torch.equal(logits(1, training=True), logits(1, training=True))
    assert not torch.equal(logits(1, training=True), logits(2, training=True))
    with pytest.raises(ConfigError, match="dropout needs a generator"):
        supernet(config)


def test_each_position_takes_a_cell_of_its_own():
    net = randomise(supernet(NetConfig(**BATCH)))
    skip, conv = Cell(("skip_connect",) * 6), Cell(("nor_conv_3x3",) * 6)
    torch.testing.assert_close(
        net(images(), CellPerPosition((conv,) * 6)), net(images(), conv), rtol=0, atol=0
    )
    for position in range(6):
        net.zero_grad()
        path = CellPerPosition(tuple(conv if p == position else skip for p in range(6)))
        net(images(), path).square().sum().backward()
        cells = [searched for stage in net.stages for searched in stage]
        learned = [
            p for p, c in enumerate(cells) if any(v.grad is not None for v in c.parameters())
        ]
        assert learned == [position]
    with pytest.raises(ConfigError, match="this network has 6 searched cells, found 2"):
        net(images(), CellPerPosition((skip, conv)))
    narrower = Network([("skip_connect",)] * 6, NetConfig(**BATCH))
    with pytest.raises(ConfigError, match="offers skip_connect, not 'nor_conv_3x3'"):
        narrower(images(), CellPerPosition((skip,) * 5 + (conv,)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transformers": ("none",)}, "follows skip_connect or avg_pool_3x3, not none"),
        ({"operations_on": "cells"}, "unknown operations_on 'cells'; choose from edges, nodes"),
        ({"norms_on": "nodes"}, "with operations on edges each edge has its own normalisation"),
        ({"operations_on": "nodes", "affine": False, "tracked_statistics": False}, "something to"),
        ({"kernels": "single"}, "unknown kernels 'single'; choose from separate, projected"),
        ({"path_dropout": 1.0}, "path_dropout is a share below 1, found 1.0"),
        ({"global_dropout": -0.1}, "global_dropout is a share below 1, found -0.1"),
    ],
)
def test_a_trick_that_a_network_cannot_have_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        NetConfig(**change)


def test_tricks_leave_the_initial_weights_of_all_else_as_they_are():
    """Unless they add weights before them: dropout and pooled norms add none."""
    plain, dropped = (
        supernet(NetConfig(**SIZE)),
        supernet(NetConfig(**SIZE, path_dropout=0.1), generator=seeded(5)),
    )
    for net in (plain, dropped):
        initialise(net, seeded())
    before = copy.deepcopy(plain.state_dict())
    assert all(torch.equal(before[k], v) for k, v in dropped.state_dict().items())
