"""The network of NAS-Bench-1Shot1 as differentiable search trains it (Zela et al. 2020).

Each choice block is a weighted sum of its operations, on a weighted sum of its possible inputs; the
cell concatenates weighted blocks. Weights are the rows of one matrix, as long as the longest of
them: the operations of each block, then the inputs of each vertex that has a choice, the output
last. Its modules are those of the supernet of paths, so a path of it is an encoding as it stands.
As in the authors' code normalisations may learn a scale and a shift.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.nb1shot1 import ChoiceCell, Network
from nasrepro.spaces.nb1shot1 import OPERATIONS, Cell, Subspace


def choosers(subspace: Subspace) -> list[int]:
    """The vertices with a choice of inputs: fewer of them than vertices before."""
    return [vertex for vertex, inputs in enumerate(subspace.parents, 1) if inputs < vertex]


def alternatives(subspace: Subspace) -> tuple[int, ...]:
    """How many alternatives each row of weights has.

    >>> alternatives(Subspace(1))  # four blocks; vertices 3 and 4, and the output
    (3, 3, 3, 3, 3, 4, 5)
    """
    return (len(OPERATIONS),) * subspace.blocks + tuple(choosers(subspace))


class RelaxedNetwork(nn.Module):
    """A supernet of a space, called with the weights of operations and inputs.

    Args:
        net: with all operations in every block, and all inputs.
        subspace: its space.

    Raises:
        ConfigError: if the supernet keeps statistics, which would be those of another mixture.
    """

    def __init__(self, net: Network, subspace: Subspace) -> None:
        super().__init__()
        if net.norm.track_running_stats:
            raise ConfigError(
                "a relaxed supernet normalises with the statistics of the batch: take "
                "net.tracked_statistics=False"
            )
        if net.offer.blocks != (OPERATIONS,) * subspace.blocks:
            raise ConfigError(
                f"a relaxed supernet of {subspace} offers all operations in its {subspace.blocks} "
                "choice blocks"
            )
        self.net = net
        self.choosers = choosers(subspace)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits.

        Args:
            images: normalised, (batch, 3, height, width).
            weights: as `alternatives` says, (rows, alternatives), of any device; what is beyond a
                row's alternatives is not looked at.

        Returns:
            (batch, classes).
        """
        weights = weights.to(images.device)
        blocks = len(self.net.offer.blocks)
        inputs = dict(zip(self.choosers, weights[blocks:], strict=True))
        x = self.net.through_stem(images)
        for stage, cells in enumerate(self.net.stages):
            if stage > 0:
                x = F.max_pool2d(x, 2)
            for cell in cells:
                x = mixed(cell, x, weights[:blocks], inputs)
        return self.net.head(x)


def mixed(cell: ChoiceCell, x: Tensor, operations: Tensor, inputs: dict[int, Tensor]) -> Tensor:
    """The output of a cell whose blocks are weighted sums.

    Args:
        cell: with all operations and inputs.
        x: (batch, channels, height, width).
        operations: weights of each block's operations, (blocks, at least operations).
        inputs: by vertex, weights of its inputs; a vertex that is not there has all, unweighted.
    """
    values: list[Tensor] = []
    for vertex, weights in enumerate(operations, 1):
        terms = _weighted([cell.project(vertex, x), *values], inputs.get(vertex))
        values.append(_mixed_block(cell, vertex, sum(terms[1:], terms[0]), weights))
    return torch.cat(_weighted([cell.project(cell.last, x), *values], inputs.get(cell.last)), dim=1)


def _weighted(values: Sequence[Tensor], weights: Tensor | None) -> list[Tensor]:
    if weights is None:
        return list(values)
    return [weight * value for weight, value in zip(weights[: len(values)], values, strict=True)]


def _mixed_block(cell: ChoiceCell, vertex: int, x: Tensor, weights: Tensor) -> Tensor:
    terms = [
        weight * cell.operate(vertex, operation, x)
        for weight, operation in zip(weights[: len(OPERATIONS)], OPERATIONS, strict=True)
    ]
    return sum(terms[1:], terms[0])


def discretise(scores: Tensor, subspace: Subspace) -> Cell:
    """The encoding of the best operation of each block and the best inputs of each vertex.

    As many inputs as the space says, as in the authors' code; the first of equal ones.

    Args:
        scores: (rows, alternatives).
        subspace: the space.
    """
    operations = scores[: subspace.blocks, : len(OPERATIONS)].argmax(dim=1)
    rows = dict(zip(choosers(subspace), scores[subspace.blocks :], strict=True))
    edges = []
    for vertex, count in enumerate(subspace.parents, 1):
        chosen = list(range(count))  # all, where there is no choice
        if vertex in rows:
            best = rows[vertex][:vertex].argsort(descending=True, stable=True)
            chosen = sorted(best[:count].tolist())
        edges += [(source, vertex) for source in chosen]
    return Cell(tuple(edges), tuple(OPERATIONS[int(number)] for number in operations))
