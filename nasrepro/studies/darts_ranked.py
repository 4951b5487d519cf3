"""Study 5: what ranks cells of DARTS' space (Zhang 2; SoTL 4.2, 4.3).

Supernets of paths, study 4's estimators of their paths, the cells that searches end with, and
scores of untrained networks. NAS-Bench-301's predictions of other cells are what most are judged
by: a surrogate's, never accuracies. Random cells that were trained alone are the other truth.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nasrepro import sotl
from nasrepro.benchmarks import available_tables, load_table, nb301
from nasrepro.column_correlations import ranks
from nasrepro.data.sources import SOURCES, locate
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import DartsNetConfig
from nasrepro.nets.darts import count_parameters
from nasrepro.runs.config import changed
from nasrepro.runs.finetune import FinetuneConfig
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.darts import Cell, Subspace, in_common
from nasrepro.stats import fisher_correlation
from nasrepro.studies import darts_space, finetuning
from nasrepro.studies.darts_space import RANDOM, WHOLE, of_space, random_cells
from nasrepro.studies.design import Design, in_order, labelled
from nasrepro.studies.finetuning import FROZEN, HIGH
from nasrepro.studies.measure import is_correlation, observe_run, proxies, rank_metrics, summarise
from nasrepro.studies.trajectories import CIFAR10, observe
from nasrepro.train import TrainConfig

RANKED, ON_RANDOM = "supernet of paths", "supernet of paths, random cells"
TUNED = "paths trained on"
SURROGATE, MEASURED = "surrogate's prediction", "accuracy alone"  # what is ranked
FEWEST = 20  # cells of a ranking
SCORES = ("nwot", "params", "synflow")  # of the file of predictions: what a supernet must beat
ESTIMATORS = ("SoTL", "ValAcc", "ValLoss", "SoG (code)", "SoGN (code)")  # of study 4
TABLES = ("ranks", "rankings")
TEXTS = ("metric", "ranker", "truth")
Row = dict[str, object]


@dataclass(frozen=True)
class Profile:
    """How large this part runs: numbers only."""

    supernet: SupernetConfig  # of paths
    seeds: int
    tuned: DrawnCells  # whose paths are trained on
    steps: int  # of each
    tuned_seeds: int


PAPER = SupernetConfig(
    data=DataConfig("cifar10", train_images=25_000, validation_images=25_000),
    subspace=Subspace(),
    net=DartsNetConfig(tracked_statistics=False),
    sampler="uniform",
    train=TrainConfig(
        epochs=100,
        batch_size=64,
        learning_rate=0.025,
        final_learning_rate=0.001,
        weight_decay=3e-4,
        gradient_clip=5.0,
    ),
    evaluate=EvaluateConfig("batch", batch_size=250),
    cells=DrawnCells(nb301.COUNT, table=nb301.NAME),
)
PROFILES = {
    "smoke": Profile(
        supernet=changed(PAPER, {**darts_space.SMOKE_NETWORK, "cells": DrawnCells(10, table=None)}),
        seeds=1,
        tuned=DrawnCells(5, table=None),
        steps=4,
        tuned_seeds=1,
    ),
    # A step of a path takes as long as one of the supernet: 200 cells over 100 steps take four
    # times the supernet's own training, so there is one supernet whose paths are trained on.
    "cpu": Profile(
        supernet=changed(PAPER, {**darts_space.CPU_NETWORK, "train.epochs": 30}),
        seeds=3,
        tuned=DrawnCells(200, table=nb301.NAME),
        steps=100,
        tuned_seeds=1,
    ),
    "paper": Profile(
        supernet=PAPER,
        seeds=3,
        tuned=DrawnCells(nb301.COUNT, table=nb301.NAME),
        steps=300,
        tuned_seeds=3,
    ),
}


# ---- design


def supernets(profile: str, seeds: int | None = None) -> Design:
    """The supernets of paths that rank cells: those of the surrogate, and those trained alone."""
    chosen = PROFILES[profile]
    cells = {RANKED: chosen.supernet.cells, ON_RANDOM: random_cells(profile)}
    return labelled(
        (
            replace(chosen.supernet, cells=which, seed=seed),
            {"space": WHOLE, "setting": setting},
        )
        for seed in range(min(chosen.seeds, seeds or chosen.seeds))
        for setting, which in cells.items()
    )


def tunings(profile: str, seeds: int | None = None) -> Design:
    """The fine-tunings of these supernets' paths: of paths that do not learn, and of some that do.

    Images, batches and rates are those of study 4.
    """
    chosen = PROFILES[profile]
    return labelled(
        (
            FinetuneConfig(
                replace(chosen.supernet, cells=chosen.tuned, seed=seed),
                steps=chosen.steps,
                batch_size=finetuning.PROFILES[profile].batch_size,
                learning_rate=rate,
                validated=(chosen.steps if rate else 0,),
            ),
            {"space": WHOLE, "setting": TUNED, "rate": f"{rate:g}"},
        )
        for seed in range(min(chosen.tuned_seeds, seeds or chosen.tuned_seeds))
        for rate in (FROZEN, HIGH)
    )


# ---- statistics


def statistics(
    records: Iterable[Record], profile: str, frames: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """How well all of these rank cells of DARTS' space, as far as there are any.

    Args:
        records: of the study.
        profile: a name in `PROFILES`.
        frames: of `darts_space.statistics`.

    Returns:
        ranks: truth (the surrogate's prediction, if its table is here, or the accuracy of random
            cells alone), ranker, seed, cells, `measure.rank_metrics`, and the interval over cells
            of Spearman's correlation.
    """
    records = list(records)
    nets = in_order(records, supernets(profile))
    rows = list(_by_accuracy(nets, frames.get("retrained")))
    if nb301.NAME in available_tables():
        tuned = in_order(records, tunings(profile))
        of_predicted = [*_by_surrogate(nets), *_of_tuned(tuned), *_of_found(of_space(frames))]
        rows = [*of_predicted, *(_of_scores() if of_predicted else ()), *rows]
    return {"ranks": pd.DataFrame(rows)} if rows else {}


def _by_surrogate(records: Iterable[Record]) -> Iterator[Row]:
    """Rankings of the cells that supernets evaluated and the surrogate predicts."""
    for record in records:
        if record.status == "ok" and record.config.needed_table:
            run = observe_run(record, load_table(nb301.NAME), nb301.COLUMNS[0].name)
            yield from _ranked(SURROGATE, RANKED, record.config.seed, run["proxy"], run["truth"])


def _of_tuned(records: Iterable[Record]) -> Iterator[Row]:
    """Rankings by study 4's estimators, after the last step that each has."""
    columns = {CIFAR10: nb301.COLUMNS[0].name}
    for record in records:
        if record.status != "ok" or not record.config.needed_table:
            continue
        run = observe(record, load_table(nb301.NAME), columns)
        for name in ESTIMATORS:
            if (found := run.scores(sotl.estimator(name))) is not None:
                steps, scores = found
                ranker = f"{name}, {steps[-1]} steps, rate {record.config.learning_rate:g}"
                said = ranks(scores[:, -1])
                yield from _ranked(SURROGATE, ranker, record.config.seed, said, run.truths[CIFAR10])


def _of_found(searches: pd.DataFrame) -> Iterator[Row]:
    """Rankings of all predicted cells by what they have in common with one that was searched.

    They were not drawn around a searched cell; but where alike cells are alike in accuracy, a good
    search leads to a part of the space with better ones.
    """
    table = load_table(nb301.NAME)
    truth = table.accuracy(table.codes, nb301.COLUMNS[0].name)
    for row in searches[searches["status"] == "ok"].to_dict("records"):
        shared = in_common(table.codes, Cell.parse(row["cell"]).code)
        ranker = f"likeness to the cell of {row['setting']}, {row['space']}"
        yield from _ranked(SURROGATE, ranker, row["seed"], shared, truth)


def _of_scores() -> Iterator[Row]:
    """Rankings by the scores of untrained networks that come with the predictions."""
    if path := locate(SOURCES[nb301.NAME]):
        entries = nb301.read_entries(path)
        truth = [entry["val_accuracy"] for entry in entries.values()]
        for score in SCORES:
            values = [entry[score]["score"] for entry in entries.values()]
            yield from _ranked(SURROGATE, score, None, values, truth)


def _by_accuracy(records: Iterable[Record], retrained: pd.DataFrame | None) -> Iterator[Row]:
    """Rankings of random cells that were trained alone, by supernets and by parameters."""
    mine = [r for r in records if r.status == "ok" and not r.config.needed_table]
    if not mine or retrained is None:
        return
    random = retrained[(retrained["setting"] == RANDOM) & (retrained["status"] == "ok")]
    truth = random.groupby("cell")["accuracy"].mean()
    truth.index = pd.Index([Cell.parse(cell).code for cell in truth.index], dtype=np.int64)
    for record in mine:
        proxy = proxies(record).set_index("code")["proxy"].reindex(truth.index)
        yield from _ranked(MEASURED, RANKED, record.config.seed, proxy, truth)
    parameters = count_parameters(truth.index.to_numpy())
    yield from _ranked(MEASURED, "params", None, parameters, truth)


def _ranked(
    of: str, ranker: str, seed: int | None, proxy: ArrayLike, truth: ArrayLike
) -> Iterator[Row]:
    """One row, unless there are too few cells for a ranking."""
    predicted, true = np.asarray(proxy, float), np.asarray(truth, float)
    if len(true) >= FEWEST:
        over_cells = fisher_correlation(predicted, true).interval()
        yield {
            "truth": of,
            "ranker": ranker,
            "seed": seed,
            "cells": len(true),
            **rank_metrics(predicted, true),
            "cells_low": over_cells.low,
            "cells_high": over_cells.high,
        }


def tables(statistics: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of the statistics of this part, as far as there are any.

    Returns:
        rankings: truth, ranker, metric, mean, ci_low, ci_high, n, failed: over the seeds of each.
    """
    if "ranks" not in statistics:
        return {}
    runs = statistics["ranks"].drop(columns=["cells", "cells_low", "cells_high"])
    long = runs.melt(["truth", "ranker", "seed"], var_name="metric")
    keys = ["truth", "ranker", "metric"]
    return {"rankings": summarise(long, keys, correlation=lambda key: is_correlation(key[2]))}
