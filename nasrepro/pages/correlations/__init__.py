"""Study 1 as a page: rank correlations, subspace by subspace."""

import pandas as pd

from nasrepro.pages.correlations.figures import FIGURES
from nasrepro.pages.correlations.measured import claims
from nasrepro.pages.correlations.numbers import NUMBERS
from nasrepro.pages.correlations.tables import TABLES
from nasrepro.studies import correlations

__all__ = ["FIGURES", "NUMBERS", "PARTS", "SHOWS", "TABLES", "claims", "parts_of"]

PARTS = {  # of the design: the runs behind each table of statistics; others have none of ours
    **dict.fromkeys(("summary", "top_n", "tau_a", "baseline", "tried"), ("nb201",)),
    **dict.fromkeys(("runs", "seeds", "settings", "own", "own_truth", "own_gain"), ("nb201",)),
    **dict.fromkeys(("precision", "half_precision"), ("nb201", "precision")),
    **dict.fromkeys(
        ("ours", "ours_patterns", "ours_claims", correlations.TABLE3["ours"]), ("nb101",)
    ),
    "decides": ("nb201",),
    "ours_decides": ("nb101",),
    "ours_equal_images": ("nb101",),
    "optimisers": ("nb101_optimisers",),
}


def parts_of(name: str, rows: pd.DataFrame) -> tuple[str, ...]:
    """The parts of the study's design whose runs are behind some rows of a table of statistics."""
    return PARTS.get(name, ())


RANKED = (
    "no-tuning-poor",
    *("fine-tuning", "improves-SINGLE-K", "improves-PRO-RATA", "improves-AVG-3"),
    *("improves-S-K + P-R", "less-variance", "outputs-matter", "residual-ranks"),
    *("same-level", "size-hint"),
)
SHOWS = {  # claims by the figure or table that shows them
    "fig-usage": ("conv3-everywhere", "usage-order", "pool-for-skip"),
    "fig-share": ("conv3-half", "conv1-for-conv3", "substitutes-for-conv3"),
    "fig-scatter": ("tau-rises", "mask-zero-tau", "mask-zero-chance"),
    "fig-topn": (
        *("baseline-tau_a", "mask-zero-tau_a", "mask-pool-tau_a", "mask-skip-tau_a"),
        *("mask-skip-below-random", "mask-conv1-tau_a", "mask-conv3-tau_a", "mask-both"),
        *("mask-zero-skip", "mask-pool-combinations", "tau-within-top", "mask-skip-tau"),
        "best-highest",
    ),
    "fig-topn-medium": (
        *("medium-baseline", "medium-fails", "medium-harmful", "medium-below-random"),
        *("medium-deviation", "medium-tau"),
    ),
    "tab-metrics": ("size-tau",),
    "tab-tried": ("mask-zero-tau",),
    "tab-authors": RANKED,
    "tab-ours": RANKED,
    "fig-bias": ("bias-residual", "bias-conv3", "residual-better", "residual-best", "cluster-poor"),
}
