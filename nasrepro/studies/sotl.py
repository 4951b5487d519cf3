"""Study 4: sums over training losses against validation metrics (SoTL thesis, 4.1 and 4.2)."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.runs.record import Record
from nasrepro.studies.design import Design, check_asked

TABLE = "nb201-200epochs"
TABLES: tuple[str, ...] = ()
TEXTS: tuple[str, ...] = ()
PROFILES: Mapping[str, Any] = {"smoke": None, "cpu": None}


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile; arguments and errors as in `check_asked`."""
    check_asked(profile, PROFILES, seeds)
    return {}


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return TABLE


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the runs of a profile measured: nothing yet."""
    return {}


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page."""
    return dict(statistics)
