"""Searches of spaces whose every cell has a stand-alone accuracy, with and without weight sharing.

Supernets that evaluated every cell, some of NAS-Bench-201 and all of NAS-Bench-Macro, guide random
search and greedy search, which asks for neighbours; those that evaluated a sample, random search.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.metrics import spearman
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.search import greedy_search, neighbourhood, random_search
from nasrepro.studies.comparison import (
    COMPARED,
    EVALUATION,
    SUPERNET,
    Charge,
    Protocol,
    ProxySearch,
    baseline_curve,
    by_chance,
    by_share,
    compare_all,
    complete,
    guided_by,
    guided_curve,
    paper_trainings,
    sharing_out,
    without_sharing,
)

# What their searches are called where supernets evaluated every cell; see `asking_any`.
NB201_WHOLE, MACRO_WHOLE = "nb201-whole", "macro-whole"
PICKS = {"RS": by_chance, "GS": by_share}
EVALUATED = ["space", "seed", "code", "proxy"]  # what a supernet said of a cell
AS_RUN, AS_IN_PAPER = "as run", "as in the paper"  # accounts of what it costs

Counts = Callable[[np.ndarray], np.ndarray]  # codes of cells -> one number a cell


@dataclass(frozen=True, eq=False)
class Complete:
    """All cells of a space, with one stand-alone accuracy each."""

    benchmark: str  # a key of `SPACES`
    space: str
    codes: np.ndarray  # integer [n]
    accuracy: np.ndarray  # percent, float64 [n]


@dataclass(frozen=True, eq=False)
class Guide:
    """Searches with the supernets of a space, and what they are called."""

    benchmark: str
    space: str
    search: str  # "RS" or "GS"
    evaluations: pd.DataFrame  # columns `EVALUATED`
    by_proxy: ProxySearch


def complete_statistics(
    benchmark: str,
    spaces: Sequence[tuple[Complete, list[Guide]]],
    charges: dict[str, Charge],
    protocol: Protocol,
) -> dict[str, pd.DataFrame]:
    """The frames of `regret.statistics` of complete spaces and what supernets guide there."""
    comparisons, searches, curves = [], [], []
    generators = np.random.default_rng(protocol.seed).spawn(len(spaces))
    for (cells, guides), generator in zip(spaces, generators, strict=True):
        found = search_complete(cells, guides, charges, protocol, generator)
        comparisons += found[0]
        searches.append(found[1])
        curves += found[2]
    return frames_of(benchmark, comparisons, searches, curves)


def search_complete(
    cells: Complete,
    guides: Sequence[Guide],
    charges: dict[str, Charge],
    protocol: Protocol,
    generator: np.random.Generator,
) -> tuple[list[dict[str, str | float]], pd.DataFrame, list[pd.DataFrame]]:
    """Search a complete space without weight sharing and with it.

    Args:
        cells: of the space.
        guides: searches with supernets.
        charges: what weight sharing costs, by each account.
        protocol: how much is searched.
        generator: its state advances.

    Returns:
        Rows of `comparisons`; `searches` and `curves` as in `regret.statistics`.
    """
    landscape = complete(cells.accuracy)
    around = neighbourhood(cells.benchmark, cells.codes)
    about = {"benchmark": cells.benchmark, "space": cells.space}
    baselines, compared, curves = without_sharing(about, landscape, around, protocol, generator)
    panels = dict.fromkeys((guide.benchmark, guide.space) for guide in guides)
    for (benchmark, space), (search, found) in product(panels, baselines.items()):
        if (benchmark, space) != (cells.benchmark, cells.space):  # which has its curves
            curves.append(baseline_curve(benchmark, space, search, found.curves, protocol.points))
    comparisons = []
    for guide, (charged, charge) in product(guides, charges.items()):
        own = np.random.default_rng(protocol.seed)  # by either account the same searches
        rows = pd.Index(cells.codes).get_indexer
        guided = guided_by(guide.evaluations, landscape, rows, charge, guide.by_proxy, own)
        run = {"benchmark": guide.benchmark, "space": guide.space, "method": "S"}
        run |= {"charge": charged, "guided": guide.search}
        comparisons += compare_all(run, baselines, guided, generator, protocol.resamples)
        if charged == AS_IN_PAPER:
            named = (guide.benchmark, guide.space, guide.search)
            curves += guided_curve(*named, guided, protocol.points)
    return comparisons, compared, curves


def frames_of(
    benchmark: str,
    comparisons: list[dict[str, str | float]],
    searches: list[pd.DataFrame],
    curves: list[pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """The frames of `regret.statistics` of a benchmark, from what its spaces gave."""
    return {
        f"comparisons_{benchmark}": pd.DataFrame(comparisons, columns=COMPARED),
        f"searches_{benchmark}": pd.concat(searches, ignore_index=True),
        f"curves_{benchmark}": pd.concat(curves, ignore_index=True),
    }


def sharing(cells: Complete, evaluations: pd.DataFrame, protocol: Protocol) -> list[Guide]:
    """Random search with supernets that evaluated a sample; none without supernets of the space."""
    mine = evaluations[evaluations["space"] == cells.space]
    by_proxy = sharing_out(protocol.guided)
    return [Guide(cells.benchmark, cells.space, "RS", mine, by_proxy)] if len(mine) else []


def asking_any(cells: Complete, evaluations: pd.DataFrame, protocol: Protocol) -> list[Guide]:
    """Random and greedy search with supernets that can be asked for any cell.

    Each evaluates as large a share of the space as the paper's searches do of theirs, or as many
    cells, at most all.

    Args:
        cells: of the space.
        evaluations: in ascending order of the codes; columns `EVALUATED`.
        protocol: how much is searched.

    Returns:
        A panel for each number of cells; nothing without supernets of the space.
    """
    mine, size = evaluations[evaluations["space"] == cells.space], len(cells.codes)
    if mine.empty:
        return []
    around, searches = neighbourhood(cells.benchmark, np.sort(cells.codes)), protocol.guided
    guides = []
    for count in sorted({paper_trainings(size), min(protocol.evaluations, size)}):
        draws = {
            "RS": lambda proxy, own, n=count: random_search(len(proxy), n, searches, own),
            "GS": lambda proxy, own, n=count: greedy_search(proxy, around, n, searches, own),
        }
        panel = (f"{cells.benchmark}-whole", f"{count:,} cells by proxy")
        guides += [
            Guide(*panel, search, mine, ProxySearch(draw, PICKS[search]))
            for search, draw in draws.items()
        ]
    return guides


def charges_of(config: SupernetConfig, images: int) -> dict[str, Charge]:
    """What a supernet costs: by the images it saw, and by the paper's ratio.

    Args:
        config: of the supernet.
        images: that a stand-alone training sees.
    """
    trained = config.trained_images
    return {
        AS_RUN: Charge(trained / images, config.data.validation_images / (3 * images)),
        AS_IN_PAPER: Charge(SUPERNET, EVALUATION),
    }


def ranks_of_whole(evaluations: pd.DataFrame, table: Table, column: str) -> pd.DataFrame:
    """How well supernets that evaluated every cell of a space rank them.

    Args:
        evaluations: columns `EVALUATED`; of a supernet without any, one row without cell.
        table: the stand-alone accuracies.
        column: of the table.

    Returns:
        The frame `ranks` of `regret.statistics`; the correlation of a failed supernet is NaN.
    """
    rows = []
    for (space, seed), run in evaluations.groupby(["space", "seed"], sort=False):
        ranked = run.dropna()
        truth = table.accuracy(ranked["code"].to_numpy(np.int64), column)
        correlation = spearman(ranked["proxy"], truth) if len(ranked) else np.nan
        rows.append((table.space, space, "S", seed, correlation))
    return pd.DataFrame(rows, columns=["benchmark", "space", "method", "seed", "spearman"])


def by_size(
    table: Table,
    column: str,
    spaces: dict[str, np.ndarray],
    parameters: Counts,
    flops: Counts | None = None,
) -> pd.DataFrame:
    """What size alone tells: the regret of the largest cell, a search without a search; ranks.

    Args:
        table: the stand-alone accuracies.
        column: of the table, to report.
        spaces: codes of the cells of each space.
        parameters: of cells, by their codes.
        flops: the same, where they rank otherwise than parameters.

    Returns:
        Columns benchmark, space, cells (which have the most), regret (their mean), percent, and
        parameters and flops: the Spearman correlation of these counts of all cells with the
        accuracy, NaN if not asked for.
    """
    rows = []
    for space, codes in spaces.items():
        accuracy, counts = table.accuracy(codes, column), parameters(codes)
        most = counts == counts.max()
        rows.append(
            {
                "benchmark": table.space,
                "space": space,
                "cells": int(most.sum()),
                "regret": float(accuracy.max() - accuracy[most].mean()),
                "parameters": spearman(counts, accuracy),
                "flops": np.nan if flops is None else spearman(flops(codes), accuracy),
            }
        )
    return pd.DataFrame(rows)
