"""DARTS' search space: a normal and a reduction cell of four nodes each (Liu et al. 2018).

A node adds up two operations on different nodes before it: 0 and 1 are the outputs of the two cells
before, 2 to 5 the cell's own. Its output is these four, side by side. Cells that differ by another
order of their nodes are kept apart, as in NAS-Bench-301.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces.encoding import check_choices, check_known, check_range, parse_text

TITLE = "DARTS' space"
ZERO = "none"  # it takes part in a search, and no cell has it
SKIP = "skip_connect"
OPERATIONS = (  # in the order of DARTS' code
    *(ZERO, "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5"),
    *("dil_conv_3x3", "dil_conv_5x5"),
)
CHOICES = OPERATIONS[1:]  # of a cell
INPUTS, NODES = 2, 4
# From which node to which, in the order of DARTS' code.
EDGES = tuple(
    (source, target) for target in range(INPUTS, INPUTS + NODES) for source in range(target)
)
PLACES = 2 * INPUTS * NODES  # operations of a cell of both kinds
WITHOUT_PARAMETERS = ("max_pool_3x3", "avg_pool_3x3", "skip_connect")

# How the papers write an operation, for tables and figures.
LABELS = {
    ZERO: "Zero",
    "max_pool_3x3": "Max pool",
    "avg_pool_3x3": "Avg pool",
    "skip_connect": "Skip",
    "sep_conv_3x3": "3x3 sep",
    "sep_conv_5x5": "5x5 sep",
    "dil_conv_3x3": "3x3 dil",
    "dil_conv_5x5": "5x5 dil",
}

Input = tuple[str, int]  # an operation and the node that it reads
Genotype = tuple[Input, ...]  # the two inputs of node 2, of node 3, of node 4, of node 5

_PAIRS = tuple(tuple(combinations(range(INPUTS + node), 2)) for node in range(NODES))
# The digits of a code: pair of sources and two operations of each node, normal cell first.
_RADICES = tuple(
    radix for pairs in _PAIRS * 2 for radix in (len(pairs), len(CHOICES), len(CHOICES))
)
NUM_CELLS = math.prod(_RADICES)  # fits into 63 bits
# The place among `EDGES` of the two edges of each pair of sources, by node.
_EDGES_OF_PAIRS = tuple(
    np.array([[EDGES.index((source, node)) for source in pair] for pair in pairs])
    for node, pairs in enumerate(_PAIRS, INPUTS)
)


def check_operations(operations: Iterable[str]) -> None:
    """Raise a ConfigError that lists the operations if one is unknown."""
    check_known(operations, OPERATIONS)


def check_codes(codes: np.ndarray) -> None:
    """Raise a ConfigError if an integer is not the code of a cell."""
    check_range(codes, NUM_CELLS, "cell")


def _digits(codes: np.ndarray) -> np.ndarray:
    """Pair of sources and two operations of each node of both cells, int64 [n, 2, nodes, 3]."""
    rest, digits = np.asarray(codes, np.int64), []
    for radix in _RADICES:
        rest, digit = np.divmod(rest, radix)
        digits.append(digit)
    return np.stack(digits, axis=-1).reshape(-1, 2, NODES, 3)


def chosen(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which edges cells have, and their operations.

    Args:
        codes: of cells, integer [n].

    Returns:
        Numbers in `EDGES` and in `CHOICES`, int64 [n, 2, nodes, 2] each: of the normal and the
        reduction cell.
    """
    digits = _digits(codes)
    edges = [_EDGES_OF_PAIRS[node][digits[:, :, node, 0]] for node in range(NODES)]
    return np.stack(edges, axis=2), digits[..., 1:]


def in_common(codes: np.ndarray, code: int) -> np.ndarray:
    """How many operations of one cell others have too, on the same edge of the same kind of cell.

    Args:
        codes: of the others, integer [n].
        code: of the one.

    Returns:
        int64 [n]; `PLACES` of the cell itself.

    >>> pools, skip = Cell.from_code(0), Cell.from_code(2)  # which has a skip in place of a pool
    >>> in_common(np.array([pools.code, skip.code]), pools.code).tolist()
    [16, 15]
    """
    others, one = (
        edges * len(CHOICES) + operations
        for edges, operations in (chosen(codes), chosen(np.array([code])))
    )
    return (others[..., :, None] == one[..., None, :]).sum(axis=(1, 2, 3, 4))


def uses_only(codes: np.ndarray, operations: Iterable[str]) -> np.ndarray:
    """Whether each cell has no other operations than these, bool [n]."""
    allowed = tuple(operations)
    check_operations(allowed)
    usable = np.array([operation in allowed for operation in CHOICES])
    return np.all(usable[_digits(codes)[..., 1:]], axis=(1, 2, 3))


def connected(codes: np.ndarray) -> np.ndarray:
    """Whether the output depends on the input, bool [n]: it always does."""
    return np.ones(len(codes), dtype=bool)


@dataclass(frozen=True, order=True, slots=True)
class Cell:
    """One architecture: the inputs of each node of its normal and of its reduction cell.

    The two inputs of a node are kept in the order of their sources, so that equal cells are equal.

    Raises:
        ConfigError: if a node has not two inputs from different nodes before it, or an operation is
            unknown.

    >>> skips = [("skip_connect", source) for source in (1, 0) * 4]
    >>> cell = Cell(skips, skips)
    >>> str(cell).partition("+")[0]
    '|skip_connect~0|skip_connect~1|'
    >>> Cell.parse(str(cell)) == cell == Cell.from_code(cell.code)
    True
    """

    normal: Genotype
    reduction: Genotype

    def __post_init__(self) -> None:
        for name in ("normal", "reduction"):
            object.__setattr__(self, name, _ordered(getattr(self, name)))

    def __str__(self) -> str:
        """Normal and reduction cell, each in the notation of NAS-Bench-201."""
        return "/".join(map(_text, (self.normal, self.reduction)))

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """Read what `str` gives; blanks around it do not matter."""
        return parse_text(text, cls._read)

    @classmethod
    def _read(cls, text: str) -> "Cell":
        cells = [_read_inputs(cell) for cell in text.split("/")]
        if len(cells) != 2:
            raise ConfigError("expected a normal and a reduction cell with a / between them")
        return cls(*cells)

    @property
    def code(self) -> int:
        """Position in our own enumeration."""
        digits = [d for genotype in (self.normal, self.reduction) for d in _encoded(genotype)]
        code = 0
        for digit, radix in zip(reversed(digits), reversed(_RADICES), strict=True):
            code = code * radix + digit
        return code

    @classmethod
    def from_code(cls, code: int) -> "Cell":
        """The cell of a position in our own enumeration."""
        check_codes(np.array([code]))
        normal, reduction = _digits(np.array([code]))[0].tolist()
        return cls(_decoded(normal), _decoded(reduction))

    @property
    def path(self) -> tuple[Genotype, Genotype]:
        """All that decides what a network computes: every node reaches the output."""
        return self.normal, self.reduction

    @property
    def operations(self) -> tuple[str, ...]:
        """Those of the normal and of the reduction cell."""
        return tuple(operation for operation, _ in self.normal + self.reduction)


def _ordered(genotype: Sequence[Sequence[str | int]]) -> Genotype:
    """The inputs of each node in the order of their sources; ConfigError if they cannot be."""
    if len(genotype) != INPUTS * NODES:
        raise ConfigError(f"a cell has {INPUTS * NODES} operations, found {len(genotype)}")
    inputs: list[Input] = []
    for node in range(NODES):
        pair = sorted(
            ((str(operation), int(source)) for operation, source in _of(genotype, node)),
            key=lambda given: given[1],
        )
        if tuple(source for _, source in pair) not in _PAIRS[node]:
            raise ConfigError(
                f"node {INPUTS + node} reads two different nodes before it, "
                f"found {' and '.join(str(source) for _, source in pair)}"
            )
        inputs += pair
    check_known((operation for operation, _ in inputs), CHOICES)
    return tuple(inputs)


def _of(genotype: Sequence, node: int) -> Sequence:
    """The two inputs of a node, counted from 0."""
    return genotype[2 * node : 2 * node + 2]


def _text(genotype: Genotype) -> str:
    texts = [f"{operation}~{source}" for operation, source in genotype]
    return "+".join(f"|{'|'.join(_of(texts, node))}|" for node in range(NODES))


def _read_inputs(text: str) -> Genotype:
    """The inputs in the text of a normal or a reduction cell."""
    found = re.findall(r"(\w+)~(\d+)", text)
    return tuple((operation, int(source)) for operation, source in found)


def _encoded(genotype: Genotype) -> Iterator[int]:
    for node in range(NODES):
        pair = _of(genotype, node)
        yield _PAIRS[node].index(tuple(source for _, source in pair))
        yield from (CHOICES.index(operation) for operation, _ in pair)


def _decoded(digits: Sequence[Sequence[int]]) -> Genotype:
    return tuple(
        (CHOICES[operation], source)
        for node, (pair, *operations) in enumerate(digits)
        for operation, source in zip(operations, _PAIRS[node][pair], strict=True)
    )


@dataclass(frozen=True, slots=True)
class Subspace:
    """The cells over some of the operations.

    Attributes:
        candidates: of every edge in a search; all but Zero can be in a cell.

    >>> print(Subspace(), S2, sep="; ")
    all operations; Skip, 3x3 sep
    >>> S2.size == (180 * 2**8) ** 2
    True
    """

    candidates: tuple[str, ...] = OPERATIONS

    def __post_init__(self) -> None:
        check_operations(self.candidates)
        check_choices(self.candidates)
        if not self.choices:
            raise ConfigError("a subspace has at least one operation besides Zero")

    @property
    def choices(self) -> tuple[str, ...]:
        """The operations of its cells."""
        return tuple(operation for operation in self.candidates if operation != ZERO)

    def __str__(self) -> str:
        """Name for tables and figures."""
        everything = set(self.choices) == set(CHOICES)
        return "all operations" if everything else ", ".join(map(LABELS.__getitem__, self.choices))

    @property
    def size(self) -> int:
        """Number of cells."""
        pairs = math.prod(map(len, _PAIRS))
        return (pairs * len(self.choices) ** (INPUTS * NODES)) ** 2

    def __contains__(self, cell: Cell) -> bool:
        return set(cell.operations) <= set(self.choices)

    def sample(self, generator: np.random.Generator) -> Cell:
        """Draw one cell uniformly."""
        return Cell(self._genotype(generator), self._genotype(generator))

    def _genotype(self, generator: np.random.Generator) -> Genotype:
        inputs: list[Input] = []
        for pairs in _PAIRS:
            pair = pairs[generator.integers(len(pairs))]
            operations = generator.integers(len(self.choices), size=len(pair))
            inputs += [(self.choices[o], s) for o, s in zip(operations, pair, strict=True)]
        return tuple(inputs)


# Of Zela et al. 2019, without Zero.
S2 = Subspace(("skip_connect", "sep_conv_3x3"))


def depth(genotype: Genotype) -> int:
    """Edges of the longest path from an input to the output (Shu et al. 2020): from 2 to 5.

    The output reads every node, which is the last edge of a path.

    >>> depth(Cell.from_code(0).normal)
    2
    """
    lengths = [0] * INPUTS
    for node in range(NODES):
        lengths.append(1 + max(lengths[source] for _, source in _of(genotype, node)))
    return 1 + max(lengths)


def width(genotype: Genotype) -> float:
    """Nodes that read the cell's inputs, half of those with one such input (Shu et al. 2020).

    >>> width(Cell.from_code(0).normal)
    4.0
    """
    return sum(source < INPUTS for _, source in genotype) / 2


def neighbours(cell: Cell, subspace: Subspace = Subspace()) -> list[Cell]:
    """The cells that differ in one operation or in the source of one input.

    >>> len(neighbours(Cell.from_code(0)))
    120
    """
    normals = [Cell(other, cell.reduction) for other in _around(cell.normal, subspace)]
    return normals + [Cell(cell.normal, other) for other in _around(cell.reduction, subspace)]


def _around(genotype: Genotype, subspace: Subspace) -> Iterator[Genotype]:
    for place, (operation, source) in enumerate(genotype):
        node = place // 2
        taken = {other for _, other in _of(genotype, node)}
        changed = [(other, source) for other in subspace.choices if other != operation]
        changed += [(operation, s) for s in range(INPUTS + node) if s not in taken]
        for new in changed:
            yield (*genotype[:place], new, *genotype[place + 1 :])


def counts() -> Iterator[tuple[str, int]]:
    """Name and size of the space and of S2: by combinatorics, for nobody can enumerate them."""
    yield "cells", Subspace().size
    yield "S2", S2.size
