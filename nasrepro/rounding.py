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


def mean_of(values: np.ndarray, axis: int | None = -1) -> np.ndarray:
    """The mean along an axis, which rounding does not carry past the least or the greatest value.

    So that of equal numbers is their value.

    >>> float(np.mean([0.04] * 10)), float(mean_of(np.array([0.04] * 10)))
    (0.039999999999999994, 0.04)
    """
    return np.clip(values.mean(axis=axis), values.min(axis=axis), values.max(axis=axis))
