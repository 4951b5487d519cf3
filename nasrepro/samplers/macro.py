"""Which NAS-Bench-Macro networks one update of a supernet takes."""

from dataclasses import dataclass

import numpy as np

from nasrepro.spaces.macro import NUM_BLOCKS, Cell, Subspace


@dataclass(frozen=True)
class Uniform:
    """One network per update, uniform over a subspace (Guo et al. 2020)."""

    subspace: Subspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """One network."""
        return (self.subspace.sample(generator),)


@dataclass(frozen=True)
class StrictlyFair:
    """As many networks per update as operations, each operation once in each block (Chu et al.)."""

    subspace: Subspace

    @property
    def group_size(self) -> int:
        """Number of operations of the subspace."""
        return len(self.subspace.choices)

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """A permutation of the operations in each block, read across."""
        operations = np.array(self.subspace.choices)
        columns = [generator.permutation(operations) for _ in range(NUM_BLOCKS)]
        return tuple(Cell(tuple(map(str, row))) for row in zip(*columns, strict=True))


SAMPLERS = {"uniform": Uniform, "strictly-fair": StrictlyFair}
