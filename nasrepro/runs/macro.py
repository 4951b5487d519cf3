"""What a run needs of NAS-Bench-Macro: the networks it evaluates, its supernet, its sampler."""

import numpy as np

from nasrepro.errors import ConfigError
from nasrepro.nets.macro import Network, supernet
from nasrepro.runs.config import DrawnCells, RunConfig
from nasrepro.samplers import Sampler
from nasrepro.samplers.macro import make_sampler
from nasrepro.spaces.macro import Cell, Subspace


def parts(config: RunConfig) -> tuple[list[Cell], Network, Sampler]:
    """The networks that a run evaluates, its supernet before initialisation, and its sampler.

    Args:
        config: of a NAS-Bench-Macro run.

    Raises:
        ConfigError: if there is no such sampler, or the subspace has too few networks.
    """
    return (
        select_cells(config.subspace, config.cells),
        supernet(config.net, config.subspace.choices),
        make_sampler(config.sampler, config.subspace),
    )


def select_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """The networks of `drawn_cells` in ascending order of their code."""
    return sorted(drawn_cells(subspace, config), key=lambda cell: cell.code)


def drawn_cells(subspace: Subspace, config: DrawnCells) -> list[Cell]:
    """Distinct networks drawn uniformly from a subspace, in the order in which they were drawn.

    Raises:
        ConfigError: if there are not enough, or only those of a table are wanted: it has all.
    """
    if config.table is not None:
        raise ConfigError(
            f"the table of NAS-Bench-Macro has all networks; take table=None, not {config.table!r}"
        )
    if subspace.size < config.count:
        raise ConfigError(
            f"{config.count:,} networks are to be drawn, but there are only {subspace.size:,} with "
            f"{subspace}; draw fewer"
        )
    codes = np.sort([cell.code for cell in subspace.cells()])
    generator = np.random.default_rng(config.seed)
    chosen = generator.choice(codes, config.count, replace=False)
    return [Cell.from_code(int(code)) for code in chosen]
