"""What was measured for study 1's page: runs and statistics that its other rooms share."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks import few_shot_supernets, nb101
from nasrepro.claims import judge
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.text import (
    with_interval,
)
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import appraisal, ceilings, correlations, subspaces

# What the two sources of Pourchot's table 3 are made from.
NEEDS = {"authors": (nb101.NAME, "nb101-supernets"), "ours": (nb101.NAME,)}


def runs_201(page: Inputs) -> list[SupernetConfig]:
    """The runs on NAS-Bench-201."""
    return list(subspaces.nb201_design(page.profile))


def runs_101(page: Inputs) -> list[SupernetConfig]:
    """The runs on NAS-Bench-101; none if the profile has no such part."""
    return list(appraisal.design(page.profile))


def supernets_201(page: Inputs) -> list[Record]:
    """Those of `runs_201` that are stored."""
    return page.records(runs_201(page))


def supernets_101(page: Inputs) -> list[Record]:
    """Those of `runs_101` that are stored."""
    return page.records(runs_101(page))


def diverged(records: Iterable[Record]) -> int:
    """How many runs diverged."""
    return sum(record.status == "diverged" for record in records)


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of this study, with verdicts on what was run here, or "not run".

    Pourchot's claims count with our supernets; what the authors' give is a check of the paper.

    Args:
        frames: the study's `tables`, as far as there are any.

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    rows = pd.concat([judged(frames, "claims"), judged(frames, "ours_claims")], ignore_index=True)
    return rows.assign(source=np.where(rows["counted"], "NAS-Bench-201", "ours"))


def others(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The claims of Pourchot judged by the authors' own supernets, if their statistics are here."""
    known = "authors_claims" in frames
    return {"the authors' supernets": frames["authors_claims"]} if known else {}


def judged(frames: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """A table of claims; all of them not run, if the study has not computed it."""
    paper = "laube" if name == "claims" else "pourchot_ranking"
    return frames[name] if name in frames else pd.DataFrame(judge(paper, {}))


def known_sources(page: Inputs) -> list[str]:
    """Whose supernets of NAS-Bench-101 have statistics: the authors', ours, both; else Absent."""
    known = [source for source in correlations.TABLE3 if source in page.frames]
    if not known:
        raise page.absent(NEEDS["authors"])
    return known


def as_printed(page: Inputs) -> pd.DataFrame:
    """Whether the authors' supernets give their table 3; see `appraisal.as_printed`."""
    name = correlations.TABLE3["authors"]
    return appraisal.as_printed(page.frame(name, NEEDS["authors"]))


def full(page: Inputs) -> str:
    """Name of the space of which the others are subspaces."""
    return str(runs_201(page)[0].subspace)


def floor(page: Inputs) -> dict[str, int]:
    """In how many subspaces small supernets rank better than the parameter count."""
    return correlations.against_floor(page.frame("baseline", size="S"))


def full_201() -> str:
    """Name of the whole of NAS-Bench-201, whatever the profile's own space is."""
    return str(subspaces.FULL)


def published_full(
    page: Inputs, metric: str = "spearman", cells: str = "all", subspace: str = ""
) -> pd.DataFrame:
    """A metric of the published supernets, one row a setting; in all of the space by default."""
    chosen = {"subspace": subspace or full_201(), "cells": cells, "metric": metric}
    return page.frame("published", [few_shot_supernets.NAME], **chosen)


def published_floor(page: Inputs, cells: str = "all") -> pd.Series:
    """The metrics of the parameter count over the whole space, by name."""
    needs = [few_shot_supernets.NAME]
    rows = page.frame("published_parameters", needs, subspace=full_201(), cells=cells)
    return rows.set_index("metric")["value"]


def least_to_most(values: pd.Series) -> str:
    """The range of some numbers, as text.

    >>> least_to_most(pd.Series([0.916, 0.785, 0.9]))
    '0.79 to 0.92'
    """
    return f"{values.min():.2f} to {values.max():.2f}"


def ceilings_of(page: Inputs, benchmark: str, **chosen: str) -> dict[str, str]:
    """Noise ceilings of a benchmark by cells, as text; arguments as `ceilings.by_cells` has them.

    None of NAS-Bench-201 where the truth of the profile is another.
    """
    others = benchmark == "NAS-Bench-201" and (
        correlations.table_of(page.profile) != subspaces.TABLE
    )
    rows = page.frames.get("ceilings", pd.DataFrame(columns=ceilings.COLUMNS))
    return {} if others else ceilings.by_cells(rows, benchmark, **chosen)


def interval_text(row: Mapping[str, Any]) -> str:
    """Mean and interval of a row, as text."""
    return with_interval(row["mean"], row["ci_low"], row["ci_high"])
