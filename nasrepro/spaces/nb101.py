"""The NAS-Bench-101 search space: directed acyclic graphs with an operation on every inner vertex.

A cell (Ying et al. 2019, section 2) has at most 7 vertices and 9 edges; vertex 0 is the input, the
last one the output, and each one between carries one of three operations. Vertices are numbered so
that every edge leads to a higher one. A cell can be written down in many ways: vertices that lie
on no path from input to output do not count (they are pruned), and the inner vertices can be
numbered differently. 423,624 cells are left once both are taken into account.

Codes are integers, one for each way of writing a cell down: they carry the number of vertices, the
adjacency matrix and the operations, and sort in the order in which the benchmark's generator
visits them. Functions on arrays of codes do the heavy work; a `Cell` is for people and networks.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import TypeVar

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces.encoding import check_known, parse_text

TITLE = "NAS-Bench-101"
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")  # in the benchmark's own order
MAX_VERTICES = 7
MAX_EDGES = 9
PLACES = 0  # there is a cell without any operation
NUM_CELLS = 423_624

# How the papers write an operation, for tables and figures.
LABELS = {"conv3x3-bn-relu": "3x3 Conv", "conv1x1-bn-relu": "1x1 Conv", "maxpool3x3": "3x3 Pool"}

# A code is vertices, matrix, operations from the most significant bit on: 3, 21 and 8 bits.
_OPERATION_BITS = 8
_MATRIX_BITS = MAX_VERTICES * (MAX_VERTICES - 1) // 2
_UNCONNECTED = -1
_DOWNWARDS = 1 << _MATRIX_BITS  # above every matrix
_BATCH = 16  # encodings drawn at once: most are valid, but few lie in the smaller subspaces

Integers = TypeVar("Integers", int, np.int64, np.ndarray)  # one integer, or an array of them


def check_operations(operations: Iterable[str]) -> None:
    """Raise a ConfigError that lists the operations if one is unknown."""
    check_known(operations, OPERATIONS)


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
        bits = sum(1 << _bit(*edge) for edge in self.edges)
        digits = reduce(
            lambda code, op: len(OPERATIONS) * code + OPERATIONS.index(op), self.operations, 0
        )
        return int(_pack(self.vertices, bits, digits))

    @classmethod
    def from_code(cls, code: int) -> "Cell":
        """The cell of a code; ConfigError if the integer is none."""
        vertices, bits, digits = (int(part) for part in _unpack(np.int64(code)))
        inner = vertices - 2
        known = code >= 0 and 0 <= inner <= MAX_VERTICES - 2 and digits < len(OPERATIONS) ** inner
        if not known or bits >= 1 << _bit(0, vertices):
            raise ConfigError(f"{code} is not the code of a NAS-Bench-101 cell")
        edges = tuple((a, b) for a, b in _pairs(vertices) if bits >> _bit(a, b) & 1)
        return cls(edges, tuple(OPERATIONS[d] for d in _digits(inner)[digits]))


def _edge_order(edge: tuple[int, int]) -> tuple[int, int]:
    return edge[1], edge[0]


def _bit(source: int, target: Integers) -> Integers:
    """The bit of an edge: columns of the matrix one after the other, as in the benchmark."""
    return source + target * (target - 1) // 2


def _pairs(vertices: int) -> list[tuple[int, int]]:
    """Every possible edge in the order of its bit."""
    return [(a, b) for b in range(vertices) for a in range(b)]


def _digits(inner: int) -> np.ndarray:
    """The operations of each labelling, int64 [3 ** inner, inner]; the last changes fastest."""
    labellings = np.arange(len(OPERATIONS) ** inner)
    return labellings[:, None] // _weights(inner) % len(OPERATIONS)


def _weights(inner: int) -> np.ndarray:
    return len(OPERATIONS) ** np.arange(inner)[::-1]


def _pack(
    vertices: int | np.ndarray, bits: int | np.ndarray, digits: int | np.ndarray
) -> np.ndarray:
    """Codes of vertices, matrix bits and labellings; the three are broadcast."""
    return np.asarray((np.int64(vertices) << _MATRIX_BITS | bits) << _OPERATION_BITS | digits)


def _unpack(codes: Integers) -> tuple[Integers, Integers, Integers]:
    """Vertices, matrix bits, and labelling of each code."""
    bits = codes >> _OPERATION_BITS & (1 << _MATRIX_BITS) - 1
    return codes >> _OPERATION_BITS + _MATRIX_BITS, bits, codes & (1 << _OPERATION_BITS) - 1


def _edge(bits: np.ndarray, source: int, target: int) -> np.ndarray:
    """Whether each matrix has an edge, bool [n]."""
    return (bits >> _bit(source, target) & 1).astype(bool)


def encode(matrices: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """The codes of cells with equally many vertices.

    Args:
        matrices: adjacency matrices of 0 and 1, integer [n, vertices, vertices]; only what stands
            above the diagonal is looked at.
        operations: indices into `OPERATIONS` of the inner vertices, integer [n, vertices - 2].

    Returns:
        Codes, int64 [n].

    >>> chain = Cell(((0, 1), (1, 2)), ("maxpool3x3",))
    >>> encode(chain.matrix[None], np.array([[2]])).tolist() == [chain.code]
    True
    """
    vertices = matrices.shape[1]
    bits = sum(matrices[:, a, b].astype(np.int64) << _bit(a, b) for a, b in _pairs(vertices))
    return _pack(vertices, bits, operations @ _weights(vertices - 2))


def decode(codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What `encode` took, of any cells: those with equally many vertices together.

    Args:
        codes: of cells, int64 [n].

    Yields:
        Rows of `codes`, int64 [m], and the adjacency matrices, int64 [m, vertices, vertices], and
        operations, int64 [m, vertices - 2], of their cells.

    >>> chain = Cell(((0, 1), (1, 2)), ("maxpool3x3",))
    >>> ((rows, matrices, operations),) = decode(np.array([chain.code]))
    >>> matrices.tolist() == [chain.matrix.tolist()], operations.tolist()
    (True, [[2]])
    """
    for vertices in range(2, MAX_VERTICES + 1):
        rows = np.flatnonzero(codes >> _OPERATION_BITS + _MATRIX_BITS == vertices)
        if len(rows):
            _, bits, digits = _unpack(codes[rows])
            matrices = np.zeros((len(rows), vertices, vertices), dtype=np.int64)
            for a, b in _pairs(vertices):
                matrices[:, a, b] = _edge(bits, a, b)
            yield rows, matrices, _digits(vertices - 2)[digits]


def prune_codes(codes: np.ndarray) -> np.ndarray:
    """Remove the vertices that lie on no path from input to output.

    Args:
        codes: of cells, int64 [n].

    Returns:
        Their codes, int64 [n]; -1 where no path leads from input to output.
    """
    pruned = np.full(codes.shape, _UNCONNECTED, dtype=np.int64)
    for vertices in range(2, MAX_VERTICES + 1):
        rows = np.flatnonzero(codes >> _OPERATION_BITS + _MATRIX_BITS == vertices)
        if not len(rows):
            continue
        _, bits, digits = _unpack(codes[rows])
        live = _live_vertices(vertices, bits)
        for pattern in np.unique(live[live > 0]).tolist():
            at = live == pattern
            keep = [v for v in range(vertices) if pattern >> v & 1]
            pruned[rows[at]] = _pack(
                len(keep),
                _select_edges(bits[at], keep),
                _select_digits(vertices - 2, [v - 1 for v in keep[1:-1]])[digits[at]],
            )
    return pruned


def _live_vertices(vertices: int, bits: np.ndarray) -> np.ndarray:
    """Vertices on a path from input to output, one bit each, int64 [n]; 0 without a path."""
    reached = np.ones_like(bits)
    useful = np.full_like(bits, 1 << vertices - 1)
    for source, target in _pairs(vertices):  # ascending by target: every source is final
        reached |= (reached >> source & bits >> _bit(source, target) & 1) << target
    for source, target in reversed(_pairs(vertices)):
        useful |= (useful >> target & bits >> _bit(source, target) & 1) << source
    return reached & useful


def _select_edges(bits: np.ndarray, keep: list[int]) -> np.ndarray:
    """The matrices of some of the vertices, numbered from 0 again."""
    selected = np.zeros_like(bits)
    for a, b in _pairs(len(keep)):
        selected |= (bits >> _bit(keep[a], keep[b]) & 1) << _bit(a, b)
    return selected


def _select_digits(inner: int, keep: Sequence[int] | np.ndarray) -> np.ndarray:
    """For each labelling of `inner` vertices, that of some of them, int64 [3 ** inner]."""
    return _digits(inner)[:, keep] @ _weights(len(keep))


def canonical_codes(codes: np.ndarray) -> np.ndarray:
    """The smallest code among all numberings of each cell's inner vertices.

    Two pruned cells are one architecture exactly if these are equal: every numbering is tried, so
    nothing rests on a hash. It is the numbering that the benchmark's generator meets first, and the
    one in which the benchmark stores the cell (so in all 151,644 rows of `nb101-sample`).

    Args:
        codes: of pruned cells, int64 [n].

    Returns:
        Codes, int64 [n].
    """
    canonical = np.full(codes.shape, _UNCONNECTED, dtype=np.int64)
    for vertices in range(2, MAX_VERTICES + 1):
        rows = np.flatnonzero(codes >> _OPERATION_BITS + _MATRIX_BITS == vertices)
        if not len(rows):
            continue
        _, bits, digits = _unpack(codes[rows])
        matrices, matrix_of_row = np.unique(bits, return_inverse=True)
        renumbered, labellings = _renumber(vertices, matrices)
        smallest = renumbered.min(axis=0)  # codes sort by the matrix first
        is_smallest = renumbered == smallest
        labelling = np.full(len(rows), len(OPERATIONS) ** MAX_VERTICES)
        for numbering in np.flatnonzero(is_smallest.any(axis=1)):
            at = np.flatnonzero(is_smallest[numbering, matrix_of_row])
            labelling[at] = np.minimum(labelling[at], labellings[numbering, digits[at]])
        canonical[rows] = _pack(vertices, smallest[matrix_of_row], labelling)
    return canonical


def _renumber(vertices: int, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices in every numbering of the inner vertices, and what becomes of each labelling.

    Returns:
        Matrices, int64 [numberings, n], at least `_DOWNWARDS` where an edge would lead to a lower
        vertex; and labellings, int64 [numberings, 3 ** (vertices - 2)].
    """
    weights, labellings = _numberings(vertices)
    edges = bits >> np.arange(_bit(0, vertices))[:, None] & 1  # in the order of `_pairs`
    return (weights @ edges).astype(np.int64), labellings


@cache
def _numberings(vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """The new bit of each edge, or `_DOWNWARDS`, and labellings, one row per numbering."""
    weights, labellings = [], []
    for order in itertools.permutations(range(1, vertices - 1)):
        names = (0, *order, vertices - 1)  # vertex v is called names[v]
        pairs = [(names[a], names[b]) for a, b in _pairs(vertices)]
        weights.append([1 << _bit(a, b) if a < b else _DOWNWARDS for a, b in pairs])
        labellings.append(_select_digits(vertices - 2, np.argsort(order)))
    return np.array(weights, dtype=np.float64), np.array(labellings)  # exact, multiplied fast


@cache
def unique_codes() -> np.ndarray:
    """The canonical codes of all 423,624 cells, int64, ascending; computed once, in a second.

    >>> len(unique_codes())
    423624
    """
    by_vertices = []
    for vertices in range(2, MAX_VERTICES + 1):
        matrices = np.arange(1 << _bit(0, vertices))
        matrices = matrices[np.bitwise_count(matrices) <= MAX_EDGES]
        matrices = matrices[_live_vertices(vertices, matrices) == (1 << vertices) - 1]
        labellings = np.arange(len(OPERATIONS) ** (vertices - 2))
        codes = _pack(vertices, matrices[:, None], labellings).ravel()
        by_vertices.append(np.unique(canonical_codes(codes)))
    codes = np.concatenate(by_vertices)
    codes.flags.writeable = False
    return codes


def in_space(codes: np.ndarray) -> np.ndarray:
    """Whether each code is the canonical one of a cell of the benchmark, bool of the same shape."""
    known = unique_codes()
    return known[np.searchsorted(known, codes) % len(known)] == codes


def check_codes(codes: np.ndarray) -> None:
    """Raise a ConfigError if an integer is not the canonical code of a cell of the benchmark."""
    wrong = codes[~in_space(codes)]
    if len(wrong):
        raise ConfigError(f"{wrong[0]} is not the canonical code of a NAS-Bench-101 cell")


def connected(codes: np.ndarray) -> np.ndarray:
    """Whether the output depends on the input, bool [n]: of a pruned cell it always does."""
    return np.ones(len(codes), dtype=bool)


def uses_only(codes: np.ndarray, operations: Iterable[str]) -> np.ndarray:
    """Whether each cell has no other operations than these, bool [n]."""
    allowed = tuple(operations)
    check_operations(allowed)
    usable = np.array([operation in allowed for operation in OPERATIONS])
    vertices, _, digits = _unpack(codes)
    result = np.empty(codes.shape, dtype=bool)
    for count in np.unique(vertices):
        at = vertices == count
        result[at] = usable[_digits(count - 2)].all(axis=1)[digits[at]]
    return result


def prune(cell: Cell) -> Cell:
    """The cell without the vertices that lie on no path from input to output.

    Raises:
        ConfigError: if there is no such path.

    >>> loose = Cell(((0, 1), (0, 2), (1, 3)), ("maxpool3x3", "conv1x1-bn-relu"))
    >>> print(prune(loose))
    1 = maxpool3x3(0); output(1)
    """
    code = int(prune_codes(np.array([cell.code]))[0])
    if code == _UNCONNECTED:
        raise ConfigError(f"no path leads from input to output in {cell}")
    return Cell.from_code(code)


def is_valid(cell: Cell) -> bool:
    """Whether the benchmark knows the cell: connected and, once pruned, at most 9 edges."""
    return bool(_valid(prune_codes(np.array([cell.code])))[0])


def _valid(pruned: np.ndarray) -> np.ndarray:
    """Whether each pruned code, or -1, is one of the benchmark's cells, bool [n]."""
    return (pruned != _UNCONNECTED) & (np.bitwise_count(_unpack(pruned)[1]) <= MAX_EDGES)


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
    code = np.int64(canonical(cell).code)
    vertices, bits, digits = (int(part) for part in _unpack(code))
    labelling = _digits(vertices - 2)
    one_differs = (labelling != labelling[digits]).sum(axis=1) == 1
    one_edge_flipped = bits ^ 1 << np.arange(_bit(0, vertices))
    candidates = (
        [code],
        _pack(vertices, bits, np.flatnonzero(one_differs)),
        _pack(vertices, one_edge_flipped, digits),
        _with_another_vertex(code),
    )
    pruned = prune_codes(np.concatenate(candidates))
    codes = np.unique(canonical_codes(np.unique(pruned[_valid(pruned)])))
    return [Cell.from_code(int(code)) for code in codes]


def _with_another_vertex(code: np.int64) -> np.ndarray:
    """The codes with one vertex more, of any operation, with any inputs and outputs, int64 [n]."""
    vertices, bits, digits = _unpack(code)
    if vertices == MAX_VERTICES:
        return np.empty(0, dtype=np.int64)
    codes = []
    # In another numbering the new vertex can come between other vertices than in this one.
    for renumbered, labelling in zip(*_renumber(int(vertices), np.array([bits])), strict=True):
        if renumbered[0] < _DOWNWARDS:
            labels = _digits(int(vertices) - 2)[labelling[digits]]
            codes += [_insert_vertex(renumbered[0], labels, new) for new in range(1, vertices)]
    return np.concatenate(codes)


def _insert_vertex(bits: np.int64, labels: np.ndarray, new: int) -> np.ndarray:
    """The codes of a cell with one more vertex, number `new`, joined to any set of the old ones."""
    vertices = len(labels) + 3
    old = [v for v in range(vertices) if v != new]
    matrix = sum((bits >> _bit(a, b) & 1) << _bit(old[a], old[b]) for a, b in _pairs(vertices - 1))
    joined = np.arange(1 << vertices - 1)  # bit i: the new vertex and old[i]
    edges = sum(
        ((joined >> i & 1) << _bit(*sorted((new, v))) for i, v in enumerate(old)),
        np.zeros_like(joined),
    )
    digits = [
        np.insert(labels, new - 1, operation) @ _weights(vertices - 2)
        for operation in range(len(OPERATIONS))
    ]
    return _pack(vertices, (matrix | edges)[:, None], np.array(digits)).ravel()


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
        vertices, bits, _ = _unpack(codes)
        inputs = bits >> _bit(0, vertices - 1)  # the output's column of the matrix
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
        return bool((_valid(pruned) & self.mask(pruned))[0])

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
            bits = generator.integers(1 << _MATRIX_BITS, size=_BATCH)
            digits = generator.integers(len(OPERATIONS) ** (MAX_VERTICES - 2), size=_BATCH)
            pruned = prune_codes(_pack(MAX_VERTICES, bits, digits))
            chosen = pruned[_valid(pruned) & self.mask(pruned)]
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
            [sum(1 << _bit(a, v) for a in chosen) for chosen in itertools.combinations(range(v), n)]
            for v, n in enumerate(self.parents, 1)
        ]
        bits = np.sort(np.array([sum(chosen) for chosen in itertools.product(*columns)]))
        if not self.loose_ends:
            bits = bits[self._has_output(bits).all(axis=1)]
        return bits if self.residual else bits[~_edge(bits, 0, self.vertices - 1)]

    def _has_output(self, bits: np.ndarray) -> np.ndarray:
        """Whether each inner vertex has an output, bool [n, inner]."""
        rows = [
            [_edge(bits, v, b) for b in range(v + 1, self.vertices)]
            for v in range(1, self.vertices - 1)
        ]
        return np.stack([np.any(row, axis=0) for row in rows], axis=1)

    def codes(self) -> np.ndarray:
        """The code of every encoding, int64 [n]; not pruned, the same cell may come many times."""
        labellings = np.arange(len(OPERATIONS) ** (self.vertices - 2))
        return _pack(self.vertices, self.matrices()[:, None], labellings).ravel()

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


def counts() -> Iterator[tuple[str, int]]:
    """Name and size of the space, its parts by vertices and outputs, and the papers' subspaces."""
    codes = unique_codes()
    vertices, _, _ = _unpack(codes)
    yield "cells", len(codes)
    for most in (3, 4, 5, 6):
        yield f"at most {most} vertices", int((vertices <= most).sum())
    for name, subspace in SUBSPACES.items():
        yield name, subspace.size
    yield "input to output alone", Subspace(outputs=0).size
    yield "Zhang encodings", ZHANG.size
    yield "Zhang unique", len(ZHANG.unique_codes())
    for number, space in ONE_SHOT.items():
        yield f"1Shot1 space {number} encodings", space.size
        yield f"1Shot1 space {number} without operations of loose ends", space.size_without_ends
        yield f"1Shot1 space {number} unique", len(space.unique_codes())
