"""The official files, on tiny ones of the same structure, made by the benchmarks' own classes."""

import bz2
import hashlib
import os
import pickle
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasrepro import cli, sotl
from nasrepro.benchmarks import Table, available_tables, load_table, official, official_curves
from nasrepro.errors import DataError
from nasrepro.pages import sotl as page
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.sotl import scratch
from nasrepro.spaces.nb201 import Cell
from nasrepro.studies import results as results_of
from nasrepro.studies import sotl_claims, sotl_curves

CELLS = [Cell(("none",) * 6), Cell(("nor_conv_3x3",) * 6), Cell(("skip_connect",) * 6)]
SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
# Last-epoch accuracies by hand: cell 1 has two seeds that differ by 2, so its mean is 1 higher.
BASES = {
    ("cifar10-valid", "x-valid"): 10.0,
    ("cifar10-valid", "ori-test"): 15.0,
    ("cifar10", "ori-test"): 20.0,
    ("cifar100", "x-valid"): 30.0,
    ("cifar100", "x-test"): 40.0,
    ("cifar100", "ori-test"): 35.0,
    ("ImageNet16-120", "x-valid"): 50.0,
    ("ImageNet16-120", "x-test"): 60.0,
    ("ImageNet16-120", "ori-test"): 55.0,
}
SEEDS = ({777: 0.0}, {777: 0.0, 888: 2.0}, {999: 0.5})
EXPECTED = {
    "cifar10-validation-200": [10.0, 11.0, 10.5],
    "cifar10-test-200": [20.0, 21.0, 20.5],
    "cifar100-validation-200": [30.0, 31.0, 30.5],
    "cifar100-test-200": [40.0, 41.0, 40.5],
    "imagenet16-120-validation-200": [50.0, 51.0, 50.5],
    "imagenet16-120-test-200": [60.0, 61.0, 60.5],
}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    return tmp_path


def results(package, index: int, epochs: int) -> dict:
    """The state of a cell's results.

    On the way, accuracies rank cells the wrong way round, and training losses as the truth does.
    """
    result = package.ArchResults(index, str(CELLS[index]))
    shift = 0.0 if epochs == 200 else 5.0  # the short schedule must not be read
    for dataset, names in SETS.items():
        for seed, offset in SEEDS[index].items():
            curve = OrderedDict((epoch, 5.0 - offset) for epoch in range(epochs))
            losses = OrderedDict((epoch, 3.0 - offset - epoch / 200) for epoch in range(epochs))
            looked = {epoch: loss + 0.25 for epoch, loss in losses.items()}
            config = {"channel": 16, "num_cells": 5, "arch_str": str(CELLS[index]), "class_num": 10}
            params = np.float64(0.1)  # a NumPy number, as the benchmark counts parameters
            trial = package.ResultsCount(
                dataset, None, curve, losses, params, 15.6, config, seed, epochs, [0.01]
            )
            for name in names:
                last = BASES[dataset, name] + offset + shift
                trial.update_OLD_eval(name, {**curve, epochs - 1: last}, looked)
            result.update(dataset, seed, trial)
    return result.state_dict()


def save_named(folder: Path, contents: object, legacy: bool = False) -> Path:
    """Save as the official file is, with the first digits of its md5 in the name."""
    import torch

    path = folder / "saved.pth"
    torch.save(contents, path, _use_new_zipfile_serialization=not legacy)
    digits = hashlib.md5(path.read_bytes()).hexdigest()[:6]
    return path.rename(folder / f"NAS-Bench-201-v1_1-{digits}.pth")


def nasbench201(count: int = len(CELLS)) -> dict:
    package = pytest.importorskip("nas_201_api.api_utils", reason="pip install nas-bench-201")
    return {
        "meta_archs": [str(cell) for cell in CELLS],
        "total_archs": len(CELLS),
        "arch2infos": {
            index: {"full": results(package, index, 200), "less": results(package, index, 12)}
            for index in range(count)
        },
        "evaluated_indexes": set(range(count)),
    }


def dump(path: Path, content: object) -> None:
    with bz2.open(path, "wb") as file:
        pickle.dump(content, file, protocol=4)


@pytest.fixture
def nats(folders: Path) -> Path:
    package = pytest.importorskip("nats_bench", reason="pip install nats-bench")
    folder = folders / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    meta = {"meta_archs": [str(cell) for cell in CELLS], "arch2infos": None}
    dump(folder / "meta.pickle.pbz2", {**meta, "evaluated_indexes": set()})
    for index in range(len(CELLS)):
        states = OrderedDict((str(n), results(package, index, n)) for n in (12, 200))
        dump(folder / f"{index:06d}.pickle.pbz2", states)
    return folder


def table_of(path: Path, read):
    return official.to_table(path, *read(path, official.accuracies))


def check(table, source: str) -> None:
    assert table.cells == CELLS
    assert {name: values.tolist() for name, values in table.values.items()} == EXPECTED
    assert {column.source for column in table.columns} == {source}
    sentence = "CIFAR-10 validation accuracy after 200 epochs, mean of the benchmark's seeds"
    assert str(table.column("cifar10-validation-200")) == sentence + ", percent"


@pytest.mark.parametrize("legacy", [False, True])
def test_nasbench201_numbers(folders, legacy):
    path = save_named(folders, nasbench201(), legacy)
    check(table_of(path, official.read_nasbench201), path.name)


def test_nasbench201_numbers_are_those_of_its_own_interface():
    contents = nasbench201()
    from nas_201_api import NASBench201API

    api = NASBench201API(contents, verbose=False)
    for index in range(len(CELLS)):
        info = api.get_more_info(index, "cifar10", hp="200", is_random=False)
        assert info["test-accuracy"] == EXPECTED["cifar10-test-200"][index]
        info = api.get_more_info(index, "cifar10-valid", hp="200", is_random=False)
        assert info["valid-accuracy"] == EXPECTED["cifar10-validation-200"][index]
        info = api.get_more_info(index, "cifar100", hp="200", is_random=False)
        assert info["test-accuracy"] == EXPECTED["cifar100-test-200"][index]
        assert info["valid-accuracy"] == EXPECTED["cifar100-validation-200"][index]


def test_nats_numbers(nats):
    check(table_of(nats, official.read_nats), "NATS-tss-v1_0-3ffb9-simple")


def test_nats_numbers_are_those_of_its_own_interface(nats):
    from nats_bench import create

    api = create(str(nats), "tss", fast_mode=True, verbose=False)
    for index in range(len(CELLS)):
        info = api.get_more_info(index, "ImageNet16-120", hp="200", is_random=False)
        assert info["test-accuracy"] == EXPECTED["imagenet16-120-test-200"][index]
        assert info["valid-accuracy"] == EXPECTED["imagenet16-120-validation-200"][index]


def test_converted_once_then_loaded_without_the_source(nats, monkeypatch):
    with pytest.raises(DataError, match=f"{nats}: .*expected 15,625 cells, found 3"):
        load_table("nb201-official")
    monkeypatch.setattr(official, "complete", lambda table: table)
    check(load_table("nb201-official"), nats.name)
    shutil.rmtree(nats)
    assert available_tables() == ("nb201-official",)
    check(load_table("nb201-official"), nats.name)


def test_name_without_the_right_md5(folders):
    path = save_named(folders, {})
    renamed = path.rename(folders / "NAS-Bench-201-v1_1-096897.pth")
    with pytest.raises(DataError, match="begins with 096897, found"):
        load_table("nb201-official")
    with pytest.raises(DataError, match="begins with pth, found"):
        table_of(renamed.rename(folders / "a-pth.pth"), official.read_nasbench201)


class Hostile:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_hostile_files_are_not_run(folders, nats):
    with pytest.raises(DataError, match=r"NAS-Bench-201-v1_1-\w{6}\.pth is not a file of plain"):
        table_of(save_named(folders, {"meta_archs": Hostile()}), official.read_nasbench201)
    dump(nats / "000001.pickle.pbz2", Hostile())
    with pytest.raises(
        DataError, match=r"000001\.pickle\.pbz2: .*system, which is not on the list"
    ):
        table_of(nats, official.read_nats)


@pytest.mark.parametrize("name", ["meta.pickle.pbz2", "000001.pickle.pbz2"])
def test_the_one_damaged_file_of_a_folder_is_named(nats, name):
    """Cut, altered, another pickle, or without the long schedule."""
    path = nats / name
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        whole[:50] + b"x" * 50 + whole[100:],
        bz2.compress(pickle.dumps(3)),
        bz2.compress(pickle.dumps({"12": {}})),
        bz2.compress(pickle.dumps({"200": 3})),
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError) as error:
            table_of(nats, official.read_nats)
        assert str(path) in str(error.value)


def test_missing_and_mixed_up_cells(folders, nats):
    with pytest.raises(DataError, match="index 2: not the results of a cell"):
        table_of(save_named(folders, nasbench201(count=2)), official.read_nasbench201)
    with pytest.raises(DataError, match="expected meta_archs, arch2infos, found none"):
        table_of(save_named(folders, {}), official.read_nasbench201)
    first, second = nats / "000000.pickle.pbz2", nats / "000001.pickle.pbz2"
    shutil.copy(first, second)
    with pytest.raises(DataError, match=r"index 1: expected \|nor_conv_3x3~0\|"):
        table_of(nats, official.read_nats)
    second.unlink()
    with pytest.raises(DataError, match=r"cannot read .*000001\.pickle\.pbz2"):
        table_of(nats, official.read_nats)


def test_short_schedule_is_not_taken_for_the_long_one(nats):
    import nats_bench

    dump(nats / "000002.pickle.pbz2", {"200": results(nats_bench, 2, 12)})
    with pytest.raises(DataError, match=r"after 200 epochs, found .* after 12"):
        table_of(nats, official.read_nats)


# ---- every epoch

WATCHED = {
    "CIFAR-10": ("cifar10-valid", "x-valid"),
    "CIFAR-100": ("cifar100", "ori-test"),
    "ImageNet16-120": ("ImageNet16-120", "ori-test"),
}
# Losses by hand: cell 1 has two seeds, whose offsets have the mean 1.
LOSSES = np.array([3.0, 2.0, 2.5])[:, None] - np.arange(200) / 200


def test_the_curves_are_means_of_all_trainings_at_every_epoch(nats, monkeypatch):
    monkeypatch.setattr(official_curves, "complete", lambda table: table)
    assert official_curves.converted() is None
    curves = official_curves.load()
    assert curves.keys() == WATCHED.keys() == sotl_curves.TRUTHS.keys()
    for learning in curves.values():
        assert learning.codes.tolist() == [cell.code for cell in CELLS]
        assert learning.trajectory[sotl.LOSS] == pytest.approx(LOSSES)
        assert learning.trajectory[sotl.VALIDATION_LOSS] == pytest.approx(LOSSES + 0.25)
    assert curves["CIFAR-10"].trajectory[sotl.VALIDATION_ACCURACY][1, [0, 198, 199]].tolist() == [
        *(4.0, 4.0, 11.0)
    ]
    for dataset, column in sotl_curves.TRUTHS.items():
        assert curves[dataset].truth.tolist() == EXPECTED[column]
    shutil.rmtree(nats)  # what was taken is in the cache
    assert official_curves.converted() == nats.name
    again = official_curves.load()["CIFAR-100"].trajectory[sotl.LOSS]
    assert again.tolist() == curves["CIFAR-100"].trajectory[sotl.LOSS].tolist()


@pytest.mark.parametrize("name", ["nas_201_api", "nats_bench"])
def test_the_curves_are_those_of_the_packages_own_interface(name):
    package = pytest.importorskip(f"{name}.api_utils")
    found = package.ArchResults.create_from_state_dict(results(package, 1, 200))
    taken = official_curves.measured(found)
    for dataset, (training, images) in zip(official_curves.WATCHED, WATCHED.values(), strict=True):
        for names, (loss, accuracy) in {
            "train": (sotl.LOSS, sotl.ACCURACY),
            images: (sotl.VALIDATION_LOSS, sotl.VALIDATION_ACCURACY),
        }.items():
            for epoch in (0, 57, 199):
                expected = found.get_metrics(training, names, iepoch=epoch, is_random=False)
                assert taken[f"{dataset} {loss}"][epoch] == pytest.approx(expected["loss"])
                assert taken[f"{dataset} {accuracy}"][epoch] == pytest.approx(expected["accuracy"])


def test_a_file_of_every_epoch_is_asked_for_read_and_shown(folders, nats, monkeypatch, capsys):
    with pytest.raises(DataError, match=f"{nats}: .*expected 15,625 cells, found 3"):
        official_curves.load()
    monkeypatch.setattr(official_curves, "complete", lambda table: table)
    nothing = Table("none", np.empty(0, np.int64), (), {})
    assert sotl_curves.collections(nothing) == []  # as long as it is not read
    inputs = Inputs("sotl", "cpu", results_of.Plan([], []), {"scratch_facts": pd.DataFrame()})
    with pytest.raises(Absent, match="`nasrepro data fetch nb201-official-curves` reads it"):
        scratch.official_table(inputs)

    cli.app(["data", "fetch", "nb201-official-curves"], standalone_mode=False)
    assert capsys.readouterr().out == "nb201-official-curves: ready\n"
    frames = sotl_curves.statistics(nothing)
    facts = frames["scratch_facts"].set_index("name")["mean"]
    assert facts["90-all-losses CIFAR-10"] == facts["90-last-epoch ImageNet16-120"] == 1
    assert facts["90-validation CIFAR-10"] == facts["ahead-until CIFAR-10"] == 200
    assert facts["ahead-10 CIFAR-100"] == pytest.approx(2)
    assert facts["fallen CIFAR-10"] == pytest.approx(0)
    shown = set(frames["scratch"]["estimator"])
    assert {"SoTL", "SoTL-EMA", "SoTL-E", "ValAcc", "parameters"} <= shown
    inputs = Inputs("sotl", "cpu", results_of.Plan([], []), frames)
    rows = scratch.official_table(inputs)
    assert rows["data set"].tolist() == list(WATCHED) and rows["ValAcc"].tolist() == ["200"] * 3
    assert set(scratch.scratch(inputs)["panel"]) == {
        f"all official cells, {dataset}" for dataset in WATCHED
    }
    judged = page.claims(frames).set_index("claim")["verdict"]
    assert judged["sotl-scratch-90-cifar10-file"] == "supported"
    assert (
        judged["sotl-scratch-overtaken"] == judged["sotl-scratch-falls-cifar10"] == "contradicted"
    )
    without = page.claims({}).set_index("claim")
    of_file = without.loc[list(sotl_claims.OFFICIAL)]
    assert set(of_file["verdict"]) == {"not testable here"}
    assert of_file["reason"].str.contains("which only a user can get").all()
