"""Study 4, from scratch: estimators on real learning curves (SoTL thesis, 4.2.1).

Networks of five collections, each trained on its own, and all cells of NAS-Bench-201 on three data
sets where a user has its official file; after each epoch an estimator ranks them, and the ranking
is compared with the truth. Intervals are percentiles of a bootstrap over networks, the same
resamples for all estimators, with the ranks that they have among all networks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from nasrepro import metrics, sotl
from nasrepro.benchmarks import (
    Table,
    available_tables,
    learning,
    load_table,
    official_curves,
    selfmade,
)
from nasrepro.benchmarks.learning import Learning
from nasrepro.column_correlations import weighted
from nasrepro.data.cell_lists import LISTS, SOURCE, read_list
from nasrepro.data.sources import SOURCES, locate
from nasrepro.nets.nb201 import count_parameters
from nasrepro.spaces.nb201 import Cell

COLUMN = "cifar10-test-200"
TRUTHS = {
    "CIFAR-10": COLUMN,
    "CIFAR-100": "cifar100-test-200",
    "ImageNet16-120": "imagenet16-120-test-200",
}
TWELVE = "nb201-12epochs"
RESAMPLES, SEED = 1_000, 0
KNOWN = official_curves.TRUTH_IS
DRAWS, DRAWN = 10, 200  # networks of a draw, and draws: the thesis' (4.2.1)
REACHED = 0.90
Curves = Mapping[str, np.ndarray]  # rank correlations by estimator, (..., epochs)
LAST_EPOCH = "SoTL-E"  # with a window of one epoch
ESTIMATORS = (
    sotl.estimator("SoTL"),
    sotl.estimator("SoTL-EMA"),
    replace(sotl.windowed(1), name=LAST_EPOCH),
    *map(sotl.estimator, ("sum of training accuracies", "ValAcc", "ValLoss", "parameters")),
)
TABLES = ("scratch", "scratch_facts", "printed_curves", "exact")
TEXTS = ("source", "truth", "estimator", "dataset", "name")


def official(dataset: str) -> str:
    """The name of the collection of all official trainings on a data set, a key of `TRUTHS`."""
    return f"{official_curves.NAME} {dataset}"


class Rankings(NamedTuple):
    """Rank correlations of an estimator after each epoch.

    Attributes:
        found: over all networks, shape (epochs,).
        resampled: over resamples of them, (resamples, epochs).
        draws: over draws of `DRAWN`, (draws, epochs); none of fewer networks.
    """

    found: np.ndarray
    resampled: np.ndarray
    draws: np.ndarray


@dataclass(frozen=True, eq=False)
class Compared:
    """The rankings of all estimators of one collection by one truth.

    Attributes:
        source: name of the collection.
        truth: what is ranked.
        n: networks.
        epochs: at which they are compared, from 1.
        rankings: by the estimator's name.
    """

    source: str
    truth: str
    n: int
    epochs: np.ndarray
    rankings: Mapping[str, Rankings]


@lru_cache(maxsize=2)  # all estimators of a collection see the same ones
def resamples(n: int) -> np.ndarray:
    """How often each of n networks is in each resample, shape (resamples, n)."""
    rng = np.random.default_rng(SEED)
    drawn = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(RESAMPLES))
    return np.array(list(drawn), dtype=np.float64)


def rank(scores: np.ndarray, truth: np.ndarray) -> Rankings:
    """Spearman's correlation of each column of scores, (networks, epochs), with the truth."""
    n = len(truth)
    ranks, true = rankdata(scores, axis=0), rankdata(truth)
    rng = np.random.default_rng(SEED)
    drawn = [rng.choice(n, DRAWN, replace=False) for _ in range(DRAWS if n > DRAWN else 0)]
    draws = [
        weighted(rankdata(scores[of], axis=0), rankdata(truth[of]), np.ones((1, DRAWN)))
        for of in drawn
    ]
    return Rankings(
        weighted(ranks, true, np.ones((1, n)))[0],
        weighted(ranks, true, resamples(n)),
        np.concatenate(draws) if draws else np.empty((0, ranks.shape[1])),
    )


def compare(
    name: str,
    curves: Sequence[Learning],
    truth: np.ndarray,
    truth_is: str,
    every_epoch: bool = False,
) -> Compared:
    """Every estimator that a collection has the curves for.

    Args:
        name: of the collection.
        curves: of its networks, once for each seed; correlations are means over these.
        truth: of the networks.
        truth_is: in words.
        every_epoch: or those of `shown`.
    """
    length = max(array.shape[1] for array in curves[0].trajectory.values())
    epochs = np.arange(1, length + 1) if every_epoch else shown(length)
    rankings = {}
    for estimator in ESTIMATORS:
        if estimator.reads in curves[0].trajectory:
            seeds = []
            for one in curves:
                scores = sotl.scores(one.trajectory, estimator)
                seeds.append(rank(scores if scores.shape[1] == 1 else scores[:, epochs - 1], truth))
            parts = (np.mean(part, axis=0) for part in zip(*seeds, strict=True))
            rankings[estimator.name] = Rankings(*parts)
    return Compared(name, truth_is, len(truth), epochs, rankings)


def collections(table: Table) -> list[Compared]:
    """All collections that are on this machine.

    Args:
        table: official accuracies after 200 epochs.
    """
    found = []
    if selfmade.NAME in selfmade.available():
        ours = own_benchmark()
        values = values_of(table, COLUMN, ours[0].codes)
        found.append(compare(selfmade.NAME, ours, values, KNOWN))
        found.append(compare(selfmade.NAME, ours, ours[0].truth, ours[0].truth_is))
    for name in learning.READERS:
        if locate(SOURCES[name]) is not None:
            curves = learning.load(name)
            if curves.codes is not None:
                values = values_of(table, COLUMN, curves.codes)
                found.append(compare(name, [curves], values, KNOWN, every_epoch=True))
            found.append(compare(name, [curves], curves.truth, curves.truth_is))
    if official_curves.converted():
        for dataset, curves in official_curves.load().items():
            whole = with_parameters(curves)
            found.append(compare(official(dataset), [whole], whole.truth, KNOWN, every_epoch=True))
    return found


def with_parameters(curves: Learning) -> Learning:
    """Curves of cells of NAS-Bench-201, and how many parameters these have."""
    if curves.codes is None:
        return curves
    counted = {sotl.PARAMETERS: count_parameters(curves.codes)[:, None]}
    return replace(curves, trajectory={**curves.trajectory, **counted})


def own_benchmark() -> list[Learning]:
    """The curves of our own benchmark, once for each seed; the truth is the mean over these."""
    curves = selfmade.load_curves(selfmade.NAME)
    epochs = curves.train_loss.shape[-1]
    return [
        Learning(
            title=selfmade.NAME,
            trajectory={
                sotl.LOSS: curves.train_loss_sum[:, seed],
                sotl.ACCURACY: curves.train_accuracy[:, seed],
                sotl.VALIDATION_LOSS: curves.validation_loss[:, seed],
                sotl.VALIDATION_ACCURACY: curves.validation_accuracy[:, seed],
                sotl.PARAMETERS: curves.parameters[:, None],
            },
            truth=curves.test_accuracy.mean(axis=1),
            truth_is=f"own test accuracy after {epochs} epochs",
            codes=curves.codes,
        )
        for seed in range(curves.bench["seeds"])
    ]


def values_of(table: Table, column: str, codes: np.ndarray | None) -> np.ndarray:
    """A column of a table for some cells, in their order."""
    return pd.Series(table.values[column], index=table.codes).loc[codes].to_numpy()


def shown(epochs: int) -> np.ndarray:
    """The epochs of a table and a figure, counted from 1.

    >>> shown(3).tolist(), shown(30)[-5:].tolist()
    ([1, 2, 3], [10, 15, 20, 25, 30])
    """
    steps = np.arange(1, epochs + 1)
    return steps[(steps <= 10) | (steps % (5 if epochs <= 100 else 10) == 0) | (steps == epochs)]


def curve_rows(compared: Compared) -> Iterable[dict]:
    """One row an estimator and epoch: spearman, ci_low, ci_high, n, deviation of draws."""
    for name, ranking in compared.rankings.items():
        low, high = np.nanpercentile(ranking.resampled, [2.5, 97.5], axis=0)
        for at, epoch in enumerate(compared.epochs[: len(ranking.found)]):
            if epoch not in shown(compared.epochs[-1]):
                continue
            yield {
                "source": compared.source,
                "truth": compared.truth,
                "estimator": name,
                "epoch": int(epoch),
                "spearman": ranking.found[at],
                "ci_low": low[at],
                "ci_high": high[at],
                "draws": ranking.draws[:, at].std(ddof=1) if len(ranking.draws) else np.nan,
                "n": compared.n,
            }


def first_reached(curve: np.ndarray, level: float = REACHED) -> np.ndarray:
    """The first epoch, from 1, at which a curve reaches a level; one more than it has, if none.

    Args:
        curve: shape (..., epochs); NaN is below any level.
        level: to reach.

    >>> first_reached(np.array([[0.5, 0.9, 0.8], [0.1, 0.2, 0.3]])).tolist()
    [2, 4]
    """
    reached = np.nan_to_num(curve, nan=-np.inf) >= level
    return np.where(reached.any(axis=-1), reached.argmax(axis=-1), curve.shape[-1]) + 1


def last_ahead(curve: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The last epoch, from 1, at which a curve is not below another one; 0 if there is none.

    Args:
        curve: shape (..., epochs).
        other: of the same shape.

    >>> last_ahead(np.array([[0.5, 0.9, 0.8], [0.1, 0.2, 0.3]]), np.array([0.4, 0.6, 0.9])).tolist()
    [2, 0]
    """
    behind = (curve < other)[..., ::-1]
    return np.where(behind.all(axis=-1), 0, curve.shape[-1] - behind.argmin(axis=-1))


def fallen(curve: np.ndarray) -> np.ndarray:
    """How far the end of a curve is below its top, which is along the last axis."""
    return curve.max(axis=-1) - curve[..., -1]


def ahead(curves: Curves) -> np.ndarray:
    """By how much the loss of the last epoch ranks better than validation accuracy."""
    return curves[LAST_EPOCH] - curves["ValAcc"]


def early(curves: Curves) -> np.ndarray:
    """The same, mean over the first half of the epochs."""
    gap = ahead(curves)
    return gap[..., : gap.shape[-1] // 2].mean(axis=-1)


def after(estimator: str, epoch: int) -> Callable[[Curves], np.ndarray]:
    """What an estimator comes to after an epoch; it can have one number for all epochs."""
    return lambda curves: curves[estimator][..., min(epoch, curves[estimator].shape[-1]) - 1]


# What claims and text ask of a collection, by its name. Curves have every epoch up to the tenth,
# and of official cells all.
FACTS: dict[str, dict[str, Callable[[Curves], np.ndarray]]] = {
    selfmade.NAME: {
        "early-selfmade": early,
        "end-selfmade": lambda curves: ahead(curves)[..., -1],
        "closing-selfmade": lambda curves: early(curves) - ahead(curves)[..., -1],
    },
    "nb201-curves": {
        "90-validation-official": lambda curves: first_reached(curves["ValAcc"]),
        "validation-120-official": after("ValAcc", 120),
    },
    "naap-440": {"early-naap": lambda curves: ahead(curves)[..., 8]},
    "nlp-ptb": {
        f"ptb-10-{name}": after(name, 10) for name in ("SoTL", LAST_EPOCH, "ValLoss", "parameters")
    },
    **{
        official(dataset): {
            f"90-all-losses {dataset}": lambda curves: first_reached(curves["SoTL"]),
            f"90-last-epoch {dataset}": lambda curves: first_reached(curves[LAST_EPOCH]),
            f"90-validation {dataset}": lambda curves: first_reached(curves["ValAcc"]),
            f"ahead-10 {dataset}": lambda curves: ahead(curves)[..., 9],
            f"ahead-until {dataset}": lambda curves: last_ahead(
                curves[LAST_EPOCH], curves["ValAcc"]
            ),
            f"fallen {dataset}": lambda curves: fallen(curves[LAST_EPOCH]),
        }
        for dataset in TRUTHS
    },
}


def facts(found: Sequence[Compared]) -> pd.DataFrame:
    """What claims and text ask of the curves: name, mean, ci_low, ci_high, n.

    Of collections with official accuracies, by these. All are over resamples of networks, of which
    two estimators see the same ones.
    """
    with_official = {one.source for one in found if one.truth == KNOWN}
    rows = []
    for one in found:
        if one.truth != KNOWN and one.source in with_official:
            continue
        curves, resampled = (
            {name: ranking[part] for name, ranking in one.rankings.items()} for part in (0, 1)
        )
        for name, quantity in FACTS.get(one.source, {}).items():
            low, high = np.nanpercentile(quantity(resampled), [2.5, 97.5])
            rows.append((name, float(quantity(curves)), low, high, one.n))
    return pd.DataFrame(rows, columns=["name", "mean", "ci_low", "ci_high", "n"])


def printed() -> pd.DataFrame:
    """What the figures of Ru et al. show: dataset, estimator, first_90, at_10, last_epoch, largest.

    Empty where the digitised figures are not on this machine.
    """
    if locate(SOURCES[learning.PRINTED]) is None:
        return pd.DataFrame()
    names = {"cifar10-valid": "CIFAR-10", "cifar100": "CIFAR-100"}
    rows = []
    for (dataset, estimator), curve in learning.load_printed().items():
        known = np.flatnonzero(~np.isnan(curve))
        rows.append(
            {
                "dataset": names.get(dataset, dataset),
                "estimator": estimator,
                "first_90": int(first) if (first := first_reached(curve)) <= 200 else np.nan,
                "at_10": curve[9],
                "last": curve[known[-1]],
                "last_epoch": int(known[-1]) + 1,
                "largest": np.nanmax(curve),
            }
        )
    return pd.DataFrame(rows)


def exact(table: Table) -> pd.DataFrame:
    """Correlations in complete tables: name, value, n.

    Spearman of the parameter count over the thesis' own cells (table 4.5), and of accuracies after
    12 epochs with the test accuracy after 200, by Spearman and Pearson (figure 4.4b).
    """
    rows = []
    if locate(SOURCES[SOURCE]) is not None:
        name = "sotl-nb201"
        codes = np.array([Cell.parse(text).code for text in read_list(name)])
        for truth, column in TRUTHS.items():
            values = values_of(table, column, codes)
            value = metrics.spearman(count_parameters(codes), values)
            rows.append((f"parameters {truth}", value, LISTS[name].count))
    if TWELVE in available_tables():
        short = load_table(TWELVE)
        true = values_of(table, COLUMN, short.codes)
        for split in ("validation", "test"):
            values = short.values[f"cifar10-{split}-12"]
            for metric in (metrics.spearman, metrics.pearson):
                value = metric(values, true)
                rows.append((f"12 epochs {split} {metric.__name__}", value, len(true)))
    return pd.DataFrame(rows, columns=["name", "value", "n"])


def statistics(table: Table) -> dict[str, pd.DataFrame]:
    """The frames `TABLES`, of the collections that are on this machine."""
    found = collections(table)
    frames = {
        "scratch": pd.DataFrame([row for one in found for row in curve_rows(one)]),
        "scratch_facts": facts(found),
        "printed_curves": printed(),
        "exact": exact(table),
    }
    return {name: frame for name, frame in frames.items() if len(frame)}
