"""Runs: keys, the store and its faults, executing what is missing, killed workers."""

import dataclasses
import errno
import functools
import json
import math
import os
import resource
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import arrays, count_correct, counts

from nasrepro import paths
from nasrepro.benchmarks import available_tables, load_table
from nasrepro.canonical import canonical_json
from nasrepro.data.cell_lists import LISTS
from nasrepro.data.images import load_images, split
from nasrepro.errors import ConfigError, DataError, NasreproError
from nasrepro.evaluate import EvaluateConfig, evaluate_paths
from nasrepro.nets.config import CellNetConfig, NetConfig
from nasrepro.nets.nb201 import Network, supernet
from nasrepro.nets.stacked import forward_in_stacks
from nasrepro.runs import execute as execute_module
from nasrepro.runs import setup as run_setup
from nasrepro.runs import supernet as supernet_module
from nasrepro.runs.config import SCHEMA, changed, from_dict, to_dict
from nasrepro.runs.kinds import SUPERNET, store_of
from nasrepro.runs.machine import check_device
from nasrepro.runs.nb201 import random_cells, select_cells, top_cells
from nasrepro.runs.parts import CellsConfig, DataConfig, DrawnCells, ListedCells
from nasrepro.runs.record import Measurement, Record, archive, from_bytes, head_values, to_bytes
from nasrepro.runs.setup import check_inputs, generators, watch_finite
from nasrepro.runs.store import Store
from nasrepro.runs.supernet import SupernetConfig, part_of, run, sampler_of
from nasrepro.spaces import nb101
from nasrepro.spaces.nb201 import EDGES, OPERATIONS, Cell, Subspace, is_connected
from nasrepro.train import Epoch, RMSprop, TrainConfig, batches, initialise
from nasrepro.updates import Reptile

TINY = SupernetConfig(
    data=DataConfig("digits", train_images=64, validation_images=100, size=8),
    net=NetConfig(channels=2, cells_per_stage=1),
    sampler="uniform",
    train=TrainConfig(epochs=2, batch_size=32, learning_rate=0.1, crop_padding=1),
    evaluate=EvaluateConfig("batch", batch_size=50),
    cells=CellsConfig(random=12),
)
DIVERGING = dataclasses.replace(
    TINY, train=dataclasses.replace(TINY.train, epochs=50, learning_rate=1e6)
)


pytestmark = pytest.mark.usefixtures("results")


def seeded(seed: int) -> SupernetConfig:
    return dataclasses.replace(TINY, seed=seed)


def store() -> Store:
    return store_of(SUPERNET)


def made_up(
    config: SupernetConfig = TINY, codes=(3, 700, 15_624), correct=(10, 0, 99), **changes
) -> Record:
    """A record that nobody had to compute."""
    record = Record(
        config=config,
        status="ok",
        arrays=arrays(codes, correct),
        history=(Epoch(2.3025851249694824, 11.328125), Epoch(1.75, 40.0)),
        measurement=Measurement(
            train_seconds=1.25,
            evaluate_seconds=0.5,
            cpu_seconds=1.5,
            train_images_per_second=1234.5,
            evaluate_images_per_second=9999.9,
            peak_memory_mb=321.0,
            device="cpu",
            threads=1,
            cpu="Example™ CPU",
            versions={"python": "3.11.7", "torch": "2.13.0"},
        ),
    )
    return dataclasses.replace(record, **changes)


def execute(configs: list[SupernetConfig], **options) -> list[Record]:
    """Compute what the store of supernets lacks."""
    return execute_module.execute(configs, run, store(), **options)


def files(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# ---- configs and keys

DEFAULT_JSON = (
    '{"cells":{"column":null,"random":1000,"seed":0,"table":null,"top":0},'
    '"data":{"name":"cifar10","size":null,"train_images":45000,"validation_images":5000},'
    '"evaluate":{"batch_norm":"tracked","batch_size":500,"calibration_batches":0,'
    '"precision":"float32"},'
    '"net":{"affine":true,"cells_per_stage":5,"channels":16,"num_classes":10,'
    '"tracked_statistics":true},'
    '"sampler":"strictly-fair","seed":0,'
    '"subspace":{"operations":["none","skip_connect","nor_conv_1x1","nor_conv_3x3",'
    '"avg_pool_3x3"]},'
    '"train":{"batch_size":256,"crop_padding":4,"epochs":250,"final_learning_rate":5e-05,'
    '"gradient_clip":null,"learning_rate":0.025,"momentum":0.9,"nesterov":false,'
    '"precision":"float32","warmup_epochs":0,"weight_decay":0.0003}}'
)


def test_the_key_of_the_default_config_is_this_one():
    """If this fails, every stored record loses its config: was the change meant?"""
    assert canonical_json(to_dict(SupernetConfig())) == DEFAULT_JSON
    assert SCHEMA == 1
    assert SupernetConfig().key == "1c70d4d53314f679"


# Another value for every field there is.
CHANGES = {
    "data.name": "digits",
    "data.train_images": 45_001,
    "data.validation_images": 4_999,
    "data.size": 16,
    "subspace.operations": OPERATIONS[1:],
    "net.channels": 17,
    "net.cells_per_stage": 4,
    "net.num_classes": 100,
    "net.affine": False,
    "net.tracked_statistics": False,
    "net.transformers": ("skip_connect",),
    "net.operations_on": "nodes",
    "net.norms_on": "nodes",
    "net.kernels": "projected",
    "net.path_dropout": 0.1,
    "net.affine_around": True,
    "net.global_dropout": 0.1,
    "sampler": "uniform",
    "topology": "per position",
    "trained_cells": 64,
    "train.epochs": 251,
    "train.batch_size": 255,
    "train.learning_rate": math.nextafter(0.025, 1),
    "train.final_learning_rate": 1e-5,
    "train.warmup_epochs": 5,
    "train.momentum": 0.8,
    "train.nesterov": True,
    "train.weight_decay": 0.0,
    "train.gradient_clip": 5.0,
    "train.crop_padding": 3,
    "train.precision": "bfloat16",
    "train.gradients": "mean",
    "train.batches": "shared",
    "train.rmsprop": RMSprop(),
    "train.label_smoothing": 0.1,
    "train.augmentation": "autoaugment",
    "train.adaptation": Reptile(),
    "evaluate.batch_norm": "batch",
    "evaluate.batch_size": 499,
    "evaluate.calibration_batches": 8,
    "evaluate.precision": "bfloat16",
    "cells.random": 999,
    "cells.seed": 1,
    "cells.top": 10,
    "cells.table": "nb201-200epochs",
    "cells.column": "cifar10-test-200",
    "cells.connected": True,
    "cells.best": 2_000,
    "seed": 1,
}
# Fields that are only possible together with others.
TOGETHER = {
    "net.tracked_statistics": {"evaluate.batch_norm": "batch"},
    "net.operations_on": {"sampler": "uniform"},
    "net.norms_on": {"sampler": "uniform", "net.operations_on": "nodes"},
    "trained_cells": {"sampler": "uniform"},
    "cells.best": {"cells.table": "nb201-200epochs", "cells.column": "cifar10-test-200"},
    "evaluate.calibration_batches": {"evaluate.batch_norm": "calibrated"},
    "cells.top": {"cells.table": "nb201-200epochs", "cells.column": "cifar10-test-200"},
}


def leaves(config: object, prefix: str = "") -> list[str]:
    names = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        inner = leaves(value, f"{prefix}{field.name}.") if dataclasses.is_dataclass(value) else []
        names += inner or [prefix + field.name]
    return names


def test_every_field_decides_the_key():
    assert set(CHANGES) == set(leaves(SupernetConfig()))
    variants = [{}, *({path: value} | TOGETHER.get(path, {}) for path, value in CHANGES.items())]
    # The fields of `TOGETHER` must tell apart what shares the fields they come with.
    variants.append({"evaluate.calibration_batches": 9, "evaluate.batch_norm": "calibrated"})
    variants.append(TOGETHER["cells.top"])
    keys = {changed(SupernetConfig(), variant).key: variant for variant in variants}
    assert list(keys.values()) == variants


def with_changes(names: set[str]) -> SupernetConfig:
    values = {name: CHANGES[name] for name in names}
    for name in names & TOGETHER.keys():
        values |= TOGETHER[name]
    return changed(SupernetConfig(), values)


EXCLUSIVE = (
    {"train.nesterov", "train.rmsprop"},
    {"train.gradients", "train.adaptation"},
    {"net.tracked_statistics", "evaluate.calibration_batches"},
    {"net.operations_on", "net.affine", "net.tracked_statistics"},
)
some_configs = (
    st.sets(st.sampled_from(sorted(CHANGES)))
    .filter(lambda names: not any(names >= pair for pair in EXCLUSIVE))
    .map(with_changes)
)


@settings(deadline=None, max_examples=50)
@given(some_configs)
def test_a_config_survives_json(config):
    text = canonical_json(to_dict(config))
    again = from_dict(json.loads(text), SupernetConfig)
    assert again == config
    assert again.key == config.key


@settings(deadline=None, max_examples=50)
@given(some_configs, some_configs)
def test_keys_are_equal_when_configs_are(one, other):
    assert (one.key == other.key) == (one == other)
    assert len(one.key) == 16 and set(one.key) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda v: v.update(sede=1), "sede"),
        (lambda v: v["net"].update(width=3), "width"),
        (lambda v: v["train"].update(epochs="many"), "epochs"),
        (lambda v: v["train"].update(precision="half"), "unknown precision 'half'"),
        (lambda v: v["subspace"].update(operations=["conv"]), "unknown operation 'conv'"),
        (lambda v: v.update(data=None), "data"),
    ],
)
def test_values_that_are_no_config_are_refused(damage, message):
    values = to_dict(TINY)
    damage(values)
    with pytest.raises(ConfigError, match=message):
        from_dict(values, SupernetConfig)


@pytest.mark.parametrize("part", ["", "data", "train", "cells"])
def test_a_missing_field_is_refused(part):
    values = to_dict(TINY)
    inner = values[part] if part else values
    for name in inner:
        without = {key: value for key, value in inner.items() if key != name}
        with pytest.raises(ConfigError, match=name):
            from_dict(values | {part: without} if part else without, SupernetConfig)


def test_equal_configs_have_equal_keys_however_a_number_is_written():
    one = changed(SupernetConfig(), {"train.gradient_clip": 5})
    other = changed(SupernetConfig(), {"train.gradient_clip": 5.0})
    assert one == other
    assert one.key == other.key


def test_top_cells_need_a_table():
    with pytest.raises(ConfigError, match="need a table and a column"):
        CellsConfig(top=10)


# ---- the cells of a run


def test_the_random_cells_are_the_same_in_every_run():
    chosen = random_cells(Subspace(), CellsConfig(random=200))
    assert len(set(chosen)) == 200
    assert chosen == random_cells(Subspace(), CellsConfig(random=200))
    assert set(chosen) != set(random_cells(Subspace(), CellsConfig(random=200, seed=1)))
    selected = select_cells(Subspace(), CellsConfig(random=200))
    assert [cell.code for cell in selected] == sorted(cell.code for cell in chosen)


def test_a_sample_of_connected_cells_has_no_others():
    chosen = random_cells(Subspace(), CellsConfig(random=500, connected=True))
    assert len(set(chosen)) == 500 and all(map(is_connected, chosen))
    assert not all(map(is_connected, random_cells(Subspace(), CellsConfig(random=500))))
    few = Subspace(("none", "skip_connect"))
    connected = random_cells(few, CellsConfig(connected=True))
    assert connected == [cell for cell in few.cells() if is_connected(cell)]


@pytest.mark.parametrize("count", [729, 730, 1_000])
def test_a_small_subspace_is_evaluated_whole(count):
    subspace = Subspace.without("none", "avg_pool_3x3")
    selected = select_cells(subspace, CellsConfig(random=count))
    assert selected == sorted(subspace.cells(), key=lambda cell: cell.code)
    assert len(random_cells(subspace, CellsConfig(random=728))) == 728


@pytest.fixture
def table():
    if "nb201-200epochs" not in available_tables():
        pytest.skip("the table nb201-200epochs is not on this machine")
    return load_table("nb201-200epochs")


def test_a_sample_of_the_best_cells_is_drawn_from_them_alone(table):
    column = "cifar10-test-200"
    best = CellsConfig(random=50, best=200, table="nb201-200epochs", column=column, connected=True)
    codes = {cell.code for cell in random_cells(Subspace(), best)}
    ranked = table.codes[np.argsort(-table.accuracy(table.codes, column), kind="stable")]
    assert len(codes) == 50 and codes < set(ranked[:200].tolist())
    config = changed(TINY, {"cells": best, "sampler": "uniform", "trained_cells": 200})
    assert set(part_of(config).tolist()) == set(ranked[:200].tolist())
    everything = dataclasses.replace(best, random=1_000)
    assert {cell.code for cell in random_cells(Subspace(), everything)} == set(ranked[:200])
    assert everything.at_most(Subspace()) == 200 and best.at_most(Subspace()) == 50
    assert best.needed_table == "nb201-200epochs"


def test_the_top_cells_are_the_best_of_the_subspace(table):
    subspace, column = Subspace.without("none", "nor_conv_3x3"), "cifar10-test-200"
    config = CellsConfig(random=20, top=10, table="nb201-200epochs", column=column)
    best = top_cells(subspace, config)
    truth = {cell: table.accuracy(cell.code, column) for cell in subspace.cells()}
    assert best == sorted(best, key=truth.get, reverse=True)
    assert {truth[cell] for cell in best} == set(sorted(truth.values())[-10:])
    selected = select_cells(subspace, config)
    assert set(selected) == {*best, *random_cells(subspace, config)}
    assert selected == sorted(selected, key=lambda cell: cell.code)
    full = dataclasses.replace(config, top=1)
    assert top_cells(Subspace(), full) == [table.cell_at(6_111)]


# ---- the store


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    some_configs,
    st.lists(st.tuples(st.integers(0, 15_624), st.integers(0, 10_000)), max_size=20),
    st.lists(st.builds(Epoch, *[st.floats(0, 1e30, allow_nan=False)] * 2), max_size=5),
    st.text(max_size=20),
)
def test_a_record_survives_the_store(config, counts, history, cpu):
    record = made_up(
        config,
        codes=tuple(code for code, _ in counts),
        correct=tuple(count for _, count in counts),
        history=tuple(history),
        measurement=dataclasses.replace(made_up().measurement, cpu=cpu),
    )
    path = store().save(record)
    assert path == store().path(config.key)
    assert store().read(path) == store().load(config.key) == record


def test_a_diverged_record_survives_the_store():
    history = (Epoch(2.0, 10.0), Epoch(float("nan"), 9.0))
    record = made_up(status="diverged", codes=(), correct=(), history=history)
    loaded = store().read(store().save(record))
    assert loaded.history[0] == history[0]
    assert math.isnan(loaded.history[1].loss) and loaded.history[1].accuracy == 9.0
    assert dataclasses.replace(loaded, history=()) == dataclasses.replace(record, history=())


def test_an_infinite_loss_is_stored_as_not_finite():
    history = (Epoch(float("inf"), 9.0),)
    path = store().save(made_up(status="diverged", codes=(), correct=(), history=history))
    assert not math.isfinite(store().read(path).history[0].loss)


def test_the_store_is_a_folder_of_small_files(results):
    assert store().stored_keys() == []
    assert store().load(TINY.key) is None
    keys = sorted(store().save(made_up(seeded(seed))).stem for seed in range(3))
    assert store().stored_keys() == keys
    assert files(results) == [f"records/{key}.npz" for key in keys]
    assert list(store().verify()) == []


def test_saving_again_replaces_the_record(results):
    store().save(made_up())
    path = store().save(made_up(correct=(1, 2, 3)))
    assert store().read(path).arrays["correct"].tolist() == [1, 2, 3]
    assert files(results) == [f"records/{TINY.key}.npz"]


def check_damaged(path: Path, others: int = 0) -> str:
    """Reading, loading and verifying all name the file and a remedy; the other records are well."""
    with pytest.raises(DataError) as caught:
        store().read(path)
    message = str(caught.value)
    assert str(path) in message and "delete it and run the study again" in message
    with pytest.raises(DataError):
        store().load(path.stem)
    assert list(store().verify()) == [(path.stem, message)]
    assert len(store().stored_keys()) == 1 + others
    return message


OLD = Path(__file__).parents[1] / "results" / "records"


def old_json() -> tuple[Path, bytes]:
    """A record as it was written before: a copy of a published one, in the store of the test."""
    source = min(OLD.glob("*.json"), key=lambda path: path.stat().st_size)
    path = store().folder / source.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source.read_bytes())
    return path, source.read_bytes()


def test_a_cut_file_is_found_wherever_it_ends():
    for seed in (1, 2):
        store().save(made_up(seeded(seed)))
    path = store().save(made_up())
    whole = path.read_bytes()
    for end in [*range(0, len(whole) - 2, 97), len(whole) - 2]:
        path.write_bytes(whole[:end])
        assert "is not a complete record" in check_damaged(path, others=2)


def test_a_cut_file_of_before_is_found_wherever_it_ends():
    path, whole = old_json()
    assert whole.endswith(b"}\n")  # without its last line feed it is still whole
    for end in [*range(0, len(whole) - 2, 997), len(whole) - 2]:
        path.write_bytes(whole[:end])
        assert "is not a complete record" in check_damaged(path)


ALTERATIONS = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@ALTERATIONS
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_an_altered_byte_is_found_or_harmless(position, change):
    path = store().save(made_up())
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= change
    path.write_bytes(content)
    try:
        loaded = store().read(path)
    except DataError as error:
        assert str(path) in str(error)
        assert [key for key, _ in store().verify()] == [path.stem]
    else:
        assert loaded == made_up()  # e.g. a date in the archive, which says nothing of the record


@settings(ALTERATIONS, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(b'0123456789abz"{}[],:. \x00\xff'))
def test_an_altered_byte_of_before_is_found_or_harmless(position, byte):
    path, whole = old_json()
    record = store().read(path)
    content = bytearray(whole)
    content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        loaded = store().read(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert loaded == record  # the same byte, or another blank after the end


def test_the_same_record_gives_the_same_bytes():
    assert to_bytes(made_up()) == to_bytes(made_up())
    assert from_bytes(to_bytes(made_up()), SUPERNET) == made_up()


def rewritten(path: Path, change) -> None:
    """Change a record's head and arrays, and leave the checksum as it was."""
    with np.load(path) as file:
        parts = {name: file[name] for name in file.files}
    head = json.loads(parts.pop("head").tobytes())
    change(head, parts)
    text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    np.savez_compressed(path, head=text, **parts)


@pytest.mark.parametrize(
    "change",
    [
        lambda head, arrays: arrays["correct"].__setitem__(0, 11),
        lambda head, arrays: arrays.update(correct=arrays["correct"].astype(np.int32)),
        lambda head, arrays: arrays.update(correct=arrays["correct"].reshape(3, 1)),
        lambda head, arrays: arrays.pop("codes"),
        lambda head, arrays: arrays.update(more=np.zeros(2)),
        lambda head, arrays: head.update(status="no"),
        lambda head, arrays: head["config"].update(seed=1),
        lambda head, arrays: head["history"][1].update(accuracy=40.1),
        lambda head, arrays: head["measurement"].update(train_seconds=1.26),
    ],
)
def test_an_altered_number_is_found(change):
    path = store().save(made_up())
    rewritten(path, change)
    assert "its content does not match its checksum" in check_damaged(path)


def test_a_number_of_before_altered_to_infinity_is_found():
    """One byte turns a loss into one beyond all numbers."""
    path, content = old_json()
    loss = str(store().read(path).history[0].loss).encode()
    assert b"." in loss and content.count(loss) == 1
    path.write_bytes(content.replace(loss, loss.replace(b".", b"e")[:3] + b"99"))
    check_damaged(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"null", b"{}", b'"text"', b"\xff\xfe\x00"])
def test_a_file_that_is_no_record_is_found(content):
    path = store().save(made_up())
    path.write_bytes(content)
    assert "is not a complete record" in check_damaged(path)


def test_an_archive_of_objects_is_not_unpickled():
    """An archive can hold pickles, which could run anything."""
    path = store().save(made_up())
    np.savez(path, head=np.array([{"schema": 1}], dtype=object))
    assert "is not a complete record" in check_damaged(path)


def test_a_record_under_another_name_is_found():
    path = store().save(made_up())
    wrong = path.rename(path.with_stem("0" * 16))
    assert f"holds the record of {TINY.key}" in check_damaged(wrong)


def test_a_folder_in_a_records_place_is_found():
    path = store().path(TINY.key)
    path.mkdir(parents=True)
    assert "is not a complete record" in check_damaged(path)


def other_code(change) -> bytes:
    """A record as other code would write it, with a right checksum."""
    head = {"schema": SCHEMA, "key": TINY.key, **head_values(made_up())}
    parts = dict(made_up().arrays)
    change(head, parts)
    return archive(head, parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda head, arrays: head.update(schema=SCHEMA + 1), f"has another schema than {SCHEMA}"),
        (lambda head, arrays: head.update(schema=SCHEMA + 1, config=7), "has another schema"),
        (lambda head, arrays: head.update(key="0" * 16), "holds the record of"),
        (lambda head, arrays: head.update(config=to_dict(seeded(1))), "holds the record of"),
        (lambda head, arrays: head.update(config=7), "is not the record of a supernet"),
        (lambda head, arrays: head.update(history=None), "is not the record of a supernet"),
        (lambda head, arrays: head.update(extra=1), "extra"),
        (lambda head, arrays: arrays.update(extra=np.ones(1)), "arrays that a supernet has not"),
    ],
)
def test_a_record_of_other_code_is_found(change, message):
    path = store().save(made_up())
    path.write_bytes(other_code(change))
    assert message in check_damaged(path)


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_what_was_there(results, monkeypatch, call):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store().save(made_up(seeded(1)))
    before = store().save(made_up()).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync", full) if call == "fsync" else (Path, call, full)))
        for record in (made_up(correct=(1, 2, 3)), made_up(seeded(2))):
            with pytest.raises(DataError) as caught:
                store().save(record)
            assert str(store().path(record.key)) in str(caught.value)
            assert "No space left" in str(caught.value) and "NASREPRO_RESULTS" in str(caught.value)
    assert len(files(results)) == 2
    assert store().path(TINY.key).read_bytes() == before
    assert list(store().verify()) == []


def test_a_file_that_cannot_grow_is_removed(results):
    """A real failure in the middle of writing: the system lets files have 500 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(DataError) as caught:
            store().save(made_up())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in str(caught.value)
    assert files(results) == []
    assert store().read(store().save(made_up())) == made_up()


def test_an_interrupt_while_writing_leaves_nothing(results, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store().save(made_up())
    assert files(results) == []


def test_a_results_folder_that_is_a_file_is_named(results):
    results.write_text("not a folder")
    with pytest.raises(DataError, match=f"cannot write {results}"):
        store().save(made_up())


# ---- executing


@pytest.fixture
def computed(monkeypatch) -> list[SupernetConfig]:
    """The configs that were computed in this process, while a test runs."""
    calls, compute = [], run

    def counting(config, device):
        calls.append(config)
        return compute(config, device)

    monkeypatch.setattr(sys.modules[__name__], "run", counting)
    return calls


def test_only_what_is_missing_is_computed(results, computed):
    first = execute([seeded(0), seeded(1)])
    assert computed == [seeded(0), seeded(1)]
    assert [record.config for record in first] == computed
    assert len(files(results)) == 2

    again = execute([seeded(2), seeded(1), seeded(0)])
    assert computed == [seeded(0), seeded(1), seeded(2)]
    assert [record.config.seed for record in again] == [2, 1, 0]
    assert again[1:] == first[::-1]

    store().path(seeded(1).key).unlink()
    execute([seeded(0), seeded(1), seeded(2)])
    assert computed[3:] == [seeded(1)]


def test_runs_of_ones_own_do_not_lie_between_those_of_the_book(tmp_path, monkeypatch, computed):
    execute([TINY])
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    monkeypatch.delenv("NASREPRO_RESULTS")
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    published, own = store().path(TINY.key), seeded(1)
    records = execute([TINY, own])
    assert computed == [TINY, own] and store().records() == sorted(records, key=lambda r: r.key)
    assert published.parent == tmp_path / "results" / "records" and not store().has(TINY.key)
    assert [published] == [path for path in published.parent.iterdir() if path.is_file()]
    assert store().has(own.key) and store().folder == tmp_path / "cache" / "results" / "records"
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "mine"))
    assert store().records() == [], "a store that is named stands alone"


def test_a_config_asked_for_twice_is_computed_once(computed):
    execute([TINY, TINY, seeded(0)])
    assert computed == [TINY]


def test_nothing_is_asked_for(computed, results):
    assert execute([]) == [] == computed
    assert not results.exists()


def test_a_damaged_record_stops_before_anything_is_computed(computed):
    path = store().save(made_up())
    path.write_text("{")
    with pytest.raises(DataError, match=TINY.key):
        execute([seeded(1), TINY])
    assert computed == []


def test_a_page_shows_no_progress(capfd):
    execute([TINY], progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_record_holds_what_was_asked_for():
    (record,) = execute([TINY])
    assert record.config == TINY and record.status == "ok"
    codes, correct = (record.arrays[name].tolist() for name in ("codes", "correct"))
    assert codes == [cell.code for cell in select_cells(Subspace(), TINY.cells)]
    assert len(correct) == 12 and all(0 <= count <= 100 for count in correct)
    assert len(set(correct)) > 1
    assert len(record.history) == 2
    assert all(math.isfinite(epoch.loss) for epoch in record.history)
    assert record.measurement.versions["torch"] == torch.__version__.partition("+")[0]
    assert record.measurement.device == "cpu"


def test_a_seed_decides_weights_order_and_paths():
    same = [run(TINY), run(TINY), run(seeded(1))]
    assert counts(same[0]) == counts(same[1]) and same[0].history == same[1].history
    assert counts(same[0]) != counts(same[2]) and same[0].history != same[2].history


def test_a_seed_means_these_random_numbers(monkeypatch):
    """If this fails, stored records of unchanged keys can no longer be computed again."""
    drawn = {}

    def instead_of_training(net, part, sampler, config, paths, order):
        drawn["weight"] = net.stem.conv.weight.flatten()[0].item()
        drawn["paths"] = [sampler.draw(paths)[0].code for _ in range(3)]
        drawn["labels"] = next(batches(part, config, order))[1][:8].tolist()
        drawn["next"] = torch.randint(1000, (1,), generator=order).item()
        return [Epoch(float("nan"), 0.0)]

    monkeypatch.setattr(supernet_module, "train", instead_of_training)
    run(TINY)
    drawn["cells"] = [cell.code for cell in random_cells(TINY.subspace, TINY.cells)][:3]
    assert drawn.pop("weight") == pytest.approx(0.10078511)
    assert drawn == {
        "paths": [11_948, 8_941, 5_618],
        "labels": [0, 1, 5, 5, 6, 7, 1, 8],
        "next": 706,
        "cells": [3_909, 10_050, 4_337],
    }


def test_the_cells_do_not_change_the_training():
    other = dataclasses.replace(TINY, cells=CellsConfig(random=5, seed=3))
    assert run(TINY).history == run(other).history


def test_another_sampler_starts_from_the_same_weights():
    """So that studies can pair runs by seed: a training that changes nothing shows the weights."""
    still = dataclasses.replace(TINY.train, learning_rate=0.0, final_learning_rate=0.0)
    one = changed(dataclasses.replace(TINY, train=still), {"data.train_images": 160})
    other = dataclasses.replace(one, sampler="strictly-fair")
    assert counts(run(one)) == counts(run(other))
    assert counts(run(one)) != counts(run(dataclasses.replace(one, seed=1)))


def test_a_diverged_run_is_recorded_and_kept(computed):
    (record,) = execute([DIVERGING])
    assert record.status == "diverged"
    assert record.arrays["codes"].size == record.arrays["correct"].size == 0
    assert len(record.history) < 50 and math.isnan(record.history[-1].loss)
    assert all(math.isfinite(epoch.loss) for epoch in record.history[:-1])
    (again,) = execute([DIVERGING])
    assert computed == [DIVERGING]
    assert again.measurement == record.measurement
    assert list(store().verify()) == []


@pytest.mark.parametrize("mode", ["batch", "tracked"])
def test_a_run_whose_last_update_breaks_the_network_is_diverged(mode):
    """One update in all: its loss is finite, what comes after is not."""
    one = changed(TINY, {"train.epochs": 1, "train.batch_size": 64, "evaluate.batch_norm": mode})
    well = run(changed(one, {"train.learning_rate": 1e3}))
    assert well.status == "ok" and len(counts(well)) == 12
    broken = run(changed(one, {"train.learning_rate": 1e20}))
    assert math.isfinite(broken.history[-1].loss) and broken.history == well.history
    assert broken.status == "diverged" and counts(broken) == []
    assert store().read(store().save(broken)) == broken


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "hpu", "meta", ""])
def test_a_device_that_is_not_there_is_one_sentence(device):
    for attempt in (functools.partial(check_device, device), lambda: run(TINY, device)):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert str(caught.value).startswith(f"cannot compute on {device!r}; this machine has cpu")
        assert "\n" not in str(caught.value)
    with pytest.raises(NasreproError, match=f"{TINY.key}: cannot compute on {device!r}"):
        execute([TINY], device=device)


def test_a_run_that_fails_is_named_and_the_others_are_stored(computed):
    wrong = dataclasses.replace(TINY, net=NetConfig(2, 1, num_classes=7))
    with pytest.raises(NasreproError) as caught:
        execute([seeded(1), wrong, seeded(2)])
    message = str(caught.value)
    assert "1 of 3 runs failed" in message
    assert f"{wrong.key}: digits has 10 classes, the network 7" in message
    assert seeded(1).key not in message and seeded(2).key not in message
    assert store().stored_keys() == sorted([seeded(1).key, seeded(2).key])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data.name": "svhn"}, "unknown data set 'svhn'"),
        ({"data.train_images": 10**6}, "asked for 1,000,000"),
        ({"data.size": 9}, "can be shrunk to 1 to 8"),
        ({"data.size": 6}, "take a size that is a multiple of 4, not 6 pixels"),
    ],
)
def test_configs_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        run(changed(TINY, values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"net.tracked_statistics": False, "evaluate.batch_norm": "tracked"}, "tracked statistics"),
        (
            {"evaluate.batch_norm": "calibrated", "evaluate.calibration_batches": 2},
            "2 batches of 50, but there are only 64 training images",
        ),
        ({"sampler": "fairnas"}, "unknown sampler 'fairnas'"),
        ({"topology": "free"}, "unknown topology 'free'; choose from shared, per position"),
        (
            {"trained_cells": 9, "sampler": "strictly-fair"},
            "draws with sampler='uniform', found 'strictly-fair'",
        ),
        (
            {"trained_cells": 0, "sampler": "uniform"},
            "draws from one cell or more, found trained_cells=0",
        ),
        ({"data.validation_images": 0}, "data.validation_images is at least 1, found 0"),
        ({"cells.best": 9}, "cells.top and cells.best need a table and a column"),
        (
            {"cells.best": 0, "cells.table": "nb201-200epochs", "cells.column": "test"},
            "cells.best is at least 1, found 0",
        ),
        (
            {"net.operations_on": "nodes", "sampler": "strictly-fair"},
            "with operations on nodes take sampler='uniform'",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_before_it_is_trained(values, message):
    with pytest.raises(ConfigError, match=message):
        changed(TINY, values)


def test_training_draws_from_some_cells_alone():
    config = changed(TINY, {"sampler": "uniform", "trained_cells": 3})
    sampler, generator = sampler_of(config, supernet(config.net)), np.random.default_rng(0)
    drawn = Counter(sampler.draw(generator)[0].code for _ in range(900))
    assert set(drawn) == set(part_of(config)) and min(drawn.values()) > 240  # of 300
    assert run(config).history != run(changed(TINY, {"sampler": "uniform"})).history


def test_a_part_has_the_evaluated_cells_first_and_only_connected_ones():
    cells = CellsConfig(random=40, connected=False)
    whole = changed(TINY, {"sampler": "uniform", "cells": cells, "trained_cells": 15_284})
    connected = {cell.code for cell in TINY.subspace.cells() if is_connected(cell)}
    assert len(connected) == 15_284 and set(part_of(whole).tolist()) == connected
    evaluated = {cell.code for cell in random_cells(TINY.subspace, cells)} & connected

    def part(seed: int, size: int) -> set[int]:
        codes = part_of(changed(whole, {"seed": seed, "trained_cells": size})).tolist()
        assert len(set(codes)) == size
        return set(codes)

    assert part(0, 10) < evaluated and part(0, 10) != part(1, 10) and part(0, 10) < part(0, 99)
    assert part(0, 99) & part(1, 99) >= evaluated and part(0, 99) != part(1, 99)
    with pytest.raises(ConfigError, match="from 15,285 cells, but there are only 15,284"):
        part_of(changed(whole, {"trained_cells": 15_285}))


def test_the_cells_of_a_list_are_trained_with_others_of_the_space(monkeypatch):
    listed = [str(Cell.from_code(code)) for code in (15_624, 3_906, 0)]  # one operation
    monkeypatch.setattr("nasrepro.runs.listed.read_list", lambda name: listed)
    cells = ListedCells(next(iter(LISTS)))
    config = changed(TINY, {"cells": cells, "sampler": "uniform", "trained_cells": 40})
    part = set(part_of(config).tolist())
    assert len(part) == 40 and {15_624, 3_906} < part and 0 not in part  # only Zero


def test_which_cells_are_trained_changes_no_other_draw():
    """Four generators of before, and one more."""
    before = np.random.SeedSequence(7).spawn(4)
    found = generators(7)
    assert found.weights.initial_seed() == int(before[0].generate_state(1, np.uint64)[0] >> 1)
    assert found.network.initial_seed() == int(before[3].generate_state(1, np.uint64)[0] >> 1)
    assert found.sampler.integers(2**60) == np.random.default_rng(before[2]).integers(2**60)


def test_a_topology_that_is_not_shared_draws_a_cell_for_each_position():
    values = {"sampler": "strictly-fair", "topology": "per position", "net.cells_per_stage": 2}
    config = changed(TINY, values)
    (path, *others) = sampler_of(config, supernet(config.net)).draw(np.random.default_rng(0))
    assert len(others) == 4 and len(path.cells) == 6 and len(set(path.cells)) > 1
    for edge in range(len(EDGES)):  # strictly fair at every position
        for position in range(6):
            taken = {p.cells[position].operations[edge] for p in (path, *others)}
            assert taken == set(OPERATIONS)


def test_what_all_runs_lack_is_said_at_once():
    with pytest.raises(ConfigError, match="cannot compute on 'gpu'"):
        check_inputs([TINY], "gpu")
    with pytest.raises(ConfigError, match="asked for 1,000,000"):
        check_inputs([TINY, changed(TINY, {"data.train_images": 10**6})], "cpu")
    with pytest.raises(ConfigError, match="digits has 10 classes, the network 7"):
        check_inputs([TINY, changed(TINY, {"net.num_classes": 7})], "cpu")


def test_only_the_tables_that_runs_need_are_brought(monkeypatch):
    loaded = []
    monkeypatch.setattr(run_setup, "load_table", loaded.append)
    top = CellsConfig(random=5, top=10, table="nb201-200epochs", column="cifar10-test-200")
    configs = [
        dataclasses.replace(seeded(seed), cells=cells)
        for seed, cells in enumerate([top, dataclasses.replace(top, top=0), top])
    ]
    sample = dataclasses.replace(
        TINY, subspace=nb101.SUBSPACES["A_1"], net=CellNetConfig(), cells=DrawnCells()
    )
    check_inputs([TINY], "cpu")
    assert loaded == []
    check_inputs([sample, *configs], "cpu")
    assert loaded == ["nb101-sample", "nb201-200epochs"]


# ---- what is watched while a run computes


def test_each_path_is_finite_or_not_on_its_own():
    classifier = torch.nn.Linear(3, 4)
    inputs = torch.ones(6, 5, 3)
    inputs[2, 1, 0], inputs[0, 3, 2] = float("nan"), float("inf")
    with watch_finite(classifier) as stacked:
        classifier(inputs)
    with watch_finite(classifier) as one_by_one:
        for path in inputs.unbind(1):
            classifier(path)
    classifier(inputs)  # is watched no more
    assert torch.cat(stacked).tolist() == [True, False, True, False, True]
    assert torch.cat(one_by_one).tolist() == torch.cat(stacked).tolist()


@pytest.mark.parametrize("stacked", [forward_in_stacks, None])
def test_a_broken_operation_breaks_the_paths_that_take_it(stacked):
    """One of four, in each of two batches, however many go through at once."""
    net = supernet(NetConfig(2, 1))
    initialise(net, torch.Generator().manual_seed(0))
    net.stages[0][0].edges[3]["nor_conv_1x1"].conv.weight.data.fill_(float("inf"))
    part = split(load_images("digits"), 10, 20)
    cells = [Cell(("none", "none", "none", op, "none", "none")) for op in OPERATIONS[1:]]
    with watch_finite(net.classifier) as finite:
        count_correct(net, cells, part, EvaluateConfig("batch", batch_size=10), stacked=stacked)
    assert sorted(torch.cat(finite).tolist()) == [False] * 2 + [True] * 6  # of two batches


def test_convolutions_are_deterministic_in_training_and_evaluation(monkeypatch):
    cudnn, seen = torch.backends.cudnn, []

    def watching(work):
        def watched(*args, **options):
            flags = (cudnn.enabled, cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32)
            seen.append((work.__name__, flags))
            return work(*args, **options)

        return watched

    monkeypatch.setattr(supernet_module, "evaluate_paths", watching(evaluate_paths))
    monkeypatch.setattr(Network, "forward", watching(Network.forward))
    with cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False):
        run(TINY)
        assert (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == (True, False, False)
    assert set(seen) == {
        (name, (True, True, False, False)) for name in ("forward", "evaluate_paths")
    }


def test_an_interrupt_keeps_what_is_done_and_goes_on_later(results, monkeypatch):
    compute = run

    def interrupted(config, device):
        if config.seed == 1:
            raise KeyboardInterrupt
        return compute(config, device)

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[__name__], "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute([seeded(0), seeded(1), seeded(2)])
    assert files(results) == [f"records/{seeded(0).key}.npz"]
    assert len(execute([seeded(0), seeded(1), seeded(2)])) == 3


def test_a_whole_number_in_a_field_of_reals():
    execute([changed(TINY, {"train.gradient_clip": 5})])


def test_a_config_named_twice_is_run_once_and_given_twice():
    first, second = execute([TINY, TINY])
    assert first == second
    assert store().stored_keys() == [TINY.key]
