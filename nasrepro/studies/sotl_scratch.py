"""Study 4, from scratch: what gradients tell of networks trained on their own (SoTL thesis 4.2.4).

Figure 4.9b: the thesis' own 200 cells, each trained alone over 20 epochs with the benchmark's own
settings, and ranked after each epoch. A cell begins as its path of a supernet that was never
trained: what cells have in common begins alike, and all take the same batches in the same order.
Another seed gives other weights and other batches.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nasrepro import sotl
from nasrepro.benchmarks import Table
from nasrepro.column_correlations import correlations, partial
from nasrepro.runs import finetune
from nasrepro.runs.config import changed
from nasrepro.runs.finetune import FinetuneConfig
from nasrepro.runs.record import Record
from nasrepro.studies import finetuning
from nasrepro.studies.design import Design, Labels, in_order, labelled
from nasrepro.studies.sotl_curves import LAST_EPOCH
from nasrepro.studies.trajectories import CIFAR10, Observed, observe

EPOCHS = 20
ALONE = "none: trained alone"  # the label of what is a trainer elsewhere
PARAMETERS = sotl.PARAMETERS  # as an estimator
ESTIMATORS = ("SoTL", "ValAcc", "ValLoss", "SoG", "SoG (code)", "SoGN", "SoGN (code)")
COLUMNS = {
    "gradients": ["seed", "estimator", "epoch", "spearman", "partial", "size", "n"],
    "gradients_usage": ["seed", "accuracy", "lowest", "highest", "cpu_seconds"],
}
TABLES = tuple(COLUMNS)


@dataclass(frozen=True)
class Profile:
    """How large the trainings are; what is not here is as in `finetuning.PROFILES`."""

    train_images: int
    batch_size: int
    seeds: int
    validated: tuple[int, ...]  # epochs after which all validation images are looked at

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of an epoch."""
        return self.train_images // self.batch_size


PROFILES = {
    "smoke": Profile(train_images=60, batch_size=30, seeds=2, validated=(1, EPOCHS)),
    # A quarter of the images that supernets have: forty steps an epoch, so that a curve has a point
    # after each; as many cells as the thesis has rather than longer trainings of fewer.
    "cpu": Profile(
        train_images=5_120, batch_size=128, seeds=3, validated=(1, 2, 5, 10, 15, EPOCHS)
    ),
    # The benchmark's own batches, on half of the images, as the supernets of this profile; all of
    # them together take 6 GB.
    "paper": Profile(train_images=25_000, batch_size=256, seeds=3, validated=tuple(range(1, 21))),
}


def design(profile: str, seeds: int | None = None) -> Design:
    """All trainings of a profile, one run a seed.

    Args:
        profile: a name in `PROFILES`.
        seeds: at most so many runs; None for the profile's own.
    """
    chosen = PROFILES[profile]
    return labelled(_run(profile, seed) for seed in range(min(seeds or chosen.seeds, chosen.seeds)))


def _run(profile: str, seed: int) -> tuple[FinetuneConfig, Labels]:
    """The trainings of one seed, with NAS-Bench-201's own optimiser: its rate falls to 0."""
    chosen, base = PROFILES[profile], finetuning.PROFILES[profile].base
    change = {"data.train_images": chosen.train_images, "net.affine": True, "seed": seed}
    config = FinetuneConfig(
        changed(base, change),
        steps=EPOCHS * chosen.steps_per_epoch,
        batch_size=chosen.batch_size,
        learning_rate=0.1,
        final_learning_rate=0.0,
        nesterov=True,
        order=seed,
        epochs=0,
        validated=tuple(epoch * chosen.steps_per_epoch for epoch in chosen.validated),
    )
    labels = finetuning.labels_of(config, ALONE)
    return config, {name: labels[name] for name in ("trainer", "start", "rate", "batch")}


def statistics(records: Iterable[Record], wanted: Design, table: Table) -> dict[str, pd.DataFrame]:
    """What the trainings of a design tell of the official accuracy after 200 epochs on CIFAR-10.

    Returns:
        gradients: seed, estimator, epoch, spearman, partial (given the parameter count), size
            (Spearman with the parameter count: SoTL-P and SoG-P), n (cells);
        gradients_usage: seed, accuracy (of the validation images in the end, percent, mean over
            cells), lowest, highest (the cells' tenth and ninetieth percentile), cpu_seconds.
    """
    mine = [record for record in in_order(records, wanted) if record.status == "ok"]
    if not mine:
        return {}
    observed = [observe(record, table) for record in mine]
    return {
        "gradients": pd.DataFrame(
            [row for run in observed for row in _ranked(run)], columns=COLUMNS["gradients"]
        ),
        "gradients_usage": pd.DataFrame(
            [_usage(run) for run in observed], columns=COLUMNS["gradients_usage"]
        ),
    }


def _ranked(run: Observed) -> Iterator[tuple]:
    """The rows of `gradients` of one run."""
    truth, parameters = run.truths[CIFAR10], run.parameters
    an_epoch, seed, n = run.config.steps // EPOCHS, run.config.seed, len(truth)
    alone = correlations(parameters[:, None], truth)
    yield from (
        (seed, PARAMETERS, epoch, float(alone[0]), np.nan, 1.0, n) for epoch in range(1, EPOCHS + 1)
    )
    last_epoch = replace(sotl.windowed(an_epoch), name=LAST_EPOCH)
    for estimator in (*map(sotl.estimator, ESTIMATORS), last_epoch):
        if (found := run.scores(estimator)) is None:
            continue
        epochs, scores = _after_epochs(*found, an_epoch)
        with_truth, with_size = (correlations(scores, target) for target in (truth, parameters))
        given = partial(with_truth, with_size, alone)
        for row in zip(epochs.tolist(), with_truth, given, with_size, strict=True):
            yield seed, estimator.name, *row, n


def _after_epochs(
    steps: np.ndarray, scores: np.ndarray, an_epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """The epochs, from 1, in which a curve has a point, and its last one of each.

    >>> _after_epochs(np.array([0, 1, 2, 3, 8]), np.array([[10, 11, 12, 13, 18]]), an_epoch=4)
    (array([1, 2]), array([[13, 18]]))
    """
    epochs = np.arange(1, EPOCHS + 1)
    place = np.searchsorted(steps, epochs * an_epoch, side="right") - 1
    within = (place >= 0) & (steps[place] > (epochs - 1) * an_epoch)
    return epochs[within], scores[:, place[within]]


def _usage(run: Observed) -> tuple:
    """The row of `gradients_usage` of one run."""
    images = run.config.data.validation_images
    accuracy = 100 * run.arrays[finetune.WHOLE_CORRECT][:, -1] / images
    return (
        run.config.seed,
        float(accuracy.mean()),
        *np.percentile(accuracy, [10, 90]).tolist(),
        run.record.measurement.cpu_seconds,
    )


def at_end(gradients: pd.DataFrame, column: str) -> Mapping[str, pd.Series]:
    """A column of the frame `gradients` after the last epoch, by estimator, then by seed."""
    last = gradients[gradients["epoch"] == EPOCHS].set_index("seed")
    return {str(name): rows[column] for name, rows in last.groupby("estimator")}
