"""Networks of DARTS' space: supernet and stand-alone network from the same modules.

A stem, then cells that read the outputs of the two before, two of them reduction cells that halve
the image and double the channels; the mean over the image goes to the classifier (Liu et al. 2018).
"""

from collections.abc import Mapping, Sequence
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import DartsNetConfig
from nasrepro.nets.convolution import Conv2d
from nasrepro.nets.memo import Key, once
from nasrepro.nets.nb201 import average_pool
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces.darts import CHOICES, EDGES, INPUTS, NODES, Cell, Genotype, Subspace, chosen

# Of a convolution: the size of its kernel, and the distance between the kernel's pixels.
SEPARABLE = {"sep_conv_3x3": 3, "sep_conv_5x5": 5}
DILATED = {"dil_conv_3x3": 3, "dil_conv_5x5": 5}
POOLS = ("max_pool_3x3", "avg_pool_3x3")
KINDS = ("normal", "reduction")  # of cells
WHOLE = Subspace()
# The network whose parameters are counted with the surrogate's predictions.
BENCHMARK = DartsNetConfig(channels=32, affine=False, affine_around=True)

Choices = Mapping[str, Sequence[Sequence[str]]]  # by kind: the candidate operations of each edge


class AveragePool(nn.Module):
    """3x3 average pooling that leaves out the padding."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return average_pool(x, self.stride)


class FactorizedReduce(nn.Module):
    """Halves the image by two 1x1 convolutions, each of every second pixel, side by side.

    The second starts one pixel further down and to the right. Of an input that has been through its
    ReLU.
    """

    def __init__(self, c_in: int, c_out: int, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Conv2d(c_in, c_out // 2, 1, 2, bias=False) for _ in range(2))
        self.bn = norm

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.convs
        return self.bn(torch.cat([first(x), second(x[:, :, 1:, 1:])], dim=1))


def batch_norm(channels: int, config: DartsNetConfig, around: bool = False) -> nn.BatchNorm2d:
    """The normalisation of a searched operation, or of what is around these."""
    affine = config.affine or (around and config.affine_around)
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=config.tracked_statistics)


def separable(
    channels: int, kernel: int, config: DartsNetConfig, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    """A depthwise and a 1x1 convolution with batch normalisation."""
    padding = dilation * (kernel // 2)
    depthwise = Conv2d(
        channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
    )
    return [depthwise, Conv2d(channels, channels, 1, bias=False), batch_norm(channels, config)]


def candidate(operation: str, channels: int, stride: int, config: DartsNetConfig) -> nn.Module:
    """The module of an operation; see `reads_rectified` for what it reads."""
    if operation in SEPARABLE:
        once_more = separable(channels, SEPARABLE[operation], config)
        first = separable(channels, SEPARABLE[operation], config, stride)
        return nn.Sequential(*first, nn.ReLU(), *once_more)
    if operation in DILATED:
        return nn.Sequential(*separable(channels, DILATED[operation], config, stride, dilation=2))
    if operation in POOLS:
        largest = operation == "max_pool_3x3"
        pool = nn.MaxPool2d(3, stride, 1) if largest else AveragePool(stride)
        return nn.Sequential(pool, batch_norm(channels, config))
    if stride == 1:
        return nn.Identity()
    return FactorizedReduce(channels, channels, batch_norm(channels, config))


def reads_rectified(operation: str, stride: int) -> bool:
    """Whether the input of an operation goes through a ReLU first: not of pools and identities."""
    return operation not in POOLS and (operation != "skip_connect" or stride > 1)


class SearchedCell(nn.Module):
    """What prepares the inputs of a cell, and the candidate operations of each of its edges.

    Args:
        choices: for each of the edges, its candidate operations, maybe none.
        c_before, c_previous: channels of the outputs of the two cells before.
        channels: of each node.
        reduction: whether edges from the inputs halve the image.
        shrinks: whether the output of the cell before the previous one is twice as large.
        config: batch normalisation.
        share: operations have one channel of so many, and then nothing is a path.
    """

    def __init__(
        self,
        choices: Sequence[Sequence[str]],
        c_before: int,
        c_previous: int,
        channels: int,
        reduction: bool,
        shrinks: bool,
        config: DartsNetConfig,
        share: int = 1,
    ) -> None:
        super().__init__()
        self.kind = KINDS[reduction]
        self.strides = [2 if reduction and source < INPUTS else 1 for source, _ in EDGES]
        self.inputs = nn.ModuleList(
            [
                _resize(c_before, channels, shrinks, config),
                _resize(c_previous, channels, False, config),
            ]
        )
        self.edges = nn.ModuleList(
            nn.ModuleDict(
                {op: candidate(op, channels // share, stride, config) for op in operations}
            )
            for operations, stride in zip(choices, self.strides, strict=True)
        )

    def prepared(self, number: int, x: Tensor) -> Tensor:
        """An input of the cell, (batch, channels, height, width).

        Args:
            number: 0 of the cell before the previous one, 1 of the previous one.
            x: that cell's output.
        """
        return self.inputs[number](F.relu(x))

    def forward(
        self, before: Tensor, previous: Tensor, cell: Cell, memo: dict[Key, Tensor]
    ) -> Tensor:
        """The nodes side by side, (batch, nodes times channels, height, width).

        Args:
            before: output of the cell before the previous one.
            previous: output of the previous cell.
            cell: the path.
            memo: what earlier paths computed from these same inputs, and where this one leaves what
                it computes. A value's key is the operations that lead to it.
        """
        genotype: Genotype = getattr(cell, self.kind)
        nodes: list[Tensor] = []
        keys: list[Key] = []
        for number, x in enumerate((before, previous)):
            value, key = once(memo, (number,), partial(self.prepared, number, x))
            nodes.append(value)
            keys.append(key)
        for node in range(NODES):
            values, parts = [], []
            for operation, source in genotype[2 * node : 2 * node + 2]:
                edge = EDGES.index((source, INPUTS + node))
                value, key = self._output(edge, operation, nodes[source], keys[source], memo)
                values.append(value)
                parts.append(key)
            nodes.append(values[0] + values[1])
            keys.append(tuple(parts))
        return torch.cat(nodes[INPUTS:], dim=1)

    def _output(
        self, edge: int, operation: str, x: Tensor, key: Key, memo: dict[Key, Tensor]
    ) -> tuple[Tensor, Key]:
        """An operation's output and its key; edges that leave a node share its ReLU."""
        name = (edge, operation, key)
        if reads_rectified(operation, self.strides[edge]):
            x, _ = once(memo, ("relu", key), partial(F.relu, x))
        return once(memo, name, partial(self.edges[edge][operation], x))


def _resize(c_in: int, c_out: int, shrinks: bool, config: DartsNetConfig) -> nn.Module:
    """A 1x1 convolution of a rectified input, which may halve the image."""
    norm = batch_norm(c_out, config, around=True)
    if shrinks:
        return FactorizedReduce(c_in, c_out, norm)
    return nn.Sequential(Conv2d(c_in, c_out, 1, bias=False), norm)


class Network(PathNetwork):
    """The chain of cells with some candidate operations on each edge.

    With all on all edges it is a supernet, with those of one cell a stand-alone network.

    Args:
        choices: the candidate operations of each edge of a normal and of a reduction cell.
        config: width, depth, classes and batch normalisation.
        share: see `SearchedCell`.
    """

    def __init__(self, choices: Choices, config: DartsNetConfig, share: int = 1) -> None:
        super().__init__()
        self.choices = {kind: tuple(map(tuple, choices[kind])) for kind in KINDS}
        width = config.stem_multiplier * config.channels
        self.stem = nn.Sequential(
            Conv2d(3, width, 3, padding=1, bias=False), batch_norm(width, config, around=True)
        )
        reductions = {config.cells // 3, 2 * config.cells // 3}
        cells, channels, c_before, c_previous = [], config.channels, width, width
        for position in range(config.cells):
            reduction = position in reductions
            channels *= 1 + reduction
            shrinks = position - 1 in reductions
            edges = self.choices[KINDS[reduction]]
            before = c_before, c_previous
            cells.append(SearchedCell(edges, *before, channels, reduction, shrinks, config, share))
            c_before, c_previous = c_previous, NODES * channels
        self.cells = nn.ModuleList(cells)
        self.classifier = nn.Linear(c_previous, config.num_classes)

    def after_stem(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path; in the first cell, paths share operations and what leads to them."""
        before = x
        for searched in self.cells:
            before, x = x, searched(before, x, cell, memo)
            memo = {}  # later cells read other inputs for every path
        return self.classifier(x.mean(dim=(2, 3)))

    def check_offers(self, cell: Cell) -> None:
        """Raise a ConfigError if the network lacks an operation of the path."""
        for kind in KINDS:
            for place, (operation, source) in enumerate(getattr(cell, kind)):
                edge = source, INPUTS + place // 2
                offered = self.choices[kind][EDGES.index(edge)]
                if operation not in offered:
                    raise ConfigError(
                        f"edge {edge[0]}-{edge[1]} of this network's {kind} cells offers "
                        f"{', '.join(offered) or 'nothing'}, not {operation!r}"
                    )


def supernet(config: DartsNetConfig, subspace: Subspace = WHOLE, share: int = 1) -> Network:
    """A supernet with the operations of a subspace on all edges; see `Network`."""
    return Network(dict.fromkeys(KINDS, [subspace.choices] * len(EDGES)), config, share)


def stand_alone(cell: Cell, config: DartsNetConfig) -> Network:
    """The network of one cell on its own: the supernet of a single path."""
    choices: dict[str, list[tuple[str, ...]]] = {kind: [()] * len(EDGES) for kind in KINDS}
    for kind in KINDS:
        for place, (operation, source) in enumerate(getattr(cell, kind)):
            choices[kind][EDGES.index((source, INPUTS + place // 2))] = (operation,)
    return Network(choices, config)


def extract(supernet: Network, cell: Cell, config: DartsNetConfig) -> Network:
    """The stand-alone network of a cell with a copy of its path's weights in the supernet.

    Raises:
        ConfigError: if the supernet lacks an operation of the path.
    """
    supernet.check_offers(cell)
    alone, weights = stand_alone(cell, config), supernet.state_dict()
    alone.load_state_dict({key: weights[key] for key in alone.state_dict()})
    return alone


def count_parameters(codes: np.ndarray, config: DartsNetConfig = BENCHMARK) -> np.ndarray:
    """Trainable parameters of stand-alone networks.

    Args:
        codes: of cells, integer [n].
        config: of the networks.

    Returns:
        int64 [n].
    """
    edges, operations = chosen(np.asarray(codes))
    always, sizes = _sizes(config)
    kinds = np.arange(len(KINDS))[:, None, None]
    return always + sizes[kinds, edges, operations].sum(axis=(1, 2, 3))


@cache
def _sizes(config: DartsNetConfig) -> tuple[int, np.ndarray]:
    """Parameters that every network has, and those of operations, [kinds, edges, operations]."""
    with torch.device("meta"):  # shapes without values
        net = supernet(config)
    sizes = np.zeros((len(KINDS), len(EDGES), len(CHOICES)), np.int64)
    for cell in net.cells:
        found = [[_size(edge[op]) for op in CHOICES] for edge in cell.edges]
        sizes[KINDS.index(str(cell.kind))] += np.array(found)
    return _size(net) - int(sizes.sum()), sizes


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
