"""What study 5's claims compute, from its statistics alone.

Two settings are compared as two independent groups of searches (see `measure.contrast`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from nasrepro.claims import Quantity, Smallest, judge
from nasrepro.metrics import spearman
from nasrepro.stats import LOGARITHM, Share
from nasrepro.studies import darts_oneshot, darts_space
from nasrepro.studies.darts import (
    DRNAS,
    EVOLUTION,
    FIRST,
    GDAS,
    LONGER,
    LONGER_FIRST,
    ON_TRAINING,
    PROGRESSIVE,
    RANDOM,
    SECOND,
    SOTL,
    SOTL_DRNAS,
    SOTL_PROGRESSIVE,
    SOVL,
    SPACE,
    risen,
)
from nasrepro.studies.measure import contrasts, levels

FILE = "sotl_darts"
ACCURACY = "cifar10"
PART = 5  # a trend is the last fifth of the epochs less the first

# Claim: setting whose searches end with six skips.
COLLAPSES = {"darts-collapses": FIRST, "second-order-collapses": SECOND}
# Claim: setting, and what takes no supernet.
AGAINST_ALONE = {
    "darts-below-random": (FIRST, RANDOM),
    "second-order-below-random": (SECOND, RANDOM),
    "darts-below-evolution": (FIRST, EVOLUTION),
    "sotl-darts-below-evolution": (SOTL, EVOLUTION),
    "sotl-darts-below-random": (SOTL, RANDOM),
}
# Claim: column, setting, and the setting that is subtracted.
DIFFERENCES = {
    "darts-below-gdas": (ACCURACY, FIRST, GDAS),
    "darts-below-drnas": (ACCURACY, FIRST, DRNAS),
    "darts-longer": (ACCURACY, LONGER_FIRST, FIRST),
    "sotl-darts-prevents-collapse": ("skips", SOTL, FIRST),
    "sotl-darts-better": (ACCURACY, SOTL, FIRST),
    "sotl-darts-better-second": (ACCURACY, SOTL, SECOND),
    "sotl-darts-competitive": (ACCURACY, SOTL, GDAS),
    "sotl-darts-longer": (ACCURACY, LONGER, SOTL),
    "sovl-worse": (ACCURACY, SOVL, FIRST),
    "sotl-darts-better-than-sovl": (ACCURACY, SOTL, SOVL),
    "darts-training-data-suffices": (ACCURACY, ON_TRAINING, FIRST),
    "darts-sum-adds-nothing": (ACCURACY, SOTL, ON_TRAINING),
    "sotl-drnas-better": (ACCURACY, SOTL_DRNAS, DRNAS),
    "sotl-drnas-better-in-phases": (ACCURACY, SOTL_PROGRESSIVE, PROGRESSIVE),
}
TRENDS = {"darts-declines": FIRST, "sotl-darts-improves": SOTL}
# Claim: setting, and the images of the Hessian.
RISES = {
    "darts-eigenvalue-rises": (FIRST, "validation"),
    "sotl-darts-eigenvalue-rises": (SOTL, "training"),
}
CORRELATIONS = {
    "darts-eigenvalue-negative": (FIRST, "validation"),
    "sotl-darts-eigenvalue-positive": (SOTL, "training"),
}
# Claim: two settings, whose time is divided.
COSTS = {"sotl-darts-as-cheap": (SOTL, FIRST), "second-order-dearer": (SECOND, SOTL)}

# Claim: column, space, setting, and the setting that is subtracted.
IN_DARTS_SPACE = {
    "darts-space-few-skips": ("parameterless", darts_space.WHOLE, SOTL, FIRST),
    "s2-fewer-skips": ("skips", darts_space.S2_NAME, SOTL, FIRST),
    "s2-deep-skips": ("skips", darts_space.S2_NAME, darts_space.DEEP, SOTL),
    "s2-deep-darts-skips": ("skips", darts_space.S2_NAME, darts_space.DEEP_FIRST, FIRST),
}
# Claim: column of the searches, space and setting.
OF_DARTS_SPACE = {
    "s2-no-skips": ("skips", darts_space.S2_NAME, SOTL),
    "pdarts-no-skips": ("skips", darts_space.WHOLE, darts_space.SOTL_PDARTS),
    "pdarts-skips-go-early": ("skips_left", darts_space.WHOLE, darts_space.SOTL_PDARTS),
}
DEPTHS = ("depth", "depth_reduction")  # of normal and reduction cell
# Claim: space, setting whose eigenvalue rises or not there, and the images of the Hessian.
RISES_THERE = {
    "s2-eigenvalue": (darts_space.S2_NAME, SOTL, "training"),
    "s2-eigenvalue-darts": (darts_space.S2_NAME, FIRST, "validation"),
    "darts-space-eigenvalue": (darts_space.WHOLE, SOTL, "training"),
    "darts-space-eigenvalue-darts": (darts_space.WHOLE, FIRST, "validation"),
}
# Claim: setting whose cells of DARTS' space are trained alone, and the setting that is subtracted.
ALONE = {
    "darts-eight-layers": (SOTL, FIRST),
    "second-order-eight-layers": (SOTL, SECOND),
    "sotl-drnas-eight-layers": (SOTL_DRNAS, DRNAS),
    "sotl-drnas-best-eight-layers": (SOTL_DRNAS, SOTL),
    "sotl-pdarts-eight-layers": (darts_space.SOTL_PDARTS, FIRST),
}


def quantities(statistics: Mapping[str, pd.DataFrame]) -> dict[str, Quantity]:
    """The quantity of each claim that the statistics have searches for.

    Args:
        statistics: of `studies.sotl_darts`.
    """
    parts = (of_nb201, of_darts_space, darts_oneshot.quantities)
    return {claim: quantity for part in parts for claim, quantity in part(statistics).items()}


def of_nb201(statistics: Mapping[str, pd.DataFrame]) -> dict[str, Quantity]:
    """Those of searches of NAS-Bench-201."""
    if "alone" not in statistics:
        return {}
    searches = statistics["searches"]
    whole = searches[(searches["space"] == SPACE) & (searches["status"] == "ok")]
    alone = statistics["alone"].set_index("choice")[ACCURACY]

    def of(column: str, setting: str) -> pd.Series:
        return whole[whole["setting"] == setting].set_index("seed")[column]

    found: dict[str, Quantity] = {}
    for claim, setting in COLLAPSES.items():
        if len(skips := of("skips", setting)):
            found[claim] = Share(int((skips == 6).sum()), len(skips))
    values = {
        claim: of(ACCURACY, setting) - alone[name]
        for claim, (setting, name) in AGAINST_ALONE.items()
        if name in alone
    }
    values |= by_epoch(statistics)
    found |= levels(values)
    found |= contrasts(
        {c: (of(column, a), of(column, b)) for c, (column, a, b) in DIFFERENCES.items()}
    )
    logarithms = {c: [np.log(of("cpu_seconds", s)) for s in pair] for c, pair in COSTS.items()}
    ratios = contrasts(logarithms)
    return found | {claim: replace(ratio, scale=LOGARITHM) for claim, ratio in ratios.items()}


def of_darts_space(statistics: Mapping[str, pd.DataFrame]) -> dict[str, Quantity]:
    """Those of searches of DARTS' space and S2, and of their cells alone."""
    searches = darts_space.of_space(statistics)
    whole = searches[searches["status"] == "ok"]

    def of(column: str, space: str, setting: str) -> pd.Series:
        rows = whole[(whole["space"] == space) & (whole["setting"] == setting)]
        return rows.set_index("seed")[column]

    compared = {
        claim: (of(column, space, a), of(column, space, b))
        for claim, (column, space, a, b) in IN_DARTS_SPACE.items()
        if len(whole)
    }
    values = {claim: of(*wanted) for claim, wanted in OF_DARTS_SPACE.items() if wanted[0] in whole}
    if "space_spectra" in statistics:
        spectra = statistics["space_spectra"]
        rises = {
            claim: risen(spectra[spectra["space"] == space], *wanted)
            for claim, (space, *wanted) in RISES_THERE.items()
        }
        both = rises["darts-space-eigenvalue"], rises["darts-space-eigenvalue-darts"]
        values |= rises
        compared["darts-space-eigenvalue-more"] = both
    if "retrained" in statistics:
        alone = statistics["retrained"]
        means = alone[alone["space"] == darts_space.WHOLE].groupby(["setting", "search"])
        accuracy = means["accuracy"].mean().unstack("search")
        compared |= {
            claim: (accuracy.loc[a], accuracy.loc[b])
            for claim, (a, b) in ALONE.items()
            if {a, b} <= set(accuracy.index)
        }
    found: dict[str, Quantity] = {**levels(values), **contrasts(compared)}
    if len(whole):
        space = darts_space.WHOLE
        deeper = contrasts({d: (of(d, space, SOTL), of(d, space, FIRST)) for d in DEPTHS})
        if len(deeper) == len(DEPTHS):
            found["darts-space-deeper"] = Smallest(tuple(deeper.values()))
    return found


def by_epoch(statistics: Mapping[str, pd.DataFrame]) -> dict[str, pd.Series]:
    """What claims say of the course of a search, one number a seed."""
    epochs, spectra = statistics["epochs"], statistics["spectra"]
    both = spectra.merge(epochs[["setting", "seed", "epoch", ACCURACY]])
    found = {c: each(epochs, setting, trend) for c, setting in TRENDS.items()}
    for claim, (setting, images) in RISES.items():
        found[claim] = risen(spectra, setting, images)
    for claim, (setting, images) in CORRELATIONS.items():
        found[claim] = each(both, setting, partial(together, images=images))
    return found


def each(rows: pd.DataFrame, setting: str, statistic: Callable[[pd.DataFrame], float]) -> pd.Series:
    """A number of each seed of a setting."""
    runs = rows[rows["setting"] == setting].groupby("seed")
    return pd.Series({seed: statistic(run) for seed, run in runs}, dtype=float)


def trend(run: pd.DataFrame) -> float:
    """Mean accuracy of the cells of the last fifth of the epochs less that of the first fifth.

    >>> trend(pd.DataFrame({"epoch": range(1, 11), ACCURACY: range(10)}))
    8.0
    """
    accuracy = run.sort_values("epoch")[ACCURACY].to_numpy(float)
    part = max(len(accuracy) // PART, 1)
    return float(accuracy[-part:].mean() - accuracy[:part].mean())


def together(run: pd.DataFrame, images: str) -> float:
    """Spearman correlation of eigenvalue and accuracy.

    NaN where the cell stays the same, or of fewer than two measured epochs.
    """
    return spearman(run[images], run[ACCURACY]) if len(run) > 1 else np.nan


def judged(statistics: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims with their verdicts: see `claims.judge`."""
    known = quantities(statistics) if statistics else {}
    return pd.DataFrame(judge(FILE, known))
