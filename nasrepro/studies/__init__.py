"""The studies, one module each: `design` lists its runs, `statistics` and `tables` its results."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from nasrepro import paths
from nasrepro.errors import ConfigError, meant

if TYPE_CHECKING:  # slow to import
    import pandas as pd

    from nasrepro.benchmarks import Table
    from nasrepro.runs.record import Record
    from nasrepro.studies.design import Design

MODULES = {
    "correlations": "correlations",
    "training-tricks": "tricks",
    "regret": "regret",
    "sotl": "sotl",
    "sotl-darts": "sotl_darts",
}
NAMES = tuple(MODULES)
CLAIMS = {  # the files of `nasrepro/published/` whose claims each study judges
    "correlations": ("laube", "pourchot_ranking"),
    "training-tricks": ("laube_tricks", "yu_tricks", "zhang_tricks"),
    "regret": ("pourchot_search",),
    "sotl": ("sotl",),
    "sotl-darts": ("sotl_darts",),
}
NOTEBOOKS = {"sotl-vs-validation": "sotl"}  # what shows a study under another name than its own


class Study(Protocol):
    """What the module of a study has."""

    PROFILES: Mapping[str, Any]
    TABLES: Sequence[str]  # names of what `tables` can return
    TEXTS: Sequence[str]  # columns of its statistics that are labels, whatever they look like

    def design(self, profile: str, seeds: int | None = None) -> "Design":
        """Its runs."""
        ...

    def table_of(self, profile: str) -> str:
        """The name of the table that is the truth of a profile."""
        ...

    def statistics(
        self, records: "Sequence[Record]", profile: str, table: "Table"
    ) -> "dict[str, pd.DataFrame]":
        """What is computed from records and tables, small enough to keep beside the records."""
        ...

    def tables(self, statistics: "dict[str, pd.DataFrame]") -> "dict[str, pd.DataFrame]":
        """Every table of its page, from its statistics alone."""
        ...


def question(name: str) -> str:
    """What a study asks, in a sentence; ConfigError as `study`."""
    return (study(name).__doc__ or "").splitlines()[0]


def study(name: str) -> Study:
    """The module of a study; ConfigError that lists the studies if there is none of that name."""
    if name not in MODULES:
        raise ConfigError(
            f"unknown study {name!r}{meant(name, NAMES)}; the studies are {', '.join(NAMES)}"
        )
    return cast(Study, import_module(f"nasrepro.studies.{MODULES[name]}"))


def of_notebook(notebook: str) -> str:
    """The name of the study that a notebook shows.

    >>> of_notebook("02_training_tricks")
    'training-tricks'
    >>> of_notebook("04_sotl_vs_validation")
    'sotl'
    """
    name = notebook.partition("_")[2].replace("_", "-")
    return NOTEBOOKS.get(name, name)


def notebook_of(name: str) -> str | None:
    """The notebook that shows a study, without suffix; None if there is none.

    >>> [notebook_of(name) for name in ("training-tricks", "sotl")]
    ['02_training_tricks', '04_sotl_vs_validation']
    """
    notebooks = (path.stem for path in (paths.REPOSITORY / "notebooks").glob("*.py"))
    return next((notebook for notebook in notebooks if of_notebook(notebook) == name), None)
