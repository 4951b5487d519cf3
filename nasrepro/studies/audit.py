"""What Pourchot and the SoTL thesis print, computed again from other numbers.

A printed number stands for all that round to it. It agrees if one of them can be what the others
give: the printed inputs are varied by half a unit of their last digit, too.
"""

import math
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from nasrepro import claims
from nasrepro.effects import (
    detectable_effect,
    effect_interval,
    p_of_effect,
    power,
    runs_needed,
    superiority,
)
from nasrepro.published import read
from nasrepro.spaces.nb101 import SUBSPACES
from nasrepro.stats import fisher_correlation
from nasrepro.studies.appraisal import TRICKS, published

HALF = 0.005  # half a unit of the second decimal, the last one printed


def effects() -> pd.DataFrame:
    """Tables 4 and 5: d from mean and deviation, p from d and the runs of section 4.3.

    d = mean / deviation; p by `stats.p_of_effect`. Both as ranges, because of the rounding; the p
    of the ds that the printed mean, deviation and d allow together (of the printed d, if none).

    Returns:
        What is printed, and d_low, d_high, d_agrees; p_low, p_high, p_agrees; ci_low and ci_high of
        the printed d, by the noncentral t distribution; superiority, by `stats.superiority`.
    """
    (design,) = published("design").itertuples()
    na, nb = design.baseline, design.guided
    rows = []
    for row in published("effects").itertuples():
        ratios = [
            (row.mean + a * HALF) / (row.deviation + b * HALF)
            for a, b in product((-1, 1), repeat=2)
        ]
        low, high = max(min(ratios), row.d - HALF), min(max(ratios), row.d + HALF)
        agrees = low <= high
        if not agrees:
            low, high = row.d - HALF, row.d + HALF
        smallest = 0.0 if low < 0 < high else min(abs(low), abs(high))
        p_low, p_high = p_of_effect(max(abs(low), abs(high)), na, nb), p_of_effect(smallest, na, nb)
        interval = effect_interval(row.d, na, nb)
        rows.append(
            {
                "d_low": min(ratios),
                "d_high": max(ratios),
                "d_agrees": agrees,
                "p_low": p_low,
                "p_high": p_high,
                "p_agrees": p_low <= row.p + HALF and row.p - HALF <= p_high,
                "ci_low": interval.low,
                "ci_high": interval.high,
                "superiority": superiority(row.d),
            }
        )
    return published("effects").join(pd.DataFrame(rows))


def greedy_against_random() -> pd.Series:
    """Regret of random less that of greedy search, both without weight sharing, by space.

    The paper does not print it: it is the left column of table 4 less that of table 5, from which
    the random search with weight sharing cancels.
    """
    guided = published("effects").query("guided == 'RS'")
    means = guided.pivot(index="space", columns="baseline", values="mean")
    return (means["RS"] - means["GS"]).reindex(guided["space"].unique())


def superiorities() -> pd.DataFrame:
    """The probabilities that the text derives from effect sizes: 100 Phi(d / sqrt 2).

    Returns:
        where, space, d, percent as printed; percent_low and percent_high of the ds that round to
        the printed one; agrees.
    """
    table = published("superiority")
    low, high = (100 * (table["d"] + side * HALF).map(superiority) for side in (-1, 1))
    agrees = (low <= table["percent"] + 0.5) & (table["percent"] - 0.5 <= high)
    return table.assign(percent_low=low, percent_high=high, agrees=agrees)


def design() -> pd.DataFrame:
    """What the runs of section 4.3 can find, by the power of Student's two-sided t-test.

    Returns:
        Columns question, value: the power for the effect that is promised; the smallest effect
        found with the power that is promised; how many runs that effect needs; and the
        smallest effect if both searches had as few runs, which explains the choice.
    """
    (plan,) = published("design").itertuples()
    runs = f"{plan.guided} runs against {plan.baseline}"
    values = {
        f"power of {runs} for d = {plan.effect}": power(
            plan.effect, plan.guided, plan.baseline, plan.alpha
        ),
        f"smallest d that {runs} find with power {plan.power}": detectable_effect(
            plan.guided, plan.baseline, plan.power, plan.alpha
        ),
        f"runs needed against {plan.baseline} for d = {plan.effect} with power {plan.power}": (
            runs_needed(plan.effect, plan.baseline, plan.power, plan.alpha)
        ),
        f"smallest d that {plan.guided} runs against {plan.guided} find with power {plan.power}": (
            detectable_effect(plan.guided, plan.guided, plan.power, plan.alpha)
        ),
    }
    # Objects, so that the number of runs stays whole beside the fractions.
    return pd.DataFrame(values.items(), columns=["question", "value"], dtype=object)


def precision(judged: pd.DataFrame) -> pd.DataFrame:
    """Whether claims that a quantity is small can be supported with the n there is.

    The interval of d keeps its width wherever it lies; both bounds of Fisher's interval rise with
    the correlation. So if it reaches out of the region on both sides when it lies around zero, it
    never lies within.

    Args:
        judged: what `claims.judge` gives of "pourchot_search".

    Returns:
        Of each claim with a region around zero that was run: quantity, `holds if`, n; half, half
        the width of the interval that was found, of a correlation of that around zero; room, how
        far from zero an estimate may lie so that such an interval is in the region: none, if below
        zero.
    """
    known, rows = claims.read_claims("pourchot_search"), []
    for row in judged[judged["n"] > 0].itertuples():
        region = known[row.claim].region
        if math.isinf(region.high - region.low):
            continue
        half = (row.ci_high - row.ci_low) / 2
        if row.claim == "no-link":
            places = np.arange(row.n) - (row.n - 1) / 2
            half = (
                fisher_correlation(places, np.abs(places)).interval().high
            )  # falls as much as it rises
        room = min(region.high, -region.low) - half
        rows.append((row.quantity, str(region), row.n, half, room))
    return pd.DataFrame(rows, columns=["quantity", "holds if", "n", "half", "room"])


def texts() -> pd.DataFrame:
    """Numbers of sections 5.1 to 5.3, computed from tables 3 to 5 and the sizes of the spaces.

    The sizes are counted by enumeration (`spaces.nb101`). The rise from NO FT to BNS-FT and their
    ratio are given twice: of the average, as the text has it, and as the average of seven.

    Returns:
        id, where, statement, printed; how, computed, agrees (rounded as printed).
    """
    table = published("table3").pivot(index="space", columns="method", values="mean")
    found, before = table["BNS-FT"], table["NO FT"]
    sizes = pd.Series({space: SUBSPACES[space].size for space in table.index})
    correlation = stats.spearmanr(found, sizes)
    full, without = "A_FULL", "A_FULL^NRES"
    ranges = table.max() - table.min()
    effects = published("effects").set_index("space")
    beaten = effects.query("baseline == 'GS' and guided == 'RS' and p < 0.05")
    by_search = effects.query("baseline == 'RS'").pivot(columns="guided", values="mean")
    computed = [
        ("size-correlation", "over seven spaces", correlation.statistic, 2),
        ("size-p", "t approximation", correlation.pvalue, 2),
        ("no-residual-loss", "of A_FULL's", 100 * (1 - found[without] / found[full]), 0),
        ("no-residual-size", "of A_FULL's", 100 * (1 - sizes[without] / sizes[full]), 0),
        ("bns-gain", "rise of the average", 100 * (found.mean() / before.mean() - 1), -1),
        ("bns-gain", "average of the rises", 100 * ((found / before).mean() - 1), -1),
        ("bns-ratio", "ratio of the averages", found.mean() / before.mean(), 0),
        ("bns-ratio", "average of the ratios", (found / before).mean(), 0),
        ("greedy-beaten", "p below 0.05 in table 5", float(len(beaten)), 0),
        ("greedy-sharing", "table 4", float((by_search["GS"] > by_search["RS"]).sum()), 0),
        ("wider-range", "largest range of the four variants", ranges[list(TRICKS)].max(), 2),
        ("drawn", "432 times 157", 432.0 * 157, 0),
        ("covered", "size of A_FULL^RES", float(sizes["A_FULL^RES"]), 0),
    ]
    frame = pd.DataFrame(computed, columns=["id", "how", "computed", "digits"])
    frame = published("text").merge(frame, on="id")
    rounded = [round(x, n) for x, n in zip(frame["computed"], frame["digits"], strict=True)]
    return frame.drop(columns="digits").assign(agrees=np.isclose(rounded, frame["printed"]))


# ---- the SoTL thesis


def thesis(printed_curves: pd.DataFrame, exact: pd.DataFrame) -> pd.DataFrame:
    """Numbers of the SoTL thesis' text (4.1, 4.2), computed from other sources that are here.

    The thesis does not say whether SoTL is summed over all epochs or the last one in figures 4.4
    and 4.5: both are here, by the curves of the estimator's first authors. What it ranks 12-epoch
    trainings by is not said either, nor is a Pearson correlation meant; all four are here.

    Args:
        printed_curves: of `sotl_curves.printed`; may be empty.
        exact: of `sotl_curves.exact`; may be empty.

    Returns:
        where, statement, printed, rule; how, computed, agrees.
    """
    names = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet": "ImageNet16-120"}
    computed: list[tuple[str, str, float]] = []
    if len(printed_curves):
        first = printed_curves.set_index(["dataset", "estimator"])["first_90"]
        windows = {"SoTL": "sum of all epochs", "SoTL-E": "last epoch alone"}
        for key, dataset in names.items():
            computed += [(f"90-{key}", how, first[dataset, name]) for name, how in windows.items()]
        computed.append(("90-validation", "Ru et al., digitised", first["CIFAR-10", "ValAcc"]))
    for row in exact.itertuples():
        kind, rest = str(row.name).split(" ", 1)
        if kind == "parameters":
            key = next(key for key, dataset in names.items() if dataset == rest)
            computed.append((f"parameters-{key}", "the thesis' own 200 cells", row.value))
        else:
            computed.append(("12-epochs", f"{rest.removeprefix('epochs ')}, all cells", row.value))
    inputs, hidden, classes = 28**2, 1_000, 10
    one = (inputs + 1) * hidden + (hidden + 1) * classes
    layers = {"one hidden layer, as said": one, "two hidden layers": one + (hidden + 1) * hidden}
    computed += [("mlp", how, count / 1e6) for how, count in layers.items()]
    frame = read("sotl_text").merge(
        pd.DataFrame(computed, columns=["id", "how", "computed"]), on="id"
    )
    agrees = [
        {
            "at most": row.computed <= row.printed,
            "at most about": row.computed <= 1.1 * row.printed,
            "about": abs(row.computed - row.printed) <= 0.1 * row.printed,
            "rounds": math.isclose(round(row.computed, row.digits), row.printed),
        }[row.rule]
        for row in frame.itertuples()
    ]
    return frame.drop(columns=["id", "digits"]).assign(agrees=agrees)
