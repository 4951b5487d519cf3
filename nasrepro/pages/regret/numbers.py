"""The numbers in the text of study 3's page."""

import math
from collections.abc import Callable

import pandas as pd

from nasrepro.benchmarks import nb101
from nasrepro.effects import detectable_effect, effect_interval
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import verdict_numbers
from nasrepro.pages.regret.measured import (
    ACCOUNTS,
    ACCURACY,
    NEEDS,
    claims,
    compared,
    odd_effects,
    ours_201,
    printed,
    protocol,
    records_101,
    records_201,
    records_macro,
    records_whole,
    source,
    supernets,
    table4,
)
from nasrepro.pages.settings import describe_cells, machine
from nasrepro.pages.text import (
    with_interval,
)
from nasrepro.spaces.nb201 import Subspace
from nasrepro.studies import appraisal, audit, comparison, complete_spaces, regret


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
    rows = compared(page, benchmark, charge=complete_spaces.AS_IN_PAPER, baseline="RS")
    said = [
        f"{trainings(row.trainings_to_match)} ({row.guided}, {row.space})"
        for row in rows[rows["supernets"] > 0].itertuples()
    ]
    if not said:
        raise page.absent()
    return ", ".join(said)


def beaten_by_largest(page: Inputs, benchmark: str, method: str) -> str:
    """In how many spaces the largest cell is better than what supernets pick."""
    rows = compared(
        page, benchmark, method=method, baseline="RS", charge=complete_spaces.AS_IN_PAPER
    )
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
    "cost-201": lambda page: f"{of_full(page, complete_spaces.AS_RUN)['budget'] - 1:.2f}",
    "match-201": lambda page: trainings(
        of_full(page, complete_spaces.AS_RUN)["trainings_to_match"]
    ),
    "pixels": lambda page: supernets(page).base.data.size or 32,
    "cells-a-stage": lambda page: supernets(page).nets["S"].cells_per_stage,
    "supernet-cost": lambda page: f"{comparison.SUPERNET:.0f}",
    "forward-cost": lambda page: f"1/{1 / comparison.EVALUATION:.0f}",
    "one-shot": lambda page: comparison.ONE_SHOT,
    "largest-101": lambda page: beaten_by_largest(page, "nb101", appraisal.BASELINE),
    "largest-201": lambda page: beaten_by_largest(page, "nb201", "S"),
    "worth-201": lambda page: worth(page, complete_spaces.NB201_WHOLE),
    "worth-macro": lambda page: worth(page, complete_spaces.MACRO_WHOLE),
    **{
        name: make for account in ACCOUNTS.items() for name, make in about_account(*account).items()
    },
}
