"""Study 3: does weight sharing improve a search (Pourchot section 5.2)?

Three benchmarks, each with what is there of it: NAS-Bench-101 with the authors' own supernets (a
sample of its cells; all of them where a user has its official file), NAS-Bench-201 with the small
supernets of study 1, and NAS-Bench-Macro without supernets. A search with weight sharing draws its
candidates from the cells that a supernet evaluated at random; those that study 1 evaluates for
their true rank are candidates only if they were drawn, too.

The supernet is the unit of replication: searches that share one are averaged before an interval is
computed. A failed supernet, diverged or constant, searches nothing and is counted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from nasrepro import claims
from nasrepro.benchmarks import Table, available_tables, load_table, macro, nb101, nb101_official
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.errors import ConfigError
from nasrepro.runs.config import RunConfig
from nasrepro.runs.store import Record
from nasrepro.search import (
    Curves,
    by_proxy,
    greedy_search,
    neighbourhood,
    one_shot_budget,
    random_search,
    regret_at,
    regret_curves,
)
from nasrepro.spaces.nb101 import NUM_CELLS, SUBSPACES
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import (
    Interval,
    bootstrap_effect_interval,
    difference_interval,
    effect_interval,
    fisher_interval,
    mean_interval,
    pooled_deviation,
    probability_of_superiority,
    student_test,
    welch_test,
)
from nasrepro.studies import appraisal, audit, correlations
from nasrepro.studies.appraisal import BASELINE, missing_files, rank_correlations

TABLE, COLUMN = correlations.TABLE, correlations.COLUMN
KINDS = ("comparisons", "searches", "curves", "ranks")
AUDITS = {
    "printed_effects": audit.effects,
    "printed_superiority": audit.superiorities,
    "printed_design": audit.design,
    "printed_text": audit.texts,
}
TABLES = (*KINDS, "table4", "claims", *AUDITS)

UNITS = {  # of search time
    "nb101": "seconds of training, as the benchmark measured them",
    nb101_official.NAME: "stand-alone trainings of 108 epochs",
    "nb201": "stand-alone trainings of 200 epochs",
    "macro": "stand-alone trainings of 50 epochs",
}

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

OURS = f"{BASELINE}, ours"  # supernets of study 1, charged as the authors'
PATHS = {"AVG-3": 3}  # paths of each update, where it is not one

# What a comparison tells; see `compare` and `effect`.
COMPARED = (
    *("benchmark", "space", "method", "charge", "baseline"),
    *("supernets", "failed", "guided_runs", "baseline_runs"),
    *("budget", "baseline_trainings", "baseline_regret", "guided_regret"),
    *("difference", "ci_low", "ci_high", "deviation", "d", "d_low", "d_high", "t_low", "t_high"),
    *("bootstrap_low", "bootstrap_high", "p_welch", "p_student", "superiority"),
    "trainings_to_match",
)

WHOLE = {  # the spaces on which random and greedy search are compared, and their sizes
    (nb101_official.NAME, str(SUBSPACES["A_FULL"])): NUM_CELLS,
    ("nb201", str(Subspace())): Subspace().size,
    ("macro", "all networks"): macro.NUM_CELLS,
}

NB201_IMAGES = 200 * 50_000  # that a stand-alone training of NAS-Bench-201 sees
AS_RUN, AS_IN_PAPER = "as run", "as in the paper"


@dataclass(frozen=True)
class Protocol:
    """How much is searched: numbers only."""

    runs: int = 100  # of each search without weight sharing
    evaluations: int = EVALUATIONS  # of each of them
    guided: int = 5  # searches that share out the cells of a supernet
    points: int = 40  # of a curve
    resamples: int = 9_999  # of a bootstrap
    seed: int = 0


PROTOCOLS = {
    "smoke": Protocol(runs=10, evaluations=200, points=8, resamples=199),
    "cpu": Protocol(),
    "paper": Protocol(),
}


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


def grid(profile: str, seeds: int | None = None) -> list[RunConfig]:
    """The small supernets of study 1, of NAS-Bench-101 those of BNS-FT; see `correlations.grid`."""
    if profile not in PROTOCOLS:
        raise ConfigError(f"unknown profile {profile!r}; choose from {', '.join(PROTOCOLS)}")
    configs = correlations.nb201_grid(profile, seeds)
    small = [config for config in configs if correlations.size_of(config, profile) == "S"]
    return small + appraisal.grid(profile, seeds, methods=(BASELINE,))


def table_of(profile: str) -> str:
    """Name of the table of NAS-Bench-201 that is the truth of a profile."""
    return correlations.table_of(profile)


def statistics(records: Sequence[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What is computed from a join with the tables, of each benchmark that is on this machine.

    Args:
        records: those of the profile's grid count.
        profile: a name in `PROTOCOLS`.
        table: the stand-alone accuracies of NAS-Bench-201.

    Returns:
        Frames named by kind and benchmark, e.g. `curves_nb101`; regrets in percent, time in
        `UNITS`.
        comparisons: a search without weight sharing less one with it, at the one-shot budget.
        searches: random less greedy search, both without weight sharing, after some trainings.
        curves: mean regret over time with its 95% interval.
        ranks: space, method, seed, spearman of the authors' supernets.
    """
    protocol, wanted = PROTOCOLS[profile], set(grid(profile))
    appraised = set(appraisal.grid(profile, methods=(BASELINE,)))
    mine = [record for record in records if record.config in wanted - appraised]
    frames = nb201_statistics(mine, profile, table, protocol)
    if macro.NAME in available_tables():
        frames |= macro_statistics(load_table(macro.NAME), protocol)
    if not missing_files():
        sample = nb101.read_sample(fetch(SOURCES[nb101.NAME]))
        authors = nb101.read_supernets(fetch(SOURCES["nb101-supernets"]), sample)
        trained = [record for record in records if record.config in appraised]
        ours = evaluations_of(trained, profile, load_table(nb101.NAME)) if trained else None
        frames |= {"ranks_nb101": rank_correlations(authors)}
        frames |= nb101_statistics(sample, authors, protocol, ours)
        if nb101_official.NAME in available_tables():
            frames |= whole_nb101_statistics(load_table(nb101_official.NAME), authors, protocol)
    return frames


def evaluations_of(records: Sequence[Record], profile: str, table: Table) -> pd.DataFrame:
    """What `appraisal.observe` gives, and one row without cell for each supernet without any."""
    about = appraisal.settings(profile)
    found = appraisal.observe(records, profile, table)
    trained = {(about[record.config][0], record.config.seed) for record in records}
    lost = sorted(trained - set(zip(found["space"], found["seed"], strict=True)))
    if lost:
        found = pd.concat([found, pd.DataFrame(lost, columns=["space", "seed"])], ignore_index=True)
    return found.assign(method=OURS)


def nb101_statistics(
    sample: pd.DataFrame,
    authors: pd.DataFrame,
    protocol: Protocol,
    ours: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Pourchot's spaces, as far as a sample and supernets, the authors' and ours, tell.

    The authors' comparisons do not depend on ours: each side has its own candidates and draws.

    Args:
        sample: what `nb101.read_sample` gives.
        authors: evaluations; columns space, method, seed, code, proxy.
        protocol: how much is searched.
        ours: the same of our supernets.
    """
    generator = np.random.default_rng(protocol.seed)  # spawns the authors' first
    comparisons, curves = nb101_searches(sample, authors, protocol, generator)
    if ours is not None:
        own, _ = nb101_searches(sample, ours, protocol, generator)
        comparisons = pd.concat([comparisons, own], ignore_index=True)
    return {"comparisons_nb101": comparisons, "curves_nb101": curves}


def nb101_searches(
    sample: pd.DataFrame,
    supernets: pd.DataFrame,
    protocol: Protocol,
    generator: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Comparisons and curves of some supernets.

    The cells of a space that its own supernets evaluated are a random sample of it: baselines
    search among them. The best cell is the best of the whole sample that lies in the space: where
    the sample misses a better one, all regrets are too small by the same amount. Validation and
    test accuracy are means of three runs, costs the mean seconds of one.
    """
    rows_of = pd.Index(sample["code"])
    everything = Landscape(
        nb101.mean_of_runs(sample, "validation"),
        nb101.mean_of_runs(sample, "test"),
        sample[[f"seconds_{run}" for run in nb101.RUNS]].to_numpy().mean(axis=1),
        best=np.nan,
    )
    comparisons, curves = [], []
    spaces = nb101.SPACES.values()
    for space, own in zip(spaces, generator.spawn(len(spaces)), strict=True):
        mine = supernets[supernets["space"] == space]
        if mine.empty:
            continue
        inside = SUBSPACES[space].mask(sample["code"].to_numpy())
        whole = replace(everything, best=float(everything.test[inside].max()))
        known = mine["code"].dropna().unique()
        # If all supernets diverged, nothing is compared, and any cells of the space will do.
        candidates = whole.take(rows_of.get_indexer(known) if len(known) else inside)
        order = random_search(len(candidates.cost), protocol.evaluations, protocol.runs, own)
        baseline = candidates.curves(order)
        curves.append(baseline_curve("nb101", space, "RS", baseline, protocol.points))
        for method, evaluated in mine.groupby("method", sort=False):
            charge = Charge(PATHS.get(method, 1) * SUPERNET * candidates.cost.mean(), EVALUATION)
            guided = guided_by(evaluated, whole, rows_of.get_indexer, charge, protocol.guided, own)
            about = {"benchmark": "nb101", "space": space, "method": method}
            about |= {"charge": AS_IN_PAPER, "baseline": "RS"}
            comparisons.append({**about, **compare(baseline, guided, own, protocol.resamples)})
            if method == BASELINE:
                curves += guided_curve("nb101", space, guided, protocol.points)
    return pd.DataFrame(comparisons, columns=COMPARED), pd.concat(curves, ignore_index=True)


def whole_nb101_statistics(
    table: Table, supernets: pd.DataFrame, protocol: Protocol
) -> dict[str, pd.DataFrame]:
    """Pourchot's spaces, complete: random and greedy search, and the authors' supernets (BNS-FT).

    It takes minutes, nearly all of them for the neighbours that greedy search asks for. A training
    costs one whatever the cell: the converted table has no times. Searches train as large a share
    of a space as the paper's do of the whole, or 1,000 cells if that is more.

    Args:
        table: all cells of NAS-Bench-101, their validation and test accuracy.
        supernets: evaluations; columns space, method, seed, code, proxy.
        protocol: how much is searched.
    """
    validation, test = (table.values[column.name] for column in table.columns)
    everything = Landscape(validation, test, np.ones(len(table)), best=np.nan)
    comparisons, searches, curves = [], [], []
    generators = np.random.default_rng(protocol.seed).spawn(len(SUBSPACES))
    for (space, subspace), generator in zip(SUBSPACES.items(), generators, strict=True):
        inside = np.flatnonzero(subspace.mask(table.codes))
        whole = replace(everything, best=float(test[inside].max()))
        most = min(protocol.evaluations, max(*AT, paper_trainings(len(inside))))
        about = {"benchmark": nb101_official.NAME, "space": space}
        baselines, compared, lines = without_sharing(
            about,
            whole.take(inside),
            "nb101",
            table.codes[inside],
            replace(protocol, evaluations=most),
            generator,
        )
        searches.append(compared)
        curves += lines
        evaluated = supernets.query("space == @space and method == @BASELINE")
        charge = Charge(SUPERNET, EVALUATION)
        guided = guided_by(evaluated, whole, table.rows, charge, protocol.guided, generator)
        about |= {"method": BASELINE, "charge": AS_IN_PAPER}
        comparisons += [
            {**about, "baseline": name} | compare(baseline, guided, generator, protocol.resamples)
            for name, baseline in baselines.items()
        ]
        curves += guided_curve(nb101_official.NAME, space, guided, protocol.points)
    return {
        f"{kind}_{nb101_official.NAME}": frame
        for kind, frame in {
            "comparisons": pd.DataFrame(comparisons, columns=COMPARED),
            "searches": pd.concat(searches, ignore_index=True),
            "curves": pd.concat(curves, ignore_index=True),
        }.items()
    }


def nb201_statistics(
    records: Iterable[Record], profile: str, table: Table, protocol: Protocol
) -> dict[str, pd.DataFrame]:
    """The full space and the masked ones, complete, with the supernets there are.

    The table has no validation accuracy: searches select by the test accuracy that they report,
    with and without weight sharing. A training costs one whatever the cell. Weight sharing is
    charged twice: for the images that our supernets saw, and by the paper's ratio.
    """
    comparisons, searches, curves = [], [], []
    by_space: dict[Subspace, list[Record]] = {}
    for record in records:
        by_space.setdefault(record.config.subspace, []).append(record)
    spaces = (*correlations.SINGLES, *correlations.DOUBLES)
    generators = np.random.default_rng(protocol.seed).spawn(len(spaces))
    for space, generator in zip(spaces, generators, strict=True):
        codes = table.subset(space.operations)
        landscape = complete(table.accuracy(codes, COLUMN))
        about = {"benchmark": "nb201", "space": str(space)}
        baselines, compared, lines = without_sharing(
            about, landscape, "nb201", codes, protocol, generator
        )
        searches.append(compared)
        curves += lines
        for charge in (AS_RUN, AS_IN_PAPER) if space in by_space else ():
            guided = [
                guided_search(record, profile, table, landscape.best, charge, protocol)
                for record in by_space[space]
            ]
            run = {**about, "method": "S", "charge": charge}
            comparisons += [
                {**run, "baseline": name} | compare(baseline, guided, generator, protocol.resamples)
                for name, baseline in baselines.items()
            ]
            if charge == AS_IN_PAPER:
                curves += guided_curve(*about.values(), guided, protocol.points)
    return {
        "comparisons_nb201": pd.DataFrame(comparisons, columns=COMPARED),
        "searches_nb201": pd.concat(searches, ignore_index=True),
        "curves_nb201": pd.concat(curves, ignore_index=True),
    }


def macro_statistics(table: Table, protocol: Protocol) -> dict[str, pd.DataFrame]:
    """NAS-Bench-Macro: searches without weight sharing; test accuracy selects and is reported."""
    (column,) = macro.COLUMNS
    landscape = complete(table.values[column.name])
    generator = np.random.default_rng(protocol.seed)
    about = {"benchmark": "macro", "space": "all networks"}
    _, searches, curves = without_sharing(
        about, landscape, "macro", table.codes, protocol, generator
    )
    return {"searches_macro": searches, "curves_macro": pd.concat(curves, ignore_index=True)}


def complete(accuracy: np.ndarray) -> Landscape:
    """A whole space with one accuracy a cell, whose trainings all cost one."""
    return Landscape(accuracy, accuracy, np.ones(len(accuracy)), float(accuracy.max()))


def without_sharing(
    about: dict[str, str],
    landscape: Landscape,
    space: str,
    codes: np.ndarray,
    protocol: Protocol,
    generator: np.random.Generator,
) -> tuple[dict[str, Curves], pd.DataFrame, list[pd.DataFrame]]:
    """Random and greedy search of a complete space without weight sharing.

    Args:
        about: benchmark and space, as in the frames.
        landscape: of the cells.
        space: whose cells they are, a key of `SPACES`.
        codes: of the cells, integer [n].
        protocol: how much is searched.
        generator: its state advances.

    Returns:
        The searches, "RS" and "GS"; how they compare; and a curve of each.
    """
    size = (protocol.evaluations, protocol.runs, generator)
    found = {
        "RS": landscape.curves(random_search(len(codes), *size)),
        "GS": landscape.curves(
            greedy_search(landscape.validation, neighbourhood(space, codes), *size)
        ),
    }
    compared = pd.DataFrame(against_greedy(found, len(codes))).assign(**about)
    lines = [baseline_curve(*about.values(), *one, protocol.points) for one in found.items()]
    return found, compared, lines


def guided_search(
    record: Record,
    profile: str,
    table: Table,
    best: float,
    charge: str,
    protocol: Protocol,
) -> Curves | None:
    """Searches with one of our supernets, among the random cells that it evaluated.

    None if it failed, see `guided_curves`.
    """
    run = correlations.observe_run(record, profile, table).query("random")
    data, train = record.config.data, record.config.train
    charges = {
        AS_RUN: Charge(
            train.epochs * data.train_images / NB201_IMAGES,
            data.validation_images / (3 * NB201_IMAGES),
        ),
        AS_IN_PAPER: Charge(SUPERNET, EVALUATION),
    }
    truth = run["truth"].to_numpy()
    cells = Landscape(truth, truth, np.ones(len(truth)), best)
    generator = np.random.default_rng([protocol.seed, record.config.seed])
    proxy = run["predicted"].to_numpy()
    return guided_curves(cells, proxy, charges[charge], protocol.guided, generator)


def guided_curves(
    cells: Landscape,
    proxy: np.ndarray,
    charge: Charge,
    searches: int,
    generator: np.random.Generator,
) -> Curves | None:
    """Random searches with one supernet: they share out the cells that it evaluated.

    Each evaluates its share by proxy and trains from the best one down (Pourchot, section 4.3); as
    no two share a cell, they are as independent as one supernet allows. Each bears the supernet's
    whole cost.

    Args:
        cells: those that the supernet evaluated.
        proxy: accuracies with its weights, shape (n,).
        charge: what it costs.
        searches: number of searches.
        generator: shares out the cells; its state advances.

    Returns:
        One row a search; None if the supernet failed: without accuracies, or all the same.
    """
    if len(np.unique(proxy)) < 2:
        return None
    share = len(proxy) // searches
    order = generator.permutation(len(proxy))[: searches * share].reshape(searches, share)
    before = charge.supernet + charge.evaluation * cells.cost[order].sum(axis=1)
    return cells.curves(by_proxy(order, proxy), before)


def guided_by(
    evaluations: pd.DataFrame,
    landscape: Landscape,
    rows: Callable[[pd.Series], np.ndarray],
    charge: Charge,
    searches: int,
    generator: np.random.Generator,
) -> list[Curves | None]:
    """`guided_curves` of each supernet of NAS-Bench-101, by its seed.

    Args:
        evaluations: columns seed, code, proxy; a row without proxy is a supernet without any.
        landscape: of all cells that can be met.
        rows: where cells stand in it, by their codes.
        charge: what each supernet costs.
        searches: of each supernet.
        generator: shares out the cells; its state advances.
    """
    found = []
    for _, run in evaluations.groupby("seed"):
        once = run.dropna(subset="proxy").drop_duplicates("code")
        cells, proxy = landscape.take(rows(once["code"])), once["proxy"].to_numpy()
        found.append(guided_curves(cells, proxy, charge, searches, generator))
    return found


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
        The entries of `COMPARED` after "baseline"; of failed supernets alone, only the counts.
    """
    guided = [curves for curves in supernets if curves is not None]
    counts = {
        "supernets": len(guided),
        "failed": len(supernets) - len(guided),
        "guided_runs": sum(len(curves.regret) for curves in guided),
        "baseline_runs": len(baseline.regret),
    }
    if not guided:
        return counts
    budget = float(np.mean([one_shot_budget(curves) for curves in guided]))
    without = regret_at(baseline, budget)
    found = np.array([curves.regret[:, 0] for curves in guided])
    as_good = np.flatnonzero(baseline.regret.mean(axis=0) <= found.mean())
    return {
        **counts,
        "budget": budget,
        "baseline_trainings": float((baseline.time <= budget).sum(axis=1).mean()),
        "baseline_regret": float(without.mean()),
        "guided_regret": float(found.mean()),
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
            runs and the means of the supernets; NaN with one supernet.
        deviation: pooled, of single runs. d: the difference in its units; `d_low` and `d_high` are
            Welch's bounds in the same units, as if the deviation were known.
        t_low, t_high: bounds of d by the noncentral t distribution, p_student: Student's p; both as
            the paper has them, as if searches with one supernet were independent.
        bootstrap_low, bootstrap_high: bounds of d, runs and whole supernets resampled.
        superiority: how often a search with weight sharing has the smaller regret.
    """
    means, singles = found.mean(axis=1), found.ravel()
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
        means = {"random": random[:, n - 1].mean(), "greedy": greedy[:, n - 1].mean()}
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
    benchmark: str, space: str, supernets: Sequence[Curves | None], points: int
) -> list[pd.DataFrame]:
    """Mean regret over time of the searches of each supernet, over supernets; none of none."""
    guided = [curves for curves in supernets if curves is not None]

    def means(time: float) -> np.ndarray:
        return np.array([regret_at(curves, time).mean() for curves in guided])

    about = {"benchmark": benchmark, "space": space, "search": "RS with weight sharing"}
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


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page, from what `statistics` computed of any benchmarks.

    Returns:
        The kinds of `statistics`, all benchmarks in one table; table4: the paper's beside ours;
        claims: one row a claim of the paper, with a verdict; and what the paper prints, computed
        again (`studies.audit`).
    """
    frames = {kind: gather(statistics, kind) for kind in KINDS}
    judged = pd.DataFrame(claims.judge("pourchot_search", quantities(frames)))
    own = {"table4": beside_table4(frames["comparisons"]), "claims": judged}
    return frames | own | {name: make() for name, make in AUDITS.items()}


def gather(statistics: dict[str, pd.DataFrame], kind: str) -> pd.DataFrame:
    """The frames of one kind, of all benchmarks; empty if there is none."""
    found = [frame for name, frame in statistics.items() if name.partition("_")[0] == kind]
    found = [frame for frame in found if len(frame)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def quantities(frames: dict[str, pd.DataFrame]) -> dict[str, Interval]:
    """The quantities of the claims, as far as there is something to compute them from."""
    found: dict[str, Interval] = {}
    comparisons, searches, ranks = (frames[kind] for kind in ("comparisons", "searches", "ranks"))
    if len(searches):
        found |= greedy_quantities(searches)
    if len(ranks):
        chosen = comparisons.query("benchmark == 'nb101' and method == @BASELINE")
        found["no-link"] = link_of_ranks(ranks, chosen.set_index("space")["difference"].dropna())
        for row in chosen.itertuples():
            found[f"oneshot-{row.space}"] = Interval(
                row.difference, row.ci_low, row.ci_high, row.supernets
            )
            found[f"effect-{row.space}"] = Interval(row.d, row.d_low, row.d_high, row.supernets)
    return found


def greedy_quantities(searches: pd.DataFrame) -> dict[str, Interval]:
    """Random less greedy search, one-shot and late, on the complete benchmarks."""
    found = {}
    for ((benchmark, space), size), when in product(WHOLE.items(), ("first", "last")):
        rows = searches[(searches["benchmark"] == benchmark) & (searches["space"] == space)]
        wanted = ONE_SHOT if when == "first" else paper_trainings(size)
        for row in rows[rows["trainings"] == wanted].itertuples():
            bounds = (row.difference, row.ci_low, row.ci_high, row.runs)
            found[f"greedy-{when}-{benchmark}"] = Interval(*bounds)
    return found


def link_of_ranks(ranks: pd.DataFrame, differences: pd.Series) -> Interval:
    """Whether spaces that the authors' supernets rank better are searched better, too.

    Args:
        ranks: space, method, seed, spearman.
        differences: of regret, at the one-shot budget, by space.
    """
    chosen = ranks[(ranks["method"] == BASELINE) & ranks["space"].isin(differences.index)]
    means = chosen.dropna().groupby("space")["spearman"].mean()
    return fisher_interval(means, differences[means.index])


def beside_table4(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Table 4's left column and what the authors' published supernets give; empty without them.

    Returns:
        The rows of `comparisons`, with the printed mean and d, and d's interval for 25 runs.
    """
    if comparisons.empty or not (comparisons["benchmark"] == "nb101").any():
        return pd.DataFrame()
    printed = audit.effects().query("baseline == 'RS' and guided == 'RS'")
    printed = printed.set_index("space")[["mean", "d", "ci_low", "ci_high"]].add_prefix("printed_")
    ours = comparisons.query("benchmark == 'nb101' and method == @BASELINE and baseline == 'RS'")
    return ours.join(printed, on="space")
