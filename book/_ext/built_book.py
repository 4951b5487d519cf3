"""Sphinx extension for a page that is built alone: its links to other pages lead to the built book.

Where the book is not built, or has no such page, the text of the link stands there without it.
"""

import os
import posixpath
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


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
    to_the_book = os.path.relpath(app.config.built_book, Path(app.config.built_page) / folder)
    return nodes.reference("", "", text, refuri=Path(to_the_book).as_posix() + page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Two folders: of the built book, and where this site will lie."""
    app.add_config_value("built_book", "", "html")
    app.add_config_value("built_page", "", "html")
    app.connect("missing-reference", lead_to_the_book)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
