"""Claims of the papers, and the one rule that gives a verdict.

A claim is turned, before the result is looked at, into a quantity and the region where it must lie
if the claim holds. The verdict compares the quantity's 95% interval with that region.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy import optimize, stats

from nasrepro.effects import ALPHA, POWER
from nasrepro.errors import ConfigError
from nasrepro.stats import Interval, Student, holm

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
NOT_TESTABLE = "not testable here"  # what the claim is about cannot appear in our runs
NOT_RUN = "not run"  # there is nothing to compute the quantity from
VERDICTS = (SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTABLE, NOT_RUN)


@dataclass(frozen=True, slots=True)
class Region:
    """Where a quantity lies if the claim holds; an open bound is not part of it."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'>' if self.open_low else '≥'} {self.low:.3g}"
        if self.low == -math.inf:
            return f"{'<' if self.open_high else '≤'} {self.high:.3g}"
        return f"{self.low:.3g}" if self.low == self.high else f"{self.low:.3g} to {self.high:.3g}"


POSITIVE = Region(low=0, open_low=True)
NEGATIVE = Region(high=0, open_high=True)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a paper claims, as it can be tested."""

    id: str
    statement: str  # in our words
    where: str  # section, figure or table of the paper
    reported: str  # what the paper shows for it
    quantity: str  # what we compute
    region: Region
    counted: bool = False  # in complete tables, without any training: exact
    read: bool = False  # off a published figure: counted there, but only as exactly as it is drawn
    added: str = "before"  # our results were seen, or "after"
    corrected: bool = False  # after they were seen; a comment in the file says from what, and why
    untestable: str = ""  # why our runs cannot test it, if so; then there is no other verdict
    printed: float = math.nan  # the quantity as the paper has it, where it prints a number


class Estimate(Protocol):
    """A quantity of which the interval is known at every confidence."""

    @property
    def finest(self) -> float:
        """The smallest alpha that its intervals can tell from smaller ones."""
        ...

    def interval(self, confidence: float = 0.95) -> Interval:
        """Its interval."""
        ...


# What is counted, exactly or by the intervals of others, has an interval and no distribution.
Quantity = Interval | Estimate


def interval_of(quantity: Quantity, confidence: float = 1 - ALPHA) -> Interval:
    """The interval of a quantity; an interval is its own, whatever the confidence."""
    return quantity if isinstance(quantity, Interval) else quantity.interval(confidence)


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest of several estimates: surely above a bound if each of them is."""

    parts: tuple[Estimate, ...]

    @property
    def finest(self) -> float:
        """That of the part that tells least."""
        return max(part.finest for part in self.parts)

    def interval(self, confidence: float = 0.95) -> Interval:
        """The smallest mean, lower and upper bound, so that none is picked by its own mean.

        Without an interval if one part has none. n is the smallest as well.

        >>> two = Student(2.0, 0.5, math.inf, 5), Student(1.5, 1.0, math.inf, 8)
        >>> mean, low, high, n = Smallest(two).interval()
        >>> mean, round(low, 2), round(high, 2), n
        (1.5, -0.46, 2.98, 5)
        """
        intervals = [part.interval(confidence) for part in self.parts]
        mean, low, high, n = np.min(intervals, axis=0).tolist()
        return Interval(mean, low, high, int(n))


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest of several estimates: surely below a bound if each of them is."""

    parts: tuple[Estimate, ...]

    @property
    def finest(self) -> float:
        """That of the part that tells least."""
        return max(part.finest for part in self.parts)

    def interval(self, confidence: float = 0.95) -> Interval:
        """As `Smallest.interval`, with the largest mean and bounds; n is still the smallest.

        >>> two = Student(2.0, 0.5, math.inf, 5), Student(1.5, 1.0, math.inf, 8)
        >>> mean, low, high, n = Largest(two).interval()
        >>> mean, round(low, 2), round(high, 2), n
        (2.0, 1.02, 3.46, 5)
        """
        intervals = [part.interval(confidence) for part in self.parts]
        mean, low, high, _ = np.max(intervals, axis=0).tolist()
        return Interval(mean, low, high, min(interval.n for interval in intervals))


@dataclass(frozen=True, slots=True)
class Best:
    """By how much the best of one group is above the best of another: `Student`, one less one.

    Attributes:
        differences: for each of the one group, its difference to each of the other.
    """

    differences: tuple[tuple[Student, ...], ...]
    finest: ClassVar[float] = 0.0

    def interval(self, confidence: float = 0.95) -> Interval:
        """From bounds that hold for all of a group at once (Bonferroni's), so that none is picked.

        Surely above a bound if one is surely that far above each of the others; n is the smallest.

        >>> one, other = Student(3.0, 1.0, math.inf, 5), Student(1.0, 1.0, math.inf, 5)
        >>> mean, low, high, n = Best(((one, other), (other, other))).interval()
        >>> mean, round(low, 2), round(high, 2)  # 1 less 2.24; 1 and 2.24
        (1.0, -1.24, 3.24)
        """
        alpha, both = 1 - confidence, (self.differences, tuple(zip(*self.differences, strict=True)))
        ours, theirs = (
            [[each.interval(1 - alpha / len(group)) for each in row] for row in group]
            for group in both
        )
        return Interval(
            max(min(each.mean for each in row) for row in ours),
            max(min(each.low for each in row) for row in ours),
            min(max(each.high for each in row) for row in theirs),
            min(each.n for row in ours for each in row),
        )


def read_claims(paper: str) -> dict[str, Claim]:
    """The claims of a paper by their id, from `published/<paper>.toml`."""
    text = (resources.files("nasrepro.published") / f"{paper}.toml").read_text(encoding="utf-8")
    claims = {}
    for entry in tomllib.loads(text)["claim"]:
        region = Region(**entry.pop("region"))
        if entry["id"] in claims:
            raise ConfigError(f"{paper}.toml has two claims with the id {entry['id']!r}")
        claim = claims[entry["id"]] = Claim(region=region, **entry)
        if claim.added not in ("before", "after"):
            raise ConfigError(
                f"{paper}.toml: claim {claim.id!r} was added before or after results were seen, "
                f"found {claim.added!r}"
            )
    return claims


def verdict(interval: Interval, region: Region) -> str:
    """Supported if the whole interval lies in the region, contradicted if none of it does.

    An exact quantity has an interval of no width. Without an interval (one run) nothing is decided.

    >>> verdict(Interval(0.2, 0.1, 0.3, 5), POSITIVE)
    'supported'
    >>> verdict(Interval(0.2, -0.1, 0.5, 5), POSITIVE)
    'undecided'
    >>> verdict(Interval(0.2, 0.1, 0.3, 5), NEGATIVE)
    'contradicted'
    >>> verdict(Interval(0.2, float("nan"), float("nan"), 1), POSITIVE)
    'undecided'
    """
    if math.isnan(interval.low) or math.isnan(interval.high):
        return UNDECIDED
    if interval.low in region and interval.high in region:
        return SUPPORTED
    below = interval.high not in region and interval.high <= region.low
    above = interval.low not in region and interval.low >= region.high
    return CONTRADICTED if below or above else UNDECIDED


NONE = Interval(math.nan, math.nan, math.nan, 0)  # nothing to compute a quantity from


def judge(
    paper: str, quantities: Mapping[str, Quantity], untestable: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """One row for each claim of a paper: what it says, what we found, the verdict, its reason.

    Only that a claim is not testable has a reason; the others follow from interval and region. `p`
    is `p_value`, of claims that have one; `p_holm` the same by Holm's method over all of them, and
    `after_holm` the verdict where only a `p_holm` of at most 0.05 decides.

    Args:
        paper: as in `read_claims`.
        quantities: by the id of the claim; a claim without one is not run.
        untestable: why our runs turn out not to test a claim, by its id, as `Claim.untestable`.
    """
    rows: list[dict[str, Any]] = []
    for claim in read_claims(paper).values():
        quantity = quantities.get(claim.id, NONE)
        found = interval_of(quantity)
        reason = claim.untestable or (untestable or {}).get(claim.id, "")
        rows.append(
            {
                "claim": claim.id,
                "statement": claim.statement,
                "where": claim.where,
                "reported": claim.reported,
                "quantity": claim.quantity,
                "holds if": str(claim.region),
                **dict(zip(("ours", "ci_low", "ci_high", "n"), found, strict=True)),
                "counted": claim.counted,
                "read": claim.read,
                "added": claim.added,
                "corrected": claim.corrected,
                "verdict": NOT_TESTABLE if reason else _verdict(claim, found),
                "reason": reason,
                "p": math.nan if reason else p_value(quantity, claim.region),
            }
        )
    for row, p_holm in zip(rows, holm([row["p"] for row in rows]).tolist(), strict=True):
        row |= {"p_holm": p_holm, "after_holm": UNDECIDED if p_holm > ALPHA else row["verdict"]}
    return rows


def p_value(quantity: Quantity, region: Region) -> float:
    """The smallest alpha with which the rule decides: a verdict by the interval of 1 - alpha.

    Of an estimate with Student's distribution that is the two-sided p of the null that the truth is
    at the edge of the region (of two edges, at the one with the larger p). No smaller than
    `Estimate.finest`; 1 if no alpha decides, NaN of what is counted or has no interval.

    t is sqrt(3) at 2 degrees of freedom, so p is 1 - t / sqrt(t^2 + 2):

    >>> round(p_value(Student(1.0, 1 / 3**0.5, 2, 3), POSITIVE), 4) == round(1 - (3 / 5) ** 0.5, 4)
    True
    """
    if isinstance(quantity, Interval) or math.isnan(quantity.interval().low):
        return math.nan

    def undecided(log_alpha: float) -> float:
        interval = quantity.interval(-math.expm1(log_alpha))
        return 1.0 if verdict(interval, region) == UNDECIDED else -1.0

    first, last = math.log(max(quantity.finest, 1e-12)), math.log(1 - 1e-9)
    if undecided(first) < 0:
        return quantity.finest
    if undecided(last) > 0:
        return 1.0
    return math.exp(optimize.bisect(undecided, first, last, xtol=1e-6))


NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)


def chances(estimate: Student, region: Region, truth: float) -> tuple[float, float]:
    """How often the rule supports and contradicts, if the truth were this and the spread is known.

    Over repetitions whose estimate is normal about the truth with the error that was found, and
    whose own error is that by chi, as Student's t has it: the mean over the errors of the normal
    probabilities that an interval of that width lies within the region, or beyond it.

    Args:
        estimate: of which error and degrees of freedom count, and the scale.
        region: where the truth lies if the claim holds.
        truth: on the estimate's own scale.

    Returns:
        The probabilities of "supported" and of "contradicted".

    At the edge the rule errs as often on either side as it is meant to:

    >>> once = chances(Student(0.3, 0.2, 4, 5), POSITIVE, truth=0.0)
    >>> [round(chance, 4) for chance in once]
    [0.025, 0.025]
    """
    return _chances(estimate, *map(estimate.scale.to, (region.low, region.high, truth)))


def _chances(estimate: Student, low: float, high: float, true: float) -> tuple[float, float]:
    """`chances` with the region and the truth on the estimate's scale."""
    below, above, df = (low - true) / estimate.error, (high - true) / estimate.error, estimate.df
    known = math.isinf(df)  # then the error is
    ratio = 1.0 if known else np.sqrt(stats.chi2.ppf((1 + NODES) / 2, df) / df)
    half = stats.t.ppf(1 - ALPHA / 2, df) * ratio * np.ones_like(NODES)
    within = stats.norm.cdf(above - half) - stats.norm.cdf(below + half)
    beyond = stats.norm.cdf(below - half) + stats.norm.sf(above + half)
    supported, contradicted = (float(WEIGHTS @ p / 2) for p in (np.maximum(within, 0), beyond))
    return supported, contradicted


def needed(estimate: Student, region: Region, wanted: float = POWER) -> float:
    """The truth nearest to the edge of a region that is supported as often as wanted.

    Args:
        estimate: as in `chances`; of two edges, the one nearest to it counts.
        region: where the truth lies if the claim holds.
        wanted: probability of "supported".

    Returns:
        The truth on the estimate's own scale; NaN if no truth is supported so often.

    With a known error, 1.96 and 0.842 of it from the edge:

    >>> round(needed(Student(0.3, 1.0, math.inf, 9), POSITIVE), 3)
    2.802
    """
    low, high = estimate.scale.to(region.low), estimate.scale.to(region.high)
    edge = min(filter(math.isfinite, (low, high)), key=lambda bound: abs(bound - estimate.mean))
    inwards = 1 if edge == low else -1
    far = (low + high) / 2 if math.isfinite(high - low) else edge + inwards * 1e3 * estimate.error

    def lacking(true: float) -> float:
        return wanted - _chances(estimate, low, high, true)[0]

    return (
        math.nan if lacking(far) > 0 else estimate.scale.back(optimize.brentq(lacking, edge, far))
    )


def decides(paper: str, quantities: Mapping[str, Quantity]) -> list[dict[str, Any]]:
    """What the design can decide: `chances` of each claim, for three truths.

    Args:
        paper: as in `read_claims`.
        quantities: by the id of the claim. Those without Student's distribution or without a spread
            are left out: of them it is not known how they would come out under another truth.

    Returns:
        One row a claim, with claim, statement, holds if, n; edge, and the chances of "supported"
        and "contradicted" (`edge_supported`, `edge_contradicted`) if the truth is there, at the
        edge of the region that is nearest to the estimate; the same of `zero`, where it is not the
        edge, and of `printed`, where the paper prints the quantity, else NaN; and `needed`.
    """
    rows = []
    for claim in read_claims(paper).values():
        estimate = quantities.get(claim.id)
        if claim.untestable or not isinstance(estimate, Student) or not estimate.error > 0:
            continue
        mean = estimate.interval().mean
        edges = [edge for edge in (claim.region.low, claim.region.high) if math.isfinite(edge)]
        edge = min(edges, key=lambda bound: abs(bound - mean))
        inside = math.isfinite(estimate.scale.to(0.0)) and edge != 0
        truths = {"edge": edge, "zero": 0.0 if inside else math.nan, "printed": claim.printed}
        row: dict[str, Any] = {"claim": claim.id, "statement": claim.statement}
        row |= {"holds if": str(claim.region), "n": estimate.n}
        row["needed"] = needed(estimate, claim.region)
        for name, truth in truths.items():
            known = not math.isnan(truth)
            found = chances(estimate, claim.region, truth) if known else (math.nan, math.nan)
            row |= {name: truth, f"{name}_supported": found[0], f"{name}_contradicted": found[1]}
        rows.append(row)
    return rows


def _verdict(claim: Claim, found: Interval) -> str:
    """That of a claim that can be tested, whether or not there is anything to judge it by."""
    return verdict(found, claim.region) if found.n else NOT_RUN


def count_positive(quantities: Iterable[Quantity], alpha: float = ALPHA) -> Interval:
    """How many quantities are above zero: by their means, and by what their intervals leave open.

    The lower bound counts those whose whole interval is above zero, the upper one all whose
    interval reaches above it; one without an interval is open.

    Args:
        quantities: estimates, or intervals, which stay as they are.
        alpha: of the intervals of estimates. Where one of k is enough for a claim, a k-th of
            what the claim is to have.

    >>> nan = float("nan")
    >>> count_positive([Interval(2, 1, 3, 5), Interval(2, -1, 5, 5), Interval(-1, nan, nan, 1)])
    Interval(mean=2, low=1, high=3, n=3)
    """
    intervals = [interval_of(quantity, 1 - alpha) for quantity in quantities]
    return Interval(
        sum(q.mean > 0 for q in intervals),
        sum(q.low > 0 for q in intervals),
        sum(not q.high <= 0 for q in intervals),
        len(intervals),
    )


def exact(value: float, n: int) -> Interval:
    """An interval of no width, for what is counted and not estimated."""
    return Interval(value, value, value, n)
