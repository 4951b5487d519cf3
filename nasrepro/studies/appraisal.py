"""NAS-Bench-101's part of study 1: how well supernets rank seven subspaces (Pourchot 4.1 to 5.3).

The authors' own supernets and ours are looked at in the same way: evaluations, one row a supernet
and cell, come from their files or from our records, and everything else is computed from them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nasrepro import claims
from nasrepro.benchmarks import Table, nb101
from nasrepro.data.sources import SOURCES, locate
from nasrepro.evaluate import EvaluateConfig
from nasrepro.metrics import spearman
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.nb101 import count_parameters
from nasrepro.published import read
from nasrepro.runs.config import changed
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb101 import SUBSPACES, Cell
from nasrepro.stats import (
    Interval,
    Share,
    Student,
    deviation_ratio,
    difference,
    fisher_correlation,
    level,
    mean_interval,
    stratified_difference,
    stratified_mean,
    student_of,
)
from nasrepro.studies import measure
from nasrepro.studies.design import Design, labelled
from nasrepro.train import POURCHOT, RMSprop, TrainConfig

FEW = 10  # cells of which no mean is shown
SPACES = tuple(nb101.SPACES.values())  # in the order of table 3
BASELINE = "BNS-FT"  # what the other methods are compared with
METHODS = tuple(nb101.METHODS.values())
# Not of table 3: AVG-3 with as many images as the others, so with a third of its updates.
EQUAL_IMAGES = "AVG-3, equal images"
TRICKS = tuple(method for method in METHODS if method not in ("NO FT", BASELINE))
VALIDATION = nb101.COLUMNS[0].name
POOR = 0.4  # Pourchot calls 0.34 a poor rank correlation, and 0.46 not
CLAIMS = "pourchot_ranking"  # the file of the claims about rankings
SUPERNET_KEYS = ["space", "method", "seed"]
EVALUATED = [*SUPERNET_KEYS, "code", "proxy", "validation"]


@dataclass(frozen=True)
class Profile:
    """How large the part runs: numbers only."""

    base: SupernetConfig  # a run of BNS-FT
    seeds: int  # of each method but `EQUAL_IMAGES`, which has one
    spaces: tuple[str, ...] = SPACES


PROFILES = {
    "smoke": Profile(
        base=SupernetConfig(
            data=DataConfig("digits", train_images=300, validation_images=100, size=8),
            subspace=SUBSPACES["A_1"],
            net=CellNetConfig(channels=6, cells_per_stage=1, statistics_momentum=0.1),
            sampler="uniform",
            train=TrainConfig(epochs=1, batch_size=30, crop_padding=1),
            evaluate=EvaluateConfig("calibrated", batch_size=100, calibration_batches=1),
            cells=DrawnCells(count=30, table=None),
        ),
        seeds=1,
        spaces=("A_4", "A_1"),
    ),
    "cpu": Profile(
        base=SupernetConfig(
            data=DataConfig("cifar10", train_images=25_000, validation_images=1_000, size=16),
            subspace=SUBSPACES["A_1"],
            net=CellNetConfig(channels=16, cells_per_stage=1),
            sampler="uniform",
            train=TrainConfig(
                epochs=20,
                batch_size=64,
                learning_rate=0.05,
                final_learning_rate=0.0,
                weight_decay=3e-3,
                gradient_clip=1.0,  # without it, supernets hardly learn in so few epochs
                crop_padding=2,
                precision="bfloat16",
            ),
            evaluate=EvaluateConfig(
                "calibrated", batch_size=250, calibration_batches=1, precision="bfloat16"
            ),
            cells=DrawnCells(),
        ),
        seeds=3,
    ),
    "paper": Profile(
        base=SupernetConfig(
            data=DataConfig("cifar10", train_images=40_000, validation_images=nb101.IMAGES),
            subspace=SUBSPACES["A_1"],
            net=CellNetConfig(),
            sampler="uniform",
            train=TrainConfig(
                epochs=432,
                batch_size=256,
                learning_rate=0.2,
                final_learning_rate=0.0,
                weight_decay=1e-4,
                rmsprop=RMSprop(),
            ),
            evaluate=EvaluateConfig("calibrated", batch_size=256, calibration_batches=1),
            cells=DrawnCells(),
        ),
        seeds=5,
    ),
}


# ---- runs


def design(
    profile: str, seeds: int | None = None, methods: Sequence[str] = (*METHODS, EQUAL_IMAGES)
) -> Design:
    """The runs of a profile, labelled by space and method, in the order in which they matter.

    Args:
        profile: a name in `PROFILES`, or another: then there is no run.
        seeds: at most so many seeds; None for the profile's own.
        methods: only these columns of table 3, or `EQUAL_IMAGES`.
    """
    chosen = PROFILES.get(profile)
    if chosen is None:
        return {}
    return labelled(
        (
            replace(changed(chosen.base, changes), subspace=SUBSPACES[space], seed=seed),
            {"space": space, "method": method},
        )
        for seed in range(chosen.seeds if seeds is None else min(seeds, chosen.seeds))
        for method, changes in variants(chosen.base).items()
        if method in methods and (seed == 0 or method != EQUAL_IMAGES)
        for space in chosen.spaces
    )


# What the paper says, and what its authors' code does, instead of the SGD of reduced profiles.
OPTIMISERS = {"RMSprop as in the paper": RMSprop(), "RMSprop as in the authors' code": POURCHOT}


def optimisers(profile: str) -> Design:
    """One supernet of BNS-FT in A_1 with each RMSprop, labelled by it; none if all have one."""
    chosen = PROFILES.get(profile)
    if chosen is None or chosen.base.train.rmsprop:
        return {}
    paper = PROFILES["paper"].base.train
    of_paper = {
        "train.learning_rate": paper.learning_rate,
        "train.weight_decay": paper.weight_decay,
        "train.gradient_clip": None,
    }
    return labelled(
        (changed(chosen.base, of_paper | {"train.rmsprop": form}), {"optimiser": name})
        for name, form in OPTIMISERS.items()
    )


def by_optimiser(profile: str) -> dict[SupernetConfig, str]:
    """The runs of `optimisers` and the one with SGD that they are compared with, by their name."""
    others = {config: labels["optimiser"] for config, labels in optimisers(profile).items()}
    return {PROFILES[profile].base: "SGD, gradients clipped"} | others if others else {}


def optimiser_runs(records: Iterable[Record], profile: str, table: Table) -> pd.DataFrame:
    """What each optimiser's supernet learned, and how it ranks.

    Args:
        records: of `by_optimiser`.
        profile: a name in `PROFILES`.
        table: of NAS-Bench-101, all of it or a sample.

    Returns:
        Columns optimiser, seed, train_accuracy (of the last epoch, percent), mean_prediction
        (percent), spearman, cells; the last three empty of a diverged run.
    """
    about, rows = by_optimiser(profile), []
    for record in records:
        seen = measure.observe_run(record, table, VALIDATION)
        found = (np.nan, np.nan)
        if record.status == "ok":
            found = (seen["proxy"].mean(), spearman(seen["proxy"], seen["truth"]))
        learned = record.history[-1].accuracy if record.history else np.nan
        key = (about[record.config], record.config.seed, learned)
        rows.append((*key, *found, len(seen)))
    names = ["optimiser", "seed", "train_accuracy", "mean_prediction", "spearman", "cells"]
    return pd.DataFrame(rows, columns=names)


# The columns of table 3, in the order in which they are worth running.
def variants(base: SupernetConfig) -> dict[str, dict[str, Any]]:
    """What each method changes in a run of `BASELINE`, as `changed` takes it."""
    single, pro_rata = {"net.kernels": "single"}, {"sampler": "pro-rata"}
    average = {"sampler": "uniform-3", "train.gradients": "mean"}
    return {
        BASELINE: {},
        "NO FT": {"evaluate.batch_norm": "tracked", "evaluate.calibration_batches": 0},
        "PRO-RATA": pro_rata,
        "SINGLE-K": single,
        "S-K + P-R": single | pro_rata,
        # As many updates as the others, each with three paths and a batch for each.
        "AVG-3": average | {"train.epochs": 3 * base.train.epochs},
        EQUAL_IMAGES: average,
    }


# ---- evaluations and what is computed from them


def missing_files() -> list[str]:
    """Names of the sources of the authors' supernets that are not on this machine."""
    return [name for name in (nb101.NAME, "nb101-supernets") if not locate(SOURCES[name])]


def observe(records: Iterable[Record], profile: str, table: Table) -> pd.DataFrame:
    """What our supernets say of their cells, like `load_supernets` of `benchmarks.nb101`.

    Args:
        records: of the profile's design; diverged ones have no evaluations.
        profile: a name in `PROFILES`.
        table: of NAS-Bench-101, all of it or a sample.

    Returns:
        Columns space, method, seed, code, proxy (percent of the validation images), validation
        (stand-alone, percent).
    """
    observed = measure.observe(records, design(profile), table, VALIDATION)
    return observed.rename(columns={"truth": "validation"})[EVALUATED]


def our_statistics(
    records: Sequence[Record], profile: str, table: Table
) -> dict[str, pd.DataFrame]:
    """`statistics` of our supernets, diverged ones without a rank correlation; none of no runs.

    Args:
        records: of the profile's grid.
        profile: a name in `PROFILES`.
        table: of NAS-Bench-101, all of it or a sample.
    """
    if not records:
        return {}
    found, about = statistics(observe(records, profile, table), "ours"), design(profile)
    diverged = [
        (*about[record.config].values(), record.config.seed, np.nan)
        for record in records
        if record.status == "diverged"
    ]
    if diverged:
        rows = pd.DataFrame(diverged, columns=found["ours"].columns)
        found["ours"] = pd.concat([found["ours"], rows], ignore_index=True)
    return found


def statistics(evaluations: pd.DataFrame, source: str) -> dict[str, pd.DataFrame]:
    """What is computed from a join with the benchmark, small enough to keep beside the records.

    Args:
        evaluations: columns space, method, seed, code, proxy, validation.
        source: whose supernets they are: "authors" or "ours".

    Returns:
        `<source>`: space, method, seed, spearman; see `rank_correlations`.
        `<source>_patterns`: claim, mean, ci_low, ci_high, n: those about single features of cells.
        `<source>_parameters`: space, n, spearman: parameter count and truth of the same cells.
    """
    return {
        source: rank_correlations(evaluations),
        f"{source}_patterns": patterns(evaluations),
        f"{source}_parameters": parameter_baseline(evaluations),
    }


def rank_correlations(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of proxy and validation accuracy of each supernet.

    The truth is the validation accuracy as the mean of three runs.

    Args:
        evaluations: columns space, method, seed, proxy, validation.

    Returns:
        Columns space, method, seed, spearman: NaN for a supernet that predicts a constant.
    """
    return (
        evaluations.groupby(SUPERNET_KEYS, sort=False)[["proxy", "validation"]]
        .apply(lambda run: spearman(run["proxy"], run["validation"]))
        .rename("spearman")
        .reset_index()
    )


def parameter_baseline(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of parameter count and validation accuracy, over each space's cells."""
    rows = []
    for space, group in evaluations.groupby("space", sort=False):
        cells = group.drop_duplicates("code")
        counts = count_parameters(cells["code"].to_numpy(np.int64))
        rows.append((space, len(cells), spearman(counts, cells["validation"])))
    return pd.DataFrame(rows, columns=["space", "n", "spearman"])


BEST = "residual-best"  # the one pattern that is a share of cells


def patterns(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The claims about single features of cells; columns claim, mean, ci_low, ci_high, n, df.

    Degrees of freedom are those of Student's distribution; a share of cells has none.
    """
    chosen = evaluations[evaluations["method"] == BASELINE]
    found: dict[str, Student | Share] = {}
    for claim, (space, feature) in FEATURES.items():
        if excess := biases(chosen[chosen["space"] == space], feature):
            found[claim] = level(excess)
    ones = evaluations[evaluations["space"] == "A_1"].drop_duplicates("code")
    if len(ones):
        residual, accuracy = has_residual(ones["code"].to_numpy(np.int64)), ones["validation"]
        with_it, without = accuracy[residual], accuracy[~residual]
        best = np.argsort(-accuracy.to_numpy(), kind="stable")[: max(len(accuracy) // 100, 1)]
        found["residual-better"] = difference(with_it, without)
        found[BEST] = Share(int(residual[best].sum()), len(best))
    fours = evaluations[evaluations["space"] == "A_4"].drop_duplicates("code")
    if len(fours):
        rated, accuracy = begins_with_conv3(fours["code"].to_numpy(np.int64)), fours["validation"]
        found["cluster-poor"] = difference(accuracy[rated], accuracy[~rated])
    rows = [(claim, *of.interval(), getattr(of, "df", np.nan)) for claim, of in found.items()]
    return pd.DataFrame(rows, columns=["claim", "mean", "ci_low", "ci_high", "n", "df"])


def biases(evaluated: pd.DataFrame, feature: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """Of each supernet, the mean percentile of the cells with a feature by proxy less by truth.

    Percentiles are among the cells that the supernet evaluated; failed supernets are left out.
    """
    found = []
    for _, run in evaluated.groupby("seed"):
        if run["proxy"].nunique() > 1:
            percentiles = 100 * run[["proxy", "validation"]].rank(pct=True)
            excess = percentiles["proxy"] - percentiles["validation"]
            found.append(float(excess[feature(run["code"].to_numpy(np.int64))].mean()))
    return found


def rated(evaluated: pd.DataFrame, parts: int, keys: Sequence[str] = ("space",)) -> pd.DataFrame:
    """How high supernets rate cells that are ever better on their own.

    Each supernet's cells are cut by stand-alone accuracy into parts of equal size; in each, the
    mean percentile by proxy accuracy among all of its cells. Failed supernets are left out, and
    groups of fewer than `FEW` cells.

    Args:
        evaluated: space, seed, proxy, validation and `keys`, all of one method.
        parts: how many, e.g. 10.
        keys: what is told apart.

    Returns:
        `keys`, part (1 to the best), mean, ci_low, ci_high, n: over supernets, Student's.
    """
    runs = evaluated.groupby(["space", "seed"])
    by_proxy, by_truth = (100 * runs[name].rank(pct=True) for name in ("proxy", "validation"))
    cells = evaluated.assign(percentile=by_proxy, part=np.ceil(by_truth * parts / 100).astype(int))
    cells = cells[runs["proxy"].transform("nunique") > 1]
    groups = cells.groupby([*keys, "part", "seed"], sort=False)["percentile"].agg(["mean", "size"])
    known = groups.loc[groups["size"] >= FEW, "mean"].rename("value").reset_index()
    keys = [*keys, "part"]
    ordered = known.sort_values("part", kind="stable")
    return measure.summarise(ordered, keys, correlation=lambda _: False).drop(columns="failed")


def has_residual(codes: np.ndarray) -> np.ndarray:
    """Whether the input is joined to the output, bool [n]."""
    return SUBSPACES["A_FULL^RES"].mask(codes)


def begins_with_conv3(codes: np.ndarray) -> np.ndarray:
    """Whether the first inner vertex of the benchmark's matrix is a 3x3 convolution, bool [n]."""
    cells = [Cell.from_code(code) for code in codes.tolist()]
    return np.array([cell.operations[:1] == ("conv3x3-bn-relu",) for cell in cells], dtype=bool)


# Figure 4: the space, and the feature whose cells are rated too high there.
FEATURES = {
    "bias-residual": ("A_1", has_residual),
    "bias-conv3": ("A_4", begins_with_conv3),
}


# ---- tables and claims


def table3(ranks: pd.DataFrame) -> pd.DataFrame:
    """Pourchot's table 3 from the rank correlations of the authors' supernets.

    A supernet that predicts the same for every cell has no rank correlation and is left out, as in
    the paper, which marks the cell with an asterisk. The printed ± is z sd / sqrt(n) with the
    normal quantile z = 1.96 and the standard deviation with divisor n: for five supernets 1.58
    times narrower than Student's interval, which `summarise` gives.

    Args:
        ranks: columns space, method, seed, spearman; see `rank_correlations`.

    Returns:
        Columns space, method, mean, ci (half of the interval), n (supernets that count), one row
        for each space and method in the order of `ranks`.
    """
    by_cell = ranks.dropna().groupby(["space", "method"], sort=False)["spearman"]
    table = by_cell.agg(mean="mean", n="count")
    table["ci"] = stats.norm.ppf(0.975) * by_cell.std(ddof=0) / np.sqrt(table["n"])
    return table[["mean", "ci", "n"]].reset_index()


def as_printed(table: pd.DataFrame) -> pd.DataFrame:
    """Whether a recomputed table 3 rounds to the printed one, cell by cell.

    Args:
        table: what `table3` gives.

    Returns:
        Columns space, method, and whether mean, ci and n are as printed, bool.
    """
    both = published_table3().merge(table, on=["space", "method"], suffixes=("_printed", ""))
    same = {name: both[name].round(2) == both[f"{name}_printed"] for name in ("mean", "ci", "n")}
    return both[["space", "method"]].assign(**same)


def summarise(ranks: pd.DataFrame) -> pd.DataFrame:
    """Mean rank correlation and Student's 95% interval over the supernets of a space and method.

    Returns:
        Columns space, method, mean, ci_low, ci_high, n, failed: supernets without a rank
        correlation, which are left out.
    """
    return measure.summarise(ranks, ["space", "method"], value="spearman")


def equal_images(ranks: pd.DataFrame) -> pd.DataFrame:
    """AVG-3 as it was run and with equal images, and BNS-FT: differences of rank correlations.

    All of one seed, compared space by space.

    Args:
        ranks: columns space, method, seed, spearman; of the seed of `EQUAL_IMAGES`.

    Returns:
        Columns more and less (methods), mean, ci_low, ci_high (Student's, over spaces), n (spaces
        in which neither failed); no rows without such runs.
    """
    seeds = ranks.loc[ranks["method"] == EQUAL_IMAGES, "seed"]
    same = ranks[ranks["seed"].isin(seeds)].pivot(
        index="space", columns="method", values="spearman"
    )
    pairs = (("AVG-3", BASELINE), (EQUAL_IMAGES, BASELINE), ("AVG-3", EQUAL_IMAGES))
    rows = [
        (more, less, *mean_interval(difference))
        for more, less in pairs
        if {more, less} <= set(same) and len(difference := (same[more] - same[less]).dropna())
    ]
    return pd.DataFrame(rows, columns=["more", "less", "mean", "ci_low", "ci_high", "n"])


def spaces_above_floor(statistics: Mapping[str, pd.DataFrame], source: str) -> str:
    """In how many spaces a method's mean rank correlation is above the parameter count's: "4 of 7".

    Args:
        statistics: what `statistics` gives.
        source: whose supernets; without them, a dash.
    """
    if source not in statistics:
        return "–"
    best = summarise(statistics[source]).groupby("space")["mean"].max()
    floor = statistics[f"{source}_parameters"].set_index("space")["spearman"]
    return f"{int((best > floor[best.index]).sum())} of {len(best)}"


def quantities(ranks: pd.DataFrame, found: pd.DataFrame) -> dict[str, claims.Quantity]:
    """The quantities of the claims of Pourchot's sections 5.1 and 5.3 about rankings.

    Args:
        ranks: columns space, method, seed, spearman.
        found: what `patterns` gives.
    """
    estimates = {
        row.claim: Share(round(row.mean * row.n), row.n)
        if row.claim == BEST
        else student_of(Interval(row.mean, row.ci_low, row.ci_high, row.n), row.df)
        for row in found.itertuples()
    }
    return rank_quantities(ranks) | estimates


def rank_quantities(ranks: pd.DataFrame) -> dict[str, claims.Quantity]:
    """The quantities made of rank correlations, as far as there are supernets for them."""
    groups = ranks.dropna().groupby(["space", "method"])["spearman"]
    values = {key: group.to_numpy() for key, group in groups}
    pairs = {
        "outputs-matter": ("A_1", "A_3"),
        "residual-ranks": ("A_FULL^RES", "A_FULL^NRES"),
        "same-level": ("A_2", "A_3"),
    }
    found: dict[str, claims.Quantity] = {
        claim: stratified_difference(*([values[space, BASELINE]] for space in spaces))
        for claim, spaces in pairs.items()
        if all((space, BASELINE) in values for space in spaces)
    }
    untuned = [values[space, "NO FT"] for space in SPACES if (space, "NO FT") in values]
    if len(untuned) == len(SPACES):
        below = (level(POOR - group) for group in untuned)
        found["no-tuning-poor"] = claims.Smallest(tuple(below))
    improvements = {f"improves-{trick}": (trick, BASELINE) for trick in TRICKS}
    complete = {
        method: [values[space, method] for space in SPACES]
        for method in METHODS
        if all((space, method) in values for space in SPACES)
    }
    if gains := fine_tuning_gains(ranks):
        found["fine-tuning"] = stratified_mean(gains)
    for claim, (better, worse) in improvements.items():
        if better in complete and worse in complete:
            found[claim] = stratified_difference(complete[better], complete[worse])
    if len(complete) == len(METHODS):
        tricks = list(zip(*(complete[trick] for trick in TRICKS), strict=True))  # space by space
        baseline = [[group] for group in complete[BASELINE]]
        found["less-variance"] = deviation_ratio(tricks, baseline)
    if BASELINE in complete:
        means = [group.mean() for group in complete[BASELINE]]
        sizes = [SUBSPACES[space].size for space in SPACES]
        found["size-hint"] = fisher_correlation(sizes, means)
    return found


def fine_tuning_gains(ranks: pd.DataFrame) -> list[np.ndarray]:
    """What BNS-FT adds to NO FT, one array a space, one number a supernet; none unless for all.

    Both evaluate the same supernet, so they are paired by its seed; failed ones are left out.
    """
    methods = [BASELINE, "NO FT"]
    chosen = ranks[ranks["method"].isin(methods)].dropna()
    both = chosen.pivot(index=["space", "seed"], columns="method", values="spearman").dropna()
    if set(both.columns) != set(methods):
        return []
    gains = dict(list((both[BASELINE] - both["NO FT"]).groupby("space")))
    complete = all(space in gains for space in SPACES)
    return [gains[space].to_numpy() for space in SPACES] if complete else []


def published_table3() -> pd.DataFrame:
    """Pourchot's table 3 as printed: columns space, method, mean, ci, n."""
    return published("table3")


def published(name: str) -> pd.DataFrame:
    """Numbers that Pourchot prints, from `published/pourchot_<name>.csv`."""
    return read(f"pourchot_{name}")
