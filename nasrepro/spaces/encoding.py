"""What the spaces share: texts, known operations, and codes with one digit per operation."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from nasrepro.errors import ConfigError

Cell = TypeVar("Cell")


def parse_text(text: object, read: Callable[[str], Cell]) -> Cell:
    """The cell of a text, which is just as `str` gives it but for blanks around it.

    Args:
        text: of the cell.
        read: makes a cell of a text; it may take more than `str` gives.

    Raises:
        ConfigError: for anything else; it shows what was given.

    >>> parse_text(" 7\\n", int)
    7
    >>> parse_text("07", int)
    Traceback (most recent call last):
    nasrepro.errors.ConfigError: expected a cell such as 7, found '07'
    """
    if not isinstance(text, str):
        raise ConfigError(f"expected the text of a cell, found {text!r}")
    try:
        cell = read(text.strip())
    except ConfigError as error:
        raise ConfigError(f"{text!r}: {error}") from None
    if str(cell) != text.strip():
        raise ConfigError(f"expected a cell such as {cell}, found {text!r}")
    return cell


def check_known(operations: Iterable[str], known: Sequence[str]) -> None:
    """Raise a ConfigError that lists the known operations if one is unknown."""
    for operation in operations:
        if operation not in known:
            raise ConfigError(
                f"unknown operation {operation!r}; the operations are {', '.join(known)}"
            )


def check_choices(operations: Sequence[str]) -> None:
    """Raise a ConfigError if an operation is among the choices more than once."""
    if len(set(operations)) < len(operations):
        raise ConfigError(f"a subspace has each operation once, found {', '.join(operations)}")


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
    return np.all(usable[digits], axis=1)
