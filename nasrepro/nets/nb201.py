"""Networks of the NAS-Bench-201 space: supernet and stand-alone network from the same modules.

The macro skeleton is the benchmark's (Dong & Yang 2020, section 2.1): stem, three stages of
searched cells with residual reduction blocks between them, head.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.convolution import Conv2d
from nasrepro.nets.memo import Key, once
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell, live_edges


class ConvBN(nn.Module):
    """Convolution and batch normalisation of an input that has been through its ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, config: NetConfig) -> None:
        super().__init__()
        self.conv = Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = _batch_norm(c_out, config)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class SearchedCell(nn.Module):
    """The candidate operations of each edge; Zero and Skip have no module."""

    def __init__(self, choices: Sequence[Sequence[str]], channels: int, config: NetConfig) -> None:
        super().__init__()
        kernels = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
        self.edges = nn.ModuleList(
            nn.ModuleDict(
                {
                    op: ConvBN(channels, channels, kernels[op], 1, config)
                    for op in ops
                    if op in kernels
                }
            )
            for ops in choices
        )

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
            nodes[target] = nodes[target] + value if target in nodes else value
            keys[target] = (*keys.get(target, ()), key)
        return nodes[3] if 3 in nodes else torch.zeros_like(x)

    def _edge_output(
        self, edge: int, operation: str, x: Tensor, key: Key, memo: dict[Key, Tensor]
    ) -> tuple[Tensor, Key]:
        """An operation's output and its key; ReLU and pooling serve all edges that leave a node."""
        if operation == "skip_connect":
            return x, (operation, key)
        if operation == "avg_pool_3x3":
            return once(memo, (operation, key), lambda: average_pool(x))
        rectified, _ = once(memo, ("relu", key), lambda: F.relu(x))
        convolution = self.edges[edge][operation]
        return once(memo, (edge, operation, key), lambda: convolution(rectified))


class ReductionBlock(nn.Module):
    """Basic residual block that halves the image and doubles the channels."""

    def __init__(self, c_in: int, c_out: int, config: NetConfig) -> None:
        super().__init__()
        self.conv_a = ConvBN(c_in, c_out, 3, 2, config)
        self.conv_b = ConvBN(c_out, c_out, 3, 1, config)
        self.shortcut = Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_b(F.relu(self.conv_a(F.relu(x)))) + self.shortcut(F.avg_pool2d(x, 2))


class Network(PathNetwork):
    """The macro skeleton with some candidate operations on each edge of every cell.

    With all operations on all edges it is a supernet, with one on each a stand-alone network.

    Args:
        choices: for each of the six edges, its candidate operations.
        config: width, depth, classes and batch normalisation.
    """

    def __init__(self, choices: Sequence[Sequence[str]], config: NetConfig) -> None:
        super().__init__()
        self.choices = tuple(tuple(ops) for ops in choices)
        widths = [config.channels * 2**stage for stage in range(3)]
        self.stem = ConvBN(3, widths[0], 3, 1, config)
        self.stages = nn.ModuleList(
            nn.ModuleList(
                SearchedCell(self.choices, width, config) for _ in range(config.cells_per_stage)
            )
            for width in widths
        )
        self.reductions = nn.ModuleList(
            ReductionBlock(c_in, c_out, config) for c_in, c_out in itertools.pairwise(widths)
        )
        self.head_bn = _batch_norm(widths[-1], config)
        self.classifier = nn.Linear(widths[-1], config.num_classes)

    def after_stem(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path; in the first cell, paths share edges and what leads to them."""
        live = live_edges(cell)
        for stage, cells in enumerate(self.stages):
            if stage > 0:
                x = self.reductions[stage - 1](x)
            for searched in cells:
                x = searched(x, cell, live, memo)
                memo = {}  # later cells read another input for every path
        x = F.relu(self.head_bn(x)).mean(dim=(2, 3))
        return self.classifier(x)

    def check_offers(self, cell: Cell) -> None:
        """Raise a ConfigError if the network lacks an operation of the cell."""
        for edge, (operation, ops) in enumerate(zip(cell.operations, self.choices, strict=True)):
            if operation not in ops:
                raise ConfigError(
                    f"edge {edge} of this network offers {', '.join(ops)}, not {operation!r}"
                )


def supernet(config: NetConfig, operations: Sequence[str] = OPERATIONS) -> Network:
    """A supernet with the given operations on all six edges of every cell."""
    return Network([operations] * len(EDGES), config)


def stand_alone(cell: Cell, config: NetConfig) -> Network:
    """The network of one cell on its own: the supernet of a single path."""
    return Network([(operation,) for operation in cell.operations], config)


def extract(supernet: Network, cell: Cell, config: NetConfig) -> Network:
    """The stand-alone network of a cell with a copy of its path's weights in the supernet."""
    supernet.check_offers(cell)
    alone = stand_alone(cell, config)
    weights = supernet.state_dict()
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


def average_pool(x: Tensor) -> Tensor:
    """3x3 average pooling with stride 1 that leaves out the padding.

    On the CPU a depthwise convolution with ones is several times faster than PyTorch's pooling
    of channels-last tensors; the sum is divided by how many pixels each window holds.
    """
    if x.device.type != "cpu":
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    channels = x.shape[1]
    ones = x.new_ones(channels, 1, 3, 3)
    total = F.conv2d(x, ones, padding=1, groups=channels)
    # As wide as the images: dividing by one channel's map would be slow for channels-last.
    return total / F.conv2d(torch.ones_like(x[:1]), ones, padding=1, groups=channels)


def _batch_norm(channels: int, config: NetConfig) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(
        channels, affine=config.affine, track_running_stats=config.tracked_statistics
    )
