"""A page of a study: numbers, tables and figures by name, each there whatever is missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pandas as pd

from nasrepro.canonical import to_csv
from nasrepro.claims import CONTRADICTED, SUPPORTED, VERDICTS, decides
from nasrepro.pages.cards import cards
from nasrepro.pages.drawing import Drawing, folded, numbered_figure, placeholder
from nasrepro.pages.inputs import Absent, Inputs, Read
from nasrepro.pages.picture import primer
from nasrepro.pages.registry import placed
from nasrepro.pages.settings import machine
from nasrepro.pages.text import numbered_table
from nasrepro.pages.under import CSV, SVG, under
from nasrepro.studies import study
from nasrepro.studies.design import PART

NOTHING = "–"  # a number that cannot be had
MISSING = "not here"  # the only column of a table that cannot be had


@dataclass(frozen=True)
class Placed:
    """What a call puts into a page: MyST."""

    text: str

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/markdown": self.text, "text/plain": "shown in the book"}


@dataclass(frozen=True)
class Table:
    """A numbered table of a page."""

    caption: str  # names numbers of the page in braces; its first sentence is the title
    rows: Callable[[Inputs], pd.DataFrame]  # of texts
    unfolded: bool = False


@dataclass(frozen=True, eq=False)
class Page:
    """What a notebook places in its text, each part by a call with its name."""

    inputs: Inputs
    numbers: Mapping[str, str]
    module: ModuleType

    def claims(self) -> Placed:
        """The claims of the study as cards, with what is found on other data beside ours."""
        rows = placed(self.inputs.study, self.inputs.once(self.module.claims))
        others = getattr(self.module, "others", None)
        beside = others(self.inputs.frames) if others else {}
        return Placed(cards(rows, beside, self.shown))

    def primer(self) -> Placed:
        """A paragraph and a picture for readers who meet supernets for the first time."""
        return Placed(primer())

    @property
    def shown(self) -> dict[str, list[str]]:
        """The labels of the figures and tables that show a claim, by its id."""
        found: dict[str, list[str]] = {}
        for label, ids in getattr(self.module, "SHOWS", {}).items():
            for claim in ids:
                found.setdefault(claim, []).append(label)
        return found

    def table(self, name: str) -> Placed:
        """A table, folded if it is long, and below it what it is made from."""
        table, label = self.module.TABLES[name], f"tab-{name}"
        rows, read = self.inputs.trace(lambda inputs: rows_of(table, inputs))
        files = {f"{label}.csv": (CSV, to_csv(rows))}
        text = numbered_table(rows, self.caption(table), label, table.unfolded)
        return self._with_block(text, label, (table.rows,), read, files)

    def figure(self, name: str) -> Placed:
        """A figure, folded unless it is one of the few that are shown, and what it is made from."""
        drawing, label = self.module.FIGURES[name], f"fig-{name}"
        frame, read = self.inputs.trace(lambda inputs: data_of(drawing, inputs))
        if isinstance(frame, Absent):
            picture, finding, files = placeholder(str(frame)), "Not here yet.", {}
        else:
            picture, finding = drawing.svg(frame, label), drawing.finding(frame)
            files = {f"{label}.csv": (CSV, to_csv(frame)), f"{label}.svg": (SVG, picture)}
        text = numbered_figure(picture, finding, self.caption(drawing), label)
        whole = self._with_block(text, label, (drawing.data, drawing.draw), read, files)
        if drawing.shown:
            return whole
        return Placed(folded(f"{{numref}}`{label}`: {finding}", whole.text))

    def caption(self, part: Table | Drawing) -> str:
        """Its caption with the numbers that it names."""
        return part.caption.format_map(self.numbers)

    def _with_block(
        self,
        text: str,
        label: str,
        made_by: Sequence[Callable],
        read: Read,
        files: dict[str, tuple[str, str]],
    ) -> Placed:
        return Placed(f"{text}\n\n{under(label, made_by, read, self.inputs, self.module, files)}")


def compose(inputs: Inputs, module: ModuleType) -> Page:
    """The page that a module describes.

    Args:
        inputs: of its study.
        module: its `NUMBERS`, functions of the inputs, its `TABLES`, `FIGURES` and `claims`; where
            it has them, `others`, `SHOWS` and `parts_of`.
    """
    numbers = {name: _number(make, inputs) for name, make in module.NUMBERS.items()}
    return Page(inputs, numbers, module)


def _number(make: Callable[[Inputs], object], inputs: Inputs) -> str:
    try:
        return str(make(inputs))
    except Absent:
        return NOTHING


def rows_of(table: Table, inputs: Inputs) -> pd.DataFrame:
    """The rows of a table; where its data are missing, one that says which and how to get them.

    A number that is not known, e.g. the deviation of one seed, is `NOTHING`, and 0 has no minus.
    """
    try:
        return table.rows(inputs).replace({r"^nan$": NOTHING, r"^-(0\.0*)$": r"\1"}, regex=True)
    except Absent as error:
        return pd.DataFrame({MISSING: [str(error)]})


def data_of(drawing: Drawing, inputs: Inputs) -> pd.DataFrame | Absent:
    """What a figure shows, or what is missing for it and how to get that."""
    try:
        return drawing.data(inputs)
    except Absent as error:
        return error


Judged = Callable[[Mapping[str, pd.DataFrame]], pd.DataFrame]  # the `claims` of a page's module


def verdict_numbers(judged: Judged) -> dict[str, Callable[[Inputs], object]]:
    """The numbers of claims by verdict, as every study's page has them.

    Args:
        judged: the `claims` of the page's module.
    """

    def count(verdict: str) -> Callable[[Inputs], int]:
        return lambda page: int((page.once(judged)["verdict"] == verdict).sum())

    def with_p(page: Inputs, verdict: str) -> int:
        rows = page.once(judged)
        decided = rows[verdict].isin([SUPPORTED, CONTRADICTED])
        return int((decided & rows["p"].notna()).sum())

    return {
        "claims": lambda page: len(page.once(judged)),
        "decided-with-p": lambda page: with_p(page, "verdict"),
        "decided-by-holm": lambda page: with_p(page, "after_holm"),
        **{verdict.replace(" ", "-"): count(verdict) for verdict in VERDICTS},
        # After results had been seen.
        "claims-added": lambda page: int((page.once(judged)["added"] == "after").sum()),
        "claims-corrected": lambda page: int(page.once(judged)["corrected"].sum()),
    }


def machine_of_runs(page: Inputs) -> str:
    """On which machines the stored runs were computed; Absent without any."""
    if not page.plan.stored:
        raise page.absent()
    return machine(page.plan.stored)


# The numbers of runs, of pages that count all of their design.
RUN_NUMBERS: Mapping[str, Callable[[Inputs], object]] = {
    "profile": lambda page: page.profile,
    "runs-stored": lambda page: len(page.plan.stored),
    "runs-total": lambda page: len(page.plan.stored) + len(page.plan.missing),
    "machine": machine_of_runs,
}


def stored_of(part: str) -> Callable[[Inputs], str]:
    """A number of a page: how many runs of a part of its design are stored, of how many."""

    def count(page: Inputs) -> str:
        design = study(page.study).design(page.profile)
        done = sum(design[record.config][PART] == part for record in page.plan.stored)
        return f"{done} of {sum(labels[PART] == part for labels in design.values())}"

    return count


def decided(files: Iterable[str], known: Mapping[str, Any]) -> pd.DataFrame:
    """What the design can decide of some files' claims; Absent if of none.

    Args:
        files: of claims.
        known: quantities, by claim.
    """
    rows = pd.DataFrame([row for file in files for row in decides(file, known)])
    if rows.empty:
        raise Absent("No claim has two seeds of its settings that differ; they are too few yet.")
    return rows


def glue_all(page: Page) -> None:
    """Glue the numbers, as STUDY-NAME, into the running notebook."""
    from IPython.display import Markdown  # only in notebooks
    from myst_nb import glue

    for name, text in page.numbers.items():
        glue(f"{page.inputs.study}-{name}", Markdown(text), display=False)
