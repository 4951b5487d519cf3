"""How well proxy accuracies rank architectures: one written definition for each metric.

Every argument is one-dimensional, its entry i belongs to architecture i, and more is better
(negate a loss or a perplexity). A supernet that predicts the same value for every architecture, up
to rounding, is a failed run: its correlation is undefined and comes back as NaN, so that a table
can still be made. NaN that comes in is a mistake and raises ValueError, as do infinities, other
dimensions, unequal lengths and fewer than two architectures.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from nasrepro.rounding import ROUNDING, mean_of, varies


def finite_vector(values: ArrayLike, name: str, at_least: int = 2) -> np.ndarray:
    """Values as a float64 array of shape (n,), or a ValueError that calls them by name."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"{name}: expected one dimension, found shape {vector.shape}")
    if vector.size < at_least:
        raise ValueError(f"{name}: expected at least {at_least} value(s), found {vector.size}")
    if bad := np.count_nonzero(~np.isfinite(vector)):
        raise ValueError(f"{name}: expected finite numbers, found {bad} that are NaN or infinite")
    return vector


def _aligned(**arrays: ArrayLike) -> list[np.ndarray]:
    """The arrays as finite vectors of one length."""
    vectors = {name: finite_vector(values, name) for name, values in arrays.items()}
    if len({vector.size for vector in vectors.values()}) > 1:
        sizes = ", ".join(f"{vector.size} in {name}" for name, vector in vectors.items())
        raise ValueError(f"expected as many values in each array, found {sizes}")
    return list(vectors.values())


def _untied_pairs(values: np.ndarray) -> int:
    """Number of pairs whose two values differ."""
    _, counts = np.unique(values, return_counts=True)
    return math.comb(values.size, 2) - sum(math.comb(count, 2) for count in counts.tolist())


def kendall_tau(predicted: ArrayLike, truth: ArrayLike, variant: Literal["a", "b"] = "b") -> float:
    """Kendall's rank correlation: concordant (C) less discordant (D) pairs, normalised.

    tau-a = (C - D) / n0 and tau-b = (C - D) / sqrt((n0 - n1) (n0 - n2)), where n0 = n (n - 1) / 2
    and n1, n2 count the pairs tied in `predicted` and in `truth`. Tau-a is the formula of Laube
    (section 3.1); tau-b is Kendall's (1945) correction for ties.

    A tied pair is neither concordant nor discordant: tau-a then falls short of 1 even for a
    perfect predictor, tau-b does not. Without ties the two are equal. If either input is constant,
    tau-b is NaN and tau-a is 0.

    Args:
        predicted: proxy accuracies, shape (n,).
        truth: stand-alone accuracies, shape (n,).
        variant: "a" or "b".

    Five pairs agree, none disagrees, and one is tied in the prediction: 5 / 6 and 5 / sqrt(5 * 6).

    >>> kendall_tau([1, 2, 2, 3], [10, 30, 20, 40], variant="a")
    0.8333333333333334
    >>> round(kendall_tau([1, 2, 2, 3], [10, 30, 20, 40]), 4)
    0.9129
    """
    if variant not in ("a", "b"):
        raise ValueError(f"expected variant 'a' or 'b', found {variant!r}")
    x, y = _aligned(predicted=predicted, truth=truth)
    if _either_constant(x, y):
        return math.nan if variant == "b" else 0.0
    tau_b = float(stats.kendalltau(x, y).statistic)
    if variant == "b":
        return tau_b
    scale = math.sqrt(_untied_pairs(x) * _untied_pairs(y))
    return round(tau_b * scale) / math.comb(x.size, 2)


def spearman(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Spearman's rank correlation: the Pearson correlation of the ranks.

    rho = cov(R(p), R(t)) / (sd(R(p)) sd(R(t))); without ties 1 - 6 sum(d^2) / (n (n^2 - 1)), where
    d is the difference of an architecture's two ranks. The correlation of Zhang (appendix A.2) and
    of the SoTL thesis. Tied values share the mean of their ranks; a constant input gives NaN.

    Args:
        predicted: proxy accuracies, shape (n,).
        truth: stand-alone accuracies, shape (n,).

    The ranks differ by 1, 1 and 0: 1 - 6 * 2 / (3 * 8).

    >>> spearman([0.2, 0.1, 0.3], [70, 80, 90])
    0.5
    """
    x, y = _aligned(predicted=predicted, truth=truth)
    return math.nan if _either_constant(x, y) else float(stats.spearmanr(x, y).statistic)


def partial_spearman(predicted: ArrayLike, truth: ArrayLike, given: ArrayLike) -> float:
    """Spearman correlation of predictions and truth beyond what a third quantity tells of both.

    (r_pt - r_pg r_tg) / sqrt((1 - r_pg^2) (1 - r_tg^2)), each r a Spearman correlation. NaN if one
    of them is, or the third quantity ranks the cells as one of the others does.

    Args:
        predicted: proxies, shape (n,).
        truth: stand-alone accuracies, shape (n,).
        given: e.g. parameter counts, shape (n,).

    r_pt and r_tg are 0.8, r_pg is 0.4: 0.48 / sqrt(0.84 * 0.36)

    >>> round(partial_spearman([1, 2, 3, 4], [2, 1, 3, 4], [3, 1, 2, 4]), 4)
    0.8729
    """
    of_pair = spearman(predicted, truth)
    of_predicted, of_truth = spearman(predicted, given), spearman(truth, given)
    left = (1 - of_predicted**2) * (1 - of_truth**2)
    return (of_pair - of_predicted * of_truth) / left**0.5 if left > ROUNDING else math.nan


def pearson(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Pearson's linear correlation of the values themselves.

    r = cov(p, t) / (sd(p) sd(t)), as in Laube (appendix D). Ties need no treatment; a constant
    input gives NaN.

    Args:
        predicted: proxy accuracies, shape (n,).
        truth: stand-alone accuracies, shape (n,).

    The deviations from the means are (-1, 0, 1) and (-1, 1, 0): 1 / sqrt(2 * 2).

    >>> round(pearson([1, 2, 3], [1, 3, 2]), 12)
    0.5
    """
    x, y = _aligned(predicted=predicted, truth=truth)
    return math.nan if _either_constant(x, y) else float(stats.pearsonr(x, y).statistic)


def _either_constant(x: np.ndarray, y: np.ndarray) -> bool:
    return not (varies(x) and varies(y))


def sparse_kendall_tau(predicted: ArrayLike, truth: ArrayLike, resolution: float = 0.1) -> float:
    """Sparse Kendall tau (s-KdT): tau-b of the predictions and the rounded truth.

    s-KdT = tau-b(p, round(t / resolution)), as in Yu (appendix B.2): stand-alone accuracies in
    percent are rounded to 0.1 and share a rank where they then agree; the predictions, which Yu
    averages over three supernets beforehand, are not rounded.

    The rounded truth is held as whole steps, so its ties are exact; a value halfway between two
    steps goes to either, as floating point has it. Ties count as in tau-b. NaN if the predictions
    or the rounded truth are constant.

    Args:
        predicted: proxy accuracies, shape (n,), in any unit.
        truth: stand-alone accuracies, shape (n,), in the unit of `resolution`: percent.
        resolution: the step to round to, above zero.

    The first two cells are swapped but share 90.0: five pairs agree, 5 / sqrt(6 * 5), where tau-b
    of the unrounded truth is 4 / 6.

    >>> round(sparse_kendall_tau([1, 2, 3, 4], [90.04, 90.01, 91.0, 92.0]), 4)
    0.9129
    """
    if not 0 < resolution < math.inf:
        raise ValueError(f"expected a resolution above zero, found {resolution}")
    return kendall_tau(predicted, np.rint(finite_vector(truth, "truth") / resolution))


class TopNCurve(NamedTuple):
    """Metrics within the true top n, entry i for `ns[i]`; each array has the shape of `ns`."""

    ns: np.ndarray
    tau: np.ndarray
    mean_prediction: np.ndarray


def top_n_curve(
    predicted: ArrayLike, truth: ArrayLike, ns: ArrayLike, variant: Literal["a", "b"] = "b"
) -> TopNCurve:
    """Kendall's tau and the mean prediction within the n truly best cells, for each n.

    tau_n = tau(p, t over the top n) and A_n = sum(p over the top n) / n (Laube section 3.4, the A_N
    of one seed). Laube's tau is tau-a (section 3.1): ask for it with `variant="a"`; the default is
    that of `kendall_tau`.

    Cells tied in `truth` at the border of a top n are taken in the order given. Where the
    predictions or the truth within a top n are constant, its tau-b is NaN and its tau-a 0.

    Args:
        predicted: proxy accuracies, shape (cells,).
        truth: stand-alone accuracies, shape (cells,).
        ns: sizes of the top n, whole numbers from 2 to the number of cells, shape (sizes,).
        variant: of Kendall's tau, "a" or "b".

    The three best cells are predicted 0.5, 0.3, 0.4: two pairs agree and one does not.

    >>> curve = top_n_curve([0.3, 0.4, 0.1, 0.5], [93, 92, 90, 94], [2, 3], variant="a")
    >>> curve.tau.round(3).tolist(), curve.mean_prediction.round(3).tolist()
    ([1.0, 0.333], [0.4, 0.4])
    """
    p, t = _aligned(predicted=predicted, truth=truth)
    sizes = np.asarray(ns)
    whole = sizes.ndim == 1 and np.issubdtype(sizes.dtype, np.integer)
    if not whole or ((sizes < 2) | (sizes > p.size)).any():
        raise ValueError(f"ns: expected a list of whole numbers from 2 to {p.size}, found {ns!s}")
    best = np.argsort(-t, kind="stable")
    tops = [best[:n] for n in sizes]
    tau = np.array([kendall_tau(p[top], t[top], variant) for top in tops])
    return TopNCurve(sizes, tau, np.array([mean_of(p[top]) for top in tops]))


def tau_a(ns: ArrayLike, mean_predictions: ArrayLike) -> float:
    """Laube's tau_a: whether the mean prediction of the true top n falls as n grows.

    tau_a = (C - D) / (m (m - 1) / 2) over the m points (n, A_n), with A_n averaged over seeds
    beforehand (Laube section 3.4, by the formula of 3.1). -1 is best: each larger, hence truly
    worse, group is predicted worse. The name is Laube's and was not taken from tau-a. Equal means
    count neither way, and constant means give 0, never NaN.

    Args:
        ns: sizes of the top n, shape (m,).
        mean_predictions: A_n, shape (m,).

    The mean falls, then rises, but not back to where it was: one pair rises and two fall.

    >>> tau_a([10, 25, 50], [0.7, 0.5, 0.6])
    -0.3333333333333333
    """
    n, mean = _aligned(ns=ns, mean_predictions=mean_predictions)
    if _either_constant(n, mean):
        return 0.0
    # Of a few points: all pairs at once, which is faster than a sort for each of many resamples.
    order, rise = (np.sign(np.subtract.outer(values, values)) for values in (n, mean))
    return float((order * rise).sum() / (n.size * (n.size - 1)))


def top_k_accuracy(
    predicted: ArrayLike, truth: ArrayLike, k: int, reported: ArrayLike | None = None
) -> float:
    """What a search reports that trains the k best predicted cells and keeps the best of them.

    top-k = reported[argmax of truth[i] over the k largest predicted[i]] (Zhang, appendix A.2, who
    select by validation and report test accuracy).

    Among equal predictions the cells given first are taken, so that constant predictions pick
    the first k cells given; among equal truths the better predicted one wins. Never NaN.

    Args:
        predicted: proxy accuracies, shape (cells,).
        truth: the accuracies to select by, e.g. stand-alone validation, shape (cells,).
        k: how many of the best predicted cells to look at, from 1 to the number of cells.
        reported: the accuracies to report, e.g. stand-alone test, shape (cells,); default `truth`.

    The two best predicted are cells 1 and 3; cell 3 validates better, its test accuracy counts.

    >>> top_k_accuracy([0.1, 0.4, 0.2, 0.3], [95, 90, 94, 92], k=2, reported=[94, 91, 93, 89])
    89.0
    """
    p, t, r = _aligned(
        predicted=predicted, truth=truth, reported=truth if reported is None else reported
    )
    if not 1 <= k <= p.size:
        raise ValueError(f"expected k from 1 to {p.size}, found {k}")
    chosen = np.argsort(-p, kind="stable")[:k]
    return float(r[chosen[t[chosen].argmax()]])


def top_k_mean(predicted: ArrayLike, truth: ArrayLike, k: int) -> float:
    """The mean accuracy of the k best predicted cells: the SoTL thesis' top-10 (section 3.2.2).

    Of cells tied at the border of the k, each counts in part, as if the missing ones were drawn
    from them: predictions of few images have many ties, and the order given must not decide. Never
    NaN.

    Args:
        predicted: proxies, shape (cells,).
        truth: stand-alone accuracies, shape (cells,).
        k: how many cells, from 1 to their number.

    One cell is best, and of the two after it one counts: (94 + (92 + 90) / 2) / 2.

    >>> top_k_mean([3, 2, 2, 1], [94, 92, 90, 80], k=2)
    92.5
    """
    p, t = _aligned(predicted=predicted, truth=truth)
    if not 1 <= k <= p.size:
        raise ValueError(f"expected k from 1 to {p.size}, found {k}")
    border = np.sort(p)[-k]
    above, tied = p > border, p == border
    weights = above + tied * (k - above.sum()) / tied.sum()
    return float(weights @ t / k)


def probability_beats_random(rank: int, space_size: int, n: int) -> float:
    """Probability that the cell found is better than each of n cells drawn at random.

    p = (1 - r / r_max)^n for the cell of rank r among r_max, where rank 1 is the best: a share
    1 - r / r_max of the space is worse, and n uniform draws with replacement all fall into it.

    Yu (section 3) prints p = 1 - (1 - r / r_max)^n, which cannot be what its tables hold:

    * with rank 1 the best, that is the complement of ours, the probability that random search
      finds a cell at least as good: high for a bad cell, while the tables' high values go with
      good cells;
    * with rank 1 the worst, it is the probability that at least one of n random cells is no better
      than ours: it grows with the number of rivals. Yu's P = 0.035 for NAS-Bench-201 cells of
      88.74 % (Table 10, learning rate 0.2) would then be a rank within the lowest 3.5 % of the
      space, where the benchmark's CIFAR-10 accuracies after 200 epochs are below 70 %.

    The authors' program (nas-landmarkreg) computes (r / r_max)^n with rank 1 the worst: ours but
    for one rank, since it counts the cell itself among those it beats. Only n = 1 makes the printed
    formula right, and then with rank 1 the worst.

    A cell drawn again, like any cell sharing its rank, is not beaten; give tied cells the worst
    of their ranks. There is no NaN: a rank outside the space is a ValueError.

    Args:
        rank: of the cell found, from 1, the best, to `space_size`.
        space_size: number of cells in the space.
        n: number of random draws, at least 1.

    Three of four cells are worse than the best one: 3 / 4 for one draw, 9 / 16 for two.

    >>> probability_beats_random(1, space_size=4, n=1), probability_beats_random(1, 4, n=2)
    (0.75, 0.5625)
    """
    if not 1 <= rank <= space_size:
        raise ValueError(f"expected a rank from 1 to {space_size}, found {rank}")
    if n < 1:
        raise ValueError(f"expected at least one draw, found n = {n}")
    return (1 - rank / space_size) ** n
