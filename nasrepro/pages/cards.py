"""Claims as cards: the verdict first, the paper's number beside ours, the details unfolded."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd

from nasrepro.claims import CONTRADICTED, NOT_RUN, NOT_TESTABLE, SUPPORTED, UNDECIDED, VERDICTS
from nasrepro.pages.intervals import Mark, interval_plot
from nasrepro.pages.registry import PAGE, anchor, known
from nasrepro.pages.text import p_text, with_interval

SYMBOLS = {SUPPORTED: "✓", CONTRADICTED: "✗", UNDECIDED: "?", NOT_TESTABLE: "–", NOT_RUN: "○"}
PROBABILITIES = {  # columns that a study's judged claims can have
    "p": "p",
    "p_holm": "p by Holm's method over all claims of its file",
}
LATER: dict[str, dict[Any, str]] = {
    "added": {"after": "added after results had been seen"},
    "corrected": {True: "its quantity corrected after results had been seen"},
}


def cards(
    rows: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
    shown: Mapping[str, Iterable[str]],
    home: str = "",
) -> str:
    """Claims as MyST text, with a form that filters them where the page's script runs.

    Args:
        rows: what `registry.placed` gives, with the column source: whose numbers are ours.
        others: the same claims judged on other data, by whose they are.
        shown: labels of figures and tables that show a claim, by its id.
        home: how the page's address leads to the site's root; set, where claims of several pages
            are listed, each with a link to its own.
    """
    by_claim = {
        source: {row["claim"]: row for row in frame.to_dict("records")}
        for source, frame in others.items()
    }
    parts = [filters(rows)]
    for row in rows.to_dict("records"):
        elsewhere = {
            s: found[row["claim"]] for s, found in by_claim.items() if row["claim"] in found
        }
        parts.append(card(row, elsewhere, shown.get(row["claim"], ()), home))
    return '<div class="claims">\n\n' + "\n\n".join(parts) + "\n\n</div>"


def filters(rows: pd.DataFrame) -> str:
    """The form: a choice for each column with more than one value; a script unhides it."""
    choices = {
        "verdict": [verdict for verdict in VERDICTS if (rows["verdict"] == verdict).any()],
        "paper": rows["paper"].unique().tolist(),
        "study": rows["study"].unique().tolist(),
    }
    selects = "".join(
        f'<label>{column} <select name="{column}"><option value="">all</option>'
        + "".join(f"<option>{escape(value)}</option>" for value in values)
        + "</select></label>"
        for column, values in choices.items()
        if len(values) > 1
    )
    return f'<form class="claim-filter" hidden>{selects}<output>{len(rows)} claims</output></form>'


def card(
    row: Mapping[str, Any],
    others: Mapping[str, Mapping[str, Any]],
    shown: Iterable[str],
    home: str = "",
) -> str:
    """One claim; arguments as in `cards`.

    Its statement, verdict and numbers are always there, the rest is folded.
    """
    name = row["claim"]
    places = ", ".join(f"{{numref}}`{label}`" for label in shown)
    more = [f"Shown in {places}."] if places else []
    if home and row["anchor"] != f"{PAGE}#{anchor(name)}":
        link = f'<a href="{home}{row["anchor"]}">on the page of the study {row["study"]}</a>'
        more.append(f"<p>The same claim {link}</p>")
    return "\n\n".join(
        [
            f'<details class="claim" id="{anchor(name)}" data-verdict="{row["verdict"]}" '
            f'data-paper="{row["paper"]}" data-study="{row["study"]}">\n'
            f"<summary>{_badge(row['verdict'])}\n"
            f'<span class="statement">{escape(row["statement"])}</span>\n'
            f'<span class="evidence">{_plot(row, others)}{_numbers(row, others)}</span></summary>\n'
            f"{_details(row)}",
            *more,
            "</details>",
        ]
    )


def _badge(verdict: str) -> str:
    symbol = f'<span aria-hidden="true">{SYMBOLS[verdict]}</span>'
    return f'<span class="verdict {verdict.replace(" ", "-")}">{symbol} {verdict}</span>'


def _plot(row: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    claim = known()[row["claim"]][1]
    marks = [] if math.isnan(claim.printed) else [Mark("paper", claim.printed)]
    found = {"ours": [row], "others": others.values()}
    marks += [Mark(kind, *_interval(each)) for kind, rows in found.items() for each in rows]
    return interval_plot(marks, claim.region)


def _interval(row: Mapping[str, Any]) -> tuple[float, float, float]:
    return row["ours"], row["ci_low"], row["ci_high"]


def _numbers(row: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """The paper's words and the numbers of each source, a line each."""
    lines = [("paper", f"{row['paper']} {row['where']}", escape(row["reported"]))]
    if row["n"]:
        lines.append(("ours", row["source"], _found(row)))
    lines += [
        ("others", source, f"{_found(each)}, {each['verdict']}")
        for source, each in others.items()
        if each["n"]
    ]
    return (
        '<span class="numbers">'
        + "".join(
            f'<span class="{kind}"><b>{escape(source)}</b> {text}</span>'
            for kind, source, text in lines
        )
        + "</span>"
    )


def _found(row: Mapping[str, Any]) -> str:
    """A quantity with its interval, unless it is an exact count, and n."""
    how = "read off a figure" if row["read"] else "exact"
    text = f"{row['ours']:.2f} ({how})" if row["counted"] else with_interval(*_interval(row))
    return f'<span class="nowrap">{text}</span>, <span class="nowrap">n = {row["n"]:,}</span>'


def _details(row: Mapping[str, Any]) -> str:
    """What is unfolded: what we compute, where it must lie, what was changed, and why."""
    name = row["claim"]
    later = [words[row[column]] for column, words in LATER.items() if row[column] in words]
    known_p = {
        head: p_text(row[column])
        for column, head in PROBABILITIES.items()
        if column in row and not math.isnan(row[column])
    }
    entries = {
        "the paper reports": row["reported"],
        "we compute": row["quantity"],
        "the claim holds if": row["holds if"],
        **known_p,
        **({"not testable here, because": row["reason"]} if row["reason"] else {}),
        **({"since results were seen": " and ".join(later)} if later else {}),
    }
    listed = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in entries.items())
    link = f'<a href="#{anchor(name)}">{escape(name)}</a>'
    return f"<dl>{listed}<dt>link to this claim</dt><dd>{link}</dd></dl>"
