"""Sphinx extension: a page is not loaded again for each reference to a number on it.

Sphinx reads and unpickles the page that has the target for every `numref`, and only looks up the
target there. With hundreds of them on large pages this is most of the time a book takes.
"""

from functools import lru_cache
from typing import Any

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment


class Reader:
    """Sphinx's environment, but a page that was just loaded is that object again: do not alter it.

    Args:
        env: the environment.
    """

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env
        self.get_doctree = lru_cache(maxsize=2)(env.get_doctree)  # most refer to their own page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


class Domain(StandardDomain):
    """Sphinx's own references, which look up numbers on pages that are loaded once."""

    def __init__(self, env: BuildEnvironment) -> None:
        super().__init__(env)
        self._reader = Reader(env)

    def resolve_xref(
        self, env: BuildEnvironment, page: str, builder: Builder, kind: str, *target: Any
    ) -> Element | None:
        """The link in a reference's place; None if it leads nowhere."""
        known = self._reader if kind == "numref" else env
        return super().resolve_xref(known, page, builder, kind, *target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Take the domain instead of Sphinx's own."""
    app.add_domain(Domain, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
