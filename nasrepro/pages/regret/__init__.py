"""Study 3 as a page: search with and without weight sharing."""

import pandas as pd

from nasrepro.pages.regret.figures import FIGURES
from nasrepro.pages.regret.measured import claims
from nasrepro.pages.regret.numbers import NUMBERS
from nasrepro.pages.regret.tables import TABLES
from nasrepro.studies import complete_spaces, regret, regret_claims

__all__ = ["FIGURES", "NUMBERS", "PARTS", "SHOWS", "TABLES", "claims", "parts_of"]

PARTS = {  # of the design: whose runs are compared on each benchmark
    "nb101": "nb101",
    "nb201": "nb201",
    complete_spaces.NB201_WHOLE: "nb201_whole",
    complete_spaces.MACRO_WHOLE: "macro",
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
        for benchmark, _ in regret_claims.WHOLE
    },
}
