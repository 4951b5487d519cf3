"""NAS-Bench-1Shot1: three parts of NAS-Bench-101 that one network holds (Zela et al. 2020).

A cell is an encoding: each vertex has a given number of inputs, chosen among all before it, and
each inner vertex, a choice block, one of three operations. An architecture has many encodings; a
vertex need not lead to the output (it is a loose end, which the benchmark prunes). Cells are those
of NAS-Bench-101, not pruned, in the numbering of the choice blocks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces import nb101_codes
from nasrepro.spaces.nb101 import LABELS, Cell, connected
from nasrepro.spaces.nb101_codes import (
    OPERATIONS,
    bit,
    canonical_codes,
    check_operations,
    has_edge,
    pack,
    prune_codes,
)

__all__ = ["LABELS", "OPERATIONS", "Cell", "check_operations", "connected"]

TITLE = "NAS-Bench-1Shot1"
PLACES = 0  # all its operations may be loose ends


@dataclass(frozen=True, slots=True)
class FixedParents:
    """Encodings in which each vertex has a given number of inputs.

    Attributes:
        parents: numbers of inputs of the vertices 1, 2, ..., the output.
        loose_ends: whether an inner vertex may be without outputs.
        residual: whether the input may be connected to the output.

    >>> FixedParents((1, 1, 1, 2, 2, 2), loose_ends=False, residual=False).size
    95985
    """

    parents: tuple[int, ...]
    loose_ends: bool = True
    residual: bool = True

    @property
    def vertices(self) -> int:
        """Number of vertices, with input and output."""
        return len(self.parents) + 1

    def matrices(self) -> np.ndarray:
        """Bits of every adjacency matrix, int64 [m], ascending."""
        columns = [
            [sum(1 << bit(a, v) for a in chosen) for chosen in combinations(range(v), n)]
            for v, n in enumerate(self.parents, 1)
        ]
        bits = np.sort(np.array([sum(chosen) for chosen in product(*columns)]))
        if not self.loose_ends:
            bits = bits[self._has_output(bits).all(axis=1)]
        return bits if self.residual else bits[~has_edge(bits, 0, self.vertices - 1)]

    def _has_output(self, bits: np.ndarray) -> np.ndarray:
        """Whether each inner vertex has an output, bool [n, inner]."""
        rows = [
            [has_edge(bits, v, b) for b in range(v + 1, self.vertices)]
            for v in range(1, self.vertices - 1)
        ]
        return np.stack([np.any(row, axis=0) for row in rows], axis=1)

    def codes(self) -> np.ndarray:
        """The code of every encoding, int64 [n]; not pruned, the same cell may come many times."""
        labellings = np.arange(len(OPERATIONS) ** (self.vertices - 2))
        return pack(self.vertices, self.matrices()[:, None], labellings).ravel()

    @property
    def size(self) -> int:
        """Number of encodings."""
        return len(self.matrices()) * len(OPERATIONS) ** (self.vertices - 2)

    @property
    def size_without_ends(self) -> int:
        """Number of encodings that differ, not counting the operation of a vertex without outputs.

        A vertex counts as soon as it has an output, though that may be such an end itself.
        """
        ends = self._has_output(self.matrices()).sum(axis=1)
        return int((len(OPERATIONS) ** ends).sum())

    def unique_codes(self) -> np.ndarray:
        """The canonical codes of its architectures, int64, ascending."""
        return np.unique(canonical_codes(np.unique(prune_codes(self.codes()))))


# The three spaces of NAS-Bench-1Shot1 (Zela et al. 2020). The sizes that SoTL (table 3.1) takes
# from there, 6,240, 29,160 and 363,648, follow two rules: the first and the third are
# `size_without_ends`, the second is `size`. By one rule they are 14,580, 29,160 and 1,312,200
# encodings, or 6,240, 16,632 and 363,648 without the operations of loose ends.
ONE_SHOT = {
    1: FixedParents((1, 2, 2, 2, 2)),
    2: FixedParents((1, 1, 2, 2, 3)),
    3: FixedParents((1, 1, 1, 2, 2, 2)),
}


# Zhang (appendix A.1) says of its space: like the third, five inner vertices, two of them and not
# the input joined to the output. The numbers of inputs and the absence of loose ends follow from
# its size, 95,985 encodings or 395 matrices.
ZHANG = FixedParents((1, 1, 1, 2, 2, 2), loose_ends=False, residual=False)


@dataclass(frozen=True, slots=True)
class Subspace:
    """One of the three spaces.

    Attributes:
        space: 1, 2 or 3, the largest.

    Raises:
        ConfigError: if there is none of that number.

    >>> third = Subspace(3)
    >>> print(third, third.parents, third.size)
    1Shot1 space 3 (1, 1, 1, 2, 2, 2) 1312200
    """

    space: int = 3

    def __post_init__(self) -> None:
        if self.space not in ONE_SHOT:
            known = ", ".join(map(str, ONE_SHOT))
            raise ConfigError(f"the spaces of {TITLE} are {known}, found {self.space}")

    def __str__(self) -> str:
        """Name for tables and figures."""
        return f"1Shot1 space {self.space}"

    @property
    def rule(self) -> FixedParents:
        """Which encodings it has."""
        return ONE_SHOT[self.space]

    @property
    def parents(self) -> tuple[int, ...]:
        """Numbers of inputs of the vertices 1, 2, ..., the output."""
        return self.rule.parents

    @property
    def blocks(self) -> int:
        """Number of inner vertices."""
        return len(self.parents) - 1

    def codes(self) -> np.ndarray:
        """The code of every encoding, int64, ascending."""
        return _codes(self)

    @property
    def size(self) -> int:
        """Number of encodings."""
        return self.rule.size

    def __contains__(self, cell: Cell) -> bool:
        inputs = tuple(cell.matrix.sum(axis=0)[1:].tolist())
        return inputs == self.parents

    def sample(self, generator: np.random.Generator) -> Cell:
        """Draw one encoding; each is equally likely, as in the authors' code."""
        return Cell.from_code(int(generator.choice(self.codes())))


@cache  # of three: a sampler asks for them in every training step
def _codes(subspace: Subspace) -> np.ndarray:
    codes = subspace.rule.codes()
    codes.flags.writeable = False
    return codes


def architectures(codes: np.ndarray) -> np.ndarray:
    """The canonical codes by which NAS-Bench-101 knows encodings, int64 of the same shape."""
    return canonical_codes(prune_codes(codes))


def depth(cell: Cell) -> int:
    """Edges of the longest path from the input to the output (SoTL thesis 4.3.4).

    >>> depth(Cell(((0, 1), (1, 2), (0, 3), (1, 3)), ("maxpool3x3",) * 2))
    2
    """
    longest = [0] * cell.vertices
    for source, target in cell.edges:  # ascending by target: every source is final
        longest[target] = max(longest[target], longest[source] + 1)
    return longest[-1]


def check_codes(codes: np.ndarray) -> None:
    """Raise a ConfigError if an integer is not the code of an encoding of any of the spaces."""
    known = np.zeros(codes.shape, dtype=bool)
    for space in ONE_SHOT:
        of_space = Subspace(space).codes()
        known |= of_space[np.searchsorted(of_space, codes) % len(of_space)] == codes
    if len(wrong := codes[~known]):
        raise ConfigError(f"{wrong[0]} is not the code of a {TITLE} cell")


def uses_only(codes: np.ndarray, operations: Iterable[str]) -> np.ndarray:
    """Whether each cell, without its loose ends, has no other operations than these, bool [n]."""
    return nb101_codes.uses_only(prune_codes(codes), operations)


def neighbours(cell: Cell) -> list[Cell]:
    """The encodings with another operation on one block, or with one input exchanged.

    >>> chain = Cell(((0, 1), (0, 2), (0, 3), (1, 3)), ("maxpool3x3",) * 2)
    >>> len(neighbours(chain))  # 4 operations; another input of vertex 2, two of the output's pair
    7
    """
    found = [
        Cell(cell.edges, (*cell.operations[:place], other, *cell.operations[place + 1 :]))
        for place, operation in enumerate(cell.operations)
        for other in OPERATIONS
        if other != operation
    ]
    for (source, target), other in product(cell.edges, range(cell.vertices)):
        if other < target and (other, target) not in cell.edges:
            matrix = cell.matrix
            matrix[source, target], matrix[other, target] = 0, 1
            found.append(Cell.from_matrix(matrix, cell.operations))
    return found


def counts() -> Iterator[tuple[str, int]]:
    """The sizes of each space: encodings, and architectures with and without loose ends."""
    for number, rule in ONE_SHOT.items():
        yield f"1Shot1 space {number} encodings", rule.size
        yield f"1Shot1 space {number} without operations of loose ends", rule.size_without_ends
        yield f"1Shot1 space {number} unique", len(rule.unique_codes())
        whole = FixedParents(rule.parents, loose_ends=False)
        yield f"1Shot1 space {number} unique, without loose ends", len(whole.unique_codes())
    yield "Zhang encodings", ZHANG.size
    yield "Zhang unique", len(ZHANG.unique_codes())
