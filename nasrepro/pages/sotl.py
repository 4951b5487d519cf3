"""Study 4 as a page: SoTL against validation, from scratch, from a supernet, and in theory."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import selfmade
from nasrepro.claims import judge
from nasrepro.data import cell_lists
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import RUN_NUMBERS, Table, decided, verdict_numbers
from nasrepro.pages.text import (
    DECIDES,
    decides_table,
    ordered,
    plus_minus_text,
    recomputed_table,
    with_interval,
)
from nasrepro.published import read
from nasrepro.runs.tuning import TuneConfig
from nasrepro.spaces.nb1shot1 import Subspace
from nasrepro.spaces.nb101 import ONE_SHOT
from nasrepro.stats import Interval, mean_correlation, mean_interval
from nasrepro.studies import (
    CLAIMS,
    audit,
    finetuning,
    oneshot,
    sotl,
    sotl_claims,
    sotl_curves,
    sotl_supernets,
    sotl_synthetic,
)
from nasrepro.studies.design import PART
from nasrepro.studies.sotl_curves import KNOWN, LAST_EPOCH
from nasrepro.studies.sotl_synthetic import DECAY, TWICE, VALIDATION, unrolled

(FILE,) = CLAIMS["sotl"]
NOT_RUN = "not run"
SOURCES = {  # collections of curves: what a reader is told
    selfmade.NAME: "our benchmark",
    "naap-440": "NAAP-440",
    "nb201-curves": "official cells",
    "nlp-ptb": "language, PTB",
    "nlp-wikitext": "language, WikiText-2",
}
PRINTED_CURVES = ("SoTL", LAST_EPOCH, "ValAcc")
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


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of the thesis' 4.1 and 4.2, with verdicts, or "not run".

    Args:
        frames: the study's `tables`, as far as there are any.

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    rows = pd.DataFrame(judge(FILE, sotl_claims.quantities(frames)))
    return rows.assign(source=np.where(rows["counted"], "others' numbers, or counted", "ours"))


# ---- numbers


def fact(name: str) -> Callable[[Inputs], str]:
    """A number that the curves say, with its interval over networks."""

    def found(page: Inputs) -> str:
        facts = page.frame("scratch_facts").set_index("name")
        if name not in facts.index:
            raise page.absent(sotl_curves.learning.READERS)
        row = facts.loc[name]
        return with_interval(row["mean"], row.ci_low, row.ci_high)

    return found


def chosen_alike(column: str) -> Callable[[Inputs], str]:
    """In how many data sets the evidence and its bound put the same degree first."""

    def found(page: Inputs) -> str:
        wide = page.frame("evidence").pivot(index="seed", columns="degree")
        best = {name: wide[name].idxmax(axis=1) for name in ("log_evidence", column)}
        return f"{(best['log_evidence'] == best[column]).sum()} of {len(wide)}"

    return found


def gap_of(degree: int) -> Callable[[Inputs], str]:
    """How far SoTL's bound is below the evidence of a degree, in nats."""

    def found(page: Inputs) -> str:
        rows = page.frame("evidence", degree=degree)
        return f"{(rows['log_evidence'] - rows['bound']).mean():.0f}"

    return found


def distance(setting: str) -> Callable[[Inputs], str]:
    """How far MaxDeg is from the truth with a setting, from the first start."""

    def found(page: Inputs) -> str:
        rows = page.frame("maxdeg", setting=setting, first=sotl_synthetic.STARTS[0])
        return f"{rows['distance'].mean():.2f}"

    return found


def tuned(setting: str) -> Callable[[Inputs], str]:
    """The MLP's final test accuracy with a setting, percent."""

    def found(page: Inputs) -> str:
        try:
            rows = page.frame("tuning", network="MLP", setting=setting, metric="final")
        except Absent:
            return NOT_RUN
        return over_seeds(rows["value"], 1)

    return found


def clipped(setting: str) -> Callable[[Inputs], str]:
    """The share of a setting's updates of the MLP's rate that were clipped, percent."""

    def found(page: Inputs) -> str:
        try:
            rows = page.frame("tuning", network="MLP", setting=setting, metric="clipped")
        except Absent:
            return NOT_RUN
        return f"{100 * rows['value'].mean():.0f}"

    return found


def over_seeds(values: pd.Series, digits: int = 2) -> str:
    """Mean and interval, and the number of seeds."""
    mean, low, high, n = mean_interval(values)
    if n == 1:
        return f"{mean:.{digits}f} (one seed)"
    return f"{with_interval(mean, low, high, digits)} (n = {n})"


def stored(part: str) -> Callable[[Inputs], str]:
    """How many of a part's runs are stored, and how many it has."""

    def found(page: Inputs) -> str:
        design = sotl.design(page.profile)
        done = sum(design[record.config][PART] == part for record in page.plan.stored)
        return f"{done} of {sum(labels[PART] == part for labels in design.values())}"

    return found


NUMBERS = {
    **verdict_numbers(claims),
    **RUN_NUMBERS,
    "supernets-stored": stored(sotl.SUPERNETS),
    "oneshot-stored": stored(sotl.ONE_SHOT),
    "tuning-stored": stored(sotl.TUNING),
    "early": fact("early-selfmade"),
    "end": fact("end-selfmade"),
    "early-naap": fact("early-naap"),
    "validation-120": fact("validation-120-official"),
    "ptb-sotl": fact("ptb-10-SoTL"),
    "ptb-validation": fact("ptb-10-ValLoss"),
    "ptb-parameters": fact("ptb-10-parameters"),
    "bound-agrees": chosen_alike("bound"),
    "samples-agree": chosen_alike("sampled"),
    "gap-true": gap_of(sotl_claims.TRUE),
    "gap-highest": gap_of(max(sotl_synthetic.DEGREES)),
    "maxdeg-long": distance(unrolled(25)),
    "maxdeg-decay": distance(DECAY),
    "maxdeg-two": distance(unrolled(2)),
    "maxdeg-validation": distance(VALIDATION),
    "maxdeg-twice": distance(TWICE),
    "tuned-short": tuned(unrolled(2)),
    "tuned-long": tuned(unrolled(250)),
    "tuned-constant": tuned("constant rate 0.1"),
    "clip-step": lambda page: f"{TuneConfig().rate * TuneConfig().clip:g}",
    "clipped-short": clipped(unrolled(2)),
    "clipped-long": clipped(unrolled(250)),
}


# ---- tables


def scratch_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a collection, truth and estimator: Spearman early, half-way and at the end."""
    found = []
    for (source, truth, estimator), part in rows.groupby(
        ["source", "truth", "estimator"], sort=False
    ):
        last = part["epoch"].max()
        of_all = rows[rows["source"] == source]["epoch"].max()
        cells = {"collection": SOURCES[source], "truth": truth, "estimator": estimator}
        cells["n"] = f"{part['n'].iloc[0]:,}"
        for head, share in (("after a tenth", 0.1), ("half-way", 0.5), ("at the end", 1.0)):
            near = part.iloc[(part["epoch"] - share * of_all).abs().argmin()]
            text = with_interval(near["spearman"], near["ci_low"], near["ci_high"])
            cells[head] = text if last > 1 or share == 1 else "–"
        found.append(cells)
    return pd.DataFrame(found)


def printed_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """What the digitised figures of Ru et al. show, a row a data set and estimator."""
    shown = rows[rows["estimator"].isin(PRINTED_CURVES)].sort_values(
        ["dataset", "estimator"], kind="stable"
    )
    return pd.DataFrame(
        {
            "data set": shown["dataset"],
            "estimator": shown["estimator"].replace({LAST_EPOCH: "SoTL over the last epoch"}),
            "first epoch with .90": shown["first_90"].map("{:.0f}".format),
            "at epoch 10": shown["at_10"].map("{:.2f}".format),
            "largest": shown["largest"].map("{:.2f}".format),
            "ends at epoch": shown["last_epoch"].map("{:.0f}".format),
        }
    )


def audit_table(page: Inputs) -> pd.DataFrame:
    """Numbers of the thesis' text beside what other sources say."""
    frames = page.frames
    read_frames = [
        frames[name] if name in frames else pd.DataFrame(columns=["name"])
        for name in ("printed_curves", "exact")
    ]
    if not any(len(frame) for frame in read_frames):
        raise page.absent((sotl_curves.learning.PRINTED,))
    heads = {
        **{"where": "where", "statement": "what", "rule": "said to be", "printed": "printed"},
        **{"how": "computed from", "computed": "computed", "agrees": "agrees"},
    }
    return recomputed_table(audit.thesis(*read_frames), heads)


def evidence_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a degree: evidence, bound, and how often each puts it first."""
    wide = rows.pivot(index="seed", columns="degree")
    names = {"log_evidence": "log evidence", "bound": "SoTL's bound", "sampled": "by samples"}
    first = {name: wide[name].idxmax(axis=1).value_counts() for name in names}
    return pd.DataFrame(
        [
            {
                "degree": str(degree),
                **{
                    head: with_interval(*mean_interval(wide[name][degree])[:3], digits=1)
                    for name, head in names.items()
                },
                **{
                    f"first by {head}": f"{first[name].get(degree, 0)} of {len(wide)}"
                    for name, head in names.items()
                },
            }
            for degree in wide.columns.levels[1]
        ]
    )


def maxdeg_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a setting and start of MaxDeg."""
    found = []
    for (setting, start), part in rows.groupby(["setting", "first"], sort=False):
        cells = {"setting": setting, "start": f"{start:g}", "n": str(len(part))}
        for name, head in (("final", "MaxDeg at the end"), ("distance", "mean distance from 3")):
            cells[head] = with_interval(*mean_interval(part[name])[:3])
        found.append(cells)
    return pd.DataFrame(found)


def tuning_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a network and setting of the learning rate."""
    heads = {
        "final": ("final accuracy, %", 1),
        "mean": ("mean over the epochs, %", 1),
        "log_rate": ("log10 of the rate", 2),
        "updates": ("updates", 0),
        "clipped": ("clipped", 2),
        "late_halvings": ("halved late less early", 2),
    }
    found = []
    for (network, setting), part in rows.groupby(["network", "setting"], sort=False):
        of = {name: group["value"] for name, group in part.groupby("metric")}
        lost = int(of["diverged"].sum())
        cells = {"network": network, "setting": setting}
        cells["n"] = f"{len(of['diverged']) - lost}{'*' * lost}"
        for name, (head, digits) in heads.items():
            known = of.get(name, pd.Series(dtype=float)).dropna()
            cells[head] = with_interval(*mean_interval(known)[:3], digits) if len(known) else "–"
        found.append(cells)
    return pd.DataFrame(found)


def of_trainers(rows: pd.DataFrame, column: str, truth: str, digits: int) -> pd.DataFrame:
    """One row a trainer, start and rate: what the estimators of `COLUMNS` come to.

    Args:
        rows: of the study's table `estimators`.
        column: "spearman", whose interval is ci_low and ci_high; or "top10".
        truth: a name.
        digits: after the point.
    """
    low, high = ("ci_low", "ci_high") if column == "spearman" else ("top10_low", "top10_high")
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
        mine, text = up_to(known.get(key, ours[:0]), estimator, step), "–"
        if mine is not None:
            text = with_interval(mine["spearman"], mine["ci_low"], mine["ci_high"])
        found.append(
            {
                "space": key[0],
                "truth": row.truth,
                "trainer": row.trainer,
                "estimator": row.estimator,
                "printed": plus_minus_text(row.value, row.deviation),
                "ours": text,
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
        "Spearman": ("spearman", "ci_low", "ci_high"),
        "given parameters": ("partial", "partial_low", "partial_high"),
        "top-10, %": ("top10", "top10_low", "top10_high"),
    }
    return pd.DataFrame(
        [
            {
                "trainer": row["trainer"],
                "rate": row["rate"],
                "estimator": row["estimator"],
                "n": str(row["n"]),
                **{
                    head: with_interval(*(row[name] for name in names))
                    for head, names in measures.items()
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
            found.append(dict(zip(("supernet", *keys[1:]), map(str, key), strict=True)) | texts)
    return pd.DataFrame(found)


def frozen_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Paths that do not learn: loss and accuracy of so many images, by Spearman with CIFAR-10."""
    mine = rows[(rows["trainer"] == "SPOS") & (rows["start"] == "trained")]
    mine = mine[(mine["order"] == "0") & (mine["batch"] == mine["batch"].mode()[0])]
    keys = ["images", "normalised", "seen"]
    found = []
    for (images, normalised, seen), part in mine.groupby(keys, sort=False):
        cells = {"images": images, "how many": f"{seen:,}", "normalised in": f"{normalised:,}"}
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
            "deviation between orders": mine["deviation"].map("{:.3f}".format),
            "between supernets": mine["between"].map("{:.3f}".format),
        }
    )


def variants_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How alike two ways to write an estimator down rank."""
    found = []
    usual = rows[rows["batch"] == rows["batch"].mode()[0]]
    for (estimator, other, rate), part in usual.groupby(["estimator", "other", "rate"], sort=False):
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
    mine = mine[mine["batch"] == mine["batch"].mode()[0]]
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


def decided_here(page: Inputs) -> pd.DataFrame:
    """What the design can decide, at least of one claim."""
    page.frame("evidence")  # or Absent
    return decided([FILE], sotl_claims.quantities(page.frames))


SUPERNET_TABLES = {
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
        "over cells and supernets at once.",
        lambda page: beyond_table(page.frame("resampled")),
    ),
    "sotl-frozen": Table(
        "Paths that do not learn. SPOS: Spearman with CIFAR-10 of the mean cross-entropy and of "
        "the accuracy on training images, augmented and not, and on validation images, by how many "
        "images were seen, and in batches of how many they were normalised.",
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
TABLES = {
    "sotl-scratch": Table(
        "Trained from scratch. Spearman with the truth, and its 95% bootstrap interval over n "
        "networks. SoTL-E is the loss of the last epoch. In NAAP-440 the test accuracy on the way "
        "takes the place of ValAcc, which is the truth itself at the end. The official cells have "
        "accuracies alone: the sum of training accuracies stands in for SoTL.",
        lambda page: scratch_table(page.frame("scratch")),
    ),
    "sotl-printed": Table(
        "The curves of the estimator's first authors. Digitised from their figures over 5,000 "
        "cells of NAS-Bench-201.",
        lambda page: printed_curves(page.frame("printed_curves", (sotl_curves.learning.PRINTED,))),
    ),
    "sotl-audit": Table(
        "Numbers of the thesis' text, from other sources. The thesis does not say over which "
        "epochs SoTL is summed in its figures 4.4 and 4.5, nor what ranks the trainings of 12 "
        "epochs.",
        audit_table,
    ),
    "sotl-evidence": Table(
        "Bayesian linear regression. Mean over data sets and its 95% interval, in nats, and how "
        "often a degree comes first; the true degree is 3.",
        lambda page: evidence_table(page.frame("evidence")),
    ),
    "sotl-maxdeg": Table(
        "MaxDeg by gradient. Mean and 95% interval over n data sets; the true degree is 3. The "
        "last two settings give the validation loss twice the rate (and half the decay), and T = "
        "2 as much decay a step as T = 25 has.",
        lambda page: maxdeg_table(page.frame("maxdeg")),
    ),
    "sotl-tuning": Table(
        "Tuned learning rates. Test accuracy, and what the updates did: mean and 95% interval "
        "over n seeds; an asterisk is a training that diverged. The rates begin at 0.001 but for "
        "the constant ones.",
        lambda page: tuning_table(page.frame("tuning")),
    ),
    **SUPERNET_TABLES,
    "sotl-decides": Table(
        f"What the design can decide. {DECIDES}",
        lambda page: decides_table(decided_here(page)),
    ),
}


def parts_of(name: str, rows: pd.DataFrame) -> Sequence[str]:
    """The part of the design that is behind a table: none behind toys and others' curves."""
    if name in ("tuning", "rates"):
        return (sotl.TUNING,)
    if name == oneshot.PREFIX + "cells":
        return ()
    if name in oneshot.TABLES:
        return (sotl.ONE_SHOT,)
    if name == "estimators":
        with_201 = (rows["space"] == finetuning.SPACE).any()
        one_shot = (rows["space"] != finetuning.SPACE).any()
        return (*((sotl.SUPERNETS,) if with_201 else ()), *((sotl.ONE_SHOT,) if one_shot else ()))
    computed = (*sotl_synthetic.TABLES, *sotl_curves.TABLES)
    return () if name in computed else (sotl.SUPERNETS,)


# ---- figures


def scratch(page: Inputs) -> pd.DataFrame:
    """Spearman against the epoch, a panel a collection; by the official truth if there is one."""
    rows = page.frame("scratch")
    official = rows[rows["truth"] == KNOWN]["source"].unique()
    rows = rows[(rows["truth"] == KNOWN) | ~rows["source"].isin(official)]
    rows = rows[rows["estimator"].isin(plots.ESTIMATORS)]
    flat = rows[rows["estimator"] == "parameters"]  # one number, at all epochs
    last = rows.groupby("source")["epoch"].max()
    ends = flat.assign(epoch=flat["source"].map(last))
    both = pd.concat([rows, ends], ignore_index=True).rename(columns={"spearman": "mean"})
    panels = both["source"].map(SOURCES)
    both = both.assign(panel=panels, line=both["estimator"], x=both["epoch"])
    place = both["line"].map(list(plots.ESTIMATORS).index)
    return both.assign(place=place).sort_values("place", kind="stable")[
        ["panel", "line", "x", "mean", "ci_low", "ci_high", "n"]
    ]


def scratch_finding(rows: pd.DataFrame) -> str:
    """Where the last epoch's loss ranks better than validation after a tenth of the training."""
    better, worse = list[str](), list[str]()
    for panel, part in rows.groupby("panel", sort=False):
        tenth = part["x"].max() / 10
        at = part[part["x"] <= max(tenth, 1)].groupby("line")["mean"].last()
        other = next((name for name in ("ValAcc", "ValLoss") if name in at.index), None)
        if "SoTL-E" in at.index and other:
            (better if at["SoTL-E"] > at[other] else worse).append(panel)
    said = [f"ahead of validation in {', '.join(better)}"] if better else []
    said += [f"behind it in {', '.join(worse)}"] if worse else []
    return f"After a tenth of the training the loss of the last epoch is {'; '.join(said)}."


def degree_lines(page: Inputs) -> pd.DataFrame:
    """Training loss against the step, a line a fixed degree."""
    rows = page.frame("degree_curves")
    shown = rows[rows["degree"].isin((0, 1, 3, 5, 21))]
    lines = "degree " + shown["degree"].astype(str)
    return bare(shown.assign(panel="", line=lines, x=shown["step"], mean=shown["loss"]))


def degrees_finding(rows: pd.DataFrame) -> str:
    """Which line is lowest at the end."""
    end = rows[rows["x"] == rows["x"].max()].set_index("line")["mean"]
    fitted = end.drop(["degree 0", "degree 1"]).max()
    return (
        f"Degrees 0 and 1 cannot fit (losses of {end['degree 0']:.2f} and {end['degree 1']:.2f} at "
        f"the end); all others come below {max(2 * fitted, 1e-9):.0e}, and hardly differ."
    )


def start_lines(page: Inputs) -> pd.DataFrame:
    """MaxDeg against the step with the longest unrolling, a line a start."""
    rows = page.frame("maxdeg_paths", setting=unrolled(25))
    lines = "start " + rows["first"].map("{:g}".format)
    return bare(rows.assign(panel="", line=lines, x=rows["step"], mean=rows["value"]))


def starts_finding(rows: pd.DataFrame) -> str:
    """Where all starts end."""
    end = rows[rows["x"] == rows["x"].max()]["mean"]
    return f"With T = 25, MaxDeg ends between {end.min():.2f} and {end.max():.2f} from all starts."


def way_lines(page: Inputs) -> pd.DataFrame:
    """MaxDeg against the step from the lowest start, a line a setting."""
    rows = page.frame("maxdeg_paths", first=sotl_synthetic.STARTS[0])
    return bare(rows.assign(panel="", line=rows["setting"], x=rows["step"], mean=rows["value"]))


def ways_finding(rows: pd.DataFrame) -> str:
    """How far the validation loss is from SoTL with T = 2, at its own and at twice the rate."""
    wide = rows.pivot(index="x", columns="line", values="mean").interpolate().dropna()
    away = {name: (wide[name] - wide[unrolled(2)]).abs().max() for name in (VALIDATION, TWICE)}
    return (
        f"The path of the validation loss is up to {away[VALIDATION]:.2f} degrees from SoTL's "
        f"with T = 2; with twice the rate, up to {away[TWICE]:.2f}."
    )


def rate_lines(page: Inputs) -> pd.DataFrame:
    """Test accuracy against the epoch, a panel a network, a line a setting."""
    rows = page.frame("rates")
    return rows.assign(panel=rows["network"], line=rows["setting"], x=rows["epoch"])[
        ["panel", "line", "x", "mean", "ci_low", "ci_high", "n"]
    ]


def rates_finding(rows: pd.DataFrame) -> str:
    """The best and the worst setting of each network at the end."""
    said = []
    for panel, part in rows.groupby("panel", sort=False):
        end = part[part["x"] == part["x"].max()].set_index("line")["mean"]
        said.append(
            f"{panel}: {end.max():.1f}% ({end.idxmax()}) to {end.min():.1f}% ({end.idxmin()})"
        )
    return f"Test accuracy at the end, best to worst: {'; '.join(said)}."


def supernet_lines(page: Inputs) -> pd.DataFrame:
    """SoTL's Spearman against minibatches for SPOS: rates, and a supernet that was not trained."""
    rows = page.frame("curves", trainer="SPOS", estimator="SoTL", order="0")
    rows = rows[rows["batch"] == rows["batch"].mode()[0]].dropna(subset="spearman")
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


def bare(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines without intervals."""
    nothing = {"ci_low": np.nan, "ci_high": np.nan}
    return rows.assign(**nothing)[["panel", "line", "x", "mean", "ci_low", "ci_high"]]


FIGURES = {
    "sotl-scratch": Drawing(
        scratch,
        lambda rows: plots.line_panels(rows, "epoch", "Spearman", plots.ESTIMATORS),
        scratch_finding,
        "Figures 4.4 and 4.5 on curves that are to be had, a panel a collection. Bands are 95% "
        "bootstrap intervals over networks. SoTL is the sum of all losses so far, SoTL-E the loss "
        "of the last epoch alone.",
    ),
    "sotl-degrees": Drawing(
        degree_lines,
        lambda rows: plots.line_panels(rows, "step", "training loss", None, "xy"),
        degrees_finding,
        "Figure 4.2: linear models of fixed Fourier degrees; the truth has degree 3. Mean over "
        "data sets.",
    ),
    "sotl-starts": Drawing(
        start_lines,
        lambda rows: plots.line_panels(rows, "step of the weights", "MaxDeg"),
        starts_finding,
        "Figure 4.3a: the Fourier degree as an architecture parameter, from several starts. Mean "
        "over data sets.",
    ),
    "sotl-maxdeg": Drawing(
        way_lines,
        lambda rows: plots.line_panels(rows, "step of the weights", "MaxDeg"),
        ways_finding,
        "Figure 4.3b: the Fourier degree as an architecture parameter, by several gradients from "
        "the lowest start. Mean over data sets.",
    ),
    "sotl-rates": Drawing(
        rate_lines,
        lambda rows: plots.line_panels(rows, "epoch", "test accuracy, percent"),
        rates_finding,
        "Figure 4.1: an MLP on MNIST and a small VGG on CIFAR-10 whose learning rate is tuned by "
        "exact SoTL gradients over T steps. Bands are 95% intervals over seeds.",
    ),
    "sotl-supernets": Drawing(
        supernet_lines,
        lambda rows: plots.line_panels(rows, "minibatches", "Spearman with CIFAR-10", None, "x"),
        supernet_finding,
        "SoTL on the thesis' 200 cells of SPOS supernets, beside the same sum of losses of paths "
        "that do not learn (rate 0), and of a supernet that was not trained. Bands are 95% "
        "intervals over supernets.",
    ),
}

SHOWS: dict[str, Sequence[str]] = {
    "fig-sotl-scratch": tuple(sotl_claims.FACTS),
    "tab-sotl-printed": (
        "sotl-scratch-90-cifar10",
        "sotl-scratch-90-all-losses",
        "sotl-scratch-90-validation",
        "sotl-scratch-90-others",
        "sotl-scratch-epoch-10",
    ),
    "tab-sotl-audit": tuple(sotl_claims.EXACT),
    "tab-sotl-evidence": ("sotl-bound-holds", "sotl-bound-selects", "sotl-samples-select"),
    "fig-sotl-degrees": ("sotl-degree-lowest", "sotl-degree-fastest"),
    "fig-sotl-starts": ("sotl-maxdeg-converges",),
    "fig-sotl-maxdeg": ("sotl-maxdeg-ordered", *sotl_claims.MAXDEG),
    "fig-sotl-rates": (*sotl_claims.TUNING, "sotl-rate-scaling", "sotl-rate-halvings"),
    "tab-sotl-table41": ("sotl-usually-best", "sotl-spos-valacc", "sotl-multipath-best"),
    "tab-sotl-oneshot": (*sotl_supernets.ONE_SHOT, *sotl_supernets.LEVELS),
    "tab-sotl-usage": ("sotl-cost-finetuning", "sotl-cost-trainers"),
}
