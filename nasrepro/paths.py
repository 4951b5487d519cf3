"""Where things live: the repository, the records, the caches. Nothing else knows a path."""

import os
from pathlib import Path

import platformdirs

from nasrepro.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[1]
VARIABLES = ("NASREPRO_RESULTS", "NASREPRO_CACHE", "NASREPRO_DATA")


def make_variables_absolute() -> None:
    """Give the variables that name folders absolute paths, for every process started from here.

    A command does so before anything else: a process of another working folder, such as a
    notebook's kernel, then means the same folders.
    """
    os.environ.update({name: str(folder) for name in VARIABLES if (folder := _named(name))})


def check_folders() -> None:
    """Raise a ConfigError if a variable names a place to write to that is no folder."""
    for name in ("NASREPRO_RESULTS", "NASREPRO_CACHE"):
        folder = _named(name)
        if folder and exists(folder) and not folder.is_dir():
            raise ConfigError(f"${name} is {folder}, which is no folder; name another, or unset it")


def book_results() -> Path:
    """The store behind the published book, which is part of the repository."""
    return REPOSITORY / "results"


def results_dir() -> Path:
    """The store that a command writes to: `$NASREPRO_RESULTS`, else `results/` of the cache.

    So the book's own store is only written by who names it.
    """
    return _named("NASREPRO_RESULTS") or cache_dir() / "results"


def results_dirs() -> tuple[Path, ...]:
    """The stores that a command reads; the first that has something counts.

    A store that `$NASREPRO_RESULTS` names stands alone; else the book's lies behind one's own.
    """
    return (results_dir(),) if _named("NASREPRO_RESULTS") else (results_dir(), book_results())


def result(*parts: str) -> Path:
    """Where a file or folder of the results is read: in the first store that has it.

    If none has it, the path is where it would be written.
    """
    places = [folder.joinpath(*parts) for folder in results_dirs()]
    return next(filter(exists, places), places[0])


def use_book_results() -> None:
    """Let this process and those it starts use the book's store, unless a store is named."""
    if _named("NASREPRO_RESULTS") is None:
        os.environ["NASREPRO_RESULTS"] = str(book_results())


def cache_dir() -> Path:
    """Folder of downloaded and converted data (`$NASREPRO_CACHE`, else the user's cache)."""
    return _named("NASREPRO_CACHE") or platformdirs.user_cache_path("nasrepro")


def data_dir() -> Path | None:
    """Folder of data files the user already has (`$NASREPRO_DATA`), or None."""
    return _named("NASREPRO_DATA")


def exists(path: Path) -> bool:
    """Whether something is there, as far as the system lets us look."""
    try:
        return path.exists()
    except OSError:  # e.g. in a folder that we may not search
        return False


def files(folder: Path, pattern: str) -> list[Path]:
    """What in a folder has such a name, sorted, as far as the system lets us look."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _named(variable: str) -> Path | None:
    """The absolute path of the folder that a variable names; None if it is unset or empty."""
    folder = os.environ.get(variable)
    return Path(folder).absolute() if folder else None
