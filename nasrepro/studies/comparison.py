"""One search against another, with weight sharing or without (Pourchot, section 4.3).

Nothing here knows a benchmark: cells are the rows of a landscape, and a supernet is what it says of
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nasrepro.benchmarks import nb101
from nasrepro.rounding import mean_of, varies
from nasrepro.search import (
    Curves,
    by_proxy,
    greedy_search,
    one_shot_budget,
    random_search,
    regret_at,
    regret_curves,
)
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb101 import NUM_CELLS
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import (
    bootstrap_effect_interval,
    difference_interval,
    effect_interval,
    mean_interval,
    pooled_deviation,
    probability_of_superiority,
    student_test,
    welch_test,
)

# What weight sharing costs (Pourchot, section 4.3), in stand-alone trainings of 108 epochs: four
# times as many epochs; and for each cell one forward pass, a third of a step, over the validation
# images.
SUPERNET = 432 / 108
EVALUATION = nb101.IMAGES / (3 * nb101.EPOCHS * 40_000)
EVALUATIONS = 10_000  # of each search of the paper
# Trainings that end in the time of a one-shot search of the paper: supernet, evaluations, its pick.
ONE_SHOT = int(SUPERNET + EVALUATIONS * EVALUATION + 1)
# Trainings after which two searches are compared.
AT = (5, 10, ONE_SHOT, 25, 50, 100, 250, 500, 1_000)

# What a comparison tells; see `compare` and `effect`.
COMPARED = (
    *("benchmark", "space", "method", "charge", "baseline", "guided"),
    *("supernets", "failed", "guided_runs", "baseline_runs"),
    *("budget", "baseline_trainings", "baseline_regret", "guided_regret"),
    *("difference", "ci_low", "ci_high", "deviation", "d", "d_low", "d_high", "t_low", "t_high"),
    *("bootstrap_low", "bootstrap_high", "p_welch", "p_student", "superiority"),
    "trainings_to_match",
)


@dataclass(frozen=True)
class Protocol:
    """How much is searched: numbers only."""

    runs: int = 100  # of each search without weight sharing
    evaluations: int = EVALUATIONS  # of each of them; by proxy, of those that can ask for any cell
    guided: int = 5  # searches with each supernet
    whole: Subspace = field(default_factory=Subspace)  # where supernets evaluate every cell
    macro: MacroSubspace = field(default_factory=MacroSubspace)  # and every network
    points: int = 40  # of a curve
    resamples: int = 9_999  # of a bootstrap
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Landscape:
    """A set of cells as a search sees it."""

    validation: np.ndarray  # to select by, percent, float64 [n]
    test: np.ndarray  # to report, percent, float64 [n]
    cost: np.ndarray  # of a stand-alone training, float64 [n]
    best: float  # test accuracy of the best cell of the space, percent

    def take(self, rows: np.ndarray) -> "Landscape":
        """Some of the cells; regret is still that to the best of the space."""
        return Landscape(self.validation[rows], self.test[rows], self.cost[rows], self.best)

    def curves(self, order: np.ndarray, before: np.ndarray | float = 0.0) -> Curves:
        """`regret_curves` of a search on it."""
        return regret_curves(order, self.validation, self.test, self.cost, before, self.best)


@dataclass(frozen=True)
class Charge:
    """What weight sharing costs."""

    supernet: float  # training, in the unit of `Landscape.cost`
    evaluation: float  # of a cell, as a share of its stand-alone training


# From the proxy accuracies of n cells to the cells that each search evaluates, integers
# [searches, evaluations].
Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def complete(accuracy: np.ndarray) -> Landscape:
    """A whole space with one accuracy a cell, whose trainings all cost one."""
    return Landscape(accuracy, accuracy, np.ones(len(accuracy)), float(accuracy.max()))


def without_sharing(
    about: dict[str, str],
    landscape: Landscape,
    around: Callable[[int], np.ndarray],
    protocol: Protocol,
    generator: np.random.Generator,
) -> tuple[dict[str, Curves], pd.DataFrame, list[pd.DataFrame]]:
    """Random and greedy search of a complete space without weight sharing.

    Args:
        about: benchmark and space, as in the frames.
        landscape: of the cells.
        around: the neighbours of a cell; see `neighbourhood`.
        protocol: how much is searched.
        generator: its state advances.

    Returns:
        The searches, "RS" and "GS"; how they compare; and a curve of each.
    """
    cells, size = len(landscape.cost), (protocol.evaluations, protocol.runs, generator)
    found = {
        "RS": landscape.curves(random_search(cells, *size)),
        "GS": landscape.curves(greedy_search(landscape.validation, around, *size)),
    }
    compared = pd.DataFrame(against_greedy(found, cells)).assign(**about)
    lines = [
        baseline_curve(about["benchmark"], about["space"], search, curves, protocol.points)
        for search, curves in found.items()
    ]
    return found, compared, lines


def sharing_out(searches: int) -> Draw:
    """Random searches that share out the cells that a supernet evaluated.

    As no two have a cell in common, they are as independent as one supernet allows.
    """

    def draw(proxy: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        share = len(proxy) // searches
        return generator.permutation(len(proxy))[: searches * share].reshape(searches, share)

    return draw


def guided_curves(
    cells: Landscape,
    proxy: np.ndarray,
    charge: Charge,
    draw: Draw,
    generator: np.random.Generator,
) -> Curves | None:
    """Searches with one supernet.

    Each evaluates cells by proxy and then trains them from the best one down (Pourchot, section
    4.3). Each bears the supernet's whole cost.

    Args:
        cells: those that the supernet evaluated.
        proxy: accuracies with its weights, shape (n,).
        charge: what it costs.
        draw: which cells each search evaluates, in which order.
        generator: of the draw; its state advances.

    Returns:
        One row a search; None if the supernet failed: without accuracies, or all the same.
    """
    if len(proxy) == 0 or not varies(proxy):
        return None
    order = draw(proxy, generator)
    before = charge.supernet + charge.evaluation * cells.cost[order].sum(axis=1)
    return cells.curves(by_proxy(order, proxy), before)


def guided_by(
    evaluations: pd.DataFrame,
    landscape: Landscape,
    rows: Callable[[pd.Series], np.ndarray],
    charge: Charge,
    draw: Draw,
    generator: np.random.Generator,
) -> list[Curves | None]:
    """`guided_curves` of each supernet of a space, by its seed.

    Args:
        evaluations: columns seed, code, proxy; a row without proxy is a supernet without any.
        landscape: of all cells that can be met.
        rows: where cells stand in it, by their codes.
        charge: what each supernet costs.
        draw: which of its cells each search evaluates, in which order.
        generator: of the draws; its state advances.
    """
    found = []
    for _, run in evaluations.groupby("seed"):
        once = run.dropna(subset="proxy").drop_duplicates("code")
        cells, proxy = landscape.take(rows(once["code"])), once["proxy"].to_numpy()
        found.append(guided_curves(cells, proxy, charge, draw, generator))
    return found


def compare_all(
    about: dict[str, str],
    baselines: dict[str, Curves],
    supernets: Sequence[Curves | None],
    generator: np.random.Generator,
    resamples: int,
) -> list[dict[str, str | float]]:
    """`compare` of each baseline: rows of the columns `COMPARED`."""
    return [
        {**about, "baseline": name} | compare(baseline, supernets, generator, resamples)
        for name, baseline in baselines.items()
    ]


def compare(
    baseline: Curves,
    supernets: Sequence[Curves | None],
    generator: np.random.Generator,
    resamples: int,
) -> dict[str, float]:
    """A search without weight sharing less one with it, at the one-shot budget.

    Args:
        baseline: one row a run.
        supernets: the searches with each, one row a search; None for one that failed.
        generator: spawns that of the bootstrap; its own draws stay what they are.
        resamples: of the bootstrap.

    Returns:
        The entries of `COMPARED` after "guided"; of failed supernets alone, only the counts.
    """
    guided = [curves for curves in supernets if curves is not None]
    counts: dict[str, float] = {
        "supernets": len(guided),
        "failed": len(supernets) - len(guided),
        "guided_runs": sum(len(curves.regret) for curves in guided),
        "baseline_runs": len(baseline.regret),
    }
    if not guided:
        return counts
    budget = float(mean_of(np.array([one_shot_budget(curves) for curves in guided])))
    without = regret_at(baseline, budget)
    found = np.array([curves.regret[:, 0] for curves in guided])
    regret = float(mean_of(found, axis=None))
    as_good = np.flatnonzero(mean_of(baseline.regret, axis=0) <= regret)
    return {
        **counts,
        "budget": budget,
        "baseline_trainings": float((baseline.time <= budget).sum(axis=1).mean()),
        "baseline_regret": float(mean_of(without)),
        "guided_regret": regret,
        **effect(without, found, generator.spawn(1)[0], resamples),
        "trainings_to_match": float(as_good[0] + 1) if len(as_good) else np.nan,
    }


def effect(
    without: np.ndarray, found: np.ndarray, generator: np.random.Generator, resamples: int
) -> dict[str, float]:
    """How far two groups of regrets lie apart, in every way in which it can be said.

    Args:
        without: of runs without weight sharing, shape (runs,).
        found: of searches with it, shape (supernets, searches).
        generator: of the bootstrap; its state advances.
        resamples: of the bootstrap.

    Returns:
        difference: of the means, with Welch's interval (`ci_low`, `ci_high`) and Welch's p, of the
            runs and the means of the supernets; NaN with one supernet, and where all agree.
        deviation: pooled, of single runs. d: the difference in its units; `d_low` and `d_high` are
            Welch's bounds in the same units, as if the deviation were known. NaN where none varies.
        t_low, t_high: bounds of d by the noncentral t distribution, p_student: Student's p; both as
            the paper has them, as if searches with one supernet were independent.
        bootstrap_low, bootstrap_high: bounds of d, runs and whole supernets resampled.
        superiority: how often a search with weight sharing has the smaller regret.
    """
    means, singles = mean_of(found), found.ravel()
    difference = difference_interval(without, means)
    deviation = pooled_deviation(without, singles)
    unit = deviation or np.nan  # where no run differs, there is no d
    d = difference.mean / unit
    noncentral = effect_interval(d, len(without), len(singles))
    drawn = bootstrap_effect_interval(without, found, generator, resamples=resamples)
    return {
        "difference": difference.mean,
        "ci_low": difference.low,
        "ci_high": difference.high,
        "deviation": deviation,
        "d": d,
        "d_low": difference.low / unit,
        "d_high": difference.high / unit,
        "t_low": noncentral.low,
        "t_high": noncentral.high,
        "bootstrap_low": drawn.low,
        "bootstrap_high": drawn.high,
        "p_welch": welch_test(without, means).p if len(means) > 1 else np.nan,
        "p_student": student_test(without, singles).p,
        "superiority": probability_of_superiority(without, singles),
    }


def paper_trainings(size: int) -> int:
    """As large a share of a space as a search of the paper evaluates of the whole NAS-Bench-101.

    >>> paper_trainings(15_625)
    369
    """
    return round(EVALUATIONS / NUM_CELLS * size)


def against_greedy(baselines: dict[str, Curves], size: int) -> list[dict[str, float]]:
    """Random less greedy search after the same numbers of trainings, with Welch's interval.

    Args:
        baselines: "RS" and "GS".
        size: of the space.
    """
    random, greedy = baselines["RS"].regret, baselines["GS"].regret
    runs, most = random.shape
    rows = []
    for n in sorted({n for n in (*AT, paper_trainings(size)) if n <= most}):
        found = difference_interval(random[:, n - 1], greedy[:, n - 1])
        means = {"random": mean_of(random[:, n - 1]), "greedy": mean_of(greedy[:, n - 1])}
        bounds = {"difference": found.mean, "ci_low": found.low, "ci_high": found.high}
        rows.append({"trainings": n, **means, **bounds, "runs": runs})
    return rows


def baseline_curve(
    benchmark: str, space: str, search: str, curves: Curves, points: int
) -> pd.DataFrame:
    """Mean regret over time of independent runs."""
    return _curve([curves], lambda time: regret_at(curves, time), points).assign(
        benchmark=benchmark, space=space, search=search
    )


def guided_curve(
    benchmark: str, space: str, search: str, supernets: Sequence[Curves | None], points: int
) -> list[pd.DataFrame]:
    """Mean regret over time of the searches of each supernet, over supernets; none of none."""
    guided = [curves for curves in supernets if curves is not None]

    def means(time: float) -> np.ndarray:
        return np.array([regret_at(curves, time).mean() for curves in guided])

    about = {"benchmark": benchmark, "space": space, "search": f"{search} with weight sharing"}
    return [_curve(guided, means, points).assign(**about)] if guided else []


def _curve(
    runs: Sequence[Curves], values: Callable[[float], np.ndarray], points: int
) -> pd.DataFrame:
    """Mean and interval at times from where all runs have begun to where the first one ends."""
    begin = max(curves.time[:, 0].max() for curves in runs)
    end = min(curves.time[:, -1].min() for curves in runs)
    times = np.geomspace(begin, max(begin, end), points)
    times[0] = begin  # not a rounding below it
    rows = [(time, *mean_interval(values(time))) for time in times]
    return pd.DataFrame(rows, columns=["time", "regret", "ci_low", "ci_high", "n"])
