"""Searches and their regret over time: the library against a loop over single evaluations.

Both ways draw from equal generators and so meet the same architectures: those of NAS-Bench-201,
with made-up accuracies and costs, so that no table is needed.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from timing import entry, in_turns

from nasrepro.search import Curves, greedy_search, neighbourhood, random_search, regret_curves
from nasrepro.spaces import nb201
from nasrepro.spaces.nb201 import EDGES, NUM_CELLS, OPERATIONS, Cell

RUNS, EVALUATIONS, TURNS = 100, 10_000, 3


class Landscape(NamedTuple):
    """Stand-alone accuracies and costs of all cells, float64 [cells] each."""

    validation: np.ndarray
    test: np.ndarray
    cost: np.ndarray


def entries() -> Iterable[dict]:
    """Random and greedy search, each with its regret over time."""
    what = f"{RUNS} runs of {EVALUATIONS:,} evaluations, {NUM_CELLS:,} cells, regret included"
    for name, loop, library in (
        ("random search", loop_random, library_random),
        ("greedy search", loop_greedy, library_greedy),
    ):
        work = (landscape(), EVALUATIONS, RUNS)
        functions = {"one evaluation at a time": loop, "library": library}
        ways = {way: partial(function, *work) for way, function in functions.items()}
        yield entry(name, what, in_turns(ways, TURNS), *ways)


def landscape() -> Landscape:
    """What each edge's operation adds to the accuracy, and noise: many local optima."""
    generator = np.random.default_rng(0)
    gains = generator.normal(size=(len(EDGES), len(OPERATIONS)))
    digits = np.unravel_index(np.arange(NUM_CELLS), (len(OPERATIONS),) * len(EDGES))
    effects = sum(gain[digit] for gain, digit in zip(gains, digits, strict=True))
    validation, test = effects + generator.normal(size=(2, NUM_CELLS))
    return Landscape(validation, test, cost=generator.uniform(1, 2, NUM_CELLS))


def library_random(cells: Landscape, evaluations: int, runs: int) -> Curves:
    """Time and regret, [runs, evaluations]."""
    order = random_search(len(cells.cost), evaluations, runs, np.random.default_rng(0))
    return regret_curves(order, *cells)


def library_greedy(cells: Landscape, evaluations: int, runs: int) -> Curves:
    """Time and regret, [runs, evaluations]; looking up neighbours is part of the work."""
    around = neighbourhood("nb201", np.arange(NUM_CELLS))
    order = greedy_search(cells.validation, around, evaluations, runs, np.random.default_rng(0))
    return regret_curves(order, *cells)


def loop_random(cells: Landscape, evaluations: int, runs: int) -> list[list[tuple[float, float]]]:
    """What `library_random` gives, as pairs of time and regret."""
    generator, known = np.random.default_rng(0), [values.tolist() for values in cells]
    orders = (generator.choice(NUM_CELLS, evaluations, replace=False) for _ in range(runs))
    return [loop_regret(order.tolist(), *known) for order in orders]


def loop_greedy(cells: Landscape, evaluations: int, runs: int) -> list[list[tuple[float, float]]]:
    """What `library_greedy` gives, as pairs of time and regret."""
    generators, known = np.random.default_rng(0).spawn(runs), [values.tolist() for values in cells]
    around = cache(neighbours)
    orders = (loop_climb(known[0], around, evaluations, generator) for generator in generators)
    return [loop_regret(order, *known) for order in orders]


def loop_climb(
    accuracy: Sequence[float],
    around: Callable[[int], list[int]],
    evaluations: int,
    generator: np.random.Generator,
) -> list[int]:
    """The cells that one greedy search evaluates, in their order."""
    order: list[int] = []
    evaluated: set[int] = set()
    for start in generator.permutation(len(accuracy)).tolist():
        if start in evaluated:
            continue
        order.append(start)
        evaluated.add(start)
        current, best = None, start
        while best != current and len(order) < evaluations:
            current = best
            new = [cell for cell in around(current) if cell not in evaluated]
            order += generator.permutation(new).tolist()
            evaluated.update(new)
            best = max(around(current), key=accuracy.__getitem__)
        if len(order) >= evaluations:
            return order[:evaluations]
    return order


def neighbours(code: int) -> list[int]:
    """Codes of a cell and of its neighbours, ascending."""
    around = nb201.neighbours(Cell.from_code(code))
    return sorted([code, *(neighbour.code for neighbour in around)])


def loop_regret(
    order: Iterable[int],
    validation: Sequence[float],
    test: Sequence[float],
    cost: Sequence[float],
) -> list[tuple[float, float]]:
    """Time and regret after each evaluation of one run."""
    highest, best, time = max(test), float("-inf"), 0.0
    curve = []
    for cell in order:
        time += cost[cell]
        if validation[cell] > best:
            best, regret = validation[cell], highest - test[cell]
        curve.append((time, regret))
    return curve
