"""Sphinx extension: what the pages of this book have beyond the theme's.

Figures and tables are numbered within a page, so that no page changes the numbers of another. The
code cells of a page are hidden until a box is ticked, by the style sheet alone. Files that a
notebook carries in its links, as data, become files of the site.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

SWITCH = (
    '<p class="show-code"><label><input type="checkbox" id="show-code"> '
    "Show the code of this page</label></p>"
)
CARRIED = re.compile(r'(href|src)="data:([\w/+.-]+)(?:;charset=[\w-]+)?;base64,([\w+/=]+)"')
SUMMARY, LINK = re.compile(r"<summary.*?</summary>", re.DOTALL), re.compile(r"</?a\b[^>]*>")
SUFFIXES = {"text/csv": "csv", "image/svg+xml": "svg"}


def number_within_pages(app: Sphinx, env: BuildEnvironment) -> None:
    """Count figures and tables from one on each page, in their order."""
    for by_type in env.toc_fignumbers.values():
        for numbers in by_type.values():
            numbers.update({name: (i,) for i, name in enumerate(numbers, start=1)})


def finish(app: Sphinx, name: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Add the box to a page with code cells, and write the files that its links carry."""
    body = context.get("body", "")
    if 'class="cell_input' in body or "cell_input docutils" in body:
        body = body.replace("</h1>", "</h1>" + SWITCH, 1)
    # What unfolds is itself clicked: the number in it is no link to what it unfolds.
    body = SUMMARY.sub(lambda found: LINK.sub("", found[0]), body)
    folder = Path(app.outdir) / "_files"

    def write(match: re.Match[str]) -> str:
        content = base64.b64decode(match[3])
        file = f"{hashlib.sha256(content).hexdigest()[:12]}.{SUFFIXES[match[2]]}"
        folder.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
        return f'{match[1]}="{"../" * name.count("/")}_files/{file}"'

    context["body"] = CARRIED.sub(write, body)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect both to Sphinx's events."""
    app.connect("env-check-consistency", number_within_pages)
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
