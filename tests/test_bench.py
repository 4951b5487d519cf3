"""Benchmarks of our own: which runs, built bit by bit, packed without loss, damage found."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from distributed import LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from nasrepro import agreement, benchmarks, cli
from nasrepro.benchmarks import compact, nb101_official, official, selfmade
from nasrepro.benchmarks.selfmade import Packed
from nasrepro.canonical import to_csv
from nasrepro.errors import ConfigError, DataError, NasreproError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import CellNetConfig, NetConfig
from nasrepro.pages import generated
from nasrepro.paths import book_results
from nasrepro.runs import bench as bench_module
from nasrepro.runs import setup as run_setup
from nasrepro.runs.bench import (
    BENCHES,
    Bench,
    build,
    define,
    find,
    from_row,
    pack,
    packed,
    progress,
    save_statistics,
    statistics,
    store,
    stored_statistics,
    to_row,
    verify,
)
from nasrepro.runs.config import to_dict
from nasrepro.runs.kinds import STANDALONE
from nasrepro.runs.locks import lock, unlock
from nasrepro.runs.nb201 import random_cells
from nasrepro.runs.parts import CellsConfig, DataConfig, DrawnCells
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.standalone import StandaloneEpoch, run_standalone
from nasrepro.spaces.nb201 import Subspace, canonical_string, is_connected
from nasrepro.train import TrainConfig

TINY = Bench(
    name="tiny",
    data=DataConfig("digits", train_images=64, validation_images=50, size=8),
    net=NetConfig(channels=2, cells_per_stage=1),
    train=TrainConfig(epochs=2, batch_size=32, learning_rate=0.1, crop_padding=1),
    evaluate=EvaluateConfig("tracked", batch_size=400),
    seeds=2,
    cells=3,
)


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for every test, and no tables of others."""
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(bench_module, "others", lambda space: {})
    monkeypatch.setitem(BENCHES, TINY.name, TINY)
    return tmp_path / "results" / "bench"


def compute_with(monkeypatch, function) -> None:
    """Let stand-alone networks be computed by another function."""
    kind = dataclasses.replace(STANDALONE, compute=function)
    monkeypatch.setattr(bench_module, "STANDALONE", kind)


@pytest.fixture
def computed(monkeypatch) -> list:
    """The configs that a test asked to compute; their records are made up, which is faster."""
    calls = []

    def counting(config, device):
        calls.append(config)
        return made_up(config)

    compute_with(monkeypatch, counting)
    return calls


def made_up(config, **changes) -> Record:
    """A record that nobody had to compute; its numbers follow from the cell and the seed."""
    level = config.cell.code % 40 + config.seed
    numbers = {
        "test_loss": 1.25,
        "test_correct": 2 * level,
        "test_images": 360,
        "parameters": 1_000 + level,
        "flops": 10_000 + level,
    }
    record = Record(
        config=config,
        status="ok",
        history=(StandaloneEpoch(2.25, 10.5, 2.5, 5), StandaloneEpoch(1.125, 40.0, 1.5, level)),
        arrays={name: np.asarray(number) for name, number in numbers.items()},
        measurement=Measurement(1, 2, 3, 4, 5, 6, "cpu", 1, "Example™ CPU", {"torch": "2.13.0"}),
    )
    return dataclasses.replace(record, **changes)


def save_made_up(bench: Bench = TINY) -> list[Record]:
    records = [made_up(config) for config in bench.configs()]
    for record in records:
        store(bench).save(record)
    return records


# ---- which runs


def test_the_cells_of_the_projects_own_are_the_first_connected_ones_of_the_supernets_sample():
    bench = BENCHES[selfmade.NAME]
    cells = bench.chosen_cells()
    assert len(cells) == len(set(cells)) == 500
    drawn = random_cells(Subspace(), CellsConfig())
    assert cells == [cell for cell in drawn if is_connected(cell)][:500]
    fewer = dataclasses.replace(bench, cells=100).chosen_cells()
    assert fewer == cells[:100]


def test_the_cells_of_the_projects_own_stay_these():
    """If this fails, what is packed no longer belongs: was the change meant?"""
    first = [cell.code for cell in BENCHES[selfmade.NAME].chosen_cells()[:4]]
    assert first == [12973, 10495, 4377, 3795]


def test_the_benchmark_of_digits_has_all_27_cells_and_no_two_are_alike():
    bench = BENCHES["nb201-digits"]
    cells = bench.chosen_cells()
    varied = {tuple(cell.operations[edge] for edge in (0, 2, 5)) for cell in cells}
    assert len(varied) == len(cells) == len(bench.subspace.operations) ** 3 == 27
    assert len({canonical_string(cell) for cell in cells}) == 27
    assert {tuple(cell.operations[e] for e in (1, 3, 4)) for cell in cells} == {
        tuple(operation for _, operation in bench.fixed)
    }


def test_all_seeds_of_a_cell_are_next_to_each_other():
    configs = BENCHES[selfmade.NAME].configs()
    assert len(configs) == len({config.key for config in configs}) == 1_000
    assert [config.seed for config in configs] == [0, 1] * 500
    assert all(a.cell == b.cell for a, b in zip(configs[::2], configs[1::2], strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../elsewhere"}, "small letters, digits and dashes"),
        ({"name": "nb201-200epochs"}, "a published table"),
        ({"seeds": 0}, "at least 1 cell and 1 seed"),
        ({"cells": 0}, "at least 1 cell and 1 seed"),
        ({"fixed": ((6, "none"),)}, "has 6 places whose operation can be fixed, .* found 6"),
        (
            {"net": CellNetConfig()},
            "a run of NAS-Bench-201 takes a NetConfig and CellsConfig or ListedCells, found",
        ),
        ({"sample": DrawnCells()}, "found NetConfig and DrawnCells"),
        ({"fixed": ((0, "conv"),)}, "unknown operation 'conv'"),
    ],
)
def test_definitions_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TINY, **changes)


@pytest.mark.parametrize(
    ("name", "fixed", "message"),
    [
        ("nb101-digits", (0, "maxpool3x3"), "NAS-Bench-101 has 0 places"),
        ("macro-digits", (8, "mb3_k3"), "NAS-Bench-Macro has 8 places .* found 8"),
        ("macro-digits", (0, "none"), "unknown operation 'none'"),
    ],
)
def test_a_place_or_operation_that_the_space_lacks_cannot_be_fixed(name, fixed, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(BENCHES[name], fixed=(fixed,))


def test_a_benchmark_without_cells_is_refused():
    fixed = tuple((edge, "none") for edge in range(6))
    with pytest.raises(ConfigError, match="no cell of the sample of tiny is connected"):
        dataclasses.replace(TINY, fixed=fixed).configs()


# ---- other spaces

SHORT = TrainConfig(epochs=1, batch_size=32, learning_rate=0.1, crop_padding=1)


@pytest.mark.parametrize("name", ["nb101-digits", "macro-digits"])
def test_cells_of_any_space_are_trained_packed_and_read_as_a_table(name):
    bench = dataclasses.replace(BENCHES[name], data=TINY.data, train=SHORT, cells=3)
    build(bench)
    assert list(verify(bench)) == []
    cells = bench.chosen_cells()
    table, other = benchmarks.load_table(name), BENCHES[name]
    assert (table.space, table.cells) == (bench.space, cells)
    assert cells == other.chosen_cells()[:3] and len(set(other.chosen_cells())) == 27
    kept = packed(bench)
    runs = [kept[config.key] for config in bench.configs()]
    tested = np.array([run.arrays["test_correct"] / run.arrays["test_images"] for run in runs])
    tested = tested.reshape(3, 2)
    accuracies = table.accuracy(table.codes, "digits-test-1")
    np.testing.assert_allclose(accuracies, 100 * tested.mean(axis=1))
    parameters = [run.arrays["parameters"] for run in runs[::2]]
    assert selfmade.load_curves(name).parameters.tolist() == parameters


def test_blocks_of_a_chain_can_be_fixed():
    chain = dataclasses.replace(BENCHES["macro-digits"], fixed=((0, "mb3_k3"), (7, "identity")))
    drawn = BENCHES["macro-digits"].chosen_cells()
    assert chain.chosen_cells() == [
        cell for cell in drawn if str(cell).startswith("1") and str(cell).endswith("0")
    ]


def test_a_table_of_others_that_shares_fewer_than_two_cells_is_not_compared():
    save_made_up()
    pack(TINY)
    first, *_ = TINY.chosen_cells()
    other = by_hand([first.code], [50.0], "cifar10")
    rows = agreement.statistics(selfmade.load_curves("tiny"), {"other": other})
    assert "other" not in set(rows["what"]) and "flops" in set(rows["what"])


# ---- a user's own


def test_a_users_own_benchmark_is_found_by_its_name(results):
    bench = define("mine", "tiny", {"train.epochs": 3, "cells": 1})
    assert bench == dataclasses.replace(
        TINY, name="mine", cells=1, train=dataclasses.replace(TINY.train, epochs=3)
    )
    assert find("mine") == bench == define("mine", "tiny", {"train.epochs": 3, "cells": 1})
    assert bench_module.names() == [*BENCHES, "mine"]
    other = define("mine", "tiny", {"train.epochs": 4})  # it had no runs
    save_made_up(other)
    with pytest.raises(ConfigError, match="mine is another benchmark already"):
        define("mine", "tiny", {"train.epochs": 5})
    assert find("mine") == other
    with pytest.raises(ConfigError, match="tiny is another benchmark already"):
        define("tiny", "nb201-digits", {})
    (results / "mine.json").write_text("{")
    with pytest.raises(DataError, match=r"mine\.json defines no benchmark"):
        find("mine")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train.epoch": 3},
            r"no setting 'train.epoch' \(did you mean epochs\?\); TrainConfig has",
        ),
        ({"epochs": 3}, "no setting 'epochs'"),
        ({"name.first": "x"}, "no setting 'name.first'"),
        ({"name": "other"}, "named 'mine' already; leave out -p name="),
        ({"subspace.operations": ["none"]}, "no cell of the sample"),
        ({"subspace.operations": "none"}, "expected a list of texts, found 'none'"),
        ({"train.epochs": "many"}, "epochs"),
        ({"train.epochs": 0}, "at least 1 epoch"),
    ],
)
def test_changes_that_do_not_fit_leave_nothing(results, changes, message):
    with pytest.raises(ConfigError, match=message):
        define("mine", "tiny", changes)
    assert not results.exists()


def test_an_unknown_name_answers_with_the_possible_ones():
    with pytest.raises(
        ConfigError,
        match="there are nb201-selfmade, nb201-digits, nb101-digits, macro-digits, tiny; ",
    ):
        find("nothing")


# ---- building


def test_a_build_goes_on_where_it_was_and_any_beginning_is_a_table(results, computed):
    build(TINY, runs=3)
    configs = TINY.configs()
    assert computed == configs[:3]
    first = selfmade.load_curves("tiny")
    assert first.codes.tolist() == [configs[0].cell.code]  # the second cell has one seed yet
    assert str(progress(TINY)).startswith("3 of 6 runs stored (3 packed, 0 diverged), 1 of 3 cells")
    assert str(progress(TINY)).endswith("CPU hours to go")

    build(TINY)
    assert computed == configs
    curves = selfmade.load_curves("tiny")
    assert curves.codes.tolist() == [cell.code for cell in TINY.chosen_cells()]
    np.testing.assert_array_equal(curves.test_accuracy[:1], first.test_accuracy)
    assert list(verify(TINY)) == [] and str(progress(TINY)).endswith("CPU seconds per run")

    before = selfmade.location("tiny").read_bytes()
    build(TINY)
    assert computed == configs and selfmade.location("tiny").read_bytes() == before


def test_what_is_packed_needs_no_folder_and_what_is_in_the_folder_no_packed_file(computed):
    build(TINY, runs=4)
    for path in store(TINY).folder.glob("*.npz"):
        path.unlink()
    build(TINY)
    assert computed == TINY.configs()
    assert len(store(TINY).stored_keys()) == 2 and progress(TINY).packed == 6

    selfmade.location("tiny").unlink()
    save_made_up()
    build(TINY, runs=0)
    assert computed == TINY.configs() and progress(TINY).packed == 6


def test_a_longer_list_of_cells_keeps_what_is_packed(computed):
    build(dataclasses.replace(TINY, cells=2))
    build(TINY)
    assert computed == TINY.configs()
    more_seeds = dataclasses.replace(TINY, cells=1, seeds=3)
    with pytest.raises(DataError, match="4 runs of cells or seeds that do not belong"):
        build(more_seeds)


def test_packed_records_are_those_that_were_computed():
    build(TINY, runs=2)
    folder = store(TINY)
    assert packed(TINY) == {key: folder.load(key) for key in folder.stored_keys()}


def test_a_run_that_fails_leaves_the_others_packed(monkeypatch):
    def failing(config, device):
        if config.seed == 1:
            raise ConfigError("out of luck")
        return made_up(config)

    compute_with(monkeypatch, failing)
    with pytest.raises(NasreproError, match=r"3 of 6 runs failed(.|\n)*out of luck"):
        build(TINY)
    state = progress(TINY)
    assert state.packed == 3 and "; 3 failed; " in str(state)
    failed = {config.key for config in TINY.configs() if config.seed == 1}
    assert state.failures == dict.fromkeys(failed, "out of luck")
    compute_with(monkeypatch, lambda config, device: made_up(config))
    build(TINY)
    assert progress(TINY).failures == {} and progress(TINY).packed == 6


def test_what_another_terminal_computes_is_counted():
    first, second, *_ = TINY.configs()
    store(TINY).save(made_up(first))
    files = [lock(store(TINY), config.key) for config in (first, second)]
    state = progress(TINY)  # the first is stored, whoever has it
    assert state.computing == 1 and "1 of 6 runs stored" in str(state)
    assert "; 1 being computed; " in str(state)
    for file in files:
        unlock(file)
    assert progress(TINY).computing == 0


def test_what_a_clusters_workers_need_is_not_asked_of_this_machine(monkeypatch):
    calls = []
    monkeypatch.setattr(bench_module, "check_inputs", lambda *args: calls.append("inputs"))
    monkeypatch.setattr(bench_module, "execute", lambda *args, **more: calls.append(more))
    build(TINY, scheduler="tcp://host:8786")
    assert calls == [{"scheduler": "tcp://host:8786"}]


@pytest.mark.slow
def test_a_cluster_builds_what_this_process_would():
    one = dataclasses.replace(TINY, cells=1)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        build(one, scheduler=cluster.scheduler_address)
    local = [run_standalone(config) for config in one.configs()]
    remote = list(packed(one).values())
    for expected, record in zip(local, remote, strict=True):
        assert dataclasses.replace(expected, measurement=record.measurement) == record


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": DataConfig("digits", 64, 50, size=9)}, "can be shrunk to 1 to 8"),
        ({"data": DataConfig("digits", 10**6, 50)}, "asked for 1,000,000"),
        ({"net": NetConfig(2, 1, num_classes=7)}, "digits has 10 classes, the network 7"),
    ],
)
def test_what_no_run_could_do_is_said_once_and_before(computed, changes, message):
    with pytest.raises(ConfigError, match=message):
        build(dataclasses.replace(TINY, **changes))
    with pytest.raises(ConfigError, match="cannot compute on 'gpu'"):
        build(TINY, device="gpu")
    assert computed == []


def test_a_definition_that_no_run_could_evaluate_is_refused():
    with pytest.raises(ConfigError, match="needs a network with tracked statistics"):
        dataclasses.replace(TINY, net=NetConfig(2, 1, tracked_statistics=False))


def test_images_that_cannot_be_had_are_said_once_and_before(computed, monkeypatch):
    def missing(name):
        raise DataError("no way leads to the images")

    monkeypatch.setattr(run_setup, "load_images", missing)
    with pytest.raises(DataError, match="no way leads to the images"):
        build(TINY)
    assert computed == []
    save_made_up()
    build(TINY, runs=0)  # to pack takes no images
    assert progress(TINY).packed == 6


def test_a_diverged_run_is_packed_and_its_cell_is_in_no_table():
    first, *rest = save_made_up()
    history = (first.history[0], StandaloneEpoch(math.nan, 9.0, math.inf, 7))
    tested = ("test_loss", "test_correct")
    arrays = {name: array for name, array in first.arrays.items() if name not in tested}
    diverged = made_up(first.config, status="diverged", history=history, arrays=arrays)
    store(TINY).save(diverged)
    pack(TINY)
    record = packed(TINY)[first.key]
    assert record.status == "diverged" and record.arrays.keys() == arrays.keys()
    assert math.isnan(record.history[1].train_loss) and record.history[1].validation_correct == 7
    assert record.history[0] == first.history[0]
    assert progress(TINY).diverged == 1
    assert selfmade.load("tiny").codes.tolist() == [r.config.cell.code for r in rest[1::2]]


def test_without_a_complete_cell_there_is_no_table():
    with pytest.raises(DataError, match="tiny is not here; build it: nasrepro bench build tiny"):
        selfmade.load("tiny")
    store(TINY).save(made_up(TINY.configs()[0]))
    pack(TINY)
    with pytest.raises(DataError, match="no complete cell yet; go on: nasrepro bench build tiny"):
        selfmade.load("tiny")


# ---- the packed file

reals = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
epochs = st.builds(StandaloneEpoch, reals, reals, reals, st.integers(0, 10**6))
wholes = st.integers(0, 2**60).map(np.asarray)
records = st.builds(
    Record,
    config=st.sampled_from(TINY.configs()),
    status=st.sampled_from(["ok", "diverged"]),
    history=st.lists(epochs, max_size=4).map(tuple),
    arrays=st.fixed_dictionaries(
        dict.fromkeys(("test_images", "parameters", "flops"), wholes),
        optional={"test_loss": reals.map(np.asarray), "test_correct": wholes},
    ),
    measurement=st.builds(
        Measurement,
        *[reals] * 6,
        device=texts,
        threads=st.integers(1, 99),
        cpu=texts,
        versions=st.dictionaries(texts, texts, max_size=3),
        bfloat16=st.none() | st.booleans(),
    ),
)
with_files = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@with_files
@given(st.lists(records, max_size=4))
def test_a_packed_file_has_all_that_records_have(tmp_path, records):
    path = tmp_path / "some.parquet"
    path.write_bytes(
        selfmade.to_bytes(Packed("nb201", to_dict(TINY), [to_row(r) for r in records]))
    )
    contents = selfmade.read(path)
    assert contents.bench == json.loads(json.dumps(to_dict(TINY)))
    assert [from_row(row, TINY) for row in contents.rows] == records


def whole_file() -> tuple[Path, bytes]:
    save_made_up()
    pack(TINY)
    path = selfmade.location("tiny")
    return path, path.read_bytes()


@settings(with_files, max_examples=150)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_an_altered_byte_is_found_or_harmless(position, change):
    if not selfmade.location("tiny").exists():
        save_made_up()
        pack(TINY)
    path = selfmade.location("tiny")
    whole = path.read_bytes()
    content = bytearray(whole)
    content[position % len(content)] ^= change
    before = selfmade.read(path)
    path.write_bytes(content)
    try:
        assert selfmade.read(path) == before
    except DataError as error:
        assert str(path) in str(error) and "nasrepro bench build" in str(error)
    finally:
        path.write_bytes(whole)


def test_a_cut_file_is_found():
    path, whole = whole_file()
    for end in range(0, len(whole), 301):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match="is not a complete packed benchmark"):
            selfmade.read(path)


def test_an_altered_number_is_found():
    """Rewritten by another program, with all of Parquet's own checksums right."""
    path, _ = whole_file()
    table = parquet.read_table(path)
    values = table["test_correct"].to_pylist()
    values[0] += 1
    index = table.schema.get_field_index("test_correct")
    parquet.write_table(table.set_column(index, table.schema.field(index), [values]), path)
    with pytest.raises(DataError, match="was altered: its content does not match its checksum"):
        selfmade.read(path)
    (problem,) = verify(TINY)
    assert "was altered" in problem
    with pytest.raises(DataError, match="was altered"):
        build(TINY)


def test_a_run_that_is_packed_twice_is_found():
    path, _ = whole_file()
    contents = selfmade.read(path)
    twice = dataclasses.replace(contents, rows=[*contents.rows, contents.rows[0]])
    path.write_bytes(selfmade.to_bytes(twice))
    assert [problem.endswith("more than once; move it away") for problem in verify(TINY)] == [True]


def test_another_programs_file_is_found():
    path, _ = whole_file()
    parquet.write_table(pa.table({"cell": ["x"]}), path)
    with pytest.raises(DataError, match="is not a complete packed benchmark"):
        selfmade.read(path)


def test_a_file_of_other_settings_is_named_and_left_alone(computed):
    path, whole = whole_file()
    other = dataclasses.replace(TINY, train=dataclasses.replace(TINY.train, epochs=9))
    for attempt in (lambda: build(other), lambda: progress(other)):
        with pytest.raises(DataError, match=r"other settings \(train\); move it away"):
            attempt()
    assert computed == [] and path.read_bytes() == whole


def test_damaged_records_and_strangers_in_the_folder_are_found():
    save_made_up()
    folder = store(TINY)
    damaged = folder.path(TINY.configs()[0].key)
    damaged.write_bytes(damaged.read_bytes()[:-9])
    stranger = dataclasses.replace(TINY.configs()[0], seed=7)
    folder.save(made_up(stranger))
    problems = list(verify(TINY))
    assert len(problems) == 2
    assert f"{damaged} is not a complete record" in problems[0]
    assert f"{folder.path(stranger.key)} does not belong to tiny" in problems[1]


# ---- as a table


def test_a_table_is_the_mean_over_seeds(results):
    made = save_made_up()
    pack(TINY)
    table = benchmarks.load_table("tiny")
    assert "tiny" in benchmarks.available_tables()
    test, validation = table.column("digits-test-2"), table.column("digits-validation-2")
    assert str(test) == (
        "scikit-learn's digits: test accuracy after 2 epochs, mean of seeds 0 to 1, percent"
    )
    assert "50 held-out training images of 8x8 pixels, trained on 64" in validation.detail
    for a, b in zip(made[::2], made[1::2], strict=True):
        code = a.config.cell.code
        assert table.accuracy(code, test.name) == pytest.approx(
            100 * (a.arrays["test_correct"] + b.arrays["test_correct"]) / 2 / 360
        )
        assert table.accuracy(code, validation.name) == pytest.approx(
            100 * (a.history[1].validation_correct + b.history[1].validation_correct) / 2 / 50
        )


def test_a_table_is_read_without_torch_and_pandas():
    save_made_up()
    pack(TINY)
    code = (
        "import sys; from nasrepro.benchmarks import load_table\n"
        "assert len(load_table('tiny')) == 3\n"
        "assert not {'torch', 'pandas', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_curves_have_the_sum_of_the_training_losses():
    save_made_up()
    pack(TINY)
    curves = selfmade.load_curves("tiny")
    assert curves.train_loss_sum.shape == (3, 2, 2)
    # 64 images are two batches of 32; the mean losses of the two epochs are 2.25 and 1.125.
    assert curves.train_loss_sum[0, 0].tolist() == [4.5, 2.25]
    assert curves.train_accuracy[0, 0].tolist() == [10.5, 40.0]
    assert curves.validation_loss[2, 1].tolist() == [2.5, 1.5]
    assert curves.validation_accuracy[0, 0, 0] == 100 * 5 / 50
    first = TINY.configs()[0].cell.code % 40
    assert (curves.parameters[0], curves.flops[0]) == (1_000 + first, 10_000 + first)


def test_a_table_that_is_not_there_is_unknown_or_to_be_built():
    with pytest.raises(DataError, match="nasrepro bench build nb201-selfmade"):
        benchmarks.load_table(selfmade.NAME)
    with pytest.raises(ConfigError, match="unknown table 'tiny'; the tables are nb201-200epochs"):
        benchmarks.load_table("tiny")
    assert not set(benchmarks.available_tables()) - set(benchmarks.OTHERS)


def test_no_own_file_takes_the_place_of_a_table_of_others(results):
    if "nb201-200epochs" not in benchmarks.available_tables():
        pytest.skip("the table nb201-200epochs is not on this machine")
    results.mkdir(parents=True)
    (results / "nb201-200epochs.parquet").write_bytes(b"anything")
    assert len(benchmarks.load_table("nb201-200epochs")) == 15_625


# ---- what can be said of it


def by_hand(codes: list[int], values: list[float], name: str = "digits") -> benchmarks.Table:
    column = benchmarks.Column(name, "test", 2, "one seed", "", "by hand")
    return benchmarks.Table(
        "by hand", np.array(codes), (column,), {column.name: np.array(values, dtype=float)}
    )


def test_agreement_is_over_the_shared_cells_each_with_its_own():
    one = by_hand([5, 3, 9, 4], [10, 20, 30, 99])
    other = by_hand([9, 8, 5, 3], [1, 50, 3, 2])
    correlation = agreement.agreement(
        one, "digits-test-2", other, "digits-test-2", np.random.default_rng(0)
    )
    assert (correlation.mean, correlation.n) == (pytest.approx(-1), 3)


def test_statistics_of_made_up_runs_by_hand():
    save_made_up()
    pack(TINY)
    cells = TINY.chosen_cells()
    level = [cell.code % 40 for cell in cells]
    assert len(set(level)) == 3  # so that the two seeds rank alike, one correct image apart
    table = selfmade.load("tiny")
    other = by_hand([cell.code for cell in cells], [-1.0 * x + 100 for x in level], "cifar10")
    rows = agreement.statistics(selfmade.load_curves("tiny"), {"other": other})
    assert rows["what"].tolist() == ["between seeds"] * 2 + ["parameters", "flops", "other"]
    assert rows["mean"].round(12).tolist() == [1, 1, 1, 1, -1]
    assert rows["n"].tolist() == [3] * 5
    assert set(rows["column"][:4]) == set(table.values)


def test_statistics_are_kept_for_machines_without_the_tables(results):
    save_made_up()
    pack(TINY)
    stored = stored_statistics("tiny")
    assert to_csv(stored) == to_csv(statistics("tiny"))
    (results / "tiny.csv").unlink()
    with pytest.raises(DataError, match="no statistics of tiny"):
        stored_statistics("tiny")
    save_statistics("tiny")
    assert stored_statistics("tiny").equals(stored)


# ---- its page


def test_the_page_says_what_is_there_and_what_is_not(monkeypatch):
    text = generated.own_benchmark("tiny")
    assert "0 are in the packed file" in text and "`nasrepro bench build tiny" in text
    assert "digits, 64 to train and 50 held out to validate, averaged down to 8x8" in text

    save_made_up()
    pack(TINY)
    text = generated.own_benchmark("tiny")
    assert "3 of 3 cells are complete" in text
    assert "Of 6 runs, 6 are in the packed file, 0 of them diverged" in text
    assert "took 0.0 CPU hours, 3 seconds a run" in text
    assert "| another seed of the same cells: $r$ | `digits-test-2` | 1.00 [" in text
    assert "No table of others is on this machine" in text
    assert "Not compared with `nb201-200epochs`, `nb201-12epochs`, `nb201-official`" in text

    level = {cell.code: 90.0 - cell.code % 40 for cell in TINY.chosen_cells()}
    other = by_hand(list(level), list(level.values()), "cifar10")
    monkeypatch.setattr(bench_module, "others", lambda space: {"nb201-200epochs": other})
    text = generated.own_benchmark("tiny")
    assert "| `nb201-200epochs`, `cifar10-test-2` | its test accuracy | -1.00 [" in text
    assert "No table of others is on this machine" not in text
    assert "Not compared with `nb201-12epochs`, `nb201-official`: not at hand." in text


def test_the_page_sets_the_settings_beside_those_of_the_supernets():
    text = generated.own_benchmark(selfmade.NAME)
    assert "| setting | a cell on its own | a supernet, profile `own` |" in text
    assert "| sampling | – | strictly-fair |" in text
    (training,) = (line for line in text.splitlines() if line.startswith("| training |"))
    alone, supernet = (cell.split(", ") for cell in training.split(" | ")[1:])
    assert alone[0] == f"{BENCHES[selfmade.NAME].train.epochs} epochs" != supernet[0]
    assert "| setting | a cell on its own |\n" in generated.own_benchmark("tiny")


def test_the_noise_ceiling_is_the_root_of_the_agreement_of_seeds(monkeypatch):
    rows = pd.DataFrame(
        [
            ("between seeds", "digits-test-2", 0.64, -0.04, 0.81, 9),
            ("parameters", "digits-test-2", 0.25, 0.09, 0.36, 9),
        ],
        columns=["what", "column", "mean", "ci_low", "ci_high", "n"],
    )
    save_made_up()
    pack(TINY)
    monkeypatch.setattr(bench_module, "stored_statistics", lambda name: rows)
    lines = generated.own_benchmark("tiny").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("| another seed"))
    assert "0.64 [-0.04, 0.81]" in lines[at]
    assert r"about $\sqrt{r}$ (noise ceiling)" in lines[at + 1]
    assert "0.80 [0.00, 0.90]" in lines[at + 1]
    assert "0.25 [0.09, 0.36]" in lines[at + 2]


def test_what_the_book_has_of_a_benchmark_stays_as_it_is(tmp_path, monkeypatch, computed):
    """More runs of it go to one's own store, and there the whole file."""
    build(TINY, runs=2)
    monkeypatch.setattr(bench_module.selfmade.paths, "REPOSITORY", tmp_path)
    monkeypatch.delenv("NASREPRO_RESULTS")
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    published = selfmade.location("tiny")
    before = published.read_bytes()
    assert published.is_relative_to(tmp_path / "results")
    build(TINY, runs=0)
    assert not (tmp_path / "cache").exists()
    build(TINY)
    assert len(computed) == 6 and progress(TINY).packed == 6
    assert selfmade.location("tiny").is_relative_to(tmp_path / "cache")
    assert published.read_bytes() == before and selfmade.available() == ("tiny",)


# ---- the one that comes with the project


@pytest.fixture
def committed(monkeypatch) -> Bench:
    monkeypatch.setenv("NASREPRO_RESULTS", str(book_results()))
    if not selfmade.location(selfmade.NAME).exists():
        pytest.skip("the packed file is not built yet")
    return BENCHES[selfmade.NAME]


def test_the_projects_own_is_whole_small_and_belongs(committed):
    assert list(verify(committed)) == []
    assert selfmade.location(committed.name).stat().st_size < 1_000_000
    assert progress(committed).complete > 1


def test_its_stored_statistics_are_those_of_its_runs(committed, monkeypatch):
    monkeypatch.undo()
    if not {"nb201-200epochs", "nb201-12epochs"} <= set(bench_module.others("nb201")):
        pytest.skip("the tables of others are not on this machine")
    stored, recomputed = stored_statistics(committed.name), statistics(committed.name)
    # This machine may have more tables than the one that stored them.
    assert to_csv(stored) == to_csv(recomputed[recomputed["what"].isin(stored["what"])])


@pytest.mark.parametrize(
    ("name", "file"),
    [(official.NAME, list(official.READERS)[1]), (nb101_official.NAME, nb101_official.FILES[0])],
)
def test_an_official_file_is_not_converted_by_the_way(tmp_path, monkeypatch, name, file):
    """It is a table that is here, but waits until somebody asks for it."""
    monkeypatch.undo()
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data" / file).mkdir(parents=True)
    assert name in benchmarks.available_tables() and name not in benchmarks.ready_tables()
    assert bench_module.others(benchmarks.OTHERS[name]) == {}
    converted = compact.location(name, file)
    converted.parent.mkdir(parents=True)
    converted.write_bytes(b"")
    assert name in benchmarks.ready_tables()


# ---- the command line


def call(capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nasrepro", "bench", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_a_benchmark_from_the_command_line(capsys, results, computed):
    words = ["build", "mine", "--like", "tiny", "-p", "train.epochs=1", "-p", "cells=2"]
    code, out, _ = call(capsys, *words, "--workers", "0")
    assert code == 0
    assert "4 of 4 runs stored (4 packed, 0 diverged), 2 of 2 cells complete" in out
    assert "between seeds" in out and "digits-test-1" in out
    assert call(capsys, "info", "mine")[1] + f"packed in {results / 'mine.parquet'}\n" == out
    assert json.loads(call(capsys, "info", "mine", "--json")[1])["train"]["epochs"] == 1
    assert "mine" in call(capsys, "info")[1]
    assert call(capsys, "verify")[0] == 0
    (results / "mine.parquet").write_bytes(b"PAR1")
    code, out, _ = call(capsys, "verify")
    assert code == 1 and "mine: " in out and "is not a complete packed benchmark" in out
    assert "tiny: whole" in out


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["build", "nothing"], "there are nb201-selfmade"),
        (["info", "nothing"], "there are nb201-selfmade"),
        (["verify", "nothing"], "there are nb201-selfmade"),
        (["build", "tiny", "-p", "train.epochs=3"], "build NEW-NAME --like tiny -p"),
        (["build", "mine", "--like", "tiny", "-p", "train.epochs"], "name=value"),
        (["build", "tiny", "--device", "gpu", "--workers", "0"], "cannot compute on 'gpu'"),
    ],
)
def test_wrong_words_answer_with_what_to_do(capsys, words, answer):
    code, _, err = call(capsys, *words)
    assert code in (1, 2) and answer in err and "Traceback" not in err
