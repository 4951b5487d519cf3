"""A numbered figure of a page: a tidy table, a picture of it, and what it shows in words."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from nasrepro import plots

if TYPE_CHECKING:
    from nasrepro.pages.inputs import Inputs


@dataclass(frozen=True)
class Drawing:
    """A figure of a page, from its data to its words."""

    data: Callable[["Inputs"], pd.DataFrame]  # all that is drawn; Absent where it is not here
    draw: Callable[[pd.DataFrame], Figure]
    finding: Callable[[pd.DataFrame], str]  # what it shows, one sentence with numbers of the data
    caption: str  # how to read it; names numbers of the page in braces
    shown: bool = True  # else it is folded below its finding

    def svg(self, frame: pd.DataFrame, label: str) -> str:
        """The picture of the data as SVG, with the finding for who does not see it."""
        return plots.svg(lambda: self.draw(frame), label, self.finding(frame))


def numbered_figure(picture: str, finding: str, notes: str, label: str) -> str:
    """A numbered figure in MyST, for the directive of `book/_ext/local_figures.py`.

    Args:
        picture: HTML.
        finding: what it shows.
        notes: how to read it.
        label: for references.
    """
    return f"````{{inline-figure}} {label}\n{picture}\n+++\n{finding}\n\n{notes}\n````"


def folded(title: str, content: str, unfolded: bool = False) -> str:
    """MyST that is seen only when its title is clicked, or until then."""
    state = ":open:\n" if unfolded else ""
    # Colons: a title that has backticks is none behind a fence of backticks.
    return f":::::{{dropdown}} {title}\n:class-container: fold\n{state}\n{content}\n:::::"


def placeholder(text: str) -> str:
    """In place of a picture, what is missing; commands in backticks.

    >>> placeholder("Run `a & b`.")
    '<p class="absent">Run <code>a &amp; b</code>.</p>'
    """
    marked = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
    return f'<p class="absent">{marked}</p>'
