"""Study 5 on NAS-Bench-1Shot1's three spaces (SoTL 4.3.1, 4.3.4, 4.3.5; table 4.7).

The cells that are found are looked up in the sample of NAS-Bench-101, which has a part of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nasrepro.benchmarks import available_tables, load_table
from nasrepro.claims import Quantity, Smallest
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.nb101 import count_parameters
from nasrepro.runs.config import changed
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.search import SearchConfig
from nasrepro.spaces.nb1shot1 import Cell, Subspace, architectures, depth
from nasrepro.spaces.nb101 import LABELS
from nasrepro.stats import level
from nasrepro.studies import darts
from nasrepro.studies.darts import EXACT, FIRST, SHORT, SOTL, risen
from nasrepro.studies.design import Design, Factor, Times, in_order, settings_of
from nasrepro.studies.measure import contrasts, levels

TABLE, COLUMN = "nb101-sample", "cifar10-test-108"
ACCURACY = "cifar10"
SPACES = {number: str(Subspace(number)) for number in (3, 1, 2)}  # most claims are on the third
THIRD = SPACES[3]
OTHER = "SoTL-DARTS, shorter sums"  # and half the batch: the thesis' other hyper-parameters
PREFIX = "oneshot_"  # of the names of frames
TABLES = tuple(PREFIX + name for name in ("searches", "epochs", "spectra"))
TEXTS = ("setting", "space", "status", "cell")
PRINTED = {  # rows of the thesis' table 4.7, by the setting
    FIRST: "DARTS",
    SOTL: "SoTL-DARTS",
    OTHER: "SoTL-DARTS (diff. hparams)",
}


@dataclass(frozen=True)
class Profile:
    """How large this part runs: numbers only."""

    base: SearchConfig  # first-order DARTS, of any of the spaces
    period: int  # steps that SoTL-DARTS sums over
    shorter_period: int  # with the thesis' other hyper-parameters
    seeds: int
    exact: tuple[int, ...] = ()  # spaces with exact gradients over 7 steps, too


# Table B.1 of the thesis; networks are those of NAS-Bench-1Shot1's authors, who let normalisations
# learn scale and shift.
PAPER = replace(
    changed(darts.PAPER, {"train.weight_decay": 3e-4}),
    subspace=Subspace(3),
    net=CellNetConfig(channels=16, cells_per_stage=3, tracked_statistics=False),
    spectrum_largest=1,
)
PROFILES = {
    "smoke": Profile(
        base=changed(
            PAPER,
            {
                "data": DataConfig("digits", train_images=120, validation_images=100, size=8),
                "net.channels": 3,
                "net.cells_per_stage": 1,
                "train.epochs": 2,
                "train.batch_size": 30,
                "train.crop_padding": 1,
                "evaluated": 50,
                "evaluate.batch_size": 50,
                "spectrum_every": 0,
            },
        ),
        period=3,
        shorter_period=2,
        seeds=1,
    ),
    # Half of the images of NAS-Bench-201's searches, for time, and so twice the rate of the alphas:
    # first-order DARTS can move them as far. SoTL-DARTS updates its alphas four times an epoch.
    "cpu": Profile(
        base=changed(
            PAPER,
            {
                "data": DataConfig("cifar10", 3_200, 3_200, size=16),
                "net.channels": 8,
                "net.cells_per_stage": 1,
                "train.crop_padding": 2,
                "algorithm.learning_rate": 6e-4,
                "spectrum_every": 25,
            },
        ),
        period=13,
        shorter_period=2,  # a tenth, but still a sum
        seeds=2,
    ),
    "paper": Profile(base=PAPER, period=100, shorter_period=10, seeds=3, exact=(3,)),
}


# ---- design


def factors(profile: Profile, space: int) -> tuple[Factor, ...]:
    """The settings of study 5 that are searched in a space, each after the one that it changes."""
    known = {factor.name: factor for factor in darts.factors(darts.PROFILES["cpu"])}
    other = {"algorithm.steps": profile.shorter_period, "train.batch_size": Times(1 / 2)}
    exact = (known[SHORT], known[EXACT]) if space in profile.exact else ()
    return (
        *darts.controls(profile.period).values(),
        Factor(OTHER, SOTL, "SoTL 4.3.1", other),
        *exact,
    )


def design(profile: str, seeds: int | None = None) -> Design:
    """The searches of a profile: one seed of every setting before two of any."""
    chosen = PROFILES[profile]
    settings = {
        name: settings_of(
            FIRST,
            replace(chosen.base, subspace=Subspace(number)),
            factors(chosen, number),
        )
        for number, name in SPACES.items()
    }
    return darts.in_spaces(settings, min(chosen.seeds, seeds or chosen.seeds))


# ---- statistics


def describe(cell: Cell) -> dict[str, float]:
    """What a cell is made of.

    Returns:
        convolutions3, convolutions1, pools: of all choice blocks, loose ends too; loose_ends;
        depth: edges of the longest path from input to output; parameters: of the benchmark's
        network.
    """
    kinds = {"convolutions3": "conv3x3-bn-relu", "convolutions1": "conv1x1-bn-relu"}
    counts = {name: cell.operations.count(operation) for name, operation in kinds.items()}
    architecture = architectures(np.array([cell.code]))
    return {
        **counts,
        "pools": cell.operations.count("maxpool3x3"),
        "loose_ends": cell.path.count(()),
        "depth": depth(cell),
        "parameters": int(count_parameters(architecture)[0]),
    }


def statistics(records: Iterable[Record], wanted: Design) -> dict[str, pd.DataFrame]:
    """What the searches of a design found, where the sample of NAS-Bench-101 is there.

    Returns:
        oneshot_searches, oneshot_epochs, oneshot_spectra: as searches, epochs and spectra of
        `studies.darts`, with what `describe` says of cells; the accuracy is the benchmark's test
        accuracy, NaN of cells that the sample lacks.
    """
    mine = in_order(records, wanted)
    if not mine or TABLE not in available_tables():
        return {}
    accuracy = known_accuracies()
    frames = darts.of_searches(
        mine, wanted, lambda cell: describe(cell) | {ACCURACY: accuracy(cell)}
    )
    return {PREFIX + name: frame for name, frame in frames.items()}


def known_accuracies() -> Callable[[Cell], float]:
    """From an encoding to the test accuracy of its architecture, percent; NaN if it is unknown."""
    table = load_table(TABLE)
    known = dict(zip(table.codes.tolist(), table.accuracy(table.codes, COLUMN), strict=True))

    def accuracy(cell: Cell) -> float:
        return float(known.get(int(architectures(np.array([cell.code]))[0]), np.nan))

    return accuracy


def short(cell: str) -> str:
    """A cell for tables: each vertex's operation and inputs."""
    for operation, label in LABELS.items():
        cell = cell.replace(operation, label)
    return cell


# ---- claims

# Claim: column, setting, and the setting that is subtracted, in the third space.
DIFFERENCES = {
    "oneshot1-below-darts": (ACCURACY, SOTL, FIRST),
    "oneshot1-deeper": ("depth", SOTL, FIRST),
    "oneshot1-shorter-sums": (ACCURACY, OTHER, SOTL),
    "oneshot1-exact": (ACCURACY, EXACT, FIRST),
}


def quantities(statistics: Mapping[str, pd.DataFrame]) -> dict[str, Quantity]:
    """The quantity of each claim on these spaces that there are searches for.

    A search whose cell the sample lacks says nothing of accuracies.
    """
    if PREFIX + "searches" not in statistics:
        return {}
    searches = statistics[PREFIX + "searches"]
    whole = searches[searches["status"] == "ok"]

    def of(column: str, setting: str, space: str = THIRD) -> pd.Series:
        rows = whole[(whole["setting"] == setting) & (whole["space"] == space)]
        return rows.set_index("seed")[column]

    compared = {
        claim: (of(column, a), of(column, b)) for claim, (column, a, b) in DIFFERENCES.items()
    }
    for n in (1, 2):
        sotl = of(ACCURACY, SOTL, SPACES[n])
        compared[f"oneshot1-below-darts-{n}"] = sotl, of(ACCURACY, FIRST, SPACES[n])
        compared[f"oneshot1-shorter-sums-{n}"] = of(ACCURACY, OTHER, SPACES[n]), sotl
    spectra = statistics[PREFIX + "spectra"]
    spectra = spectra[spectra["space"] == THIRD]
    rises = {
        "oneshot1-eigenvalue": risen(spectra, SOTL, "training"),
        "oneshot1-eigenvalue-darts": risen(spectra, FIRST, "validation"),
    }
    found: dict[str, Quantity] = {**levels(rises), **contrasts(compared)}
    counts = [of("convolutions3", setting) for setting in (SOTL, FIRST)]
    if all(map(len, counts)):
        found["oneshot1-operations"] = Smallest(tuple(map(level, counts)))
    return found
