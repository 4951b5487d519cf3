"""What decides a result: the config of a run, and the key it gives."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from nasrepro.canonical import digest
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig, check_fits
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.spaces import SPACES, AnyCell, AnySubspace, name_of
from nasrepro.spaces.nb201 import Subspace
from nasrepro.train import TrainConfig

# Raised when a config of the same text means something else, so that old records no longer match.
SCHEMA = 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The images of a run."""

    name: str = "cifar10"
    train_images: int = 45_000
    validation_images: int = 5_000
    size: int | None = None  # height and width to shrink to; None keeps them


@dataclass(frozen=True, slots=True)
class CellsConfig:
    """Which cells of the subspace a run evaluates: the best of a table and a random sample."""

    random: int = 1_000  # all cells of a subspace that has fewer
    seed: int = 0  # of the sample; the same cells in every run
    top: int = 0  # the best of the subspace
    table: str | None = None  # stand-alone accuracies that say which are the best
    column: str | None = None

    def __post_init__(self) -> None:
        if self.top and not (self.table and self.column):
            raise ConfigError("cells.top needs a table and a column that rank the cells")

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.table if self.top else None


@dataclass(frozen=True, slots=True)
class DrawnCells:
    """Which cells of a NAS-Bench-101 or NAS-Bench-Macro subspace a run evaluates: a sample."""

    count: int = 1_000
    seed: int = 0  # of the sample; the same cells in every run
    table: str | None = "nb101-sample"  # only cells that it has; None: any

    @property
    def needed_table(self) -> str | None:
        """The table without which the cells are not known."""
        return self.table


AnyNet = NetConfig | CellNetConfig | ChainNetConfig
AnyCells = CellsConfig | DrawnCells

# What a run of each space is made of.
_PARTS = {
    "nb201": (NetConfig, CellsConfig),
    "nb101": (CellNetConfig, DrawnCells),
    "macro": (ChainNetConfig, DrawnCells),
}


def check_parts(part: AnyCell | AnySubspace, *configs: AnyNet | AnyCells) -> None:
    """Raise a ConfigError unless networks and cells are of the space of a cell or a subspace."""
    space = name_of(part)
    if not all(isinstance(config, _PARTS[space]) for config in configs):
        wanted, found = (
            " and ".join(kind.__name__ for kind in kinds)
            for kinds in (_PARTS[space], map(type, configs))
        )
        raise ConfigError(f"a run of {SPACES[space].TITLE} takes a {wanted}, found {found}")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One supernet, trained and evaluated: all that decides the record."""

    data: DataConfig = field(default_factory=DataConfig)
    subspace: AnySubspace = field(default_factory=Subspace)
    net: AnyNet = field(default_factory=NetConfig)
    sampler: str = "strictly-fair"
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    cells: AnyCells = field(default_factory=CellsConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        check_parts(self.subspace, self.net, self.cells)
        check_fits(self.evaluate, self.net.tracked_statistics, self.data.train_images)

    @property
    def key(self) -> str:
        """Name of the record: 16 hexadecimal digits of the canonical JSON's SHA-256."""
        return digest({"schema": SCHEMA, "config": to_dict(self)})[:16]


# One strict converter: an unknown or missing field of a stored config is an error.
_converter = cattrs.Converter(forbid_extra_keys=True)
# Fields that are younger than stored records are left out of the text at their default, which is
# what those records were computed with: their keys stay what they are.
_younger = override(omit_if_default=True)
_converter.register_unstructure_hook(
    TrainConfig,
    make_dict_unstructure_fn(TrainConfig, _converter, gradients=_younger, rmsprop=_younger),
)


def _structure_one_of(*kinds: type) -> Callable[[Any, type], Any]:
    """Read values as the dataclass whose names differ least from theirs, the first of equals."""
    names = {kind: {f.name for f in fields(kind)} for kind in kinds}

    def structure(values: Any, _: type) -> Any:
        given = set(values) if isinstance(values, dict) else set()
        return _converter.structure(values, min(kinds, key=lambda kind: len(names[kind] ^ given)))

    return structure


for _union in (AnySubspace, AnyNet, AnyCells):
    _converter.register_structure_hook(_union, _structure_one_of(*get_args(_union)))


@_converter.register_structure_hook
def _structure_cell(values: Any, _: AnyCell) -> AnyCell:
    """Read values as a cell of the space that has its operations: fields alone do not tell."""
    operations = set(values.get("operations", ())) if isinstance(values, dict) else set()
    known = [space for space in SPACES.values() if operations <= set(space.OPERATIONS)]
    kinds = [space.Cell for space in known or SPACES.values()]
    return _structure_one_of(*kinds)(values, AnyCell)


def to_dict(config: Any) -> dict[str, Any]:
    """Plain dictionaries, lists, numbers and texts of a config or another dataclass.

    A whole number in a field of reals is written as a real: equal configs, equal texts.
    """
    same = _converter.structure(_converter.unstructure(config), type(config))
    return _converter.unstructure(same)


def from_dict(values: dict[str, Any], kind: type[T]) -> T:
    """The dataclass of plain values; ConfigError unless they are all its fields and no others."""
    try:
        found = _converter.structure(values, kind)
    except ConfigError:
        raise
    except Exception as error:
        reasons = "; ".join(cattrs.transform_error(error, path=kind.__name__))
        raise ConfigError(f"these values are no {kind.__name__}: {reasons}") from error
    if missing := sorted(_names(_converter.unstructure(found)) - _names(values)):
        raise ConfigError(f"these values are no {kind.__name__}: {', '.join(missing)} missing")
    return found


def _names(values: Any, path: str = "") -> set[str]:
    """The names of all fields inside plain values, e.g. `.train.epochs`."""
    if isinstance(values, list | tuple):
        return set().union(*(_names(value, path) for value in values))
    if not isinstance(values, dict):
        return {path}
    return set().union(*(_names(value, f"{path}.{name}") for name, value in values.items()))
