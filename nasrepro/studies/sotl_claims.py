"""What the claims of study 4 compute, from its statistics alone; on supernets: `sotl_supernets`.

Nothing is picked by its own mean: a smallest of several has the smallest bounds.
"""

from collections.abc import Mapping

import pandas as pd

from nasrepro.benchmarks import official_curves
from nasrepro.claims import Quantity, Smallest, exact
from nasrepro.stats import Interval, Share, level
from nasrepro.studies import sotl_supernets
from nasrepro.studies.measure import levels
from nasrepro.studies.sotl_curves import LAST_EPOCH
from nasrepro.studies.sotl_scratch import PARAMETERS, at_end
from nasrepro.studies.sotl_synthetic import DEGREES, STARTS, VALIDATION, unrolled

Frames = Mapping[str, pd.DataFrame]
TRUE = 3  # degree of figures 4.2 and 4.3
RU = 5_000  # cells of the figures of Ru et al.
LONG = unrolled(250)
# Claim: metric, network, setting, and the setting that is subtracted.
TUNING = {
    "sotl-rate-speed": ("mean", "MLP", LONG, unrolled(2)),
    "sotl-rate-final": ("final", "MLP", LONG, unrolled(2)),
    "sotl-rate-horizon": ("log_rate", "MLP", LONG, unrolled(2)),
    "sotl-rate-validation": ("final", "MLP", LONG, VALIDATION),
    "sotl-rate-vgg": ("final", "VGG", unrolled(10), unrolled(2)),
}
STEPS = ((unrolled(50), unrolled(10)), (LONG, unrolled(50)))  # figure 4.1a's scaling
# Claim: the setting that is to take more steps to the true degree, and the other one.
MAXDEG = {
    "sotl-maxdeg-longer": (unrolled(2), unrolled(25)),
    "sotl-maxdeg-validation": (VALIDATION, unrolled(25)),
}
ORDERED = ((2, 5), (5, 10), (10, 25))
# Claim: name in `scratch_facts`.
FACTS = {
    "sotl-scratch-90-validation-official": "90-validation-official",
    "sotl-scratch-early-naap": "early-naap",
    "sotl-scratch-early-selfmade": "early-selfmade",
    "sotl-scratch-end-selfmade": "end-selfmade",
    "sotl-scratch-closing-selfmade": "closing-selfmade",
}
# Claim on all official cells: names in `scratch_facts`, of which the largest counts.
OFFICIAL = {
    "sotl-scratch-90-cifar10-file": ("90-last-epoch CIFAR-10",),
    "sotl-scratch-90-all-losses-file": ("90-all-losses CIFAR-10",),
    "sotl-scratch-90-validation-file": ("90-validation CIFAR-10",),
    "sotl-scratch-90-others-file": ("90-last-epoch CIFAR-100", "90-last-epoch ImageNet16-120"),
    "sotl-scratch-overtaken": ("ahead-until CIFAR-10",),
    "sotl-scratch-falls-cifar10": ("fallen CIFAR-10",),
    "sotl-scratch-falls-cifar100": ("fallen CIFAR-100",),
    "sotl-scratch-no-fall-imagenet-file": ("fallen ImageNet16-120",),
    "sotl-scratch-epoch-10-file": ("ahead-10 CIFAR-10",),
}
WITHOUT_FILE = (
    "the official losses of every epoch are in the benchmark's own file alone, "
    f"{' or '.join(official_curves.FILES)}, which only a user can get; nasrepro data fetch "
    f"{official_curves.NAME} reads it"
)
# Claims that only runs of the profile paper are long, or many, enough for.
_LEVEL = "the level needs up to 50 epochs of nearly all training images: profile paper"
_TRAINERS = (
    "the variants take 4 to 16 times the paths of SPOS: in these spaces the profile cpu trains by "
    "SPOS alone"
)
BEYOND_CPU = {
    "sotl-rate-level-long": _LEVEL,
    "sotl-rate-level-short": _LEVEL,
    **dict.fromkeys(sotl_supernets.ONE_SHOT_TRAINERS, _TRAINERS),
}
# Claim: name in `exact`.
EXACT = {
    "sotl-scratch-12-level": "12 epochs validation spearman",
    "sotl-params-cifar10": "parameters CIFAR-10",
    "sotl-params-cifar100": "parameters CIFAR-100",
    "sotl-params-imagenet": "parameters ImageNet16-120",
}
TRUTHS = ("CIFAR-10", "CIFAR-100", "ImageNet16-120")
# Claim on networks trained from scratch: column of `gradients`, and the estimators, of which the
# second is subtracted.
GRADIENTS = {
    "sotl-sog-scratch": ("spearman", "SoG", "SoGN"),
    "sotl-sog-scratch-code": ("spearman", "SoG (code)", "SoGN (code)"),
    "sotl-sog-scratch-level": ("spearman", "SoG (code)"),
    "sotl-sogn-scratch-level": ("spearman", "SoGN (code)"),
    "sotl-sog-scratch-parameters": ("spearman", "SoG (code)", PARAMETERS),
    "sotl-sog-scratch-beyond": ("partial", "SoG (code)", "SoGN (code)"),
}


def quantities(frames: Frames) -> dict[str, Quantity]:
    """The quantity of each claim that the study's frames have what it needs for."""
    parts = {
        "evidence": evidence,
        "degrees": degrees,
        "maxdeg": maxdeg,
        "tuning": tuning,
        "printed_curves": printed,
        "scratch_facts": facts,
        "exact": counted,
        "gradients": from_scratch,
    }
    found: dict[str, Quantity] = {}
    for name, quantities_of in parts.items():
        if name in frames and len(frames[name]):
            found |= quantities_of(frames[name])
    return found | sotl_supernets.quantities(frames)


def evidence(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Section 3.1."""
    wide = rows.pivot(index="seed", columns="degree", values=["log_evidence", "bound", "sampled"])
    best = {name: wide[name].idxmax(axis=1) for name in ("log_evidence", "bound", "sampled")}
    excess = (wide["bound"] - wide["log_evidence"]).to_numpy().max()

    def agree(name: str) -> Share:
        return Share(int((best[name] == best["log_evidence"]).sum()), len(wide))

    return {
        "sotl-bound-holds": exact(float(excess), wide["bound"].size),
        "sotl-bound-selects": agree("bound"),
        "sotl-samples-select": agree("sampled"),
    }


def degrees(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Figure 4.2: the true degree against the best of all others, data set by data set."""
    wide = rows.pivot(index="seed", columns="degree", values=["sotl", "fitted"])
    others = [degree for degree in DEGREES if degree != TRUE]
    gains = {name: wide[name][others].min(axis=1) - wide[name][TRUE] for name in ("sotl", "fitted")}
    return {
        "sotl-degree-lowest": level(gains["sotl"] / wide["sotl"][TRUE]),
        "sotl-degree-fastest": level(gains["fitted"]),
    }


def maxdeg(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Figure 4.3."""
    longest = rows[rows["setting"] == unrolled(25)]
    away = (longest["final"] - TRUE).abs().groupby(longest["seed"]).max()
    first = rows[rows["first"] == STARTS[0]]
    wide = first.pivot(index="seed", columns="setting", values="reached")
    distance = first.pivot(index="seed", columns="setting", values="distance")
    ordered = [level(wide[unrolled(a)] - wide[unrolled(b)]) for a, b in ORDERED]
    return {
        "sotl-maxdeg-converges": level(away),
        **{claim: level(wide[a] - wide[b]) for claim, (a, b) in MAXDEG.items()},
        "sotl-maxdeg-same-unrolling": level(distance[VALIDATION] - distance[unrolled(2)]),
        "sotl-maxdeg-ordered": Smallest(tuple(ordered)),
    }


def tuning(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Figure 4.1, paired by seed."""

    def of(metric: str, network: str, setting: str) -> pd.Series:
        chosen = (rows["metric"] == metric) & (rows["network"] == network)
        return rows[chosen & (rows["setting"] == setting)].set_index("seed")["value"]

    def gain(metric: str, network: str, setting: str, baseline: str) -> pd.Series:
        return (of(metric, network, setting) - of(metric, network, baseline)).dropna()

    gains = {claim: gain(*wanted) for claim, wanted in TUNING.items()}
    gains["sotl-rate-level-long"] = of("best_20", "MLP", unrolled(250))
    gains["sotl-rate-level-short"] = of("at_50", "MLP", unrolled(2))
    gains["sotl-rate-halvings"] = of("late_halvings", "MLP", unrolled(10))
    found: dict[str, Quantity] = {**levels(gains)}
    steps = [gain("mean", "MLP", *pair) for pair in STEPS]
    if all(map(len, steps)):
        found["sotl-rate-scaling"] = Smallest(tuple(map(level, steps)))
    return found


def printed(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Figures 4.4 and 4.5, in the digitised curves of Ru et al.; exact as far as these are."""
    of = rows.set_index(["dataset", "estimator"])
    first = {
        name: of["first_90"].xs(name, level="estimator") for name in ("SoTL", LAST_EPOCH, "ValAcc")
    }
    ten, (ours, *others) = of["at_10"], (first[LAST_EPOCH][truth] for truth in TRUTHS)
    imagenet = of.loc[("ImageNet16-120", LAST_EPOCH)]
    values = {
        "sotl-scratch-90-cifar10": ours,
        "sotl-scratch-90-all-losses": first["SoTL"]["CIFAR-10"],
        "sotl-scratch-90-validation": first["ValAcc"]["CIFAR-10"],
        "sotl-scratch-90-others": max(others),
        "sotl-scratch-faster-others": ours - max(others),
        "sotl-scratch-no-fall-imagenet": imagenet["largest"] - imagenet["last"],
        "sotl-scratch-epoch-10": ten["CIFAR-10", LAST_EPOCH] - ten["CIFAR-10", "ValAcc"],
    }
    return {claim: exact(float(value), RU) for claim, value in values.items()}


def facts(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Figures 4.4 and 4.5 on real curves: bootstrapped over networks, where not all are there."""
    of = rows.set_index("name")
    found: dict[str, Quantity] = {}
    for claim, name in FACTS.items():
        if name in of.index:
            mean, low, high, n = of.loc[name, ["mean", "ci_low", "ci_high", "n"]]
            found[claim] = Interval(mean, low, high, int(n))
    for claim, names in OFFICIAL.items():
        if set(names) <= set(of.index):
            largest = of.loc[list(names)].sort_values("mean").iloc[-1]
            found[claim] = exact(float(largest["mean"]), int(largest["n"]))
    return found


def untestable(quantities: Mapping[str, Quantity]) -> dict[str, str]:
    """Why some claims cannot be tested without a file or larger runs, where there are none."""
    reasons = BEYOND_CPU | dict.fromkeys(OFFICIAL, WITHOUT_FILE)
    return {claim: reason for claim, reason in reasons.items() if claim not in quantities}


def counted(rows: pd.DataFrame) -> dict[str, Quantity]:
    """What complete tables say."""
    of = rows.set_index("name")
    return {
        claim: exact(float(of.loc[name, "value"]), int(of.loc[name, "n"]))
        for claim, name in EXACT.items()
        if name in of.index
    }


def from_scratch(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Figure 4.9b: after the last epoch, paired by seed."""
    values = {}
    for claim, (column, estimator, *baseline) in GRADIENTS.items():
        of = at_end(rows, column)
        values[claim] = of[estimator] - of[baseline[0]] if baseline else of[estimator]
    return {**levels(values)}
