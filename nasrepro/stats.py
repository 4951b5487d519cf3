"""Intervals over runs: a number on a page comes with its n and its interval.

A value belongs to one run (one seed) unless said otherwise. With a single run the mean stands and
the bounds are NaN; runs that agree exactly give an interval of no width. NaN that comes in raises
ValueError: leave diverged runs out beforehand, and say so.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from nasrepro.metrics import finite_vector


class Interval(NamedTuple):
    """An estimate, the bounds of its confidence interval, and the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean over runs.

    mean ± t sd / sqrt(n), where t is the (1 + confidence) / 2 quantile of Student's distribution
    with n - 1 degrees of freedom and sd the standard deviation with divisor n - 1.

    Args:
        values: one number a run, shape (n,).
        confidence: between 0 and 1.

    The mean is 2, sd / sqrt(n) is 1 / sqrt(3), and t is 4.303:

    >>> interval = mean_interval([1, 2, 3])
    >>> interval.mean, round(interval.low, 3), round(interval.high, 3), interval.n
    (2.0, -0.484, 4.484, 3)
    """
    _check_confidence(confidence)
    v = finite_vector(values, "values", at_least=1)
    mean = float(v.mean())
    if v.size == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = float(stats.t.ppf((1 + confidence) / 2, v.size - 1) * stats.sem(v))
    return Interval(mean, mean - half, mean + half, v.size)


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[..., float],
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 9999,
) -> Interval:
    """Percentile bootstrap interval for any statistic of independent values.

    The bounds are the (1 ± confidence) / 2 quantiles of the statistic over resamples drawn with
    replacement. Percentile, not BCa: BCa's corrections for bias and skew are undefined where all
    values agree. Either is too narrow for few values: use `mean_interval` for a mean of runs.

    Args:
        values: shape (n,).
        statistic: from an array of shape (n,) to a number; faster if it takes `axis`, as NumPy's.
        generator: source of randomness; its state advances.
        confidence: between 0 and 1.
        resamples: number of resamples.

    Returns:
        the statistic of the values themselves as `mean`, and its interval.

    >>> interval = bootstrap_interval([0, 0, 1, 1], np.mean, np.random.default_rng(0))
    >>> interval == (0.5, 0.0, 1.0, 4)
    True
    """
    _check_confidence(confidence)
    v = finite_vector(values, "values", at_least=1)
    estimate = float(statistic(v))
    if v.size == 1:
        return Interval(estimate, math.nan, math.nan, 1)
    result = stats.bootstrap(
        (v,),
        statistic,
        n_resamples=resamples,
        batch=max(1, 1_000_000 // v.size),  # bounds the memory, not the result
        confidence_level=confidence,
        method="percentile",
        rng=generator,
    )
    low, high = result.confidence_interval
    return Interval(estimate, float(low), float(high), v.size)


def spearman_interval(
    values: ArrayLike,
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Spearman's rank correlation of some rankings of the same architectures, with its interval.

    The mean over all pairs of rankings, and its percentile bootstrap interval over architectures,
    resampled with all their rankings. NaN bounds if a resample has a constant ranking, as few
    architectures do; if a ranking is constant, all is NaN.

    Args:
        values: one column a ranking, more is better, shape (n, rankings), at least two of each.
        generator: source of randomness; its state advances.
        confidence: between 0 and 1.
        resamples: number of resamples.

    Returns:
        The correlation as `mean`, its interval, and the number of architectures.

    The three pairs of rankings correlate with 1, 0.5 and 0.5:

    >>> ranked = [[1, 10, 2], [2, 20, 1], [3, 30, 3]]
    >>> round(spearman_interval(ranked, np.random.default_rng(0)).mean, 4)
    0.6667
    """
    _check_confidence(confidence)
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or min(v.shape) < 2 or not np.isfinite(v).all():
        raise ValueError(f"expected finite numbers (n, rankings), two of each, found {v.shape}")
    estimate = _mean_rank_correlation(v[None])[0]
    chosen = generator.integers(len(v), size=(resamples, len(v)))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(_mean_rank_correlation(v[chosen]), tails)
    return Interval(float(estimate), float(low), float(high), len(v))


def _mean_rank_correlation(values: np.ndarray) -> np.ndarray:
    """Mean Spearman correlation over pairs of columns, (samples, n, rankings) to (samples,)."""
    ranks = stats.rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    scale = np.sqrt((ranks**2).sum(axis=1))
    first, second = np.triu_indices(values.shape[2], k=1)
    products = (ranks[:, :, first] * ranks[:, :, second]).sum(axis=1)
    with np.errstate(invalid="ignore"):  # a constant ranking: 0 / 0
        return (products / (scale[:, first] * scale[:, second])).mean(axis=1)


def difference_interval(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Interval:
    """Welch's interval for mean(a) - mean(b), two independent groups of runs.

    d ± t sqrt(va / na + vb / nb) with the groups' own variances, and Welch's and Satterthwaite's
    degrees of freedom for t. The groups may differ in spread and size; runs that share seeds
    belong in `paired_difference_interval`.

    Args:
        a: one number a run, shape (na,).
        b: one number a run, shape (nb,).
        confidence: between 0 and 1.

    Returns:
        the difference, its interval (NaN if a group has one run), and n = na + nb.

    Both variances are 2 and both sizes 2, so the error is sqrt(2), the degrees of freedom are 2 and
    t is 4.303:

    >>> interval = difference_interval([5, 7], [1, 3])
    >>> interval.mean, round(interval.low, 3), round(interval.high, 3), interval.n
    (4.0, -2.085, 10.085, 4)
    """
    _check_confidence(confidence)
    x, y = finite_vector(a, "a", at_least=1), finite_vector(b, "b", at_least=1)
    difference, n = float(x.mean() - y.mean()), x.size + y.size
    with warnings.catch_warnings():  # SciPy warns of lost precision where one group is constant
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(confidence)
    return Interval(difference, float(low), float(high), n)


def paired_difference_interval(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean of a - b over pairs of runs that share a seed.

    `mean_interval` of the n differences: what the two runs of a seed have in common cancels.

    Args:
        a: one number a seed, shape (n,).
        b: the same seeds in the same order, shape (n,).
        confidence: between 0 and 1.

    The differences are 1, 2, 3:

    >>> paired_difference_interval([11, 22, 33], [10, 20, 30]) == mean_interval([1, 2, 3])
    True
    """
    x, y = finite_vector(a, "a", at_least=1), finite_vector(b, "b", at_least=1)
    if x.size != y.size:
        raise ValueError(f"expected pairs of runs, found {x.size} in a and {y.size} in b")
    return mean_interval(x - y, confidence)
