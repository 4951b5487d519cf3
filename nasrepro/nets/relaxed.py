"""Supernets of NAS-Bench-201 in which every edge is a weighted sum of its operations.

What differentiable search trains (SoTL thesis 2021, equation 3.8). Its modules are those of the
supernet of paths, so a path of it is an architecture as it stands.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import KERNELS, Network, SearchedCell, average_pool, supernet
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell

SHAPE = (len(EDGES), len(OPERATIONS))  # of alphas and of weights


class RelaxedNetwork(nn.Module):
    """A supernet with all operations, called with the weight of each operation on each edge.

    Args:
        net: all operations on every edge, each with a normalisation of its own that learns no scale
            and keeps no statistics: an operation is scaled by its weight alone.
        share: the operations of the supernet have one channel of so many; see `mixed`.

    Raises:
        ConfigError: if the supernet is another one.
    """

    def __init__(self, net: Network, share: int = 1) -> None:
        super().__init__()
        norms = [m for m in net.stages.modules() if isinstance(m, nn.BatchNorm2d)]
        if any(norm.affine for norm in norms) or net.head_bn.track_running_stats:
            raise ConfigError(
                "a relaxed supernet scales operations by their weights alone: take "
                "net.affine=False and net.tracked_statistics=False"
            )
        if any(ops != OPERATIONS for ops in net.choices):
            raise ConfigError("a relaxed supernet offers all operations on every edge")
        self.net = net
        self.share = share

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits.

        Args:
            images: normalised, (batch, 3, height, width).
            weights: (edges, operations), of any device. An operation of weight 0 is not computed,
                and sends no gradient to its weight.

        Returns:
            (batch, classes).
        """
        present = weights.detach().cpu() != 0
        weights = weights.to(images.device)
        x = self.net.through_stem(images)
        for stage, cells in enumerate(self.net.stages):
            if stage > 0:
                x = self.net.reductions[stage - 1](x)
            for cell in cells:
                x = mixed(cell, x, weights, present, self.share)
        return self.net.head(x)


def relaxed_supernet(config: NetConfig, generator: torch.Generator, share: int) -> RelaxedNetwork:
    """The relaxed supernet of a config; generator and share as for `nb201.Network`."""
    return RelaxedNetwork(supernet(config, OPERATIONS, generator, share), share)


def mixed(
    cell: SearchedCell, x: Tensor, weights: Tensor, present: Tensor, share: int = 1
) -> Tensor:
    """The output of a cell whose edges are weighted sums.

    Args:
        cell: with all operations on each edge.
        x: (batch, channels, height, width).
        weights: (edges, operations), on the device of x.
        present: which of them are computed, bool (edges, operations), on the CPU.
        share: operations see the first of so many equal parts of the channels; the others pass by
            them on each edge, and all are shuffled at its end (PC-DARTS, Xu et al. 2019).
    """
    sums: dict[int, Tensor] = {}  # what operations bring, by node
    passed: dict[int, Tensor] = {}  # what passes by them
    for source in range(3):
        node = x if source == 0 else whole(sums.get(source), passed.get(source), share)
        if node is None:
            continue  # zeros, of which no operation makes anything else
        seen = node[:, : node.shape[1] // share] if share > 1 else node
        leaving = [edge for edge, (start, _) in enumerate(EDGES) if start == source]
        for number, operation in enumerate(OPERATIONS):
            edges = [edge for edge in leaving if present[edge, number]]
            if operation == "none" or not edges:
                continue
            values = _weighted(cell, operation, seen, edges, weights[edges, number])
            for edge, value in zip(edges, values, strict=True):
                add(sums, EDGES[edge][1], value)
        if share > 1:
            for edge in leaving:
                add(passed, EDGES[edge][1], node[:, node.shape[1] // share :])
    last = whole(sums.get(3), passed.get(3), share)
    return torch.zeros_like(x) if last is None else last


def add(sums: dict[int, Tensor], node: int, value: Tensor) -> None:
    """Add what an edge brings to the sum of its node."""
    sums[node] = sums[node] + value if node in sums else value


def whole(brought: Tensor | None, passed: Tensor | None, share: int) -> Tensor | None:
    """A node: what operations bring and what passes by them, channels of all parts in turn.

    Args:
        brought: (batch, channels / share, height, width); None: zeros.
        passed: the other channels; None: there are none.
        share: see `mixed`.

    >>> ten = torch.arange(10.0).view(1, 10, 1, 1)
    >>> whole(ten[:, :2] + 90, ten[:, 2:8], 4).flatten().tolist()  # of 8 channels, 2 are computed
    [90.0, 2.0, 4.0, 6.0, 91.0, 3.0, 5.0, 7.0]
    """
    if passed is None:
        return brought
    if brought is None:
        brought = torch.zeros_like(passed[:, : passed.shape[1] // (share - 1)])
    both = torch.cat([brought, passed], dim=1)
    return both.unflatten(1, (share, -1)).transpose(1, 2).flatten(1, 2)


def _weighted(
    cell: SearchedCell, operation: str, x: Tensor, edges: list[int], weights: Tensor
) -> list[Tensor]:
    """An operation's output on edges that leave one node, each times its weight."""
    if operation not in KERNELS:
        shared = average_pool(x) if operation == "avg_pool_3x3" else x
        return [weight * shared for weight in weights]
    # One convolution for all edges, and the weights take the place of the normalisation's scale.
    modules = [cell.edges[edge][operation] for edge in edges]
    kernels = torch.cat([module.conv.weight for module in modules])
    convolved = F.conv2d(F.relu(x), kernels, padding=KERNELS[operation] // 2)
    scale = weights.repeat_interleave(x.shape[1])
    eps = modules[0].bn.eps
    normalised = F.batch_norm(convolved, None, None, scale, None, training=True, eps=eps)
    return list(normalised.chunk(len(edges), dim=1))


def discretise(scores: Tensor) -> Cell:
    """The cell of the operation with the largest score on each edge, Zero among them.

    As NAS-Bench-201's authors do it (Dong & Yang 2020); the first of equal ones.

    Args:
        scores: (edges, operations).
    """
    return Cell(tuple(OPERATIONS[int(number)] for number in scores.argmax(dim=1)))


def alone(cell: Cell) -> Tensor:
    """The weights of a cell: 1 for its operations, 0 for the others, (edges, operations)."""
    chosen = torch.tensor([OPERATIONS.index(operation) for operation in cell.operations])
    return F.one_hot(chosen, len(OPERATIONS)).float()
