"""The figures of study 1's page."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import load_table, nb101
from nasrepro.metrics import spearman
from nasrepro.pages.correlations.measured import (
    NEEDS,
    full,
    known_sources,
    least_to_most,
    supernets_201,
)
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs, is_here
from nasrepro.spaces.nb201 import LABELS, Subspace
from nasrepro.studies import appraisal, correlations, subspaces
from nasrepro.studies.measure import observe


def usage(page: Inputs, value: str) -> pd.DataFrame:
    """How much the best cells use each operation: "usage", or "share" of their edges."""
    if page.frames and page.frames["usage"].empty:
        table = correlations.table_of(page.profile)
        raise Absent(f"These counts need all cells of the space; the table {table} has a part.")
    rows = page.frame("usage")
    return rows[["subspace", "top", "operation"]].assign(value=rows[value])


def scattered(page: Inputs) -> pd.DataFrame:
    """Cells by a small supernet, all operations and without Zero: at random, and the best."""
    table = correlations.table_of(page.profile)
    chosen = (full(page), str(Subspace.without("none")))
    design = subspaces.nb201_design(page.profile)
    shown = {
        space: record
        for record in supernets_201(page)
        if (space := design[record.config]["subspace"]) in chosen
        and record.config.seed == 0
        and design[record.config]["size"] == "S"
    }
    if not shown:
        raise page.absent([table])
    column = subspaces.PROFILES[page.profile].column
    observed = observe(shown.values(), design, page.benchmark(table), column)
    cells = [observed[observed["subspace"] == space] for space in chosen if space in shown]
    groups = {
        "random sample": [run[run["random"]] for run in cells],
        f"true top {BEST}": [run.nlargest(BEST, "truth") for run in cells],
    }
    parts = [part.assign(group=name) for name, parts in groups.items() for part in parts]
    return pd.concat(parts)[["subspace", "group", "proxy", "truth"]]


BEST = 250


def top_n(page: Inputs, size: str = "S") -> pd.DataFrame:
    """Kendall's tau and mean proxy accuracy within the true top N, single masks."""
    if size not in subspaces.PROFILES[page.profile].nets:
        raise Absent(f"The profile {page.profile} has no supernets of size {size}.")
    rows = page.frame("top_n", size=size)
    return rows[rows["subspace"].isin({full(page), *SINGLES})]


def top_n_more(page: Inputs) -> pd.DataFrame:
    """The same of all other subspaces, small supernets; the full space comes first."""
    rows = page.frame("top_n", size="S")
    return rows[(rows["subspace"] == full(page)) | ~rows["subspace"].isin(SINGLES)]


SINGLES = [str(subspace) for subspace in subspaces.SINGLES]


def several_metrics(page: Inputs) -> pd.DataFrame:
    """Correlations over the random sample, small supernets."""
    rows = page.frame("summary", size="S")
    rows = rows.assign(metric=rows["metric"].map(CORRELATIONS)).dropna(subset="metric")
    return in_orders(rows, {"metric": list(CORRELATIONS.values())})


CORRELATIONS = {
    "kendall_tau_b": "tau-b",
    "sparse_kendall_tau": "sparse tau",
    "spearman": "Spearman",
    "pearson": "Pearson",
}


def rank_methods(page: Inputs) -> pd.DataFrame:
    """Rank correlations by space, method and whose supernets; the parameter count is one more."""
    parts = []
    for source in known_sources(page):
        counted = page.frames[f"{source}_parameters"].rename(columns={"spearman": "mean"})
        means = appraisal.summarise(page.frames[source])
        means = means[means["method"].isin(appraisal.METHODS)]
        parts.append(pd.concat([means, counted.assign(method=COUNT)]).assign(source=source))
    orders = {"space": appraisal.SPACES, "method": (*appraisal.METHODS, COUNT)}
    rows = pd.concat(parts)[["space", "method", "source", "mean", "ci_low", "ci_high", "n"]]
    return in_orders(rows, orders)


COUNT = "parameters"  # what ranks cells without any training


def in_orders(rows: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Rows sorted by columns, each in an order of its own.

    >>> rows = pd.DataFrame({"a": ["x", "y", "x"], "b": [1, 2, 3]})
    >>> in_orders(rows, {"a": ("y", "x")})["b"].tolist()
    [2, 1, 3]
    """
    known = {name: list(order).index for name, order in orders.items()}
    return rows.sort_values(list(orders), key=lambda of: of.map(known[of.name]), kind="stable")


@cache  # two figures show the same
def evaluations(page: Inputs) -> dict[str, pd.DataFrame]:
    """What the supernets of BNS-FT say of their cells, by source."""
    found = {}
    if all(map(is_here, NEEDS["authors"])):
        found["authors"] = nb101.load_supernets().query("method == @appraisal.BASELINE")
    design = appraisal.design(page.profile, methods=(appraisal.BASELINE,))
    if (records := page.records(design)) and is_here(nb101.NAME):
        found["ours"] = appraisal.observe(records, page.profile, load_table(nb101.NAME))
    if not found:
        raise page.absent(NEEDS["authors"])
    return found


def bias(page: Inputs) -> pd.DataFrame:
    """How cells with and without a feature are rated, by the space that the paper shows."""
    parts = []
    for source, evaluated in evaluations(page).items():
        for space, feature in appraisal.FEATURES.values():
            cells = evaluated[evaluated["space"] == space]
            has = feature(cells["code"].to_numpy())
            lined = cells.assign(line=np.where(has, "with", "without"))
            parts.append(appraisal.rated(lined, 5, ["line"]).assign(panel=f"{space}, {source}"))
    return pd.concat(parts)


def all_spaces(page: Inputs) -> pd.DataFrame:
    """How ever better cells are rated in each space, by source."""
    parts = [
        appraisal.rated(evaluated, 10).assign(line=source)
        for source, evaluated in evaluations(page).items()
    ]
    rows = in_orders(pd.concat(parts), {"space": appraisal.SPACES})
    return rows.rename(columns={"space": "panel"})


def most_used(rows: pd.DataFrame, of: str) -> str:
    """How much the best 50 cells of the full space use each operation."""
    subspace = rows["subspace"].iloc[0]
    best = rows[(rows["subspace"] == subspace) & (rows["top"] == "50")]
    ordered = best.sort_values("value", ascending=False, kind="stable")
    said = [f"{LABELS[row.operation]} {row.value:.0%}" for row in ordered.itertuples()]
    return f"{of} the true top 50 with {subspace}: {', '.join(said)}."


def by_group(rows: pd.DataFrame) -> str:
    """Spearman's correlation of each panel of a scatter plot."""
    said = [
        f"{spearman(cells['proxy'], cells['truth']):.2f} ({subspace}, {group})"
        for (subspace, group), cells in rows.groupby(["subspace", "group"], sort=False)
    ]
    return f"Spearman correlation of proxy and stand-alone accuracy: {', '.join(said)}."


def within_top(rows: pd.DataFrame) -> str:
    """In how many subspaces tau is above zero over the sample and within the best cells."""
    above = (rows["tau_low"] > 0).groupby(rows["top"], sort=False).sum()
    return (
        f"Of {rows['subspace'].nunique()} subspaces, tau-a is above zero by its whole interval in "
        f"{above['random']} over the random sample, but in no more than "
        f"{above.drop('random').max()} within any true top N."
    )


def ranges(rows: pd.DataFrame) -> str:
    """From which to which subspace each metric goes."""
    said = [
        f"{metric} {least_to_most(values)}"
        for metric, values in rows.groupby("metric", sort=False)["mean"]
    ]
    return f"Means by subspace: {', '.join(said)}."


def against_count(rows: pd.DataFrame) -> str:
    """In how many subspaces supernets rank better than the parameter count."""
    found = correlations.against_floor(rows)
    return (
        f"In {found['below']} of {len(rows)} subspaces the supernets' whole interval lies below "
        f"the parameter count, in {found['above']} above it."
    )


def best_method(rows: pd.DataFrame) -> str:
    """In how many spaces the best method's mean is above the parameter count, by source."""
    said = []
    for source, part in rows.groupby("source", sort=False):
        grid = part.pivot(index="space", columns="method", values="mean")
        better = (grid.drop(columns=COUNT).max(axis=1) > grid[COUNT]).sum()
        said.append(f"{better} of {len(grid)} spaces with {WHOSE[source]} supernets")
    return f"The best method's mean lies above the parameter count in {' and '.join(said)}."


WHOSE = {"authors": "the authors'", "ours": "our"}


def over_rated(rows: pd.DataFrame) -> str:
    """How much higher cells with a feature are rated than others as good, by panel."""
    said = []
    for panel, part in rows.groupby("panel", sort=False):
        grid = part.pivot(index="part", columns="line", values="mean").dropna()
        more = grid["with"] - grid["without"]
        said.append(f"{more.min():.0f} to {more.max():.0f} ({panel})")
    return (
        "In the same fifth by stand-alone accuracy, the mean percentile of cells with the feature "
        f"is higher by {', '.join(said)}."
    )


def at_the_ends(rows: pd.DataFrame) -> str:
    """How the worst and the best tenth are rated, by source."""
    said = []
    for source, part in rows.groupby("line", sort=False):
        worst, best = (
            part.loc[part["part"] == end, "mean"]
            for end in (part["part"].min(), part["part"].max())
        )
        said.append(
            f"{WHOSE[source]} supernets rate the worst tenth at {worst.min():.0f} to "
            f"{worst.max():.0f} and the best at {best.min():.0f} to {best.max():.0f}"
        )
    return f"By mean percentile (5 and 95 would be right), {'; '.join(said)}."


FIGURES = {
    "usage": Drawing(
        lambda page: usage(page, "usage"),
        plots.usage_lines,
        lambda rows: most_used(rows, "Share of cells that use an operation in"),
        "Share of the true top N cells that use an operation at least once, a panel each; the "
        "orange mask changes most. Exact counts, no interval.",
    ),
    "share": Drawing(
        lambda page: usage(page, "share"),
        plots.usage_lines,
        lambda rows: most_used(rows, "Share of edges in"),
        "Share of all edges of the true top N cells that carry an operation, drawn as above. Exact "
        "counts, no interval.",
        shown=False,
    ),
    "scatter": Drawing(
        scattered,
        plots.scatter,
        by_group,
        "Cells by one small supernet (seed 0), with all operations and without Zero, as in Laube's "
        "figure 2.",
    ),
    "topn": Drawing(
        top_n,
        plots.top_n_lines,
        within_top,
        "Small supernets, single masks (Laube's figure 4): in blue each subspace with its 95% "
        "interval over seeds, in grey the full space.",
    ),
    "topn-more": Drawing(
        top_n_more,
        plots.top_n_lines,
        within_top,
        "The same with two operations masked (Laube's figure 7).",
        shown=False,
    ),
    "topn-medium": Drawing(
        lambda page: top_n(page, "M"),
        plots.top_n_lines,
        within_top,
        "The same with single masks and supernets of size M.",
        shown=False,
    ),
    "metrics": Drawing(
        several_metrics,
        plots.metric_points,
        ranges,
        "Correlations over the random sample, small supernets, with 95% intervals over the seeds "
        "counted in the table below (Laube's figure 11, left). Pearson's correlation near 1 is "
        "that of the disconnected cells.",
        shown=False,
    ),
    "floor": Drawing(
        lambda page: page.frame("baseline", size="S"),
        plots.floor_and_ceiling,
        against_count,
        "Where the dot is left of the cross, counting parameters ranks better. Small supernets, "
        "random sample, 95% interval over the seeds in brackets; agreement: mean over pairs of "
        "supernets of different seeds.",
    ),
    "methods": Drawing(
        rank_methods,
        plots.rank_methods,
        best_method,
        "By subspace and method, mean and Student's 95% interval over supernets; points without a "
        "bar have one supernet, or are counts of parameters.",
    ),
    "bias": Drawing(
        bias,
        lambda rows: plots.rated(rows, "fifths"),
        over_rated,
        "Cells with and without a residual connection (A_1) and a 3x3 convolution on the first "
        "vertex (A_4); among equally good cells the two lines would meet. BNS-FT, mean "
        "and 95% interval over supernets.",
        shown=False,
    ),
    "spaces": Drawing(
        all_spaces,
        lambda rows: plots.rated(rows, "tenths"),
        at_the_ends,
        "The flatter a line, the less can cells of these parts be told apart; all seven subspaces "
        "(the paper's figure 3 and appendix B.1). BNS-FT, mean and 95% interval over supernets.",
        shown=False,
    ),
}
