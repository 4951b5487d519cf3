"""DARTS' space: its cells as texts and codes, their depth and width, and what a code tells."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrepro.errors import ConfigError
from nasrepro.spaces import counts, name_of
from nasrepro.spaces.darts import (
    CHOICES,
    EDGES,
    LABELS,
    NUM_CELLS,
    OPERATIONS,
    S2,
    Cell,
    Subspace,
    chosen,
    depth,
    neighbours,
    uses_only,
    width,
)

codes = st.integers(0, NUM_CELLS - 1)
# As DARTS' own code prints its second-order cell (Liu et al. 2018, figures 4 and 5).
SKIP, SEP, MAX = "skip_connect", "sep_conv_3x3", "max_pool_3x3"
NORMAL = (
    *((SEP, 0), (SEP, 1), (SEP, 0), (SEP, 1)),
    *((SEP, 1), (SKIP, 0), (SKIP, 0), ("dil_conv_3x3", 2)),
)
REDUCTION = (
    *((MAX, 0), (MAX, 1), (SKIP, 2), (MAX, 1)),
    *((MAX, 0), (SKIP, 2), (SKIP, 2), (MAX, 1)),
)
DARTS = Cell(NORMAL, REDUCTION)


@given(codes)
def test_every_cell_survives_its_text_and_its_code(code):
    cell = Cell.from_code(code)
    assert cell.code == code
    assert Cell.parse(str(cell)) == cell
    assert Cell(cell.normal, cell.reduction) == cell


@given(codes, st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_order_of_a_nodes_inputs_does_not_matter(code, swaps):
    cell = Cell.from_code(code)
    inputs = cell.normal + cell.reduction
    pairs = [inputs[i : i + 2] for i in range(0, 16, 2)]
    mixed = [pair[::-1] if swap else pair for pair, swap in zip(pairs, swaps, strict=True)]
    again = list(itertools.chain(*mixed))
    assert Cell(again[:8], again[8:]) == cell


def test_there_are_as_many_cells_as_ways_to_draw_them():
    """Each node takes two of the nodes before it, and any two of seven operations."""
    one = 1 * 3 * 6 * 10 * 7**8
    assert one**2 == NUM_CELLS and NUM_CELLS < 2**63
    assert dict(counts("darts")) == {"cells": one**2, "S2": (180 * 2**8) ** 2}
    assert Cell.from_code(0).code == 0 and Cell.from_code(NUM_CELLS - 1).code == NUM_CELLS - 1
    assert name_of(DARTS) == name_of(S2) == "darts"
    assert len(EDGES) == 14 and LABELS.keys() == set(OPERATIONS) == {"none", *CHOICES}


def test_the_text_of_the_published_cell():
    assert str(DARTS).startswith("|sep_conv_3x3~0|sep_conv_3x3~1|+|sep_conv_3x3~0|sep_conv_3x3~1|+")
    assert str(DARTS).endswith("+|max_pool_3x3~1|skip_connect~2|")
    assert DARTS.operations.count("skip_connect") == 5


def test_depth_and_width_of_published_cells():
    """Shu et al. 2020 count 3 and 3.5 for DARTS' normal cell."""
    assert (depth(DARTS.normal), width(DARTS.normal)) == (3, 3.5)
    assert (depth(DARTS.reduction), width(DARTS.reduction)) == (3, 2.5)
    chain = [(SKIP, 0), (SKIP, 1), *((SKIP, s) for s in (0, 2, 0, 3, 0, 4))]
    assert (depth(Cell(chain, chain).normal), width(Cell(chain, chain).normal)) == (5, 2.5)


@given(codes)
def test_depth_is_the_longest_of_all_paths(code):
    genotype = Cell.from_code(code).normal
    edges = {(source, 2 + place // 2) for place, (_, source) in enumerate(genotype)}
    lengths = [
        len(nodes) + 1
        for size in range(1, 5)
        for nodes in itertools.combinations(range(2, 6), size)
        for start in (0, 1)
        if {(start, nodes[0]), *itertools.pairwise(nodes)} <= edges
    ]
    assert depth(genotype) == max(lengths) and 2 <= depth(genotype) <= 5


@given(codes)
def test_codes_tell_edges_and_operations(code):
    cell = Cell.from_code(code)
    edges, operations = chosen(np.array([code]))
    for kind, genotype in enumerate((cell.normal, cell.reduction)):
        places = zip(edges[0, kind].ravel(), operations[0, kind].ravel(), strict=True)
        found = [(CHOICES[operation], *EDGES[edge]) for edge, operation in places]
        assert found == [(op, s, 2 + place // 2) for place, (op, s) in enumerate(genotype)]


@given(codes)
def test_which_cells_use_only_some_operations(code):
    cell = Cell.from_code(code)
    used = set(cell.operations)
    assert uses_only(np.array([code]), sorted(used))[0]
    assert not uses_only(np.array([code]), [op for op in CHOICES if op != cell.operations[5]])[0]
    assert cell in Subspace() and (cell in S2) == (used <= set(S2.choices))


def test_samples_are_uniform_over_sources_and_operations():
    generator = np.random.default_rng(0)
    cells = [S2.sample(generator) for _ in range(4_000)]
    assert all(cell in S2 for cell in cells)
    last = np.array([[source for _, source in cell.reduction[6:]] for cell in cells])
    pairs, times = np.unique(last, axis=0, return_counts=True)
    assert len(pairs) == 10 and times.min() > 320 and times.max() < 480  # 400, within 4 deviations
    skips = np.mean([cell.operations.count("skip_connect") for cell in cells])
    assert skips == pytest.approx(8, abs=0.15)


def test_a_subspace_offers_zero_in_a_search_but_never_in_a_cell():
    assert Subspace().candidates[0] == "none" and "none" not in Subspace().choices
    assert "none" not in S2.candidates
    with pytest.raises(ConfigError, match="besides Zero"):
        Subspace(("none",))


def test_neighbours_differ_in_one_operation_or_one_source_and_see_each_other():
    """Per cell: 8 x 6 operations, and 0, 2 x 1, 2 x 2 and 2 x 3 other sources of each node."""
    around = neighbours(DARTS)
    assert len(set(around)) == len(around) == 2 * (8 * 6 + 12) and DARTS not in around
    assert all(DARTS in neighbours(other) for other in around[::7])
    assert len(neighbours(Cell.from_code(0), S2)) == 2 * (8 * 2 + 12)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Cell(NORMAL[:7], REDUCTION), "a cell has 8 operations, found 7"),
        (lambda: Cell((*NORMAL[:6], (SKIP, 0), (SEP, 0)), REDUCTION), "node 5 .*found 0 and 0"),
        (lambda: Cell(((SKIP, 0), (SKIP, 2), *NORMAL[2:]), REDUCTION), "node 2 .*found 0 and 2"),
        (lambda: Cell((("none", 0), *NORMAL[1:]), REDUCTION), "unknown operation 'none'"),
        (lambda: Cell.parse(str(DARTS).partition("/")[0]), "a normal and a reduction cell"),
        (lambda: Cell.parse(str(DARTS)[:-1]), "expected a cell such as"),
        (lambda: Cell.parse(7), "expected the text of a cell, found 7"),
        (lambda: Cell.from_code(NUM_CELLS), r"lies in 0\.\."),
        (lambda: uses_only(np.array([3]), ("pool",)), "unknown operation 'pool'"),
    ],
)
def test_impossible_cells_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
