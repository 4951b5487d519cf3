"""Networks of NAS-Bench-1Shot1: paths, what they share, and the network of one encoding alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from networks import encodings
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.nb1shot1 import Network, extract, stand_alone, supernet
from nasrepro.spaces.nb1shot1 import Cell, Subspace
from nasrepro.train import initialise

CONFIG = CellNetConfig(channels=4, cells_per_stage=1, tracked_statistics=False)
quick = settings(deadline=None, max_examples=10)


def randomised(net: Network) -> Network:
    generator = torch.Generator().manual_seed(0)
    initialise(net, generator)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator=generator)
    return net.double()


def images(n: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, 8, 8, generator=generator, dtype=torch.float64)


def by_hand(net: Network, x: Tensor, cell: Cell) -> Tensor:
    """The logits by the adjacency matrix alone, every vertex, loose ends too."""

    def conv(module: nn.Module, value: Tensor) -> Tensor:
        weight = module.conv.weight
        return F.relu(module.bn(F.conv2d(value, weight, padding=weight.shape[-1] // 2)))

    x, matrix, last = conv(net.stem, x), cell.matrix, cell.vertices - 1
    for stage, cells in enumerate(net.stages):
        x = F.max_pool2d(x, 2) if stage else x
        for searched in cells:
            values: list[Tensor] = []
            for vertex in range(1, last):
                total = 0
                for source in np.flatnonzero(matrix[:, vertex]):
                    read = conv(searched.projections[str(vertex)], x)
                    total = total + (values[source - 1] if source else read)
                name = cell.operations[vertex - 1]
                if name == "maxpool3x3":
                    values.append(F.max_pool2d(total, 3, 1, 1))
                else:
                    values.append(conv(searched.blocks[vertex - 1][name], total))
            values.insert(0, conv(searched.projections[str(last)], x))
            chosen = matrix[:last, last]
            x = torch.cat([v * int(c) for v, c in zip(values, chosen, strict=True)], dim=1)
    return net.classifier(net.norm(net.reduction(x)).mean(dim=(2, 3)))


@quick
@given(encodings())
def test_a_path_is_what_its_matrix_says(drawn):
    subspace, cell = drawn
    net = randomised(supernet(CONFIG, subspace))
    torch.testing.assert_close(net(images(), cell), by_hand(net, images(), cell))


@quick
@given(encodings())
def test_the_network_of_one_encoding_with_its_paths_weights_is_the_path(drawn):
    subspace, cell = drawn
    config = CellNetConfig(channels=4, cells_per_stage=2, tracked_statistics=False)
    net = randomised(supernet(config, subspace))
    alone = extract(net, cell, config).double()
    logits = net(images(), cell)
    torch.testing.assert_close(alone(images(), cell), logits)
    logits.square().sum().backward()
    learned = {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert learned == {name for name, _ in alone.named_parameters()}


def test_many_paths_are_what_each_is():
    subspace, generator = Subspace(3), np.random.default_rng(0)
    net = randomised(supernet(CONFIG, subspace))
    cells = sorted((subspace.sample(generator) for _ in range(12)), key=lambda cell: cell.path)
    with torch.no_grad():
        for cell, logits in zip(cells, net.forward_many(images(), cells), strict=True):
            torch.testing.assert_close(logits, net(images(), cell))


def test_operations_of_loose_ends_do_not_matter():
    """Vertex 4 leads nowhere."""
    edges = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (0, 4), (1, 4), (2, 5), (3, 5))
    one, other = (
        Cell(edges, (*("conv3x3-bn-relu",) * 3, end)) for end in ("maxpool3x3", "conv1x1-bn-relu")
    )
    net = randomised(supernet(CONFIG, Subspace(1)))
    assert torch.equal(net(images(), one), net(images(), other)) and one.path == other.path


def test_what_a_network_lacks_is_named():
    generator = np.random.default_rng(0)
    first, third = (Subspace(n).sample(generator) for n in (1, 3))
    with pytest.raises(ConfigError, match="has 4 choice blocks, 5 are needed"):
        supernet(CONFIG, Subspace(1)).check_offers(third)
    alone = stand_alone(first, CONFIG)
    poolings = Cell(first.edges, ("maxpool3x3",) * 4)
    convolutions = Cell(first.edges, ("conv1x1-bn-relu",) * 4)
    for cell in {poolings, convolutions} - {first}:
        with pytest.raises(ConfigError, match=r"choice block \d of this network offers"):
            alone.check_offers(cell)
    with pytest.raises(ConfigError, match="kernels='separate' and narrowing='first'"):
        supernet(CellNetConfig(kernels="single"), Subspace(1))
