"""Runs of NAS-Bench-101: their configs and keys, the cells they evaluate, what they measure."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import codes as codes_of
from records import count_correct, counts

from nasrepro.benchmarks import available_tables
from nasrepro.canonical import canonical_json
from nasrepro.data.images import load_images, split
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import CellNetConfig, NetConfig
from nasrepro.nets.nb101 import extract, supernet
from nasrepro.runs import nb101
from nasrepro.runs.config import from_dict, to_dict
from nasrepro.runs.execute import execute
from nasrepro.runs.kinds import SUPERNET
from nasrepro.runs.parts import CellsConfig, DataConfig, DrawnCells
from nasrepro.runs.setup import torch_generator
from nasrepro.runs.store import Store
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.spaces.nb101 import SUBSPACES, Subspace
from nasrepro.spaces.nb101_codes import in_space
from nasrepro.train import POURCHOT, RMSprop, TrainConfig, initialise

TINY = SupernetConfig(
    data=DataConfig("digits", train_images=64, validation_images=100, size=8),
    subspace=Subspace(),
    net=CellNetConfig(channels=6, cells_per_stage=1),
    sampler="uniform",
    train=TrainConfig(epochs=2, batch_size=16, learning_rate=0.1, crop_padding=1),
    evaluate=EvaluateConfig("batch", batch_size=50),
    cells=DrawnCells(count=12, table=None),
)
# Pourchot's table 3: each training variant as the values of a config.
VARIANTS = {
    "NO FT": {"evaluate": EvaluateConfig("tracked", batch_size=50)},
    "BNS-FT": {"evaluate": EvaluateConfig("calibrated", batch_size=50, calibration_batches=1)},
    "SINGLE-K": {"net": dataclasses.replace(TINY.net, kernels="single")},
    "PRO-RATA": {"sampler": "pro-rata"},
    "AVG-3": {
        "sampler": "uniform-3",
        "train": dataclasses.replace(TINY.train, gradients="mean", rmsprop=RMSprop()),
    },
    "S-K + P-R": {
        "net": dataclasses.replace(TINY.net, kernels="single"),
        "sampler": "pro-rata",
    },
    "shuffled": {"net": dataclasses.replace(TINY.net, narrowing="shuffled")},
    "interpolated": {"net": dataclasses.replace(TINY.net, narrowing="interpolated")},
}


def variant(name: str, **changes) -> SupernetConfig:
    return dataclasses.replace(TINY, **VARIANTS[name], **changes)


# ---- configs and keys


def test_the_key_of_a_config_is_this_one():
    """If this fails, every stored record of the space loses its config: was the change meant?"""
    config = SupernetConfig(
        subspace=Subspace(), net=CellNetConfig(), cells=DrawnCells(), sampler="uniform"
    )
    text = canonical_json(to_dict(config))
    assert '"cells":{"count":1000,"seed":0,"table":"nb101-sample"}' in text
    assert '"kernels":"separate","narrowing":"first","num_classes":10' in text
    assert '"subspace":{"outputs":null,"residual":null}' in text
    assert "rmsprop" not in text and "gradients" not in text
    assert config.key == "0f42eba1f4109322"


configs = st.builds(
    dataclasses.replace,
    st.sampled_from(sorted(VARIANTS)).map(variant),
    subspace=st.sampled_from(sorted(SUBSPACES)).map(SUBSPACES.get),
    cells=st.builds(
        DrawnCells, st.integers(1, 9), st.integers(0, 9), st.sampled_from([None, "nb101-sample"])
    ),
    seed=st.integers(0, 9),
)


@settings(deadline=None, max_examples=50)
@given(configs, configs)
def test_a_config_survives_json_and_its_key_tells_it_apart(one, other):
    again = from_dict(json.loads(canonical_json(to_dict(one))), SupernetConfig)
    assert again == one and again.key == one.key
    assert (one.key == other.key) == (one == other)


def test_a_field_younger_than_the_records_is_in_the_text_once_it_decides():
    config = variant("AVG-3")
    values = to_dict(config)["train"]
    assert values["gradients"] == "mean"
    assert values["rmsprop"] == {"decay": 0.9, "epsilon": 1.0}
    other = dataclasses.replace(config.train, rmsprop=POURCHOT)
    assert to_dict(other)["rmsprop"] == {"decay": 0.99, "epsilon": 1.0, "form": "pourchot"}
    without = dataclasses.replace(config, train=TINY.train)
    assert set(values) - set(to_dict(without)["train"]) == {"gradients", "rmsprop"}


@pytest.mark.parametrize(
    "changes",
    [{"net": NetConfig()}, {"cells": CellsConfig()}, {"subspace": SupernetConfig().subspace}],
)
def test_the_parts_of_a_run_are_of_one_space(changes):
    with pytest.raises(ConfigError, match=r"a run of NAS-Bench-.* takes a "):
        dataclasses.replace(TINY, **changes)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("net", {"kernels": "both"}, "unknown kernels 'both'"),
        ("net", {"width": 3}, "width"),
        ("cells", {"count": "many"}, "count"),
        ("subspace", {"outputs": "all"}, "outputs"),
    ],
)
def test_values_that_are_no_config_are_refused(part, change, message):
    values = to_dict(TINY)
    values[part] |= change
    with pytest.raises(ConfigError, match=message):
        from_dict(values, SupernetConfig)


# ---- the cells


@pytest.mark.parametrize("name", SUBSPACES)
def test_the_cells_of_a_run_are_of_its_subspace_and_the_same_in_every_run(name):
    subspace, config = SUBSPACES[name], DrawnCells(count=200, table=None)
    codes = [cell.code for cell in nb101.select_cells(subspace, config)]
    assert codes == sorted(set(codes)) and len(codes) == 200
    assert in_space(np.array(codes)).all() and subspace.mask(np.array(codes)).all()
    assert codes == [cell.code for cell in nb101.select_cells(subspace, config)]
    other = nb101.select_cells(subspace, dataclasses.replace(config, seed=1))
    assert codes != [cell.code for cell in other]


@pytest.fixture
def sample():
    if "nb101-sample" not in available_tables():
        pytest.skip("the table nb101-sample is not on this machine")


@pytest.mark.parametrize("name", ["A_FULL", "A_3", "A_FULL^RES"])
def test_cells_of_a_table_are_as_mixed_as_the_subspace(sample, name):
    """Though the table has equally many draws from each of seven subspaces."""
    subspace = SUBSPACES[name]
    cells = nb101.select_cells(subspace, DrawnCells(count=1_000))
    codes = np.array([cell.code for cell in cells])
    for part in SUBSPACES.values():
        share = part.mask(subspace.codes()).mean()
        # Four standard deviations of a uniform draw.
        assert abs(part.mask(codes).mean() - share) <= 4 * (share * (1 - share) / 1_000) ** 0.5


def test_more_cells_than_there_are_cannot_be_drawn():
    with pytest.raises(ConfigError, match="cannot draw 20,000 cells: the space has only "):
        nb101.select_cells(Subspace(outputs=4), DrawnCells(count=20_000, table=None))


# ---- running


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_runs_and_differs_from_the_others(name):
    config = variant(name)
    record = run(config)
    assert record.status == "ok" and record.config == config
    assert len(codes_of(record)) == len(counts(record)) == 12
    cells = nb101.select_cells(config.subspace, config.cells)
    assert codes_of(record) == [cell.code for cell in cells]
    plain = run(TINY)
    assert counts(record) != counts(plain)
    if "FT" not in name:
        assert record.history != plain.history


def test_a_seed_decides_weights_order_and_paths():
    config = variant("shuffled")
    one, same, other = run(config), run(config), run(dataclasses.replace(config, seed=1))
    assert counts(one) == counts(same) and one.history == same.history
    assert counts(one) != counts(other)


def test_a_record_is_stored_and_found(tmp_path):
    store = Store(tmp_path, SUPERNET)
    config = variant("AVG-3")
    (record,) = execute([config], run, store)
    assert execute([config], run, store) == [record]
    assert record.config == config and list(store.verify()) == []


@pytest.mark.parametrize("mode", ["tracked", "batch", "calibrated"])
def test_counts_are_those_of_each_cells_own_network(mode):
    part = split(load_images("digits"), 100, 90, 8)
    subspace = SUBSPACES["A_3"]
    net = supernet(TINY.net, subspace)
    initialise(net, torch_generator(np.random.SeedSequence(0)))
    cells = nb101.select_cells(subspace, DrawnCells(count=50, table=None))
    config = EvaluateConfig(mode, 40, calibration_batches=1 if mode == "calibrated" else 0)
    correct = count_correct(net, cells, part, config)
    for cell, count in zip(cells, correct, strict=True):
        alone = extract(net, cell, TINY.net)
        assert count == count_correct(alone, [cell], part, config)[0]
    assert len(set(correct.tolist())) > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "strictly-fair"}, "for NAS-Bench-101 there are uniform, "),
        ({"net": CellNetConfig(6, 1, num_classes=7)}, "digits has 10 classes, the network 7"),
        ({"cells": DrawnCells(table="nb102")}, "unknown table 'nb102'"),
        (
            {"cells": DrawnCells(table="nb-macro")},
            "nb-macro is a table of NAS-Bench-Macro; cells of NAS-Bench-101 are drawn from",
        ),
    ],
)
def test_configs_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        run(dataclasses.replace(TINY, **changes))
