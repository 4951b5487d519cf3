"""How large a network is, how it normalises and what its paths share."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nasrepro.canonical import later
from nasrepro.errors import ConfigError, at_least

PLACES = ("edges", "nodes")
TRANSFORMED = ("skip_connect", "avg_pool_3x3")
KERNELS = ("separate", "single")
NARROWINGS = ("first", "shuffled", "interpolated")


def _width_and_depth(net: Any) -> str:
    """Width and depth of a network of cells, for tables."""
    return f"{net.channels} channels, {net.cells_per_stage} cell(s) per stage"


@dataclass(frozen=True, slots=True)
class NetConfig:
    """Width, depth and batch normalisation of a supernet or stand-alone network."""

    HALVINGS: ClassVar[int] = 2  # of the images, each side of which has to be even

    channels: int = 16  # of the first stage; doubled at each reduction
    cells_per_stage: int = 5
    num_classes: int = 10
    affine: bool = True  # batch normalisation learns a scale and a shift
    tracked_statistics: bool = True  # it keeps running statistics
    # Outside of the searched cells it learns both in any case: stem, reductions and head.
    affine_around: bool = later(False)
    # What follows is the supernet's alone: see `alone`.
    transformers: tuple[str, ...] = later(())  # operations that have one (Laube 4.2)
    operations_on: str = later("edges")  # or "nodes": all edges into a node share kernels (Yu C.4)
    norms_on: str = later("edges")  # or "nodes": and their normalisations
    kernels: str = later("separate")  # or "projected": 1x1 from the 3x3 kernel (Yu C.3)
    path_dropout: float = later(0.0)  # chance of an edge's output of an image to be zero
    global_dropout: float = later(0.0)  # of a value before the last pooling

    def __post_init__(self) -> None:
        at_least(1, channels=self.channels, cells_per_stage=self.cells_per_stage)
        known = {"operations_on": PLACES, "norms_on": PLACES, "kernels": ("separate", "projected")}
        for name, values in known.items():
            if (value := getattr(self, name)) not in values:
                raise ConfigError(f"unknown {name} {value!r}; choose from {', '.join(values)}")
        if unknown := set(self.transformers) - set(TRANSFORMED):
            raise ConfigError(
                f"a linear transformer follows {' or '.join(TRANSFORMED)}, not "
                + ", ".join(sorted(unknown))
            )
        for name in ("path_dropout", "global_dropout"):
            if not 0 <= (rate := getattr(self, name)) < 1:
                raise ConfigError(f"{name} is a share below 1, found {rate}")
        if self.operations_on == "edges" and self.norms_on == "nodes":
            raise ConfigError("with operations on edges each edge has its own normalisation")
        shares_kernels_alone = self.operations_on != self.norms_on
        if shares_kernels_alone and not (self.affine or self.tracked_statistics):
            raise ConfigError(
                "normalisations of their own need something to keep: affine=True or "
                "tracked_statistics=True"
            )

    __str__ = _width_and_depth

    def alone(self) -> "NetConfig":
        """The same for a network of one cell, which has nothing to share."""
        return NetConfig(
            channels=self.channels,
            cells_per_stage=self.cells_per_stage,
            num_classes=self.num_classes,
            affine=self.affine,
            tracked_statistics=self.tracked_statistics,
            affine_around=self.affine_around,
        )


@dataclass(frozen=True, slots=True)
class CellNetConfig:
    """A network of NAS-Bench-101 cells; the defaults are Pourchot's (section 4.2)."""

    channels: int = 16  # of the stem and the first stage; doubled at each later stage
    cells_per_stage: int = 3
    num_classes: int = 10
    affine: bool = True  # batch normalisation learns a scale and a shift
    tracked_statistics: bool = True  # it keeps running statistics
    statistics_momentum: float = 0.003  # what a batch counts for in them
    kernels: str = "separate"  # or "single": the 1x1 kernel of a vertex is cut from its 3x3 kernel
    narrowing: str = "first"  # how a path takes fewer channels than a vertex has: see `NARROWINGS`

    def __post_init__(self) -> None:
        at_least(1, channels=self.channels, cells_per_stage=self.cells_per_stage)
        for name, known in (("kernels", KERNELS), ("narrowing", NARROWINGS)):
            if (value := getattr(self, name)) not in known:
                raise ConfigError(f"unknown {name} {value!r}; choose from {', '.join(known)}")

    __str__ = _width_and_depth


@dataclass(frozen=True, slots=True)
class ChainNetConfig:
    """A NAS-Bench-Macro network; the defaults are the benchmark's (Su et al. 2021)."""

    channels: int = 32  # of the stem; doubled by each stage
    last_channels: int = 1_280  # that the classifier sees
    num_classes: int = 10
    affine: bool = True  # batch normalisation learns a scale and a shift
    tracked_statistics: bool = True  # it keeps running statistics

    def __post_init__(self) -> None:
        at_least(1, channels=self.channels, last_channels=self.last_channels)

    def __str__(self) -> str:
        """Its width, for tables."""
        return (
            f"{self.channels} channels in the stem, {self.last_channels:,} in the last convolution"
        )


@dataclass(frozen=True, slots=True)
class DartsNetConfig:
    """A network of DARTS' normal and reduction cells; the defaults are its search's."""

    HALVINGS: ClassVar[int] = 2  # of the images, each side of which has to be even

    channels: int = 16  # of the first cells; doubled by each reduction cell
    cells: int = 8  # of which two are reduction cells, after a third and two thirds of the others
    stem_multiplier: int = 3  # times the channels, of the stem
    num_classes: int = 10
    affine: bool = True  # batch normalisation learns a scale and a shift
    tracked_statistics: bool = True  # it keeps running statistics
    # Of stem and of what prepares a cell's inputs it learns both in any case: see `affine`.
    affine_around: bool = False

    def __post_init__(self) -> None:
        at_least(1, channels=self.channels, stem_multiplier=self.stem_multiplier)
        if self.cells < 3:
            raise ConfigError(
                f"two reduction cells follow a normal cell: at least 3 cells, found {self.cells}"
            )

    def __str__(self) -> str:
        """Its width and depth, for tables."""
        return f"{self.channels} channels, {self.cells} cells"


# Laube 3.3 and appendix D; M of the paper also doubles the channels.
SMALL = NetConfig(channels=32, cells_per_stage=2)
MEDIUM = NetConfig(channels=64, cells_per_stage=4)
WIDE = NetConfig(channels=96, cells_per_stage=2)
# Figure 14: 1 to 5 cells per stage. It names no channels; these are those of a small network.
DEPTHS = tuple(replace(SMALL, cells_per_stage=cells) for cells in range(1, 6))
