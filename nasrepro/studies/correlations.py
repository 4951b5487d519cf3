"""Study 1: how well do supernets rank, subspace by subspace (Laube section 4.1).

`grid` lists the runs of a profile, `observe` joins their records with the stand-alone accuracies,
`tables` turns both into tidy tables, one row a fact. This is NAS-Bench-201; the study's other part,
NAS-Bench-101, is in `appraisal`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import claims, metrics
from nasrepro.benchmarks import Table, available_tables, load_table, nb101, selfmade
from nasrepro.claims import count_positive, exact
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import MEDIUM, SMALL, WIDE, NetConfig
from nasrepro.nets.nb201 import num_parameters
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.config import CellsConfig, DataConfig, RunConfig
from nasrepro.runs.nb201 import random_cells
from nasrepro.runs.store import Record
from nasrepro.spaces.nb201 import NUM_CELLS, OPERATIONS, Cell, Subspace, is_connected
from nasrepro.stats import (
    Interval,
    deviation_ratio_interval,
    difference_interval,
    mean_correlation,
    mean_interval,
    spearman_difference_interval,
)
from nasrepro.studies import appraisal
from nasrepro.train import TrainConfig

TABLE, COLUMN = "nb201-200epochs", "cifar10-test-200"
# Pourchot's table 3: from the supernets of whom, and the name of the table.
TABLE3 = {"authors": "pourchot-table3-authors", "ours": "pourchot-table3-ours"}
TOP_NS = (10, 25, 50, 150, 250, 500)  # Laube 3.2
TABLES = (
    *("summary", "top_n", "tau_a", "baseline", "tried", "claims"),
    *("runs", "seeds", "usage", "parameters", "settings"),
    *("own", "own_gain", "own_truth"),
    *("precision", "half_precision"),
    *(f"{source}{what}" for source in TABLE3 for what in ("", "_patterns", "_parameters")),
    *(f"{source}_claims" for source in TABLE3),
    *TABLE3.values(),
)
OWN_CELLS = 20  # that a supernet's sample shares with our own benchmark, at least
CHANCE = 12.0  # percent: at or below it, a prediction over ten classes is called useless
SUMMARY_KEYS = ["subspace", "size", "metric"]
CORRELATIONS = (  # metrics between -1 and 1, as `tau_top_N` is
    *("kendall_tau_a", "kendall_tau_b", "sparse_kendall_tau", "spearman", "pearson"),
    *("spearman_connected", "pearson_connected", "tau_a"),
)

# Figure 4's left column: everything, and each operation masked on its own.
FULL, NO_ZERO, NO_SKIP, NO_POOL = (
    Subspace(),
    *map(Subspace.without, ("none", "skip_connect", "avg_pool_3x3")),
)
SINGLES = (FULL, *(Subspace.without(operation) for operation in OPERATIONS))
# Its other columns and figure 7's: Zero or Pool masked together with another operation.
DOUBLES = tuple(
    Subspace.without(*pair)
    for pair in combinations(OPERATIONS, 2)
    if {"none", "avg_pool_3x3"} & set(pair)
)
DIGITS = BENCHES["nb201-digits"]
OWN = BENCHES[selfmade.NAME]
GROUPS = {
    "full": (Subspace(),),
    "singles": SINGLES,
    "doubles": DOUBLES,
    "digits": (DIGITS.subspace,),
}


@dataclass(frozen=True)
class Profile:
    """How large the study runs: numbers only."""

    base: RunConfig  # what all runs share
    nets: dict[str, NetConfig]  # size -> network
    seeds: dict[tuple[str, str], int]  # (size, key of `GROUPS`) -> number of seeds
    table: str = TABLE  # the truth
    column: str = COLUMN
    precision_seeds: int = 0  # small supernets of the full space, evaluated in both precisions


CELLS = CellsConfig(random=1_000, top=500, table=TABLE, column=COLUMN)
CPU_DATA = DataConfig("cifar10", train_images=25_000, validation_images=1_000, size=16)
CPU_SMALL = NetConfig(channels=16, cells_per_stage=1, tracked_statistics=False)
CPU_TRAIN = TrainConfig(
    epochs=56,
    batch_size=128,
    learning_rate=0.05,
    weight_decay=3e-3,  # with this batch size Yu's choice for this space (table 5)
    crop_padding=2,
    precision="bfloat16",
)
CPU_EVALUATE = EvaluateConfig("batch", batch_size=250, precision="bfloat16")

PROFILES = {
    "smoke": Profile(
        base=RunConfig(
            data=DataConfig("digits", train_images=300, validation_images=100, size=8),
            train=TrainConfig(epochs=1, batch_size=30, crop_padding=1),
            evaluate=EvaluateConfig("batch", batch_size=100),
            cells=CellsConfig(random=20),
        ),
        nets={"S": NetConfig(channels=4, cells_per_stage=1, tracked_statistics=False)},
        seeds={("S", "singles"): 2},
    ),
    "cpu": Profile(
        base=RunConfig(
            data=CPU_DATA,
            train=CPU_TRAIN,
            evaluate=CPU_EVALUATE,
            cells=CELLS,
        ),
        nets={"S": CPU_SMALL, "M": replace(CPU_SMALL, cells_per_stage=2)},
        seeds={("S", "singles"): 5, ("S", "doubles"): 3, ("M", "singles"): 3},
        precision_seeds=2,
    ),
    "paper": Profile(
        base=RunConfig(
            data=DataConfig("cifar10", train_images=45_000, validation_images=5_000),
            evaluate=EvaluateConfig("batch"),
            cells=CELLS,
        ),
        nets={
            size: replace(net, tracked_statistics=False)
            for size, net in {"S": SMALL, "M": MEDIUM, "W": WIDE}.items()
        },
        seeds={(size, group): 5 for size in ("S", "M", "W") for group in ("singles", "doubles")},
    ),
    # What "cpu" is to the published table, to our own: it needs none.
    "own": Profile(
        base=RunConfig(data=CPU_DATA, train=CPU_TRAIN, evaluate=CPU_EVALUATE),
        nets={"S": CPU_SMALL},
        seeds={("S", "full"): 3},
        table=OWN.name,
        column="cifar10-test-10",
    ),
    "digits": Profile(
        base=RunConfig(
            data=DIGITS.data,
            train=replace(DIGITS.train, epochs=60),
            evaluate=EvaluateConfig("batch", batch_size=250),
            cells=CellsConfig(),
        ),
        nets={"S": replace(DIGITS.net, tracked_statistics=False)},
        seeds={("S", "digits"): 3},
        table=DIGITS.name,
        column="digits-test-10",
    ),
}


def grid(profile: str, seeds: int | None = None) -> list[RunConfig]:
    """All runs of a profile: on NAS-Bench-201, those in two precisions, on NAS-Bench-101.

    Args:
        profile: a name in `PROFILES`.
        seeds: at most so many seeds for each network and subspace; None for the profile's own.

    Raises:
        ConfigError: if there is no such profile, or fewer than one seed is asked for.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r}; choose from {', '.join(PROFILES)}")
    if seeds is not None and seeds < 1:
        raise ConfigError(f"at least one seed is needed, found seeds={seeds}")
    parts = (nb201_grid, precision_grid, appraisal.grid)
    return [config for part in parts for config in part(profile, seeds)]


def nb201_grid(profile: str, seeds: int | None = None) -> list[RunConfig]:
    """The runs of `grid` on NAS-Bench-201."""
    chosen = PROFILES[profile]
    return [
        replace(chosen.base, subspace=subspace, net=chosen.nets[size], seed=seed)
        for (size, group), count in chosen.seeds.items()
        for seed in range(count if seeds is None else min(count, seeds))
        for subspace in GROUPS[group]
    ]


def precision_pairs(profile: str, seeds: int | None = None) -> list[tuple[RunConfig, RunConfig]]:
    """Runs whose supernet is the same, evaluated in half and in single precision.

    Some runs of `nb201_grid`, and such with more images to validate on and fewer cells.
    """
    chosen = PROFILES[profile]
    few = [
        config
        for config in nb201_grid(profile, seeds)
        if (config.subspace, config.net) == (FULL, chosen.nets["S"])
        and config.seed < chosen.precision_seeds
    ]
    many = [
        replace(
            config,
            data=replace(config.data, validation_images=10_000),
            cells=CellsConfig(random=500),
        )
        for config in few
    ]
    return [
        (config, replace(config, evaluate=replace(config.evaluate, precision="float32")))
        for config in few + many
    ]


def precision_grid(profile: str, seeds: int | None = None) -> list[RunConfig]:
    """The runs of `precision_pairs` that `nb201_grid` has not."""
    known = set(nb201_grid(profile, seeds))
    pairs = precision_pairs(profile, seeds)
    return [config for pair in pairs for config in pair if config not in known]


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return PROFILES[profile].table


def size_of(config: RunConfig, profile: str) -> str:
    """The profile's name for a run's network: S, M or W."""
    return next(name for name, net in PROFILES[profile].nets.items() if net == config.net)


def observe(records: Iterable[Record], profile: str, table: Table) -> pd.DataFrame:
    """One row per run and evaluated cell of the table: its proxy and its stand-alone accuracy.

    Diverged runs have no cells and so no rows.

    Returns:
        Columns subspace, size, seed, code, predicted (percent of the validation images), truth
        (percent; the column of the profile), random (whether the cell is of the random sample).
    """
    return pd.concat([observe_run(r, profile, table) for r in records], ignore_index=True)


def observe_run(record: Record, profile: str, table: Table) -> pd.DataFrame:
    """The rows of `observe` of one run."""
    config = record.config
    codes = np.array(record.codes, dtype=np.int64)
    known = np.isin(codes, table.codes)  # all, unless the table has a part of the space only
    sample = [cell.code for cell in random_cells(config.subspace, config.cells)]
    return pd.DataFrame(
        {
            "subspace": str(config.subspace),
            "size": size_of(config, profile),
            "seed": config.seed,
            "code": codes[known],
            "predicted": 100 * np.array(record.correct)[known] / config.data.validation_images,
            "truth": table.accuracy(codes[known], PROFILES[profile].column),
            "random": np.isin(codes[known], sample),
        }
    )


def statistics(records: Sequence[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What is computed from a join with the table, small enough to keep beside the records.

    Args:
        records: of the profile's grid; others are only part of `settings`.
        profile: a name in `PROFILES`.
        table: the stand-alone accuracies.

    Returns:
        runs: subspace, size, seed, metric, value: every metric of every run, of a diverged one
            only that it did.
        seeds: subspace, size, seed_a, seed_b, spearman: two runs' predictions of the same sample.
        usage: subspace, top, operation, usage, share (Laube's figure 3; top "all": every cell);
            no rows if the table has a part of the space only.
        parameters: subspace, cells ("all" or "sample"), n, spearman: parameter count and truth.
        settings: what was tried with the small network, and its Spearman correlation.
        own, own_gain: see `beside_own`, if our own benchmark is here.
        precision: images, seed, n, agreement, half, single; see `beside_single_precision`.
        authors, ours, and what begins so: `nb101_statistics`.
    """
    wanted, column = nb201_grid(profile), PROFILES[profile].column
    subspaces = dict.fromkeys(config.subspace for config in wanted)
    frames = nb101_statistics(records, profile)
    tried, records = records, in_order(records, wanted)
    observations = observe(records, profile, table)
    own = load_table(OWN.name) if OWN.name in available_tables() else None
    return {
        **frames,
        **({} if own is None else beside_own(observations, own)),
        "precision": beside_single_precision(tried, profile, table),
        "runs": measure_runs(records, profile, observations),
        "settings": settings(tried, profile, table),
        "seeds": agreement_of_seeds(observations),
        "usage": pd.concat([usage(table, subspace) for subspace in SINGLES], ignore_index=True)
        if len(table) == NUM_CELLS
        else pd.DataFrame(columns=["subspace", "top", "operation", "usage", "share"]),
        "parameters": pd.concat(
            [parameter_baseline(table, s, records[0].config.cells, column) for s in subspaces],
            ignore_index=True,
        ),
    }


def in_order(records: Iterable[Record], grid: Iterable[RunConfig]) -> list[Record]:
    """The records of a grid, in its order, which tables and figures keep."""
    by_config = {record.config: record for record in records}
    return [by_config[config] for config in grid if config in by_config]


def nb101_statistics(records: Sequence[Record], profile: str) -> dict[str, pd.DataFrame]:
    """Those of NAS-Bench-101, as far as its tables are here: see `appraisal.statistics`."""
    found = {}
    if not appraisal.missing_files():
        found |= appraisal.statistics(nb101.load_supernets(), "authors")
    if nb101.NAME in available_tables():
        mine = in_order(records, appraisal.grid(profile))
        found |= appraisal.our_statistics(mine, profile, load_table(nb101.NAME))
    return found


def measure_runs(
    records: Iterable[Record], profile: str, observations: pd.DataFrame
) -> pd.DataFrame:
    """Every metric of every run, and whether it diverged; one row a metric.

    Args:
        records: of the profile's grid.
        profile: a name in `PROFILES`.
        observations: what `observe` gives for them.
    """
    keys = ["subspace", "size", "seed"]
    observed = dict(list(observations.groupby(keys)))
    rows = []
    for record in records:
        config, diverged = record.config, record.status == "diverged"
        key = (str(config.subspace), size_of(config, profile), config.seed)
        values = {"diverged": float(diverged)}
        if not diverged:
            top_ns = [n for n in TOP_NS if n <= config.cells.top]
            values |= run_metrics(observed[key], top_ns)
        run = dict(zip(keys, key, strict=True))
        rows += [{**run, "metric": name, "value": value} for name, value in values.items()]
    return pd.DataFrame(rows)


def run_metrics(run: pd.DataFrame, top_ns: Sequence[int]) -> dict[str, float]:
    """Every metric of one run.

    The rank metrics are over the random sample, or its connected cells. `tau_top_N` (Kendall's
    tau-a) and `mean_top_N` are over the true top N of the subspace; `tau_a` is Laube's, of this run
    alone. `tau_rise` is tau-a over the sample less that within the smallest top N,
    `top_above_sample` the mean prediction of that top N less the sample's.

    Args:
        run: the rows of `observe` of one run.
        top_ns: sizes of the true top N that the run evaluated whole; none without a table.
    """
    sample = run[run["random"]]
    predicted, truth = sample["predicted"].to_numpy(), sample["truth"].to_numpy()
    values = {
        "kendall_tau_a": metrics.kendall_tau(predicted, truth, "a"),
        "kendall_tau_b": metrics.kendall_tau(predicted, truth, "b"),
        "sparse_kendall_tau": metrics.sparse_kendall_tau(predicted, truth),
        "spearman": metrics.spearman(predicted, truth),
        "pearson": metrics.pearson(predicted, truth),
        "top_10_accuracy": metrics.top_k_accuracy(predicted, truth, k=10),
        "mean_prediction": float(predicted.mean()),
        "std_prediction": float(predicted.std(ddof=1)),
        "share_wrongly_at_chance": float(((predicted <= CHANCE) & (truth > CHANCE)).mean()),
    }
    # Connected by their own accuracy would be circular: by their edges.
    connected = np.array([is_connected(Cell.from_code(code)) for code in sample["code"].tolist()])
    values |= {
        "spearman_connected": metrics.spearman(predicted[connected], truth[connected]),
        "pearson_connected": metrics.pearson(predicted[connected], truth[connected]),
    }
    if not top_ns:
        return values
    curve = metrics.top_n_curve(run["predicted"], run["truth"], top_ns, variant="a")
    values |= {f"tau_top_{n}": float(tau) for n, tau in zip(top_ns, curve.tau, strict=True)}
    means = zip(top_ns, curve.mean_prediction, strict=True)
    values |= {f"mean_top_{n}": float(mean) for n, mean in means}
    return values | {
        "tau_a": metrics.tau_a(top_ns, curve.mean_prediction),
        "tau_rise": values["kendall_tau_a"] - values[f"tau_top_{top_ns[0]}"],
        "top_above_sample": values[f"mean_top_{top_ns[0]}"] - values["mean_prediction"],
    }


def settings(records: Iterable[Record], profile: str, table: Table) -> pd.DataFrame:
    """Every stored run of the profile's small network on its images, whatever its training.

    A page that shows a protocol shows what it was chosen from, too.
    """
    chosen, wanted = PROFILES[profile], set(nb201_grid(profile))
    rows = []
    for record in records:
        config = record.config
        if (config.data, config.net) != (chosen.base.data, chosen.nets["S"]) or not record.codes:
            continue
        as_here = replace(config, cells=chosen.base.cells, evaluate=chosen.base.evaluate)
        if config != as_here and as_here in wanted:
            continue  # a training of this grid, repeated to evaluate other cells or otherwise
        sample = observe_run(record, profile, table).query("random")
        rows.append(
            {
                "subspace": str(config.subspace),
                "sampler": config.sampler,
                "batch_size": config.train.batch_size,
                "learning_rate": config.train.learning_rate,
                "weight_decay": config.train.weight_decay,
                "epochs": config.train.epochs,
                "in_grid": config in wanted,
                "seed": config.seed,
                "spearman": metrics.spearman(sample["predicted"], sample["truth"]),
            }
        )
    return pd.DataFrame(rows)


def agreement_of_seeds(observations: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation between the predictions of two runs that differ in the seed alone."""
    rows = []
    sample = observations[observations["random"]]
    for (subspace, size), group in sample.groupby(["subspace", "size"], sort=False):
        by_seed = group.pivot(index="code", columns="seed", values="predicted")
        rows += [
            {
                "subspace": subspace,
                "size": size,
                "seed_a": a,
                "seed_b": b,
                "spearman": metrics.spearman(by_seed[a], by_seed[b]),
            }
            for a, b in combinations(by_seed.columns, 2)
        ]
    return pd.DataFrame(rows, columns=["subspace", "size", "seed_a", "seed_b", "spearman"])


def beside_own(observations: pd.DataFrame, own: Table) -> dict[str, pd.DataFrame]:
    """How well runs rank the cells of our own benchmark, by its truth and by the profile's.

    Over the random sample's cells that both have, where there are `OWN_CELLS` of them.

    Args:
        observations: what `observe` gives for the profile's runs.
        own: test accuracies of networks of the supernets' own size, trained by themselves.

    Returns:
        own: subspace, size, seed, n (cells), own and table: Spearman correlations of each run.
        own_gain: subspace, size, runs, mean, ci_low, ci_high, n (cells): own less table, mean over
            the runs, with its interval over cells.
    """
    (test,) = (column.name for column in own.columns if column.split == "test")
    rows, gains, generator = [], [], np.random.default_rng(0)
    shared = observations[observations["random"] & np.isin(observations["code"], own.codes)]
    for (subspace, size), group in shared.groupby(["subspace", "size"], sort=False):
        by_seed = group.pivot(index="code", columns="seed", values="predicted")
        if len(by_seed) < OWN_CELLS:
            continue
        truth = group.groupby("code")["truth"].first()  # in the order of `by_seed`
        measured = own.accuracy(by_seed.index.to_numpy(), test)
        for seed, predicted in by_seed.items():
            pair = [metrics.spearman(predicted, values) for values in (measured, truth)]
            rows.append((subspace, size, seed, len(by_seed), *pair))
        gain = spearman_difference_interval(by_seed, measured, truth, generator)
        gains.append((subspace, size, by_seed.shape[1], *gain))
    keys = ["subspace", "size"]
    return {
        "own": pd.DataFrame(rows, columns=[*keys, "seed", "n", "own", "table"]),
        "own_gain": pd.DataFrame(gains, columns=[*keys, "runs", "mean", "ci_low", "ci_high", "n"]),
    }


def beside_single_precision(records: Iterable[Record], profile: str, table: Table) -> pd.DataFrame:
    """How far the same supernets, evaluated in half and in single precision, rank alike.

    Args:
        records: those of other grids do not matter.
        profile: a name in `PROFILES`.
        table: the stand-alone accuracies.

    Returns:
        One row a supernet: images (validated on), seed, n (cells of the random sample), and
        Spearman correlations: agreement of the two, half and single with the truth.
    """
    by_config = {record.config: record for record in records if record.codes}
    rows = []
    for pair in precision_pairs(profile):
        if by_config.keys() >= set(pair):
            half, single = (
                observe_run(by_config[each], profile, table).query("random") for each in pair
            )
            rows.append(
                {
                    "images": pair[0].data.validation_images,
                    "seed": pair[0].seed,
                    "n": len(half),
                    "agreement": metrics.spearman(half["predicted"], single["predicted"]),
                    "half": metrics.spearman(half["predicted"], half["truth"]),
                    "single": metrics.spearman(single["predicted"], single["truth"]),
                }
            )
    return pd.DataFrame(rows, columns=["images", "seed", "n", "agreement", "half", "single"])


def usage(table: Table, subspace: Subspace) -> pd.DataFrame:
    """How many of the best cells use an operation, and its share of their edges (Laube's figure 3).

    Example of Laube's caption: if 3 of the top-10 cells use Pool at least once, 4 times together,
    then its usage is 3/10. He divides the share by the number of operations and cells (4 of 5*10);
    we divide by the number of edges and cells, so that the shares of a group add up to one.
    """
    codes = table.subset(subspace.operations)
    order = np.argsort(-table.accuracy(codes, COLUMN), kind="stable")
    cells = np.array([Cell.from_code(code).operations for code in codes[order].tolist()])
    return pd.DataFrame(
        [
            {
                "subspace": str(subspace),
                "top": "all" if n == len(cells) else str(n),
                "operation": operation,
                "usage": float((cells[:n] == operation).any(axis=1).mean()),
                "share": float((cells[:n] == operation).mean()),
            }
            for n in (*TOP_NS, len(cells))
            for operation in subspace.operations
        ]
    )


def parameter_baseline(
    table: Table, subspace: Subspace, config: CellsConfig, column: str = COLUMN
) -> pd.DataFrame:
    """Spearman correlation of the parameter count with the truth: the table's cells, the sample."""
    sample = [cell.code for cell in random_cells(subspace, config)]
    groups = {
        "all": table.subset(subspace.operations),
        "sample": np.intersect1d(sample, table.codes),
    }
    return pd.DataFrame(
        [
            {
                "subspace": str(subspace),
                "cells": name,
                "n": len(codes),
                "spearman": metrics.spearman(
                    [num_parameters(Cell.from_code(code)) for code in codes.tolist()],
                    table.accuracy(codes, column),
                ),
            }
            for name, codes in groups.items()
        ]
    )


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page, from what `statistics` computed.

    Returns:
        The statistics themselves, and
        summary: subspace, size, metric, mean, ci_low, ci_high, n (runs), one row a metric;
        top_n: subspace, size, top, tau and mean_prediction with their intervals, n;
        tau_a: subspace, size, tau_a (Laube's: of the mean over seeds), n;
        baseline: subspace, size: the supernets' Spearman beside the parameter count's;
        tried: the settings, one row each: Spearman with its interval over seeds, n;
        claims: one row a claim of the paper, with a verdict;
        own_truth: subspace, size, cells, truth (own or table), mean, ci_low, ci_high, n (runs);
        half_precision: images, cells, what (agreement, change), mean, ci_low, ci_high, n (runs),
            if known;
        pourchot-table3-authors: space, method, mean, ci, n, from Pourchot's own supernets;
        pourchot-table3-ours: space, method, mean, ci_low, ci_high, n, failed, from ours;
        authors_claims and ours_claims: one row a claim of Pourchot's about rankings.
    """
    summary = summarise(statistics["runs"])
    return {
        "summary": summary,
        "top_n": top_groups(summary),
        "tau_a": pooled_tau_a(summary),
        "baseline": against_parameters(summary, statistics["parameters"], statistics["seeds"]),
        "tried": settings_tried(statistics["settings"]),
        "claims": judge(statistics),
        **({"own_truth": own_truth(statistics["own"])} if "own" in statistics else {}),
        **half_precision(statistics["precision"]),
        **nb101_tables(statistics),
        **statistics,
    }


def nb101_tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Table 3 and the claims about it, from the supernets of all whose statistics are known."""
    by_source = {"authors": appraisal.table3, "ours": appraisal.summarise}
    found = {}
    for source in by_source.keys() & statistics.keys():
        ranks = statistics[source]
        found[TABLE3[source]] = by_source[source](ranks)
        found[f"{source}_claims"] = appraisal.judge(ranks, statistics[f"{source}_patterns"])
    return found


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95% interval over the runs of a subspace and size; NaN values are left out.

    The interval of a correlation ends where correlations do.
    """
    rows = []
    for key, group in runs.dropna().groupby(SUMMARY_KEYS, sort=False)["value"]:
        *_, metric = key
        correlation = metric in CORRELATIONS or metric.startswith("tau_top_")
        interval = mean_correlation if correlation else mean_interval
        rows.append((*key, *interval(group)))
    return pd.DataFrame(rows, columns=[*SUMMARY_KEYS, "mean", "ci_low", "ci_high", "n"])


def top_groups(summary: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau-a and mean prediction within the true top N, and over the random sample."""
    tops = {f"{n}": (f"tau_top_{n}", f"mean_top_{n}") for n in TOP_NS}
    tops["random"] = ("kendall_tau_a", "mean_prediction")
    keys = ["subspace", "size"]
    frames = []
    for top, (tau, mean) in tops.items():
        parts = [
            summary[summary["metric"] == metric]
            .drop(columns="metric")
            .rename(columns={"mean": name, "ci_low": f"{name}_low", "ci_high": f"{name}_high"})
            for metric, name in ((tau, "tau"), (mean, "mean_prediction"))
        ]
        frames.append(parts[0].merge(parts[1], on=[*keys, "n"]).assign(top=top))
    return pd.concat(frames, ignore_index=True)


def pooled_tau_a(summary: pd.DataFrame) -> pd.DataFrame:
    """Laube's tau_a as he defines it: of the mean predictions averaged over the seeds first."""
    rows = []
    for (subspace, size), group in summary.groupby(["subspace", "size"], sort=False):
        by_metric = group.set_index("metric")
        if "tau_a" not in by_metric.index:
            continue
        means = [by_metric["mean"][f"mean_top_{n}"] for n in TOP_NS]
        rows.append((subspace, size, metrics.tau_a(TOP_NS, means), by_metric["n"]["tau_a"]))
    return pd.DataFrame(rows, columns=["subspace", "size", "tau_a", "n"])


def against_floor(baseline: pd.DataFrame) -> dict[str, int]:
    """In how many rows of `against_parameters` supernets rank better than the parameter count.

    Returns:
        above, below: by the whole interval over seeds; open: all others.
    """
    above = int((baseline["ci_low"] > baseline["parameter_count"]).sum())
    below = int((baseline["ci_high"] < baseline["parameter_count"]).sum())
    return {"above": above, "below": below, "open": len(baseline) - above - below}


def against_parameters(
    summary: pd.DataFrame, parameters: pd.DataFrame, seeds: pd.DataFrame
) -> pd.DataFrame:
    """The supernets' Spearman correlation between its floor and its ceiling.

    The floor is the parameter count on the same cells, the ceiling the correlation between seeds.
    """
    floor = parameters[parameters["cells"] == "sample"].set_index("subspace")["spearman"]
    ceiling = seeds.groupby(["subspace", "size"])["spearman"].mean()
    table = summary[summary["metric"] == "spearman"].drop(columns="metric")
    return table.assign(
        parameter_count=table["subspace"].map(floor),
        between_seeds=[
            ceiling.get((row.subspace, row.size), np.nan)
            for row in table[["subspace", "size"]].itertuples(index=False)
        ],
    )


def own_truth(own: pd.DataFrame) -> pd.DataFrame:
    """Mean rank correlation with our own benchmark and with the table, and 95% intervals."""
    rows = [
        (subspace, size, group["n"].iloc[0], truth, *mean_correlation(group[truth]))
        for (subspace, size), group in own.groupby(["subspace", "size"], sort=False)
        for truth in ("own", "table")
    ]
    names = ["subspace", "size", "cells", "truth", "mean", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=names)


def half_precision(precision: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What single precision changes, mean and 95% interval over supernets, if there is one.

    The agreement of both, and the change of the correlation with the truth, supernet by supernet;
    for each number of images and of cells.
    """
    if precision.empty:
        return {}
    rows = [
        (images, cells, what, *interval)
        for (images, cells), group in precision.groupby(["images", "n"])
        for what, interval in (
            ("agreement", mean_correlation(group["agreement"])),
            ("change", mean_interval(group["single"] - group["half"])),
        )
    ]
    names = ["images", "cells", "what", "mean", "ci_low", "ci_high", "n"]
    return {"half_precision": pd.DataFrame(rows, columns=names)}


def settings_tried(settings: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of every setting that was run, mean and 95% interval over its seeds."""
    keys = [name for name in settings if name not in ("seed", "spearman")]
    rows = [
        (*key, *mean_correlation(group["spearman"]))
        for key, group in settings.dropna().groupby(keys, sort=False)
    ]
    table = pd.DataFrame(rows, columns=[*keys, "mean", "ci_low", "ci_high", "n"])
    return table.sort_values(["subspace", "in_grid", "mean"], ignore_index=True)


def judge(statistics: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of Laube's section 4.1: quantity, interval and verdict of those we can compute."""
    quantities = run_quantities(statistics["runs"])
    if len(statistics["usage"]):
        quantities |= usage_quantities(statistics["usage"])
    return pd.DataFrame(claims.judge("laube", quantities))


def usage_quantities(usage: pd.DataFrame) -> dict[str, Interval]:
    """The quantities of the claims about the true top 500: exact counts."""
    top = usage[usage["top"] == "500"].set_index(["subspace", "operation"])
    use, share = top["usage"], top["share"]
    full = str(Subspace())
    with_conv3 = use.xs("nor_conv_3x3", level="operation")
    order = ["skip_connect", "nor_conv_1x1", "none", "avg_pool_3x3"]
    no_skip = str(Subspace.without("skip_connect"))
    no_conv3 = str(Subspace.without("nor_conv_3x3"))
    rises = [share[no_conv3, op] - share[full, op] for op in ("avg_pool_3x3", "nor_conv_1x1")]
    return {
        "conv3-everywhere": exact(with_conv3.min(), 500),
        "conv3-half": exact(share.xs("nor_conv_3x3", level="operation").mean(), 500),
        "usage-order": exact(-np.diff([use[full, op] for op in order]).max(), 500),
        "pool-for-skip": exact(use[no_skip, "avg_pool_3x3"] - use[full, "avg_pool_3x3"], 500),
        "substitutes-for-conv3": exact(min(rises), 500),
    }


def run_quantities(runs: pd.DataFrame) -> dict[str, Interval]:
    """The quantities of the claims about supernets, as far as there are runs for them."""
    groups = runs.dropna().groupby(["metric", "size", "subspace"], sort=False)["value"]
    values = {key: group.to_numpy() for key, group in groups}

    def of(metric: str, subspace: Subspace, size: str = "S") -> np.ndarray:
        return values.get((metric, size, str(subspace)), np.array([]))

    found = mask_quantities(of) | medium_quantities(of)
    alone = {
        "baseline-tau_a": of("tau_a", FULL),
        "tau-rises": of("tau_rise", FULL),
        "mask-skip-below-random": of("top_above_sample", NO_SKIP),
    }
    found |= {claim: mean_interval(group) for claim, group in alone.items() if len(group)}
    curves = [[of(f"tau_top_{n}", subspace) for n in TOP_NS] for subspace in SINGLES]
    if all(len(group) for curve in curves for group in curve):
        intervals = [[mean_interval(group) for group in curve] for curve in curves]
        lowest = [Interval(*np.min([i[:3] for i in curve], axis=0), 0) for curve in intervals]
        found["tau-within-top"] = count_positive(lowest)
    return found


Values = Callable[..., np.ndarray]  # metric, subspace and size -> one number a run, in seed order


def mask_quantities(of: Values) -> dict[str, Interval]:
    """Small supernets of one subspace against those of another."""
    tau = "kendall_tau_a"
    better = max(NO_ZERO, NO_POOL, key=lambda s: of(tau, s).mean() if len(of(tau, s)) else 0)
    pairs = {
        "mask-zero-tau": (tau, NO_ZERO, FULL),
        "mask-zero-chance": ("share_wrongly_at_chance", NO_ZERO, FULL),
        "mask-both": (tau, Subspace.without("none", "avg_pool_3x3"), better),
        "mask-zero-skip": (tau, Subspace.without("none", "skip_connect"), NO_ZERO),
        "mask-zero-tau_a": ("tau_a", NO_ZERO, FULL),
        "mask-pool-tau_a": ("tau_a", NO_POOL, FULL),
        "mask-skip-tau_a": ("tau_a", NO_SKIP, FULL),
        "mask-conv1-tau_a": ("tau_a", Subspace.without("nor_conv_1x1"), FULL),
        "mask-conv3-tau_a": ("tau_a", Subspace.without("nor_conv_3x3"), FULL),
    }
    found = differences({claim: (of(m, a), of(m, b)) for claim, (m, a, b) in pairs.items()})
    chance = [of("share_wrongly_at_chance", subspace) for subspace in (FULL, NO_ZERO)]
    if "mask-zero-chance" in found and not np.concatenate(chance).any():
        # Nothing is wrongly predicted in either: where there is no such cell, none can be fewer.
        found["mask-zero-chance"] = found["mask-zero-chance"]._replace(low=np.nan, high=np.nan)
    with_pool = differences(
        {
            other: (of("tau_a", Subspace.without("avg_pool_3x3", other)), of("tau_a", NO_POOL))
            for other in ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")
        }
    )
    if len(with_pool) == 3:
        found["mask-pool-combinations"] = count_positive(list(with_pool.values()))
    return found


def medium_quantities(of: Values) -> dict[str, Interval]:
    """Supernets of size M, by themselves and against those of size S."""
    found = differences({"medium-baseline": (of("tau_a", FULL, "M"), of("tau_a", FULL))})
    if any(len(of("mean_prediction", subspace, "M")) == 0 for subspace in SINGLES):
        return found
    means = [of("mean_prediction", subspace, "M") for subspace in SINGLES]
    found["medium-fails"] = count_positive([mean_interval(CHANCE - mean) for mean in means])
    above = [of("top_above_sample", subspace, "M") for subspace in SINGLES]
    if all(len(group) for group in above):
        found["medium-below-random"] = count_positive([mean_interval(-group) for group in above])
    small = [of("mean_prediction", subspace) for subspace in SINGLES]
    if all(len(group) for group in small):
        found["medium-deviation"] = deviation_ratio_interval(means, small)
        worse = {s: (of("tau_a", s, "M"), of("tau_a", s)) for s in SINGLES[1:]}
        found["medium-harmful"] = count_positive(list(differences(worse).values()))
    return found


def differences(pairs: dict[Any, tuple[np.ndarray, np.ndarray]]) -> dict[Any, Interval]:
    """Welch's interval of each pair of groups of runs, of which both have one."""
    return {name: difference_interval(a, b) for name, (a, b) in pairs.items() if len(a) * len(b)}
