import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nasrepro import metrics, sotl
from nasrepro.errors import ConfigError

curves = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 9)),
    elements=st.integers(0, 60).map(lambda number: number / 8),  # sums of them are exact
)


def each(function, losses):
    """What a curve's value after each step would be, from the losses up to it, spelt out."""
    steps = range(1, losses.shape[-1] + 1)
    return np.stack([[function(row[:step]) for step in steps] for row in losses])


@given(curves, st.integers(1, 12))
def test_a_sum_over_a_window_is_the_sum_of_the_last_losses(losses, window):
    expected = each(lambda row: row[-window:].sum(), losses)
    assert np.array_equal(sotl.sotl_e(losses, window), expected)


@given(curves, st.floats(0, 1))
def test_an_exponential_sum_weighs_a_loss_by_its_age(losses, decay):
    expected = each(lambda row: sum(decay**age * x for age, x in enumerate(row[::-1])), losses)
    assert sotl.sotl_ema(losses, decay) == pytest.approx(expected)


@given(curves, st.floats(0, 1))
def test_the_peers_exponential_sum_adds_up_averages(losses, weight):
    def total(row):
        averages = [row[0]]
        for loss in row[1:]:
            averages.append(averages[-1] * (1 - weight) + weight * loss)
        return sum(averages)

    assert sotl.summed_ema(losses, weight) == pytest.approx(each(total, losses))


@given(curves)
def test_where_the_estimators_are_the_same(losses):
    total = sotl.sotl(losses)
    assert np.array_equal(total, sotl.sotl_e(losses, losses.shape[-1]))
    assert np.array_equal(total, sotl.sotl_ema(losses, decay=1))
    assert np.array_equal(total, sotl.summed_ema(losses, weight=1))
    assert np.array_equal(sotl.last(losses), sotl.sotl_e(losses, window=1))
    assert np.array_equal(sotl.last(losses), sotl.sotl_ema(losses, decay=0))


def test_names_that_differ_can_rank_differently():
    # The first learns late, the second begins well and does not learn: by the sum the second wins,
    # by the last loss and by a short memory the first.
    losses = np.array([[5.0, 5.0, 1.0], [2.0, 2.0, 2.0]])

    def winner(values):
        return int(values[:, -1].argmin())

    assert winner(sotl.sotl(losses)) == winner(sotl.summed_ema(losses)) == 1
    assert winner(sotl.last(losses)) == winner(sotl.sotl_ema(losses, 0.1)) == 0


gradients = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 4)),
    elements=st.integers(-40, 40).map(lambda number: number / 4),
)


@given(gradients)
def test_gradients_that_turn_count_in_the_norms_alone(steps):
    there_and_back = np.concatenate([steps, -steps])
    assert sotl.sog(there_and_back)[-1] == sotl.sog_l1(there_and_back)[-1] == 0
    assert sotl.sogn(there_and_back)[-1] == 2 * np.abs(steps).sum()
    expected = 2 * sum(np.sqrt((step**2).sum()) for step in steps)
    assert sotl.sogn_l2(there_and_back)[-1] == pytest.approx(expected)


@given(gradients)
def test_of_positive_gradients_three_definitions_are_one(steps):
    positive = np.abs(steps)
    assert np.array_equal(sotl.sog(positive), sotl.sog_l1(positive))
    assert np.array_equal(sotl.sog(positive), sotl.sogn(positive))


def test_a_text_and_its_code_can_contradict_each_other():
    # All gradients of the first cell are negative: the text's sum is least, the code's largest.
    cells = np.array([[[-3.0, -3.0]], [[1.0, 1.0]]])
    assert np.argmax(sotl.sog(cells)) == 1
    assert np.argmax(sotl.sog_l1(cells)) == 0


def test_more_is_better_in_every_score():
    # A training that is better in all respects than another.
    trajectory = {
        "loss": [[1.0, 0.5], [2.0, 1.5]],
        "validation_loss": [[1.0, 0.5], [2.0, 1.5]],
        "validation_mini_loss": [[1.0, 0.5], [2.0, 1.5]],
        **{
            name: [[0.5, 0.6], [0.1, 0.2]]
            for name in (
                "accuracy",
                "validation_accuracy",
                "validation_mini_accuracy",
                "sog",
                "sog_l1",
                "sogn",
                "sogn_l2",
            )
        },
        "parameters": [[9], [3]],
    }
    estimators = [*sotl.ESTIMATORS.values(), sotl.windowed(2)]
    assert {estimator.reads for estimator in estimators} == set(trajectory)
    for estimator in estimators:
        better, worse = sotl.scores(trajectory, estimator)
        assert (better > worse).all(), estimator.name


def test_a_score_after_each_step_can_be_correlated():
    losses = np.array([[3.0, 1.0], [2.0, 1.0], [1.0, 9.0]])
    after = sotl.scores({"loss": losses}, sotl.estimator("SoTL")).T
    truth = [90.0, 91.0, 92.0]
    assert [metrics.spearman(score, truth) for score in after] == pytest.approx([1, -0.5])


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="did you mean SoTL-EMA"):
        sotl.estimator("SoTLEMA")
    with pytest.raises(ConfigError, match=r"ValAcc needs 'validation_accuracy'.* has loss"):
        sotl.scores({"loss": [[1.0]]}, sotl.estimator("ValAcc"))
    with pytest.raises(ConfigError, match="at least 1 step, found window=0"):
        sotl.sotl_e([1.0], 0)
    for decay in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            sotl.sotl_ema([1.0], decay)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        sotl.summed_ema([1.0], 1.5)
