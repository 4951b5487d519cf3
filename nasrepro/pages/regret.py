"""Study 3 as a page: search with and without weight sharing."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import macro, nb101, nb101_official, nb201
from nasrepro.claims import judge
from nasrepro.effects import detectable_effect, effect_interval
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs, is_here
from nasrepro.pages.page import Table, verdict_numbers
from nasrepro.pages.settings import describe_cells, describe_runs, machine
from nasrepro.pages.text import (
    DECIDES,
    decides_table,
    p_text,
    recomputed_table,
    table3_grid,
    with_failures,
    with_interval,
)
from nasrepro.runs.record import Record
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb201 import Subspace
from nasrepro.studies import appraisal, audit, ceilings, comparison, correlations, regret
from nasrepro.studies.comparison import Protocol
from nasrepro.studies.correlations import Profile

NAMES = {
    "nb101": "NAS-Bench-101",
    nb101_official.NAME: "NAS-Bench-101",
    "nb201": "NAS-Bench-201",
    "macro": "NAS-Bench-Macro",
}
NEEDS = {  # what is searched on each benchmark is made from
    "nb101": (nb101.NAME, "nb101-supernets"),
    nb101_official.NAME: (nb101_official.NAME,),
    "nb201": (regret.TABLE,),
    regret.NB201_WHOLE: (regret.TABLE,),
    "macro": (macro.NAME,),
    regret.MACRO_WHOLE: (macro.NAME,),
}
ACCURACY = {  # what is reported, of each benchmark
    "nb101": nb101.COLUMNS[1],
    nb101_official.NAME: nb101.COLUMNS[1],
    "nb201": next(column for column in nb201.CSV.values() if column.name == regret.COLUMN),
    "macro": macro.COLUMNS[0],
}
ACCOUNTS = {"run": regret.AS_RUN, "paper": regret.AS_IN_PAPER}


# ---- runs and what was measured


def protocol(page: Inputs) -> Protocol:
    """How much is searched."""
    return regret.PROFILES[page.profile]


def supernets(page: Inputs) -> Profile:
    """How study 1 trains the supernets of NAS-Bench-201."""
    return correlations.PROFILES[page.profile]


def records_201(page: Inputs) -> list[Record]:
    """Small supernets of NAS-Bench-201 that evaluated a sample."""
    return page.records(regret.small_design(page.profile))


def records_whole(page: Inputs) -> list[Record]:
    """Those that evaluated every cell."""
    return page.records(regret.whole_design(page.profile))


def records_macro(page: Inputs) -> list[Record]:
    """Supernets of NAS-Bench-Macro."""
    return page.records(regret.macro_design(page.profile))


def records_101(page: Inputs) -> list[Record]:
    """Supernets of NAS-Bench-101 as the paper's search has them."""
    return page.records(appraisal.design(page.profile, methods=(appraisal.BASELINE,)))


def compared(page: Inputs, benchmark: str, **equal: object) -> pd.DataFrame:
    """Comparisons on a benchmark, at least one."""
    return page.frame("comparisons", NEEDS[benchmark], benchmark=benchmark, **equal)


def table4(page: Inputs) -> pd.DataFrame:
    """The paper's table 4 beside what the authors' supernets give."""
    return page.frame("table4", NEEDS["nb101"])


@cache
def printed(name: str) -> pd.DataFrame:
    """One of `regret.AUDITS`: what the paper prints, computed again; not to be changed."""
    return regret.AUDITS[name]()


def odd_effects() -> pd.DataFrame:
    """Printed effects whose p does not follow from d and the numbers of runs."""
    effects = printed("printed_effects")
    return effects[~effects["p_agrees"]]


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of this study, with verdicts, or "not run".

    Args:
        frames: the study's `tables`, as far as there are any.

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    empty = pd.DataFrame(judge("pourchot_search", {}))
    rows = frames.get("claims", empty)
    searched = rows["claim"].str.startswith("greedy-")
    return rows.assign(source=np.where(searched, "complete table", "the authors' supernets"))


# ---- numbers


def source(page: Inputs) -> str:
    """Whether this page was computed from tables and files, or shows what was stored."""
    needed = {*NEEDS["nb201"], *NEEDS["macro"], *NEEDS["nb101"]}
    missing = sorted(name for name in needed if not is_here(name))
    if missing:
        return f"what needs {', '.join(missing)} is shown as it was stored with the records"
    return "everything below was computed from them when this page was made"


def where(page: Inputs) -> str:
    """On which machines our runs were computed; Absent without runs."""
    records = [*records_201(page), *records_whole(page), *records_101(page), *records_macro(page)]
    if not records:
        raise page.absent()
    return machine(records)


def candidates(page: Inputs) -> str:
    """How many cells a supernet of NAS-Bench-201 offers to searches."""
    grid = regret.small_design(page.profile)
    sizes = {min(config.cells.random, config.subspace.size) for config in grid}
    return " or ".join(f"{size:,}" for size in sorted(sizes))


def same_sign(page: Inputs) -> int:
    """In how many spaces the effect has the printed sign."""
    return (table4(page)["d"] * table4(page)["printed_d"] > 0).sum()


def clear_of_zero(page: Inputs) -> int:
    """In how many spaces the interval of the effect does not hold zero."""
    return (table4(page)["ci_low"] * table4(page)["ci_high"] > 0).sum()


def without_printed(page: Inputs) -> int:
    """In how many spaces the interval of the effect does not hold the printed one."""
    rows = table4(page)
    return (~rows["printed_d"].between(rows["d_low"], rows["d_high"])).sum()


def detectable_here(page: Inputs) -> str:
    """The smallest effect that the authors' supernets find, with one search each."""
    runs = table4(page)["supernets"].max()
    if runs < 2:
        raise Absent("An effect needs two supernets.")
    return f"{detectable_effect(runs, protocol(page).runs):.2f}"


def readings(page: Inputs) -> pd.DataFrame:
    """Whether each number of the paper's text follows in any reading, and in all."""
    return printed("printed_text").groupby("id")["agrees"].agg(["any", "all"])


def design(row: int) -> float:
    """A value of the table `printed_design`."""
    return printed("printed_design")["value"].iloc[row]


def on_a4(column: str) -> float:
    """Of the probability that the text gives for A_4."""
    return printed("printed_superiority").set_index("space").loc["A_4", column]


def small_effects(page: Inputs) -> pd.DataFrame:
    """The printed effects of the spaces in which the paper calls the effect small."""
    ids = claims(page.frames)["claim"]
    spaces = ids[ids.str.startswith("effect-")].str.removeprefix("effect-")
    effects = printed("printed_effects")
    return effects[effects["space"].isin(spaces) & (effects["column"] == "RS_bs - RS_ws")]


def around_zero() -> float:
    """How far the interval of an effect of zero reaches with the paper's runs."""
    (plan,) = appraisal.published("design").itertuples()
    return effect_interval(0, plan.baseline, plan.guided).high


def ours_201(page: Inputs, **equal: object) -> pd.DataFrame:
    """Our supernets on NAS-Bench-201 against random search."""
    return compared(page, "nb201", baseline="RS", **equal)


def of_full(page: Inputs, account: str) -> pd.Series:
    """The comparison in the full space, charged by one account; Absent if no supernet counts."""
    row = ours_201(page, space=str(Subspace()), charge=account).iloc[0]
    if row["supernets"] == 0:
        raise page.absent()
    return row


def trainings(number: float) -> str:
    """After how many trainings random search is as good, if it ever was."""
    return "more than were searched" if math.isnan(number) else f"{number:.0f}"


def worth(page: Inputs, benchmark: str) -> str:
    """How many trainings of random search match what searches by proxy pick."""
    rows = compared(page, benchmark, charge=regret.AS_IN_PAPER, baseline="RS")
    said = [
        f"{trainings(row.trainings_to_match)} ({row.guided}, {row.space})"
        for row in rows[rows["supernets"] > 0].itertuples()
    ]
    if not said:
        raise page.absent()
    return ", ".join(said)


def beaten_by_largest(page: Inputs, benchmark: str, method: str) -> str:
    """In how many spaces the largest cell is better than what supernets pick."""
    rows = compared(page, benchmark, method=method, baseline="RS", charge=regret.AS_IN_PAPER)
    picked = rows.set_index("space")["guided_regret"].dropna()
    if picked.empty:
        raise page.absent()
    largest = page.frame("size", NEEDS[benchmark], benchmark=benchmark).set_index("space")
    return f"{(largest['regret'][picked.index] < picked).sum()} of {len(picked)}"


def about_account(name: str, account: str) -> dict[str, Callable[[Inputs], object]]:
    """The numbers of one account of what our supernets on NAS-Bench-201 cost."""

    def difference(page: Inputs) -> str:
        return with_interval(*of_full(page, account)[["difference", "ci_low", "ci_high"]])

    return {
        f"better-{name}": lambda page: (ours_201(page, charge=account)["ci_low"] > 0).sum(),
        f"worse-{name}": lambda page: (ours_201(page, charge=account)["ci_high"] < 0).sum(),
        f"difference-{name}": difference,
        f"time-{name}": lambda page: f"{of_full(page, account)['baseline_trainings']:.0f}",
    }


def reported(benchmark: str) -> Callable[[Inputs], str]:
    """What is reported of a benchmark, but for its unit."""
    return lambda page: str(ACCURACY[benchmark]).removesuffix(", percent")


NUMBERS: dict[str, Callable[[Inputs], object]] = {
    "profile": lambda page: page.profile,
    "source": source,
    "runs": lambda page: protocol(page).runs,
    "evaluations": lambda page: f"{protocol(page).evaluations:,}",
    "guided": lambda page: protocol(page).guided,
    "draws": lambda page: f"{protocol(page).draws:,}",
    "candidates": candidates,
    "evaluated": lambda page: describe_cells(supernets(page).base.cells),
    "sample": lambda page: nb101.COLUMNS[1].detail.partition("; ")[2],
    **{f"accuracy-{benchmark}": reported(benchmark) for benchmark in ACCURACY},
    "runs-stored": lambda page: len(records_201(page)),
    "runs-total": lambda page: len(regret.small_design(page.profile)),
    "nb101-stored": lambda page: len(records_101(page)),
    "repeated": lambda page: f"{regret.repeated_counts(page.plan.stored, page.profile)[0]:,}",
    "alike": lambda page: f"{regret.repeated_counts(page.plan.stored, page.profile)[1]:,}",
    "macro-stored": lambda page: len(records_macro(page)),
    "macro-total": lambda page: len(regret.macro_design(page.profile)),
    "macro-size": lambda page: f"{protocol(page).macro.size:,}",
    "macro-share": lambda page: f"{comparison.paper_trainings(protocol(page).macro.size):,}",
    "whole-stored": lambda page: len(records_whole(page)),
    "whole-total": lambda page: len(regret.whole_design(page.profile)),
    "whole-space": lambda page: protocol(page).whole,
    "whole-size": lambda page: f"{protocol(page).whole.size:,}",
    "whole-share": lambda page: f"{comparison.paper_trainings(protocol(page).whole.size):,}",
    "machine": where,
    **verdict_numbers(claims),
    "same-sign": same_sign,
    "spaces": lambda page: len(table4(page)),
    "supernets": lambda page: table4(page)["supernets"].max(),
    "clear": clear_of_zero,
    "outside": without_printed,
    "d-agrees": lambda page: printed("printed_effects")["d_agrees"].sum(),
    "odd-p": lambda page: len(odd_effects()),
    "printed": lambda page: len(printed("printed_effects")),
    "wins": lambda page: len(printed("printed_superiority")),
    "wins-agree": lambda page: printed("printed_superiority")["agrees"].sum(),
    "texts": lambda page: len(readings(page)),
    "texts-agree": lambda page: readings(page)["all"].sum(),
    "texts-reading": lambda page: (readings(page)["any"] & ~readings(page)["all"]).sum(),
    "texts-odd": lambda page: (~readings(page)["any"]).sum(),
    "greedy-worst": lambda page: f"{audit.greedy_against_random().min():.2f}",
    "greedy-best": lambda page: f"{audit.greedy_against_random().max():.2f}",
    "greedy-worse": lambda page: (audit.greedy_against_random() < 0).sum(),
    "hopeless": lambda page: (audit.precision(claims(page.frames))["room"] < 0).sum(),
    "about-zero": lambda page: len(audit.precision(claims(page.frames))),
    "around": lambda page: f"{around_zero():.2f}",
    "small-d": lambda page: len(small_effects(page)),
    "small-d-undecided": lambda page: (
        ~(small_effects(page)["ci_low"].gt(-0.5) & small_effects(page)["ci_high"].lt(0.5))
    ).sum(),
    "power": lambda page: f"{design(0):.2f}",
    "detectable": lambda page: f"{design(1):.2f}",
    "needed": lambda page: f"{design(2):.0f}",
    "equal": lambda page: f"{design(3):.2f}",
    "detectable-here": detectable_here,
    "printed-a4": lambda page: f"{on_a4('percent')}%",
    "computed-a4": lambda page: f"{on_a4('percent_low'):.0f}%",
    "spaces-201": lambda page: ours_201(page)["space"].nunique(),
    "supernets-201": lambda page: ours_201(page, space=str(Subspace()))["supernets"].max(),
    "cost-201": lambda page: f"{of_full(page, regret.AS_RUN)['budget'] - 1:.2f}",
    "match-201": lambda page: trainings(of_full(page, regret.AS_RUN)["trainings_to_match"]),
    "pixels": lambda page: supernets(page).base.data.size or 32,
    "cells-a-stage": lambda page: supernets(page).nets["S"].cells_per_stage,
    "supernet-cost": lambda page: f"{comparison.SUPERNET:.0f}",
    "forward-cost": lambda page: f"1/{1 / comparison.EVALUATION:.0f}",
    "one-shot": lambda page: comparison.ONE_SHOT,
    "largest-101": lambda page: beaten_by_largest(page, "nb101", appraisal.BASELINE),
    "largest-201": lambda page: beaten_by_largest(page, "nb201", "S"),
    "worth-201": lambda page: worth(page, regret.NB201_WHOLE),
    "worth-macro": lambda page: worth(page, regret.MACRO_WHOLE),
    **{
        name: make for account in ACCOUNTS.items() for name, make in about_account(*account).items()
    },
}


# ---- tables


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
    rows = counting(compared(page, benchmark, charge=regret.AS_IN_PAPER))
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
        lambda page: effects_table(counting(compared(page, "nb201", charge=regret.AS_IN_PAPER))),
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
    **searched_whole(regret.NB201_WHOLE),
    **searched_whole(regret.MACRO_WHOLE),
    "largest": Table(
        "Training the largest cell, without any search. Test regret, percent, of the cell with "
        "the most parameters in its space (of several, the mean), trained alone; and how the "
        "parameter count ranks all cells of the space. Test accuracies as reported by the "
        "searches; of NAS-Bench-101, of the cells in the sample. "
        f"Last, {IDEAL}",
        largest,
    ),
    **{f"greedy-{benchmark}": greedy(benchmark, space) for benchmark, space in regret.WHOLE},
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


PARTS = {  # of the design: whose runs are compared on each benchmark
    "nb101": "nb101",
    "nb201": "nb201",
    regret.NB201_WHOLE: "nb201_whole",
    regret.MACRO_WHOLE: "macro",
}
WHOLE_PARTS = {"nb201": "nb201_whole", "macro": "macro"}  # where supernets evaluated every cell


def parts_of(name: str, rows: pd.DataFrame) -> list[str]:
    """The parts of the study's design whose runs are behind some rows of a table of statistics."""
    if name in ("whole", "ranks"):
        known = WHOLE_PARTS
    elif name in ("comparisons", "curves"):
        known = PARTS
        theirs = (rows["benchmark"] == "nb101") & (rows.get("method") != regret.OURS)
        rows = rows[~theirs]
    else:
        return []
    return [known[benchmark] for benchmark in rows["benchmark"].unique() if benchmark in known]


ONE_SHOT = (
    "oneshot-A_1",
    "oneshot-A_FULL^NRES",
    "oneshot-A_FULL^RES",
    "oneshot-A_4",
    "oneshot-average",
)
SMALL = ("effect-A_3", "effect-A_2", "effect-A_FULL")
SHOWS = {  # claims by the figure or table that shows them
    "fig-effects": (*ONE_SHOT, *SMALL),
    "tab-oneshot-101": ONE_SHOT,
    "tab-effects-101": SMALL,
    "tab-precision": (*SMALL, "no-link"),
    "tab-regret-decides": (*ONE_SHOT, *SMALL),
    **{
        f"tab-greedy-{benchmark}": (f"greedy-first-{benchmark}", f"greedy-last-{benchmark}")
        for benchmark, _ in regret.WHOLE
    },
}


# ---- figures


def effects(page: Inputs) -> pd.DataFrame:
    """Cohen's d as printed and from the authors' published supernets, a row each."""
    columns = {
        "printed": ["printed_d", "printed_ci_low", "printed_ci_high"],
        "authors": ["d", "d_low", "d_high", "supernets"],
    }
    rows = table4(page)
    parts = [
        rows[["space", *names]]
        .set_axis(["space", "mean", "ci_low", "ci_high", "n"][: len(names) + 1], axis=1)
        .assign(source=source)
        for source, names in columns.items()
    ]
    return pd.concat(parts, ignore_index=True)


def recomputed(rows: pd.DataFrame) -> str:
    """How the recomputed effects compare with the printed ones."""
    ours, printed = (
        rows[rows["source"] == source].set_index("space") for source in ("authors", "printed")
    )
    same = (ours["mean"] * printed["mean"] > 0).sum()
    clear = (ours["ci_low"] * ours["ci_high"] > 0).sum()
    held = printed["mean"].between(ours["ci_low"], ours["ci_high"]).sum()
    return (
        f"Recomputed from the published supernets, d has the printed sign in {same} of {len(ours)} "
        f"spaces; its interval leaves out zero in {clear} and holds the printed d in {held}."
    )


def curves(page: Inputs, benchmark: str, spaces: Sequence[str] = ()) -> pd.DataFrame:
    """Regret over search time, and what a one-shot search costs and finds, as the paper charges it.

    Args:
        page: with the curves.
        benchmark: a key of `NEEDS`.
        spaces: which ones; none for every space that has curves.
    """
    rows = page.frame("curves", NEEDS[benchmark], benchmark=benchmark)
    rows = rows[rows["space"].isin(spaces)] if spaces else rows
    compared = page.frames["comparisons"].query("charge == @regret.AS_IN_PAPER")
    compared = compared[compared["method"].isin((appraisal.BASELINE, "S"))]
    budgets, found = {}, {}
    for row in compared[compared["benchmark"] == benchmark].itertuples():
        budgets[row.space] = row.budget
        found[row.space, row.baseline] = row.baseline_regret
        found[row.space, f"{row.guided} with weight sharing"] = row.guided_regret
    keys = zip(rows["space"], rows["search"], strict=True)
    return rows.assign(
        one_shot=rows["space"].map(budgets), at_one_shot=[found.get(key, math.nan) for key in keys]
    )


def in_one_shots(curves: pd.DataFrame) -> pd.DataFrame:
    """Curves by time over each space's one-shot time."""
    return curves.assign(time=curves["time"] / curves["one_shot"], one_shot=1.0)


def ahead(rows: pd.DataFrame) -> str:
    """In how many spaces searches with weight sharing have the lower mean regret, and when."""
    first, last = [], []
    for _, panel in rows.groupby("space", sort=False):
        lines = {search: line.set_index("time") for search, line in panel.groupby("search")}
        alone = lines["RS"]
        for search, line in lines.items():
            if search.endswith("weight sharing"):
                first.append(line["at_one_shot"].iloc[0] < alone["at_one_shot"].iloc[0])
                last.append(
                    line["regret"].iloc[-1]
                    < np.interp(line.index[-1], alone.index, alone["regret"])
                )
    return (
        "At the one-shot time, the mean regret with weight sharing is lower than that of random "
        f"search in {sum(first)} of {len(first)} cases, when it has trained its last pick in "
        f"{sum(last)}."
    )


def greedy_pays(rows: pd.DataFrame) -> str:
    """From when on greedy search has the lower mean regret."""
    lines = rows.pivot_table(index="time", columns="search", values="regret").interpolate()
    worse = lines.index[lines["GS"] > lines["RS"]]
    after = worse.max() if len(worse) else 0
    return f"After {after:.0f} trainings, greedy search has the lower mean regret, or the same."


BY_PROXY = (
    "Dotted: when a one-shot search ends, as the paper charges it; dots: the expected regret then. "
    "Mean and Student's 95% interval over runs, with weight sharing over supernets."
)
TRAININGS = "search time in stand-alone trainings"
FIGURES = {
    "effects": Drawing(
        effects,
        lambda rows: plots.effect_sizes(
            rows, "space", "Cohen's d; right of 0, weight sharing is better"
        ),
        recomputed,
        "Cohen's d between random search without and with weight sharing (BNS-FT), one-shot; test "
        "accuracy after 108 epochs, mean of three runs. Printed: table 4, with the interval by the "
        "noncentral t distribution for 25 and 100 runs. Recomputed: Welch's interval of the "
        "difference, over supernets, divided by the pooled deviation.",
    ),
    "curves-101": Drawing(
        lambda page: in_one_shots(curves(page, "nb101")),
        lambda rows: plots.regret_curves(rows, "search time in one-shot times"),
        ahead,
        f"NAS-Bench-101, the authors' supernets (BNS-FT). {BY_PROXY} Test accuracy after 108 "
        "epochs, mean of three runs.",
    ),
    "curves-201": Drawing(
        lambda page: curves(page, "nb201", [str(s) for s in correlations.SINGLES]),
        lambda rows: plots.regret_curves(rows, TRAININGS),
        ahead,
        "NAS-Bench-201, our supernets in the full space and with single masks. "
        f"{BY_PROXY} CIFAR-10 test accuracy after 200 epochs.",
    ),
    "curves-nb201-whole": Drawing(
        lambda page: curves(page, regret.NB201_WHOLE),
        lambda rows: plots.regret_curves(rows, TRAININGS),
        ahead,
        "NAS-Bench-201, with supernets that evaluated every cell. "
        f"{BY_PROXY} CIFAR-10 test accuracy after 200 epochs.",
    ),
    "curves-macro-whole": Drawing(
        lambda page: curves(page, regret.MACRO_WHOLE),
        lambda rows: plots.regret_curves(rows, TRAININGS),
        ahead,
        "NAS-Bench-Macro, with supernets that evaluated every network. "
        f"{BY_PROXY} Test accuracy after 50 epochs.",
    ),
    "curves-macro": Drawing(
        lambda page: curves(page, "macro", [str(MacroSubspace())]),
        lambda rows: plots.regret_curves(rows, TRAININGS),
        greedy_pays,
        "NAS-Bench-Macro, without weight sharing: mean over runs with its 95% interval "
        "(Student's). Test accuracy after 50 epochs.",
        shown=False,
    ),
}
