"""Study 1 as a page: rank correlations, subspace by subspace."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nasrepro import plots
from nasrepro.benchmarks import few_shot_supernets, load_table, nb101, nb201_seeds
from nasrepro.claims import exact, judge, read_claims, verdict
from nasrepro.pages.page import Absent, Inputs, Table, how_to_get, is_here, verdict_numbers
from nasrepro.pages.settings import describe_runs, machine
from nasrepro.pages.text import (
    DECIDES,
    P_VALUES,
    claims_of_both,
    claims_table,
    decides_table,
    interval_grid,
    plus_minus,
    table3_grid,
    with_count,
    with_interval,
)
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb201 import OPERATIONS, Subspace
from nasrepro.studies import appraisal, ceilings, correlations, published_supernets
from nasrepro.studies.measure import observe

# What the two sources of Pourchot's table 3 are made from.
NEEDS = {"authors": (nb101.NAME, "nb101-supernets"), "ours": (nb101.NAME,)}
SINGLES = [str(subspace) for subspace in correlations.SINGLES]


# ---- runs and what was measured


def runs_201(page: Inputs) -> list[SupernetConfig]:
    """The runs on NAS-Bench-201."""
    return list(correlations.nb201_design(page.profile))


def runs_101(page: Inputs) -> list[SupernetConfig]:
    """The runs on NAS-Bench-101; none if the profile has no such part."""
    return list(appraisal.design(page.profile))


def supernets_201(page: Inputs) -> list[Record]:
    """Those of `runs_201` that are stored."""
    return page.records(runs_201(page))


def supernets_101(page: Inputs) -> list[Record]:
    """Those of `runs_101` that are stored."""
    return page.records(runs_101(page))


def diverged(records: Iterable[Record]) -> int:
    """How many runs diverged."""
    return sum(record.status == "diverged" for record in records)


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of this study, with verdicts on what was run here, or "not run".

    Pourchot's claims count with our supernets; what the authors' give is a check of the paper.

    Args:
        frames: the study's `tables`, as far as there are any.
    """
    return pd.concat([judged(frames, "claims"), judged(frames, "ours_claims")], ignore_index=True)


def judged(frames: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """A table of claims; all of them not run, if the study has not computed it."""
    paper = "laube" if name == "claims" else "pourchot_ranking"
    return frames[name] if name in frames else pd.DataFrame(judge(paper, {}))


def known_sources(page: Inputs) -> list[str]:
    """Whose supernets of NAS-Bench-101 have statistics: the authors', ours, both; else Absent."""
    known = [source for source in correlations.TABLE3 if source in page.frames]
    if not known:
        raise page.absent(NEEDS["authors"])
    return known


def as_printed(page: Inputs) -> pd.DataFrame:
    """Whether the authors' supernets give their table 3; see `appraisal.as_printed`."""
    name = correlations.TABLE3["authors"]
    return appraisal.as_printed(page.frame(name, NEEDS["authors"]))


# ---- numbers


def truth(page: Inputs) -> str:
    """Which stand-alone accuracy this page means, or that its table is missing."""
    table = correlations.table_of(page.profile)
    if is_here(table):
        return str(load_table(table).column(correlations.PROFILES[page.profile].column))
    return (
        "the benchmark's table is not on this machine, so this page shows the statistics stored "
        "with the records"
    )


def full(page: Inputs) -> str:
    """Name of the space of which the others are subspaces."""
    return str(runs_201(page)[0].subspace)


def of_full(page: Inputs) -> pd.Series:
    """How small supernets of the full space rank, beside the parameter count."""
    return page.frame("baseline", subspace=full(page), size="S").iloc[0]


def floor(page: Inputs) -> dict[str, int]:
    """In how many subspaces small supernets rank better than the parameter count."""
    return correlations.against_floor(page.frame("baseline", size="S"))


def claim_of(page: Inputs, claim: str) -> pd.Series:
    """The row of one of Laube's claims."""
    return page.frame("claims", claim=claim).iloc[0]


def of_best(page: Inputs, what: str) -> float:
    """A number of `correlations.best_cells` of the full space."""
    return float(page.frame("best", subspace=full_201(), what=what)["value"].iloc[0])


def kept(n: int) -> Callable[[Inputs], str]:
    """The share of the true top n with neither Zero nor Pool."""
    return lambda page: f"{of_best(page, f'kept {n}'):.0%}"


def conv3_by_caption(page: Inputs) -> float:
    """The share of 3x3 Conv by the caption's definition; see `correlations.conv3_by_caption`."""
    return correlations.conv3_by_caption(page.frame("usage"))


def conv3_caption_verdict(page: Inputs) -> str:
    """What the verdict of `conv3-half` would be by the caption's definition."""
    return verdict(exact(conv3_by_caption(page), 500), read_claims("laube")["conv3-half"].region)


def full_201() -> str:
    """Name of the whole of NAS-Bench-201, whatever the profile's own space is."""
    return str(correlations.FULL)


def published_full(
    page: Inputs, metric: str = "spearman", cells: str = "all", subspace: str = ""
) -> pd.DataFrame:
    """A metric of the published supernets, one row a setting; in all of the space by default."""
    chosen = {"subspace": subspace or full_201(), "cells": cells, "metric": metric}
    return page.frame("published", [few_shot_supernets.NAME], **chosen)


def published_floor(page: Inputs, cells: str = "all") -> pd.Series:
    """The metrics of the parameter count over the whole space, by name."""
    needs = [few_shot_supernets.NAME]
    rows = page.frame("published_parameters", needs, subspace=full_201(), cells=cells)
    return rows.set_index("metric")["value"]


def between_runs(page: Inputs, cells: str) -> pd.Series:
    """How far two trainings of some cells of NAS-Bench-201 agree."""
    chosen = {"benchmark": "NAS-Bench-201", "cells": cells, "what": "between runs"}
    return page.frame("ceilings", [nb201_seeds.NAME], **chosen).iloc[0]


def of_equal_images(page: Inputs) -> pd.Series:
    """How AVG-3 with equal images ranks beside BNS-FT of the same seed."""
    chosen = {"more": appraisal.EQUAL_IMAGES, "less": appraisal.BASELINE}
    return page.frame("ours_equal_images", NEEDS["ours"], **chosen).iloc[0]


def least_to_most(values: pd.Series) -> str:
    """The range of some numbers, as text.

    >>> least_to_most(pd.Series([0.916, 0.785, 0.9]))
    '0.79 to 0.92'
    """
    return f"{values.min():.2f} to {values.max():.2f}"


def range_of(cells: set[str], known: Mapping[str, str]) -> str:
    """The smallest and largest of the ceilings of some groups of cells; Absent without any."""
    found = sorted(float(text) for group, text in known.items() if group in cells)
    if not found:
        raise Absent(how_to_get([nb201_seeds.NAME, nb101.NAME]))
    return f"{found[0]:.2f} to {found[-1]:.2f}"


def where(page: Inputs, records: list[Record]) -> str:
    """On which machines runs were computed; Absent without runs."""
    if not records:
        raise page.absent()
    return machine(records)


NUMBERS: dict[str, Callable[[Inputs], object]] = {
    "profile": lambda page: page.profile,
    "runs-stored": lambda page: len(supernets_201(page)),
    "runs-total": lambda page: len(runs_201(page)),
    "nb101-stored": lambda page: len(supernets_101(page)),
    "nb101-total": lambda page: len(runs_101(page)),
    "diverged": lambda page: diverged(supernets_201(page)),
    "nb101-diverged": lambda page: diverged(supernets_101(page)),
    "truth": truth,
    "validation-images": lambda page: f"{runs_201(page)[0].data.validation_images:,}",
    "own-epochs": lambda page: correlations.OWN.train.epochs,
    "nb101-truth": lambda page: nb101.COLUMNS[0],
    "nb101-detail": lambda page: nb101.COLUMNS[0].detail,
    "full": full,
    "machine": lambda page: where(page, supernets_201(page)),
    "nb101-machine": lambda page: where(page, supernets_101(page)),
    "printed": lambda page: len(as_printed(page)),
    "printed-means": lambda page: as_printed(page)[["mean", "n"]].all(axis=1).sum(),
    "printed-intervals": lambda page: as_printed(page)["ci"].sum(),
    "spearman-full": lambda page: with_interval(*of_full(page)[["mean", "ci_low", "ci_high"]]),
    "spearman-full-n": lambda page: of_full(page)["n"],
    "spearman-parameters": lambda page: f"{of_full(page)['parameter_count']:.2f}",
    "spearman-seeds": lambda page: f"{of_full(page)['between_seeds']:.2f}",
    "floor-above": lambda page: floor(page)["above"],
    "floor-below": lambda page: floor(page)["below"],
    "floor-open": lambda page: floor(page)["open"],
    "small-settings": lambda page: sum(floor(page).values()),
    "claims-added": lambda page: (claims(page.frames)["added"] == "after").sum(),
    "claims-corrected": lambda page: claims(page.frames)["corrected"].sum(),
    "zero-tried": lambda page: correlations.mask_zero_elsewhere(page.frame("tried"))["tried"],
    "zero-tried-higher": lambda page: correlations.mask_zero_elsewhere(page.frame("tried"))[
        "higher"
    ],
    "conv3-edges": lambda page: f"{claim_of(page, 'conv3-half')['ours']:.2f}",
    "conv3-caption": lambda page: f"{conv3_by_caption(page):.2f}",
    "conv3-caption-verdict": conv3_caption_verdict,
    "authors-floor": lambda page: appraisal.spaces_above_floor(page.frames, "authors"),
    "published-supernets": lambda page: published_full(page)["n"].sum(),
    "published-spearman": lambda page: least_to_most(published_full(page)["mean"]),
    "published-ours": lambda page: interval_text(
        page.frame("summary", subspace=full_201(), size="S", metric="spearman").iloc[0]
    ),
    "published-floor": lambda page: f"{published_floor(page)['spearman']:.2f}",
    "published-top": lambda page: least_to_most(
        published_full(page, metric="tau_top_tenth")["mean"]
    ),
    "published-floor-top": lambda page: f"{published_floor(page)['tau_top_tenth']:.2f}",
    **{f"kept-{n}": kept(n) for n in (10, 50, 500)},
    "equal-images": lambda page: interval_text(of_equal_images(page)),
    "equal-images-n": lambda page: of_equal_images(page)["n"],
    "gap": lambda page: f"{of_best(page, 'gap'):.3f}",
    "ceiling-masks": lambda page: range_of(
        {str(s) for s in (*correlations.SINGLES, *correlations.DOUBLES)},
        ceilings_of(page, "NAS-Bench-201"),
    ),
    "ceiling-101": lambda page: range_of(
        set(appraisal.SPACES),
        ceilings_of(page, "NAS-Bench-101", what="ceiling of a mean of three"),
    ),
    "ceiling-all": lambda page: f"{between_runs(page, full_201())['value']:.3f}",
    "ceiling-high": lambda page: f"{between_runs(page, 'above 90%')['value']:.3f}",
    "ceiling-high-n": lambda page: between_runs(page, "above 90%")["n"],
    **verdict_numbers(claims),
}


# ---- tables


def ceilings_of(page: Inputs, benchmark: str, **chosen: str) -> dict[str, str]:
    """Noise ceilings of a benchmark by cells, as text; arguments as `ceilings.by_cells` has them.

    None of NAS-Bench-201 where the truth of the profile is another.
    """
    others = benchmark == "NAS-Bench-201" and (
        correlations.table_of(page.profile) != correlations.TABLE
    )
    rows = page.frames.get("ceilings", pd.DataFrame(columns=ceilings.COLUMNS))
    return {} if others else ceilings.by_cells(rows, benchmark, **chosen)


def beside_ceiling(grid: pd.DataFrame, known: Mapping[str, str], by: str) -> pd.DataFrame:
    """A table of texts with the noise ceilings of Spearman's correlation as its last column.

    Args:
        grid: with a column of cells.
        known: what `ceilings_of` gives.
        by: name of that column.
    """
    return grid.assign(**{"Spearman's noise ceiling": [known.get(of, "–") for of in grid[by]]})


def settings_tried(page: Inputs) -> pd.DataFrame:
    """Settings of the subspaces in which more than the grid's was run."""
    tried = page.frame("tried")
    varied = tried[~tried["in_grid"]]["subspace"]
    if varied.empty:
        raise Absent("Only the grid's setting is stored.")
    shown = settings_table(tried[tried["subspace"].isin(varied)])
    return beside_ceiling(shown, ceilings_of(page, "NAS-Bench-201"), "subspace")


def settings_table(tried: pd.DataFrame) -> pd.DataFrame:
    """The settings that were tried, as text; `tried` is the table of that name of study 1."""
    return pd.DataFrame(
        {
            "subspace": tried["subspace"],
            "sampler": [
                f"{row.sampler} (the grid's)" if row.in_grid else row.sampler
                for row in tried.itertuples()
            ],
            "batch": tried["batch_size"].astype(str),
            "rate": [f"{rate:g}" for rate in tried["learning_rate"]],
            "decay": [f"{decay:g}" for decay in tried["weight_decay"]],
            "epochs": tried["epochs"].astype(str),
            "Spearman": [
                with_interval(row.mean_, row.ci_low, row.ci_high)
                for row in tried.rename(columns={"mean": "mean_"}).itertuples()
            ],
            "n": tried["n"].astype(str),
        }
    )


def pooled_tau_a_column(pooled: pd.DataFrame) -> pd.DataFrame:
    """Laube's tau_a of the mean over seeds, as text; `pooled` is the table tau_a of study 1."""
    intervals = pooled[["tau_a", "ci_low", "ci_high"]].to_numpy()
    texts = [with_interval(*interval) for interval in intervals]
    return pooled[["subspace", "size"]].assign(**{"Laube's tau_a, of the mean": texts})


def own_truth_grid(rows: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations by two truths and their difference, as text.

    Args:
        rows: the table own_truth of study 1.
        gains: its table own_gain.
    """
    heads = {"own": "with our own benchmark", "table": "with the published table"}
    texts = rows.assign(
        text=[with_interval(*row) for row in rows[["mean", "ci_low", "ci_high"]].to_numpy()],
        truth=rows["truth"].map(heads),
    )
    keys = ["subspace", "size", "cells", "n"]
    grid = texts.pivot(index=keys, columns="truth", values="text")[list(heads.values())]
    grid = grid.loc[pd.MultiIndex.from_frame(texts[keys].drop_duplicates())]  # in their order
    by_key = gains.set_index(["subspace", "size"])[["mean", "ci_low", "ci_high"]]
    grid["difference, interval over cells"] = [
        with_interval(*by_key.loc[(subspace, size)]) for subspace, size, *_ in grid.index
    ]
    return grid.rename_axis(columns=None).reset_index().astype(str)


def half_precision_grid(rows: pd.DataFrame) -> pd.DataFrame:
    """What evaluation in half precision changes, as text; `rows` is study 1's half_precision."""
    texts = rows.assign(
        text=[
            with_interval(mean, low, high, digits=4)
            for mean, low, high in rows[["mean", "ci_low", "ci_high"]].to_numpy()
        ],
        **{name: [f"{count:,}" for count in rows[name]] for name in ("images", "cells")},
    )
    keys = ["images", "cells", "n"]
    grid = texts.pivot(index=keys, columns="what", values="text")[["agreement", "change"]]
    grid = grid.loc[pd.MultiIndex.from_frame(texts[keys].drop_duplicates())]  # in their order
    heads = {
        "agreement": "bfloat16 with float32",
        "change": "with the truth: float32 less bfloat16",
    }
    return grid.rename(columns=heads).rename_axis(columns=None).reset_index().astype(str)


def metrics(page: Inputs) -> pd.DataFrame:
    """Correlations over the random sample."""
    heads = {
        "spearman": "Spearman",
        "spearman_connected": "Spearman, connected",
        "kendall_tau_b": "tau-b",
        "sparse_kendall_tau": "s-KdT",
        "pearson": "Pearson",
        "pearson_connected": "Pearson, connected",
    }
    grid = interval_grid(page.frame("summary"), heads)
    return beside_ceiling(grid, ceilings_of(page, "NAS-Bench-201"), "subspace")


def metrics_top(page: Inputs) -> pd.DataFrame:
    """What the best cells get, and Laube's tau_a in both ways."""
    heads = {"top_10_accuracy": "best of predicted top 10, %", "tau_a": "Laube's tau_a, each run's"}
    each = interval_grid(page.frame("summary"), heads)
    pooled = pooled_tau_a_column(page.frames["tau_a"])
    return each.merge(pooled, how="left", on=["subspace", "size"]).fillna("–")


def own_truth(page: Inputs) -> pd.DataFrame:
    """Two truths of the same cells, where our own benchmark has enough of them."""
    own = correlations.OWN.name
    if page.frames and is_here(own) and not len(page.frames.get("own_truth", ())):
        raise Absent("Our own benchmark has too few of these cells.")
    return own_truth_grid(page.frame("own_truth", [own]), page.frames["own_gain"])


def half_precision(page: Inputs) -> pd.DataFrame:
    """What evaluation in half precision changes."""
    if page.frames and "half_precision" not in page.frames:
        raise Absent("In this profile no supernet was evaluated in both precisions.")
    return half_precision_grid(page.frame("half_precision"))


PUBLISHED = {  # columns of a table: metric and cells of the published supernets, and our metric
    "Spearman": ("spearman", "all", "spearman"),
    "Spearman, connected": ("spearman", "connected", "spearman_connected"),
    "tau-b": ("kendall_tau_b", "all", "kendall_tau_b"),
    "s-KdT": ("sparse_kendall_tau", "all", "sparse_kendall_tau"),
    "tau-b, true top 10%": ("tau_top_tenth", "all", None),
    "best of predicted top 10, %": (published_supernets.TOP, "all", "top_10_accuracy"),
}


def published(page: Inputs) -> pd.DataFrame:
    """Published supernets, the parameter count and ours in the full space, a row each."""
    columns = {head: ranked(page, *of) for head, of in PUBLISHED.items()}
    counts = {f"published, {row.setting}": str(row.n) for row in published_full(page).itertuples()}
    counts |= {f"ours, {row.size}": str(row.n) for row in ours_full(page, "spearman").itertuples()}
    known = ceilings_of(page, "NAS-Bench-201")
    cells = {"Spearman": full_201(), "Spearman, connected": "connected"}
    for head, group in cells.items():
        columns[head] |= {"noise ceiling": known[group]} if group in known else {}
    return grid_of({**columns, "n": counts}, list(columns["Spearman"]), "ranking")


def ranked(page: Inputs, metric: str, cells: str, own: str | None) -> dict[str, str]:
    """A column of `published`: texts by who ranks the cells; arguments as in `PUBLISHED`."""
    others, floor = published_full(page, metric, cells), published_floor(page, cells)
    texts = {
        f"published, {row['setting']}": interval_text(row) for row in others.to_dict("records")
    }
    texts |= {"parameter count": f"{floor[metric]:.2f}"} if metric in floor else {}
    ours = ours_full(page, own).to_dict("records")
    return texts | {f"ours, {row['size']}": interval_text(row) for row in ours}


def ours_full(page: Inputs, metric: str | None) -> pd.DataFrame:
    """A metric of our supernets over the whole space, one row a size; none without such runs."""
    summary = page.frames["summary"]
    return summary[(summary["subspace"] == full_201()) & (summary["metric"] == metric)]


def published_masks(page: Inputs) -> pd.DataFrame:
    """Spearman's correlation in every subspace: published, parameter count, ours, noise ceiling."""
    chosen = {"metric": "spearman", "cells": "all"}
    known = page.frame("published", [few_shot_supernets.NAME], **chosen)
    floor = page.frame("published_parameters", [few_shot_supernets.NAME], **chosen)
    ours = page.frames["baseline"].query("size == 'S'")
    shown = known[known["setting"].isin(SHOWN)].groupby(["setting", "n"], sort=False)
    columns = {
        **{f"published, {setting} (n = {n})": by_subspace(rows) for (setting, n), rows in shown},
        "ours, S": by_subspace(ours),
        "parameter count": {row.subspace: f"{row.value:.2f}" for row in floor.itertuples()},
        "noise ceiling": ceilings_of(page, "NAS-Bench-201"),
    }
    return grid_of(columns, known["subspace"].unique(), "subspace")


def by_subspace(rows: pd.DataFrame) -> dict[str, str]:
    """Mean and interval of rows, as text by subspace."""
    return {row["subspace"]: interval_text(row) for row in rows.to_dict("records")}


SHOWN = ("5-64-250", "16-128-1000", "5-128-1000")  # the shortest training, the widest, the most


def ceilings_table(page: Inputs) -> pd.DataFrame:
    """Agreement of trainings and the best possible correlations, by benchmark and cells."""
    rows = page.frame("ceilings", [nb201_seeds.NAME, nb101.NAME])
    masks = {str(s) for s in correlations.SINGLES[1:] + correlations.DOUBLES}
    keys = ["benchmark", "accuracy", "cells", "n"]
    shown = rows[~rows["cells"].isin(masks)]
    grid = shown.pivot(index=keys, columns="what", values="value")
    grid = grid.loc[pd.MultiIndex.from_frame(shown[keys].drop_duplicates())]  # in their order
    texts = grid.map(lambda value: f"{value:.3f}")
    pairs = texts["lowest pair"] + " to " + texts["highest pair"]
    texts["lowest to highest pair"] = pairs.where(grid["lowest pair"] < grid["highest pair"], "–")
    heads = ["between runs", "lowest to highest pair", "between means of three"]
    heads += ["ceiling of one run", "ceiling of a mean of three"]
    return texts[heads].rename_axis(columns=None).reset_index().astype(str)


def interval_text(row: Mapping[str, Any]) -> str:
    """Mean and interval of a row, as text."""
    return with_interval(row["mean"], row["ci_low"], row["ci_high"])


def grid_of(
    columns: Mapping[str, Mapping[str, str]], rows: Iterable[str], first: str
) -> pd.DataFrame:
    """Columns of texts side by side, with a dash where one is missing.

    >>> columns = {"x": {"a": "1"}, "y": {"b": "2", "c": "3"}}
    >>> grid_of(columns, ["b", "a"], "name").to_numpy().tolist()
    [['b', '–', '2'], ['a', '1', '–']]
    """
    grid = pd.DataFrame({head: pd.Series(texts, dtype=object) for head, texts in columns.items()})
    return grid.reindex(list(rows)).fillna("–").rename_axis(first).reset_index()


def wanted_101(page: Inputs) -> list[SupernetConfig]:
    """`runs_101`; Absent if the profile has none."""
    if not (configs := runs_101(page)):
        raise Absent(f"The profile {page.profile} has no runs on NAS-Bench-101.")
    return configs


def table3(page: Inputs, source: str, cell: Callable[..., str]) -> pd.DataFrame:
    """Table 3 from the supernets of a source, and the parameter count of the same cells."""
    if source == "ours":
        wanted_101(page)
    grid = table3_grid(page.frame(correlations.TABLE3[source], NEEDS[source]), cell)
    counted = page.frames[f"{source}_parameters"].set_index("space")["spearman"]
    grid["parameter count"] = [f"{counted[space]:.2f}" for space in grid["space"]]
    known = ceilings_of(page, "NAS-Bench-101", what="ceiling of a mean of three")
    return beside_ceiling(grid, known, "space")


def equal_images(page: Inputs) -> pd.DataFrame:
    """What AVG-3 gains with three times the images, and with as many."""
    rows = page.frame("ours_equal_images", NEEDS["ours"])
    return pd.DataFrame(
        {
            "difference in Spearman": rows["more"] + " less " + rows["less"],
            "mean": rows.apply(interval_text, axis=1),
            "n": rows["n"].astype(str),
        }
    )


def setting_101(page: Inputs) -> pd.DataFrame:
    """What the runs on NAS-Bench-101 share."""
    return describe_runs(wanted_101(page), {"all runs": appraisal.PROFILES[page.profile].base.net})


def claims_101(page: Inputs) -> pd.DataFrame:
    """Claims about rankings, judged by the supernets of each source."""
    sources = [source for source in correlations.TABLE3 if source in page.frames] or ["ours"]
    return claims_of_both({source: judged(page.frames, f"{source}_claims") for source in sources})


TABLES = {
    "setting": Table(
        "What all runs on NAS-Bench-201 share, read from their configs.",
        lambda page: describe_runs(runs_201(page), correlations.PROFILES[page.profile].nets),
    ),
    "tried": Table(
        "Settings tried with small supernets: Spearman correlation over the random sample, mean "
        "and 95% interval over n seeds. The grid of this study uses the one marked so, in other "
        "subspaces that alone. The noise ceiling is that of one run in the table of ceilings.",
        settings_tried,
    ),
    "metrics": Table(
        "Correlations over the random sample, by subspace and size: mean and 95% interval over n "
        "seeds. The noise ceiling is that of one run in the table of ceilings.",
        metrics,
    ),
    "metrics-top": Table(
        "What the best cells get: mean and 95% interval over n seeds. *Best of predicted top 10* "
        "is the stand-alone accuracy of the best among the ten best predicted cells of the random "
        "sample. The last column is one number of all seeds; its interval is a bootstrap over "
        "all resamples of them. It ends where a single seed does, so with three it is too narrow.",
        metrics_top,
    ),
    "claims": Table(
        "The claims of Laube's sections 4.1, 5 and 6. A claim is supported if the whole interval "
        "lies where it must, contradicted if none of it does, else undecided. n counts cells where "
        "the benchmark's table is counted, else runs (of both groups in a difference) or "
        "subspaces. Differences have Welch's interval, those of tau_a a bootstrap interval over "
        "all resamples of both groups' seeds: no verdict depends on a draw. "
        f"{P_VALUES} Of a bootstrap, p is no "
        "smaller than its rarest resample tells.",
        lambda page: claims_table(judged(page.frames, "claims"), "ours"),
    ),
    "own": Table(
        "Spearman correlation of the supernets' proxy accuracy with both truths over the same "
        "cells, those of the random sample that our own benchmark has: mean and 95% interval over "
        "n seeds, which says nothing about other cells. The difference of the two means has an "
        "interval over cells instead (bootstrap), which says nothing about other supernets.",
        own_truth,
    ),
    "published": Table(
        "Supernets that others trained on all of NAS-Bench-201, by channels, batch size and epochs "
        "(5 cells a stage, images of full size; balanced: drawing equally from three parts of the "
        "cells), beside ours in the full space: mean and 95% interval over n supernets. The "
        "published ones rank all 15,625 cells by accuracy on the 10,000 test images, as the "
        "parameter count does; ours the random sample, by held-out training images.",
        published,
    ),
    "published-masks": Table(
        "Spearman correlation by subspace: mean and 95% interval over supernets. The published "
        "ones were trained in the full space and rank all cells of each subspace; ours were "
        "trained in the subspace and rank its random sample. The noise ceiling is that of one run "
        "of the next table.",
        published_masks,
    ),
    "ceilings": Table(
        "Noise ceilings: Spearman correlation between trainings of the same n cells (mean over "
        "pairs), that of means of three trainings by Spearman and Brown's formula, and the roots "
        "of both: the best that a predictor without noise can reach against one training, or "
        "against the mean of three. Of NAS-Bench-201 two trainings a cell, of NAS-Bench-101 three. "
        "The truth in NAS-Bench-201 is the mean of up to three trainings by test accuracy, of "
        "which only the mean is at hand. *Above 90%* is by the mean of the same two trainings.",
        ceilings_table,
    ),
    "half-precision": Table(
        "The same small supernets of the full space, evaluated in two precisions: Spearman "
        "correlation between the two over random cells, and how much that with the truth changes. "
        "Mean and 95% interval over n supernets; images: held out, to evaluate on.",
        half_precision,
    ),
    "authors": Table(
        "Pourchot's table 3, computed from the authors' raw results: mean Spearman correlation and "
        "±, each supernet over cells of its own. Each asterisk is a supernet that predicts a "
        "constant; it is left out. Beside them, the correlation of the parameter counts of all "
        "these cells, and the best that a predictor without noise could reach against this truth.",
        lambda page: table3(page, "authors", plus_minus),
    ),
    "ours": Table(
        "The same from our supernets, all over the same cells of a subspace: mean Spearman "
        "correlation and Student's 95% interval over n supernets, no further than ±1; and that of "
        "the cells' parameter counts.",
        lambda page: table3(page, "ours", with_count),
    ),
    "equal-images": Table(
        "AVG-3 as it was run, with three times as many images as BNS-FT, and with as many (a third "
        "of the updates), each of seed 0: mean difference in Spearman correlation over n spaces, "
        "and Student's 95% interval over them.",
        equal_images,
    ),
    "setting-101": Table(
        "What our supernets of NAS-Bench-101 share, read from the config of BNS-FT.",
        setting_101,
    ),
    "claims-101": Table(
        "The claims of Pourchot's sections 5.1 and 5.3 about rankings; n counts supernets, spaces "
        "or cells. The verdict follows the same rule for both; the summary above counts ours. What "
        "the authors' supernets give is a check of what the paper says: it was known when the "
        "rules were written. The last two claims are about the benchmark, whoever's cells are "
        f"counted. {P_VALUES}",
        claims_101,
    ),
    "decides": Table(
        f"{DECIDES} NAS-Bench-201.", lambda page: decides_table(page.frame("decides"))
    ),
    "decides-101": Table(
        f"{DECIDES} Our supernets of NAS-Bench-101.",
        lambda page: decides_table(page.frame("ours_decides", NEEDS["ours"])),
    ),
}


# ---- figures


def usage(page: Inputs, value: str) -> Figure:
    """How much the best cells use each operation."""
    if page.frames and page.frames["usage"].empty:
        table = correlations.table_of(page.profile)
        raise Absent(f"These counts need all cells of the space; the table {table} has a part.")
    return plots.usage_bars(page.frame("usage"), value)


def scatter(page: Inputs) -> Figure:
    """Proxy against stand-alone accuracy of a small supernet, all operations and without Zero."""
    table = correlations.table_of(page.profile)
    chosen = (full(page), str(Subspace.without("none")))
    design = correlations.nb201_design(page.profile)
    shown = {
        space: record
        for record in supernets_201(page)
        if (space := design[record.config]["subspace"]) in chosen
        and record.config.seed == 0
        and design[record.config]["size"] == "S"
    }
    if not shown:
        raise page.absent([table])
    column = correlations.PROFILES[page.profile].column
    observed = observe(shown.values(), design, page.benchmark(table), column)
    spaces = [space for space in chosen if space in shown]
    return plots.scatter(observed, spaces, seed=0, size="S", truth=truth(page))


def top_n(page: Inputs, masked: Mapping[str, str], size: str = "S") -> Figure:
    """Kendall's tau and mean proxy accuracy within the true top N.

    Args:
        page: with the tables.
        masked: title of a column of panels, and the operation that is masked, alone and with
            another, in all of its subspaces; single masks come first.
        size: of the supernets.
    """
    if size not in correlations.PROFILES[page.profile].nets:
        raise Absent(f"The profile {page.profile} has no supernets of size {size}.")
    columns = {title: with_mask(page, operation) for title, operation in masked.items()}
    rows = page.frame("top_n", size=size)
    return plots.top_n_curves(rows, {"single masks": SINGLES} | columns, size)


def with_mask(page: Inputs, operation: str) -> list[str]:
    """The full space, the subspace without an operation, and those without it and another."""
    without = [Subspace.without(*{operation, other}) for other in (operation, *OPERATIONS)]
    return [full(page), *dict.fromkeys(map(str, without))]


def rank_methods(page: Inputs) -> Figure:
    """Rank correlations by space and method, a panel a source."""
    panels = {source: appraisal.summarise(page.frames[source]) for source in known_sources(page)}
    return plots.rank_methods(panels, appraisal.SPACES, appraisal.METHODS)


@cache  # two figures show the same
def one_supernet(page: Inputs) -> dict[str, pd.DataFrame]:
    """What one supernet of each space says of its cells (BNS-FT, seed 0), by source."""
    found = {}
    if all(map(is_here, NEEDS["authors"])):
        found["authors"] = nb101.load_supernets()
    if (records := supernets_101(page)) and is_here(nb101.NAME):
        found["ours"] = appraisal.observe(records, page.profile, load_table(nb101.NAME))
    if not found:
        raise page.absent(NEEDS["authors"])
    return {
        source: frame[(frame["method"] == appraisal.BASELINE) & (frame["seed"] == 0)]
        for source, frame in found.items()
    }


def bias(page: Inputs) -> Figure:
    """Proxy against stand-alone accuracy where cells with a feature stand out."""
    panels = {}
    for source, run in one_supernet(page).items():
        for space, feature in appraisal.FEATURES.values():
            cells = run[run["space"] == space]
            if len(cells):
                chosen = feature(cells["code"].to_numpy())
                panels[f"{space}, {source}"] = cells.assign(chosen=chosen)
    return marginal_scatter(panels, columns=2)


def all_spaces(page: Inputs) -> Figure:
    """Proxy against stand-alone accuracy in every space."""
    panels = {
        f"{space}, {source}": run[run["space"] == space]
        for source, run in one_supernet(page).items()
        for space in appraisal.SPACES
        if (run["space"] == space).any()
    }
    return marginal_scatter(panels, columns=4)


def marginal_scatter(panels: dict[str, pd.DataFrame], columns: int) -> Figure:
    """`plots.marginal_scatter` with the truth of NAS-Bench-101."""
    return plots.marginal_scatter(panels, columns, truth=str(nb101.COLUMNS[0]))


CORRELATIONS = {  # metrics of one figure
    "kendall_tau_b": "Kendall's tau-b",
    "sparse_kendall_tau": "sparse Kendall tau",
    "spearman": "Spearman",
    "pearson": "Pearson",
}
FIGURES: dict[str, Callable[[Inputs], Figure]] = {
    "usage": lambda page: usage(page, "usage"),
    "share": lambda page: usage(page, "share"),
    "scatter": scatter,
    "topn": lambda page: top_n(
        page, {"Zero and another": "none", "Pool and another": "avg_pool_3x3"}
    ),
    "topn-more": lambda page: top_n(
        page, {"1x1 Conv and another": "nor_conv_1x1", "Skip and another": "skip_connect"}
    ),
    "topn-medium": lambda page: top_n(page, {}, "M"),
    "metrics": lambda page: plots.metric_points(page.frame("summary", size="S"), CORRELATIONS, "S"),
    "floor": lambda page: plots.floor_and_ceiling(page.frame("baseline", size="S"), "S"),
    "methods": rank_methods,
    "bias": bias,
    "spaces": all_spaces,
}
