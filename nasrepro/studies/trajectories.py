"""What one fine-tuning shows: the course of each cell's path, beside the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrepro import sotl
from nasrepro.benchmarks import Table
from nasrepro.runs import finetune
from nasrepro.runs.families import family_of
from nasrepro.runs.finetune import FinetuneConfig
from nasrepro.runs.record import Record

# Truths by name, and the column of the table; the last is no accuracy (suffix -P in table 4.5).
TRUTHS = {
    "cifar10": "cifar10-test-200",
    "cifar100": "cifar100-test-200",
    "imagenet16": "imagenet16-120-test-200",
}
CIFAR10, PARAMETERS = "cifar10", "parameters"
# Of a trajectory, what a run has not always, and the array that it then lacks.
NOT_ALWAYS = {
    sotl.VALIDATION_LOSS: finetune.WHOLE_LOSS,
    sotl.VALIDATION_ACCURACY: finetune.WHOLE_CORRECT,
    sotl.MINI_LOSS: finetune.MINI_LOSS,
    sotl.MINI_ACCURACY: finetune.MINI_CORRECT,
}

Curve = tuple[np.ndarray, np.ndarray]  # steps, and values [cells, steps]


@dataclass(frozen=True, eq=False)
class Observed:
    """One fine-tuning beside the truth, over the cells that the table has.

    Attributes:
        record: of the run.
        arrays: of the record; those with a row a cell have the known cells alone.
        truths: by name, [cells]; the parameter count is the last.
    """

    record: Record
    arrays: Mapping[str, np.ndarray]
    truths: Mapping[str, np.ndarray]

    @property
    def config(self) -> FinetuneConfig:
        """Of the run."""
        return self.record.config

    @property
    def parameters(self) -> np.ndarray:
        """How many each cell has in the benchmark's own network."""
        return self.truths[PARAMETERS]

    @property
    def accuracies(self) -> list[str]:
        """The names of the truths that are accuracies."""
        return [name for name in self.truths if name != PARAMETERS]

    def curve(self, name: str) -> Curve | None:
        """The steps of a trajectory and its values [cells, steps]; None if the run has none.

        What belongs to training step k is of its images before the k-th update.

        Args:
            name: one of `sotl`'s, e.g. `sotl.LOSS`.
        """
        arrays, config = self.arrays, self.config
        curve, validated = arrays[finetune.CURVE], arrays[finetune.VALIDATED]
        mini = np.resize(config.validation_sizes, len(curve))
        whole = config.data.validation_images
        each = np.arange(1, config.steps + 1)
        if name in finetune.GRADIENTS:  # before the first step sums are zero
            return None if config.frozen else (curve[1:], arrays[name][:, 1:])
        if name in NOT_ALWAYS and NOT_ALWAYS[name] not in arrays:
            return None
        found: dict[str, tuple[np.ndarray, str, Any]] = {
            sotl.LOSS: (each, finetune.LOSS, 1),
            sotl.ACCURACY: (each, finetune.CORRECT, config.batch_size),
            sotl.MINI_LOSS: (curve, finetune.MINI_LOSS, 1),
            sotl.MINI_ACCURACY: (curve, finetune.MINI_CORRECT, mini),
            sotl.VALIDATION_LOSS: (validated, finetune.WHOLE_LOSS, 1),
            sotl.VALIDATION_ACCURACY: (validated, finetune.WHOLE_CORRECT, whole),
        }
        steps, values, of = found[name]
        return steps, arrays[values].astype(np.float64) / of

    def scores(self, estimator: sotl.Estimator) -> Curve | None:
        """The steps, and what an estimator says after them, more is better, [cells, steps]."""
        found = self.curve(estimator.reads)
        return found and (found[0], sotl.scores({estimator.reads: found[1]}, estimator))


def observe(record: Record, table: Table, columns: Mapping[str, str] = TRUTHS) -> Observed:
    """What a record says of the cells that a table has; its columns are the truths."""
    family = family_of(record.config.supernet.subspace)
    codes = family.known_as(record.arrays[finetune.CODES])
    known = table.has(codes)
    of_cells = set(finetune.ARRAYS) - {
        *(finetune.CURVE, finetune.VALIDATED, finetune.SUPERNET_SECONDS)
    }
    arrays = {n: a[known] if n in of_cells else a for n, a in record.arrays.items()}
    truths = {name: table.accuracy(codes[known], column) for name, column in columns.items()}
    counted = family.parameters(codes[known])
    return Observed(record, arrays, truths | {PARAMETERS: counted.astype(float)})
