"""Supernets that others trained at the scale of a GPU, measured as this study measures its own.

They answer whether a result is only because our supernets are small. Each was trained on the whole
of NAS-Bench-201, so that a subspace is a part of its ranking, not a supernet of its own.
"""

import re
from collections.abc import Iterable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import metrics
from nasrepro.benchmarks import (
    Table,
    available_tables,
    few_shot_supernets,
    load_table,
    snapshots,
)
from nasrepro.data.sources import SOURCES, locate
from nasrepro.nets.nb201 import count_parameters
from nasrepro.spaces.nb201 import Subspace, connected, uses_only
from nasrepro.studies.measure import TOP, effects, rank_metrics, summarise

TABLE, COLUMN = "nb201-200epochs", "cifar10-test-200"
GROUP = ["subspace", "cells", "metric"]
AVERAGED = (1, 4, 16, 64)  # consecutive states of a supernet


def statistics(subspaces: Iterable[Subspace]) -> dict[str, pd.DataFrame]:
    """What the single supernets say of subspaces, if they and the truth are on this machine.

    Returns:
        published_runs: setting (channels-batch-epochs, and whether balanced), seed, subspace, cells
            (all or connected, where these are not all), metric, value: those of `rank_metrics`.
        published_parameters: subspace, cells, metric, value, n (cells), of the parameter count.
        Nothing without the files.
    """
    path = locate(SOURCES[few_shot_supernets.NAME])
    known = path is not None and TABLE in available_tables()
    return dict(_of_file(path, tuple(subspaces))) if known else {}


@cache  # the same whatever the profile, and it takes seconds
def _of_file(path: Path, subspaces: tuple[Subspace, ...]) -> dict[str, pd.DataFrame]:
    """`statistics` of a file that is here; its path stands for it."""
    return measure(few_shot_supernets.load(), load_table(TABLE), subspaces)


def measure(
    evaluations: pd.DataFrame, table: Table, subspaces: Iterable[Subspace]
) -> dict[str, pd.DataFrame]:
    """`statistics` of some evaluations.

    Args:
        evaluations: what `few_shot_supernets.single_supernets` gives.
        table: the stand-alone accuracies; other cells are left out.
        subspaces: whose cells are ranked.
    """
    known = evaluations[np.isin(evaluations["code"], table.codes)]
    proxies = known.pivot(index="code", columns="run", values="proxy")
    codes = proxies.index.to_numpy()
    truth, parameters = table.accuracy(codes, COLUMN), count_parameters(codes)
    about = {row.run: (setting(row), row.seed) for row in known.drop_duplicates("run").itertuples()}
    runs, counted = [], []
    for subspace in subspaces:
        for cells, chosen in groups_of(codes, subspace).items():
            by_metric = rank_metrics(parameters[chosen], truth[chosen])
            del by_metric[TOP]  # it would say in which order equal counts are given
            counted += [(str(subspace), cells, *of, int(chosen.sum())) for of in by_metric.items()]
            for run, proxy in proxies.items():
                by_metric = rank_metrics(proxy.to_numpy()[chosen], truth[chosen])
                runs += [(*about[run], str(subspace), cells, *of) for of in by_metric.items()]
    return {
        "published_runs": pd.DataFrame(runs, columns=["setting", "seed", *GROUP, "value"]),
        "published_parameters": pd.DataFrame(counted, columns=[*GROUP, "value", "n"]),
    }


def setting(row: Any) -> str:
    """What tells a supernet from those that differ in their seed alone.

    Args:
        row: of `few_shot_supernets.single_supernets`.
    """
    numbers = f"{row.channels}-{row.batch}-{row.epochs}"
    return f"{numbers}-balanced" if row.balanced else numbers


def groups_of(codes: np.ndarray, subspace: Subspace) -> dict[str, np.ndarray]:
    """All cells of a subspace, and the connected ones where some are not, as bool [n]."""
    inside = uses_only(codes, subspace.operations)
    linked = inside & connected(codes)
    return {"all": inside} | ({"connected": linked} if (inside & ~linked).any() else {})


def single_states() -> dict[str, pd.DataFrame]:
    """How far one state of a supernet tells its ranking, if the files are on this machine.

    Returns:
        published_states: `averaged_states` of what `snapshots.load` gives; nothing without a file.
    """
    if not all(locate(SOURCES[name]) for name in (snapshots.NAME, snapshots.TRUTH)):
        return {}
    return {"published_states": averaged_states(*snapshots.load())}


def averaged_states(states: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    """Spearman correlation with the truth of states of one supernet, alone and averaged.

    Args:
        states: accuracies, one row a step, one column a network.
        truth: accuracy of each network alone.

    Returns:
        Columns averaged (of `AVERAGED`, consecutive ones), mean, least, largest, n (windows of so
        many, which overlap), networks.
    """
    rows = []
    for count in AVERAGED:
        means = states.rolling(count).mean().iloc[count - 1 :]
        found = [metrics.spearman(mean, truth) for mean in means.to_numpy()]
        rows.append((count, np.mean(found), min(found), max(found), len(found), len(truth)))
    return pd.DataFrame(rows, columns=["averaged", "mean", "least", "largest", "n", "networks"])


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The table of the supernets, if their statistics are known.

    Returns:
        published: setting, subspace, cells, metric, mean, ci_low, ci_high, n (supernets).
    """
    if "published_runs" not in statistics:
        return {}
    keys = ["setting", *GROUP]
    found = summarise(statistics["published_runs"], keys, correlation=lambda key: key[-1] != TOP)
    return {"published": found.drop(columns="failed")}


NUMBERS = re.compile(r"(?P<channels>\d+)-(?P<batch>\d+)-(?P<epochs>\d+)(?P<balanced>-balanced)?")


def compared(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Settings of the whole space, and those that differ in one thing, over the seeds of both.

    Returns:
        published_settings: setting, cells, metric, mean, ci_low, ci_high, n, failed;
        published_factors: what (e.g. channels 5 to 16), setting, against, cells, metric, baseline,
            value, difference, ci_low, ci_high, p_holm, n: see `measure.effects`; p_holm over the
            pairs of a metric and group of cells.
        Nothing without the supernets.
    """
    if "published_runs" not in statistics:
        return {}
    runs = statistics["published_runs"]
    keys = ["setting", "cells", "metric"]
    settings = summarise(runs, keys, correlation=lambda key: key[-1] != TOP)
    pairs = differing_in_one(runs["setting"].unique())
    frames = [
        effects(group[["setting", "seed", "metric", "value"]], pairs).assign(cells=cells)
        for cells, group in runs.groupby("cells", sort=False)
    ]
    factors = pd.concat(frames, ignore_index=True)
    what = [pairs[pair] for pair in zip(factors["setting"], factors["against"], strict=True)]
    factors.insert(0, "what", what)
    columns = ["what", "setting", "against", "cells", *factors.columns.drop("cells")[3:]]
    return {"published_settings": settings, "published_factors": factors[columns]}


def differing_in_one(settings: Iterable[str]) -> dict[tuple[str, str], str]:
    """Pairs of settings that differ in one thing, the larger first, and what that is.

    >>> differing_in_one(["5-64-250", "16-64-250", "16-128-250", "5-64-250-balanced"])
    {('16-64-250', '5-64-250'): 'channels 5 to 16', ('5-64-250-balanced', '5-64-250'): \
'balanced sampling', ('16-128-250', '16-64-250'): 'batch 64 to 128'}
    """
    numbers = {
        setting: {k: int(v) if (v or "").isdigit() else bool(v) for k, v in found.items()}
        for setting in settings
        if (match := NUMBERS.fullmatch(setting)) and (found := match.groupdict())
    }
    pairs = {}
    for (a, of_a), (b, of_b) in combinations(numbers.items(), 2):
        changed = [name for name in of_a if of_a[name] != of_b[name]]
        if len(changed) == 1:
            (name,) = changed
            low, high = sorted((a, b), key=lambda setting: numbers[setting][name])
            of = f"{name} {numbers[low][name]} to {numbers[high][name]}"
            pairs[high, low] = "balanced sampling" if name == "balanced" else of
    return pairs
