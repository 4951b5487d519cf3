"""Two local workers against one: the same short runs, computed anew."""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from timing import entry, in_turns

from nasrepro.runs.execute import execute
from nasrepro.runs.run import run
from nasrepro.runs.store import Record, Store
from nasrepro.studies.correlations import PROFILES

RUNS = 4


def entries() -> Iterable[dict]:
    """Four runs of study 1 at a fortieth of its length, on one worker and on two."""
    base = PROFILES["cpu"].base
    short = replace(
        base,
        net=PROFILES["cpu"].nets["S"],
        train=replace(base.train, epochs=2),
        cells=replace(base.cells, random=50, top=0),
    )
    configs = [replace(short, seed=seed) for seed in range(RUNS)]
    ways = {
        f"{count} worker{'s' if count > 1 else ''}": partial(compute, configs, count)
        for count in (1, 2)
    }
    what = f"{RUNS} runs of study 1, {short.train.epochs} epochs, start of the processes included"
    yield entry("local workers", what, in_turns(ways, 2, time.perf_counter), *ways)


def compute(configs: list, workers: int) -> None:
    """Compute all runs into a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        execute(configs, run, Store(Path(folder), Record), workers=workers, progress=False)
