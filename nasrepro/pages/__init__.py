"""The pages of the book, one module a study: `NUMBERS`, `TABLES`, `FIGURES` and `claims`.

A study's notebook only places what they hold: its one call of `prepare` glues all numbers and
tables, and each figure is a call of `Page.figure`. What is made from data that is not on this
machine says so in its place, so a text can refer to all of it.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from nasrepro.errors import ConfigError
from nasrepro.studies import MODULES, study

if TYPE_CHECKING:  # imports torch: slow
    from nasrepro.pages.page import Page


def of_study(name: str) -> ModuleType:
    """The module of a study's page; ConfigError if there is no such study, or no page of it yet."""
    study(name)
    module = f"nasrepro.pages.{MODULES[name]}"
    if find_spec(module) is None:
        raise ConfigError(f"the study {name} has no page yet")
    return import_module(module)


def prepare(name: str, profile: str, workers: int = 0, device: str = "cpu") -> "Page":
    """The page of a study, its numbers and tables glued for the text of this notebook.

    Args:
        name: of the study.
        profile: of the study.
        workers: local processes that compute missing runs; 0 shows what is stored.
        device: for computing: "cpu", "cuda" or "mps".
    """
    from nasrepro.pages.page import compose, glue_all, read_inputs
    from nasrepro.studies.results import compute_missing

    if workers:
        compute_missing(name, profile, workers=workers, device=device, progress=False)
    page = compose(read_inputs(name, profile), of_study(name))
    glue_all(page)
    return page
