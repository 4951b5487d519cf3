"""Numbers that papers print, and their claims."""

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import
    import pandas as pd


def read(name: str) -> "pd.DataFrame":
    """Numbers that a paper prints, from `<name>.csv`, whose comments say where they stand."""
    import pandas as pd

    with (resources.files(__name__) / f"{name}.csv").open(encoding="utf-8") as text:
        return pd.read_csv(text, comment="#")
