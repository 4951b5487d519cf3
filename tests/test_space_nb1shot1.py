"""The three spaces of NAS-Bench-1Shot1 against published counts, the benchmark and the thesis."""

import numpy as np
import pytest

from nasrepro.benchmarks import available_tables, load_table
from nasrepro.data.cell_lists import LISTS, read_list
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError
from nasrepro.runs import nb1shot1 as cells_of
from nasrepro.runs.parts import DrawnEncodings, ListedCells
from nasrepro.spaces import SPACES, name_of, nb1shot1, nb101
from nasrepro.spaces.nb1shot1 import (
    ONE_SHOT,
    ZHANG,
    Cell,
    FixedParents,
    Subspace,
    architectures,
    neighbours,
)
from nasrepro.spaces.nb101 import module_hash
from nasrepro.spaces.nb101_codes import in_space

SPACES_OF = [Subspace(number) for number in (1, 2, 3)]
listed = pytest.mark.skipif(locate(SOURCES["sotl-cells"]) is None, reason="needs the lists")
tabled = pytest.mark.skipif("nb101-sample" not in available_tables(), reason="needs the table")


def test_sizes_are_those_of_the_thesis():
    """SoTL table 3.1, from Zela et al. 2020: of two rules, as `nb1shot1.ONE_SHOT` says.

    Architectures that differ are fewer: our own count, by every numbering and without a hash.
    """
    found = dict(nb1shot1.counts())
    assert (found["Zhang encodings"], found["Zhang unique"]) == (95_985, 42_228)
    assert found["1Shot1 space 1 without operations of loose ends"] == 6_240
    assert found["1Shot1 space 2 encodings"] == 29_160
    assert found["1Shot1 space 2 without operations of loose ends"] == 16_632  # the others' rule
    assert found["1Shot1 space 3 without operations of loose ends"] == 363_648
    assert [found[f"1Shot1 space {n} unique"] for n in (1, 2, 3)] == [2_685, 7_773, 55_854]


def test_the_benchmarks_hash_counts_the_same_architectures():
    codes = np.random.default_rng(0).choice(Subspace(1).codes(), 500, replace=False)
    hashes = {module_hash(Cell.from_code(int(code))) for code in codes}
    assert len(hashes) == len(np.unique(architectures(codes))) < 400


@pytest.mark.parametrize("subspace", SPACES_OF, ids=str)
def test_encodings_have_the_numbers_of_parents_and_are_cells_of_the_benchmark(subspace):
    generator = np.random.default_rng(0)
    drawn = [subspace.sample(generator) for _ in range(50)]
    for cell in drawn:
        assert tuple(cell.matrix.sum(axis=0)[1:]) == subspace.parents and cell in subspace
        assert len(cell.operations) == subspace.blocks
    codes = np.array([cell.code for cell in drawn])
    assert np.isin(codes, subspace.codes()).all() and in_space(architectures(codes)).all()
    nb1shot1.check_codes(codes)
    assert name_of(subspace) == "nb1shot1" and name_of(drawn[0]) == "nb101"


def test_other_spaces_and_other_cells_are_refused():
    with pytest.raises(ConfigError, match="the spaces of NAS-Bench-1Shot1 are 1, 2, 3, found 4"):
        Subspace(4)
    chain = Cell(((0, 1), (1, 2)), ("maxpool3x3",))
    with pytest.raises(ConfigError, match="is not the code of a NAS-Bench-1Shot1 cell"):
        SPACES["nb1shot1"].check_codes(np.array([chain.code]))
    assert not any(chain in subspace for subspace in SPACES_OF)


@pytest.mark.parametrize("subspace", SPACES_OF, ids=str)
def test_neighbours_lie_in_the_space_and_differ_in_one_choice(subspace):
    cell = subspace.sample(np.random.default_rng(1))
    found = neighbours(cell)
    n = np.array(subspace.parents)
    exchanges = int((n * (np.arange(1, len(n) + 1) - n)).sum())
    assert len(found) == len(set(found)) == 2 * subspace.blocks + exchanges
    for other in found:
        assert other in subspace and cell in neighbours(other)


def test_a_loose_end_leaves_its_place_in_the_path():
    """Vertex 2 leads to vertex 3 alone, which leads nowhere; the path is that of vertex 1."""
    cell = Cell(((0, 1), (0, 2), (2, 3), (1, 4)), ("maxpool3x3", "conv1x1-bn-relu", "maxpool3x3"))
    assert cell.path == ((1,), ((0,), "maxpool3x3"), (), ())
    assert nb101.prune(cell).path == ((1,), ((0,), "maxpool3x3"))


# ---- the cells that are evaluated

KNOWN = {1: (90, 47), 2: (82, 58), 3: (78, 44)}


@listed
@tabled
@pytest.mark.parametrize("subspace", SPACES_OF, ids=str)
def test_the_thesis_own_cells_and_those_that_the_table_has(subspace):
    """Of 200 encodings in a list, some come again, and many are the same architecture."""
    name = f"sotl-1shot1-{subspace.space}"
    cells = cells_of.random_cells(subspace, ListedCells(name))
    distinct = {1: 127, 2: 165, 3: 147}[subspace.space]
    assert len(cells) == LISTS[name].count == 200
    assert len(set(cells)) == 200 - LISTS[name].repeated
    assert len(np.unique(cells_of.architectures_of(cells))) == distinct
    known = cells_of.random_cells(subspace, ListedCells(name, table="nb101-sample"))
    number = len(np.unique(cells_of.architectures_of(known)))
    assert (len(known), number) == KNOWN[subspace.space]
    chosen = cells_of.select_cells(subspace, ListedCells(name, table="nb101-sample"))
    assert set(chosen) == set(known) and chosen == sorted(chosen, key=lambda cell: cell.code)


@listed
@tabled
def test_others_are_drawn_that_the_table_has():
    subspace, config = Subspace(1), DrawnEncodings(200, besides="sotl-1shot1-1")
    cells = cells_of.random_cells(subspace, config)
    found = cells_of.architectures_of(cells)
    theirs = [Cell.parse(text) for text in read_list("sotl-1shot1-1")]
    assert len(cells) == len(np.unique(found)) == 200
    assert all(cell in subspace for cell in cells)
    assert np.isin(found, load_table("nb101-sample").codes).all()
    assert not np.isin(found, cells_of.architectures_of(theirs)).any()
    assert cells == cells_of.random_cells(subspace, config)
    assert cells != cells_of.random_cells(subspace, DrawnEncodings(200, 1, besides="sotl-1shot1-1"))
    with pytest.raises(ConfigError, match=r"has only \d+ architectures of 1Shot1 space 1"):
        cells_of.random_cells(subspace, DrawnEncodings(3_000))


def test_encodings_are_drawn_uniformly():
    """Without a table: the input is joined to the output as often as in the space, two in five.

    Of one in each draw, so that no architecture is left out; 300 draws, four standard deviations.
    """
    drawn = [
        cells_of.random_cells(Subspace(1), DrawnEncodings(1, seed, table=None))[0]
        for seed in range(300)
    ]
    share = np.mean([(0, 5) in cell.edges for cell in drawn])
    assert abs(share - 0.4) < 4 * np.sqrt(0.4 * 0.6 / 300)


@listed
def test_a_list_of_another_space_is_refused():
    with pytest.raises(ConfigError, match="200 of the 200 cells of sotl-1shot1-1 are not in"):
        cells_of.random_cells(Subspace(2), ListedCells("sotl-1shot1-1"))


def test_fixed_parents_agree_with_a_loop():
    space = FixedParents((1, 2, 2), loose_ends=False, residual=False)
    expected = []
    for code in range(1 << 6):
        cell = Cell.from_code((4 << 21 | code) << 8)
        matrix = cell.matrix
        if matrix.sum(axis=0).tolist() == [0, 1, 2, 2] and matrix[1:3].any(axis=1).all():
            expected += [code] if not matrix[0, 3] else []
    assert space.matrices().tolist() == expected
    assert space.size == 9 * len(expected) == len(space.codes())


def test_loose_ends_and_their_operations():
    """Inputs 1, 1 and 1 on four vertices: a chain, or up to two vertices that lead nowhere."""
    space = FixedParents((1, 1, 1))
    assert space.size == 1 * 2 * 3 * 9
    # outputs of vertices 1 and 2 by the parents of 2 and 3: (0,0) none, (0,1) 1, (0,2) 2,
    # (1,0) 1, (1,1) 1, (1,2) both
    assert space.size_without_ends == 1 + 3 + 3 + 3 + 3 + 9
    # pruned: nothing, one operation, or a chain of two
    assert len(space.unique_codes()) == 1 + 3 + 9


@pytest.mark.parametrize("space", [ZHANG, *ONE_SHOT.values()])
def test_spaces_of_fixed_parents_lie_in_the_benchmark(space):
    assert in_space(space.unique_codes()).all()
