"""Executing: processes, clusters and clients that are killed, and what is left of the runs."""

import dataclasses
import errno
import functools
import importlib.metadata
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from dask import config as dask_config
from distributed import LocalCluster
from filelock import FileLock
from test_runs import TINY, files, made_up, seeded, store
from threadpoolctl import threadpool_info

from nasrepro.errors import ConfigError, DataError, NasreproError
from nasrepro.runs import executors
from nasrepro.runs import setup as run_setup
from nasrepro.runs.execute import execute as execute_with
from nasrepro.runs.executors import THREAD_VARIABLES, LocalProcesses, check_versions, versions
from nasrepro.runs.kinds import SUPERNET
from nasrepro.runs.locks import failures, lock, locked, unlock
from nasrepro.runs.machine import machine, peak_memory_mb
from nasrepro.runs.record import Record
from nasrepro.runs.store import Store
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.studies import correlations
from nasrepro.studies import results as results_module
from nasrepro.studies.results import compute_missing, plan

SEEDS = [seeded(seed) for seed in range(4)]
SERIAL = [made_up(config) for config in SEEDS]
PATIENCE = 1_800  # seconds; only a test that fails waits so long


@pytest.fixture(autouse=True)
def notes(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that all processes of a test see."""
    folder = results.parent / "notes"
    folder.mkdir()
    monkeypatch.setenv("NOTES", str(folder))
    tests = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    monkeypatch.setenv("PYTHONPATH", tests)
    return folder


def execute(compute, configs=SEEDS, **options) -> list[Record]:
    return execute_with(configs, compute, store(), progress=False, **options)


def note(name: str) -> Path:
    return Path(os.environ["NOTES"], name)


def calls() -> dict[int, int]:
    """How often the run of each seed was begun, by any process."""
    return Counter(map(int, note("calls").read_text().split()))


# ---- what stands in for a run; processes find these functions by their names


def compute(config: SupernetConfig, device: str) -> Record:
    """Count the call, and give a record at once."""
    with note("calls").open("a") as file:
        file.write(f"{config.seed}\n")
    return made_up(config)


def killed_once(config: SupernetConfig, device: str) -> Record:
    """The first time, the process of seed 1 is killed in the middle of its run."""
    record = compute(config, device)
    if config.seed == 1 and calls()[1] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def always_killed(config: SupernetConfig, device: str) -> Record:
    record = compute(config, device)
    if config.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def mistaken(config: SupernetConfig, device: str) -> Record:
    record = compute(config, device)
    return record if config.seed != 1 else 1 / 0


def held(config: SupernetConfig, device: str) -> Record:
    """The first time, seed 0 says that it began and waits until seed 1 is computed."""
    record = compute(config, device)
    if config.seed == 0 and calls()[0] == 1:
        note("began").write_text("")  # a pipe: each side waits for the other
        note("may-end").read_text()
    if config.seed == 1:
        note("may-end").write_text("")
    return record


def measured(config: SupernetConfig, device: str) -> Record:
    """Note the process, its threads, and the peak memory; seed 0 takes 300 MB for a moment."""
    if config.seed == 0:
        torch.ones(75_000_000)
    threads = {pool["num_threads"] for pool in threadpool_info()} | {torch.get_num_threads()}
    measurement = dataclasses.replace(
        made_up().measurement,
        threads=max(threads),
        cpu=str(os.getpid()),
        peak_memory_mb=peak_memory_mb(),
        versions={name: os.environ[name] for name in THREAD_VARIABLES},
    )
    return made_up(config, measurement=measurement)


def hold() -> None:
    """Make the pipes of `held`."""
    os.mkfifo(note("began"))
    os.mkfifo(note("may-end"))


def start(script: str) -> subprocess.Popen:
    """Another Python process that knows this module, in a separate process group.

    It can be interrupted, also where these tests run in the background and cannot.
    """
    interruptible = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    return subprocess.Popen(
        [sys.executable, "-c", f"from test_execute import *\n{interruptible}\n{script}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# ---- local processes


def test_processes_last_and_have_one_thread_each(monkeypatch):
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "2")
    measurements = [r.measurement for r in execute(measured, [*SEEDS, seeded(4)], workers=2)]
    assert len({m.cpu for m in measurements}) <= 2 and str(os.getpid()) not in {
        m.cpu for m in measurements
    }
    assert {m.threads for m in measurements} == {1}
    assert all(set(m.versions.values()) == {"1"} for m in measurements)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not forget a peak")
def test_peak_memory_is_that_of_the_run():
    ballast = torch.ones(150_000_000)  # 600 MB that are not the worker's
    large, *small = [r.measurement for r in execute(measured, workers=1)]
    del ballast
    assert {m.cpu for m in small} == {large.cpu}
    assert max(m.peak_memory_mb for m in small) < large.peak_memory_mb - 250


@pytest.mark.slow
def test_a_run_is_the_same_in_a_process_that_computed_others():
    records = execute(run, SEEDS[:3], workers=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        record = run(SEEDS[2])
    finally:
        torch.set_num_threads(threads)
    assert records[2].measurement.threads == record.measurement.threads == 1
    assert dataclasses.replace(records[2], measurement=record.measurement) == record


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_run_begun_again(results):
    assert execute(killed_once, workers=2) == SERIAL
    assert calls() == {0: 1, 1: 2, 2: 1, 3: 1}
    assert multiprocessing.active_children() == []
    assert files(results) == sorted(f"records/{config.key}.npz" for config in SEEDS)


@pytest.mark.slow
def test_a_run_that_kills_its_process_every_time_is_named():
    with pytest.raises(NasreproError) as caught:
        execute(always_killed, workers=1)
    message = str(caught.value)
    assert "1 of 4 runs failed, the others are stored" in message
    assert f"{seeded(1).key}: its process was killed, 2 times" in message
    assert calls() == {0: 1, 1: 2, 2: 1, 3: 1}
    assert execute(compute) == SERIAL


@pytest.mark.slow
def test_a_workers_sentence_arrives():
    with pytest.raises(NasreproError, match=f"{TINY.key}: cannot compute on 'gpu'"):
        execute(run, [TINY], workers=1, device="gpu")


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_an_error_that_nobody_foresaw_ends_one_run_and_is_the_cause(workers):
    with pytest.raises(NasreproError, match=f"{seeded(1).key}: ZeroDivisionError: ") as caught:
        execute(mistaken, workers=workers)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert sorted(store().stored_keys()) == sorted(c.key for c in SEEDS if c.seed != 1)
    assert list(failures(store())) == [seeded(1).key]
    assert execute(compute) == SERIAL
    assert failures(store()) == {}


def test_a_pool_finishes_what_it_was_given():
    with LocalProcesses(1) as pool:
        futures = [pool.submit(abs, -n) for n in range(3)]
    assert [future.result() for future in futures] == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "to"), [(signal.SIGINT, "group"), (signal.SIGINT, "client"), (signal.SIGKILL, "client")]
)
def test_no_process_is_left_when_the_client_ends(results, how, to):
    """Its output closes when the last process that inherited it has ended."""
    hold()
    client = start("execute(held, SEEDS[:1], workers=1)")
    note("began").read_text()
    assert seeded(0).key in locked(store())
    (os.killpg if to == "group" else os.kill)(client.pid, how)
    _, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == -how, errors
    assert locked(store()) == set()
    assert execute(compute) == SERIAL
    assert files(results) == sorted(f"records/{config.key}.npz" for config in SEEDS)


# ---- a Dask cluster


@pytest.fixture
def cluster(notes: Path) -> Iterator[str]:
    """Two workers with a GPU each, as far as they know; yields the scheduler's address."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, resources={"GPU": 1}, dashboard_address=None
    ) as running:
        yield running.scheduler_address


@pytest.mark.slow
def test_a_cluster_computes_what_this_process_would(cluster, results):
    local = [run(config) for config in SEEDS[:2]]
    for device in ("cpu", "cpu:0"):  # the other needs the resource "GPU"
        remote = execute(run, SEEDS[:2], scheduler=cluster, device=device)
        for expected, record in zip(local, remote, strict=True):
            assert dataclasses.replace(expected, measurement=record.measurement) == record
            assert record.measurement.threads == 1 and record.measurement.device == device
        for record in remote:
            store().path(record.key).unlink()


@pytest.mark.slow
def test_a_cluster_of_other_versions_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(executors, "versions", lambda: versions() | {"torch": "1.0"})
    version = re.escape(versions()["torch"])
    with pytest.raises(ConfigError, match=rf"torch {version} instead of 1\.0;"):
        execute(compute, scheduler=cluster)
    assert not note("calls").exists()


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_is_replaced(cluster, results):
    assert execute(killed_once, scheduler=cluster) == SERIAL
    assert calls() == {0: 1, 1: 2, 2: 1, 3: 1}
    assert files(results) == sorted(f"records/{config.key}.npz" for config in SEEDS)


@pytest.mark.slow
def test_two_clients_of_a_scheduler_share_a_run(cluster, tmp_path):
    """Each has its own store, so that only the scheduler knows of both."""
    hold()
    other = Store(tmp_path / "other", SUPERNET)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(execute, held, SEEDS[:1], scheduler=cluster)
        note("began").read_text()
        second = threads.submit(execute_with, SEEDS[:2], held, other, scheduler=cluster)
        assert first.result(PATIENCE) == SERIAL[:1]
        assert second.result(PATIENCE) == SERIAL[:2]
    assert calls() == {0: 1, 1: 1}


def start_dask(*words: str, until: str) -> tuple[subprocess.Popen, str]:
    """A program of Dask, once it has printed a line with some words; gives the end of that line."""
    program = subprocess.Popen(
        [sys.executable, "-m", "dask", *words, "--no-dashboard"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    line = next(line for line in program.stderr if until in line)
    # Read on, or the program would stop when the pipe is full.
    threading.Thread(target=program.communicate, daemon=True).start()
    return program, line.split()[-1]


@pytest.fixture
def dask() -> Iterator[Callable[[str], tuple[str, Callable[[], None]]]]:
    """Starts a scheduler and a worker: gives the scheduler's address, and what kills both."""
    running = []

    def begin(port: str) -> tuple[str, Callable[[], None]]:
        processes = []
        scheduler, address = start_dask(
            "scheduler", "--host", "127.0.0.1", "--port", port, until="Scheduler at:"
        )
        running.append(scheduler)
        worker, _ = start_dask("worker", address, "--nthreads", "1", until="Registered to:")
        running.append(worker)
        processes = [scheduler, worker]
        return address, functools.partial(kill, processes)

    yield begin
    kill(running)


def kill(programs: list[subprocess.Popen]) -> None:
    """End programs and what they started."""
    for program in programs:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()


@pytest.mark.slow
def test_a_scheduler_that_is_started_again_is_given_what_it_lost(dask):
    hold()
    address, end = dask("0")
    with ThreadPoolExecutor() as threads:
        client = threads.submit(execute, held, [SEEDS[0], *SEEDS[2:]], scheduler=address)
        note("began").read_text()
        end()
        dask(address.rpartition(":")[2])
        assert client.result(PATIENCE) == [SERIAL[0], *SERIAL[2:]]
    assert calls() == {0: 2, 2: 1, 3: 1}


@pytest.mark.slow
def test_a_scheduler_that_is_gone_is_named(dask, results):
    """After half a minute, for which Dask hopes that it comes back."""
    hold()
    address, end = dask("0")
    configs = [SEEDS[2], SEEDS[0], SEEDS[3]]
    with ThreadPoolExecutor() as pool:
        client = pool.submit(execute, held, configs, scheduler=address)
        note("began").read_text()
        end()
        with pytest.raises(NasreproError) as caught:
            client.result(PATIENCE)
    message = str(caught.value)
    assert "1 of 3 runs failed, 1 were given up, the others are stored" in message
    assert f"{seeded(0).key}: the connection to the scheduler was lost" in message
    assert store().stored_keys() == [seeded(2).key]
    assert execute(compute) == SERIAL
    assert calls() == {0: 2, 1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:1", "tls://127.0.0.1:1", "nowhere", "http://nowhere", "inproc://nowhere"],
)
def test_a_scheduler_that_does_not_answer_is_named(address):
    with (
        dask_config.set({"distributed.comm.timeouts.connect": "50ms"}),
        pytest.raises(ConfigError, match=f"no Dask scheduler answers at '{address}'"),
    ):
        execute(compute, scheduler=address)
    assert locked(store()) == set() and not note("calls").exists()


def test_a_cluster_without_dask_names_the_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="nasrepro\\[cluster\\]"):
        execute(compute, scheduler="tcp://127.0.0.1:8786")


def test_a_worker_of_two_threads_is_refused():
    """A cluster inside this process."""
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as running,
        pytest.raises(ConfigError, match=r"has 2 threads .* start it with --nthreads 1"),
    ):
        execute(compute, scheduler=running.scheduler_address)


def test_a_cluster_without_a_gpu_says_how_to_start_one():
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as running,
        pytest.raises(ConfigError, match=r"no worker for 'cuda'; .* --resources GPU=1"),
    ):
        execute(compute, scheduler=running.scheduler_address, device="cuda")


def test_other_versions_are_named():
    check_versions(versions())
    with pytest.raises(ConfigError, match=f"numpy {versions()['numpy']} instead of 0.1; install"):
        check_versions(versions() | {"numpy": "0.1"})


def test_the_builds_of_one_version_agree(monkeypatch):
    """A client with PyTorch's build for the CPU, a worker with that of the package index."""
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "2.13.0+cpu")
    expected = versions()
    assert set(expected.values()) == {"2.13.0"}
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "2.13.0+cu130")
    check_versions(expected)
    assert machine("cpu")["versions"]["torch"] == "2.13.0"


# ---- two clients of one store


def test_two_clients_compute_each_run_once(results):
    hold()
    client = start("execute(held, SEEDS[:1])")
    note("began").read_text()
    assert locked(store()) == {seeded(0).key}
    assert execute(held) == SERIAL  # computes seeds 1 to 3, waits for seed 0
    _, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == 0, errors
    assert calls() == {0: 1, 1: 1, 2: 1, 3: 1}
    assert locked(store()) == set()
    assert files(results) == sorted(f"records/{config.key}.npz" for config in SEEDS)


def test_what_a_killed_client_left_is_cleaned_and_computed(results):
    """Killed by the system in the middle of writing a record."""
    client = start("os.fsync = lambda _: os.kill(os.getpid(), 9)\nexecute(compute)")
    _, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == -signal.SIGKILL, errors
    left = files(results)
    assert f"records/.state/{seeded(0).key}.lock" in left
    assert any(name.startswith(f"records/.{seeded(0).key}.npz.") for name in left)
    assert locked(store()) == set()
    assert execute(compute) == SERIAL
    assert calls() == {0: 2, 1: 1, 2: 1, 3: 1}
    assert files(results) == sorted(f"records/{config.key}.npz" for config in SEEDS)


def test_what_a_living_client_writes_is_left_alone(results):
    file = lock(store(), TINY.key)
    written = results / "records" / f".{TINY.key}.npz.abc"
    written.write_text("{")
    assert lock(store(), TINY.key) is None
    assert execute(compute, SEEDS[1:]) == SERIAL[1:]
    assert written.exists()
    unlock(file)
    assert execute(compute) == SERIAL
    assert not written.exists()


def test_a_store_that_we_may_not_write_can_be_looked_at(results, monkeypatch):
    """A lock of somebody else there: who computes cannot be told."""
    shared = Store(results / "records", SUPERNET)
    unlock(lock(shared, "0" * 16))
    (shared.folder / ".state" / "1.lock").touch()

    def refuse(self, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert locked(shared) == set()


def test_an_interrupt_while_locking_leaves_no_lock(monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) as caught:
        patch.setattr(Path, "unlink", interrupt)
        lock(store(), TINY.key)
    assert caught.tb is not None  # it refers to the lock, as in a notebook
    assert locked(store()) == set()


def test_clocks_do_not_matter(results, monkeypatch):
    """Set back by decades while runs wait, with records and locks from the future and the past."""
    execute(compute, SEEDS[:2])
    execute(compute, [seeded(9)])
    monkeypatch.setattr(time, "time", lambda: 0.0)
    for age, path in enumerate(sorted((results / "records").rglob("*"))):
        os.utime(path, (2**31 * (age % 2),) * 2)
    file = lock(store(), seeded(3).key)
    assert locked(store()) == {seeded(3).key}
    unlock(file)
    assert execute(compute) == SERIAL
    assert calls() == {0: 1, 1: 1, 2: 1, 3: 1, 9: 1}


# ---- disks


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_full_disk_stops_the_sweep_until_there_is_room(results, monkeypatch, workers):
    fsync, written = os.fsync, []

    def full_after_two(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_after_two)
        with pytest.raises(NasreproError) as caught:
            execute(compute, [*SEEDS, seeded(4)], workers=workers)
    message = str(caught.value)
    assert "1 of 5 runs failed, 2 were given up, the others are stored" in message
    assert f"{seeded(2).key}: cannot write" in message and "No space left" in message
    assert calls() == {0: 1, 1: 1, 2: 1}
    assert len(files(results)) == 2 and list(store().verify()) == []
    assert execute(compute, workers=workers) == SERIAL
    assert calls() == {0: 1, 1: 1, 2: 2, 3: 1}


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_computed(results):
    (results / "records").mkdir(parents=True)
    (results / "records" / ".state").write_text("no folder")
    with pytest.raises(DataError, match=f"cannot compute {seeded(0).key}: cannot lock a file in"):
        execute(compute)
    assert not note("calls").exists()


def test_a_record_cut_in_half_is_named_and_nothing_is_computed():
    execute(compute, SEEDS[:2])
    path = store().path(seeded(1).key)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=f"{seeded(1).key}.npz is not a complete record; delete it"):
        execute(compute)
    path.unlink()
    assert execute(compute) == SERIAL
    assert calls() == {0: 1, 1: 2, 2: 1, 3: 1}


# ---- studies


@pytest.fixture
def study(monkeypatch) -> list[SupernetConfig]:
    """A study of four runs; computing them is only noted."""
    kind = dataclasses.replace(SUPERNET, compute=compute)
    monkeypatch.setattr(
        correlations, "design", lambda profile, seeds: {config: {} for config in SEEDS}
    )
    monkeypatch.setattr(results_module, "KINDS", (kind,))
    monkeypatch.setattr(results_module, "kind_of", lambda config: kind)
    return SEEDS


def test_what_a_study_lacks_is_said_once_and_before_any_run_is_given_out(study, monkeypatch):
    def missing(name):
        raise DataError("no way leads to the images")

    monkeypatch.setattr(run_setup, "load_images", missing)
    with pytest.raises(DataError) as caught:
        compute_missing("correlations", "smoke")
    assert str(caught.value) == "no way leads to the images"
    with pytest.raises(ConfigError, match="cannot compute on 'gpu'"):
        compute_missing("correlations", "smoke", device="gpu")
    assert not note("calls").exists() and failures(store()) == {}


def test_a_study_that_is_stored_needs_nothing(study, monkeypatch):
    compute_missing("correlations", "smoke")
    assert plan("correlations", "smoke").stored == SERIAL
    monkeypatch.setattr(results_module, "check_inputs", mistaken)
    compute_missing("correlations", "smoke", device="gpu")


def test_what_joins_a_design_when_others_are_stored_is_computed_after_them(study, monkeypatch):
    def design(profile, seeds):
        found = 2 if store().load(SEEDS[0].key) else 1
        return {config: {} for config in SEEDS[:found]}

    monkeypatch.setattr(correlations, "design", design)
    assert compute_missing("correlations", "smoke") == 2
    assert store().stored_keys() == sorted(config.key for config in SEEDS[:2])
    assert compute_missing("correlations", "smoke") == 0


def test_what_a_clusters_workers_need_is_not_asked_of_this_machine(study, monkeypatch):
    calls = []
    monkeypatch.setattr(results_module, "execute", lambda *args: calls.append(args[-1]))
    compute_missing("correlations", "smoke", device="gpu", scheduler="tcp://host:8786")
    assert calls == ["tcp://host:8786"]


# ---- what a terminal shows


def test_the_bar_counts_failures_and_shows_the_largest_memory(monkeypatch, capfd):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(NasreproError):
        execute_with(SEEDS, mistaken, store())
    shown = capfd.readouterr().err
    assert "100%" in shown and "4 of 4 runs; 1 failed, peak 321 MB" in shown


def test_a_log_has_a_line_for_each_tenth_of_the_work(capfd):
    """Where standard error is no terminal."""
    execute_with([seeded(seed) for seed in range(20)], compute, store())
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 10 and lines[0].startswith("2 of 20 runs, about ")
    assert lines[-1] == "20 of 20 runs; 0 failed, peak 321 MB"


def test_many_failures_are_counted():
    with pytest.raises(NasreproError) as caught:
        execute(failing, [seeded(seed) for seed in range(12)])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("12 of 12 runs failed") and len(lines) == 12
    assert lines[-1] == "and 2 more"
    assert len(failures(store())) == 12


def failing(config: SupernetConfig, device: str) -> Record:
    raise DataError("no images")
