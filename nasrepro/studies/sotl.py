"""Study 4: sums over training losses against validation metrics (SoTL thesis, 4.1 and 4.2)."""

from collections.abc import Iterable

import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.runs.record import Record
from nasrepro.studies import (
    estimates,
    finetuning,
    oneshot,
    sotl_curves,
    sotl_scratch,
    sotl_synthetic,
)
from nasrepro.studies.design import Design, check_asked, merged

TABLE = "nb201-200epochs"
TABLES = (
    *(*estimates.TABLES, *oneshot.TABLES, *sotl_scratch.TABLES),
    *(*sotl_synthetic.TABLES, *sotl_curves.TABLES),
)
TEXTS = tuple(
    dict.fromkeys((*estimates.TEXTS, *sotl_synthetic.TEXTS, *sotl_curves.TEXTS)),
)
PROFILES = finetuning.PROFILES
# Parts of the design.
SUPERNETS, TUNING, SCRATCH, ONE_SHOT = "supernets", "tuning", "from scratch", "one-shot spaces"


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile; arguments and errors as in `check_asked`."""
    check_asked(profile, PROFILES, seeds)
    parts = {
        SUPERNETS: finetuning.design(profile, seeds),
        TUNING: sotl_synthetic.design(profile, seeds),
        SCRATCH: sotl_scratch.design(profile, seeds),
        ONE_SHOT: oneshot.design(profile, seeds),
    }
    return merged(**parts)


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return TABLE


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the runs of a profile measured, real curves say, and toys show.

    Returns:
        The frames of `estimates.statistics`, where any of its runs is stored, and those of
        `sotl_scratch.statistics`, `oneshot.statistics`, `oneshot.counted`,
        `sotl_synthetic.statistics` and `sotl_curves.statistics`.
    """
    records, of_supernets = list(records), finetuning.design(profile)
    found = sotl_curves.statistics(table) | sotl_synthetic.statistics(records, profile)
    found |= sotl_scratch.statistics(records, sotl_scratch.design(profile), table)
    found |= oneshot.counted()
    if any(record.config in of_supernets for record in records):
        found |= estimates.statistics(records, of_supernets, table)
    return found | oneshot.statistics(records, oneshot.design(profile))


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page: the statistics, and what is made of those of supernets, if any.

    The table `estimators` has a row of every space, those of the same trainers below each other.
    """
    found = dict(statistics)
    made = [estimates.tables(statistics)] if "runs" in statistics else []
    made += [oneshot.tables(statistics)] if oneshot.PREFIX + "runs" in statistics else []
    for each in made:
        found |= each
    if made:
        rows = [each["estimators"] for each in made]
        found["estimators"] = pd.concat(rows, ignore_index=True)
    return found
