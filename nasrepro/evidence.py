"""Bayesian linear regression: exact evidence, and SoTL's bound of it (SoTL thesis, section 3.1).

The model of targets y is phi @ w + noise, with w ~ N(0, prior^2 I) and independent noise
N(0, noise^2) of known size. Everything here is exact but `sampled_bound`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm


class Predictions(NamedTuple):
    """What the points before each point predict of it; arrays of shape (..., n).

    Attributes:
        mean: of the posterior of phi @ w.
        variance: of the same; that of the target is larger by noise^2.
    """

    mean: np.ndarray
    variance: np.ndarray


def predictions(features: ArrayLike, targets: ArrayLike, noise: float, prior: float) -> Predictions:
    """The posterior predictive of each point given all points before it.

    Args:
        features: phi, shape (..., n, d), of data sets side by side.
        targets: shape (..., n).
        noise: standard deviation of the targets around phi @ w.
        prior: standard deviation of each weight.

    Before the first point there is only the prior; after it, a weight is known as well as the mean
    of the prior's 0 and the target's 2, if both are as sure:

    >>> found = predictions([[1.0], [1.0]], [2.0, 0.0], noise=1.0, prior=1.0)
    >>> found.mean.tolist(), found.variance.tolist()
    ([0.0, 1.0], [1.0, 0.5])
    """
    phi, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    size = phi.shape[-1]
    weights = np.zeros((*phi.shape[:-2], size))
    covariance = np.zeros((*phi.shape[:-2], size, size)) + prior**2 * np.eye(size)
    mean, variance = np.empty_like(y), np.empty_like(y)
    for i in range(y.shape[-1]):
        point = phi[..., i, :]
        along = (covariance @ point[..., None])[..., 0]
        mean[..., i] = (point * weights).sum(axis=-1)
        variance[..., i] = np.maximum((point * along).sum(axis=-1), 0.0)
        gain = along / (noise**2 + variance[..., i, None])
        weights = weights + gain * (y[..., i] - mean[..., i])[..., None]
        covariance = covariance - gain[..., :, None] * along[..., None, :]
    return Predictions(mean, variance)


def log_evidence(predicted: Predictions, targets: ArrayLike, noise: float) -> np.ndarray:
    """log p(targets), by the chain rule over the points (equation 3.4), in nats.

    Args:
        predicted: by the points before each.
        targets: shape (..., n).
        noise: standard deviation of the targets around phi @ w.

    Returns:
        One number a data set, of shape (...).

    Of one target 0 with a variance of 1 + 1, -log(4 pi) / 2:

    >>> found = predictions([[1.0]], [0.0], noise=1.0, prior=1.0)
    >>> round(log_evidence(found, [0.0], noise=1.0).item(), 4)
    -1.2655
    """
    spread = np.sqrt(noise**2 + predicted.variance)
    return norm.logpdf(targets, predicted.mean, spread).sum(axis=-1)


def bound(predicted: Predictions, targets: ArrayLike, noise: float) -> np.ndarray:
    """Minus SoTL: the sum of expected log likelihoods (equation 3.5), in nats.

    E log N(y; f, noise^2) over f ~ N(mean, variance): by Jensen never above `log_evidence`.

    Args:
        predicted, targets, noise: as in `log_evidence`.

    Of one target 0, -log(2 pi) / 2 - 1 / 2:

    >>> found = predictions([[1.0]], [0.0], noise=1.0, prior=1.0)
    >>> round(bound(found, [0.0], noise=1.0).item(), 4)
    -1.4189
    """
    likelihood = norm.logpdf(targets, predicted.mean, noise)
    return (likelihood - predicted.variance / (2 * noise**2)).sum(axis=-1)


def sampled_bound(
    predicted: Predictions,
    targets: ArrayLike,
    noise: float,
    samples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """`bound` by draws from each posterior (equation 3.6): unbiased.

    Args:
        predicted, targets, noise: as in `log_evidence`.
        samples: k, of each point's posterior.
        generator: source of randomness; its state advances.
    """
    spread = np.sqrt(predicted.variance)
    drawn = predicted.mean + spread * generator.standard_normal((samples, *spread.shape))
    return norm.logpdf(targets, drawn, noise).mean(axis=0).sum(axis=-1)
