"""Study 4's page, from scratch: learning curves (SoTL thesis 4.2.1) and gradients (4.2.4)."""

from collections.abc import Callable

import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import official_curves, selfmade
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import Table
from nasrepro.pages.text import recomputed_table, with_interval
from nasrepro.sotl import EMA_DECAY
from nasrepro.stats import mean_correlation
from nasrepro.studies import audit, sotl_curves
from nasrepro.studies.sotl_curves import KNOWN, LAST_EPOCH, TRUTHS, official
from nasrepro.studies.sotl_scratch import EPOCHS, PARAMETERS

SOURCES = {  # collections of curves: what a reader is told
    selfmade.NAME: "our benchmark",
    "naap-440": "NAAP-440",
    "nb201-curves": "official cells",
    "nlp-ptb": "language (PTB)",
    "nlp-wikitext": "language (WikiText-2)",
    **{official(dataset): f"all official cells, {dataset}" for dataset in TRUTHS},
}
PRINTED_CURVES = ("SoTL", LAST_EPOCH, "ValAcc")


def fact(name: str) -> Callable[[Inputs], str]:
    """A number that the curves say, with its interval over networks."""

    def found(page: Inputs) -> str:
        facts = page.frame("scratch_facts").set_index("name")
        if name not in facts.index:
            raise page.absent(sotl_curves.learning.READERS)
        row = facts.loc[name]
        return with_interval(row["mean"], row.ci_low, row.ci_high)

    return found


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


def official_table(page: Inputs) -> pd.DataFrame:
    """What the curves of all official cells show, a row a data set."""
    needs = (official_curves.NAME,)
    of = page.frame("scratch_facts", needs).set_index("name")["mean"]
    heads = {
        "90-all-losses": ("first epoch with .90: SoTL", "{:.0f}"),
        "90-last-epoch": ("SoTL over the last epoch", "{:.0f}"),
        "90-validation": ("ValAcc", "{:.0f}"),
        "ahead-10": ("ahead of ValAcc at epoch 10", "{:.2f}"),
        "ahead-until": ("last ahead at epoch", "{:.0f}"),
        "fallen": ("lost from its top to the end", "{:.3f}"),
    }
    there = [dataset for dataset in TRUTHS if f"fallen {dataset}" in of.index]
    if not there:
        raise page.absent(needs)
    return pd.DataFrame(
        [
            {
                "data set": dataset,
                **{h: form.format(of[f"{name} {dataset}"]) for name, (h, form) in heads.items()},
            }
            for dataset in there
        ]
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


# ---- gradients of networks trained from scratch


def learnt(page: Inputs) -> str:
    """What the trained cells come to: percent of the validation images, as part of a sentence."""
    try:
        rows = page.frame("gradients_usage")
    except Absent:
        return "what the cells come to is not known before one is"
    mean, low, high = rows[["accuracy", "lowest", "highest"]].mean()
    return (
        f"the cells come to {mean:.0f} percent of the validation images, a tenth of them below "
        f"{low:.0f}, a tenth above {high:.0f}"
    )


def gradient_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row an estimator: Spearman on the way and at the end, given parameters, and with them."""
    known = {
        (name, epoch): part
        for (name, epoch), part in rows.groupby(["estimator", "epoch"], sort=False)
    }

    def of(name: str, epoch: int, column: str = "spearman") -> str:
        values = known[name, epoch][column].dropna() if (name, epoch) in known else ()
        return with_interval(*mean_correlation(values)[:3]) if len(values) else "–"

    return pd.DataFrame(
        [
            {
                "estimator": name,
                "n": str(rows[rows["estimator"] == name]["seed"].nunique()),
                **{f"epoch {epoch}": of(name, epoch) for epoch in (1, 5, EPOCHS)},
                "given parameters": of(name, EPOCHS, "partial"),
                "with parameters": "–" if name == PARAMETERS else of(name, EPOCHS, "size"),
            }
            for name in rows["estimator"].unique()
        ]
    )


def gradient_lines(page: Inputs) -> pd.DataFrame:
    """Spearman against the epoch, a line an estimator."""
    rows = page.frame("gradients")
    found = []
    for name in plots.GRADIENTS:
        for epoch, part in rows[rows["estimator"] == name].groupby("epoch"):
            known = part["spearman"].dropna()
            if len(known):
                found.append(("", name, epoch, *mean_correlation(known)))
    return pd.DataFrame(found, columns=["panel", "line", "x", "mean", "ci_low", "ci_high", "n"])


def gradient_finding(rows: pd.DataFrame) -> str:
    """What each estimator comes to after the last epoch."""
    end = rows[rows["x"] == rows["x"].max()].set_index("line")["mean"]
    said = ", ".join(f"{name} {value:.2f}" for name, value in end.items())
    return f"After {rows['x'].max()} epochs: {said}."


NUMBERS = {
    "learnt": learnt,
    "early": fact("early-selfmade"),
    "end": fact("end-selfmade"),
    "early-naap": fact("early-naap"),
    "validation-120": fact("validation-120-official"),
    "ptb-sotl": fact("ptb-10-SoTL"),
    "ptb-validation": fact("ptb-10-ValLoss"),
    "ptb-parameters": fact("ptb-10-parameters"),
}
TABLES = {
    "sotl-scratch": Table(
        "Trained from scratch. Spearman with the truth, and its 95% bootstrap interval over n "
        "networks. SoTL-E is the loss of the last epoch, SoTL-EMA the sum in which a loss weighs "
        f"{EMA_DECAY:g} times as much an epoch later. In NAAP-440 the test accuracy on the way "
        "takes the place of ValAcc, which is the truth itself at the end. The official cells have "
        "accuracies alone: the sum of training accuracies stands in for SoTL.",
        lambda page: scratch_table(page.frame("scratch")),
    ),
    "sotl-printed": Table(
        "The curves of the estimator's first authors. Read off their figures over 5,000 cells "
        "of NAS-Bench-201, to about .01; those of CIFAR-10 were trained on half of its images.",
        lambda page: printed_curves(page.frame("printed_curves", (sotl_curves.learning.PRINTED,))),
    ),
    "sotl-official": Table(
        "All official cells of NAS-Bench-201, from the benchmark's own file. The first of 200 "
        "epochs after which an estimator ranks them at .90 (201: none does), and how SoTL over the "
        "last epoch stands beside ValAcc. Of CIFAR-100 and ImageNet16-120 the file has validation "
        "and test images together on the way, whose accuracy takes the place of ValAcc.",
        official_table,
    ),
    "sotl-audit": Table(
        "Numbers of the thesis' text, from other sources. The thesis does not say over which "
        "epochs SoTL is summed in its figures 4.4 and 4.5, nor what ranks the trainings of 12 "
        "epochs.",
        audit_table,
    ),
    "sotl-gradients": Table(
        "Sums of gradients, from scratch. Spearman with the official accuracy on CIFAR-10 after "
        "200 epochs, mean and 95% interval over n seeds, after some of 20 epochs; after the last, "
        "given the parameter count, and with it in place of the accuracy (the thesis' suffix -P). "
        "SoG and SoGN as the text defines them, and as its code does.",
        lambda page: gradient_table(page.frame("gradients")),
    ),
}
FIGURES = {
    "sotl-scratch": Drawing(
        scratch,
        lambda rows: plots.line_panels(rows, "epoch", "Spearman", plots.ESTIMATORS),
        scratch_finding,
        "Figures 4.4 and 4.5 on curves that are to be had, a panel a collection. Bands are 95% "
        "bootstrap intervals over networks. SoTL is the sum of all losses so far, SoTL-E the loss "
        "of the last epoch alone.",
    ),
    "sotl-gradients": Drawing(
        gradient_lines,
        lambda rows: plots.line_panels(rows, "epoch", "Spearman with CIFAR-10", plots.GRADIENTS),
        gradient_finding,
        "Figure 4.9b: the thesis' 200 cells trained from scratch, ranked by their gradients. Bands "
        "are 95% intervals over seeds.",
    ),
}
