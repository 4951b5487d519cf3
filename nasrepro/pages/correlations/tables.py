"""The tables of study 1's page."""

from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from nasrepro.benchmarks import few_shot_supernets, nb101, nb201_seeds
from nasrepro.pages.correlations.measured import (
    NEEDS,
    ceilings_of,
    full_201,
    interval_text,
    published_floor,
    published_full,
    runs_101,
    runs_201,
)
from nasrepro.pages.inputs import Absent, Inputs, is_here
from nasrepro.pages.page import Table
from nasrepro.pages.settings import describe_runs
from nasrepro.pages.text import (
    DECIDES,
    decides_table,
    interval_grid,
    plus_minus,
    table3_grid,
    with_failures,
    with_interval,
)
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import appraisal, correlations, published_supernets, subspaces


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
    own = subspaces.OWN.name
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
    masks = {str(s) for s in subspaces.SINGLES[1:] + subspaces.DOUBLES}
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
        lambda page: describe_runs(runs_201(page), subspaces.PROFILES[page.profile].nets),
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
        "interval over cells instead (jackknife), which says nothing about other supernets.",
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
