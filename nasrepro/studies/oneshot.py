"""Study 4 in the three spaces of NAS-Bench-1Shot1 (SoTL thesis 4.2.2, tables 4.2, 4.4 and 4.5).

The same fine-tunings, estimators and controls as on NAS-Bench-201, on the network of its authors.
Of the thesis' 200 encodings a space those are trained on that the sample of NAS-Bench-101 has, and
beside them encodings of other architectures, drawn from the space.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nasrepro import metrics
from nasrepro.benchmarks import Table, available_tables, load_table
from nasrepro.data.cell_lists import SOURCE, read_list
from nasrepro.data.sources import SOURCES, locate
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.nb101 import count_parameters
from nasrepro.runs.config import changed
from nasrepro.runs.finetune import FinetuneConfig
from nasrepro.runs.parts import AnyCells, DrawnEncodings, ListedCells
from nasrepro.runs.record import Record
from nasrepro.spaces.nb1shot1 import ONE_SHOT, Cell, Subspace, architectures
from nasrepro.studies import estimates, finetuning
from nasrepro.studies.design import Design, Labels, labelled
from nasrepro.studies.finetuning import FROZEN, OWN_RATE, RATES, SPOS, THESIS, TRAINERS
from nasrepro.studies.trajectories import CIFAR10
from nasrepro.updates import MetaMinibatchProx

TABLE = "nb101-sample"  # the truth
TRUTHS = {CIFAR10: "cifar10-test-108"}
DRAWN = "drawn"  # a sample of cells, beside `THESIS`
COMBINED = "MultiPath + Metaprox"
# Of the thesis' trainers FairNAS needs operations on edges (section 4.2.2).
OWN_TRAINERS = {
    **{name: change for name, change in TRAINERS.items() if name != "FairNAS"},
    # Its paths are averaged by their weights, not by their gradients.
    COMBINED: {
        **TRAINERS["MultiPath"],
        "train.gradients": "sum",
        "train.adaptation": MetaMinibatchProx(),
    },
}
RATE = OWN_RATE | {COMBINED: OWN_RATE["MultiPath"]}
SPACE_LABELS = ["space", "sample"]
PREFIX = "oneshot_"  # of the names of frames and tables
FRAMES = ("runs", "beyond", "losses", "parameters", "resampled", "usage")  # of `estimates`'
TABLES = tuple(PREFIX + name for name in (*FRAMES, "learning", "cells"))
TEXTS = tuple(SPACE_LABELS)


@dataclass(frozen=True)
class Profile:
    """How large the study runs; what is not here is as in `finetuning.PROFILES`."""

    net: CellNetConfig
    epochs: int
    seeds: int
    claimed_seeds: int  # of SPOS on the thesis' cells, which nearly all claims are about
    cells: Mapping[str, AnyCells]  # of the first space, by the name of the sample
    trainers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # beside SPOS, and where
    weight_decay: float = 5e-4  # of the fine-tuning: that of NAS-Bench-201


def _cells(count: int) -> dict[str, AnyCells]:
    return {
        THESIS: ListedCells("sotl-1shot1-1", table=TABLE),
        DRAWN: DrawnEncodings(count, table=TABLE, besides="sotl-1shot1-1"),
    }


PROFILES = {
    # Neither a list nor a table is needed to run.
    "smoke": Profile(
        net=CellNetConfig(channels=4, cells_per_stage=1, tracked_statistics=False),
        epochs=2,
        seeds=1,
        claimed_seeds=1,
        cells={
            THESIS: DrawnEncodings(12, seed=0, table=None),
            DRAWN: DrawnEncodings(12, seed=1, table=None),
        },
        trainers={COMBINED: (1,)},
    ),
    # As many of the epochs of table B.1 as on NAS-Bench-201: three of five. Other trainers take 4
    # to 16 times the paths of SPOS, and one supernet of each would decide no claim.
    "cpu": Profile(
        net=CellNetConfig(channels=8, cells_per_stage=1, tracked_statistics=False),
        epochs=30,
        seeds=1,
        claimed_seeds=2,
        cells=_cells(200),
    ),
    # Table B.1; what it leaves open is what the authors of NAS-Bench-1Shot1 have.
    "paper": Profile(
        net=CellNetConfig(channels=16, cells_per_stage=3, tracked_statistics=False),
        epochs=50,
        seeds=3,
        claimed_seeds=3,
        cells=_cells(200),
        trainers=dict.fromkeys((t for t in OWN_TRAINERS if t != SPOS), tuple(ONE_SHOT)),
        weight_decay=3e-4,
    ),
}


def design(profile: str, seeds: int | None = None) -> Design:
    """All fine-tunings of a profile: one supernet of every space before two of any.

    Args:
        profile: a name in `PROFILES`.
        seeds: at most so many supernets of each kind; None for the profile's own.
    """
    chosen = PROFILES[profile]
    return labelled(
        _run(profile, Subspace(space), sample, trainer, rate, seed)
        for seed in range(min(seeds or chosen.claimed_seeds, chosen.claimed_seeds))
        for sample, trainer, rate, space in _wanted(chosen)
        if seed < chosen.seeds or (sample, trainer) == (THESIS, SPOS)
    )


def _wanted(profile: Profile) -> Iterator[tuple[str, str, float, int]]:
    """Sample, trainer, rate and space of each run: what the thesis shows, then what it does not."""
    for sample in profile.cells:
        rates = RATES if sample == THESIS else (FROZEN, OWN_RATE[SPOS])
        yield from ((sample, SPOS, rate, space) for rate in rates for space in ONE_SHOT)
    for trainer, spaces in profile.trainers.items():
        for rate in (FROZEN, RATE[trainer]):
            yield from ((THESIS, trainer, rate, space) for space in spaces)


def _run(
    profile: str, subspace: Subspace, sample: str, trainer: str, rate: float, seed: int
) -> tuple[FinetuneConfig, Labels]:
    """A fine-tuning and its labels."""
    of_all, mine = finetuning.PROFILES[profile], PROFILES[profile]
    supernet = changed(
        of_all.base,
        {
            "subspace": subspace,
            "net": mine.net,
            "cells": _of_space(mine.cells[sample], subspace),
            "train.epochs": mine.epochs,
            "train.weight_decay": 3e-4,  # table B.1
            **OWN_TRAINERS[trainer],
            "seed": seed,
        },
    )
    whole = (sample, trainer) == (THESIS, SPOS)  # as long as in the thesis' figures
    steps = of_all.steps if whole else of_all.short
    config = FinetuneConfig(
        supernet,
        steps=steps,
        batch_size=of_all.batch_size,
        learning_rate=rate,
        weight_decay=mine.weight_decay,
        validated=tuple(sorted({of_all.validated, steps})) if rate else (0,),
    )
    return config, {
        "space": str(subspace),
        "sample": sample,
        **finetuning.labels_of(config, trainer),
    }


def _of_space(cells: AnyCells, subspace: Subspace) -> AnyCells:
    """The same choice of cells, with the list of another space."""
    name = f"sotl-1shot1-{subspace.space}"
    if isinstance(cells, ListedCells):
        return changed(cells, {"listed": name})
    named = isinstance(cells, DrawnEncodings) and cells.besides is not None
    return changed(cells, {"besides": name}) if named else cells


def counted() -> dict[str, pd.DataFrame]:
    """What is counted without any run, where the lists and the sample of NAS-Bench-101 are there.

    Returns:
        oneshot_cells: one row a list of the thesis: space, listed, encodings, architectures (that
            differ), known (listed ones whose architecture the sample has), known_encodings,
            known_architectures, spearman: of the parameter count with the test accuracy over the
            known encodings that differ.
    """
    if TABLE not in available_tables() or locate(SOURCES[SOURCE]) is None:
        return {}
    table = load_table(TABLE)
    rows = [(str(Subspace(n)), *_counts(f"sotl-1shot1-{n}", table)) for n in ONE_SHOT]
    return {PREFIX + "cells": pd.DataFrame(rows, columns=["space", *COUNTS])}


COUNTS = (
    *("listed", "encodings", "architectures", "known", "known_encodings", "known_architectures"),
    "spearman",
)


def _counts(name: str, table: Table) -> tuple[float, ...]:
    """The numbers `COUNTS` of a list."""
    codes = np.array([Cell.parse(text).code for text in read_list(name)])
    known = codes[table.has(architectures(codes))]
    distinct = architectures(np.unique(known))
    accuracy = table.accuracy(distinct, TRUTHS[CIFAR10])
    return (
        *(len(codes), len(set(codes)), len(set(architectures(codes)))),
        *(len(known), len(distinct), len(set(distinct))),
        metrics.spearman(count_parameters(distinct), accuracy),
    )


def statistics(records: Iterable[Record], wanted: Design) -> dict[str, pd.DataFrame]:
    """What the fine-tunings of a design measured, where the sample of NAS-Bench-101 is there.

    Returns:
        Frames of `estimates.statistics`, named with `PREFIX`, with two more columns: space, and
        sample (of its cells: the thesis', or drawn).
    """
    records = [record for record in records if record.config in wanted]
    if not records or TABLE not in available_tables():
        return {}
    table, parts = load_table(TABLE), dict[str, list[pd.DataFrame]]()
    for about, part in _parts(wanted).items():
        mine = [record for record in records if record.config in part]
        found = estimates.statistics(mine, part, table, TRUTHS) if mine else {}
        for name, frame in found.items():
            if name in FRAMES:
                parts.setdefault(name, []).append(_with(about, frame))
    return {PREFIX + name: pd.concat(each, ignore_index=True) for name, each in parts.items()}


def _parts(wanted: Design) -> dict[tuple[str, str], Design]:
    """The runs of each space and sample of its cells."""
    parts: dict[tuple[str, str], Design] = {}
    for config, labels in wanted.items():
        parts.setdefault((labels["space"], labels["sample"]), {})[config] = labels
    return parts


def _with(about: tuple[str, str], frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [pd.DataFrame([about] * len(frame), columns=SPACE_LABELS), frame.reset_index(drop=True)],
        axis=1,
    )


def tables(statistics: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables of `estimates.tables` for each space and sample of its cells, from statistics alone.

    Returns:
        estimators: rows beside those of NAS-Bench-201;
        oneshot_learning: as `learning`, with space and sample.
    """
    runs, beyond = (statistics[PREFIX + name] for name in ("runs", "beyond"))
    rows, gains = [], []
    for about, part in runs.groupby(SPACE_LABELS, sort=False):
        rows.append(estimates.estimators(part, *about))
        given = beyond[(beyond["space"] == about[0]) & (beyond["sample"] == about[1])]
        gains.append(_with(about, estimates.learning(part, given.drop(columns=SPACE_LABELS))))
    return {
        "estimators": pd.concat(rows, ignore_index=True),
        PREFIX + "learning": pd.concat(gains, ignore_index=True),
    }
