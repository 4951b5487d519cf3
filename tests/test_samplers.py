"""Samplers: what strictly fair and uniform promise, whatever the subspace and the seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from nasrepro.errors import ConfigError
from nasrepro.nets.nb201 import num_parameters
from nasrepro.runs.families import make_sampler
from nasrepro.samplers import Fixed
from nasrepro.samplers.nb201 import SAMPLERS, StrictlyFair, Uniform
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell, Subspace, canonical_string, is_connected

# Any subspace with a connected cell, its operations in any order.
subspaces = (
    st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5, unique=True)
    .filter(lambda operations: operations != ["none"])
    .map(lambda operations: Subspace(tuple(operations)))
)
seeds = st.integers(0, 2**32)
quick = settings(deadline=None, max_examples=60)


@quick
@given(subspaces, seeds)
def test_a_strictly_fair_group_takes_each_operation_once_on_each_edge(subspace, seed):
    sampler = StrictlyFair(subspace)
    group = sampler.draw(np.random.default_rng(seed))
    assert len(group) == sampler.group_size == len(subspace.operations)
    for edge in range(len(EDGES)):
        assert sorted(cell.operations[edge] for cell in group) == sorted(subspace.operations)
    assert all(map(is_connected, group))


@quick
@given(subspaces, seeds)
def test_a_uniform_group_is_one_connected_cell_of_the_subspace(subspace, seed):
    sampler = Uniform(subspace)
    (cell,) = sampler.draw(np.random.default_rng(seed))
    assert sampler.group_size == 1
    assert is_connected(cell) and cell in subspace


def test_four_uniform_cells_are_drawn_for_one_update():
    group = make_sampler("uniform-4", Subspace()).draw(np.random.default_rng(0))
    assert len(group) == make_sampler("uniform-4", Subspace()).group_size == 4
    assert len(set(group)) == 4 and all(map(is_connected, group))


def classes(subspace: Subspace, key) -> dict:
    """The connected cells of a subspace by a key."""
    found: dict = {}
    for cell in filter(is_connected, subspace.cells()):
        found.setdefault(key(cell), set()).add(cell)
    return found


@pytest.mark.parametrize(
    ("name", "key"), [("per-architecture", canonical_string), ("per-size", num_parameters)]
)
def test_classes_of_cells_are_drawn_alike_and_so_are_their_cells(name, key):
    """Chi-square tests; each fails once in 100,000 times if the sampler is right."""
    subspace = Subspace(("none", "skip_connect", "nor_conv_3x3"))
    expected, draws = classes(subspace, key), 20_000
    sampler, generator = make_sampler(name, subspace), np.random.default_rng(0)
    drawn = Counter(sampler.draw(generator)[0] for _ in range(draws))
    counts = [sum(drawn[cell] for cell in cells) for cells in expected.values()]
    assert sum(counts) == draws  # and no cell besides
    assert chisquare(counts).pvalue > 1e-5
    largest = max(expected.values(), key=len)
    assert len(largest) > 3 and chisquare([drawn[cell] for cell in largest]).pvalue > 1e-5


def test_random_a_draws_from_the_connected_ones_of_the_published_classes():
    """Of the 6,466 architectures some have no path from input to output."""
    groups = make_sampler("per-architecture", Subspace()).groups
    disconnected = set(map(canonical_string, Subspace().cells())) - set(
        canonical_string(group[0]) for group in groups
    )
    assert len(groups) + len(disconnected) == 6_466
    assert all(
        not is_connected(cell)
        for cell in Subspace().cells()
        if canonical_string(cell) in disconnected
    )


@quick
@given(st.integers(0, 15_624), seeds)
def test_a_fixed_cell_is_drawn_always_and_draws_nothing(code, seed):
    sampler, generator = Fixed(Cell.from_code(code)), np.random.default_rng(seed)
    assert sampler.draw(generator) == (Cell.from_code(code),)
    assert sampler.group_size == 1
    assert generator.random() == np.random.default_rng(seed).random()


def test_uniform_draws_every_connected_cell():
    subspace = Subspace(("none", "nor_conv_3x3"))
    generator = np.random.default_rng(0)
    drawn = {Uniform(subspace).draw(generator)[0] for _ in range(1_000)}
    assert drawn == set(filter(is_connected, subspace.cells()))


def test_strictly_fair_shuffles_every_edge_on_its_own():
    subspace = Subspace(("skip_connect", "nor_conv_3x3"))
    generator = np.random.default_rng(0)
    first = Counter(StrictlyFair(subspace).draw(generator)[0] for _ in range(6_400))
    assert set(first) == set(subspace.cells())
    # 64 cells, 100 each: 63 degrees of freedom, 122 is exceeded once in 100,000 times.
    assert sum((count - 100) ** 2 / 100 for count in first.values()) < 122


def test_strictly_fair_reaches_each_connected_cell_of_a_subspace_with_zero():
    subspace = Subspace(("none", "nor_conv_3x3"))
    generator = np.random.default_rng(0)
    drawn = {cell for _ in range(2_000) for cell in StrictlyFair(subspace).draw(generator)}
    mirror = {"none": "nor_conv_3x3", "nor_conv_3x3": "none"}
    # Of two operations the second cell is the first one's mirror: both must be connected.
    possible = {
        cell
        for cell in filter(is_connected, subspace.cells())
        if is_connected(type(cell)(tuple(mirror[op] for op in cell.operations)))
    }
    assert drawn == possible


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_gives_the_same_paths_and_another_seed_others(name):
    def draws(seed):
        generator = np.random.default_rng(seed)
        return [make_sampler(name, Subspace()).draw(generator) for _ in range(10)]

    assert draws(5) == draws(5)
    assert draws(5) != draws(6)
    assert len(set(draws(5))) > 1


def test_samplers_are_known_by_name():
    assert make_sampler("uniform", Subspace()) == Uniform(Subspace())
    assert make_sampler("strictly-fair", Subspace()) == StrictlyFair(Subspace())


def test_an_unknown_sampler_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        make_sampler("fairnas", Subspace())
    assert str(caught.value) == (
        "unknown sampler 'fairnas'; for NAS-Bench-201 there are uniform, uniform-4, "
        "strictly-fair, per-architecture, per-size"
    )
