"""Networks of the NAS-Bench-201 space: supernet and stand-alone network from the same modules.

The macro skeleton is the benchmark's (Dong & Yang 2020, section 2.1): stem, three stages of
searched cells with residual reduction blocks between them, head.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.convolution import Conv2d
from nasrepro.nets.memo import Key, once
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, AnyPath, Cell, CellPerPosition, live_edges

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class ConvBN(nn.Module):
    """Convolution and batch normalisation of an input that has been through its ReLU."""

    def __init__(self, conv: nn.Module, bn: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv = conv
        self.bn = bn

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Projected(nn.Module):
    """A 1x1 convolution whose kernel is a learned sum over the places of a 3x3 one (Yu C.3).

    At first the place in the middle. Yu takes it from Cai et al. 2020 without saying how.
    """

    def __init__(self, wide: nn.Conv2d) -> None:
        super().__init__()
        self.wide = wide
        self.places = nn.Parameter(torch.eye(9)[4])

    @property
    def weight(self) -> Tensor:
        """The kernel, (channels, channels, 1, 1)."""
        return (self.wide.weight.flatten(2) @ self.places)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight)


class SearchedCell(nn.Module):
    """The candidate operations of each edge; Zero and a Skip without transformer have no module.

    Args:
        choices: for each of the six edges, its candidate operations.
        channels: of input and output.
        config: what edges share, and what they have besides.
        generator: draws what path dropout drops; on the CPU.
    """

    def __init__(
        self,
        choices: Sequence[Sequence[str]],
        channels: int,
        config: NetConfig,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.edges = _edge_modules(choices, channels, config)
        self.dropout = config.path_dropout
        self.generator = generator

    def forward(
        self, x: Tensor, cell: Cell, live: Sequence[int], memo: dict[Key, Tensor]
    ) -> Tensor:
        """Sum at each node what its live edges bring; zeros where nothing reaches the output.

        A convolution whose input is the zeros of an unreached node brings nothing, as in the
        benchmark's count of unique cells. Computed as it stands, it would bring a constant: the
        shift that its batch normalisation learnt for other paths.

        Args:
            x: (batch, channels, height, width).
            cell: the path.
            live: its edges between input and output.
            memo: what earlier cells computed from this same x, and where this one leaves what it
                computes. A value's key is the operations that lead to it.
        """
        nodes: dict[int, Tensor] = {0: x}
        keys: dict[int, Key] = {0: ()}
        for edge in sorted(live, key=lambda e: EDGES[e]):
            source, target = EDGES[edge]
            value, key = self._edge_output(
                edge, cell.operations[edge], nodes[source], keys[source], memo
            )
            if self.dropout and self.training:
                value = drop(value, self.dropout, (len(value), 1, 1, 1), self.generator)
            nodes[target] = nodes[target] + value if target in nodes else value
            keys[target] = (*keys.get(target, ()), key)
        return nodes[3] if 3 in nodes else torch.zeros_like(x)

    def _edge_output(
        self, edge: int, operation: str, x: Tensor, key: Key, memo: dict[Key, Tensor]
    ) -> tuple[Tensor, Key]:
        """An operation's output and its key; ReLU and pooling serve all edges that leave a node."""
        modules = self.edges[edge]
        if operation in KERNELS:
            rectified, _ = once(memo, ("relu", key), lambda: F.relu(x))
            return once(memo, (edge, operation, key), lambda: modules[operation](rectified))
        if operation == "avg_pool_3x3":
            x, key = once(memo, (operation, key), lambda: average_pool(x))
        else:
            key = (operation, key)
        if operation in modules:  # a linear transformer
            return once(memo, (edge, key), lambda: modules[operation](x))
        return x, key


class ReductionBlock(nn.Module):
    """Basic residual block that halves the image and doubles the channels."""

    def __init__(self, c_in: int, c_out: int, config: NetConfig) -> None:
        super().__init__()
        self.conv_a = _conv_bn(c_in, c_out, 2, config)
        self.conv_b = _conv_bn(c_out, c_out, 1, config)
        self.shortcut = Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_b(F.relu(self.conv_a(F.relu(x)))) + self.shortcut(F.avg_pool2d(x, 2))


class Network(PathNetwork):
    """The macro skeleton with some candidate operations on each edge of every cell.

    With all operations on all edges it is a supernet, with one on each a stand-alone network.

    Args:
        choices: for each of the six edges, its candidate operations.
        config: width, depth, classes, batch normalisation and what paths share.
        generator: draws what dropout drops; on the CPU.
        share: searched operations have one channel of so many, and then nothing is a path.

    Raises:
        ConfigError: if there is dropout and no generator.
    """

    def __init__(
        self,
        choices: Sequence[Sequence[str]],
        config: NetConfig,
        generator: torch.Generator | None = None,
        share: int = 1,
    ) -> None:
        super().__init__()
        if (config.path_dropout or config.global_dropout) and generator is None:
            raise ConfigError("dropout needs a generator")
        self.dropout = config.global_dropout
        self.generator = generator
        self.choices = tuple(tuple(ops) for ops in choices)
        widths = [config.channels * 2**stage for stage in range(3)]
        self.stem = _conv_bn(3, widths[0], 1, config)
        self.stages = nn.ModuleList(
            nn.ModuleList(
                SearchedCell(self.choices, width // share, config, generator)
                for _ in range(config.cells_per_stage)
            )
            for width in widths
        )
        self.reductions = nn.ModuleList(
            ReductionBlock(c_in, c_out, config) for c_in, c_out in itertools.pairwise(widths)
        )
        self.head_bn = _norm_around(widths[-1], config)
        self.classifier = nn.Linear(widths[-1], config.num_classes)

    @property
    def positions(self) -> int:
        """How many searched cells there are."""
        return sum(map(len, self.stages))

    def after_stem(self, x: Tensor, cell: AnyPath, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path; in the first cell, paths share edges and what leads to them."""
        position = 0
        for stage, cells in enumerate(self.stages):
            if stage > 0:
                x = self.reductions[stage - 1](x)
            for searched in cells:
                here = cell.at(position)
                x = searched(x, here, live_edges(here), memo)
                memo = {}  # later cells read another input for every path
                position += 1
        return self.head(x)

    def head(self, x: Tensor) -> Tensor:
        """Logits of what the last cell made of the images."""
        x = F.relu(self.head_bn(x))
        if self.dropout and self.training:
            x = drop(x, self.dropout, x.shape, self.generator)
        return self.classifier(x.mean(dim=(2, 3)))

    def check_offers(self, cell: AnyPath) -> None:
        """Raise a ConfigError if the network lacks an operation or a position of the path."""
        if isinstance(cell, CellPerPosition) and len(cell.cells) != self.positions:
            raise ConfigError(
                f"this network has {self.positions} searched cells, found {len(cell.cells)}"
            )
        for here in {cell.at(position) for position in range(self.positions)}:
            for edge, (operation, ops) in enumerate(
                zip(here.operations, self.choices, strict=True)
            ):
                if operation not in ops:
                    raise ConfigError(
                        f"edge {edge} of this network offers {', '.join(ops)}, not {operation!r}"
                    )


def supernet(
    config: NetConfig,
    operations: Sequence[str] = OPERATIONS,
    generator: torch.Generator | None = None,
    share: int = 1,
) -> Network:
    """A supernet with the given operations on all six edges of every cell; see `Network`."""
    return Network([operations] * len(EDGES), config, generator, share)


def stand_alone(cell: Cell, config: NetConfig) -> Network:
    """The network of one cell on its own: the supernet of a single path, without its tricks."""
    return Network([(operation,) for operation in cell.operations], config.alone())


def extract(supernet: Network, cell: Cell, config: NetConfig) -> Network:
    """The stand-alone network of a cell with a copy of its path's weights in the supernet.

    Linear transformers are left out: of a path that has some, it is another network.
    """
    supernet.check_offers(cell)
    alone = stand_alone(cell, config)
    weights = supernet.state_dict()
    for name, module in supernet.named_modules(remove_duplicate=False):
        if isinstance(module, Projected):
            weights[f"{name}.weight"] = module.weight
    alone.load_state_dict({key: weights[key] for key in alone.state_dict()})
    return alone


def count_parameters(
    codes: np.ndarray, channels: int = 16, cells_per_stage: int = 5, classes: int = 10
) -> np.ndarray:
    """Trainable parameters of cells' stand-alone networks, as the benchmark counts them.

    Edges that do not reach the output count too, as in the benchmark.

    Args:
        codes: of cells, integer [n].
        channels: of the stem.
        cells_per_stage: searched cells in each of the three stages.
        classes: of the classifier.

    Returns:
        int64 [n].
    """
    widths = [channels * 2**stage for stage in range(3)]
    stem = 3 * 9 * channels + 2 * channels
    reductions = sum(9 * c * 2 * c + 9 * (2 * c) ** 2 + c * 2 * c + 8 * c for c in widths[:-1])
    head = 2 * widths[-1] + widths[-1] * classes + classes
    areas = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}  # of kernels; the others have no weights
    weights = np.array(
        [sum(areas[op] * c**2 + 2 * c for c in widths) if op in areas else 0 for op in OPERATIONS]
    )
    place_values = len(OPERATIONS) ** np.arange(len(EDGES))
    operations = np.asarray(codes)[:, None] // place_values % len(OPERATIONS)
    cells = cells_per_stage * weights[operations].sum(axis=1)
    return stem + cells + reductions + head


def num_parameters(
    cell: Cell, channels: int = 16, cells_per_stage: int = 5, classes: int = 10
) -> int:
    """Trainable parameters of one cell's stand-alone network: see `count_parameters`.

    >>> num_parameters(Cell(("none",) * 6))
    73306
    """
    return int(count_parameters(np.array([cell.code]), channels, cells_per_stage, classes)[0])


def average_pool(x: Tensor, stride: int = 1) -> Tensor:
    """3x3 average pooling that leaves out the padding.

    A depthwise convolution with ones, whose sum is divided by how many pixels each window holds. On
    a CPU it is several times faster than PyTorch's pooling of channels-last tensors; on a GPU that
    pooling has wrong gradients where it pads (PyTorch 2.11.0, issue 188344).
    """
    if x.is_meta:  # not computed, but counted: as what it is
        return F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)
    channels = x.shape[1]
    ones = x.new_ones(channels, 1, 3, 3)
    total = F.conv2d(x, ones, stride=stride, padding=1, groups=channels)
    # As wide as the images: dividing by one channel's map would be slow for channels-last.
    pixels = F.conv2d(torch.ones_like(x[:1]), ones, stride=stride, padding=1, groups=channels)
    return total / pixels


def drop(x: Tensor, rate: float, shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
    """Set a share of values to zero and scale the others, so that the mean stays.

    Args:
        x: any values.
        rate: share of zeros, below 1.
        shape: of what is drawn; broadcast to the values' shape, so that some fall together.
        generator: on the CPU.
    """
    kept = torch.empty(shape).bernoulli_(1 - rate, generator=generator)
    return x * (kept / (1 - rate)).to(x)


def _edge_modules(
    choices: Sequence[Sequence[str]], channels: int, config: NetConfig
) -> nn.ModuleList:
    """The modules of each edge's operations; edges that share one have the same module."""
    targets = [target for _, target in EDGES]
    kernel_places = targets if config.operations_on == "nodes" else range(len(EDGES))
    norm_places = targets if config.norms_on == "nodes" else range(len(EDGES))

    @cache
    def kernel(place: int, operation: str) -> nn.Module:
        if operation == "nor_conv_1x1" and config.kernels == "projected":
            return Projected(kernel(place, "nor_conv_3x3"))
        size = KERNELS.get(operation, 1)  # that of a linear transformer is 1
        return Conv2d(channels, channels, size, padding=size // 2, bias=False)

    @cache
    def normalised(place: int, norm_place: int, operation: str) -> nn.Module:
        return ConvBN(kernel(place, operation), _batch_norm(channels, config))

    def module(edge: int, operation: str) -> nn.Module:
        if operation in config.transformers:
            return kernel(kernel_places[edge], operation)
        return normalised(kernel_places[edge], norm_places[edge], operation)

    return nn.ModuleList(
        nn.ModuleDict(
            {op: module(edge, op) for op in ops if op in KERNELS or op in config.transformers}
        )
        for edge, ops in enumerate(choices)
    )


def _conv_bn(c_in: int, c_out: int, stride: int, config: NetConfig) -> ConvBN:
    """A 3x3 convolution and its batch normalisation, outside of the searched cells."""
    conv = Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
    return ConvBN(conv, _norm_around(c_out, config))


def _batch_norm(channels: int, config: NetConfig) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(
        channels, affine=config.affine, track_running_stats=config.tracked_statistics
    )


def _norm_around(channels: int, config: NetConfig) -> nn.BatchNorm2d:
    """The normalisation of what is not searched."""
    return _batch_norm(channels, replace(config, affine=config.affine or config.affine_around))
