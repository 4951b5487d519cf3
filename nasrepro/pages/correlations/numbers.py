"""The numbers in the text of study 1's page."""

from collections.abc import Callable, Mapping

import pandas as pd

from nasrepro.benchmarks import load_table, nb101, nb201_seeds
from nasrepro.claims import exact, read_claims, verdict
from nasrepro.pages.correlations.measured import (
    NEEDS,
    as_printed,
    ceilings_of,
    claims,
    diverged,
    floor,
    full,
    full_201,
    interval_text,
    least_to_most,
    published_floor,
    published_full,
    runs_101,
    runs_201,
    supernets_101,
    supernets_201,
)
from nasrepro.pages.inputs import Absent, Inputs, how_to_get, is_here
from nasrepro.pages.page import verdict_numbers
from nasrepro.pages.settings import machine
from nasrepro.pages.text import (
    with_interval,
)
from nasrepro.runs.record import Record
from nasrepro.studies import appraisal, correlations, correlations_claims, subspaces


def truth(page: Inputs) -> str:
    """Which stand-alone accuracy this page means, or that its table is missing."""
    table = correlations.table_of(page.profile)
    if is_here(table):
        return str(load_table(table).column(subspaces.PROFILES[page.profile].column))
    return (
        "the benchmark's table is not on this machine, so this page shows the statistics stored "
        "with the records"
    )


def of_full(page: Inputs) -> pd.Series:
    """How small supernets of the full space rank, beside the parameter count."""
    return page.frame("baseline", subspace=full(page), size="S").iloc[0]


def claim_of(page: Inputs, claim: str) -> pd.Series:
    """The row of one of Laube's claims."""
    return page.frame("claims", claim=claim).iloc[0]


def of_best(page: Inputs, what: str) -> float:
    """A number of `correlations.best_cells` of the full space."""
    return float(page.frame("best", subspace=full_201(), what=what)["value"].iloc[0])


def kept(n: int) -> Callable[[Inputs], str]:
    """The share of the true top n with neither Zero nor Pool."""
    return lambda page: f"{of_best(page, f'kept {n}'):.0%}"


def conv3_by_caption(page: Inputs) -> float:
    """The share of 3x3 Conv by the caption's definition: `correlations_claims.conv3_by_caption`."""
    return correlations_claims.conv3_by_caption(page.frame("usage"))


def conv3_caption_verdict(page: Inputs) -> str:
    """What the verdict of `conv3-half` would be by the caption's definition."""
    return verdict(exact(conv3_by_caption(page), 500), read_claims("laube")["conv3-half"].region)


def between_runs(page: Inputs, cells: str) -> pd.Series:
    """How far two trainings of some cells of NAS-Bench-201 agree."""
    chosen = {"benchmark": "NAS-Bench-201", "cells": cells, "what": "between runs"}
    return page.frame("ceilings", [nb201_seeds.NAME], **chosen).iloc[0]


def of_equal_images(page: Inputs) -> pd.Series:
    """How AVG-3 with equal images ranks beside BNS-FT of the same seed."""
    chosen = {"more": appraisal.EQUAL_IMAGES, "less": appraisal.BASELINE}
    return page.frame("ours_equal_images", NEEDS["ours"], **chosen).iloc[0]


def range_of(cells: set[str], known: Mapping[str, str]) -> str:
    """The smallest and largest of the ceilings of some groups of cells; Absent without any."""
    found = sorted(float(text) for group, text in known.items() if group in cells)
    if not found:
        raise Absent(how_to_get([nb201_seeds.NAME, nb101.NAME]))
    return f"{found[0]:.2f} to {found[-1]:.2f}"


def where(page: Inputs, records: list[Record]) -> str:
    """On which machines runs were computed; Absent without runs."""
    if not records:
        raise page.absent()
    return machine(records)


NUMBERS: dict[str, Callable[[Inputs], object]] = {
    "profile": lambda page: page.profile,
    "runs-stored": lambda page: len(supernets_201(page)),
    "runs-total": lambda page: len(runs_201(page)),
    "nb101-stored": lambda page: len(supernets_101(page)),
    "nb101-total": lambda page: len(runs_101(page)),
    "diverged": lambda page: diverged(supernets_201(page)),
    "nb101-diverged": lambda page: diverged(supernets_101(page)),
    "truth": truth,
    "validation-images": lambda page: f"{runs_201(page)[0].data.validation_images:,}",
    "own-epochs": lambda page: subspaces.OWN.train.epochs,
    "nb101-truth": lambda page: nb101.COLUMNS[0],
    "nb101-detail": lambda page: nb101.COLUMNS[0].detail,
    "full": full,
    "machine": lambda page: where(page, supernets_201(page)),
    "nb101-machine": lambda page: where(page, supernets_101(page)),
    "printed": lambda page: len(as_printed(page)),
    "printed-means": lambda page: as_printed(page)[["mean", "n"]].all(axis=1).sum(),
    "printed-intervals": lambda page: as_printed(page)["ci"].sum(),
    "spearman-full": lambda page: with_interval(*of_full(page)[["mean", "ci_low", "ci_high"]]),
    "spearman-full-n": lambda page: of_full(page)["n"],
    "spearman-parameters": lambda page: f"{of_full(page)['parameter_count']:.2f}",
    "spearman-seeds": lambda page: f"{of_full(page)['between_seeds']:.2f}",
    "floor-above": lambda page: floor(page)["above"],
    "floor-below": lambda page: floor(page)["below"],
    "floor-open": lambda page: floor(page)["open"],
    "small-settings": lambda page: sum(floor(page).values()),
    "zero-tried": lambda page: correlations.mask_zero_elsewhere(page.frame("tried"))["tried"],
    "zero-tried-higher": lambda page: correlations.mask_zero_elsewhere(page.frame("tried"))[
        "higher"
    ],
    "conv3-edges": lambda page: f"{claim_of(page, 'conv3-half')['ours']:.2f}",
    "conv3-caption": lambda page: f"{conv3_by_caption(page):.2f}",
    "conv3-caption-verdict": conv3_caption_verdict,
    "authors-floor": lambda page: appraisal.spaces_above_floor(page.frames, "authors"),
    "published-supernets": lambda page: published_full(page)["n"].sum(),
    "published-spearman": lambda page: least_to_most(published_full(page)["mean"]),
    "published-ours": lambda page: interval_text(
        page.frame("summary", subspace=full_201(), size="S", metric="spearman").iloc[0]
    ),
    "published-floor": lambda page: f"{published_floor(page)['spearman']:.2f}",
    "published-top": lambda page: least_to_most(
        published_full(page, metric="tau_top_tenth")["mean"]
    ),
    "published-floor-top": lambda page: f"{published_floor(page)['tau_top_tenth']:.2f}",
    **{f"kept-{n}": kept(n) for n in (10, 50, 500)},
    "equal-images": lambda page: interval_text(of_equal_images(page)),
    "equal-images-n": lambda page: of_equal_images(page)["n"],
    "gap": lambda page: f"{of_best(page, 'gap'):.3f}",
    "ceiling-masks": lambda page: range_of(
        {str(s) for s in (*subspaces.SINGLES, *subspaces.DOUBLES)},
        ceilings_of(page, "NAS-Bench-201"),
    ),
    "ceiling-101": lambda page: range_of(
        set(appraisal.SPACES),
        ceilings_of(page, "NAS-Bench-101", what="ceiling of a mean of three"),
    ),
    "ceiling-all": lambda page: f"{between_runs(page, full_201())['value']:.3f}",
    "ceiling-high": lambda page: f"{between_runs(page, 'above 90%')['value']:.3f}",
    "ceiling-high-n": lambda page: between_runs(page, "above 90%")["n"],
    **verdict_numbers(claims),
}
