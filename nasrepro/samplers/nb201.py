"""Which NAS-Bench-201 cells one update of a supernet takes.

Connected cells only: a group with a disconnected cell is drawn again as a whole. Laube does not say
whether he does so.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasrepro.nets.nb201 import num_parameters
from nasrepro.samplers import Sampler
from nasrepro.spaces.nb201 import (
    EDGES,
    Cell,
    CellPerPosition,
    Subspace,
    canonical_string,
    is_connected,
)


@dataclass(frozen=True)
class Uniform:
    """Some cells per update, uniform over the encodings of a subspace (Guo et al. 2020)."""

    subspace: Subspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """Independent connected cells."""
        return tuple(
            self.subspace.sample(generator, connected=True) for _ in range(self.group_size)
        )


@dataclass(frozen=True)
class StrictlyFair:
    """As many cells per update as operations, each operation once on each edge (Laube 4.3)."""

    subspace: Subspace

    @property
    def group_size(self) -> int:
        """Number of operations of the subspace."""
        return len(self.subspace.operations)

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """A permutation of the operations on each edge, read across: all cells are connected."""
        operations = np.array(self.subspace.operations)
        while True:
            columns = [generator.permutation(operations) for _ in EDGES]
            group = tuple(Cell(tuple(map(str, row))) for row in zip(*columns, strict=True))
            if all(map(is_connected, group)):
                return group


@dataclass(frozen=True, eq=False)
class OneOfGroup:
    """One cell per update: first a group of cells, all alike, then one of its cells, all alike."""

    groups: Sequence[Sequence[Cell]]
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """One cell."""
        group = self.groups[int(generator.integers(len(self.groups)))]
        return (group[int(generator.integers(len(group)))],)


def per_architecture(subspace: Subspace) -> OneOfGroup:
    """Uniform over the architectures that the benchmark tells apart (Random-A: Yu 3.2.3).

    In the full space these are the connected ones of its 6,466 classes of equal cells.
    """
    return OneOfGroup(_grouped(subspace, canonical_string))


def per_size(subspace: Subspace) -> OneOfGroup:
    """Uniform over the numbers of parameters that cells have; our own, in no paper."""
    return OneOfGroup(_grouped(subspace, num_parameters))


@cache  # of the few subspaces there are
def _grouped(subspace: Subspace, key: Callable[[Cell], Hashable]) -> tuple[tuple[Cell, ...], ...]:
    """The connected cells of a subspace by what a key says of them."""
    groups: dict[Hashable, list[Cell]] = {}
    for cell in filter(is_connected, subspace.cells()):
        groups.setdefault(key(cell), []).append(cell)
    return tuple(map(tuple, groups.values()))


@dataclass(frozen=True, eq=False)
class PerPosition:
    """Cells of its own for every position of a network: no shared topology (Laube 4.3)."""

    sampler: Sampler  # of NAS-Bench-201
    positions: int

    @property
    def group_size(self) -> int:
        """That of the sampler whose cells a position takes."""
        return self.sampler.group_size

    def draw(self, generator: np.random.Generator) -> tuple[CellPerPosition, ...]:
        """As many groups of the sampler as there are positions, read across."""
        groups = [self.sampler.draw(generator) for _ in range(self.positions)]
        return tuple(map(CellPerPosition, zip(*groups, strict=True)))


SAMPLERS: dict[str, Callable[[Subspace], Sampler]] = {
    "uniform": Uniform,
    "uniform-4": lambda subspace: Uniform(subspace, group_size=4),
    "strictly-fair": StrictlyFair,
    "per-architecture": per_architecture,
    "per-size": per_size,
}
