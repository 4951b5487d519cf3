"""Intervals over runs: a number on a page has its n and its interval.

A value belongs to one run (one seed) unless said otherwise. With a single run the mean stands and
the bounds are NaN; runs that agree, up to rounding, give an interval of no width. Where all runs of
two groups agree with each other, there is nothing to tell them apart by: their difference is 0 and
has no interval. NaN that comes in raises ValueError: leave diverged runs out beforehand, and say
so.

Without a formula: `nasrepro.resampling`. Effect sizes, their tests and power: `nasrepro.effects`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from nasrepro.metrics import finite_vector, spearman
from nasrepro.rounding import ROUNDING, mean_of, varies


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


def t_quantile(p: float, df: float) -> float:
    """`scipy.stats.t.ppf` of one number: the same function, without what makes it take 0.2 ms.

    >>> round(t_quantile(0.975, 2), 3), round(t_quantile(0.975, math.inf), 3)
    (4.303, 1.96)
    """
    return float(special.stdtrit(df, p))


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
    finest: ClassVar[float] = 0.0  # the smallest alpha it can tell: any

    def interval(self, confidence: float = 0.95) -> Interval:
        """mean ± t error, back from the scale; t is the (1 + confidence) / 2 quantile.

        Of a ratio of 4, ln 4 ± 12.706 ln 2 with one degree of freedom:

        >>> interval = Student(math.log(4), math.log(2), 1, 8, LOGARITHM).interval()
        >>> round(interval.mean, 9), round(math.log(interval.high / 4) / math.log(2), 3)
        (4.0, 12.706)
        """
        check_confidence(confidence)
        half = t_quantile((1 + confidence) / 2, self.df) * self.error if self.error else 0.0
        bounds = (self.mean, self.mean - half, self.mean + half)
        mean, low, high = map(self.scale.back, bounds)
        return Interval(mean, low, high, self.n)


def student_of(interval: Interval, df: float) -> Student:
    """The estimate that a 95% interval was made of, on its own scale.

    >>> round(student_of(mean_interval([1, 2, 3]), df=2).error, 6) == round(3**-0.5, 6)
    True
    """
    half = (interval.high - interval.low) / 2
    return Student(interval.mean, half / t_quantile(0.975, df), df, interval.n)


def check_confidence(confidence: float) -> None:
    """ValueError if a confidence is not between 0 and 1."""
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
    check_confidence(confidence)
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


def mean_rank_gain(columns: ArrayLike) -> float:
    """By how much some rankings correlate more with truth a than with truth b (Spearman).

    Args:
        columns: a ranking each, then truths a and b, shape (n, rankings + 2).

    Returns:
        The mean over the rankings; NaN if one of the columns is constant.

    >>> truth = np.arange(9)
    >>> round(mean_rank_gain(np.column_stack([truth, truth, -truth])), 9)
    2.0
    """
    ranks = _unit_ranks(_without_rounding(np.asarray(columns, dtype=np.float64))[None])[0]
    return float((ranks[:, :-2] * (ranks[:, -2:-1] - ranks[:, -1:])).sum(axis=0).mean())


def difference(a: ArrayLike, b: ArrayLike) -> Student:
    """mean(a) - mean(b) of two independent groups of runs, by Welch's method.

    With two runs against five, intervals are somewhat too narrow, the more so if the two scatter
    more; from three on they are nearly as wide as they should be.

    Args:
        a: one number per run, shape (na,), at least one.
        b: one number per run, shape (nb,), at least one.

    Returns:
        The estimate (without an error if a group has one run, or all runs of both agree); its
        `interval` is `difference_interval`.

    >>> found = difference([5, 7], [1, 3])
    >>> found.mean, round(found.error, 3), round(found.df, 3), found.n
    (4.0, 1.414, 2.0, 4)
    """
    return stratified_difference([a], [b])


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
    return difference(a, b).interval(confidence)


@dataclass(frozen=True, slots=True)
class Share:
    """The share of a kind in what a random sample was drawn from.

    Attributes:
        successes: members of the sample that are of the kind.
        n: size of the sample.
    """

    successes: int
    n: int
    finest: ClassVar[float] = 0.0  # the smallest alpha it can tell: any

    def interval(self, confidence: float = 0.95) -> Interval:
        """Wilson's score interval.

        With z = 1.96 and all of ten, the bounds are 10 / (10 + z^2) and 1:

        >>> interval = Share(10, 10).interval()
        >>> interval.mean, round(interval.low, 4), interval.high, interval.n
        (1.0, 0.7225, 1.0, 10)
        """
        check_confidence(confidence)
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


def level(values: ArrayLike) -> Student:
    """The mean over runs.

    Args:
        values: one number per run, shape (n,).

    >>> level([1, 3]).mean, level([1, 3]).n
    (2.0, 2)
    """
    return stratified_mean([values])


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
    spread = squares > 0  # what has no spread has no degrees of freedom
    uncertain = float((squares[spread] ** 2 / freedoms[spread]).sum())
    # Without any uncertainty all errors are known.
    freedom = float(squares.sum()) ** 2 / uncertain if uncertain else math.inf
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
    pairs = list(zip(x, y, strict=True))
    mean = float(np.mean([mean_difference(g, h) for g, h in pairs]))
    estimate = _over_strata(mean, [*x, *y], len(x))
    if any(differ(g, h) for g, h in pairs):
        return estimate
    return replace(estimate, error=math.nan)


def differ(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether any run of two groups differs from any other, by more than rounding."""
    return bool(varies(np.concatenate([x, y])))


def mean_difference(x: np.ndarray, y: np.ndarray) -> float:
    """mean(x) - mean(y); exactly 0 of groups that differ by rounding alone."""
    return float(mean_of(x) - mean_of(y)) if differ(x, y) else 0.0


def _over_strata(mean: float, groups: Sequence[np.ndarray], strata: int) -> Student:
    """The estimate of a mean over strata of sums of the groups' means, or of differences."""
    n = sum(group.size for group in groups)
    if min(group.size for group in groups) == 1:
        return Student(mean, math.nan, math.nan, n)
    return Student(mean, *standard_error(groups, strata), n)


def standard_error(groups: Sequence[np.ndarray], strata: int = 1) -> tuple[float, float]:
    """The standard error of a sum or difference of groups' means, averaged over strata.

    Beside it Satterthwaite's degrees of freedom; without any spread, 0 and NaN.
    """
    errors = np.array([_variance(g) / g.size for g in groups]) / strata**2
    if not errors.any():
        return 0.0, math.nan
    shares, freedoms = errors / errors.sum(), [group.size - 1 for group in groups]
    return math.sqrt(errors.sum()), float(1 / (shares**2 / freedoms).sum())


def squared_deviations(values: np.ndarray) -> float:
    """Sum of squared deviations from the mean; 0 of values that differ by rounding alone."""
    return float(values.var() * values.size) if varies(values) else 0.0


def _variance(values: np.ndarray) -> float:
    return squared_deviations(values) / (values.size - 1)


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
    freedom, squares = runs.size - 1, float(squared_deviations(runs)) if runs.size > 1 else 0.0
    if not squares:
        return math.nan
    bias = special.digamma(freedom / 2) - math.log(freedom / 2)
    return (math.log(squares / freedom) - float(bias)) / 2


def _ratio(a: float, b: float) -> float:
    """The ratio of two deviations, from their squares; NaN if the second is 0."""
    return math.sqrt(a / b) if b > 0 else math.nan


@dataclass(frozen=True, slots=True)
class DeviationRatio:
    """How many times as much the runs of one group scatter as those of another one.

    Attributes:
        squares: variances of the two.
        freedoms: runs of each less 1.
    """

    squares: tuple[float, float]
    freedoms: tuple[int, int]
    finest: ClassVar[float] = 0.0  # the smallest alpha it can tell: any

    def interval(self, confidence: float = 0.95) -> Interval:
        """By Fisher's distribution of the ratio of variances of normal runs; n is all runs.

        With 4 and 1 at two degrees of freedom each, F is 39 at its upper 2.5%:

        >>> found = DeviationRatio((4.0, 1.0), (2, 2)).interval()
        >>> found.mean, round(found.low**2 * 39, 6), round(found.high**2 / 39, 6), found.n
        (2.0, 4.0, 4.0, 6)
        """
        check_confidence(confidence)
        (a, b), n = self.squares, sum(self.freedoms) + 2
        if not (a > 0 and b > 0):
            return Interval(_ratio(a, b), math.nan, math.nan, n)
        tails = stats.f.ppf([(1 + confidence) / 2, (1 - confidence) / 2], *self.freedoms)
        low, high = np.sqrt(a / b / tails)
        return Interval(_ratio(a, b), float(low), float(high), n)


@dataclass(frozen=True, slots=True)
class PairedDeviationRatio:
    """How many times as much one number of a run scatters over runs as another number of it.

    Attributes:
        squares: variances of the two.
        correlation: of the two over runs (Pearson).
        n: runs.
    """

    squares: tuple[float, float]
    correlation: float
    n: int
    finest: ClassVar[float] = 0.0  # the smallest alpha it can tell: any

    def interval(self, confidence: float = 0.95) -> Interval:
        """By Pitman's and Morgan's test (1939) of equal variances, for every ratio; of 3 runs on.

        Sum and difference of two such numbers are uncorrelated where they scatter alike. Of
        uncorrelated ones with equal variances and three runs, t is 12.706, so k is 323.9:

        >>> found = PairedDeviationRatio((1.0, 1.0), 0.0, 3).interval()
        >>> k = 1 + 2 * 12.7062**2
        >>> round(found.high**2, 1) == round(k + (k**2 - 1) ** 0.5, 1)
        True
        """
        check_confidence(confidence)
        (a, b), freedom = self.squares, self.n - 2
        if not (a > 0 and b > 0) or freedom < 1:
            return Interval(_ratio(a, b), math.nan, math.nan, self.n)
        t = t_quantile((1 + confidence) / 2, freedom)
        k = 1 + 2 * (1 - self.correlation**2) * t**2 / freedom
        half = math.sqrt(k**2 - 1)
        low, high = np.sqrt([a / b / (k + half), a / b * (k + half)])
        return Interval(_ratio(a, b), float(low), float(high), self.n)


def ratio_of_deviations(a: ArrayLike, b: ArrayLike) -> DeviationRatio:
    """How many times as much the runs of a scatter as those of b, two independent groups.

    Args:
        a: one number per run, shape (na,).
        b: one number per run, shape (nb,).
    """
    x, y = finite_vector(a, "a"), finite_vector(b, "b")
    spread = _variance(x), _variance(y)
    return DeviationRatio(spread, (x.size - 1, y.size - 1))


def paired_ratio_of_deviations(a: ArrayLike, b: ArrayLike) -> PairedDeviationRatio:
    """How many times as much one number of some runs scatters as another one of the same runs.

    Args:
        a: one number per run, shape (n,).
        b: the other number of each, shape (n,).
    """
    x, y = finite_vector(a, "a"), finite_vector(b, "b")
    spread = _variance(x), _variance(y)
    correlation = float(np.corrcoef(x, y)[0, 1]) if min(spread) > 0 else math.nan
    return PairedDeviationRatio(spread, correlation, x.size)


def fisher_correlation(x: ArrayLike, y: ArrayLike) -> Student:
    """Spearman's correlation over independent pairs, with Fisher's normal distribution.

    artanh(rho) has the error sqrt(1.06 / (n - 3)); 1.06 is the correction for ranks (Fieller,
    Hartley & Pearson 1957). Its interval is wide for few pairs, as it should be.

    Args:
        x: shape (n,).
        y: shape (n,).

    Returns:
        The correlation (NaN if x or y is constant), without an error of fewer than four pairs, or
        where it is 1 or -1, of which the distribution says nothing.

    The ranks agree as much as they disagree: rho = 0, and with n = 4 the bounds are ± tanh(2.018).

    >>> interval = fisher_correlation([1, 2, 3, 4], [2, 4, 1, 3]).interval()
    >>> round(interval.mean, 3), round(interval.low, 3), round(interval.high, 3), interval.n
    (0.0, -0.965, 0.965, 4)
    """
    rho, n = spearman(x, y), len(finite_vector(x, "x"))
    known = n > 3 and abs(rho) < 1 - ROUNDING
    error = math.sqrt(1.06 / (n - 3)) if known else math.nan
    return Student(_artanh(rho), error, math.inf, n, ARTANH)


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
