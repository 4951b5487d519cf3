"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nasrepro.errors import DataError


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
