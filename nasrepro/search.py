"""Search for an architecture, and what it has found after how much time. No torch here.

A search is the order in which it evaluates architectures. They are numbered 0..n-1, as the rows of
a table; arrays of accuracies and costs have one value for each. Several runs of a search are an
array of integers [runs, evaluations].
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

from nasrepro.metrics import finite_vector
from nasrepro.spaces import SPACES


class Curves(NamedTuple):
    """Test regret over search time; entry t of a run holds from its t-th training's end on."""

    time: np.ndarray  # float64 [runs, evaluations], ascending, in the unit of the costs
    regret: np.ndarray  # float64 [runs, evaluations], in the unit of the test accuracies


def random_search(
    cells: int, evaluations: int, runs: int, generator: np.random.Generator
) -> np.ndarray:
    """Distinct architectures in random order (Pourchot, section 4.3).

    Args:
        cells: size of the space.
        evaluations: of each run; all cells if there are fewer.
        runs: number of runs.
        generator: source of randomness; its state advances.

    Returns:
        Integers [runs, evaluations].

    >>> sorted(random_search(3, 10, 1, np.random.default_rng(0))[0].tolist())
    [0, 1, 2]
    """
    _check_positive(cells=cells, evaluations=evaluations, runs=runs)
    count = min(evaluations, cells)
    return np.stack([generator.choice(cells, count, replace=False) for _ in range(runs)])


def greedy_search(
    score: ArrayLike,
    neighbours: Callable[[int], np.ndarray],
    evaluations: int,
    runs: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Hill climbing with restarts (Pourchot, section 4.3).

    From a random architecture, all neighbours are evaluated and the best becomes the current one,
    until none is better than it; then from another random architecture. The paper does not say
    what becomes of an architecture met again, nor in which order neighbours are evaluated. Here
    each is evaluated once (its score is known from then on), a restart begins with one that is not
    evaluated yet, and neighbours are evaluated in random order.

    Args:
        score: to be maximised, e.g. validation or proxy accuracy, shape (cells,).
        neighbours: the distinct neighbours of a cell, at least one; see `neighbourhood`.
        evaluations: of each run; all cells if there are fewer.
        runs: number of runs, each with a generator of its own.
        generator: source of randomness; spawns those of the runs.

    Returns:
        Integers [runs, evaluations], distinct within a run.

    On a line 0 - 1 - 2 with scores 1, 2, 3 every run reaches 2 within three evaluations.

    >>> line = [np.array([1]), np.array([0, 2]), np.array([1])]
    >>> found = greedy_search([1, 2, 3], line.__getitem__, 3, 1, np.random.default_rng(0))
    >>> sorted(found[0].tolist())
    [0, 1, 2]
    """
    scores = finite_vector(score, "score", at_least=1)
    _check_positive(evaluations=evaluations, runs=runs)
    count = min(evaluations, len(scores))
    return np.stack([_climb(scores, neighbours, count, own) for own in generator.spawn(runs)])


def _climb(
    score: np.ndarray,
    neighbours: Callable[[int], np.ndarray],
    evaluations: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """One run of `greedy_search`, integers [evaluations]."""
    starts = iter(generator.permutation(len(score)).tolist())
    known = np.zeros(len(score), dtype=bool)
    order: list[int] = []
    while len(order) < evaluations:
        current = next(start for start in starts if not known[start])
        known[current] = True
        order.append(current)
        climbing = True
        while climbing and len(order) < evaluations:
            around = neighbours(current)
            new = generator.permutation(around[~known[around]])
            known[new] = True
            order += new.tolist()
            best = int(around[score[around].argmax()])
            climbing = score[best] > score[current]
            current = best
    return np.array(order[:evaluations])


def regularised_evolution(
    score: ArrayLike,
    neighbours: Callable[[int], np.ndarray],
    evaluations: int,
    runs: int,
    generator: np.random.Generator,
    population: int = 10,
    sample: int = 3,
) -> np.ndarray:
    """Evolution in which the oldest dies (Real et al. 2019), sized as by Dong & Yang 2020.

    A population of random architectures; then again and again the best of a random sample of it is
    changed in one place, the child is evaluated and the oldest leaves.

    Args:
        score: to be maximised, shape (cells,).
        neighbours: the children that a cell can have; see `neighbourhood`, whose own cell counts as
            a change that changes nothing.
        evaluations: of each run; an architecture met again counts again.
        runs: number of runs, each with a generator of its own.
        generator: source of randomness; spawns those of the runs.
        population: how many live, at most `evaluations`.
        sample: of the population, drawn with replacement, of which the best is the parent.

    Returns:
        Integers [runs, evaluations].

    On a line 0 - 1 - 2 with scores 1, 2, 3:

    >>> line = [np.array([1]), np.array([0, 2]), np.array([1])]
    >>> rng = np.random.default_rng(0)
    >>> found = regularised_evolution([1, 2, 3], line.__getitem__, 40, 1, rng, population=2)
    >>> found.shape, int(found.max())
    ((1, 40), 2)
    """
    scores = finite_vector(score, "score", at_least=1)
    _check_positive(evaluations=evaluations, runs=runs, population=population, sample=sample)
    if population > evaluations:
        raise ValueError(f"population: expected at most {evaluations}, found {population}")
    orders = []
    for own in generator.spawn(runs):
        order = own.integers(len(scores), size=population).tolist()
        while len(order) < evaluations:
            alive = np.array(order[-population:])
            drawn = alive[own.integers(population, size=sample)]
            parent = int(drawn[scores[drawn].argmax()])
            order.append(int(own.choice(neighbours(parent))))
        orders.append(order)
    return np.array(orders)


def neighbourhood(space: str, codes: np.ndarray) -> Callable[[int], np.ndarray]:
    """The neighbours of a cell within a set of cells, and the cell itself; each looked up once.

    Args:
        space: a key of `SPACES`; its `neighbours` says which cells are neighbours.
        codes: `Cell.code` of the set, distinct, integer [n].

    Returns:
        A function from a row of `codes` to distinct rows, integer [m].

    >>> from nasrepro.spaces.nb201 import Subspace
    >>> two = np.array([cell.code for cell in Subspace(("none", "skip_connect")).cells()])
    >>> len(neighbourhood("nb201", two)(0))
    7
    """
    module, order = SPACES[space], np.argsort(codes)

    @cache
    def rows(row: int) -> np.ndarray:
        cell = module.Cell.from_code(int(codes[row]))
        around = np.array([neighbour.code for neighbour in module.neighbours(cell)])
        places = np.searchsorted(codes, around, sorter=order)
        found = order[np.minimum(places, len(codes) - 1)]
        return np.unique(np.append(found[codes[found] == around], row))

    return rows


def by_proxy(order: np.ndarray, proxy: ArrayLike) -> np.ndarray:
    """The architectures that a search on a proxy met, in the order in which they are then trained.

    Best proxy accuracy first (Pourchot, section 4.3); equal ones as the search met them.

    Args:
        order: integers [runs, evaluations].
        proxy: accuracies with the supernet's weights, shape (cells,).

    >>> by_proxy(np.array([[0, 1, 2]]), [0.1, 0.3, 0.3]).tolist()
    [[1, 2, 0]]
    """
    falling = np.argsort(-finite_vector(proxy, "proxy", at_least=1)[order], axis=-1, kind="stable")
    return np.take_along_axis(order, falling, axis=-1)


def best_of_drawn(score: ArrayLike, drawn: int) -> np.ndarray:
    """How probable each architecture is the best of so many that are drawn without replacement.

    Of n, the j-th best is it with probability C(n - j, drawn - 1) / C(n, drawn): it is drawn, and
    none of the j - 1 better ones is. Equal ones share their probabilities evenly.

    Args:
        score: shape (n,).
        drawn: from 1 to n.

    Returns:
        Float64 [n], of sum 1.

    Three of six pairs of four have the best, two the second best but not the best:

    >>> best_of_drawn([0.1, 0.4, 0.3, 0.2], 2).round(3).tolist()
    [0.0, 0.5, 0.333, 0.167]
    >>> best_of_drawn([0.1, 0.4, 0.4, 0.2], 2).round(3).tolist()
    [0.0, 0.417, 0.417, 0.167]
    """
    scores = finite_vector(score, "score", at_least=1)
    if not 1 <= drawn <= len(scores):
        raise ValueError(f"drawn: expected 1 to {len(scores)}, found {drawn}")
    behind = np.arange(len(scores) - 1, 0, -1)  # how many are worse than the j-th best
    ratios = np.maximum(behind - drawn + 1, 0) / behind
    chances = drawn / len(scores) * np.cumprod(np.append(1.0, ratios))
    order = np.argsort(-scores, kind="stable")
    return _shared(scores[order], chances)[np.argsort(order)]


def expected_best(score: ArrayLike, value: ArrayLike, evaluations: int) -> np.ndarray:
    """The mean value of the best of 1, 2, ... architectures drawn without replacement.

    What random search has found on average, exactly: `best_of_drawn` times the values.

    Args:
        score: to select by, shape (n,).
        value: to report, shape (n,).
        evaluations: of a search; all n if there are fewer.

    Returns:
        Float64 [evaluations].

    >>> expected_best([1, 2, 3], [10, 20, 30], 3).round(3).tolist()
    [20.0, 26.667, 30.0]
    """
    scores, values = finite_vector(score, "score", 1), finite_vector(value, "value", 1)
    _check_positive(evaluations=evaluations)
    order = np.argsort(-scores, kind="stable")
    # Summed by parts: the chance that none of the first j is drawn, times the step after the j-th.
    steps = np.diff(_shared(scores[order], values[order]), append=0.0)
    left, missed = np.arange(len(scores) - 1, -1, -1.0), np.ones(len(scores))
    means = np.empty(min(evaluations, len(scores)))
    for n in range(len(means)):
        missed *= np.maximum(left - n, 0) / (len(scores) - n)
        means[n] = ((missed - 1) * steps).sum()
    return means


def expected_top(score: ArrayLike, value: ArrayLike, drawn: int, picked: int) -> float:
    """The mean value of the best few of architectures drawn without replacement, expected.

    The j-th best of n is among them if it is drawn and fewer than `picked` better ones are, whose
    number is hypergeometric. Equal ones share their values evenly.

    Args:
        score: to select by, shape (n,).
        value: to report, shape (n,).
        drawn: from 1 to n.
        picked: how many of those drawn are selected, from 1.

    Of the three pairs of three, two have the best, and both of a pair are picked:

    >>> round(expected_top([1, 2, 3], [10, 20, 30], drawn=2, picked=1), 3)
    26.667
    >>> round(expected_top([1, 2, 3], [10, 20, 30], drawn=2, picked=2), 3)
    20.0
    """
    scores, values = finite_vector(score, "score", 1), finite_vector(value, "value", 1)
    n = len(scores)
    if not 1 <= picked <= drawn <= n:
        raise ValueError(
            f"expected 1 <= picked <= drawn <= {n}, found picked={picked}, drawn={drawn}"
        )
    order = np.argsort(-scores, kind="stable")
    chances = _chances_of_top(n, drawn, picked)
    return float(chances @ _shared(scores[order], values[order]) / picked)


@cache  # slow, and the same for all scores
def _chances_of_top(n: int, drawn: int, picked: int) -> np.ndarray:
    """How probable the j-th best of n is among the best `picked` of those drawn, float64 [n]."""
    better = np.arange(n)  # than the j-th best
    return drawn / n * hypergeom.cdf(picked - 1, n - 1, better, drawn - 1)


def _shared(scores: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Numbers of architectures sorted by score, the mean of each group of equal scores."""
    starts = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    sizes = np.diff(starts, append=len(scores))
    return np.repeat(np.add.reduceat(numbers, starts) / sizes, sizes)


def incumbents(order: np.ndarray, validation: ArrayLike) -> np.ndarray:
    """The best validated architecture after each evaluation; of equals, the first.

    Args:
        order: integers [runs, evaluations].
        validation: shape (cells,).

    Returns:
        Integers [runs, evaluations].

    >>> incumbents(np.array([[2, 0, 1]]), [93, 94, 92]).tolist()
    [[2, 0, 1]]
    >>> incumbents(np.array([[1, 0, 2]]), [93, 94, 92]).tolist()
    [[1, 1, 1]]
    """
    accuracy = finite_vector(validation, "validation", at_least=1)[order]
    best = np.maximum.accumulate(accuracy, axis=-1)
    improved = np.diff(best, axis=-1, prepend=-np.inf) > 0
    step = np.maximum.accumulate(np.where(improved, np.arange(order.shape[-1]), 0), axis=-1)
    return np.take_along_axis(order, step, axis=-1)


def regret_curves(
    order: np.ndarray,
    validation: ArrayLike,
    test: ArrayLike,
    cost: ArrayLike,
    before: ArrayLike = 0.0,
    best: float | None = None,
) -> Curves:
    """Test regret over search time.

    R(t) = max test(a) - test(argmax validation(a_i), i <= t), the maximum over the whole space and
    the argmax over the architectures trained by time t (Pourchot, equation 11). Time counts every
    cost: what was spent before the first training, then the trainings one after another.

    Args:
        order: in which architectures are trained on their own, integers [runs, evaluations].
        validation: stand-alone accuracies to select by, shape (cells,).
        test: stand-alone accuracies to report, shape (cells,).
        cost: of each stand-alone training, above zero, in any unit of time, shape (cells,).
        before: spent before the first one, in the same unit: a number, or one for each run. With
            weight sharing: the supernet's training and all evaluations with its weights.
        best: the space's best test accuracy, if it has more cells than these.

    The second cell validates better than the first and tests worse, the third improves on both.

    >>> curves = regret_curves(np.array([[0, 1, 2]]), [90, 91, 92], [91, 90, 93], [2, 2, 3], 10)
    >>> curves.time.tolist(), curves.regret.tolist()
    ([[12.0, 14.0, 17.0]], [[2.0, 3.0, 0.0]])
    """
    tests, costs = finite_vector(test, "test", 1), finite_vector(cost, "cost", 1)
    if (costs <= 0).any():
        raise ValueError(f"cost: expected times above zero, found {costs.min()}")
    start = np.broadcast_to(np.asarray(before, dtype=np.float64), order.shape[:1])
    highest = tests.max() if best is None else best
    if highest < tests.max():
        raise ValueError(f"best: expected at least {tests.max()}, the best cell's, found {best}")
    return Curves(
        time=start[:, None] + np.cumsum(costs[order], axis=-1),
        regret=highest - tests[incumbents(order, validation)],
    )


def regret_at(curves: Curves, budget: float) -> np.ndarray:
    """The regret of each run after a given search time, float64 [runs].

    Raises:
        ValueError: if a run has not finished its first training by then.

    >>> regret_at(Curves(np.array([[1.0, 2.0, 3.0]]), np.array([[9.0, 5.0, 4.0]])), 2.5).tolist()
    [5.0]
    """
    finished = (curves.time <= budget).sum(axis=-1)
    if not finished.all():
        raise ValueError(
            f"a budget of {budget} ends before the first training of "
            f"{np.count_nonzero(finished == 0)} of {len(finished)} runs"
        )
    return np.take_along_axis(curves.regret, finished[:, None] - 1, axis=-1)[:, 0]


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}: expected at least 1, found {number}")
