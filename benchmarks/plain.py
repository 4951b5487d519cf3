"""The plain way to train and evaluate a supernet: the baseline that `supernet.py` times against.

One architecture at a time, every edge that has an input computed as it stands, PyTorch's own
pooling. It uses the library's modules: weights, architectures and images are the same.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from nasrepro.nets.nb201 import Network, SearchedCell
from nasrepro.spaces.nb201 import EDGES, Cell


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """PyTorch's own mixed precision, whether or not the device multiplies bfloat16."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def forward(net: Network, x: Tensor, cell: Cell) -> Tensor:
    """Logits of one path, (batch, classes)."""
    x = net.stem(x)
    for stage, cells in enumerate(net.stages):
        if stage > 0:
            x = net.reductions[stage - 1](x)
        for searched in cells:
            x = cell_output(searched, x, cell)
    return net.classifier(F.relu(net.head_bn(x)).mean(dim=(2, 3)))


def cell_output(searched: SearchedCell, x: Tensor, cell: Cell) -> Tensor:
    """The last node of a searched cell: each node is the sum of what its edges bring."""
    nodes: list[Tensor | None] = [x]
    for node in (1, 2, 3):
        values = [
            edge_output(searched, edge, cell.operations[edge], value)
            for edge, (source, target) in enumerate(EDGES)
            if target == node and cell.operations[edge] != "none"
            if (value := nodes[source]) is not None
        ]
        nodes.append(sum(values[1:], values[0]) if values else None)
    last = nodes[-1]
    return torch.zeros_like(x) if last is None else last


def edge_output(searched: SearchedCell, edge: int, operation: str, x: Tensor) -> Tensor:
    """One operation of one edge."""
    if operation == "skip_connect":
        return x
    if operation == "avg_pool_3x3":
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return searched.edges[edge][operation](F.relu(x))
