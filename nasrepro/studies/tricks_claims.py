"""What study 2's claims compute, from its statistics alone.

A setting is compared with another as two independent groups of runs (see `measure.contrast`).
Nothing is picked by its own mean: a largest or smallest of several has the largest or smallest
bounds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain, combinations, pairwise

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from nasrepro import claims
from nasrepro.claims import ALPHA, Best, Largest, Quantity, Smallest, count_positive, exact
from nasrepro.metrics import spearman
from nasrepro.resampling import jackknife
from nasrepro.stats import (
    Interval,
    Student,
    difference,
    fisher_correlation,
    level,
    ratio_of_deviations,
    stratified_difference,
)
from nasrepro.studies.channels import DISABLED, FIXED, INTERPOLATED, RANDOM, SHUFFLED, SIZES
from nasrepro.studies.measure import TOP_NS, contrast, contrasts, levels
from nasrepro.studies.rankings import AT_CHANCE
from nasrepro.studies.tricks import (
    BUDGETS,
    DENSITIES,
    DEPTHS,
    FAIR,
    MARGINS,
    MEDIUM,
    MEDIUM_NO_ZERO_NO_POOL,
    NO_ZERO,
    ON_MEDIUM,
    REDUCED,
    UNIFORM,
    VARIANTS,
    YU_SETTINGS,
)

Values = Callable[[str, str], pd.Series]  # of a metric and a setting, by seed

LT_SKIP, LT_BOTH = "linear transformers on Skip", "linear transformers on Skip and Pool"
NODE, CLIPPING, TRACKED = "operation on node", "gradient clipping", "tracked statistics"
TWO_CELLS, FOUR_CELLS = "cells a stage 2", "cells a stage 4"
MEDIUM_LT = f"{MEDIUM_NO_ZERO_NO_POOL}, {LT_SKIP}"
REGULARISED = "AutoAugment with label smoothing"
PAIR = VARIANTS[2]
# Claim: metric, setting, and the setting that is subtracted.
DIFFERENCES = {
    "laube-lt-skip-full": ("tau_a", LT_SKIP, FAIR),
    "laube-lt-skip-pool-full": ("tau_a", LT_BOTH, FAIR),
    "laube-lt-skip-no-zero": ("tau_a", f"{NO_ZERO}, {LT_SKIP}", NO_ZERO),
    "laube-lt-skip-pool-no-zero": ("tau_a", f"{NO_ZERO}, {LT_BOTH}", NO_ZERO),
    "laube-lt-fitting-space": ("tau_a", f"{NO_ZERO}, no Pool, {LT_SKIP}", f"{NO_ZERO}, no Pool"),
    "laube-lt-medium-rescue": ("mean_prediction", MEDIUM_LT, MEDIUM_NO_ZERO_NO_POOL),
    "laube-lt-medium-tau_a": ("tau_a", MEDIUM_LT, MEDIUM_NO_ZERO_NO_POOL),
    "laube-lt-overestimates": ("bias_convolutions", LT_SKIP, FAIR),
    "laube-lt-pool-no-benefit": ("tau_a", LT_BOTH, LT_SKIP),
    "laube-lt-pool-worse": ("tau_a", LT_BOTH, LT_SKIP),
    "laube-lt-pool-no-zero": ("tau_a", f"{NO_ZERO}, {LT_BOTH}", f"{NO_ZERO}, {LT_SKIP}"),
    "laube-unshared-small-tau_a": ("tau_a", "topology not shared", FAIR),
    "laube-unshared-small-tau": ("kendall_tau_a", "topology not shared", FAIR),
    "laube-fair-tau_a": ("tau_a", UNIFORM, FAIR),
    "laube-fair-tau": ("kendall_tau_a", UNIFORM, FAIR),
    "laube-uniform-accuracy": ("mean_prediction", UNIFORM, FAIR),
    "laube-warm-up-tau_a": ("tau_a", "warm-up", FAIR),
    "laube-warm-up-tau": ("kendall_tau_a", "warm-up", FAIR),
    "laube-clipping-tau_a": ("tau_a", CLIPPING, FAIR),
    "laube-clipping-tau": ("kendall_tau_a", CLIPPING, FAIR),
    "laube-regularised-tau_a": ("tau_a", REGULARISED, FAIR),
    "laube-regularised-tau": ("kendall_tau_a", REGULARISED, FAIR),
    "laube-regularised-underestimates": ("top_less_random", REGULARISED, FAIR),
    "laube-regularised-bias": ("bias_convolutions", REGULARISED, FAIR),
    "laube-unshared-medium": ("mean_prediction", f"{MEDIUM}, topology not shared", MEDIUM),
    "laube-uniform-medium": ("mean_prediction", f"{MEDIUM}, uniform", MEDIUM),
    "yu-tracked-accuracy": ("mean_prediction", TRACKED, UNIFORM),
    "yu-tracked-chance": ("share_at_chance", TRACKED, UNIFORM),
    "yu-tracked-s-kdt": ("s_kdt", TRACKED, UNIFORM),
    "yu-tracked-s-kdt-affine-off": ("s_kdt", f"affine off, {TRACKED}", "affine off"),
    "yu-affine": ("s_kdt", "affine off", UNIFORM),
    "yu-learning-rate": ("s_kdt", "learning rate x4", UNIFORM),
    "yu-learning-rate-high": ("s_kdt", "learning rate x8", UNIFORM),
    "yu-epochs-accuracy": ("mean_prediction", BUDGETS[0], UNIFORM),
    "yu-epochs-quality": ("s_kdt", BUDGETS[0], UNIFORM),
    "yu-epochs-plateau": ("s_kdt", BUDGETS[3], UNIFORM),
    "yu-epochs-plateau-final": ("final_accuracy", BUDGETS[3], UNIFORM),
    "yu-weight-decay-s-kdt": ("s_kdt", "weight decay 0", UNIFORM),
    "yu-weight-decay-accuracy": ("mean_prediction", "weight decay 0", UNIFORM),
    "yu-weight-decay-final": ("final_accuracy", "weight decay 0", UNIFORM),
    "yu-random-a-s-kdt": ("s_kdt", "Random-A", UNIFORM),
    "yu-random-a-final": ("final_accuracy", "Random-A", UNIFORM),
    "yu-fairnas-s-kdt": ("s_kdt", "FairNAS", UNIFORM),
    "yu-fairnas-final": ("final_accuracy", "FairNAS", UNIFORM),
    "yu-fair-to-cells": ("s_kdt", "FairNAS", "Random-A"),
    "yu-batch-accuracy": ("mean_prediction", "batch /4", UNIFORM),
    "yu-batch-s-kdt": ("s_kdt", "batch /4", UNIFORM),
    "yu-batch-final": ("final_accuracy", "batch /4", UNIFORM),
    "yu-batch-half": ("s_kdt", "batch /2", UNIFORM),
    "yu-channels-half": ("s_kdt", "channels /2", UNIFORM),
    "yu-channels-quarter": ("s_kdt", "channels /4", UNIFORM),
    "yu-cells": ("s_kdt", UNIFORM, TWO_CELLS),
    "yu-portion-quarter": ("s_kdt", "train portion 0.25", UNIFORM),
    "yu-portion-half": ("s_kdt", "train portion 0.5", UNIFORM),
    "yu-portion-three-quarters": ("s_kdt", "train portion 0.75", UNIFORM),
    "yu-portion-half-final": ("final_accuracy", "train portion 0.5", UNIFORM),
    "yu-ofa-s-kdt": ("s_kdt", "OFA kernel", UNIFORM),
    "yu-ofa-final": ("final_accuracy", "OFA kernel", UNIFORM),
    "yu-wsbn-s-kdt": ("s_kdt", "WSBN", UNIFORM),
    "yu-wsbn-final": ("final_accuracy", "WSBN", UNIFORM),
    "yu-path-dropout-s-kdt": ("s_kdt", "path dropout 0.2", UNIFORM),
    "yu-path-dropout-final": ("final_accuracy", "path dropout 0.2", UNIFORM),
    "yu-global-dropout-s-kdt": ("s_kdt", "global dropout", UNIFORM),
    "yu-global-dropout-final": ("final_accuracy", "global dropout", UNIFORM),
    **{
        f"yu-{claim}-{what}": (metric, setting, FIXED)
        for claim, setting in {"shuffle": SHUFFLED, "interpolate": INTERPOLATED}.items()
        for what, metric in {
            "accuracy": "mean_prediction",
            "s-kdt": "s_kdt",
            "final": "final_accuracy",
        }.items()
    },
    "yu-nodes": ("s_kdt", NODE, UNIFORM),
    "yu-nodes-worse": ("s_kdt", NODE, UNIFORM),
    "yu-nodes-final": ("final_accuracy", NODE, UNIFORM),
    **{f"zhang-density-{name[10:]}": (f"spearman_in_{name}", name, UNIFORM) for name in DENSITIES},
    "zhang-pruned-8-less": ("top_10_gain", "best 1/8", UNIFORM),
    "zhang-pruned-128": ("spearman", "best 1/128", "best 1/8"),
    "zhang-no-benefit-fairnas": ("spearman", "FairNAS", UNIFORM),
    "zhang-no-benefit-fairnas-top10": ("top_10_accuracy", "FairNAS", UNIFORM),
    "zhang-no-benefit-multi-path": ("spearman", "multi-path", UNIFORM),
    "zhang-no-benefit-multi-path-top10": ("top_10_accuracy", "multi-path", UNIFORM),
    "zhang-no-benefit-hyper-parameters": ("spearman", PAIR, UNIFORM),
    "zhang-no-benefit-hyper-parameters-top10": ("top_10_accuracy", PAIR, UNIFORM),
}
# Claim: metric and setting, whose mean over runs is judged.
LEVELS = {
    "laube-lt-underestimates": ("top_less_random", LT_SKIP),
    "laube-lt-underestimates-no-zero": ("top_less_random", f"{NO_ZERO}, {LT_SKIP}"),
    "laube-warm-up-medium": ("mean_prediction", f"{MEDIUM}, warm-up"),
    "laube-clipping-medium": ("mean_prediction", f"{MEDIUM}, {CLIPPING}"),
    "zhang-pruned-8": ("top_10_gain", "best 1/8"),
    "zhang-top10-top1": ("top_10_less_top_1_cifar100", UNIFORM),
    "zhang-favours-large": ("spearman_parameters", UNIFORM),
    "zhang-parameters-better": ("parameters_less_spearman", FIXED),
    "zhang-favours-conv3": ("bias_conv3", UNIFORM),
    "zhang-conv3-above-skip": ("bias_conv3_less_skip", UNIFORM),
    "zhang-top-tenth": ("top_10_rank", UNIFORM),
    "zhang-best-not-found": ("tau_b_top_less_all", UNIFORM),
}
# Claim: metric and settings, of which the first is to scatter less than the second.
RATIOS = {
    "laube-lt-medium-deviation": ("mean_prediction", MEDIUM_LT, MEDIUM_NO_ZERO_NO_POOL),
    "laube-lt-pool-deviation": ("mean_prediction", LT_BOTH, LT_SKIP),
    "yu-fairnas-stability": ("final_accuracy", "FairNAS", UNIFORM),
}
# Claims that a trick rescues medium supernets, or does not: the setting that it is to rescue, which
# has to be at chance.
RESCUED = {
    "laube-lt-medium-rescue": MEDIUM_NO_ZERO_NO_POOL,
    **{f"laube-{trick}-medium": MEDIUM for trick in ("unshared", "uniform", "warm-up", "clipping")},
}
COUNTED = {"zhang-best-skip": "best_skip", "yu-coverage": "coverage"}
OTHERS = (
    *("Random-A", TWO_CELLS, "batch /2", "channels /2", "train portion 0.5"),
    *("OFA kernel", "WSBN", "path dropout 0.2", "global dropout", NODE),
)
HYPER_PARAMETERS = (  # Yu's, of which the baseline has other values
    *("affine off", TRACKED, f"affine off, {TRACKED}"),
    *(f"learning rate x{n}" for n in ("0.2", "2", "4", "8")),
    *(budget for budget in BUDGETS if budget != UNIFORM),
    *(f"weight decay {n}" for n in ("0", "0.0001", "0.0003", "0.0005")),
)


def quantities(statistics: Mapping[str, pd.DataFrame]) -> dict[str, Quantity]:
    """The quantity of each claim that the statistics have runs for.

    Args:
        statistics: of `studies.tricks`.
    """
    of = values_of(statistics["runs"])
    numbers = statistics["exact"].set_index("name")
    found: dict[str, Quantity] = {
        claim: exact(float(numbers.loc[name, "value"]), int(numbers.loc[name, "n"]))
        for claim, name in COUNTED.items()
    }
    compared = {c: (of(metric, a), of(metric, b)) for c, (metric, a, b) in DIFFERENCES.items()}
    found |= contrasts(compared)
    found |= levels({claim: of(*wanted) for claim, wanted in LEVELS.items()})
    found |= {
        claim: ratio_of_deviations(of(metric, a), of(metric, b))
        for claim, (metric, a, b) in RATIOS.items()
        if min(len(of(metric, a)), len(of(metric, b))) > 1
    }
    parts = laube(of), yu(of), zhang(of), consistency(statistics["agreement"], of)
    found |= {claim: quantity for part in parts for claim, quantity in part.items()}
    impossible = untestable(of)
    return {claim: quantity for claim, quantity in found.items() if claim not in impossible}


def untestable(of: Values) -> dict[str, str]:
    """Why our runs cannot test some claims, as far as they show: nothing is there to rescue."""
    means = {s: of("mean_prediction", s).mean() for s in set(RESCUED.values())}
    return {
        claim: f"{setting} predicts {means[setting]:.0f}% on average without it, which is above "
        f"chance: there is nothing to rescue"
        for claim, setting in RESCUED.items()
        if means[setting] > AT_CHANCE
    }


def values_of(runs: pd.DataFrame) -> Values:
    """The values of a metric in the runs of a setting, by seed."""
    known = runs.dropna()
    rows, by_seed = known.groupby(["metric", "setting"]).indices, known.set_index("seed")["value"]

    def of(metric: str, setting: str) -> pd.Series:
        return by_seed.iloc[rows.get((metric, setting), [])]

    return of


def all_differences(
    of: Values, metric: str, pairs: Iterable[tuple[str, str]]
) -> list[Student] | None:
    """The difference of each pair of settings; None unless all have one."""
    found = [contrast(of(metric, setting), of(metric, baseline)) for setting, baseline in pairs]
    return [each for each in found if each] if all(found) else None


def laube(of: Values) -> dict[str, Quantity]:
    """The claims of Laube that are no plain difference."""
    found: dict[str, Quantity] = {}
    tops = [f"tau_top_{n}" for n in TOP_NS]
    means = [sum(of(top, setting) for top in tops) / len(tops) for setting in (UNIFORM, FAIR)]
    if gain := contrast(*means):
        found["laube-fair-tau-top"] = gain
    for claim, metric in {"accuracy": "mean_prediction", "tau": "kendall_tau_a"}.items():
        by_depth = pd.concat([of(metric, depth) for depth in depths(of, metric)], axis=1).dropna()
        if len(by_depth):
            trends = by_depth.apply(lambda row: spearman(range(len(DEPTHS)), row), axis=1)
            found[f"laube-cells-{claim}"] = level(trends)
    settings = (
        FAIR,
        UNIFORM,
        LT_SKIP,
        LT_BOTH,
        "topology not shared",
        "warm-up",
        CLIPPING,
        REGULARISED,
        MEDIUM,
        "channels x3",
        *depths(of, "tau_top_500"),
        *(setting for setting in ON_MEDIUM if len(of("tau_top_500", setting))),
    )
    taus = [level(v) for s in settings if len(v := of("tau_top_500", s))]
    if len(taus) == len(settings):
        found["laube-no-high-tau"] = Largest(tuple(taus))
    return found


def depths(of: Values, metric: str) -> tuple[str, ...]:
    """The settings of one to five cells a stage, one of which is a profile's baseline."""
    missing = [depth for depth in DEPTHS if not len(of(metric, depth))]
    return tuple(FAIR if [depth] == missing else depth for depth in DEPTHS)


def yu(of: Values) -> dict[str, Quantity]:
    """The claims of Yu that are no plain difference."""
    found: dict[str, Quantity] = {}
    # One cell less than the baseline's five, where that is Yu's own.
    if fewer := contrast(of("s_kdt", FOUR_CELLS), of("s_kdt", UNIFORM)):
        found["yu-cells"] = fewer
    others = tuple(FOUR_CELLS if fewer and name == TWO_CELLS else name for name in OTHERS)
    rises = all_differences(of, "final_accuracy", ((other, UNIFORM) for other in others))
    if rises:
        margin = MARGINS["final_accuracy"]
        found["yu-others-do-not-help"] = count_positive(
            replace(rise, mean=rise.mean - margin) for rise in rises
        )
    found |= disabled(of)
    settings = settings_of_yu(of)
    accuracies = {s: known for s in settings if len(known := of("final_accuracy", s))}
    if len(accuracies) == len(settings):
        found["yu-hyper-parameters"] = best_of(accuracies)
    names = ("mean_prediction", "s_kdt", "final_accuracy")
    means = pd.DataFrame({n: {s: of(n, s).mean() for s in settings} for n in names}).dropna()
    if len(means) == len(settings):
        accuracy, s_kdt, final = (rankdata(means[name]) for name in names)
        found["yu-accuracy-judges-poorly"] = fisher_correlation(accuracy, final)
        found["yu-s-kdt-judges-better"] = jackknife(
            np.column_stack([accuracy, s_kdt, final]),
            lambda rows: spearman(rows[:, 1], rows[:, 2]) - spearman(rows[:, 0], rows[:, 2]),
        )
    return found


def disabled(of: Values) -> dict[str, Quantity]:
    """The claims about A_1 to A_4 against random cells: means over them, and each."""
    found: dict[str, Quantity] = {}
    pairs = [(DISABLED[k], RANDOM[k]) for k in SIZES]
    for claim, metric in {"s-kdt": "s_kdt", "final": "final_accuracy"}.items():
        sides = [[of(metric, setting) for setting in side] for side in zip(*pairs, strict=True)]
        if all(map(len, chain(*sides))):
            found[f"yu-disable-{claim}"] = stratified_difference(*sides)
    if each := all_differences(of, "s_kdt", pairs):
        found["yu-disable-each"] = count_positive(each)
    return found


def settings_of_yu(of: Values) -> tuple[str, ...]:
    """Yu's settings that a profile has; it has one of two names where the baseline is another."""
    twice = (TWO_CELLS,) if len(of("s_kdt", FOUR_CELLS)) else REDUCED
    return tuple(setting for setting in YU_SETTINGS if setting not in twice)


def best_of(accuracy: Mapping[str, pd.Series]) -> Best:
    """By how much the best hyper-parameter is above the best other setting, with the baseline.

    Args:
        accuracy: of the runs of each setting, at least one.
    """
    others = [setting for setting in accuracy if setting not in HYPER_PARAMETERS]
    return Best(
        tuple(
            tuple(difference(accuracy[one], accuracy[other]) for other in others)
            for one in accuracy
            if one in HYPER_PARAMETERS
        )
    )


def zhang(of: Values) -> dict[str, Quantity]:
    """The claims of Zhang that are no plain difference."""
    found: dict[str, Quantity] = {}
    doublings = [(longer, shorter) for shorter, longer in pairwise(BUDGETS)]
    rho, top, accuracy = (
        all_differences(of, metric, doublings)
        for metric in ("spearman", "top_10_accuracy", "mean_prediction")
    )
    if rho and top and accuracy:
        one_of = ALPHA / len(doublings)  # for one budget is enough for the claim
        found["zhang-longer-spearman"] = count_negative(rho, one_of)
        found["zhang-longer-top10"] = count_negative(top, one_of)
        found["zhang-longer-accuracy"] = Smallest(tuple(accuracy))
        found["zhang-accuracy-judges-poorly"] = count_opposed(accuracy, rho, one_of)
        excess = [(of("spearman_parameters", b) - of("spearman", b)).dropna() for b in BUDGETS]
        found["zhang-favours-large-more"] = count_positive(map(level, excess), ALPHA / len(BUDGETS))
    if len(gains := of("top_10_gain", UNIFORM)):
        gain, ranks = level(gains), level(of("spearman", UNIFORM)).mean > 0.4
        no_interval = Interval(gain.mean, np.nan, np.nan, gain.n)
        found["zhang-beats-random"] = gain if ranks else no_interval
    return found


def count_negative(estimates: Iterable[Student], alpha: float) -> Interval:
    """How many are below zero, as `count_positive`."""
    return count_positive((replace(each, mean=-each.mean) for each in estimates), alpha)


def count_opposed(rising: Iterable[Student], falling: Iterable[Student], alpha: float) -> Interval:
    """How many pairs rise and fall: by their means, and by what their intervals leave open."""
    both = zip(rising, falling, strict=True)
    pairs = [(a.interval(1 - alpha), b.interval(1 - alpha)) for a, b in both]
    return Interval(
        sum(a.mean > 0 > b.mean for a, b in pairs),
        sum(a.low > 0 > b.high for a, b in pairs),
        sum(not (a.high <= 0 or b.low >= 0) for a, b in pairs),
        len(pairs),
    )


def consistency(agreement: pd.DataFrame, of: Values) -> dict[str, Quantity]:
    """How far rankings of different supernets agree."""
    found: dict[str, Quantity] = {}
    same_seed = agreement[agreement["seed_a"] == agreement["seed_b"]]
    between = same_seed.pivot(index="seed_a", columns=["setting_a", "setting_b"], values="spearman")

    def mutual(pairs: list[tuple[str, str]], settings: Iterable[str]) -> pd.Series:
        """Mean agreement of pairs less the mean correlation with the truth, by seed."""
        if not set(pairs) <= set(between.columns):
            return pd.Series(dtype=float)
        with_truth = pd.concat([of("spearman", s) for s in settings], axis=1).mean(axis=1)
        return (between[pairs].dropna().mean(axis=1) - with_truth).dropna()

    tricks = [(UNIFORM, variant) for variant in VARIANTS]
    groups = {
        "zhang-consistent-budgets": (list(combinations(BUDGETS, 2)), BUDGETS),
        "zhang-consistent-tricks": (tricks, VARIANTS),
    }
    found |= levels({claim: mutual(*group) for claim, group in groups.items()})
    for pair, name in zip(tricks, ("fairnas", "multi-path", "hyper-parameters"), strict=True):
        if pair in between.columns:
            found[f"zhang-consistent-{name}"] = level(between[pair].dropna())
    rho = of("spearman", UNIFORM)
    seeds = agreement[(agreement["setting_a"] == UNIFORM) & (agreement["setting_b"] == UNIFORM)]
    if len(rho) > 2 and len(seeds):
        by_pair = seeds.set_index(["seed_a", "seed_b"])["spearman"]
        number = rho.index.to_numpy()

        def agreed(chosen: np.ndarray) -> float:
            return float(np.mean([by_pair[pair] for pair in combinations(sorted(chosen), 2)]))

        def differed(chosen: np.ndarray) -> float:
            return float(np.mean([abs(rho[a] - rho[b]) for a, b in combinations(chosen, 2)]))

        found["zhang-consistent-seeds"] = jackknife(number, agreed)
        found["zhang-seed"] = jackknife(number, differed)
    return found


def judged(statistics: Mapping[str, pd.DataFrame], files: Iterable[str]) -> pd.DataFrame:
    """The claims of some files with their verdicts: see `claims.judge`."""
    if not statistics:
        return pd.DataFrame([row for file in files for row in claims.judge(file, {})])
    known, reasons = quantities(statistics), untestable(values_of(statistics["runs"]))
    return pd.DataFrame([row for file in files for row in claims.judge(file, known, reasons)])
