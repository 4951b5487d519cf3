"""The NAS-Bench-201 space: its size, its notation, its graph, its subspaces, its random draws."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.errors import ConfigError
from nasrepro.spaces.nb201 import (
    EDGES,
    LABELS,
    NUM_CELLS,
    OPERATIONS,
    Cell,
    Subspace,
    canonical_string,
    is_connected,
    live_edges,
    live_operations,
    neighbours,
)

EVERY_OPERATION = "none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"
# The example of the benchmark's own documentation.
EXAMPLE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
# The routes from node 0 to node 3 of a complete graph on four nodes, as numbers of edges.
ROUTES = ((3,), (0, 4), (1, 5), (0, 2, 5))

cells = st.integers(0, 15_624).map(Cell.from_code)
quick = settings(deadline=None, max_examples=50)


@pytest.fixture(scope="module")
def space() -> list[Cell]:
    return [Cell.from_code(code) for code in range(15_625)]


def test_counts_of_the_benchmark(space):
    assert NUM_CELLS == len({str(cell) for cell in space}) == 15_625
    assert sum(map(is_connected, space)) == 15_284
    assert len({canonical_string(cell) for cell in space}) == 6_466


def test_distinct_paths_are_unions_of_routes(space):
    """Four routes lead to the output, over edges 0 3; 0 1 3; 0 2 3; 0 1 2 3. A live cell is a union
    of routes with four operations on each of its edges. Without the direct edge there are eight
    unions, of 0, 2, 2, 3, 4, 4, 4 and 5 edges; the direct edge has five possibilities.
    """
    without_direct = sum(4**edges for edges in (0, 2, 2, 3, 4, 4, 4, 5))
    assert len({live_operations(cell) for cell in space}) == 5 * without_direct == 9_445


def test_the_benchmarks_notation_lists_the_inputs_of_each_node():
    operations = ("nor_conv_3x3", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none")
    cell = Cell((*operations, "nor_conv_1x1"))
    assert str(cell) == EXAMPLE
    assert Cell.parse(EXAMPLE) == cell


def test_every_cell_survives_its_string_and_its_code(space):
    assert [Cell.parse(str(cell)) for cell in space] == space
    assert [cell.code for cell in space] == list(range(15_625))
    assert len(set(space)) == 15_625


def test_a_code_counts_the_first_edge_fastest_in_base_five():
    assert Cell.from_code(0).operations == ("none",) * 6
    assert Cell.from_code(3).operations == ("nor_conv_3x3", *["none"] * 5)
    assert Cell.from_code(5).operations == ("none", "skip_connect", *["none"] * 4)
    assert Cell.from_code(4 * 5**5).operations == (*["none"] * 5, "avg_pool_3x3")
    assert Cell.from_code(15_624).operations == ("avg_pool_3x3",) * 6


@pytest.mark.parametrize("code", [-1, 15_625, 10**9])
def test_a_code_outside_the_space_is_refused(code):
    with pytest.raises(ConfigError, match=rf"0\.\.15624, found {code}"):
        Cell.from_code(code)


def test_a_subspace_has_each_operation_once():
    with pytest.raises(ConfigError, match="each operation once, found skip_connect, skip_connect"):
        Subspace(("skip_connect", "skip_connect"))


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE.replace("skip_connect~0|", ""),
        EXAMPLE.replace("|skip_connect~0", "|skip_connect~0|skip_connect~0"),
        EXAMPLE.replace("+", ","),
        "\ufeff" + EXAMPLE,
        f'"{EXAMPLE}"',
        "",
        "|",
        "+",
    ],
)
def test_a_string_without_six_operations_is_refused(text):
    message = r"(has 6 operations, found \d)|unknown operation '(\\ufeff|\"|)'"
    with pytest.raises(ConfigError, match=message) as caught:
        Cell.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("blanks", [("", "\n"), ("", "\r\n"), (" ", "\t")])
def test_blanks_around_a_string_do_not_matter(blanks):
    first, last = blanks
    assert str(Cell.parse(first + EXAMPLE + last)) == EXAMPLE


@pytest.mark.parametrize("given", [None, 7, EXAMPLE.encode(), [EXAMPLE]])
def test_what_is_no_text_is_refused(given):
    with pytest.raises(ConfigError, match="expected the text of a cell, found ") as caught:
        Cell.parse(given)
    assert str(caught.value).endswith(repr(given))


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE[1:],
        EXAMPLE[:-1],
        EXAMPLE + "|",
        EXAMPLE.replace("|+|", "|", 1),
        EXAMPLE.replace("~1", "~2", 1),  # there is no edge from a node to itself
        EXAMPLE.replace("~0", "", 1),
    ],
)
def test_a_string_in_another_notation_is_refused_with_the_right_one(text):
    with pytest.raises(ConfigError) as caught:
        Cell.parse(text)
    assert f"expected a cell such as {EXAMPLE}" in str(caught.value)
    assert repr(text) in str(caught.value)


@quick
@given(cells, st.data())
def test_a_cut_string_is_no_cell(cell, data):
    text = str(cell)
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ConfigError):
        Cell.parse(text[:end])


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(), st.text("|+~0123none", max_size=60)))
def test_any_text_is_a_cell_or_a_config_error(text):
    try:
        cell = Cell.parse(text)
    except ConfigError:
        return
    assert str(cell) == text


def test_an_unknown_operation_lists_the_known_ones():
    for build in (
        lambda: Cell.parse(EXAMPLE.replace("none", "conv_5x5")),
        lambda: Cell(("conv_5x5",) * 6),
        lambda: Subspace(("none", "conv_5x5")),
        lambda: Subspace.without("conv_5x5"),
    ):
        with pytest.raises(ConfigError) as caught:
            build()
        message = f"unknown operation 'conv_5x5'; the operations are {EVERY_OPERATION}"
        assert str(caught.value).endswith(message)


@pytest.mark.parametrize("count", [0, 5, 7])
def test_a_cell_has_six_operations(count):
    with pytest.raises(ConfigError, match=f"has 6 operations, found {count}"):
        Cell(("none",) * count)


def test_live_edges_are_those_on_a_route_without_zero(space):
    for cell in space:
        open_routes = [r for r in ROUTES if all(cell.operations[edge] != "none" for edge in r)]
        assert live_edges(cell) == tuple(sorted({edge for route in open_routes for edge in route}))
        assert is_connected(cell) == bool(open_routes)


def test_the_routes_above_are_all_there_are():
    """So that the test of live edges stands on the definition of a cell, not on a list."""

    def routes(node):
        if node == 3:
            return [()]
        return [
            (edge, *rest)
            for edge, (source, target) in enumerate(EDGES)
            if source == node
            for rest in routes(target)
        ]

    assert sorted(routes(0)) == sorted(ROUTES)


def computed(cell: Cell) -> float:
    """What a cell makes of a number, if each edge multiplies by its own prime, or Zero."""
    primes = {"skip_connect": (1.0,) * 6, "none": (0.0,) * 6}
    primes |= {op: (2.0, 3.0, 5.0, 7.0, 11.0, 13.0) for op in OPERATIONS if op not in primes}
    nodes = [1.0, 0.0, 0.0, 0.0]
    for edge in (0, 1, 2, 3, 4, 5):
        source, target = EDGES[edge]
        nodes[target] += nodes[source] * primes[cell.operations[edge]][edge]
    return nodes[3]


def test_zero_on_the_other_edges_leaves_the_cell_as_it_is(space):
    for cell in space:
        live = live_edges(cell)
        zeroed = Cell(tuple(op if e in live else "none" for e, op in enumerate(cell.operations)))
        assert computed(zeroed) == computed(cell)
        assert live_edges(zeroed) == live


def test_zero_on_a_live_edge_changes_the_cell(space):
    for cell in space[::7]:
        for edge in live_edges(cell):
            ops = cell.operations
            assert computed(Cell((*ops[:edge], "none", *ops[edge + 1 :]))) != computed(cell)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # a skip into a node is no operation
        (("skip_connect", "none", "nor_conv_3x3", "none", "none", "skip_connect"),
         ("none", "nor_conv_3x3", "none", "none", "none", "skip_connect")),
        # the inputs of a node have no order
        (("none", "none", "none", "none", "none", "none"),
         ("nor_conv_3x3", "none", "none", "none", "none", "none")),
        # operations after a node that nothing reaches do nothing
        (("none", "skip_connect", "none", "none", "nor_conv_1x1", "nor_conv_3x3"),
         ("none", "skip_connect", "nor_conv_3x3", "none", "none", "nor_conv_3x3")),
    ],
)  # fmt: skip
def test_cells_that_the_benchmark_counts_as_one(first, second):
    assert canonical_string(Cell(first)) == canonical_string(Cell(second))


def test_another_operation_on_a_live_edge_is_another_architecture():
    base = ("nor_conv_1x1",) * 6
    texts = {canonical_string(Cell(base))}
    for edge in range(6):
        texts.add(canonical_string(Cell((*base[:edge], "nor_conv_3x3", *base[edge + 1 :]))))
    assert len(texts) == 7


@quick
@given(cells)
def test_neighbours_differ_in_one_edge_and_are_mutual(cell):
    near = neighbours(cell)
    assert len(near) == len(set(near)) == 24
    for other in near:
        pairs = zip(cell.operations, other.operations, strict=True)
        assert sum(a != b for a, b in pairs) == 1
        assert cell in neighbours(other)


def test_neighbours_stay_in_the_subspace():
    subspace = Subspace.without("none", "avg_pool_3x3")
    cell = Cell(("skip_connect", "nor_conv_1x1", "nor_conv_3x3") * 2)
    near = neighbours(cell, subspace)
    assert len(set(near)) == len(near) == 12
    assert all(other in subspace for other in near)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_masking_leaves_the_cells_without_the_masked_operations(space, count):
    for masked in itertools.combinations(OPERATIONS, count):
        subspace = Subspace.without(*masked)
        assert subspace.size == (5 - count) ** 6
        remaining = {cell for cell in space if not set(masked) & set(cell.operations)}
        assert set(subspace.cells()) == remaining
        assert len(list(subspace.cells())) == len(remaining) == subspace.size


def test_sizes_of_the_papers_subspaces():
    assert {op: Subspace.without(op).size for op in OPERATIONS} == dict.fromkeys(OPERATIONS, 4096)
    assert Subspace.without("none", "avg_pool_3x3").size == 729


def test_the_order_in_which_operations_are_masked_does_not_matter():
    assert Subspace.without("none", "avg_pool_3x3") == Subspace.without("avg_pool_3x3", "none")


def test_membership():
    subspace = Subspace.without("none")
    assert Cell(("skip_connect",) * 6) in subspace
    assert Cell(("skip_connect",) * 5 + ("none",)) not in subspace


def test_names_of_subspaces_say_what_is_masked():
    assert LABELS.keys() == set(OPERATIONS)
    names = {
        str(Subspace.without(*m)) for n in (0, 1, 2) for m in itertools.combinations(LABELS, n)
    }
    assert len(names) == 1 + 5 + 10
    assert {"all operations", "no Skip", "no Zero, no Pool", "no 1x1 Conv, no 3x3 Conv"} <= names


def chi_square(observed: np.ndarray) -> float:
    expected = observed.sum() / observed.size
    return float(((observed - expected) ** 2 / expected).sum())


def test_samples_are_uniform_over_the_encodings():
    subspace = Subspace(("none", "nor_conv_3x3"))
    order = {cell: i for i, cell in enumerate(subspace.cells())}
    generator = np.random.default_rng(7)
    drawn = [order[subspace.sample(generator)] for _ in range(6_400)]
    # 63 degrees of freedom: 122 is exceeded once in 100,000 uniform samples.
    assert chi_square(np.bincount(drawn, minlength=64)) < 122


def test_connected_samples_are_uniform_over_the_connected_cells():
    subspace = Subspace(("none", "nor_conv_3x3"))
    order = {cell: i for i, cell in enumerate(filter(is_connected, subspace.cells()))}
    # The direct edge is open in 32; without it, inclusion and exclusion over the other routes.
    assert len(order) == 32 + (8 + 8 + 4) - (2 + 2 + 2) + 1
    generator = np.random.default_rng(8)
    drawn = [order[subspace.sample(generator, connected=True)] for _ in range(100 * len(order))]
    counts = np.bincount(drawn, minlength=len(order))
    assert chi_square(counts) < 98  # 46 degrees of freedom, once in 100,000


def test_every_operation_is_equally_frequent_on_every_edge():
    generator = np.random.default_rng(9)
    drawn = np.array([Subspace().sample(generator).operations for _ in range(5_000)])
    for edge in range(6):
        counts = np.array([(drawn[:, edge] == op).sum() for op in OPERATIONS])
        assert chi_square(counts) < 28.5  # 4 degrees of freedom, once in 100,000


def test_a_seed_gives_the_same_samples_and_another_seed_others():
    def draws(seed):
        generator = np.random.default_rng(seed)
        return [Subspace().sample(generator, connected=True) for _ in range(20)]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)


@pytest.mark.parametrize("operations", [(), ("none",)])
def test_no_connected_cell_is_drawn_where_there_is_none(operations):
    with pytest.raises(ConfigError, match="besides Zero"):
        Subspace(operations).sample(np.random.default_rng(0), connected=True)
