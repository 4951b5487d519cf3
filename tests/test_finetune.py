"""Paths that are trained on alone: against the same steps written by hand, and in all spaces."""

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nasrepro import sotl
from nasrepro.data import cell_lists
from nasrepro.data.images import Split, load_images, split
from nasrepro.errors import ConfigError, DataError
from nasrepro.evaluate import (
    EvaluateConfig,
    distinct_paths,
    evaluate_batches,
    evaluate_paths,
    loss_and_correct,
    prepared,
)
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.nets.nb201 import extract, supernet
from nasrepro.runs import finetune, kinds, weights
from nasrepro.runs.config import changed, from_dict, to_dict
from nasrepro.runs.families import family_of
from nasrepro.runs.finetune import FinetuneConfig, points, run_finetune
from nasrepro.runs.kinds import FINETUNE, kind_of
from nasrepro.runs.parts import CellsConfig, DataConfig, DrawnCells, ListedCells
from nasrepro.runs.record import archive, from_bytes, read_archive, to_bytes
from nasrepro.runs.setup import Stopwatch, check_inputs
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.spaces import macro, nb101
from nasrepro.spaces.nb201 import Cell, Subspace, live_operations
from nasrepro.train import TrainConfig, initialise

SUPERNET = SupernetConfig(
    data=DataConfig("digits", train_images=120, validation_images=50, size=8),
    net=NetConfig(channels=4, cells_per_stage=1, tracked_statistics=False),
    sampler="uniform",
    train=TrainConfig(epochs=2, batch_size=20, crop_padding=1),
    evaluate=EvaluateConfig("batch", batch_size=25),
    cells=CellsConfig(random=5, seed=1),
)
CONFIG = FinetuneConfig(SUPERNET, steps=8, batch_size=20, learning_rate=0.05, validated=(0, 4))
FROZEN = replace(CONFIG, learning_rate=0.0, validated=(0,))
FROM_SCRATCH = replace(CONFIG, epochs=0, final_learning_rate=0.01, nesterov=True)
EQUAL = [  # the last edge alone does not reach the input
    Cell(("none",) * 4 + ("none", operation)) for operation in ("nor_conv_3x3", "skip_connect")
]


@pytest.fixture(autouse=True)
def weights_folder(results):
    """Where a store of its own keeps weights."""
    return results / weights.FOLDER


@pytest.fixture(scope="module")
def part() -> Split:
    return split(load_images("digits"), 120, 50, 8)


@pytest.fixture(scope="module")
def net():
    made = supernet(SUPERNET.net)
    initialise(made, torch.Generator().manual_seed(5))
    return made.to(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return family_of(SUPERNET.subspace).select(SUPERNET.subspace, SUPERNET.cells)


def watched(config, net, cells, part, how):
    return how(config, net, cells, finetune._look_at(config, part), Stopwatch("cpu"))


def by_hand(net, cell, taken, config):
    """Losses, counts and gradients of SGD on one path, step by step."""
    alone = extract(net, cell, config.net).to(memory_format=torch.channels_last)
    decayed = [p for n, p in alone.named_parameters() if not ("bn" in n and p.dim() == 1)]
    kept = [p for n, p in alone.named_parameters() if "bn" in n and p.dim() == 1]
    optimizer = torch.optim.SGD(
        [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": kept, "weight_decay": 0},
        ],
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
    )
    losses, correct, gradients = [], [], []
    for step, (x, y) in enumerate(taken):
        if config.final_learning_rate is not None:
            fallen = (1 - math.cos(math.pi * step / config.steps)) / 2
            lost = (config.learning_rate - config.final_learning_rate) * fallen
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate - lost
        optimizer.zero_grad()
        logits = alone(x, cell)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct.append(int((logits.argmax(1) == y).sum()))
        found = [p.grad.flatten() for p in alone.parameters() if p.grad is not None]
        gradients.append(torch.cat(found).numpy())
    return losses, correct, np.array(gradients), alone


@pytest.mark.parametrize("config", [CONFIG, FROM_SCRATCH])
def test_training_is_sgd_on_the_paths_own_weights(net, cells, part, config):
    images = finetune._look_at(config, part)
    found = finetune.watch_trained(config, net, cells, images, Stopwatch("cpu"))
    for row, cell in enumerate(cells):
        losses, correct, gradients, _ = by_hand(net, cell, images.training, config)
        assert found["loss"][row] == pytest.approx(losses, rel=1e-5)
        assert found["correct"][row].tolist() == correct
        # The definitions, on the gradients themselves; curves have a point before any step.
        after = [point - 1 for point in points(config.steps)[1:]]
        for name in ("sog", "sog_l1", "sogn", "sogn_l2"):
            expected = getattr(sotl, name)(gradients)[after]
            assert found[name][row, 0] == 0
            assert found[name][row, 1:] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_what_validation_images_show_on_the_way(net, cells, part):
    images = finetune._look_at(CONFIG, part)
    found = finetune.watch_trained(CONFIG, net, cells[:1], images, Stopwatch("cpu"))
    whole = part.validation_images, part.validation_labels
    for place, step in enumerate(CONFIG.validated):
        alone = by_hand(net, cells[0], images.training[:step], CONFIG)[-1]
        loss, correct = loss_and_correct(alone, cells[0], *whole, part, CONFIG.evaluate)
        assert found["validation_loss"][0, place] == pytest.approx(loss, rel=1e-5)
        assert found["validation_correct"][0, place] == correct
        losses = []
        for x, y in images.validation:
            with torch.no_grad():
                losses.append(F.cross_entropy(alone.train()(x, cells[0]), y).item())
        point = points(CONFIG.steps).index(step) if step in points(CONFIG.steps) else None
        if point is not None:  # the three batches in turn
            expected = losses[point % 3]
            assert found["validation_mini_loss"][0, point] == pytest.approx(expected, rel=1e-5)


def test_frozen_paths_side_by_side_show_what_learning_at_rate_0_shows(net, cells, part):
    slow = watched(FROZEN, net, cells, part, finetune.watch_trained)
    fast = watched(FROZEN, net, cells, part, finetune.watch_frozen)
    batches = {name: fast.pop(name) for name in finetune.ARRAYS if "batches" in name}
    plain = replace(part, validation_images=part.train_images[:50])
    plain = replace(plain, validation_labels=part.train_labels[:50])
    again = watched(FROZEN, net, cells, plain, finetune.watch_frozen)
    for name in ("loss", "correct"):
        expected = again[f"validation_batches_{name}"]
        assert np.array_equal(batches[f"train_batches_{name}"], expected)
    assert fast.keys() == slow.keys() - set(finetune.GRADIENTS)
    # The curve has the three batches in turn.
    assert np.array_equal(batches["validation_batches_loss"], fast["validation_mini_loss"][:, :3])
    for name, values in fast.items():
        assert values.shape == slow[name].shape, name
        assert values == pytest.approx(slow[name], rel=1e-4), name


def test_frozen_paths_need_not_look_at_validation_images(net, cells, part):
    found = watched(replace(FROZEN, validated=()), net, cells, part, finetune.watch_frozen)
    whole = watched(FROZEN, net, cells, part, finetune.watch_frozen)
    assert found.keys() == {"loss", "correct"}
    assert np.array_equal(found["loss"], whole["loss"])


def test_learning_lowers_the_loss_and_rate_0_does_not(net, cells, part):
    learned = watched(CONFIG, net, cells, part, finetune.watch_trained)
    frozen = watched(FROZEN, net, cells, part, finetune.watch_frozen)
    assert learned["loss"][:, 0] == pytest.approx(frozen["loss"][:, 0], rel=1e-4)
    assert learned["loss"][:, -1].mean() < frozen["loss"][:, -1].mean()


def test_a_cells_curve_does_not_depend_on_the_others_and_the_supernet_stays(net, cells, part):
    before = {key: value.clone() for key, value in net.state_dict().items()}
    together = watched(CONFIG, net, [*cells, *EQUAL], part, finetune.watch_trained)
    alone = watched(CONFIG, net, cells[2:3], part, finetune.watch_trained)
    for name, values in together.items():
        assert np.array_equal(values[2], alone[name][0]), name
        assert np.array_equal(values[-1], values[-2]), name  # equal paths
    assert live_operations(EQUAL[0]) == live_operations(EQUAL[1])
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_an_order_is_the_same_for_every_supernet_and_another_one_differs(part):
    def first(config):
        return finetune._look_at(config, part).training[0][0]

    assert torch.equal(first(CONFIG), first(changed(CONFIG, {"supernet.seed": 7})))
    assert torch.equal(first(CONFIG), first(replace(CONFIG, steps=9, learning_rate=0.1)))
    assert not torch.equal(first(CONFIG), first(replace(CONFIG, order=1)))


def test_batches_of_frozen_paths_add_up_to_their_evaluation(net, cells, part):
    whole = evaluate_paths(net, cells, part, EvaluateConfig("batch", batch_size=25))
    batches = list(
        zip(
            prepared(part, part.validation_images, 25),
            part.validation_labels.split(25),
            strict=True,
        )
    )
    loss, correct = evaluate_batches(net, cells, batches, "float32")
    assert correct.sum(1).tolist() == whole.correct.tolist()
    assert loss.mean(1) == pytest.approx(whole.loss, rel=1e-5)


# ---- runs


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASREPRO_RESULTS", str(tmp_path_factory.mktemp("results")))
        return run_finetune(CONFIG)


def test_a_record_has_every_array_and_comes_back_from_its_file(record):
    of_frozen = {name for name in finetune.ARRAYS if "batches" in name}
    assert set(record.arrays) == set(finetune.ARRAYS) - of_frozen and record.status == "ok"
    shapes = {name: record.arrays[name].shape for name in ("loss", "correct", "sog")}
    assert shapes == {"loss": (5, 8), "correct": (5, 8), "sog": (5, 7)}
    assert record.arrays["codes"].tolist() == sorted(record.arrays["codes"].tolist())
    assert record.arrays["curve"].tolist() == [0, 1, 2, 3, 5, 7, 8]
    assert [type(e).__name__ for e in record.history] == ["Epoch"] * 2
    assert kind_of(CONFIG) is FINETUNE
    assert from_bytes(to_bytes(record), FINETUNE) == record
    assert record.measurement.train_seconds > 0 < record.measurement.evaluate_seconds


def test_the_supernet_is_the_one_that_its_own_run_trains(record):
    """Its loss of each epoch, and what its paths make of the validation images, to the bit."""
    own = run(SUPERNET)
    assert own.history == record.history
    before = run_finetune(FROZEN)
    assert before.arrays["validation_correct"][:, 0].tolist() == own.arrays["correct"].tolist()
    assert before.arrays["validation_loss"][:, 0].tolist() == own.arrays["loss"].tolist()


def equal_results(one, other):
    return dataclasses.replace(one, measurement=other.measurement) == other


def test_weights_of_the_store_give_the_same_record(weights_folder, monkeypatch):
    first = run_finetune(CONFIG)  # trains, in a store of its own
    assert len(list(weights_folder.glob("*.npz"))) == 1
    monkeypatch.setattr(weights, "train", None)  # as nobody may now
    again = run_finetune(CONFIG)
    assert equal_results(again, first)
    run_finetune(replace(CONFIG, order=1))
    run_finetune(changed(CONFIG, {"supernet.cells.seed": 3}))  # not of the training
    assert len(list(weights_folder.glob("*.npz"))) == 1


@pytest.mark.parametrize(
    "change", [{"supernet.seed": 1}, {"epochs": 1}, {"supernet.train.learning_rate": 0.1}]
)
def test_another_training_has_other_weights(weights_folder, change):
    run_finetune(CONFIG)
    run_finetune(changed(CONFIG, change))
    assert len(list(weights_folder.glob("*.npz"))) == 2


@pytest.mark.parametrize("damage", ["cut", "altered", "of other code"])
def test_damaged_weights_are_neither_used_nor_trained_anew(weights_folder, damage):
    """Another machine would train others than those that stored records began with."""
    run_finetune(CONFIG)
    (file,) = weights_folder.glob("*.npz")
    content = bytearray(file.read_bytes())
    head, arrays = read_archive(bytes(content))
    if damage == "cut":
        content = content[:-500]
    elif damage == "altered":
        content[len(content) // 2] ^= 1
    else:
        content = archive(head, {name: a for name, a in arrays.items() if "classifier" not in name})
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"weights of a supernet in {file} cannot be read"):
        run_finetune(CONFIG)
    assert file.read_bytes() == content


def test_runs_begin_with_the_weights_that_the_store_has_wherever_they_were_trained(weights_folder):
    """Here from a machine that rounded differently."""
    run_finetune(CONFIG)
    (file,) = weights_folder.glob("*.npz")
    head, arrays = read_archive(file.read_bytes())
    arrays["classifier.weight"] *= 1.5
    head["history"] = [epoch | {"loss": epoch["loss"] + 1e-9} for epoch in head["history"]]
    file.write_bytes(archive(head, arrays))
    one, other = (run_finetune(replace(CONFIG, order=order)) for order in (0, 1))
    assert one.history == other.history
    assert one.history[0].loss == head["history"][0]["loss"]


def test_where_the_store_cannot_be_written_runs_go_on(record, tmp_path, monkeypatch, capsys):
    store = tmp_path / "results"
    store.write_text("no folder")
    monkeypatch.setenv("NASREPRO_RESULTS", str(store))
    assert np.array_equal(run_finetune(CONFIG).arrays["loss"], record.arrays["loss"])
    assert "each run trains its supernet itself" in capsys.readouterr().err


def test_weights_that_two_want_at_once_are_trained_once(weights_folder, monkeypatch):
    """The second comes while the first is training, and waits for what it keeps."""
    part = split(load_images("digits"), 120, 50, 8)
    begun, trainings, train = Event(), [], weights.train

    def slow(*args):
        trainings.append(args)
        begun.set()
        return train(*args)

    monkeypatch.setattr(weights, "train", slow)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(weights.trained_supernet, SUPERNET, None, part, "cpu")
        first.add_done_callback(lambda _: begun.set())  # also if it fails
        begun.wait()
        second = weights.trained_supernet(SUPERNET, None, part, "cpu")
    assert len(trainings) == 1 and second.history == first.result().history
    for ours, theirs in zip(second.net.parameters(), first.result().net.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_supernet_before_its_training_is_not_kept(weights_folder):
    run_finetune(replace(FROZEN, epochs=0))
    assert list(weights_folder.glob("*.npz")) == []


def test_a_supernet_that_was_not_trained(part):
    record = run_finetune(replace(FROZEN, epochs=0))
    net, made = supernet(SUPERNET.net), weights.generators(0)
    initialise(net, made.weights)
    cells = family_of(SUPERNET.subspace).select(SUPERNET.subspace, SUPERNET.cells)
    expected = evaluate_paths(net, cells, part, SUPERNET.evaluate)
    assert record.history == ()
    assert record.arrays["validation_correct"][:, 0].tolist() == expected.correct.tolist()


def test_a_supernet_in_the_middle_of_its_training(record):
    """Not a shorter training, whose learning rate would fall sooner."""
    half = run_finetune(replace(CONFIG, epochs=1))
    assert half.history == record.history[:1]
    shorter = run_finetune(changed(CONFIG, {"supernet.train.epochs": 1}))
    assert shorter.history != half.history


def test_a_supernet_that_diverged_is_kept_as_such():
    config = changed(CONFIG, {"supernet.train.learning_rate": 1e9, "supernet.train.epochs": 9})
    record = run_finetune(config)
    assert record.status == "diverged" and set(record.arrays) == {"supernet_seconds"}
    assert from_bytes(to_bytes(record), FINETUNE) == record


def test_a_path_that_diverges_leaves_the_others():
    record = run_finetune(replace(CONFIG, learning_rate=1e12, weight_decay=1e3))
    assert record.status == "ok"
    assert np.isfinite(record.arrays["loss"][:, 0]).all()
    assert not np.isfinite(record.arrays["loss"][:, -1]).all()


@pytest.mark.parametrize(
    ("subspace", "net", "cells"),
    [
        (nb101.Subspace(3), CellNetConfig(6, 1), DrawnCells(3, table=None)),
        (macro.Subspace(), ChainNetConfig(4, 8), DrawnCells(3, table=None)),
        (
            Subspace(),
            NetConfig(4, 1, operations_on="nodes", norms_on="nodes", kernels="projected"),
            CellsConfig(random=3),
        ),
    ],
)
@pytest.mark.parametrize("frozen", [True, False])
def test_every_space_can_be_fine_tuned(subspace, net, cells, frozen):
    supernet = replace(
        SUPERNET, subspace=subspace, net=net, cells=cells, evaluate=EvaluateConfig("tracked")
    )
    record = run_finetune(replace(FROZEN if frozen else CONFIG, supernet=supernet))
    assert np.isfinite(record.arrays["loss"]).all()
    own = run(supernet)
    first = record.arrays["validation_correct"][:, 0]
    assert first.tolist() == own.arrays["correct"].tolist()


# ---- configs

CHANGES = {
    "supernet.seed": 1,
    "steps": 9,
    "batch_size": 21,
    "learning_rate": 0.06,
    "momentum": 0.8,
    "weight_decay": 0.0,
    "validated": [0],
    "order": 1,
    "epochs": 1,
    "final_learning_rate": 0.0,
    "nesterov": True,
}


def test_every_field_is_part_of_the_key():
    names = {name.partition(".")[0] for name in CHANGES}
    assert names == {f.name for f in dataclasses.fields(FinetuneConfig)}
    keys = {changed(CONFIG, {name: value}).key for name, value in CHANGES.items()}
    assert len(keys | {CONFIG.key}) == len(CHANGES) + 1
    assert from_dict(to_dict(CONFIG), FinetuneConfig) == CONFIG


def test_work_is_counted():
    assert CONFIG.trained_images == 8 * 20 * 5
    # Twice all, and a batch at each of the steps 0, 1, 2, 3, 5, 7 and 8: of 20, 20 and 10, in turn.
    assert CONFIG.evaluated_images == (2 * 50 + 5 * 20 + 2 * 10) * 5
    assert FROZEN.evaluated_images == 3 * 50 * 5  # once, once in batches, and of training
    assert replace(FROZEN, validated=()).evaluated_images == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "at least 1 step .* found steps=0"),
        ({"learning_rate": -0.1}, "a learning rate of at least 0"),
        ({"validated": [9]}, r"after 0 to 8 of them, found validated=\(9,\)"),
        ({"learning_rate": 0.0}, r"stay as they are; take validated=\(0,\)"),
        ({"final_learning_rate": 0.1}, r"falls, .*=0\.05, final_learning_rate=0\.1$"),
        ({"final_learning_rate": -0.1}, "to at least 0"),
        (
            {"learning_rate": 0.0, "validated": [], "final_learning_rate": 0.0},
            "falls, from more than 0",
        ),
        ({"epochs": 3}, "after 0 to 2 epochs, found epochs=3"),
        ({"batch_size": 121}, "more than the 120 training images"),
        ({"batch_size": 1}, "2 images per batch"),
        ({"supernet.net.transformers": ["skip_connect"]}, "no network of its own with them"),
        (
            {
                "supernet.net": CellNetConfig(narrowing="shuffled"),
                "supernet.subspace": nb101.Subspace(),
                "supernet.cells": DrawnCells(2),
            },
            "takes the first channels",
        ),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        changed(CONFIG, change)


def test_a_cell_that_the_supernet_lacks_is_named(monkeypatch):
    listed = changed(CONFIG, {"supernet.cells": ListedCells("sotl-nb201")})
    texts = [str(Cell(("nor_conv_3x3",) * 6)), str(Cell(("avg_pool_3x3",) * 6))]
    monkeypatch.setattr("nasrepro.runs.listed.read_list", lambda name: texts)
    without = changed(listed, {"supernet.subspace": Subspace.without("avg_pool_3x3")})
    with pytest.raises(ConfigError, match=r"1 of the 2 cells of sotl-nb201 are not in .*no Pool"):
        run_finetune(without)


# ---- the thesis' own cells


def test_an_unknown_list_is_refused():
    with pytest.raises(ConfigError, match=r"unknown list 'sotl-nb20'.*did you mean sotl-nb201"):
        ListedCells("sotl-nb20")


def test_lists_are_for_their_space_alone():
    with pytest.raises(ConfigError, match="takes a CellNetConfig and DrawnCells"):
        replace(
            SUPERNET,
            subspace=nb101.Subspace(),
            net=CellNetConfig(),
            cells=ListedCells("sotl-nb201"),
        )


def test_a_list_that_is_not_as_expected_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "lists.json"
    file.write_text('{"archs_random_200_seed50": ["|none~0|"]}')
    monkeypatch.setattr(cell_lists, "fetch", lambda source: file)
    with pytest.raises(DataError, match=r"lists.json: expected 200 cells .*, found 1"):
        cell_lists.read_list("sotl-nb201")


def test_a_fine_tuning_is_listed_by_what_it_trains():
    assert kinds.trained_part(CONFIG) == "all operations"
    assert kinds.sampler_name(CONFIG) == "uniform"
    assert kinds.length_of(CONFIG) == "8 steps of each path"
    assert kinds.length_of(SUPERNET) == "2 epochs"


def test_a_list_that_is_not_there_stops_a_study_before_its_first_run(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    check_inputs([CONFIG], "cpu")
    listed = changed(CONFIG, {"supernet.cells": ListedCells("sotl-nb201")})
    with pytest.raises(DataError, match=r"cannot download sotl-cells: .*thesis_arch_splits\.json"):
        check_inputs([CONFIG, listed], "cpu")


def test_distinct_paths_find_their_way_back():
    cells = [EQUAL[1], Cell(("nor_conv_3x3",) * 6), EQUAL[0]]
    paths, rows = distinct_paths(cells)
    assert [paths[row].path for row in rows] == [cell.path for cell in cells]
    assert len(paths) == 2


def test_cells_that_are_trained_are_part_of_the_name_of_weights():
    some = changed(SUPERNET, {"trained_cells": 10})
    for base, same in ((SUPERNET, True), (some, False)):
        other = changed(base, {"cells.seed": 2})
        assert (weights.weights_name(base, None) == weights.weights_name(other, None)) is same
    whole, half = (weights.weights_name(SUPERNET, epochs) for epochs in (2, 1))
    assert whole == weights.weights_name(SUPERNET, None) != half
