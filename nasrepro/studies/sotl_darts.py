"""Study 5: SoTL-DARTS and its family, and what decides between them (SoTL 4.3)."""

from collections.abc import Iterable

import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.runs.record import Record
from nasrepro.studies import darts, darts_space
from nasrepro.studies.design import Design, check_asked, merged

TABLES = (*darts.TABLES, *darts_space.TABLES)
TEXTS = tuple(dict.fromkeys((*darts.TEXTS, *darts_space.TEXTS)))
PROFILES = darts.PROFILES
# Parts of the design: searches of either space, supernets of paths, networks alone.
NB201, SPACE, RANKED, ALONE = "nb201", "darts", "ranked", "alone"
table_of = darts.table_of


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile; arguments and errors as in `check_asked`."""
    check_asked(profile, PROFILES, seeds)
    parts = {
        NB201: darts.design(profile, seeds),
        SPACE: darts_space.searches(profile, seeds),
        RANKED: darts_space.supernets(profile, seeds),
        ALONE: darts_space.networks(profile, seeds),
    }
    return merged(**parts)


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the runs of a profile found, as far as there are any.

    Returns:
        The frames of `darts.statistics` and of `darts_space.statistics`; their searches are in one.
    """
    records, of_nb201 = list(records), darts.design(profile)
    found = [darts_space.statistics(records, profile)]
    if any(record.config in of_nb201 for record in records):
        found.insert(0, darts.statistics(records, profile, table))
    searches = [frames["searches"] for frames in found if "searches" in frames]
    joined = {"searches": pd.concat(searches, ignore_index=True)} if searches else {}
    return {name: frame for frames in found for name, frame in frames.items()} | joined


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page: the statistics, and what either part makes of its own."""
    of_nb201 = darts.tables(statistics) if "epochs" in statistics else {}
    return {**statistics, **of_nb201, **darts_space.tables(statistics)}
