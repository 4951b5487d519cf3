"""The relaxed network of NAS-Bench-1Shot1 against paths, plain sums and whole searches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from networks import encodings
from torch import Tensor

from nasrepro.darts.algorithm import Algorithm
from nasrepro.darts.relaxations import among, softmax
from nasrepro.darts.search import initial_alphas
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.nb1shot1 import ChoiceCell, supernet
from nasrepro.nets.relaxed_nb1shot1 import (
    RelaxedNetwork,
    alternatives,
    choosers,
    discretise,
    mixed,
)
from nasrepro.runs.config import changed
from nasrepro.runs.families import relaxed_of
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.search import SearchConfig, run_search, selected
from nasrepro.spaces.nb1shot1 import OPERATIONS, Cell, Subspace
from nasrepro.train import TrainConfig, initialise

CONFIG = CellNetConfig(channels=3, cells_per_stage=1, tracked_statistics=False)
quick = settings(deadline=None, max_examples=10)


def relaxed_network(subspace: Subspace) -> RelaxedNetwork:
    net = supernet(CONFIG, subspace)
    initialise(net, torch.Generator().manual_seed(0))
    return RelaxedNetwork(net, subspace).double()


def pictures(channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, channels, 8, 8, generator=generator, dtype=torch.float64)


def chosen_weights(subspace: Subspace, cell: Cell) -> Tensor:
    """Weights of 1 for the operations and inputs of an encoding, and of 0 for all others."""
    weights = torch.zeros(relaxed_of(subspace).shape, dtype=torch.float64)
    for block, operation in enumerate(cell.operations):
        weights[block, OPERATIONS.index(operation)] = 1
    for row, vertex in enumerate(choosers(subspace), subspace.blocks):
        weights[row, [source for source, target in cell.edges if target == vertex]] = 1
    return weights


def test_rows_are_operations_of_blocks_and_then_inputs_where_there_is_a_choice():
    """Numbers of parents 1, 2, 2, 2, 2: no choice for vertices 1 and 2 of space 1."""
    assert [choosers(Subspace(n)) for n in (1, 2, 3)] == [[3, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5, 6]]
    assert alternatives(Subspace(3)) == (3, 3, 3, 3, 3, 2, 3, 4, 5, 6)
    relaxed = relaxed_of(Subspace(3))
    assert relaxed.shape == (10, 6) and relaxed.offered.sum(dim=1).tolist() == [
        *(3, 3, 3, 3, 3),
        *(2, 3, 4, 5, 6),
    ]


@quick
@given(encodings())
def test_weights_of_one_encoding_are_its_path(drawn):
    subspace, cell = drawn
    relaxed, weights = relaxed_network(subspace), chosen_weights(subspace, cell)
    torch.testing.assert_close(relaxed(pictures(), weights), relaxed.net(pictures(), cell))
    assert discretise(weights, subspace) == cell


def test_scores_beyond_a_rows_alternatives_do_not_matter():
    subspace = Subspace(2)
    scores = torch.rand(relaxed_of(subspace).shape, generator=torch.Generator().manual_seed(0))
    others = torch.where(relaxed_of(subspace).offered, scores, 9.0)
    assert discretise(scores, subspace) == discretise(others, subspace) in subspace
    assert discretise(torch.zeros_like(scores), subspace).edges[:4] == (
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 3),
    )


def by_hand(cell: ChoiceCell, x: Tensor, weights: Tensor) -> Tensor:
    """A mixed cell of space 3, every operation and input one after the other."""
    values: list[Tensor] = []
    for vertex in range(1, 6):
        read = [cell.project(vertex, x), *values]
        if vertex > 1:
            read = [weights[3 + vertex, i] * value for i, value in enumerate(read)]
        total = torch.stack(read).sum(dim=0)
        values.append(
            torch.stack(
                [
                    weights[vertex - 1, number] * cell.operate(vertex, operation, total)
                    for number, operation in enumerate(OPERATIONS)
                ]
            ).sum(dim=0)
        )
    joined = [cell.project(6, x), *values]
    return torch.cat([weights[9, i] * value for i, value in enumerate(joined)], dim=1)


def test_a_mixed_cell_is_the_weighted_sum_with_its_gradients():
    subspace = Subspace(3)
    cell = relaxed_network(subspace).net.stages[0][0]
    found = []
    for forward in (
        by_hand,
        lambda cell, x, w: mixed(cell, x, w[:5], dict(zip(choosers(subspace), w[5:], strict=True))),
    ):
        generator = torch.Generator().manual_seed(2)
        weights = torch.rand((10, 6), generator=generator, dtype=torch.float64).requires_grad_()
        out = forward(cell, pictures(3), weights)
        leaves = [weights, *cell.parameters()]
        found.append([out, *torch.autograd.grad(out.pow(3).sum(), leaves)])
    for slow, fast in zip(*found, strict=True):
        torch.testing.assert_close(fast, slow)


def test_what_is_no_alternative_has_no_weight_and_no_gradient():
    offered = relaxed_of(Subspace(1)).offered
    alphas = initial_alphas(tuple(offered.shape), Algorithm(), torch.Generator(), offered)
    assert (alphas[~offered] == 0).all() and (alphas[offered] != 0).all()
    weights = softmax(among(alphas, offered))
    assert (weights[~offered] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(offered)))
    (weights * torch.rand(weights.shape)).sum().backward()
    assert (alphas.grad[~offered] == 0).all() and (alphas.grad[offered] != 0).all()


def test_other_supernets_are_refused():
    tracked = replace(CONFIG, tracked_statistics=True)
    with pytest.raises(ConfigError, match="normalises with the statistics of the batch"):
        RelaxedNetwork(supernet(tracked, Subspace(1)), Subspace(1))
    with pytest.raises(ConfigError, match="1Shot1 space 3 offers all operations in its 5"):
        RelaxedNetwork(supernet(CONFIG, Subspace(1)), Subspace(3))


# ---- searches

TINY = SearchConfig(
    data=DataConfig("digits", train_images=32, validation_images=32, size=8),
    subspace=Subspace(2),
    net=CONFIG,
    train=TrainConfig(epochs=1, batch_size=16, learning_rate=0.1, crop_padding=1),
    algorithm=Algorithm(learning_rate=0.05),
    evaluate=EvaluateConfig("batch", batch_size=20),
    evaluated=20,
    spectrum_every=0,
    spectrum_images=8,
    spectrum_largest=1,
)


@pytest.mark.parametrize("gradient", ["validation", "training"])
def test_a_search_moves_alternatives_alone_and_selects_encodings_of_the_space(gradient):
    looks = 1 if gradient == "validation" else 0
    record = run_search(changed(TINY, {"algorithm.gradient": gradient, "spectrum_every": looks}))
    offered = relaxed_of(TINY.subspace).offered.numpy()
    alphas, gradients = record.arrays["alphas"], record.arrays["gradients"]
    assert record.status == "ok" and alphas.shape == (1, *offered.shape)
    assert (alphas[:, ~offered] == 0).all() and (gradients[:, ~offered] == 0).all()
    assert (alphas[:, offered] != 0).all() and np.isfinite(alphas).all()
    assert record.arrays["spectra"].shape == (looks, 2, 1)
    assert np.isfinite(record.arrays["spectra"]).all()
    assert all(cell in TINY.subspace for cell in selected(record))


def test_operations_cannot_be_drawn_where_choices_differ_in_length():
    with pytest.raises(ConfigError, match="2, take relaxation='softmax' or 'dirichlet', not"):
        changed(TINY, {"algorithm.relaxation": "gumbel"})


def test_weights_of_alternatives_alone_are_drawn():
    record = run_search(changed(TINY, {"algorithm.relaxation": "dirichlet"}))
    offered = relaxed_of(TINY.subspace).offered.numpy()
    alphas = record.arrays["alphas"]
    assert record.status == "ok" and (alphas[:, ~offered] == 0).all()
    assert (alphas[:, offered] != 0).all()
