"""The NAS-Bench-Macro search space: a chain of eight blocks, three choices each (Su et al. 2021).

Blocks 0, 2 and 5 halve the image and double the channels; there the choice `identity` is a 1x1
convolution. Elsewhere it does nothing, so that networks can agree that are written differently.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.spaces.encoding import (
    check_choices,
    check_known,
    check_range,
    digits_use_only,
    parse_text,
)

TITLE = "NAS-Bench-Macro"
OPERATIONS = ("identity", "mb3_k3", "mb6_k5")  # the benchmark's digits 0, 1, 2
STAGES = (2, 3, 3)
NUM_BLOCKS = PLACES = sum(STAGES)
NUM_CELLS = len(OPERATIONS) ** NUM_BLOCKS

# How the papers write an operation, for tables and figures.
LABELS = {"identity": "Identity", "mb3_k3": "MB3 3x3", "mb6_k5": "MB6 5x5"}


def check_operations(operations: Iterable[str]) -> None:
    """Raise a ConfigError that lists the operations if one is unknown."""
    check_known(operations, OPERATIONS)


def check_codes(codes: np.ndarray) -> None:
    """Raise a ConfigError if an integer is not the code of a network."""
    check_range(codes, NUM_CELLS, "network")


def uses_only(codes: np.ndarray, operations: Iterable[str]) -> np.ndarray:
    """Whether each network has no other operations than these, bool [n]."""
    return digits_use_only(codes, operations, OPERATIONS, NUM_BLOCKS)


def connected(codes: np.ndarray) -> np.ndarray:
    """Whether the output depends on the input, bool [n]: of a chain it always does."""
    return np.ones(len(codes), dtype=bool)


@dataclass(frozen=True, order=True, slots=True)
class Cell:
    """One network, called as in the other spaces: the operation of each block, first to last.

    Raises:
        ConfigError: if there are not eight operations, or one is unknown.

    >>> network = Cell.parse("02012100")
    >>> network.operations[:2], network.code
    (('identity', 'mb6_k5'), 1602)
    >>> Cell.from_code(1602) == network
    True
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != NUM_BLOCKS:
            raise ConfigError(
                f"a NAS-Bench-Macro network has {NUM_BLOCKS} operations, "
                f"found {len(self.operations)}"
            )
        check_operations(self.operations)

    def __str__(self) -> str:
        """The benchmark's own notation: one digit per block."""
        return "".join(str(OPERATIONS.index(operation)) for operation in self.operations)

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """Read the benchmark's own notation; blanks around it do not matter."""
        return parse_text(text, cls._read)

    @classmethod
    def _read(cls, text: str) -> "Cell":
        if len(text) != NUM_BLOCKS or set(text) - set("012"):
            raise ConfigError(f"expected {NUM_BLOCKS} digits 0, 1 or 2")
        return cls(tuple(OPERATIONS[int(digit)] for digit in text))

    @property
    def code(self) -> int:
        """The benchmark's notation as a number in base three, 0..6560."""
        return int(str(self), base=len(OPERATIONS))

    @classmethod
    def from_code(cls, code: int) -> "Cell":
        """The network of a code."""
        check_codes(np.array([code]))
        return cls.parse(np.base_repr(code, base=len(OPERATIONS)).zfill(NUM_BLOCKS))

    @property
    def path(self) -> tuple[str, ...]:
        """What decides its output in a supernet: every block, for each has its own weights."""
        return self.operations


@dataclass(frozen=True, slots=True)
class Subspace:
    """The networks over some of the operations.

    >>> Subspace().size, Subspace(("mb3_k3", "mb6_k5")).size
    (6561, 256)
    >>> print(Subspace(), Subspace(("mb3_k3", "mb6_k5")), sep="; ")
    all networks; no Identity
    """

    choices: tuple[str, ...] = OPERATIONS  # of each block

    def __post_init__(self) -> None:
        check_operations(self.choices)
        check_choices(self.choices)

    def __str__(self) -> str:
        """Name for tables and figures: what is left out."""
        left_out = [f"no {LABELS[op]}" for op in OPERATIONS if op not in self.choices]
        return ", ".join(left_out) or "all networks"

    @property
    def size(self) -> int:
        """Number of networks."""
        return len(self.choices) ** NUM_BLOCKS

    def cells(self) -> Iterator[Cell]:
        """Every network."""
        return map(Cell, itertools.product(self.choices, repeat=NUM_BLOCKS))

    def sample(self, generator: np.random.Generator) -> Cell:
        """Draw one network uniformly."""
        chosen = generator.integers(len(self.choices), size=NUM_BLOCKS)
        return Cell(tuple(self.choices[i] for i in chosen))


def canonical(cell: Cell) -> Cell:
    """The network under which the benchmark trained it: identities moved to the end of a stage.

    The first block of a stage stays where it is, because its identity does something.

    >>> print(canonical(Cell.parse("00012001")))
    00012010
    """
    operations: list[str] = []
    for blocks in STAGES:
        first, *rest = cell.operations[len(operations) : len(operations) + blocks]
        operations += [first, *sorted(rest, key="identity".__eq__)]
    return Cell(tuple(operations))


def neighbours(cell: Cell) -> list[Cell]:
    """The networks that differ in the operation of exactly one block.

    >>> len(neighbours(Cell.parse("00000000")))
    16
    """
    return [
        Cell((*cell.operations[:block], operation, *cell.operations[block + 1 :]))
        for block, current in enumerate(cell.operations)
        for operation in OPERATIONS
        if operation != current
    ]


def counts() -> Iterator[tuple[str, int]]:
    """Name and size of the space, and how many networks in it differ."""
    cells = [Cell.from_code(code) for code in range(NUM_CELLS)]
    yield "networks", len(cells)
    yield "unique", len(set(map(canonical, cells)))
