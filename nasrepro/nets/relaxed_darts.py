"""Supernets of DARTS' space in which every edge is a weighted sum of its operations.

As DARTS searches it (Liu et al. 2018), over all operations or some, e.g. S2 of Zela et al. 2019.
The modules are those of the supernet of paths, so a path of it is an architecture as it stands.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import DartsNetConfig
from nasrepro.nets.darts import KINDS, Network, SearchedCell, reads_rectified, supernet
from nasrepro.nets.nb201 import drop
from nasrepro.nets.relaxed import add, whole
from nasrepro.spaces.darts import EDGES, INPUTS, NODES, SKIP, ZERO, Cell, Genotype, Subspace

ROWS = len(KINDS) * len(EDGES)  # of alphas: the edges of the normal, then of the reduction cell


class RelaxedNetwork(nn.Module):
    """A supernet, called with the weight of each operation on each edge of both kinds of cell.

    Args:
        net: the operations on every edge; their normalisation learns no scale and keeps no
            statistics: an operation is scaled by its weight alone.
        candidates: the operations that have a weight: those of the supernet, and Zero, if it
            competes with them.
        share: the operations of the supernet have one channel of so many; see `mixed`.
        generator: draws which values of skips are dropped; on the CPU.

    Attributes:
        skip_dropout: chance of a value of a skip that keeps the image's size to be dropped (PDARTS,
            Chen et al. 2019).

    Raises:
        ConfigError: if the supernet is another one.
    """

    def __init__(
        self,
        net: Network,
        candidates: Sequence[str],
        share: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
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
        self.share = share
        self.generator = generator
        self.skip_dropout = 0.0

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
            before, x = x, mixed(cell, before, x, self.candidates, *own, self.share, self._skipped)
        return self.net.classifier(x.mean(dim=(2, 3)))

    def _skipped(self, x: Tensor) -> Tensor:
        """What a skip that keeps the image's size makes of its input."""
        return drop(x, self.skip_dropout, x.shape, self.generator) if self.skip_dropout else x


def relaxed_supernet(
    subspace: Subspace, config: DartsNetConfig, generator: torch.Generator, share: int
) -> RelaxedNetwork:
    """The relaxed supernet of a subspace; see `RelaxedNetwork`."""
    return RelaxedNetwork(supernet(config, subspace, share), subspace.candidates, share, generator)


def mixed(
    cell: SearchedCell,
    before: Tensor,
    previous: Tensor,
    candidates: Sequence[str],
    weights: Tensor,
    present: Tensor,
    share: int = 1,
    skipped: Callable[[Tensor], Tensor] = lambda x: x,
) -> Tensor:
    """The output of a cell whose edges are weighted sums.

    Args:
        cell: with the same operations on each edge.
        before: output of the cell before the previous one.
        previous: output of the previous cell.
        candidates: what the columns of the weights stand for.
        weights: (edges, candidates), on the device of the inputs.
        present: which of them are computed, bool (edges, candidates), on the CPU.
        share: as for `relaxed.mixed`; what passes by operations that halve the image is pooled, by
            its largest values (DrNAS, Chen et al. 2021).
        skipped: what becomes of the input of a skip that keeps the image's size.

    Returns:
        The nodes side by side, (batch, nodes times channels, height, width).
    """
    nodes: dict[int, Tensor] = {n: cell.prepared(n, x) for n, x in enumerate((before, previous))}
    step = cell.strides[0]
    nothing = torch.zeros_like(nodes[0][:, :, ::step, ::step])
    part = nodes[0].shape[1] // share
    sums: dict[int, Tensor] = {}  # what operations bring, by node
    passed: dict[int, Tensor] = {}  # what passes by them
    for source in range(INPUTS + NODES):
        if (node := whole(sums.get(source), passed.get(source), share)) is not None:
            nodes[source] = node
        leaving = [edge for edge, (start, _) in enumerate(EDGES) if start == source]
        if source not in nodes or not leaving:
            continue  # zeros, of which no operation makes anything else; or the last node
        seen = nodes[source][:, :part] if share > 1 else nodes[source]
        rectified = F.relu(seen)
        for number, operation in enumerate(candidates):
            edges = [edge for edge in leaving if present[edge, number]]
            if operation == ZERO or not edges:
                continue
            values = _outputs(cell, operation, seen, rectified, edges, skipped)
            for edge, value in zip(edges, values, strict=True):
                add(sums, EDGES[edge][1], weights[edge, number] * value)
        if share > 1:
            others = nodes[source][:, part:]
            for edge in leaving:
                halved = cell.strides[edge] == 2
                add(passed, EDGES[edge][1], F.max_pool2d(others, 2) if halved else others)
    return torch.cat([nodes.get(INPUTS + node, nothing) for node in range(NODES)], dim=1)


def _outputs(
    cell: SearchedCell,
    operation: str,
    x: Tensor,
    rectified: Tensor,
    edges: Sequence[int],
    skipped: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """An operation's output on edges that leave one node; one for all, if it learns nothing."""
    modules = [cell.edges[edge][operation] for edge in edges]
    stride = cell.strides[edges[0]]  # of all that leave the node
    if reads_rectified(operation, stride):
        return [module(rectified) for module in modules]
    if operation == SKIP:
        return [skipped(x) for _ in modules]
    return [modules[0](x)] * len(modules)


def discretise(scores: Tensor, candidates: Sequence[str], most_skips: int | None = None) -> Cell:
    """The cell of the two strongest inputs of each node, each with its strongest operation.

    As DARTS' authors do it (Liu et al. 2018, section 2.4): an input is as strong as the softmax
    says that its best operation is, of all candidates; Zero is never chosen; the first of equals.
    PDARTS' authors, as long as the normal cell has too many skips, bar the weakest from its edge
    and choose again (Chen et al. 2019).

    Args:
        scores: (edges of both kinds of cell, candidates); minus infinity of what is left out.
        candidates: what the columns stand for.
        most_skips: that the normal cell may have; None: any number.
    """
    normal, reduction = scores.double().chunk(2)
    return Cell(_strongest(normal, candidates, most_skips), _strongest(reduction, candidates))


def _strongest(
    scores: Tensor, candidates: Sequence[str], most_skips: int | None = None
) -> Genotype:
    barred = torch.tensor([operation == ZERO for operation in candidates]).repeat(len(EDGES), 1)
    while True:
        best = scores.masked_fill(barred, -torch.inf).argmax(dim=1)
        others = scores.scatter(1, best[:, None], -torch.inf).logsumexp(dim=1)
        # The softmax's logarithmic odds: in its order, and not lost in rounding near 0 and 1.
        strength = scores.gather(1, best[:, None])[:, 0] - others
        kept = [edge for target in range(INPUTS, INPUTS + NODES) for edge in _two(strength, target)]
        skips = [edge for edge in kept if candidates[int(best[edge])] == SKIP]
        if most_skips is None or len(skips) <= most_skips:
            return tuple((candidates[int(best[edge])], EDGES[edge][0]) for edge in kept)
        weakest = min(skips, key=lambda edge: float(strength[edge]))
        barred[weakest, candidates.index(SKIP)] = True


def _two(strength: Tensor, target: int) -> list[int]:
    """The two strongest edges that enter a node."""
    entering = [edge for edge, (_, end) in enumerate(EDGES) if end == target]
    return sorted(entering, key=lambda edge: -float(strength[edge]))[:2]


def alone(cell: Cell, candidates: Sequence[str]) -> Tensor:
    """The weights of a cell: 1 for its operations, 0 for the others, as `RelaxedNetwork` has them.

    Args:
        cell: with operations among the candidates.
        candidates: what the columns stand for.
    """
    weights = torch.zeros(ROWS, len(candidates))
    for kind, genotype in enumerate((cell.normal, cell.reduction)):
        for place, (operation, source) in enumerate(genotype):
            edge = EDGES.index((source, INPUTS + place // 2))
            weights[kind * len(EDGES) + edge, candidates.index(operation)] = 1
    return weights
