"""Networks of NAS-Bench-101: against the published counts, a port of the benchmark's, by hand."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import check_many_paths
from test_nets import images, randomise
from torch import nn
from torch.nn import functional as F

from nasrepro.benchmarks.nb101 import read_sample
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.nb101 import (
    Network,
    PartialBatchNorm,
    Shuffled,
    cell_slots,
    count_parameters,
    extract,
    interpolated,
    max_pool,
    stand_alone,
    supernet,
    vertex_channels,
)
from nasrepro.spaces.nb101 import SUBSPACES, Cell, Subspace, canonical, neighbours
from nasrepro.spaces.nb101_codes import unique_codes

CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
FULL = Subspace()
ALONE = Cell(((0, 1),), ())
THREE = Cell(  # three vertices joined to the output, the input too, one vertex that is not
    ((0, 1), (1, 2), (0, 3), (1, 4), (0, 5), (2, 5), (3, 5), (4, 5)),
    (CONV3, CONV1, POOL, CONV3),
)

indices = st.integers(0, 423_623)
cells = indices.map(lambda index: Cell.from_code(int(unique_codes()[index])))
configs = st.builds(
    CellNetConfig,
    channels=st.sampled_from([5, 6]),
    cells_per_stage=st.sampled_from([1, 2]),
    num_classes=st.sampled_from([3, 10]),
    affine=st.booleans(),
    tracked_statistics=st.booleans(),
    statistics_momentum=st.sampled_from([0.003, 0.5]),
    kernels=st.sampled_from(["separate", "single"]),
)
TINY = CellNetConfig(channels=6, cells_per_stage=1)
quick = settings(deadline=None, max_examples=10)


def in_subspace(name: str):
    codes = SUBSPACES[name].codes()
    return st.integers(0, len(codes) - 1).map(lambda i: Cell.from_code(int(codes[i])))


# ---- size


def test_parameters_are_the_published_counts():
    if (path := locate(SOURCES["nb101-sample"])) is None:
        pytest.skip("the table nb101-sample is not on this machine")
    sample = read_sample(path)
    counts = count_parameters(sample["code"].to_numpy())
    assert len(counts) == 151_644
    assert np.array_equal(counts, sample["params"])


@quick
@given(cells, st.integers(5, 9), st.integers(1, 3), st.integers(2, 100))
def test_parameters_are_those_of_the_modules(cell, channels, depth, classes):
    config = CellNetConfig(channels, depth, classes)
    with torch.device("meta"):
        net = stand_alone(cell, config)
    total = sum(parameter.numel() for parameter in net.parameters())
    assert count_parameters(np.array([cell.code]), channels, depth, classes).tolist() == [total]


@pytest.mark.parametrize(
    ("width", "expected"), [(128, [128, 43, 43, 43, 42, 128]), (16, [16, 6, 6, 5, 5, 16])]
)
def test_channels_are_shared_among_the_vertices_joined_to_the_output(width, expected):
    """Pourchot's footnote to section 4.1 has 42, 43 and 43; vertex 1 leads to 2 and 4."""
    channels = vertex_channels(THREE.matrix[None], width)[0].tolist()
    assert channels[1:] == expected[1:]


def test_the_cells_of_a_subspace_have_equal_channels():
    """So that nothing has to be narrowed; in A_3 but for the one that a remainder adds."""
    generator = np.random.default_rng(0)
    for outputs, widths in ((1, {16}), (2, {8}), (3, {5, 6}), (4, {4})):
        for _ in range(50):
            cell = Subspace(outputs).sample(generator)
            inner = vertex_channels(cell.matrix[None], 16)[0, 1:-1]
            assert set(inner.tolist()) <= widths, str(cell)


# ---- what it computes


def port(cell: Cell, config: CellNetConfig) -> nn.Module:
    from nasbench_pytorch.model import Network as Port

    operations = ["input", *cell.operations, "output"]
    return Port(
        (cell.matrix.astype(int), operations),
        config.num_classes,
        stem_out_channels=config.channels,
        num_modules_per_stack=config.cells_per_stage,
        momentum=config.statistics_momentum,
    )


def move_weights(ours: Network, theirs: nn.Module, cell: Cell) -> None:
    """Give the port our weights: a convolution and its normalisation at a time."""

    def move(source, target):
        target.conv_bn_relu[0].load_state_dict(source.conv.state_dict())
        target.conv_bn_relu[1].load_state_dict(source.bn.state_dict())

    move(ours.stem, theirs.layers[0])
    searched = [cell for stage in ours.stages for cell in stage]
    for source, index in zip(searched, sorted(theirs.cell_indices), strict=True):
        target = theirs.layers[index]
        for vertex, operations in enumerate(source.vertices, 1):
            for operation, module in operations.items():
                name = {CONV3: "conv3x3", CONV1: "conv1x1"}[operation]
                move(module, getattr(target.vertex_op[vertex], name))
        for name, module in source.projections.items():
            vertex = cell.vertices - 1 if name == "output" else int(name)
            move(module, target.input_op[vertex])
    theirs.classifier.load_state_dict(ours.classifier.state_dict())


@settings(deadline=None, max_examples=12)
@given(cells, st.booleans())
def test_a_stand_alone_network_is_the_benchmarks(cell, training):
    config = CellNetConfig(6, 2, num_classes=3)
    ours = randomise(stand_alone(cell, config)).double().train(training)
    theirs = port(cell, config).double().train(training)
    move_weights(ours, theirs, cell)
    x = images(3).double()
    torch.testing.assert_close(ours(x, cell), theirs(x))
    named = [p.numel() for name, p in theirs.named_parameters() if name.rpartition(".")[2] != "a"]
    assert count_parameters(np.array([cell.code]), 6, 2, 3).tolist() == [sum(named)]


@pytest.mark.parametrize("name", SUBSPACES)
@settings(deadline=None, max_examples=4)
@given(st.data(), configs, st.booleans())
def test_a_path_equals_its_own_network(name, data, config, training):
    """In double precision: parts of a tensor may be summed in another order than a whole one."""
    cell, x = data.draw(in_subspace(name)), images().double()
    net = randomise(supernet(config, SUBSPACES[name])).double()
    alone = extract(net, cell, config).double()
    torch.testing.assert_close(net.train(training)(x, cell), alone.train(training)(x, cell))


def test_the_extracted_network_has_weights_of_its_own():
    net = randomise(supernet(TINY, FULL)).eval()
    alone = extract(net, THREE, TINY).eval()
    before = alone(images(), THREE)
    randomise(net, seed=9)
    assert torch.equal(alone(images(), THREE), before)
    assert not torch.equal(net(images(), THREE), before)


@settings(deadline=None, max_examples=10)
@given(st.lists(cells, max_size=8), cells, st.booleans(), st.booleans())
def test_many_paths_at_once_are_each_path_alone_to_the_bit(many, cell, tracked, in_order):
    """With much to share: the neighbours of a cell, some cells twice."""
    many = [*many, *many[:3], *neighbours(cell)[:20]]
    if in_order:
        many.sort(key=lambda cell: cell.path)
    config = CellNetConfig(6, 1, tracked_statistics=tracked)
    net = randomise(supernet(config, FULL)).eval()
    check_many_paths(net, images(), many)


def test_many_paths_compute_once_what_they_share():
    net, calls = randomise(supernet(TINY, FULL)).eval(), []
    first_cell, second_cell = net.stages[0][0], net.stages[1][0]
    modules = [net.stem, first_cell.vertices[0][CONV3], second_cell.vertices[0][CONV3]]
    for module in modules:
        module.register_forward_hook(lambda module, *_: calls.append(module))
    many = [Cell(THREE.edges, (*THREE.operations[:3], last)) for last in (CONV3, CONV1, POOL)]
    list(net.forward_many(images(), many))
    assert [calls.count(module) for module in modules] == [1, 1, 3]


@quick
@given(cells)
def test_every_vertex_of_a_cell_matters(cell):
    """With another operation on any one vertex, the network computes something else."""
    net = randomise(supernet(TINY, FULL)).double().eval()
    before = net(images().double(), cell)
    for vertex, operation in enumerate(cell.operations):
        other = CONV1 if operation == CONV3 else CONV3
        operations = [*cell.operations]
        operations[vertex] = other
        changed = net(images().double(), Cell(cell.edges, tuple(operations)))
        assert (changed - before).abs().max() > 1e-9


@quick
@given(cells, st.booleans())
def test_channels_last_changes_nothing_but_the_layout(cell, training):
    net = randomise(supernet(TINY, FULL)).train(training)
    other = copy.deepcopy(net).to(memory_format=torch.channels_last)
    x = images()
    torch.testing.assert_close(
        other(x.contiguous(memory_format=torch.channels_last), cell),
        net(x, cell),
        rtol=1e-3,
        atol=5e-4,
    )


@settings(deadline=None, max_examples=10)
@given(cells, st.sampled_from(["first", "interpolated", "shuffled"]))
def test_mixed_precision_reaches_the_weights_of_the_path_alone(cell, narrowing):
    config = CellNetConfig(6, 1, narrowing=narrowing)
    net = randomise(supernet(config, FULL, torch.Generator()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(images(8), cell)
    assert logits.dtype == torch.bfloat16 and logits.isfinite().all()
    logits.float().square().sum().backward()
    names = {name for name, _ in stand_alone(cell, config).named_parameters()}
    for name, parameter in net.named_parameters():
        if name in names:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        else:
            assert parameter.grad is None, name


# ---- fewer channels than a vertex has


@quick
@given(st.integers(1, 5), st.sampled_from(["tracked", "batch", "momentum", "cumulative"]))
def test_partial_normalisation_is_that_of_the_first_channels(channels, mode):
    """In every mode that training and evaluation use, and it leaves the other channels alone."""
    whole, part = randomise(PartialBatchNorm(5)), nn.BatchNorm2d(channels)
    for name, tensor in part.state_dict().items():
        source = whole.state_dict()[name]
        tensor.copy_(source[:channels] if source.dim() else source)
    before = copy.deepcopy(whole.state_dict())
    for norm in (whole, part):
        norm.train(mode != "tracked")
        norm.track_running_stats = mode != "batch"
        norm.momentum = None if mode == "cumulative" else 0.3
    for seed in range(3):
        x = (
            images(seed=seed)[:, :1].expand(-1, channels, -1, -1)
            * torch.arange(1.0, channels + 1)[:, None, None]
        )
        torch.testing.assert_close(whole(x), part(x))
    for name, tensor in whole.state_dict().items():
        expected = part.state_dict()[name]
        torch.testing.assert_close(tensor[:channels] if tensor.dim() else tensor, expected)
        if tensor.dim():
            assert torch.equal(tensor[channels:], before[name][channels:])


def test_interpolation_by_hand():
    """Yu's moving average: of 4 channels to 2 in pairs; of 3 to 2 the middle one counts twice."""
    x = torch.tensor([1.0, 3.0, 7.0, 21.0]).view(1, 4, 1, 1)
    assert interpolated(x, 2).flatten().tolist() == [2.0, 14.0]
    assert interpolated(x[:, :3], 2).flatten().tolist() == [2.0, 5.0]
    assert interpolated(x, 4) is x


def test_shuffling_takes_some_channels_anew_each_time():
    shuffled = Shuffled(torch.Generator().manual_seed(0))
    x = torch.arange(6.0).view(1, 6, 1, 1)
    draws = [tuple(shuffled(x, 3).flatten().tolist()) for _ in range(200)]
    assert all(len(set(draw)) == 3 for draw in draws)
    assert len(set(draws)) > 80  # of 120
    assert shuffled(x, 6) is x
    again = Shuffled(torch.Generator().manual_seed(0))
    assert draws == [tuple(again(x, 3).flatten().tolist()) for _ in range(200)]


def narrowed(narrowing: str, subspace: Subspace, seed: int = 0) -> Network:
    config = CellNetConfig(8, 1, narrowing=narrowing)
    return (
        randomise(supernet(config, subspace, torch.Generator().manual_seed(seed))).double().eval()
    )


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_where_all_cells_have_equal_channels_nothing_is_narrowed(outputs):
    generator, x = np.random.default_rng(0), images(2).double()
    for _ in range(5):
        cell = Subspace(outputs).sample(generator)
        expected = narrowed("first", Subspace(outputs))(x, cell)
        for narrowing in ("interpolated", "shuffled"):
            assert torch.equal(narrowed(narrowing, Subspace(outputs))(x, cell), expected)


def test_where_they_do_not_each_narrowing_computes_something_else():
    x = images(2).double()
    outputs = [narrowed(name, FULL)(x, THREE) for name in ("first", "interpolated", "shuffled")]
    outputs.append(narrowed("shuffled", FULL, seed=1)(x, THREE))
    for i, one in enumerate(outputs):
        for other in outputs[:i]:
            assert (one - other).abs().max() > 1e-6


def test_an_interpolated_path_by_hand():
    """Two vertices joined to the output: each is a full convolution whose outputs are averaged."""
    cell = Cell(((0, 1), (0, 2), (1, 2), (1, 3), (2, 3)), (POOL, CONV1))
    net = narrowed("interpolated", FULL)
    searched, x = net.stages[0][0], torch.randn(2, 8, 4, 4, dtype=torch.float64)

    def pairs(x):
        return (x[:, ::2] + x[:, 1::2]) / 2

    def full(module, x, weight):
        return F.relu(module.bn(F.conv2d(x, weight)))

    one, two = (searched.projections[name] for name in ("1", "2"))
    pooled = F.max_pool2d(pairs(full(one, x, one.conv.weight)), 3, 1, 1)
    total = pooled + pairs(full(two, x, two.conv.weight))
    convolution = searched.vertices[1][CONV1]
    value = pairs(full(convolution, total, pairs(convolution.conv.weight)))
    torch.testing.assert_close(searched(x, cell, {}), torch.cat([pooled, value], 1))


# ---- one kernel for all


def test_a_single_kernel_serves_both_convolutions():
    config = CellNetConfig(6, 1, kernels="single")
    net = randomise(supernet(config, FULL)).eval()
    chain = {op: Cell(((0, 1), (1, 2)), (op,)) for op in (CONV3, CONV1)}
    before = {op: net(images(), cell) for op, cell in chain.items()}
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if ".vertices." in name and weight.dim() == 4:
                rim = torch.ones(3, 3)
                rim[1, 1] = 0
                weight += rim
    assert torch.equal(net(images(), chain[CONV1]), before[CONV1])
    assert not torch.equal(net(images(), chain[CONV3]), before[CONV3])


def test_a_single_kernel_saves_the_smaller_ones_weights():
    def size(kernels):
        net = supernet(CellNetConfig(6, 2, kernels=kernels), FULL)
        return sum(parameter.numel() for parameter in net.parameters())

    smaller = sum(2 * 5 * (width**2 + 2 * width) for width in (6, 12, 24))
    assert size("separate") - size("single") == smaller


# ---- errors


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: supernet(TINY, Subspace(outputs=4)),  # 12 channels of stage 2 in 4, not in 3
            "vertex 1 of this network offers .*channels=3, .*, not .*channels=4, ",
        ),
        (lambda: stand_alone(ALONE, TINY), "this network has 0 inner vertices, too few for"),
        (
            lambda: stand_alone(Cell(THREE.edges, (CONV3,) * 4), TINY),
            "vertex 2 of this network offers .*conv3x3.*, not .*conv1x1.*",
        ),
        (
            lambda: stand_alone(Cell(THREE.edges[1:], THREE.operations), TINY),
            "vertex 1 of this network offers .*projected=False.*, not .*projected=True",
        ),
    ],
)
def test_a_cell_that_the_network_lacks_is_refused(build, message):
    net = build()
    for attempt in (
        lambda: net(images(), THREE),
        lambda: list(net.forward_many(images(), [THREE])),
        lambda: extract(net, THREE, TINY),
    ):
        with pytest.raises(ConfigError, match=message):
            attempt()


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: CellNetConfig(kernels="both"), "unknown kernels 'both'; choose from separate, s"),
        (lambda: CellNetConfig(narrowing="last"), "unknown narrowing 'last'; choose from first, s"),
        (lambda: supernet(CellNetConfig(narrowing="shuffled"), FULL), "needs a generator"),
        (
            lambda: extract(supernet(CellNetConfig(narrowing="interpolated"), FULL), THREE, TINY),
            "only where it takes the first channels",
        ),
    ],
)
def test_what_cannot_be_is_refused(attempt, message):
    with pytest.raises(ConfigError, match=message):
        attempt()


def test_slots_are_those_of_the_cell():
    assert [slot.projected for slot in cell_slots(THREE, 16)] == [True, False, True, False, True]
    assert canonical(THREE).vertices == 6


shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


@settings(deadline=None, max_examples=50)
@given(shapes, st.sampled_from([torch.float32, torch.bfloat16]), st.booleans())
def test_max_pool_without_gradients_is_the_one_with_them(shape, dtype, channels_last):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    before = x.clone()
    expected = max_pool(x)
    with torch.inference_mode():
        pooled = max_pool(x)
    assert torch.equal(pooled, expected) and torch.equal(x, before)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert pooled.is_contiguous(memory_format=layout)
