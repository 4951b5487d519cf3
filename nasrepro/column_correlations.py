"""Rank correlations of many scores at once: a row a cell, a column a score.

The definitions are those of `metrics`, whose functions take one score.
"""

import numpy as np
from scipy.stats import rankdata

from nasrepro.rounding import ROUNDING


def ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks along the first axis, from 1, the worst; what is not a finite number is worst of all.

    Args:
        scores: more is better, shape (cells, ...).

    >>> ranks(np.array([0.5, np.nan, 0.7, 0.5])).tolist()
    [2.5, 1.0, 4.0, 2.5]
    """
    return rankdata(np.where(np.isfinite(scores), scores, -np.inf), axis=0)


def correlations(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each column of scores with a target: see `metrics.spearman`.

    Args:
        scores: more is better, [cells, columns]; what is not finite is worst.
        target: [cells].

    Returns:
        [columns]; NaN where one is constant.
    """
    x, y = unit(ranks(scores)), unit(ranks(target))
    return y @ x


def unit(values: np.ndarray) -> np.ndarray:
    """Values without their mean along the first axis, of length 1; NaN if they are constant."""
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    return np.divide(centred, length, out=np.full_like(centred, np.nan), where=length > 0)


def partial(with_truth: np.ndarray, with_given: np.ndarray, of_given: np.ndarray) -> np.ndarray:
    """Partial correlations from three correlations each: see `metrics.partial_spearman`.

    Args:
        with_truth: of the predictions and the truth.
        with_given: of the predictions and what is given.
        of_given: of what is given and the truth.
    """
    left = np.maximum((1 - with_given**2) * (1 - of_given**2), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (with_truth - with_given * of_given) / np.sqrt(left)
    return np.where(left > ROUNDING, found, np.nan)


def together(scores: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """An estimator and the parameter count as one: the sum of both ranks, [cells, columns].

    Nothing is fitted, so that no truth is needed.
    """
    return ranks(scores) + ranks(parameters)[:, None]


def weighted(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each column with a target, over rows that count more or less.

    Of ranks among all rows it is Spearman's, approximately, in each resample of the rows.

    Args:
        scores: [cells, columns].
        target: [cells].
        weights: [resamples, cells]: how often each resample has a row.

    Returns:
        [resamples, columns]; NaN where one is constant.

    >>> rows = np.array([[1.0], [2.0], [3.0]])
    >>> weighted(rows, rows[:, 0] ** 2, np.array([[1, 1, 1], [3, 0, 0]])).round(3).tolist()
    [[0.99], [nan]]
    """
    total = weights.sum(axis=1, keepdims=True)
    x, y = scores - scores.mean(axis=0), target - target.mean()
    mean_x, mean_y = weights @ x / total, weights @ y[:, None] / total
    covariance = weights @ (x * y[:, None]) / total - mean_x * mean_y
    variances = (weights @ x**2 / total - mean_x**2) * (
        weights @ y[:, None] ** 2 / total - mean_y**2
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variances > 1e-9, covariance / np.sqrt(variances), np.nan)
