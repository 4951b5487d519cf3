"""A supernet: trained once, then asked for the accuracy of many cells."""

from dataclasses import dataclass, field

import numpy as np
import torch

from nasrepro.canonical import later
from nasrepro.errors import ConfigError, at_least
from nasrepro.evaluate import (
    EvaluateConfig,
    Evaluations,
    ManyPaths,
    check_batches,
    check_fits,
    evaluate_paths,
)
from nasrepro.nets.config import NetConfig
from nasrepro.nets.paths import PathNetwork
from nasrepro.runs.config import RunConfig
from nasrepro.runs.families import check_parts, check_sampler, family_of, make_sampler
from nasrepro.runs.machine import check_device
from nasrepro.runs.parts import AnyCells, AnyNet, CellsConfig, DataConfig
from nasrepro.runs.record import Record
from nasrepro.runs.setup import (
    Stopwatch,
    deterministic_convolutions,
    generators,
    images_of,
    initialise_on,
    load_split,
    watch_finite,
)
from nasrepro.samplers import Among, Sampler
from nasrepro.spaces import SPACES, AnySubspace, name_of
from nasrepro.spaces.nb201 import Subspace
from nasrepro.train import TrainConfig, train

# Of the evaluated cells: their codes, ascending; correctly classified validation images, int64;
# mean cross-entropy over these images, float32, which older records do not have.
CODES, CORRECT, LOSS = ARRAYS = ("codes", "correct", "loss")


TOPOLOGIES = SHARED, PER_POSITION = "shared", "per position"


@dataclass(frozen=True, slots=True)
class SupernetConfig(RunConfig):
    """One supernet, trained and evaluated: all that decides the record."""

    data: DataConfig = field(default_factory=DataConfig)
    subspace: AnySubspace = field(default_factory=Subspace)
    net: AnyNet = field(default_factory=NetConfig)
    sampler: str = "strictly-fair"
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    cells: AnyCells = field(default_factory=CellsConfig)
    seed: int = 0
    topology: str = later(SHARED)  # or "per position" of the network: training draws one for each
    trained_cells: int | None = later(None)  # so many, see `part_of`; None: all of the subspace

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        check_parts(self.subspace, self.net, self.cells)
        check_sampler(self.sampler, self.subspace)
        _check_sampling(self)
        check_fits(self.evaluate, self.net.tracked_statistics, self.data.train_images)
        check_batches(self.evaluate, self.data.validation_images)

    @property
    def needed_table(self) -> str | None:
        """The table without which the evaluated cells are not known."""
        return self.cells.needed_table

    @property
    def needed_list(self) -> str | None:
        """The list without which the evaluated cells are not known."""
        return self.cells.needed_list

    @property
    def paths_per_batch(self) -> int:
        """How often a path takes each batch of images in training."""
        steps = self.train.adaptation.inner_steps if self.train.adaptation else 1
        if self.train.batches == "separate":
            return steps
        return steps * make_sampler(self.sampler, self.subspace).group_size

    @property
    def trained_images(self) -> int:
        """Images in the training, times the paths that take them."""
        return self.train.epochs * self.data.train_images * self.paths_per_batch

    @property
    def evaluated_images(self) -> int:
        """Images in the evaluation, times cells, at most."""
        return self.cells.at_most(self.subspace) * self.data.validation_images


def _check_sampling(config: SupernetConfig) -> None:
    """Raise a ConfigError if what is drawn in training does not fit the rest."""
    if config.topology not in TOPOLOGIES:
        raise ConfigError(
            f"unknown topology {config.topology!r}; choose from {', '.join(TOPOLOGIES)}"
        )
    if config.topology == PER_POSITION and family_of(config.subspace).per_position is None:
        raise ConfigError("only networks of NAS-Bench-201 can have another cell at each position")
    if config.trained_cells is not None:
        if config.sampler != "uniform":
            raise ConfigError(
                "from some cells alone training draws with sampler='uniform', "
                f"found {config.sampler!r}"
            )
        if config.trained_cells < 1:
            raise ConfigError(
                f"training draws from one cell or more, found trained_cells={config.trained_cells}"
            )
    on_nodes = getattr(config.net, "operations_on", "edges") == "nodes"
    if on_nodes and config.sampler == "strictly-fair":
        raise ConfigError(
            "strictly fair sampling takes each operation once on every edge; with operations on "
            "nodes take sampler='uniform'"
        )


def part_of(config: SupernetConfig) -> np.ndarray:
    """The cells that training draws from: a random part of `Family.trainable`.

    Those of the evaluated sample come first, so that as many as possible are evaluated; they are a
    random part themselves. Another seed draws another part.

    Args:
        config: with `trained_cells`.

    Returns:
        Their codes, int64 [trained_cells].

    Raises:
        ConfigError: if there are not so many.
        DataError: if the table of the cells is not available.
    """
    family, rng = family_of(config.subspace), generators(config.seed).part
    evaluated = [cell.code for cell in family.draw(config.subspace, config.cells)]
    known = family.trainable(config.subspace, config.cells)
    others = known[~np.isin(known, evaluated)]
    part = np.concatenate([rng.permutation(evaluated), rng.permutation(others)])
    if len(part) < (config.trained_cells or 0):
        raise ConfigError(
            f"training is to draw from {config.trained_cells:,} cells, but there are only "
            f"{len(part):,}"
        )
    return part[: config.trained_cells].astype(np.int64)


def sampler_of(config: SupernetConfig, net: PathNetwork) -> Sampler:
    """The sampler that trains a supernet of a config."""
    family = family_of(config.subspace)
    if config.trained_cells is not None:
        sampler: Sampler = Among(part_of(config), SPACES[name_of(config.subspace)].Cell.from_code)
    else:
        sampler = make_sampler(config.sampler, config.subspace)
    if config.topology == PER_POSITION and family.per_position:
        return family.per_position(sampler, net.positions)
    return sampler


def stacked_on(device: str | torch.device, config: SupernetConfig) -> ManyPaths | None:
    """How a device takes many paths in one batch; None: it takes one after the other.

    A GPU wants few large kernels; paths with statistics of their own cannot be stacked.
    """
    alone = torch.device(device).type == "cpu" or config.evaluate.batch_norm == "calibrated"
    return None if alone else family_of(config.subspace).stacked


def run(config: SupernetConfig, device: str = "cpu") -> Record:
    """Train one supernet and evaluate its cells.

    Args:
        config: all that decides the result.
        device: where to compute, e.g. "cpu", "cuda", "cuda:1", "mps".

    Returns:
        The record with the arrays `ARRAYS`, one entry per cell; a diverged run's are empty. A run
        diverged if a loss of its training was not finite, or most outputs of its evaluation are
        not.

    Raises:
        ConfigError: if the config or the device does not fit.
        DataError: if the images or the table of its cells are not available.
    """
    check_device(device)
    family, rng = family_of(config.subspace), generators(config.seed)
    cells = family.select(config.subspace, config.cells)
    net = family.supernet(config.net, config.subspace, rng.network)
    sampler = sampler_of(config, net)
    part = load_split(images_of(config.data.name), config.data, config.net, device)
    initialise_on(net, rng.weights, device)
    evaluated = Evaluations(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
    watch = Stopwatch(device)
    with deterministic_convolutions():
        history = tuple(train(net, part, sampler, config.train, rng.sampler, rng.images))
        watch.lap("train")
        diverged = not np.isfinite(history[-1].loss)
        if not diverged:
            with watch_finite(net.classifier) as finite:
                stacked = stacked_on(device, config)
                results = evaluate_paths(net, cells, part, config.evaluate, stacked=stacked)
            # Most and not all: what no convolution leads to stays finite.
            diverged = bool(torch.cat(finite).float().mean() < 0.5)
            evaluated = evaluated if diverged else results
        watch.lap("evaluate")
    codes = np.array([] if diverged else [cell.code for cell in cells], dtype=np.int64)
    batches = len(part.train_labels) // config.train.batch_size
    per_epoch = batches * config.train.batch_size * config.paths_per_batch
    return Record(
        config=config,
        status="diverged" if diverged else "ok",
        history=history,
        arrays={CODES: codes, CORRECT: evaluated.correct, LOSS: evaluated.loss},
        measurement=watch.measurement(
            trained=len(history) * per_epoch,
            evaluated=len(codes) * len(part.validation_labels),
        ),
    )
