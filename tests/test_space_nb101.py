"""The NAS-Bench-101 space: its size, its codes, its graphs, its subspaces, its random draws."""

import functools
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.errors import ConfigError
from nasrepro.pages.generated import published_counts
from nasrepro.spaces import counts, nb101
from nasrepro.spaces.nb101 import (
    LABELS,
    NUM_CELLS,
    SUBSPACES,
    Cell,
    Subspace,
    canonical,
    is_valid,
    module_hash,
    neighbours,
    prune,
)
from nasrepro.spaces.nb101_codes import (
    OPERATIONS,
    canonical_codes,
    decode,
    encode,
    in_space,
    prune_codes,
    unique_codes,
    uses_only,
)

CONV3, CONV1, POOL = OPERATIONS
ALONE = Cell(((0, 1),), ())  # the input joined to the output
CHAIN = Cell(((0, 1), (1, 2)), (CONV3,))
quick = settings(deadline=None, max_examples=100)


@st.composite
def any_cells(draw) -> Cell:
    """Any matrix on two to seven vertices, connected or not."""
    operations = draw(st.lists(st.sampled_from(OPERATIONS), max_size=5))
    vertices = len(operations) + 2
    pairs = [(a, b) for b in range(vertices) for a in range(b)]
    present = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    edges = tuple(pair for pair, there in zip(pairs, present, strict=True) if there)
    return Cell(edges, tuple(operations))


def reachable(cell: Cell) -> set[int]:
    """Vertices on a path from input to output, found by listing every path."""
    vertices: set[int] = set()

    def walk(path: tuple[int, ...]) -> None:
        if path[-1] == cell.vertices - 1:
            vertices.update(path)
        for source, target in cell.edges:
            if source == path[-1]:
                walk((*path, target))

    walk((0,))
    return vertices


connected_cells = any_cells().filter(reachable)
unique_cells = st.integers(0, NUM_CELLS - 1).map(lambda i: Cell.from_code(int(unique_codes()[i])))
small_cells = st.integers(0, 90).map(lambda i: Cell.from_code(int(unique_codes()[i])))


def renumbered(cell: Cell, order: tuple[int, ...]) -> Cell | None:
    """The same graph with inner vertex v called order[v - 1]; None if an edge leads downwards."""
    name = (0, *order, cell.vertices - 1)
    if any(name[a] > name[b] for a, b in cell.edges):
        return None
    matrix = np.zeros((cell.vertices, cell.vertices), dtype=int)
    for a, b in cell.edges:
        matrix[name[a], name[b]] = 1
    by_name = dict(zip(order, cell.operations, strict=True))
    return Cell.from_matrix(matrix, [by_name[v] for v in sorted(by_name)])


def numberings(cell: Cell) -> list[Cell]:
    orders = itertools.permutations(range(1, cell.vertices - 1))
    return [other for order in orders if (other := renumbered(cell, order))]


# Published counts.


def test_counts_of_the_benchmark():
    codes = unique_codes()
    assert len(codes) == len(np.unique(codes)) == NUM_CELLS == 423_624


def test_counts_of_the_papers():
    sizes = dict(counts("nb101"))
    assert sizes["cells"] == sizes["A_FULL"] == 423_624
    assert [sizes[f"at most {n} vertices"] for n in (3, 4, 5)] == [7, 91, 2_532]
    assert [sizes[f"A_{n}"] for n in (1, 2, 3, 4)] == [120_933, 201_441, 90_782, 10_467]
    assert sizes["A_FULL^RES"] + sizes["A_FULL^NRES"] == 423_624


def test_every_published_count_comes_out():
    sizes = dict([*counts("nb101"), *counts("nb1shot1")])
    published = published_counts()
    assert set(published["paper"]) == {"Yu", "SoTL", "Pourchot", "Zhang"}
    for row in published.itertuples():
        assert abs(sizes[row.name] - row.published) < row.unit, row


def test_the_cell_in_none_of_the_four_subspaces():
    sizes = [SUBSPACES[f"A_{n}"].size for n in (1, 2, 3, 4)]
    assert sum(sizes) == NUM_CELLS - 1
    (code,) = Subspace(outputs=0).codes()
    assert Cell.from_code(int(code)) == ALONE


# Notation and codes.


def test_operations_are_in_the_benchmarks_order():
    assert OPERATIONS == ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
    assert LABELS.keys() == set(OPERATIONS)


@quick
@given(any_cells())
def test_every_cell_survives_its_code_and_its_matrix(cell):
    assert Cell.from_code(cell.code) == cell
    assert Cell.from_matrix(cell.matrix, cell.operations) == cell
    assert Cell.parse(str(cell)) == cell


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "output",
            "output(0",
            "output(0,1)",
            "1 = conv3x3-bn-relu(0)",
            "1 = conv(0); output(1)",
        ),
        *("2 = maxpool3x3(0); output(1)", "1 = maxpool3x3(1); output(0)", "output(9)"),
        *("\ufeffoutput(0)", "'output(0)'", None, b"output(0)", 3),
    ],
)
def test_a_text_that_is_no_cell_is_refused_and_shown(text):
    with pytest.raises(ConfigError) as caught:
        Cell.parse(text)
    assert repr(text) in str(caught.value)


def test_blanks_around_a_text_do_not_matter():
    assert Cell.parse("\toutput(0) \n") == ALONE


def test_codes_sort_as_the_benchmarks_generator_goes():
    """By vertices, then matrix, columns first, then operations, the last changing fastest."""
    cells = [
        ALONE,
        Cell(((0, 1), (0, 2)), (POOL,)),
        CHAIN,
        Cell(((0, 1), (1, 2)), (CONV1,)),
        Cell(((0, 1), (0, 3)), (CONV3, CONV3)),
        Cell(((0, 1), (0, 3)), (CONV3, POOL)),
        Cell(((0, 1), (0, 3)), (CONV1, CONV3)),
        Cell(((0, 1), (1, 3)), (CONV3, CONV3)),
    ]
    codes = [cell.code for cell in cells]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize("code", [-1, 0, 1 << 29, 2 << 29 | 1 << 9, 2 << 29 | 1, 8 << 29, 1 << 40])
def test_an_integer_that_is_no_code_is_refused(code):
    with pytest.raises(ConfigError, match=f"{code} is not the code"):
        Cell.from_code(code)


@pytest.mark.parametrize(
    ("edges", "operations", "message"),
    [
        (((0, 1),), ("none",), "unknown operation 'none'; the operations are conv3x3-bn-relu, "),
        (((0, 1),), (POOL,) * 6, "at most 5 operations, found 6"),
        (((1, 0),), (), r"expected edges to higher vertices of 0\.\.1, found \(1, 0\)"),
        (((0, 2),), (), r"0\.\.1, found \(0, 2\)"),
        (((1, 1),), (), r"found \(1, 1\)"),
        (((0, 1), (0, 1)), (), "expected distinct edges"),
        (((0, 2), (0, 1)), (POOL,), "ascending by target"),
    ],
)
def test_impossible_cells_are_refused(edges, operations, message):
    with pytest.raises(ConfigError, match=message):
        Cell(edges, operations)


@pytest.mark.parametrize("matrix", [[[0, 1]], [[0, 2], [0, 0]], [[0, 1, 1]] * 3])
def test_impossible_matrices_are_refused(matrix):
    with pytest.raises(ConfigError, match="expected a 2x2 matrix of 0 and 1"):
        Cell.from_matrix(np.array(matrix), ())


@quick
@given(any_cells())
def test_labels_may_include_input_and_output(cell):
    assert Cell.from_matrix(cell.matrix, ["input", *cell.operations, "output"]) == cell


@pytest.mark.parametrize(
    "labels",
    [["input", POOL], [POOL, "output"], ["output", POOL, "input"], ["input"], [POOL, "input"]],
)
def test_labels_of_one_end_or_in_between_are_refused(labels):
    for build in (
        lambda: Cell.from_matrix(np.eye(3, k=1), labels),
        lambda: Cell(((0, 1),), tuple(labels * 4)),
    ):
        with pytest.raises(
            ConfigError, match=r"unknown operation '(in|out)put'; the operations are"
        ):
            build()


def test_a_cell_is_written_as_each_vertex_with_its_inputs():
    cell = Cell(((0, 1), (0, 2), (1, 3), (2, 3)), (POOL, CONV1))
    assert str(cell) == "1 = maxpool3x3(0); 2 = conv1x1-bn-relu(0); output(1, 2)"


# Pruning, validity, isomorphism.


@quick
@given(any_cells())
def test_pruning_keeps_what_lies_on_a_path(cell):
    keep = sorted(reachable(cell))
    if not keep:
        assert not is_valid(cell)
        with pytest.raises(ConfigError, match="no path leads from input to output"):
            prune(cell)
        return
    pruned = prune(cell)
    assert pruned.matrix.tolist() == cell.matrix[np.ix_(keep, keep)].tolist()
    assert pruned.operations == tuple(cell.operations[v - 1] for v in keep[1:-1])
    assert prune(pruned) == pruned
    assert is_valid(cell) == (len(pruned.edges) <= 9)


@quick
@given(connected_cells)
def test_pruning_and_hash_are_those_of_the_benchmarks_own_code(cell):
    from nasbench_pytorch.model import ModelSpec, graph_util

    spec = ModelSpec(cell.matrix, ["input", *cell.operations, "output"])
    matrix, operations = spec.matrix.numpy(), spec.ops[1:-1]
    assert prune(cell) == Cell.from_matrix(matrix, operations)
    labels = [-1, *map(OPERATIONS.index, operations), -2]
    assert module_hash(cell) == graph_util.hash_module(matrix, labels)


@quick
@given(connected_cells)
def test_canonical_form_is_the_smallest_numbering_of_the_pruned_cell(cell):
    pruned = prune(cell)
    everything = numberings(pruned)
    assert canonical(cell).code == min(other.code for other in everything)
    assert {canonical(other) for other in everything} == {canonical(cell)}
    assert {module_hash(other) for other in everything} == {module_hash(cell)}


def test_different_canonical_forms_have_different_hashes():
    hashes = {module_hash(Cell.from_code(int(code))) for code in unique_codes()[:2_532]}
    assert len(hashes) == 2_532


@quick
@given(any_cells())
def test_a_valid_cell_is_in_the_enumeration(cell):
    code = canonical(cell).code if reachable(cell) else cell.code
    assert in_space(np.array([code])).tolist() == [is_valid(cell)]


def test_codes_that_are_not_canonical_are_named():
    other = Cell(((0, 1), (0, 2), (1, 3), (2, 3)), (POOL, CONV3))
    assert canonical(other) != other
    with pytest.raises(ConfigError, match=f"{other.code} is not the canonical code"):
        nb101.check_codes(np.array([CHAIN.code, other.code]))
    nb101.check_codes(unique_codes())
    nb101.check_codes(np.array([], dtype=np.int64))


def test_arrays_of_mixed_sizes_are_treated_row_by_row():
    generator = np.random.default_rng(3)
    codes = generator.choice(unique_codes(), 200)
    assert prune_codes(codes).tolist() == codes.tolist()
    assert canonical_codes(codes).tolist() == codes.tolist()
    assert uses_only(codes, (CONV3, CONV1)).tolist() == [
        POOL not in Cell.from_code(code).operations for code in codes.tolist()
    ]


def test_the_enumeration_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        unique_codes()[0] = 0


# Neighbours.


def without_vertex(cell: Cell, vertex: int) -> Cell:
    matrix = np.delete(np.delete(cell.matrix, vertex, axis=0), vertex, axis=1)
    return Cell.from_matrix(matrix, cell.operations[: vertex - 1] + cell.operations[vertex:])


@functools.cache
def larger_by_one_vertex(known: int) -> dict[Cell, set[Cell]]:
    """For each of the smallest cells, those of the first so many that it is without a vertex."""
    larger: dict[Cell, set[Cell]] = {}
    for code in unique_codes()[:known].tolist():
        cell = Cell.from_code(code)
        for vertex in range(1, cell.vertices - 1):
            smaller = without_vertex(cell, vertex)
            if reachable(smaller) == set(range(smaller.vertices)):
                larger.setdefault(canonical(smaller), set()).add(cell)
    return larger


def brute_force_neighbours(cell: Cell, known: int) -> set[Cell]:
    cells = {cell} | larger_by_one_vertex(known).get(cell, set())
    for v, operation in itertools.product(range(cell.vertices - 2), OPERATIONS):
        cells.add(Cell(cell.edges, (*cell.operations[:v], operation, *cell.operations[v + 1 :])))
    for a, b in itertools.combinations(range(cell.vertices), 2):
        matrix = cell.matrix
        matrix[a, b] = 1 - matrix[a, b]
        other = Cell.from_matrix(matrix, cell.operations)
        if is_valid(other):
            cells.add(other)
    return {canonical(other) for other in cells}


# Cells of at most 3 vertices among those of 4, and of at most 4 among those of 5.
@pytest.mark.parametrize(
    ("count", "known"), [(7, 91), pytest.param(91, 2_532, marks=pytest.mark.slow)]
)
def test_neighbours_of_small_cells_are_those_of_the_definition(count, known):
    for code in unique_codes()[:count].tolist():
        cell = Cell.from_code(code)
        cells = neighbours(cell)
        assert len(set(cells)) == len(cells)
        assert set(cells) == brute_force_neighbours(cell, known)


def test_neighbours_of_a_chain_counted_by_hand():
    """Of three vertices: itself, two other operations, and the one with a skip.

    Of four: the new vertex reads 0 and feeds 1, 2 or both, or reads 1 or both and feeds 2, with
    three operations each; before and after an equal operation it is the same chain.
    """
    cells = neighbours(CHAIN)
    assert sum(cell.vertices == 3 for cell in cells) == 1 + 2 + 1
    assert sum(cell.vertices == 4 for cell in cells) == (3 + 2) * 3 - 1
    assert len(cells) == 18


@settings(deadline=None, max_examples=20)
@given(unique_cells)
def test_neighbours_are_cells_of_the_benchmark_and_do_not_depend_on_the_numbering(cell):
    cells = neighbours(cell)
    assert cell in cells
    assert in_space(np.array([other.code for other in cells])).all()
    assert neighbours(numberings(cell)[-1]) == cells
    assert max(other.vertices for other in cells) <= 7


# Subspaces and random draws.


@quick
@given(connected_cells)
def test_membership_is_read_off_the_pruned_cell(cell):
    pruned = prune(cell)
    sources = {a for a, b in pruned.edges if b == pruned.vertices - 1}
    for subspace in (*SUBSPACES.values(), Subspace(outputs=2, residual=True)):
        expected = is_valid(cell)
        expected &= subspace.outputs in (None, len(sources - {0}))
        expected &= subspace.residual in (None, 0 in sources)
        assert (cell in subspace) == expected


def test_names_of_subspaces():
    assert list(SUBSPACES) == ["A_1", "A_2", "A_3", "A_4", "A_FULL", "A_FULL^RES", "A_FULL^NRES"]
    assert str(Subspace(outputs=3, residual=False)) == "A_3^NRES"


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    return float(((observed - expected) ** 2 / expected).sum())


def test_samples_are_uniform_over_the_architectures():
    generator = np.random.default_rng(5)
    drawn = [Subspace().sample(generator).code for _ in range(4_000)]
    bins = np.bincount(np.searchsorted(unique_codes(), drawn) * 40 // NUM_CELLS, minlength=40)
    assert chi_square(bins, np.full(40, 100.0)) < 84  # 39 degrees of freedom, once in 100,000


@functools.cache
def encodings_by_vertices() -> np.ndarray:
    """How many encodings of an eighth of the 2^21 matrices are a valid cell of 0 to 7 vertices."""
    matrices = np.random.default_rng(0).choice(1 << 21, 1 << 18, replace=False)
    pruned = prune_codes((7 << 21 | matrices) << 8)
    few = np.bitwise_count(pruned >> 8 & (1 << 21) - 1) <= 9
    return np.bincount(pruned[(pruned >= 0) & few] >> 29, minlength=8) * 3**5


def test_encodings_are_drawn_uniformly_and_architectures_are_not():
    generator = np.random.default_rng(6)
    drawn = [Subspace().sample_encoding(generator).vertices for _ in range(2_000)]
    expected = encodings_by_vertices() / encodings_by_vertices().sum()
    uniform = np.bincount(unique_codes() >> 29, minlength=8) / NUM_CELLS
    observed = np.bincount(drawn, minlength=8)
    assert expected[2:4].sum() > 100 * uniform[2:4].sum()  # small cells have many encodings
    small = 2_000 * np.array([expected[:5].sum(), *expected[5:]])
    assert chi_square(np.array([observed[:5].sum(), *observed[5:]]), small) < 25.9  # 3 degrees


def test_encodings_are_drawn_from_the_subspace():
    generator = np.random.default_rng(7)
    for subspace in (SUBSPACES["A_4"], Subspace(outputs=1, residual=True), Subspace(outputs=0)):
        for cell in [subspace.sample_encoding(generator) for _ in range(20)]:
            assert cell in subspace and prune(cell) == cell
        assert subspace.sample(generator) in subspace


def test_nothing_is_drawn_from_an_empty_subspace():
    empty = Subspace(outputs=0, residual=False)
    for draw in (empty.sample, empty.sample_encoding):
        with pytest.raises(ConfigError, match=r"no cell lies in the subspace A_0\^NRES"):
            draw(np.random.default_rng(0))


def test_a_seed_gives_the_same_draws_and_another_seed_others():
    def draws(seed):
        generator = np.random.default_rng(seed)
        return [
            f(generator) for _ in range(5) for f in (Subspace().sample, Subspace().sample_encoding)
        ]

    assert draws(1) == draws(1) != draws(2)


def test_the_spaces_do_not_import_torch():
    code = "import sys, nasrepro.spaces; print({'torch', 'nasbench_pytorch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_decoding_is_the_inverse_of_encoding():
    codes = np.random.default_rng(0).permutation(unique_codes())[:5_000]
    again = np.zeros_like(codes)
    for rows, matrices, operations in decode(codes):
        again[rows] = encode(matrices, operations)
    assert np.array_equal(again, codes)


def test_a_path_tells_every_cell_apart():
    codes = np.random.default_rng(0).choice(unique_codes(), 5_000, replace=False)
    assert len({Cell.from_code(int(code)).path for code in codes}) == 5_000


def test_a_path_lists_the_outputs_inputs_and_then_every_vertex():
    cell = Cell(((0, 1), (0, 2), (1, 2), (2, 3)), ("maxpool3x3", "conv1x1-bn-relu"))
    assert cell.path == ((2,), ((0,), "maxpool3x3"), ((0, 1), "conv1x1-bn-relu"))
