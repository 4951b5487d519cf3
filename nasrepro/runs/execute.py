"""Compute what the store lacks, and store it."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from filelock import BaseFileLock

from nasrepro.errors import DataError, NasreproError
from nasrepro.progress import Progress
from nasrepro.runs.executors import check_versions, open_executor, versions
from nasrepro.runs.locks import lock, note_failure, unlock, wait_until_unlocked
from nasrepro.runs.store import Store

TRIES = 2  # of a run that was lost with its process, e.g. because memory was full
SHOWN = 10  # failures in a message


def execute(
    configs: Iterable[Any],
    compute: Callable[[Any, str], Any],
    store: Store,
    workers: int = 0,
    device: str = "cpu",
    progress: bool = True,
    scheduler: str | None = None,
) -> list[Any]:
    """The records of some configs; what the store has is read, the rest computed and stored.

    Wherever a run is computed, this process stores its record. A run that another client of the
    store computes is waited for.

    Args:
        configs: the runs wanted; each has a `key`.
        compute: from a config and a device to its record, e.g. `run`; a function of a module, so
            that another process finds it.
        store: where the records are.
        workers: local processes, each with one single-threaded run at a time; 0 computes in this
            process. With a scheduler, how many runs to give it at once; 0: as many as its workers
            can take now.
        device: where to compute.
        progress: show on standard error what is done, the time left, failures and the largest
            memory of a run.
        scheduler: address of a Dask scheduler that computes, e.g. "tcp://host:8786".

    Returns:
        One record per config, in their order.

    Raises:
        ConfigError: if there is no such cluster, or its workers cannot take the runs.
        NasreproError: after all other runs are stored, if any failed; it names their keys.
    """
    configs = list(configs)
    missing = [c for c in dict.fromkeys(configs) if store.load(c.key) is None]
    if missing:
        with (
            open_executor(workers, device, scheduler) as (pool, slots),
            Progress(len(missing), "runs", progress) as bar,
        ):
            sweep = _Sweep(compute, store, device, pool, slots, bar, deque(missing))
            sweep.run()
        sweep.check()
    return [store.read(store.path(config.key)) for config in configs]


@dataclass
class _Sweep:
    """What one `execute` computes: runs that wait, that are being computed, that failed."""

    compute: Callable[[Any, str], Any]
    store: Store
    device: str
    pool: Executor
    slots: int  # runs to give the executor at once
    bar: Progress
    waiting: deque[Any]
    running: dict[Future, Any] = field(default_factory=dict)
    locks: dict[Any, BaseFileLock] = field(default_factory=dict)  # of what is running
    losses: Counter[Any] = field(default_factory=Counter)  # how often a run's process was lost
    failed: dict[str, Exception] = field(default_factory=dict)
    done: int = 0
    peak_memory_mb: float = 0.0

    def run(self) -> None:
        """Compute and store everything that can be."""
        try:
            while self.waiting or self.running:
                self.begin()
                if self.running:
                    for future in wait_for(self.running, return_when=FIRST_COMPLETED).done:
                        self.end(future)
                elif self.waiting:  # other clients compute all that is left
                    wait_until_unlocked(self.store, self.waiting[0].key)
        finally:
            for file in self.locks.values():
                unlock(file)

    def begin(self) -> None:
        """Give the executor as many runs as it has free slots."""
        for _ in range(len(self.waiting)):
            if not self.waiting or len(self.running) == self.slots:
                return
            config = self.waiting.popleft()
            if (file := lock(self.store, config.key)) is None:
                self.waiting.append(config)  # another client computes it
                continue
            self.locks[config] = file
            if (record := self.store.load(config.key)) is None:
                self.submit(config)
            else:  # another client has just computed it
                self.count(record)
                unlock(self.locks.pop(config))

    def submit(self, config: Any) -> None:
        """Give the executor one run."""
        task = partial(compute_alone, self.compute, config, self.device, versions())
        try:
            self.running[self.pool.submit(task)] = config
        except NasreproError as error:
            self.give_up(config, error)

    def end(self, future: Future) -> None:
        """Store what was computed, try again what was lost, note what failed."""
        config = self.running.pop(future)
        try:
            record = future.result()
        except (BrokenExecutor, CancelledError) as error:
            self.losses[config] += 1
            if self.losses[config] < TRIES:
                self.waiting.appendleft(config)
            else:
                self.fail(config, error)
        except Exception as error:
            self.fail(config, error)
        else:
            try:
                self.store.save(record)
                self.count(record)
            except DataError as error:
                self.give_up(config, error)
        unlock(self.locks.pop(config))

    def count(self, record: Any) -> None:
        """Show one more stored run."""
        self.done += 1
        self.peak_memory_mb = max(self.peak_memory_mb, record.measurement.peak_memory_mb)
        self.show()

    def fail(self, config: Any, error: Exception) -> None:
        """Show, and tell other terminals, that a run failed."""
        self.failed[config.key] = error
        with suppress(DataError):  # where records cannot be written, this cannot either
            note_failure(self.store, config.key, sentence(error))
        self.show()

    def give_up(self, config: Any, error: Exception) -> None:
        """Begin no further run after one that could not be sent, or not be stored."""
        self.fail(config, error)
        self.waiting.clear()

    def show(self) -> None:
        """Bring the bar up to date."""
        note = f"{len(self.failed)} failed, peak {self.peak_memory_mb:,.0f} MB"
        self.bar.update(self.done + len(self.failed), note)

    def check(self) -> None:
        """Raise a NasreproError if runs failed; the first one that nobody foresaw is its cause."""
        if not self.failed:
            return
        lines = [f"{key}: {sentence(error)}" for key, error in self.failed.items()]
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        left = self.bar.total - self.done - len(lines)
        unforeseen = [e for e in self.failed.values() if not isinstance(e, NasreproError)]
        raise NasreproError(
            f"{len(lines)} of {self.bar.total} runs failed, "
            f"{f'{left} were given up, ' if left else ''}the others are stored; "
            "run again to compute what is missing:\n" + "\n".join(lines[:SHOWN] + more)
        ) from next(iter(unforeseen), None)


def sentence(error: Exception) -> str:
    """Why a run failed, for people."""
    if isinstance(error, BrokenExecutor):
        return f"its process was killed, {TRIES} times; does a run fit into the memory?"
    if isinstance(error, CancelledError):
        return f"the connection to the scheduler was lost, {TRIES} times"
    return str(error) if isinstance(error, NasreproError) else f"{type(error).__name__}: {error}"


def compute_alone(
    compute: Callable[[Any, str], Any], config: Any, device: str, expected: dict[str, str]
) -> Any:
    """The record of one run, whose peak memory is that of this run and not of earlier ones.

    Raises:
        ConfigError: if this process has other versions than those expected.
    """
    check_versions(expected)
    with suppress(OSError):  # only Linux can; elsewhere the peak never falls
        Path("/proc/self/clear_refs").write_text("5")
    return compute(config, device)
