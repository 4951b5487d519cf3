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

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import claims
from nasrepro.benchmarks import Table, available_tables, load_table, macro, nb101, nb101_official
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.nets.config import ChainNetConfig
from nasrepro.nets.macro import count_flops as macro_flops
from nasrepro.runs.families import FAMILIES, family_of
from nasrepro.runs.parts import CellsConfig, DrawnCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import CODES, CORRECT, SupernetConfig
from nasrepro.search import neighbourhood
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb101 import SUBSPACES
from nasrepro.spaces.nb201 import Subspace
from nasrepro.studies import appraisal, audit, ceilings, correlations, measure, subspaces
from nasrepro.studies.appraisal import BASELINE, missing_files, rank_correlations
from nasrepro.studies.comparison import (
    AT,
    COMPARED,
    EVALUATION,
    SUPERNET,
    Charge,
    Landscape,
    Protocol,
    at_random,
    baseline_curve,
    compare_all,
    guided_by,
    guided_curve,
    paper_trainings,
    sharing_out,
    without_sharing,
)
from nasrepro.studies.complete_spaces import (
    AS_IN_PAPER,
    EVALUATED,
    Complete,
    asking_any,
    by_size,
    charges_of,
    complete_statistics,
    frames_of,
    ranks_of_whole,
    sharing,
)
from nasrepro.studies.design import Design, check_asked, in_order, labelled, merged
from nasrepro.studies.regret_claims import quantities

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

# Images that a stand-alone training sees.
NB201_IMAGES, MACRO_IMAGES = 200 * 50_000, 50 * 50_000

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
