"""What supernets say of cells, for tests: arrays of records as lists, and back."""

from collections.abc import Sequence

import numpy as np

from nasrepro.evaluate import evaluate_paths
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import CODES, CORRECT


def arrays(codes: Sequence[int] = (), correct: Sequence[int] = ()) -> dict[str, np.ndarray]:
    """Evaluated cells and their counts of correct images; a diverged run has none."""
    return {CODES: np.array(codes, np.int64), CORRECT: np.array(correct, np.int64)}


def codes(record: Record) -> list[int]:
    return record.arrays[CODES].tolist()


def counts(record: Record) -> list[int]:
    return record.arrays[CORRECT].tolist()


def count_correct(*args, **options) -> np.ndarray:
    """Correctly classified validation images of each cell; see `evaluate_paths`."""
    return evaluate_paths(*args, **options).correct
