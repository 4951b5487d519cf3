"""Supernets of DARTS' space in which every edge is a weighted sum of its operations.

As DARTS searches it (Liu et al. 2018), over all operations or some, e.g. S2 of Zela et al. 2019.
The modules are those of the supernet of paths, so a path of it is an architecture as it stands.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.darts import KINDS, Network, SearchedCell, reads_rectified
from nasrepro.spaces.darts import EDGES, INPUTS, NODES, ZERO, Cell, Genotype

ROWS = len(KINDS) * len(EDGES)  # of alphas: the edges of the normal, then of the reduction cell


class RelaxedNetwork(nn.Module):
    """A supernet, called with the weight of each operation on each edge of both kinds of cell.

    Args:
        net: the operations on every edge; their normalisation learns no scale and keeps no
            statistics: an operation is scaled by its weight alone.
        candidates: the operations that have a weight: those of the supernet, and Zero, if it
            competes with them.

    Raises:
        ConfigError: if the supernet is another one.
    """

    def __init__(self, net: Network, candidates: Sequence[str]) -> None:
        super().__init__()
        norms = [m for cell in net.cells for m in cell.edges.modules() if hasattr(m, "affine")]
        if any(norm.affine or norm.track_running_stats for norm in norms):
            raise ConfigError(
                "a relaxed supernet scales operations by their weights alone: take "
                "net.affine=False and net.tracked_statistics=False"
            )
        choices = tuple(operation for operation in candidates if operation != ZERO)
        if any(offered != choices for kind in KINDS for offered in net.choices[kind]):
            raise ConfigError(f"this relaxed supernet offers {', '.join(choices)} on every edge")
        self.net = net
        self.candidates = tuple(candidates)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits.

        Args:
            images: normalised, (batch, 3, height, width).
            weights: (edges of both kinds of cell, candidates), of any device. An operation of
                weight 0 is not computed, and sends no gradient to its weight.

        Returns:
            (batch, classes).
        """
        present = dict(zip(KINDS, (weights.detach().cpu() != 0).chunk(2), strict=True))
        parts = dict(zip(KINDS, weights.to(images.device).chunk(2), strict=True))
        before = x = self.net.through_stem(images)
        for cell in self.net.cells:
            own = parts[cell.kind], present[cell.kind]
            before, x = x, mixed(cell, before, x, self.candidates, *own)
        return self.net.classifier(x.mean(dim=(2, 3)))


def mixed(
    cell: SearchedCell,
    before: Tensor,
    previous: Tensor,
    candidates: Sequence[str],
    weights: Tensor,
    present: Tensor,
) -> Tensor:
    """The output of a cell whose edges are weighted sums.

    Args:
        cell: with the same operations on each edge.
        before: output of the cell before the previous one.
        previous: output of the previous cell.
        candidates: what the columns of the weights stand for.
        weights: (edges, candidates), on the device of the inputs.
        present: which of them are computed, bool (edges, candidates), on the CPU.

    Returns:
        The nodes side by side, (batch, nodes times channels, height, width).
    """
    nodes: dict[int, Tensor] = {n: cell.prepared(n, x) for n, x in enumerate((before, previous))}
    step = cell.strides[0]
    nothing = torch.zeros_like(nodes[0][:, :, ::step, ::step])
    for source in range(INPUTS + NODES - 1):
        if source not in nodes:
            continue  # zeros, of which no operation makes anything else
        leaving = [edge for edge, (start, _) in enumerate(EDGES) if start == source]
        rectified = F.relu(nodes[source])
        for number, operation in enumerate(candidates):
            edges = [edge for edge in leaving if present[edge, number]]
            if operation == ZERO or not edges:
                continue
            values = _outputs(cell, operation, nodes[source], rectified, edges)
            for edge, value in zip(edges, values, strict=True):
                target, weighted = EDGES[edge][1], weights[edge, number] * value
                nodes[target] = nodes[target] + weighted if target in nodes else weighted
    return torch.cat([nodes.get(INPUTS + node, nothing) for node in range(NODES)], dim=1)


def _outputs(
    cell: SearchedCell, operation: str, x: Tensor, rectified: Tensor, edges: Sequence[int]
) -> list[Tensor]:
    """An operation's output on edges that leave one node; one for all, if it learns nothing."""
    modules = [cell.edges[edge][operation] for edge in edges]
    stride = cell.strides[edges[0]]  # of all that leave the node
    if reads_rectified(operation, stride):
        return [module(rectified) for module in modules]
    return [modules[0](x)] * len(modules)


def discretise(scores: Tensor, candidates: Sequence[str]) -> Cell:
    """The cell of the two strongest inputs of each node, each with its strongest operation.

    As DARTS' authors do it (Liu et al. 2018, section 2.4): an input is as strong as the softmax
    says that its best operation is, of all candidates; Zero is never chosen; the first of equals.

    Args:
        scores: (edges of both kinds of cell, candidates).
        candidates: what the columns stand for.
    """
    return Cell(*(_strongest(part, candidates) for part in scores.double().chunk(2)))


def _strongest(scores: Tensor, candidates: Sequence[str]) -> Genotype:
    allowed = torch.tensor([operation != ZERO for operation in candidates])
    best = scores.masked_fill(~allowed, -torch.inf).argmax(dim=1)
    others = scores.scatter(1, best[:, None], -torch.inf).logsumexp(dim=1)
    # The softmax's logarithmic odds: in its order, and not lost in rounding near 0 and 1.
    strength = scores.gather(1, best[:, None])[:, 0] - others
    inputs: list[tuple[str, int]] = []
    for target in range(INPUTS, INPUTS + NODES):
        entering = [edge for edge, (_, end) in enumerate(EDGES) if end == target]
        kept = sorted(entering, key=lambda edge: -float(strength[edge]))[:2]
        inputs += [(candidates[int(best[edge])], EDGES[edge][0]) for edge in kept]
    return tuple(inputs)
