"""What a stand-alone ("ground truth") accuracy is, and a table of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nasrepro.errors import ConfigError, DataError
from nasrepro.spaces import SPACES

DATASETS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16-120": "ImageNet16-120",
    "digits": "scikit-learn's digits:",
}


@dataclass(frozen=True)
class Column:
    """The exact meaning of a column of accuracies.

    Attributes:
        dataset: a key of `DATASETS`.
        split: "test" or "validation".
        epochs: length of the whole training schedule.
        seeds: how the runs of a cell became one number.
        detail: images it is measured on and trained on, and the benchmark's own name of that.
        source: the file the numbers come from.
        unit: of every value.

    >>> column = Column("cifar10", "test", 200, "mean of the benchmark's seeds", "", "")
    >>> print(column)
    CIFAR-10 test accuracy after 200 epochs, mean of the benchmark's seeds, percent
    >>> column.name
    'cifar10-test-200'
    """

    dataset: str
    split: str
    epochs: int
    seeds: str
    detail: str
    source: str
    unit: str = "percent"

    @property
    def name(self) -> str:
        """Short name, e.g. `cifar10-test-200`."""
        return f"{self.dataset}-{self.split}-{self.epochs}"

    def __str__(self) -> str:
        """The sentence for figures and tables."""
        return (
            f"{DATASETS[self.dataset]} {self.split} accuracy after {self.epochs} epochs, "
            f"{self.seeds}, {self.unit}"
        )


@dataclass(frozen=True, eq=False)
class Table:
    """Stand-alone accuracies of many cells of one space; it cannot be built from impossible ones.

    Attributes:
        name: as in `load_table`.
        codes: `Cell.code` of every row, in the benchmark's own index order, integer [n]; of
            architectures that can be written down in several ways, the canonical one.
        columns: what the values mean.
        values: for the name of each column, percent, float64 [n].
        space: a key of `SPACES`.

    Raises:
        DataError: if a cell stands twice, or a value is not a number from 0 to 100.
    """

    name: str
    codes: np.ndarray
    columns: tuple[Column, ...]
    values: dict[str, np.ndarray]
    space: str = "nb201"

    def __post_init__(self) -> None:
        _check_codes(self.name, self.codes, self.space)
        if list(self.values) != [column.name for column in self.columns]:
            raise DataError(f"{self.name}: found the columns {', '.join(self.values)}")
        for name, values in self.values.items():
            _check_values(f"{self.name}, column {name}", values, len(self))
        for array in (self.codes, *self.values.values()):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def cells(self) -> list[Any]:
        """The cells, of the class `Cell` of the space, in the benchmark's own order."""
        return [SPACES[self.space].Cell.from_code(code) for code in self.codes.tolist()]

    @cached_property
    def _by_code(self) -> np.ndarray:
        """Row indices in ascending order of the codes."""
        return np.argsort(self.codes)

    def column(self, name: str) -> Column:
        """The meaning of a column.

        Raises:
            ConfigError: if the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ConfigError(
            f"{self.name} has no column {name!r}; its columns are {', '.join(self.values)}"
        )

    def rows(self, codes: np.ndarray | Iterable[int] | int) -> np.ndarray:
        """Indices of cells in the benchmark's own order.

        Args:
            codes: `Cell.code`, integers of any shape.

        Returns:
            Integers of the same shape.

        Raises:
            DataError: if the table lacks one of the cells.
        """
        codes = np.asarray(codes, dtype=np.int64)
        rows = self._where(codes)
        missing = codes[self.codes[rows] != codes]
        if len(missing):
            raise DataError(f"{self.name} has {len(self):,} cells, but none with code {missing[0]}")
        return rows

    def has(self, codes: np.ndarray | Iterable[int] | int) -> np.ndarray:
        """Whether the table has cells.

        Args:
            codes: `Cell.code`, integers of any shape.

        Returns:
            Truth values of the same shape.
        """
        codes = np.asarray(codes, dtype=np.int64)
        return self.codes[self._where(codes)] == codes

    def _where(self, codes: np.ndarray) -> np.ndarray:
        """The row of each code, or any row where there is none."""
        positions = np.searchsorted(self.codes, codes, sorter=self._by_code)
        return self._by_code[np.minimum(positions, len(self) - 1)]

    def accuracy(self, codes: np.ndarray | Iterable[int] | int, column: str) -> np.ndarray:
        """Look up the accuracies of cells.

        Args:
            codes: `Cell.code`, integers of any shape.
            column: name of a column.

        Returns:
            Percent, float64 of the same shape.

        Raises:
            ConfigError: if the table has no such column.
            DataError: if the table lacks one of the cells.
        """
        return self.values[self.column(column).name][self.rows(codes)]

    def index_of(self, cell: Any) -> int:
        """The benchmark's own index of a cell; DataError if the table lacks it."""
        return int(self.rows(cell.code))

    def cell_at(self, index: int) -> Any:
        """The cell with the benchmark's own index; ConfigError outside 0..n-1."""
        if not 0 <= index < len(self):
            raise ConfigError(f"an index of {self.name} lies in 0..{len(self) - 1}, found {index}")
        return SPACES[self.space].Cell.from_code(int(self.codes[index]))

    def subset(self, operations: Iterable[str]) -> np.ndarray:
        """The cells that use only some operations.

        Args:
            operations: names from the space's `OPERATIONS`, e.g. those of a `Subspace`.

        Returns:
            Codes in the benchmark's own order, integer [m].

        Raises:
            ConfigError: if an operation is unknown.
        """
        return self.codes[SPACES[self.space].uses_only(self.codes, operations)]


def complete(table: Table) -> Table:
    """The table itself, if it has all cells of its space; else DataError."""
    count = SPACES[table.space].NUM_CELLS
    if len(table) != count:
        raise DataError(
            f"{table.name}: expected {count:,} cells, found {len(table):,}; "
            "the file is incomplete, fetch it again"
        )
    return table


def _check_codes(name: str, codes: np.ndarray, space: str) -> None:
    if codes.ndim != 1 or codes.dtype.kind != "i":
        raise DataError(f"{name}: expected a list of cell codes, found {codes.dtype}{codes.shape}")
    try:
        SPACES[space].check_codes(codes)
    except ConfigError as error:
        raise DataError(f"{name}: {error}") from None
    unique, first, counts = np.unique(codes, return_index=True, return_counts=True)
    if len(unique) != len(codes):
        code, row = unique[counts > 1][0], first[counts > 1][0]
        raise DataError(
            f"{name}: expected distinct cells, found {SPACES[space].Cell.from_code(int(code))} "
            f"more than once, first at index {row}"
        )


def _check_values(where: str, values: np.ndarray, count: int) -> None:
    if values.shape != (count,) or values.dtype != np.float64:
        raise DataError(f"{where}: expected {count} numbers, found {values.dtype}{values.shape}")
    wrong = np.flatnonzero(~((values >= 0) & (values <= 100)))  # catches NaN, too
    if len(wrong):
        raise DataError(
            f"{where}: expected percentages from 0 to 100, found {values[wrong[0]]} "
            f"at index {wrong[0]}"
        )
