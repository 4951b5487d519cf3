"""Study 5 as a page: SoTL-DARTS and its family, on three benchmarks' spaces and DARTS' own."""

from collections.abc import Sequence

import pandas as pd

from nasrepro.pages import darts as of_nb201
from nasrepro.pages import darts_oneshot as of_one_shot
from nasrepro.pages import darts_space as of_space
from nasrepro.pages.page import stored_of
from nasrepro.studies import darts, darts_oneshot, sotl_darts

claims = of_nb201.claims


NUMBERS = {
    **of_nb201.NUMBERS,
    "searches-nb201": stored_of(sotl_darts.NB201),
    "searches-darts": stored_of(sotl_darts.SPACE),
    "networks-alone": stored_of(sotl_darts.ALONE),
    "supernets-ranked": stored_of(sotl_darts.RANKED),
    "supernets-tuned": stored_of(sotl_darts.TUNED),
    "searches-1shot1": stored_of(sotl_darts.ONE_SHOT),
}
TABLES = of_nb201.TABLES | of_one_shot.TABLES | of_space.TABLES
FIGURES = of_nb201.FIGURES | of_one_shot.FIGURES | of_space.FIGURES
SHOWS: dict[str, Sequence[str]] = {**of_nb201.SHOWS, **of_one_shot.SHOWS, **of_space.SHOWS}


def parts_of(name: str, rows: pd.DataFrame) -> list[str]:
    """The parts of the design whose runs are behind a table of statistics."""
    ranked = [sotl_darts.RANKED, sotl_darts.TUNED, sotl_darts.SPACE]
    others = {"alone": [], "retrained": [sotl_darts.ALONE, sotl_darts.SPACE]}
    others |= {"ranks": ranked, "rankings": ranked}
    if name in others:
        return others[name]
    if name.startswith("space_"):
        return [sotl_darts.SPACE]
    if name.startswith(darts_oneshot.PREFIX):
        return [sotl_darts.ONE_SHOT]
    spaces = set(rows["space"]) if "space" in rows else {darts.SPACE}
    one_shot = set(darts_oneshot.SPACES.values())
    parts = {
        sotl_darts.NB201: spaces & {darts.SPACE},
        sotl_darts.SPACE: spaces - {darts.SPACE} - one_shot,
        sotl_darts.ONE_SHOT: spaces & one_shot,
    }
    return [part for part, mine in parts.items() if mine]
