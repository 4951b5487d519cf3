import math
from functools import cache

import numpy as np
import pytest
import scipy.stats
from groups import DRUG_1, DRUG_2, groups, quick
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from nasrepro import effects, resampling, stats
from nasrepro.claims import SUPPORTED, read_claims, verdict
from nasrepro.errors import NoSolutionError


@st.composite
def equal_groups(draw):
    """Two groups of one value, each run of it a few roundings off."""
    value = draw(st.floats(1e-3, 100) | st.floats(-100, -1e-3) | st.just(0.0))
    off = st.integers(-3, 3).map(lambda k: value * (1 + k * np.finfo(float).eps))
    return tuple(draw(st.lists(off, min_size=2, max_size=40)) for _ in range(2))


def _difference_of_first(a, b):
    columns = (np.asarray(values)[:, None] for values in (a, b))
    return resampling.resampled_difference(*columns, statistic=lambda mean: mean[0]).interval()


PAPERS = ("laube", "pourchot_ranking", "pourchot_search")
REGIONS = {claim.region for paper in PAPERS for claim in read_claims(paper).values()}


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
            effects.cohens_d(a, b),
            *effects.effect_interval(effects.cohens_d(a, b), len(a), len(b))[:3],
            *stats.deviation_ratio([[a]], [[b]]).interval()[:3],
            *_difference_of_first(a[:5], b[:5])[1:3],
            effects.student_test(a, b).p,
            effects.welch_test(a, b).p,
        ]
    ).all()
    assert effects.pooled_deviation(a, b) == 0
    assert effects.probability_of_superiority(a, b) == 0.5


def test_groups_that_agree_within_but_not_with_each_other_have_no_effect_in_deviations():
    a, b = [0.04] * 10, [0.05] * 30
    assert stats.difference_interval(a, b)[:3] == pytest.approx((-0.01,) * 3)
    assert np.isnan(
        [effects.cohens_d(a, b), effects.student_test(a, b).p, effects.welch_test(a, b).p]
    ).all()


@quick
@given(groups, groups, st.sampled_from([1e-3, 1.0, 1e9]))
def test_groups_that_vary_are_compared_as_scipy_does(a, b, scale):
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    a, b = (np.array(group) * scale for group in (a, b))
    for test, equal in ((effects.student_test, True), (effects.welch_test, False)):
        expected = scipy.stats.ttest_ind(a, b, equal_var=equal)
        assert test(a, b) == pytest.approx((expected.statistic, expected.df, expected.pvalue))
    expected = expected.confidence_interval()
    assert stats.difference_interval(a, b)[1:3] == pytest.approx(tuple(expected), abs=1e-9 * scale)


def test_t_tests_of_students_sleep_data():
    """What R prints for `t.test(extra ~ group, sleep)`, and with var.equal = TRUE."""
    assert effects.welch_test(DRUG_1, DRUG_2) == pytest.approx((-1.8608, 17.776, 0.07939), rel=1e-4)
    assert effects.student_test(DRUG_1, DRUG_2) == pytest.approx((-1.8608, 18, 0.07919), rel=1e-4)


@quick
@given(groups.filter(lambda g: len(set(g)) > 1), groups)
def test_a_printed_effect_gives_the_p_of_the_runs(a, b):
    d = effects.cohens_d(a, b)
    assert effects.p_of_effect(d, len(a), len(b)) == pytest.approx(effects.student_test(a, b).p)


@quick
@given(groups.filter(lambda g: len(set(g)) > 1), groups, st.integers(-9, 9), st.integers(1, 9))
def test_effect_size_depends_on_neither_origin_nor_unit(a, b, shift, scale):
    moved = [scale * np.array(group) + shift for group in (a, b)]
    assert effects.cohens_d(*moved) == pytest.approx(effects.cohens_d(a, b), abs=1e-9)
    assert effects.cohens_d(b, a) == pytest.approx(-effects.cohens_d(a, b))


def test_effect_without_any_spread_is_undefined():
    assert math.isnan(effects.cohens_d([2, 2], [1, 1, 1]))
    interval = effects.effect_interval(math.nan, 2, 3)
    assert math.isnan(interval.low) and math.isnan(interval.high)


@pytest.mark.parametrize("d", [-0.85, 0.0, 0.44, 3.0])
@pytest.mark.parametrize(("na", "nb"), [(100, 25), (3, 2)])
def test_bounds_of_an_effect_put_it_at_the_quantiles(d, na, nb):
    """By simulation: with the true effect at a bound, 2.5 % of the experiments go past d."""
    low, high = effects.effect_interval(d, na, nb)[1:3]
    assert low < d < high
    generator = np.random.default_rng(5)
    root, df = math.sqrt(na * nb / (na + nb)), na + nb - 2
    for bound, side in ((low, 1), (high, -1)):
        normal = generator.normal(bound * root, size=200_000)
        found = normal / np.sqrt(generator.chisquare(df, 200_000) / df) / root
        assert (side * (found - d) > 0).mean() == pytest.approx(0.025, abs=0.002)


def test_superiority_of_normal_runs_is_the_share_of_pairs():
    generator = np.random.default_rng(8)
    a, b = generator.normal(0.44, size=1500), generator.normal(size=1500)
    share = effects.probability_of_superiority(a, b)
    assert share == pytest.approx(effects.superiority(0.44), abs=0.03)


@quick
@given(groups, groups)
def test_superiority_of_both_groups_adds_up_to_one(a, b):
    both = effects.probability_of_superiority(a, b) + effects.probability_of_superiority(b, a)
    assert both == pytest.approx(1)


def test_power_is_how_often_the_test_finds_the_effect():
    generator = np.random.default_rng(9)
    significant = [
        effects.student_test(generator.normal(0.6, size=25), generator.normal(size=100)).p < 0.05
        for _ in range(1000)
    ]
    assert np.mean(significant) == pytest.approx(effects.power(0.6, 25, 100), abs=4 * 0.0133)


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
        assert effects.power(d, na, nb, alpha) == pytest.approx(expected, abs=1e-9), (
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
    assert effects.power(d, na, nb, alpha) == pytest.approx(expected, rel=1e-9, abs=0)


@quick
@given(
    st.floats(allow_nan=False),
    st.integers(2, 10**9),
    st.integers(2, 10**9),
    st.floats(1e-300, 1, exclude_max=True),
)
def test_power_lies_between_alpha_and_one_and_rises_with_the_effect(d, na, nb, alpha):
    power = effects.power(d, na, nb, alpha)
    assert alpha <= power <= 1
    assert effects.power(-d, na, nb, alpha) == power == effects.power(d, nb, na, alpha)
    assert effects.power(d / 2, na, nb, alpha) <= power + 1e-9


@pytest.mark.parametrize("alpha", [0, 1, -0.1, math.nan])
def test_a_level_of_significance_is_a_probability(alpha):
    with pytest.raises(ValueError, match=f"level of significance between 0 and 1, found {alpha}"):
        effects.power(0.5, 5, 5, alpha)


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
        interval = np.array(effects.effect_interval(d, na, nb, confidence)[1:3]) * t / d
        assert interval == pytest.approx(bounds, abs=1e-6), (d, na, nb, confidence)


def test_a_huge_effect_has_its_interval_at_once():
    """The normal part is nothing beside it: d times the quantiles of a chi variable's share."""
    for d in (3e5, -3e5, 1e12, 1e250):
        shares = np.sqrt(scipy.stats.chi2.ppf([0.025, 0.975], 8) / 8)
        expected = sorted(d * shares)
        assert effects.effect_interval(d, 5, 5)[1:3] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(effects.effect_interval(math.inf, 5, 5)[1:3]).all()


def test_detectable_effect_and_runs_needed_undo_power():
    d = effects.detectable_effect(25, 100)
    assert effects.power(d, 25, 100) == pytest.approx(0.8)
    n = effects.runs_needed(0.5, 100)
    assert effects.power(0.5, n, 100) >= 0.8 > effects.power(0.5, n - 1, 100)
    assert effects.runs_needed(9, 9) == 2


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
        d = effects.detectable_effect(na, nb, wanted, alpha)
        assert d > 0 and power(d, na, nb, alpha) == pytest.approx(wanted, abs=1e-6)
        n = effects.runs_needed(2 * d, nb, wanted, alpha)
        assert n <= na and power(2 * d, n, nb, alpha) >= wanted - 1e-9
        assert n == 2 or power(2 * d, n - 1, nb, alpha) < wanted + 1e-9


def test_effects_that_solvers_gave_up_on():
    assert effects.power(effects.detectable_effect(5, 100, 0.99, 0.001), 5, 100, 0.001) == (
        pytest.approx(0.99)
    )
    assert effects.power(effects.detectable_effect(2, 2, 0.9, 1e-12), 2, 2, 1e-12) == (
        pytest.approx(0.9)
    )
    # 2 (1.959964 + 0.841621)^2 / d^2 for equally many; here the others are as good as known.
    assert effects.runs_needed(1e-4, 10**15) == pytest.approx(2.801585**2 * 1e8, rel=1e-5)


@quick
@given(st.integers(2, 500), st.integers(2, 500), st.floats(1e-9, 0.999))
def test_a_power_of_alpha_needs_no_effect(na, nb, alpha):
    assert effects.detectable_effect(na, nb, alpha, alpha) == 0
    assert effects.runs_needed(0, nb, alpha, alpha) == 2


@pytest.mark.parametrize("wanted", [0.01, 1, 1.5, math.nan])
def test_no_effect_has_a_power_below_alpha_or_of_one(wanted):
    with pytest.raises(NoSolutionError, match=f"with a power of {wanted}: expected one from 0.05"):
        effects.detectable_effect(5, 9, wanted)


@pytest.mark.parametrize("d", [0.5, 0, math.nan])
def test_no_number_of_runs_makes_up_for_two(d):
    with pytest.raises(NoSolutionError, match=rf"against 2 finds d = {d} with a power of 0.8"):
        effects.runs_needed(d, 2)


@pytest.mark.parametrize("function", [effects.p_of_effect, effects.effect_interval, effects.power])
def test_an_effect_needs_two_runs_a_group(function):
    with pytest.raises(ValueError, match="at least two runs in each group, found 1 and 5"):
        function(0.5, 1, 5)
