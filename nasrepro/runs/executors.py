"""Where runs are computed: in this process, in local processes, on a Dask cluster.

All three are executors in the sense of `concurrent.futures`.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue

import torch
from threadpoolctl import threadpool_limits

from nasrepro.errors import ConfigError, NasreproError
from nasrepro.runs.machine import public_version

# What must agree between this process and a worker elsewhere.
PACKAGES = ("nasrepro", "numpy", "torch")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def open_executor(
    workers: int, device: str, scheduler: str | None
) -> Iterator[tuple[Executor, int]]:
    """An executor, and how many runs to give it at once; leaving it with an error ends its runs.

    Args:
        workers: local processes, or runs at once on a cluster; 0 for this process, or for as many
            as the cluster can take now.
        device: where each run computes.
        scheduler: address of a Dask scheduler, e.g. "tcp://host:8786"; None computes here.

    Raises:
        ConfigError: if there is no such cluster, or its workers cannot take the runs.
    """
    if scheduler is not None:
        with _cluster(scheduler, workers, device) as (cluster, slots):
            yield cluster, slots
    elif workers:
        with LocalProcesses(workers) as pool:
            yield pool, workers
    else:
        yield InProcess(), 1


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


class LocalProcesses(ThreadPoolExecutor):
    """Some lasting processes of one thread each: a killed one loses its own task and is replaced.

    The standard process pool is one unit: when a process of it dies, it ends the others too. So
    each process is a separate pool here, and a thread waits for what it computes.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._context = multiprocessing.get_context("spawn")
        # A pipe that closes when this process ends, however it ends, and its workers with it.
        self._ending, self._lifeline = self._context.Pipe(duplex=False)
        self._pools: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(workers):
            self._pools.put(self._new_pool())

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, _prepare_process, (self._ending,))

    def submit(self, function, /, *args, **kwargs) -> Future:
        """Schedule the function for the next idle process."""
        return super().submit(self._in_idle_process, function, args, kwargs)

    def _in_idle_process(self, function, args, kwargs):
        pool = self._pools.get()
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool:
            pool.shutdown()
            pool = self._new_pool()
            raise
        finally:
            self._pools.put(pool)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was submitted, then end the processes."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        while not self._pools.empty():
            self._pools.get().shutdown(wait)
        self._lifeline.close()

    def __exit__(self, kind, error, traceback) -> None:
        """End the processes: at once, and what they compute with them, after an error."""
        if kind is not None:
            self._lifeline.close()
        self.shutdown(cancel_futures=kind is not None)


def _prepare_process(ending: Connection) -> None:
    """One thread for every library; Ctrl-C is left to the client, with which this process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_client, args=(ending,), daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for what is loaded later
    threadpool_limits(1)
    torch.set_num_threads(1)


def _end_with_client(ending: Connection) -> None:
    with suppress(EOFError):
        ending.recv()
    os._exit(1)


class Cluster(Executor):
    """A Dask cluster. The same run asked for by two clients of a scheduler is one task of it."""

    def __init__(self, client, resources: dict[str, int]) -> None:
        self._client = client
        self._executor = client.get_executor(pure=True, resources=resources)

    def submit(self, function, /, *args, **kwargs) -> Future:
        """Schedule the function; NasreproError if the scheduler does not answer in Dask's time."""
        try:
            self._client.nthreads()  # else the future of a lost scheduler would never end
        except OSError as error:
            raise NasreproError("the connection to the scheduler was lost") from error
        return self._executor.submit(function, *args, **kwargs)


@contextmanager
def _cluster(scheduler: str, workers: int, device: str) -> Iterator[tuple[Executor, int]]:
    """A Dask cluster, and how many runs to give it at once.

    A run on another device than the CPU takes a worker's resource "GPU".
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "a Dask cluster needs more packages: pip install 'nasrepro[cluster]'"
        ) from error
    try:
        # A client that cannot connect would wait for a minute and print a traceback when it ends;
        # it is not asked in this thread, which has an event loop already in a notebook.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _try_connection(scheduler)).result()
        client = Client(scheduler, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {scheduler!r} ({error}); start one, dask scheduler, and "
            "give its address, such as tcp://host:8786"
        ) from error
    with client:
        resources = {} if device == "cpu" else {"GPU": 1}
        slots = _slots(client, resources)
        if not workers and not slots:
            raise ConfigError(
                f"the cluster at {scheduler} has no worker for {device!r}; start one: dask worker "
                f"{scheduler} --nthreads 1{' --resources GPU=1' * bool(resources)}; or say with "
                "`workers` how many will come"
            )
        yield Cluster(client, resources), workers or slots


async def _try_connection(scheduler: str) -> None:
    """Connect to a scheduler and close the connection; an error of many kinds if it fails."""
    from distributed import Security
    from distributed.comm import connect

    comm = await connect(scheduler, **Security().get_connection_args("client"))
    await comm.close()


def _slots(client, resources: dict[str, int]) -> int:
    """How many runs the workers there are can take; ConfigError if one of them is not fit."""
    client.run(check_versions, versions())
    workers = client.scheduler_info(n_workers=-1)["workers"]
    for address, worker in workers.items():
        if worker["nthreads"] != 1:
            raise ConfigError(
                f"the worker {address} has {worker['nthreads']} threads and would mix the "
                "measurements of its runs; start it with --nthreads 1"
            )
    return sum(
        all(worker["resources"].get(name, 0) >= n for name, n in resources.items())
        for worker in workers.values()
    )


def versions() -> dict[str, str]:
    """The versions here of what must agree everywhere."""
    return {package: public_version(package) for package in PACKAGES}


def check_versions(expected: dict[str, str]) -> None:
    """Raise a ConfigError unless this process has the versions of the client."""
    different = [
        f"{package} {version} instead of {expected[package]}"
        for package, version in versions().items()
        if version != expected[package]
    ]
    if different:
        raise ConfigError(
            f"a worker on {os.uname().nodename} has {', '.join(different)}; install there what "
            "the client has"
        )
