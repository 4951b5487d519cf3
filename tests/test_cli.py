"""The command line: what it prints, and how it answers wrong input."""

import dataclasses
import importlib.metadata
import io
import json
import os
import re
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from test_runs import made_up

from nasrepro import cli
from nasrepro.benchmarks import TABLES, available_tables
from nasrepro.claims import read_claims
from nasrepro.data.sources import SOURCES
from nasrepro.errors import DataError
from nasrepro.paths import REPOSITORY
from nasrepro.runs.config import from_dict
from nasrepro.runs.kinds import SUPERNET, store_of
from nasrepro.runs.locks import lock, note_failure, unlock
from nasrepro.runs.store import Store
from nasrepro.studies import NAMES, appraisal, correlations, regret, results, study
from nasrepro.studies.results import Plan

(ENTRY,) = importlib.metadata.entry_points(group="console_scripts", name="nasrepro")


@pytest.fixture
def results_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path))
    return tmp_path


def call(capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nasrepro", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_space_counts_are_those_published(capsys):
    code, out, _ = call(capsys, "space", "counts", "nb201")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "name,count"
    assert lines[1:3] == ["cells,15625", "connected,15284"]
    assert lines[3:5] == ["distinct paths,9445", "unique,6466"]
    assert '"no Zero, no Pool",729' in lines


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_tables_are_utf8_when_piped_and_shown_as_the_terminal_can(encoding, tmp_path, monkeypatch):
    """The claims have the sign of at least, which none of these encodings has."""
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    claims = results.table("correlations", "cpu", "claims")
    monkeypatch.setattr(results, "table", lambda *_: claims)  # takes its time
    monkeypatch.setattr(sys, "argv", ["nasrepro", "study", "table", "correlations", "claims"])
    printed = {}
    for kind in (io.TextIOWrapper, Terminal):
        monkeypatch.setattr(sys, "stdout", kind(io.BytesIO(), encoding=encoding))
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code
        sys.stdout.flush()
        printed[kind] = sys.stdout.buffer.getvalue()
    piped, shown = printed[io.TextIOWrapper].decode(), printed[Terminal].decode(encoding)
    assert "≥ 2" in piped and "? 2" in shown
    assert len(piped.splitlines()) == len(shown.splitlines()) == 1 + len(read_claims("laube"))


def test_ctrl_c_while_importing_prints_no_traceback():
    """The interrupt comes with the import of typer, the first of many."""
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        f"from {ENTRY.module} import {ENTRY.attr} as main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_address_that_is_none_is_answered_in_a_sentence(tmp_path):
    """In a separate process, for what Dask prints when it ends."""
    pytest.importorskip("distributed", reason="pip install 'nasrepro[cluster]'")
    words = ["study", "run", "correlations", "--profile", "digits", "--scheduler", "localhost"]
    done = subprocess.run(
        [sys.executable, "-m", "nasrepro", *words],
        capture_output=True,
        text=True,
        env=os.environ | {"NASREPRO_RESULTS": str(tmp_path)},
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "no Dask scheduler answers at 'localhost' (missing port number" in done.stderr


def test_space_counts_of_nasbench101(capsys):
    code, out, _ = call(capsys, "space", "counts", "nb101")
    lines = out.splitlines()
    assert code == 0 and lines[:2] == ["name,count", "cells,423624"]
    assert "A_4,10467" in lines
    _, out, _ = call(capsys, "space", "counts", "nb1shot1")
    assert "Zhang unique,42228" in out.splitlines()


def test_runs_of_all_spaces_are_listed(capsys, results_folder):
    configs = [
        next(iter(correlations.design("smoke"))),
        next(iter(appraisal.design("smoke"))),
        next(iter(regret.macro_design("smoke"))),
    ]
    for config in configs:
        store_of(SUPERNET).save(made_up(config))
    code, out, _ = call(capsys, "runs", "list")
    assert code == 0
    for config in configs:
        assert f"{config.key}  own   ok" in out and f"{config.net}" in out


def test_a_run_is_shown_as_json_by_the_beginning_of_its_key(capsys, results_folder):
    """JSON has neither infinity nor NaN, which searches that leave out operations have."""
    record = made_up(next(iter(correlations.design("smoke"))))
    arrays = record.arrays | {"loss": np.array([0.5, -np.inf, np.nan])}
    store_of(SUPERNET).save(dataclasses.replace(record, arrays=arrays))
    code, out, _ = call(capsys, "runs", "show", record.key[:6])
    shown = json.loads(out, parse_constant=pytest.fail)
    assert code == 0 and shown["loss"] == [0.5, None, None]
    assert shown["codes"] == record.arrays["codes"].tolist() and shown["status"] == "ok"
    assert from_dict(shown["config"], type(record.config)) == record.config


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["space", "counts", "nb301"], "the spaces are nb101, nb201"),
        (["study", "plan", "regrets"], "the studies are correlations, training-tricks, regret"),
        (["study", "status", "correlations", "--profile", "big"], "smoke, cpu, paper"),
        (["study", "run", "regrets"], "(did you mean regret?)"),
        (["data", "fetch", "svhn"], "nb201-200epochs"),
        (["runs", "show", "ffff"], "nasrepro runs list"),
        (["book", "run", "nothing"], "01_correlations"),
        (["book", "run", "01_correlations", "-p", "profile"], "name=value"),
    ],
)
def test_wrong_names_answer_with_the_possible_ones(capsys, results_folder, words, answer):
    code, out, err = call(capsys, *words)
    assert code == 2
    assert answer in err
    assert "Traceback" not in err and out == ""


@pytest.mark.parametrize("words", [["study", "status"], ["study", "plan"], ["study", "list"]])
def test_without_a_name_the_studies_are_listed(capsys, results_folder, words):
    code, out, _ = call(capsys, *words)
    assert code == 0
    total = {profile: len(study("correlations").design(profile)) for profile in ("smoke", "cpu")}
    assert f"runs stored: smoke 0 of {total['smoke']}, cpu 0 of {total['cpu']}" in out
    assert "notebook: 03_regret" in out


def test_other_choices_are_listed(capsys):
    assert call(capsys, "space", "counts")[1].startswith("nb101  NAS-Bench-101\nnb201 ")
    out = call(capsys, "book", "list")[1]
    assert "01_correlations    1. Rank correlations" in out and "workers=0" in out
    assert call(capsys, "--version")[1] == f"nasrepro {importlib.metadata.version('nasrepro')}\n"


def test_every_table_of_the_status_page_can_be_asked_for(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    listed = {line.split()[0] for line in call(capsys, "data", "list")[1].splitlines()}
    assert set(TABLES) <= listed
    code, _, err = call(capsys, "data", "fetch", "nb101-official")
    assert code == 1 and "nasbench_only108.tfrecord" in err and err.count("\n") == 1
    assert call(capsys, "data", "fetch", "nb201-selfmade")[1] == "nb201-selfmade: ready\n"


def test_a_study_with_nothing_to_do_says_so_and_leaves_the_book(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("NASREPRO_RESULTS")
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    code, out, _ = call(capsys, "study", "run", "correlations", "--profile", "own")
    assert code == 0 and "3 runs, 3 stored\n" in out and "\nnothing to compute\n" in out
    assert "are the book's, and so its statistics" in out
    assert out.endswith("nasrepro book run 01_correlations -p profile=own\n")
    assert list(tmp_path.iterdir()) == []


def test_status_of_an_empty_store_as_json(capsys, results_folder):
    code, out, _ = call(capsys, "study", "status", "correlations", "--profile", "cpu", "--json")
    status = json.loads(out)
    assert code == 0
    runs = len(correlations.design("cpu"))
    assert (status["runs"], status["stored"], status["missing"]) == (runs, 0, runs)
    assert (status["seconds_missing"], status["missing_of_unknown_cost"]) == (0, runs)


def test_status_shows_what_is_computed_now_and_what_failed(capsys, results_folder):
    words = ["study", "status", "correlations", "--profile", "smoke"]
    first, second, *_ = correlations.design("smoke")
    store = store_of(SUPERNET)
    held, failed = lock(store, first.key), lock(store, second.key)
    note_failure(store, second.key, "no images")
    unlock(failed)
    status = json.loads(call(capsys, *words, "--json")[1])
    assert (status["missing"], status["computing"], status["failed"]) == (28, 1, 1)
    assert status["failures"] == {second.key: "no images"}
    assert status["seconds_left"] is None and status["peak_memory_mb"] is None
    _, out, _ = call(capsys, *words)
    assert f"{second.key}: no images" in out
    unlock(held)
    unlock(lock(store, second.key))
    status = json.loads(call(capsys, *words, "--json")[1])
    assert (status["computing"], status["failed"]) == (0, 0)


def test_the_time_left_follows_from_what_runs_took_and_how_many_run(results_folder):
    record = next(iter(Store(REPOSITORY / "results" / "records", SUPERNET).records()))
    about = record.measurement
    took = min(about.cpu_seconds, about.train_seconds + about.evaluate_seconds)
    missing = [dataclasses.replace(record.config, seed=100 + seed) for seed in range(6)]
    two = frozenset(config.key for config in missing[:2])
    assert Plan([record], missing, two).seconds_left() == pytest.approx(6 * took / 2)
    assert Plan([record], missing).seconds_left() is None
    assert Plan([], missing, two).seconds_left() is None
    assert Plan([record], []).seconds_left() == 0
    assert Plan([record], missing).peak_memory_mb == record.measurement.peak_memory_mb


def test_plan_says_what_is_not_known_yet(capsys, results_folder):
    _, out, _ = call(capsys, "study", "plan", "correlations", "--profile", "smoke")
    assert "28 runs, 0 stored" in out and "28 to compute of a kind not run yet" in out


def test_a_plan_in_this_process_is_one_run_at_a_time(capsys, results_folder):
    record = made_up(next(iter(correlations.design("smoke"))))
    slow = dataclasses.replace(record.measurement, train_seconds=120.0, evaluate_seconds=0.0)
    slow = dataclasses.replace(slow, cpu_seconds=120.0)
    store_of(SUPERNET).save(dataclasses.replace(record, measurement=slow))
    words = ["study", "plan", "correlations", "--profile", "smoke", "--workers"]
    for workers, answer in (("0", "22 min with 1 at a time"), ("2", "11 min with 2 at a time")):
        code, out, _ = call(capsys, *words, workers)
        assert code == 0 and f"11 to compute, about {answer}" in out
    assert call(capsys, *words, "-1")[0] == 2
    assert call(capsys, "bench", "build", "nb201-digits", "--workers", "-1")[0] == 2


def test_every_profile_is_named_in_the_help():
    text = get_args(cli.Profile)[1].help
    for profile in {profile for name in NAMES for profile in study(name).PROFILES}:
        assert re.search(rf"\b{profile}\b", text)


def test_every_damaged_file_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    assert call(capsys, "data", "verify")[0] == 0
    names = ("nb201-12epochs", "nb-macro")
    for name in names:
        (tmp_path / SOURCES[name].filename).write_text("cut")
    code, out, _ = call(capsys, "data", "verify")
    assert code == 1
    for name in SOURCES:
        answer = f"is not the file of {name}: expected" if name in names else "not here"
        assert re.search(rf"^{name}: .*{answer}", out, re.MULTILINE)


def test_without_the_table_the_runs_are_stored_and_other_profiles_are_named(
    capsys, results_folder, monkeypatch
):
    def missing(name):
        raise DataError(f"cannot download {name}: no answer")

    for config in correlations.design("smoke"):
        store_of(SUPERNET).save(made_up(config))
    monkeypatch.setattr(results, "load_table", missing)
    words = ["correlations", "--profile", "smoke"]
    code, _, err = call(capsys, "study", "run", *words, "--workers", "0")
    assert code == 1 and err.count("\n") == 1
    assert err == (
        "nasrepro: the runs of correlations are stored, but their statistics need the table "
        "nb201-200epochs: cannot download nb201-200epochs: no answer; without that table: "
        "nasrepro bench build nb201-selfmade, then nasrepro study run correlations --profile own "
        "(only images: cifar10); or nasrepro bench build nb201-digits, then nasrepro study run "
        "correlations --profile digits (only images: digits)\n"
    )
    monkeypatch.setattr(results, "available_tables", lambda: ("nb201-selfmade",))
    _, _, err = call(capsys, "study", "collect", *words)
    assert "without that table: nasrepro study run correlations --profile own" in err


def test_a_table_of_ones_own_that_is_not_built_says_how_to_build_it(capsys, results_folder):
    store_of(SUPERNET).save(made_up(next(iter(correlations.design("digits")))))
    code, _, err = call(capsys, "study", "collect", "correlations", "--profile", "digits")
    assert code == 1 and "are stored" in err
    assert err.endswith("; build it: nasrepro bench build nb201-digits\n")


def test_tables_are_listed(capsys):
    _, out, _ = call(capsys, "study", "table", "correlations")
    assert out.split() == list(correlations.TABLES)


def test_a_table_without_runs_says_how_to_get_them(capsys, results_folder):
    code, _, err = call(capsys, "study", "table", "correlations", "summary")
    assert code == 1 and "nasrepro study run correlations --profile cpu" in err


def test_a_damaged_record_is_named(capsys, results_folder):
    (results_folder / "records").mkdir()
    (results_folder / "records" / "0123456789abcdef.json").write_text('{"schema": 1, "conf')
    code, out, _ = call(capsys, "runs", "verify")
    assert code == 1
    assert "0123456789abcdef" in out and "1 records and 0 weights, 1 damaged" in out


def test_damaged_weights_are_named(capsys, results_folder):
    (results_folder / "weights").mkdir()
    (results_folder / "weights" / "0123456789abcdef.npz").write_bytes(b"PK")
    code, out, _ = call(capsys, "runs", "verify")
    assert code == 1 and "0123456789abcdef: the weights in" in out
    assert out.endswith("0 records and 1 weights, 1 damaged\n")


def test_a_profile_that_no_study_has_is_not_collected_in_silence(capsys, results_folder):
    code, _, err = call(capsys, "study", "collect", "--profile", "cpus")
    assert code == 2 and "unknown profile 'cpus' (did you mean cpu?)" in err
    code, out, _ = call(capsys, "study", "collect", "--profile", "digits")
    assert code == 0 and "no run of profile digits is stored" in out


@pytest.mark.parametrize("variable", ["NASREPRO_RESULTS", "NASREPRO_CACHE"])
def test_a_store_that_is_no_folder_is_refused(capsys, tmp_path, monkeypatch, variable):
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    code, _, err = call(capsys, "runs", "verify")
    assert code == 2 and f"${variable} is {tmp_path / 'file'}, which is no folder" in err


@pytest.mark.slow
def test_the_smallest_study_runs_from_the_command_line(capsys, results_folder):
    if correlations.table_of("smoke") not in available_tables():
        pytest.skip("the NAS-Bench-201 table is not on this machine; set NASREPRO_DATA")
    words = ["correlations", "--profile", "smoke", "--seeds", "1"]
    assert call(capsys, "study", "run", *words, "--workers", "0")[0] == 0
    _, out, _ = call(capsys, "study", "status", *words, "--json")
    assert json.loads(out)["missing"] == 0
    _, out, _ = call(capsys, "study", "table", "correlations", "summary", "--profile", "smoke")
    assert out.splitlines()[0] == "subspace,size,metric,mean,ci_low,ci_high,n"
    assert call(capsys, "runs", "verify")[0] == 0


def test_importing_the_library_does_not_import_torch():
    script = "import sys, nasrepro, nasrepro.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
