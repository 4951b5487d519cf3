"""Study 5: SoTL-DARTS and its family, and what decides between them (SoTL 4.3)."""

from collections.abc import Iterable

import pandas as pd

from nasrepro.benchmarks import Table
from nasrepro.runs.record import Record
from nasrepro.studies import darts, darts_oneshot, darts_ranked, darts_space
from nasrepro.studies.design import Design, check_asked, merged

PARTS = (darts, darts_space, darts_ranked, darts_oneshot)
TABLES = tuple(name for part in PARTS for name in part.TABLES)
TEXTS = tuple(dict.fromkeys(name for part in PARTS for name in part.TEXTS))
PROFILES = darts.PROFILES
# Parts of the design: searches of each benchmark, supernets of paths, networks alone, and paths.
NB201, SPACE, RANKED, ALONE, ONE_SHOT = "nb201", "darts", "ranked", "alone", "1shot1"
TUNED = "tuned"
table_of = darts.table_of


def design(profile: str, seeds: int | None = None) -> Design:
    """All runs of a profile; arguments and errors as in `check_asked`."""
    check_asked(profile, PROFILES, seeds)
    parts = {
        NB201: darts.design(profile, seeds),
        SPACE: darts_space.searches(profile, seeds),
        RANKED: darts_ranked.supernets(profile, seeds),
        ALONE: darts_space.networks(profile, seeds),
        TUNED: darts_ranked.tunings(profile, seeds),
        ONE_SHOT: darts_oneshot.design(profile, seeds),
    }
    return merged(**parts)


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the runs of a profile found, as far as there are any.

    Returns:
        The frames of `darts.statistics` and of `darts_space.statistics`, whose searches are in one,
        and those of `darts_ranked.statistics` and of `darts_oneshot.statistics`.
    """
    records, of_nb201 = list(records), darts.design(profile)
    of_space = darts_space.statistics(records, profile)
    found = [of_space, darts_ranked.statistics(records, profile, of_space)]
    if any(record.config in of_nb201 for record in records):
        found.insert(0, darts.statistics(records, profile, table))
    searches = [frames["searches"] for frames in found if "searches" in frames]
    joined = {"searches": pd.concat(searches, ignore_index=True)} if searches else {}
    found.append(darts_oneshot.statistics(records, darts_oneshot.design(profile)))
    return {name: frame for frames in found for name, frame in frames.items()} | joined


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the page: the statistics, and what each part makes of its own.

    The table `searches` has a row a search of every space.
    """
    of_nb201 = darts.tables(statistics) if "epochs" in statistics else {}
    names = ("searches", darts_oneshot.PREFIX + "searches")
    searches = [statistics[name] for name in names if name in statistics]
    joined = {"searches": pd.concat(searches, ignore_index=True)} if searches else {}
    of_space = darts_space.tables(statistics) | darts_ranked.tables(statistics)
    return {**statistics, **of_nb201, **of_space, **joined}
