"""The NAS-Bench-201 search space: six edges, five operations (Dong & Yang 2020, section 2).

A cell is a complete directed acyclic graph on four nodes. Edges are numbered in the order of the
benchmark's own strings: 0->1, 0->2, 1->2, 0->3, 1->3, 2->3.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces.encoding import (
    check_choices,
    check_known,
    check_range,
    digits_use_only,
    parse_text,
)

TITLE = "NAS-Bench-201"
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
PLACES = len(EDGES)
NUM_CELLS = len(OPERATIONS) ** PLACES

# How the papers write an operation, for tables and figures.
LABELS = {
    "none": "Zero",
    "skip_connect": "Skip",
    "nor_conv_1x1": "1x1 Conv",
    "nor_conv_3x3": "3x3 Conv",
    "avg_pool_3x3": "Pool",
}


def check_operations(operations: Iterable[str]) -> None:
    """Raise a ConfigError that lists the operations if one is unknown."""
    check_known(operations, OPERATIONS)


def check_codes(codes: np.ndarray) -> None:
    """Raise a ConfigError if an integer is not the code of a cell."""
    check_range(codes, NUM_CELLS, "cell")


def uses_only(codes: np.ndarray, operations: Iterable[str]) -> np.ndarray:
    """Whether each cell has no other operations than these, bool [n]."""
    return digits_use_only(codes, operations, OPERATIONS, len(EDGES))


@dataclass(frozen=True, order=True, slots=True)
class Cell:
    """One architecture: the operation of each edge, in the order of `EDGES`.

    Raises:
        ConfigError: if there are not six operations, or one is unknown.

    >>> cell = Cell(("nor_conv_3x3", "none", "skip_connect", "none", "none", "nor_conv_1x1"))
    >>> str(cell)
    '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|'
    >>> Cell.parse(str(cell)) == cell
    True
    >>> Cell.from_code(cell.code) == cell
    True
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(EDGES):
            raise ConfigError(
                f"a NAS-Bench-201 cell has {len(EDGES)} operations, found {len(self.operations)}"
            )
        check_operations(self.operations)

    def __str__(self) -> str:
        """The benchmark's own notation."""
        nodes: dict[int, str] = {}
        for (source, target), operation in zip(EDGES, self.operations, strict=True):
            nodes[target] = nodes.get(target, "|") + f"{operation}~{source}|"
        return "+".join(nodes.values())

    @property
    def path(self) -> tuple[str, ...]:
        """All that decides what a network computes: see `live_operations`."""
        return live_operations(self)

    def at(self, position: int) -> "Cell":
        """The cell at a position of a network: the same at each."""
        return self

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """Read the benchmark's own notation, e.g. `|none~0|+|none~0|none~1|+|...|`.

        Blanks around it do not matter.
        """
        return parse_text(text, cls._read)

    @classmethod
    def _read(cls, text: str) -> "Cell":
        tokens = [token for node in text.split("+") for token in node.strip("|").split("|")]
        return cls(tuple(token.partition("~")[0] for token in tokens))

    @property
    def code(self) -> int:
        """Position in our own enumeration, 0..15624: base-5 digits, edge 0 least significant.

        It needs no table, unlike the benchmark's own index, which is a random order.
        """
        return sum(
            OPERATIONS.index(op) * len(OPERATIONS) ** edge
            for edge, op in enumerate(self.operations)
        )

    @classmethod
    def from_code(cls, code: int) -> "Cell":
        """The cell of a position in our own enumeration."""
        if not 0 <= code < NUM_CELLS:
            raise ConfigError(f"a cell code lies in 0..{NUM_CELLS - 1}, found {code}")
        operations = []
        for _ in EDGES:
            code, digit = divmod(code, len(OPERATIONS))
            operations.append(OPERATIONS[digit])
        return cls(tuple(operations))


@dataclass(frozen=True, slots=True)
class CellPerPosition:
    """A cell of its own at each position of a network: training that does not share the topology.

    Such a network is no member of the search space (Laube 4.3).
    """

    cells: tuple[Cell, ...]

    def at(self, position: int) -> Cell:
        """The cell at a position of a network."""
        return self.cells[position]


AnyPath = Cell | CellPerPosition


@dataclass(frozen=True, slots=True)
class Subspace:
    """The cells over some of the operations: what is left when the others are masked.

    >>> Subspace.without("none", "avg_pool_3x3").size
    729
    >>> print(Subspace.without("none", "avg_pool_3x3"), Subspace(), sep="; ")
    no Zero, no Pool; all operations
    """

    operations: tuple[str, ...] = OPERATIONS

    def __post_init__(self) -> None:
        check_operations(self.operations)
        check_choices(self.operations)

    @classmethod
    def without(cls, *masked: str) -> "Subspace":
        """The subspace that remains when some operations are masked."""
        check_operations(masked)
        return cls(tuple(operation for operation in OPERATIONS if operation not in masked))

    def __str__(self) -> str:
        """Name for tables and figures: what is masked."""
        masked = [f"no {LABELS[op]}" for op in OPERATIONS if op not in self.operations]
        return ", ".join(masked) or "all operations"

    @property
    def size(self) -> int:
        """Number of cells, connected or not."""
        return len(self.operations) ** len(EDGES)

    def cells(self) -> Iterator[Cell]:
        """Every cell, connected or not."""
        return map(Cell, itertools.product(self.operations, repeat=len(EDGES)))

    def __contains__(self, cell: Cell) -> bool:
        return set(cell.operations) <= set(self.operations)

    def sample(self, generator: np.random.Generator, connected: bool = False) -> Cell:
        """Draw one cell uniformly over the encodings.

        Args:
            generator: source of randomness.
            connected: draw again until the cell is connected.

        Raises:
            ConfigError: if a connected cell is wanted of a subspace that has none.
        """
        if connected and not set(self.operations) - {"none"}:
            raise ConfigError("without an operation besides Zero no cell is connected")
        while True:
            chosen = generator.integers(len(self.operations), size=len(EDGES))
            cell = Cell(tuple(self.operations[i] for i in chosen))
            if not connected or is_connected(cell):
                return cell


def live_edges(cell: Cell) -> tuple[int, ...]:
    """Edges on a path without Zero from the cell's input to its output.

    >>> live_edges(Cell(("none", "none", "nor_conv_3x3", "skip_connect", "none", "none")))
    (3,)
    """
    present = [edge for edge in range(len(EDGES)) if cell.operations[edge] != "none"]
    reached = {0}
    for edge in sorted(present, key=lambda e: EDGES[e][0]):
        if EDGES[edge][0] in reached:
            reached.add(EDGES[edge][1])
    useful = {3}
    for edge in sorted(present, key=lambda e: -EDGES[e][1]):
        if EDGES[edge][1] in useful:
            useful.add(EDGES[edge][0])
    return tuple(e for e in present if EDGES[e][0] in reached and EDGES[e][1] in useful)


def live_operations(cell: Cell) -> tuple[str, ...]:
    """The operations of a cell's live edges, with Zero on the others: all that decides its output.

    >>> live_operations(Cell(("none", "none", "nor_conv_3x3", "skip_connect", "none", "none")))
    ('none', 'none', 'none', 'skip_connect', 'none', 'none')
    """
    live = live_edges(cell)
    return tuple(op if edge in live else "none" for edge, op in enumerate(cell.operations))


def is_connected(cell: Cell) -> bool:
    """Whether any path without Zero leads from the input to the output."""
    return bool(live_edges(cell))


def connected(codes: np.ndarray) -> np.ndarray:
    """Whether any path without Zero leads from input to output, bool [n], by the cells' codes.

    >>> connected(np.array([0, 1]))
    array([False, False])
    """
    check_codes(codes)
    return _connected()[codes]


@cache
def _connected() -> np.ndarray:
    return np.array([is_connected(Cell.from_code(code)) for code in range(NUM_CELLS)])


def neighbours(cell: Cell, subspace: Subspace = Subspace()) -> list[Cell]:
    """The cells that differ in the operation of exactly one edge (24 in the full space).

    >>> len(neighbours(Cell(("none",) * 6)))
    24
    """
    return [
        Cell((*cell.operations[:edge], operation, *cell.operations[edge + 1 :]))
        for edge, current in enumerate(cell.operations)
        for operation in subspace.operations
        if operation != current
    ]


def canonical_string(cell: Cell) -> str:
    """The benchmark's string that is equal for cells it counts as one architecture.

    Skips are removed, an input that is Zero is written `#`, and the inputs of a node are sorted:
    the 6,466 unique architectures of Dong & Yang 2020 (section 2). The string keeps `#` as a term
    of a sum, so a few cells that compute the same function still differ in it.

    >>> a = Cell(("skip_connect", "none", "nor_conv_3x3", "none", "none", "skip_connect"))
    >>> b = Cell(("skip_connect", "nor_conv_3x3", "none", "none", "none", "skip_connect"))
    >>> canonical_string(a) == canonical_string(b)
    True
    >>> canonical_string(b)
    '#+#+#+(0)@nor_conv_3x3'
    """
    nodes = ["0"]
    for target in (1, 2, 3):
        inputs = []
        for (source, end), operation in zip(EDGES, cell.operations, strict=True):
            if end != target:
                continue
            if operation == "none" or nodes[source] == "#":
                inputs.append("#")
            elif operation == "skip_connect":
                inputs.append(nodes[source])
            else:
                inputs.append(f"({nodes[source]})@{operation}")
        nodes.append("+".join(sorted(inputs)))
    return nodes[3]


def counts() -> Iterator[tuple[str, int]]:
    """Name and size of the space, its connected and distinct cells, and its masked subspaces."""
    cells = list(Subspace().cells())
    yield "cells", len(cells)
    yield "connected", sum(map(is_connected, cells))
    yield "distinct paths", len(set(map(live_operations, cells)))
    yield "unique", len(set(map(canonical_string, cells)))
    for size in (1, 2):
        for masked in itertools.combinations(OPERATIONS, size):
            subspace = Subspace.without(*masked)
            yield str(subspace), sum(1 for _ in subspace.cells())
