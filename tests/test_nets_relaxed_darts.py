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
from nasrepro.nets.relaxed_darts import ROWS, RelaxedNetwork, alone, discretise, mixed
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


@pytest.mark.parametrize("kind", ["normal", "reduction"])
def test_of_partial_channels_the_others_pass_by_on_each_edge_and_all_are_shuffled(kind):
    """Edge after edge; where operations halve the image, the others are pooled."""
    net = supernet(PLAIN, S2, share=2)
    initialise(net, torch.Generator().manual_seed(0))
    cell = next(cell for cell in net.double().cells if cell.kind == kind)
    inputs = [pictures(channels=part[0].weight.shape[1]) for part in cell.inputs]
    shape = len(EDGES), 2
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    nodes = [cell.prepared(number, x) for number, x in enumerate(inputs)]
    part = nodes[0].shape[1] // 2
    for node in range(2, 6):
        total = torch.zeros((), dtype=torch.float64)
        for edge, (source, target) in enumerate(EDGES):
            if target != node:
                continue
            seen, passed = nodes[source].chunk(2, dim=1)
            brought = torch.zeros((), dtype=torch.float64)
            for number, operation in enumerate(S2.candidates):
                rectifies = reads_rectified(operation, cell.strides[edge])
                value = cell.edges[edge][operation](F.relu(seen) if rectifies else seen)
                brought = brought + weights[edge, number] * value
            if cell.strides[edge] == 2:
                passed = F.max_pool2d(passed, 2)
            both = torch.cat([brought, passed], dim=1)
            total = total + both[:, [n for j in range(part) for n in (j, part + j)]]
        nodes.append(total)
    found = mixed(cell, *inputs, S2.candidates, weights, weights != 0, share=2)
    torch.testing.assert_close(found, torch.cat(nodes[2:], dim=1))


def test_skips_that_keep_the_size_are_dropped_out_while_that_is_wanted():
    """Of skips alone: half of the values are zero, and the others twice as large."""
    net = supernet(PLAIN, S2)
    initialise(net, torch.Generator().manual_seed(0))
    relaxed = RelaxedNetwork(net, S2.candidates, generator=torch.Generator().manual_seed(3))
    weights = torch.tensor([1.0, 0.0]).repeat(ROWS, 1)
    x = pictures().float()
    expected = relaxed(x, weights)
    relaxed.skip_dropout = 0.5
    ones = torch.ones(50_000)
    values = relaxed._skipped(ones).unique(return_counts=True)
    assert values[0].tolist() == [0, 2] and values[1][0] == pytest.approx(25_000, abs=500)
    first, second = relaxed(x, weights), relaxed(x, weights)
    assert (first != second).any() and (first != expected).any()
    relaxed.skip_dropout = 0.0
    assert (relaxed(x, weights) == expected).all()


def test_the_weights_of_a_cell_are_its_operations_alone():
    cell = Cell.from_code(NUM_CELLS // 3)
    relaxed = relaxed_network()
    found = alone(cell, OPERATIONS).double()
    torch.testing.assert_close(relaxed(pictures(), found), relaxed.net(pictures(), cell))


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


def test_a_normal_cell_has_no_more_skips_than_are_allowed_by_hand():
    """The weakest of three is barred: its edge takes its next operation, which is stronger than
    that of the third edge into its node."""
    rows = {
        (0, 2): {"skip_connect": 3.0, "sep_conv_3x3": 1.0},
        (1, 2): {"skip_connect": 2.0, "sep_conv_5x5": 1.0},
        (0, 3): {"skip_connect": 1.0, "dil_conv_3x3": 0.5},
        (1, 3): {"max_pool_3x3": 3.0},
        (2, 3): {"avg_pool_3x3": 0.1},
        (0, 4): {"sep_conv_3x3": 1.0},
        (1, 4): {"sep_conv_3x3": 1.0},
        (0, 5): {"sep_conv_3x3": 1.0},
        (1, 5): {"sep_conv_3x3": 1.0},
    }
    scores = scores_of(rows)
    free = discretise(scores, OPERATIONS)
    assert [operation for operation, _ in free.normal].count("skip_connect") == 3
    two = discretise(scores, OPERATIONS, most_skips=2)
    assert two.normal[:2] == free.normal[:2] and two.reduction == free.reduction
    assert two.normal[2:4] == (("dil_conv_3x3", 0), ("max_pool_3x3", 1))
    none = discretise(scores, OPERATIONS, most_skips=0)
    assert none.normal[:2] == (("sep_conv_3x3", 0), ("sep_conv_5x5", 1))
    left_out = scores.clone()
    left_out[EDGES.index((0, 3)), OPERATIONS.index("dil_conv_3x3")] = -torch.inf
    left_out[EDGES.index((0, 3)), :2] = -torch.inf  # Zero and max pool
    other = discretise(left_out, OPERATIONS, most_skips=2)
    assert ("dil_conv_3x3", 0) not in other.normal[2:4]
