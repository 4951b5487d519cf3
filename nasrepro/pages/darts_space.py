"""Study 5's page on DARTS' space: searches, their cells alone, and a surrogate's predictions."""

from typing import cast

import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import nb301
from nasrepro.nets.darts import KINDS
from nasrepro.pages.darts import algorithms_table
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.page import Table
from nasrepro.pages.searches import at_the_end, settings_table
from nasrepro.pages.settings import describe_protocol
from nasrepro.pages.text import with_interval
from nasrepro.spaces.darts import INPUTS, LABELS, WITHOUT_PARAMETERS, Cell, Subspace
from nasrepro.studies import darts_claims, darts_space
from nasrepro.studies.darts import FIRST, SOTL
from nasrepro.studies.measure import summarise

SHORT = {FIRST: "DARTS", SOTL: "SoTL-DARTS"}  # settings whose cells are drawn
SHORT_SPACES = {darts_space.WHOLE: "All", darts_space.S2_NAME: "S2"}
EIGENVALUES = ("eigenvalue_training", "eigenvalue_validation")
HEADS = {  # columns and metrics of DARTS' space: their heads
    "skips": "skips of 16",
    "parameterless": "without parameters of 16",
    "depth": "depth, normal",
    "depth_reduction": "depth, reduction",
    "width": "width, normal",
    "width_reduction": "width, reduction",
    "skips_left": "edges with a skip left",
    "largest_alpha": "largest alpha",
    "eigenvalue_training": "eigenvalue, training",
    "eigenvalue_validation": "eigenvalue, validation",
}
RANKS = {
    "spearman": ("Spearman", 3),
    "kendall_tau_b": ("Kendall's tau-b", 3),
    "tau_top_tenth": ("tau-b in the top tenth", 3),
    "top_10_accuracy": ("best prediction of its ten best, %", 2),
}


def searches_of(page: Inputs) -> pd.DataFrame:
    """The searches of DARTS' space and of S2 that did not diverge; Absent, if there are none."""
    rows = page.frame("searches", status="ok")
    mine = rows[rows["space"].isin(darts_space.SPACES)]
    if mine.empty:
        raise page.absent()
    return mine


def setting(page: Inputs) -> pd.DataFrame:
    """What the searches of a space share that a setting does not change, a column a space."""
    columns = {}
    for space, base in darts_space.PROFILES[page.profile].searches.items():
        columns[space] = {
            "networks": str(base.net),
            "operations": ", ".join(
                map(LABELS.__getitem__, cast(Subspace, base.subspace).candidates)
            ),
            **describe_protocol(base.data, base.train, base.evaluate),
            "batch normalisation": "by the statistics of the batch; scale and shift are learned in "
            "the stem and in what prepares the inputs of cells, not in the searched operations",
            "alphas": f"Adam with rate {base.algorithm.learning_rate:g}",
            "steps that SoTL-DARTS sums over": str(
                darts_space.PROFILES[page.profile].periods[space]
            ),
        }
    return pd.DataFrame(columns).rename_axis("setting").reset_index()


def algorithms(page: Inputs) -> pd.DataFrame:
    """One row a space and setting, as in the table of NAS-Bench-201."""
    profile = darts_space.PROFILES[page.profile]
    parts = []
    for space in darts_space.SPACES:
        configs = {
            labels["setting"]: config
            for config, labels in darts_space.searches(page.profile, 1).items()
            if labels["space"] == space
        }
        table = algorithms_table(configs, darts_space.factors(profile, space))
        parts.append(table.assign(space=space)[["space", *table]])
    return pd.concat(parts, ignore_index=True)


def searches_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a search of DARTS' space: what its cell is made of."""
    whole = ("skips", "parameterless", "depth", "depth_reduction")
    counts = {name: rows[name].map("{:.0f}".format) for name in whole}
    digits = {
        "width": 1,
        "width_reduction": 1,
        "skips_left": 2,
        "largest_alpha": 3,
    } | dict.fromkeys(EIGENVALUES, 3)
    numbers = {name: rows[name].map(f"{{:.{n}f}}".format) for name, n in digits.items()}
    texts = {name: rows[name].astype(str) for name in ("space", "setting", "seed")}
    minutes = {"minutes": (rows["seconds"] / 60).map("{:.1f}".format)}
    return pd.DataFrame(texts | counts | numbers | minutes).rename(columns=HEADS)


def by_setting(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a space and setting: n and the means of some metrics."""
    shown = {name: (head, 1) for name, head in HEADS.items()}
    shown |= {name: (HEADS[name], 3) for name in ("skips_left", "largest_alpha", *EIGENVALUES)}
    parts = [
        settings_table(rows[rows["space"] == space], shown).assign(space=space)
        for space in dict.fromkeys(rows["space"])
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[["space", *table.columns.drop("space")]]


def retrained_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a space and setting: the mean accuracy of its cells."""
    of_one = ["space", "setting", "search", "cell"]
    means = rows.groupby(of_one, sort=False, dropna=False)["accuracy"].mean().reset_index()
    found = summarise(means, ["space", "setting"], "accuracy", correlation=lambda key: False)
    bounds = found[["mean", "ci_low", "ci_high"]].itertuples(index=False)
    accuracy = [with_interval(*row) for row in bounds]
    return found[["space", "setting"]].assign(
        n=found["n"].astype(str), **{"accuracy alone, %": accuracy}
    )


def rankings_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a truth and ranker: its rank correlations."""
    parts = [
        settings_table(mine.rename(columns={"ranker": "setting"}), RANKS).assign(truth=truth)
        for truth, mine in rows.groupby("truth", sort=False)
    ]
    table = pd.concat(parts, ignore_index=True).rename(columns={"setting": "ranked by"})
    return table[["truth", *table.columns.drop("truth")]]


TABLES = {
    "darts-space-setting": Table(
        "What searches of DARTS' space share, and of S2. Cells, images and epochs are those of the "
        "paper scaled down; the settings change what they change on NAS-Bench-201.",
        setting,
    ),
    "darts-space-algorithms": Table(
        "The settings of DARTS' space and of S2. Where the number of cells changes, weights, "
        "alphas and the learning rate begin anew, with the operations that are left. PDARTS leaves "
        "no choice in S2, which has two operations.",
        algorithms,
    ),
    "darts-space-searches": Table(
        "Every search of DARTS' space and of S2. What the cell selected after the last epoch is "
        "made of, over the sixteen operations of normal and reduction cell: skips, and operations "
        "without parameters (skips and pools); depth, which is the longest path from 2 to 5 edges, "
        "and width of either cell (Shu et al. 2020); the share of edges on which a skip is left at "
        "the end; the largest eigenvalue of the Hessian of the alphas then on training and on "
        "validation images.",
        lambda page: searches_table(searches_of(page)),
    ),
    "darts-space-settings": Table(
        "DARTS' space and S2 by setting. Mean and 95% interval over n seeds.",
        lambda page: by_setting(page.frame("space_settings")),
    ),
    "darts-retrained": Table(
        "Cells trained alone, at the size of this profile. Test accuracy: the mean over the n "
        "cells of a setting, each the mean of its trainings, with its 95% interval.",
        lambda page: retrained_table(page.frame("retrained", status="ok")),
    ),
    "darts-surrogate": Table(
        "Rankings of cells of DARTS' space. By the accuracies that NAS-Bench-301's surrogate "
        "predicts for 725 cells, which nobody measured, and by the accuracies alone of the random "
        "cells. Of supernets of paths, of estimators of their paths after a last minibatch, and of "
        "searches, mean and 95% interval over n seeds; of parameters and other zero-cost scores "
        "(nwot, synflow: as NASLib's authors computed them), one number. Likeness: how many of "
        "its sixteen operations a cell has in common with the cell that a search ends with.",
        lambda page: rankings_table(page.frame("rankings", [nb301.NAME])),
    ),
}

COURSES = {  # figure: space, column, axis, finding, caption
    "darts-s2-skips": (
        darts_space.S2_NAME,
        "skips",
        "skips of sixteen operations",
        "Skips",
        "The skip connections of the two cells that a search of S2 would select after each epoch; "
        "a line a seed.",
    ),
    "darts-space-depth": (
        darts_space.WHOLE,
        "depth",
        "depth of the normal cell",
        "The depth",
        "The longest path of the normal cell that a search of DARTS' space would select after each "
        "epoch, from 2 to 5 edges; a line a seed.",
    ),
}


def course(space: str, column: str, axis: str, what: str, caption: str) -> Drawing:
    """A figure of a number over the epochs of the searches of a space."""
    return Drawing(
        lambda page: page.frame("space_epochs", space=space),
        lambda rows: plots.search_courses(rows, column, axis, None),
        at_the_end(column, what, 1),
        caption,
        shown=False,
    )


def cells_of(page: Inputs) -> pd.DataFrame:
    """The edges of both cells that the first search of DARTS and of SoTL-DARTS ends with."""
    rows = searches_of(page)
    first = rows[rows["setting"].isin(SHORT)].groupby(["space", "setting"], sort=False).head(1)
    if first.empty:
        raise page.absent()
    return pd.DataFrame(
        [
            (f"{space}: {SHORT[setting]}, {kind}", source, INPUTS + place // 2, operation)
            for space, setting, cell in zip(
                first["space"].map(SHORT_SPACES), first["setting"], first["cell"], strict=True
            )
            for kind in KINDS
            for place, (operation, source) in enumerate(getattr(Cell.parse(cell), kind))
        ],
        columns=["cell", "source", "target", "operation"],
    )


def cells_finding(rows: pd.DataFrame) -> str:
    """How many operations of each drawn cell have no parameters."""
    idle = rows["operation"].isin(WITHOUT_PARAMETERS).groupby(rows["cell"], sort=False).sum()
    counts = "; ".join(f"{cell} {count}" for cell, count in idle.items())
    return f"Operations without parameters, of eight: {counts}."


FIGURES = {
    "darts-space-cells": Drawing(
        cells_of,
        lambda rows: plots.cell_graphs(rows, plots.DARTS_MARKS),
        cells_finding,
        "The cells that the first seed of a search ends with, of all operations and of S2. The two "
        "nodes on the left are the outputs of the cells before, the other four are the cell's "
        "output; dashed are 5x5 convolutions and average pooling.",
        shown=False,
    ),
    **{name: course(*of) for name, of in COURSES.items()},
}
SHOWS = {
    "tab-darts-space-searches": (
        *darts_claims.IN_DARTS_SPACE,
        *darts_claims.OF_DARTS_SPACE,
        "s2-eigenvalue",
    ),
    "tab-darts-retrained": tuple(darts_claims.ALONE),
}
