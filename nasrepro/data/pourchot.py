"""What Pourchot et al. published: 210 pickles, one per supernet, as two Parquet tables.

A pickle is a list of evaluations as the authors' `eval_supernet` wrote them: what the benchmark
says of a cell (`full_metrics`: its fixed statistics, and those computed for each number of epochs)
and the supernet's validation accuracy (`proxy_metrics`).
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrepro.data.git import read_commit
from nasrepro.data.pickles import NUMBERS, restricted_load
from nasrepro.errors import DataError
from nasrepro.files import naming, whole_file
from nasrepro.spaces.nb101 import Cell, module_hash
from nasrepro.spaces.nb101_codes import OPERATIONS

if TYPE_CHECKING:
    import pandas as pd

REPOSITORY = "https://github.com/apourchot/to_share_or_not_to_share"
COMMIT = "538a50636c2d293215fe2cd9097ea72b50d843a0"
FOLDER = "results_paper"  # <method>/<space>/<seed>/eval_results.pkl
PICKLE = "eval_results.pkl"

SAMPLE, SUPERNETS = "nb101_pourchot_151644.parquet", "pourchot_supernet_evaluations.parquet"
CONTENTS = {  # see `content_sha256`
    SAMPLE: "c71027dd0cebf34dbe7de1150846270097ce29418b7510fce874a575641d8463",
    SUPERNETS: "6a493236c1d7405d3d3122ac1286526b36c5b3439e4a4f239e77f14fc114eadc",
}

EPOCHS = 108
RUNS = (0, 1, 2)
IMAGES = 9_984  # of which an accuracy is a share: of 10,000, whole batches of 256
# What is taken of a run: column, name in the pickle.
ACCURACIES = {"val": "final_validation_accuracy", "test": "final_test_accuracy"}
TIME = "final_training_time"


def make(folder: Path) -> None:
    """Write both tables into a folder, from the authors' repository.

    Raises:
        DataError: if the repository cannot be fetched, is not as expected, or the folder cannot be
            written.
    """
    pickles = (
        (path, content)
        for path, content in read_commit(REPOSITORY, COMMIT, FOLDER)
        if PurePosixPath(path).name == PICKLE
    )
    for name, frame in convert(pickles).items():
        if (sha256 := content_sha256(frame)) != CONTENTS[name]:
            raise DataError(
                f"{REPOSITORY} at {COMMIT} did not give the table {name} that is expected: its "
                f"content has sha256 {sha256}, not {CONTENTS[name]}; please report it"
            )
        with whole_file(folder / name, "set $NASREPRO_CACHE to another folder") as file:
            frame.to_parquet(file)


def convert(pickles: Iterable[tuple[str, bytes]]) -> dict[str, "pd.DataFrame"]:
    """Both tables from the contents of the pickles.

    Args:
        pickles: path, of which the last folders are method, space and seed, and content.

    Returns:
        By file name. `SAMPLE`: one row per cell, in the order of its `hash`: `n` vertices,
        `adj_upper`, the upper triangle of its matrix row by row, `ops` of its inner vertices as
        digits, `params`, and of each run 0 to 2 `val0` and `test0`, counts of correct images of
        `IMAGES`, and `time0`, seconds. `SUPERNETS`: one row per evaluation: `method`, `space`,
        `seed`, `arch_row` (the cell's in the other table), `supernet_val_acc` from 0 to 1.

    Raises:
        DataError: if a pickle is not as expected, or names anything but arrays and numbers.
    """
    import pandas as pd  # only needed here, and slow to import

    frames = [pd.DataFrame(_rows(path, content)) for path, content in pickles]
    if not frames:
        raise DataError(f"{REPOSITORY} has no file {PICKLE} where supernets' results should be")
    everything = pd.concat(frames, ignore_index=True)
    cells = everything.drop_duplicates(["adj_upper", "ops"])
    runs = [f"{quantity}{run}" for quantity in (*ACCURACIES, "time") for run in RUNS]
    sample = cells[["n", "adj_upper", "ops", "params", *runs]].copy()
    sample.insert(0, "hash", [_hash(row.n, row.adj_upper, row.ops) for row in cells.itertuples()])
    sample = sample.sort_values("hash", ignore_index=True).astype(
        {"n": np.uint8, "params": np.int32}
        | {name: np.float32 if name.startswith("time") else np.uint16 for name in runs}
    )
    row_of = pd.Series(sample.index, pd.MultiIndex.from_frame(sample[["adj_upper", "ops"]]))
    supernets = everything[["method", "space", "seed"]].astype(
        {"method": "category", "space": "category", "seed": np.uint8}
    )
    evaluated = pd.MultiIndex.from_frame(everything[["adj_upper", "ops"]])
    supernets["arch_row"] = row_of.loc[evaluated].to_numpy(np.int32)
    supernets["supernet_val_acc"] = everything["proxy"].astype(np.float32)
    supernets = supernets.sort_values(["method", "space", "seed"], kind="stable", ignore_index=True)
    return {SAMPLE: sample, SUPERNETS: supernets}


def content_sha256(frame: "pd.DataFrame") -> str:
    """Checksum of what a table says, whoever wrote its file: names, values and texts by column."""
    digest = hashlib.sha256()
    for name, column in frame.items():
        values = column.to_numpy()
        is_text = values.dtype == object
        digest.update(f"{name} {'text' if is_text else values.dtype}".encode())
        digest.update("\n".join(values).encode() if is_text else values.tobytes())
    return digest.hexdigest()


def content_of(path: Path) -> str:
    """`content_sha256` of a file; a note instead if it is no Parquet table."""
    import pandas as pd
    import pyarrow

    try:
        return content_sha256(pd.read_parquet(path))
    except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
        return f"none ({type(error).__name__})"


def _rows(path: str, content: bytes) -> Iterator[dict[str, Any]]:
    """The evaluations of one pickle, each with all that the tables have of it."""
    *_, method, space, seed, _ = PurePosixPath(path).parts
    with naming(f"{path} of {REPOSITORY}"):
        evaluations = restricted_load(io.BytesIO(content), NUMBERS)
    try:
        for evaluation in evaluations:
            fixed, computed = evaluation["full_metrics"]
            matrix = np.asarray(fixed["module_adjacency"]).astype(np.int64)
            inner = fixed["module_operations"][1:-1]
            runs = computed[EPOCHS]
            if len(runs) != len(RUNS) or matrix.shape != (len(inner) + 2,) * 2:
                raise ValueError(f"{len(runs)} runs, a matrix of shape {matrix.shape}")
            yield {
                "method": method,
                "space": space,
                "seed": int(seed),
                "proxy": float(evaluation["proxy_metrics"]["final_validation_accuracy"]),
                "n": len(matrix),
                "adj_upper": "".join(map(str, matrix[np.triu_indices(len(matrix), 1)])),
                "ops": "".join(str(OPERATIONS.index(operation)) for operation in inner),
                "params": fixed["trainable_parameters"],
                **{
                    f"{split}{i}": _count(run[name])
                    for split, name in ACCURACIES.items()
                    for i, run in enumerate(runs)
                },
                **{f"time{i}": run[TIME] for i, run in enumerate(runs)},
            }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a list of evaluations as expected ({error!r})") from None


def _count(accuracy: float) -> int:
    """The number of correct images that an accuracy, rounded to 32 bits, is a share of."""
    count = round(accuracy * IMAGES)
    if abs(accuracy * IMAGES - count) > 0.01:
        raise ValueError(f"{accuracy} is not a share of {IMAGES} images")
    return count


def _hash(vertices: int, above: str, operations: str) -> str:
    matrix = np.zeros((vertices, vertices), dtype=np.int64)
    matrix[np.triu_indices(vertices, 1)] = [int(bit) for bit in above]
    return module_hash(Cell.from_matrix(matrix, [OPERATIONS[int(digit)] for digit in operations]))
