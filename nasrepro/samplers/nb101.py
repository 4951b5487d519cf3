"""Which NAS-Bench-101 cells one update of a supernet takes.

Architectures are drawn, not encodings: a cell that can be written down in more ways comes no more
often than another, as in Pourchot's experiments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasrepro.nets.nb101 import count_parameters
from nasrepro.samplers import Sampler
from nasrepro.spaces.nb101 import Cell, Subspace


@dataclass(frozen=True)
class Uniform:
    """Some cells per update, uniform over the architectures of a subspace (Guo et al. 2020)."""

    subspace: Subspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """Independent cells, in the benchmark's own numbering."""
        return tuple(self.subspace.sample(generator) for _ in range(self.group_size))


@dataclass(frozen=True)
class ProRata:
    """One cell per update, as often as it has parameters in the benchmark (Pourchot 4.2, Luo)."""

    subspace: Subspace
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[Cell, ...]:
        """One cell, in the benchmark's own numbering."""
        totals = _running_totals(self.subspace)
        row = np.searchsorted(totals, generator.integers(totals[-1]), side="right")
        return (Cell.from_code(int(self.subspace.codes()[row])),)


@cache  # of the few subspaces there are: a sampler asks for them in every training step
def _running_totals(subspace: Subspace) -> np.ndarray:
    return np.cumsum(count_parameters(subspace.codes()))


# Pourchot's AVG-3 is "uniform-3" in a training that takes the mean of the gradients. Here each path
# has a separate batch, in the authors' code all three have the same: as many updates, and as much
# to compute, take three times their epochs.
SAMPLERS: dict[str, Callable[[Subspace], Sampler]] = {
    "uniform": Uniform,
    "uniform-3": lambda subspace: Uniform(subspace, group_size=3),
    "pro-rata": ProRata,
}
