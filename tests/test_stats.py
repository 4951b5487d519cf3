import math

import numpy as np
import pytest
from groups import DRUG_1, DRUG_2, groups, quick
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from statsmodels.stats.multitest import multipletests

from nasrepro import stats
from nasrepro.resampling import jackknife

INTERVALS = [
    stats.mean_interval,
    lambda values, confidence=0.95: stats.difference_interval(values, [1, 2, 4], confidence),
    lambda values, confidence=0.95: stats.stratified_mean([values, [1, 2, 4]]).interval(confidence),
]


def test_mean_interval_by_hand():
    # sum(d^2) = 10, so sd / sqrt(5) = sqrt(0.5); t for 4 degrees of freedom is 2.776445.
    interval = stats.mean_interval([1, 2, 3, 4, 5])
    half = 2.776445 * math.sqrt(0.5)
    assert interval == pytest.approx((3, 3 - half, 3 + half, 5), abs=1e-6)


def test_the_interval_of_paired_differences_is_that_of_students_sleep_data():
    interval = stats.mean_interval(np.subtract(DRUG_1, DRUG_2))
    assert interval == pytest.approx((-1.58, -2.4598858, -0.7001142, 10), abs=1e-7)


def test_welch_interval_of_students_sleep_data():
    interval = stats.difference_interval(DRUG_1, DRUG_2)
    assert interval == pytest.approx((-1.58, -3.3654832, 0.2054832, 20), abs=1e-7)


def test_welch_interval_uses_each_groups_own_variance():
    # b is constant, so the error and its 2 degrees of freedom are those of a: t is 4.302653.
    interval = stats.difference_interval([1, 2, 3], [0, 0, 0, 0, 0])
    half = 4.302653 / math.sqrt(3)
    assert interval == pytest.approx((2, 2 - half, 2 + half, 8), abs=1e-6)


def test_t_interval_covers_the_mean_as_often_as_it_says():
    # 2,000 experiments of three runs: the share covered is 0.8 give or take 0.009.
    generator = np.random.default_rng(1)
    intervals = [stats.mean_interval(runs, 0.8) for runs in generator.normal(size=(2000, 3))]
    covered = np.mean([interval.low < 0 < interval.high for interval in intervals])
    assert covered == pytest.approx(0.8, abs=0.036)


@pytest.mark.parametrize(
    ("runs", "spread", "covered"), [(3, 1, 0.955), (3, 3, 0.934), (2, 1, 0.936), (2, 3, 0.895)]
)
def test_how_often_an_interval_against_five_runs_has_the_truth(runs, spread, covered):
    """Shares of 200,000 draws, here of 2,000: their standard error is at most .0069."""
    generator = np.random.default_rng(0)
    draws = zip(
        generator.normal(0, spread, (2_000, runs)), generator.normal(0, 1, (2_000, 5)), strict=True
    )
    intervals = [stats.difference(a, b).interval() for a, b in draws]
    hits = sum(interval.low <= 0 <= interval.high for interval in intervals)
    assert hits / 2_000 == pytest.approx(covered, abs=0.02)


@quick
@given(groups, groups)
def test_difference_changes_sign_with_the_order_of_groups(a, b):
    assume(len({*a, *b}) > 1)
    ab, ba = stats.difference_interval(a, b), stats.difference_interval(b, a)
    assert (ab.mean, ab.low, ab.high) == pytest.approx((-ba.mean, -ba.high, -ba.low), abs=1e-9)


# Strata


@quick
@given(groups)
def test_one_stratum_is_a_plain_mean(values):
    assert stats.stratified_mean([values]).interval() == pytest.approx(
        stats.mean_interval(values), abs=1e-9
    )


@quick
@given(st.lists(groups, min_size=1, max_size=4), st.lists(groups, min_size=1, max_size=4))
def test_a_difference_of_strata_is_the_mean_over_twice_as_many(a, b):
    # Half of the mean difference is the mean over all groups, those of b with the other sign.
    k = min(len(a), len(b))
    assume(any(len({*g, *h}) > 1 for g, h in zip(a, b, strict=False)))
    both = [*a[:k], *(np.negative(group) for group in b[:k])]
    difference, mean = (
        stats.stratified_difference(a[:k], b[:k]).interval(),
        stats.stratified_mean(both).interval(),
    )
    assert difference[:3] == pytest.approx(np.multiply(2, mean[:3]), abs=1e-9)


# Groups that do not vary


def test_a_mean_of_equal_runs_is_their_value():
    for n in range(2, 41):
        assert stats.mean_interval([0.04] * n) == (0.04, 0.04, 0.04, n)
        assert stats.stratified_mean([[0.04] * n] * 3).interval()[:3] == (0.04, 0.04, 0.04)


def test_deviations_of_few_runs_are_no_smaller_than_those_of_many():
    """Normal runs of one spread, 3 by 5 a group: without the correction the mean log is -0.15."""
    generator = np.random.default_rng(0)
    few, many = generator.normal(size=(4000, 1, 3)), generator.normal(size=(4000, 1, 5))
    found = stats.deviation_ratio(few, many).interval()
    assert found.low < 1 < found.high and found.high / found.low < 1.06


def test_a_group_that_scatters_a_lot_does_not_outweigh_the_others():
    """Pooled, the ratio would be that of the second stratum, 0.5; but it is 2 in the first."""
    a, b = [[[0, 2]], [[0, 1000]]], [[[0, 1]], [[0, 2000]]]
    assert stats.deviation_ratio(a, b).interval().mean == pytest.approx(1)
    with pytest.raises(ValueError, match="same strata"):
        stats.deviation_ratio(a, b[:1])


def test_a_spread_below_the_smallest_square_is_none():
    assert stats.difference_interval([0, 1e-170], [5e-170, 5e-170])[:3] == pytest.approx(
        (-4.5e-170,) * 3, abs=0
    )


def test_rankings_that_differ_by_rounding_are_constant():
    values = [[0.3, 1, 3], [0.1 + 0.2, 2, 2], [0.3, 3, 1], [0.3, 5, 4]]
    assert math.isnan(stats.spearman_interval(values, np.random.default_rng(0)).mean)
    x, y, _ = np.transpose(values)
    assert math.isnan(stats.fisher_correlation(x, y).interval().mean)
    assert math.isnan(stats.mean_rank_gain(values))


def test_a_perfect_order_of_few_pairs_is_not_certain():
    perfect = stats.fisher_correlation([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert perfect.interval().mean == pytest.approx(1) and math.isnan(perfect.interval().low)
    near = stats.fisher_correlation([1, 2, 3, 4, 5], [1, 2, 3, 5, 4]).interval()
    assert near.mean == pytest.approx(0.9) and -1 < near.low < 0.9 < near.high < 1


def test_the_mean_of_estimates_with_known_errors_has_one():
    known = [stats.Student(mean, 1.0, math.inf, 5) for mean in (2.0, 4.0)]
    both = stats.mean_of_estimates(known)
    assert (both.mean, both.error, both.df) == (3.0, pytest.approx(0.5**0.5), math.inf)


def test_no_strata_are_an_error():
    with pytest.raises(ValueError, match="at least one stratum"):
        stats.stratified_mean([])


# Shares


def test_a_share_by_hand():
    # Wilson's bounds of 4 in 10 at z = 1.959964: (4 + z^2 / 2 ± z sqrt(2.4 + z^2 / 4)) / (10 + z^2)
    interval = stats.Share(4, 10).interval()
    assert interval == pytest.approx((0.4, 0.168180, 0.687326, 10), abs=1e-6)


@quick
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_of_the_others_is_the_rest(counts):
    k, n = counts
    share, rest = stats.Share(k, n).interval(), stats.Share(n - k, n).interval()
    assert (share.low, share.high) == pytest.approx((1 - rest.high, 1 - rest.low), abs=1e-12)


# What all intervals share


@pytest.mark.parametrize("interval", INTERVALS)
def test_one_run_has_a_mean_and_no_interval(interval):
    result = interval([3.0])
    assert math.isfinite(result.mean)
    assert math.isnan(result.low) and math.isnan(result.high)


@pytest.mark.parametrize(
    "interval",
    [
        stats.mean_interval,
        lambda v: stats.difference_interval(v, [0, 0]),
        lambda v: stats.stratified_mean([v, v]).interval(),
    ],
)
def test_runs_that_agree_have_an_interval_of_no_width(interval):
    result = interval([7, 7, 7])
    assert (result.mean, result.low, result.high) == (7, 7, 7)


@pytest.mark.parametrize("interval", INTERVALS)
def test_more_confidence_is_wider(interval):
    values = [0.1, 0.7, 0.4, 0.9, 0.3]
    wide, narrow = interval(values, 0.99), interval(values, 0.5)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_confidence_is_a_probability(interval, confidence):
    with pytest.raises(ValueError, match=f"between 0 and 1, found {confidence}"):
        interval([1, 2, 3], confidence)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"at least 1 value\(s\), found 0"),
        ([1, math.nan], "finite numbers, found 1 "),
        ([[1, 2], [3, 4]], r"one dimension, found shape \(2, 2\)"),
    ],
)
def test_errors_say_what_was_expected_and_found(interval, values, message):
    with pytest.raises(ValueError, match=message):
        interval(values)


# ---- rankings


@quick
@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 3), min_size=2, max_size=12))
def test_the_correlation_of_rankings_is_scipys_mean_over_pairs(rows):
    values = np.array(rows, dtype=float)
    assume((np.ptp(values, axis=0) > 0).all())
    pairs = [spearmanr(values[:, a], values[:, b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    interval = stats.spearman_interval(values, np.random.default_rng(0), resamples=10)
    assert (interval.mean, interval.n) == (pytest.approx(np.mean(pairs)), len(rows))


def test_the_interval_of_rankings_is_the_bootstrap_of_their_rows():
    """Against scipy's own bootstrap of paired data, up to the luck of the draw."""
    from scipy.stats import bootstrap

    generator = np.random.default_rng(5)
    truth = generator.normal(size=60)
    values = np.column_stack([truth + generator.normal(size=60) for _ in range(2)])
    interval = stats.spearman_interval(values, np.random.default_rng(1), 0.9, resamples=4000)
    expected = bootstrap(
        tuple(values.T),
        lambda x, y: spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=0.03)
    assert interval.low < interval.mean < interval.high
    again = stats.spearman_interval(values, np.random.default_rng(1), 0.9, resamples=4000)
    assert again == interval


def test_rankings_that_cannot_be_told_apart_have_no_interval():
    interval = stats.spearman_interval([[1, 1], [2, 1], [3, 1]], np.random.default_rng(0))
    assert math.isnan(interval.mean) and math.isnan(interval.low) and math.isnan(interval.high)
    few = stats.spearman_interval([[1, 2], [3, 4]], np.random.default_rng(0))
    assert few.mean == pytest.approx(1) and math.isnan(few.low)  # a resample takes one row twice


def test_the_gain_of_rankings_is_that_of_the_mean_correlations():
    generator = np.random.default_rng(7)
    one, other = generator.normal(size=(2, 80))
    rankings = np.column_stack([one + generator.normal(size=80) for _ in range(3)])
    pairs = [spearmanr(r, one).statistic - spearmanr(r, other).statistic for r in rankings.T]
    columns = np.column_stack([rankings, one, other])
    assert stats.mean_rank_gain(columns) == pytest.approx(np.mean(pairs))
    found = jackknife(columns, stats.mean_rank_gain).interval()
    assert found.n == 80 and 0 < found.low < found.mean < found.high
    assert stats.mean_rank_gain(np.column_stack([rankings, one, one])) == 0
    assert math.isnan(stats.mean_rank_gain([[1, 1, 3], [1, 2, 2], [1, 3, 1]]))


@pytest.mark.parametrize("values", [[[1, 2]], [[1], [2]], [1, 2], [[1, math.nan], [2, 3]]])
def test_rankings_that_are_none_are_refused(values):
    with pytest.raises(ValueError, match="two of each"):
        stats.spearman_interval(values, np.random.default_rng(0))


# Effect sizes and power


@pytest.mark.parametrize("size", [1, 2, 40])
def test_holms_method_is_that_of_statsmodels_and_leaves_out_what_is_unknown(size):
    p = np.random.default_rng(size).random(2 * size).round(1) ** 4  # some are equal
    p[::2] = np.nan
    found = stats.holm(p)
    assert np.isnan(found[::2]).all() and np.isnan(stats.holm(p[::2])).all()
    assert found[1::2] == pytest.approx(multipletests(p[1::2], method="holm")[1])


# Scatter of two groups


@pytest.mark.parametrize(("n", "spread"), [(3, 1.0), (5, 3.0)])
def test_intervals_of_the_ratio_of_deviations_cover_it(n, spread):
    """Of normal runs 95 of 100 times, independent or of the same runs: 4,000 draws each."""
    generator = np.random.default_rng(0)
    covered = {"apart": 0, "paired": 0}
    for _ in range(4_000):
        a, b = generator.normal(0, spread, n), generator.normal(0, 1, n)
        other = 0.8 * a / spread + 0.6 * b  # deviation 1, correlation 0.8
        for name, found in (
            ("apart", stats.ratio_of_deviations(a, b)),
            ("paired", stats.paired_ratio_of_deviations(a, other)),
        ):
            interval = found.interval()
            covered[name] += interval.low <= spread <= interval.high
    assert all(abs(count / 4_000 - 0.95) < 0.014 for count in covered.values())  # four errors


def test_without_spread_or_runs_a_ratio_of_deviations_has_no_interval():
    for ratio in (stats.ratio_of_deviations, stats.paired_ratio_of_deviations):
        mean, low, high, _ = ratio([1, 1, 1], [0, 1, 2]).interval()
        assert mean == 0 and np.isnan([low, high]).all()
        assert np.isnan(ratio([0, 1, 2], [1, 1, 1]).interval()[:3]).all()
    mean, low, high, n = stats.paired_ratio_of_deviations([0, 4], [0, 1]).interval()
    assert (mean, n) == (4, 2) and np.isnan([low, high]).all()


def test_estimates_without_spread_do_not_undo_the_freedom_of_others():
    groups = [[1.0, 1.0, 1.0], [0.0, 1.0, 2.0], [3.0, 5.0]]
    together = stats.mean_of_estimates([stats.stratified_mean([group]) for group in groups])
    expected = stats.stratified_mean(groups)
    assert together.interval() == pytest.approx(expected.interval())
