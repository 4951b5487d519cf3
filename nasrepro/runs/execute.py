"""Compute what the store lacks: in this process, or in local processes of one thread each."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from nasrepro.errors import NasreproError
from nasrepro.runs.store import Store

Config = TypeVar("Config")  # frozen, with a `key`


def execute(
    configs: Iterable[Config],
    compute: Callable[[Config, str], Any],
    store: Store,
    workers: int = 0,
    device: str = "cpu",
    progress: bool = True,
) -> list[Any]:
    """The records of some configs; what the store has is read, the rest computed and stored.

    Args:
        configs: the runs wanted; each has a `key`.
        compute: from a config and a device to its record, e.g. `run`; a function of a module, so
            that another process finds it.
        store: where the records are.
        workers: local processes, one single-threaded run each; 0 computes in this process.
        device: where to compute.
        progress: show a bar and the time left, if standard error is a terminal.

    Returns:
        One record a config, in their order.

    Raises:
        NasreproError: after all other runs are stored, if any failed; it names their keys.
    """
    configs = list(configs)
    pending = [c for c in dict.fromkeys(configs) if store.load(c.key) is None]
    # disable=None: no bar unless standard error is a terminal.
    bar = tqdm(total=len(pending), unit="run", disable=None if progress else True)
    with bar, executor(workers) as pool:
        futures = []
        for config in pending:
            futures.append(pool.submit(compute_and_save, config, compute, store, device))
            futures[-1].add_done_callback(lambda _: bar.update())
        failures = [
            f"{config.key}: {problem}"
            for config, future in zip(pending, futures, strict=True)
            if (problem := _problem(future))
        ]
    if failures:
        raise NasreproError(
            f"{len(failures)} of {len(pending)} runs failed, the others are stored; "
            "run again to compute what is missing:\n" + "\n".join(failures)
        )
    return [store.read(store.path(config.key)) for config in configs]


def _problem(future: Future) -> str | None:
    """What went wrong, for people; errors that are not the user's to mend are raised."""
    try:
        future.result()
    except BrokenProcessPool:
        return "its process was killed"
    except NasreproError as error:
        return str(error)
    return None


def compute_and_save(
    config: Config, compute: Callable[[Config, str], Any], store: Store, device: str
) -> str:
    """Compute one run, store its record, return its key."""
    store.save(compute(config, device))
    return config.key


@contextmanager
def executor(workers: int) -> Iterator[Executor]:
    """An executor for a number of workers; leaving it early cancels what has not begun."""
    pool = OneProcessARun(workers) if workers else InProcess()
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class InProcess(Executor):
    """Runs each task in this process when it is submitted."""

    def submit(self, function, /, *args, **kwargs) -> Future:
        """Run the function now and return its finished future."""
        future: Future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class OneProcessARun(ThreadPoolExecutor):
    """Gives each task a fresh process of one thread: a killed one takes no other task with it.

    The standard process pool is one unit: when a process of it dies, it ends the others too.
    """

    def submit(self, function, /, *args, **kwargs) -> Future:
        """Schedule the function for the next free place."""
        return super().submit(_in_new_process, function, args, kwargs)


def _in_new_process(function, args, kwargs):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=_prepare_process) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _prepare_process() -> None:
    """One thread, and a quiet end when the user interrupts the whole group of processes."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
