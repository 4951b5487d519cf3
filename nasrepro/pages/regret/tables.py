"""The tables of study 3's page."""

import math

import pandas as pd

from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import Table
from nasrepro.pages.regret.measured import (
    NAMES,
    NEEDS,
    claims,
    compared,
    odd_effects,
    ours_201,
    printed,
)
from nasrepro.pages.settings import describe_runs
from nasrepro.pages.text import (
    DECIDES,
    decides_table,
    p_text,
    recomputed_table,
    table3_grid,
    with_failures,
    with_interval,
)
from nasrepro.studies import appraisal, audit, ceilings, complete_spaces, regret, regret_claims


def comparison_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Regret of searches with and without weight sharing, as text.

    Args:
        rows: of `comparisons` of study 3; where all supernets failed, there are only counts.
    """

    def text(column: str, digits: int) -> list[str]:
        return ["–" if math.isnan(value) else f"{value:.{digits}f}" for value in rows[column]]

    return pd.DataFrame(
        {
            "space": rows["space"],
            "without": rows["baseline"],
            "with": rows["guided"],
            "supernets": [f"{row.supernets}{'*' * row.failed}" for row in rows.itertuples()],
            "trainings without": text("baseline_trainings", 1),
            "regret without": text("baseline_regret", 2),
            "regret with": text("guided_regret", 2),
            "difference": [
                with_interval(row.difference, row.ci_low, row.ci_high) for row in rows.itertuples()
            ],
            "trainings to match": [
                "–"
                if not row.supernets
                else f"{row.trainings_to_match:.0f}"
                if row.trainings_to_match > 0
                else "more than searched"
                for row in rows.itertuples()
            ],
        }
    )


def effects_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Effect sizes with every interval and p, as text, in the form of Pourchot's tables 4 and 5.

    Args:
        rows: of `comparisons` of study 3, with at least one supernet each.
    """
    cells = [
        {
            "space": row.space,
            "column": f"{row.baseline} - {row.guided}_ws",
            "n": f"{row.supernets}{'*' * row.failed}",
            "difference ± deviation": f"{row.difference:.2f} ± {row.deviation:.2f}",
            "d, over supernets": with_interval(row.d, row.d_low, row.d_high),
            "d, noncentral t": with_interval(row.d, row.t_low, row.t_high),
            "d, bootstrap": with_interval(row.d, row.bootstrap_low, row.bootstrap_high),
            "p, Welch": p_text(row.p_welch),
            "p, Student": p_text(row.p_student),
            "P": f"{row.superiority:.2f}",
        }
        for row in rows.itertuples()
    ]
    return pd.DataFrame(cells)


def greedy_table(searches: pd.DataFrame) -> pd.DataFrame:
    """Random and greedy search, as text; `searches` is the table of that name of study 3."""
    return pd.DataFrame(
        {
            "trainings": searches["trainings"].astype(str),
            "random": [f"{value:.3f}" for value in searches["random"]],
            "greedy": [f"{value:.3f}" for value in searches["greedy"]],
            "random less greedy": [
                with_interval(row.difference, row.ci_low, row.ci_high, 3)
                for row in searches.itertuples()
            ],
        }
    )


def whole_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How supernets rank all cells of a space, as text; `rows` is the table whole of study 3."""
    return pd.DataFrame(
        {
            "space": rows["space"],
            "n": [f"{row.n}{'*' * row.failed}" for row in rows.itertuples()],
            "supernets": [
                with_interval(*row) for row in rows[["mean", "ci_low", "ci_high"]].to_numpy()
            ],
            **{
                head: ["–" if math.isnan(value) else f"{value:.2f}" for value in rows[name]]
                for name, head in {"parameters": "parameters", "flops": "FLOPs"}.items()
            },
        }
    )


REGRETS = (
    "One-shot test regret, percent of {{accuracy-{}}}: means, with a supernet those expected over "
    "all draws of its cells; and the difference with Welch's 95% interval, over runs and "
    "supernets. Above zero, weight sharing found better cells. "
)
TO_MATCH = (
    "Trainings to match: after how many the mean regret of random search is as low as that of the "
    "first cell that a supernet picks. "
)
FAILED = "An asterisk is a supernet that failed (it diverged, or predicts a constant)."
EFFECTS = (
    "Regret of random search (RS) or greedy search (GS) less that of a search with weight sharing "
    "(ws), percent, one-shot, ± the deviation of single searches, pooled with the weights of the "
    "paper's 100 and 25 runs; n supernets. Cohen's d with three 95% intervals: over supernets, the "
    "difference's in units of the deviation; by the noncentral t distribution, as the paper's "
    "numbers of runs would give it if all were independent (so is Student's p; the paper prints "
    "p and no interval of d); and by a bootstrap that resamples supernets, too narrow for few. "
    "Welch's p is of runs and the expected regrets of supernets. P: how often a search with weight "
    "sharing has the smaller regret."
)
IDEAL = (
    "the best correlation that a predictor without noise could reach: of NAS-Bench-201 against the "
    "validation accuracy of one training, of NAS-Bench-101 against the test accuracy that is the "
    "mean of three (study 1 has them all). NAS-Bench-Macro's table has one accuracy a network: "
    "there it is not known."
)
SEARCHED = {"space": "evaluated", "with": "search"}  # where supernets evaluated every cell


def counting(rows: pd.DataFrame) -> pd.DataFrame:
    """The comparisons with at least one supernet that did not fail, at least one."""
    if not (rows["supernets"] > 0).any():
        raise Absent("All supernets failed.")
    return rows[rows["supernets"] > 0]


def oneshot_101(page: Inputs) -> pd.DataFrame:
    """Random search without and with the authors' supernets, BNS-FT."""
    columns = ["space", "supernets", "regret without", "regret with", "difference"]
    rows = compared(page, "nb101", method=appraisal.BASELINE)
    return comparison_table(rows)[[*columns, "trainings to match"]]


def oneshot_101_methods(page: Inputs) -> pd.DataFrame:
    """The difference of regrets with the supernets of the other methods, and with ours."""
    rows = compared(page, "nb101")
    others = rows[rows["method"] != appraisal.BASELINE]
    if others.empty:
        raise page.absent(NEEDS["nb101"])
    rows = others.rename(columns={"difference": "mean", "supernets": "n"})
    return table3_grid(rows, with_failures, appraisal.SPACES, appraisal.METHODS)


def oneshot_by_account(rows: pd.DataFrame, *shown: str) -> pd.DataFrame:
    """Comparisons with what each is charged by.

    Args:
        rows: of `comparisons`.
        shown: columns between "charged" and the counts.
    """
    columns = ["space", "charged", *shown, "supernets", "trainings without"]
    columns += ["regret without", "regret with", "difference"]
    return comparison_table(rows).assign(charged=rows["charge"])[columns]


def oneshot_whole(page: Inputs, benchmark: str) -> pd.DataFrame:
    """Random and greedy search with supernets that evaluated every cell, against random search."""
    rows = compared(page, benchmark, baseline="RS")
    return oneshot_by_account(rows, "with").rename(columns=SEARCHED)


def effects_whole(page: Inputs, benchmark: str) -> pd.DataFrame:
    """Effect sizes of the same, charged as in the paper."""
    rows = counting(compared(page, benchmark, charge=complete_spaces.AS_IN_PAPER))
    return effects_table(rows).rename(columns=SEARCHED)


def by_benchmark(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of `NAMES`."""
    return rows.sort_values(
        "benchmark", key=lambda names: names.map(list(NAMES).index), kind="stable"
    )


CEILING = "its noise ceiling"  # head of a column
# Of what is reported; of NAS-Bench-201 only validation accuracies of single runs are at hand.
CEILINGS = {
    "nb101": {"accuracy": "test", "what": "ceiling of a mean of three"},
    "nb201": {"accuracy": "validation", "what": "ceiling of one run"},
}


def ceilings_beside(page: Inputs, rows: pd.DataFrame) -> list[str]:
    """The best possible Spearman correlation in each row's space; a dash where it is not known.

    Args:
        page: with the tables.
        rows: columns benchmark, space.
    """
    frame = page.frames.get("ceilings", pd.DataFrame())
    frame = frame if len(frame) else pd.DataFrame(columns=ceilings.COLUMNS)
    known = {key: ceilings.by_cells(frame, NAMES[key], **of) for key, of in CEILINGS.items()}
    return [known.get(row.benchmark, {}).get(row.space, "–") for row in rows.itertuples()]


def whole(page: Inputs) -> pd.DataFrame:
    """How supernets that evaluated every cell rank them."""
    rows = by_benchmark(page.frame("whole", {*NEEDS["nb201"], *NEEDS["macro"]}))
    shown = whole_table(rows.assign(space=rows["benchmark"].map(NAMES) + ", " + rows["space"]))
    return shown.assign(**{CEILING: ceilings_beside(page, rows)})


def largest(page: Inputs) -> pd.DataFrame:
    """Regret of the cell with the most parameters of each space."""
    rows = by_benchmark(page.frame("size", {*NEEDS["nb201"], *NEEDS["macro"], *NEEDS["nb101"]}))
    heads = {"regret": "test regret", "parameters": "Spearman of the count"}
    columns = {name: name for name in ("benchmark", "space", "cells")} | heads
    shown = recomputed_table(rows.assign(benchmark=rows["benchmark"].map(NAMES)), columns)
    return shown.assign(**{CEILING: ceilings_beside(page, rows)})


def precision(page: Inputs) -> pd.DataFrame:
    """Claims that something is small, and whether they can be supported."""
    rows = audit.precision(claims(page.frames))
    if rows.empty:
        raise page.absent(NEEDS["nb101"])
    columns = {
        "quantity": "quantity",
        "holds if": "the claim holds if",
        "n": "n",
        "half": "half width of the interval",
        "room": "room",
    }
    return recomputed_table(rows, columns)


def searched_whole(benchmark: str) -> dict[str, Table]:
    """The tables of one benchmark with supernets that evaluated every cell."""
    name = benchmark.removesuffix("-whole")
    return {
        benchmark: Table(
            f"{NAMES[name]}, random and greedy search with supernets that evaluated every cell, "
            "against random search without, by two accounts of what a supernet costs. "
            f"{REGRETS.format(name)}{FAILED}",
            lambda page: oneshot_whole(page, benchmark),
        ),
        f"effects-{benchmark}": Table(
            f"All columns of tables 4 and 5 in our own numbers, {NAMES[name]}, supernets charged "
            f"as in the paper. {EFFECTS}",
            lambda page: effects_whole(page, benchmark),
        ),
    }


def greedy(benchmark: str, space: str) -> Table:
    """Random and greedy search of a whole space."""
    return Table(
        f"{NAMES[benchmark]}, {space}. Test regret, percent of {{accuracy-{benchmark}}}, after so "
        f"many {regret.UNITS[benchmark]}: the expectation of random search, exactly; the mean over "
        "{runs} runs of greedy search; and Student's 95% interval of the difference over these.",
        lambda page: greedy_table(
            page.frame("searches", NEEDS[benchmark], benchmark=benchmark, space=space)
        ),
    )


TABLES = {
    "oneshot-101": Table(
        "NAS-Bench-101, random search without and with weight sharing (BNS-FT). "
        f"{REGRETS.format('nb101')}{TO_MATCH}{FAILED}",
        oneshot_101,
    ),
    "oneshot-101-methods": Table(
        "NAS-Bench-101, the other methods of the paper's table 3, and our supernets as far as "
        "study 1 has them. The difference of regrets as above, with its interval; n supernets of a "
        "method. "
        f"{FAILED}",
        oneshot_101_methods,
    ),
    "effects-101": Table(
        f"Table 4 in our own numbers, NAS-Bench-101 (BNS-FT). {EFFECTS}",
        lambda page: effects_table(counting(compared(page, "nb101", method=appraisal.BASELINE))),
    ),
    "oneshot-201": Table(
        "NAS-Bench-201, small supernets against random search, by two accounts of what a supernet "
        f"costs. {REGRETS.format('nb201')}Trainings without: for which random search has the time. "
        f"{FAILED}",
        lambda page: oneshot_by_account(ours_201(page)),
    ),
    "effects-201": Table(
        "Tables 4 and 5 in our own numbers, NAS-Bench-201, supernets charged as in the paper. "
        f"{EFFECTS}",
        lambda page: effects_table(
            counting(compared(page, "nb201", charge=complete_spaces.AS_IN_PAPER))
        ),
    ),
    "macro-settings": Table(
        "How the supernets of NAS-Bench-Macro were trained and evaluated.",
        lambda page: describe_runs(
            [regret.MACRO[page.profile]], {"supernet": regret.MACRO[page.profile].net}
        ),
    ),
    "whole": Table(
        "How supernets rank all cells of a space. Spearman correlation of proxy accuracy (mean and "
        "Student's 95% interval over n supernets), and of the number of parameters and of "
        "floating-point operations (FLOPs; for NAS-Bench-Macro alone), with the accuracy that the "
        f"searches report; and {IDEAL} {FAILED}",
        whole,
    ),
    **searched_whole(complete_spaces.NB201_WHOLE),
    **searched_whole(complete_spaces.MACRO_WHOLE),
    "largest": Table(
        "Training the largest cell, without any search. Test regret, percent, of the cell with "
        "the most parameters in its space (of several, the mean), trained alone; and how the "
        "parameter count ranks all cells of the space. Test accuracies as reported by the "
        "searches; of NAS-Bench-101, of the cells in the sample. "
        f"Last, {IDEAL}",
        largest,
    ),
    **{f"greedy-{benchmark}": greedy(benchmark, space) for benchmark, space in regret_claims.WHOLE},
    "superiority": Table(
        "How probable it is that a run with weight sharing is the better one. As printed, and as "
        "the d of table 4 gives it, for every d that rounds to it. Beside A_4's the text has no d.",
        lambda page: recomputed_table(
            printed("printed_superiority"),
            {
                "space": "space",
                "where": "where",
                "d": "printed d",
                "percent": "printed, %",
                "percent_low": "from",
                "percent_high": "to",
                "agrees": "agrees",
            },
        ),
    ),
    "design": Table(
        "What 25 runs against 100 can find, by the power of Student's two-sided t-test at the 5% "
        "level.",
        lambda page: recomputed_table(
            printed("printed_design"), {"question": "question", "value": "value"}
        ),
    ),
    "odd": Table(
        "Printed p-values that do not follow from the printed effect and 25 against 100 runs.",
        lambda page: recomputed_table(
            odd_effects(),
            {
                "table": "table",
                "space": "space",
                "column": "column",
                "d": "d",
                "p": "printed p",
                "p_low": "from",
                "p_high": "to",
            },
            digits=3,
        ),
    ),
    "text": Table(
        "Numbers of the text, computed from its tables and the sizes of the spaces.",
        lambda page: recomputed_table(
            printed("printed_text"),
            {
                "statement": "number",
                "where": "where",
                "printed": "printed",
                "how": "computed as",
                "computed": "computed",
                "agrees": "agrees",
            },
        ),
    ),
    "regret-decides": Table(
        f"What the authors' supernets can decide. {DECIDES}",
        lambda page: decides_table(page.frame("decides", NEEDS["nb101"])),
    ),
    "precision": Table(
        "Claims that something is small. Half width: of the interval in the table above, of the "
        "correlation of that around zero. Room: how far from zero an estimate with such an "
        "interval may lie for the claim to be supported; below zero, it never is.",
        precision,
    ),
}
