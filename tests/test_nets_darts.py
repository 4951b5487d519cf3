"""Networks of DARTS' space: a path of a supernet as a network alone, and what a cell computes."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import check_many_paths, check_path_is_network
from torch import Tensor
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import DartsNetConfig
from nasrepro.nets.darts import (
    Network,
    SearchedCell,
    count_parameters,
    extract,
    stand_alone,
    supernet,
)
from nasrepro.spaces.darts import CHOICES, EDGES, NUM_CELLS, S2, Cell, Subspace
from nasrepro.train import initialise

TINY = DartsNetConfig(channels=2, cells=4, stem_multiplier=1, num_classes=3)
cells = st.integers(0, NUM_CELLS - 1).map(Cell.from_code)
quick = settings(deadline=None, max_examples=5)


@cache
def tiny_supernet(config: DartsNetConfig = TINY) -> Network:
    net = supernet(config)
    initialise(net, torch.Generator().manual_seed(0))
    return net


def images(count: int = 4, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, 8, 8, generator=torch.Generator().manual_seed(1))


@quick
@given(cells)
def test_a_path_of_a_supernet_is_the_network_alone_gradients_included(cell):
    net = tiny_supernet()
    check_path_is_network(net, extract(net, cell, TINY), images(), cell)


@quick
@given(st.lists(cells, min_size=1, max_size=5), st.integers(1, 12))
def test_many_paths_together_give_what_each_gives_alone(several, keep):
    net = tiny_supernet(DartsNetConfig(2, 4, 1, 3, tracked_statistics=False)).eval()
    check_many_paths(net, images(), several, keep=keep)


def plain(cell: SearchedCell, operation: str, edge: int, x: Tensor) -> Tensor:
    """An operation as Liu et al. write it, from the weights of a module without affine norms."""

    def normalised(y: Tensor) -> Tensor:
        return F.batch_norm(y, None, None, training=True)

    module, stride = cell.edges[edge][operation], cell.strides[edge]
    weights = [p for p in module.parameters() if p.dim() == 4]
    if operation == "max_pool_3x3":
        return normalised(F.max_pool2d(x, 3, stride, 1))
    if operation == "avg_pool_3x3":
        return normalised(F.avg_pool2d(x, 3, stride, 1, count_include_pad=False))
    if operation == "skip_connect":
        if stride == 1:
            return x
        halves = [F.relu(x), F.relu(x)[..., 1:, 1:]]
        halves = [F.conv2d(y, w, stride=2) for y, w in zip(halves, weights, strict=True)]
        return normalised(torch.cat(halves, 1))
    dilation = 2 if operation.startswith("dil") else 1
    for depthwise, pointwise in zip(weights[::2], weights[1::2], strict=True):
        padding = dilation * (depthwise.shape[-1] // 2)
        x = F.conv2d(F.relu(x), depthwise, None, stride, padding, dilation, groups=x.shape[1])
        x, stride = normalised(F.conv2d(x, pointwise)), 1
    return x


@pytest.mark.parametrize("kind", ["normal", "reduction"])
@pytest.mark.parametrize("operation", CHOICES)
def test_a_cell_adds_up_two_operations_at_each_node(operation, kind):
    net = tiny_supernet(DartsNetConfig(2, 4, 1, 3, affine=False, tracked_statistics=False))
    searched = next(cell for cell in net.cells if cell.kind == kind)
    genotype = tuple((operation, source) for source in (0, 1, 1, 2, 0, 3, 2, 4))
    channels = [module[0].weight.shape[1] for module in searched.inputs]
    inputs = [images(channels=c) for c in channels]
    nodes = [searched.prepared(number, x) for number, x in enumerate(inputs)]
    for node in range(2, 6):
        sources = [source for _, source in genotype[2 * node - 4 : 2 * node - 2]]
        edges = [EDGES.index((source, node)) for source in sources]
        values = [
            plain(searched, operation, e, nodes[s]) for e, s in zip(edges, sources, strict=True)
        ]
        nodes.append(values[0] + values[1])
    expected = torch.cat(nodes[2:], dim=1)
    torch.testing.assert_close(searched(*inputs, Cell(genotype, genotype), {}), expected)


def test_reduction_cells_lie_at_a_third_and_two_thirds():
    for count, places in {8: [2, 5], 20: [6, 13], 4: [1, 2], 3: [1, 2]}.items():
        with torch.device("meta"):
            net = supernet(DartsNetConfig(channels=4, cells=count), Subspace(("skip_connect",)))
        assert [i for i, cell in enumerate(net.cells) if cell.kind == "reduction"] == places
        assert net.classifier.in_features == 4 * 4 * 4
    with pytest.raises(ConfigError, match="at least 3 cells, found 2"):
        DartsNetConfig(cells=2)


@pytest.mark.parametrize("config", [TINY, DartsNetConfig(8, 5, affine=False, affine_around=True)])
def test_parameters_are_those_of_networks_alone(config):
    codes = np.random.default_rng(0).integers(NUM_CELLS, size=3)
    with torch.device("meta"):
        nets = [stand_alone(Cell.from_code(int(code)), config) for code in codes]
    built = [sum(p.numel() for p in net.parameters()) for net in nets]
    assert count_parameters(codes, config).tolist() == built


def test_an_operation_that_a_network_lacks_is_named():
    cell = Cell.from_code(0)
    with pytest.raises(ConfigError, match=r"edge 0-2 .*normal cells offers skip_connect, sep_conv"):
        supernet(TINY, S2)(images(), cell)
    other = Cell.from_code(NUM_CELLS - 1)
    with pytest.raises(ConfigError, match=r"edge 0-2 .*offers max_pool_3x3, not 'dil_conv_5x5'"):
        stand_alone(cell, TINY)(images(), other)
