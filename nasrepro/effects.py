"""Effect sizes of two groups of runs, their tests, and the power to find them.

Where all runs of both groups agree, an effect and its p are NaN.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from nasrepro.errors import NoSolutionError
from nasrepro.metrics import finite_vector
from nasrepro.rounding import mean_of
from nasrepro.stats import (
    Interval,
    check_confidence,
    differ,
    mean_difference,
    squared_deviations,
    standard_error,
)

ALPHA, POWER = 0.05, 0.8  # Pourchot, section 4.3


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
    error, freedom = standard_error([x, y])
    t = mean_difference(x, y) / error if error else math.nan
    return TTest(t, freedom, 2 * float(stats.t.sf(abs(t), freedom)))


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
    return math.sqrt((squared_deviations(x) + squared_deviations(y)) / (len(x) + len(y) - 2))


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
    check_confidence(confidence)
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
    if not differ(x, y):
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
    return min(max(_outside(_critical(df, alpha), df, d * root), alpha), 1.0)


def _outside(t: float, df: int, delta: float) -> float:
    """The probability that a noncentral t is beyond t on either side."""
    return sum(_noncentral_sf(t, df, side * delta) for side in (1, -1))


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
