"""The parts of pages that code supplies, so that nobody types them: Markdown for the book.

Each function returns the text of one file, which a page of `book/` includes.
"""

import importlib.metadata
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrepro import benchmarks, studies
from nasrepro.benchmarks import Column, macro, nb101, nb101_official, nb201, official
from nasrepro.claims import CONTRADICTED, SUPPORTED, UNDECIDED
from nasrepro.data.sources import SOURCES, Source

VERDICTS = (SUPPORTED, CONTRADICTED, UNDECIDED, "not-run")
TOOLS = ("torch", "numpy", "scipy", "pandas", "matplotlib", "jupyter-book", "sphinx", "papermill")


def write_all(folder: Path, executions: Mapping[str, Mapping[str, Any]]) -> None:
    """Write every generated file; one whose text is unchanged is left alone.

    Args:
        folder: where to.
        executions: for the name of each notebook, what is known of its execution.
    """
    texts = {
        "sources.md": sources(SOURCES.values()),
        "columns.md": columns(),
        "verdicts.md": verdicts(executions),
        "notebooks.md": notebooks(executions),
        "machines.md": machines(executions),
        "versions.md": versions(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; texts may hold Markdown, but no line break and no bar.

    >>> print(markdown_table(["a", "b"], [[1, "x"]]), end="")
    | a | b |
    | --- | --- |
    | 1 | x |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def sources(entries: Iterable[Source]) -> str:
    """Every file from outside: its name with a link to it, what it is, its licence, its size."""
    rows = [
        [
            f"[{s.name}]({s.urls[0]})" if s.urls else s.name,
            plain(s.description),
            plain(s.licence),
            megabytes(s.bytes),
        ]
        for s in entries
    ]
    return markdown_table(["file", "what it is", "licence", "size"], rows)


def plain(text: str) -> str:
    r"""A text with the characters escaped that mean something in a Markdown table.

    >>> print(plain("paper_*|"))
    paper\_\*\|
    """
    return re.sub(r"([*_|`\\])", r"\\\1", text)


def megabytes(size: int) -> str:
    """A number of bytes for people; the space in it does not break.

    >>> megabytes(3_024_008).replace("\N{NO-BREAK SPACE}", " ")
    '3.0 MB'
    """
    return f"{size / 1e6:.1f}\N{NO-BREAK SPACE}MB"


def columns() -> str:
    """The exact meaning of every column of every benchmark table."""
    tables: dict[str, Iterable[Column]] = {
        "nb201-200epochs": nb201.CSV.values(),
        "nb201-12epochs": nb201.FRAME.values(),
        official.NAME: official.columns(next(iter(official.READERS))),
        nb101.NAME: nb101.COLUMNS,
        nb101_official.NAME: nb101_official.columns_of(nb101_official.FILES[0]),
        macro.NAME: macro.COLUMNS,
    }
    rows = [
        [f"`{table}`", f"`{column.name}`", f"{column}; {column.detail}"]
        for table, its_columns in tables.items()
        for column in its_columns
    ]
    return markdown_table(["table", "column", "what it is"], rows)


def verdicts(executions: Mapping[str, Mapping[str, Any]]) -> str:
    """How many claims of each study have which verdict, from the numbers its notebook glued."""
    rows = []
    for name, execution in executions.items():
        study, numbers = name.partition("_")[2], execution.get("numbers", {})
        counts = [numbers.get(f"{study}-{what}", "–") for what in ("claims", *VERDICTS)]
        rows.append([f"{{doc}}`/book/_executed/{name}`", *counts])
    header = ["study", "claims", *(verdict.replace("-", " ") for verdict in VERDICTS)]
    return markdown_table(header, rows)


def notebooks(executions: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a notebook: its runs, seeds, computing time, and how long the page took."""
    header = ["study", "profile", "runs stored", "diverged", "seeds", "computing", "page"]
    rows = []
    for name, execution in executions.items():
        row = [f"{{doc}}`/book/_executed/{name}`", execution.get("parameters", {}).get("profile")]
        row += _runs(_plan(name, execution))
        row.append(f"{execution['seconds']:.0f} s" if "seconds" in execution else None)
        rows.append(["–" if value is None else value for value in row])
    return markdown_table(header, rows) if rows else "There is no study yet.\n"


def _plan(notebook: str, execution: Mapping[str, Any]) -> Any:
    """The stored and missing runs of a notebook's study (`01_NAME` shows the study NAME)."""
    name, profile = notebook.partition("_")[2], execution.get("parameters", {}).get("profile")
    if name not in studies.NAMES or profile is None:
        return None
    from nasrepro.studies.results import plan  # imports torch: slow

    return plan(name, profile)


def _runs(plan: Any) -> list[str | None]:
    """Runs stored and wanted, diverged runs, seeds, computing time of a plan."""
    if plan is None:
        return [None] * 4
    stored = plan.stored
    return [
        f"{len(stored)} of {len(stored) + len(plan.missing)}",
        str(sum(record.status == "diverged" for record in stored)),
        ", ".join(map(str, sorted({record.config.seed for record in stored}))) or None,
        f"{plan.seconds_stored / 3600:.2g} h",
    ]


def machines(executions: Mapping[str, Mapping[str, Any]]) -> str:
    """Where the records were measured: processor, threads, versions, and how many runs."""
    plans = [_plan(name, execution) for name, execution in executions.items()]
    # Studies share records.
    records = {record.key: record for plan in plans if plan for record in plan.stored}
    counts: Counter[tuple[str, ...]] = Counter()
    for record in records.values():
        found = record.measurement
        packages = ", ".join(f"{name} {v}" for name, v in sorted(found.versions.items()))
        counts[found.device, found.cpu, str(found.threads), packages] += 1
    header = ["device", "processor", "threads", "versions", "runs"]
    rows = [[*key, str(count)] for key, count in sorted(counts.items())]
    return markdown_table(header, rows) if rows else "No record is stored yet.\n"


def versions() -> str:
    """What built the book, and which benchmark tables it found."""
    packages = [("Python", platform.python_version())]
    packages += [(name, importlib.metadata.version(name)) for name in TOOLS]
    here = benchmarks.available_tables()
    rows = [[f"`{name}`", "read" if name in here else "not here"] for name in benchmarks.TABLES]
    return (
        markdown_table(["package", "version"], packages)
        + "\n"
        + markdown_table(["benchmark table", "when this book was built"], rows)
    )
