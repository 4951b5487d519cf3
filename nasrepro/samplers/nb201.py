"""Which NAS-Bench-201 cells one update of a supernet takes.

Connected cells only: a group with a disconnected cell is drawn again as a whole. Laube does not say
whether he does so.
"""

from dataclasses import dataclass

import numpy as np

from nasrepro.spaces.nb201 import EDGES, Cell, Subspace, is_connected


@dataclass(frozen=True)
class Uniform:
    """One cell per update, uniform over the encodings of a subspace (Guo et al. 2020)."""

    subspace: Subspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """One connected cell."""
        return (self.subspace.sample(generator, connected=True),)


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


SAMPLERS = {"uniform": Uniform, "strictly-fair": StrictlyFair}
