"""Numbers and tables of pages as text."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

P_VALUES = (
    "p: the smallest alpha for which an interval of 1 - alpha would decide, two-sided; by Holm: "
    "over all claims of this file that have one. What is counted has none."
)
DECIDES = (
    "What this design can decide: how often a claim would come out as supported / contradicted if "
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


def p_text(p: float) -> str:
    """A p-value.

    >>> p_text(0.0123), p_text(0.0004), p_text(float("nan"))
    ('0.012', '< 0.001', '–')
    """
    if math.isnan(p):
        return "–"
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def numbered_table(frame: pd.DataFrame, caption: str, name: str) -> str:
    """A numbered MyST table with a caption; texts as they are.

    Args:
        frame: what to show, columns named as in the table's head.
        caption: one or two sentences.
        name: label for references.
    """
    body = frame.to_markdown(index=False, disable_numparse=True)
    return f"```{{table}} {caption}\n:name: {name}\n\n{body}\n```"


def claims_table(claims: pd.DataFrame, whose: str) -> pd.DataFrame:
    """The columns a reader of a claims table wants, as text.

    Args:
        claims: what `claims.judge` gives.
        whose: head of the column of what was found.
    """
    return pd.DataFrame(
        {
            **_stated(claims),
            f"{whose}, 95% interval": _found(claims),
            "n": claims["n"].astype(str),
            "p": claims["p"].map(p_text),
            "p, Holm": claims["p_holm"].map(p_text),
            "verdict": _verdicts(claims),
        }
    )


def _found(claims: pd.DataFrame) -> list[str]:
    """The quantity of each claim, with its interval unless it is an exact count."""
    return [
        f"{row.ours:.2f} (exact)"
        if row.counted and row.n
        else with_interval(row.ours, row.ci_low, row.ci_high)
        for row in claims.itertuples()
    ]


def _verdicts(claims: pd.DataFrame) -> list[str]:
    """The verdict of each claim, with its reason if it has one."""
    return [
        f"{row.verdict}: {row.reason}" if row.reason else row.verdict for row in claims.itertuples()
    ]


def _stated(claims: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns of a claims table that are the same whatever was found."""
    later = claims["added"].map({"before": "", "after": "; added after results"})
    later += claims["corrected"].map({False: "", True: "; corrected after results"})
    return {
        "claim": claims["statement"] + " (" + claims["where"] + later + ")",
        "paper": claims["reported"],
        "we compute (the claim holds if)": claims["quantity"] + " (" + claims["holds if"] + ")",
    }


def claims_of_both(judged: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The same claims judged on several sources, e.g. the authors' supernets and ours, as text.

    Args:
        judged: what `claims.judge` gives, by source.
    """
    columns = _stated(next(iter(judged.values())))
    for source, claims in judged.items():
        columns[f"{source}: 95% interval, verdict"] = [
            f"{found}, n = {row.n}{_tested(row)}: {verdict}" if row.n else verdict
            for found, row, verdict in zip(
                _found(claims), claims.itertuples(), _verdicts(claims), strict=True
            )
        ]
    return pd.DataFrame(columns)


def _tested(row: Any) -> str:
    """The p of a claim, and that by Holm's method; nothing, if it has none."""
    if math.isnan(row.p):
        return ""
    texts = (p_text(row.p), p_text(row.p_holm))
    p, holm = (text if text.startswith("<") else f"= {text}" for text in texts)
    return f", p {p} (by Holm {holm})"


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


def table3_grid(table: pd.DataFrame, cell: Callable[[Any], str]) -> pd.DataFrame:
    """A table like Pourchot's table 3: a row a space, a column a method.

    Args:
        table: space, method and what `cell` needs, one row a space and method.
        cell: the text of a row.
    """
    texts = table.assign(text=[cell(row) for row in table.itertuples()])
    spaces, methods = texts["space"].unique(), texts["method"].unique()
    grid = texts.pivot(index="space", columns="method", values="text")
    return grid.loc[spaces, methods].fillna("–").rename_axis(columns=None).reset_index()


def plus_minus(row: Any) -> str:
    """A cell of the authors' table 3: mean, ±, an asterisk for each of five that failed."""
    return f"{row.mean:.2f} ± {row.ci:.2f}{'*' * (5 - row.n)}"


def with_count(row: Any) -> str:
    """A mean, its interval, n; an asterisk for each supernet that failed."""
    return f"{with_interval(row.mean, row.ci_low, row.ci_high)}, n = {row.n}{'*' * row.failed}"


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
