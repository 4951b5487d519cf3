"""The store: one small JSON file a run, whole or not there at all."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasrepro.canonical import digest
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import whole_file
from nasrepro.paths import results_dir
from nasrepro.runs.config import SCHEMA, RunConfig, from_dict, to_dict
from nasrepro.train import Epoch

STATUSES = ("ok", "diverged")


@dataclass(frozen=True, slots=True)
class Measurement:
    """How long a run took, and on what."""

    train_seconds: float  # by the clock on the wall, as the next one
    evaluate_seconds: float
    cpu_seconds: float  # of this process in both: less than the two on a busy machine
    train_images_per_second: float  # images times paths
    evaluate_images_per_second: float
    peak_memory_mb: float  # of the whole process, while it computed this run (Linux) or ever
    device: str
    threads: int
    cpu: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """What one run measured."""

    config: RunConfig
    status: str  # one of STATUSES; a diverged run has no counts
    codes: tuple[int, ...]  # `Cell.code` of the evaluated cells, ascending
    correct: tuple[int, ...]  # correctly classified validation images of each
    history: tuple[Epoch, ...]
    measurement: Measurement

    @property
    def key(self) -> str:
        """The config's key."""
        return self.config.key


@dataclass(frozen=True, slots=True)
class Store:
    """The records of one kind in one folder.

    Attributes:
        folder: one file a record, named by its key.
        kind: the dataclass of the records, e.g. `Record`: with `config`, `key`, `status`,
            `history` and `measurement`.
    """

    folder: Path
    kind: type

    def path(self, key: str) -> Path:
        """Where the record of a key lies, or would lie."""
        return self.folder / f"{key}.json"

    def save(self, record: Any) -> Path:
        """Write a record atomically; DataError if it cannot be written."""
        values: dict[str, Any] = {"schema": SCHEMA, "key": record.key, **to_dict(record)}
        if record.status == "diverged":
            values["history"] = [
                {k: v if math.isfinite(v) else None for k, v in epoch.items()}
                for epoch in values["history"]
            ]
        values["sha256"] = digest(values)
        text = json.dumps(values, indent=None, separators=(",", ":"), sort_keys=True) + "\n"
        write_atomically(self.path(record.key), text)
        return self.path(record.key)

    def load(self, key: str) -> Any | None:
        """The record of a key, or None if the store lacks it; DataError if its file is damaged."""
        path = self.path(key)
        return self.read(path) if path.exists() else None

    def read(self, path: Path) -> Any:
        """Read one record file.

        Raises:
            DataError: if the file is cut, altered, of another schema, or named after another
                config.
        """
        remedy = "delete it and run the study again"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            stored = values.pop("sha256")
            found = digest(values)
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no whole record; {remedy}") from error
        if found != stored:
            raise DataError(
                f"{path} was altered: its content does not match its checksum; {remedy}"
            )
        if values.pop("schema") != SCHEMA:
            raise DataError(f"{path} has another schema than {SCHEMA}; {remedy}")
        key = values.pop("key")
        for epoch in values["history"]:
            epoch.update({k: float("nan") for k, v in epoch.items() if v is None})
        try:
            record = from_dict(values, self.kind)
        except ConfigError as error:
            raise DataError(f"{path}: {error}; {remedy}") from error
        if not record.key == key == path.stem:
            raise DataError(f"{path} holds the record of {record.key}; {remedy}")
        return record

    def stored_keys(self) -> list[str]:
        """Keys of all stored records, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def records(self) -> list[Any]:
        """All stored records, in the order of their keys; DataError if one is damaged."""
        return [self.read(self.path(key)) for key in self.stored_keys()]

    def verify(self) -> Iterator[tuple[str, str]]:
        """Key and problem of every damaged record."""
        for key in self.stored_keys():
            try:
                self.read(self.path(key))
            except DataError as error:
                yield key, str(error)


def supernets() -> Store:
    """The store of the supernets behind the book."""
    return Store(results_dir() / "records", Record)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file of the results whole or not at all; DataError if it cannot be written."""
    mend = "make room or set NASREPRO_RESULTS to a folder that can be written, and run again"
    with whole_file(path, mend) as file:
        file.write(content.encode() if isinstance(content, str) else content)
