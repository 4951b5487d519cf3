"""Training and evaluation of the NAS-Bench-201 supernet on a GPU: the library against plain ways.

The ways of `supernet.py`, in elapsed time, each waiting for the GPU before its turn ends. Only on a
GPU does the library put many architectures into one batch.
"""

import time
from collections.abc import Iterable
from functools import partial

import plain
import torch
from supernet import Case, evaluator, one_by_one, random_cells, trainer
from timing import Work, entry, in_turns
from torch import Tensor

from nasrepro.errors import ConfigError
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import Network
from nasrepro.nets.stacked import forward_in_stacks
from nasrepro.runs.setup import deterministic_convolutions
from nasrepro.spaces.nb201 import Cell

DEVICE = "cuda"
CASES = (
    Case("small", NetConfig(16, 1, tracked_statistics=False), 16, 128, 100, 500, 5),
    Case("large", NetConfig(16, 5, tracked_statistics=False), 32, 256, 30, 100, 5),
)


def entries() -> Iterable[dict]:
    """Every comparison of this file, as rows of `results/bench.json`."""
    if not torch.cuda.is_available():
        raise ConfigError("PyTorch finds no GPU here; leave out gpu")
    with deterministic_convolutions():
        for case in CASES:
            yield from training(case)
            yield from evaluation(case)


def training(case: Case) -> Iterable[dict]:
    """Forward, loss, backward and update, one random architecture a step."""
    cells = random_cells(case.steps)
    make = partial(trainer, case, cells, device=DEVICE)
    ways = {
        "plain fp32": make(plain.forward, "float32"),
        "plain bf16": make(plain.forward, "bfloat16", plain.autocast),
        "library fp32": make(Network.forward, "float32"),
        "library bf16": make(Network.forward, "bfloat16"),
    }
    compared = [("plain fp32", "library fp32"), ("plain bf16", "library bf16")]
    yield from rows(f"training on a GPU, {case.name}", str(case), ways, compared, case, len(cells))


def evaluation(case: Case) -> Iterable[dict]:
    """Logits of many random architectures on one batch."""
    cells = random_cells(case.evaluated)
    make = partial(evaluator, case, cells, device=DEVICE)
    ways = {
        "plain fp32": make(one_by_one, "float32"),
        "plain bf16": make(one_by_one, "bfloat16", plain.autocast),
        "stacked fp32": make(in_stacks, "float32"),
        "stacked bf16": make(in_stacks, "bfloat16"),
    }
    compared = [("plain fp32", "stacked fp32"), ("plain bf16", "stacked bf16")]
    what = f"{case}, {len(cells)} random architectures"
    yield from rows(f"evaluation on a GPU, {case.name}", what, ways, compared, case, len(cells))


def rows(
    name: str,
    what: str,
    ways: dict[str, Work],
    compared: Iterable[tuple[str, str]],
    case: Case,
    batches: int,
) -> Iterable[dict]:
    """The rows of ways that were timed in turns."""
    finished = {way: partial(finish, work) for way, work in ways.items()}
    seconds = in_turns(finished, case.turns, time.perf_counter)
    for baseline, way in compared:
        row = entry(name, what, seconds, baseline, way, images=batches * case.batch_size)
        yield row | {"machine": {"gpu": torch.cuda.get_device_name()}}


def finish(work: Work) -> None:
    """Do the work until the GPU has done it."""
    work()
    torch.cuda.synchronize()


def in_stacks(net: Network, images: Tensor, cells: list[Cell]) -> None:
    """As `nasrepro.evaluate` does on a GPU: twins once, many paths in one batch."""
    paths = {cell.path: cell for cell in cells}
    for _ in forward_in_stacks(net, images, list(paths.values())):
        pass
