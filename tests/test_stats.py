import math
from functools import cache
from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special
from scipy.stats import spearmanr
from statsmodels.stats.multitest import multipletests

from nasrepro import stats
from nasrepro.claims import SUPPORTED, read_claims, verdict
from nasrepro.errors import NoSolutionError

quick = settings(deadline=None, max_examples=60)
groups = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8)

# Extra hours of sleep under two drugs, ten patients (Student 1908); the intervals of the
# differences are those printed for R's data set `sleep`.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

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


@st.composite
def equal_groups(draw):
    """Two groups of one value, each run of it a few roundings off."""
    value = draw(st.floats(1e-3, 100) | st.floats(-100, -1e-3) | st.just(0.0))
    off = st.integers(-3, 3).map(lambda k: value * (1 + k * np.finfo(float).eps))
    return tuple(draw(st.lists(off, min_size=2, max_size=40)) for _ in range(2))


PAPERS = ("laube", "pourchot_ranking", "pourchot_search")
REGIONS = {claim.region for paper in PAPERS for claim in read_claims(paper).values()}


def test_a_mean_of_equal_runs_is_their_value():
    for n in range(2, 41):
        assert stats.mean_interval([0.04] * n) == (0.04, 0.04, 0.04, n)
        assert stats.stratified_mean([[0.04] * n] * 3).interval()[:3] == (0.04, 0.04, 0.04)


@quick
@given(equal_groups())
def test_groups_that_do_not_vary_differ_in_nothing_and_support_no_claim(pair):
    a, b = pair
    strata = ([a, b], [b, a])
    differences = stats.difference_interval(a, b), stats.stratified_difference(*strata).interval()
    for interval in differences:
        assert interval.mean == 0
        assert not any(verdict(interval, region) == SUPPORTED for region in REGIONS)
    assert np.isnan(
        [
            stats.cohens_d(a, b),
            *stats.effect_interval(stats.cohens_d(a, b), len(a), len(b))[:3],
            *stats.deviation_ratio([[a]], [[b]]).interval()[:3],
            *_difference_of_first(a[:5], b[:5])[1:3],
            stats.student_test(a, b).p,
            stats.welch_test(a, b).p,
        ]
    ).all()
    assert stats.pooled_deviation(a, b) == 0
    assert stats.probability_of_superiority(a, b) == 0.5


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


def _difference_of_first(a, b):
    columns = (np.asarray(values)[:, None] for values in (a, b))
    return stats.resampled_difference(*columns, statistic=lambda mean: mean[0]).interval()


def test_every_resample_of_runs_counts_as_often_as_it_would_be_drawn():
    """All 27 resamples of three runs, spelt out: the bounds are quantiles of their statistic."""
    runs = np.array([[1.0, 5.0], [2.0, 1.0], [7.0, 3.0]])
    drawn = [runs[list(chosen)].mean(axis=0) for chosen in product(range(3), repeat=3)]
    products = np.sort([np.prod(mean) for mean in drawn])
    found = stats.resampled(runs, np.prod).interval()
    assert found.mean == pytest.approx(10 / 3 * 3) and found.n == 3
    assert (found.low, found.high) == pytest.approx((products[0], products[-1]))
    # Of 80%, Student's t is 1.886, so a tail has Phi(-1.886 sqrt(1.5)) = 0.0104 < 1 / 27; of 40%,
    # 0.617 and 0.2249, which the seventh of the 27 is the first to reach.
    assert stats.resampled(runs, np.prod).interval(0.8).low == pytest.approx(products[0])
    inner = stats.resampled(runs, np.prod).interval(0.4)
    assert (inner.low, inner.high) == pytest.approx((products[6], products[-7]))


def test_one_run_has_a_statistic_and_no_interval():
    found = stats.resampled([[3.0, 4.0]], np.sum).interval()
    assert found.mean == 7 and np.isnan(found[1:3]).all()
    difference = stats.resampled_difference([[3.0]], [[1.0], [2.0]], np.sum).interval()
    assert difference.mean == 1.5 and np.isnan(difference[1:3]).all()
    with pytest.raises(ValueError, match="1 to 8 runs"):
        stats.resampled(np.zeros((9, 1)), np.sum)


def test_groups_that_agree_within_but_not_with_each_other_have_no_effect_in_deviations():
    a, b = [0.04] * 10, [0.05] * 30
    assert stats.difference_interval(a, b)[:3] == pytest.approx((-0.01,) * 3)
    assert np.isnan(
        [stats.cohens_d(a, b), stats.student_test(a, b).p, stats.welch_test(a, b).p]
    ).all()


@quick
@given(groups, groups, st.sampled_from([1e-3, 1.0, 1e9]))
def test_groups_that_vary_are_compared_as_scipy_does(a, b, scale):
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    a, b = (np.array(group) * scale for group in (a, b))
    for test, equal in ((stats.student_test, True), (stats.welch_test, False)):
        expected = scipy.stats.ttest_ind(a, b, equal_var=equal)
        assert test(a, b) == pytest.approx((expected.statistic, expected.df, expected.pvalue))
    expected = expected.confidence_interval()
    assert stats.difference_interval(a, b)[1:3] == pytest.approx(tuple(expected), abs=1e-9 * scale)


def test_a_spread_below_the_smallest_square_is_none():
    assert stats.difference_interval([0, 1e-170], [5e-170, 5e-170])[:3] == pytest.approx(
        (-4.5e-170,) * 3, abs=0
    )


def test_rankings_that_differ_by_rounding_are_constant():
    values = [[0.3, 1, 3], [0.1 + 0.2, 2, 2], [0.3, 3, 1], [0.3, 5, 4]]
    assert math.isnan(stats.spearman_interval(values, np.random.default_rng(0)).mean)
    x, y, z = np.transpose(values)
    assert math.isnan(stats.fisher_correlation(x, y).interval().mean)
    interval = stats.spearman_difference_interval(x[:, None], y, z, np.random.default_rng(0))
    assert math.isnan(interval.mean)


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


def test_the_difference_of_two_truths_is_that_of_the_mean_correlations():
    generator = np.random.default_rng(7)
    one, other = generator.normal(size=(2, 80))
    rankings = np.column_stack([one + generator.normal(size=80) for _ in range(3)])
    pairs = [spearmanr(r, one).statistic - spearmanr(r, other).statistic for r in rankings.T]
    interval = stats.spearman_difference_interval(rankings, one, other, np.random.default_rng(0))
    assert (interval.mean, interval.n) == (pytest.approx(np.mean(pairs)), 80)
    assert 0 < interval.low < interval.mean < interval.high
    again = stats.spearman_difference_interval(rankings, one, other, np.random.default_rng(0))
    assert again == interval
    turned = stats.spearman_difference_interval(rankings, other, one, np.random.default_rng(0))
    assert turned[:3] == pytest.approx((-interval.mean, -interval.high, -interval.low))
    alike = stats.spearman_difference_interval(rankings, one, one, np.random.default_rng(0))
    assert alike[:3] == (0, 0, 0)


def test_a_difference_of_constant_rankings_has_no_interval():
    interval = stats.spearman_difference_interval(
        [[1], [1], [1]], [1, 2, 3], [3, 2, 1], np.random.default_rng(0)
    )
    assert math.isnan(interval.mean) and math.isnan(interval.low) and math.isnan(interval.high)


@pytest.mark.parametrize("values", [[[1, 2]], [[1], [2]], [1, 2], [[1, math.nan], [2, 3]]])
def test_rankings_that_are_none_are_refused(values):
    with pytest.raises(ValueError, match="two of each"):
        stats.spearman_interval(values, np.random.default_rng(0))


# Effect sizes and power


def test_t_tests_of_students_sleep_data():
    """What R prints for `t.test(extra ~ group, sleep)`, and with var.equal = TRUE."""
    assert stats.welch_test(DRUG_1, DRUG_2) == pytest.approx((-1.8608, 17.776, 0.07939), rel=1e-4)
    assert stats.student_test(DRUG_1, DRUG_2) == pytest.approx((-1.8608, 18, 0.07919), rel=1e-4)


@quick
@given(groups.filter(lambda g: len(set(g)) > 1), groups)
def test_a_printed_effect_gives_the_p_of_the_runs(a, b):
    d = stats.cohens_d(a, b)
    assert stats.p_of_effect(d, len(a), len(b)) == pytest.approx(stats.student_test(a, b).p)


@quick
@given(groups.filter(lambda g: len(set(g)) > 1), groups, st.integers(-9, 9), st.integers(1, 9))
def test_effect_size_depends_on_neither_origin_nor_unit(a, b, shift, scale):
    moved = [scale * np.array(group) + shift for group in (a, b)]
    assert stats.cohens_d(*moved) == pytest.approx(stats.cohens_d(a, b), abs=1e-9)
    assert stats.cohens_d(b, a) == pytest.approx(-stats.cohens_d(a, b))


def test_effect_without_any_spread_is_undefined():
    assert math.isnan(stats.cohens_d([2, 2], [1, 1, 1]))
    interval = stats.effect_interval(math.nan, 2, 3)
    assert math.isnan(interval.low) and math.isnan(interval.high)


@pytest.mark.parametrize("d", [-0.85, 0.0, 0.44, 3.0])
@pytest.mark.parametrize(("na", "nb"), [(100, 25), (3, 2)])
def test_bounds_of_an_effect_put_it_at_the_quantiles(d, na, nb):
    """By simulation: with the true effect at a bound, 2.5 % of the experiments go past d."""
    low, high = stats.effect_interval(d, na, nb)[1:3]
    assert low < d < high
    generator = np.random.default_rng(5)
    root, df = math.sqrt(na * nb / (na + nb)), na + nb - 2
    for bound, side in ((low, 1), (high, -1)):
        normal = generator.normal(bound * root, size=200_000)
        effects = normal / np.sqrt(generator.chisquare(df, 200_000) / df) / root
        assert (side * (effects - d) > 0).mean() == pytest.approx(0.025, abs=0.002)


def test_superiority_of_normal_runs_is_the_share_of_pairs():
    generator = np.random.default_rng(8)
    a, b = generator.normal(0.44, size=1500), generator.normal(size=1500)
    share = stats.probability_of_superiority(a, b)
    assert share == pytest.approx(stats.superiority(0.44), abs=0.03)


@quick
@given(groups, groups)
def test_superiority_of_both_groups_adds_up_to_one(a, b):
    both = stats.probability_of_superiority(a, b) + stats.probability_of_superiority(b, a)
    assert both == pytest.approx(1)


def test_power_is_how_often_the_test_finds_the_effect():
    generator = np.random.default_rng(9)
    significant = [
        stats.student_test(generator.normal(0.6, size=25), generator.normal(size=100)).p < 0.05
        for _ in range(1000)
    ]
    assert np.mean(significant) == pytest.approx(stats.power(0.6, 25, 100), abs=4 * 0.0133)


@cache
def root_chi(df):
    """Places and densities of S, a chi variable by the root of its degrees of freedom."""
    chi = scipy.stats.chi(df, scale=1 / math.sqrt(df))
    s = np.linspace(chi.ppf(1e-15), chi.isf(1e-15), 1501)
    return s, chi.pdf(s)


def above(t, df, delta):
    """P(T > t), T noncentral t: the mean of Phi(delta - t S), not the library's integral."""
    s, density = root_chi(df)
    return integrate.simpson(density * special.ndtr(delta - t * s), x=s)


def test_power_is_the_integral_for_thousands_of_designs():
    generator = np.random.default_rng(11)
    for _ in range(2500):
        na, nb = (2 + 10 ** generator.uniform(0, 3, size=2)).astype(int).tolist()
        alpha = 10 ** generator.uniform(-4, -0.01)
        root, df = math.sqrt(na * nb / (na + nb)), na + nb - 2
        t = scipy.stats.t.isf(alpha / 2, df)
        d = generator.choice([-1, 1]) * generator.uniform(0, 2.5) * t / root
        expected = above(t, df, d * root) + above(t, df, -d * root)
        assert stats.power(d, na, nb, alpha) == pytest.approx(expected, abs=1e-9), (
            d,
            na,
            nb,
            alpha,
        )


@pytest.mark.parametrize(
    ("d", "na", "nb", "alpha", "expected"),
    [
        (2.1, 25, 100, 0.05, 1),  # its miss is beyond the thirteenth decimal
        (1e308, 9, 9, 1e-9, 1),
        (math.inf, 2, 2, 1e-300, 1),
        (0, 5, 100, 1e-300, 1e-300),
        (-1e-300, 3, 3, 1e-307, 1e-307),
        (0.3, 2, 2, 1 - 1e-15, 1),
        # Many runs: T is normal about d sqrt(n / 2), beside which the other tail is nothing.
        (8e-6, 10**12, 10**12, 0.05, scipy.stats.norm.sf(1.959963984540054 - 8 * 0.5**0.5)),
        (2, 10**15, 5, 0.05, scipy.stats.norm.sf(1.959963984540054 - 2 * 5**0.5)),
    ],
)
def test_power_at_the_ends(d, na, nb, alpha, expected):
    assert stats.power(d, na, nb, alpha) == pytest.approx(expected, rel=1e-9, abs=0)


@quick
@given(
    st.floats(allow_nan=False),
    st.integers(2, 10**9),
    st.integers(2, 10**9),
    st.floats(1e-300, 1, exclude_max=True),
)
def test_power_lies_between_alpha_and_one_and_rises_with_the_effect(d, na, nb, alpha):
    power = stats.power(d, na, nb, alpha)
    assert alpha <= power <= 1
    assert stats.power(-d, na, nb, alpha) == power == stats.power(d, nb, na, alpha)
    assert stats.power(d / 2, na, nb, alpha) <= power + 1e-9


@pytest.mark.parametrize("alpha", [0, 1, -0.1, math.nan])
def test_a_level_of_significance_is_a_probability(alpha):
    with pytest.raises(ValueError, match=f"level of significance between 0 and 1, found {alpha}"):
        stats.power(0.5, 5, 5, alpha)


def test_bounds_of_an_effect_are_those_found_by_bisection():
    generator = np.random.default_rng(12)
    for _ in range(200):
        na, nb = (2 + 10 ** generator.uniform(0, 2, size=2)).astype(int).tolist()
        d, confidence = generator.normal(scale=1.5), generator.uniform(0.5, 0.99)
        t, df = d * math.sqrt(na * nb / (na + nb)), na + nb - 2
        tails = (1 - confidence) / 2, (1 + confidence) / 2

        def beyond(delta, tail, t=t, df=df):
            return above(t, df, delta) - tail

        ends = t - abs(t) - 9, t + 3 * abs(t) + 9
        bounds = [optimize.bisect(beyond, *ends, args=(tail,), xtol=1e-7) for tail in tails]
        interval = np.array(stats.effect_interval(d, na, nb, confidence)[1:3]) * t / d
        assert interval == pytest.approx(bounds, abs=1e-6), (d, na, nb, confidence)


def test_a_huge_effect_has_its_interval_at_once():
    """The normal part is nothing beside it: d times the quantiles of a chi variable's share."""
    for d in (3e5, -3e5, 1e12, 1e250):
        shares = np.sqrt(scipy.stats.chi2.ppf([0.025, 0.975], 8) / 8)
        expected = sorted(d * shares)
        assert stats.effect_interval(d, 5, 5)[1:3] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(stats.effect_interval(math.inf, 5, 5)[1:3]).all()


def test_detectable_effect_and_runs_needed_undo_power():
    d = stats.detectable_effect(25, 100)
    assert stats.power(d, 25, 100) == pytest.approx(0.8)
    n = stats.runs_needed(0.5, 100)
    assert stats.power(0.5, n, 100) >= 0.8 > stats.power(0.5, n - 1, 100)
    assert stats.runs_needed(9, 9) == 2


def test_what_is_solved_for_is_a_solution():
    """The power of what is found, by the integral of these tests, in designs drawn at random."""
    generator = np.random.default_rng(13)

    def power(d, na, nb, alpha):
        root, df = math.sqrt(na * nb / (na + nb)), na + nb - 2
        t = scipy.stats.t.isf(alpha / 2, df)
        return above(t, df, d * root) + above(t, df, -d * root)

    for _ in range(200):
        na, nb = (2 + 10 ** generator.uniform(0, 2.5, size=2)).astype(int).tolist()
        alpha = 10 ** generator.uniform(-4, -0.5)
        wanted = alpha + (0.999 - alpha) * generator.uniform()
        d = stats.detectable_effect(na, nb, wanted, alpha)
        assert d > 0 and power(d, na, nb, alpha) == pytest.approx(wanted, abs=1e-6)
        n = stats.runs_needed(2 * d, nb, wanted, alpha)
        assert n <= na and power(2 * d, n, nb, alpha) >= wanted - 1e-9
        assert n == 2 or power(2 * d, n - 1, nb, alpha) < wanted + 1e-9


def test_effects_that_solvers_gave_up_on():
    assert stats.power(stats.detectable_effect(5, 100, 0.99, 0.001), 5, 100, 0.001) == (
        pytest.approx(0.99)
    )
    assert stats.power(stats.detectable_effect(2, 2, 0.9, 1e-12), 2, 2, 1e-12) == (
        pytest.approx(0.9)
    )
    # 2 (1.959964 + 0.841621)^2 / d^2 for equally many; here the others are as good as known.
    assert stats.runs_needed(1e-4, 10**15) == pytest.approx(2.801585**2 * 1e8, rel=1e-5)


@quick
@given(st.integers(2, 500), st.integers(2, 500), st.floats(1e-9, 0.999))
def test_a_power_of_alpha_needs_no_effect(na, nb, alpha):
    assert stats.detectable_effect(na, nb, alpha, alpha) == 0
    assert stats.runs_needed(0, nb, alpha, alpha) == 2


@pytest.mark.parametrize("wanted", [0.01, 1, 1.5, math.nan])
def test_no_effect_has_a_power_below_alpha_or_of_one(wanted):
    with pytest.raises(NoSolutionError, match=f"with a power of {wanted}: expected one from 0.05"):
        stats.detectable_effect(5, 9, wanted)


@pytest.mark.parametrize("d", [0.5, 0, math.nan])
def test_no_number_of_runs_makes_up_for_two(d):
    with pytest.raises(NoSolutionError, match=rf"against 2 finds d = {d} with a power of 0.8"):
        stats.runs_needed(d, 2)


@pytest.mark.parametrize("function", [stats.p_of_effect, stats.effect_interval, stats.power])
def test_an_effect_needs_two_runs_a_group(function):
    with pytest.raises(ValueError, match="at least two runs in each group, found 1 and 5"):
        function(0.5, 1, 5)


@pytest.mark.parametrize("size", [1, 2, 40])
def test_holms_method_is_that_of_statsmodels_and_leaves_out_what_is_unknown(size):
    p = np.random.default_rng(size).random(2 * size).round(1) ** 4  # some are equal
    p[::2] = np.nan
    found = stats.holm(p)
    assert np.isnan(found[::2]).all() and np.isnan(stats.holm(p[::2])).all()
    assert found[1::2] == pytest.approx(multipletests(p[1::2], method="holm")[1])
