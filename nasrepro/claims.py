"""Claims of the papers, and the one rule that gives a verdict.

A claim is turned, before the result is looked at, into a quantity and the region where it must lie
if the claim holds. The verdict compares the quantity's 95% interval with that region.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.stats import Interval

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
    added: str = "before"  # our results were seen, or "after"
    corrected: bool = False  # after they were seen; a comment in the file says from what, and why
    untestable: str = ""  # why our runs cannot test it, if so; then there is no other verdict
    printed: float | None = None  # the quantity itself, where the paper's numbers give it


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


def judge(paper: str, quantities: Mapping[str, Interval]) -> list[dict[str, Any]]:
    """One row for each claim of a paper: what it says, what we found, the verdict, its reason.

    Only that a claim is not testable has a reason; the others follow from interval and region.

    Args:
        paper: as in `read_claims`.
        quantities: by the id of the claim; a claim without one is not run.
    """
    rows = []
    for claim in read_claims(paper).values():
        found = quantities.get(claim.id, Interval(math.nan, math.nan, math.nan, 0))
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
                "added": claim.added,
                "corrected": claim.corrected,
                "verdict": _verdict(claim, found),
                "reason": claim.untestable,
            }
        )
    return rows


def _verdict(claim: Claim, found: Interval) -> str:
    """That of a claim, whether or not there is anything to judge it by."""
    if claim.untestable:
        return NOT_TESTABLE
    return verdict(found, claim.region) if found.n else NOT_RUN


def count_positive(quantities: Sequence[Interval]) -> Interval:
    """How many quantities are above zero: by their means, and by what their intervals leave open.

    The lower bound counts those whose whole interval is above zero, the upper one all whose
    interval reaches above it; one without an interval is open.

    >>> nan = float("nan")
    >>> count_positive([Interval(2, 1, 3, 5), Interval(2, -1, 5, 5), Interval(-1, nan, nan, 1)])
    Interval(mean=2, low=1, high=3, n=3)
    """
    return Interval(
        sum(q.mean > 0 for q in quantities),
        sum(q.low > 0 for q in quantities),
        sum(not q.high <= 0 for q in quantities),
        len(quantities),
    )


def smallest(quantities: Sequence[Interval]) -> Interval:
    """The smallest of several quantities: surely above a bound if each of them is.

    The smallest mean, lower and upper bound, so that no quantity is picked by its own mean; without
    an interval if one has none. n is the smallest as well.

    >>> smallest([Interval(2.0, 1, 3.5, 5), Interval(1.5, -2, 5, 8)])
    Interval(mean=1.5, low=-2.0, high=3.5, n=5)
    """
    mean, low, high, n = np.min(quantities, axis=0).tolist()
    return Interval(mean, low, high, int(n))


def exact(value: float, n: int) -> Interval:
    """An interval of no width, for what is counted and not estimated."""
    return Interval(value, value, value, n)
