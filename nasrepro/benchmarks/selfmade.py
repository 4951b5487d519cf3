"""Stand-alone accuracies that this project measured itself: one packed Parquet file per benchmark.

A row is one run: a cell, a seed, a list with one entry per epoch for each curve, the test at the
end, what the network costs, and how the run was measured. What all rows share, the benchmark's own
definition, stands once, in the file's metadata, with a checksum of both.

`nasrepro.runs.bench` makes these files; they are read without it, and without torch.
"""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nasrepro import paths
from nasrepro.benchmarks.table import Column, Table
from nasrepro.canonical import digest
from nasrepro.errors import DataError
from nasrepro.files import naming
from nasrepro.rounding import mean_share
from nasrepro.spaces import SPACES

FOLDER = "bench"  # of the results
NAME = "nb201-selfmade"  # the one that comes with the project
SCHEMA = 2  # raised when a file of the same columns means something else
METADATA = b"nasrepro"

CURVES = {  # one entry per epoch
    "train_loss": float,
    "train_accuracy": float,
    "validation_loss": float,
    "validation_correct": int,
}
COLUMNS: dict[str, type] = {
    "cell": str,  # as `Cell.parse` of its space reads it
    "seed": int,
    "status": str,
    **CURVES,
    "test_loss": float,
    "test_correct": int,
    "test_images": int,
    "parameters": int,
    "flops": int,
    "train_seconds": float,
    "evaluate_seconds": float,
    "cpu_seconds": float,
    "train_images_per_second": float,
    "evaluate_images_per_second": float,
    "peak_memory_mb": float,
    "device": str,
    "threads": int,
    "cpu": str,
    "versions": str,  # JSON
}
LATER: dict[str, type] = {"bfloat16": bool}  # columns that older files do not have


@dataclass(frozen=True)
class Packed:
    """What a packed file holds.

    Attributes:
        space: a key of `SPACES`.
        bench: the definition, plain values of `nasrepro.runs.bench.Bench`.
        rows: one per run, with the names of `COLUMNS`; a loss that is not finite is None.
    """

    space: str
    bench: dict[str, Any]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Curves:
    """The runs of every complete cell: one whose seeds are all stored, and none diverged.

    The axes are always (cells, seeds, epochs), as far as a value has them.

    Attributes:
        space: a key of `SPACES`.
        bench: the definition.
        codes: `Cell.code`, int64 [cells].
        train_loss: mean over the batches of an epoch, float64 [cells, seeds, epochs].
        train_accuracy: percent of the augmented training images, [cells, seeds, epochs].
        validation_loss: after each epoch, mean over the held-out images, [cells, seeds, epochs].
        validation_correct: after each epoch, held-out images, int64 [cells, seeds, epochs].
        test_correct: after the last epoch, test images, int64 [cells, seeds].
        test_images: of which these are, int64 [cells, seeds].
        parameters: trainable ones, int64 [cells].
        flops: of the forward pass of one image, int64 [cells].
    """

    space: str
    bench: dict[str, Any]
    codes: np.ndarray
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    validation_loss: np.ndarray
    validation_correct: np.ndarray
    test_correct: np.ndarray
    test_images: np.ndarray
    parameters: np.ndarray
    flops: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def validation_accuracy(self) -> np.ndarray:
        """After each epoch, percent of the held-out images, float64 [cells, seeds, epochs]."""
        return 100 * self.validation_correct / self.bench["data"]["validation_images"]

    @cached_property
    def test_accuracy(self) -> np.ndarray:
        """After the last epoch, percent, float64 [cells, seeds]."""
        return 100 * self.test_correct / self.test_images

    @cached_property
    def train_loss_sum(self) -> np.ndarray:
        """Sum of the mini-batch training losses of each epoch, float64 [cells, seeds, epochs].

        SoTL is its sum over epochs, or its last entry (SoTL thesis, section 3.1).
        """
        batches = self.bench["data"]["train_images"] // self.bench["train"]["batch_size"]
        return self.train_loss * batches


def location(name: str) -> Path:
    """Where the packed file of a benchmark lies, or would be written."""
    return paths.result(FOLDER, f"{name}.parquet")


def names_of(suffix: str) -> list[str]:
    """Names of the benchmarks that have a file of a suffix, sorted."""
    found = [paths.files(folder / FOLDER, f"*{suffix}") for folder in paths.results_dirs()]
    return sorted({path.stem for files in found for path in files})


def available() -> tuple[str, ...]:
    """Names of the packed benchmarks."""
    return tuple(names_of(".parquet"))


def to_bytes(packed: Packed) -> bytes:
    """The content of a packed file."""
    import pyarrow as pa
    from pyarrow import parquet

    meaning = {
        "schema": SCHEMA,
        "space": packed.space,
        "bench": packed.bench,
        "sha256": digest(vars(packed)),
    }
    schema = _schema(COLUMNS | LATER).with_metadata({METADATA: json.dumps(meaning, sort_keys=True)})
    buffer = io.BytesIO()
    parquet.write_table(
        pa.Table.from_pylist(packed.rows, schema),
        buffer,
        compression="zstd",
        write_page_checksum=True,
    )
    return buffer.getvalue()


def read(path: Path) -> Packed:
    """Read a packed file whole.

    Raises:
        DataError: if it is cut, altered or of another schema.
    """
    import pyarrow as pa
    from pyarrow import parquet

    remedy = "get it again from where it came, or delete it and build it: nasrepro bench build"
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            content = file.read()  # `read_table` would import pandas
        meaning: Any = dict(json.loads(content.schema.metadata[METADATA]))
        version, space, bench, stored = map(meaning.get, ("schema", "space", "bench", "sha256"))
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path} is not a complete packed benchmark ({error}); {remedy}") from None
    known = (_schema(COLUMNS), _schema(COLUMNS | LATER))
    if version != SCHEMA or content.schema.remove_metadata() not in known:
        raise DataError(f"{path} has another schema than {SCHEMA}; {remedy}")
    packed = Packed(space, bench, content.to_pylist())
    if digest(vars(packed)) != stored:
        raise DataError(f"{path} was altered: its content does not match its checksum; {remedy}")
    return packed


def _schema(columns: dict[str, type]) -> Any:
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return pa.schema(
        [
            (name, pa.list_(types[kind]) if name in CURVES else types[kind])
            for name, kind in columns.items()
        ]
    )


def curves(packed: Packed) -> Curves:
    """The complete cells of a packed benchmark, in its order.

    Raises:
        DataError: if there is none yet.
    """
    seeds = packed.bench["seeds"]
    runs: dict[str, dict[int, dict]] = {}
    for row in packed.rows:
        if row["status"] == "ok" and row["seed"] < seeds:
            runs.setdefault(row["cell"], {})[row["seed"]] = row
    complete = {
        cell: [by_seed[seed] for seed in range(seeds)]
        for cell, by_seed in runs.items()
        if len(by_seed) == seeds
    }
    if not complete:
        name = packed.bench["name"]
        raise DataError(f"{name} has no complete cell yet; go on: nasrepro bench build {name}")

    def gather(column: str) -> np.ndarray:
        return np.array([[row[column] for row in group] for group in complete.values()])

    parse = SPACES[packed.space].Cell.parse
    return Curves(
        space=packed.space,
        bench=packed.bench,
        codes=np.array([parse(cell).code for cell in complete], dtype=np.int64),
        train_loss=gather("train_loss"),
        train_accuracy=gather("train_accuracy"),
        validation_loss=gather("validation_loss"),
        validation_correct=gather("validation_correct"),
        test_correct=gather("test_correct"),
        test_images=gather("test_images"),
        parameters=gather("parameters")[:, 0],
        flops=gather("flops")[:, 0],
    )


def load_curves(name: str) -> Curves:
    """The complete cells of a benchmark by its name.

    Raises:
        DataError: if it was not built, is damaged, or has no complete cell.
    """
    path = location(name)
    if not paths.exists(path):
        raise DataError(f"{name} is not here; build it: nasrepro bench build {name}")
    with naming(path):
        return curves(read(path))


def load(name: str) -> Table:
    """The complete cells of a benchmark as a table; DataError as `load_curves`."""
    with naming(location(name)):
        return table(load_curves(name))


def table(curves: Curves) -> Table:
    """Validation and test accuracy at the end of training, mean over the seeds."""
    held_out = curves.bench["data"]["validation_images"]
    values = {
        "validation": mean_share(curves.validation_correct[:, :, -1], held_out),
        "test": 100 * curves.test_correct.sum(axis=1) / curves.test_images.sum(axis=1),
    }
    columns = tuple(column(curves, split) for split in values)
    by_name = {c.name: v for c, v in zip(columns, values.values(), strict=True)}
    return Table(curves.bench["name"], curves.codes, columns, by_name, curves.space)


def column(curves: Curves, split: str) -> Column:
    """The exact meaning of the accuracies of "validation" or "test"."""
    bench = curves.bench
    data, net, seeds = bench["data"], bench["net"], bench["seeds"]
    images = (
        f"{data['validation_images']:,} held-out training images"
        if split == "validation"
        else "all test images"
    )
    size = f" of {data['size']}x{data['size']} pixels" if data["size"] else ""
    depth = f", {net['cells_per_stage']} cell(s) per stage" if "cells_per_stage" in net else ""
    return Column(
        data["name"],
        split,
        bench["train"]["epochs"],
        "seed 0" if seeds == 1 else f"mean of seeds 0 to {seeds - 1}",
        f"on {images}{size}, trained on {data['train_images']:,} training images; "
        f"{net['channels']} channels{depth}; {len(curves):,} cells",
        location(bench["name"]).name,
    )
