"""The NAS-Bench-101 search space: directed acyclic graphs with an operation on every inner vertex.

A cell (Ying et al. 2019, section 2) has at most 7 vertices and 9 edges; vertex 0 is the input, the
last one the output, and each one between carries one of three operations. Vertices are numbered so
that every edge leads to a higher one. A cell can be written down in many ways: vertices that lie
on no path from input to output do not count (they are pruned), and the inner vertices can be
numbered differently. 423,624 cells are left once both are taken into account.

A code is the integer that stands for a way of writing a cell down (`nb101_codes`): functions on
arrays of codes do the heavy work, a `Cell` is for people and networks.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces.encoding import parse_text
from nasrepro.spaces.nb101_codes import (
    MATRIX_BITS,
    MAX_VERTICES,
    OPERATIONS,
    UNCONNECTED,
    are_valid,
    bit,
    canonical_codes,
    check_codes,
    check_operations,
    labelled_by,
    neighbour_codes,
    pack,
    pairs,
    prune_codes,
    unique_codes,
    unpack,
    uses_only,
)

__all__ = ["OPERATIONS", "check_codes", "check_operations", "uses_only"]  # of the space, too

TITLE = "NAS-Bench-101"
PLACES = 0  # there is a cell without any operation
NUM_CELLS = 423_624

# How the papers write an operation, for tables and figures.
LABELS = {"conv3x3-bn-relu": "3x3 Conv", "conv1x1-bn-relu": "1x1 Conv", "maxpool3x3": "3x3 Pool"}

_BATCH = 16  # encodings drawn at once: most are valid, but few lie in the smaller subspaces


@dataclass(frozen=True, order=True, slots=True)
class Cell:
    """One way of writing down an architecture; it need be neither pruned nor connected.

    Attributes:
        edges: pairs (source, target), source below target, ascending by target.
        operations: of the inner vertices 1, 2, ...

    Raises:
        ConfigError: if there are too many vertices, or an edge or an operation cannot be.

    >>> cell = Cell(((0, 1), (0, 2), (1, 2)), ("conv3x3-bn-relu",))
    >>> print(cell)
    1 = conv3x3-bn-relu(0); output(0, 1)
    >>> Cell.from_code(cell.code) == cell == Cell.parse(str(cell))
    True
    >>> cell.matrix.tolist()
    [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    """

    edges: tuple[tuple[int, int], ...]
    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        check_operations(self.operations)
        if self.vertices > MAX_VERTICES:
            raise ConfigError(
                f"a NAS-Bench-101 cell has at most {MAX_VERTICES - 2} operations, "
                f"found {len(self.operations)}"
            )
        for edge in self.edges:
            if not 0 <= edge[0] < edge[1] < self.vertices:
                raise ConfigError(
                    f"expected edges to higher vertices of 0..{self.vertices - 1}, found {edge}"
                )
        if sorted(set(self.edges), key=_edge_order) != list(self.edges):
            raise ConfigError(
                f"expected distinct edges, ascending by target, then source, found {self.edges}"
            )

    def __str__(self) -> str:
        """Each vertex with its inputs."""
        inputs = {v: ", ".join(str(a) for a, b in self.edges if b == v) for v in self._targets}
        inner = [f"{v} = {op}({inputs[v]})" for v, op in enumerate(self.operations, 1)]
        return "; ".join([*inner, f"output({inputs[self.vertices - 1]})"])

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """Read what `str` gives, e.g. `1 = conv3x3-bn-relu(0); output(0, 1)`.

        Blanks around it do not matter.
        """
        return parse_text(text, cls._read)

    @classmethod
    def _read(cls, text: str) -> "Cell":
        edges, operations = [], []
        for vertex, part in enumerate(text.split("; "), 1):
            operation, _, inputs = part.rpartition(" = ")[2].partition("(")
            operations.append(operation)
            edges += [(int(source), vertex) for source in re.findall(r"[0-9]+", inputs)]
        return cls(tuple(edges), tuple(operations[:-1]))  # the last one is "output"

    @property
    def _targets(self) -> range:
        return range(1, self.vertices)

    @property
    def vertices(self) -> int:
        """Number of vertices, with input and output."""
        return len(self.operations) + 2

    @property
    def matrix(self) -> np.ndarray:
        """The adjacency matrix, int8 [vertices, vertices], 1 from row to column."""
        matrix = np.zeros((self.vertices, self.vertices), dtype=np.int8)
        for source, target in self.edges:
            matrix[source, target] = 1
        return matrix

    @property
    def path(self) -> tuple:
        """All that decides what a network computes: the output's inputs, then every vertex.

        Of a vertex that does not lead to the output nothing is left but its place: (). Sorted by
        it, cells whose first vertices are the same are neighbours.
        """
        useful = {self.vertices - 1}
        for source, target in reversed(self.edges):  # every target comes before its sources
            if target in useful:
                useful.add(source)
        inputs = [tuple(a for a, b in self.edges if b == v) for v in self._targets]
        vertices = enumerate(zip(inputs[:-1], self.operations, strict=True), 1)
        return inputs[-1], *(vertex if v in useful else () for v, vertex in vertices)

    @classmethod
    def from_matrix(cls, matrix: np.ndarray, operations: Iterable[str]) -> "Cell":
        """The cell of an adjacency matrix and its operations.

        Args:
            matrix: 1 from row to column, integer [vertices, vertices].
            operations: of the inner vertices; or of all, as in the benchmark's own specifications:
                the first "input" and the last "output".
        """
        operations = tuple(operations)
        if (operations[:1], operations[1:][-1:]) == (("input",), ("output",)):
            operations = operations[1:-1]
        check_operations(operations)
        vertices = len(operations) + 2
        if np.shape(matrix) != (vertices, vertices) or not np.isin(matrix, (0, 1)).all():
            raise ConfigError(
                f"expected a {vertices}x{vertices} matrix of 0 and 1 for {len(operations)} "
                f"operations of inner vertices, found one of shape {np.shape(matrix)}: "
                f"{np.asarray(matrix).tolist()}"
            )
        edges = [(int(a), int(b)) for a, b in np.argwhere(matrix)]
        return cls(tuple(sorted(edges, key=_edge_order)), operations)

    @property
    def code(self) -> int:
        """The integer that stands for this way of writing the cell down."""
        bits = sum(1 << bit(*edge) for edge in self.edges)
        digits = reduce(
            lambda code, op: len(OPERATIONS) * code + OPERATIONS.index(op), self.operations, 0
        )
        return int(pack(self.vertices, bits, digits))

    @classmethod
    def from_code(cls, code: int) -> "Cell":
        """The cell of a code; ConfigError if the integer is none."""
        vertices, bits, digits = (int(part) for part in unpack(np.int64(code)))
        inner = vertices - 2
        known = code >= 0 and 0 <= inner <= MAX_VERTICES - 2 and digits < len(OPERATIONS) ** inner
        if not known or bits >= 1 << bit(0, vertices):
            raise ConfigError(f"{code} is not the code of a NAS-Bench-101 cell")
        edges = tuple((a, b) for a, b in pairs(vertices) if bits >> bit(a, b) & 1)
        return cls(edges, tuple(OPERATIONS[d] for d in labelled_by(inner)[digits]))


def _edge_order(edge: tuple[int, int]) -> tuple[int, int]:
    return edge[1], edge[0]


def connected(codes: np.ndarray) -> np.ndarray:
    """Whether the output depends on the input, bool [n]: of a pruned cell it always does."""
    return np.ones(len(codes), dtype=bool)


def prune(cell: Cell) -> Cell:
    """The cell without the vertices that lie on no path from input to output.

    Raises:
        ConfigError: if there is no such path.

    >>> loose = Cell(((0, 1), (0, 2), (1, 3)), ("maxpool3x3", "conv1x1-bn-relu"))
    >>> print(prune(loose))
    1 = maxpool3x3(0); output(1)
    """
    code = int(prune_codes(np.array([cell.code]))[0])
    if code == UNCONNECTED:
        raise ConfigError(f"no path leads from input to output in {cell}")
    return Cell.from_code(code)


def is_valid(cell: Cell) -> bool:
    """Whether the benchmark knows the cell: connected and, once pruned, at most 9 edges."""
    return bool(are_valid(prune_codes(np.array([cell.code])))[0])


def canonical(cell: Cell) -> Cell:
    """The pruned cell in the numbering in which the benchmark stores it.

    Raises:
        ConfigError: if no path leads from input to output.
    """
    return Cell.from_code(int(canonical_codes(np.array([prune(cell).code]))[0]))


def module_hash(cell: Cell) -> str:
    """The benchmark's own name of an architecture, equal for every way of writing it down.

    Each vertex starts with its numbers of outputs and inputs and its operation, and takes in the
    names of its neighbours, as many times as there are vertices (Ying et al. 2019, section 2.2; the
    benchmark's `hash_module`, digit by digit).

    Raises:
        ConfigError: if no path leads from input to output.

    >>> module_hash(Cell(((0, 1),), ()))
    '043721b9c7fe8c5fad811d47d83132ec'
    """
    cell = prune(cell)
    vertices = range(cell.vertices)
    sources = [[a for a, b in cell.edges if b == v] for v in vertices]
    targets = [[b for a, b in cell.edges if a == v] for v in vertices]
    labels = [-1, *map(OPERATIONS.index, cell.operations), -2]
    names = [_md5((len(targets[v]), len(sources[v]), labels[v])) for v in vertices]
    for _ in vertices:
        above = ["".join(sorted(names[w] for w in sources[v])) for v in vertices]
        below = ["".join(sorted(names[w] for w in targets[v])) for v in vertices]
        names = [_md5(f"{above[v]}|{below[v]}|{names[v]}") for v in vertices]
    return _md5(sorted(names))


def _md5(value: object) -> str:
    return hashlib.md5(str(value).encode(), usedforsecurity=False).hexdigest()


def neighbours(cell: Cell) -> list[Cell]:
    """What a local search looks at next (Pourchot, section 4.3), in canonical form.

    The architecture itself; those with another operation on one vertex; the valid ones with one
    edge more or less in its adjacency matrix, which is the one the benchmark stores; the valid ones
    with one vertex more, of any operation and with any inputs and outputs. Valid is what the
    benchmark accepts: where the loss of an edge leaves a vertex without use, it is pruned. They
    need not lie in the subspace of the architecture.

    Raises:
        ConfigError: if no path leads from input to output.

    >>> for neighbour in neighbours(Cell(((0, 1),), ())):
    ...     print(neighbour)
    output(0)
    1 = conv3x3-bn-relu(0); output(0, 1)
    1 = conv1x1-bn-relu(0); output(0, 1)
    1 = maxpool3x3(0); output(0, 1)
    """
    codes = neighbour_codes(canonical(cell).code)
    return [Cell.from_code(int(code)) for code in codes]


@dataclass(frozen=True, slots=True)
class Subspace:
    """Cells chosen by what is connected to the output (Pourchot, section 4.1).

    Attributes:
        outputs: number of inner vertices connected to the output, None for any.
        residual: whether the input is connected to the output, None for either.

    >>> Subspace(outputs=4).size, Subspace(residual=True).size
    (10467, 81020)
    """

    outputs: int | None = None
    residual: bool | None = None

    def __str__(self) -> str:
        """Name for tables and figures, as in the paper where it has one."""
        outputs = "A_FULL" if self.outputs is None else f"A_{self.outputs}"
        return outputs + {None: "", True: "^RES", False: "^NRES"}[self.residual]

    def mask(self, codes: np.ndarray) -> np.ndarray:
        """Whether each pruned cell lies in the subspace, bool [n]."""
        vertices, bits, _ = unpack(codes)
        inputs = bits >> bit(0, vertices - 1)  # the output's column of the matrix
        chosen = np.ones(codes.shape, dtype=bool)
        if self.outputs is not None:
            chosen &= np.bitwise_count(inputs >> 1) == self.outputs
        if self.residual is not None:
            chosen &= (inputs & 1) == self.residual
        return chosen

    def codes(self) -> np.ndarray:
        """The canonical codes of its cells, int64, ascending."""
        return _codes(self)

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.codes())

    def __contains__(self, cell: Cell) -> bool:
        pruned = prune_codes(np.array([cell.code]))
        return bool((are_valid(pruned) & self.mask(pruned))[0])

    def sample(self, generator: np.random.Generator) -> Cell:
        """Draw one architecture; each is equally likely.

        Raises:
            ConfigError: if the subspace is empty.
        """
        self._check_not_empty()
        return Cell.from_code(int(generator.choice(self.codes())))

    def sample_encoding(self, generator: np.random.Generator) -> Cell:
        """Draw one matrix and its operations; each way of writing a cell down is equally likely.

        All 2^21 matrices on 7 vertices and 3^5 labellings are drawn from, until what is left after
        pruning is in the subspace. An architecture with more ways comes more often: Yu (section
        4.2) shows how far this is from drawing architectures.

        Returns:
            The pruned cell, in the numbering drawn.

        Raises:
            ConfigError: if the subspace is empty.
        """
        self._check_not_empty()
        while True:
            bits = generator.integers(1 << MATRIX_BITS, size=_BATCH)
            digits = generator.integers(len(OPERATIONS) ** (MAX_VERTICES - 2), size=_BATCH)
            pruned = prune_codes(pack(MAX_VERTICES, bits, digits))
            chosen = pruned[are_valid(pruned) & self.mask(pruned)]
            if len(chosen):
                return Cell.from_code(int(chosen[0]))

    def _check_not_empty(self) -> None:
        if not self.size:
            raise ConfigError(f"no cell lies in the subspace {self}")


@cache  # of the few subspaces there are: a sampler asks for the codes in every training step
def _codes(subspace: Subspace) -> np.ndarray:
    codes = unique_codes()
    codes = codes[subspace.mask(codes)]
    codes.flags.writeable = False
    return codes


# Pourchot, section 4.1. A_1 to A_4 hold every cell but one: the input joined to the output alone.
SUBSPACES = {
    str(subspace): subspace
    for subspace in (
        *(Subspace(outputs=outputs) for outputs in (1, 2, 3, 4)),
        Subspace(),
        Subspace(residual=True),
        Subspace(residual=False),
    )
}


def counts() -> Iterator[tuple[str, int]]:
    """Name and size of the space, its parts by vertices and outputs, and the papers' subspaces."""
    codes = unique_codes()
    vertices, _, _ = unpack(codes)
    yield "cells", len(codes)
    for most in (3, 4, 5, 6):
        yield f"at most {most} vertices", int((vertices <= most).sum())
    for name, subspace in SUBSPACES.items():
        yield name, subspace.size
    yield "input to output alone", Subspace(outputs=0).size
