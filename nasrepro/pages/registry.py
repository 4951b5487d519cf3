"""Every claim of every study in one list: what a paper says, our verdict, and where both stand."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from nasrepro import paths
from nasrepro.claims import VERDICTS, Claim, judge, read_claims
from nasrepro.errors import ConfigError
from nasrepro.pages import has_page, of_study
from nasrepro.pages.inputs import statistics_at_hand
from nasrepro.studies import CLAIMS, NAMES, notebook_of, results, study

PAGE = "book/claims.html"  # the list of all; claims of a study without a page stand there alone
COLUMNS = (
    *("id", "paper", "study", "where", "statement", "status"),
    *("value", "ci_low", "ci_high", "n", "anchor"),
)
PAPERS = {"sotl": "SoTL"}  # whose names are not just capitalised
PROFILE = "cpu"  # the profile that the book shows


def registry(profiles: Mapping[str, str] | None = None) -> pd.DataFrame:
    """All claims of all studies.

    Args:
        profiles: by name, of the studies that are not shown in the profile `PROFILE`.

    Returns:
        One row a claim with `COLUMNS`: value and interval are those that the status is judged by,
        n what they are over, anchor the address of its card in the site.
    """
    names = {"claim": "id", "verdict": "status", "ours": "value"}
    return all_claims(profiles or {}).rename(columns=names)[list(COLUMNS)]


def all_claims(profiles: Mapping[str, str]) -> pd.DataFrame:
    """What `claims_of` gives for every study; argument as in `registry`."""
    shown = dict.fromkeys(NAMES, PROFILE) | dict(profiles)
    return pd.concat([claims_of(*of) for of in shown.items()], ignore_index=True)


def count(claims: pd.DataFrame) -> list[int]:
    """How many claims there are, and how many with each of `VERDICTS`."""
    return [len(claims), *((claims["verdict"] == verdict).sum() for verdict in VERDICTS)]


def chosen(rows: pd.DataFrame, **wanted: str | None) -> pd.DataFrame:
    """The claims that have some values, by column; None for any. ConfigError if none ever has."""
    for column, value in wanted.items():
        if value is None:
            continue
        there = VERDICTS if column == "status" else sorted(rows[column].unique())
        if value not in there:
            raise ConfigError(f"no claim has the {column} {value!r}, only {', '.join(there)}")
        rows = rows[rows[column] == value]
    return rows


def entries(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Claims of the registry as plain values: interval is a pair; None for what is not known."""
    found = json.loads(rows.to_json(orient="records"))
    for entry in found:
        entry["interval"] = [entry.pop("ci_low"), entry.pop("ci_high")]
    return found


def claims_of(name: str, profile: str) -> pd.DataFrame:
    """The claims of a study with their verdicts, from its stored statistics, else computed.

    What is stored is what `study run` and `study collect` computed; it is read in no time.

    Returns:
        The columns of `claims.judge`, source (whose numbers they are), and those of `placed`.
    """
    if not has_page(name):  # nothing judges them yet
        rows = [row for file in CLAIMS[name] for row in judge(file, {})]
        return placed(name, pd.DataFrame(rows).assign(source="ours"))
    if paths.exists(results.statistics_dir(name, profile)):
        statistics = results.stored_statistics(name, profile)
    else:
        statistics = statistics_at_hand(results.plan(name, profile), name, profile)
    frames = study(name).tables(statistics) if statistics else {}
    return placed(name, of_study(name).claims(frames))


def placed(name: str, judged: pd.DataFrame) -> pd.DataFrame:
    """Judged claims of a study with their paper, their study and the address of their card."""
    anchors = f"{page_of(name)}#" + judged["claim"].map(anchor)
    papers = judged["claim"].map(lambda claim: known()[claim][0])
    return judged.assign(paper=papers, study=name, anchor=anchors)


@cache
def known() -> dict[str, tuple[str, Claim]]:
    """Paper and claim of every claim, by its id; ConfigError if two claims have the same one."""
    found: dict[str, tuple[str, Claim]] = {}
    for file in (file for files in CLAIMS.values() for file in files):
        paper = paper_of(file)
        for claim in read_claims(file).values():
            if claim.id in found:
                raise ConfigError(f"{file}.toml: another file has a claim {claim.id!r}, too")
            found[claim.id] = paper, claim
    return found


def paper_of(file: str) -> str:
    """The short name of the paper of a file of claims.

    >>> paper_of("laube_tricks"), paper_of("sotl_darts")
    ('Laube', 'SoTL')
    """
    name = file.partition("_")[0]
    return PAPERS.get(name, name.capitalize())


def anchor(claim: str) -> str:
    """The anchor of a claim's card on its page.

    >>> anchor("improves-S-K + P-R")
    'claim-improves-S-K-P-R'
    """
    return "claim-" + re.sub(r"[^\w-]+", "-", claim)


def page_of(name: str) -> str:
    """The address in the site of the page with a study's claims."""
    shown = notebook_of(name)
    return f"book/_executed/{shown}.html" if shown else PAGE
