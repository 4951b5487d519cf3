"""Configs: younger fields, unions of classes, changes by dotted paths."""

import json
from dataclasses import dataclass, make_dataclass
from pathlib import Path

import pytest

from nasrepro.canonical import later
from nasrepro.errors import ConfigError
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, DartsNetConfig, NetConfig
from nasrepro.runs.config import changed, from_dict, key_of, to_dict
from nasrepro.runs.families import FAMILIES
from nasrepro.runs.kinds import SUPERNET
from nasrepro.runs.parts import AnyCells, AnyNet
from nasrepro.runs.store import Store
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces import SPACES, AnyCell, AnySubspace
from nasrepro.train import RMSprop, TrainConfig


@dataclass(frozen=True)
class Round:
    radius: float
    colour: str = later("black")


@dataclass(frozen=True)
class Square:
    side: float


@dataclass(frozen=True)
class Tile:
    side: float
    number: int = later(1)


@dataclass(frozen=True)
class Drawing:
    shape: Round | Square
    scale: float = later(1.0)


@dataclass(frozen=True)
class Clash:
    shape: Square | Tile


def test_a_later_field_is_left_out_at_its_default_and_read_without():
    drawing = Drawing(Round(2.0))
    assert to_dict(drawing) == {"shape": {"radius": 2.0}}
    assert from_dict({"shape": {"radius": 2.0}}, Drawing) == drawing
    other = Drawing(Round(2.0, "red"), 3.0)
    assert to_dict(other) == {"shape": {"radius": 2.0, "colour": "red"}, "scale": 3.0}
    assert from_dict(to_dict(other), Drawing) == other
    assert key_of(drawing) == key_of(Drawing(Round(2.0, "black"), 1.0)) != key_of(other)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"radius": 1.0, "side": 2.0}, "fit none of Round .*unknown: side.*Square"),
        ({}, "fit none of Round .missing: radius"),
        ({"width": 1.0}, "Square .missing: side; unknown: width"),
        (None, "fit none of"),
    ],
)
def test_values_of_no_class_of_a_union_are_refused(shape, message):
    with pytest.raises(ConfigError, match=message):
        from_dict({"shape": shape}, Drawing)


def test_values_that_two_classes_accept_are_refused():
    with pytest.raises(ConfigError, match="can be read as each of Square, Tile"):
        from_dict({"shape": {"side": 1.0}}, Clash)
    assert from_dict({"shape": {"side": 1.0, "number": 2}}, Clash) == Clash(Tile(1.0, 2))


def with_new_field(kind: type) -> type:
    """A class of configs as it will be once it has one more field."""
    return make_dataclass(
        kind.__name__, [("brand_new", float, later(0.5))], bases=(kind,), frozen=True
    )


@pytest.mark.parametrize(
    "kind", [NetConfig, CellNetConfig, ChainNetConfig, DartsNetConfig, TrainConfig]
)
def test_one_more_field_leaves_every_text_as_it_is(kind):
    """It once made 92 stored records unreadable, or all of them."""
    younger, values = with_new_field(kind), to_dict(kind())
    read = from_dict(values, younger)
    assert read.brand_new == 0.5 and to_dict(read) == values
    assert to_dict(from_dict(values | {"brand_new": 1.0}, younger)) == values | {"brand_new": 1.0}


def test_every_stored_record_is_read_under_its_key():
    folder = Path(__file__).parents[1] / "results" / "records"
    records = Store(folder, SUPERNET).records()
    assert len(records) >= 223
    assert all(
        record.config == from_dict(to_dict(record.config), SupernetConfig) for record in records
    )


# ---- changes by dotted paths


def test_changes_are_made_together():
    config = changed(SupernetConfig(), {"train.epochs": 3, "train.warmup_epochs": 2, "seed": 7})
    assert (config.train.epochs, config.train.warmup_epochs, config.seed) == (3, 2, 7)
    assert changed(SupernetConfig(), {}) == SupernetConfig()
    decay = changed(changed(config, {"train.rmsprop": RMSprop()}), {"train.rmsprop.decay": 0.5})
    assert decay.train.rmsprop == RMSprop(decay=0.5)
    assert changed(config, {"train.rmsprop": {"decay": 0.5, "epsilon": 1}}) == decay


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train.epoch": 3},
            r"no setting 'train.epoch' \(did you mean epochs\?\); TrainConfig has",
        ),
        ({"nothing.epochs": 3}, "no setting 'nothing.epochs'; SupernetConfig has data, subspace"),
        ({"train.rmsprop.decay": 0.5}, "train.rmsprop is None: give all of it, not train.rmsprop."),
        ({"train.epochs": 20.7}, "expected int, found 20.7"),
        ({"train.epochs": True}, "expected int, found True"),
        ({"train.learning_rate": True}, "expected float, found True"),
        ({"train.nesterov": "false"}, "expected bool, found 'false'"),
        ({"sampler": 3}, "expected str, found 3"),
        ({"train": NetConfig()}, "train takes TrainConfig, found NetConfig"),
        ({"net": TrainConfig()}, "net takes NetConfig or CellNetConfig or .*, found TrainConfig"),
        ({"seed.first": 3}, "no setting 'seed.first'; int has none"),
        ({"train.epochs": "many"}, "these values do not fit train.epochs"),
        ({"train.epochs": 0}, "at least 1 epoch"),
        (
            {"train.learning_rate": float("nan")},
            "train.learning_rate takes finite numbers, found nan",
        ),
        ({"train.weight_decay": float("inf")}, "takes finite numbers, found inf"),
        ({"train.weight_decay": -1}, "weight_decay is at least 0, found -1"),
        ({"net.channels": 0}, "channels is at least 1, found 0"),
        ({"net.cells_per_stage": 0}, "cells_per_stage is at least 1, found 0"),
        ({"net.transformers": "skip_connect"}, "expected a list of texts, found 'skip_connect'"),
        ({"seed": -1}, "seed is at least 0, found -1"),
        ({"cells.random": 0}, "a run evaluates one cell or more"),
        ({"data.size": 0}, "data.size is at least 1, found 0"),
        ({"train.rmsprop": {"decay": 2, "epsilon": 1}}, "a share below 1, found 2"),
    ],
)
def test_changes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        changed(SupernetConfig(), changes)


# ---- families


def test_every_space_has_a_family_and_every_union_its_classes():
    assert FAMILIES.keys() == SPACES.keys()
    assert {family.net for family in FAMILIES.values()} == set(AnyNet.__args__)
    known = {kind for family in FAMILIES.values() for kind in family.cells}
    assert known == set(AnyCells.__args__)
    assert {space.Cell for space in SPACES.values()} == set(AnyCell.__args__)
    assert {space.Subspace for space in SPACES.values()} == set(AnySubspace.__args__)


def test_stored_texts_have_no_field_that_a_class_has_lost():
    """Nor one that is declared as younger and stands there at its default."""
    for path in (Path(__file__).parents[1] / "results" / "records").glob("*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))["config"]
        assert to_dict(from_dict(values, SupernetConfig)) == values
