"""Study 4: sums over training losses against validation metrics (SoTL thesis, 4.1 and 4.2)."""

from collections.abc import Iterable

import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.runs.record import Record
from nasrepro.studies import finetuning
from nasrepro.studies.design import Design, check_asked

TABLE = "nb201-200epochs"
TABLES = finetuning.TABLES
TEXTS = finetuning.TEXTS
PROFILES = finetuning.PROFILES


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile; arguments and errors as in `check_asked`."""
    check_asked(profile, PROFILES, seeds)
    return finetuning.design(profile, seeds)


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return TABLE


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the runs of a profile measured: see `finetuning.statistics`."""
    return finetuning.statistics(records, design(profile), table)


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page: the statistics, and `finetuning.tables`."""
    return {**statistics, **finetuning.tables(statistics)}
