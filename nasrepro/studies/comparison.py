"""One search against another, with weight sharing or without (Pourchot, section 4.3).

Nothing here knows a benchmark: cells are the rows of a landscape, and a supernet is what it says of
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nasrepro.benchmarks import nb101
from nasrepro.effects import effect_interval, p_of_effect, probability_of_superiority, welch_test
from nasrepro.rounding import mean_of, varies
from nasrepro.search import (
    Curves,
    best_of_drawn,
    by_proxy,
    expected_best,
    greedy_search,
    random_search,
    regret_at,
    regret_curves,
)
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb101 import NUM_CELLS
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import mean_interval, stratified_difference

# What weight sharing costs, in stand-alone trainings of 108 epochs. Pourchot takes the mean
# training time of a space for that of a supernet (section 4.3); that it is four times as long is
# inferred from the epochs of section 4.2. Of an evaluation the paper says that it takes about four
# seconds; here it is one forward pass, taken for a third of a step, over the validation images.
SUPERNET = 432 / 108
EVALUATION = nb101.IMAGES / (3 * nb101.EPOCHS * 40_000)
EVALUATIONS = 10_000  # of each search of the paper
# Trainings that end in the time of a one-shot search of the paper: supernet, evaluations, its pick.
ONE_SHOT = int(SUPERNET + EVALUATIONS * EVALUATION + 1)
# Runs of each search of the paper without and with weight sharing (section 4.3).
RUNS = (100, 25)
# The longest one-shot search, in mean trainings: three times a supernet's price, 10,000 evaluations
# and the pick, with room for one that costs more than the mean.
LONGEST = 25
# Trainings after which two searches are compared.
AT = (5, 10, ONE_SHOT, 25, 50, 100, 250, 500, 1_000)

# What a comparison tells; see `compare` and `effect`.
COMPARED = (
    *("benchmark", "space", "method", "charge", "baseline", "guided"),
    *("supernets", "failed", "guided_runs", "baseline_runs"),
    *("budget", "baseline_trainings", "baseline_regret", "guided_regret"),
    *(
        "difference",
        "ci_low",
        "ci_high",
        "df",
        "deviation",
        "d",
        "d_low",
        "d_high",
        "t_low",
        "t_high",
    ),
    *("bootstrap_low", "bootstrap_high", "p_welch", "p_student", "superiority"),
    "trainings_to_match",
)


@dataclass(frozen=True)
class Protocol:
    """How much is searched: numbers only."""

    runs: int = 100  # of each search without weight sharing, to its end
    draws: int = 20_000  # of random search without it, for as long as a one-shot search takes
    evaluations: int = EVALUATIONS  # of each of them; by proxy, of those that can ask for any cell
    guided: int = 5  # drawn searches with each supernet; those of a sample share it out
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
# From such searches and the proxy accuracies to how probable each cell is the first to be trained,
# float64 [n].
Picks = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ProxySearch:
    """A search by proxy: some searches as they are drawn, and what any such search picks."""

    draw: Draw
    picks: Picks


@dataclass(frozen=True, eq=False)
class Regrets:
    """The regrets that one search may have, and how probable each is."""

    values: np.ndarray  # percent, float64 [n]
    weights: np.ndarray  # float64 [n], of sum 1

    @property
    def mean(self) -> float:
        """The expected regret; rounding does not carry it past the least or the greatest."""
        possible = self.values[self.weights > 0]
        return float(np.clip(self.weights @ self.values, possible.min(), possible.max()))

    @property
    def variance(self) -> float:
        """Of the regret of a single search."""
        return float(self.weights @ (self.values - self.mean) ** 2)


@dataclass(frozen=True, eq=False)
class Guided:
    """Searches with one supernet."""

    curves: Curves  # of drawn searches, one row each
    first: Regrets  # of the cell that a search trains first
    budget: float  # mean time until it is trained


@dataclass(frozen=True, eq=False)
class Baseline:
    """Searches without weight sharing."""

    curves: Curves  # to their end, one row a run
    early: Curves  # for as long as a one-shot search takes
    regret: np.ndarray  # mean after each training, float64 [evaluations]


def complete(accuracy: np.ndarray) -> Landscape:
    """A whole space with one accuracy a cell, whose trainings all cost one."""
    return Landscape(accuracy, accuracy, np.ones(len(accuracy)), float(accuracy.max()))


def without_sharing(
    about: dict[str, str],
    landscape: Landscape,
    around: Callable[[int], np.ndarray],
    protocol: Protocol,
    generator: np.random.Generator,
) -> tuple[dict[str, Baseline], pd.DataFrame, list[pd.DataFrame]]:
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
    size = (protocol.evaluations, protocol.runs, generator)
    greedy = landscape.curves(greedy_search(landscape.validation, around, *size))
    found = {
        "RS": at_random(landscape, protocol, generator),
        "GS": Baseline(greedy, greedy, mean_of(greedy.regret, axis=0)),
    }
    compared = pd.DataFrame(against_greedy(found, len(landscape.cost))).assign(**about)
    lines = [
        baseline_curve(about["benchmark"], about["space"], search, of.curves, protocol.points)
        for search, of in found.items()
    ]
    return found, compared, lines


def at_random(cells: Landscape, protocol: Protocol, generator: np.random.Generator) -> Baseline:
    """Random search without weight sharing.

    Its mean regret after each training is exact. That at a time is not, as cells cost different
    times: it is drawn, from so many runs that their error is a hundredth of one run's deviation.

    Args:
        cells: to search.
        protocol: how much is searched.
        generator: its state advances.
    """
    n = len(cells.cost)
    # As many as the cheapest cells allow.
    most = int(np.searchsorted(np.sort(cells.cost).cumsum(), LONGEST * cells.cost.mean())) + 1
    return Baseline(
        cells.curves(random_search(n, protocol.evaluations, protocol.runs, generator)),
        cells.curves(random_search(n, most, protocol.draws, generator)),
        cells.best - expected_best(cells.validation, cells.test, protocol.evaluations),
    )


def by_chance(order: np.ndarray, proxy: np.ndarray) -> np.ndarray:
    """`Picks` of a random search of so many cells: its expectation over all draws, exactly."""
    return best_of_drawn(proxy, order.shape[1])


def by_share(order: np.ndarray, proxy: np.ndarray) -> np.ndarray:
    """`Picks` of any search: the share of the drawn searches that pick each cell."""
    return np.bincount(by_proxy(order, proxy)[:, 0], minlength=len(proxy)) / len(order)


def sharing_out(searches: int) -> ProxySearch:
    """Random searches that share out the cells that a supernet evaluated.

    No two of the drawn ones have a cell in common. What a search picks is the expectation over all
    draws of as many cells.
    """

    def draw(proxy: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        share = len(proxy) // searches
        return generator.permutation(len(proxy))[: searches * share].reshape(searches, share)

    return ProxySearch(draw, by_chance)


def search_with(
    cells: Landscape,
    proxy: np.ndarray,
    charge: Charge,
    search: ProxySearch,
    generator: np.random.Generator,
) -> Guided | None:
    """Searches with one supernet.

    Each evaluates cells by proxy and then trains them from the best one down (Pourchot, section
    4.3). Each bears the supernet's whole cost.

    Args:
        cells: those that the supernet evaluated.
        proxy: accuracies with its weights, shape (n,).
        charge: what it costs.
        search: by proxy.
        generator: of the draws; its state advances.

    Returns:
        None if the supernet failed: without accuracies, or all the same.
    """
    if len(proxy) == 0 or not varies(proxy):
        return None
    order = search.draw(proxy, generator)
    before = charge.supernet + charge.evaluation * cells.cost[order].sum(axis=1)
    picked = search.picks(order, proxy)
    evaluating = charge.evaluation * order.shape[1] * float(mean_of(cells.cost))
    return Guided(
        cells.curves(by_proxy(order, proxy), before),
        Regrets(cells.best - cells.test, picked),
        charge.supernet + evaluating + float(picked @ cells.cost),
    )


def guided_by(
    evaluations: pd.DataFrame,
    landscape: Landscape,
    rows: Callable[[pd.Series], np.ndarray],
    charge: Charge,
    search: ProxySearch,
    generator: np.random.Generator,
) -> list[Guided | None]:
    """`search_with` each supernet of a space, by its seed.

    Args:
        evaluations: columns seed, code, proxy; a row without proxy is a supernet without any.
        landscape: of all cells that can be met.
        rows: where cells stand in it, by their codes.
        charge: what each supernet costs.
        search: by its proxy accuracies.
        generator: of the draws; its state advances.
    """
    found = []
    for _, run in evaluations.groupby("seed"):
        once = run.dropna(subset="proxy").drop_duplicates("code")
        cells, proxy = landscape.take(rows(once["code"])), once["proxy"].to_numpy()
        found.append(search_with(cells, proxy, charge, search, generator))
    return found


def compare_all(
    about: dict[str, str],
    baselines: dict[str, Baseline],
    supernets: Sequence[Guided | None],
    generator: np.random.Generator,
    resamples: int,
) -> list[dict[str, str | float]]:
    """`compare` of each baseline: rows of the columns `COMPARED`."""
    return [
        {**about, "baseline": name} | compare(baseline, supernets, generator, resamples)
        for name, baseline in baselines.items()
    ]


def compare(
    baseline: Baseline,
    supernets: Sequence[Guided | None],
    generator: np.random.Generator,
    resamples: int,
) -> dict[str, float]:
    """A search without weight sharing less one with it, at the one-shot budget.

    Args:
        baseline: the searches without.
        supernets: the searches with each; None for one that failed.
        generator: spawns that of the bootstrap; its own draws stay what they are.
        resamples: of the bootstrap.

    Returns:
        The entries of `COMPARED` after "guided"; of failed supernets alone, only the counts.
        guided_runs, baseline_runs: searches drawn. budget: mean time until a search with weight
        sharing has trained its pick (Pourchot, section 4.3). baseline_trainings: that end by then,
        on average. baseline_regret, guided_regret: expected then. trainings_to_match: after how
        many the baseline's mean regret is as low.

    Raises:
        ValueError: if the baseline ends before the budget with cells to search left.
    """
    guided = [searches for searches in supernets if searches is not None]
    counts: dict[str, float] = {
        "supernets": len(guided),
        "failed": len(supernets) - len(guided),
        "guided_runs": sum(len(searches.curves.regret) for searches in guided),
        "baseline_runs": len(baseline.early.regret),
    }
    if not guided:
        return counts
    budget = float(mean_of(np.array([searches.budget for searches in guided])))
    end, evaluations = baseline.early.time[:, -1].min(), baseline.early.time.shape[1]
    if end < budget and evaluations < len(baseline.regret):
        raise ValueError(f"the baseline ends at {end}, before the budget of {budget}")
    without = regret_at(baseline.early, budget)
    regret = float(mean_of(np.array([searches.first.mean for searches in guided])))
    as_good = np.flatnonzero(baseline.regret <= regret)
    return {
        **counts,
        "budget": budget,
        "baseline_trainings": float((baseline.early.time <= budget).sum(axis=1).mean()),
        "baseline_regret": float(mean_of(without)),
        "guided_regret": regret,
        **effect(
            without, [searches.first for searches in guided], generator.spawn(1)[0], resamples
        ),
        "trainings_to_match": float(as_good[0] + 1) if len(as_good) else np.nan,
    }


def effect(
    without: np.ndarray, found: Sequence[Regrets], generator: np.random.Generator, resamples: int
) -> dict[str, float]:
    """How far the regrets without and with weight sharing lie apart, in every way to say it.

    A supernet counts once, with the expectation over the searches that it may guide: nothing
    depends on which cells a search happens to draw.

    Args:
        without: of runs without weight sharing, shape (runs,).
        found: of a search with each supernet.
        generator: of the bootstrap; its state advances.
        resamples: of the bootstrap.

    Returns:
        difference: of the mean of the runs and the mean over supernets of their expected regrets,
            with Welch's interval (`ci_low`, `ci_high`), its degrees of freedom (`df`) and p of runs
            and supernets; NaN with one supernet, and where all agree. With many runs it is
            Student's, over supernets.
        deviation: of single searches, pooled with the weights of the paper's runs (`RUNS`):
            sqrt((99 v + 24 w) / 123). v is the variance of the runs; w that of one search with any
            supernet: the mean variance of searches that share one, and the variance of the expected
            regrets over supernets (of one supernet, the former alone).
        d: the difference in its units, Cohen's; `d_low` and `d_high` are Welch's bounds in the same
            units, as if the deviation were known. NaN where nothing varies.
        t_low, t_high: bounds of d by the noncentral t distribution; p_student: Student's p. Both
            are what the paper's numbers of runs would give for this d: 100 and 25 independent ones.
        bootstrap_low, bootstrap_high: bounds of d, supernets resampled; the runs are kept. Too
            narrow for few supernets.
        superiority: how often a search with weight sharing has the smaller regret.
    """
    means = np.array([regrets.mean for regrets in found])
    within = np.array([regrets.variance for regrets in found])
    estimate = stratified_difference([without], [means])
    difference = estimate.interval()
    deviation = float(_pooled(without, means, within))
    unit = deviation or np.nan  # where no run differs, there is no d
    d = difference.mean / unit
    noncentral = effect_interval(d, *RUNS)
    drawn = generator.integers(len(found), size=(resamples, len(found)))
    low, high = np.nan, np.nan
    if len(found) > 1 and deviation:
        effects = mean_of(without) - mean_of(means[drawn])
        effects /= _pooled(without, means[drawn], within[drawn])
        low, high = np.quantile(effects, [0.025, 0.975])
    return {
        "difference": difference.mean,
        "ci_low": difference.low,
        "ci_high": difference.high,
        "df": estimate.df,
        "deviation": deviation,
        "d": d,
        "d_low": difference.low / unit,
        "d_high": difference.high / unit,
        "t_low": noncentral.low,
        "t_high": noncentral.high,
        "bootstrap_low": float(low),
        "bootstrap_high": float(high),
        "p_welch": welch_test(without, means).p if len(means) > 1 else np.nan,
        "p_student": p_of_effect(d, *RUNS),
        "superiority": probability_of_superiority(
            without,
            np.concatenate([regrets.values for regrets in found]),
            np.concatenate([regrets.weights for regrets in found]),
        ),
    }


def _pooled(without: np.ndarray, means: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The deviation of `effect`; means and variances of supernets along the last axis."""
    alone = without.var(ddof=1) if varies(without) else 0.0
    together = mean_of(within)
    if means.shape[-1] > 1:
        together = together + np.where(varies(means), means.var(ddof=1, axis=-1), 0.0)
    runs, searches = RUNS
    squares = (runs - 1) * alone + (searches - 1) * together
    return np.sqrt(squares / (runs + searches - 2))


def paper_trainings(size: int) -> int:
    """As large a share of a space as a search of the paper evaluates of the whole NAS-Bench-101.

    >>> paper_trainings(15_625)
    369
    """
    return round(EVALUATIONS / NUM_CELLS * size)


def against_greedy(baselines: dict[str, Baseline], size: int) -> list[dict[str, float]]:
    """Random less greedy search after the same numbers of trainings.

    The regret of random search is its exact expectation; the interval is Student's, over the runs
    of greedy search.

    Args:
        baselines: "RS" and "GS".
        size: of the space.
    """
    random, greedy = baselines["RS"].regret, baselines["GS"].curves.regret
    runs, most = greedy.shape
    rows = []
    for n in sorted({n for n in (*AT, paper_trainings(size)) if n <= most}):
        found = mean_interval(random[n - 1] - greedy[:, n - 1])
        means = {"random": random[n - 1], "greedy": mean_of(greedy[:, n - 1])}
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
    benchmark: str, space: str, search: str, supernets: Sequence[Guided | None], points: int
) -> list[pd.DataFrame]:
    """Mean regret over time of the drawn searches of each supernet, over supernets; none of none"""
    guided = [searches.curves for searches in supernets if searches is not None]

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
