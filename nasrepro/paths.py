"""Where things live: the repository, the records, the caches. Nothing else knows a path."""

import os
from pathlib import Path

import platformdirs

REPOSITORY = Path(__file__).resolve().parents[1]
VARIABLES = ("NASREPRO_RESULTS", "NASREPRO_CACHE", "NASREPRO_DATA")


def make_variables_absolute() -> None:
    """Give the variables that name folders absolute paths, for every process started from here.

    A command does so before anything else: a process of another working folder, such as a
    notebook's kernel, then means the same folders.
    """
    os.environ.update({name: str(folder) for name in VARIABLES if (folder := _named(name))})


def results_dir() -> Path:
    """Folder of the tracked records (`$NASREPRO_RESULTS`, else `results/` of the repository)."""
    return _named("NASREPRO_RESULTS") or REPOSITORY / "results"


def cache_dir() -> Path:
    """Folder of downloaded and converted data (`$NASREPRO_CACHE`, else the user's cache)."""
    return _named("NASREPRO_CACHE") or platformdirs.user_cache_path("nasrepro")


def data_dir() -> Path | None:
    """Folder of data files the user already has (`$NASREPRO_DATA`), or None."""
    return _named("NASREPRO_DATA")


def _named(variable: str) -> Path | None:
    """The absolute path of the folder that a variable names; None if it is unset or empty."""
    folder = os.environ.get(variable)
    return Path(folder).absolute() if folder else None
