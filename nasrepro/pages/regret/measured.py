"""What was measured for study 3's page: runs and statistics that its other rooms share."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from nasrepro.benchmarks import macro, nb101, nb101_official, nb201
from nasrepro.claims import judge
from nasrepro.pages.inputs import Inputs, is_here
from nasrepro.runs.record import Record
from nasrepro.studies import appraisal, complete_spaces, regret, subspaces
from nasrepro.studies.comparison import Protocol
from nasrepro.studies.subspaces import Profile

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
    complete_spaces.NB201_WHOLE: (regret.TABLE,),
    "macro": (macro.NAME,),
    complete_spaces.MACRO_WHOLE: (macro.NAME,),
}
ACCURACY = {  # what is reported, of each benchmark
    "nb101": nb101.COLUMNS[1],
    nb101_official.NAME: nb101.COLUMNS[1],
    "nb201": next(column for column in nb201.CSV.values() if column.name == regret.COLUMN),
    "macro": macro.COLUMNS[0],
}
ACCOUNTS = {"run": complete_spaces.AS_RUN, "paper": complete_spaces.AS_IN_PAPER}


def protocol(page: Inputs) -> Protocol:
    """How much is searched."""
    return regret.PROFILES[page.profile]


def supernets(page: Inputs) -> Profile:
    """How study 1 trains the supernets of NAS-Bench-201."""
    return subspaces.PROFILES[page.profile]


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


def source(page: Inputs) -> str:
    """Whether this page was computed from tables and files, or shows what was stored."""
    needed = {*NEEDS["nb201"], *NEEDS["macro"], *NEEDS["nb101"]}
    missing = sorted(name for name in needed if not is_here(name))
    if missing:
        return f"what needs {', '.join(missing)} is shown as it was stored with the records"
    return "everything below was computed from them when this page was made"


def ours_201(page: Inputs, **equal: object) -> pd.DataFrame:
    """Our supernets on NAS-Bench-201 against random search."""
    return compared(page, "nb201", baseline="RS", **equal)
