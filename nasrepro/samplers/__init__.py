"""Which paths one update of a network takes: small interchangeable objects.

A sampler draws one group of cells at a time; the gradients of a group are accumulated into one
update. Those of a search space are in the module of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nasrepro.spaces import AnyCell, AnyPath


class Sampler(Protocol):
    """Draws the paths of one update."""

    @property
    def group_size(self) -> int:
        """How many cells make up one update."""
        ...

    def draw(self, generator: np.random.Generator) -> tuple[AnyPath, ...]:
        """The cells whose gradients make up one update."""
        ...


@dataclass(frozen=True)
class Fixed:
    """The same cell at every update: a network that is trained on its own."""

    cell: AnyCell
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[AnyCell, ...]:
        """The cell."""
        return (self.cell,)


@dataclass(frozen=True, eq=False)
class Among:
    """One cell per update, uniform over some cells.

    Attributes:
        codes: of the cells, int64 [n].
        from_code: the cell of a code.
    """

    codes: np.ndarray
    from_code: Callable[[int], AnyCell]
    group_size: int = 1

    def draw(self, generator: np.random.Generator) -> tuple[AnyCell, ...]:
        """One of them."""
        return (self.from_code(int(generator.choice(self.codes))),)
