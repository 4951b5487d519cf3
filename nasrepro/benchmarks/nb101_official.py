"""The whole of NAS-Bench-101, where a user has one of its official files.

The file is read once, without TensorFlow, and what the studies need goes into the cache: of every
cell the accuracy after the last epoch of the 108-epoch schedule, as the mean of its three runs.
"""

import base64
import json
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nasrepro.benchmarks import compact
from nasrepro.benchmarks.nb101 import EPOCHS, IMAGES, RUNS, columns
from nasrepro.benchmarks.official import first_available, require_file
from nasrepro.benchmarks.table import Column, Table, complete
from nasrepro.data.tfrecord import read_records
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import naming
from nasrepro.rounding import counted, mean_share
from nasrepro.spaces.nb101 import NUM_CELLS, Cell
from nasrepro.spaces.nb101_codes import canonical_codes

NAME = "nb101-official"
FILES = ("nasbench_only108.tfrecord", "nasbench_full.tfrecord")  # in the order of preference

# Fields of the messages in the benchmark's model_metrics.proto.
_EVALUATIONS = 1  # before training, half-way, at the end
_ACCURACIES = {"validation": 4, "test": 5}


def columns_of(filename: str) -> tuple[Column, ...]:
    """Validation and test accuracy of all cells."""
    return columns(filename, f"all {NUM_CELLS:,} cells")


def preferred() -> str | None:
    """The first of `FILES` that was converted before or is on this machine, else None."""
    return first_available(NAME, FILES)


def load() -> Table:
    """Load the table from the cache, else convert the user's file, in about a minute.

    Raises:
        DataError: if neither is there, or the file is not as expected.
    """
    filename = preferred() or FILES[0]
    origin = "github.com/google-research/nasbench"

    def convert() -> Table:
        path = require_file(filename, NAME, FILES, origin)
        with naming(path):
            return complete(read_tfrecord(path))

    return compact.load(NAME, filename, columns_of(filename), convert, "nb101")


def read_tfrecord(path: Path) -> Table:
    """Read a file such as `nasbench_only108.tfrecord`; runs of other lengths are left out.

    Raises:
        DataError: if it is not a whole file of such runs, or a cell has not three of them.
    """
    codes: dict[str, int] = {}
    parse = cache(_parse_cell)  # every cell stands there three times or more
    runs: dict[str, list[tuple[float, ...]]] = {}
    for offset, record in read_records(path):
        try:
            name, epochs, matrix, operations, metrics = json.loads(record)
            if epochs != EPOCHS:
                continue
            codes.setdefault(name, parse(matrix, operations))
            runs.setdefault(name, []).append(_final_accuracies(base64.b64decode(metrics)))
        except (ValueError, LookupError, TypeError, AttributeError, struct.error, ConfigError) as e:
            raise DataError(
                f"{path}: the record at byte {offset:,} is not a run of NAS-Bench-101 ({e!r})"
            ) from None
    for name, of_cell in runs.items():
        if len(of_cell) != len(RUNS):
            raise DataError(
                f"{path}: expected {len(RUNS)} runs of {EPOCHS} epochs of each cell, "
                f"found {len(of_cell)} of {name}"
            )
    accuracies = np.array(list(runs.values())).reshape(len(runs), len(RUNS), len(_ACCURACIES))
    meanings = columns_of(path.name)
    try:
        counts = counted(accuracies, IMAGES)
    except ValueError as error:
        raise DataError(f"{path}, accuracies: {error}") from None
    means = dict(zip(_ACCURACIES, mean_share(counts, IMAGES, axis=1).T, strict=True))
    values = {column.name: means[column.split] for column in meanings}
    canonical = canonical_codes(np.array([codes[name] for name in runs], dtype=np.int64))
    with naming(path):
        return Table(NAME, canonical, meanings, values, space="nb101")


def _parse_cell(matrix: str, operations: str) -> int:
    """The code of a matrix, all its digits row by row, and operations with commas in between."""
    labels = operations.split(",")  # from input to output
    digits = np.array([int(digit) for digit in matrix])
    return Cell.from_matrix(digits.reshape(len(labels), -1), labels).code


def _final_accuracies(metrics: bytes) -> tuple[float, ...]:
    """The accuracies at the end of training, of a serialised `ModelMetrics`."""
    evaluations = [value for number, value in _fields(metrics) if number == _EVALUATIONS]
    final = dict(_fields(evaluations[2]))
    return tuple(struct.unpack("<d", final[number])[0] for number in _ACCURACIES.values())


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protocol buffer message; the value is not interpreted.

    Raises:
        ValueError: if the message ends within a field, or has one of an unknown kind.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (1, 2, 5):
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if at > len(message):
            raise ValueError("the metrics end within a field")
        yield number, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """An integer in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
