"""What a run needs of NAS-Bench-101: the cells it evaluates, its supernet, its sampler."""

import itertools

import numpy as np
import torch

from nasrepro.benchmarks import load_table
from nasrepro.errors import ConfigError
from nasrepro.nets.nb101 import Network, supernet
from nasrepro.runs.config import DrawnCells, RunConfig
from nasrepro.samplers import Sampler
from nasrepro.samplers.nb101 import make_sampler
from nasrepro.spaces.nb101 import MAX_VERTICES, Cell, Subspace


def parts(config: RunConfig, shuffles: torch.Generator) -> tuple[list[Cell], Network, Sampler]:
    """The cells that a run evaluates, its supernet before initialisation, and its sampler.

    Args:
        config: of a NAS-Bench-101 run.
        shuffles: draws channels where the config wants them shuffled.

    Raises:
        ConfigError: if the subspace has too few cells, or there is no such sampler or table.
        DataError: if the table cannot be had.
    """
    cells = select_cells(config.subspace, config.cells)
    net = supernet(config.net, config.subspace, shuffles)
    return cells, net, make_sampler(config.sampler, config.subspace)


def select_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """The cells of `drawn_cells` in ascending order of their code."""
    return sorted(drawn_cells(subspace, config), key=lambda cell: cell.code)


def drawn_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """Distinct cells of a subspace in canonical form, in the order in which they were drawn.

    Each cell of the subspace is about equally likely, though a table may have more of some kinds
    than of others: cells are weighted so that each number of outputs, with and without the input
    joined to the output, comes as often as in the subspace.

    Raises:
        ConfigError: if there are not enough.
        DataError: if the table cannot be had.
    """
    codes = subspace.codes()
    if config.table is not None:
        known = load_table(config.table).codes
        codes = np.sort(known[subspace.mask(known)])
    if len(codes) < config.count:
        raise ConfigError(
            f"{config.count:,} cells are to be drawn, but {config.table or 'the space'} has only "
            f"{len(codes):,} in {subspace}; draw fewer"
        )
    weights = _weights(codes)
    generator = np.random.default_rng(config.seed)
    chosen = generator.choice(codes, config.count, replace=False, p=weights / weights.sum())
    return [Cell.from_code(int(code)) for code in chosen]


def _weights(codes: np.ndarray) -> np.ndarray:
    """For each cell, how many of the space stand for one of its kind among the codes, [n]."""
    weights = np.empty(len(codes))
    for outputs, residual in itertools.product(range(MAX_VERTICES - 1), (True, False)):
        kind = Subspace(outputs, residual)
        here = kind.mask(codes)
        if here.any():
            weights[here] = kind.size / here.sum()
    return weights
