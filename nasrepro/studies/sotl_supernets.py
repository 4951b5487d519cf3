"""What study 4's claims on supernets compute, from the frames of `estimates` alone.

Two settings of one trainer are compared supernet by supernet, two trainers as independent groups.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import starmap
from typing import NamedTuple

import pandas as pd

from nasrepro.claims import Largest, Quantity, Smallest, count_positive, exact
from nasrepro.stats import (
    PairedDeviationRatio,
    Student,
    level,
    paired_ratio_of_deviations,
    stratified_difference,
    stratified_mean,
)
from nasrepro.studies.finetuning import THESIS
from nasrepro.studies.measure import contrast, contrasts, level_of, levels
from nasrepro.studies.oneshot import COMBINED

CIFAR10, CIFAR100, IMAGENET = TRUTHS = "cifar10", "cifar100", "imagenet16"
PARAMETERS = "parameters"  # as a truth: suffix -P in table 4.5
HIGH, LOW, FROZEN = "0.01", "0.001", "0"
SPOS = "SPOS"
META = ("Reptile", "Metaprox")
VARIANTS = ("FairNAS", "MultiPath", *META)
VALIDATION_IMAGES = 25_000  # of the thesis


class At(NamedTuple):
    """What ranks the cells, and when."""

    estimator: str = "SoTL"
    step: int = 100
    rate: str = HIGH
    trainer: str = SPOS
    truth: str = CIFAR10
    batch: str | None = None  # that of most runs


SOTL, SLOW = At(), At(rate=LOW)
# With the supernet's weights: a path that does not learn, or the first minibatch.
VALACC, TLMINI = At("ValAcc", 0, FROZEN), At("TLMini", 1)
VALMINI = At("ValAccMini", 0)
TUNED, LARGE = At("ValAcc"), At(batch="256")
# Claim: column, and two settings, of which the second is subtracted.
DIFFERENCES: dict[str, tuple[str, At, At]] = {
    "sotl-spos-valacc": ("spearman", SOTL, VALACC),
    "sotl-spos-valaccmini": ("spearman", SOTL, VALMINI),
    "sotl-spos-tlmini": ("spearman", SOTL, TLMINI),
    "sotl-spos-valacc-cifar100": (
        "spearman",
        SOTL._replace(truth=CIFAR100),
        VALACC._replace(truth=CIFAR100),
    ),
    "sotl-spos-valacc-imagenet": (
        "spearman",
        SOTL._replace(truth=IMAGENET),
        VALACC._replace(truth=IMAGENET),
    ),
    "sotl-spos-top10": ("top10", SOTL, VALACC),
    "sotl-tlmini-above-valaccmini": ("spearman", TLMINI, VALMINI),
    "sotl-finetuning-harms-valacc": ("spearman", TUNED._replace(step=300), VALACC),
    "sotl-finetuning-helps-sotl": ("spearman", At(step=300), At(step=10)),
    "sotl-enough-100": ("spearman", At(step=300), SOTL),
    "sotl-enough-50": ("spearman", SOTL, At(step=50)),
    **{
        f"sotl-{name.lower()}-above-spos": ("spearman", SLOW._replace(trainer=name), SOTL)
        for name in VARIANTS
    },
    "sotl-multipath-fairnas": (
        "spearman",
        SLOW._replace(trainer="MultiPath"),
        SLOW._replace(trainer="FairNAS"),
    ),
    "sotl-rate-correlation": ("spearman", SOTL, SLOW),
    "sotl-rate-top10": ("top10", SOTL, SLOW),
    "sotl-rate-top10-imagenet": (
        "top10",
        SOTL._replace(truth=IMAGENET),
        SLOW._replace(truth=IMAGENET),
    ),
    "sotl-batch-correlation": ("spearman", LARGE, SOTL),
    "sotl-batch-top10": ("top10", LARGE, SOTL),
    "sotl-valacc-tuned-201": ("spearman", TUNED, VALACC),
    "sotl-valacc-low-rate": ("spearman", TUNED._replace(rate=LOW), TUNED),
    "sotl-sog-sogn-low": ("spearman", At("SoG", rate=LOW), At("SoGN", rate=LOW)),
    "sotl-sog-sogn-high": ("spearman", At("SoG"), At("SoGN")),
    "sotl-sog-sogn-code": (
        "spearman",
        At("SoG (code)", rate=LOW),
        At("SoGN (code)", rate=LOW),
    ),
    "sotl-sog-sotl": ("spearman", At("SoG"), SOTL),
    "sotl-sog-rate": ("spearman", At("SoG", rate=LOW), At("SoG")),
    "sotl-sog-parameters": ("spearman", At("SoG", truth=PARAMETERS), At("SoG")),
}
# Claims of NAS-Bench-1Shot1 likewise, each with the space.
ONE_SHOT: dict[str, tuple[str, int, At, At]] = {
    **{f"sotl-1shot1-{n}": ("spearman", n, SOTL, VALACC) for n in (1, 2, 3)},
    **{f"sotl-1shot1-top10-{n}": ("top10", n, SOTL, VALACC) for n in (1, 2, 3)},
    **{f"sotl-valacc-tuned-1shot1-{n}": ("spearman", n, TUNED, VALACC) for n in (1, 2, 3)},
    **{f"sotl-rate-1shot1-{n}": ("spearman", n, SOTL, SLOW) for n in (1, 2)},
    "sotl-rate-top10-1shot1-3": ("top10", 3, SOTL, SLOW),
    **{f"sotl-sog-sotl-1shot1-{n}": ("spearman", n, At("SoG"), SOTL) for n in (1, 2, 3)},
}
SPOS_AND_VARIANTS = (SOTL, *(SLOW._replace(trainer=name) for name in ("MultiPath", *META)))
ONE_SHOT_TRAINERS = {  # claim: settings of all three spaces, of which the second is subtracted
    "sotl-1shot1-variants": [(at, SOTL) for at in SPOS_AND_VARIANTS[1:]],
    "sotl-1shot1-combined": [(SLOW._replace(trainer=COMBINED), at) for at in SPOS_AND_VARIANTS],
}
LEVELS = {  # claim: space, and the setting whose Spearman it is about
    "sotl-1shot1-low-3": (3, VALACC),
    "sotl-1shot1-level-1": (1, SOTL),
    "sotl-1shot1-level-2": (2, SOTL),
}
BEST_TOP10 = {"cifar10": CIFAR10, "cifar100": CIFAR100, "imagenet": IMAGENET}


def quantities(frames: Mapping[str, pd.DataFrame]) -> dict[str, Quantity]:
    """The quantity of each claim on supernets that there are runs for."""
    found: dict[str, Quantity] = {}
    parts: dict[str, Callable[[pd.DataFrame], Mapping[str, Quantity]]] = {
        "runs": ranked,
        "windows": windows,
        "losses": losses,
        "usage": usage,
    }
    for name, quantities_of in parts.items():
        if name in frames and len(frames[name]):
            found |= quantities_of(frames[name])
    if "oneshot_runs" in frames and len(frames["oneshot_runs"]):
        found |= one_shot(frames["oneshot_runs"], frames.get("runs"))
    if "oneshot_losses" in frames:
        rows = frames["oneshot_losses"]
        spaces = [part for _, part in rows[rows["sample"] == THESIS].groupby("space")]
        each = [losses(part) for part in (*spaces, frames.get("losses", rows[:0])) if len(part)]
        rates = [of["sotl-loss-rates"] for of in each if "sotl-loss-rates" in of]
        if rates:
            found["sotl-loss-rates"] = Smallest(tuple(rates))
    return found


def reader(runs: pd.DataFrame) -> Callable[[str, At], pd.Series]:
    """From a column and a setting to the numbers of a space's trained supernets, by seed."""
    usual = runs["batch"].mode()[0]
    mine = runs[(runs["order"] == "0") & (runs["start"] == "trained")]
    rows = mine.groupby(["estimator", "step", "rate", "trainer", "truth", "batch"]).indices
    by_seed = mine.set_index("seed")

    def of(column: str, at: At) -> pd.Series:
        return by_seed[column].iloc[rows.get(at._replace(batch=at.batch or usual), [])].dropna()

    return of


def gained(of: Callable[[str, At], pd.Series], column: str, a: At, b: At) -> Student | None:
    """One setting less another: of each supernet, or of independent ones where trainers differ.

    Returns:
        None without a supernet of both, or without one of each trainer.
    """
    ours, theirs = of(column, a), of(column, b)
    if a.trainer != b.trainer:
        return contrast(ours, theirs)
    return level_of(ours - theirs)


def all_of(gains: Iterable[Student | None]) -> tuple[Student, ...]:
    """The gains, or none of them where one is missing."""
    each = tuple(gains)
    known = tuple(gain for gain in each if gain)
    return known if len(known) == len(each) else ()


def one_shot(runs: pd.DataFrame, of_201: pd.DataFrame | None = None) -> dict[str, Quantity]:
    """Claims on NAS-Bench-1Shot1, of the thesis' own cells.

    Args:
        runs: of `studies.oneshot`, at least one.
        of_201: of NAS-Bench-201, if there are any.
    """
    mine = runs[runs["sample"] == THESIS]
    spaces = {int(str(name)[-1]): reader(rows) for name, rows in mine.groupby("space")}

    def of(space: int, column: str, at: At) -> pd.Series:
        return spaces[space](column, at) if space in spaces else pd.Series(dtype=float)

    gains = {
        claim: of(space, column, a) - of(space, column, b)
        for claim, (column, space, a, b) in ONE_SHOT.items()
    }
    gains |= {claim: of(space, "spearman", at) for claim, (space, at) in LEVELS.items()}
    found: dict[str, Quantity] = {**levels(gains)}
    if of_201 is not None and len(of_201):
        both = reader(of_201)("spearman", SOTL), of(3, "spearman", SOTL)
        found |= contrasts({"sotl-1shot1-below-201": both})
    size = SOTL._replace(truth=PARAMETERS)
    by_size = [of(n, "spearman", size) - of(n, "spearman", SOTL) for n in (1, 2, 3)]
    if all(map(len, by_size)):
        found["sotl-sotl-parameters-1"] = stratified_mean(by_size)
    tops = [of(n, "top10", SOTL) for n in (1, 2, 3)]
    if all(map(len, tops)):
        found["sotl-1shot1-93"] = Smallest(tuple(map(level, tops)))
    pairs = [(tops[n - 1], of(n, "top10", VALACC)) for n in (1, 2, 3)]
    if min(len(side) for pair in pairs for side in pair) > 1:
        found["sotl-1shot1-steady"] = Largest(tuple(starmap(scatter, pairs)))
    for claim, compared in ONE_SHOT_TRAINERS.items():
        if known := all_of(
            gained(partial(of, n), "spearman", *at) for at in compared for n in (1, 2, 3)
        ):
            found[claim] = Smallest(known)
    return found


def ranked(runs: pd.DataFrame) -> dict[str, Quantity]:
    """Claims on rank correlations and on the ten cells on top."""
    of = reader(runs)

    def gain(column: str, a: At, b: At) -> Student | None:
        return gained(of, column, a, b)

    gains: dict[str, Student | None] = {c: gain(*wanted) for c, wanted in DIFFERENCES.items()}
    sog, sogn = (
        of("spearman", At(name, rate=LOW)) - of("spearman", At(name)) for name in ("SoG", "SoGN")
    )
    gains |= levels({"sotl-sogn-rate": sogn - sog, "sotl-spos-level": of("spearman", SOTL)})
    of_variant = {name: of("spearman", SLOW._replace(trainer=name)) for name in VARIANTS}
    if all(map(len, of_variant.values())):
        sides = [[of_variant[n] for n in META], [of_variant[n] for n in VARIANTS if n not in META]]
        gains["sotl-meta-matches"] = stratified_difference(*sides)
    found: dict[str, Quantity] = {claim: each for claim, each in gains.items() if each}

    best = SLOW._replace(trainer="MultiPath")
    parts = {
        "sotl-multipath-best": [
            gain("spearman", best, SLOW._replace(trainer=n)) for n in VARIANTS if n != "MultiPath"
        ],
        **{
            f"sotl-spos-best-top10-{name}": [
                gain("top10", SOTL._replace(truth=truth), SLOW._replace(trainer=n, truth=truth))
                for n in VARIANTS
            ]
            for name, truth in BEST_TOP10.items()
        },
    }
    for claim, parts_of in parts.items():
        if known := all_of(parts_of):
            found[claim] = Smallest(known)
    ours, theirs = of("spearman", SOTL), of("spearman", VALACC)
    if min(len(ours), len(theirs)) > 1:
        found["sotl-spos-steady"] = scatter(ours, theirs)
    for claim, column in (("usually-best", "spearman"), ("often-best-top10", "top10")):
        better = all_of(
            gain(
                column,
                At(rate=HIGH if trainer == SPOS else LOW, trainer=trainer, truth=truth),
                VALACC._replace(trainer=trainer, truth=truth),
            )
            for trainer in (SPOS, *VARIANTS)
            for truth in TRUTHS
        )
        if better:
            found[f"sotl-{claim}"] = count_positive(better)
    return found


def windows(rows: pd.DataFrame) -> dict[str, Quantity]:
    """Whether the loss of single minibatches ranks better and better."""
    mine = usual_batch(rows[rows["rate"] == HIGH])
    wide = mine.pivot(index="seed", columns="first", values="spearman")
    if not {1, 201} <= set(wide):
        return {}
    return {"sotl-finetuning-helps-tlmini": level((wide[201] - wide[1]).dropna())}


def losses(rows: pd.DataFrame) -> dict[str, Student]:
    """Figure 4.8: mean losses at the beginning (20 steps) and late (steps 201 to 300)."""
    mine = usual_batch(rows[rows["truth"] == CIFAR10])
    keys = ["rate", "group", "seed"]
    first = mine[mine["step"] == 20].set_index(keys)["loss"]
    late = mine[mine["step"].between(220, 300)].groupby(keys)["loss"].mean()
    rise = late - first.reindex(late.index)

    def of(values: pd.Series, rate: str, group: str) -> pd.Series:
        there = (rate, group) in values.index.droplevel("seed")
        return values.loc[rate, group] if there else pd.Series(dtype=float)

    def apart(values: pd.Series, rate: str) -> pd.Series:
        return of(values, rate, "median tenth") - of(values, rate, "best tenth")

    gains = {
        "sotl-loss-rises": of(rise, HIGH, "all"),
        "sotl-loss-falls": of(rise, LOW, "all"),
        "sotl-loss-rates": of(late, HIGH, "all") - of(late, LOW, "all"),
        "sotl-groups-widen": apart(rise, HIGH),
        "sotl-groups-close": apart(late, LOW) / apart(late, HIGH),
        "sotl-best-rises-least": of(rise, HIGH, "best tenth") - of(rise, HIGH, "all"),
    }
    return levels(gains)


def usage(rows: pd.DataFrame) -> dict[str, Quantity]:
    """What trainers and estimators cost."""
    found: dict[str, Quantity] = {}
    images = rows[rows["start"] == "trained"].groupby("trainer")["supernet_images"].first()
    if {SPOS, *VARIANTS} <= set(images.index):
        ratio = images[list(VARIANTS)].max() / images[SPOS]
        found["sotl-cost-trainers"] = exact(float(ratio), len(VARIANTS))
    mine = usual_batch(rows[(rows["trainer"] == SPOS) & (rows["order"] == "0")])
    mine = mine[(mine["rate"] == HIGH) & (mine["start"] == "trained")].set_index("seed")
    ratio = (mine["seconds_100"] / (mine["seconds_1000"] * VALIDATION_IMAGES / 1_000)).dropna()
    if len(ratio):
        found["sotl-cost-finetuning"] = level(ratio)
    return found


def scatter(ours: pd.Series, theirs: pd.Series) -> PairedDeviationRatio:
    """How many times as much an estimator scatters over supernets as another one of the same."""
    both = pd.concat([ours, theirs], axis=1).dropna()
    return paired_ratio_of_deviations(both.iloc[:, 0], both.iloc[:, 1])


def usual_batch(rows: pd.DataFrame) -> pd.DataFrame:
    """Those with the batch size of most."""
    return rows[rows["batch"] == rows["batch"].mode()[0]] if len(rows) else rows
