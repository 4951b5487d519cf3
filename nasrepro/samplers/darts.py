"""Which cells of DARTS' space one update of a supernet takes."""

from dataclasses import dataclass

import numpy as np

from nasrepro.spaces.darts import Cell, Subspace


@dataclass(frozen=True)
class Uniform:
    """One cell per update, uniform over a subspace (Guo et al. 2020)."""

    subspace: Subspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """One cell."""
        return (self.subspace.sample(generator),)


SAMPLERS = {"uniform": Uniform}
