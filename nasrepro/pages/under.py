"""The block under a figure or a table: its data, command, code, the runs behind it, its claims."""

import base64
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pandas as pd

from nasrepro import paths
from nasrepro.canonical import to_csv
from nasrepro.pages.inputs import Inputs, Read
from nasrepro.pages.registry import anchor
from nasrepro.studies import study
from nasrepro.studies.design import PART

RECORDS = "../records.html"  # from the page of a study
CSV, SVG = "text/csv", "image/svg+xml"


def under(
    label: str,
    made_by: Sequence[Callable[..., Any]],
    read: Read,
    page: Inputs,
    module: ModuleType,
    files: Mapping[str, tuple[str, str]],
) -> str:
    """Everything that leads from a figure or a table back to where it comes from, as MyST text.

    Args:
        label: of the figure or table.
        made_by: the functions that made it.
        read: what they read.
        page: the inputs of the page.
        module: of the page.
        files: more to download: by its name, what it is and its content as CSV or SVG.
    """
    claims = getattr(module, "SHOWS", {}).get(label, ())
    entries = {
        "data": ", ".join([*map(_file, files.items()), *map(_table_link, read.frames.items())]),
        "command": "<br>".join(f"<code>{escape(line)}</code>" for line in commands(page, read)),
        "records": _runs(page, parts(page, read, module)),
        "claims": ", ".join(f'<a href="#{anchor(claim)}">{escape(claim)}</a>' for claim in claims),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in entries.items() if text)
    functions = list(dict.fromkeys(f for make in made_by for f in named_functions(make)))
    code = "\n\n\n".join(
        f"# {place_of(function)}\n{dedent(inspect.getsource(function)).strip()}"
        for function in functions
    )
    return (
        f'<details class="under"><summary>Data, command, code, records</summary>\n'
        f"<dl>{listed}</dl>\n\n```python\n{code}\n```\n\n</details>"
    )


def link_to(name: str, media: str, content: str) -> str:
    """A link that carries a file; the book's site keeps it as a file of its own."""
    data = base64.b64encode(content.encode()).decode()
    return f'<a download="{escape(name)}" href="data:{media};base64,{data}">{escape(name)}</a>'


def _table_link(table: tuple[str, pd.DataFrame]) -> str:
    name, frame = table
    return f"{link_to(f'{name}.csv', 'text/csv', to_csv(frame))} ({len(frame):,} rows)"


def _file(file: tuple[str, tuple[str, str]]) -> str:
    name, (media, content) = file
    return link_to(name, media, content)


def commands(page: Inputs, read: Read) -> list[str]:
    """What prints the tables that were read, else what makes the page."""
    known = study(page.study).TABLES
    asked = [name for name in read.frames if name in known]
    if not asked:
        return [f"nasrepro study run {page.study} --profile {page.profile}"]
    return [f"nasrepro study table {page.study} {name} --profile {page.profile}" for name in asked]


def parts(page: Inputs, read: Read, module: ModuleType) -> dict[str, int]:
    """How many stored runs are behind what was read, by the part of the study's design.

    Of a table of statistics, those of the parts that `module.parts_of` names, or of all parts
    where it has no such function; beside them the runs that were read themselves.
    """
    design = study(page.study).design(page.profile)
    of_key = {config.key: labels.get(PART, "") for config, labels in design.items()}
    named = getattr(module, "parts_of", lambda name, frame: set(of_key.values()))
    wanted = {part for name, frame in read.frames.items() for part in named(name, frame)}
    counts: dict[str, int] = {}
    for record in page.plan.stored:
        if of_key.get(record.key) in wanted or record.key in read.records:
            counts[of_key[record.key]] = counts.get(of_key[record.key], 0) + 1
    return counts


def runs_anchor(name: str, part: str) -> str:
    """The anchor of a part of a study on the page of records.

    >>> runs_anchor("regret", "nb201_whole")
    'runs-regret-nb201-whole'
    >>> runs_anchor("sotl", "one-shot spaces")
    'runs-sotl-one-shot-spaces'
    """
    return re.sub(r"[\W_]+", "-", f"runs-{name}-{part}").rstrip("-")


def _runs(page: Inputs, counts: Mapping[str, int]) -> str:
    links = [
        f'<a href="{RECORDS}#{runs_anchor(page.study, part)}">{count} runs'
        f"{f' ({escape(part)})' if part else ''}</a>"
        for part, count in counts.items()
    ]
    return ", ".join(links)


def named_functions(make: Callable[..., Any]) -> list[Callable[..., Any]]:
    """A function; of a lambda, itself and the functions of this library that it calls."""
    if make.__name__ != "<lambda>":
        return [make]
    seen = [make.__globals__[name] for name in make.__code__.co_names if name in make.__globals__]
    modules = [part for part in seen if inspect.ismodule(part)]
    seen += [getattr(m, name, None) for m in modules for name in make.__code__.co_names]
    ours = [f for f in seen if inspect.isfunction(f) and f.__module__.startswith("nasrepro")]
    return [make, *ours]


def place_of(make: Callable[..., Any]) -> str:
    """The file and line of a function, from the repository's folder."""
    path = Path(inspect.getsourcefile(make) or "").resolve()
    _, line = inspect.getsourcelines(make)
    inside = path.is_relative_to(paths.REPOSITORY)
    shown = path.relative_to(paths.REPOSITORY).as_posix() if inside else path.name
    return f"{shown}, line {line}"
