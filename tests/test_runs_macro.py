"""Runs of NAS-Bench-Macro: their configs and keys, what they draw and evaluate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import codes as codes_of
from records import counts

from nasrepro.canonical import canonical_json
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import ChainNetConfig, NetConfig
from nasrepro.runs.config import from_dict, to_dict
from nasrepro.runs.families import make_sampler
from nasrepro.runs.macro import select_cells
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.samplers.macro import SAMPLERS
from nasrepro.spaces.macro import OPERATIONS, Subspace
from nasrepro.train import TrainConfig

TINY = SupernetConfig(
    data=DataConfig("digits", train_images=96, validation_images=100, size=8),
    subspace=Subspace(("identity", "mb3_k3")),
    net=ChainNetConfig(channels=4, last_channels=12),
    train=TrainConfig(epochs=4, batch_size=16, learning_rate=0.1, crop_padding=1),
    evaluate=EvaluateConfig("batch", batch_size=50),
    cells=DrawnCells(count=40, table=None),
)
subspaces = st.lists(st.sampled_from(OPERATIONS), min_size=1, unique=True).map(
    lambda choices: Subspace(tuple(choices))
)


def test_the_key_of_a_config_is_this_one():
    """If this fails, every stored record of the space loses its config: was the change meant?"""
    config = SupernetConfig(subspace=Subspace(), net=ChainNetConfig(), cells=DrawnCells(table=None))
    text = canonical_json(to_dict(config))
    assert '"subspace":{"choices":["identity","mb3_k3","mb6_k5"]}' in text
    assert from_dict(to_dict(config), SupernetConfig) == config
    assert config.key == "f7d07a457dd5770f"


def test_a_run_takes_the_parts_of_its_own_space():
    with pytest.raises(ConfigError, match="takes a ChainNetConfig and DrawnCells, found NetConfig"):
        dataclasses.replace(TINY, net=NetConfig())
    with pytest.raises(ConfigError, match="for NAS-Bench-Macro there are uniform, strictly-fair"):
        run(dataclasses.replace(TINY, sampler="pro-rata"))


@given(subspaces, st.integers(0, 2**32))
def test_a_strictly_fair_group_takes_each_operation_once_in_each_block(subspace, seed):
    sampler = make_sampler("strictly-fair", subspace)
    group = sampler.draw(np.random.default_rng(seed))
    assert len(group) == sampler.group_size == len(subspace.choices)
    for column in zip(*(cell.operations for cell in group), strict=True):
        assert sorted(column) == sorted(subspace.choices)


def test_uniform_draws_every_network():
    subspace = Subspace(("identity", "mb6_k5"))
    sampler, generator = make_sampler("uniform", subspace), np.random.default_rng(0)
    drawn = {sampler.draw(generator)[0] for _ in range(3_000)}
    assert sampler.group_size == 1
    assert drawn == set(subspace.cells()) and len(drawn) == 256


def test_cells_are_a_sample_or_all_of_the_subspace():
    chosen = select_cells(TINY.subspace, TINY.cells)
    codes = [cell.code for cell in chosen]
    assert codes == sorted(set(codes)) and len(codes) == 40
    assert set(chosen) < set(TINY.subspace.cells())
    everything = select_cells(TINY.subspace, DrawnCells(256, table=None))
    assert set(everything) == set(TINY.subspace.cells())
    with pytest.raises(ConfigError, match="cannot draw 257 networks: there are only 256"):
        select_cells(TINY.subspace, DrawnCells(257, table=None))
    with pytest.raises(ConfigError, match="take table=None, not 'nb101-sample'"):
        select_cells(TINY.subspace, DrawnCells(5))


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_config_gives_the_same_record(name):
    config = dataclasses.replace(TINY, sampler=name)
    first, second = run(config), run(config)
    assert first.status == "ok" and len(codes_of(first)) == 40
    assert counts(first) == counts(second) and first.history == second.history
    assert first.history[-1].loss < first.history[0].loss


@pytest.mark.parametrize(
    "evaluate",
    [
        EvaluateConfig("tracked", batch_size=50),
        EvaluateConfig("calibrated", batch_size=50, calibration_batches=1),
    ],
)
def test_all_statistics_of_batch_normalisation_can_be_used(evaluate):
    """What is counted does not depend on what is evaluated beside it."""
    config = dataclasses.replace(TINY, evaluate=evaluate)
    many = run(config)
    few = run(dataclasses.replace(config, cells=DrawnCells(256, table=None)))
    known = dict(zip(codes_of(few), counts(few), strict=True))
    assert [known[code] for code in codes_of(many)] == counts(many)
