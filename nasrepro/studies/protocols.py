"""Study 2's recipe: which protocol ranks best for one, three and ten minutes of one CPU core.

A protocol is a training, how many supernets of it are averaged, and what cells are ranked by. The
best for each time is chosen on one half of the evaluated cells and reported on the other half.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from nasrepro import metrics
from nasrepro.benchmarks import Table
from nasrepro.benchmarks import zero_cost as scores_of_untrained
from nasrepro.data.sources import SOURCES, locate
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import count_parameters
from nasrepro.runs.families import family_of
from nasrepro.runs.parts import CellsConfig, DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.nb201 import connected
from nasrepro.studies.design import (
    Design,
    Factor,
    Times,
    check_asked,
    in_order,
    labelled,
    settings_of,
)
from nasrepro.studies.measure import proxies, rank_metrics, summarise
from nasrepro.train import TrainConfig

PROFILES = ("smoke", "cpu")
MINUTES = (1, 3, 10)  # of one core, about; with the evaluation
SEEDS, MEMBERS = 5, 3  # repetitions of a protocol; supernets that are averaged, or one alone
CHOICE, REPORT = "choice", "report"  # halves of the evaluated cells
CHOSEN_BY = "spearman"
PARAMETERS = "counting parameters"  # instead of any supernet

# From mean cross-entropy, percent of correct images and parameters of cells to a score, larger for
# better ones.
Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
SCORES: dict[str, Score] = {
    "cross-entropy": lambda loss, accuracy, parameters: -loss,
    "cross-entropy and parameters": lambda loss, accuracy, parameters: (
        rankdata(-loss) + rankdata(parameters)
    ),
    "accuracy": lambda loss, accuracy, parameters: accuracy,
}

BALANCED, UNIFORM, PER_ARCHITECTURE = "balanced", "uniform", "per architecture"
# What each training changes in the balanced one; the same time, not the same number of images.
TRAININGS = (
    Factor(UNIFORM, BALANCED, "our own", {"sampler": "uniform"}),
    Factor(PER_ARCHITECTURE, BALANCED, "our own", {"sampler": "per-architecture"}),
    Factor(
        "balanced, batch 64",
        BALANCED,
        "our own",
        {
            "train.batch_size": Times(2),
            "train.learning_rate": Times(2),
            "train.epochs": Times(1.3),
        },
    ),
    Factor("balanced, rate x2", BALANCED, "our own", {"train.learning_rate": Times(2)}),
    Factor(
        "balanced, 8 channels",
        BALANCED,
        "our own",
        {"net.channels": Times(1.6), "train.epochs": Times(0.85)},
    ),
    Factor(
        "balanced, 8x8 pixels",
        BALANCED,
        "our own",
        {"data.size": 8, "train.crop_padding": 1, "train.epochs": Times(1.7)},
    ),
)
LONGEST = (BALANCED, UNIFORM)  # trainings of ten minutes


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to rank cells: a training, how many supernets of it, and a score of `SCORES`."""

    minutes: int  # of each supernet
    training: str
    supernets: int
    score: str

    def __str__(self) -> str:
        """For tables."""
        if not self.supernets:
            return self.training
        return f"{self.supernets} x {self.minutes} min, {self.training}, by {self.score}"

    @property
    def budget(self) -> int:
        """The smallest of `MINUTES` that is enough."""
        return min(m for m in MINUTES if m >= self.minutes * self.supernets)


# What there is to choose from: each supernet alone, and three of a training that is averaged.
PROTOCOLS = tuple(
    Protocol(minutes, training, supernets, score)
    for minutes in MINUTES
    for training in (LONGEST if minutes == 10 else (BALANCED, *(f.name for f in TRAININGS)))
    for supernets in ((1, MEMBERS) if training == BALANCED and minutes < 10 else (1,))
    for score in SCORES
)


@cache
def base(profile: str, minutes: int) -> SupernetConfig:
    """The balanced training of so many minutes: a narrow network and many small steps."""
    if profile == "smoke":
        return SupernetConfig(
            data=DataConfig("digits", train_images=300, validation_images=100, size=8),
            net=NetConfig(channels=5, cells_per_stage=1, tracked_statistics=False),
            sampler="per-size",
            train=TrainConfig(epochs=minutes, batch_size=15, crop_padding=1),
            evaluate=EvaluateConfig("batch", batch_size=100),
            cells=CellsConfig(random=60, connected=True),
        )
    return SupernetConfig(
        data=DataConfig(
            "cifar10",
            train_images=40_000 if minutes == 10 else 20_000,
            validation_images=250 if minutes == 1 else 1_000,
            size=16,
        ),
        net=NetConfig(channels=5, cells_per_stage=1, tracked_statistics=False),
        sampler="per-size",
        train=TrainConfig(
            epochs={1: 6, 3: 20, 10: 36}[minutes],
            batch_size=32,
            learning_rate=0.025,
            final_learning_rate=0.0,
            nesterov=True,
            weight_decay=5e-4,
            crop_padding=2,
        ),
        evaluate=EvaluateConfig("batch", batch_size=250),
        cells=CellsConfig(random=1_000, connected=True),
    )


@cache
def trainings(profile: str, minutes: int) -> Mapping[str, SupernetConfig]:
    """The configs of all trainings of so many minutes, by name; ConfigError as `check_asked`."""
    check_asked(profile, PROFILES, None)
    return settings_of(BALANCED, base(profile, minutes), TRAININGS)


def members(protocol: Protocol, profile: str, seed: int) -> list[SupernetConfig]:
    """The supernets of a repetition of a protocol; no two repetitions share one."""
    config = trainings(profile, protocol.minutes)[protocol.training]
    first = protocol.supernets * seed
    return [replace(config, seed=first + number) for number in range(protocol.supernets)]


def design(profile: str, seeds: int | None = None) -> Design:
    """All supernets of all protocols, labelled by setting; one repetition of each before two."""
    wanted = {
        config: {"setting": f"{protocol.minutes} min, {protocol.training}"}
        for seed in range(min(seeds or SEEDS, SEEDS))
        for protocol in PROTOCOLS
        for config in members(protocol, profile, seed)
    }
    return labelled(wanted.items())


def statistics(records: Iterable[Record], profile: str, table: Table, column: str) -> pd.DataFrame:
    """How each repetition of each protocol ranks either half of the cells.

    Args:
        records: of the design, or some of them.
        profile: of the study.
        table: stand-alone accuracies.
        column: of the table.

    Returns:
        Columns training, minutes (of a supernet), supernets, score, half, seed, metric, value:
        `measure.rank_metrics` and partial_spearman, given parameters; and cpu_seconds of all its
        supernets, in both halves. Nothing of a repetition of which a supernet is missing or
        diverged. Then the same of `PARAMETERS`, if there is anything to compare them with.
    """
    known = {r.config: r for r in in_order(records, design(profile)) if r.status == "ok"}
    rows = []
    for protocol, seed in product(PROTOCOLS, range(SEEDS)):
        configs = members(protocol, profile, seed)
        if not all(config in known for config in configs):
            continue
        found = [known[config] for config in configs]
        scored = scores(found, protocol.score)
        seconds = sum(record.measurement.cpu_seconds for record in found)
        for half, codes in halves(configs[0]).items():
            values = ranked(scored.loc[codes], table.accuracy(codes, column))
            values["cpu_seconds"] = seconds
            key = (protocol.training, protocol.minutes, protocol.supernets, protocol.score)
            rows += [(*key, half, seed, metric, value) for metric, value in values.items()]
    if rows:
        for half, codes in halves(base(profile, MINUTES[0])).items():
            values = rank_metrics(count_parameters(np.array(codes)), table.accuracy(codes, column))
            rows += [(PARAMETERS, 0, 0, PARAMETERS, half, 0, name, v) for name, v in values.items()]
    names = ["training", "minutes", "supernets", "score", "half", "seed", "metric", "value"]
    return pd.DataFrame(rows, columns=names)


def halves(config: SupernetConfig) -> dict[str, list[int]]:
    """Codes of the cells to choose on and of those to report on, in the order of their drawing."""
    drawn = family_of(config.subspace).draw(config.subspace, config.cells)
    codes = [cell.code for cell in drawn]
    return {CHOICE: codes[: len(codes) // 2], REPORT: codes[len(codes) // 2 :]}


def scores(records: Sequence[Record], score: str) -> pd.Series:
    """What the cells are ranked by, larger for better ones, by code; proxies are averaged.

    Args:
        records: of supernets that evaluated the same cells.
        score: a name in `SCORES`.
    """
    seen = pd.concat([proxies(record) for record in records]).groupby("code").mean()
    sizes = count_parameters(seen.index.to_numpy(np.int64))
    values = SCORES[score](seen["loss"].to_numpy(), seen["proxy"].to_numpy(), sizes)
    return pd.Series(values, index=seen.index)


def ranked(scored: pd.Series, truth: np.ndarray) -> dict[str, float]:
    """`measure.rank_metrics` of the scores of cells, and their correlation given parameters."""
    sizes = count_parameters(scored.index.to_numpy(np.int64))
    values = scored.to_numpy(float)
    partial = metrics.partial_spearman(values, truth, sizes)
    return rank_metrics(values, truth) | {"partial_spearman": partial}


def zero_cost(table: Table, column: str) -> pd.DataFrame:
    """How scores of untrained networks rank connected cells, if they are on this machine.

    Returns:
        Columns score, metric, value, n (cells): `ranked`, and seconds a cell, of each of
        `zero_cost.SCORES`.
    """
    rows = []
    known = scores_of_untrained.load() if locate(SOURCES[scores_of_untrained.NAME]) else None
    for score, group in () if known is None else known.groupby("score", sort=False):
        chosen = group[connected(group["code"].to_numpy())].set_index("code")
        values = ranked(chosen["value"], table.accuracy(chosen.index.to_numpy(), column))
        values["seconds"] = float(chosen["seconds"].mean())
        rows += [(score, metric, value, len(chosen)) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["score", "metric", "value", "n"])


def best(protocols: pd.DataFrame) -> dict[int, Protocol]:
    """The protocol of each time with the highest mean correlation on the cells to choose on.

    Args:
        protocols: what `statistics` gives.

    Returns:
        By minutes, where all protocols of that time have all repetitions; a longer time can take a
        shorter protocol only if it has averaged several.
    """
    chosen = protocols[(protocols["half"] == CHOICE) & (protocols["metric"] == CHOSEN_BY)]
    keys = ["minutes", "training", "supernets", "score"]
    means = {
        Protocol(*key): float(values.mean())
        for key, values in chosen.groupby(keys)["value"]
        if len(values) == SEEDS
    }
    rivals = {minutes: [p for p in PROTOCOLS if p.budget == minutes] for minutes in MINUTES}
    return {
        minutes: max(of_this_time, key=means.__getitem__)
        for minutes, of_this_time in rivals.items()
        if means.keys() >= set(of_this_time)
    }


def reported(protocols: pd.DataFrame) -> pd.DataFrame:
    """Every protocol on the cells to report on, and whether it is the choice for its time.

    Returns:
        Columns training, minutes, supernets, score, metric, mean, ci_low, ci_high, n, failed,
        budget, chosen.
    """
    keys = ["training", "minutes", "supernets", "score", "metric"]
    rows = summarise(
        protocols[protocols["half"] == REPORT],
        keys,
        correlation=lambda key: key[-1] not in ("cpu_seconds", "top_10_accuracy"),
    )
    known = [
        Protocol(row.minutes, row.training, row.supernets, row.score) for row in rows.itertuples()
    ]
    winners = best(protocols)
    budgets = [protocol.budget for protocol in known]
    chosen = [winners.get(p.budget) == p for p in known]
    return rows.assign(budget=budgets, chosen=chosen)
