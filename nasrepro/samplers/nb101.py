"""Which cells of NAS-Bench-101, or of a space of NAS-Bench-1Shot1, one update takes.

Of NAS-Bench-101 architectures are drawn, not encodings: a cell that can be written down in more
ways comes no more often than another, as in Pourchot's experiments. Of NAS-Bench-1Shot1 encodings
are drawn, as in its authors' code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasrepro.nets.nb101 import count_parameters
from nasrepro.samplers import Sampler
from nasrepro.spaces import nb1shot1
from nasrepro.spaces.nb101 import Cell, Subspace

AnySubspace = Subspace | nb1shot1.Subspace


@dataclass(frozen=True)
class Uniform:
    """Some cells per update, uniform over what a subspace draws (Guo et al. 2020)."""

    subspace: AnySubspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """Independent cells, in the numbering of the subspace."""
        return tuple(self.subspace.sample(generator) for _ in range(self.group_size))


@dataclass(frozen=True)
class ProRata:
    """One cell per update, as often as it has parameters in the benchmark (Pourchot 4.2, Luo)."""

    subspace: AnySubspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """One cell, in the numbering of the subspace."""
        totals = _running_totals(self.subspace)
        row = np.searchsorted(totals, generator.integers(totals[-1]), side="right")
        return (Cell.from_code(int(self.subspace.codes()[row])),)


@cache  # of the few subspaces there are: a sampler asks for them in every training step
def _running_totals(subspace: AnySubspace) -> np.ndarray:
    return np.cumsum(count_parameters(subspace.codes()))


# Pourchot's AVG-3 is "uniform-3" in a training that takes the mean of the gradients. Here each path
# has a separate batch, in the authors' code all three have the same: as many updates, and as much
# to compute, take three times their epochs.
SAMPLERS: dict[str, Callable[[AnySubspace], Sampler]] = {
    "uniform": Uniform,
    "uniform-3": lambda subspace: Uniform(subspace, group_size=3),
    "uniform-4": lambda subspace: Uniform(subspace, group_size=4),  # MultiPath (SoTL 3.4.2)
    "pro-rata": ProRata,
}
