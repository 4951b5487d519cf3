"""How one supernet ranks the random cells that it evaluated, by either of its proxies.

The papers rank by proxy accuracy; cross-entropy on the same images is judged beside it. Metrics by
cross-entropy end in `_by_loss`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from nasrepro import metrics
from nasrepro.search import expected_best
from nasrepro.spaces.nb201 import EDGES, OPERATIONS
from nasrepro.studies.measure import TOP, rank_metrics, run_metrics

SEARCHED, PICKED = 200, 3  # cells of which Yu takes the best by proxy, and how many (Yu 3.3)
AT_CHANCE = 12.0  # percent of ten classes: no more than 2 points above chance
BY_LOSS = "_by_loss"
SKIP_EDGE = EDGES.index((0, 3))
CONVOLUTIONS = [OPERATIONS.index(name) for name in ("nor_conv_1x1", "nor_conv_3x3")]


def measure(
    run: pd.DataFrame,
    searched: Sequence[int],
    top_ns: Sequence[int],
    parameters: Callable[[np.ndarray], np.ndarray],
) -> dict[str, float]:
    """Every metric of one run.

    Args:
        run: the rows of `measure.observe` of one run.
        searched: codes of the `SEARCHED` cells that s-KdT and the final accuracy are taken over.
        top_ns: sizes of true top N that the run evaluated whole.
        parameters: of the stand-alone networks of codes.

    Returns:
        What `measure.run_metrics` and `ranking` (of both proxies) give, and
        share_at_chance: of the random sample's proxy accuracies;
        top_less_random: mean proxy accuracy of the true top 10 less that of the random sample, if
            the run evaluated it.
    """
    sample = run[run["random"]]
    few = sample["code"].isin(searched).to_numpy()
    proxy, truth = sample["proxy"].to_numpy(), sample["truth"].to_numpy()
    sizes = parameters(sample["code"].to_numpy(np.int64))
    values = run_metrics(run, top_ns) | ranking(proxy, truth, sizes, few)
    by_loss = ranking(-sample["loss"].to_numpy(), truth, sizes, few)
    values |= {name + BY_LOSS: value for name, value in by_loss.items()}
    values["share_at_chance"] = float((proxy <= AT_CHANCE).mean())
    if "mean_top_10" in values:
        values["top_less_random"] = values["mean_top_10"] - values["mean_prediction"]
    return values


def ranking(
    predicted: np.ndarray, truth: np.ndarray, parameters: np.ndarray, searched: np.ndarray
) -> dict[str, float]:
    """How well cells are ranked, and what is found among them.

    Args:
        predicted: a proxy, larger for better cells, shape (n,).
        truth: stand-alone accuracies, percent, shape (n,).
        parameters: of the cells' stand-alone networks, shape (n,).
        searched: which of them s-KdT and the final accuracy are taken over, bool (n,).

    Returns:
        what `measure.rank_metrics` gives, and kendall_tau_a;
        s_kdt: over the searched cells (Yu B.2, but of one supernet);
        final_accuracy: mean truth of the best three of them by proxy (Yu 3.3);
        top_10_gain: top_10_accuracy (Zhang A.2) less the expected best of ten random cells;
        top_10_rank: true rank of the median of these ten, as a share of all;
        tau_b_top_tenth: within the true top tenth; tau_b_top_less_all: that less tau-b over all;
        spearman_parameters: of predictions and parameter counts;
        parameters_less_spearman: how much better these rank the truth;
        partial_spearman: with the truth, given parameter counts.
    """
    found = rank_metrics(predicted, truth)
    top = found.pop("tau_top_tenth")
    ten = np.sort(rankdata(-truth)[np.argsort(-predicted, kind="stable")[:10]])
    return found | {
        "kendall_tau_a": metrics.kendall_tau(predicted, truth, "a"),
        "s_kdt": metrics.sparse_kendall_tau(predicted[searched], truth[searched]),
        "final_accuracy": final_accuracy(predicted[searched], truth[searched]),
        "top_10_gain": found[TOP] - float(expected_best(truth, truth, 10)[-1]),
        "top_10_rank": float(np.median(ten)) / len(truth),
        "tau_b_top_tenth": top,
        "tau_b_top_less_all": top - found["kendall_tau_b"],
        "spearman_parameters": metrics.spearman(predicted, parameters),
        "parameters_less_spearman": metrics.spearman(parameters, truth) - found["spearman"],
        "partial_spearman": metrics.partial_spearman(predicted, truth, parameters),
    }


def final_accuracy(predicted: np.ndarray, truth: np.ndarray, picked: int = PICKED) -> float:
    """Mean truth of the cells with the best proxies, over all ways to choose among equal ones.

    Two cells are second; the third best is one of them:

    >>> final_accuracy(np.array([3, 2, 2, 0]), np.array([90, 80, 94, 70]), picked=2)
    88.5
    """
    _, tied = np.unique(-predicted, return_inverse=True)
    shared = np.bincount(tied, truth) / np.bincount(tied)
    return float(shared[np.sort(tied)[:picked]].mean())


def biases(predicted: np.ndarray, truth: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """What a ranking of NAS-Bench-201 prefers that the truth does not.

    Differences are percentiles by proxy less those by truth.

    Args:
        predicted: proxy accuracies, shape (n,).
        truth: stand-alone accuracies, shape (n,).
        codes: of the cells, shape (n,).

    Returns:
        bias_convolutions: Spearman correlation of the difference with the number of convolutions;
        bias_conv3: its mean over cells with a 3x3 convolution on the edge from input to output;
        bias_conv3_less_skip: that less the mean over cells with Skip there.
    """
    excess = percentiles(predicted) - percentiles(truth)
    operations = codes[:, None] // len(OPERATIONS) ** np.arange(len(EDGES)) % len(OPERATIONS)
    on_edge = operations[:, SKIP_EDGE]
    conv3 = excess[on_edge == OPERATIONS.index("nor_conv_3x3")]
    skip = excess[on_edge == OPERATIONS.index("skip_connect")]
    of_conv3 = float(conv3.mean()) if len(conv3) else np.nan
    of_skip = float(skip.mean()) if len(skip) else np.nan
    return {
        "bias_convolutions": metrics.spearman(
            excess, np.isin(operations, CONVOLUTIONS).sum(axis=1)
        ),
        "bias_conv3": of_conv3,
        "bias_conv3_less_skip": of_conv3 - of_skip,
    }


def percentiles(values: np.ndarray) -> np.ndarray:
    """From 0 for the smallest to 100 for the largest; equal values share their mean.

    >>> percentiles(np.array([5, 7, 7, 9])).tolist()
    [0.0, 50.0, 50.0, 100.0]
    """
    return 100 * (rankdata(values) - 1) / (len(values) - 1)
