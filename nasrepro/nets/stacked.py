"""Many paths in one batch: few large kernels, as a GPU wants them.

Activations are (batch, paths, channels, height, width): contiguous, this is also a batch of
`batch * paths` images for a convolution, and one of `paths * channels` channels for a batch
normalisation that gives each path separate statistics. On a CPU it is slower than one path after
the other: see the page on performance.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.nets.nb201 import (
    KERNELS,
    ConvBN,
    Network,
    ReductionBlock,
    SearchedCell,
    average_pool,
)
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell, live_operations

STACKED_PATHS = 64  # in one batch, at most
# Of all stacked paths' images in the first stage; a few such tensors are in memory at once.
STACKED_ELEMENTS = 2**27


def forward_in_stacks(net: Network, x: Tensor, cells: Sequence[Cell]) -> Iterator[Tensor]:
    """Logits of many paths on the same images, as many at once as memory has room for.

    Args:
        net: as for `forward_stacked`.
        x: normalised images, (batch, 3, height, width).
        cells: the paths.

    Yields:
        Logits of each path, (batch, classes).
    """
    elements = len(x) * net.stem.conv.out_channels * x.shape[2] * x.shape[3]
    count = max(1, min(STACKED_PATHS, STACKED_ELEMENTS // elements))
    for start in range(0, len(cells), count):
        yield from forward_stacked(net, x, cells[start : start + count]).unbind(1)


def forward_stacked(net: Network, x: Tensor, cells: Sequence[Cell]) -> Tensor:
    """Logits of many paths on the same images; an edge's operation serves all that take it at once.

    Args:
        net: a network that evaluates: normalising with tracked statistics, or with the batch
            without tracking.
        x: normalised images, (batch, 3, height, width).
        cells: the paths, at least one; memory grows with their number.

    Returns:
        (batch, paths, classes), equal to the network's own up to rounding.

    Raises:
        ConfigError: if the network lacks an operation of a cell.
    """
    for cell in cells:
        net.check_offers(cell)
    paths = [live_operations(cell) for cell in cells]
    x = net.stem(x).contiguous()[:, None].expand(-1, len(paths), -1, -1, -1)
    for stage, searched_cells in enumerate(net.stages):
        if stage > 0:
            x = _reduction(net.reductions[stage - 1], x)
        for searched in searched_cells:
            x = _searched_cell(searched, x, paths)
    x = F.relu(_batch_norm(net.head_bn, x)).mean(dim=(3, 4))
    return net.classifier(x)


def _searched_cell(searched: SearchedCell, x: Tensor, paths: Sequence[Sequence[str]]) -> Tensor:
    nodes = [x, *(torch.zeros_like(x) for _ in range(3))]
    # In the network's order, so that a node's sum has the same order too.
    for edge in sorted(range(len(EDGES)), key=lambda e: EDGES[e]):
        source, target = EDGES[edge]
        for operation in OPERATIONS[1:]:  # Zero brings nothing
            takers = [i for i, operations in enumerate(paths) if operations[edge] == operation]
            if takers:
                chosen = torch.tensor(takers, device=x.device)
                value = _edge_output(searched, edge, operation, nodes[source][:, chosen])
                nodes[target].index_add_(1, chosen, value.to(x.dtype))
    return nodes[3]


def _edge_output(searched: SearchedCell, edge: int, operation: str, x: Tensor) -> Tensor:
    modules = searched.edges[edge]
    if operation in KERNELS:
        return _conv_bn(modules[operation], F.relu(x))
    if operation == "avg_pool_3x3":
        x = _each_image(average_pool, x)
    return _each_image(modules[operation], x) if operation in modules else x


def _reduction(block: ReductionBlock, x: Tensor) -> Tensor:
    residual = _conv_bn(block.conv_b, F.relu(_conv_bn(block.conv_a, F.relu(x))))
    return residual + _each_image(lambda images: block.shortcut(F.avg_pool2d(images, 2)), x)


def _conv_bn(module: ConvBN, x: Tensor) -> Tensor:
    return _batch_norm(module.bn, _each_image(module.conv, x))


def _each_image(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply what treats images apart: paths are as good as more images."""
    return function(x.flatten(0, 1)).contiguous().unflatten(0, x.shape[:2])


def _batch_norm(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    if norm.running_mean is not None and not norm.training:
        return _each_image(norm, x)
    count = x.shape[1]
    together = x.reshape(x.shape[0], -1, *x.shape[3:])
    scale, shift = (None if p is None else p.repeat(count) for p in (norm.weight, norm.bias))
    together = F.batch_norm(together, None, None, scale, shift, training=True, eps=norm.eps)
    return together.view(x.shape)
