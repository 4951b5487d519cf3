"""Runs of DARTS' space: their configs and keys, what they draw and evaluate."""

from dataclasses import replace

import numpy as np
import pytest
from records import codes as codes_of

from nasrepro.benchmarks import load_table, nb301
from nasrepro.canonical import canonical_json
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import DartsNetConfig, NetConfig
from nasrepro.runs.config import changed, from_dict, to_dict
from nasrepro.runs.darts import drawn_cells, select_cells, trainable
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.standalone import StandaloneConfig, run_standalone
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.spaces.darts import S2, Cell, Subspace
from nasrepro.train import TrainConfig

TINY = SupernetConfig(
    data=DataConfig("digits", train_images=48, validation_images=30, size=8),
    subspace=S2,
    net=DartsNetConfig(channels=2, cells=4, stem_multiplier=1),
    sampler="uniform",
    train=TrainConfig(epochs=2, batch_size=16, learning_rate=0.1, crop_padding=1),
    evaluate=EvaluateConfig("batch", batch_size=30),
    cells=DrawnCells(count=6, table=None),
)


def test_the_key_of_a_config_is_this_one():
    """If this fails, every stored record of the space loses its config: was the change meant?"""
    text = canonical_json(to_dict(TINY))
    assert '"subspace":{"candidates":["skip_connect","sep_conv_3x3"]}' in text
    assert from_dict(to_dict(TINY), SupernetConfig) == TINY
    assert TINY.key == "6fdd40062e652c8b"


def test_a_run_takes_the_parts_of_its_own_space():
    with pytest.raises(ConfigError, match="of DARTS' space takes a DartsNetConfig and DrawnCells"):
        replace(TINY, net=NetConfig())
    with pytest.raises(ConfigError, match="for DARTS' space there are uniform"):
        replace(TINY, sampler="strictly-fair")


def test_the_same_config_gives_the_same_record():
    first, second = run(TINY), run(TINY)
    assert first.status == "ok" and first.history == second.history
    assert codes_of(first) == sorted(codes_of(first)) and len(codes_of(first)) == 6
    assert all(Cell.from_code(code) in S2 for code in codes_of(first))
    np.testing.assert_array_equal(first.arrays["correct"], second.arrays["correct"])


def test_a_cell_is_trained_alone():
    config = StandaloneConfig(
        data=TINY.data,
        cell=S2.sample(np.random.default_rng(0)),
        net=TINY.net,
        train=TINY.train,
        evaluate=TINY.evaluate,
    )
    assert from_dict(to_dict(config), StandaloneConfig) == config
    record = run_standalone(config)
    assert record.status == "ok" and record.arrays["flops"] > 0
    other = run_standalone(changed(config, {"net.cells": 5}))
    assert other.arrays["parameters"] > record.arrays["parameters"]


def test_cells_are_drawn_from_the_space_or_from_a_table():
    drawn = drawn_cells(Subspace(), DrawnCells(count=9, table=None, seed=3))
    assert len(set(drawn)) == 9
    assert drawn == drawn_cells(Subspace(), DrawnCells(count=9, table=None, seed=3))
    with pytest.raises(ConfigError, match="too many for a list"):
        trainable(Subspace(), DrawnCells(table=None))
    if locate(SOURCES[nb301.NAME]) is None:
        pytest.skip(f"set NASREPRO_DATA to a folder with {SOURCES[nb301.NAME].filename}")
    known = set(load_table(nb301.NAME).codes.tolist())
    chosen = [cell.code for cell in select_cells(Subspace(), DrawnCells(20, table=nb301.NAME))]
    assert set(chosen) < known and chosen == sorted(chosen)
    everything = select_cells(Subspace(), DrawnCells(725, table=nb301.NAME))
    assert {cell.code for cell in everything} == known
    with pytest.raises(ConfigError, match="nb301-surrogate has only 725 of DARTS' space"):
        select_cells(Subspace(), DrawnCells(726, table=nb301.NAME))
