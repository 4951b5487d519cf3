"""Regions, verdicts and the published claims."""

import math
from itertools import product

import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.claims import (
    NEGATIVE,
    POSITIVE,
    Region,
    Smallest,
    chances,
    decides,
    exact,
    judge,
    needed,
    p_value,
    read_claims,
    verdict,
)
from nasrepro.resampling import resampled, resampled_difference
from nasrepro.stats import LOGARITHM, Interval, Student, deviation_ratio, fisher_correlation
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
    assert len(claims) == 33
    assert sum(claim.counted for claim in claims.values()) == 10  # those about the table alone
    for name, claim in claims.items():
        assert claim.id == name
        for part in (claim.statement, claim.where, claim.reported, claim.quantity):
            assert part.strip()
        assert claim.region.low > -math.inf or claim.region.high < math.inf


# ---- p, Holm's method, and what a design can decide


@pytest.mark.parametrize("region", [POSITIVE, NEGATIVE, Region(-1, 1), Region(2, 3)])
@settings(deadline=None, max_examples=20)
@given(mean=st.floats(-3, 4), error=st.floats(0.01, 3), df=st.integers(1, 30))
def test_p_is_at_most_alpha_where_the_rule_decides(region, mean, error, df):
    estimate = Student(mean, error, df, df + 1)
    decided = verdict(estimate.interval(), region) != "undecided"
    p = p_value(estimate, region)
    assert (p < 0.05) == decided or p == pytest.approx(0.05, rel=1e-4)
    # Student's two-sided p at each edge; both edges must be left out.
    edges = [edge for edge in (region.low, region.high) if math.isfinite(edge)]
    expected = [2 * scipy.stats.t.sf(abs(mean - edge) / error, df) for edge in edges]
    assert p == pytest.approx(max(expected), rel=1e-4, abs=1e-9)


def test_the_p_of_a_ratio_and_of_a_correlation_is_that_on_their_scale():
    ratio = deviation_ratio([[[0, 4]], [[0, 8]]], [[[1, 3]], [[0, 1]]])  # ln 4 by ln 2, one df
    expected = 2 * scipy.stats.t.sf(math.log(4) / math.log(2), 1)
    assert p_value(ratio, Region(high=1.0)) == pytest.approx(expected, rel=1e-4)
    x, y = range(7), [0, 1, 2, 3, 5, 4, 6]
    z = math.atanh(1 - 6 * 2 / 336) * math.sqrt(4 / 1.06)
    assert p_value(fisher_correlation(x, y), POSITIVE) == pytest.approx(
        2 * scipy.stats.norm.sf(z), rel=1e-4
    )


def test_the_smallest_of_several_is_above_a_bound_as_surely_as_the_least_sure_of_them():
    sure, less = Student(5.0, 1.0, 9, 10), Student(2.0, 1.0, 9, 10)
    assert p_value(Smallest((sure, less)), POSITIVE) == p_value(less, POSITIVE)


def test_a_bootstrap_of_few_runs_knows_no_p_below_its_rarest_resample():
    """Two runs each: of the 16 pairs of resamples each has 1/16; t of one df is z / sqrt(2)."""
    apart = resampled_difference([[5], [7]], [[1], [3]], lambda mean: mean[0])
    rarest = scipy.stats.norm.ppf(1 / 16) / math.sqrt(2)
    assert verdict(apart.interval(), POSITIVE) == "supported"
    assert p_value(apart, POSITIVE) == pytest.approx(2 * scipy.stats.t.cdf(rarest, 1))
    one = resampled([[5]], lambda mean: mean[0])
    assert math.isnan(p_value(one, POSITIVE))


def test_what_is_counted_has_no_p_and_is_no_member_of_the_family():
    found = {
        "conv3-half": exact(0.5, 500),
        "mask-zero-tau": Student(3.0, 1.0, 8, 10),  # p = 0.0171 twice, by Holm
        "mask-zero-skip": Student(2.5, 1.0, 8, 10),  # p = 0.0369
        "mask-both": Student(0.1, 1.0, 8, 10),
    }
    rows = pd.DataFrame(judge("laube", found)).set_index("claim")
    assert rows["p"].notna().sum() == rows["p_holm"].notna().sum() == 3
    p = 2 * scipy.stats.t.sf(2.5, 8)
    assert rows["p_holm"]["mask-zero-skip"] == pytest.approx(2 * p, rel=1e-4)
    assert rows["verdict"]["mask-zero-skip"] == "supported"
    assert rows["after_holm"]["mask-zero-skip"] == "undecided"
    assert rows["after_holm"]["conv3-half"] == rows["verdict"]["conv3-half"] == "supported"
    assert rows["after_holm"]["tau-rises"] == "not run"


@settings(deadline=None, max_examples=20)
@given(truth=st.floats(-2, 2), df=st.integers(1, 40), error=st.floats(0.1, 2))
def test_chances_about_a_sign_are_those_of_the_noncentral_t(truth, df, error):
    critical = scipy.stats.t.ppf(0.975, df)
    # P(T > t) is the mean over chi of P(Z > t chi - truth).
    chi = scipy.stats.chi(df, scale=df**-0.5)
    delta = truth / error
    above = chi.expect(lambda s: scipy.stats.norm.sf(critical * s - delta))
    below = chi.expect(lambda s: scipy.stats.norm.cdf(-critical * s - delta))
    found = chances(Student(0.7, error, df, df + 1), POSITIVE, truth)
    assert found == pytest.approx((above, below), abs=2e-4)


def test_chances_about_a_size_by_hand():
    """Known errors of 0.2: the interval is the estimate ± 0.392, and ± 1 leaves it 0.608."""
    about = Student(0.0, 0.2, math.inf, 9)
    half, normal = 1.959964 * 0.2, scipy.stats.norm(0.5, 0.2)
    expected = normal.cdf(1 - half) - normal.cdf(half - 1)
    beyond = normal.sf(1 + half) + normal.cdf(-1 - half)
    assert chances(about, Region(-1, 1), 0.5) == pytest.approx((expected, beyond), abs=1e-6)
    wide = Student(0.0, 0.6, math.inf, 9)  # ± 1.176: it never fits
    assert chances(wide, Region(-1, 1), 0.0)[0] == 0


def test_what_is_needed_is_supported_as_often_as_wanted_or_is_nothing():
    few = Student(0.1, 0.2, 4, 5)
    for region in (POSITIVE, NEGATIVE, Region(-1, 1)):
        truth = needed(few, region)
        assert truth in region and abs(truth) > 0
        assert chances(few, region, truth)[0] == pytest.approx(0.8, abs=1e-6)
    ratio = Student(0.1, 0.5, 4, 5, LOGARITHM)
    plain = needed(Student(0.1, 0.5, 4, 5), POSITIVE)
    assert needed(ratio, Region(low=1.0)) == pytest.approx(math.exp(plain))
    assert math.isnan(needed(Student(0.0, 0.6, math.inf, 9), Region(-1, 1)))  # it never fits


def test_what_a_design_can_decide_is_told_of_claims_with_students_distribution():
    found = {
        "conv3-half": exact(0.5, 500),
        "same-level": Student(0.03, 0.01, 4, 6),
        "outputs-matter": Student(0.2, 0.05, 4, 6),
        "medium-fails": Student(1.0, 1.0, 4, 6),
    }
    level, outputs = sorted(decides("pourchot_ranking", found), key=lambda row: row["n"])
    both = {row["claim"]: row for row in (level, outputs)}
    level, outputs = both["same-level"], both["outputs-matter"]
    assert level["edge"] == 0.05 and level["zero"] == 0 and level["printed"] == pytest.approx(0.01)
    assert level["edge_contradicted"] == pytest.approx(0.025, abs=1e-3)
    assert outputs["edge"] == 0 and math.isnan(outputs["zero_supported"])  # it is the edge
    assert outputs["printed"] == pytest.approx(0.09)
    assert decides("laube", found) == []


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
    none = pd.DataFrame(columns=["claim", "mean", "ci_low", "ci_high", "n", "df"])
    judged = pd.DataFrame(judge(appraisal.CLAIMS, appraisal.quantities(ranks, none)))
    # All but the one about the level, not about differences.
    judged = judged.query("n > 0 and claim != 'no-tuning-poor'")
    assert {"fine-tuning", "same-level", "less-variance", "size-hint"} <= set(judged["claim"])
    assert not (judged["verdict"] == "supported").any()
