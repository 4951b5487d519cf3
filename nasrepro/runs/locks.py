"""Who computes which run: what the clients of one store tell each other.

A run that is being computed has a locked file. The operating system unlocks it when its owner ends,
however it ends; so nothing here looks at a clock or a process number.
"""

from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from nasrepro.errors import DataError
from nasrepro.paths import files
from nasrepro.runs.store import Store, write_atomically


def lock(store: Store, key: str, wait: bool = False) -> BaseFileLock | None:
    """Take a run, so that no other client of the store computes or writes it.

    What an owner that was killed left of its record is deleted.

    Args:
        store: where its record will be.
        key: of the run.
        wait: until its owner has unlocked it or ended.

    Returns:
        The lock, for `unlock`; None if another client has it.

    Raises:
        DataError: if the store's folder cannot be written, or its file system has no locks.
    """
    file = _file(_folder(store) / f"{key}.lock")
    try:
        _folder(store).mkdir(parents=True, exist_ok=True)
        file.acquire(timeout=-1 if wait else 0)
        for path in [*store.folder.glob(f".{key}.*"), _failure(store, key)]:
            path.unlink(missing_ok=True)
    except Timeout:
        return None
    except BaseException as error:  # also an interrupt: a notebook would keep the lock
        file.release()
        if not isinstance(error, OSError):
            raise
        raise DataError(
            f"cannot compute {key}: cannot lock a file in {store.folder}: {error.strerror}; make "
            "room or set NASREPRO_RESULTS to a folder that can be written and locked"
        ) from error
    return file


def unlock(file: BaseFileLock) -> None:
    """Give a run back."""
    # Deleted while it is locked: who opened it meanwhile sees that it is deleted, and tries again.
    Path(file.lock_file).unlink(missing_ok=True)
    file.release()


def wait_until_unlocked(store: Store, key: str) -> None:
    """Wait until no client of the store has a run; DataError as `lock`."""
    if (file := lock(store, key, wait=True)) is not None:
        unlock(file)


def locked(store: Store) -> set[str]:
    """Keys of the runs that are being computed now, by whatever client."""
    return {path.stem for path in files(_folder(store), "*.lock") if _is_locked(path)}


def _is_locked(path: Path) -> bool:
    file = _file(path)
    try:
        file.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # in a store that we may not write: who computes there cannot be told
        return False
    unlock(file)
    return False


def note_failure(store: Store, key: str, sentence: str) -> None:
    """Tell why a locked run failed, until it is locked again; DataError if it cannot be written."""
    write_atomically(_failure(store, key), sentence)


def failures(store: Store) -> dict[str, str]:
    """Why runs failed when they were last tried, by key."""
    found = {}
    for path in files(_folder(store), "*.failed"):
        with suppress(FileNotFoundError):  # who tries the run again has just deleted it
            found[path.stem] = path.read_text(encoding="utf-8")
    return found


def _file(path: Path) -> BaseFileLock:
    # No fallback: a file that stands for a lock would outlive an owner on another machine.
    return FileLock(path, fallback_to_soft=False)


def _failure(store: Store, key: str) -> Path:
    return _folder(store) / f"{key}.failed"


def _folder(store: Store) -> Path:
    return store.folder / ".state"
