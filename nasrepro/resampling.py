"""A statistic over few runs by resampling them: all resamples, or all runs but one.

For what has no formula, such as Laube's tau_a of a mean over runs. Means have Student's interval
(`nasrepro.stats`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from nasrepro.rounding import varies
from nasrepro.stats import Interval, Student, check_confidence

MOST_RESAMPLED = 8  # runs of which all resamples are made: 6,435
Statistic = Callable[[np.ndarray], float]


@dataclass(frozen=True, eq=False, slots=True)
class Resampled:
    """A statistic of a mean over runs, and of the means of all resamples of the runs.

    Attributes:
        mean: the statistic of the runs' mean.
        values: those that resamples have, each once, shape (values,); none of one run.
        weights: how probable each is, shape (values,).
        rarest: the probability of the rarest resample.
        runs: of the smaller group, if there are two.
        n: all runs.
    """

    mean: float
    values: np.ndarray
    weights: np.ndarray
    rarest: float
    runs: int
    n: int

    def interval(self, confidence: float = 0.95) -> Interval:
        """The bootstrap interval, from all resamples.

        Nothing is drawn: each resample counts as often as it would be drawn. Of few runs the
        percentile interval is too narrow, so its tails are those of Student's interval,
        Phi(-t sqrt(n / (n - 1))) with t of n - 1 degrees of freedom (Hesterberg 2015, "What
        teachers should know about the bootstrap", 3.3). It reaches no further than the runs do:
        of three, all are on one side of what they estimate a quarter of the time. For a statistic
        that jumps or is biased in few runs it is rough.
        """
        check_confidence(confidence)
        if not len(self.values):
            return Interval(self.mean, math.nan, math.nan, self.n)
        t = stats.t.ppf((1 - confidence) / 2, self.runs - 1)
        tail = stats.norm.cdf(t * math.sqrt(self.runs / (self.runs - 1)))
        low, high = (
            sign
            * np.quantile(sign * self.values, tail, weights=self.weights, method="inverted_cdf")
            for sign in (1, -1)
        )
        return Interval(self.mean, float(low), float(high), self.n)

    @property
    def finest(self) -> float:
        """The smallest alpha that its intervals can tell from smaller ones.

        That at which each tail is as probable as the rarest resample: beyond it nothing is known.
        """
        t = stats.norm.ppf(self.rarest) / math.sqrt(self.runs / (self.runs - 1))
        return 2 * float(stats.t.cdf(t, self.runs - 1))


def resampled(runs: ArrayLike, statistic: Statistic) -> Resampled:
    """A statistic of the mean over runs, with all n^n resamples of the n runs.

    Args:
        runs: one row a run, shape (n, points), at most `MOST_RESAMPLED`.
        statistic: of a mean over runs, shape (points,).

    Returns:
        The estimate; without resamples, of one run.

    The means of resamples of 0 and 4 are 0, 2, 2 and 4:

    >>> resampled([[0], [4]], statistic=lambda mean: mean[0]).interval()
    Interval(mean=2.0, low=0.0, high=4.0, n=2)
    """
    v = _runs(runs)
    values, weights = _resampled(v, statistic)
    return _estimate(float(statistic(v.mean(axis=0))), values, weights, len(v), len(v))


def resampled_difference(a: ArrayLike, b: ArrayLike, statistic: Statistic) -> Resampled:
    """`resampled`, of the difference between two independent groups of runs, a less b.

    The tails of its interval are those of the smaller group, the widest that Welch's interval can
    have.

    Args:
        a: one row a run, shape (na, points).
        b: one row a run, shape (nb, points).
        statistic: of a mean over runs, shape (points,).

    Returns:
        The estimate; without resamples, if a group has one run, or no resample of one group
        differs from one of the other. n is na + nb.

    >>> resampled_difference([[5], [7]], [[1], [3]], statistic=lambda mean: mean[0]).interval()
    Interval(mean=4.0, low=2.0, high=6.0, n=4)
    """
    x, y = _runs(a), _runs(b)
    n, fewest = len(x) + len(y), min(len(x), len(y))
    (ours, chances), (others, other_chances) = (_resampled(v, statistic) for v in (x, y))
    values = np.subtract.outer(ours, others).ravel()
    weights = np.multiply.outer(chances, other_chances).ravel()
    if not varies(np.concatenate([ours, others])):
        return Resampled(0.0, values[:0], weights[:0], math.nan, fewest, n)
    difference = float(statistic(x.mean(axis=0)) - statistic(y.mean(axis=0)))
    return _estimate(difference, values, weights, fewest, n)


def _estimate(mean: float, values: np.ndarray, weights: np.ndarray, runs: int, n: int) -> Resampled:
    """The estimate of some resamples, of which those of one run tell nothing."""
    if runs == 1:
        return Resampled(mean, values[:0], weights[:0], math.nan, runs, n)
    distinct, which = np.unique(values, return_inverse=True)
    return Resampled(mean, distinct, np.bincount(which, weights), float(weights.min()), runs, n)


def _runs(values: ArrayLike) -> np.ndarray:
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or not 1 <= len(v) <= MOST_RESAMPLED or not np.isfinite(v).all():
        raise ValueError(
            f"expected finite numbers of 1 to {MOST_RESAMPLED} runs (n, points), found {v.shape}"
        )
    return v


@cache
def _resamples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each resample of n runs has each of them, (resamples, n), and its probability."""
    chosen = combinations_with_replacement(range(n), n)
    counts = np.array([np.bincount(each, minlength=n) for each in chosen])
    return counts, stats.multinomial.pmf(counts, n, np.full(n, 1 / n))


def _resampled(runs: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
    """The statistic of every resample's mean, and the resample's probability."""
    counts, weights = _resamples(len(runs))
    return np.array([statistic(mean) for mean in counts @ runs / len(runs)]), weights


def jackknife(rows: np.ndarray, statistic: Callable[[np.ndarray], float]) -> Student:
    """A statistic of several runs or settings together, with the jackknife's error (Tukey 1958).

    The error is sqrt((n - 1) / n) times the root of the sum of squared distances of what is found
    without each row from their mean; Student's distribution with n - 1 degrees of freedom.

    Args:
        rows: one entry a run or setting, shape (n, ...).
        statistic: of any n - 1 of them or all.

    Returns:
        The estimate; without an error of fewer than three rows.

    Of a mean it is the standard error: 1 / sqrt(3).

    >>> found = jackknife(np.array([1.0, 2.0, 3.0]), lambda rows: float(rows.mean()))
    >>> found.mean, round(found.error, 4)
    (2.0, 0.5774)
    """
    n, mean = len(rows), float(statistic(rows))
    if n < 3:
        return Student(mean, math.nan, n - 1, n)
    without = np.array([statistic(np.delete(rows, row, axis=0)) for row in range(n)])
    return Student(mean, math.sqrt((n - 1) * float(without.var())), n - 1, n)
