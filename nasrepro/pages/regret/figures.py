"""The figures of study 3's page."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nasrepro import plots
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.regret.measured import NEEDS, table4
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.studies import appraisal, complete_spaces, subspaces


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
    compared = page.frames["comparisons"].query("charge == @complete_spaces.AS_IN_PAPER")
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
        lambda page: curves(page, "nb201", [str(s) for s in subspaces.SINGLES]),
        lambda rows: plots.regret_curves(rows, TRAININGS),
        ahead,
        "NAS-Bench-201, our supernets in the full space and with single masks. "
        f"{BY_PROXY} CIFAR-10 test accuracy after 200 epochs.",
    ),
    "curves-nb201-whole": Drawing(
        lambda page: curves(page, complete_spaces.NB201_WHOLE),
        lambda rows: plots.regret_curves(rows, TRAININGS),
        ahead,
        "NAS-Bench-201, with supernets that evaluated every cell. "
        f"{BY_PROXY} CIFAR-10 test accuracy after 200 epochs.",
    ),
    "curves-macro-whole": Drawing(
        lambda page: curves(page, complete_spaces.MACRO_WHOLE),
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
