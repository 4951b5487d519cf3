"""How many claims of each study have which verdict."""

from collections.abc import Mapping

import pandas as pd

from nasrepro.claims import VERDICTS
from nasrepro.pages.registry import claims_of


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


def count(claims: pd.DataFrame) -> list[int]:
    """How many claims there are, and how many with each of `VERDICTS`."""
    return [len(claims), *((claims["verdict"] == verdict).sum() for verdict in VERDICTS)]
