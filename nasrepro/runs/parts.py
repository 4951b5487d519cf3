"""What the configs of runs are made of: images, evaluated cells, a network of some space."""

from dataclasses import dataclass

from nasrepro.canonical import later
from nasrepro.data.cell_lists import LISTS
from nasrepro.errors import ConfigError, at_least, meant
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, DartsNetConfig, NetConfig
from nasrepro.spaces import AnySubspace


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The images of a run."""

    name: str = "cifar10"
    train_images: int = 45_000
    validation_images: int = 5_000
    size: int | None = None  # height and width to shrink to; None keeps them

    def __post_init__(self) -> None:
        names = ("train_images", "validation_images", "size")
        at_least(1, **{f"data.{name}": getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True)
class CellsConfig:
    """Which cells of the subspace a run evaluates: the best of a table and a random sample."""

    random: int = 1_000  # all cells of a subspace that has fewer
    seed: int = 0  # of the sample; the same cells in every run
    top: int = 0  # the best of the subspace
    table: str | None = None  # stand-alone accuracies that say which are the best
    column: str | None = None
    connected: bool = later(False)  # draw the sample among connected cells only
    best: int | None = later(None)  # draw it among so many best of the table; None: among all

    def __post_init__(self) -> None:
        ranked = self.top or self.best is not None
        if ranked and not (self.table and self.column):
            raise ConfigError(
                "cells.top and cells.best need a table and a column that rank the cells"
            )
        names = ("random", "top", "seed")
        at_least(0, **{f"cells.{name}": getattr(self, name) for name in names})
        at_least(1, **{"cells.best": self.best})
        if self.random + self.top < 1:
            raise ConfigError("a run evaluates one cell or more, found random=0 and top=0")

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.table if self.top or self.best is not None else None

    @property
    def needed_list(self) -> None:
        """The list without which the cells are not known: none."""
        return None

    def at_most(self, subspace: AnySubspace) -> int:
        """How many cells of a subspace these can be."""
        sample = self.random if self.best is None else min(self.random, self.best)
        return min(sample + self.top, subspace.size)


@dataclass(frozen=True, slots=True)
class DrawnCells:
    """Which cells of a subspace a run evaluates, in the other spaces: a sample."""

    count: int = 1_000
    seed: int = 0  # of the sample; the same cells in every run
    table: str | None = "nb101-sample"  # only cells that it has; None: any

    def __post_init__(self) -> None:
        at_least(1, count=self.count)
        at_least(0, seed=self.seed)

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.table

    @property
    def needed_list(self) -> None:
        """The list without which the cells are not known: none."""
        return None

    def at_most(self, subspace: AnySubspace) -> int:
        """How many cells of a subspace these are."""
        return self.count


@dataclass(frozen=True, slots=True)
class DrawnEncodings:
    """Which encodings of a space of NAS-Bench-1Shot1 a run evaluates: a sample."""

    count: int = 200  # architectures, each in one encoding
    seed: int = 0  # of the sample; the same cells in every run
    table: str | None = "nb101-sample"  # only architectures that it has; None: any
    besides: str | None = None  # a list whose architectures are left out

    def __post_init__(self) -> None:
        at_least(1, count=self.count)
        at_least(0, seed=self.seed)
        if self.besides is not None:
            _check_list(self.besides)

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.table

    @property
    def needed_list(self) -> str | None:
        """The list without which the cells are not known."""
        return self.besides

    def at_most(self, subspace: AnySubspace) -> int:
        """How many cells of a subspace these are."""
        return self.count


@dataclass(frozen=True, slots=True)
class ListedCells:
    """Which cells of its subspace a run looks at: those of a published list."""

    listed: str  # a key of `cell_lists.LISTS`
    table: str | None = later(None)  # only cells that it has; None: all

    def __post_init__(self) -> None:
        _check_list(self.listed)

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.table

    @property
    def needed_list(self) -> str | None:
        """The list without which the cells are not known."""
        return self.listed

    def at_most(self, subspace: AnySubspace) -> int:
        """How many cells of a subspace these are, at most."""
        return LISTS[self.listed].count


def _check_list(name: str) -> None:
    """Raise a ConfigError that names the lists if there is none of a name."""
    if name not in LISTS:
        raise ConfigError(
            f"unknown list {name!r}{meant(name, LISTS)}; choose from {', '.join(LISTS)}"
        )


AnyNet = NetConfig | CellNetConfig | ChainNetConfig | DartsNetConfig
AnyCells = CellsConfig | DrawnCells | DrawnEncodings | ListedCells
