"""Numbers and tables of pages as text."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.pages.drawing import folded

DECIDES = (
    "How often a claim would come out as supported / contradicted if "
    "the truth were at the edge of its region, at zero (where that is not the edge), or as the "
    "paper prints it (where it prints a number), and the truth nearest to the edge that would be "
    "supported 4 times in 5; with the spread that was found and the same n. "
    "Only claims with Student's or Fisher's distribution: of bootstraps, counts and the smaller of "
    "two numbers it is not known."
)


def with_interval(mean: float, low: float, high: float, digits: int = 2) -> str:
    """A mean and its interval.

    >>> with_interval(0.512, 0.4, 0.623)
    '0.51 [0.40, 0.62]'
    >>> with_interval(0.512, float("nan"), float("nan"))
    '0.51 [no interval]'
    >>> with_interval(-0.001, -0.01, 0.01)  # no minus before a zero
    '0.00 [-0.01, 0.01]'
    """
    if math.isnan(mean):
        return "–"
    if math.isnan(low):
        return f"{mean:z.{digits}f} [no interval]"
    return f"{mean:z.{digits}f} [{low:z.{digits}f}, {high:z.{digits}f}]"


def over_seeds(mean: float, low: float, high: float, n: int, digits: int = 2) -> str:
    """A mean over seeds, its interval and their number, for prose.

    >>> over_seeds(0.512, 0.4, 0.623, 3), over_seeds(0.512, math.nan, math.nan, 1)
    ('0.51 [0.40, 0.62] (n = 3)', '0.51 (one seed)')
    """
    if n == 1:
        return f"{mean:z.{digits}f} (one seed)"
    return f"{with_interval(mean, low, high, digits)} (n = {n})"


def runs_of_both(setting: int, baseline: int) -> str:
    """The numbers of runs of a setting and of its baseline, in one line.

    >>> runs_of_both(2, 5).split()
    ['2', 'and', '5']
    """
    return f"{setting}\N{NO-BREAK SPACE}and\N{NO-BREAK SPACE}{baseline}"


def p_text(p: float) -> str:
    """A p-value.

    >>> p_text(0.0123), p_text(0.0004), p_text(float("nan"))
    ('0.012', '< 0.001', '–')
    """
    if math.isnan(p):
        return "–"
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def numbered_table(frame: pd.DataFrame, caption: str, name: str, unfolded: bool = False) -> str:
    """A numbered MyST table, folded below its title; texts as they are, but no number breaks.

    Args:
        frame: what to show, columns named as in the table's head.
        caption: a title, which is its first sentence, and notes.
        name: label for references.
        unfolded: whether the table is visible at first.
    """
    stacked = len(frame.columns) >= STACKED
    texts = frame.map(lambda text: unbroken(text, stacked))
    body = texts.to_markdown(index=False, disable_numparse=True)
    title, notes = title_and_notes(caption)
    table = f"```{{table}} {title}\n:name: {name}\n\n{body}\n```"
    return folded(f"{{numref}}`{name}`: {title}", f"{notes}\n\n{table}", unfolded)


def title_and_notes(caption: str) -> tuple[str, str]:
    """The first sentence of a caption, and the rest.

    >>> title_and_notes("What 1.5 is, of A_1. Mean of n. An asterisk failed.")
    ('What 1.5 is, of A_1.', 'Mean of n. An asterisk failed.')
    """
    title, *notes = re.split(r"(?<=\.)\s+(?=[A-Z*{])", caption, maxsplit=1)
    return title, "".join(notes)


def unbroken(text: str, stacked: bool = False) -> str:
    """A text in which no number breaks over lines, nor an interval.

    Args:
        text: of a table.
        stacked: whether an interval stands below its number, as in a table with many.

    >>> unbroken("a mean of 0.5 [0.4, 0.6]").replace("\N{NO-BREAK SPACE}", "_")
    'a mean of 0.5_[0.4,_0.6]'
    >>> unbroken("0.5 [0.4, 0.6]", stacked=True).replace("\N{NO-BREAK SPACE}", "_")
    '0.5<br>[0.4,_0.6]'
    """

    def join(found: re.Match[str]) -> str:
        interval = found[2].replace(" ", "\N{NO-BREAK SPACE}")
        return found[1] + ("<br>" if stacked else "\N{NO-BREAK SPACE}") + interval

    return NUMBER.sub(join, text)


NUMBER = re.compile(r"(-?[\d.]+) (\[[^\]]*\]|± [\d.]+)")
STACKED = 6  # columns of a table in which intervals stand below their numbers


def decides_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How often a design would support or contradict claims, as text.

    Args:
        rows: what `claims.decides` gives.
    """

    def chances(truth: str) -> list[str]:
        return [
            "–" if math.isnan(at) else f"{100 * yes:.1f}% / {100 * no:.1f}% (at {at:.3g})"
            for at, yes, no in rows[
                [truth, f"{truth}_supported", f"{truth}_contradicted"]
            ].to_numpy()
        ]

    return pd.DataFrame(
        {
            "claim": rows["statement"],
            "holds if": rows["holds if"],
            "n": rows["n"].astype(str),
            "truth at the region's edge": chances("edge"),
            "truth zero": chances("zero"),
            "truth as printed": chances("printed"),
            "supported 4 times in 5 at": [
                "nothing" if math.isnan(truth) else f"{truth:.2g}" for truth in rows["needed"]
            ],
        }
    )


def table3_grid(
    table: pd.DataFrame,
    cell: Callable[[Any], str],
    spaces: Sequence[str],
    methods: Sequence[str],
) -> pd.DataFrame:
    """A table like Pourchot's table 3: a row a space, one column of n, and one a method.

    Args:
        table: space, method, n and what `cell` needs, one row a space and method.
        cell: the text of a row.
        spaces: the order of the rows; others come last.
        methods: the order of the columns; others come last.
    """
    texts = table.assign(text=[cell(row) for row in table.itertuples()])
    grid = texts.pivot(index="space", columns="method", values="text")
    grid = grid.loc[ordered(grid.index, spaces), ordered(grid.columns, methods)]
    grid.insert(0, "n", [counted(table.loc[table["space"] == space, "n"]) for space in grid.index])
    return grid.fillna("–").rename_axis(columns=None).reset_index()


def ordered(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Names in a known order, then the others as they come.

    >>> ordered(["z", "b", "a"], ["a", "b", "c"])
    ['a', 'b', 'z']
    """
    names = list(names)
    return [name for name in known if name in names] + [n for n in names if n not in known]


def counted(numbers: pd.Series) -> str:
    """One number, or the least and the largest of several.

    >>> counted(pd.Series([5, 5])), counted(pd.Series([3, 5, 4]))
    ('5', '3 to 5')
    """
    least, most = numbers.min(), numbers.max()
    return str(least) if least == most else f"{least} to {most}"


def plus_minus(row: Any) -> str:
    """A cell of the authors' table 3: mean, ±, an asterisk for each of five that failed."""
    return f"{row.mean:.2f} ± {row.ci:.2f}{'*' * (5 - row.n)}"


def plus_minus_text(mean: float, deviation: float) -> str:
    """A mean and its standard deviation, where one is known.

    >>> plus_minus_text(0.78, 0.06), plus_minus_text(2.73, float("nan"))
    ('0.78 ± 0.06', '2.73')
    """
    return f"{mean:.2f}" + ("" if math.isnan(deviation) else f" ± {deviation:.2f}")


def with_failures(row: Any) -> str:
    """A mean and its interval, and an asterisk for each supernet that failed."""
    return with_interval(row.mean, row.ci_low, row.ci_high) + "*" * row.failed


def recomputed_table(frame: pd.DataFrame, texts: dict[str, str], digits: int = 2) -> pd.DataFrame:
    """A table of `studies.audit`, as text.

    Args:
        frame: what to show.
        texts: its columns and their heads, in order.
        digits: of numbers, after the point.
    """

    def text(value: object) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    return frame[list(texts)].map(text).rename(columns=texts)


def interval_grid(summary: pd.DataFrame, metrics: dict[str, str], digits: int = 2) -> pd.DataFrame:
    """Mean and interval of some metrics, one row a subspace and size.

    `n` counts the runs that did not diverge; each asterisk behind it is one that did.

    Args:
        summary: subspace, size, metric, mean, ci_low, ci_high, n.
        metrics: metric and the head of its column.
        digits: after the point.
    """
    rows = []
    for (subspace, size), group in summary.groupby(["subspace", "size"], sort=False):
        by_metric = group.set_index("metric")
        cells = {
            head: with_interval(mean, low, high, digits)
            for metric, head in metrics.items()
            if metric in by_metric.index
            for mean, low, high in [by_metric.loc[metric, ["mean", "ci_low", "ci_high"]]]
        }
        diverged = round(by_metric.loc["diverged", "mean"] * by_metric.loc["diverged", "n"])
        count = f"{by_metric.loc['diverged', 'n'] - diverged}{'*' * diverged}"
        rows.append({"subspace": subspace, "size": size, "n": count, **cells})
    return pd.DataFrame(rows)
