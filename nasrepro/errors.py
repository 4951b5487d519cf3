"""Errors that people read: what was expected, what was found, what to do."""


class NasreproError(Exception):
    """A problem the reader can mend; the command line prints it without a traceback."""


class DataError(NasreproError):
    """A file is missing, unreadable or not the one expected."""


class ConfigError(NasreproError):
    """A setting or a name that nasrepro does not know."""


class NoSolutionError(NasreproError, ValueError):
    """No number is what was asked for; the text says what can be."""
