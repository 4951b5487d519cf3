"""The families of networks, one per search space: the only place that asks which space it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasrepro.errors import ConfigError
from nasrepro.nets import darts as darts_nets
from nasrepro.nets import macro as macro_nets
from nasrepro.nets import nb1shot1 as nb1shot1_nets
from nasrepro.nets import nb101 as nb101_nets
from nasrepro.nets import nb201 as nb201_nets
from nasrepro.nets import relaxed as relaxed_nets
from nasrepro.nets import relaxed_darts, relaxed_nb1shot1
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, DartsNetConfig, NetConfig
from nasrepro.nets.paths import PathNetwork
from nasrepro.nets.stacked import forward_in_stacks
from nasrepro.runs import darts, macro, nb1shot1, nb101, nb201
from nasrepro.runs.parts import (
    AnyCells,
    AnyNet,
    CellsConfig,
    DrawnCells,
    DrawnEncodings,
    ListedCells,
)
from nasrepro.samplers import Sampler
from nasrepro.samplers import darts as darts_samplers
from nasrepro.samplers import macro as macro_samplers
from nasrepro.samplers import nb101 as nb101_samplers
from nasrepro.samplers import nb201 as nb201_samplers
from nasrepro.spaces import SPACES, AnyCell, AnySubspace, name_of
from nasrepro.spaces.nb1shot1 import architectures


@dataclass(frozen=True)
class Relaxed:
    """How the networks of a space mix the operations of an edge.

    Attributes:
        shape: of alphas: choices and alternatives; mostly edges and operations.
        network: from a network's config, a generator (of what it draws itself) and how many
            channels there are for each that operations see, to a module that is called with images
            and weights, before initialisation; its `net` is the supernet of paths.
        discretise: from scores of that shape to the cell of the best operations; with `most_skips`,
            if that varies.
        alternatives: of each choice, where some have fewer than others.
        varies: what the phases of a search can change: fields of `darts.Phase`, and `most_skips`.
        alone: from a cell to the weights that leave its operations alone, if `share` varies.
    """

    shape: tuple[int, int]
    network: Callable[[Any, torch.Generator, int], nn.Module]
    discretise: Callable[..., Any]
    alternatives: tuple[int, ...] | None = None
    varies: tuple[str, ...] = ()
    alone: Callable[[Any], Tensor] | None = None

    @property
    def offered(self) -> Tensor | None:
        """Which alphas stand for an alternative, bool of their shape; None: all."""
        if self.alternatives is None:
            return None
        return torch.arange(self.shape[1]) < torch.tensor(self.alternatives)[:, None]


@dataclass(frozen=True)
class Family:
    """What a run of one search space is made of.

    Attributes:
        net: the class of its network's config.
        cells: the classes that say which cells are evaluated.
        supernet: from a network's config, a subspace and a generator (of what the network draws
            itself, if anything) to a supernet of the subspace, before initialisation.
        stand_alone: from a cell and a network's config to the cell's own network.
        extract: the same from a supernet, a cell and its config, with the weights of its path.
        samplers: by name, from a subspace to a sampler.
        sample: the random cells among those evaluated, from a subspace and a `cells`.
        draw: those of them that can be trained on their own, in the order in which they were drawn.
        trainable: codes of the cells that training can draw from, int64 [n], from the same: of
            NAS-Bench-201 and DARTS' space those that could have been evaluated, else the subspace.
        select: all cells that are evaluated, in ascending order of their code.
        parameters: trainable parameters in the benchmark's own networks, int64 [n], of codes by
            which tables know cells.
        known_as: from codes of cells to those by which tables know them, int64 [n].
        per_position: from a sampler and a number of positions in the network to a sampler that
            draws for each of them, if the space has networks of that kind.
        stacked: many paths in one batch, as suits a GPU; see `evaluate.evaluate_paths`.
        relaxed: from a subspace to how it is relaxed for differentiable search, if that is there
            for this space.
    """

    net: type
    cells: tuple[type, ...]
    supernet: Callable[[Any, Any, torch.Generator], PathNetwork]
    stand_alone: Callable[[Any, Any], PathNetwork]
    extract: Callable[[Any, Any, Any], PathNetwork]
    samplers: Mapping[str, Callable[[Any], Sampler]]
    sample: Callable[[Any, Any], list[Any]]
    draw: Callable[[Any, Any], list[Any]]
    trainable: Callable[[Any, Any], np.ndarray]
    select: Callable[[Any, Any], list[Any]]
    parameters: Callable[[np.ndarray], np.ndarray]
    known_as: Callable[[np.ndarray], np.ndarray] = lambda codes: codes
    per_position: Callable[[Sampler, int], Sampler] | None = None
    stacked: Callable[[Any, Tensor, Sequence[Any]], Iterator[Tensor]] | None = None
    relaxed: Callable[[Any], Relaxed] | None = None


def _relaxed_nb201(subspace: Any) -> Relaxed:
    """ConfigError for a part of the space."""
    if subspace != type(subspace)():
        raise ConfigError("differentiable search is there for all of NAS-Bench-201 only")
    return Relaxed(
        shape=relaxed_nets.SHAPE,
        network=relaxed_nets.relaxed_supernet,
        discretise=relaxed_nets.discretise,
        varies=("operations", "share"),
        alone=relaxed_nets.alone,
    )


def _relaxed_darts(subspace: Any) -> Relaxed:
    """Of all operations or some."""
    operations = subspace.candidates
    return Relaxed(
        shape=(relaxed_darts.ROWS, len(operations)),
        network=partial(relaxed_darts.relaxed_supernet, subspace),
        discretise=partial(relaxed_darts.discretise, candidates=operations),
        varies=("operations", "share", "cells", "skip_dropout", "most_skips"),
        alone=partial(relaxed_darts.alone, candidates=operations),
    )


def _relaxed_nb1shot1(subspace: Any) -> Relaxed:
    """Of one of its spaces."""
    alternatives = relaxed_nb1shot1.alternatives(subspace)
    return Relaxed(
        shape=(len(alternatives), max(alternatives)),
        network=lambda net, *_: relaxed_nb1shot1.RelaxedNetwork(
            nb1shot1_nets.supernet(net, subspace), subspace
        ),
        discretise=partial(relaxed_nb1shot1.discretise, subspace=subspace),
        alternatives=alternatives,
    )


FAMILIES = {
    "nb201": Family(
        net=NetConfig,
        cells=(CellsConfig, ListedCells),
        supernet=lambda net, subspace, draws: nb201_nets.supernet(net, subspace.operations, draws),
        stand_alone=nb201_nets.stand_alone,
        extract=nb201_nets.extract,
        samplers=nb201_samplers.SAMPLERS,
        sample=nb201.random_cells,
        draw=nb201.drawn_cells,
        trainable=nb201.trainable,
        select=nb201.select_cells,
        parameters=nb201_nets.count_parameters,
        per_position=nb201_samplers.PerPosition,
        stacked=forward_in_stacks,
        relaxed=_relaxed_nb201,
    ),
    "nb101": Family(
        net=CellNetConfig,
        cells=(DrawnCells,),
        supernet=nb101_nets.supernet,
        stand_alone=nb101_nets.stand_alone,
        extract=nb101_nets.extract,
        samplers=nb101_samplers.SAMPLERS,
        sample=nb101.drawn_cells,
        draw=nb101.drawn_cells,
        trainable=lambda subspace, _: subspace.codes(),
        select=nb101.select_cells,
        parameters=nb101_nets.count_parameters,
    ),
    "macro": Family(
        net=ChainNetConfig,
        cells=(DrawnCells,),
        supernet=lambda net, subspace, _: macro_nets.supernet(net, subspace.choices),
        stand_alone=macro_nets.stand_alone,
        extract=macro_nets.extract,
        samplers=macro_samplers.SAMPLERS,
        sample=macro.drawn_cells,
        draw=macro.drawn_cells,
        trainable=lambda subspace, _: np.array([cell.code for cell in subspace.cells()]),
        select=macro.select_cells,
        parameters=macro_nets.count_parameters,
    ),
    "nb1shot1": Family(
        net=CellNetConfig,
        cells=(DrawnEncodings, ListedCells),
        supernet=lambda net, subspace, _: nb1shot1_nets.supernet(net, subspace),
        stand_alone=nb1shot1_nets.stand_alone,
        extract=nb1shot1_nets.extract,
        samplers=nb101_samplers.SAMPLERS,
        sample=nb1shot1.random_cells,
        draw=nb1shot1.random_cells,
        trainable=lambda subspace, _: subspace.codes(),
        select=nb1shot1.select_cells,
        parameters=nb101_nets.count_parameters,
        known_as=architectures,
        relaxed=_relaxed_nb1shot1,
    ),
    "darts": Family(
        net=DartsNetConfig,
        cells=(DrawnCells,),
        supernet=lambda net, subspace, _: darts_nets.supernet(net, subspace),
        stand_alone=darts_nets.stand_alone,
        extract=darts_nets.extract,
        samplers=darts_samplers.SAMPLERS,
        sample=darts.drawn_cells,
        draw=darts.drawn_cells,
        trainable=darts.trainable,
        select=darts.select_cells,
        parameters=darts_nets.count_parameters,
        relaxed=_relaxed_darts,
    ),
}


def family_of(part: AnyCell | AnySubspace) -> Family:
    """The family of a cell or a subspace."""
    return FAMILIES[name_of(part)]


def check_parts(part: AnyCell | AnySubspace, *configs: AnyNet | AnyCells) -> None:
    """Raise a ConfigError unless networks and cells are of the space of a cell or a subspace."""
    family = family_of(part)
    if not all(isinstance(config, (family.net, *family.cells)) for config in configs):
        wanted = f"{family.net.__name__} and {' or '.join(c.__name__ for c in family.cells)}"
        given = " and ".join(type(config).__name__ for config in configs)
        title = SPACES[name_of(part)].TITLE
        raise ConfigError(f"a run of {title} takes a {wanted}, found {given}")


def relaxed_of(subspace: AnySubspace) -> Relaxed:
    """How a subspace is relaxed; ConfigError if it is not."""
    relaxed, title = family_of(subspace).relaxed, SPACES[name_of(subspace)].TITLE
    if relaxed is None:
        known = [SPACES[name].TITLE for name, family in FAMILIES.items() if family.relaxed]
        raise ConfigError(f"differentiable search is there for {', '.join(known)}, not for {title}")
    return relaxed(subspace)


def check_sampler(name: str, subspace: AnySubspace) -> None:
    """Raise a ConfigError unless a space has a sampler of a name."""
    known = family_of(subspace).samplers
    if name not in known:
        title = SPACES[name_of(subspace)].TITLE
        raise ConfigError(f"unknown sampler {name!r}; for {title} there are {', '.join(known)}")


def make_sampler(name: str, subspace: AnySubspace) -> Sampler:
    """The sampler of a name over a subspace; ConfigError if there is none of that name."""
    check_sampler(name, subspace)
    return family_of(subspace).samplers[name](subspace)
