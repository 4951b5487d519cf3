"""Study 2 as a page: training tricks and factors, one at a time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nasrepro import plots
from nasrepro.benchmarks import few_shot_supernets, snapshots, zero_cost
from nasrepro.claims import ALPHA
from nasrepro.effects import detectable_effect
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import RUN_NUMBERS, Table, decided, verdict_numbers
from nasrepro.pages.settings import describe_runs
from nasrepro.pages.text import DECIDES, decides_table, p_text, runs_of_both, with_interval
from nasrepro.published import read
from nasrepro.spaces.nb101 import SUBSPACES
from nasrepro.studies import (
    CLAIMS,
    channels,
    protocols,
    published_supernets,
    tricks,
    tricks_claims,
)
from nasrepro.studies.protocols import PARAMETERS, Protocol
from nasrepro.studies.rankings import BY_LOSS
from nasrepro.studies.tricks import ALL_FACTORS, BASELINES, FAIR, SPACE, UNIFORM

FILES = CLAIMS["training-tricks"]
PUBLISHED = few_shot_supernets.NAME
SHOWN = {  # metrics of the tables, in order, and their heads
    "mean_prediction": "proxy accuracy, %",
    "spearman": "Spearman",
    f"spearman{BY_LOSS}": "Spearman by cross-entropy",
    "partial_spearman": "Spearman given parameters",
    "s_kdt": "s-KdT",
    "tau_b_top_tenth": "tau-b in the true top tenth",
    "tau_a": "tau_a",
    "top_10_accuracy": "top-10, %",
    "final_accuracy": "final accuracy, %",
}
SHOWN_OF_OTHERS = {  # metrics of published supernets, likewise
    "spearman": "Spearman",
    "sparse_kendall_tau": "s-KdT",
    "tau_top_tenth": "tau-b in the true top tenth",
    "final_accuracy": "final accuracy, %",
}
PERCENT = ("mean_prediction", "top_10_accuracy", "final_accuracy")


def claims(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of the three papers on tricks, with verdicts, or "not run".

    Args:
        frames: the study's `tables`, as far as there are any.

    Returns:
        The columns of `claims.judge`, and source: whose numbers they are.
    """
    rows = tricks_claims.judged(frames, FILES)
    return rows.assign(source=np.where(rows["counted"], "complete table", "our supernets"))


# ---- numbers


def of_baseline(page: Inputs, setting: str, metric: str) -> str:
    """Mean and interval of a metric in a baseline, and the number of its seeds."""
    row = page.frame("settings", setting=setting, metric=metric).iloc[0]
    if row.n == 1:
        return f"{row['mean']:.2f} (one seed)"
    return f"{with_interval(row['mean'], row.ci_low, row.ci_high)} (n = {row.n})"


def parameters_rank(page: Inputs) -> str:
    """Spearman correlation of the parameter count with the truth, over the random sample."""
    exact = page.frame("exact").set_index("name")
    return f"{exact.loc['parameters', 'value']:.2f}"


def settings_wanted(page: Inputs) -> int:
    """How many settings the profile has, with the baselines."""
    return len({labels["setting"] for labels in tricks.factor_design(page.profile).values()})


def settings_begun(page: Inputs) -> int:
    """How many settings have a stored supernet."""
    design = tricks.factor_design(page.profile)
    stored = [record.config for record in page.plan.stored]
    return len({design[config]["setting"] for config in stored if config in design})


def balanced_gains(page: Inputs) -> pd.DataFrame:
    """Final accuracy that balanced sampling adds to published supernets, connected cells."""
    rows = page.frame("published_splits", (PUBLISHED,), cells="connected", metric="final_accuracy")
    rows = rows[(rows["what"] == published_supernets.BALANCED) & (rows["n"] > 1)]
    if rows.empty:
        raise page.absent((PUBLISHED,))
    return rows


def range_of_gains(page: Inputs) -> str:
    """The least and the largest of `balanced_gains`."""
    gains = balanced_gains(page)["difference"]
    return f"{gains.min():.1f} to {gains.max():.1f}"


def judged_by(page: Inputs, metric: str) -> str:
    """How a metric of published supernets is correlated with the final accuracy over settings."""
    frame = page.frame("published_judges", (PUBLISHED,), cells="connected")
    row = frame[(frame["metric_a"] == metric) & (frame["metric_b"] == "final_accuracy")].iloc[0]
    return with_interval(row.spearman, row.ci_low, row.ci_high)


NUMBERS = {
    **verdict_numbers(claims),
    **RUN_NUMBERS,
    "settings": settings_wanted,
    "settings-begun": settings_begun,
    "spearman-fair": lambda page: of_baseline(page, FAIR, "spearman"),
    "spearman-uniform": lambda page: of_baseline(page, UNIFORM, "spearman"),
    "spearman-fair-loss": lambda page: of_baseline(page, FAIR, f"spearman{BY_LOSS}"),
    "spearman-uniform-loss": lambda page: of_baseline(page, UNIFORM, f"spearman{BY_LOSS}"),
    "spearman-parameters": parameters_rank,
    "published-gains": range_of_gains,
    "published-gains-settings": lambda page: len(balanced_gains(page)),
    "published-judge-accuracy": lambda page: judged_by(page, "mean_prediction"),
    "published-judge-s-kdt": lambda page: judged_by(page, "sparse_kendall_tau"),
}


# ---- tables


def setting(page: Inputs) -> pd.DataFrame:
    """What all runs of a space share that a factor does not change."""
    profile = tricks.PROFILES[page.profile]
    bases = {SPACE: profile.base, channels.SPACE: profile.channels}
    described = [
        describe_runs([base], {"all but where a factor says otherwise": base.net})
        .set_index("setting")["value"]
        .rename(space)
        for space, base in bases.items()
        if base
    ]
    return pd.concat(described, axis=1).rename_axis("setting").reset_index()


def number(row: pd.Series) -> str:
    """A mean with its interval, as precise as its metric deserves."""
    mean, low, high = row
    return with_interval(mean, low, high, 1 if row.name in PERCENT else 2)


def settings_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a setting: n and the metrics of `SHOWN`."""
    order = list(dict.fromkeys(rows["setting"]))
    known = rows[rows["metric"].isin(SHOWN)].set_index(["setting", "metric"])
    cells = {
        setting: {"n": str(part["n"].max())}
        | {
            head: number(part.loc[metric, ["mean", "ci_low", "ci_high"]].rename(metric))
            for metric, head in SHOWN.items()
            if metric in part.index
        }
        for setting in order
        for part in [known.loc[setting]]
    }
    return pd.DataFrame.from_dict(cells, "index").fillna("–").rename_axis("setting").reset_index()


def factors_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a factor: what it changes, n, and the differences of some metrics."""
    found: dict[str, dict[str, str]] = {}
    for row in rows[rows["metric"].isin(SHOWN)].itertuples():
        digits = 1 if row.metric in PERCENT else 2
        text = with_interval(row.difference, row.ci_low, row.ci_high, digits)
        holm = f", p {p_text(row.p_holm)}" if row.p_holm == row.p_holm else ""
        entry = found.setdefault(
            row.factor, {"paper": row.paper, "n": runs_of_both(row.n, row.n_baseline)}
        )
        entry[SHOWN[row.metric]] = text + holm
    heads = ["paper", "n", *(head for head in SHOWN.values())]
    table = pd.DataFrame.from_dict(found, "index")
    shown = [head for head in heads if head in table]
    return table[shown].rename_axis("factor").reset_index().fillna("–")


def noise(page: Inputs) -> pd.DataFrame:
    """How much two seeds of a baseline differ, and which differences three against five find."""
    runs = page.frame("runs")
    rows = []
    for baseline in BASELINES:
        chosen = runs[(runs["setting"] == baseline) & runs["metric"].isin(SHOWN)]
        spread = chosen.groupby("metric", sort=False)["value"].agg(["std", "count"])
        for metric, head in SHOWN.items():
            if metric in spread.index and spread.loc[metric, "count"] > 1:
                deviation, n = spread.loc[metric]
                finds = detectable_effect(3, 5) * deviation
                rows.append((baseline, head, int(n), f"{deviation:.3f}", f"{finds:.2f}"))
    if not rows:
        raise Absent("One seed of each baseline is stored: the noise is not known yet.")
    heads = ["baseline", "metric", "n", "standard deviation", "difference found 4 times in 5"]
    return pd.DataFrame(rows, columns=heads).astype(str)


PROTOCOL_HEADS = {
    "spearman": "Spearman",
    "partial_spearman": "Spearman given parameters",
    "tau_top_tenth": "tau-b in the true top tenth",
    "top_10_accuracy": "top-10, %",
    "cpu_seconds": "core-minutes",
}


def protocols_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a protocol: the time that it is for, n, and its metrics on the cells to report on."""
    found: dict[str, dict[str, str]] = {}
    for row in rows[rows["metric"].isin(PROTOCOL_HEADS)].itertuples():
        protocol = Protocol(row.minutes, row.training, row.supernets, row.score)
        time = f"{row.budget} min{', chosen' if row.chosen else ''}" if row.supernets else "–"
        entry = found.setdefault(str(protocol), {"for": time, "n": str(row.n)})
        is_time = row.metric == "cpu_seconds"
        mean, low, high = (x / (60 if is_time else 1) for x in (row.mean, row.ci_low, row.ci_high))
        digits = 1 if is_time or row.metric in PERCENT else 2
        alone = is_time or row.n < 2
        text = f"{mean:.{digits}f}" if alone else with_interval(mean, low, high, digits)
        entry[PROTOCOL_HEADS[row.metric]] = text
    table = pd.DataFrame.from_dict(found, "index")
    shown = [head for head in ("for", "n", *PROTOCOL_HEADS.values()) if head in table]
    return table[shown].rename_axis("protocol").reset_index().fillna("–")


def reported(page: Inputs) -> pd.DataFrame:
    """All protocols; Absent in a profile that has none."""
    if page.profile not in protocols.PROFILES:
        known = " and ".join(protocols.PROFILES)
        raise Absent(f"Recipes are for minutes of one core: the profiles {known} have them.")
    return page.frame("recipes")


def recipes(page: Inputs) -> pd.DataFrame:
    """The protocol that is chosen for each time, and counting parameters."""
    rows = reported(page)
    if not rows["chosen"].any():
        raise Absent("No protocol has all of its repetitions yet.")
    return protocols_table(rows[rows["chosen"] | (rows["training"] == PARAMETERS)])


def equivalent(page: Inputs) -> pd.DataFrame:
    """The factors that two one-sided tests find within the margins, a row a factor and metric."""
    rows = page.frame("equivalent")
    if rows["p"].isna().all():
        raise Absent("No factor has two seeds yet.")
    found = rows[rows["p"] <= ALPHA]
    if found.empty:
        raise Absent("No factor is found within a margin.")
    return pd.DataFrame(
        {
            "factor": found["factor"],
            "metric": found["metric"].map(lambda name: SHOWN.get(name, name)),
            "margin": found["margin"].map("± {:.2g}".format),
            "difference": found["difference"].map("{:.2f}".format),
            "n": found["n"].astype(str),
            "p": found["p"].map(p_text),
            "p (Holm)": found["p_holm"].map(p_text),
        }
    )


def judges_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row two metrics: their correlation over settings."""
    names = SHOWN | SHOWN_OF_OTHERS | {f"s_kdt{BY_LOSS}": "s-KdT by cross-entropy"}
    return pd.DataFrame(
        {
            "of a supernet": rows["metric_a"].map(names),
            "with": rows["metric_b"].map(names),
            "Spearman": [
                with_interval(*row) for row in rows[["spearman", "ci_low", "ci_high"]].to_numpy()
            ],
            "n": rows["n"].astype(int).astype(str),
        }
    )


def zero_cost_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a score of untrained networks, the best first."""
    wide = rows.pivot(index="score", columns="metric", values="value")
    wide = wide.sort_values("spearman", ascending=False)
    table = pd.DataFrame({"n": rows.groupby("score")["n"].max()}).loc[wide.index].astype(str)
    for metric, head in (PROTOCOL_HEADS | {"seconds": "seconds a cell"}).items():
        if metric in wide:
            digits = 1 if metric in PERCENT else 2
            table[head] = [f"{x:.{digits}f}" if x == x else "–" for x in wide[metric]]
    return table.rename_axis("score").reset_index()


def published_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Effects between published supernets over connected cells, a row a pair of settings."""
    chosen = rows[(rows["cells"] == "connected") & rows["metric"].isin(SHOWN_OF_OTHERS)]
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in chosen.itertuples():
        digits = 1 if row.metric in PERCENT else 2
        effect = with_interval(row.difference, row.ci_low, row.ci_high, digits)
        entry = found.setdefault(
            (row.what, row.against, row.setting), {"n": runs_of_both(row.n, row.n_baseline)}
        )
        entry[SHOWN_OF_OTHERS[row.metric]] = f"{row.baseline:.{digits}f}, {effect}"
    table = pd.DataFrame.from_dict(found, "index").rename_axis(["what", "from", "to"])
    shown = [head for head in ("n", *SHOWN_OF_OTHERS.values()) if head in table]
    return table[shown].reset_index()


def narrow(page: Inputs) -> pd.DataFrame:
    """What fewer channels change in s-KdT: as Yu prints it, in published supernets and in ours."""
    ours = page.frame("factors", metric="s_kdt")
    ours = ours[ours["factor"].isin(["channels /2", "channels /4"])]
    printed = read("yu_factors").query("space == @SPACE and factor == 'channels'")
    found = [
        ("Yu, table 11", row.setting, "3, averaged", row.baseline, row.value - row.baseline)
        for row in printed[printed["metric"] == "s-KdT"].itertuples()
    ]
    others = page.frames.get("published_factors", pd.DataFrame(columns=["what", "cells", "metric"]))
    wider = others[others["what"].str.startswith("channels") & (others["cells"] == "connected")]
    for row in wider[wider["metric"] == "sparse_kendall_tau"].itertuples():
        gain = with_interval(-row.difference, -row.ci_high, -row.ci_low)
        name = f"{row.setting} to {row.against}"
        found.append(
            ("published supernets", name, runs_of_both(row.n, row.n_baseline), row.value, gain)
        )
    for row in ours.itertuples():
        gain = with_interval(row.difference, row.ci_low, row.ci_high)
        found.append(("ours", row.factor, runs_of_both(row.n, row.n_baseline), row.baseline, gain))
    table = pd.DataFrame(found, columns=["whose", "channels", "n", "wide", "narrow less wide"])
    return table.map(lambda value: value if isinstance(value, str) else f"{value:.2f}")


def split_supernets(page: Inputs) -> pd.DataFrame:
    """What `published_table` makes of split supernets; Absent if all at hand are single ones."""
    page.frame("published_all", (PUBLISHED,))  # or Absent
    if page.frames["published_splits"].empty:
        raise Absent("The published supernets at hand are single ones: no split one is among them.")
    return published_table(page.frame("published_splits"))


def states_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a number of averaged states: n and the correlations of all windows of so many."""
    table = rows[["averaged", "networks", "n"]].astype(str)
    for name in ("mean", "least", "largest"):
        table[f"{name} Spearman"] = rows[name].map("{:.2f}".format)
    return table.rename(columns={"averaged": "states averaged"})


TABLES = {
    "tricks-setting": Table(
        "What all supernets of this study share. A factor changes what its name says. A profile "
        "that is named after a paper has its settings; the others have Laube's at a smaller scale, "
        "chosen for speed, not on the truth, and on NAS-Bench-101, where dynamic channels are, "
        "those of study 1.",
        setting,
    ),
    "tricks-settings": Table(
        "Every setting. Mean and 95% interval over n supernets, over the random connected cells; "
        "of pruned spaces (best 1/k) over random ones of these, of dynamic channels over a sample "
        "of NAS-Bench-101. "
        "s-KdT and the final accuracy (mean truth of the best three by proxy) are over the 200 of "
        "them that a search draws first; tau_a is over the true top N.",
        lambda page: settings_table(page.frame("settings")),
    ),
    "tricks-factors": Table(
        "Every factor. Its mean less its baseline's, with Welch's 95% interval, and p by Holm's "
        "method over the factors of a metric; n: of its supernets, and of the baseline's.",
        lambda page: factors_table(page.frame("factors")),
    ),
    "tricks-noise": Table(
        "The noise. The standard deviation between n seeds of a baseline, and the difference that "
        "three supernets of a setting and five of the baseline find 4 times in 5 (two-sided, 5%) "
        "if the setting scatters as the baseline does. Smaller differences are not decidable here.",
        noise,
    ),
    "tricks-published": Table(
        "Published supernets. Supernets of the whole of NAS-Bench-201 that others trained on GPUs, "
        "named channels-batch-epochs: the value from which a setting differs in one thing, and the "
        "difference, with Welch's 95% interval; n: of its supernets, and of the other's. Connected "
        "cells.",
        lambda page: published_table(page.frame("published_factors", (PUBLISHED,))),
    ),
    "tricks-narrow": Table(
        "Narrow supernets. The s-KdT of supernets and of narrower ones: as Yu prints it, of 200 "
        "cells with the proxies of three supernets averaged; in published supernets, named "
        "channels-batch-epochs, over all connected cells; in ours over 200 random ones. The last "
        "two have Welch's 95% interval of the difference, and n of both. The networks whose "
        "truth is ranked are the benchmark's in each.",
        narrow,
    ),
    "tricks-splits": Table(
        "Split supernets and balanced sampling. Published supernets whose later cells are there "
        "two to four times, so that paths with fewer convolutions in a row up to there, by limits "
        "after split, have another copy, beside single ones; and balanced sampling, evenly from "
        "three parts of the cells, in either. The value from which a setting differs, and the "
        "difference, with Welch's 95% interval; n: of its supernets, and of the other's. Connected "
        "cells; the final accuracy is that of the best three of 200, expected over all draws.",
        split_supernets,
    ),
    "tricks-published-judges": Table(
        "What judges a published supernet. As of our own supernets, over all n settings of single "
        "and split ones; connected cells.",
        lambda page: judges_table(page.frame("published_judges", (PUBLISHED,), cells="connected")),
    ),
    "tricks-states": Table(
        "What a single state is worth. One published supernet after each of its last steps: how it "
        "ranks all networks of its small space by the accuracy that it gives them, in one state or "
        "on average over consecutive ones, in each of the n windows of so many. They overlap and "
        "are of one supernet: there is no interval.",
        lambda page: states_table(
            page.frame("published_states", (snapshots.NAME, snapshots.TRUTH))
        ),
    ),
    "tricks-equivalent": Table(
        "What makes no difference that matters. Factors whose difference to their baseline lies "
        "within a margin that was stated before, by two one-sided tests of Welch (5%); p by Holm's "
        "method over the factors of a metric. What is not here is not shown to matter.",
        equivalent,
    ),
    "tricks-judges": Table(
        "What judges a supernet. Spearman correlation over n of Yu's settings, each with the mean "
        "of its seeds, as Yu's figure 9, and its 95% interval, which takes settings for "
        "independent.",
        lambda page: judges_table(page.frame("judges")),
    ),
    "tricks-recipes": Table(
        "The recipes. What ranks best in one, three and ten minutes of one core: chosen by the "
        "mean Spearman correlation on one half of the random connected cells; what it reaches on "
        "the other half, mean and 95% interval over n repetitions. The time is that of training "
        "and evaluating, as it was measured.",
        recipes,
    ),
    "tricks-protocols": Table(
        "All protocols. What the recipes are chosen from, on the half of the cells on which none "
        "was chosen: how many supernets of so many minutes, how they are trained, and what they "
        "rank by. Each supernet has 5 channels and batches of 32 where its name says nothing "
        "else; balanced: a number of parameters is drawn first, then a cell that has it.",
        lambda page: protocols_table(reported(page)),
    ),
    "tricks-zero-cost": Table(
        "Without training. Scores of untrained networks, which others computed on GPUs, over the n "
        "connected cells that have them: other cells than those of the recipes.",
        lambda page: zero_cost_table(page.frame("zero_cost", (zero_cost.NAME,))),
    ),
    "tricks-decides": Table(
        f"What the design can decide. {DECIDES}",
        lambda page: decides_table(decided_here(page)),
    ),
}


def decided_here(page: Inputs) -> pd.DataFrame:
    """What the design can decide of all three papers' claims, at least of one."""
    page.frame("runs")  # or Absent
    return decided(FILES, tricks_claims.quantities(page.frames))


def parts_of(name: str, rows: pd.DataFrame) -> list[str]:
    """The design has one part, whose runs are behind all but what others published."""
    return [] if name in ("exact", "zero_cost") or name.startswith("published") else [""]


# ---- figures


def effects(page: Inputs) -> pd.DataFrame:
    """Differences in s-KdT that factors make: ours and, where it prints them, Yu's.

    An asterisk stands behind the factors whose effect is beyond Holm's correction.
    """
    rows = page.frame("factors", metric="s_kdt")
    order = [factor.name for factor in ALL_FACTORS]
    ours = rows[["factor", "difference", "ci_low", "ci_high", "n"]].assign(source="ours")
    printed = read("yu_factors")
    of_channels = printed["setting"].str.startswith("dynamic channels")
    here = (printed["space"] == SPACE) | of_channels
    printed = printed[here & (printed["metric"] == "s-KdT")].dropna(subset=["baseline", "value"])
    part = ", " + printed["space"].where(printed["space"].isin(SUBSPACES), "")
    theirs = pd.DataFrame(
        {
            "factor": (printed["setting"] + part).str.removesuffix(", ").replace(NAMES_OF_YU),
            "difference": printed["value"] - printed["baseline"],
            "source": "printed",
        }
    )
    theirs = theirs[theirs["factor"].isin(ours["factor"])]
    both = pd.concat([ours, theirs.drop_duplicates("factor")], ignore_index=True)
    both = both.sort_values("factor", key=lambda names: names.map(order.index), kind="stable")
    beyond = set(rows.loc[rows["p_holm"] <= ALPHA, "factor"])
    both["factor"] += both["factor"].isin(beyond).map({True: " *", False: ""})
    return both.rename(columns={"difference": "mean"})


# What Yu's rows are called here.
NAMES_OF_YU = {
    "affine on, tracked statistics": "tracked statistics",
    "weight decay 0.0": "weight decay 0",
    "cells a stage -1": "cells a stage 4",  # instead of five
}


def beyond_noise(rows: pd.DataFrame) -> str:
    """How many factors differ from their baseline by the whole interval, of those that have one."""
    ours = rows[rows["source"] == "ours"]
    single = ours["ci_low"].isna()
    clear = ours[(ours["ci_low"] > 0) | (ours["ci_high"] < 0)]
    if single.all():
        return (
            f"One seed of {len(ours)} factors: s-KdT changes by {ours['mean'].min():.2f} to "
            f"{ours['mean'].max():.2f}, and what of that is noise is not known yet."
        )
    rest = f" {single.sum()} more have no interval yet." if single.any() else ""
    return f"Of {(~single).sum()} factors, {len(clear)} change s-KdT by their whole interval.{rest}"


FIGURES = {
    "tricks-factors": Drawing(
        effects,
        lambda rows: plots.effect_sizes(rows, "factor", "s-KdT less the baseline's"),
        beyond_noise,
        "Each factor against its baseline; right of 0, it ranks better. A bar is "
        "Welch's 95% interval, a point without one has a single seed, and "
        "one that reaches the edge goes on; an asterisk, that the "
        "effect remains by Holm's method over the factors. As printed: Yu's tables "
        "10 to 12, NAS-Bench-201, and of dynamic channels tables 3 and 7, NAS-Bench-101.",
    ),
}

SHOWS: dict[str, Sequence[str]] = {
    "fig-tricks-factors": tuple(
        claim for claim, (metric, *_) in tricks_claims.DIFFERENCES.items() if metric == "s_kdt"
    ),
}
