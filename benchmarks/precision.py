"""What "bfloat16" in a config costs on this processor: PyTorch's mixed precision and the library's.

They are the same where the processor multiplies bfloat16; elsewhere the library computes float32.
"""

from collections.abc import Iterable
from dataclasses import replace

import plain
from supernet import CASES, evaluator, random_cells, shared, trainer
from timing import entry, in_turns

from nasrepro.nets.nb201 import Network

CASE = replace(CASES[0], steps=8, evaluated=60)


def entries() -> Iterable[dict]:
    """Training and evaluation of the small network, as rows of `results/bench.json`."""
    for name, make, forward, count in (
        ("training", trainer, Network.forward, CASE.steps),
        ("evaluation", evaluator, shared, CASE.evaluated),
    ):
        cells = random_cells(count)
        ways = {
            "always mixed": make(CASE, cells, forward, "bfloat16", plain.autocast),
            "as the library does": make(CASE, cells, forward, "bfloat16"),
        }
        seconds, images = in_turns(ways, CASE.turns), count * CASE.batch_size
        yield entry(f"bfloat16, {name}", str(CASE), seconds, *ways, images=images)
