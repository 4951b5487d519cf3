"""Study 5 on NAS-Bench-201: SoTL-DARTS and its family, and what decides between them (SoTL 4.3.1).

A setting is one entry of `settings`: what it changes in first-order DARTS. Its searches and its
rows in the tables follow from that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.benchmarks import Table, available_tables, load_table
from nasrepro.darts.algorithm import Algorithm, Phase
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb201 import count_parameters
from nasrepro.runs.config import changed
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.search import (
    ALPHAS,
    SPECTRA,
    SPECTRUM_EPOCHS,
    STEPS,
    TRAINING,
    VALIDATION,
    SearchConfig,
    selected,
)
from nasrepro.search import expected_best, neighbourhood, regularised_evolution
from nasrepro.spaces.nb201 import EDGES, NUM_CELLS, Cell, live_operations
from nasrepro.studies.design import (
    Design,
    Factor,
    Times,
    check_asked,
    in_order,
    labelled,
    settings_of,
)
from nasrepro.studies.measure import effects, summarise
from nasrepro.train import TrainConfig

TABLE = "nb201-200epochs"
COLUMNS = {
    "cifar10": "cifar10-test-200",
    "cifar100": "cifar100-test-200",
    "imagenet16": "imagenet16-120-test-200",
}
SELECTION = ("nb201-12epochs", "cifar10-validation-12")  # what searches without a supernet go by
SPACE = "NAS-Bench-201"
TABLES = ("searches", "epochs", "spectra", "alone", "settings", "effects", "movement")
TEXTS = ("setting", "space", "status", "cell", "choice", "metric", "against")

FIRST, SECOND = "DARTS, first order", "DARTS, second order"
SOTL, SOVL = "SoTL-DARTS", "SoVL-DARTS"
ON_TRAINING = "DARTS on training data"
FROZEN_TRAINING, FROZEN_VALIDATION = "frozen, training", "frozen, validation"
DRNAS, SOTL_DRNAS = "DrNAS", "SoTL-DrNAS"
# In the two phases of DrNAS' authors.
PROGRESSIVE, SOTL_PROGRESSIVE = "DrNAS, two phases", "SoTL-DrNAS, two phases"
FROZEN_PROGRESSIVE = "frozen, training, two phases"
GDAS, REINFORCE = "GDAS", "REINFORCE"
NO_REPLAY, LONGER = "SoTL-DARTS, no replay", "SoTL-DARTS, epochs x3"
LONGER_FIRST = "DARTS, epochs x3"
ONCE, SHORT, EXACT = "SoTL-DARTS, T = epoch", "SoTL-DARTS, T = 7", "SoTL-DARTS, exact, T = 7"
FAST, SLOW, NOISY = "SoTL-DARTS, rate x10", "DARTS, rate /25", "SoTL-DARTS, noise x10"
PRINTED = {  # rows of the thesis' table 4.6, by the setting
    FIRST: "DARTS (first-order)",
    SECOND: "DARTS (second-order)",
    SOTL: "SoTL-DARTS",
    SOVL: "SoVL-DARTS",
    DRNAS: "DrNAS",
    SOTL_DRNAS: "SoTL-DrNAS",
    PROGRESSIVE: "DrNAS",
    SOTL_PROGRESSIVE: "SoTL-DrNAS",
    GDAS: "GDAS",
    REINFORCE: "ENAS",
    LONGER: "SoTL-DARTS (150 epochs)",
}
# Searches of the table, and choices that take none.
RANDOM, EVOLUTION = "random search", "regularised evolution"
SIX_CONVOLUTIONS, SIX_SKIPS = "six 3x3 convolutions", "six skips"
EVALUATIONS, RUNS = 100, 2_000  # of a search of the table, and how often it is repeated


@dataclass(frozen=True)
class Profile:
    """How large the study runs: numbers only."""

    base: SearchConfig  # first-order DARTS
    period: int  # steps that SoTL-DARTS sums over
    warmup_epochs: int  # of DrNAS, in each of its phases
    seeds: int  # of a setting
    main_seeds: int  # of DARTS, of both orders, and of SoTL-DARTS: shares are judged
    phases: tuple[Phase, ...]  # of DrNAS as its authors search
    phases_seeds: int  # of a setting with these


# Table B.1 of the thesis, with the clipping of DARTS' own code, which it does not name. The
# benchmark's own DARTS has Nesterov momentum, of which table B.1 says nothing either: not here, for
# second-order DARTS looks one step of plain momentum ahead.
PAPER = SearchConfig(
    data=DataConfig("cifar10", train_images=25_000, validation_images=25_000),
    net=NetConfig(
        channels=16,
        cells_per_stage=5,
        affine=False,
        tracked_statistics=False,
        affine_around=True,
    ),
    train=TrainConfig(
        epochs=50,
        batch_size=64,
        learning_rate=0.025,
        final_learning_rate=0.001,
        weight_decay=5e-4,
        gradient_clip=5.0,
    ),
    evaluate=EvaluateConfig("batch", batch_size=250),
)
# Of the code of DrNAS' authors for NAS-Bench-201 (Chen et al. 2021): operations 5 and 3, partial
# channels 4 and 2. Alphas wait in the first epochs of both; the learning rate falls over both.
PHASES = (Phase(50, share=4), Phase(50, operations=3, share=2))
PROFILES = {
    "smoke": Profile(
        base=changed(
            PAPER,
            {
                "data": DataConfig("digits", train_images=300, validation_images=280, size=8),
                "net.channels": 4,
                "net.cells_per_stage": 1,
                "train.epochs": 2,
                "train.batch_size": 30,
                "train.crop_padding": 1,
                "evaluated": 100,
                "evaluate.batch_size": 100,
                "spectrum_every": 0,  # what takes longest in so small a search
            },
        ),
        period=5,
        warmup_epochs=1,
        seeds=1,
        main_seeds=2,
        phases=tuple(replace(phase, epochs=2) for phase in PHASES),
        phases_seeds=1,
    ),
    # As many updates of SoTL-DARTS' alphas in an epoch as the paper has: four. One search of
    # first-order DARTS was seen before this was final (seed 0, without `affine_around`, unstored):
    # five skips after the last epoch and still moving. Then `affine_around` and DARTS over three
    # times the epochs were added; claims, regions and everything else stayed.
    "cpu": Profile(
        base=changed(
            PAPER,
            {
                "data": DataConfig("cifar10", 6_400, 6_400, size=16),
                "net.channels": 8,
                "net.cells_per_stage": 1,
                "train.crop_padding": 2,
            },
        ),
        period=25,
        warmup_epochs=10,
        seeds=3,
        main_seeds=5,
        phases=PHASES,
        phases_seeds=2,
    ),
    "paper": Profile(
        base=PAPER,
        period=100,
        warmup_epochs=10,
        seeds=3,
        main_seeds=3,
        phases=PHASES,
        phases_seeds=3,
    ),
}


def factors(profile: Profile) -> tuple[Factor, ...]:
    """Each setting after the one that it changes, in the order in which its searches matter."""
    rate, gradient, steps = "algorithm.learning_rate", "algorithm.gradient", "algorithm.steps"
    summed = {steps: profile.period, gradient: "training"}
    frozen = {rate: 0.0, "algorithm.initial_noise": 0.0, "algorithm.replay": False}
    batches = profile.base.data.train_images // profile.base.train.batch_size
    dirichlet = {
        "algorithm.relaxation": "dirichlet",
        "algorithm.warmup_epochs": profile.warmup_epochs,
    }
    drawn = {"algorithm.relaxation": "categorical", gradient: "reinforce"}
    unclipped = {steps: 7, "train.gradient_clip": None}
    phases = {
        "algorithm.phases": profile.phases,
        "train.epochs": sum(phase.epochs for phase in profile.phases),
    }
    return (
        Factor(SOTL, FIRST, "SoTL 3.3.3", summed),
        Factor(SOVL, FIRST, "SoTL 4.3.1", {steps: profile.period, "algorithm.replay": False}),
        Factor(ON_TRAINING, FIRST, "our own", {gradient: "training"}),
        Factor(FROZEN_TRAINING, SOTL, "our own", frozen),
        Factor(FROZEN_VALIDATION, SOVL, "our own", frozen),
        Factor(GDAS, FIRST, "SoTL 4.3.1", {"algorithm.relaxation": "gumbel"}),
        Factor(REINFORCE, FIRST, "SoTL 4.3.1", drawn),
        Factor(DRNAS, FIRST, "SoTL 3.3.4", dirichlet),
        Factor(SOTL_DRNAS, DRNAS, "SoTL 3.3.4", summed),
        Factor(SECOND, FIRST, "SoTL 3.3.1", {gradient: "finite differences"}),
        Factor(NO_REPLAY, SOTL, "our own", {"algorithm.replay": False}),
        Factor(ONCE, SOTL, "our own", {steps: batches}),
        Factor(FAST, SOTL, "our own", {rate: Times(10)}),
        Factor(SLOW, FIRST, "our own", {rate: Times(1 / 25)}),
        Factor(NOISY, SOTL, "our own", {"algorithm.initial_noise": Times(10)}),
        Factor(SHORT, SOTL, "SoTL 4.3.1", unclipped),
        Factor(LONGER, SOTL, "SoTL 4.3.1", {"train.epochs": Times(3)}),
        # Its alphas are updated at every step, of which the paper has four times as many an epoch.
        Factor(LONGER_FIRST, FIRST, "our own", {"train.epochs": Times(3)}),
        Factor(EXACT, SHORT, "SoTL 3.3.2, 4.3.1", {gradient: "unrolled"}),
        Factor(PROGRESSIVE, DRNAS, "SoTL 3.3.4, 4.3.1", phases),
        Factor(SOTL_PROGRESSIVE, PROGRESSIVE, "SoTL 3.3.4, 4.3.1", summed),
        Factor(FROZEN_PROGRESSIVE, SOTL_PROGRESSIVE, "our own", frozen),
    )


def design(profile: str, seeds: int | None = None) -> Design:
    """All searches of a profile, by setting: one seed of every setting before two of any.

    Args:
        profile: a name in `PROFILES`.
        seeds: at most so many seeds of each setting; None for the profile's own.

    Raises:
        ConfigError: if there is no such profile.
    """
    check_asked(profile, PROFILES, seeds)
    chosen = PROFILES[profile]
    settings = settings_of(FIRST, chosen.base, factors(chosen))
    main = dict.fromkeys((FIRST, SOTL, SECOND), chosen.main_seeds)
    counts = dict.fromkeys(settings, chosen.seeds) | main
    counts |= {
        name: chosen.phases_seeds for name, config in settings.items() if config.algorithm.phases
    }
    return labelled(
        (changed(config, {"seed": seed}), {"setting": name})
        for seed in range(max(counts.values()))
        for name, config in settings.items()
        if seed < min(counts[name], seeds or counts[name])
    )


def known_factors(period: int, warmup_epochs: int = 0) -> dict[str, Factor]:
    """The factors by name, for other spaces.

    Args:
        period: steps that SoTL-DARTS sums over.
        warmup_epochs: of DrNAS.
    """
    profile = replace(PROFILES["cpu"], period=period, warmup_epochs=warmup_epochs)
    return {factor.name: factor for factor in factors(profile)}


def controls(period: int) -> dict[str, Factor]:
    """What decides in other spaces, too: SoTL-DARTS and alphas that never move, by name.

    Args:
        period: steps that SoTL-DARTS sums over.
    """
    known = known_factors(period)
    frozen = known[FROZEN_VALIDATION]  # without SoVL-DARTS it changes DARTS itself
    return {
        SOTL: known[SOTL],
        FROZEN_TRAINING: known[FROZEN_TRAINING],
        FROZEN_VALIDATION: replace(frozen, baseline=FIRST),
    }


def in_spaces(settings: Mapping[str, Mapping[str, SearchConfig]], seeds: int) -> Design:
    """So many searches of some settings of some spaces: one seed of each before two of any."""
    return labelled(
        (changed(config, {"seed": seed}), {"setting": name, "space": space})
        for seed in range(seeds)
        for space, known in settings.items()
        for name, config in known.items()
    )


def table_of(profile: str) -> str:
    """Name of the table that is the truth of a profile."""
    return TABLE


def statistics(records: Iterable[Record], profile: str, table: Table) -> dict[str, pd.DataFrame]:
    """What the searches of a profile found.

    Returns:
        searches: one row a search: setting, space, seed, status, cell, the true accuracies of the
            cell that it ends with, and what `describe` and `measure` say;
        epochs: one row a search and epoch: the same of the cell selected after it, the training
            loss, the accuracy of the mixed network and of the cell's path in it, the gap between
            these, and how far alphas have moved;
        spectra: setting, seed, epoch, training, validation: the largest eigenvalue of the Hessian
            of the alphas on images of either kind;
        alone: choice, the accuracies and n: what needs no supernet, and searches of the table.
    """
    wanted = design(profile)
    mine = in_order(records, wanted)
    found = of_searches(mine, wanted, lambda c: describe(c) | true_accuracies(c, table))
    return {**found, "alone": alone(table)}


def of_searches(
    records: Sequence[Record],
    wanted: Design,
    describe: Callable[[Any], Mapping[str, float]],
) -> dict[str, pd.DataFrame]:
    """The frames searches, epochs and spectra of some searches, at least one.

    Args:
        records: of the searches.
        wanted: their design, with the setting and, if it is another than `SPACE`, the space.
        describe: what a cell is made of.
    """
    labels = [
        {
            "setting": wanted[record.config]["setting"],
            "space": wanted[record.config].get("space", SPACE),
            "seed": record.config.seed,
        }
        for record in records
    ]
    epochs = [epochs_of(record, describe) for record in records]
    ends = [
        pd.DataFrame([{"status": record.status, **frame.iloc[-1].to_dict(), **measure(record)}])
        for record, frame in zip(records, epochs, strict=True)
    ]
    return {
        "searches": _labelled(labels, ends).drop(columns="epoch"),
        "epochs": _labelled(labels, [frame.drop(columns="cell") for frame in epochs]),
        "spectra": _labelled(labels, [spectra_of(record) for record in records]),
    }


def _labelled(labels: Sequence[Mapping[str, Any]], frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all frames, each after the labels of its frame."""
    parts = [
        frame.assign(**label)[[*label, *frame]] for label, frame in zip(labels, frames, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def true_accuracies(cell: Cell, table: Table) -> dict[str, float]:
    """The accuracies of a cell that a table has."""
    return {name: float(table.accuracy(cell.code, column)) for name, column in COLUMNS.items()}


def epochs_of(record: Record, describe: Callable[[Any], Mapping[str, float]]) -> pd.DataFrame:
    """One row an epoch of a search: what it selects after it, and how the network stands.

    Args:
        record: of the search.
        describe: what a cell is made of.
    """
    images, alphas, history = record.config.evaluated, record.arrays[ALPHAS], record.history
    frame = pd.DataFrame(
        [
            {"epoch": n, "cell": str(cell), **describe(cell)}
            for n, cell in enumerate(selected(record), 1)
        ]
    )
    return frame.assign(
        train_loss=[epoch.train_loss for epoch in history],
        validation_accuracy=[100 * epoch.validation_correct / images for epoch in history],
        path_accuracy=[100 * epoch.path_correct / images for epoch in history],
        gap=[100 * (epoch.validation_correct - epoch.path_correct) / images for epoch in history],
        largest_alpha=np.abs(np.where(np.isneginf(alphas), 0, alphas)).max(axis=(1, 2)),
    )


def describe(cell: Cell) -> dict[str, int]:
    """What a cell is made of.

    Returns:
        skips, zeros, pools, convolutions (1x1), convolutions3: of its six edges; depth: edges of
        its longest path from input to output, 0 if there is none; deepest: convolutions on the path
        that has most of them; parameters: of the benchmark's network.
    """
    kinds = {
        "skips": "skip_connect",
        "zeros": "none",
        "pools": "avg_pool_3x3",
        "convolutions1": "nor_conv_1x1",
        "convolutions3": "nor_conv_3x3",
    }
    counts = {name: cell.operations.count(operation) for name, operation in kinds.items()}
    convolutions = ("nor_conv_1x1", "nor_conv_3x3")
    return counts | {
        "depth": longest(cell, tuple(kinds.values())),
        "deepest": longest(cell, convolutions),
        "parameters": int(count_parameters(np.array([cell.code]))[0]),
    }


def longest(cell: Cell, counted: Sequence[str]) -> int:
    """The most edges with some operations on a path from input to output (Shu et al. 2020).

    Args:
        cell: without a path, it is 0.
        counted: operations that count; Zero leads nowhere.

    >>> skips = Cell(("skip_connect",) * 6)
    >>> longest(skips, ("skip_connect",)), longest(skips, ("nor_conv_3x3",))
    (3, 0)
    """
    reached = {0: 0}
    operations = live_operations(cell)
    for edge in sorted(range(len(EDGES)), key=lambda e: EDGES[e]):
        source, target = EDGES[edge]
        if operations[edge] != "none":
            here = reached[source] + (operations[edge] in counted)
            reached[target] = max(reached.get(target, 0), here)
    return reached.get(3, 0)


def measure(record: Record) -> dict[str, float]:
    """What a search cost, and where it ends: updates, eigenvalues, seconds, memory."""
    measured, spectra = record.measurement, record.arrays[SPECTRA]
    seconds = measured.train_seconds, measured.evaluate_seconds
    last = spectra[-1, :, -1] if len(spectra) else (np.nan, np.nan)
    return {
        "updates": int(record.arrays[STEPS].sum()) * bool(record.config.algorithm.learning_rate),
        "eigenvalue_training": float(last[TRAINING]),
        "eigenvalue_validation": float(last[VALIDATION]),
        "seconds": measured.train_seconds,  # without the looks after each epoch
        "cpu_seconds": measured.cpu_seconds * seconds[0] / sum(seconds),  # nor these
        "peak_memory_mb": measured.peak_memory_mb,
    }


def spectra_of(record: Record) -> pd.DataFrame:
    """The largest eigenvalues of the measured epochs: epoch, training, validation."""
    largest = record.arrays[SPECTRA][:, :, -1]
    return pd.DataFrame(
        {
            "epoch": record.arrays[SPECTRUM_EPOCHS],
            "training": largest[:, TRAINING],
            "validation": largest[:, VALIDATION],
        }
    )


def risen(spectra: pd.DataFrame, setting: str, images: str) -> pd.Series:
    """The largest eigenvalue of the last measured epoch less that of the first, by seed.

    Args:
        spectra: as in `statistics`, of one space.
        setting: whose searches are meant; those that were measured once are left out.
        images: "training" or "validation".
    """
    mine = spectra[spectra["setting"] == setting].sort_values("epoch").groupby("seed")[images]
    return (mine.last() - mine.first())[mine.size() > 1]


def alone(table: Table) -> pd.DataFrame:
    """What takes no supernet: choice, true accuracies (means, if drawn) and n cells or searches."""
    codes = np.arange(NUM_CELLS)
    truths = {name: table.accuracy(codes, column) for name, column in COLUMNS.items()}
    constant = {
        SIX_CONVOLUTIONS: Cell(("nor_conv_3x3",) * 6).code,  # also the most parameters
        SIX_SKIPS: Cell(("skip_connect",) * 6).code,
    }
    rows = [
        {"choice": name, **{data: truth[code] for data, truth in truths.items()}, "n": 1}
        for name, code in constant.items()
    ]
    means = {data: truth.mean() for data, truth in truths.items()}
    rows.append({"choice": "a random cell", **means, "n": NUM_CELLS})
    name, column = SELECTION
    if name in available_tables():
        by = load_table(name).accuracy(codes, column)
        best = {data: expected_best(by, truth, EVALUATIONS)[-1] for data, truth in truths.items()}
        rows.append({"choice": RANDOM, **best, "n": NUM_CELLS})
        found = evolved(by)
        evolution = {data: truth[found].mean() for data, truth in truths.items()}
        rows.append({"choice": EVOLUTION, **evolution, "n": RUNS})
    return pd.DataFrame(rows)


def evolved(score: np.ndarray) -> np.ndarray:
    """The best cell by score of each of many runs of regularised evolution, codes [runs].

    So many runs that another seed moves no verdict: the error of their mean is far below a tenth of
    a percentage point.
    """
    around = neighbourhood("nb201", np.arange(NUM_CELLS))
    generator = np.random.default_rng(0)
    orders = regularised_evolution(score, around, EVALUATIONS, RUNS, generator)
    return orders[np.arange(RUNS), score[orders].argmax(axis=1)]


METRICS = (
    *("cifar10", "cifar100", "imagenet16", "skips", "convolutions3", "depth", "deepest"),
    *("parameters", "largest_alpha", "updates", "validation_accuracy", "path_accuracy", "gap"),
    *("eigenvalue_training", "eigenvalue_validation", "seconds", "cpu_seconds", "peak_memory_mb"),
)


def at_equal_movement(epochs: pd.DataFrame) -> pd.DataFrame:
    """What each setting selects when its alphas have moved as far as SoTL-DARTS' in the end.

    Args:
        epochs: as in `statistics`.

    Returns:
        setting, seed, epoch, cifar10, skips: of the first epoch in which the largest alpha of a
        search is no smaller than that of SoTL-DARTS with the same seed after its last; searches
        that never move so far, and seeds without SoTL-DARTS, are left out.
    """
    ends = epochs[epochs["setting"] == SOTL].sort_values("epoch").groupby("seed").last()
    level = epochs["seed"].map(ends["largest_alpha"])
    reached = epochs[epochs["largest_alpha"] >= level].sort_values("epoch", kind="stable")
    first = reached.groupby(["setting", "seed"], sort=False).head(1).sort_index()
    return first[["setting", "seed", "epoch", "cifar10", "skips"]].reset_index(drop=True)


def tables(statistics: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the study.

    Returns:
        The statistics themselves, and
        settings: setting, metric, mean, ci_low, ci_high, n, failed: of the last epoch's cell and
            the search;
        movement: the means of `at_equal_movement`, as settings;
        effects: setting, against (what it changes), metric, baseline, value, difference, ci_low,
            ci_high, p_holm, n, n_baseline: see `measure.effects`.
    """
    searches = statistics["searches"]
    whole = (searches["space"] == SPACE) & (searches["status"] == "ok")
    runs = searches[whole].melt(
        ["setting", "seed"], list(METRICS), var_name="metric", value_name="value"
    )
    pairs = [(factor.name, factor.baseline) for factor in factors(PROFILES["cpu"])]
    settings = summarise(runs, ["setting", "metric"], correlation=lambda key: False)
    moved = at_equal_movement(statistics["epochs"]).melt(["setting", "seed"], var_name="metric")
    movement = summarise(moved, ["setting", "metric"], correlation=lambda key: False)
    effect = effects(runs, pairs)
    return {**statistics, "settings": settings, "effects": effect, "movement": movement}


def algorithm_text(algorithm: Algorithm) -> str:
    """An algorithm in words, for tables."""
    summed = f"summed over {algorithm.steps} steps" if algorithm.steps > 1 else "of one step"
    again = ", replayed" if algorithm.replay and algorithm.steps > 1 else ""
    moves = f"rate {algorithm.learning_rate:g}" if algorithm.learning_rate else "alphas frozen"
    phases = "".join(f"; then {phase_text(phase)}" for phase in algorithm.phases)
    limit = algorithm.most_skips
    skips = "" if limit is None else f"; at most {limit} skips in the normal cell"
    parts = f"{algorithm.relaxation}; gradient: {algorithm.gradient}, {summed}{again}; {moves}"
    return parts + phases.replace("then ", "", 1) + skips


def phase_text(phase: Phase) -> str:
    """A phase in words, for tables.

    >>> phase_text(Phase(50, operations=3, share=2))
    '50 epochs with the 3 strongest operations, one channel of 2'
    """
    kept = phase.operations
    parts = [
        "all operations" if kept is None else f"the {kept} strongest operations",
        *([f"one channel of {phase.share}"] if phase.share > 1 else []),
        *([f"{phase.cells} cells"] if phase.cells else []),
        *([f"dropout of skips from {phase.skip_dropout:g}"] if phase.skip_dropout else []),
    ]
    return f"{phase.epochs} epochs with {', '.join(parts)}"
