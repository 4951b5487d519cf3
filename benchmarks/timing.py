"""Time several ways of the same work in turns, and keep the ratios.

Turns of one way lie between those of the others, so that whatever else slows the machine slows
them alike. What is kept is the ratio of two ways in the same turn: its median, least and largest.
"""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

Work = Callable[[], object]


def in_turns(
    ways: Mapping[str, Work], turns: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Seconds of each way in each turn, after one turn that only warms up.

    Args:
        ways: name to a function that does the whole work.
        turns: how often each is timed.
        clock: CPU time of this process by default, which other processes disturb least; for work
            in other processes `time.perf_counter`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    gc.disable()
    for turn in range(turns + 1):
        for name, work in ways.items():
            start = clock()
            work()
            if turn:
                seconds[name].append(clock() - start)
    gc.enable()
    return seconds


def entry(
    name: str, what: str, seconds: Mapping[str, list[float]], slow: str, fast: str, **details: Any
) -> dict[str, Any]:
    """One row of `results/bench.json`: how many times as fast the second way is as the first.

    Args:
        name: of the comparison.
        what: the work, in words.
        seconds: of `in_turns`.
        slow: the way that is the baseline.
        fast: the way compared with it.
        details: more that belongs to the row, e.g. `images`: how many the work takes.
    """
    ratios = [a / b for a, b in zip(seconds[slow], seconds[fast], strict=True)]
    return {
        "name": name,
        "what": what,
        "baseline": slow,
        "way": fast,
        "ratio": {
            "median": round(median(ratios), 2),
            "min": round(min(ratios), 2),
            "max": round(max(ratios), 2),
        },
        "turns": len(ratios),
        "seconds": {way: round(median(seconds[way]), 4) for way in (slow, fast)},
        **details,
    }
