"""Which encodings of NAS-Bench-1Shot1 a run evaluates."""

import numpy as np

from nasrepro.data.cell_lists import read_list
from nasrepro.errors import ConfigError
from nasrepro.runs.listed import listed_cells
from nasrepro.runs.parts import DrawnEncodings, ListedCells
from nasrepro.runs.tables import table_of_cells
from nasrepro.spaces.nb1shot1 import Cell, Subspace, architectures
from nasrepro.spaces.nb101 import Subspace as Kind


def select_cells(subspace: Subspace, config: DrawnEncodings | ListedCells) -> list[Cell]:
    """The distinct ones of `random_cells` in ascending order of their code."""
    return sorted(set(random_cells(subspace, config)), key=lambda cell: cell.code)


def random_cells(subspace: Subspace, config: DrawnEncodings | ListedCells) -> list[Cell]:
    """Encodings drawn from a space, by us or by who published a list.

    Raises:
        ConfigError: if a list has encodings of another space, or there are not enough to draw.
        DataError: if the table or the list is not available.
    """
    if isinstance(config, ListedCells):
        return listed_cells(subspace, config, architectures)
    return _drawn(subspace, config)


def _drawn(subspace: Subspace, config: DrawnEncodings) -> list[Cell]:
    """One encoding of each of some distinct architectures, in the order in which they were drawn.

    Encodings are drawn, as in the authors' code, so an architecture with more of them comes more
    often. A table may have more of some kinds than of others: encodings are weighted so that those
    with the input joined to the output come as often as in the space.
    """
    codes = subspace.codes()
    of = architectures(codes)
    chosen = np.ones(len(codes), dtype=bool)
    if config.table is not None:
        chosen &= table_of_cells(subspace, config.table).has(of)
    if config.besides is not None:
        others = [Cell.parse(text) for text in read_list(config.besides)]
        chosen &= ~np.isin(of, architectures_of(others))
    joined = Kind(residual=True).mask(of)
    weights = np.where(joined, _share(joined, chosen), _share(~joined, chosen))[chosen]
    # With exponential times the smallest come first as often as their rates are large.
    times = np.random.default_rng(config.seed).exponential(size=len(weights)) / weights
    order = np.flatnonzero(chosen)[np.argsort(times)]
    places = np.sort(np.unique(of[order], return_index=True)[1])
    if len(places) < config.count:
        raise ConfigError(
            f"cannot draw {config.count:,} cells: {config.table or 'the space'} has only "
            f"{len(places):,} architectures of {subspace}; draw fewer"
        )
    return [Cell.from_code(int(code)) for code in codes[order[places[: config.count]]]]


def _share(kind: np.ndarray, chosen: np.ndarray) -> float:
    """How many encodings of a kind stand for one that can be drawn."""
    return float(kind.sum() / max((kind & chosen).sum(), 1))


def architectures_of(cells: list[Cell]) -> np.ndarray:
    """The canonical codes of some encodings, int64 [n]."""
    return architectures(np.array([cell.code for cell in cells], dtype=np.int64))
