"""Study 4's page, where theory is exact and where rates are tuned (SoTL thesis 3.1 and 4.1)."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from nasrepro import plots
from nasrepro.claims import NOT_RUN
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import Table
from nasrepro.pages.text import over_seeds, with_interval
from nasrepro.runs.tuning import TuneConfig
from nasrepro.stats import mean_interval
from nasrepro.studies import sotl_claims, sotl_synthetic
from nasrepro.studies.sotl_synthetic import DECAY, TWICE, VALIDATION, unrolled

# ---- numbers


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


def of_maxdeg(column: str, setting: str, digits: int) -> Callable[[Inputs], str]:
    """What a setting does with MaxDeg from the first start, mean over data sets."""

    def found(page: Inputs) -> str:
        rows = page.frame("maxdeg", setting=setting, first=sotl_synthetic.STARTS[0])
        return f"{rows[column].mean():.{digits}f}"

    return found


reached = partial(of_maxdeg, "reached", digits=0)  # steps until it is near the truth
distance = partial(of_maxdeg, "distance", digits=2)  # from the truth, mean over the steps


def tuned(setting: str) -> Callable[[Inputs], str]:
    """The MLP's final test accuracy with a setting, percent."""

    def found(page: Inputs) -> str:
        try:
            rows = page.frame("tuning", network="MLP", setting=setting, metric="final")
        except Absent:
            return NOT_RUN
        return over_seeds(*mean_interval(rows["value"]), digits=1)

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


NUMBERS = {
    "bound-agrees": chosen_alike("bound"),
    "samples-agree": chosen_alike("sampled"),
    "gap-true": gap_of(sotl_claims.TRUE),
    "gap-highest": gap_of(max(sotl_synthetic.DEGREES)),
    "maxdeg-reached-long": reached(unrolled(25)),
    "maxdeg-reached-two": reached(unrolled(2)),
    "maxdeg-reached-validation": reached(VALIDATION),
    "maxdeg-reached-twice": reached(TWICE),
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


MAXDEG_HEADS = {  # and digits
    "reached": ("steps until within 1 of 3", 0),
    "final": ("MaxDeg at the end", 2),
    "distance": ("mean distance from 3", 2),
}


def maxdeg_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a setting and start of MaxDeg."""
    found = []
    for (setting, start), part in rows.groupby(["setting", "first"], sort=False):
        cells = {"setting": setting, "start": f"{start:g}", "n": str(len(part))}
        for name, (head, digits) in MAXDEG_HEADS.items():
            cells[head] = with_interval(*mean_interval(part[name])[:3], digits)
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


TABLES = {
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
}


# ---- figures

LINES = ["panel", "line", "x", "mean", "ci_low", "ci_high", "n"]


def degree_lines(page: Inputs) -> pd.DataFrame:
    """Training loss against the step, a line a fixed degree."""
    rows = page.frame("degree_curves")
    shown = rows[rows["degree"].isin((0, 1, 3, 5, 21))]
    lines = "degree " + shown["degree"].astype(str)
    return shown.assign(panel="", line=lines, x=shown["step"])[LINES]


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
    return rows.assign(panel="", line=lines, x=rows["step"])[LINES]


def starts_finding(rows: pd.DataFrame) -> str:
    """Where all starts end."""
    end = rows[rows["x"] == rows["x"].max()]["mean"]
    return f"With T = 25, MaxDeg ends between {end.min():.2f} and {end.max():.2f} from all starts."


def way_lines(page: Inputs) -> pd.DataFrame:
    """MaxDeg against the step from the lowest start, a line a setting."""
    rows = page.frame("maxdeg_paths", first=sotl_synthetic.STARTS[0])
    return rows.assign(panel="", line=rows["setting"], x=rows["step"])[LINES]


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
    return rows.assign(panel=rows["network"], line=rows["setting"], x=rows["epoch"])[LINES]


def rates_finding(rows: pd.DataFrame) -> str:
    """The best and the worst setting of each network at the end."""
    said = []
    for panel, part in rows.groupby("panel", sort=False):
        end = part[part["x"] == part["x"].max()].set_index("line")["mean"]
        said.append(
            f"{panel}: {end.max():.1f}% ({end.idxmax()}) to {end.min():.1f}% ({end.idxmin()})"
        )
    return f"Test accuracy at the end, best to worst: {'; '.join(said)}."


FIGURES = {
    "sotl-degrees": Drawing(
        degree_lines,
        lambda rows: plots.line_panels(rows, "step", "training loss", None, "xy"),
        degrees_finding,
        "Figure 4.2: linear models of fixed Fourier degrees; the truth has degree 3. Mean over "
        "data sets, in a band of its 95% interval.",
    ),
    "sotl-starts": Drawing(
        start_lines,
        lambda rows: plots.line_panels(rows, "step of the weights", "MaxDeg"),
        starts_finding,
        "Figure 4.3a: the Fourier degree as an architecture parameter, from several starts. Mean "
        "over data sets, in a band of its 95% interval.",
    ),
    "sotl-maxdeg": Drawing(
        way_lines,
        lambda rows: plots.line_panels(rows, "step of the weights", "MaxDeg"),
        ways_finding,
        "Figure 4.3b: the Fourier degree as an architecture parameter, by several gradients from "
        "the lowest start. Mean over data sets, in a band of its 95% interval.",
    ),
    "sotl-rates": Drawing(
        rate_lines,
        lambda rows: plots.line_panels(rows, "epoch", "test accuracy, percent"),
        rates_finding,
        "Figure 4.1: an MLP on MNIST and a small VGG on CIFAR-10 whose learning rate is tuned by "
        "exact SoTL gradients over T steps. Bands are 95% intervals over seeds.",
    ),
}
