"""DARTS' relaxed supernet against the supernet of paths and against a plain sum of operations."""

from functools import cache, partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import DartsNetConfig
from nasrepro.nets.darts import SearchedCell, extract, reads_rectified, supernet
from nasrepro.nets.relaxed_darts import ROWS, RelaxedNetwork, discretise, mixed
from nasrepro.spaces.darts import EDGES, NUM_CELLS, OPERATIONS, S2, Cell, Subspace
from nasrepro.train import initialise

PLAIN = DartsNetConfig(2, 4, 1, 3, affine=False, tracked_statistics=False, affine_around=True)
cells = st.integers(0, NUM_CELLS - 1).map(Cell.from_code)
quick = settings(deadline=None, max_examples=5)
SKIP, SEP = S2.candidates
WHOLE = Subspace()


@cache
def relaxed_network(subspace: Subspace = WHOLE) -> RelaxedNetwork:
    net = supernet(PLAIN, subspace)
    initialise(net, torch.Generator().manual_seed(0))
    return RelaxedNetwork(net, subspace.candidates).double()


def pictures(n: int = 4, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, channels, 8, 8, generator=generator, dtype=torch.float64)


def one_hot(cell: Cell, candidates=OPERATIONS) -> Tensor:
    """1 for the operations of a cell; for Zero on the other edges, if it is a candidate."""
    weights = torch.zeros(ROWS, len(candidates), dtype=torch.float64)
    taken = set()
    for kind, genotype in enumerate((cell.normal, cell.reduction)):
        for place, (operation, source) in enumerate(genotype):
            row = kind * len(EDGES) + EDGES.index((source, 2 + place // 2))
            weights[row, candidates.index(operation)] = 1
            taken.add(row)
    if "none" in candidates:
        weights[sorted(set(range(ROWS)) - taken), candidates.index("none")] = 1
    return weights


@quick
@given(cell=cells)
def test_weights_of_one_operation_an_edge_are_a_path_and_its_network_alone(cell):
    relaxed = relaxed_network()
    logits = relaxed(pictures(), one_hot(cell))
    torch.testing.assert_close(logits, relaxed.net(pictures(), cell))
    alone = extract(relaxed.net, cell, PLAIN).double()
    torch.testing.assert_close(logits, alone(pictures(), cell))
    assert discretise(one_hot(cell), OPERATIONS) == cell


def test_so_they_are_in_a_subspace_without_zero():
    relaxed = relaxed_network(S2)
    generator = torch.Generator().manual_seed(4)
    skip_or_not = torch.rand(16, generator=generator) < 0.5
    sources = (0, 1, 1, 2, 0, 3, 2, 4)
    inputs = [(SKIP if skip else SEP, s) for skip, s in zip(skip_or_not, sources * 2, strict=True)]
    cell = Cell(inputs[:8], inputs[8:])
    weights = one_hot(cell, S2.candidates)
    torch.testing.assert_close(relaxed(pictures(), weights), relaxed.net(pictures(), cell))
    assert discretise(weights, S2.candidates) == cell


def plain_sum(cell: SearchedCell, inputs: list[Tensor], weights: Tensor) -> Tensor:
    """The mixed cell as the paper writes it: every operation of every edge, one after the other."""
    nodes = [cell.prepared(number, x) for number, x in enumerate(inputs)]
    for node in range(2, 6):
        total = torch.zeros((), dtype=torch.float64)
        for edge, (source, target) in enumerate(EDGES):
            for number, operation in enumerate(OPERATIONS):
                if target != node or operation == "none":
                    continue
                rectifies = reads_rectified(operation, cell.strides[edge])
                x = F.relu(nodes[source]) if rectifies else nodes[source]
                total = total + weights[edge, number] * cell.edges[edge][operation](x)
        nodes.append(total)
    return torch.cat(nodes[2:], dim=1)


@pytest.mark.parametrize("kind", ["normal", "reduction"])
def test_a_mixed_cell_is_the_weighted_sum_of_all_operations_with_its_gradients(kind):
    relaxed = relaxed_network()
    cell = next(cell for cell in relaxed.net.cells if cell.kind == kind)
    inputs = [pictures(channels=part[0].weight.shape[1]) for part in cell.inputs]
    present = torch.ones(len(EDGES), len(OPERATIONS), dtype=torch.bool)
    ours = partial(mixed, candidates=OPERATIONS, present=present)
    results = []
    for forward in (partial(plain_sum, cell, inputs), partial(ours, cell, *inputs)):
        generator = torch.Generator().manual_seed(2)
        weights = torch.rand(present.shape, generator=generator, dtype=torch.float64)
        out = forward(weights=weights.requires_grad_())
        gradients = torch.autograd.grad(out.pow(3).sum(), [weights, *cell.edges.parameters()])
        results.append([out, gradients[0][:, 1:], *gradients[1:]])
    for slow, fast in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow)


def test_nodes_that_nothing_reaches_are_zeros():
    relaxed = relaxed_network()
    nothing = torch.zeros(ROWS, len(OPERATIONS), dtype=torch.float64)
    bias = relaxed.net.classifier.bias
    torch.testing.assert_close(relaxed(pictures(), nothing), bias.expand(4, -1))


def scores_of(rows: dict[tuple[int, int], dict[str, float]]) -> Tensor:
    """Scores of a normal cell's edges, twice, by edge and operation; zeros besides."""
    scores = torch.zeros(len(EDGES), len(OPERATIONS))
    for edge, values in rows.items():
        for operation, value in values.items():
            scores[EDGES.index(edge), OPERATIONS.index(operation)] = value
    return torch.cat([scores, scores])


def test_a_node_keeps_its_two_strongest_inputs_of_which_none_is_zero():
    """By hand: an edge is as strong as its best operation's share of the softmax."""
    cell = discretise(
        scores_of(
            {
                (0, 2): {"none": 9.0, SEP: 1.0},  # Zero wins the softmax: the weakest edge
                (0, 5): {SKIP: 2.0},
                (1, 5): {SKIP: 2.5, "dil_conv_3x3": 2.4},  # a larger score, a smaller share
                (4, 5): {"max_pool_3x3": 2.1},
            }
        ),
        OPERATIONS,
    )
    assert cell.normal == cell.reduction
    assert cell.normal[:2] == ((SEP, 0), ("max_pool_3x3", 1))  # no other input, the first of equals
    assert cell.normal[6:] == ((SKIP, 0), ("max_pool_3x3", 4))


def test_edges_are_told_apart_where_their_softmax_is_one_to_rounding():
    wide = scores_of({(0, 5): {SEP: 500.0}, (2, 5): {SEP: 400.0}, (3, 5): {SKIP: 450.0}})
    assert discretise(wide, OPERATIONS).normal[6:] == ((SEP, 0), (SKIP, 3))
    assert discretise(-wide, OPERATIONS).normal[6:] != ((SEP, 0), (SKIP, 3))


@pytest.mark.parametrize("change", [{"affine": True}, {"tracked_statistics": True}])
def test_other_supernets_are_refused(change):
    plain = {"channels": 2, "cells": 3, "affine": False, "tracked_statistics": False}
    with pytest.raises(ConfigError, match="by their weights alone"):
        RelaxedNetwork(supernet(DartsNetConfig(**(plain | change)), S2), S2.candidates)
    with pytest.raises(ConfigError, match="offers max_pool_3x3"):
        RelaxedNetwork(supernet(DartsNetConfig(**plain), S2), OPERATIONS)
