"""Files: named in every error about them, and written whole or not at all."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from nasrepro import paths
from nasrepro.errors import DataError, NasreproError


@contextmanager
def naming(file: Path | str) -> Iterator[None]:
    """Name a file in every error about it: what reads it may not know where it lies.

    Raises:
        DataError: that names the file, for one that does not, and where the system cannot read it.

    >>> with naming("cells.csv"):
    ...     raise DataError("expected three cells, found two")
    Traceback (most recent call last):
    nasrepro.errors.DataError: cells.csv: expected three cells, found two
    """
    try:
        yield
    except NasreproError as error:
        if str(file) in str(error):
            raise
        raise DataError(f"{file}: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read {file} ({error.strerror or error})") from None


@contextmanager
def writing(where: str, otherwise: str) -> Iterator[None]:
    """Keep something somewhere; where that cannot be, say so once and go on without it.

    Args:
        where: a folder, with what it is.
        otherwise: what comes of it.
    """
    try:
        yield
    except DataError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        _say_once(f"{where} cannot be written ({error.__cause__.strerror}): {otherwise}")


def writing_cache() -> AbstractContextManager[None]:
    """The same for the cache."""
    otherwise = "every command converts what it reads anew; set $NASREPRO_CACHE to another folder"
    return writing(f"the cache {paths.cache_dir()}", otherwise)


@cache
def _say_once(sentence: str) -> None:
    print(f"nasrepro: {sentence}", file=sys.stderr)


@contextmanager
def whole_file(path: Path, otherwise: str) -> Iterator[BinaryIO]:
    """A binary file to write, which takes its place once the block has ended without an error.

    It is a hidden temporary file of the same folder until then, which is flushed to disk and
    renamed: a killed process leaves what was there before.

    Args:
        path: where it goes; folders are made.
        otherwise: what a reader can do if it cannot be written.

    Raises:
        DataError: if it cannot be written, e.g. because the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror or error}); {otherwise}") from error
