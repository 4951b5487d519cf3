"""Study 4 as a page: SoTL against validation, from scratch, from a supernet, and in theory.

Each of these parts has a room with its numbers, tables and figures; here is what they share.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nasrepro.claims import judge
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.page import RUN_NUMBERS, Table, decided, stored_of, verdict_numbers
from nasrepro.pages.sotl import scratch, supernets, synthetic
from nasrepro.pages.text import DECIDES, decides_table
from nasrepro.studies import (
    CLAIMS,
    finetuning,
    oneshot,
    sotl,
    sotl_claims,
    sotl_curves,
    sotl_scratch,
    sotl_supernets,
    sotl_synthetic,
)

(FILE,) = CLAIMS["sotl"]


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of the thesis' 4.1 and 4.2, with verdicts, or "not run".

    Args:
        frames: the study's `tables`, as far as there are any.

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    found = sotl_claims.quantities(frames)
    rows = pd.DataFrame(judge(FILE, found, sotl_claims.untestable(found)))
    return rows.assign(source=np.where(rows["counted"], "others' numbers, or counted", "ours"))


NUMBERS = {
    **verdict_numbers(claims),
    **RUN_NUMBERS,
    **scratch.NUMBERS,
    **synthetic.NUMBERS,
    **supernets.NUMBERS,
    "supernets-stored": stored_of(sotl.SUPERNETS),
    "scratch-stored": stored_of(sotl.SCRATCH),
    "oneshot-stored": stored_of(sotl.ONE_SHOT),
    "tuning-stored": stored_of(sotl.TUNING),
}


def decided_here(page: Inputs) -> pd.DataFrame:
    """What the design can decide, at least of one claim."""
    page.frame("evidence")  # or Absent
    return decided([FILE], sotl_claims.quantities(page.frames))


TABLES = {
    **scratch.TABLES,
    **synthetic.TABLES,
    **supernets.TABLES,
    "sotl-decides": Table(
        f"What the design can decide. {DECIDES}",
        lambda page: decides_table(decided_here(page)),
    ),
}
FIGURES = {**scratch.FIGURES, **synthetic.FIGURES, **supernets.FIGURES}


def parts_of(name: str, rows: pd.DataFrame) -> Sequence[str]:
    """The part of the design that is behind a table: none behind toys and others' curves."""
    if name in ("tuning", "rates"):
        return (sotl.TUNING,)
    if name == oneshot.PREFIX + "cells":
        return ()
    if name in oneshot.TABLES:
        return (sotl.ONE_SHOT,)
    if name in sotl_scratch.TABLES:
        return (sotl.SCRATCH,)
    if name == "estimators":
        with_201 = (rows["space"] == finetuning.SPACE).any()
        one_shot = (rows["space"] != finetuning.SPACE).any()
        return (*((sotl.SUPERNETS,) if with_201 else ()), *((sotl.ONE_SHOT,) if one_shot else ()))
    computed = (*sotl_synthetic.TABLES, *sotl_curves.TABLES)
    return () if name in computed else (sotl.SUPERNETS,)


SHOWS: dict[str, Sequence[str]] = {
    "fig-sotl-scratch": tuple(sotl_claims.FACTS),
    "tab-sotl-printed": (
        "sotl-scratch-90-cifar10",
        "sotl-scratch-90-all-losses",
        "sotl-scratch-90-validation",
        "sotl-scratch-90-others",
        "sotl-scratch-epoch-10",
    ),
    "tab-sotl-official": tuple(sotl_claims.OFFICIAL),
    "tab-sotl-audit": tuple(sotl_claims.EXACT),
    "tab-sotl-evidence": ("sotl-bound-holds", "sotl-bound-selects", "sotl-samples-select"),
    "fig-sotl-degrees": ("sotl-degree-lowest", "sotl-degree-fastest"),
    "fig-sotl-starts": ("sotl-maxdeg-converges",),
    "fig-sotl-maxdeg": ("sotl-maxdeg-ordered", *sotl_claims.MAXDEG),
    "fig-sotl-rates": (*sotl_claims.TUNING, "sotl-rate-scaling", "sotl-rate-halvings"),
    "tab-sotl-table41": ("sotl-usually-best", "sotl-spos-valacc", "sotl-multipath-best"),
    "tab-sotl-oneshot": (*sotl_supernets.ONE_SHOT, *sotl_supernets.LEVELS),
    "fig-sotl-gradients": tuple(sotl_claims.GRADIENTS),
    "tab-sotl-usage": ("sotl-cost-finetuning", "sotl-cost-trainers"),
}
