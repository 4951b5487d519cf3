"""Executing: processes, clusters and clients that are killed, and what is left of the runs."""

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from test_runs import TINY, files, made_up, seeded, store
from threadpoolctl import threadpool_info

from nasrepro.errors import NasreproError
from nasrepro.runs.config import RunConfig
from nasrepro.runs.execute import execute as execute_with
from nasrepro.runs.executors import THREAD_VARIABLES, LocalProcesses
from nasrepro.runs.locks import failures, locked
from nasrepro.runs.run import peak_memory_mb, run
from nasrepro.runs.store import Record

SEEDS = [seeded(seed) for seed in range(4)]
SERIAL = [made_up(config) for config in SEEDS]
PATIENCE = 120  # seconds; only a test that fails waits so long


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


def compute(config: RunConfig, device: str) -> Record:
    """Count the call, and give a record at once."""
    with note("calls").open("a") as file:
        file.write(f"{config.seed}\n")
    return made_up(config)


def killed_once(config: RunConfig, device: str) -> Record:
    """The first time, the process of seed 1 is killed in the middle of its run."""
    record = compute(config, device)
    if config.seed == 1 and calls()[1] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def always_killed(config: RunConfig, device: str) -> Record:
    record = compute(config, device)
    if config.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def mistaken(config: RunConfig, device: str) -> Record:
    record = compute(config, device)
    return record if config.seed != 1 else 1 / 0


def held(config: RunConfig, device: str) -> Record:
    """The first time, seed 0 says that it began and waits until it may end."""
    record = compute(config, device)
    if config.seed == 0 and calls()[0] == 1:
        note("began").write_text("")  # a pipe: both wait for the other side
        note("may-end").read_text()
    return record


def measured(config: RunConfig, device: str) -> Record:
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
    """Another Python process that knows this module, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", f"from test_execute import *\n{script}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# ---- local processes


def test_processes_last_and_have_one_thread_each(monkeypatch):
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "2")
    found = [r.measurement for r in execute(measured, [*SEEDS, seeded(4)], workers=2)]
    assert len({m.cpu for m in found}) <= 2 and str(os.getpid()) not in {m.cpu for m in found}
    assert {m.threads for m in found} == {1}
    assert all(set(m.versions.values()) == {"1"} for m in found)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not forget a peak")
def test_peak_memory_is_that_of_the_run():
    large, *small = [r.measurement for r in execute(measured, workers=1)]
    assert {m.cpu for m in small} == {large.cpu}
    assert all(large.peak_memory_mb - m.peak_memory_mb > 250 for m in small)


@pytest.mark.slow
def test_a_run_is_the_same_in_a_process_that_computed_others():
    found = execute(run, SEEDS[:3], workers=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = run(SEEDS[2])
    finally:
        torch.set_num_threads(threads)
    assert found[2].measurement.threads == here.measurement.threads == 1
    assert dataclasses.replace(found[2], measurement=here.measurement) == here


def test_a_killed_worker_is_replaced_and_its_run_begun_again(results):
    assert execute(killed_once, workers=2) == SERIAL
    assert calls() == {0: 1, 1: 2, 2: 1, 3: 1}
    assert multiprocessing.active_children() == []
    assert files(results) == sorted(f"records/{config.key}.json" for config in SEEDS)


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


@pytest.mark.parametrize("workers", [0, 1])
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
        found = [pool.submit(abs, -n) for n in range(3)]
    assert [future.result() for future in found] == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "to"), [(signal.SIGINT, "group"), (signal.SIGINT, "client"), (signal.SIGKILL, "client")]
)
def test_no_process_is_left_when_the_client_ends(results, how, to):
    """Its output closes when the last process that inherited it has ended."""
    hold()
    client = start("execute(held, workers=2)")
    note("began").read_text()
    assert seeded(0).key in locked(store())
    (os.killpg if to == "group" else os.kill)(client.pid, how)
    _, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == -how, errors
    assert locked(store()) == set()
    assert execute(compute) == SERIAL
    assert files(results) == sorted(f"records/{config.key}.json" for config in SEEDS)
