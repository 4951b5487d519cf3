"""Figures of the studies: tidy tables in, matplotlib figures out."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasrepro.spaces.nb201 import LABELS, OPERATIONS

# Okabe and Ito's palette: told apart by colour-blind readers, too.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "v", "D", "P", "X")


def usage_bars(usage: pd.DataFrame, value: str) -> Figure:
    """Laube's figure 3: usage or share of each operation in the true top N, one panel per subspace.

    Args:
        usage: subspace, top, operation, usage, share.
        value: "usage" or "share".
    """
    subspaces = usage["subspace"].unique()
    figure, axes = plt.subplots(
        2, 3, figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
    )
    for axis, subspace in zip(axes.flat, subspaces, strict=True):
        panel = usage[usage["subspace"] == subspace]
        for i, operation in enumerate(OPERATIONS):
            line = panel[panel["operation"] == operation]
            if len(line):
                axis.plot(
                    line["top"],
                    line[value],
                    color=COLOURS[i],
                    marker=MARKERS[i],
                    markersize=4,
                    label=LABELS[operation],
                )
        axis.set_title(subspace, fontsize=10)
        axis.set_ylim(-0.03, 1.05 if value == "usage" else 0.8)
    label = "share of cells that use it" if value == "usage" else "share of the edges"
    figure.supylabel(label, fontsize=10)
    figure.supxlabel("true top N", fontsize=10)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=5, loc="outside lower center", fontsize=9)
    return figure


def scatter(
    observations: pd.DataFrame, subspaces: Sequence[str], seed: int, size: str, truth: str
) -> Figure:
    """Laube's figure 2: proxy against stand-alone accuracy; rows: subspaces, columns: groups.

    Args:
        observations: what `studies.measure.observe` gives for study 1.
        subspaces: the rows.
        seed: of the run that is shown.
        size: of its network.
        truth: which stand-alone accuracy it is.
    """
    groups = {"true top 50": 50, "true top 250": 250, "random sample": None}
    figure, axes = plt.subplots(
        len(subspaces), len(groups), figsize=(9, 3 * len(subspaces)), layout="constrained"
    )
    for row, subspace in zip(np.atleast_2d(axes), subspaces, strict=True):
        run = observations[
            (observations["subspace"] == subspace)
            & (observations["seed"] == seed)
            & (observations["size"] == size)
        ]
        for axis, (name, top) in zip(row, groups.items(), strict=True):
            cells = run[run["random"]] if top is None else run.nlargest(top, "truth")
            axis.scatter(cells["proxy"], cells["truth"], s=6, alpha=0.5, color=COLOURS[1])
            axis.set_title(f"{subspace}: {name}", fontsize=9)
    figure.supxlabel("proxy accuracy, percent of the validation images", fontsize=10)
    figure.supylabel(textwrap.fill(f"stand-alone: {truth}", 60), fontsize=10)
    return figure


def marginal_scatter(panels: dict[str, pd.DataFrame], columns: int, truth: str) -> Figure:
    """Pourchot's figures 3 and 4: proxy against stand-alone accuracy with their distributions.

    Args:
        panels: title and evaluations of one supernet: proxy, validation, both in percent; where
            some cells are to stand out, chosen (bool).
        columns: of panels.
        truth: which stand-alone accuracy it is.
    """
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3 * columns, 3.2 * rows), squeeze=False, layout="constrained"
    )
    for axis, (title, run) in zip(axes.flat, panels.items(), strict=False):
        chosen = run.get("chosen", pd.Series(False, run.index))
        for cells, colour in ((run[~chosen], COLOURS[6]), (run[chosen], COLOURS[1])):
            axis.scatter(cells["validation"], cells["proxy"], s=5, alpha=0.5, color=colour)
        # The few cells that hardly train on their own would leave no room for the others.
        low, high = run["validation"].quantile(0.05), run["validation"].max()
        axis.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        above = axis.inset_axes((0, 1.02, 1, 0.18), sharex=axis)
        beside = axis.inset_axes((1.02, 0, 0.18, 1), sharey=axis)
        across, upwards = (
            np.linspace(start, run[column].max(), 40)
            for column, start in (("validation", low), ("proxy", run["proxy"].min()))
        )
        for part, colour in ((run, COLOURS[6]), (run[chosen], COLOURS[1])):
            above.hist(part["validation"], across, color=colour)
            beside.hist(part["proxy"], upwards, color=colour, orientation="horizontal")
        above.axis("off")
        beside.axis("off")
        above.set_title(title, fontsize=9)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    figure.supxlabel(textwrap.fill(f"stand-alone: {truth}", 25 * columns), fontsize=10)
    figure.supylabel("proxy accuracy, percent", fontsize=10)
    return figure


def rank_methods(
    tables: dict[str, pd.DataFrame], spaces: Sequence[str], methods: Sequence[str]
) -> Figure:
    """Mean rank correlations by space and method with their intervals, one panel per source.

    Args:
        tables: title of each panel; space, method, mean, ci_low, ci_high.
        spaces: the rows, in this order.
        methods: the points of a row, in this order.
    """
    figure, axes = plt.subplots(
        1,
        len(tables),
        figsize=(4.5 * len(tables), 4.5),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=True):
        for i, method in enumerate(methods):
            points = table[table["method"] == method].set_index("space").reindex(spaces)
            errors = [points["mean"] - points["ci_low"], points["ci_high"] - points["mean"]]
            axis.errorbar(
                points["mean"],
                np.arange(len(spaces)) + 0.12 * (i - 2.5),
                xerr=np.nan_to_num(errors),
                fmt=MARKERS[i],
                color=COLOURS[i],
                markersize=4,
                elinewidth=0.8,
                label=method,
            )
        axis.set_title(title, fontsize=10)
        axis.axvline(0, color="grey", linewidth=0.8)
    axes[0, 0].set_yticks(range(len(spaces)), spaces)
    axes[0, 0].invert_yaxis()
    figure.supxlabel("Spearman correlation, mean over supernets", fontsize=10)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=6, loc="outside upper center", fontsize=8)
    return figure


def top_n_curves(top_n: pd.DataFrame, groups: Mapping[str, Sequence[str]], size: str) -> Figure:
    """Laube's figures 4 and 7: tau and mean prediction within the true top N, with intervals.

    Args:
        top_n: subspace, size, top, tau and mean_prediction with their intervals.
        groups: title of each column of panels, and its subspaces.
        size: of the supernets.
    """
    columns = max(len(groups), 1)
    figure, axes = plt.subplots(
        2,
        columns,
        figsize=(3.2 * columns, 5.5),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    rows = top_n[top_n["size"] == size]
    for column, (title, subspaces) in enumerate(groups.items()):
        for axis, value in zip(axes[:, column], ("tau", "mean_prediction"), strict=True):
            _curves(axis, rows, value, subspaces)
        axes[0, column].set_title(title, fontsize=10)
        axes[1, column].legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12))
        axes[0, column].axhline(0, color="grey", linewidth=0.8)
    axes[0, 0].set_ylabel("Kendall's tau-a")
    axes[1, 0].set_ylabel("mean proxy accuracy, percent")
    lowest, highest = axes[0, 0].get_ylim()
    # The interval of few runs can reach beyond what a correlation can be.
    axes[0, 0].set_ylim(max(lowest, -1), min(highest, 1))
    figure.suptitle(f"by true top N, and over the random sample (size {size})", fontsize=10)
    return figure


def _curves(axis: Axes, rows: pd.DataFrame, value: str, subspaces: Sequence[str]) -> None:
    """One line per subspace; the bars are the 95% intervals over seeds, side by side."""
    for i, subspace in enumerate(subspaces):
        line = rows[rows["subspace"] == subspace]
        if line.empty:
            continue
        errors = [line[value] - line[f"{value}_low"], line[f"{value}_high"] - line[value]]
        axis.errorbar(
            np.arange(len(line)) + 0.08 * (i - len(subspaces) / 2),
            line[value],
            yerr=np.nan_to_num(errors),
            color=COLOURS[i],
            marker=MARKERS[i],
            markersize=4,
            linewidth=1,
            elinewidth=0.8,
            label=f"{subspace} (n={line['n'].iloc[0]})",
        )
        axis.set_xticks(range(len(line)), line["top"], fontsize=8)


def metric_points(summary: pd.DataFrame, metrics: dict[str, str], size: str) -> Figure:
    """Laube's figure 11: several metrics over the random sample, one row per subspace.

    Args:
        summary: subspace, size, metric, mean, ci_low, ci_high, n.
        metrics: metric and its label.
        size: of the supernets.
    """
    rows = summary[summary["size"] == size]
    subspaces = list(dict.fromkeys(rows["subspace"]))
    figure, axis = plt.subplots(figsize=(8, 0.55 * len(subspaces) + 1.2), layout="constrained")
    for i, (metric, label) in enumerate(metrics.items()):
        points = rows[rows["metric"] == metric].set_index("subspace").reindex(subspaces)
        errors = [points["mean"] - points["ci_low"], points["ci_high"] - points["mean"]]
        axis.errorbar(
            points["mean"],
            np.arange(len(subspaces)) + 0.15 * (i - len(metrics) / 2),
            xerr=np.nan_to_num(errors),
            fmt=MARKERS[i],
            color=COLOURS[i],
            markersize=4,
            elinewidth=0.8,
            label=label,
        )
    axis.set_yticks(range(len(subspaces)), subspaces)
    axis.invert_yaxis()
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set_xlabel(f"correlation over the random sample (size {size})")
    figure.legend(fontsize=8, ncols=4, loc="outside upper center")
    return figure


def floor_and_ceiling(baseline: pd.DataFrame, size: str) -> Figure:
    """The supernets' Spearman correlation between parameter count and agreement of seeds."""
    rows = baseline[baseline["size"] == size].reset_index(drop=True)
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(rows) + 1.2), layout="constrained")
    errors = [rows["mean"] - rows["ci_low"], rows["ci_high"] - rows["mean"]]
    axis.errorbar(
        rows["mean"],
        rows.index,
        xerr=np.nan_to_num(errors),
        fmt="o",
        color=COLOURS[1],
        label="supernet and truth",
    )
    axis.scatter(
        rows["parameter_count"],
        rows.index,
        marker="x",
        color=COLOURS[2],
        label="parameter count and truth",
    )
    axis.scatter(
        rows["between_seeds"],
        rows.index,
        marker="|",
        s=120,
        color=COLOURS[3],
        label="two supernets that differ in the seed",
    )
    axis.set_yticks(range(len(rows)), [f"{r.subspace} (n={r.n})" for r in rows.itertuples()])
    axis.invert_yaxis()
    axis.set_xlabel(f"Spearman correlation over the random sample (size {size})")
    figure.legend(fontsize=8, ncols=3, loc="outside upper center")
    return figure


def regret_curves(curves: pd.DataFrame, spaces: Sequence[str], unit: str) -> Figure:
    """Pourchot's figure 2: mean test regret over search time with its interval, by space.

    Args:
        curves: space, search, time, regret, ci_low, ci_high, of one benchmark.
        spaces: the panels, in this order.
        unit: of the time.
    """
    least = 0.01  # one of 10,000 test images; the axis is logarithmic
    columns = min(len(spaces), 3)
    rows = -(-len(spaces) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.1 * columns, 2.7 * rows), squeeze=False, layout="constrained"
    )
    searches = list(dict.fromkeys(curves["search"]))
    for axis, space in zip(axes.flat, spaces, strict=False):
        for i, search in enumerate(searches):
            line = curves[(curves["space"] == space) & (curves["search"] == search)]
            axis.plot(line["time"], line["regret"], color=COLOURS[i], label=search)
            bounds = [line[bound].clip(lower=least) for bound in ("ci_low", "ci_high")]
            axis.fill_between(line["time"], *bounds, color=COLOURS[i], alpha=0.2)
        axis.set(xscale="log", yscale="log")
        axis.set_ylim(bottom=max(least, 0.8 * curves.loc[curves["space"] == space, "regret"].min()))
        axis.set_title(space, fontsize=10)
    for axis in axes.flat[len(spaces) :]:
        axis.set_visible(False)
    figure.supxlabel(unit, fontsize=10)
    figure.supylabel("test regret, percent", fontsize=10)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=3, loc="outside upper center", fontsize=9)
    return figure


def effect_sizes(table4: pd.DataFrame) -> Figure:
    """Cohen's d of each space with its interval, as printed and from the published supernets.

    Args:
        table4: space, d, d_low, d_high, printed_d, printed_ci_low, printed_ci_high, supernets.
    """
    figure, axis = plt.subplots(figsize=(8, 0.5 * len(table4) + 1.2), layout="constrained")
    positions = np.arange(len(table4))
    series = {
        "printed, 25 runs": ("printed_d", "printed_ci_low", "printed_ci_high"),
        "the published supernets": ("d", "d_low", "d_high"),
    }
    for i, (label, (value, low, high)) in enumerate(series.items()):
        axis.errorbar(
            table4[value],
            positions + 0.2 * (i - 0.5),
            xerr=np.nan_to_num([table4[value] - table4[low], table4[high] - table4[value]]),
            fmt=MARKERS[i],
            color=COLOURS[i + 1],
            label=label,
        )
    axis.set_yticks(positions, [f"{r.space} (n={r.supernets})" for r in table4.itertuples()])
    axis.invert_yaxis()
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set_xlabel("Cohen's d; right of zero, weight sharing finds better cells")
    figure.legend(fontsize=9, ncols=2, loc="outside upper center")
    return figure


def placeholder(text: str) -> Figure:
    """In place of a figure that cannot be drawn: what is missing, in words."""
    figure, axis = plt.subplots(figsize=(8, 1.6), facecolor="whitesmoke")
    axis.axis("off")
    axis.text(
        *(0.5, 0.5),
        textwrap.fill(text, 90, break_long_words=False, break_on_hyphens=False),
        ha="center",
        va="center",
        fontsize=10,
        parse_math=False,
    )
    return figure
