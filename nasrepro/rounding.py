"""What floating point adds to numbers that are equal, and how not to take it for a spread."""

import numpy as np

# Of the magnitude of numbers, 4e-12: more than means of equal ones can differ by, and the least
# spread of which SciPy does not warn that a correlation may be inaccurate.
ROUNDING = 2 * np.finfo(np.float64).eps ** 0.75


def varies(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Whether numbers differ along an axis by more than the rounding of their magnitude, bool.

    What is divided by the spread of other numbers is noise.

    >>> bool(varies(np.array([0.3, 0.1 + 0.2]))), bool(varies(np.array([0.3, 0.3001])))
    (False, True)
    """
    low, high = values.min(axis=axis), values.max(axis=axis)
    return high - low > ROUNDING * np.maximum(np.abs(low), np.abs(high))


def counted(shares: np.ndarray, of: int) -> np.ndarray:
    """Which counts of so many some shares are that were rounded to 32 bits, whole float64.

    Raises:
        ValueError: if one is no such share.

    >>> counted(np.array([0.3333], dtype=np.float32), 10_000).tolist()
    [3333.0]
    >>> counted(np.array([1.5, np.nan]), 100)
    Traceback (most recent call last):
    ValueError: expected shares of 100, found 1.5
    """
    scaled = shares.astype(np.float64) * of
    counts = np.rint(scaled)
    fits = (np.abs(scaled - counts) <= 0.01) & (counts >= 0) & (counts <= of)
    if len(odd := shares[~fits]):
        raise ValueError(f"expected shares of {of:,}, found {odd[0]}")
    return counts


def mean_share(counts: np.ndarray, of: int, axis: int = -1) -> np.ndarray:
    """The mean along an axis of shares of so many, percent, float64: summed first, divided once.

    So that equal sums are equal means, whichever counts they are of.

    >>> counts = np.array([[1, 28, 1], [10, 19, 1]])
    >>> (counts / 100 * 100).mean(axis=1).tolist(), mean_share(counts, 100).tolist()
    ([10.000000000000002, 10.0], [10.0, 10.0])
    """
    return 100 * counts.sum(axis=axis) / (of * counts.shape[axis])


def mean_of(values: np.ndarray, axis: int | None = -1) -> np.ndarray:
    """The mean along an axis, which rounding does not carry past the least or the greatest value.

    So that of equal numbers is their value.

    >>> float(np.mean([0.04] * 10)), float(mean_of(np.array([0.04] * 10)))
    (0.039999999999999994, 0.04)
    """
    return np.clip(values.mean(axis=axis), values.min(axis=axis), values.max(axis=axis))
