"""Regions, verdicts and the published claims."""

import math
from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.claims import NEGATIVE, POSITIVE, Region, exact, judge, read_claims, verdict
from nasrepro.stats import Interval
from nasrepro.studies import appraisal

numbers = st.floats(-10, 10, allow_nan=False)


@pytest.mark.parametrize(
    ("low", "high", "region", "expected"),
    [
        (0.1, 0.3, POSITIVE, "supported"),
        (0.0, 0.3, POSITIVE, "undecided"),  # zero is not above zero
        (-0.3, 0.0, POSITIVE, "contradicted"),
        (-0.3, 0.1, NEGATIVE, "undecided"),
        (0.4, 0.6, Region(0.4, 0.6), "supported"),
        (0.6, 0.7, Region(0.4, 0.6), "undecided"),  # they share the point 0.6
        (0.61, 0.7, Region(0.4, 0.6), "contradicted"),
        (0.1, 0.39, Region(0.4, 0.6), "contradicted"),
        (0.3, 0.7, Region(0.4, 0.6), "undecided"),
    ],
)
def test_verdict_compares_the_interval_with_the_region(low, high, region, expected):
    assert verdict(Interval((low + high) / 2, low, high, 5), region) == expected


@given(numbers, numbers)
def test_a_point_is_never_undecided(value, bound):
    inside = verdict(exact(value, 1), Region(low=bound)) == "supported"
    assert inside == (value >= bound)
    assert verdict(exact(value, 1), Region(low=bound)) in ("supported", "contradicted")


@given(numbers, numbers, numbers)
def test_narrowing_an_interval_never_turns_a_verdict_round(low, high, bound):
    low, high = min(low, high), max(low, high)
    middle = (low + high) / 2
    wide = verdict(Interval(middle, low, high, 5), Region(low=bound))
    narrow = verdict(Interval(middle, middle, middle, 5), Region(low=bound))
    assert wide in (narrow, "undecided")


def test_one_run_decides_nothing():
    assert verdict(Interval(0.5, math.nan, math.nan, 1), POSITIVE) == "undecided"


@pytest.mark.parametrize(
    ("region", "text"),
    [(POSITIVE, "> 0"), (NEGATIVE, "< 0"), (Region(1, 1), "1"), (Region(low=2), "≥ 2")],
)
def test_regions_are_written_as_people_write_them(region, text):
    assert str(region) == text


def test_a_claim_that_cannot_be_tested_has_no_verdict_whatever_is_found():
    region = read_claims("laube")["medium-fails"].region
    found = {"medium-fails": exact(0, 6), "mask-zero-tau": Interval(0.5, 0.4, 0.6, 5)}
    assert verdict(found["medium-fails"], region) == "contradicted"
    rows = pd.DataFrame(judge("laube", found)).set_index("claim")
    assert rows["verdict"]["medium-fails"] == "not testable here"
    assert "statistics of the batch" in rows["reason"]["medium-fails"]
    assert rows["ours"]["medium-fails"] == 0  # what was found is shown
    assert (rows["verdict"]["mask-zero-tau"], rows["reason"]["mask-zero-tau"]) == ("supported", "")
    assert rows["verdict"]["mask-zero-chance"] == "not testable here"  # nor if there is nothing


def test_every_published_claim_says_all_a_reader_needs():
    claims = read_claims("laube")
    assert len(claims) == 24
    assert sum(claim.counted for claim in claims.values()) == 5  # those about the table alone
    for name, claim in claims.items():
        assert claim.id == name
        for part in (claim.statement, claim.where, claim.reported, claim.quantity):
            assert part.strip()
        assert claim.region.low > -math.inf or claim.region.high < math.inf


@settings(deadline=None, max_examples=30)
@given(st.floats(-1, 1), st.integers(2, 12), st.integers(2, 40))
def test_supernets_that_all_rank_alike_support_no_claim(value, few, many):
    """Groups of different sizes, so that plain means of the one value differ by rounding."""
    groups = product(appraisal.SPACES, appraisal.METHODS)
    ranks = pd.DataFrame(
        [
            (space, method, seed, value)
            for number, (space, method) in enumerate(groups)
            for seed in range(many if number % 3 else few)
        ],
        columns=["space", "method", "seed", "spearman"],
    )
    none = pd.DataFrame(columns=["claim", "mean", "ci_low", "ci_high", "n"])
    judged = appraisal.judge(ranks, none).query("n > 0")
    assert {"fine-tuning", "same-level", "less-variance", "size-hint"} <= set(judged["claim"])
    assert not (judged["verdict"] == "supported").any()
