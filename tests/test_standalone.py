"""Networks trained on their own: the same loop, counts and losses as a supernet's."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.canonical import canonical_json
from nasrepro.data.images import held_out_test, load_images, split
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig, loss_and_correct
from nasrepro.nets import macro, nb101
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.nets.nb201 import Network, num_parameters
from nasrepro.runs import standalone as standalone_module
from nasrepro.runs.config import from_dict, to_dict
from nasrepro.runs.execute import execute
from nasrepro.runs.kinds import STANDALONE
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.setup import torch_generator
from nasrepro.runs.standalone import (
    StandaloneConfig,
    count_flops,
    run_standalone,
)
from nasrepro.runs.store import Store
from nasrepro.samplers import Fixed
from nasrepro.spaces.macro import Cell as MacroCell
from nasrepro.spaces.nb101 import Cell as VertexCell
from nasrepro.spaces.nb201 import Cell, live_edges
from nasrepro.train import TrainConfig, initialise, train

CELL = Cell(
    ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "none", "avg_pool_3x3", "nor_conv_3x3")
)
TINY = StandaloneConfig(
    data=DataConfig("digits", train_images=64, validation_images=50, size=8),
    cell=CELL,
    net=NetConfig(channels=4, cells_per_stage=1),
    train=TrainConfig(epochs=3, batch_size=16, learning_rate=0.1, crop_padding=1),
    evaluate=EvaluateConfig("tracked", batch_size=100),
)
DIVERGING = dataclasses.replace(
    TINY, train=dataclasses.replace(TINY.train, epochs=50, learning_rate=1e6)
)
MODES = [
    EvaluateConfig("tracked", batch_size=100),
    EvaluateConfig("batch", batch_size=25),
    EvaluateConfig("calibrated", batch_size=20, calibration_batches=2),
]


@pytest.fixture(scope="module")
def record() -> Record:
    return run_standalone(TINY)


@pytest.mark.parametrize("evaluate", MODES, ids=lambda config: config.batch_norm)
def test_a_run_is_a_training_by_hand_and_looks_without_touching(evaluate):
    """The same training without a look between the epochs, then the same two looks."""
    record = run_standalone(dataclasses.replace(TINY, evaluate=evaluate))
    images = load_images("digits")
    part = split(images, 64, 50, 8)
    weights, order, paths = np.random.SeedSequence(0).spawn(3)
    net = Network([(operation,) for operation in CELL.operations], TINY.net)
    initialise(net, torch_generator(weights))
    epochs = list(
        train(
            net,
            part,
            Fixed(CELL),
            TINY.train,
            np.random.default_rng(paths),
            torch_generator(order),
        )
    )
    assert [(e.train_loss, e.train_accuracy) for e in record.history] == [
        (e.loss, e.accuracy) for e in epochs
    ]
    validation = (part.validation_images, part.validation_labels)
    last = record.history[-1]
    assert loss_and_correct(net, CELL, *validation, part, evaluate) == (
        last.validation_loss,
        last.validation_correct,
    )
    test = loss_and_correct(net, CELL, *held_out_test(images, 8), part, evaluate)
    assert test == (record.arrays["test_loss"], record.arrays["test_correct"])
    assert record.status == "ok" and len(record.history) == 3


def test_a_seed_decides_all_and_another_seed_another_run(record):
    again = run_standalone(TINY)
    assert dataclasses.replace(again, measurement=record.measurement) == record
    other = run_standalone(dataclasses.replace(TINY, seed=1))
    assert other.history != record.history and other.key != record.key


def test_the_key_of_a_config_is_this_one():
    """If this fails, every stored record loses its config: was the change meant?"""
    assert canonical_json(to_dict(TINY)).startswith('{"cell":{"operations":["nor_conv_3x3","skip_')
    assert TINY.key == "5f7f0820096d9dc6"
    assert from_dict(json.loads(canonical_json(to_dict(TINY))), StandaloneConfig) == TINY


CHAIN = MacroCell.parse("02012100")
VERTICES = VertexCell(((0, 1), (0, 2), (1, 2), (0, 3), (2, 3)), ("conv3x3-bn-relu", "maxpool3x3"))
ELSEWHERE = [
    dataclasses.replace(TINY, cell=VERTICES, net=CellNetConfig(4, 1, statistics_momentum=0.1)),
    dataclasses.replace(TINY, cell=VertexCell(((0, 1),), ()), net=CellNetConfig(4, 1)),
    dataclasses.replace(TINY, cell=CHAIN, net=ChainNetConfig(4, 8)),
]


@pytest.mark.parametrize("config", ELSEWHERE, ids=lambda config: str(config.cell))
def test_cells_of_other_spaces_train_and_survive_the_store(config, tmp_path):
    record = run_standalone(config)
    assert record.status == "ok" and len(record.history) == 3
    again = run_standalone(config)
    assert dataclasses.replace(again, measurement=record.measurement) == record
    store = Store(tmp_path, STANDALONE)
    assert store.read(store.save(record)) == record


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": CHAIN}, "a run of NAS-Bench-Macro takes a ChainNetConfig and .* found NetConfig"),
        ({"net": CellNetConfig()}, "a run of NAS-Bench-201 takes a NetConfig .* CellNetConfig"),
    ],
)
def test_a_cell_and_a_network_of_two_spaces_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TINY, **changes)


def test_operations_of_no_space_are_refused():
    values = to_dict(TINY) | {"cell": {"operations": ["conv"] * 6}}
    with pytest.raises(ConfigError, match="unknown operation 'conv'"):
        from_dict(values, StandaloneConfig)


# ---- what a network costs


def test_flops_of_one_cell_by_hand():
    """Two channels, images of 4x4; each product with its sum counts two.

    Stem: 16 pixels, 3 to 2 channels, 9 weights. One live convolution, 3x3, in each stage: 16, 4
    and 1 pixels. The first reduction: 3x3 from 2 to 4 and from 4 to 4, 1x1 from 2 to 4, all at 4
    pixels; the second the same from 4 to 8 at 1 pixel. The classifier: 8 to 10.
    """
    cell = Cell(("nor_conv_3x3", "none", "none", "none", "skip_connect", "nor_conv_1x1"))
    assert live_edges(cell) == (0, 4)  # the 1x1 convolution leaves a node that nothing reaches
    stem = 16 * 3 * 2 * 9
    cells = 16 * 2 * 2 * 9 + 4 * 4 * 4 * 9 + 1 * 8 * 8 * 9
    first = 4 * (2 * 4 * 9 + 4 * 4 * 9 + 2 * 4)
    second = 1 * (4 * 8 * 9 + 8 * 8 * 9 + 4 * 8)
    expected = 2 * (stem + cells + first + second + 8 * 10)
    for tracked in (True, False):
        net = NetConfig(channels=2, cells_per_stage=1, tracked_statistics=tracked)
        assert count_flops(cell, net, size=4) == expected


def test_flops_of_other_spaces():
    """Of a chain as its own count of many has them; of the empty NAS-Bench-101 cell by hand.

    Two channels, images of 4x4, halved twice. Stem: 16 pixels, 3 to 2 channels, 9 weights. In each
    stage the projection of the cell's input alone: 2 to 2, 2 to 4, 4 to 8 channels.
    """
    net = ChainNetConfig(channels=4, last_channels=8)
    expected = macro.count_flops(np.array([CHAIN.code]), 8, net)
    assert count_flops(CHAIN, net, size=8) == expected[0]
    stem, stages = 16 * 3 * 2 * 9, 16 * 2 * 2 + 4 * 2 * 4 + 1 * 4 * 8
    empty = VertexCell(((0, 1),), ())
    flops = count_flops(empty, CellNetConfig(channels=2, cells_per_stage=1), size=4)
    assert flops == 2 * (stem + stages + 8 * 10)


def test_flops_of_pooling_are_none():
    pools, skips = (Cell((op,) * 6) for op in ("avg_pool_3x3", "skip_connect"))
    assert count_flops(pools, TINY.net, 8) == count_flops(skips, TINY.net, 8) > 0


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 15_624).map(Cell.from_code), st.sampled_from([1, 2]))
def test_twice_the_size_is_four_times_the_flops_but_for_the_classifier(cell, cells_per_stage):
    net = NetConfig(channels=2, cells_per_stage=cells_per_stage)
    classifier = 2 * 8 * 10
    small, large = (count_flops(cell, net, size) - classifier for size in (4, 8))
    assert large == 4 * small


def test_parameters_are_those_the_benchmark_counts(record):
    assert record.arrays["parameters"] == num_parameters(CELL, channels=4, cells_per_stage=1)
    assert record.arrays["flops"] == count_flops(CELL, TINY.net, 8)
    (vertices, _, chain), codes = ELSEWHERE, np.array([CHAIN.code])
    expected = nb101.count_parameters(np.array([VERTICES.code]), channels=4, cells_per_stage=1)
    assert run_standalone(vertices).arrays["parameters"] == expected.item()
    assert run_standalone(chain).arrays["parameters"] == macro.count_parameters(codes, chain.net)


# ---- the store


def test_a_record_survives_the_store(record, tmp_path):
    store = Store(tmp_path, STANDALONE)
    assert store.read(store.save(record)) == record
    assert execute([TINY], run_standalone, store) == [record]  # it is not computed again


def test_a_diverged_run_is_kept_without_a_test(tmp_path):
    (record,) = execute([DIVERGING], run_standalone, Store(tmp_path, STANDALONE))
    assert record.status == "diverged"
    assert not {"test_loss", "test_correct"} & record.arrays.keys()
    assert len(record.history) < 50 and math.isnan(record.history[-1].train_loss)
    assert all(math.isfinite(epoch.train_loss) for epoch in record.history[:-1])
    assert list(Store(tmp_path, STANDALONE).verify()) == []


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("data", {"name": "svhn"}, "unknown data set 'svhn'"),
        ("data", {"size": 9}, "can be shrunk to 1 to 8"),
        ("net", {"num_classes": 7}, "digits has 10 classes, the network 7"),
        ("train", {"batch_size": 65}, "takes 1 x 65 images"),
    ],
)
def test_configs_that_do_not_fit_are_refused(part, values, message):
    changed = dataclasses.replace(getattr(TINY, part), **values)
    with pytest.raises(ConfigError, match=message):
        run_standalone(dataclasses.replace(TINY, **{part: changed}))
    with pytest.raises(ConfigError, match="cannot compute on 'gpu'"):
        run_standalone(TINY, "gpu")


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("net", {"tracked_statistics": False}, "needs a network with tracked statistics"),
        (
            "evaluate",
            {"batch_norm": "calibrated", "calibration_batches": 1},
            "1 batches of 100, but there are only 64 training images",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_it_is_trained(part, values, message):
    changed = dataclasses.replace(getattr(TINY, part), **values)
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TINY, **{part: changed})


def test_convolutions_are_deterministic_in_training_and_evaluation(monkeypatch):
    seen = []

    def watching(look):
        def watched(*args):
            seen.append((look.__name__, torch.backends.cudnn.deterministic))
            return look(*args)

        return watched

    monkeypatch.setattr(standalone_module, "loss_and_correct", watching(loss_and_correct))
    monkeypatch.setattr(Network, "forward", watching(Network.forward))
    monkeypatch.setattr(standalone_module, "count_flops", lambda *args: 0)  # computes nothing
    with torch.backends.cudnn.flags(enabled=True, deterministic=False):
        run_standalone(TINY)
        assert not torch.backends.cudnn.deterministic
    assert set(seen) == {("loss_and_correct", True), ("forward", True)}
