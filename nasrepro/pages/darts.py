"""Study 5's page on NAS-Bench-201: SoTL-DARTS and its family."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from nasrepro import plots
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.page import RUN_NUMBERS, Table, decided, verdict_numbers
from nasrepro.pages.searches import at_the_end, settings_table
from nasrepro.pages.settings import describe_protocol
from nasrepro.pages.text import (
    DECIDES,
    decides_table,
    over_seeds,
    p_text,
    runs_of_both,
    with_interval,
)
from nasrepro.published import read
from nasrepro.runs.search import SearchConfig
from nasrepro.spaces.nb201 import EDGES, LABELS, Cell
from nasrepro.studies import darts, darts_claims
from nasrepro.studies.darts import (
    EVOLUTION,
    FIRST,
    FROZEN_TRAINING,
    FROZEN_VALIDATION,
    ON_TRAINING,
    PRINTED,
    RANDOM,
    SECOND,
    SIX_CONVOLUTIONS,
    SIX_SKIPS,
    SLOW,
    SOTL,
    SOVL,
)
from nasrepro.studies.design import Factor, in_order

PROTAGONISTS = (FIRST, SOTL, SOVL, ON_TRAINING, FROZEN_TRAINING, FROZEN_VALIDATION)
SHOWN = {  # metrics of the tables, in order: their heads and digits
    "cifar10": ("CIFAR-10, %", 2),
    "cifar100": ("CIFAR-100, %", 2),
    "imagenet16": ("ImageNet16-120, %", 2),
    "skips": ("skips", 1),
    "convolutions3": ("3x3 convolutions", 1),
    "deepest": ("convolutions in a row", 1),
    "largest_alpha": ("largest alpha", 3),
    "gap": ("gap, points", 1),
    "eigenvalue_training": ("eigenvalue, training", 3),
    "eigenvalue_validation": ("eigenvalue, validation", 3),
}
MOVED = {"epoch": ("epoch", 1), "cifar10": SHOWN["cifar10"], "skips": SHOWN["skips"]}
COSTS = {"cpu_seconds": ("processor seconds", 0), "peak_memory_mb": ("peak memory, MB", 0)}


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of SoTL's section 4.3, with verdicts, or "not run".

    Args:
        frames: the study's `tables`, as far as there are any.

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    return darts_claims.judged(frames).assign(source="our searches")


# ---- numbers


def mean_of(page: Inputs, setting: str, metric: str) -> str:
    """Mean and interval of a metric of a setting, and the number of its seeds, if it has any."""
    if "settings" in page.frames and setting not in set(page.frames["settings"]["setting"]):
        return "(not run yet)"
    row = page.frame("settings", setting=setting, metric=metric).iloc[0]
    return over_seeds(row["mean"], row.ci_low, row.ci_high, row.n)


def accuracy_alone(page: Inputs, name: str) -> str:
    """The CIFAR-10 accuracy of what takes no supernet."""
    return f"{page.frame('alone', [darts.SELECTION[0]], choice=name)['cifar10'].item():.2f}"


def settings_begun(page: Inputs) -> int:
    """How many settings have a stored search."""
    design = darts.design(page.profile)
    mine = in_order(page.plan.stored, design)
    return len({design[record.config]["setting"] for record in mine})


NUMBERS = {
    **verdict_numbers(claims),
    **RUN_NUMBERS,
    "settings": lambda page: len(base_configs(page.profile)),
    "settings-begun": settings_begun,
    "steps": lambda page: darts.PROFILES[page.profile].period,
    "darts": lambda page: mean_of(page, FIRST, "cifar10"),
    "second": lambda page: mean_of(page, SECOND, "cifar10"),
    "sotl": lambda page: mean_of(page, SOTL, "cifar10"),
    "sovl": lambda page: mean_of(page, SOVL, "cifar10"),
    "on-training": lambda page: mean_of(page, ON_TRAINING, "cifar10"),
    "frozen-training": lambda page: mean_of(page, FROZEN_TRAINING, "cifar10"),
    "frozen-validation": lambda page: mean_of(page, FROZEN_VALIDATION, "cifar10"),
    "slow": lambda page: mean_of(page, SLOW, "cifar10"),
    "alpha-darts": lambda page: mean_of(page, FIRST, "largest_alpha"),
    "alpha-sotl": lambda page: mean_of(page, SOTL, "largest_alpha"),
    "alpha-slow": lambda page: mean_of(page, SLOW, "largest_alpha"),
    "six-convolutions": lambda page: accuracy_alone(page, SIX_CONVOLUTIONS),
    "random-search": lambda page: accuracy_alone(page, RANDOM),
}


# ---- tables


def base_configs(profile: str) -> dict[str, SearchConfig]:
    """The first search of each setting."""
    found: dict[str, SearchConfig] = {}
    for config, labels in darts.design(profile, 1).items():
        found.setdefault(labels["setting"], config)
    return found


def setting(page: Inputs) -> pd.DataFrame:
    """What all searches share that a setting does not change."""
    base = darts.PROFILES[page.profile].base
    rows = {
        "networks": str(base.net),
        **describe_protocol(base.data, base.train, base.evaluate),
        "batch normalisation": "by the statistics of the batch; scale and shift are learned in "
        "stem, reductions and head, not in the searched cells",
        "alphas": f"Adam with betas {base.algorithm.betas}, weight decay "
        f"{base.algorithm.weight_decay:g}; first alphas of deviation "
        f"{base.algorithm.initial_noise:g}",
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def algorithms(page: Inputs) -> pd.DataFrame:
    """One row a setting: how its alphas are found, for how long, and where it comes from."""
    factors = darts.factors(darts.PROFILES[page.profile])
    return algorithms_table(base_configs(page.profile), factors)


def algorithms_table(
    configs: Mapping[str, SearchConfig], factors: Sequence[Factor]
) -> pd.DataFrame:
    """The same of some settings, by name, and what they change."""
    where = {factor.name: factor.where for factor in factors}
    rows = [
        (
            name,
            darts.algorithm_text(config.algorithm),
            str(config.train.epochs),
            where.get(name, ""),
        )
        for name, config in configs.items()
    ]
    return pd.DataFrame(rows, columns=["setting", "alphas", "epochs", "from"])


def effects_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a setting: what it changes, n, and the differences."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    chosen = ("cifar10", "skips", "largest_alpha")
    for row in rows[rows["metric"].isin(chosen)].to_dict("records"):
        head, digits = SHOWN[row["metric"]]
        text = with_interval(row["difference"], row["ci_low"], row["ci_high"], digits)
        holm = f", p {p_text(row['p_holm'])}" if row["p_holm"] == row["p_holm"] else ""
        both = runs_of_both(row["n"], row["n_baseline"])
        entry = found.setdefault((row["setting"], row["against"]), {"n": both})
        entry[head] = text + holm
    table = pd.DataFrame.from_dict(found, "index").rename_axis(["setting", "changes"])
    heads = [SHOWN[name][0] for name in chosen if SHOWN[name][0] in table]
    return table[["n", *heads]].reset_index().fillna("–")


def searches_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a search: the cell that it selects, its accuracies, and what it is made of."""
    return pd.DataFrame(
        {
            "setting": rows["setting"],
            "seed": rows["seed"].astype(str),
            "cell": [short(cell) for cell in rows["cell"]],
            **{
                SHOWN[name][0]: rows[name].map("{:.2f}".format)
                for name in ("cifar10", "cifar100", "imagenet16")
            },
            "skips": rows["skips"].astype(str),
            "depth": rows["depth"].astype(str),
            "largest alpha": rows["largest_alpha"].map("{:.3f}".format),
            "minutes": (rows["seconds"] / 60).map("{:.1f}".format),
        }
    )


def short(cell: str) -> str:
    """The six operations of a cell in the order of its edges.

    >>> short(str(Cell(("skip_connect",) * 5 + ("none",))))
    'Skip, Skip, Skip, Skip, Skip, Zero'
    """
    return ", ".join(LABELS[operation] for operation in Cell.parse(cell).operations)


def alone_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each thing that takes no supernet."""
    accuracies = {
        SHOWN[name][0]: rows[name].map("{:.2f}".format)
        for name in ("cifar10", "cifar100", "imagenet16")
    }
    return pd.DataFrame({"choice": rows["choice"], **accuracies, "n": rows["n"].astype(str)})


def printed_table(page: Inputs) -> pd.DataFrame:
    """The accuracies of SoTL's table 4.6 beside ours."""
    rows = page.frame("settings", metric="cifar10").set_index("setting")
    theirs = printed()
    shown = [
        (
            name,
            with_interval(*rows.loc[name, ["mean", "ci_low", "ci_high"]]),
            str(rows.loc[name, "n"]),
            f"{theirs.loc[row, 'value']:.2f} ({theirs.loc[row, 'deviation']:.2f})",
        )
        for name, row in PRINTED.items()
        if name in rows.index
    ]
    return pd.DataFrame(shown, columns=["setting", "ours, %", "n", "as printed, %"])


def printed() -> pd.DataFrame:
    """CIFAR-10 accuracies of table 4.6 by algorithm."""
    rows = read("sotl_darts_tables")
    rows = rows[(rows["table"] == 4.6) & (rows["measure"] == "CIFAR-10 test accuracy")]
    return rows.set_index("algorithm")


def decided_here(page: Inputs) -> pd.DataFrame:
    """What the design can decide, at least of one claim."""
    page.frame("searches")  # or Absent; of whichever space
    return decided([darts_claims.FILE], darts_claims.quantities(page.frames))


TABLES = {
    "darts-setting": Table(
        "What all searches share. Table B.1 of the paper at a smaller scale: fewer and smaller "
        "images, fewer channels, one cell a stage; as many updates of the alphas in an epoch.",
        setting,
    ),
    "darts-algorithms": Table(
        "The settings. How alphas become weights, where their gradient comes from, and over how "
        "many steps of training it is summed before an update.",
        algorithms,
    ),
    "darts-printed": Table(
        "Table 4.6 of the paper beside ours. CIFAR-10 test accuracy after 200 epochs of the cell "
        "that a search selects at its end: mean and 95% interval over n seeds; as printed: mean "
        "(standard deviation).",
        printed_table,
        unfolded=True,
    ),
    "darts-settings": Table(
        "Every setting. Mean and 95% interval over n seeds, of the cell selected after the last "
        "epoch: its test accuracies, what it is made of; how far alphas went from zero; the gap: "
        "percentage points of validation accuracy by which the mixed network is better than the "
        "cell's path in it; the largest eigenvalue of the Hessian of the alphas on training and on "
        "validation images.",
        lambda page: settings_table(page.frame("settings"), SHOWN),
    ),
    "darts-effects": Table(
        "Every setting against the one that it changes. Mean less mean, with Welch's 95% interval, "
        "and p by Holm's method over the settings of a metric; n: of its searches, and of the "
        "other's.",
        lambda page: effects_table(page.frame("effects")),
    ),
    "darts-equal-movement": Table(
        "At equal movement. The cell that a search would select in the first epoch in which its "
        "largest alpha is no smaller than that of SoTL-DARTS, with the same seed, after its last: "
        "mean and 95% interval over the n seeds that get so far.",
        lambda page: settings_table(page.frame("movement"), MOVED),
    ),
    "darts-alone": Table(
        "What takes no supernet. Six 3x3 convolutions have the most parameters of all cells. "
        "Searches of the table go by the validation accuracy of trainings of 12 epochs and "
        "evaluate 100 cells: random search in expectation, evolution as the mean of n runs.",
        lambda page: alone_table(page.frame("alone")),
    ),
    "darts-cost": Table(
        "Cost. Processor time of the search itself, without the looks after each epoch, and "
        "peak memory of the whole process; mean and 95% interval over n seeds.",
        lambda page: settings_table(page.frame("settings"), COSTS),
    ),
    "darts-searches": Table(
        "Every search. The operations of edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3 of the cell selected "
        "after the last epoch, its true accuracies, and the time of the search.",
        lambda page: searches_table(page.frame("searches", status="ok", space=darts.SPACE)),
    ),
    "darts-decides": Table(
        f"What the design can decide. {DECIDES}",
        lambda page: decides_table(decided_here(page)),
    ),
}


# ---- figures


def courses(page: Inputs, name: str = "epochs") -> pd.DataFrame:
    """Rows of the settings that the study is about, in their order."""
    rows = page.frame(name)
    chosen = rows[rows["setting"].isin(PROTAGONISTS)]
    if chosen.empty:
        raise page.absent()
    return chosen.sort_values("setting", key=lambda s: s.map(PROTAGONISTS.index), kind="stable")


def last_cells(page: Inputs) -> pd.DataFrame:
    """The edges of the cell that most searches of a setting end with, the first of equal ones."""
    searches = page.frame("searches", status="ok", space=darts.SPACE)
    rows = []
    for setting in PROTAGONISTS:
        cells = searches.loc[searches["setting"] == setting, "cell"]
        if len(cells):
            cell = Counter(cells).most_common(1)[0][0]
            title = f"{setting}: {(cells == cell).sum()} of {len(cells)}"
            operations = Cell.parse(cell).operations
            rows += [(title, *edge, op) for edge, op in zip(EDGES, operations, strict=True)]
    if not rows:
        raise page.absent()
    return pd.DataFrame(rows, columns=["cell", "source", "target", "operation"])


def cells_finding(rows: pd.DataFrame) -> str:
    """What the drawn cells are made of."""
    skips = rows["operation"].eq("skip_connect").groupby(rows["cell"], sort=False).sum()
    counts = "; ".join(f"{name.partition(':')[0]} {count}" for name, count in skips.items())
    return f"Skips of six edges in the cell that most seeds end with: {counts}."


def spectra(page: Inputs) -> pd.DataFrame:
    """The eigenvalues on the images that the gradient of a setting comes from."""
    rows = courses(page, "spectra")
    on_training = {SOTL, ON_TRAINING, FROZEN_TRAINING}
    own = rows["training"].where(rows["setting"].isin(on_training), rows["validation"])
    return rows.assign(eigenvalue=own)[["setting", "seed", "epoch", "eigenvalue"]]


def spectra_finding(rows: pd.DataFrame) -> str:
    """How often the eigenvalue is larger in the end."""
    runs = rows.sort_values("epoch").groupby(["setting", "seed"])["eigenvalue"]
    risen = int((runs.last() > runs.first()).sum())
    return f"From the first measured epoch to the last it rises in {risen} of {len(runs)} searches."


def accuracies(page: Inputs) -> pd.DataFrame:
    """The accuracy of every setting, ours and as printed, and of what takes no supernet."""
    rows = page.frame("settings", metric="cifar10")
    ours = rows[["setting", "mean", "ci_low", "ci_high", "n"]].assign(source="ours")
    theirs = printed()["value"]
    beside = [
        {"setting": name, "mean": theirs[row], "source": "printed"}
        for name, row in PRINTED.items()
        if name in set(ours["setting"])
    ]
    alone = page.frame("alone")[["choice", "cifar10"]]
    levels = alone.rename(columns={"choice": "setting", "cifar10": "mean"}).assign(source="alone")
    return pd.concat([ours, pd.DataFrame(beside), levels], ignore_index=True)


def draw_accuracies(rows: pd.DataFrame) -> Figure:
    """Settings as points between the accuracies of what takes no supernet."""
    known = rows[rows["source"] == "alone"].set_index("setting")["mean"]
    wanted = (SIX_SKIPS, SIX_CONVOLUTIONS, EVOLUTION)
    marks = {name: float(known[name]) for name in wanted if name in known}
    return plots.levels(rows[rows["source"] != "alone"], marks, "CIFAR-10 test accuracy, percent")


def beside_capacity(rows: pd.DataFrame) -> str:
    """How many settings are better than the cell with the most parameters."""
    known = rows[rows["source"] == "alone"].set_index("setting")["mean"]
    ours = rows[rows["source"] == "ours"]
    level = known[SIX_CONVOLUTIONS]
    return (
        f"{int((ours['mean'] > level).sum())} of {len(ours)} settings select better cells, by "
        f"their means, than six 3x3 convolutions, which need no search: {level:.2f}%."
    )


FIGURES = {
    "darts-accuracies": Drawing(
        accuracies,
        draw_accuracies,
        beside_capacity,
        "The cell that a search selects after its last epoch. A bar is a 95% interval over seeds; "
        "a point without one has a single seed, or the same cell in all.",
    ),
    "darts-cells": Drawing(
        last_cells,
        plots.cell_graphs,
        cells_finding,
        "The cell that most searches of a setting end with, and how many do; input on the left, "
        "output on the right. Edges with Zero are left out.",
    ),
    "darts-courses": Drawing(
        courses,
        lambda rows: plots.search_courses(rows, "cifar10", "CIFAR-10 test accuracy, percent", None),
        at_the_end("cifar10", "Accuracy in percent", 1),
        "The true accuracy of the cell that a search would select after each epoch; a line a seed. "
        "Of frozen alphas the cell is read from the sum of all gradients so far.",
    ),
    "darts-skips": Drawing(
        courses,
        lambda rows: plots.search_courses(rows, "skips", "skips of six edges", None),
        at_the_end("skips", "Skips", 1),
        "The skip connections of the cell that a search would select after each epoch.",
        shown=False,
    ),
    "darts-movement": Drawing(
        courses,
        lambda rows: plots.search_courses(rows, "largest_alpha", "largest alpha", None),
        at_the_end("largest_alpha", "The largest alpha", 3),
        "How far alphas have gone from zero. Adam lets one move by about its rate an update.",
        shown=False,
    ),
    "darts-eigenvalues": Drawing(
        spectra,
        lambda rows: plots.search_courses(rows, "eigenvalue", "largest eigenvalue", 0.0),
        spectra_finding,
        "The largest eigenvalue of the Hessian of the alphas, exact, on images of the kind that "
        "the gradient of a setting comes from: training images for SoTL-DARTS, as in the paper.",
    ),
}

SHOWS: dict[str, Sequence[str]] = {
    "fig-darts-accuracies": (*darts_claims.AGAINST_ALONE, *darts_claims.DIFFERENCES),
    "fig-darts-courses": tuple(darts_claims.TRENDS),
    "fig-darts-skips": (*darts_claims.COLLAPSES, "sotl-darts-prevents-collapse"),
    "fig-darts-eigenvalues": (*darts_claims.RISES, *darts_claims.CORRELATIONS),
    "tab-darts-cost": tuple(darts_claims.COSTS),
}
