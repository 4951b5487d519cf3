"""Supernets that others trained at the scale of a GPU, measured as a study measures its own.

They answer whether a result is only because our supernets are small. Each was trained on the whole
of NAS-Bench-201, so that a subspace is a part of its ranking, not a supernet of its own. Single
supernets share all weights; split ones have copies of their later cells, for paths of a kind.
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
from nasrepro.search import expected_top
from nasrepro.spaces.nb201 import Subspace, connected, uses_only
from nasrepro.studies.measure import TOP, effects, judges, rank_metrics, summarise
from nasrepro.studies.rankings import PICKED, SEARCHED

TABLE, COLUMN = "nb201-200epochs", "cifar10-test-200"
GROUP = ["subspace", "cells", "metric"]
PROXY, FINAL = "mean_prediction", "final_accuracy"
JUDGED = (PROXY, "sparse_kendall_tau", "spearman", "tau_top_tenth", FINAL)
AVERAGED = (1, 4, 16, 64)  # consecutive states of a supernet


def statistics(subspaces: Iterable[Subspace]) -> dict[str, pd.DataFrame]:
    """What the single supernets say of subspaces, if they and the truth are on this machine.

    Returns:
        published_runs: setting (channels-batch-epochs, and whether balanced), seed, subspace, cells
            (all or connected, where these are not all), metric, value: those of `rank_metrics`.
        published_parameters: subspace, cells, metric, value, n (cells), of the parameter count.
        Nothing without the files.
    """
    path = _file()
    return dict(_of_singles(path, tuple(subspaces))) if path else {}


def all_of_them() -> dict[str, pd.DataFrame]:
    """What single and split supernets say of the whole space, if they are on this machine.

    Returns:
        published_all: setting, seed, cells, metric, value: those of `rank_metrics`, the mean proxy
            accuracy, and the final accuracy: the mean truth of the best `PICKED` by proxy of
            `SEARCHED` random cells, expected over all draws. Nothing without the files.
    """
    path = _file()
    return {"published_all": _of_all(path)} if path else {}


def _file() -> Path | None:
    """The file of the supernets, if it and the truth are here."""
    return locate(SOURCES[few_shot_supernets.NAME]) if TABLE in available_tables() else None


@cache  # the same for both profiles and both questions; the path stands for the file
def _evaluations(path: Path) -> pd.DataFrame:
    return few_shot_supernets.load()


@cache
def _of_singles(path: Path, subspaces: tuple[Subspace, ...]) -> dict[str, pd.DataFrame]:
    evaluations = _evaluations(path)
    singles = evaluations[evaluations["split"] == ""]
    return measure(singles, load_table(TABLE), subspaces)


@cache
def _of_all(path: Path) -> pd.DataFrame:
    return measure_found(_evaluations(path), load_table(TABLE))


def measure_found(evaluations: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The frame of `all_of_them` of some evaluations.

    Args:
        evaluations: what `few_shot_supernets.supernets` gives.
        table: the stand-alone accuracies; other cells are left out.
    """
    about, proxies = _by_run(evaluations, table)
    codes = proxies.index.to_numpy()
    truth, rows = table.accuracy(codes, COLUMN), []
    for cells, chosen in groups_of(codes, Subspace()).items():
        known = truth[chosen]
        for run, evaluated in proxies.items():
            proxy = evaluated.to_numpy()[chosen]
            values = rank_metrics(proxy, known) | {
                PROXY: float(proxy.mean()),
                FINAL: expected_top(proxy, known, drawn=min(SEARCHED, len(known)), picked=PICKED),
            }
            rows += [(*about[run], cells, metric, value) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["setting", "seed", "cells", "metric", "value"])


def measure(
    evaluations: pd.DataFrame, table: Table, subspaces: Iterable[Subspace]
) -> dict[str, pd.DataFrame]:
    """`statistics` of some evaluations.

    Args:
        evaluations: what `few_shot_supernets.supernets` gives, of single ones.
        table: the stand-alone accuracies; other cells are left out.
        subspaces: whose cells are ranked.
    """
    about, proxies = _by_run(evaluations, table)
    codes = proxies.index.to_numpy()
    truth, parameters = table.accuracy(codes, COLUMN), count_parameters(codes)
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


def _by_run(
    evaluations: pd.DataFrame, table: Table
) -> tuple[dict[str, tuple[str, int]], pd.DataFrame]:
    """Setting and seed of each run, and its proxies of the cells of a table: one column a run."""
    known = evaluations[table.has(evaluations["code"])]
    about = {row.run: (setting(row), row.seed) for row in known.drop_duplicates("run").itertuples()}
    return about, known.pivot(index="code", columns="run", values="proxy")


def setting(row: Any) -> str:
    """What tells a supernet from those that differ in their seed alone.

    Args:
        row: of `few_shot_supernets.supernets`.
    """
    numbers = f"{row.channels}-{row.batch}-{row.epochs}{'-balanced' if row.balanced else ''}"
    return f"{numbers} split {row.split}" if row.split else numbers


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


TEXTS = ("balanced", "split")  # of a name; the rest are numbers
BALANCED = "balanced sampling"
NUMBERS = re.compile(
    r"(?P<channels>\d+)-(?P<batch>\d+)-(?P<epochs>\d+)(?P<balanced>-balanced)?"
    r"(?: split (?P<split>.+))?"
)


def compared(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Settings of the whole space, and those that differ in one thing.

    Returns:
        published_settings: setting, cells, metric, mean, ci_low, ci_high, n, failed;
        published_factors: what (e.g. channels 5 to 16), setting, against, cells, metric, baseline,
            value, difference, ci_low, ci_high, p_holm, n, n_baseline: see `measure.effects`; p_holm
            over the pairs of a metric and group of cells.
        Nothing without the supernets.
    """
    if "published_runs" not in statistics:
        return {}
    runs = statistics["published_runs"]
    keys = ["setting", "cells", "metric"]
    settings = summarise(runs, keys, correlation=lambda key: key[-1] != TOP)
    pairs = differing_in_one(runs["setting"].unique())
    return {"published_settings": settings, "published_factors": _effects(runs, pairs)}


def of_all(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What splitting a supernet changes, and what judges one.

    Returns:
        published_splits: as published_factors of `compared`: of split supernets and the single one
            that differs in nothing else, and of balanced sampling in either;
        published_judges: cells, and what `measure.judges` gives over all settings.
        Nothing without the supernets.
    """
    if "published_all" not in statistics:
        return {}
    runs = statistics["published_all"]
    pairs = differing_in_one(runs["setting"].unique())
    of_splits = {
        pair: what for pair, what in pairs.items() if what.startswith("split") or what == BALANCED
    }
    judged = [
        judges(group, JUDGED).assign(cells=cells)
        for cells, group in runs.groupby("cells", sort=False)
    ]
    return {
        "published_splits": _effects(runs, of_splits),
        "published_judges": pd.concat(judged, ignore_index=True),
    }


def _effects(runs: pd.DataFrame, pairs: dict[tuple[str, str], str]) -> pd.DataFrame:
    """`measure.effects` in each group of cells, with what differs in front."""
    frames = [
        effects(group[["setting", "seed", "metric", "value"]], pairs).assign(cells=cells)
        for cells, group in runs.groupby("cells", sort=False)
    ]
    found = pd.concat(frames, ignore_index=True)
    what = [pairs[pair] for pair in zip(found["setting"], found["against"], strict=True)]
    found.insert(0, "what", what)
    return found[["what", "setting", "against", "cells", *found.columns.drop("cells")[3:]]]


def differing_in_one(settings: Iterable[str]) -> dict[tuple[str, str], str]:
    """Pairs of settings that differ in one thing, the larger first, and what that is.

    Of splits, those that only one of them has.

    >>> differing_in_one(["5-64-250", "16-64-250", "16-128-250", "5-64-250-balanced"])
    {('16-64-250', '5-64-250'): 'channels 5 to 16', ('5-64-250-balanced', '5-64-250'): \
'balanced sampling', ('16-128-250', '16-64-250'): 'batch 64 to 128'}
    >>> differing_in_one(["5-64-250 split 15-30", "5-64-250", "5-64-250 split 15-20"])
    {('5-64-250 split 15-30', '5-64-250'): 'split 15-30', \
('5-64-250 split 15-20', '5-64-250'): 'split 15-20'}
    """
    numbers = {
        setting: {
            name: value or "" if name in TEXTS else int(value) for name, value in found.items()
        }
        for setting in settings
        if (match := NUMBERS.fullmatch(setting)) and (found := match.groupdict())
    }
    pairs = {}
    for (a, of_a), (b, of_b) in combinations(numbers.items(), 2):
        changed = [name for name in of_a if of_a[name] != of_b[name]]
        if len(changed) == 1:
            (name,) = changed
            low, high = sorted((a, b), key=lambda setting: numbers[setting][name])
            values = numbers[low][name], numbers[high][name]
            if name == "balanced":
                pairs[high, low] = BALANCED
            elif name != "split":
                pairs[high, low] = f"{name} {values[0]} to {values[1]}"
            elif not values[0]:
                pairs[high, low] = f"split {values[1]}"
    return pairs
