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
VALIDATION_IMAGES = 25_000  # half of the training images, as in the thesis' code


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
    **{
        f"sotl-sog-sotl-{name}": ("spearman", At("SoG", truth=truth), At(truth=truth))
        for name, truth in {"cifar100": CIFAR100, "imagenet": IMAGENET}.items()
    },
    "sotl-sog-rate": ("spearman", At("SoG", rate=LOW), At("SoG")),
    "sotl-sog-parameters": ("spearman", At("SoG", truth=PARAMETERS), At("SoG")),
}
# Claims of NAS-Bench-1Shot1 likewise, each with the space.
ONE_SHOT: dict[str, tuple[str, int, At, At]] = {
    f"sotl-{claim}-{n}": (column, n, a, b)
    for claim, (column, a, b) in {
        "1shot1": ("spearman", SOTL, VALACC),
        "1shot1-valaccmini": ("spearman", SOTL, VALMINI),
        "1shot1-top10": ("top10", SOTL, VALACC),
        "valacc-tuned-1shot1": ("spearman", TUNED, VALACC),
        "valacc-tuned-top10-1shot1": ("top10", TUNED, VALACC),
        "rate-1shot1": ("spearman", SOTL, SLOW),
        "rate-top10-1shot1": ("top10", SOTL, SLOW),
        "sog-sotl-1shot1": ("spearman", At("SoG"), SOTL),
        "sog-sogn-1shot1": ("spearman", At("SoG"), At("SoGN")),
        "sog-parameters-1shot1": ("spearman", At("SoG", truth=PARAMETERS), At("SoG")),
    }.items()
    for n in (1, 2, 3)
    if (claim, n) != ("rate-1shot1", 3)  # of which the thesis says nothing
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
    "sotl-1shot1-level-3": (3, SOTL),
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
        spaces = by_space(frames["oneshot_losses"])
        each = {n: losses(part) for n, part in spaces.items() if len(part)}
        found |= {
            f"sotl-best-rises-least-1shot1-{n}": of["sotl-best-rises-least"]
            for n, of in each.items()
            if "sotl-best-rises-least" in of
        }
        of_201 = frames.get("losses", pd.DataFrame())
        everywhere = [*each.values(), losses(of_201)] if len(of_201) else [*each.values()]
        rates = [of["sotl-loss-rates"] for of in everywhere if "sotl-loss-rates" in of]
        if rates:
            found["sotl-loss-rates"] = Smallest(tuple(rates))
    if "oneshot_usage" in frames:
        costs = [finetuning_cost(part) for part in by_space(frames["oneshot_usage"]).values()]
        if known := all_of(costs):
            found["sotl-1shot1-cost"] = Largest(known)
    return found


def by_space(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The rows of each space of NAS-Bench-1Shot1, by its number: of the thesis' own cells."""
    mine = rows[rows["sample"] == THESIS]
    return {n: mine[mine["space"].str.endswith(str(n))] for n in (1, 2, 3)}


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
    spaces = {n: reader(rows) for n, rows in by_space(runs).items() if len(rows)}

    def of(space: int, column: str, at: At) -> pd.Series:
        return spaces[space](column, at) if space in spaces else pd.Series(dtype=float)

    gains = {
        claim: of(space, column, a) - of(space, column, b)
        for claim, (column, space, a, b) in ONE_SHOT.items()
    }
    gains |= {claim: of(space, "spearman", at) for claim, (space, at) in LEVELS.items()}
    found: dict[str, Quantity] = {**levels(gains)}
    if of_201 is not None and len(of_201):
        there = reader(of_201)("spearman", SOTL)
        below = {1: "below-201-1", 2: "below-201-2", 3: "below-201"}
        found |= contrasts(
            {f"sotl-1shot1-{c}": (there, of(n, "spearman", SOTL)) for n, c in below.items()}
        )
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

    if too_high := all_of(
        gain("spearman", SOTL._replace(trainer=n), SLOW._replace(trainer=n)) for n in VARIANTS
    ):
        found["sotl-rate-variants"] = Largest(too_high)
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
    mine = usual_batch(rows)
    keys = ["truth", "rate", "group", "seed"]
    first = mine[mine["step"] == 20].set_index(keys)["loss"]
    late = mine[mine["step"].between(220, 300)].groupby(keys)["loss"].mean()
    rise = late - first.reindex(late.index)

    def of(values: pd.Series, rate: str, group: str, truth: str = CIFAR10) -> pd.Series:
        there = (truth, rate, group) in values.index.droplevel("seed")
        return values.loc[truth, rate, group] if there else pd.Series(dtype=float)

    def apart(values: pd.Series, rate: str, truth: str = CIFAR10) -> pd.Series:
        return of(values, rate, "median tenth", truth) - of(values, rate, "best tenth", truth)

    gains = {
        "sotl-loss-rises": of(rise, HIGH, "all"),
        "sotl-loss-falls": of(rise, LOW, "all"),
        "sotl-loss-rates": of(late, HIGH, "all") - of(late, LOW, "all"),
        "sotl-groups-widen": apart(rise, HIGH),
        "sotl-groups-widen-cifar100": apart(rise, HIGH, CIFAR100),
        "sotl-groups-widen-imagenet": apart(rise, HIGH, IMAGENET),
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
    if cost := finetuning_cost(rows):
        found["sotl-cost-finetuning"] = cost
    return found


def finetuning_cost(rows: pd.DataFrame) -> Student | None:
    """Seconds of 100 minibatches by those of all validation images; None without a run."""
    mine = usual_batch(rows[(rows["trainer"] == SPOS) & (rows["order"] == "0")])
    mine = mine[(mine["rate"] == HIGH) & (mine["start"] == "trained")].set_index("seed")
    return level_of(mine["seconds_100"] / (mine["seconds_1000"] * VALIDATION_IMAGES / 1_000))


def scatter(ours: pd.Series, theirs: pd.Series) -> PairedDeviationRatio:
    """How many times as much an estimator scatters over supernets as another one of the same."""
    both = pd.concat([ours, theirs], axis=1).dropna()
    return paired_ratio_of_deviations(both.iloc[:, 0], both.iloc[:, 1])


def usual_batch(rows: pd.DataFrame) -> pd.DataFrame:
    """Those with the batch size of most."""
    return rows[rows["batch"] == rows["batch"].mode()[0]] if len(rows) else rows
