"""Bayesian linear regression: exact values, and SoTL's bound of the evidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from nasrepro.evidence import bound, log_evidence, predictions, sampled_bound
from nasrepro.fourier import features

PROBLEMS = {
    "seed": st.integers(0, 10_000),
    "points": st.integers(1, 30),
    "degree": st.integers(0, 8),
    "noise": st.floats(0.05, 5),
    "prior": st.floats(0.05, 5),
}


def problem(seed: int, points: int, degree: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    phi = features(rng.uniform(-10, 10, points), degree)
    return phi, phi @ rng.standard_normal(degree + 1) + noise * rng.standard_normal(points)


@given(**PROBLEMS)
def test_the_chain_rule_gives_the_density_of_all_targets_at_once(
    seed, points, degree, noise, prior
):
    phi, y = problem(seed, points, degree, noise)
    covariance = prior**2 * phi @ phi.T + noise**2 * np.eye(points)
    expected = multivariate_normal(np.zeros(points), covariance).logpdf(y)
    found = log_evidence(predictions(phi, y, noise, prior), y, noise)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(**PROBLEMS)
def test_the_bound_is_never_above_the_evidence(seed, points, degree, noise, prior):
    phi, y = problem(seed, points, degree, noise)
    predicted = predictions(phi, y, noise, prior)
    evidence = log_evidence(predicted, y, noise)
    assert bound(predicted, y, noise) <= evidence + 1e-9 * (1 + abs(evidence))


def test_bound_and_evidence_meet_where_nothing_is_unknown():
    phi, y = problem(0, 20, 3, 1.0)
    sure = predictions(phi, y, noise=1.0, prior=1e-9)
    assert bound(sure, y, 1.0) == pytest.approx(log_evidence(sure, y, 1.0), abs=1e-9)


def test_the_posterior_after_all_points_is_that_of_ridge_regression():
    phi, y = problem(1, 40, 4, 0.5)
    new = features(np.array([0.3]), 4)
    last = predictions(np.vstack([phi, new]), np.append(y, 0.0), noise=0.5, prior=2.0)
    precision = phi.T @ phi / 0.25 + np.eye(5) / 4
    weights = np.linalg.solve(precision, phi.T @ y / 0.25)
    assert last.mean[-1] == pytest.approx((new @ weights).item())
    assert last.variance[-1] == pytest.approx((new @ np.linalg.inv(precision) @ new.T).item())


def test_samples_give_the_bound_on_average():
    phi, y = problem(2, 30, 3, 1.0)
    predicted = predictions(phi, y, noise=1.0, prior=1.0)
    rng = np.random.default_rng(0)
    drawn = [sampled_bound(predicted, y, 1.0, 10, rng) for _ in range(400)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - bound(predicted, y, 1.0)) < 4 * error
    assert np.std(drawn) > 0.1


def test_among_well_told_models_the_true_degree_has_the_highest_bound_and_evidence():
    """Degree 3 against ones that underfit, and one with three times the features."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-10, 10, 300)
    y = features(x, 3).sum(axis=1) + 0.1 * rng.standard_normal(300)
    values = []
    for degree in (0, 1, 2, 3, 9):
        phi = features(x, degree)
        predicted = predictions(phi, y, noise=0.1, prior=1.0)
        values.append((log_evidence(predicted, y, 0.1), bound(predicted, y, 0.1)))
    assert np.argmax(values, axis=0).tolist() == [3, 3]
