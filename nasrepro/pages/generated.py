"""The parts of pages that code supplies, so that nobody types them: Markdown for the book.

Each function returns the text of one file, which a page of `book/` includes.
"""

import importlib.metadata
import json
import math
import platform
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import benchmarks, spaces, studies
from nasrepro.benchmarks import (
    Column,
    macro,
    nb101,
    nb101_official,
    nb201,
    nb301,
    official,
    selfmade,
)
from nasrepro.claims import VERDICTS
from nasrepro.data.sources import SOURCES, Source
from nasrepro.pages.text import with_interval
from nasrepro.pages.under import runs_anchor
from nasrepro.paths import results_dir
from nasrepro.spaces.nb101_codes import unique_codes

TOOLS = ("torch", "numpy", "scipy", "pandas", "matplotlib", "jupyter-book", "sphinx", "papermill")


def write_all(folder: Path, executions: Mapping[str, Mapping[str, Any]]) -> None:
    """Write every generated file; arguments as in `texts` and `write_changed`."""
    write_changed(folder, texts(executions))


def texts(executions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The text of every generated file, by its name.

    Args:
        executions: for the name of each notebook, what is known of its execution.
    """
    judged = _claims(executions)
    return {
        "sources.md": sources(SOURCES.values()),
        "columns.md": columns(),
        "counts.md": counts(),
        "verdicts.md": verdicts(judged, executions),
        "claims.md": all_claims(judged),
        "notebooks.md": notebooks(executions),
        "machines.md": machines(executions),
        "records.md": records(executions),
        "versions.md": versions(),
        "ratios.md": ratios(results_dir() / "bench.json"),
        "selfmade.md": own_benchmark(selfmade.NAME),
    }


def write_changed(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files into a folder; one whose text is unchanged is left alone."""
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
        nb301.NAME: nb301.COLUMNS,
    }
    if selfmade.NAME in selfmade.available():
        tables[selfmade.NAME] = selfmade.load(selfmade.NAME).columns
    rows = [
        [f"`{table}`", f"`{column.name}`", f"{column}; {column.detail}"]
        for table, its_columns in tables.items()
        for column in its_columns
    ]
    return markdown_table(["table", "column", "what it is"], rows)


def counts() -> str:
    """Every size of NAS-Bench-101 and its subspaces: as papers print it, and as counted here."""
    ours, seconds = _counted()
    printed: dict[str, list[str]] = {name: [] for name in ours}
    for row in published_counts().itertuples():
        number = f"{row.published:,}" if row.unit == 1 else f"about {row.published:,}"
        printed[row.name].append(f"{number} ({row.paper}, {row.where})")
    rows = [
        [plain(name), "; ".join(printed[name]) or "–", f"{count:,}"] for name, count in ours.items()
    ]
    table = markdown_table(["what", "published", "ours"], rows)
    (alone,) = spaces.nb101.Subspace(outputs=0).codes().tolist()
    parts = sum(ours[f"A_{outputs}"] for outputs in (1, 2, 3, 4))
    return (
        f"{table}\nEnumerating all cells and counting all of this took less than "
        f"{math.ceil(seconds)} seconds of one core when this book was built.\n\n"
        f"A\\_1 to A\\_4 have {parts:,} cells together. The whole space has one more: "
        f"`{spaces.nb101.Cell.from_code(alone)}`, the input joined to the output alone, without an "
        "inner vertex.\n"
    )


@cache
def _counted() -> tuple[dict[str, int], float]:
    """The sizes that `nasrepro space counts` prints, and the CPU seconds that they took."""
    unique_codes.cache_clear()  # else the enumeration is counted only where it is new
    start = time.process_time()
    found = dict([*spaces.counts("nb101"), *spaces.counts("nb1shot1")])
    return found, time.process_time() - start


def published_counts() -> pd.DataFrame:
    """Sizes that papers print: columns name, published, unit, paper, where."""
    file = resources.files("nasrepro.published") / "nb101_counts.csv"
    with file.open(encoding="utf-8") as text:
        return pd.read_csv(text, comment="#")


def own_benchmark(name: str) -> str:
    """What a benchmark of this project is, how much of it there is, and how far it can be trusted.

    Its agreement with the tables of others is computed where one of them is here, else it is what
    was stored when the benchmark was packed.
    """
    from nasrepro.runs import bench  # imports torch: slow

    definition = bench.find(name)
    found = bench.progress(definition)
    parts = [
        f"**{found.complete:,} of {found.cells:,} cells are complete.** Of {found.runs:,} "
        f"runs, {found.packed:,} are in the packed file, {found.diverged} of them diverged.",
        _settings(definition),
    ]
    if found.packed == 0:
        parts.append(f"It is not built yet: `nasrepro bench build {name} --workers 2` builds it.")
        return "\n\n".join(parts) + "\n"
    parts.append(
        f"Training and evaluation took {found.cpu_seconds / 3600:.1f} CPU hours, "
        f"{found.cpu_seconds / (found.packed + found.loose):.0f} seconds a run."
    )
    if found.complete > 1 and bench.others(definition.space):
        parts += _trust(bench.statistics(name), definition.space)
    elif found.complete > 1:
        parts += _trust(bench.stored_statistics(name), definition.space)
        parts.append("No table of others is on this machine: these statistics were stored before.")
    return "\n\n".join(parts) + "\n"


def _settings(definition: Any) -> str:
    """The settings of a self-made benchmark, beside those of the supernets judged by it, if any."""
    from nasrepro.pages.settings import describe_bench, describe_runs  # imports torch: slow
    from nasrepro.studies.subspaces import PROFILES

    alone = dict(describe_bench(definition).to_numpy().tolist())
    columns = {"a cell on its own": alone}
    for name, profile in PROFILES.items():
        if profile.table == definition.name:
            shared = dict(describe_runs([profile.base], profile.nets).to_numpy().tolist())
            shared["cells"] = f"evaluates {shared.pop('cells evaluated')}"
            shared["seeds"] = f"{sum(profile.seeds.values())} supernets"
            columns[f"a supernet, profile `{name}`"] = shared
    settings = dict.fromkeys(setting for column in columns.values() for setting in column)
    rows = [[s, *(column.get(s, "–") for column in columns.values())] for s in settings]
    return markdown_table(["setting", *columns], rows)


def _trust(statistics: pd.DataFrame, its_space: str) -> list[str]:
    """The statistics of a self-made benchmark as a table, and a word on what is missing."""
    labels = {
        "between seeds": "another seed of the same cells: $r$",
        "ceiling": "a predictor without noise, at best: about $\\sqrt{r}$ (noise ceiling)",
        "parameters": "the number of parameters",
        "flops": "the number of floating-point operations",
    }
    rows = [
        [
            labels.get(row.what, f"`{row.what}`, `{row.column}`"),
            f"`{row.column}`" if row.what in labels else "its test accuracy",
            with_interval(row.mean_, row.ci_low, row.ci_high),
            str(row.n),
        ]
        for row in _with_ceilings(statistics).rename(columns={"mean": "mean_"}).itertuples()
    ]
    header = ["compared with", "of the benchmark", "Spearman, 95% interval over cells", "cells"]
    others = [name for name, space in benchmarks.OTHERS.items() if space == its_space]
    missing = [f"`{name}`" for name in others if name not in set(statistics["what"])]
    note = [f"Not compared with {', '.join(missing)}: not at hand."] if missing else []
    return [markdown_table(header, rows), *note]


def _with_ceilings(statistics: pd.DataFrame) -> pd.DataFrame:
    """The statistics, and after the agreement of seeds, r, its root: a noise ceiling.

    What two trainings have in common correlates about sqrt(r) with either of them (the correction
    for attenuation of Spearman 1904), where the noise of the two is independent.
    """
    numbers = ["mean", "ci_low", "ci_high"]
    ceilings = statistics[statistics["what"] == "between seeds"].assign(what="ceiling")
    ceilings[numbers] = np.sqrt(ceilings[numbers].clip(lower=0))
    first = len(ceilings)  # the agreement of seeds comes first
    return pd.concat([statistics[:first], ceilings, statistics[first:]])


def verdicts(judged: pd.DataFrame, executions: Mapping[str, Mapping[str, Any]]) -> str:
    """How many claims of each study have which verdict, each with a link to those claims."""
    from nasrepro.pages.registry import count  # imports torch: slow

    pages = {of[0]: name for name, of in _shown(executions).items()}
    lines = []
    for name, its in judged.groupby("study", sort=False):
        total, *counts = count(its)
        found = zip(VERDICTS, counts, strict=True)
        badges = " ".join(_badge(name, *of) for of in found if of[1])
        title = _link(pages[name]) if name in pages else f"{name}, without a page yet"
        lines.append(f"* {title}: {total} claims<br>{badges}\n")
    return "".join(lines)


def _badge(name: str, verdict: str, count: int) -> str:
    """How many claims of a study have a verdict: a link from a page of `book/` to their list."""
    from nasrepro.pages.cards import SYMBOLS  # imports torch: slow

    where = f"claims.html?study={name}&amp;verdict={verdict.replace(' ', '+')}"
    kind = verdict.replace(" ", "-")
    return f'<a class="verdict {kind}" href="{where}">{SYMBOLS[verdict]} {count} {verdict}</a>'


def all_claims(judged: pd.DataFrame) -> str:
    """Every claim of every study as a card, with a link to the page of its study."""
    from nasrepro.pages import cards  # imports torch: slow

    return cards.cards(judged, {}, {}, home="../") + "\n"


def _claims(executions: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The claims of all studies, in the profiles that are shown."""
    from nasrepro.pages.registry import all_claims  # imports torch: slow

    return all_claims(dict(_shown(executions).values()))


def _shown(executions: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Study and profile of each notebook that shows one."""
    found = {name: _study(name, execution) for name, execution in executions.items()}
    return {name: of for name, of in found.items() if of}


def _link(notebook: str) -> str:
    return f"{{doc}}`/book/_executed/{notebook}`"


def _study(notebook: str, execution: Mapping[str, Any]) -> tuple[str, str] | None:
    """Study and profile that a notebook shows: `01_NAME` shows the study NAME."""
    name, profile = studies.of_notebook(notebook), execution.get("parameters", {}).get("profile")
    return None if name not in studies.NAMES or profile is None else (name, profile)


def notebooks(executions: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a notebook: its runs, seeds, computing time, and how long the page took."""
    header = ["study", "profile", "runs stored", "diverged", "seeds", "computing", "page"]
    rows = []
    for name, execution in executions.items():
        row = [_link(name), execution.get("parameters", {}).get("profile")]
        row += _runs(_plan(name, execution))
        row.append(f"{execution['seconds']:.0f} s" if "seconds" in execution else None)
        rows.append(["–" if value is None else value for value in row])
    return markdown_table(header, rows) if rows else "There is no study yet.\n"


def _plan(notebook: str, execution: Mapping[str, Any]) -> Any:
    """The stored and missing runs of a notebook's study; None if it shows none."""
    shown = _study(notebook, execution)
    if shown is None:
        return None
    from nasrepro.studies.results import plan  # imports torch: slow

    return plan(*shown)


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
    """Where the records were measured: processor, threads, precision, versions, and how many."""
    from nasrepro.studies.results import precision_of  # imports torch: slow

    plans = [_plan(name, execution) for name, execution in executions.items()]
    # Studies share records.
    records = {record.key: record for plan in plans if plan for record in plan.stored}
    counts: Counter[tuple[str, ...]] = Counter()
    for record in records.values():
        found = record.measurement
        packages = ", ".join(f"{name} {v}" for name, v in sorted(found.versions.items()))
        place = (found.device, found.cpu, str(found.threads), precision_of(record), packages)
        counts[place] += 1
    header = ["device", "processor", "threads", "trained in", "versions", "runs"]
    rows = [[*key, str(count)] for key, count in sorted(counts.items())]
    return markdown_table(header, rows) if rows else "No record is stored yet.\n"


def records(executions: Mapping[str, Mapping[str, Any]]) -> str:
    """Every stored run behind a page: a section for each part of each study."""
    shown = dict(_shown(executions).values())
    sections = [
        f"({runs_anchor(name, part)})=\n## {name}{f', {part}' if part else ''}\n\n"
        f"{len(stored)} runs in the profile {profile}.\n\n{_runs_table(stored, labels)}"
        for name, profile in shown.items()
        for part, (stored, labels) in _by_part(name, profile).items()
    ]
    return "\n".join(sections) or "No record is stored yet.\n"


def _by_part(name: str, profile: str) -> dict[str, tuple[list[Any], list[dict[str, str]]]]:
    """The stored records of a study and their labels, by the part of its design."""
    from nasrepro.studies.design import PART  # imports torch: slow
    from nasrepro.studies.results import plan

    design = studies.study(name).design(profile)
    found: dict[str, tuple[list[Any], list[dict[str, str]]]] = {}
    for record in plan(name, profile).stored:
        labels = dict(design[record.config])
        stored, its_labels = found.setdefault(labels.pop(PART, ""), ([], []))
        stored.append(record)
        its_labels.append(labels)
    return found


def _runs_table(stored: Iterable[Any], labels: Iterable[Mapping[str, str]]) -> str:
    """Key, labels, config, status, time and machine of records, folded."""
    from nasrepro.runs.kinds import length_of, sampler_name  # imports torch: slow
    from nasrepro.studies.results import precision_of, seconds

    rows = []
    for record, its in zip(stored, labels, strict=True):
        config, found = record.config, record.measurement
        train, sampler = config.train, sampler_name(config)
        trained = f"{length_of(config)}, batch {train.batch_size}, rate {train.learning_rate:g}, "
        trained += f"{sampler}, {precision_of(record)}" if sampler else precision_of(record)
        machine = f"{found.cpu}, {found.threads} thread(s)"
        rows.append(
            [
                f"`{record.key[:12]}`",
                *("; ".join(its.values()), config.seed, str(config.net), trained, record.status),
                f"{seconds(record) / 60:.1f}",
                machine,
            ]
        )
    header = ["key", "what", "seed", "network", "training", "status", "minutes", "machine"]
    return f":::{{dropdown}} Keys\n\n{markdown_table(header, rows)}:::\n"


def ratios(path: Path) -> str:
    """What `make bench` measured: one table a machine, how many times as fast one way is.

    Args:
        path: `bench.json`; a page without it says how to make it.
    """
    if not path.exists():
        return "Nothing is measured yet: `make bench`.\n"
    rows = json.loads(path.read_text(encoding="utf-8"))
    parts = []
    for machine in {str(row["machine"]): row["machine"] for row in rows}.values():
        parts.append(
            f"{machine['gpu'] + ' beside ' if 'gpu' in machine else ''}"
            f"{machine['cpu']} ({machine.get('instructions', 'all its instructions')}), "
            f"{machine['cores']} cores, {machine['threads']} thread a process, "
            f"Python {machine['python']}, torch {machine['torch']}:\n"
        )
        body = [
            [
                f"{row['name']}: {row['what']}",
                row["baseline"],
                row["way"],
                "{median:.2f} [{min:.2f}, {max:.2f}]".format_map(row["ratio"]),
                row["turns"],
                _rates(row),
            ]
            for row in rows
            if row["machine"] == machine
        ]
        header = [
            "work",
            "baseline",
            "compared",
            "times as fast: median [least, largest turn]",
            "turns",
            "images a second, or seconds of work without images: baseline; compared",
        ]
        parts.append(markdown_table(header, body))
    return "\n".join(parts)


def _rates(row: Mapping[str, Any]) -> str:
    """Images a second of the baseline and of the other way; seconds of work without images."""
    seconds = [row["seconds"][row[way]] for way in ("baseline", "way")]
    if "images" in row:
        return "; ".join(f"{row['images'] / each:,.0f}" for each in seconds)
    return "; ".join(f"{each:.2g} s" for each in seconds)


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
