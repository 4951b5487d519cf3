"""Study 3: does weight sharing improve a search (Pourchot section 5.2)?

Three benchmarks, each with what is there of it: NAS-Bench-101 with the authors' own supernets (a
sample of its cells; all of them where a user has its official file), NAS-Bench-201 with the small
supernets of study 1, and NAS-Bench-Macro. A search with weight sharing draws its candidates from
the cells that a supernet evaluated at random; those that study 1 evaluates for their true rank are
candidates only if they were drawn, too. Supernets that evaluated every cell, some of NAS-Bench-201
and all of NAS-Bench-Macro, also guide greedy search, which asks for neighbours.

The supernet is the unit of replication: each counts with the expected regret of the search that it
guides, over all draws of its cells, which has a closed form for random search. A failed supernet,
diverged or constant, searches nothing and is counted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import claims
from nasrepro.benchmarks import Table, available_tables, load_table, macro, nb101, nb101_official
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.metrics import spearman
from nasrepro.nets.config import ChainNetConfig
from nasrepro.nets.macro import count_flops as macro_flops
from nasrepro.runs.families import FAMILIES, family_of
from nasrepro.runs.parts import CellsConfig, DrawnCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import CODES, CORRECT, SupernetConfig
from nasrepro.search import greedy_search, neighbourhood, random_search
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb101 import NUM_CELLS, SUBSPACES
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import Interval, Student, fisher_correlation, mean_of_estimates, student_of
from nasrepro.studies import appraisal, audit, ceilings, correlations, measure, subspaces
from nasrepro.studies.appraisal import BASELINE, missing_files, rank_correlations
from nasrepro.studies.comparison import (
    AT,
    COMPARED,
    EVALUATION,
    ONE_SHOT,
    SUPERNET,
    Charge,
    Landscape,
    Protocol,
    ProxySearch,
    at_random,
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
from nasrepro.studies.design import Design, check_asked, in_order, labelled, merged

TABLE, COLUMN = subspaces.TABLE, subspaces.COLUMN
TEST = nb101.COLUMNS[1]
KINDS = ("comparisons", "searches", "curves", "ranks", "size", "ceilings")
AUDITS = {
    "printed_effects": audit.effects,
    "printed_superiority": audit.superiorities,
    "printed_design": audit.design,
    "printed_text": audit.texts,
}
TABLES = (*KINDS, "whole", "table4", "claims", "decides", *AUDITS)

TEXTS = ("space", "method", "benchmark")

UNITS = {  # of search time
    "nb101": "seconds of training, as the benchmark measured them",
    nb101_official.NAME: "stand-alone trainings of 108 epochs",
    "nb201": "stand-alone trainings of 200 epochs",
    "macro": "stand-alone trainings of 50 epochs",
}

OURS = f"{BASELINE}, ours"  # supernets of study 1, charged as the authors'
PATHS = {"AVG-3": 3}  # paths of each update, where not one; the paper does not search with these

WHOLE = {  # the spaces on which random and greedy search are compared, and their sizes
    (nb101_official.NAME, str(SUBSPACES["A_FULL"])): NUM_CELLS,
    ("nb201", str(Subspace())): Subspace().size,
    ("macro", str(MacroSubspace())): MacroSubspace().size,
}

# Images that a stand-alone training sees.
NB201_IMAGES, MACRO_IMAGES = 200 * 50_000, 50 * 50_000
AS_RUN, AS_IN_PAPER = "as run", "as in the paper"

Counts = Callable[[np.ndarray], np.ndarray]  # codes of cells -> one number a cell


PROFILES = {
    "smoke": Protocol(
        runs=10,
        draws=1_000,
        evaluations=200,
        whole=Subspace.without("none", "avg_pool_3x3"),
        macro=MacroSubspace(("identity", "mb3_k3")),
        points=8,
        resamples=199,
    ),
    "cpu": Protocol(),
    "paper": Protocol(),
}


def macro_base(profile: str, net: ChainNetConfig, **train: Any) -> SupernetConfig:
    """A supernet of NAS-Bench-Macro that evaluates all networks, otherwise as those of study 1."""
    base, space = subspaces.PROFILES[profile].base, PROFILES[profile].macro
    return replace(
        base,
        subspace=space,
        net=net,
        train=replace(base.train, **train),
        cells=DrawnCells(space.size, table=None),
    )


# What the supernets of NAS-Bench-Macro share. They have no published settings: these are those of
# study 1 but for fewer epochs in full precision, because depthwise convolutions are slow on a CPU,
# slowest in bfloat16.
MACRO = {
    "smoke": macro_base("smoke", ChainNetConfig(4, 16, tracked_statistics=False)),
    "cpu": macro_base(
        "cpu",
        ChainNetConfig(16, 320, tracked_statistics=False),
        epochs=20,
        precision="float32",
    ),
    "paper": macro_base("paper", ChainNetConfig(tracked_statistics=False)),
}


@dataclass(frozen=True, eq=False)
class Complete:
    """All cells of a space, with one stand-alone accuracy each."""

    benchmark: str  # a key of `SPACES`
    space: str
    codes: np.ndarray  # integer [n]
    accuracy: np.ndarray  # percent, float64 [n]


# What their searches are called where supernets evaluated every cell; see `asking_any`.
NB201_WHOLE, MACRO_WHOLE = "nb201-whole", "macro-whole"
PICKS = {"RS": by_chance, "GS": by_share}
EVALUATED = ["space", "seed", "code", "proxy"]  # what a supernet said of a cell


@dataclass(frozen=True, eq=False)
class Guide:
    """Searches with the supernets of a space, and what they are called."""

    benchmark: str
    space: str
    search: str  # "RS" or "GS"
    evaluations: pd.DataFrame  # columns `EVALUATED`
    by_proxy: ProxySearch


def design(profile: str, seeds: int | None = None) -> Design:
    """The small supernets of study 1, of NAS-Bench-101 those of BNS-FT; then those of this study.

    See `correlations.design`, `whole_design`, `macro_design`.
    """
    check_asked(profile, PROFILES, seeds)
    return merged(
        nb201=small_design(profile, seeds),
        nb101=appraisal.design(profile, seeds, methods=(BASELINE,)),
        nb201_whole=whole_design(profile, seeds),
        macro=macro_design(profile, seeds),
    )


def small_design(profile: str, seeds: int | None = None) -> Design:
    """The small supernets of study 1 of NAS-Bench-201, labelled by space."""
    runs = subspaces.nb201_design(profile, seeds)
    return labelled(
        (config, {"space": labels["subspace"]})
        for config, labels in runs.items()
        if labels["size"] == "S"
    )


def whole_design(profile: str, seeds: int | None = None) -> Design:
    """Supernets as the small ones of the full space, of `Protocol.whole`, all cells evaluated."""
    space = PROFILES[profile].whole
    return labelled(
        (
            replace(config, subspace=space, cells=CellsConfig(random=space.size)),
            {"space": str(space)},
        )
        for config in small_design(profile, seeds)
        if config.subspace == Subspace()
    )


def macro_design(profile: str, seeds: int | None = None) -> Design:
    """Supernets of NAS-Bench-Macro, all networks evaluated; as many as of `whole_design`."""
    base = MACRO[profile]
    return labelled(
        (replace(base, seed=config.seed), {"space": str(base.subspace)})
        for config in whole_design(profile, seeds)
    )


def repeated_counts(records: Iterable[Record], profile: str) -> tuple[int, int]:
    """How many cells study 1's supernets and those of `whole_design` share, how many alike.

    Where both are of one space they are the same trainings, computed twice.
    """
    counts = {r.config: dict(zip(*_counts(r), strict=True)) for r in records}
    cells, both, alike = subspaces.PROFILES[profile].base.cells, 0, 0
    for config in whole_design(profile):
        once, again = (counts.get(c, {}) for c in (replace(config, cells=cells), config))
        both += len(once.keys() & again.keys())
        alike += len(once.items() & again.items())
    return both, alike


def _counts(record: Record) -> tuple[list[int], list[int]]:
    return record.arrays[CODES].tolist(), record.arrays[CORRECT].tolist()


def table_of(profile: str) -> str:
    """Name of the table of NAS-Bench-201 that is the truth of a profile."""
    return correlations.table_of(profile)


def statistics(records: Sequence[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What is computed from a join with the tables, of each benchmark that is on this machine.

    Args:
        records: those of the profile's grid count.
        profile: a name in `PROFILES`.
        table: the stand-alone accuracies of NAS-Bench-201.

    Returns:
        Frames named by kind and benchmark, e.g. `curves_nb101`; regrets in percent, time in
        `UNITS`.
        comparisons: a search without weight sharing less one with it, at the one-shot budget; see
            `comparison.compare`.
        searches: random less greedy search, both without weight sharing, after some trainings.
        curves: mean regret over time with its 95% interval.
        ranks: benchmark, space, method, seed, spearman: of proxy accuracies, of each supernet of
            the authors, and of ours that evaluated every cell, with the accuracy that selects.
        size: what a search without a search finds; see `by_size`.
        ceilings: see `ceilings.statistics`; for all benchmarks together.
    """
    protocol = PROFILES[profile]
    frames = nb201_statistics(records, profile, table, protocol)
    frames |= ceilings.statistics(subspaces.SINGLES + subspaces.DOUBLES)
    if macro.NAME in available_tables():
        frames |= macro_statistics(records, profile, load_table(macro.NAME), protocol)
    if not missing_files():
        sample = nb101.read_sample(fetch(SOURCES[nb101.NAME]))
        authors = nb101.read_supernets(fetch(SOURCES["nb101-supernets"]), sample)
        appraised = appraisal.design(profile, methods=(BASELINE,))
        trained = [record for record in records if record.config in appraised]
        known = load_table(nb101.NAME)
        ours = nb101_evaluations(trained, profile, known) if trained else None
        frames |= nb101_statistics(sample, authors, protocol, ours)
        spaces = {name: known.codes[space.mask(known.codes)] for name, space in SUBSPACES.items()}
        frames["size_nb101"] = by_size(known, TEST.name, spaces, FAMILIES["nb101"].parameters)
        frames["ranks_nb101"] = rank_correlations(authors).assign(benchmark="nb101")
        if nb101_official.NAME in available_tables():
            frames |= whole_nb101_statistics(load_table(nb101_official.NAME), authors, protocol)
    return frames


def nb101_evaluations(records: Sequence[Record], profile: str, table: Table) -> pd.DataFrame:
    """What `appraisal.observe` gives, and one row without cell for each supernet without any."""
    about = appraisal.design(profile)
    trained = {(about[record.config]["space"], record.config.seed) for record in records}
    return with_lost(appraisal.observe(records, profile, table), trained).assign(method=OURS)


def evaluations_of(records: Iterable[Record], wanted: Design) -> pd.DataFrame:
    """What supernets say of the cells that they evaluated at random, whatever the space.

    Args:
        records: those of `wanted` count.
        wanted: a part of a profile's design, labelled by space.

    Returns:
        Columns space, seed, code (ascending), proxy; of a supernet without any, one row without
        cell.
    """
    trained = in_order(records, wanted)
    if not trained:
        return pd.DataFrame(columns=EVALUATED)
    frames = []
    for record in trained:
        config, proxies = record.config, measure.proxies(record)
        sample = family_of(config.subspace).sample(config.subspace, config.cells)
        drawn = proxies["code"].isin([cell.code for cell in sample])
        frames.append(proxies[drawn].assign(space=wanted[config]["space"], seed=config.seed))
    evaluations = pd.concat(frames, ignore_index=True)[EVALUATED]
    return with_lost(evaluations, {(wanted[r.config]["space"], r.config.seed) for r in trained})


def with_lost(evaluations: pd.DataFrame, trained: Iterable[tuple[str, int]]) -> pd.DataFrame:
    """Evaluations, and one row without cell for each supernet, a space and a seed, without any."""
    known = set(zip(evaluations["space"], evaluations["seed"], strict=True))
    lost = pd.DataFrame(sorted(set(trained) - known), columns=["space", "seed"])
    return pd.concat([evaluations, lost], ignore_index=True) if len(lost) else evaluations


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
    rows_of, by_proxy = pd.Index(sample["code"]), sharing_out(protocol.guided)
    everything = Landscape(
        sample["validation"].to_numpy(),
        sample["test"].to_numpy(),
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
        baseline = at_random(candidates, protocol, own)
        curves.append(baseline_curve("nb101", space, "RS", baseline.curves, protocol.points))
        for method, evaluated in mine.groupby("method", sort=False):
            charge = Charge(PATHS.get(method, 1) * SUPERNET * candidates.cost.mean(), EVALUATION)
            guided = guided_by(evaluated, whole, rows_of.get_indexer, charge, by_proxy, own)
            about = {"benchmark": "nb101", "space": space, "method": method}
            about |= {"charge": AS_IN_PAPER, "guided": "RS"}
            comparisons += compare_all(about, {"RS": baseline}, guided, own, protocol.resamples)
            if method == BASELINE:
                curves += guided_curve("nb101", space, "RS", guided, protocol.points)
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
    comparisons, searches, curves, by_proxy = [], [], [], sharing_out(protocol.guided)
    generators = np.random.default_rng(protocol.seed).spawn(len(SUBSPACES))
    for (space, subspace), generator in zip(SUBSPACES.items(), generators, strict=True):
        inside = np.flatnonzero(subspace.mask(table.codes))
        whole = replace(everything, best=float(test[inside].max()))
        most = min(protocol.evaluations, max(*AT, paper_trainings(len(inside))))
        about = {"benchmark": nb101_official.NAME, "space": space}
        baselines, compared, lines = without_sharing(
            about,
            whole.take(inside),
            neighbourhood("nb101", table.codes[inside]),
            replace(protocol, evaluations=most),
            generator,
        )
        searches.append(compared)
        curves += lines
        evaluated = supernets.query("space == @space and method == @BASELINE")
        charge = Charge(SUPERNET, EVALUATION)
        guided = guided_by(evaluated, whole, table.rows, charge, by_proxy, generator)
        about |= {"method": BASELINE, "charge": AS_IN_PAPER, "guided": "RS"}
        comparisons += compare_all(about, baselines, guided, generator, protocol.resamples)
        curves += guided_curve(nb101_official.NAME, space, "RS", guided, protocol.points)
    return frames_of(nb101_official.NAME, comparisons, searches, curves)


def nb201_statistics(
    records: Sequence[Record], profile: str, table: Table, protocol: Protocol
) -> dict[str, pd.DataFrame]:
    """The full space and the masked ones, complete, with the supernets there are.

    The table has no validation accuracy: searches select by the test accuracy that they report,
    with and without weight sharing. A training costs one whatever the cell. Weight sharing is
    charged twice: for the images that our supernets saw, and by the paper's ratio.
    """
    sampled = evaluations_of(records, small_design(profile))
    whole = evaluations_of(records, whole_design(profile))
    found = []
    for space in (*subspaces.SINGLES, *subspaces.DOUBLES):
        codes = table.subset(space.operations)
        cells = Complete("nb201", str(space), codes, table.accuracy(codes, COLUMN))
        found.append(
            (cells, sharing(cells, sampled, protocol) + asking_any(cells, whole, protocol))
        )
    charges = charges_of(subspaces.PROFILES[profile].base, NB201_IMAGES)
    spaces = {cells.space: cells.codes for cells, _ in found}
    return {
        **complete_statistics("nb201", found, charges, protocol),
        "ranks_nb201": ranks_of_whole(whole, table, COLUMN),
        "size_nb201": by_size(table, COLUMN, spaces, FAMILIES["nb201"].parameters),
    }


def macro_statistics(
    records: Sequence[Record], profile: str, table: Table, protocol: Protocol
) -> dict[str, pd.DataFrame]:
    """NAS-Bench-Macro, complete; test accuracy selects and is reported. See `nb201_statistics`."""
    (column,) = macro.COLUMNS
    whole = evaluations_of(records, macro_design(profile))
    found = []
    for space in dict.fromkeys((MacroSubspace(), protocol.macro)):
        codes = table.subset(space.choices)
        cells = Complete("macro", str(space), codes, table.accuracy(codes, column.name))
        found.append((cells, asking_any(cells, whole, protocol)))
    charges = charges_of(MACRO[profile], MACRO_IMAGES)
    spaces = {cells.space: cells.codes for cells, _ in found}
    return {
        **complete_statistics("macro", found, charges, protocol),
        "ranks_macro": ranks_of_whole(whole, table, column.name),
        "size_macro": by_size(
            table, column.name, spaces, FAMILIES["macro"].parameters, macro_flops
        ),
    }


def ranks_of_whole(evaluations: pd.DataFrame, table: Table, column: str) -> pd.DataFrame:
    """How well supernets that evaluated every cell of a space rank them.

    Args:
        evaluations: columns `EVALUATED`; of a supernet without any, one row without cell.
        table: the stand-alone accuracies.
        column: of the table.

    Returns:
        The frame `ranks` of `statistics`; the correlation of a failed supernet is NaN.
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


def complete_statistics(
    benchmark: str,
    spaces: Sequence[tuple[Complete, list[Guide]]],
    charges: dict[str, Charge],
    protocol: Protocol,
) -> dict[str, pd.DataFrame]:
    """The frames of `statistics` of complete spaces and what supernets guide there."""
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
        Rows of `comparisons`; `searches` and `curves` as in `statistics`.
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
    """The frames of `statistics` of a benchmark, from what its spaces gave."""
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


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page, from what `statistics` computed of any benchmarks.

    Returns:
        The kinds of `statistics`, all benchmarks in one table; whole: how our supernets rank all
        cells of a space, see `beside_size`; table4: the paper's beside ours; claims: one row
        a claim of the paper, with a verdict; decides: what the design can decide of them, see
        `claims.decides`; and what the paper prints, computed again (`studies.audit`).
    """
    frames = {kind: gather(statistics, kind) for kind in KINDS}
    found = quantities(frames)
    own = {
        "whole": beside_size(frames["ranks"], frames["size"]),
        "table4": beside_table4(frames["comparisons"]),
        "claims": pd.DataFrame(claims.judge("pourchot_search", found)),
        "decides": pd.DataFrame(claims.decides("pourchot_search", found)),
    }
    return frames | own | {name: make() for name, make in AUDITS.items()}


def gather(statistics: dict[str, pd.DataFrame], kind: str) -> pd.DataFrame:
    """The frames of one kind, of all benchmarks; empty if there is none."""
    found = [frame for name, frame in statistics.items() if name.partition("_")[0] == kind]
    found = [frame for frame in found if len(frame)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def quantities(frames: dict[str, pd.DataFrame]) -> dict[str, claims.Quantity]:
    """The quantities of the claims, as far as there is something to compute them from."""
    found: dict[str, claims.Quantity] = {}
    comparisons, searches, ranks = (frames[kind] for kind in ("comparisons", "searches", "ranks"))
    if len(searches):
        found |= greedy_quantities(searches)
    if len(ranks) and (ranks["benchmark"] == "nb101").any():
        chosen = comparisons.query("benchmark == 'nb101' and method == @BASELINE")
        found["no-link"] = link_of_ranks(ranks, chosen.set_index("space")["difference"].dropna())
        differences = []
        for row in chosen.itertuples():
            difference = Interval(row.difference, row.ci_low, row.ci_high, row.supernets)
            effect = Interval(row.d, row.d_low, row.d_high, row.supernets)
            differences.append(student_of(difference, row.df))
            found[f"oneshot-{row.space}"] = differences[-1]
            found[f"effect-{row.space}"] = student_of(effect, row.df)
        if len(differences) == len(SUBSPACES):
            found["oneshot-average"] = mean_of_estimates(differences)
    return found


def greedy_quantities(searches: pd.DataFrame) -> dict[str, Student]:
    """Random less greedy search, one-shot and late, on the complete benchmarks."""
    found: dict[str, Student] = {}
    for ((benchmark, space), size), when in product(WHOLE.items(), ("first", "last")):
        rows = searches[(searches["benchmark"] == benchmark) & (searches["space"] == space)]
        wanted = ONE_SHOT if when == "first" else paper_trainings(size)
        for row in rows[rows["trainings"] == wanted].itertuples():
            interval = Interval(row.difference, row.ci_low, row.ci_high, row.runs)
            found[f"greedy-{when}-{benchmark}"] = student_of(interval, row.runs - 1)
    return found


def link_of_ranks(ranks: pd.DataFrame, differences: pd.Series) -> Student:
    """Whether spaces that the authors' supernets rank better are searched better, too.

    Args:
        ranks: benchmark, space, method, seed, spearman.
        differences: of regret, at the one-shot budget, by space.
    """
    chosen = ranks[(ranks["method"] == BASELINE) & ranks["space"].isin(differences.index)]
    means = chosen.dropna().groupby("space")["spearman"].mean()
    return fisher_correlation(means, differences[means.index])


def beside_size(ranks: pd.DataFrame, size: pd.DataFrame) -> pd.DataFrame:
    """How our supernets that evaluated every cell rank them, beside the size of the networks.

    Returns:
        Columns benchmark, space, mean, ci_low, ci_high, n (supernets), failed, parameters, flops:
        Spearman correlations; empty without such supernets.
    """
    if ranks.empty or not (ranks["method"] == "S").any():
        return pd.DataFrame()
    summary = appraisal.summarise(ranks.query("method == 'S'")).drop(columns="method")
    return size.drop(columns=["cells", "regret"]).merge(summary, on="space")


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
