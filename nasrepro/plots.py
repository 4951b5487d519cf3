"""Figures of the studies: tidy tables in, matplotlib figures and SVG out.

Every figure is as wide as a phone, so that its text can be read there, and takes its colours from
the page that it stands in: light, dark or print.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from textwrap import fill
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike

from nasrepro.spaces import darts
from nasrepro.spaces.nb201 import LABELS, OPERATIONS

WIDTH = 4.9  # inches of 72 units: on a phone of 390 pixels, a unit is a pixel
INK = "#010101"  # becomes the colour of the page's text
# Okabe and Ito's hues, told apart by colour-blind readers, too; as dark as text on white must be.
# In a page with the variable --plot-NAME they become what it says.
COLOURS = {
    "blue": "#00639e",
    "orange": "#b34700",
    "green": "#00704f",
    "pink": "#a03c7c",
    "grey": "#6e6e6e",
    "pale": "#b4b4b4",
}
BLUE, ORANGE, GREEN, PINK, GREY, PALE = COLOURS.values()
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # is measured; wider than what browsers take for sans-serif
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "figure.labelsize": 10,
    "text.parse_math": False,
    "svg.fonttype": "none",  # text stays text
    **{f"{part}color": INK for part in ("text.", "axes.edge", "axes.label", "xtick.", "ytick.")},
}
Marks = dict[str, tuple[str, dict[str, Any]]]
# Words of the frames, what a reader is told, and how it is drawn, alike in all figures.
SOURCES: Marks = {
    "ours": ("our supernets", {"color": BLUE, "marker": "o", "linestyle": ""}),
    "authors": ("the authors' supernets", {"color": ORANGE, "marker": "s", "linestyle": ""}),
    "printed": ("as printed", {"color": GREY, "marker": "D", "linestyle": ""}),
}
LINES: Marks = {
    "ours": ("our supernets", {"color": BLUE}),
    "authors": ("the authors' supernets", {"color": ORANGE}),
    "with": ("with the feature", {"color": PINK}),
    "without": ("without it", {"color": GREEN}),
}
RIGHT: tuple[str, dict[str, Any]] = ("rated as it is", {"color": GREY, "linewidth": 0.8})
SEARCHES: Marks = {
    "RS": ("random search", {"color": GREY}),
    "GS": ("greedy search", {"color": GREEN}),
    "RS with weight sharing": ("random with weight sharing", {"color": BLUE}),
    "GS with weight sharing": ("greedy with weight sharing", {"color": ORANGE}),
}
SVG = "http://www.w3.org/2000/svg"


# ---- pictures as text


def svg(draw: Callable[[], Figure], name: str, alt: str) -> str:
    """A figure as SVG that a page can hold, the same whenever it is drawn.

    Args:
        draw: makes the figure; drawn in `STYLE`.
        name: of the figure, the only one in its page; names inside the picture depend on it.
        alt: what it shows, for who does not see it.
    """
    file = StringIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever style the user has
        mpl.rcParams.update(STYLE | {"svg.hashsalt": name})
        draw().savefig(file, format="svg", transparent=True, metadata={"Date": None})
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(file.getvalue())
    root.set("role", "img")
    root.set("aria-label", alt)
    # What matplotlib says in a style sheet, which would hold for all of the page.
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
        styles = {child.get("style", "") for child in parent}
        if len(styles) == 1 and {child.tag for child in parent} == {f"{{{SVG}}}use"}:
            parent.set("style", styles.pop())  # of markers alike, said once
            for child in parent:
                del child.attrib["style"]
    text = _without_idle_names(ElementTree.tostring(root, "unicode"))
    return _in_colours_of_page(re.sub(r"\s*\n\s*", " ", text))


def _without_idle_names(text: str) -> str:
    """Without the ids that nothing refers to, which every figure has alike; short numbers."""
    used = set(re.findall(r"(?:url\(|href=\")#(\w+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", text)
    return re.sub(r"(?<=\d\.\d\d)\d+(?=[^<>]*>)", "", text)  # in attributes


def _in_colours_of_page(text: str) -> str:
    text = text.replace("'DejaVu Sans'", "sans-serif").replace(INK, "currentColor")
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--plot-{name}, {colour})")
    return text


# ---- parts of figures


def _panels(rows: int, columns: int, height: float, **shared: Any) -> tuple[Figure, np.ndarray]:
    """A figure of panels, array [rows, columns]; `height` in inches of all."""
    room = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.04, wspace=0.05, hspace=0.02)
    figure = Figure(figsize=(WIDTH, height), layout=room)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def _grid(count: int, columns: int, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure and so many panels of it, row by row; `height` in inches of a row."""
    rows = -(-count // columns)
    figure, axes = _panels(rows, columns, rows * height + 0.8, **shared)
    for axis in axes.flat[count:]:
        axis.axis("off")
    for axis in axes.flat[max(count - columns, 0) : count]:  # the lowest of their columns
        axis.tick_params(labelbottom=True)
    return figure, list(axes.flat[:count])


def _key(figure: Figure, marks: Iterable[tuple[str, Mapping[str, Any]]], columns: int) -> None:
    """What the colours mean, once for all panels: words in these colours."""
    handles = [Line2D([], [], label=label, **mark) for label, mark in marks]
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        labelcolor="linecolor",
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
        borderpad=0,
    )


def _points(axis: Axes, rows: pd.DataFrame, at: ArrayLike, **mark: Any) -> None:
    """Means with their intervals, across; a bare point where there is no interval."""
    bars = [rows["mean"] - rows["ci_low"], rows["ci_high"] - rows["mean"]]
    axis.errorbar(rows["mean"], at, xerr=np.nan_to_num(bars), elinewidth=1.2, **mark)


def _name_rows(axis: Axes, names: Iterable[str]) -> None:
    """Names of rows on the upright axis, the first one on top."""
    names = list(names)
    axis.set_yticks(range(len(names)), names, linespacing=1)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _every_other(names: Sequence[object]) -> list[str]:
    """Names of ticks where there is no room for all, from the last one backwards."""
    return ["" if i % 2 else str(name) for i, name in enumerate(names[::-1])][::-1]


def _line(axis: Axes, x: Any, y: Any, low: Any, high: Any, color: str, **style: Any) -> None:
    """A line and the band of its intervals."""
    axis.plot(x, y, color=color, **style)
    axis.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)


# ---- study 1


def usage_lines(usage: pd.DataFrame) -> Figure:
    """Laube's figure 3: how much the true top N cells use each operation, a panel each.

    Args:
        usage: subspace, top, operation and `value`, a share; the first subspace is drawn strong.
    """
    figure, axes = _grid(len(OPERATIONS), 3, 1.45, sharex=True, sharey=True)
    full, *masked = dict.fromkeys(usage["subspace"])
    lines = usage.pivot(index=["operation", "top"], columns="subspace", values="value")
    strong = {full: BLUE}
    if masked:
        strong[lines[masked].sub(lines[full], axis=0).abs().mean().idxmax()] = ORANGE
    tops = list(dict.fromkeys(usage["top"]))
    for axis, operation in zip(axes, OPERATIONS, strict=True):
        for subspace in sorted(lines, key=list(strong).__contains__):  # these on top
            values = lines.loc[operation].reindex(tops)[subspace]
            axis.plot(range(len(tops)), values, color=strong.get(subspace, PALE))
        axis.set_title(LABELS[operation])
        axis.set_xticks(range(len(tops)), _every_other(tops))
    axes[0].set_ylim(0, 1.05 * usage["value"].max())
    words = strong | {"other masks": GREY}
    for i, (word, colour) in enumerate(words.items()):
        figure.axes[-1].text(0, 0.8 - 0.25 * i, word, color=colour)
    figure.supxlabel("true top N")
    return figure


def scatter(cells: pd.DataFrame) -> Figure:
    """Laube's figure 2: proxy against stand-alone accuracy, a column a subspace, a row a group.

    Args:
        cells: subspace, group, proxy, truth: accuracies in percent.
    """
    groups, subspaces = (list(dict.fromkeys(cells[name])) for name in ("group", "subspace"))
    rows, columns = len(groups), len(subspaces)
    figure, axes = _panels(rows, columns, 1.7 * rows + 0.4, sharex="row", sharey="row")
    for row, group in zip(axes, groups, strict=True):
        for axis, subspace in zip(row, subspaces, strict=True):
            shown = cells[(cells["group"] == group) & (cells["subspace"] == subspace)]
            axis.plot(shown["proxy"], shown["truth"], "o", color=BLUE, alpha=0.4, ms=2.5, mew=0)
            axis.set_title(f"{subspace}: {group}")
    figure.supxlabel("proxy accuracy, percent")
    figure.supylabel("stand-alone accuracy, percent")
    return figure


def top_n_lines(top_n: pd.DataFrame) -> Figure:
    """Laube's figures 4 and 7: tau and mean prediction within the true top N, a row a subspace.

    Args:
        top_n: subspace, top, tau and mean_prediction with their intervals, _low and _high; the
            first subspace is drawn in every row, for comparison.
    """
    subspaces, tops = (list(dict.fromkeys(top_n[name])) for name in ("subspace", "top"))
    figure, axes = _panels(
        len(subspaces), 2, 0.95 * len(subspaces) + 0.5, sharex=True, sharey="col"
    )
    lines = {name: rows.set_index("top") for name, rows in top_n.groupby("subspace")}
    titles = {"tau": "Kendall's tau-a", "mean_prediction": "mean proxy accuracy, %"}
    for row, subspace in zip(axes, subspaces, strict=True):
        for axis, value in zip(row, titles, strict=True):
            axis.plot(range(len(tops)), lines[subspaces[0]].reindex(tops)[value], color=PALE)
            line = lines[subspace].reindex(tops)
            bounds = line[f"{value}_low"], line[f"{value}_high"]
            _line(axis, range(len(tops)), line[value], *bounds, BLUE, marker="o", ms=3)
        row[0].text(0.02, 0.98, subspace, color=BLUE, va="top", transform=row[0].transAxes)
        row[0].axhline(0, color=INK, linewidth=0.6)
        # The interval of few runs can reach beyond what a correlation can be.
        row[0].set_ylim(max(top_n["tau_low"].min(), -1), min(top_n["tau_high"].max(), 1))
    for axis, title in zip(axes[0], titles.values(), strict=True):
        axis.set_title(title)
        axis.set_xticks(range(len(tops)), _every_other(tops))
    figure.supxlabel("true top N, and the random sample")
    return figure


def metric_points(summary: pd.DataFrame) -> Figure:
    """Laube's figure 11: several metrics over the random sample, a panel each, a row a subspace.

    Args:
        summary: subspace, metric, mean, ci_low, ci_high.
    """
    metrics, subspaces = (list(dict.fromkeys(summary[name])) for name in ("metric", "subspace"))
    height = 0.2 * len(subspaces) + 0.6
    figure, axes = _panels(1, len(metrics), height, sharex=True, sharey=True)
    for axis, metric in zip(axes.flat, metrics, strict=True):
        points = summary[summary["metric"] == metric].set_index("subspace").reindex(subspaces)
        axis.axvline(0, color=INK, linewidth=0.6)
        _points(axis, points, range(len(subspaces)), **SOURCES["ours"][1])
        axis.set_title(metric)
    _name_rows(axes[0, 0], subspaces)
    return figure


def floor_and_ceiling(baseline: pd.DataFrame) -> Figure:
    """The supernets' Spearman correlation between parameter count and agreement of seeds.

    Args:
        baseline: subspace, mean, ci_low, ci_high, n, parameter_count, between_seeds.
    """
    rows = range(len(baseline))
    figure, axes = _panels(1, 1, 0.24 * len(baseline) + 0.8)
    axis = axes[0, 0]
    supernet = SOURCES["ours"][1]
    count = supernet | {"color": ORANGE, "marker": "x", "mew": 1.6}
    seeds = supernet | {"color": GREEN, "marker": "|", "mew": 1.6, "ms": 10}
    _points(axis, baseline, rows, **supernet)
    axis.plot(baseline["parameter_count"], rows, **count)
    axis.plot(baseline["between_seeds"], rows, **seeds)
    axis.axvline(0, color=INK, linewidth=0.6)
    _name_rows(axis, (f"{row.subspace} ({row.n})" for row in baseline.itertuples()))
    axis.set_xlabel("Spearman correlation")
    words = ("supernet, 95% interval", "parameter count", "two seeds agree")
    _key(figure, zip(words, (supernet, count, seeds), strict=True), 3)
    return figure


def rank_methods(ranks: pd.DataFrame) -> Figure:
    """Mean rank correlations with their intervals, a panel a space, a row a method.

    Args:
        ranks: space, method, source (a key of `SOURCES`), mean, ci_low, ci_high.
    """
    spaces, methods = (list(dict.fromkeys(ranks[name])) for name in ("space", "method"))
    figure, axes = _grid(len(spaces), 2, 0.16 * len(methods) + 0.3, sharex=True, sharey=True)
    sources = list(dict.fromkeys(ranks["source"]))
    for axis, space in zip(axes, spaces, strict=True):
        for i, source in enumerate(sources):
            chosen = ranks[(ranks["space"] == space) & (ranks["source"] == source)]
            points = chosen.set_index("method").reindex(methods)
            _points(axis, points, np.arange(len(methods)) + 0.3 * (i - 0.5), **SOURCES[source][1])
        axis.axvline(0, color=INK, linewidth=0.6)
        axis.set_title(space)
    _name_rows(axes[0], methods)
    figure.supxlabel("Spearman correlation")
    _key(figure, map(SOURCES.__getitem__, sources), 2)
    return figure


def rated(cells: pd.DataFrame, part: str) -> Figure:
    """How high supernets rate cells that are ever better on their own, a panel a space.

    Args:
        cells: panel, line (a key of `LINES`), part (1 to the best), mean, ci_low, ci_high: mean
            percentiles by proxy accuracy.
        part: what the parts of the cells are called, e.g. "tenths".
    """
    panels, lines = (list(dict.fromkeys(cells[name])) for name in ("panel", "line"))
    figure, axes = _grid(len(panels), 2, 1.3, sharex=True, sharey=True)
    last = int(cells["part"].max())
    for axis, panel in zip(axes, panels, strict=True):
        axis.plot((0.5, last + 0.5), (0, 100), **RIGHT[1])
        for line in lines:
            rows = cells[(cells["panel"] == panel) & (cells["line"] == line)]
            bounds = rows["ci_low"], rows["ci_high"]
            _line(axis, rows["part"], rows["mean"], *bounds, **LINES[line][1])
        axis.set_title(panel)
    axes[0].set_ylim(0, 100)
    axes[0].set_yticks((0, 50, 100))
    axes[0].set_xticks((1, last), ("worst", "best"))
    figure.supxlabel(f"{part} of the cells, by stand-alone accuracy")
    figure.supylabel("mean percentile by proxy")
    _key(figure, [*map(LINES.__getitem__, lines), RIGHT], 3)
    return figure


# ---- study 3


def regret_curves(curves: pd.DataFrame, unit: str) -> Figure:
    """Pourchot's figure 2: mean test regret over search time with its interval, a panel a space.

    Args:
        curves: space, search (a key of `SEARCHES`), time, regret, ci_low, ci_high, and, where
            searches with weight sharing are compared, one_shot: the time at which one ends, and
            at_one_shot: the expected regret then, drawn as a dot.
        unit: of the time.
    """
    least = 0.01  # one of 10,000 test images; the axis is logarithmic
    guided = curves[curves["search"].str.endswith("weight sharing")]
    curves = curves[curves["time"] <= (guided if len(guided) else curves)["time"].max()]
    spaces, searches = (list(dict.fromkeys(curves[name])) for name in ("space", "search"))
    figure, axes = _grid(len(spaces), min(len(spaces), 2), 1.4, sharex=True, sharey=True)
    for axis, space in zip(axes, spaces, strict=True):
        panel = curves[curves["space"] == space]
        for search in searches:
            line = panel[panel["search"] == search]
            bounds = (line[bound].clip(lower=least) for bound in ("ci_low", "ci_high"))
            mark = SEARCHES[search][1]
            _line(axis, line["time"], line["regret"], *bounds, **mark)
            axis.plot(line["one_shot"].iloc[:1], line["at_one_shot"].iloc[:1], "o", ms=5, **mark)
        axis.axvline(panel["one_shot"].iloc[0], color=INK, linewidth=0.8, linestyle=":")
        axis.set_title(space)
    axes[0].set(xscale="log", yscale="log")
    axes[0].set_ylim(max(least, 0.8 * curves["regret"].min()), 1.2 * curves["regret"].max())
    bottom, top = axes[0].get_ylim()
    steps = (1, 2, 5) if top < 30 * bottom else (1,)
    axes[0].yaxis.set_major_locator(LogLocator(subs=steps))
    for scale in (axes[0].xaxis, axes[0].yaxis):
        scale.set_major_formatter("{x:g}")
        scale.set_minor_formatter("")
    if curves["one_shot"].notna().any():
        axes[0].text(curves["one_shot"].iloc[0], bottom, " one-shot", va="bottom")
    figure.supxlabel(unit)
    figure.supylabel("test regret, percent")
    _key(figure, map(SEARCHES.__getitem__, searches), 2)
    return figure


WIDEST = 1.5  # times the largest effect
LETTERS = 29  # in a line of a row's name


def effect_sizes(effects: pd.DataFrame, name: str, what: str) -> Figure:
    """Effects with their intervals, as printed and from supernets, a row each.

    The axis ends at `WIDEST` times the largest effect, even where an interval goes on.

    Args:
        effects: a column of names, source (a key of `SOURCES`), mean, ci_low, ci_high.
        name: of the column of names.
        what: the effect, and what being right of 0 means.
    """
    rows = list(dict.fromkeys(effects[name]))
    sources = list(dict.fromkeys(effects["source"]))
    figure, axes = _panels(1, 1, (0.14 + 0.11 * len(sources)) * len(rows) + 0.8)
    axis = axes[0, 0]
    for i, source in enumerate(sources):
        points = effects[effects["source"] == source].set_index(name).reindex(rows)
        _points(axis, points, np.arange(len(rows)) + 0.3 * (i - 0.5), **SOURCES[source][1])
    _name_rows(axis, (fill(row, LETTERS) for row in rows))
    axis.axvline(0, color=INK, linewidth=0.6)
    axis.set_xlabel(what)
    # An interval of two runs may be so wide that nothing else would be seen: it leaves the figure.
    most = WIDEST * effects["mean"].abs().max()
    low, high = axis.get_xlim()
    if most > 0:
        axis.set_xlim(max(low, -most), min(high, most))
    _key(figure, map(SOURCES.__getitem__, sources), 2)
    return figure


# ---- study 4

# Estimators, alike in all figures; a line without a mark is told apart by its place in the order.
ESTIMATORS: dict[str, dict[str, Any]] = {
    "SoTL": {"color": BLUE},
    "SoTL-E": {"color": PINK},
    "sum of training accuracies": {"color": PINK, "linestyle": "--"},
    "ValAcc": {"color": ORANGE},
    "ValLoss": {"color": GREEN},
    "parameters": {"color": GREY, "linestyle": ":"},
}
# The same, where gradients stand beside them: as the thesis defines sums, and as its code does.
GRADIENTS: dict[str, dict[str, Any]] = {
    "SoG": {"color": GREEN},
    "SoG (code)": {"color": GREEN, "linestyle": "--"},
    "SoGN": {"color": ORANGE},
    "SoGN (code)": {"color": ORANGE, "linestyle": "--"},
    "SoTL": ESTIMATORS["SoTL"],
    "parameters": ESTIMATORS["parameters"],
}
ORDER: tuple[dict[str, Any], ...] = (
    *({"color": colour} for colour in (BLUE, ORANGE, GREEN, PINK, GREY)),
    *({"color": colour, "linestyle": "--"} for colour in (BLUE, ORANGE, GREEN, PINK, GREY)),
)


def line_panels(
    rows: pd.DataFrame,
    across: str,
    up: str,
    marks: Mapping[str, Mapping[str, Any]] | None = None,
    logarithmic: str = "",
) -> Figure:
    """Lines with bands of their intervals, a panel each group.

    Args:
        rows: panel, line, x, mean and, where there is an interval, ci_low and ci_high.
        across: name of the lying axis.
        up: of the upright one.
        marks: how each line is drawn; else by its place in `ORDER`.
        logarithmic: "x", "y" or "xy": axes that are.
    """
    panels, lines = (list(dict.fromkeys(rows[name])) for name in ("panel", "line"))
    marks = marks or dict(zip(lines, ORDER, strict=False))  # ten lines are enough for an eye
    columns = 3 if max(map(len, lines)) < 15 else 2
    words = 0.2 * -(-len(lines) // columns)  # inches of the key
    height = 1.7 + words / -(-len(panels) // 2)
    figure, axes = _grid(len(panels), min(len(panels), 2), height)
    for axis, panel in zip(axes, panels, strict=True):
        for line in lines:
            part = rows[(rows["panel"] == panel) & (rows["line"] == line)]
            _line(axis, part["x"], part["mean"], part["ci_low"], part["ci_high"], **marks[line])
        if len(panels) > 1:
            axis.set_title(panel)
        for name in logarithmic:
            axis.set(**{f"{name}scale": "log"})
            ticks = getattr(axis, f"{name}axis")
            ticks.set_major_locator(LogLocator(numticks=5))
            ticks.set_major_formatter("{x:g}")  # not as a formula, which stays text in SVG
            ticks.set_minor_formatter("")
    figure.supxlabel(across)
    figure.supylabel(up)
    _key(figure, ((line, marks[line]) for line in lines), columns)
    return figure


# ---- study 5


def search_courses(courses: pd.DataFrame, value: str, what: str, zero: float | None) -> Figure:
    """A number over the epochs of searches, a panel a setting and a line a seed.

    Args:
        courses: setting, seed, epoch and the number.
        value: the column with the number.
        what: it is, with its unit.
        zero: a level to draw through all panels, if any.
    """
    settings = list(dict.fromkeys(courses["setting"]))
    figure, axes = _grid(len(settings), 2, 1.5, sharex=True, sharey=True)
    for axis, setting in zip(axes, settings, strict=True):
        for _, run in courses[courses["setting"] == setting].groupby("seed"):
            axis.plot(run["epoch"], run[value], color=BLUE, alpha=0.7, linewidth=1)
        if zero is not None:
            axis.axhline(zero, color=GREY, linewidth=0.6)
        axis.set_title(setting)
    figure.supxlabel("epoch")
    figure.supylabel(what)
    return figure


def levels(points: pd.DataFrame, marks: Mapping[str, float], what: str) -> Figure:
    """Means with their intervals, ours and as printed, a row each, between known levels.

    Args:
        points: setting, source (a key of `SOURCES`), mean, ci_low, ci_high, in percent.
        marks: levels by their names, drawn upright.
        what: the mean.
    """
    rows = list(dict.fromkeys(points["setting"]))
    figure, axes = _panels(1, 1, 0.3 * len(rows) + 1.1)
    axis = axes[0, 0]
    for i, source in enumerate(sources := list(dict.fromkeys(points["source"]))):
        shown = points[points["source"] == source].set_index("setting").reindex(rows)
        _points(axis, shown, np.arange(len(rows)) + 0.3 * (i - 0.5), **SOURCES[source][1])
    _name_rows(axis, rows)
    colours = (ORANGE, GREEN, PINK, GREY)
    lines = [(name, {"color": colour}) for name, colour in zip(marks, colours, strict=False)]
    for (_, mark), level in zip(lines, marks.values(), strict=True):
        axis.axvline(level, linewidth=0.8, **mark)
    low, high = axis.get_xlim()
    axis.set_xlim(max(low, 0), min(high, 100))  # whatever an interval of few seeds says
    axis.set_xlabel(what)
    _key(figure, [*map(SOURCES.__getitem__, sources), *lines], 2)
    return figure


# Of operations: their names, and how they are drawn.
Operations = Mapping[str, tuple[str, Mapping[str, Any]]]
NB201_MARKS: Operations = {
    operation: (LABELS[operation], {"color": colour})
    for operation, colour in {
        "nor_conv_3x3": BLUE,
        "nor_conv_1x1": GREEN,
        "avg_pool_3x3": PINK,
        "skip_connect": ORANGE,
    }.items()
}
DARTS_MARKS: Operations = {
    operation: (darts.LABELS[operation], {"color": colour, "linestyle": style})
    for operation, colour, style in (
        ("sep_conv_3x3", BLUE, "-"),
        ("sep_conv_5x5", BLUE, "--"),
        ("dil_conv_3x3", GREEN, "-"),
        ("dil_conv_5x5", GREEN, "--"),
        ("max_pool_3x3", PINK, "-"),
        ("avg_pool_3x3", PINK, "--"),
        ("skip_connect", ORANGE, "-"),
    )
}


def cell_graphs(edges: pd.DataFrame, marks: Operations = NB201_MARKS) -> Figure:
    """Cells as graphs, a panel each: nodes in a row, edges as arcs above it.

    Args:
        edges: cell (its title), source, target, operation; those without a mark are not drawn.
        marks: of the operations.
    """
    nodes = int(edges["target"].max()) + 1
    titles = list(dict.fromkeys(edges["cell"]))
    figure, axes = _grid(len(titles), 2, 1.3)
    for axis, title in zip(axes, titles, strict=True):
        for edge in edges[edges["cell"] == title].itertuples():
            if edge.operation in marks:
                height = 0.5 * (edge.target - edge.source - 1) / (nodes - 2)
                axis.annotate(
                    "",
                    (edge.target, 0),
                    (edge.source, 0),
                    arrowprops={
                        "arrowstyle": "->",
                        "connectionstyle": f"arc3,rad={-height}",
                        "shrinkA": 4,
                        "shrinkB": 4,
                        **marks[edge.operation][1],
                    },
                )
        axis.plot(range(nodes), [0] * nodes, "o", color=GREY, ms=5)
        axis.set_title(title)
        axis.set_xlim(-0.3, nodes - 0.7)
        axis.set_ylim(-0.3, 1.2)
        axis.axis("off")
    _key(figure, marks.values(), 4)
    return figure
