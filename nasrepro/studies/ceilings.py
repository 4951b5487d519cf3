"""Noise ceilings: how well any ranking can agree with accuracies that are noisy themselves.

Two trainings of the same cells correlate by r, their reliability. The mean of k trainings has the
reliability k r / (1 + (k - 1) r) (Spearman 1910, Brown 1910), and a predictor without noise
correlates by no more than the root of it (the correction for attenuation, Spearman 1904). Both are
exact for linear correlations and noise of one variance; of ranks they are an approximation.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from nasrepro import metrics
from nasrepro.benchmarks import nb101, nb201_seeds
from nasrepro.data.pourchot import RUNS
from nasrepro.data.sources import SOURCES, fetch, locate
from nasrepro.rounding import mean_of
from nasrepro.spaces.nb101 import SUBSPACES
from nasrepro.spaces.nb201 import Subspace, connected, uses_only

COLUMNS = ("benchmark", "accuracy", "cells", "what", "value", "n")
HIGH = 90.0  # percent


def statistics(subspaces: Iterable[Subspace]) -> dict[str, pd.DataFrame]:
    """The ceilings of the benchmarks whose trainings are on this machine.

    Args:
        subspaces: of NAS-Bench-201, beside all its cells.

    Returns:
        ceilings: benchmark, accuracy (validation or test), cells, what, value, n (cells): for each
        group of cells the entries of `reliability`. Nothing without such a file.
    """
    files = [locate(SOURCES[name]) for name in (nb201_seeds.NAME, nb101.NAME)]
    return {"ceilings": _of_files(*files, tuple(subspaces))} if any(files) else {}


@cache  # the same whatever the profile, and it takes seconds
def _of_files(
    seeds: Path | None, sample: Path | None, subspaces: tuple[Subspace, ...]
) -> pd.DataFrame:
    """`statistics` of the files that are here; their paths stand for them."""
    rows = nb201_ceilings(nb201_seeds.load(), subspaces) if seeds else []
    rows += nb101_ceilings(nb101.read_sample(fetch(SOURCES[nb101.NAME]))) if sample else []
    return pd.DataFrame(rows, columns=COLUMNS)


def spearman_brown(r: float, k: int) -> float:
    """Reliability of the mean of k trainings, of which one has reliability r.

    >>> round(spearman_brown(0.5, 3), 12)
    0.75
    """
    return k * r / (1 + (k - 1) * r)


def reliability(runs: np.ndarray) -> dict[str, float]:
    """How far trainings of the same cells agree, and what that leaves to a predictor.

    Args:
        runs: accuracies, shape (cells, trainings).

    Returns:
        between runs: Spearman's correlation of two trainings, mean over all pairs of columns;
        lowest pair and highest pair; between means of three: reliability of a mean of three;
        ceiling of one run and ceiling of a mean of three: roots of both reliabilities.

    Three pairs agree by 1, 0.5 and 0.5, so r is 2 / 3, and 6 / 7 for the mean of three:

    >>> found = reliability(np.array([[1, 10, 2], [2, 20, 1], [3, 30, 3]]))
    >>> round(found["between runs"], 4), round(found["between means of three"], 4)
    (0.6667, 0.8571)
    """
    pairs = [metrics.spearman(a, b) for a, b in combinations(runs.T, 2)]
    r = float(np.mean(pairs))
    one = max(r, 0.0)  # what disagrees has nothing in common
    three = spearman_brown(one, 3)
    return {
        "between runs": r,
        "lowest pair": min(pairs),
        "highest pair": max(pairs),
        "between means of three": three,
        "ceiling of one run": one**0.5,
        "ceiling of a mean of three": three**0.5,
    }


def nb201_ceilings(seeds: pd.DataFrame, subspaces: Iterable[Subspace]) -> list[tuple]:
    """Rows of NAS-Bench-201: all cells, parts of them, and subspaces.

    The first two trainings of every cell that has two are compared. A group above a limit is
    chosen by the mean of these two, so that neither decides alone.

    Args:
        seeds: what `nb201_seeds.read_seeds` gives.
        subspaces: groups of their own.
    """
    by_run = seeds.pivot(index="code", columns="run", values="accuracy")[[0, 1]].dropna()
    runs, codes = by_run.to_numpy(), by_run.index.to_numpy()
    groups = {
        str(Subspace()): np.full(len(runs), True),
        "connected": connected(codes),
        f"above {HIGH:g}%": mean_of(runs) > HIGH,
        **{str(space): uses_only(codes, space.operations) for space in subspaces},
    }
    return _rows("NAS-Bench-201", "validation", runs, groups)


def nb101_ceilings(sample: pd.DataFrame) -> list[tuple]:
    """Rows of NAS-Bench-101: the cells of the sample in each of Pourchot's seven subspaces.

    Args:
        sample: what `nb101.read_sample` gives.
    """
    codes = sample["code"].to_numpy()
    groups = {name: subspace.mask(codes) for name, subspace in SUBSPACES.items()}
    return [
        row
        for split in nb101.SPLITS
        for row in _rows(
            "NAS-Bench-101", split, sample[[f"{split}_{run}" for run in RUNS]].to_numpy(), groups
        )
    ]


def by_cells(
    rows: pd.DataFrame,
    benchmark: str,
    accuracy: str = "validation",
    what: str = "ceiling of one run",
) -> dict[str, str]:
    """One number of `statistics` for each group of cells, as text; nothing without the statistics.

    >>> rows = pd.DataFrame([("b", "test", "all", "between runs", 0.98765, 9)], columns=COLUMNS)
    >>> by_cells(rows, "b", "test", "between runs"), by_cells(rows.head(0), "b")
    ({'all': '0.988'}, {})
    """
    wanted = {"benchmark": benchmark, "accuracy": accuracy, "what": what}
    chosen = rows[(rows[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    return {row.cells: f"{row.value:.3f}" for row in chosen.itertuples()}


def _rows(
    benchmark: str, accuracy: str, runs: np.ndarray, groups: Mapping[str, np.ndarray]
) -> list[tuple]:
    """One row an entry of `reliability`, for each group of cells that has two of them."""
    return [
        (benchmark, accuracy, cells, what, value, int(chosen.sum()))
        for cells, chosen in groups.items()
        if chosen.sum() > 1
        for what, value in reliability(runs[chosen]).items()
    ]
