"""Two local workers against one: the same short runs by processes that were started before.

A sweep's workers last, so what counts is how they share a machine, not how long they take to start.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial

from timing import entry, in_turns

from nasrepro.runs.config import changed
from nasrepro.runs.executors import LocalProcesses
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.studies.subspaces import PROFILES

RUNS, TURNS = 4, 5


def entries() -> Iterable[dict]:
    """Runs of study 1, far shorter: the turn that warms up also starts the processes."""
    base = PROFILES["cpu"].base
    few = {"data.train_images": 10_000, "train.epochs": 1, "cells.random": 25, "cells.top": 0}
    short = changed(base, {"net": PROFILES["cpu"].nets["S"]} | few)
    configs = [replace(short, seed=seed) for seed in range(RUNS)]
    with LocalProcesses(1) as one, LocalProcesses(2) as two:
        pools = {"1 worker": one, "2 workers": two}
        ways = {name: partial(compute, pool, configs) for name, pool in pools.items()}
        what = (
            f"{RUNS} runs of study 1 with {short.train.epochs} epoch on "
            f"{short.data.train_images:,} images, by processes that are running"
        )
        yield entry("local workers", what, in_turns(ways, TURNS, time.perf_counter), *ways)


def compute(pool: Executor, configs: list[SupernetConfig]) -> None:
    """Compute all runs."""
    list(pool.map(run, configs))
