"""The store: one small file per run, whole or not there at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nasrepro.errors import DataError
from nasrepro.files import whole_file
from nasrepro.paths import exists, files
from nasrepro.runs.record import Kind, Record, from_bytes, to_bytes

SUFFIXES = (".npz", ".json")  # as it is written now, as it was before


@dataclass(frozen=True, slots=True)
class Store:
    """The records of one kind: in one folder, and behind it in others that are only read.

    Attributes:
        folder: one file per record, named by its key.
        kind: of run.
        behind: folders where a record is looked for that `folder` lacks.
    """

    folder: Path
    kind: Kind
    behind: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where records are looked for."""
        return (self.folder, *self.behind)

    def has(self, key: str) -> bool:
        """Whether the record of a key lies in its own folder, not behind it."""
        return exists(path := self.path(key)) and path.parent == self.folder

    def path(self, key: str) -> Path:
        """Where the record of a key lies, or would lie."""
        paths = [folder / f"{key}{suffix}" for folder in self.folders for suffix in SUFFIXES]
        return next(filter(exists, paths), paths[0])

    def save(self, record: Record) -> Path:
        """Write a record atomically; DataError if it cannot be written."""
        path = self.folder / f"{record.key}{SUFFIXES[0]}"
        write_atomically(path, to_bytes(record))
        return path

    def load(self, key: str) -> Record | None:
        """The record of a key, or None if the store lacks it; DataError if its file is damaged."""
        path = self.path(key)
        return self.read(path) if exists(path) else None

    def read(self, path: Path) -> Record:
        """Read one record file.

        Raises:
            DataError: if the file is cut, altered, of another schema, or named after another
                config.
        """
        try:
            record = from_bytes(path.read_bytes(), self.kind)
            if record.key != path.stem:
                raise DataError(f"holds the record of {record.key}")
        except OSError as error:
            raise DataError(f"{path} is not a complete record; {_REMEDY}") from error
        except DataError as error:
            raise DataError(f"{path} {error}; {_REMEDY}") from error
        return record

    def stored_keys(self) -> list[str]:
        """Keys of all stored records, sorted."""
        found = [files(folder, f"*{suffix}") for folder in self.folders for suffix in SUFFIXES]
        return sorted({path.stem for paths in found for path in paths})

    def records(self) -> list[Record]:
        """All stored records, in the order of their keys; DataError if one is damaged."""
        return [self.read(self.path(key)) for key in self.stored_keys()]

    def verify(self) -> Iterator[tuple[str, str]]:
        """Key and problem of every damaged record."""
        for key in self.stored_keys():
            try:
                self.read(self.path(key))
            except DataError as error:
                yield key, str(error)


_REMEDY = "delete it and run the study again"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file of the results whole or not at all; DataError if it cannot be written."""
    remedy = "make room or set NASREPRO_RESULTS to a folder that can be written, and run again"
    with whole_file(path, remedy) as file:
        file.write(content.encode() if isinstance(content, str) else content)
