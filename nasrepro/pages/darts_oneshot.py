"""Study 5's page on NAS-Bench-1Shot1: every search, and table 4.7 beside ours."""

import pandas as pd

from nasrepro import plots
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.page import Table
from nasrepro.pages.searches import at_the_end
from nasrepro.pages.settings import describe_protocol
from nasrepro.pages.text import plus_minus_text, with_interval
from nasrepro.published import read
from nasrepro.stats import mean_interval
from nasrepro.studies import darts_oneshot
from nasrepro.studies.darts import FIRST, FROZEN_VALIDATION
from nasrepro.studies.darts_oneshot import ACCURACY, PREFIX, PRINTED, TABLE, THIRD, short

WHOLE = {"convolutions3": "3x3 convolutions", "loose_ends": "loose ends", "depth": "depth"}
REAL = {
    "largest_alpha": "largest alpha",
    "eigenvalue_training": "eigenvalue, training",
    "eigenvalue_validation": "eigenvalue, validation",
}
UNKNOWN = "not in the sample"
ON_VALIDATION = (FIRST, FROZEN_VALIDATION)  # the others' gradients come from training images


def setting(page: Inputs) -> pd.DataFrame:
    """What all searches share that a setting does not change."""
    chosen = darts_oneshot.PROFILES[page.profile]
    base = chosen.base
    rows = {
        "networks": str(base.net),
        **describe_protocol(base.data, base.train, base.evaluate),
        "batch normalisation": "by the statistics of the batch; scale and shift are learned "
        "everywhere, as in the code of NAS-Bench-1Shot1's authors",
        "alphas": f"of operations, inputs and outputs; Adam with rate "
        f"{base.algorithm.learning_rate:g}",
        "steps that SoTL-DARTS sums over": str(chosen.period),
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def searches_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a search: its cell, the accuracy if the sample has it, and what it is made of."""
    known = rows[ACCURACY].notna()
    return pd.DataFrame(
        {
            **{name: rows[name].astype(str) for name in ("space", "setting", "seed")},
            "cell": rows["cell"].map(short),
            "CIFAR-10, %": rows[ACCURACY].map("{:.2f}".format).where(known, UNKNOWN),
            **{head: rows[name].map("{:.0f}".format) for name, head in WHOLE.items()},
            **{head: rows[name].map("{:.3f}".format) for name, head in REAL.items()},
            "minutes": (rows["seconds"] / 60).map("{:.1f}".format),
        }
    )


def printed_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a space and setting of table 4.7: as printed, ours, and how many cells are known."""
    theirs = read("sotl_darts_tables").query("table == 4.7").set_index(["algorithm", "space"])
    found = []
    for (space, name), part in rows.groupby(["space", "setting"], sort=False):
        if name in PRINTED:
            row = theirs.loc[(PRINTED[name], f"NB101-{space[-1]}")]
            known = part[ACCURACY].dropna()
            found.append(
                {
                    "space": space,
                    "setting": name,
                    "as printed, %": plus_minus_text(row["value"], row["deviation"]),
                    "ours, %": with_interval(*mean_interval(known)[:3]) if len(known) else UNKNOWN,
                    "known": f"{len(known)} of {len(part)}",
                    "depth": with_interval(*mean_interval(part["depth"])[:3], digits=1),
                }
            )
    return pd.DataFrame(found)


TABLES = {
    "darts-oneshot-setting": Table(
        "What searches of NAS-Bench-1Shot1 share. Table B.1 of the paper at a smaller scale; the "
        "settings change what they change on NAS-Bench-201.",
        setting,
    ),
    "darts-oneshot-printed": Table(
        "Table 4.7 of the paper beside ours. Test accuracy after 108 epochs of the cell that a "
        "search selects at its end, mean and 95% interval over those of the searches whose cell "
        "the sample of NAS-Bench-101 has; depth is the longest path from input to output, in "
        "edges, over all searches.",
        lambda page: printed_table(page.frame(PREFIX + "searches", [TABLE], status="ok")),
    ),
    "darts-oneshot-searches": Table(
        "Every search of NAS-Bench-1Shot1. The encoding that it ends with: operation and inputs of "
        "each choice block, and what is joined to the output; test accuracy where the sample of "
        "NAS-Bench-101 has the architecture; how many operations of the blocks, loose ends too, "
        "are 3x3 convolutions; the largest eigenvalue of the Hessian of the alphas at the end.",
        lambda page: searches_table(page.frame(PREFIX + "searches", [TABLE], status="ok")),
    ),
}


def course(column: str, axis: str, what: str, digits: int, caption: str) -> Drawing:
    """A figure of a number over the epochs of the searches of the third space."""
    return Drawing(
        lambda page: page.frame(PREFIX + "epochs", [TABLE], space=THIRD),
        lambda rows: plots.search_courses(rows, column, axis, None),
        at_the_end(column, what, digits),
        caption,
        shown=False,
    )


def accuracies(page: Inputs) -> pd.DataFrame:
    """The epochs of searches of the third space after which the cell is one of the sample's."""
    rows = page.frame(PREFIX + "epochs", [TABLE], space=THIRD).dropna(subset=ACCURACY)
    if rows.empty:
        raise page.absent([TABLE])
    return rows


def eigenvalues(page: Inputs) -> pd.DataFrame:
    """Those on the images that the gradient of a setting comes from, in the third space."""
    rows = page.frame(PREFIX + "spectra", [TABLE], space=THIRD)
    own = rows["validation"].where(rows["setting"].isin(ON_VALIDATION), rows["training"])
    return rows.assign(eigenvalue=own)


FIGURES = {
    "darts-oneshot-accuracy": Drawing(
        accuracies,
        lambda rows: plots.search_courses(rows, ACCURACY, "test accuracy, percent", None),
        at_the_end(ACCURACY, "Accuracy in percent", 1),
        "Figures 4.14a and 4.16f: the test accuracy of the cell that a search of "
        "NAS-Bench-1Shot1's third space would select after each epoch; a line a seed. Epochs whose "
        "cell the sample of NAS-Bench-101 lacks are left out.",
        shown=False,
    ),
    "darts-oneshot-depth": course(
        "depth",
        "depth of the cell",
        "The depth",
        1,
        "Figure 4.14b: the longest path of the cell that a search of NAS-Bench-1Shot1's third "
        "space would select after each epoch, in edges; a line a seed.",
    ),
    "darts-oneshot-operations": course(
        "convolutions3",
        "3x3 convolutions of five blocks",
        "3x3 convolutions",
        1,
        "Figure 4.14c: the 3x3 convolutions of the cell that a search of NAS-Bench-1Shot1's third "
        "space would select after each epoch; a line a seed.",
    ),
    "darts-oneshot-eigenvalues": Drawing(
        eigenvalues,
        lambda rows: plots.search_courses(rows, "eigenvalue", "largest eigenvalue", 0.0),
        at_the_end("eigenvalue", "The largest eigenvalue", 3),
        "Figure 4.16e: the largest eigenvalue of the Hessian of the alphas in searches of "
        "NAS-Bench-1Shot1's third space, on images of the kind that the gradient of a setting "
        "comes from; a line a seed.",
        shown=False,
    ),
}
SHOWS = {
    "tab-darts-oneshot-searches": (
        *darts_oneshot.DIFFERENCES,
        "oneshot1-operations",
        "oneshot1-eigenvalue",
    ),
}
