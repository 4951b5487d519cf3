"""What the spaces share: known operations, and codes that are numbers with an operation a digit."""

from collections.abc import Iterable, Sequence

import numpy as np

from nasrepro.errors import ConfigError


def check_known(operations: Iterable[str], known: Sequence[str]) -> None:
    """Raise a ConfigError that lists the known operations if one is unknown."""
    for operation in operations:
        if operation not in known:
            raise ConfigError(
                f"unknown operation {operation!r}; the operations are {', '.join(known)}"
            )


def check_range(codes: np.ndarray, count: int, what: str) -> None:
    """Raise a ConfigError, which says what it is the code of, unless all lie in 0..count-1."""
    wrong = codes[(codes < 0) | (codes >= count)]
    if len(wrong):
        raise ConfigError(f"a {what} code lies in 0..{count - 1}, found {wrong[0]}")


def digits_use_only(
    codes: np.ndarray, operations: Iterable[str], known: Sequence[str], places: int
) -> np.ndarray:
    """Whether each code's digits, in base `len(known)`, stand for these operations only, bool [n].

    Raises:
        ConfigError: if an operation is unknown.
    """
    allowed = tuple(operations)
    check_known(allowed, known)
    digits = codes[:, None] // len(known) ** np.arange(places) % len(known)
    usable = np.array([operation in allowed for operation in known])
    return usable[digits].all(axis=1)
