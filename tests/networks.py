"""What tests of the spaces' networks share: the equalities that hold of every supernet."""

from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from nasrepro.spaces.nb1shot1 import Cell, Subspace


def check_path_is_network(net: nn.Module, alone: nn.Module, images: Tensor, cell: Any) -> None:
    """A path and the network of its cell alone, of equal weights, agree to the bit.

    So do their gradients; of the supernet's other weights there are none.
    """
    results = []
    for network in (net, alone):
        network.zero_grad(set_to_none=True)
        logits = network.train()(images, cell)
        logits.square().sum().backward()
        results.append((logits, dict(network.named_parameters())))
    (shared, all_weights), (single, single_weights) = results
    assert torch.equal(shared, single)
    for name, weight in single_weights.items():
        assert torch.equal(weight.grad, all_weights[name].grad), name
    rest = all_weights.keys() - single_weights.keys()
    assert all(all_weights[name].grad is None for name in rest)


def check_many_paths(net: nn.Module, images: Tensor, cells: Sequence[Any], **more: Any) -> None:
    """Many paths together give what each gives alone, to the bit."""
    with torch.no_grad():
        together = list(net.forward_many(images, cells, **more))
        assert len(together) == len(cells)
        for cell, logits in zip(cells, together, strict=True):
            assert torch.equal(logits, net(images, cell)), str(cell)


@st.composite
def encodings(draw) -> tuple[Subspace, Cell]:
    """A space of NAS-Bench-1Shot1, and an encoding of it."""
    subspace = Subspace(draw(st.integers(1, 3)))
    code = draw(st.integers(0, subspace.size - 1))
    return subspace, Cell.from_code(int(subspace.codes()[code]))
