"""Study 5 on DARTS' space: searches, and the cells that they find (SoTL 4.3.2-4.3.5).

All operations, and S2, which has skips and 3x3 separable convolutions alone. No benchmark has the
cells that are found: they are trained alone here, beside random ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from nasrepro.darts.algorithm import Phase
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import DartsNetConfig
from nasrepro.nets.darts import count_parameters
from nasrepro.runs.config import changed
from nasrepro.runs.darts import drawn_cells
from nasrepro.runs.kinds import SEARCH, store_of
from nasrepro.runs.parts import DataConfig, DrawnCells
from nasrepro.runs.record import Record
from nasrepro.runs.search import ALPHAS, SearchConfig, ends_with
from nasrepro.runs.standalone import StandaloneConfig
from nasrepro.spaces.darts import S2, SKIP, WITHOUT_PARAMETERS, Cell, Subspace, depth, width
from nasrepro.studies import darts
from nasrepro.studies.darts import (
    DRNAS,
    FIRST,
    FROZEN_TRAINING,
    FROZEN_VALIDATION,
    SECOND,
    SOTL,
    SOTL_DRNAS,
)
from nasrepro.studies.design import Design, Factor, Times, in_order, labelled, settings_of
from nasrepro.studies.measure import summarise
from nasrepro.train import TrainConfig

WHOLE, S2_NAME = SPACES = "DARTS' space", "S2"
DEEP, DEEP_FIRST = "SoTL-DARTS, cells x2.5", "DARTS, cells x2.5"  # as 20 are to 8
PDARTS, SOTL_PDARTS, FROZEN_PDARTS = "PDARTS", "SoTL-PDARTS", "frozen, training, PDARTS"
RANDOM = "random cells"
SEARCHED = (FIRST, SOTL, FROZEN_TRAINING, FROZEN_VALIDATION)
TABLES = ("space_epochs", "space_spectra", "space_settings", "retrained")
TEXTS = ("setting", "space", "status", "cell", "metric")


@dataclass(frozen=True)
class Profile:
    """How large this part runs: numbers only."""

    searches: Mapping[str, SearchConfig]  # first-order DARTS, by space
    periods: Mapping[str, int]  # steps that SoTL-DARTS sums over
    deep: int  # cells of the deep supernet of S2
    phases: tuple[Phase, ...]  # of PDARTS, on all operations
    warmup_epochs: int  # of DrNAS and of each phase of PDARTS
    seeds: int  # of a search
    alone: StandaloneConfig  # a network alone; its cell is another for each
    random: int  # cells that are trained alone beside those that are found
    alone_seeds: int


# Table B.1 of the thesis. Supernets of 8 cells are searched on halves of the training images. With
# `affine_around` the normalisations of a cell's inputs learn scale and shift, which those of DARTS'
# authors do not; their stem's does.
_PAPER_SEARCH = replace(
    changed(darts.PAPER, {"train.weight_decay": 3e-4}),
    subspace=Subspace(),
    net=DartsNetConfig(affine=False, tracked_statistics=False, affine_around=True),
    spectrum_largest=1,
)
# The phases of PDARTS' authors for CIFAR-10 (Chen et al. 2019), dropout as in their paper: the
# command in their code begins with 0.1. And the skips that its normal cell may have.
_PHASES = (
    Phase(25, cells=5),
    Phase(25, operations=5, cells=11, skip_dropout=0.4),
    Phase(25, operations=3, cells=17, skip_dropout=0.7),
)
MOST_SKIPS = 2
# Any cell; the design replaces it.
_PAPER_ALONE = StandaloneConfig(
    data=DataConfig("cifar10", train_images=45_000, validation_images=5_000),
    cell=Cell.from_code(0),
    net=DartsNetConfig(channels=36),
    train=TrainConfig(
        epochs=600,
        batch_size=96,
        learning_rate=0.025,
        final_learning_rate=0.0,
        weight_decay=3e-4,
        gradient_clip=5.0,
    ),
    evaluate=EvaluateConfig("tracked", batch_size=250),
)
SMOKE_NETWORK = {
    "data": DataConfig("digits", train_images=120, validation_images=100, size=8),
    "net.channels": 2,
    "net.cells": 3,
    "train.epochs": 2,
    "train.batch_size": 30,
    "train.crop_padding": 1,
    "evaluate.batch_size": 50,
}
_SMOKE_SEARCH = changed(_PAPER_SEARCH, {**SMOKE_NETWORK, "evaluated": 50, "spectrum_every": 0})
# 4 and 10 cells as 8 and 20. Of all operations a step takes four times as long as of two, and a
# search has a quarter of the images: both take about eight minutes of a core. SoTL-DARTS updates
# its alphas four times an epoch, as in the paper. The rate of the alphas lets first-order DARTS
# move them as far as on NAS-Bench-201 at this profile, by 1.5 at most. PDARTS has 3, 6 and 9 cells
# as 5, 11 and 17, and 30 epochs as 75.
_CPU_SEARCH = changed(
    _PAPER_SEARCH,
    {
        "data": DataConfig("cifar10", train_images=1_600, validation_images=1_600, size=16),
        "net.channels": 4,
        "net.cells": 4,
        "train.epochs": 20,
        "train.crop_padding": 2,
        "algorithm.learning_rate": 3e-3,
        "evaluated": 500,
        "spectrum_every": 20,
        "spectrum_images": 32,
    },
)
_CPU_S2 = changed(
    _CPU_SEARCH,
    {
        "subspace": S2,
        "data.train_images": 6_400,
        "data.validation_images": 6_400,
        "algorithm.learning_rate": 7.5e-4,
        "spectrum_every": 5,
    },
)
CPU_NETWORK = {
    "data": DataConfig("cifar10", train_images=10_000, validation_images=1_000, size=16),
    "net.channels": 8,
    "net.cells": 4,
    "train.crop_padding": 2,
}


def _resized(epochs: int, cells: Sequence[int]) -> tuple[Phase, ...]:
    """The phases of PDARTS with other epochs and cells."""
    return tuple(
        replace(phase, epochs=epochs, cells=count)
        for phase, count in zip(_PHASES, cells, strict=True)
    )


PROFILES = {
    "smoke": Profile(
        searches={WHOLE: _SMOKE_SEARCH, S2_NAME: changed(_SMOKE_SEARCH, {"subspace": S2})},
        periods={WHOLE: 2, S2_NAME: 2},
        deep=4,
        phases=_resized(epochs=2, cells=(3, 4, 5)),
        warmup_epochs=0,
        seeds=1,
        alone=changed(_PAPER_ALONE, SMOKE_NETWORK),
        random=2,
        alone_seeds=1,
    ),
    "cpu": Profile(
        searches={WHOLE: _CPU_SEARCH, S2_NAME: _CPU_S2},
        periods={WHOLE: 7, S2_NAME: 25},
        deep=10,
        phases=_resized(epochs=10, cells=(3, 6, 9)),
        warmup_epochs=4,
        seeds=2,
        alone=changed(_PAPER_ALONE, {**CPU_NETWORK, "train.epochs": 20, "train.batch_size": 128}),
        random=20,
        alone_seeds=2,
    ),
    "paper": Profile(
        searches={WHOLE: _PAPER_SEARCH, S2_NAME: changed(_PAPER_SEARCH, {"subspace": S2})},
        periods={WHOLE: 100, S2_NAME: 100},
        deep=20,
        phases=_PHASES,
        warmup_epochs=10,
        seeds=3,
        alone=_PAPER_ALONE,
        random=20,
        alone_seeds=3,
    ),
}


# ---- design


def factors(profile: Profile, space: str) -> tuple[Factor, ...]:
    """The settings of study 5 that are searched here, each after the one that it changes.

    S2 shows what DARTS and SoTL-DARTS do with skips, as in the thesis.
    """
    period = profile.periods[space]
    controls = darts.controls(period).values()
    known = darts.known_factors(period, profile.warmup_epochs)
    if space == S2_NAME:
        deep = {"net.cells": profile.deep}
        both = (
            Factor(DEEP, SOTL, "SoTL 4.3.2", deep),
            Factor(DEEP_FIRST, FIRST, "SoTL 4.3.2", deep),
        )
        return (*controls, *both)
    epochs = sum(phase.epochs for phase in profile.phases)
    longer = epochs / profile.searches[space].train.epochs
    phases = {
        "algorithm.phases": profile.phases,
        "algorithm.warmup_epochs": profile.warmup_epochs,
        "algorithm.most_skips": MOST_SKIPS,
        "train.epochs": epochs,
        "spectrum_every": Times(longer),  # after the last epoch, as elsewhere
    }
    progressive = (
        Factor(PDARTS, FIRST, "SoTL 3.3.4, 4.3.3", phases),
        replace(known[SOTL], name=SOTL_PDARTS, baseline=PDARTS, where="SoTL 3.3.4, 4.3.3"),
        replace(known[FROZEN_TRAINING], name=FROZEN_PDARTS, baseline=SOTL_PDARTS),
    )
    return (*controls, *progressive, known[DRNAS], known[SOTL_DRNAS], known[SECOND])


def searches(profile: str, seeds: int | None = None) -> Design:
    """The searches of a profile: one seed of every setting before two of any."""
    chosen = PROFILES[profile]
    settings = {
        space: settings_of(FIRST, base, factors(chosen, space))
        for space, base in chosen.searches.items()
    }
    return darts.in_spaces(settings, min(chosen.seeds, seeds or chosen.seeds))


def random_cells(profile: str) -> DrawnCells:
    """The cells that are trained alone beside those that are found."""
    return DrawnCells(PROFILES[profile].random, table=None)


def networks(profile: str, seeds: int | None = None) -> Design:
    """Networks alone: of random cells, and of those that stored searches end with.

    The latter join the design when their search is stored, each cell once.
    """
    chosen = PROFILES[profile]
    random = drawn_cells(Subspace(), random_cells(profile))
    cells = dict.fromkeys([*random, *found_cells(profile).values()])
    return labelled(
        (replace(chosen.alone, cell=cell, seed=seed), {"space": WHOLE, "cell": str(cell)})
        for seed in range(min(chosen.alone_seeds, seeds or chosen.alone_seeds))
        for cell in cells
    )


def found_cells(profile: str) -> dict[tuple[str, str, int], Cell]:
    """The cell that each stored search ends with, by space, setting and seed."""
    store, found = store_of(SEARCH), {}
    for config, labels in searches(profile).items():
        record = store.load(config.key)
        if record is not None and record.status == "ok":
            cell = cast(Cell, ends_with(record))
            found[labels["space"], labels["setting"], config.seed] = cell
    return found


# ---- statistics


def describe(cell: Cell) -> dict[str, float]:
    """What a cell is made of.

    Returns:
        skips, pools, separable and dilated (convolutions), parameterless (skips and pools): of the
        sixteen operations of both kinds of cell; depth and width of the normal cell, and of the
        reduction cell; parameters: of the network of NAS-Bench-301's size.
    """
    kinds = [operation.partition("_")[0] for operation in cell.operations]
    return {
        "skips": kinds.count("skip"),
        "pools": kinds.count("max") + kinds.count("avg"),
        "separable": kinds.count("sep"),
        "dilated": kinds.count("dil"),
        "parameterless": sum(operation in WITHOUT_PARAMETERS for operation in cell.operations),
        "depth": depth(cell.normal),
        "width": width(cell.normal),
        "depth_reduction": depth(cell.reduction),
        "width_reduction": width(cell.reduction),
        "parameters": int(count_parameters(np.array([cell.code]))[0]),
    }


def statistics(records: Sequence[Record], profile: str) -> dict[str, pd.DataFrame]:
    """What the runs of a profile found, as far as there are any.

    Returns:
        searches, space_epochs, space_spectra: as searches, epochs and spectra of `studies.darts`,
            with what `describe` says of cells, and skips_left: see `skips_left`;
        retrained: one row a network alone: space, setting, search (the seed of the search that
            found its cell, NaN of random cells), cell, seed, status, accuracy (test, percent),
            parameters.
    """
    found: dict[str, pd.DataFrame] = {}
    wanted = searches(profile)
    if mine := in_order(records, wanted):
        frames = darts.of_searches(mine, wanted, describe)
        found["searches"] = frames["searches"].assign(skips_left=list(map(skips_left, mine)))
        found |= {f"space_{name}": frames[name] for name in ("epochs", "spectra")}
    if mine := in_order(records, networks(profile)):
        found["retrained"] = pd.DataFrame(_retrained(mine, profile))
    return found


def skips_left(record: Record) -> float:
    """The share of edges, of both kinds of cell, on which a search has a skip left in the end."""
    candidates = cast(Subspace, record.config.subspace).candidates
    return float(np.mean(~np.isneginf(record.arrays[ALPHAS][-1, :, candidates.index(SKIP)])))


def _retrained(records: Iterable[Record], profile: str) -> Iterator[dict[str, object]]:
    """The rows of networks alone; a cell that several searches found has a row for each."""
    random = drawn_cells(Subspace(), random_cells(profile))
    sources = [(cell, WHOLE, RANDOM, np.nan) for cell in random]
    sources += [(cell, *where) for where, cell in found_cells(profile).items()]
    for record in records:
        arrays = record.arrays
        for _, space, setting, search in (s for s in sources if s[0] == record.config.cell):
            yield {
                "space": space,
                "setting": setting,
                "search": search,
                "cell": str(record.config.cell),
                "seed": record.config.seed,
                "status": record.status,
                "accuracy": (
                    100 * float(arrays["test_correct"] / arrays["test_images"])
                    if record.status == "ok"
                    else np.nan
                ),
                "parameters": int(arrays["parameters"]),
            }


METRICS = (
    *("skips", "pools", "parameterless", "separable", "depth", "depth_reduction", "width"),
    *(
        "width_reduction",
        "parameters",
        "skips_left",
        "largest_alpha",
        "updates",
        "gap",
        "eigenvalue_training",
    ),
    *("eigenvalue_validation", "seconds", "cpu_seconds", "peak_memory_mb"),
)


def tables(statistics: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of the statistics of this part, as far as there are any.

    Returns:
        space_settings: space, setting, metric, mean, ci_low, ci_high, n, failed: of the cell after
            the last epoch and of the search, over its seeds.
    """
    found: dict[str, pd.DataFrame] = {}
    searches = of_space(statistics)
    whole = searches[searches["status"] == "ok"] if len(searches) else searches
    if len(whole):
        runs = whole.melt(["space", "setting", "seed"], list(METRICS), var_name="metric")
        keys = ["space", "setting", "metric"]
        found["space_settings"] = summarise(runs, keys, correlation=lambda key: False)
    return found


def of_space(statistics: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The searches of DARTS' space and of S2; none, if there are none."""
    searches = statistics.get("searches", pd.DataFrame(columns=["space", "status"]))
    return searches[searches["space"].isin(SPACES)]
