from itertools import product

import numpy as np
import pytest

from nasrepro import resampling


def test_every_resample_of_runs_counts_as_often_as_it_would_be_drawn():
    """All 27 resamples of three runs, spelt out: the bounds are quantiles of their statistic."""
    runs = np.array([[1.0, 5.0], [2.0, 1.0], [7.0, 3.0]])
    drawn = [runs[list(chosen)].mean(axis=0) for chosen in product(range(3), repeat=3)]
    products = np.sort([np.prod(mean) for mean in drawn])
    found = resampling.resampled(runs, np.prod).interval()
    assert found.mean == pytest.approx(10 / 3 * 3) and found.n == 3
    assert (found.low, found.high) == pytest.approx((products[0], products[-1]))
    # Of 80%, Student's t is 1.886, so a tail has Phi(-1.886 sqrt(1.5)) = 0.0104 < 1 / 27; of 40%,
    # 0.617 and 0.2249, which the seventh of the 27 is the first to reach.
    assert resampling.resampled(runs, np.prod).interval(0.8).low == pytest.approx(products[0])
    inner = resampling.resampled(runs, np.prod).interval(0.4)
    assert (inner.low, inner.high) == pytest.approx((products[6], products[-7]))


def test_one_run_has_a_statistic_and_no_interval():
    found = resampling.resampled([[3.0, 4.0]], np.sum).interval()
    assert found.mean == 7 and np.isnan(found[1:3]).all()
    difference = resampling.resampled_difference([[3.0]], [[1.0], [2.0]], np.sum).interval()
    assert difference.mean == 1.5 and np.isnan(difference[1:3]).all()
    with pytest.raises(ValueError, match="1 to 8 runs"):
        resampling.resampled(np.zeros((9, 1)), np.sum)
