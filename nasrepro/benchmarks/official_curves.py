"""The trainings behind NAS-Bench-201, epoch by epoch, where a user has one of its official files.

Of all 15,625 cells the losses and accuracies of each of 200 epochs, as the mean over all of the
benchmark's trainings that are there. They are read once, as in `official` and at the same cost, and
what is taken goes into the cache: 150 MB.
"""

from pathlib import Path
from typing import Any

import numpy as np

from nasrepro import paths, sotl
from nasrepro.benchmarks import compact, official
from nasrepro.benchmarks.learning import Learning
from nasrepro.benchmarks.nb201 import SETS, parse_cells
from nasrepro.benchmarks.official import EPOCHS
from nasrepro.benchmarks.table import DATASETS, Table, complete
from nasrepro.data.sources import find_file
from nasrepro.files import naming

NAME = "nb201-official-curves"
FILES = tuple(official.READERS)
SCHEMA = 1  # raise it whenever what is kept means something else
# By data set: the trainings, and the images that they looked at after each epoch. Of the last two
# the file has validation and test images apart after the last epoch alone, else both together.
WATCHED = {
    "cifar10": ("cifar10-valid", "x-valid"),
    "cifar100": ("cifar100", "ori-test"),
    "imagenet16-120": ("ImageNet16-120", "ori-test"),
}
CURVES = (sotl.LOSS, sotl.ACCURACY, sotl.VALIDATION_LOSS, sotl.VALIDATION_ACCURACY)
CODES, TRUTH = "codes", "test"  # the latter: accuracy after the last epoch
TRUTH_IS = f"official test accuracy after {EPOCHS} epochs"


def location(filename: str) -> Path:
    """Where the trainings that were taken from a file live."""
    return paths.cache_dir() / "curves" / f"{filename}-{SCHEMA}.npz"


def converted() -> str | None:
    """The first of `FILES` whose trainings are in the cache, else None."""
    return next((name for name in FILES if paths.exists(location(name))), None)


def load() -> dict[str, Learning]:
    """The trainings of all cells, from the cache, else from the user's file.

    Returns:
        By data set, e.g. "CIFAR-10"; the truth is the test accuracy after the last epoch.

    Raises:
        DataError: if neither is there, or the file is not as expected.
    """
    filename = converted() or next(filter(find_file, FILES), FILES[0])
    names = [_array(dataset, what) for dataset in WATCHED for what in (*CURVES, TRUTH)]
    return compact.kept(location(filename), (CODES, *names), lambda: _read(filename), _made)


def measured(results: Any) -> dict[str, np.ndarray]:
    """What is taken of a cell.

    Args:
        results: an `ArchResults` of the benchmark's own package.

    Returns:
        Of each data set each of `CURVES`, float32 [epochs], and `TRUTH`, [].
    """
    found: dict[str, Any] = {}
    for dataset, (training, images) in WATCHED.items():
        trials = results.query(training).values()
        curves = np.mean([_curves(trial, images) for trial in trials], axis=0)
        found |= {_array(dataset, name): row for name, row in zip(CURVES, curves, strict=True)}
        names, _ = SETS[dataset, "test"]
        found[_array(dataset, TRUTH)] = results.get_metrics(*names, is_random=False)["accuracy"]
    return {name: np.asarray(values, dtype=np.float32) for name, values in found.items()}


def _curves(trial: Any, images: str) -> list[list[float]]:
    """The rows `CURVES` of one training, as its package keeps them.

    Its own `get_metrics` gives the same one by one, which would take longer than reading the file.
    """
    epochs = range(EPOCHS)
    seen = [f"{images}@{epoch}" for epoch in epochs]
    return [
        [trial.train_losses[epoch] for epoch in epochs],
        [trial.train_acc1es[epoch] for epoch in epochs],
        [trial.eval_losses[name] for name in seen],
        [trial.eval_acc1es[name] for name in seen],
    ]


def _read(filename: str) -> dict[str, np.ndarray]:
    path = official.file_of(filename, NAME)
    with naming(path):
        cells, rows = official.READERS[filename](path, measured)
        codes = complete(Table(NAME, parse_cells(path, cells), (), {})).codes
    return {CODES: codes, **{name: np.stack([row[name] for row in rows]) for name in rows[0]}}


def _made(arrays: dict[str, np.ndarray]) -> dict[str, Learning]:
    return {
        DATASETS[dataset]: Learning(
            title=f"NAS-Bench-201, {DATASETS[dataset]}",
            trajectory={name: arrays[_array(dataset, name)] for name in CURVES},
            truth=arrays[_array(dataset, TRUTH)].astype(np.float64),
            truth_is=TRUTH_IS,
            codes=arrays[CODES],
        )
        for dataset in WATCHED
    }


def _array(dataset: str, what: str) -> str:
    return f"{dataset} {what}"
