"""Intervals, effect sizes and power over runs: a number on a page has its n and its interval.

A value belongs to one run (one seed) unless said otherwise. With a single run the mean stands and
the bounds are NaN; runs that agree, up to rounding, give an interval of no width. Where all runs of
two groups agree with each other, there is nothing to tell them apart by: their difference is 0 and
has no interval, their effect and its p are NaN. NaN that comes in raises ValueError: leave diverged
runs out beforehand, and say so.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations_with_replacement
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from nasrepro.errors import NoSolutionError
from nasrepro.metrics import finite_vector, spearman
from nasrepro.rounding import mean_of, varies

ALPHA, POWER = 0.05, 0.8  # Pourchot, section 4.3


class Interval(NamedTuple):
    """An estimate, the bounds of its confidence interval, and the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int


class Scale(NamedTuple):
    """Where an estimate is taken to have Student's distribution: the way there, and back."""

    to: Callable[[float], float]
    back: Callable[[float], float]


def _log(value: float) -> float:
    return -math.inf if value <= 0 else math.log(value)


def _exp(value: float) -> float:
    with np.errstate(over="ignore"):  # as good as infinite
        return float(np.exp(value))


def _artanh(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= 1 else math.atanh(value)


PLAIN = Scale(float, float)
LOGARITHM = Scale(_log, _exp)  # of ratios
ARTANH = Scale(_artanh, math.tanh)  # Fisher's, of correlations


@dataclass(frozen=True, slots=True)
class Student:
    """An estimate that is as far from the truth, in standard errors, as Student's t from 0.

    Attributes:
        mean: the estimate, on the scale.
        error: its standard error there; 0 of runs that agree, NaN where it is not known.
        df: degrees of freedom; infinite for a normal variable.
        n: the number of values behind it.
        scale: from the estimate's own.
    """

    mean: float
    error: float
    df: float
    n: int
    scale: Scale = PLAIN
    finest: ClassVar[float] = 0.0  # as in `Resampled`: any

    def interval(self, confidence: float = 0.95) -> Interval:
        """mean ± t error, back from the scale; t is the (1 + confidence) / 2 quantile.

        Of a ratio of 4, ln 4 ± 12.706 ln 2 with one degree of freedom:

        >>> interval = Student(math.log(4), math.log(2), 1, 8, LOGARITHM).interval()
        >>> round(interval.mean, 9), round(math.log(interval.high / 4) / math.log(2), 3)
        (4.0, 12.706)
        """
        _check_confidence(confidence)
        half = float(stats.t.ppf((1 + confidence) / 2, self.df)) * self.error if self.error else 0.0
        bounds = (self.mean, self.mean - half, self.mean + half)
        mean, low, high = map(self.scale.back, bounds)
        return Interval(mean, low, high, self.n)


def student_of(interval: Interval, df: float) -> Student:
    """The estimate that a 95% interval was made of, on its own scale.

    >>> round(student_of(mean_interval([1, 2, 3]), df=2).error, 6) == round(3**-0.5, 6)
    True
    """
    half = (interval.high - interval.low) / 2
    return Student(interval.mean, half / float(stats.t.ppf(0.975, df)), df, interval.n)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean over runs.

    mean ± t sd / sqrt(n), where t is the (1 + confidence) / 2 quantile of Student's distribution
    with n - 1 degrees of freedom and sd the standard deviation with divisor n - 1.

    Args:
        values: one number per run, shape (n,).
        confidence: between 0 and 1.

    The mean is 2, sd / sqrt(n) is 1 / sqrt(3), and t is 4.303:

    >>> interval = mean_interval([1, 2, 3])
    >>> interval.mean, round(interval.low, 3), round(interval.high, 3), interval.n
    (2.0, -0.484, 4.484, 3)
    """
    v = finite_vector(values, "values", at_least=1)
    return _over_strata(float(mean_of(v)), [v], 1).interval(confidence)


def mean_correlation(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """`mean_interval` of correlations, ending where correlations do.

    Args:
        values: one correlation per run, between -1 and 1, shape (n,).
        confidence: between 0 and 1.

    >>> mean_correlation([0.7, 0.9]).high  # 0.8 + 12.706 * 0.1 without the end
    1.0
    """
    mean, low, high, n = mean_interval(values, confidence)
    low, high = np.clip([low, high], -1, 1).tolist()
    return Interval(mean, low, high, n)


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
        values: one column per ranking, more is better, shape (n, rankings), at least two of each.
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
    v = _without_rounding(v)
    estimate = _mean_rank_correlation(v[None])[0]
    chosen = generator.integers(len(v), size=(resamples, len(v)))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(_mean_rank_correlation(v[chosen]), tails)
    return Interval(float(estimate), float(low), float(high), len(v))


def _mean_rank_correlation(values: np.ndarray) -> np.ndarray:
    """Mean Spearman correlation over pairs of columns, (samples, n, rankings) to (samples,)."""
    ranks = _unit_ranks(values)
    first, second = np.triu_indices(values.shape[2], k=1)
    return (ranks[:, :, first] * ranks[:, :, second]).sum(axis=1).mean(axis=1)


def _without_rounding(columns: np.ndarray) -> np.ndarray:
    """Columns [n, columns], those that differ by rounding alone made constant."""
    return np.where(varies(columns, axis=0), columns, 0.0)


def _unit_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks within (samples, n, columns) along n, so that products sum to Spearman's correlation.

    NaN for a constant column.
    """
    ranks = stats.rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return ranks / np.sqrt((ranks**2).sum(axis=1, keepdims=True))


def spearman_difference_interval(
    rankings: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """By how much some rankings correlate more with truth a than with truth b (Spearman).

    The mean over the rankings, and its percentile bootstrap interval over architectures, resampled
    with all their rankings and both truths. NaN bounds if a resample has a constant column.

    Args:
        rankings: one column per ranking, shape (n, rankings).
        a: shape (n,).
        b: shape (n,).
        generator: source of randomness; its state advances.
        confidence: between 0 and 1.
        resamples: number of resamples.

    Returns:
        The difference as `mean`, its interval, and the number of architectures.

    >>> truth = np.arange(9)
    >>> alike = truth[:, None]
    >>> round(spearman_difference_interval(alike, truth, -truth, np.random.default_rng(0)).mean, 9)
    2.0
    """
    _check_confidence(confidence)
    v = _without_rounding(np.column_stack([rankings, a, b]).astype(np.float64))
    chosen = generator.integers(len(v), size=(resamples, len(v)))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(_mean_rank_gain(v[chosen]), tails)
    return Interval(float(_mean_rank_gain(v[None])[0]), float(low), float(high), len(v))


def _mean_rank_gain(values: np.ndarray) -> np.ndarray:
    """Mean correlation with the last column but one, less that with the last one, (samples,)."""
    ranks = _unit_ranks(values)
    truths = ranks[:, :, -2:-1] - ranks[:, :, -1:]
    return (ranks[:, :, :-2] * truths).sum(axis=1).mean(axis=1)


def difference_interval(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Interval:
    """Welch's interval for mean(a) - mean(b), two independent groups of runs.

    d ± t sqrt(va / na + vb / nb) with the groups' own variances, and Welch's and Satterthwaite's
    degrees of freedom for t. The groups may differ in spread and size. Where each run of
    one has its counterpart in the other, take `mean_interval` of their differences.

    Args:
        a: one number per run, shape (na,).
        b: one number per run, shape (nb,).
        confidence: between 0 and 1.

    Returns:
        the difference, its interval (NaN if a group has one run, or all runs of both agree), and
        n = na + nb.

    Both variances are 2 and both sizes 2, so the error is sqrt(2), the degrees of freedom are 2 and
    t is 4.303:

    >>> interval = difference_interval([5, 7], [1, 3])
    >>> interval.mean, round(interval.low, 3), round(interval.high, 3), interval.n
    (4.0, -2.085, 10.085, 4)
    """
    x, y = finite_vector(a, "a", at_least=1), finite_vector(b, "b", at_least=1)
    return _difference_over_strata([x], [y]).interval(confidence)


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a kind in what a random sample was drawn from.

    Attributes:
        successes: members of the sample that are of the kind.
        n: size of the sample.
    """

    successes: int
    n: int
    finest: ClassVar[float] = 0.0  # as in `Resampled`: any

    def interval(self, confidence: float = 0.95) -> Interval:
        """Wilson's score interval.

        With z = 1.96 and all of ten, the bounds are 10 / (10 + z^2) and 1:

        >>> interval = Share(10, 10).interval()
        >>> interval.mean, round(interval.low, 4), interval.high, interval.n
        (1.0, 0.7225, 1.0, 10)
        """
        _check_confidence(confidence)
        test = stats.binomtest(self.successes, self.n)
        bounds = test.proportion_ci(confidence, method="wilson")
        return Interval(self.successes / self.n, float(bounds.low), float(bounds.high), self.n)


def stratified_mean(groups: Sequence[ArrayLike]) -> Student:
    """The mean over strata of a mean over runs, all groups independent (Welch).

    Its error is sqrt(sum of v / n) / k over the groups of k strata, with their own variances v and
    sizes n; Satterthwaite's degrees of freedom. With one stratum, that of `mean_interval`.

    Args:
        groups: for each stratum (e.g. a search space), one number per run, each of shape (n,).

    Returns:
        The estimate (without an error if a group has one run); n is all runs together.

    Means of 2 and 4, variances of 2 in groups of two, so the error is sqrt(2) / 2 with 2 degrees of
    freedom, and t is 4.303:

    >>> interval = stratified_mean([[1, 3], [3, 5]]).interval()
    >>> interval.mean, round(interval.low, 3), round(interval.high, 3), interval.n
    (3.0, -0.042, 6.042, 4)
    """
    if not groups:
        raise ValueError("expected at least one stratum, found none")
    x = [finite_vector(group, "a group", at_least=1) for group in groups]
    mean = float(mean_of(np.array([mean_of(group) for group in x])))
    return _over_strata(mean, x, len(x))


def mean_of_estimates(estimates: Sequence[Student]) -> Student:
    """The mean of independent estimates, with their joint error and Satterthwaite's freedom.

    Args:
        estimates: on the plain scale, of any numbers of runs.

    Errors of 1 each: sqrt(2) / 2; equal shares of the variance have the freedoms' sum.

    >>> both = mean_of_estimates([Student(2.0, 1.0, 4, 5), Student(4.0, 1.0, 4, 5)])
    >>> both.mean, round(both.error, 4), both.df, both.n
    (3.0, 0.7071, 8.0, 10)
    """
    squares = np.array([estimate.error**2 for estimate in estimates])
    freedoms = np.array([estimate.df for estimate in estimates])
    mean = float(np.mean([estimate.mean for estimate in estimates]))
    n = sum(estimate.n for estimate in estimates)
    if not squares.sum() > 0:
        return Student(mean, float(squares.sum()), math.nan, n)
    freedom = float(squares.sum() ** 2 / (squares**2 / freedoms).sum())
    return Student(mean, math.sqrt(squares.sum()) / len(estimates), freedom, n)


def stratified_difference(a: Sequence[ArrayLike], b: Sequence[ArrayLike]) -> Student:
    """The mean over strata of mean(a) - mean(b), all groups independent (Welch).

    Its error is sqrt(sum of v / n) / k over the groups of k strata, with their own variances v and
    sizes n; Satterthwaite's degrees of freedom. With one stratum, that of `difference_interval`.

    Args:
        a: for each stratum (e.g. a search space), one number per run, each of shape (n,).
        b: the same strata in the same order.

    Returns:
        The estimate (without an error if a group has one run, or in each stratum all runs of both
        agree); n is all runs together.

    Differences of 4 and 2; four variances of 2 in groups of two, so the error is sqrt(4) / 2 with 4
    degrees of freedom, and t is 2.776:

    >>> interval = stratified_difference([[5, 7], [3, 5]], [[1, 3], [1, 3]]).interval()
    >>> interval.mean, round(interval.low, 3), round(interval.high, 3), interval.n
    (3.0, 0.224, 5.776, 8)
    """
    if len(a) != len(b) or not a:
        raise ValueError(f"expected the same strata in both, found {len(a)} in a, {len(b)} in b")
    x, y = ([finite_vector(group, "a group", at_least=1) for group in side] for side in (a, b))
    return _difference_over_strata(x, y)


def _difference_over_strata(x: Sequence[np.ndarray], y: Sequence[np.ndarray]) -> Student:
    pairs = list(zip(x, y, strict=True))
    difference = float(np.mean([_difference(g, h) for g, h in pairs]))
    estimate = _over_strata(difference, [*x, *y], len(x))
    if any(_differ(g, h) for g, h in pairs):
        return estimate
    return replace(estimate, error=math.nan)


def _differ(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether any run of two groups differs from any other, by more than rounding."""
    return bool(varies(np.concatenate([x, y])))


def _difference(x: np.ndarray, y: np.ndarray) -> float:
    return float(mean_of(x) - mean_of(y)) if _differ(x, y) else 0.0


def _over_strata(mean: float, groups: Sequence[np.ndarray], strata: int) -> Student:
    """The estimate of a mean over strata of sums of the groups' means, or of differences."""
    n = sum(group.size for group in groups)
    if min(group.size for group in groups) == 1:
        return Student(mean, math.nan, math.nan, n)
    return Student(mean, *_standard_error(groups, strata), n)


def _standard_error(groups: Sequence[np.ndarray], strata: int = 1) -> tuple[float, float]:
    """That of `_over_strata`, and Satterthwaite's degrees of freedom: NaN without any spread."""
    errors = np.array([_squares(g) / (g.size - 1) / g.size for g in groups]) / strata**2
    if not errors.any():
        return 0.0, math.nan
    shares, freedoms = errors / errors.sum(), [group.size - 1 for group in groups]
    return math.sqrt(errors.sum()), float(1 / (shares**2 / freedoms).sum())


def _squares(values: np.ndarray) -> float:
    """Sum of squared deviations from the mean; 0 of values that differ by rounding alone."""
    return float(values.var() * values.size) if varies(values) else 0.0


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
        _check_confidence(confidence)
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


def deviation_ratio(a: Sequence[Sequence[ArrayLike]], b: Sequence[Sequence[ArrayLike]]) -> Student:
    """How many times as much runs scatter in a as in b, stratum by stratum.

    The geometric mean over strata of the ratio of standard deviations, by Student's distribution of
    its logarithm over the strata. Groups may scatter differently: none is pooled with another. The
    logarithm of a standard deviation is too low by (ln(k / 2) - digamma(k / 2)) / 2 for normal
    runs with k degrees of freedom, the more so the fewer they are, and is corrected for it.

    Args:
        a: for each stratum (e.g. a search space), groups of runs, one number per run.
        b: the same strata in the same order.

    Returns:
        The ratio (without an error of one stratum; NaN where a group has one run or no spread); n
        is all runs together.

    In two strata twice and eight times, so 4 times: ln 4 by 12.706 times ln 2.

    >>> interval = deviation_ratio([[[0, 4]], [[0, 8]]], [[[1, 3]], [[0, 1]]]).interval()
    >>> round(interval.mean, 6), round(math.log(interval.high / 4) / math.log(2), 3), interval.n
    (4.0, 12.706, 8)
    """
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"expected the same strata in both, found {len(a)} in a, {len(b)} in b")
    sides = [[[finite_vector(g, "a group") for g in groups] for groups in side] for side in (a, b)]
    n = sum(group.size for side in sides for groups in side for group in groups)
    logs = np.array([[np.mean([*map(_log_deviation, groups)]) for groups in x] for x in sides])
    if not np.isfinite(logs).all():
        return Student(math.nan, math.nan, math.nan, n)
    return replace(stratified_mean([logs[0] - logs[1]]), n=n, scale=LOGARITHM)


def _log_deviation(runs: np.ndarray) -> float:
    """Logarithm of the standard deviation of normal runs, without bias; NaN without any spread."""
    freedom, squares = runs.size - 1, float(_squares(runs)) if runs.size > 1 else 0.0
    if not squares:
        return math.nan
    bias = special.digamma(freedom / 2) - math.log(freedom / 2)
    return (math.log(squares / freedom) - float(bias)) / 2


class TTest(NamedTuple):
    """A two-sided t-test: its statistic, degrees of freedom, and p."""

    t: float
    df: float
    p: float


def student_test(a: ArrayLike, b: ArrayLike) -> TTest:
    """Student's t-test of two independent groups of runs with one variance.

    t = d sqrt(na nb / (na + nb)) with na + nb - 2 degrees of freedom, d being Cohen's. The test of
    Pourchot (section 4.3). Where the groups differ in size and spread its p is wrong, too small
    if the smaller group has the larger spread: see `welch_test`. NaN if neither group has any
    spread.

    Args:
        a: one number per run, shape (na,), at least two.
        b: one number per run, shape (nb,), at least two.

    The means differ by 4, both variances are 2, so the error is sqrt(2 / 2 + 2 / 2): t = sqrt(8).
    With two degrees of freedom p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(8 / 10).

    >>> test = student_test([5, 7], [1, 3])
    >>> round(test.t, 3), test.df, round(test.p, 4)
    (2.828, 2.0, 0.1056)
    """
    d, na, nb = cohens_d(a, b), len(finite_vector(a, "a")), len(finite_vector(b, "b"))
    return TTest(d * math.sqrt(_effective_size(na, nb)), float(na + nb - 2), p_of_effect(d, na, nb))


def welch_test(a: ArrayLike, b: ArrayLike) -> TTest:
    """Welch's t-test of two independent groups of runs, each with its own variance.

    t = (mean(a) - mean(b)) / sqrt(va / na + vb / nb) with Welch's and Satterthwaite's degrees of
    freedom; `difference_interval` is its interval. NaN if neither group has any spread.

    Args:
        a: one number per run, shape (na,), at least two.
        b: one number per run, shape (nb,), at least two.

    The second group has no spread, so error and degrees of freedom are the first's: sqrt(2 / 2) and
    1, and t is 3; with one degree of freedom p = 1 - 2 arctan(t) / pi.

    >>> test = welch_test([2, 4], [0, 0, 0])
    >>> round(test.t, 3), round(test.df, 3), round(test.p, 4)
    (3.0, 1.0, 0.2048)
    """
    x, y = finite_vector(a, "a"), finite_vector(b, "b")
    error, freedom = _standard_error([x, y])
    t = _difference(x, y) / error if error else math.nan
    return TTest(t, freedom, 2 * float(stats.t.sf(abs(t), freedom)))


def fisher_correlation(x: ArrayLike, y: ArrayLike) -> Student:
    """Spearman's correlation over independent pairs, with Fisher's normal distribution.

    artanh(rho) has the error sqrt(1.06 / (n - 3)); 1.06 is the correction for ranks (Fieller,
    Hartley & Pearson 1957). Its interval is wide for few pairs, as it should be.

    Args:
        x: shape (n,).
        y: shape (n,).

    Returns:
        The correlation (NaN if x or y is constant), without an error of fewer than four pairs.

    The ranks agree as much as they disagree: rho = 0, and with n = 4 the bounds are ± tanh(2.018).

    >>> interval = fisher_correlation([1, 2, 3, 4], [2, 4, 1, 3]).interval()
    >>> round(interval.mean, 3), round(interval.low, 3), round(interval.high, 3), interval.n
    (0.0, -0.965, 0.965, 4)
    """
    rho, n = spearman(x, y), len(finite_vector(x, "x"))
    error = math.sqrt(1.06 / (n - 3)) if n > 3 and not math.isnan(rho) else math.nan
    return Student(_artanh(rho), error, math.inf, n, ARTANH)


def pooled_deviation(a: ArrayLike, b: ArrayLike) -> float:
    """Standard deviation within two groups of runs.

    sqrt(((na - 1) va + (nb - 1) vb) / (na + nb - 2)), variances with divisor n - 1 (Cohen 1988).

    Args:
        a: one number per run, shape (na,), at least two.
        b: one number per run, shape (nb,), at least two.

    The sums of squared deviations are 2 and 8, the degrees of freedom 2 + 3:

    >>> round(pooled_deviation([1, 2, 3], [0, 2, 2, 4]), 6) == round((10 / 5) ** 0.5, 6)
    True
    """
    x, y = finite_vector(a, "a"), finite_vector(b, "b")
    return math.sqrt((_squares(x) + _squares(y)) / (len(x) + len(y) - 2))


def cohens_d(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's d: the difference of two means in units of the pooled standard deviation.

    d = (mean(a) - mean(b)) / pooled deviation (Cohen 1988; Pourchot, section 4.3, with a the
    baseline's regrets: above zero if weight sharing found better cells). NaN if neither group has
    any spread.

    Args:
        a: one number per run, shape (na,), at least two.
        b: one number per run, shape (nb,), at least two.

    The means differ by 4 and both variances are 2:

    >>> round(cohens_d([5, 7], [1, 3]), 4)
    2.8284
    """
    deviation = pooled_deviation(a, b)
    x, y = finite_vector(a, "a"), finite_vector(b, "b")
    return float(mean_of(x) - mean_of(y)) / deviation if deviation else math.nan


def p_of_effect(d: float, na: int, nb: int) -> float:
    """Two-sided p of Student's t-test whose groups have a given Cohen's d.

    t = d sqrt(na nb / (na + nb)) with na + nb - 2 degrees of freedom: what `student_test` gives for
    the runs themselves. It turns a printed d into a p.

    Args:
        d: Cohen's d.
        na: runs in one group, at least two.
        nb: runs in the other, at least two.

    With two runs each t is d and the degrees of freedom are 2: p = 1 - sqrt(8 / 10), as above.

    >>> round(p_of_effect(8**0.5, 2, 2), 4)
    0.1056
    """
    size = _effective_size(na, nb)
    return 2 * float(stats.t.sf(abs(d) * math.sqrt(size), na + nb - 2))


def _effective_size(na: int, nb: int) -> float:
    """na nb / (na + nb): the t statistic is d times its root."""
    if min(na, nb) < 2:
        raise ValueError(f"expected at least two runs in each group, found {na} and {nb}")
    return na * nb / (na + nb)


def effect_interval(d: float, na: int, nb: int, confidence: float = 0.95) -> Interval:
    """Interval of Cohen's d by the noncentral t distribution.

    t = d sqrt(na nb / (na + nb)) follows the noncentral t distribution about delta sqrt(na nb /
    (na + nb)), delta being the true effect; the bounds are the delta for which the t found lies at
    its (1 ± confidence) / 2 quantiles (Cumming & Finch 2001). Exact for normal runs of one
    variance.

    Args:
        d: Cohen's d.
        na: runs in one group, at least two.
        nb: runs in the other, at least two.
        confidence: between 0 and 1.

    Returns:
        d, its interval (NaN if d is NaN or infinite), and n = na + nb.

    P(T < 0) is that of a normal variable with mean delta, whatever the degrees of freedom: at d = 0
    the bounds are the normal quantiles, here divided by sqrt(2 * 2 / 4) = 1.

    >>> interval = effect_interval(0, 2, 2)
    >>> round(interval.low, 3), round(interval.high, 3), interval.n
    (-1.96, 1.96, 4)
    """
    _check_confidence(confidence)
    root, df = math.sqrt(_effective_size(na, nb)), na + nb - 2
    t, tail = abs(d) * root, (1 - confidence) / 2
    if not t < _LARGEST:
        return Interval(d, math.nan, math.nan, na + nb)
    low, high = (_noncentrality(t, df, p) / root for p in (tail, 1 - tail))
    return Interval(d, low, high, na + nb) if d >= 0 else Interval(d, -high, -low, na + nb)


_LARGEST = 1e300  # t that can still be multiplied
_NORMAL = np.arange(-12.0, 13.0)  # no normal variable lies beyond
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def _noncentral_sf(t: float, df: int, delta: float) -> float:
    """P(T > t) for T noncentral t about delta, t from 0 on; right to 1e-9 whatever they are.

    T = (Z + delta) / S for Z normal and S^2 chi-squared by its degrees of freedom: the integral
    over z > -delta of phi(z) P(S < (z + delta) / t). That probability steps from 0 to 1 about
    z = t - delta, the faster the more degrees of freedom there are. Gauss and Legendre's rule is
    applied between cuts that are close together there. SciPy's `nct` is NaN for many of them.
    """
    t = max(t, 1e-15)  # as good as 0
    away = t / math.sqrt(2 * df) * 2.0 ** np.arange(-1, 50)
    cuts = np.concatenate([_NORMAL, t - delta - away, [t - delta], t - delta + away])
    first, last = _NORMAL[0], _NORMAL[-1]
    cuts = np.unique(np.clip(cuts, np.clip(-delta, first, last), last))
    half = np.diff(cuts)[:, None] / 2
    z = cuts[:-1, None] + half * (1 + _NODES)
    ratio = np.minimum(z + delta, 1e6 * t) / t  # of no more, S is certainly less
    below = special.gammainc(df / 2, df / 2 * ratio**2)
    return float((half * _WEIGHTS * stats.norm.pdf(z) * below).sum())


def _noncentrality(t: float, df: int, p: float) -> float:
    """The delta about which P(T > t) is p, t from 0 on."""
    return _root(lambda delta: _noncentral_sf(t, df, delta), p, *_around_noncentrality(t, df, p))


def _around_noncentrality(t: float, df: int, p: float) -> tuple[float, float]:
    """Bounds of `_noncentrality`.

    If P(Z > c) and P(S < s) are p / 2, then P(T > t) is less than p about t s - c; likewise above.
    """
    q = 1 - p
    low = t * math.sqrt(stats.chi2.ppf(p / 2, df) / df) - stats.norm.isf(p / 2)
    high = t * math.sqrt(stats.chi2.isf(q / 2, df) / df) + stats.norm.isf(q / 2)
    return float(low), float(high)


def _root(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where a rising function has a value; NoSolutionError if it is not between the bounds."""
    try:
        root = optimize.brentq(lambda x: rising(x) - wanted, low, high)
    except ValueError:  # both bounds are on one side
        root = math.nan
    if not math.isclose(rising(root), wanted, rel_tol=1e-6):
        raise NoSolutionError(f"nothing from {low:.6g} to {high:.6g} gives {wanted}")
    return root


def superiority(d: float) -> float:
    """Probability of superiority that belongs to an effect size.

    P(A > B) = Phi(d / sqrt(2)) for independent normal A and B of one variance whose means are d
    standard deviations apart (McGraw & Wong 1992, "common language effect size"; Pourchot, section
    5.2, by a page that computes it).

    A - B has mean d and variance 2: d = sqrt(2) is one standard deviation of it above zero.

    >>> round(superiority(2**0.5), 4), superiority(0)
    (0.8413, 0.5)
    """
    return float(stats.norm.cdf(d / math.sqrt(2)))


def probability_of_superiority(
    a: ArrayLike, b: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Share of pairs of runs in which the one of `a` is greater; ties count half.

    P = U / (na nb), U being Mann and Whitney's statistic: `superiority` without its assumptions.

    Args:
        a: one number per run, shape (na,).
        b: one number per run, shape (nb,); or what a run may give, each with its weight.
        weights: how probable each of b is, in any unit, shape (nb,); all equally without them.

    3 beats 1, 5 beats 1, 5 and 5 are equal: 2.5 of 4 pairs.

    >>> probability_of_superiority([3, 5], [1, 5])
    0.625
    >>> probability_of_superiority([3, 5], [1, 5], [3, 1])
    0.8125
    """
    x, y = finite_vector(a, "a", at_least=1), finite_vector(b, "b", at_least=1)
    if not _differ(x, y):
        return 0.5
    x = np.sort(x)
    not_above, below = (np.searchsorted(x, y, side) for side in ("right", "left"))
    shares = None if weights is None else np.asarray(weights)
    return float(np.average(1 - (not_above + below) / (2 * len(x)), weights=shares))


def power(d: float, na: int, nb: int, alpha: float = ALPHA) -> float:
    """Probability that Student's two-sided t-test finds a true effect.

    P(T > t) + P(T < -t) for T noncentral t about d sqrt(na nb / (na + nb)), where t is the
    1 - alpha / 2 quantile of Student's distribution with na + nb - 2 degrees of freedom (Cohen
    1988).

    Args:
        d: the true effect size.
        na: runs in one group, at least two.
        nb: runs in the other, at least two.
        alpha: level of significance, between 0 and 1.

    Returns:
        From alpha, of no effect, to 1; NaN if d is NaN.

    Cohen's table: 64 runs in each group find a medium effect four times out of five.

    >>> round(power(0.5, 64, 64), 2), round(power(0, 5, 9), 2)
    (0.8, 0.05)
    """
    root, df = math.sqrt(_effective_size(na, nb)), na + nb - 2
    if not 0 < alpha < 1:
        raise ValueError(f"expected a level of significance between 0 and 1, found {alpha}")
    if math.isnan(d):
        return math.nan
    t = _critical(df, alpha)
    probability = sum(_noncentral_sf(t, df, side * d * root) for side in (1, -1))
    return min(max(probability, alpha), 1.0)


def detectable_effect(na: int, nb: int, wanted: float = POWER, alpha: float = ALPHA) -> float:
    """The smallest effect that na and nb runs find with a wanted power: `power` solved for d.

    Args:
        na: runs in one group, at least two.
        nb: runs in the other, at least two.
        wanted: power, from alpha, which no effect has, to below 1.
        alpha: level of significance, between 0 and 1.

    Raises:
        NoSolutionError: if no effect has that power.

    >>> round(detectable_effect(64, 64), 2), detectable_effect(64, 64, wanted=0.05)
    (0.5, 0.0)
    """
    root, df = math.sqrt(_effective_size(na, nb)), na + nb - 2
    if not alpha <= wanted < 1:
        raise NoSolutionError(
            f"no effect is found with a power of {wanted}: expected one from {alpha}, the level of "
            "significance, to below 1"
        )
    if wanted <= power(0, na, nb, alpha):
        return 0.0
    _, enough = _around_noncentrality(_critical(df, alpha), df, wanted)
    return _root(lambda d: power(d, na, nb, alpha), wanted, 0.0, enough / root)


def _critical(df: int, alpha: float) -> float:
    """t that Student's distribution exceeds on either side with a probability of alpha.

    By the beta distribution of df / (df + t^2): SciPy's `t.isf` is infinite for some small alpha.
    """
    outside = special.betaincinv(df / 2, 1 / 2, alpha)
    if outside == 0:
        return _LARGEST
    return min(math.sqrt(df * special.betainccinv(1 / 2, df / 2, alpha) / outside), _LARGEST)


def runs_needed(d: float, nb: int, wanted: float = POWER, alpha: float = ALPHA) -> int:
    """The fewest runs that find an effect with a wanted power against a group of another size.

    Args:
        d: the true effect size, not zero.
        nb: runs in the other group, at least two.
        wanted: power, between alpha and 1.
        alpha: level of significance, between 0 and 1.

    Raises:
        NoSolutionError: if no number of runs is enough.

    >>> runs_needed(0.5, 64)
    64
    """
    many = 2
    while not power(d, many, nb, alpha) >= wanted:
        many *= 2
        if many > 2**50:  # more change nothing
            raise NoSolutionError(
                f"no number of runs against {nb} finds d = {d} with a power of {wanted}"
            )
    return bisect_left(range(many), wanted, lo=2, key=lambda n: power(d, n, nb, alpha))


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values of a family; one that is not known (NaN) does not count.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is below one before it
    or above 1.

    >>> holm([0.03, math.nan, 0.01, 0.04]).round(9).tolist()
    [0.06, nan, 0.03, 0.06]
    """
    values = np.array(p, dtype=np.float64)
    order = np.argsort(values)  # what is not known comes last
    known = order[: np.count_nonzero(~np.isnan(values))]
    adjusted = values[known] * np.arange(len(known), 0, -1)
    values[known] = np.minimum(np.maximum.accumulate(adjusted), 1)
    return values
