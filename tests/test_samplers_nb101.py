"""Samplers of NAS-Bench-101: how often each cell comes, whatever the subspace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.errors import ConfigError
from nasrepro.nets.nb101 import count_parameters
from nasrepro.runs.families import make_sampler
from nasrepro.samplers.nb101 import SAMPLERS, ProRata, Uniform
from nasrepro.spaces.nb101 import SUBSPACES, Subspace

A_4 = Subspace(outputs=4)  # the smallest: 10,467 cells


def drawn(sampler, updates: int) -> np.ndarray:
    """Positions among the subspace's cells, in the order drawn."""
    generator = np.random.default_rng(0)
    cells = [cell.code for _ in range(updates) for cell in sampler.draw(generator)]
    return np.searchsorted(sampler.subspace.codes(), cells)


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    return float(((observed - expected) ** 2 / expected).sum())


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(sorted(SAMPLERS)), st.sampled_from(sorted(SUBSPACES)), st.integers(0, 99))
def test_a_group_is_as_many_cells_of_the_subspace_as_it_says(name, space, seed):
    sampler = make_sampler(name, SUBSPACES[space])
    group = sampler.draw(np.random.default_rng(seed))
    assert len(group) == sampler.group_size == {"uniform-3": 3, "uniform-4": 4}.get(name, 1)
    assert all(cell in SUBSPACES[space] for cell in group)
    assert group == sampler.draw(np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["uniform", "uniform-3"])
def test_every_architecture_is_equally_likely(name):
    sampler = make_sampler(name, A_4)
    observed = np.bincount(drawn(sampler, 6_000 // sampler.group_size) * 60 // A_4.size)
    # 60 groups of cells: 59 degrees of freedom, 116 is exceeded once in 100,000 times.
    assert chi_square(observed, np.full(60, 100.0)) < 116


def test_pro_rata_draws_each_cell_as_often_as_it_has_parameters():
    parameters = count_parameters(A_4.codes())
    group = np.argsort(np.argsort(parameters)) * 60 // len(parameters)  # by size
    share = np.bincount(group, parameters) / parameters.sum()
    observed = np.bincount(group[drawn(ProRata(A_4), 6_000)], minlength=60)
    assert chi_square(observed, 6_000 * share) < 116
    assert share.max() > 2 * share.min()


def test_the_cells_of_a_group_are_independent():
    first, second, third = drawn(Uniform(A_4, 3), 2_000).reshape(-1, 3).T
    for one, other in ((first, second), (first, third), (second, third)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.1
        assert (one == other).mean() < 0.01


def test_an_unknown_sampler_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        make_sampler("strictly-fair", A_4)
    assert str(caught.value) == (
        "unknown sampler 'strictly-fair'; for NAS-Bench-101 there are uniform, uniform-3, "
        "uniform-4, pro-rata"
    )
