"""Study 1 as a page: rank correlations, subspace by subspace."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import few_shot_supernets, load_table, nb101, nb201_seeds
from nasrepro.claims import exact, judge, read_claims, verdict
from nasrepro.metrics import spearman
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs, how_to_get, is_here
from nasrepro.pages.page import Table, verdict_numbers
from nasrepro.pages.settings import describe_runs, machine
from nasrepro.pages.text import (
    DECIDES,
    decides_table,
    interval_grid,
    plus_minus,
    table3_grid,
    with_failures,
    with_interval,
)
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb201 import LABELS, Subspace
from nasrepro.studies import appraisal, ceilings, correlations, published_supernets
from nasrepro.studies.measure import observe

# What the two sources of Pourchot's table 3 are made from.
NEEDS = {"authors": (nb101.NAME, "nb101-supernets"), "ours": (nb101.NAME,)}


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

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    rows = pd.concat([judged(frames, "claims"), judged(frames, "ours_claims")], ignore_index=True)
    return rows.assign(source=np.where(rows["counted"], "NAS-Bench-201", "ours"))


def others(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The claims of Pourchot judged by the authors' own supernets, if their statistics are here."""
    known = "authors_claims" in frames
    return {"the authors' supernets": frames["authors_claims"]} if known else {}


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
            "n": tried["n"].astype(str),
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
    heads = {"own": "by our benchmark", "table": "by the published table"}
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
    return grid_of({"n": counts, **columns}, list(columns["Spearman"]), "ranking")


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
    rows = page.frame(correlations.TABLE3[source], NEEDS[source])
    rows = rows[rows["method"].isin(appraisal.METHODS)]
    grid = table3_grid(rows, cell, appraisal.SPACES, appraisal.METHODS)
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


def optimisers(page: Inputs) -> pd.DataFrame:
    """SGD and both forms of RMSprop in A_1, one supernet each."""
    rows = page.frame("optimisers", NEEDS["ours"])
    return pd.DataFrame(
        {
            "optimiser": rows["optimiser"],
            "training accuracy, %": rows["train_accuracy"].map("{:.1f}".format),
            "mean proxy accuracy, %": rows["mean_prediction"].map("{:.1f}".format),
            "Spearman": rows["spearman"].map("{:.2f}".format),
        }
    )


def setting_101(page: Inputs) -> pd.DataFrame:
    """What the runs on NAS-Bench-101 share."""
    return describe_runs(wanted_101(page), {"all runs": appraisal.PROFILES[page.profile].base.net})


TABLES = {
    "setting": Table(
        "What all runs on NAS-Bench-201 share, read from their configs.",
        lambda page: describe_runs(runs_201(page), correlations.PROFILES[page.profile].nets),
    ),
    "tried": Table(
        "Settings tried with small supernets. Spearman correlation over the random sample, mean "
        "and 95% interval over n seeds. The grid of this study uses the one marked so, in other "
        "subspaces that alone. The noise ceiling is that of one run in the table of ceilings.",
        settings_tried,
    ),
    "metrics": Table(
        "Correlations over the random sample, by subspace and size. Mean and 95% interval over n "
        "seeds. The noise ceiling is that of one run in the table of ceilings.",
        metrics,
    ),
    "metrics-top": Table(
        "What the best cells get. Mean and 95% interval over n seeds. *Best of predicted top 10* "
        "is the stand-alone accuracy of the best among the ten best predicted cells of the random "
        "sample. The last column is one number of all seeds; its interval is a bootstrap over "
        "all resamples of them. It ends where a single seed does, so with three it is too narrow.",
        metrics_top,
    ),
    "own": Table(
        "The same cells by both truths. Spearman correlation of the supernets' proxy accuracy over "
        "those cells of the random sample that our own benchmark has: mean and 95% interval over "
        "n seeds, which says nothing about other cells. The difference of the two means has an "
        "interval over cells instead (bootstrap), which says nothing about other supernets.",
        own_truth,
    ),
    "published": Table(
        "Supernets that others trained on all of NAS-Bench-201, beside ours in the full space. "
        "Theirs by channels, batch size and epochs (5 cells a stage, images of full size; "
        "balanced: drawing equally from three parts of the cells). Mean and 95% interval over n "
        "supernets. The published ones rank all 15,625 cells by accuracy on the 10,000 test "
        "images, as the parameter count does; ours the random sample, by held-out training "
        "images.",
        published,
    ),
    "published-masks": Table(
        "Spearman correlation by subspace, published supernets and ours. Mean and 95% interval "
        "over supernets. The published ones were trained in the full space and rank all cells of "
        "each subspace; ours were trained in the subspace and rank its random sample. The noise "
        "ceiling is that of one run of the next table.",
        published_masks,
    ),
    "ceilings": Table(
        "Noise ceilings. Spearman correlation between trainings of the same n cells (mean over "
        "pairs), that of means of three trainings by Spearman and Brown's formula, and the roots "
        "of both: the best that a predictor without noise can reach against one training, or "
        "against the mean of three. Of NAS-Bench-201 two trainings a cell, of NAS-Bench-101 three. "
        "The truth in NAS-Bench-201 is the mean of up to three trainings by test accuracy, of "
        "which only the mean is at hand. *Above 90%* is by the mean of the same two trainings.",
        ceilings_table,
    ),
    "half-precision": Table(
        "The same small supernets of the full space, evaluated in two precisions. Spearman "
        "correlation between the two over random cells, and how much that with the truth changes. "
        "Mean and 95% interval over n supernets; images: held out, to evaluate on.",
        half_precision,
    ),
    "authors": Table(
        "Pourchot's table 3, computed from the authors' raw results. Mean Spearman correlation and "
        "±, each supernet over cells of its own. Each asterisk is a supernet that predicts a "
        "constant; it is left out. Beside them, the correlation of the parameter counts of all "
        "these cells, and the best that a predictor without noise could reach against this truth.",
        lambda page: table3(page, "authors", plus_minus),
    ),
    "ours": Table(
        "Pourchot's table 3 from our supernets. All over the same cells of a subspace: mean "
        "Spearman correlation and Student's 95% interval over n supernets, no further than ±1; "
        "and that of the cells' parameter counts.",
        lambda page: table3(page, "ours", with_failures),
    ),
    "equal-images": Table(
        "AVG-3 as it was run, with three times as many images as BNS-FT, and with as many (a third "
        "of the updates), each of seed 0: mean difference in Spearman correlation over n spaces, "
        "and Student's 95% interval over them.",
        equal_images,
    ),
    "optimisers": Table(
        "Optimisers. One supernet of BNS-FT in A_1 (seed 0) with each: SGD as all others here, and "
        "RMSprop with the learning rate and weight decay of the paper, as PyTorch and as the "
        "authors' code computes it. One seed tells no difference from noise.",
        optimisers,
    ),
    "setting-101": Table(
        "What our supernets of NAS-Bench-101 share, read from the config of BNS-FT.",
        setting_101,
    ),
    "decides": Table(
        f"What this design can decide, NAS-Bench-201. {DECIDES}",
        lambda page: decides_table(page.frame("decides")),
    ),
    "decides-101": Table(
        f"What our supernets of NAS-Bench-101 can decide. {DECIDES}",
        lambda page: decides_table(page.frame("ours_decides", NEEDS["ours"])),
    ),
}


PARTS = {  # of the design: the runs behind each table of statistics; others have none of ours
    **dict.fromkeys(("summary", "top_n", "tau_a", "baseline", "tried"), ("nb201",)),
    **dict.fromkeys(("runs", "seeds", "settings", "own", "own_truth", "own_gain"), ("nb201",)),
    **dict.fromkeys(("precision", "half_precision"), ("nb201", "precision")),
    **dict.fromkeys(
        ("ours", "ours_patterns", "ours_claims", correlations.TABLE3["ours"]), ("nb101",)
    ),
    "decides": ("nb201",),
    "ours_decides": ("nb101",),
    "ours_equal_images": ("nb101",),
    "optimisers": ("nb101_optimisers",),
}


def parts_of(name: str, rows: pd.DataFrame) -> tuple[str, ...]:
    """The parts of the study's design whose runs are behind some rows of a table of statistics."""
    return PARTS.get(name, ())


RANKED = (
    "no-tuning-poor",
    *("fine-tuning", "improves-SINGLE-K", "improves-PRO-RATA", "improves-AVG-3"),
    *("improves-S-K + P-R", "less-variance", "outputs-matter", "residual-ranks"),
    *("same-level", "size-hint"),
)
SHOWS = {  # claims by the figure or table that shows them
    "fig-usage": ("conv3-everywhere", "usage-order", "pool-for-skip"),
    "fig-share": ("conv3-half", "conv1-for-conv3", "substitutes-for-conv3"),
    "fig-scatter": ("tau-rises", "mask-zero-tau", "mask-zero-chance"),
    "fig-topn": (
        *("baseline-tau_a", "mask-zero-tau_a", "mask-pool-tau_a", "mask-skip-tau_a"),
        *("mask-skip-below-random", "mask-conv1-tau_a", "mask-conv3-tau_a", "mask-both"),
        *("mask-zero-skip", "mask-pool-combinations", "tau-within-top", "mask-skip-tau"),
        "best-highest",
    ),
    "fig-topn-medium": (
        *("medium-baseline", "medium-fails", "medium-harmful", "medium-below-random"),
        *("medium-deviation", "medium-tau"),
    ),
    "tab-metrics": ("size-tau",),
    "tab-tried": ("mask-zero-tau",),
    "tab-authors": RANKED,
    "tab-ours": RANKED,
    "fig-bias": ("bias-residual", "bias-conv3", "residual-better", "residual-best", "cluster-poor"),
}


# ---- figures: data


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
    if size not in correlations.PROFILES[page.profile].nets:
        raise Absent(f"The profile {page.profile} has no supernets of size {size}.")
    rows = page.frame("top_n", size=size)
    return rows[rows["subspace"].isin({full(page), *SINGLES})]


def top_n_more(page: Inputs) -> pd.DataFrame:
    """The same of all other subspaces, small supernets; the full space comes first."""
    rows = page.frame("top_n", size="S")
    return rows[(rows["subspace"] == full(page)) | ~rows["subspace"].isin(SINGLES)]


SINGLES = [str(subspace) for subspace in correlations.SINGLES]


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


# ---- figures: what they show


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
