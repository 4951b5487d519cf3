"""Files of a public repository at one commit, fetched by the user's git.

A commit's name is the checksum of all that is in it, and git checks what it fetches: no other
content can come under that name. (Under the beginning of a name it can: what is made of it is
checked by its own checksum.)
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator

from nasrepro.errors import DataError

# How long any server may take, here and for single files.
CONNECT_SECONDS = 5
READ_SECONDS = 30
FETCH_SECONDS = 1_800


def read_commit(url: str, commit: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """The files below a folder of a repository at a commit.

    Args:
        url: of the repository.
        commit: its name, 40 hexadecimal digits, or a beginning of it that no other commit has.
        folder: path inside the repository.

    Yields:
        Path and content of each file.

    Raises:
        DataError: if there is no git, no network, or no such commit or folder.
    """
    git = shutil.which("git")
    if git is None:
        raise DataError(f"{url} is fetched with git, which is not installed; install it")
    _check_answer(url)
    commit = _full_name(git, url, commit)
    with tempfile.TemporaryDirectory(prefix="nasrepro-") as repository:
        _run([git, "init", "--quiet", "--bare", repository], url)
        _run([git, "-C", repository, "fetch", "--quiet", "--depth=1", url, commit], url)
        with tempfile.TemporaryFile() as archive:
            _run([git, "-C", repository, "archive", "--format=tar", commit, folder], url, archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive, mode="r:") as tar:
                for member in tar:
                    if member.isfile() and (file := tar.extractfile(member)):
                        with file:
                            yield member.name, file.read()


def _full_name(git: str, url: str, commit: str) -> str:
    """The name of a commit by its beginning; all commits are fetched, without their files."""
    if len(commit) == 40:
        return commit
    with tempfile.TemporaryDirectory(prefix="nasrepro-") as place:
        _run([git, "init", "--quiet", "--bare", place], url)
        fetch = [git, "-C", place, "fetch", "--quiet", "--filter=tree:0", url]
        _run([*fetch, "refs/heads/*:refs/heads/*"], url)
        found = _run([git, "-C", place, "rev-parse", "--verify", f"{commit}^{{commit}}"], url)
    return found.decode().strip()


def _check_answer(url: str) -> None:
    """Raise a DataError at once where no server answers: git itself would wait for minutes."""
    import requests  # only needed here, and slow to import

    if not url.startswith("http"):
        return
    probe = f"{url}/info/refs?service=git-upload-pack"
    try:
        requests.get(probe, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True).close()
    except requests.RequestException as error:
        raise DataError(f"{url}: no answer ({type(error).__name__})") from None


def _run(command: list[str], url: str, output=subprocess.PIPE) -> bytes:
    """What git prints, which may not ask for passwords; DataError with what it says if it fails."""
    try:
        done = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=FETCH_SECONDS,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{url}: git failed ({error})") from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise DataError(f"{url}: git failed ({said or f'exit status {done.returncode}'})")
    return done.stdout or b""
