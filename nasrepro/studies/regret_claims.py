"""The quantities of Pourchot's claims on searches, from study 3's statistics alone."""

from itertools import product

import pandas as pd

from nasrepro import claims
from nasrepro.benchmarks import nb101_official
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb101 import NUM_CELLS, SUBSPACES
from nasrepro.spaces.nb201 import Subspace
from nasrepro.stats import Interval, Student, fisher_correlation, mean_of_estimates, student_of
from nasrepro.studies.appraisal import BASELINE
from nasrepro.studies.comparison import ONE_SHOT, paper_trainings

WHOLE = {  # the spaces on which random and greedy search are compared, and their sizes
    (nb101_official.NAME, str(SUBSPACES["A_FULL"])): NUM_CELLS,
    ("nb201", str(Subspace())): Subspace().size,
    ("macro", str(MacroSubspace())): MacroSubspace().size,
}


def quantities(frames: dict[str, pd.DataFrame]) -> dict[str, claims.Quantity]:
    """The quantities of the claims, as far as there is something to compute them from."""
    found: dict[str, claims.Quantity] = {}
    comparisons, searches, ranks = (frames[kind] for kind in ("comparisons", "searches", "ranks"))
    if len(searches):
        found |= greedy_quantities(searches)
    if len(ranks) and (ranks["benchmark"] == "nb101").any():
        chosen = comparisons.query("benchmark == 'nb101' and method == @BASELINE")
        found["no-link"] = link_of_ranks(ranks, chosen.set_index("space")["difference"].dropna())
        differences = []
        for row in chosen.itertuples():
            difference = Interval(row.difference, row.ci_low, row.ci_high, row.supernets)
            effect = Interval(row.d, row.d_low, row.d_high, row.supernets)
            differences.append(student_of(difference, row.df))
            found[f"oneshot-{row.space}"] = differences[-1]
            found[f"effect-{row.space}"] = student_of(effect, row.df)
        if len(differences) == len(SUBSPACES):
            found["oneshot-average"] = mean_of_estimates(differences)
    return found


def greedy_quantities(searches: pd.DataFrame) -> dict[str, Student]:
    """Random less greedy search, one-shot and late, on the complete benchmarks."""
    found: dict[str, Student] = {}
    for ((benchmark, space), size), when in product(WHOLE.items(), ("first", "last")):
        rows = searches[(searches["benchmark"] == benchmark) & (searches["space"] == space)]
        wanted = ONE_SHOT if when == "first" else paper_trainings(size)
        for row in rows[rows["trainings"] == wanted].itertuples():
            interval = Interval(row.difference, row.ci_low, row.ci_high, row.runs)
            found[f"greedy-{when}-{benchmark}"] = student_of(interval, row.runs - 1)
    return found


def link_of_ranks(ranks: pd.DataFrame, differences: pd.Series) -> Student:
    """Whether spaces that the authors' supernets rank better are searched better, too.

    Args:
        ranks: benchmark, space, method, seed, spearman.
        differences: of regret, at the one-shot budget, by space.
    """
    chosen = ranks[(ranks["method"] == BASELINE) & ranks["space"].isin(differences.index)]
    means = chosen.dropna().groupby("space")["spearman"].mean()
    return fisher_correlation(means, differences[means.index])
