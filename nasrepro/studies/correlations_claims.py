"""The quantities of Laube's claims on subspaces, from study 1's statistics alone."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import metrics
from nasrepro.claims import Quantity, Smallest, count_positive, exact
from nasrepro.resampling import Resampled, resampled, resampled_difference
from nasrepro.spaces.nb201 import EDGES, Subspace
from nasrepro.stats import (
    Interval,
    Share,
    deviation_ratio,
    fisher_correlation,
    level,
)
from nasrepro.studies.measure import CHANCE, TOP_NS, contrasts
from nasrepro.studies.subspaces import DOUBLES, FULL, NEITHER, NO_POOL, NO_SKIP, NO_ZERO, SINGLES

FIGURE2 = ("tau_top_50", "tau_top_250", "kendall_tau_a")  # the columns of Laube's figure 2


def quantities(statistics: dict[str, pd.DataFrame]) -> dict[str, Quantity]:
    """The quantities of Laube's claims on subspaces that we can compute."""
    found = run_quantities(statistics["runs"])
    if len(statistics["usage"]):
        found |= usage_quantities(statistics["usage"]) | best_quantities(statistics["best"])
    return found


def usage_quantities(usage: pd.DataFrame) -> dict[str, Quantity]:
    """The quantities of the claims about the true top 500: exact counts."""
    top = usage[usage["top"] == "500"].set_index(["subspace", "operation"])
    use, share = top["usage"], top["share"]
    full = str(Subspace())
    with_conv3 = use.xs("nor_conv_3x3", level="operation")
    order = ["skip_connect", "nor_conv_1x1", "none", "avg_pool_3x3"]
    no_skip = str(Subspace.without("skip_connect"))
    no_conv3 = str(Subspace.without("nor_conv_3x3"))
    rises = [share[no_conv3, op] - share[full, op] for op in ("avg_pool_3x3", "nor_conv_1x1")]
    return {
        "conv3-everywhere": exact(with_conv3.min(), 500),
        "conv3-half": exact(share.xs("nor_conv_3x3", level="operation").mean(), 500),
        "usage-order": exact(-np.diff([use[full, op] for op in order]).max(), 500),
        "pool-for-skip": exact(use[no_skip, "avg_pool_3x3"] - use[full, "avg_pool_3x3"], 500),
        "substitutes-for-conv3": exact(min(rises), 500),
        "conv1-for-conv3": exact(rises[1] - rises[0], 500),
    }


def best_quantities(best: pd.DataFrame) -> dict[str, Quantity]:
    """The quantities of the claims about how close the best cells are, and which remain."""
    value = best.set_index(["subspace", "what"])["value"]
    full, no_skip = value[str(FULL), "gap"], value[str(NO_SKIP), "gap"]
    return {
        "best-gap": exact(full, 10),
        "best-gap-no-skip": exact(no_skip, 10),
        "best-gap-rises": exact(no_skip - full, 10),
        "top-kept": exact(value[str(FULL), "kept 500"], 500),
    }


Values = Callable[..., np.ndarray]  # metric, subspace and size -> one number a run, in seed order


def values_of(runs: pd.DataFrame) -> Values:
    """How to look up a metric of the runs that have it, of a subspace and size."""
    groups = runs.dropna().groupby(["metric", "size", "subspace"], sort=False)["value"]
    values = {key: group.to_numpy() for key, group in groups}

    def of(metric: str, subspace: Subspace | str, size: str = "S") -> np.ndarray:
        return values.get((metric, size, str(subspace)), np.array([]))

    return of


def means_of_tops(of: Values, subspace: Subspace | str, size: str = "S") -> np.ndarray:
    """Mean prediction of each run within each true top N, (runs, 6); no rows unless of all."""
    means = [of(f"mean_top_{n}", subspace, size) for n in TOP_NS]
    return np.column_stack(means) if all(map(len, means)) else np.empty((0, len(TOP_NS)))


def conv3_by_caption(usage: pd.DataFrame) -> float:
    """The mean share of 3x3 Conv in the true top 500, by the caption of Laube's figure 3.

    It divides by the number of operations that a subspace has, where `usage` divides by the six
    edges of a cell.
    """
    top = usage[usage["top"] == "500"]
    operations = top.groupby("subspace")["operation"].transform("size")
    shares = top.assign(share=top["share"] * len(EDGES) / operations)
    return float(shares[shares["operation"] == "nor_conv_3x3"]["share"].mean())


def run_quantities(runs: pd.DataFrame) -> dict[str, Quantity]:
    """The quantities of the claims about supernets, as far as there are runs for them."""
    of = values_of(runs)
    found = mask_quantities(of) | medium_quantities(of)
    if len(tops := means_of_tops(of, FULL)):
        found["baseline-tau_a"] = resampled(tops, tau_a_of_mean)
    taus = [of(metric, FULL) for metric in FIGURE2]
    if all(map(len, taus)):
        found["tau-rises"] = Smallest(tuple(level(b - a) for a, b in pairwise(taus)))
    if len(above := above_sample(of, NO_SKIP)):
        found["mask-skip-below-random"] = Share(int((above < 0).sum()), len(above)).interval()
    curves = [[of(f"tau_top_{n}", subspace) for n in TOP_NS] for subspace in SINGLES]
    if all(len(group) for curve in curves for group in curve):
        found["tau-within-top"] = count_positive(
            Smallest(tuple(level(group) for group in curve)) for curve in curves
        )
    all_tops = [means_of_tops(of, subspace) for subspace in SINGLES]
    if all(map(len, all_tops)):
        found["best-highest"] = count_positive(
            Smallest(tuple(level(means[:, 0] - other) for other in means.T[1:]))
            for means in all_tops
        )
    pairs = zip(curves[SINGLES.index(NO_SKIP)], curves[SINGLES.index(FULL)], strict=True)
    gains = contrasts(dict(enumerate(pairs)))
    if len(gains) == len(TOP_NS):
        found["mask-skip-tau"] = count_positive(gains.values())
    by_space = {s: of("kendall_tau_a", s) for s in SINGLES + DOUBLES}
    if all(map(len, by_space.values())):
        taus = [group.mean() for group in by_space.values()]
        found["size-tau"] = fisher_correlation([s.size for s in by_space], taus)
    return found


def above_sample(of: Values, subspace: Subspace, size: str = "S") -> np.ndarray:
    """Mean prediction of the true top 10 less that of the connected random cells, for each run."""
    best, random = of(f"mean_top_{TOP_NS[0]}", subspace, size), of("mean_connected", subspace, size)
    return best - random if len(best) and len(random) else np.array([])


def mask_quantities(of: Values) -> dict[str, Quantity]:
    """Small supernets of one subspace against those of another."""
    tau = "kendall_tau_a"
    pairs = {
        "mask-zero-tau": (tau, NO_ZERO, FULL),
        "mask-zero-chance": ("share_wrongly_at_chance", NO_ZERO, FULL),
        "mask-zero-skip": (tau, Subspace.without("none", "skip_connect"), NO_ZERO),
    }
    masked = {
        "mask-zero-tau_a": NO_ZERO,
        "mask-pool-tau_a": NO_POOL,
        "mask-conv1-tau_a": Subspace.without("nor_conv_1x1"),
        "mask-conv3-tau_a": Subspace.without("nor_conv_3x3"),
    }
    found: dict[str, Quantity] = {}
    found |= contrasts({claim: (of(m, a), of(m, b)) for claim, (m, a, b) in pairs.items()})
    full, pool = means_of_tops(of, FULL), means_of_tops(of, NO_POOL)
    found |= tau_a_differences({c: (means_of_tops(of, s), full) for c, s in masked.items()})
    both = of(tau, NEITHER)
    gains = contrasts({alone: (both, of(tau, alone)) for alone in (NO_ZERO, NO_POOL)})
    if len(gains) == 2:
        found["mask-both"] = Smallest(tuple(gains.values()))
    others = {
        s: (means_of_tops(of, NO_SKIP), means_of_tops(of, s)) for s in SINGLES if s != NO_SKIP
    }
    harm = tau_a_differences(others)
    if len(harm) == len(others):
        found["mask-skip-tau_a"] = Smallest(tuple(harm.values()))
    with_pool = tau_a_differences(
        {
            other: (means_of_tops(of, Subspace.without("avg_pool_3x3", other)), pool)
            for other in ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")
        }
    )
    if len(with_pool) == 3:
        found["mask-pool-combinations"] = count_positive(with_pool.values())
    return found


def medium_quantities(of: Values) -> dict[str, Quantity]:
    """Supernets of size M, by themselves and against those of size S."""
    curves = {s: (means_of_tops(of, s, "M"), means_of_tops(of, s)) for s in SINGLES}
    harm = tau_a_differences(curves)
    found: dict[str, Quantity] = {"medium-baseline": harm[FULL]} if FULL in harm else {}
    if any(len(of("mean_prediction", subspace, "M")) == 0 for subspace in SINGLES):
        return found
    means = [of("mean_prediction", subspace, "M") for subspace in SINGLES]
    found["medium-fails"] = count_positive(level(CHANCE - mean) for mean in means)
    above = [above_sample(of, subspace, "M") for subspace in SINGLES]
    if all(len(group) for group in above):
        found["medium-below-random"] = count_positive(level(-group) for group in above)
    taus = contrasts({s: (of("kendall_tau_a", s, "M"), of("kendall_tau_a", s)) for s in SINGLES})
    if len(taus) == len(SINGLES):
        found["medium-tau"] = count_positive(taus.values())
    of_small = [of("mean_prediction", subspace) for subspace in SINGLES]
    if all(len(group) for group in of_small):
        pairs = zip(SINGLES, means, of_small, strict=True)
        learned = {space: ([m], [s]) for space, m, s in pairs if (m > CHANCE).all()}
        if learned:  # the paper speaks of supernets that generalise
            medium, small = zip(*learned.values(), strict=True)
            found["medium-deviation"] = deviation_ratio(medium, small)
        if masks := [harm[s] for s in SINGLES[1:] if s in learned and s in harm]:
            number, surely, possibly, n = count_positive(masks)
            found["medium-harmful"] = Interval(number / n, surely / n, possibly / n, n)
    return found


def tau_a_differences(pairs: dict[Any, tuple[np.ndarray, np.ndarray]]) -> dict[Any, Resampled]:
    """The difference of Laube's tau_a of each pair of groups of `means_of_tops`, where both are."""
    return {
        name: resampled_difference(a, b, tau_a_of_mean)
        for name, (a, b) in pairs.items()
        if len(a) * len(b)
    }


def tau_a_of_mean(means: np.ndarray) -> float:
    """Laube's tau_a of the mean predictions of the true top N, averaged over seeds."""
    return metrics.tau_a(TOP_NS, means)
