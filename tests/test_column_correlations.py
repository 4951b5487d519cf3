"""Rank correlations of many scores at once: those of `metrics`, column by column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nasrepro import metrics
from nasrepro.column_correlations import correlations, partial, ranks, together, weighted

few = st.integers(-4, 4).map(float)  # so that ties are common
scores = arrays(np.float64, st.tuples(st.integers(3, 12), st.integers(1, 3)), elements=few)


@given(scores, st.data())
def test_correlations_are_spearmans_column_by_column(values, data):
    target = data.draw(arrays(np.float64, len(values), elements=few))
    expected = [metrics.spearman(column, target) for column in values.T]
    assert correlations(values, target) == pytest.approx(expected, nan_ok=True)


@given(arrays(np.float64, st.tuples(st.integers(3, 12), st.just(3)), elements=few))
def test_partial_correlations_are_those_of_the_metric(values):
    said, truth, given_ = values.T
    found = partial(
        correlations(said[:, None], truth),
        correlations(said[:, None], given_),
        correlations(given_[:, None], truth),
    )
    expected = metrics.partial_spearman(said, truth, given_)
    assert found == pytest.approx([expected], nan_ok=True, abs=1e-6)


def test_cells_that_diverged_are_the_worst():
    diverged = np.array([[np.nan, 2.0], [-np.inf, 1.0], [-9.0, np.inf]])
    assert ranks(diverged).tolist() == [[1.5, 3.0], [1.5, 2.0], [3.0, 1.0]]
    assert ranks(np.full((2, 1), np.nan)).tolist() == [[1.5], [1.5]]
    assert ranks(np.array([-1e300, -5.0, np.nan])).tolist() == [2.0, 3.0, 1.0]


def test_an_estimator_and_parameters_together():
    """Each ranks one pair wrongly; together they are right."""
    truth = np.array([1.0, 2, 3, 4])
    said, parameters = np.array([2.0, 1, 3, 4]), np.array([10.0, 20, 40, 30])
    both = together(said[:, None], parameters)
    assert both[:, 0].tolist() == [3, 3, 7, 7]
    assert correlations(both, truth)[0] > correlations(said[:, None], truth)[0]


@given(st.lists(st.tuples(few, few), min_size=3, max_size=8), st.data())
def test_weights_are_how_often_a_cell_was_drawn(pairs, data):
    x, y = np.array(pairs).T
    counts = data.draw(arrays(np.int64, len(pairs), elements=st.integers(0, 3)))
    drawn = np.repeat(np.arange(len(pairs)), counts)
    if len(drawn) > 1 and np.ptp(x[drawn]) > 0 < np.ptp(y[drawn]):
        expected = np.corrcoef(x[drawn], y[drawn])[0, 1]
        assert weighted(x[:, None], y, counts[None])[0] == pytest.approx([expected])
