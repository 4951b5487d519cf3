"""Study 4's page, from a supernet: what ranks its paths (SoTL thesis 4.2)."""

from collections.abc import Callable

import pandas as pd

from nasrepro import plots
from nasrepro.claims import NOT_RUN
from nasrepro.data import cell_lists
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import Table
from nasrepro.pages.text import ordered, over_seeds, plus_minus_text, with_interval
from nasrepro.published import read
from nasrepro.spaces.nb1shot1 import ONE_SHOT, Subspace
from nasrepro.stats import Interval, mean_correlation
from nasrepro.studies import finetuning, oneshot
from nasrepro.studies.sotl_supernets import usual_batch

PRINTED_TRUTHS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16": "ImageNet16-120",
}
PRINTED_SPACES = {
    finetuning.SPACE: finetuning.SPACE,
    **{f"NB101-{number}": str(Subspace(number)) for number in ONE_SHOT},
}
# What a supernet's cells are ranked by, and after how many steps: columns of tables. A path that
# does not learn has the supernet's own weights.
COLUMNS = {
    "SoTL": ("SoTL", 100),
    "TLMini": ("TLMini", 1),
    "ValAcc": ("ValAcc", 0),
    "ValLoss": ("ValLoss", 0),
    "ValAccMini": ("ValAccMini", 0),
    "SoG": ("SoG", 100),
    "SoG (code)": ("SoG (code)", 100),
    "SoGN": ("SoGN", 100),
}


BOUNDS = {  # of a column of tables, which hold its interval
    "spearman": ("ci_low", "ci_high"),
    "top10": ("top10_low", "top10_high"),
    "partial": ("partial_low", "partial_high"),
}


def of_trainers(rows: pd.DataFrame, column: str, truth: str, digits: int) -> pd.DataFrame:
    """One row a trainer, start and rate: what the estimators of `COLUMNS` come to.

    Args:
        rows: of the study's table `estimators`.
        column: "spearman", whose interval is ci_low and ci_high; or "top10".
        truth: a name.
        digits: after the point.
    """
    low, high = BOUNDS[column]
    usual = rows["batch"].mode()[0]
    mine = rows[(rows["truth"] == truth) & (rows["batch"] == usual)]
    found = []
    for (trainer, start, rate), part in mine.groupby(["trainer", "start", "rate"], sort=False):
        cells = {"trainer": trainer, "supernet": start, "rate": rate, "n": str(part["n"].max())}
        for head, at in COLUMNS.items():
            row = up_to(part, *at)
            cells[head] = (
                "–" if row is None else with_interval(row[column], row[low], row[high], digits)
            )
        found.append(cells)
    return pd.DataFrame(found)


def up_to(rows: pd.DataFrame, estimator: str, step: int) -> pd.Series | None:
    """The last row of an estimator that is not after a step; None if there is none."""
    known = rows[(rows["estimator"] == estimator) & (rows["step"] <= step)]
    return None if known.empty else known.loc[known["step"].idxmax()]


def of_201(page: Inputs) -> pd.DataFrame:
    """The rows of the table `estimators` that are of NAS-Bench-201."""
    return page.frame("estimators", space=finetuning.SPACE)


def of_one_shot(page: Inputs) -> pd.DataFrame:
    """The rows of the table `estimators` that are of NAS-Bench-1Shot1."""
    rows = page.frame("estimators", [oneshot.TABLE])
    mine = rows[rows["space"] != finetuning.SPACE]
    if mine.empty:
        raise page.absent([oneshot.TABLE])
    return mine


def cells_of(page: Inputs) -> pd.Series:
    """How many cells of each space and sample of NAS-Bench-1Shot1 have a truth."""
    rows = page.frame("oneshot_parameters", [oneshot.TABLE], truth="cifar10")
    return rows.set_index(oneshot.SPACE_LABELS)["n"]


def listed_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a list of the thesis: how many of its cells there are, and have a truth."""
    printed = read("sotl_tables").query("where == 'table 4.5' and estimator == 'Params'")
    values = printed.set_index("space")["value"]
    heads = {
        "listed": "listed",
        "encodings": "encodings",
        "architectures": "architectures",
        "known": "listed, known",
        "known_encodings": "encodings, known",
        "known_architectures": "architectures, known",
    }
    return pd.DataFrame(
        {
            "space": rows["space"],
            **{head: rows[name].astype(str) for name, head in heads.items()},
            "parameters, Spearman": rows["spearman"].map("{:.2f}".format),
            "as printed": [f"{values[f'NB101-{space[-1]}']:.2f}" for space in rows["space"]],
        }
    )


def one_shot_table(page: Inputs) -> pd.DataFrame:
    """One row a space, sample, trainer and rate: what the estimators of `COLUMNS` come to."""
    counted = cells_of(page)

    def table(rows: pd.DataFrame) -> pd.DataFrame:
        shown = of_trainers(rows, "spearman", "cifar10", 2)
        about = tuple(rows[oneshot.SPACE_LABELS].iloc[0])
        shown.insert(0, "cells", str(counted[about]))
        return shown

    return by_sample(of_one_shot(page), table)


def one_shot_learning(page: Inputs) -> pd.DataFrame:
    """What learning adds in each space, on each sample of its cells."""
    rows = page.frame("oneshot_learning", [oneshot.TABLE])
    return by_sample(rows, learning_table)


def by_sample(rows: pd.DataFrame, table: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """A table of each space and sample of its cells, one below the other."""
    found = []
    for about, part in rows.groupby(oneshot.SPACE_LABELS, sort=False):
        of_part = table(part)
        names = dict(zip(("space", "sample of cells"), about, strict=True))
        found.append(pd.DataFrame(names, index=of_part.index).join(of_part))
    return pd.concat(found, ignore_index=True).fillna("–")


def beside_printed(rows: pd.DataFrame, where: str = "table 4.1") -> pd.DataFrame:
    """A table as printed, and ours: Spearman of each space, truth, trainer and estimator."""
    usual = (rows["start"] == "trained") & (rows["batch"] == rows["batch"].mode()[0])
    ours = rows[usual & (rows["sample"] == finetuning.THESIS)]
    known = dict(list(ours.groupby(["space", "truth", "trainer", "rate"])))
    printed = read("sotl_tables").query(f"where == {where!r} and metric == 'spearman'")
    names = {printed: name for name, printed in PRINTED_TRUTHS.items()}
    found = []
    for row in printed[printed["space"].isin(PRINTED_SPACES)].itertuples():
        estimator, step = COLUMNS[row.estimator]
        rate = "0" if row.estimator == "ValAcc" else f"{row.learning_rate:g}"
        key = (PRINTED_SPACES[row.space], names[row.truth], row.trainer, rate)
        mine, text, n = up_to(known.get(key, ours[:0]), estimator, step), "–", "–"
        if mine is not None:
            text = with_interval(mine["spearman"], mine["ci_low"], mine["ci_high"])
            n = str(mine["n"])
        found.append(
            {
                "space": key[0],
                "truth": row.truth,
                "trainer": row.trainer,
                "estimator": row.estimator,
                "printed": plus_minus_text(row.value, row.deviation),
                "ours": text,
                "n": n,
            }
        )
    table = pd.DataFrame(found)
    alike = [name for name in ("space", "truth") if table[name].nunique() == 1]
    return table.drop(columns=alike)


def learning_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What learning adds to the loss of a path that stays as it is, after 100 minibatches."""
    usual = rows["batch"].mode()[0]
    mine = rows[(rows["batch"] == usual) & (rows["step"] <= 100)]
    last = mine.groupby(["trainer", "rate"])["step"].transform("max")
    mine = mine[mine["step"] == last]
    mine = mine[mine["estimator"].isin(("SoTL", "TLMini", "sum of training accuracies"))]
    measures = {
        "Spearman": "spearman",
        "given parameters": "partial",
        "top-10, %": "top10",
    }
    return pd.DataFrame(
        [
            {
                "trainer": row["trainer"],
                "rate": row["rate"],
                "estimator": row["estimator"],
                "n": str(row["n"]),
                **{
                    head: with_interval(*(row[name] for name in (column, *BOUNDS[column])))
                    for head, column in measures.items()
                },
            }
            for row in mine.to_dict("records")
        ]
    )


def beyond_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether an estimator tells more than the parameter count: SPOS, a row a rate."""
    mine = rows[rows["trainer"] == "SPOS"]
    heads = {
        "spearman": "Spearman",
        "partial": "given parameters",
        "gain": "gain of both over parameters",
    }
    keys = ["start", "rate", "estimator", "step"]
    found = []
    for key, part in mine.groupby(keys, sort=False):
        if (key[2], key[3]) in COLUMNS.values():
            of = part.set_index("quantity")
            texts = {
                head: with_interval(*of.loc[name, ["mean", "ci_low", "ci_high"]])
                for name, head in heads.items()
                if name in of.index
            }
            about = dict(zip(("supernet", *keys[1:]), map(str, key), strict=True))
            found.append(about | {"n": str(of["n"].max())} | texts)
    return pd.DataFrame(found)


def frozen_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Paths that do not learn: loss and accuracy of so many images, by Spearman with CIFAR-10."""
    mine = rows[(rows["trainer"] == "SPOS") & (rows["start"] == "trained")]
    mine = usual_batch(mine)  # of which there are more orders
    mine = mine[mine["order"] == "0"]
    keys = ["images", "normalised", "seen"]
    found = []
    for (images, normalised, seen), part in mine.groupby(keys, sort=False):
        cells = {"images": images, "how many": f"{seen:,}", "normalised in": f"{normalised:,}"}
        cells["n"] = str(part["seed"].nunique())
        for measure in ("loss", "accuracy"):
            values = part[part["measure"] == measure].dropna(subset="spearman")
            for name, head in (("spearman", measure), ("partial", f"{measure}, given parameters")):
                known = values[name].dropna()
                cells[head] = with_interval(*mean_correlation(known)[:3]) if len(known) else "–"
        found.append(cells)
    return pd.DataFrame(found)


def orders_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How much the order of the images matters, beside how much the supernet does."""
    mine = rows[rows["estimator"].isin(("SoTL", "TLMini"))]
    return pd.DataFrame(
        {
            "supernet": mine["start"],
            "rate": mine["rate"],
            "estimator": mine["estimator"],
            "minibatches": mine["step"].astype(str),
            "orders": mine["n"].astype(str),
            "supernets": mine["supernets"].astype(str),
            "deviation between orders": mine["deviation"].map("{:.3f}".format),
            "between supernets": mine["between"].map("{:.3f}".format),
        }
    )


def variants_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How alike two ways to write an estimator down rank."""
    found = []
    for (estimator, other, rate), part in usual_batch(rows).groupby(
        ["estimator", "other", "rate"], sort=False
    ):
        interval: Interval = mean_correlation(part["spearman"].dropna())
        text = with_interval(*interval[:3])
        found.append(
            {"estimator": estimator, "other": other, "rate": rate, "Spearman": text}
            | {"n": str(interval.n)}
        )
    return pd.DataFrame(found)


def usage_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What a trainer's supernet and the fine-tuning of a path cost."""
    mine = rows[(rows["start"] == "trained") & (rows["order"] == "0")]
    mine = usual_batch(mine)
    found = []
    for (trainer, rate), part in mine.groupby(["trainer", "rate"], sort=False):
        images = 25 * part["seconds_1000"]
        found.append(
            {
                "trainer": trainer,
                "rate": rate,
                "n": str(len(part)),
                "images of a supernet": f"{part['supernet_images'].mean():,.0f}",
                "seconds of a supernet": f"{part['supernet_seconds'].mean():,.0f}",
                "100 minibatches, s": f"{part['seconds_100'].mean():.2f}",
                "25,000 validation images, s": f"{images.mean():.2f}",
            }
        )
    return pd.DataFrame(found)


# ---- numbers


def ranks_at(estimator: str, step: int, rate: str) -> Callable[[Inputs], str]:
    """How an estimator ranks the paths of SPOS' supernets after so many minibatches, by CIFAR-10.

    Args:
        estimator: a name.
        step: 0: before any.
        rate: of the paths' learning, as a label.
    """

    def found(page: Inputs) -> str:
        try:
            rows = of_201(page)
        except Absent:
            return NOT_RUN
        mine = usual_batch(rows)
        mine = mine[(mine["trainer"] == finetuning.SPOS) & (mine["truth"] == "cifar10")]
        mine = mine[mine["start"] == finetuning.TRAINED]
        mine = mine[(mine["rate"] == rate) & (mine["step"] == step)]
        return over_n(mine[mine["estimator"] == estimator], "spearman")

    return found


def learning_adds(column: str) -> Callable[[Inputs], str]:
    """By how much SoTL of SPOS' paths ranks better if they learn with the thesis' rate.

    Args:
        column: "spearman", or "partial": given parameters.
    """

    def found(page: Inputs) -> str:
        try:
            rows = page.frame("learning", trainer=finetuning.SPOS, estimator="SoTL")
        except Absent:
            return NOT_RUN
        mine = usual_batch(rows)
        mine = mine[(mine["rate"] == f"{finetuning.HIGH:g}") & (mine["step"] == 100)]
        return over_n(mine, column)

    return found


def over_n(rows: pd.DataFrame, column: str) -> str:
    """The number of the one row, with its interval and n; what there is no row of was not run."""
    if rows.empty:
        return NOT_RUN
    (row,) = rows.to_dict("records")
    low, high = BOUNDS[column]
    return over_seeds(row[column], row[low], row[high], row["n"])


def left_out(page: Inputs) -> str:
    """How many runs begin with other weights than most of their supernet."""
    frames = [page.frames[name] for name in ("usage", "oneshot_usage") if name in page.frames]
    return f"{sum(int(frame['left_out'].sum()) for frame in frames)}"


NUMBERS = {
    "left-out": left_out,
    "frozen": ranks_at("SoTL", 100, "0"),
    "learned": ranks_at("SoTL", 100, f"{finetuning.HIGH:g}"),
    "validation-accuracy": ranks_at("ValAcc", 0, "0"),
    "validation-loss": ranks_at("ValLoss", 0, "0"),
    "learning-adds": learning_adds("spearman"),
    "learning-adds-given": learning_adds("partial"),
}

# ---- tables

TABLES = {
    "sotl-estimators": Table(
        "What ranks the cells of a supernet. Spearman with CIFAR-10, mean and 95% interval over n "
        "supernets. SoTL, SoG and SoGN after 100 minibatches; TLMini is the first minibatch; "
        "ValAcc, ValLoss and ValAccMini are with the supernet's own weights, so of paths with "
        "rate 0. The rows with rate 0 are the same batches without any learning.",
        lambda page: of_trainers(of_201(page), "spearman", "cifar10", 2),
    ),
    "sotl-top10": Table(
        "The ten cells on top. Mean official test accuracy on CIFAR-10 of the ten cells that an "
        "estimator puts first, percent; else as in the table before.",
        lambda page: of_trainers(of_201(page), "top10", "cifar10", 2),
    ),
    "sotl-table41": Table(
        "Table 4.1 as printed, with its deviation over three supernets, and ours. Ours were "
        "trained on CIFAR-10 for all three truths; the thesis trained on each. Rates are the "
        "thesis' own: 0.01 for SPOS, 0.001 for its variants.",
        lambda page: beside_printed(of_201(page)),
    ),
    "sotl-oneshot-cells": Table(
        "The thesis' own cells of NAS-Bench-1Shot1. How many its lists have, how many of them "
        "differ as encodings and as architectures, and the same of those whose architecture the "
        "sample of NAS-Bench-101 has. Spearman of the parameter count with the test accuracy over "
        "the known encodings, and over all 200 as table 4.5 prints it.",
        lambda page: listed_table(page.frame("oneshot_cells", [oneshot.TABLE, cell_lists.SOURCE])),
    ),
    "sotl-oneshot": Table(
        "What ranks the cells of NAS-Bench-1Shot1. Spearman with the test accuracy of "
        "NAS-Bench-101 after 108 epochs, mean and 95% interval over n supernets; else as in the "
        "first table. Cells: encodings of an architecture that the sample of NAS-Bench-101 has. Of "
        "the thesis' own 200 encodings a space that is less than a half, and several are of the "
        "same architecture; drawn are encodings of other architectures, one of each.",
        one_shot_table,
    ),
    "sotl-table42": Table(
        "Table 4.2 as printed, with its deviation over three supernets, and ours on those of the "
        "thesis' cells that the sample has, with its 95% interval. Of the DARTS space it prints "
        "predictions.",
        lambda page: beside_printed(of_one_shot(page), "table 4.2"),
    ),
    "sotl-oneshot-learning": Table(
        "What learning adds in NAS-Bench-1Shot1, else as in the table of NAS-Bench-201.",
        one_shot_learning,
    ),
    "sotl-learning": Table(
        "What learning adds. The estimator after 100 minibatches of fine-tuning, less the same "
        "sum over the same images of a path that stays as it is; paired by n supernets, with 95% "
        "intervals.",
        lambda page: learning_table(page.frame("learning")),
    ),
    "sotl-beyond": Table(
        "More than parameters. SPOS: Spearman with CIFAR-10, the same given the parameter count, "
        "and how much better the sum of both ranks ranks than parameters alone; 95% intervals "
        "over cells and the n supernets at once: of one, over cells alone.",
        lambda page: beyond_table(page.frame("resampled")),
    ),
    "sotl-frozen": Table(
        "Paths that do not learn. SPOS: Spearman with CIFAR-10 of the mean cross-entropy and of "
        "the accuracy on training images, augmented and not, and on validation images, by how many "
        "images were seen, and in batches of how many they were normalised; mean over n supernets "
        "with a 95% interval, if there are two.",
        lambda page: frozen_table(page.frame("frozen")),
    ),
    "sotl-orders": Table(
        "Orders of the images. Standard deviation of Spearman between orders of the same images, "
        "and between supernets.",
        lambda page: orders_table(page.frame("orders")),
    ),
    "sotl-variants": Table(
        "Ways to write an estimator down. Spearman between the rankings of two of them, mean over "
        "n runs.",
        lambda page: variants_table(page.frame("variants")),
    ),
    "sotl-usage": Table(
        "What it costs. Images times paths and seconds of a supernet's training, and seconds of a "
        "path for 100 minibatches and for 25,000 validation images (the thesis: 4.5 and 6.5), by "
        "the clock of a shared machine.",
        lambda page: usage_table(page.frame("usage")),
    ),
}


def supernet_lines(page: Inputs) -> pd.DataFrame:
    """SoTL's Spearman against minibatches for SPOS: rates, and a supernet that was not trained."""
    rows = page.frame("curves", trainer="SPOS", estimator="SoTL", order="0")
    rows = usual_batch(rows).dropna(subset="spearman")
    names = rows["start"] + ", rate " + rows["rate"]
    found = []
    for (line, step), part in rows.assign(line=names).groupby(["line", "step"], sort=False):
        mean, low, high, n = mean_correlation(part["spearman"])
        found.append(("", line, step, mean, low, high, n))
    return pd.DataFrame(found, columns=["panel", "line", "x", "mean", "ci_low", "ci_high", "n"])


def supernet_finding(rows: pd.DataFrame) -> str:
    """SoTL after 100 minibatches with the thesis' rate and without learning."""
    at = rows[rows["x"] == 100].set_index("line")["mean"]
    names = ordered(at.index, ["trained, rate 0.01", "trained, rate 0"])
    said = ", ".join(f"{at[name]:.2f} ({name})" for name in names)
    return f"After 100 minibatches SoTL ranks at {said}." if said else "Not 100 minibatches yet."


FIGURES = {
    "sotl-supernets": Drawing(
        supernet_lines,
        lambda rows: plots.line_panels(rows, "minibatches", "Spearman with CIFAR-10", None, "x"),
        supernet_finding,
        "SoTL on the thesis' 200 cells of SPOS supernets, beside the same sum of losses of paths "
        "that do not learn (rate 0), and of a supernet that was not trained. Bands are 95% "
        "intervals over supernets. All in one order of the images; numbers in text and tables are "
        "means over the orders that there are.",
    ),
}
