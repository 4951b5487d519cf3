import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro import metrics
from nasrepro.rounding import mean_of, varies

quick = settings(deadline=None, max_examples=60)


def tau_variant_a(predicted, truth):
    return metrics.kendall_tau(predicted, truth, variant="a")


CORRELATIONS = [
    tau_variant_a,
    metrics.kendall_tau,
    metrics.sparse_kendall_tau,
    metrics.spearman,
    metrics.pearson,
]

# Two aligned lists of small whole numbers: ties are common, constant lists happen.
pairs = st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=2, max_size=25).map(
    lambda rows: tuple(np.array(rows, dtype=float).T)
)


def same(expected):
    return pytest.approx(expected, abs=1e-12, nan_ok=True)


def count_pairs(x, y):
    """Concordant, discordant, tied in x, tied in y and all pairs, counted one by one."""
    counts = np.zeros(5, dtype=int)
    for (x_i, y_i), (x_j, y_j) in itertools.combinations(zip(x, y, strict=True), 2):
        concordant = (x_i < x_j and y_i < y_j) or (x_i > x_j and y_i > y_j)
        discordant = (x_i < x_j and y_i > y_j) or (x_i > x_j and y_i < y_j)
        counts += [concordant, discordant, x_i == x_j, y_i == y_j, 1]
    return counts.tolist()


# Kendall, Spearman, Pearson: values worked by hand or printed in textbooks


@pytest.mark.parametrize("variant", ["a", "b"])
def test_tau_of_one_swapped_pair(variant):
    # Of the six pairs of four cells one disagrees: (5 - 1) / 6.
    tau = metrics.kendall_tau([1, 3, 2, 4], [10, 20, 30, 40], variant)
    assert tau == pytest.approx(4 / 6)


def test_tau_with_ties_on_both_sides():
    # Cells 1, 2 tie in the prediction and 3, 4 in the truth; 13, 14, 23, 24 are concordant.
    predicted, truth = [1, 1, 2, 3], [5, 6, 7, 7]
    assert metrics.kendall_tau(predicted, truth, "a") == pytest.approx(4 / 6)
    assert metrics.kendall_tau(predicted, truth, "b") == pytest.approx(4 / 5)


def test_tau_a_is_below_one_for_a_perfect_predictor_of_tied_truth():
    assert metrics.kendall_tau([1, 1, 2], [8, 8, 9], "a") == pytest.approx(2 / 3)
    assert metrics.kendall_tau([1, 1, 2], [8, 8, 9], "b") == pytest.approx(1)


def test_spearman_of_the_textbook_example():
    # Intelligence and hours of television of ten people: sum(d^2) = 194, so rho = -29 / 165.
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert metrics.spearman(iq, hours) == pytest.approx(-29 / 165)


def test_spearman_shares_the_mean_rank_among_ties():
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: cov 4.5, variances 4.5 and 5.
    assert metrics.spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(math.sqrt(4.5 / 5))


def test_pearson_of_anscombes_first_data_set():
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    assert metrics.pearson(x, y) == pytest.approx(0.81642, abs=5e-6)


# Properties


@quick
@given(pairs)
def test_tau_agrees_with_counting_pairs(xy):
    concordant, discordant, tied_x, tied_y, total = count_pairs(*xy)
    assert metrics.kendall_tau(*xy, "a") == (concordant - discordant) / total
    untied = (total - tied_x) * (total - tied_y)
    tau_b = (concordant - discordant) / math.sqrt(untied) if untied else math.nan
    assert metrics.kendall_tau(*xy, "b") == same(tau_b)


def test_tau_a_is_exact_for_the_whole_benchmark():
    # n = 15,625 in 125 truth levels; the prediction reverses the order within each level of 125.
    truth, within = np.divmod(np.arange(15_625), 125)
    concordant = math.comb(125, 2) * 125 * 125  # every pair of cells from two levels
    predicted = truth * 1000 - within
    assert metrics.kendall_tau(predicted, truth, "a") == concordant / math.comb(15_625, 2)


@quick
@given(pairs, st.sampled_from([tau_variant_a, metrics.kendall_tau, metrics.spearman]))
def test_rank_correlations_ignore_increasing_transforms(xy, correlation):
    predicted, truth = xy
    assert correlation(predicted**3 + predicted, np.exp(truth)) == same(correlation(*xy))


@quick
@given(pairs, st.sampled_from(CORRELATIONS))
def test_a_reversed_prediction_reverses_the_sign(xy, correlation):
    predicted, truth = xy
    assert correlation(-predicted, truth) == same(-correlation(predicted, truth))


@quick
@given(pairs, st.sampled_from(CORRELATIONS), st.randoms())
def test_correlations_ignore_the_order_of_cells(xy, correlation, random):
    order = random.sample(range(len(xy[0])), len(xy[0]))
    predicted, truth = xy
    assert correlation(predicted[order], truth[order]) == same(correlation(predicted, truth))


@quick
@given(pairs, st.floats(0.1, 10), st.floats(-10, 10))
def test_pearson_ignores_scale_and_shift(xy, scale, shift):
    predicted, truth = xy
    moved = metrics.pearson(scale * predicted + shift, truth)
    assert moved == pytest.approx(metrics.pearson(predicted, truth), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("xy", [([0.1] * 3, [1, 2, 3]), ([1, 2, 3], [90.0] * 3)])
def test_constant_input(correlation, xy):
    # 0 for tau-a, NaN for all others; no warning, as warnings are errors here.
    expected = 0.0 if correlation is tau_variant_a else math.nan
    assert correlation(*xy) == same(expected)


@quick
@given(st.floats(1e-3, 100), st.lists(st.integers(-3, 3), min_size=4, max_size=4))
def test_input_that_differs_by_rounding_is_constant(value, roundings):
    predicted = value * (1 + np.array(roundings) * np.finfo(float).eps)
    for xy in ((predicted, [1, 2, 3, 4]), ([1, 2, 3, 4], predicted)):
        for correlation in (metrics.kendall_tau, metrics.spearman, metrics.pearson):
            assert math.isnan(correlation(*xy))
        assert metrics.kendall_tau(*xy, "a") == 0
    assert metrics.tau_a([10, 25, 50, 150], predicted) == 0


@quick
@given(st.floats(1e-3, 100), st.lists(st.integers(0, 40_000), min_size=2, max_size=30))
def test_input_that_hardly_differs_is_constant_or_correlates(value, roundings):
    """Without a warning of SciPy's, which would be an error here."""
    predicted = value * (1 + np.array(roundings) * np.finfo(float).eps)
    correlation = metrics.pearson(predicted, np.arange(len(predicted)))
    assert math.isnan(correlation) == (not varies(predicted)) or abs(correlation) <= 1


def test_the_mean_prediction_of_a_constant_supernet_does_not_depend_on_n():
    curve = metrics.top_n_curve(np.full(50, 0.04), np.arange(50), np.arange(2, 51), "a")
    assert set(curve.mean_prediction) == {0.04}


@quick
@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_a_mean_lies_within(values):
    mean = mean_of(np.array(values))
    assert min(values) <= mean <= max(values) and mean == pytest.approx(np.mean(values), abs=1e-6)


# Sparse Kendall tau


def test_sparse_tau_shares_ranks_of_truths_that_round_alike():
    # 90.04 and 90.01 round to 90.0: pair 12 is tied, the other five agree.
    predicted, truth = [1, 2, 3, 4], [90.04, 90.01, 91.0, 92.0]
    assert metrics.sparse_kendall_tau(predicted, truth) == pytest.approx(5 / math.sqrt(5 * 6))
    assert metrics.kendall_tau(predicted, truth) == pytest.approx(4 / 6)


def test_sparse_tau_rounds_to_the_nearest_step_and_does_not_floor():
    # 90.06 and 90.14 share 90.1, and 89.96 goes with 90.04; a floor would separate both pairs.
    predicted, truth = [2, 1, 4, 3], [89.96, 90.04, 90.06, 90.14]
    assert metrics.sparse_kendall_tau(predicted, truth) == pytest.approx(4 / math.sqrt(6 * 4))


def test_sparse_tau_does_not_round_predictions():
    assert metrics.sparse_kendall_tau([50.0, 50.01, 50.02], [90, 91, 92]) == pytest.approx(1)


def test_sparse_tau_ties_values_that_differ_in_the_last_bit():
    assert 0.1 + 0.2 != 0.3
    # Pair 12 is tied in truth, the other two agree: 2 / sqrt(3 * 2).
    tau = metrics.sparse_kendall_tau([1, 2, 3], [0.1 + 0.2, 0.3, 0.9])
    assert tau == pytest.approx(2 / math.sqrt(6))


def test_sparse_tau_takes_another_resolution():
    tau = metrics.sparse_kendall_tau([2, 1, 3], [70.4, 69.6, 90.0], resolution=1)
    assert tau == pytest.approx(2 / math.sqrt(6))


@quick
@given(pairs, st.data())
def test_sparse_tau_is_tau_b_of_truth_on_the_grid(xy, data):
    predicted, steps = xy
    jitter = st.lists(st.floats(-0.04, 0.04), min_size=len(steps), max_size=len(steps))
    truth = 90 + 0.1 * steps + data.draw(jitter)
    assert metrics.sparse_kendall_tau(predicted, truth) == same(
        metrics.kendall_tau(predicted, steps)
    )


# Top-n curves and tau_a


def test_top_n_curve_by_hand():
    # From best to worst truth the predictions are 0.5, 0.3, 0.4, 0.1.
    curve = metrics.top_n_curve([0.3, 0.4, 0.1, 0.5], [93, 92, 90, 94], [2, 3, 4])
    np.testing.assert_array_equal(curve.ns, [2, 3, 4])
    np.testing.assert_allclose(curve.tau, [1, 1 / 3, 4 / 6])
    np.testing.assert_allclose(curve.mean_prediction, [0.4, 0.4, 1.3 / 4])


def test_top_n_curve_keeps_the_given_order_at_a_tied_border():
    curve = metrics.top_n_curve([5, 1, 2, 3], [94, 90, 90, 90], [2, 3])
    np.testing.assert_allclose(curve.mean_prediction, [6 / 2, 8 / 3])


def test_top_n_curve_passes_the_variant_on():
    predicted, truth = [4, 3, 3, 1], [4, 3, 2, 1]
    tau_a = metrics.top_n_curve(predicted, truth, [4], variant="a").tau
    tau_b = metrics.top_n_curve(predicted, truth, [4]).tau
    np.testing.assert_allclose(tau_a, [5 / 6])
    np.testing.assert_allclose(tau_b, [5 / math.sqrt(5 * 6)])


def test_top_n_curve_of_a_failed_supernet():
    curve = metrics.top_n_curve([0.1, 0.1, 0.1], [92, 90, 91], [2, 3])
    assert np.isnan(curve.tau).all()
    np.testing.assert_allclose(curve.mean_prediction, 0.1)


@pytest.mark.parametrize("ns", [[1, 2], [2, 4], [2.0], [], 2, [[2]]])
def test_top_n_curve_refuses_other_sizes(ns):
    with pytest.raises(ValueError, match="whole numbers from 2 to 3"):
        metrics.top_n_curve([1, 2, 3], [1, 2, 3], ns)


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([0.70, 0.65, 0.60, 0.55], -1),  # the best case of Laube's section 3.4
        ([0.1, 0.2, 0.3, 0.4], 1),
        ([0.70, 0.65, 0.65, 0.60], -5 / 6),  # five pairs fall, one is level
        ([0.5, 0.5, 0.5, 0.5], 0),
    ],
)
def test_tau_a_of_mean_predictions(means, expected):
    assert metrics.tau_a([10, 25, 50, 150], means) == pytest.approx(expected)


# Top-k accuracy


@pytest.mark.parametrize(("k", "expected"), [(1, 50), (2, 30), (3, 30), (4, 10)])
def test_top_k_reports_the_test_accuracy_of_the_best_validated(k, expected):
    # In order of prediction the cells are 2, 4, 3, 1.
    predicted, validation = [0.1, 0.9, 0.2, 0.8], [99, 80, 85, 90]
    test = [10, 50, 40, 30]
    assert metrics.top_k_accuracy(predicted, validation, k, reported=test) == expected


def test_top_k_takes_the_first_cells_of_a_constant_prediction():
    assert metrics.top_k_accuracy([1, 1, 1, 1], [70, 80, 90, 60], k=2) == 80


def test_top_k_prefers_the_better_predicted_of_equal_truths():
    assert metrics.top_k_accuracy([1, 3, 2], [90, 90, 90], k=3, reported=[5, 7, 6]) == 7


@quick
@given(pairs.filter(lambda xy: len(xy[0]) < 8), st.data())
def test_a_top_mean_is_the_mean_over_all_ways_to_break_ties(xy, data):
    predicted, truth = xy
    k = data.draw(st.integers(1, len(truth)))
    ways = [list(chosen) for chosen in itertools.combinations(range(len(truth)), k)]
    best = max(sorted(predicted[way], reverse=True) for way in ways)
    means = [truth[way].mean() for way in ways if sorted(predicted[way], reverse=True) == best]
    assert metrics.top_k_mean(predicted, truth, k) == pytest.approx(np.mean(means))


@given(pairs)
def test_top_k_rises_with_k_to_the_best_of_all(xy):
    accuracies = [metrics.top_k_accuracy(*xy, k) for k in range(1, len(xy[0]) + 1)]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == max(xy[1])


@pytest.mark.parametrize("k", [0, 4])
def test_top_k_refuses_k_outside_the_cells(k):
    with pytest.raises(ValueError, match=f"k from 1 to 3, found {k}"):
        metrics.top_k_accuracy([1, 2, 3], [1, 2, 3], k)
    with pytest.raises(ValueError, match="expected k from 1 to 3"):
        metrics.top_k_mean([1, 2, 3], [1, 2, 3], k)


# Probability of beating random search


@pytest.mark.parametrize(("rank", "n"), [(1, 1), (1, 3), (2, 3), (4, 2), (5, 2)])
def test_probability_is_the_share_of_draws_that_are_all_worse(rank, n):
    space = range(1, 6)
    draws = list(itertools.product(space, repeat=n))
    share = sum(all(drawn > rank for drawn in draw) for draw in draws) / len(draws)
    assert metrics.probability_beats_random(rank, len(space), n) == pytest.approx(share)


@quick
@given(st.integers(1, 99), st.integers(1, 20))
def test_probability_falls_with_rank_and_with_draws(rank, n):
    p = metrics.probability_beats_random(rank, 100, n)
    assert 1 > p > metrics.probability_beats_random(rank + 1, 100, n)
    assert p > metrics.probability_beats_random(rank, 100, n + 1)


def test_probability_refuses_what_is_no_rank_or_no_draw():
    for rank in (0, 11):
        with pytest.raises(ValueError, match=f"rank from 1 to 10, found {rank}"):
            metrics.probability_beats_random(rank, 10, 1)
    with pytest.raises(ValueError, match="at least one draw, found n = 0"):
        metrics.probability_beats_random(1, 10, 0)


# Errors that all metrics share


@pytest.mark.parametrize(
    "metric",
    [
        *CORRELATIONS,
        metrics.tau_a,
        lambda p, t: metrics.top_n_curve(p, t, [2]),
        lambda p, t: metrics.top_k_accuracy(p, t, 1),
        lambda p, t: metrics.top_k_mean(p, t, 1),
    ],
)
@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1, 2, 3], [1, 2], "as many values in each array, found 3 in .*2 in "),
        ([1, math.nan, math.nan], [1, 2, 3], "finite numbers, found 2 "),
        ([1, 2, 3], [1, 2, math.inf], "finite numbers, found 1 "),
        ([1], [1], r"at least 2 value\(s\), found 1"),
        ([[1, 2], [3, 4]], [1, 2], r"one dimension, found shape \(2, 2\)"),
    ],
)
def test_errors_say_what_was_expected_and_found(metric, first, second, message):
    with pytest.raises(ValueError, match=message):
        metric(first, second)


def test_errors_name_the_array():
    with pytest.raises(ValueError, match=r"^truth: expected finite"):
        metrics.spearman([1, 2], [1, math.nan])
    with pytest.raises(ValueError, match="found 2 in predicted, 2 in truth, 3 in reported"):
        metrics.top_k_accuracy([1, 2], [1, 2], 1, reported=[1, 2, 3])


def test_unknown_settings():
    with pytest.raises(ValueError, match="variant 'a' or 'b', found 'c'"):
        metrics.kendall_tau([1, 2], [1, 2], "c")
    for resolution in (0, -0.1, math.nan):
        with pytest.raises(ValueError, match=f"resolution above zero, found {resolution}"):
            metrics.sparse_kendall_tau([1, 2], [1, 2], resolution)
