"""Study 4: sums over training losses against validation metrics (SoTL thesis, 4.1 and 4.2)."""

from collections.abc import Iterable

import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.runs.record import Record
from nasrepro.studies import finetuning, sotl_curves, sotl_synthetic
from nasrepro.studies.design import Design, check_asked, merged

TABLE = "nb201-200epochs"
TABLES = (*finetuning.TABLES, *sotl_synthetic.TABLES, *sotl_curves.TABLES)
TEXTS = tuple(
    dict.fromkeys((*finetuning.TEXTS, *sotl_synthetic.TEXTS, *sotl_curves.TEXTS)),
)
PROFILES = finetuning.PROFILES
SUPERNETS, TUNING = "supernets", "tuning"  # parts of the design


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile; arguments and errors as in `check_asked`."""
    check_asked(profile, PROFILES, seeds)
    return merged(
        supernets=finetuning.design(profile, seeds), tuning=sotl_synthetic.design(profile, seeds)
    )


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return TABLE


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the runs of a profile measured, real curves say, and toys show.

    Returns:
        The frames of `finetuning.statistics`, where any of its runs is stored, and those of
        `sotl_synthetic.statistics` and `sotl_curves.statistics`.
    """
    records, of_supernets = list(records), finetuning.design(profile)
    found = sotl_curves.statistics(table) | sotl_synthetic.statistics(records, profile)
    if any(record.config in of_supernets for record in records):
        found |= finetuning.statistics(records, of_supernets, table)
    return found


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page: the statistics, and `finetuning.tables` where there are any."""
    return {**statistics, **(finetuning.tables(statistics) if "runs" in statistics else {})}
