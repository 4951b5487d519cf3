"""Cells of NAS-Bench-101 as integers: pruned, renumbered and enumerated, arrays at a time.

A code stands for one way of writing a cell down: it carries the number of vertices, the adjacency
matrix and the operations, and sorts in the order in which the benchmark's generator visits them.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces.encoding import check_known

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")  # in the benchmark's own order
MAX_VERTICES = 7
MAX_EDGES = 9

# A code is vertices, matrix, operations from the most significant bit on: 3, 21 and 8 bits.
_OPERATION_BITS = 8
MATRIX_BITS = MAX_VERTICES * (MAX_VERTICES - 1) // 2
UNCONNECTED = -1  # the code of a cell without a path from input to output, once pruned
_DOWNWARDS = 1 << MATRIX_BITS  # above every matrix

Integers = TypeVar("Integers", int, np.int64, np.ndarray)  # one integer, or an array of them


def check_operations(operations: Iterable[str]) -> None:
    """Raise a ConfigError that lists the operations if one is unknown."""
    check_known(operations, OPERATIONS)


def bit(source: int, target: Integers) -> Integers:
    """The bit of an edge: columns of the matrix one after the other, as in the benchmark."""
    return source + target * (target - 1) // 2


def pairs(vertices: int) -> list[tuple[int, int]]:
    """Every possible edge in the order of its bit."""
    return [(a, b) for b in range(vertices) for a in range(b)]


def labelled_by(inner: int) -> np.ndarray:
    """The operations of each labelling, int64 [3 ** inner, inner]; the last changes fastest."""
    labellings = np.arange(len(OPERATIONS) ** inner)
    return labellings[:, None] // _weights(inner) % len(OPERATIONS)


def _weights(inner: int) -> np.ndarray:
    return len(OPERATIONS) ** np.arange(inner)[::-1]


def pack(
    vertices: int | np.ndarray, bits: int | np.ndarray, digits: int | np.ndarray
) -> np.ndarray:
    """Codes of vertices, matrix bits and labellings; the three are broadcast."""
    return np.asarray((np.int64(vertices) << MATRIX_BITS | bits) << _OPERATION_BITS | digits)


def unpack(codes: Integers) -> tuple[Integers, Integers, Integers]:
    """Vertices, matrix bits, and labelling of each code."""
    bits = codes >> _OPERATION_BITS & (1 << MATRIX_BITS) - 1
    return codes >> _OPERATION_BITS + MATRIX_BITS, bits, codes & (1 << _OPERATION_BITS) - 1


def has_edge(bits: np.ndarray, source: int, target: int) -> np.ndarray:
    """Whether each matrix has an edge, bool [n]."""
    return (bits >> bit(source, target) & 1).astype(bool)


def encode(matrices: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """The codes of cells with equally many vertices.

    Args:
        matrices: adjacency matrices of 0 and 1, integer [n, vertices, vertices]; only what stands
            above the diagonal is looked at.
        operations: indices into `OPERATIONS` of the inner vertices, integer [n, vertices - 2].

    Returns:
        Codes, int64 [n].

    >>> from nasrepro.spaces.nb101 import Cell
    >>> chain = Cell(((0, 1), (1, 2)), ("maxpool3x3",))
    >>> encode(chain.matrix[None], np.array([[2]])).tolist() == [chain.code]
    True
    """
    vertices = matrices.shape[1]
    bits = sum(matrices[:, a, b].astype(np.int64) << bit(a, b) for a, b in pairs(vertices))
    return pack(vertices, bits, operations @ _weights(vertices - 2))


def decode(codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What `encode` took, of any cells: those with equally many vertices together.

    Args:
        codes: of cells, int64 [n].

    Yields:
        Rows of `codes`, int64 [m], and the adjacency matrices, int64 [m, vertices, vertices], and
        operations, int64 [m, vertices - 2], of their cells.

    >>> from nasrepro.spaces.nb101 import Cell
    >>> chain = Cell(((0, 1), (1, 2)), ("maxpool3x3",))
    >>> ((rows, matrices, operations),) = decode(np.array([chain.code]))
    >>> matrices.tolist() == [chain.matrix.tolist()], operations.tolist()
    (True, [[2]])
    """
    for vertices, rows, bits, digits in _by_vertices(codes):
        matrices = np.zeros((len(rows), vertices, vertices), dtype=np.int64)
        for a, b in pairs(vertices):
            matrices[:, a, b] = has_edge(bits, a, b)
        yield rows, matrices, labelled_by(vertices - 2)[digits]


def _by_vertices(
    codes: np.ndarray,
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Cells with equally many vertices together: how many, rows of `codes`, and their parts."""
    known = codes >> _OPERATION_BITS + MATRIX_BITS
    for vertices in range(2, MAX_VERTICES + 1):
        if len(rows := np.flatnonzero(known == vertices)):
            _, bits, digits = unpack(codes[rows])
            yield vertices, rows, bits, digits


def prune_codes(codes: np.ndarray) -> np.ndarray:
    """Remove the vertices that lie on no path from input to output.

    Args:
        codes: of cells, int64 [n].

    Returns:
        Their codes, int64 [n]; -1 where no path leads from input to output.
    """
    pruned = np.full(codes.shape, UNCONNECTED, dtype=np.int64)
    for vertices, rows, bits, digits in _by_vertices(codes):
        live = _live_vertices(vertices, bits)
        for pattern in np.unique(live[live > 0]).tolist():
            at = live == pattern
            keep = [v for v in range(vertices) if pattern >> v & 1]
            pruned[rows[at]] = pack(
                len(keep),
                _select_edges(bits[at], keep),
                _select_digits(vertices - 2, [v - 1 for v in keep[1:-1]])[digits[at]],
            )
    return pruned


def _live_vertices(vertices: int, bits: np.ndarray) -> np.ndarray:
    """Vertices on a path from input to output, one bit each, int64 [n]; 0 without a path."""
    reached = np.ones_like(bits)
    useful = np.full_like(bits, 1 << vertices - 1)
    for source, target in pairs(vertices):  # ascending by target: every source is final
        reached |= (reached >> source & bits >> bit(source, target) & 1) << target
    for source, target in reversed(pairs(vertices)):
        useful |= (useful >> target & bits >> bit(source, target) & 1) << source
    return reached & useful


def _select_edges(bits: np.ndarray, keep: list[int]) -> np.ndarray:
    """The matrices of some of the vertices, numbered from 0 again."""
    selected = np.zeros_like(bits)
    for a, b in pairs(len(keep)):
        selected |= (bits >> bit(keep[a], keep[b]) & 1) << bit(a, b)
    return selected


def _select_digits(inner: int, keep: Sequence[int] | np.ndarray) -> np.ndarray:
    """For each labelling of `inner` vertices, that of some of them, int64 [3 ** inner]."""
    return labelled_by(inner)[:, keep] @ _weights(len(keep))


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
    canonical = np.full(codes.shape, UNCONNECTED, dtype=np.int64)
    for vertices, rows, bits, digits in _by_vertices(codes):
        matrices, matrix_of_row = np.unique(bits, return_inverse=True)
        renumbered, labellings = _renumber(vertices, matrices)
        smallest = renumbered.min(axis=0)  # codes sort by the matrix first
        is_smallest = renumbered == smallest
        labelling = np.full(len(rows), len(OPERATIONS) ** MAX_VERTICES)
        for numbering in np.flatnonzero(is_smallest.any(axis=1)):
            at = np.flatnonzero(is_smallest[numbering, matrix_of_row])
            labelling[at] = np.minimum(labelling[at], labellings[numbering, digits[at]])
        canonical[rows] = pack(vertices, smallest[matrix_of_row], labelling)
    return canonical


def _renumber(vertices: int, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices in every numbering of the inner vertices, and what becomes of each labelling.

    Returns:
        Matrices, int64 [numberings, n], at least `_DOWNWARDS` where an edge would lead to a lower
        vertex; and labellings, int64 [numberings, 3 ** (vertices - 2)].
    """
    weights, labellings = _numberings(vertices)
    edges = bits >> np.arange(bit(0, vertices))[:, None] & 1  # in the order of `pairs`
    return (weights @ edges).astype(np.int64), labellings


@cache
def _numberings(vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """The new bit of each edge, or `_DOWNWARDS`, and labellings, one row per numbering."""
    weights, labellings = [], []
    for order in itertools.permutations(range(1, vertices - 1)):
        names = (0, *order, vertices - 1)  # vertex v is called names[v]
        edges = [(names[a], names[b]) for a, b in pairs(vertices)]
        weights.append([1 << bit(a, b) if a < b else _DOWNWARDS for a, b in edges])
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
        matrices = np.arange(1 << bit(0, vertices))
        matrices = matrices[np.bitwise_count(matrices) <= MAX_EDGES]
        matrices = matrices[_live_vertices(vertices, matrices) == (1 << vertices) - 1]
        labellings = np.arange(len(OPERATIONS) ** (vertices - 2))
        codes = pack(vertices, matrices[:, None], labellings).ravel()
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


def uses_only(codes: np.ndarray, operations: Iterable[str]) -> np.ndarray:
    """Whether each cell has no other operations than these, bool [n]."""
    allowed = tuple(operations)
    check_operations(allowed)
    usable = np.array([operation in allowed for operation in OPERATIONS])
    vertices, _, digits = unpack(codes)
    result = np.empty(codes.shape, dtype=bool)
    for count in np.unique(vertices):
        at = vertices == count
        result[at] = usable[labelled_by(count - 2)].all(axis=1)[digits[at]]
    return result


def are_valid(pruned: np.ndarray) -> np.ndarray:
    """Whether each pruned code, or -1, is one of the benchmark's cells, bool [n]."""
    return (pruned != UNCONNECTED) & (np.bitwise_count(unpack(pruned)[1]) <= MAX_EDGES)


def neighbour_codes(code: int) -> np.ndarray:
    """What a local search looks at next; see `nb101.neighbours`.

    Args:
        code: canonical.

    Returns:
        Canonical codes, int64, ascending.
    """
    vertices, bits, digits = unpack(code)
    labelling = labelled_by(vertices - 2)
    one_differs = (labelling != labelling[digits]).sum(axis=1) == 1
    one_edge_flipped = bits ^ 1 << np.arange(bit(0, vertices))
    candidates = (
        [code],
        pack(vertices, bits, np.flatnonzero(one_differs)),
        pack(vertices, one_edge_flipped, digits),
        _with_another_vertex(np.int64(code)),
    )
    pruned = prune_codes(np.concatenate(candidates))
    return np.unique(canonical_codes(np.unique(pruned[are_valid(pruned)])))


def _with_another_vertex(code: np.int64) -> np.ndarray:
    """The codes with one vertex more, of any operation, with any inputs and outputs, int64 [n]."""
    vertices, bits, digits = unpack(code)
    if vertices == MAX_VERTICES:
        return np.empty(0, dtype=np.int64)
    codes = []
    # In another numbering the new vertex can come between other vertices than in this one.
    for renumbered, labelling in zip(*_renumber(int(vertices), np.array([bits])), strict=True):
        if renumbered[0] < _DOWNWARDS:
            labels = labelled_by(int(vertices) - 2)[labelling[digits]]
            codes += [_insert_vertex(renumbered[0], labels, new) for new in range(1, vertices)]
    return np.concatenate(codes)


def _insert_vertex(bits: np.int64, labels: np.ndarray, new: int) -> np.ndarray:
    """The codes of a cell with one more vertex, number `new`, joined to any set of the old ones."""
    vertices = len(labels) + 3
    old = [v for v in range(vertices) if v != new]
    matrix = sum((bits >> bit(a, b) & 1) << bit(old[a], old[b]) for a, b in pairs(vertices - 1))
    joined = np.arange(1 << vertices - 1)  # bit i: the new vertex and old[i]
    edges = sum(
        ((joined >> i & 1) << bit(*sorted((new, v))) for i, v in enumerate(old)),
        np.zeros_like(joined),
    )
    digits = [
        np.insert(labels, new - 1, operation) @ _weights(vertices - 2)
        for operation in range(len(OPERATIONS))
    ]
    return pack(vertices, (matrix | edges)[:, None], np.array(digits)).ravel()
