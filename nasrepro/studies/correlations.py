"""Study 1: how well do supernets rank, subspace by subspace (Laube section 4.1).

`design` lists the runs of a profile, `statistics` joins their records with the stand-alone
accuracies, `tables` turns both into tidy tables. This is NAS-Bench-201; the study's other part,
NAS-Bench-101, is in `appraisal`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from nasrepro import claims, metrics
from nasrepro.benchmarks import Table, available_tables, load_table, nb101
from nasrepro.nets.nb201 import count_parameters
from nasrepro.resampling import jackknife, resampled
from nasrepro.runs.nb201 import random_cells
from nasrepro.runs.parts import CellsConfig
from nasrepro.runs.record import Record
from nasrepro.spaces.nb201 import NUM_CELLS, Cell, Subspace, uses_only
from nasrepro.stats import mean_correlation, mean_interval, mean_rank_gain
from nasrepro.studies import appraisal, ceilings, published_supernets
from nasrepro.studies.correlations_claims import (
    means_of_tops,
    quantities,
    tau_a_of_mean,
    values_of,
)
from nasrepro.studies.design import Design, check_asked, in_order, merged
from nasrepro.studies.measure import (
    TOP_NS,
    agreement_of_seeds,
    is_correlation,
    measure_runs,
    observe,
    observe_run,
    summarise,
)
from nasrepro.studies.subspaces import (
    COLUMN,
    DOUBLES,
    FULL,
    NEITHER,
    NO_ZERO,
    OWN,
    PROFILES,
    SINGLES,
    nb201_design,
    precision_design,
    precision_pairs,
)

# Pourchot's table 3: from the supernets of whom, and the name of the table.
TABLE3 = {"authors": "pourchot-table3-authors", "ours": "pourchot-table3-ours"}
TABLES = (
    *("summary", "top_n", "tau_a", "baseline", "tried", "claims", "decides"),
    *("runs", "seeds", "usage", "best", "parameters", "settings"),
    *("own", "own_gain", "own_truth"),
    *("precision", "half_precision"),
    *("published", "published_runs", "published_parameters", "ceilings"),
    *(f"{source}{what}" for source in TABLE3 for what in ("", "_patterns", "_parameters")),
    *(f"{source}_{what}" for source in TABLE3 for what in ("claims", "decides")),
    *TABLE3.values(),
    "ours_equal_images",
    "optimisers",
)
OWN_CELLS = 20  # that a supernet's sample shares with our own benchmark, at least
LABELS = ["subspace", "size"]  # of a run on NAS-Bench-201
TEXTS = (*LABELS, "metric", "top", "operation", "sampler")


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile: on NAS-Bench-201, those in two precisions, on NAS-Bench-101.

    Args:
        profile: a name in `PROFILES`.
        seeds: at most so many seeds for each network and subspace; None for the profile's own.

    Raises:
        ConfigError: if there is no such profile, or fewer than one seed is asked for.
    """
    check_asked(profile, PROFILES, seeds)
    return merged(
        nb201=nb201_design(profile, seeds),
        precision=precision_design(profile, seeds),
        nb101=appraisal.design(profile, seeds),
        nb101_optimisers=appraisal.optimisers(profile),
    )


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return PROFILES[profile].table


def statistics(records: Sequence[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What is computed from a join with the table, small enough to keep beside the records.

    Args:
        records: of the profile's grid; others are only part of `settings`.
        profile: a name in `PROFILES`.
        table: the stand-alone accuracies.

    Returns:
        Those of `nb201_statistics` and `nb101_statistics`, and

        published_runs, published_parameters: `published_supernets.statistics`.
        ceilings: `ceilings.statistics`.
    """
    return {
        **nb101_statistics(records, profile),
        **published_supernets.statistics(SINGLES + DOUBLES),
        **ceilings.statistics(SINGLES + DOUBLES),
        **nb201_statistics(records, profile, table),
    }


def nb201_statistics(
    records: Sequence[Record], profile: str, table: Table
) -> dict[str, pd.DataFrame]:
    """Those of our supernets of NAS-Bench-201.

    Args:
        records: as of `statistics`.
        profile: a name in `PROFILES`.
        table: the stand-alone accuracies.

    Returns:
        runs: subspace, size, seed, metric, value: every metric of every run, of a diverged one
            only that it did.
        seeds: subspace, size, seed_a, seed_b, spearman: two runs' predictions of the same sample.
        usage: subspace, top, operation, usage, share (Laube's figure 3; top "all": every cell);
            no rows if the table has a part of the space only.
        best: subspace, what, value: see `best_cells`; no rows as of `usage`.
        parameters: subspace, cells ("all" or "sample"), n, spearman: parameter count and truth.
        settings: what was tried with the small network, and its Spearman correlation.
        own, own_gain: see `beside_own`, if our own benchmark is here.
        precision: images, seed, n, agreement, half, single; see `beside_single_precision`.
    """
    wanted, column = nb201_design(profile), PROFILES[profile].column
    subspaces = dict.fromkeys(config.subspace for config in wanted)
    tried, records = records, in_order(records, wanted)
    observations = observe(records, wanted, table, column)
    own = load_table(OWN.name) if OWN.name in available_tables() else None
    return {
        **({} if own is None else beside_own(observations, own)),
        "precision": beside_single_precision(tried, profile, table),
        "runs": measure_runs(records, wanted, observations, TOP_NS),
        "settings": settings(tried, profile, table),
        "seeds": agreement_of_seeds(observations, LABELS),
        **counted(table),
        "parameters": pd.concat(
            [parameter_baseline(table, s, records[0].config.cells, column) for s in subspaces],
            ignore_index=True,
        ),
    }


def nb101_statistics(records: Sequence[Record], profile: str) -> dict[str, pd.DataFrame]:
    """Those of NAS-Bench-101, as far as its tables are here: see `appraisal.statistics`."""
    found: dict[str, pd.DataFrame] = {}
    if not appraisal.missing_files():
        found |= appraisal.statistics(nb101.load_supernets(), "authors")
    if nb101.NAME in available_tables():
        mine = in_order(records, appraisal.design(profile))
        found |= appraisal.our_statistics(mine, profile, load_table(nb101.NAME))
        others = in_order(records, appraisal.by_optimiser(profile))
        if others:
            found["optimisers"] = appraisal.optimiser_runs(others, profile, load_table(nb101.NAME))
    return found


SHOWN = ("epochs", "batch_size", "learning_rate", "weight_decay")  # of a setting's training


def settings(records: Iterable[Record], profile: str, table: Table) -> pd.DataFrame:
    """Every stored run of the profile's small network on its images that differs in these alone.

    A page that shows a protocol shows what it was chosen from, too. Runs whose training differs in
    more than the sampler and `SHOWN` are left out: they would be pooled with others.
    """
    chosen, wanted = PROFILES[profile], nb201_design(profile)
    subspaces = {config.subspace for config in wanted}
    rows = []
    for record in records:
        config = record.config
        if (config.data, config.net) != (chosen.base.data, chosen.nets["S"]):
            continue
        if config.subspace not in subspaces:
            continue
        shown = {name: getattr(config.train, name) for name in SHOWN}
        if record.status == "diverged" or config.train != replace(chosen.base.train, **shown):
            continue
        as_here = replace(config, cells=chosen.base.cells, evaluate=chosen.base.evaluate)
        if config != as_here and as_here in wanted:
            continue  # a training of this design, repeated to evaluate other cells or otherwise
        sample = observe_run(record, table, chosen.column).query("random")
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
                "spearman": metrics.spearman(sample["proxy"], sample["truth"]),
            }
        )
    return pd.DataFrame(rows)


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
    rows, gains = [], []
    shared = observations[observations["random"] & own.has(observations["code"])]
    for (subspace, size), group in shared.groupby(["subspace", "size"], sort=False):
        by_seed = group.pivot(index="code", columns="seed", values="proxy")
        if len(by_seed) < OWN_CELLS:
            continue
        truth = group.groupby("code")["truth"].first()  # in the order of `by_seed`
        measured = own.accuracy(by_seed.index.to_numpy(), test)
        for seed, proxy in by_seed.items():
            pair = [metrics.spearman(proxy, values) for values in (measured, truth)]
            rows.append((subspace, size, seed, len(by_seed), *pair))
        gain = jackknife(np.column_stack([by_seed, measured, truth]), mean_rank_gain)
        gains.append((subspace, size, by_seed.shape[1], *gain.interval()))
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
        Spearman correlations: agreement of the two, half and single with the truth. None of a
        supernet that was trained for each on another kind of processor, which rounds differently:
        where losses of the trainings differ, so do the weights.
    """
    by_config = {record.config: record for record in records if record.status == "ok"}
    rows = []
    for pair in precision_pairs(profile):
        there = [by_config[each] for each in pair if each in by_config]
        if len(there) == 2 and there[0].history == there[1].history:
            half, single = (
                observe_run(record, table, PROFILES[profile].column).query("random")
                for record in there
            )
            rows.append(
                {
                    "images": pair[0].data.validation_images,
                    "seed": pair[0].seed,
                    "n": len(half),
                    "agreement": metrics.spearman(half["proxy"], single["proxy"]),
                    "half": metrics.spearman(half["proxy"], half["truth"]),
                    "single": metrics.spearman(single["proxy"], single["truth"]),
                }
            )
    return pd.DataFrame(rows, columns=["images", "seed", "n", "agreement", "half", "single"])


def counted(table: Table) -> dict[str, pd.DataFrame]:
    """`usage` of every single mask and `best_cells`, of a complete table; else no rows."""
    if len(table) < NUM_CELLS:
        return {
            "usage": pd.DataFrame(columns=["subspace", "top", "operation", "usage", "share"]),
            "best": pd.DataFrame(columns=["subspace", "what", "value"]),
        }
    return {
        name: pd.concat([count(table, subspace) for subspace in SINGLES], ignore_index=True)
        for name, count in (("usage", usage), ("best", best_cells))
    }


def best_cells(table: Table, subspace: Subspace) -> pd.DataFrame:
    """Of the best cells of a subspace, how close they are, and how many have neither Zero nor Pool.

    Returns:
        Columns subspace, what, value: "gap" is the accuracy of the best cell less that of the
        tenth, in percent; "kept N" the share of the true top N without these two operations.
    """
    codes = table.subset(subspace.operations)
    accuracy = table.accuracy(codes, COLUMN)
    order = np.argsort(-accuracy, kind="stable")
    kept = uses_only(codes[order], NEITHER.operations)
    values = {"gap": accuracy[order[0]] - accuracy[order[9]]}
    values |= {f"kept {n}": kept[:n].mean() for n in TOP_NS}
    rows = [(str(subspace), what, float(value)) for what, value in values.items()]
    return pd.DataFrame(rows, columns=["subspace", "what", "value"])


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
                    count_parameters(codes), table.accuracy(codes, column)
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
        tau_a: subspace, size, tau_a (Laube's: of the mean over seeds), ci_low, ci_high, n;
        baseline: subspace, size: the supernets' Spearman beside the parameter count's;
        tried: the settings, one row each: Spearman with its interval over seeds, n;
        claims: one row a claim of the paper, with a verdict;
        decides: what the design can decide of them, see `claims.decides`;
        own_truth: subspace, size, cells, truth (own or table), mean, ci_low, ci_high, n (runs);
        half_precision: images, cells, what (agreement, change), mean, ci_low, ci_high, n (runs),
            if known;
        published: see `published_supernets.tables`;
        pourchot-table3-authors: space, method, mean, ci, n, from Pourchot's own supernets;
        pourchot-table3-ours: space, method, mean, ci_low, ci_high, n, failed, from ours;
        authors_claims and ours_claims: one row a claim of Pourchot's about rankings.
    """
    summary, found = summarise_metrics(statistics["runs"]), quantities(statistics)
    return {
        "summary": summary,
        "top_n": top_groups(summary),
        "tau_a": pooled_tau_a(statistics["runs"]),
        "baseline": against_parameters(summary, statistics["parameters"], statistics["seeds"]),
        "tried": settings_tried(statistics["settings"]),
        "claims": pd.DataFrame(claims.judge("laube", found)),
        "decides": pd.DataFrame(claims.decides("laube", found)),
        **({"own_truth": own_truth(statistics["own"])} if "own" in statistics else {}),
        **half_precision(statistics["precision"]),
        **published_supernets.tables(statistics),
        **nb101_tables(statistics),
        **statistics,
    }


def nb101_tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Table 3 and the claims about it, from the supernets of all whose statistics are known.

    Of ours, `appraisal.equal_images` too.
    """
    by_source = {"authors": appraisal.table3, "ours": appraisal.summarise}
    found = {}
    if "ours" in statistics:
        found["ours_equal_images"] = appraisal.equal_images(statistics["ours"])
    for source in by_source.keys() & statistics.keys():
        ranks = statistics[source]
        found[TABLE3[source]] = by_source[source](ranks)
        judged = appraisal.quantities(ranks, statistics[f"{source}_patterns"])
        found[f"{source}_claims"] = pd.DataFrame(claims.judge(appraisal.CLAIMS, judged))
        found[f"{source}_decides"] = pd.DataFrame(claims.decides(appraisal.CLAIMS, judged))
    return found


def summarise_metrics(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95% interval of each metric over the runs of a subspace and size."""
    keys = [*LABELS, "metric"]
    summary = summarise(runs, keys, correlation=lambda key: is_correlation(key[-1]))
    return summary[summary["n"] > 0].drop(columns="failed").reset_index(drop=True)


def top_groups(summary: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau-a and mean prediction within the true top N, and over the random sample.

    The mean of the sample is that of its connected cells.
    """
    tops = {f"{n}": (f"tau_top_{n}", f"mean_top_{n}") for n in TOP_NS}
    tops["random"] = ("kendall_tau_a", "mean_connected")
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


def pooled_tau_a(runs: pd.DataFrame) -> pd.DataFrame:
    """Laube's tau_a as he defines it, of the mean over seeds, with its interval over them."""
    of = values_of(runs)
    rows = [
        (subspace, size, *resampled(curves, tau_a_of_mean).interval())
        for subspace, size in runs[["subspace", "size"]].drop_duplicates().to_numpy()
        if len(curves := means_of_tops(of, subspace, size))
    ]
    return pd.DataFrame(rows, columns=["subspace", "size", "tau_a", "ci_low", "ci_high", "n"])


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


def mask_zero_elsewhere(tried: pd.DataFrame) -> dict[str, int]:
    """With how many settings outside the grid Zero was masked and not, and how it came out.

    The grid's setting was chosen by the full space, which can turn the sign of the difference.

    Args:
        tried: what `settings_tried` gives.

    Returns:
        tried: how many settings; higher: with how many the mean Spearman correlation is higher
            without Zero.
    """
    others = tried[~tried["in_grid"]]
    means = others.pivot(index=["sampler", *SHOWN], columns="subspace", values="mean")
    both = means.reindex(columns=[str(FULL), str(NO_ZERO)]).dropna()
    return {"tried": len(both), "higher": int((both[str(NO_ZERO)] > both[str(FULL)]).sum())}
