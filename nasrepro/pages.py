"""The parts of pages that code supplies, so that nobody types them: Markdown for the book.

Each function returns the text of one file, which a page of `book/` includes.
"""

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrepro import benchmarks, studies
from nasrepro.benchmarks import Column, nb201, official
from nasrepro.data.sources import SOURCES, Source

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
    """Every file from outside: what it is, its licence, its size, where it comes from."""
    rows = [
        [f"`{s.name}`", s.description, s.licence, megabytes(s.bytes), origin(s)] for s in entries
    ]
    return markdown_table(["name", "what it is", "licence", "size", "from"], rows)


def megabytes(size: int) -> str:
    """A number of bytes for people.

    >>> megabytes(3_024_008)
    '3.0 MB'
    """
    return f"{size / 1e6:.1f} MB"


def origin(source: Source) -> str:
    """Links to the addresses of a file, named by its file name."""
    return ", ".join(f"[{source.filename}]({url})" for url in source.urls) or "derived"


def columns() -> str:
    """The exact meaning of every column of every benchmark table."""
    tables: dict[str, Iterable[Column]] = {
        "nb201-200epochs": nb201.CSV.values(),
        "nb201-12epochs": nb201.FRAME.values(),
        official.NAME: official.columns(next(iter(official.READERS))),
    }
    rows = [
        [f"`{table}`", f"`{column.name}`", f"{column}; {column.detail}"]
        for table, its_columns in tables.items()
        for column in its_columns
    ]
    return markdown_table(["table", "column", "what it is"], rows)


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
        f"{plan.seconds_stored / 3600:.1f} h",
    ]


def machines(executions: Mapping[str, Mapping[str, Any]]) -> str:
    """Where the records were measured: processor, threads, versions, and how many runs."""
    counts: Counter[tuple[str, ...]] = Counter()
    for plan in (_plan(name, execution) for name, execution in executions.items()):
        for record in plan.stored if plan else ():
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
