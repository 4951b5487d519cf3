"""How many claims of each study have which verdict."""

from collections.abc import Mapping

import pandas as pd

from nasrepro.claims import VERDICTS
from nasrepro.pages import of_study
from nasrepro.pages.page import statistics_at_hand
from nasrepro.paths import exists
from nasrepro.studies import results, study


def scoreboard(profiles: Mapping[str, str]) -> pd.DataFrame:
    """The claims of studies, counted by their verdicts.

    Args:
        profiles: of each study, by its name.

    Returns:
        One row a study, by its name: claims, and how many have each verdict. Where a study has no
        statistics, all of its claims are not run, but for those that are not testable.
    """
    rows = {name: count(claims_of(name, profile)) for name, profile in profiles.items()}
    columns = ["claims", *VERDICTS]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=int)


def claims_of(name: str, profile: str) -> pd.DataFrame:
    """The claims of a study with their verdicts, from its stored statistics, else computed.

    What is stored is what `study run` and `study collect` computed; it is read in no time.
    """
    if exists(results.statistics_dir(name, profile)):
        statistics = results.stored_statistics(name, profile)
    else:
        statistics = statistics_at_hand(results.plan(name, profile), name, profile)
    return of_study(name).claims(study(name).tables(statistics) if statistics else {})


def count(claims: pd.DataFrame) -> list[int]:
    """How many claims there are, and how many with each of `VERDICTS`."""
    return [len(claims), *((claims["verdict"] == verdict).sum() for verdict in VERDICTS)]
