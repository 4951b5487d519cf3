"""Errors that people read: what was expected, what was found, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class NasreproError(Exception):
    """A problem the reader can mend; the command line prints it without a traceback."""


class DataError(NasreproError):
    """A file is missing, unreadable or not the one expected."""


class ConfigError(NasreproError):
    """A setting or a name that nasrepro does not know."""


def meant(name: str, known: Iterable[str]) -> str:
    """What was probably meant by a name that nobody knows, to set behind it; often nothing.

    >>> meant("regrets", ["correlations", "regret"])
    ' (did you mean regret?)'
    """
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def at_least(low: float, **values: float | None) -> None:
    """Raise a ConfigError that names a value below a bound; None is no value.

    >>> at_least(1, channels=16, cells=None)
    >>> at_least(1, channels=0)
    Traceback (most recent call last):
        ...
    nasrepro.errors.ConfigError: channels is at least 1, found 0
    """
    for name, value in values.items():
        if value is not None and not value >= low:
            raise ConfigError(f"{name} is at least {low}, found {value}")


class NoSolutionError(NasreproError, ValueError):
    """No number is what was asked for; the text says what can be."""
