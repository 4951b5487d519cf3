"""Where things live: the repository, the records, the caches. Nothing else knows a path."""

import os
from pathlib import Path

import platformdirs

REPOSITORY = Path(__file__).resolve().parents[1]


def results_dir() -> Path:
    """Folder of the tracked records (`$NASREPRO_RESULTS`, else `results/` of the repository)."""
    return Path(os.environ.get("NASREPRO_RESULTS", REPOSITORY / "results"))


def cache_dir() -> Path:
    """Folder of downloaded and converted data (`$NASREPRO_CACHE`, else the user's cache)."""
    return Path(os.environ.get("NASREPRO_CACHE", platformdirs.user_cache_path("nasrepro")))


def data_dir() -> Path | None:
    """Folder of data files the user already has (`$NASREPRO_DATA`), or None."""
    folder = os.environ.get("NASREPRO_DATA")
    return Path(folder) if folder else None
