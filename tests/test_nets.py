"""Networks: their size, the skeleton written a second time, one path against its own network."""

import copy
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import check_many_paths
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import DEPTHS, MEDIUM, SMALL, WIDE, NetConfig
from nasrepro.nets.memo import MEMO_SIZE
from nasrepro.nets.nb201 import (
    Network,
    average_pool,
    extract,
    num_parameters,
    stand_alone,
    supernet,
)
from nasrepro.nets.stacked import forward_stacked
from nasrepro.spaces.nb201 import (
    EDGES,
    OPERATIONS,
    Cell,
    Subspace,
    is_connected,
    live_operations,
    neighbours,
)

cells = st.integers(0, 15_624).map(Cell.from_code)
configs = st.builds(
    NetConfig,
    channels=st.sampled_from([2, 4]),
    cells_per_stage=st.sampled_from([1, 2]),
    num_classes=st.sampled_from([3, 10]),
    affine=st.booleans(),
    tracked_statistics=st.booleans(),
)
quick = settings(deadline=None, max_examples=20)

NONE = Cell(("none",) * 6)
NONE_BUT_SKIP = Cell(("skip_connect",) * 6)
MIXED = Cell(
    ("nor_conv_3x3", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3")
)


def randomise(net: nn.Module, seed: int = 0) -> nn.Module:
    """Give every weight and every statistic its own value, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        values = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            values = 0.5 + values.abs()
        elif tensor.dim() > 1:
            values /= tensor[0].numel() ** 0.5
        tensor.copy_(values)
    return net


def images(count: int = 4, size: int = 8, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, size, size, generator=generator)


def test_parameters_are_the_benchmarks_published_counts():
    counts = [num_parameters(Cell.from_code(code)) for code in range(15_625)]
    assert num_parameters(NONE) == min(counts) == 73_306
    assert np.median(counts) == 344_346


@quick
@given(cells, st.integers(1, 8), st.integers(1, 5), st.integers(2, 100))
def test_parameters_are_those_of_the_real_network(cell, channels, depth, classes):
    with torch.device("meta"):
        net = stand_alone(cell, NetConfig(channels, depth, classes))
    total = sum(parameter.numel() for parameter in net.parameters())
    assert num_parameters(cell, channels, depth, classes) == total


@pytest.mark.parametrize(
    ("preset", "channels", "depth"),
    [
        (SMALL, 32, 2),
        (MEDIUM, 64, 4),
        (WIDE, 96, 2),
        *((preset, 32, depth) for preset, depth in zip(DEPTHS, range(1, 6), strict=True)),
    ],
)
def test_presets_are_the_papers_sizes(preset, channels, depth):
    with torch.device("meta"):
        net = supernet(preset)
    assert [len(stage) for stage in net.stages] == [depth] * 3
    assert net.stem.conv.out_channels == channels
    assert [block.conv_a.conv.out_channels for block in net.reductions] == [
        2 * channels,
        4 * channels,
    ]
    assert net.classifier.in_features == 4 * channels and net.classifier.out_features == 10


def reference(state: dict[str, Tensor], config: NetConfig, cell: Cell, x: Tensor, batch: bool):
    """The skeleton of Dong & Yang 2020, figure 1, word by word from a dictionary of weights.

    Every edge is computed, Zero is a multiplication by 0, nothing is shared or left out.
    """

    def norm(x, name):
        shape = (1, -1, 1, 1)
        if batch:
            mean = x.mean((0, 2, 3), keepdim=True)
            var = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        else:
            mean = state[f"{name}.running_mean"].view(shape)
            var = state[f"{name}.running_var"].view(shape)
        x = (x - mean) / (var + 1e-5).sqrt()
        if config.affine:
            x = x * state[f"{name}.weight"].view(shape) + state[f"{name}.bias"].view(shape)
        return x

    def conv(x, name, stride=1):
        weight = state[f"{name}.conv.weight"]
        return norm(F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2), f"{name}.bn")

    def operation(x, name, choice):
        if choice == "none":
            return x * 0
        if choice == "skip_connect":
            return x
        if choice == "avg_pool_3x3":
            return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return conv(x.clamp(min=0), f"{name}.{choice}")

    x = conv(x, "stem")
    for stage in range(3):
        if stage > 0:
            name = f"reductions.{stage - 1}"
            inner = conv(conv(x.clamp(min=0), f"{name}.conv_a", 2).clamp(min=0), f"{name}.conv_b")
            x = inner + F.conv2d(F.avg_pool2d(x, 2), state[f"{name}.shortcut.weight"])
        for index in range(config.cells_per_stage):
            nodes = [x]
            for target in (1, 2, 3):
                terms = []
                for edge, (source, end) in enumerate(EDGES):
                    if end == target:
                        name = f"stages.{stage}.{index}.edges.{edge}"
                        terms.append(operation(nodes[source], name, cell.operations[edge]))
                nodes.append(sum(terms))
            x = nodes[3]
    x = norm(x, "head_bn").clamp(min=0).mean((2, 3))
    return x @ state["classifier.weight"].T + state["classifier.bias"]


@quick
@given(cells, configs)
def test_the_network_is_the_skeleton_written_by_hand_with_batch_statistics(cell, config):
    """In double precision; a fresh normalisation maps the zeros of an unreached node to zeros."""
    torch.manual_seed(cell.code)
    net = supernet(config).double()
    x = images().double()
    torch.testing.assert_close(
        net(x, cell), reference(net.state_dict(), config, cell, x, batch=True)
    )


def from_reached_nodes_only(cell: Cell) -> bool:
    """Whether no operation takes an unreached node, whose zeros it would shift in a used net."""
    reached = {0}
    for (source, target), operation in zip(EDGES, cell.operations, strict=True):
        if operation != "none":
            if source not in reached:
                return False
            reached.add(target)
    return True


@quick
@given(cells.filter(from_reached_nodes_only), configs, st.booleans())
def test_the_network_is_the_skeleton_written_by_hand_after_training(cell, config, batch):
    net = randomise(supernet(config)).double()
    batch = batch or not config.tracked_statistics
    net.train(batch)
    x = images().double()
    expected = reference(copy.deepcopy(net.state_dict()), config, cell, x, batch)
    torch.testing.assert_close(net(x, cell), expected)


@quick
@given(cells, configs, st.booleans())
def test_a_path_equals_its_own_network_to_the_bit(cell, config, training):
    net = randomise(supernet(config))
    alone = extract(net, cell, config)
    x = images()
    assert torch.equal(net.train(training)(x, cell), alone.train(training)(x, cell))


def test_a_path_equals_its_own_network_in_a_supernet_of_fewer_operations():
    subspace, config = Subspace.without("none", "nor_conv_1x1"), NetConfig(4, 2)
    net = randomise(supernet(config, subspace.operations)).eval()
    for cell in list(subspace.cells())[::60]:
        assert torch.equal(net(images(), cell), extract(net, cell, config).eval()(images(), cell))


def test_the_extracted_network_has_weights_of_its_own():
    config = NetConfig(2, 1)
    net = randomise(supernet(config)).eval()
    alone = extract(net, MIXED, config).eval()
    before = alone(images(), MIXED)
    randomise(net, seed=9)
    assert torch.equal(alone(images(), MIXED), before)
    assert not torch.equal(net(images(), MIXED), before)


def test_paths_share_weights_but_differ_in_what_they_compute():
    net = randomise(supernet(NetConfig(4, 1))).eval()
    alike = [Cell((*["skip_connect"] * 5, op)) for op in OPERATIONS]
    outputs = [net(images(), cell) for cell in alike]
    for i, first in enumerate(outputs):
        for second in outputs[:i]:
            assert (first - second).abs().max() > 1e-3


dense_cells = st.lists(
    st.sampled_from(["nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]), min_size=6, max_size=6
).map(lambda operations: Cell(tuple(operations)))


@settings(deadline=None, max_examples=12)
@given(st.lists(cells, max_size=10), dense_cells, st.booleans(), st.booleans())
def test_many_paths_at_once_are_each_path_alone_to_the_bit(many, dense, tracked, in_order):
    """With much to share: the neighbours of a cell whose every edge matters, some cells twice."""
    many = [*many, *many[:3], dense, *neighbours(dense)]
    if in_order:
        many.sort()
    net = randomise(supernet(NetConfig(2, 2, tracked_statistics=tracked))).eval()
    check_many_paths(net, images(), many)


@torch.no_grad()
def test_hundreds_of_paths_at_once_are_each_path_alone():
    """More than are remembered: what was forgotten is computed again, and memory stays small."""
    net = randomise(supernet(NetConfig(2, 1))).eval()
    generator = np.random.default_rng(0)
    many = [Subspace.without("none").sample(generator) for _ in range(200)]
    alone = [net(images(), cell) for cell in many]
    kept = []
    for edge in net.stages[0][0].edges:
        for convolution in edge.values():
            convolution.register_forward_hook(lambda *call: kept.append(weakref.ref(call[-1])))
    for cell, logits, expected in zip(many, net.forward_many(images(), many), alone, strict=True):
        assert torch.equal(logits, expected), str(cell)
        assert sum(ref() is not None for ref in kept) <= MEMO_SIZE
    assert len(kept) > 2 * MEMO_SIZE


def test_many_paths_compute_once_what_they_share():
    """MIXED and its four neighbours in the last edge share the stem and all but that edge."""
    net, calls = randomise(supernet(NetConfig(2, 2))).eval(), []
    shared = [net.stem, net.stages[0][0].edges[0]["nor_conv_3x3"]]
    separate = [net.stages[0][1].edges[0]["nor_conv_3x3"], net.classifier]
    for module in (*shared, *separate):
        module.register_forward_hook(lambda module, *_: calls.append(module))
    many = [MIXED, *(n for n in neighbours(MIXED) if n.operations[:5] == MIXED.operations[:5])]
    for batch in (1, 2):  # nothing is remembered from one batch to the next
        list(net.forward_many(images(seed=batch), many))
        assert [calls.count(module) for module in shared] == [batch] * 2
        assert calls.count(net.classifier) == 5 * batch
        # With Zero on the last edge too, only the skip of edge 3 reaches the output.
        assert calls.count(separate[0]) == 4 * batch


@torch.no_grad()
@settings(deadline=None, max_examples=12)
@given(st.lists(cells, min_size=1, max_size=8), st.sampled_from(["tracked", "batch", "plain"]))
def test_stacked_paths_are_each_path_alone(many, mode):
    config = NetConfig(2, 2, affine=mode != "plain", tracked_statistics=mode == "tracked")
    net = randomise(supernet(config)).train(mode != "tracked")
    logits = forward_stacked(net, images(), many)
    assert logits.shape == (len(images()), len(many), 10)
    for cell, of_path in zip(many, logits.unbind(1), strict=True):
        torch.testing.assert_close(of_path, net(images(), cell), rtol=1e-5, atol=1e-5)


@quick
@given(cells, st.booleans())
def test_edges_off_every_route_do_nothing(cell, training):
    net = randomise(supernet(NetConfig(4, 1))).train(training)
    assert torch.equal(net(images(), cell), net(images(), Cell(live_operations(cell))))


@quick
@given(cells.filter(lambda cell: not is_connected(cell)), st.booleans())
def test_a_disconnected_cell_does_not_see_the_image(cell, training):
    net = randomise(supernet(NetConfig(4, 1))).train(training)
    logits = net(images(6), cell)
    torch.testing.assert_close(logits, logits[:1].expand(6, -1), rtol=0, atol=1e-6)


@quick
@given(cells.filter(is_connected))
def test_a_connected_cell_sees_the_image(cell):
    net = randomise(supernet(NetConfig(4, 1))).eval()
    logits = net(images(6), cell)
    assert (logits - logits[:1]).abs().amax(1)[1:].min() > 1e-5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: supernet(NetConfig(2, 1), ("skip_connect", "nor_conv_1x1")),
            "edge 0 of this network offers skip_connect, nor_conv_1x1, not 'nor_conv_3x3'",
        ),
        (
            lambda: Network([*[OPERATIONS] * 5, ("skip_connect",)], NetConfig(2, 1)),
            "edge 5 of this network offers skip_connect, not 'nor_conv_3x3'",
        ),
    ],
)
def test_a_cell_that_the_network_lacks_is_refused(build, message):
    for attempt in (
        lambda net: net(images(), MIXED),
        lambda net: list(net.forward_many(images(), [NONE_BUT_SKIP, MIXED])),
        lambda net: forward_stacked(net, images(), [NONE_BUT_SKIP, MIXED]),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt(build())
        assert str(caught.value) == message


@quick
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_average_pool_is_pytorchs_without_padding(count, channels, height, width, channels_last):
    generator = torch.Generator().manual_seed(height * width)
    x = torch.randn(count, channels, height, width, dtype=torch.float64, generator=generator)
    upstream = torch.randn(x.shape, dtype=torch.float64, generator=generator)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected = F.avg_pool2d(theirs, 3, stride=1, padding=1, count_include_pad=False)
    output = average_pool(ours)
    torch.testing.assert_close(output, expected)
    output.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(ours.grad, theirs.grad)


@quick
@given(cells, st.booleans())
def test_channels_last_changes_nothing_but_the_layout(cell, training):
    net = randomise(supernet(NetConfig(4, 1))).train(training)
    other = copy.deepcopy(net).to(memory_format=torch.channels_last)
    x = images()
    torch.testing.assert_close(
        other(x.contiguous(memory_format=torch.channels_last), cell),
        net(x, cell),
        rtol=1e-3,
        atol=5e-4,
    )


@settings(deadline=None, max_examples=10)
@given(cells.filter(is_connected))
def test_mixed_precision_is_near_and_reaches_the_weights(cell):
    net = randomise(supernet(NetConfig(4, 1)))
    exact = net(images(8), cell).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(images(8), cell)
    assert logits.dtype == torch.bfloat16
    # bfloat16 has 8 bits; over some 20 layers that is up to 8 percent.
    assert (logits.detach() - exact).norm() < 0.2 * exact.norm()
    logits.float().square().sum().backward()
    live = [f"edges.{e}.{op}." for e, op in enumerate(live_operations(cell)) if op != "none"]
    for name, parameter in net.named_parameters():
        if "edges." not in name or any(part in name for part in live):
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        else:
            assert parameter.grad is None, name


@pytest.mark.parametrize(("affine", "tracked"), [(True, False), (False, True), (False, False)])
def test_batch_normalisation_learns_and_tracks_only_what_is_asked(affine, tracked):
    net = supernet(NetConfig(2, 1, affine=affine, tracked_statistics=tracked))
    names = {
        name.rpartition(".")[2]
        for name in net.state_dict()
        if ".bn." in name or name.startswith("head_bn.")
    }
    expected = {"weight", "bias"} if affine else set()
    expected |= {"running_mean", "running_var", "num_batches_tracked"} if tracked else set()
    assert names == expected
