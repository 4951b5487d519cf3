"""A page of a study: numbers, tables and figures by name, each there whatever is missing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from nasrepro import benchmarks, claims, plots
from nasrepro.benchmarks import OFFICIAL
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import NasreproError
from nasrepro.pages.text import numbered_table
from nasrepro.paths import exists
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import results, study
from nasrepro.studies.design import in_order
from nasrepro.studies.results import Plan

NOTHING = "–"  # a number that cannot be had


class Absent(NasreproError):
    """What a part of a page is made from is not here; the text says how to get it."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the page of a study is made from, in one profile, as far as it is here."""

    study: str
    profile: str
    plan: Plan
    frames: Mapping[str, pd.DataFrame]  # the study's `tables`; none if there are no statistics

    def records(self, configs: Iterable[SupernetConfig]) -> list[Record]:
        """The stored records of some runs, in the order of the configs."""
        return in_order(self.plan.stored, configs)

    def frame(self, name: str, needs: Iterable[str] = (), **equal: object) -> pd.DataFrame:
        """Some rows of one of the study's tables, at least one.

        Args:
            name: of the table.
            needs: files and benchmark tables that it is made from, besides the profile's own table.
            equal: the value that each of these columns has.

        Raises:
            Absent: if there is no such row.
        """
        frame = self.frames.get(name, pd.DataFrame())
        for column, value in equal.items() if len(frame) else ():
            frame = frame[frame[column] == value]
        if frame.empty:
            raise self.absent(needs)
        return frame

    def benchmark(self, name: str) -> benchmarks.Table:
        """A benchmark table; Absent if it is not on this machine."""
        if not is_here(name):
            raise Absent(how_to_get([name]))
        return benchmarks.load_table(name)

    def absent(self, needs: Iterable[str] = ()) -> Absent:
        """The error of what is not here because of missing files or, if these are here, runs."""
        if not self.frames:
            needs = (study(self.study).table_of(self.profile), *needs)
        lacking = [name for name in dict.fromkeys(needs) if not is_here(name)]
        said = [how_to_get(lacking)] if lacking else []
        if not lacking or not self.plan.stored:
            command = f"nasrepro study run {self.study} --profile {self.profile}"
            said.append(f"Not run yet in the profile {self.profile}: `{command}` computes it.")
        return Absent(" ".join(said))


@dataclass(frozen=True)
class Table:
    """A numbered table of a page."""

    caption: str  # names numbers of the page in braces
    rows: Callable[[Inputs], pd.DataFrame]  # of texts


@dataclass(frozen=True, eq=False)
class Page:
    """What a notebook places in its text, each part by its name."""

    inputs: Inputs
    numbers: Mapping[str, str]
    tables: Mapping[str, tuple[pd.DataFrame, str]]  # texts, and the caption
    figures: Mapping[str, Callable[[Inputs], Figure]]

    def figure(self, name: str) -> Figure:
        """A figure; where its data are missing, one that says which and how to get them."""
        try:
            figure = self.figures[name](self.inputs)
        except Absent as error:
            figure = plots.placeholder(str(error))
        plt.close(figure)  # the notebook shows what it is given, not what is open
        return figure


def is_here(name: str) -> bool:
    """Whether a benchmark table or an external file is on this machine."""
    if name in benchmarks.available_tables():
        return True
    return name in SOURCES and locate(SOURCES[name]) is not None


def how_to_get(names: Iterable[str]) -> str:
    """What is missing, and what a reader can do, as text with commands in backticks.

    >>> print(how_to_get(["nb-macro"]))  # doctest: +ELLIPSIS
    Not on this machine: nb-macro. `nasrepro data fetch nb-macro` gets it; or put the file ...
    """
    names = list(names)
    said = [f"Not on this machine: {', '.join(names)}."]
    fetched = [name for name in names if name in SOURCES]
    if fetched:
        files = ", ".join(SOURCES[name].filename for name in fetched)
        what = ("it", "the file") if len(fetched) == 1 else ("them", "the files")
        said.append(
            f"`nasrepro data fetch {' '.join(fetched)}` gets {what[0]}; or put {what[1]} {files} "
            "into a folder and set NASREPRO_DATA to it."
        )
    for name in names:
        if name in BENCHES:
            said.append(f"`nasrepro bench build {name}` makes it.")
        elif name in OFFICIAL:
            said.append(
                f"It is read from {' or '.join(OFFICIAL[name])}, the benchmark's own file: put one "
                "into a folder and set NASREPRO_DATA to it."
            )
    return " ".join(said)


def read_inputs(name: str, profile: str) -> Inputs:
    """What there is of a study in a profile; ConfigError if it has no such profile."""
    plan = results.plan(name, profile)
    statistics = statistics_at_hand(plan, name, profile)
    frames = study(name).tables(statistics) if statistics else {}
    return Inputs(name, profile, plan, frames)


def statistics_at_hand(plan: Plan, name: str, profile: str) -> dict[str, pd.DataFrame]:
    """A study's statistics: computed from records and tables, else stored, else none."""
    if plan.stored and is_here(study(name).table_of(profile)):
        return results.known_statistics(name, profile)
    if exists(results.statistics_dir(name, profile)):
        return results.stored_statistics(name, profile)
    return {}


def compose(inputs: Inputs, module: ModuleType) -> Page:
    """The page that a module describes.

    Args:
        inputs: of its study.
        module: its `NUMBERS` and `FIGURES`, functions of the inputs, and its `TABLES`.
    """
    numbers = {name: _number(make, inputs) for name, make in module.NUMBERS.items()}
    tables = {
        name: (_rows(table, inputs), table.caption.format_map(numbers))
        for name, table in module.TABLES.items()
    }
    return Page(inputs, numbers, tables, module.FIGURES)


def _number(make: Callable[[Inputs], object], inputs: Inputs) -> str:
    try:
        return str(make(inputs))
    except Absent:
        return NOTHING


def _rows(table: Table, inputs: Inputs) -> pd.DataFrame:
    try:
        return table.rows(inputs)
    except Absent as error:
        return pd.DataFrame({"": [str(error)]})


def verdict_numbers(
    judged: Callable[[Mapping[str, pd.DataFrame]], pd.DataFrame],
) -> dict[str, Callable[[Inputs], object]]:
    """The numbers of claims by verdict, as every study's page has them.

    Args:
        judged: the `claims` of the page's module.
    """

    def count(verdict: str) -> Callable[[Inputs], int]:
        return lambda page: int((judged(page.frames)["verdict"] == verdict).sum())

    def with_p(page: Inputs, verdict: str) -> int:
        rows = judged(page.frames)
        decided = rows[verdict].isin([claims.SUPPORTED, claims.CONTRADICTED])
        return int((decided & rows["p"].notna()).sum())

    return {
        "claims": lambda page: len(judged(page.frames)),
        "decided-with-p": lambda page: with_p(page, "verdict"),
        "decided-by-holm": lambda page: with_p(page, "after_holm"),
        **{verdict.replace(" ", "-"): count(verdict) for verdict in claims.VERDICTS},
    }


def glue_all(page: Page) -> None:
    """Glue numbers, as STUDY-NAME, and tables, labelled tab-NAME, into the running notebook."""
    from IPython.display import Markdown  # only in notebooks
    from myst_nb import glue

    for name, text in page.numbers.items():
        glue(f"{page.inputs.study}-{name}", Markdown(text), display=False)
    for name, (frame, caption) in page.tables.items():
        glue(name, Markdown(numbered_table(frame, caption, f"tab-{name}")), display=False)
