"""A record: what one run measured, and its file.

A file is a NumPy archive: the named arrays and a head, which is JSON, under one checksum. Older
records are JSON as a whole; they are read, but no longer written.
"""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from nasrepro.canonical import canonical_json, digest, later
from nasrepro.errors import ConfigError, DataError
from nasrepro.runs.config import SCHEMA, from_dict, to_dict

STATUSES = ("ok", "diverged")
T = TypeVar("T")

HEAD = "head"  # of an archive: JSON as bytes
TYPES = "iufb"  # of arrays: integers, reals, truth values


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
    # Whether the device multiplies bfloat16: where not, float32 was computed in its place. None:
    # computed before this was noted, where it did.
    bfloat16: bool | None = later(None)


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """What one run measured.

    Attributes:
        config: of the run.
        status: one of `STATUSES`; a diverged run lacks what could not be measured.
        history: what each epoch showed, one dataclass per epoch.
        arrays: by name; what they are says the kind of run.
        measurement: time, memory and machine.
    """

    config: Any
    status: str
    history: tuple[Any, ...]
    arrays: Mapping[str, np.ndarray]
    measurement: Measurement

    @property
    def key(self) -> str:
        """The config's key."""
        return self.config.key

    def __eq__(self, other: object) -> bool:
        """Whether all is equal, arrays by their values; losses that are not numbers are."""
        return isinstance(other, Record) and _content(self) == _content(other)


def _content(record: Record) -> Any:
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in record.arrays.items()}
    return record.config, record.status, repr(record.history), arrays, record.measurement


@dataclass(frozen=True)
class Kind:
    """A kind of run: what it is made of and how it is computed.

    Attributes:
        name: for people.
        folder: of its records, in the folder of results.
        config: the class of its configs: frozen dataclasses with a `key` and a `seed`.
        epoch: the class of the entries of its history.
        arrays: names that its records can have.
        compute: from a config and a device to a record.
    """

    name: str
    folder: str
    config: type
    epoch: type
    arrays: tuple[str, ...]
    compute: Callable[[Any, str], Record]


@dataclass(frozen=True, slots=True)
class _Head:
    """The values of a record beside its arrays."""

    config: Any
    status: str
    history: list[dict[str, float | None]]
    measurement: Measurement


def to_bytes(record: Record) -> bytes:
    """The content of a record's file: the same bytes for the same record."""
    head = {"schema": SCHEMA, "key": record.key, **head_values(record)}
    return archive(head, record.arrays)


def archive(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """A NumPy archive of plain values and of arrays, and their checksum; see `read_archive`."""
    text = canonical_json({**head, "sha256": _checksum(head, arrays)}).encode()
    buffer = io.BytesIO()
    parts: dict[str, Any] = {HEAD: np.frombuffer(text, dtype=np.uint8), **arrays}
    np.savez_compressed(buffer, **parts)
    return buffer.getvalue()


def head_values(record: Record) -> dict[str, Any]:
    """A record as plain values but for its arrays; a loss that is not finite is None."""
    return {
        "config": to_dict(record.config),
        "status": record.status,
        "history": [epoch_values(epoch) for epoch in record.history],
        "measurement": to_dict(record.measurement),
    }


def epoch_values(epoch: Any) -> dict[str, float | None]:
    """What an epoch showed as plain values; None is what is not finite."""
    return {name: _finite(value) for name, value in to_dict(epoch).items()}


def epoch_of(values: Mapping[str, float | None], kind: type[T]) -> T:
    """What an epoch showed, of `epoch_values`; ConfigError if they are none."""
    return from_dict({name: _number(value) for name, value in values.items()}, kind)


def array_values(record: Record) -> dict[str, Any]:
    """The arrays of a record as nested lists; None is what is not finite, which JSON has not."""
    return {
        name: np.ma.masked_where(~np.isfinite(array), array).tolist()
        for name, array in record.arrays.items()
    }


def from_bytes(content: bytes, kind: Kind) -> Record:
    """The record of a file's content.

    Raises:
        DataError: if it is cut, altered, of another schema or kind, or not a record.
    """
    head, arrays = read_archive(content)
    if head.pop("schema", None) != SCHEMA:
        raise DataError(f"has another schema than {SCHEMA}")
    key = head.pop("key", None)
    if unknown := sorted(arrays.keys() - set(kind.arrays)):
        raise DataError(f"has arrays that a {kind.name} has not: {', '.join(unknown)}")
    record = from_values(head, arrays, kind)
    if record.key != key:
        raise DataError(f"holds the record of {record.key}")
    return record


def from_values(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray], kind: Kind) -> Record:
    """A record of plain values, as `head_values` gives them; DataError if they are none."""
    try:
        values = from_dict(head, _Head)
        if values.status not in STATUSES:
            raise ConfigError(f"unknown status {values.status!r}")
        return Record(
            config=from_dict(values.config, kind.config),
            status=values.status,
            history=tuple(epoch_of(epoch, kind.epoch) for epoch in values.history),
            arrays=dict(arrays),
            measurement=values.measurement,
        )
    except ConfigError as error:
        raise DataError(f"is not the record of a {kind.name}: {error}") from error


def read_archive(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The plain values and the arrays of `archive`; DataError if it is cut or altered."""
    head, arrays, stored = _parts(content)
    if stored != _checksum(head, arrays):
        raise DataError("was altered: its content does not match its checksum")
    return head, arrays


def _parts(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray], str]:
    """Head, arrays and stored checksum of a file."""
    try:
        if content[:1] == b"{":
            return _old_parts(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        head = json.loads(arrays.pop(HEAD).tobytes())
        return head, arrays, head.pop("sha256")
    except (
        *(OSError, ValueError, AttributeError, LookupError, TypeError, EOFError),
        *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    ) as error:
        raise DataError("is not a complete record") from error


def _old_parts(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray], str]:
    """Those of a JSON file: what is none of a head's values is an array, null an absent one."""
    values = json.loads(content)
    stored = values.pop("sha256")
    if digest(values) != stored:
        raise DataError("was altered: its content does not match its checksum")
    head = {"schema", "key", *(f.name for f in fields(_Head))}
    arrays = {
        name: np.asarray(value, dtype=np.int64 if value == [] else None)
        for name, value in values.items()
        if name not in head and value is not None
    }
    values = {name: value for name, value in values.items() if name in head}
    return values, arrays, _checksum(values, arrays)


def _checksum(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a head and of arrays, their types and shapes."""
    contents = {}
    for name, array in sorted(arrays.items()):
        if array.dtype.kind not in TYPES:
            raise DataError(f"has an array of no numbers: {name}")
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        contents[name] = [little.dtype.str, array.shape, little.tobytes().hex()]
    return digest({"head": head, "arrays": contents})


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
