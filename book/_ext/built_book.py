"""Sphinx extension for a page that is built alone: its links to other pages lead to the built book.

Where the book is not built, or has no such page, the text of the link stands there without it.
"""

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

HTML_LINK = re.compile(r'href="((?:[\w.-]+/)*[\w-]+\.html)(#[^"]*)?"')


def lead_to_the_book(
    app: Sphinx, env: BuildEnvironment, node: nodes.Element, text: nodes.Element
) -> nodes.Element | None:
    """The link of a `{doc}` to a page that is not built here."""
    if node.get("reftype") != "doc":
        return None
    folder = posixpath.dirname(node["refdoc"])
    page = posixpath.normpath(posixpath.join("/", folder, f"{node['reftarget']}.html"))
    if not (Path(app.config.built_book) / page[1:]).exists():
        return None
    return nodes.reference("", "", text, refuri=to_the_book(app, folder) + page)


def to_the_book(app: Sphinx, folder: str) -> str:
    """The way from a folder of this site to the built book."""
    path = os.path.relpath(app.config.built_book, Path(app.config.built_page) / folder)
    return Path(path).as_posix()


def lead_html_to_the_book(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """The links of HTML that outputs hold, to pages that are not built here."""
    folder = posixpath.dirname(pagename)

    def lead(match: re.Match[str]) -> str:
        page = posixpath.normpath(posixpath.join(folder, match[1]))
        if page.startswith("..") or page.removesuffix(".html") in app.env.found_docs:
            return match[0]
        there = (Path(app.config.built_book) / page).exists()
        return f'href="{to_the_book(app, folder)}/{page}{match[2] or ""}"' if there else ""

    context["body"] = HTML_LINK.sub(lead, context.get("body", ""))


def setup(app: Sphinx) -> dict[str, bool]:
    """Two folders: of the built book, and where this site will lie."""
    app.add_config_value("built_book", "", "html")
    app.add_config_value("built_page", "", "html")
    app.connect("missing-reference", lead_to_the_book)
    app.connect("html-page-context", lead_html_to_the_book)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
