"""NAS-Bench-Macro networks: the benchmark's sizes, and a path of a supernet as a network alone."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import check_many_paths, check_path_is_network

from nasrepro.benchmarks import macro
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError
from nasrepro.nets.config import ChainNetConfig
from nasrepro.nets.macro import Network, count_flops, count_parameters, stand_alone, supernet
from nasrepro.spaces.macro import NUM_CELLS, Cell
from nasrepro.train import initialise

TINY = ChainNetConfig(channels=4, last_channels=12, num_classes=3)
cells = st.integers(0, NUM_CELLS - 1).map(Cell.from_code)
quick = settings(deadline=None, max_examples=25)


def tiny_supernet(**changes) -> Network:
    net = supernet(ChainNetConfig(4, 12, 3, **changes))
    initialise(net, torch.Generator().manual_seed(0))
    return net


def images(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_networks_are_as_large_as_the_benchmark_says():
    # The file itself: the converted table, which may be in the cache without it, has no sizes.
    if (path := locate(SOURCES[macro.NAME])) is None:
        pytest.skip("the NAS-Bench-Macro file is not on this machine; set NASREPRO_DATA")
    published = json.loads(path.read_text())
    codes = np.array([Cell.parse(text).code for text in published])
    wanted = [network["params"] for network in published.values()]
    assert count_parameters(codes).tolist() == wanted and len(wanted) == NUM_CELLS
    multiplications = [network["flops"] for network in published.values()]
    assert (count_flops(codes) // 2).tolist() == multiplications
    for text in ("00000000", "22222222", "02012100"):
        with torch.device("meta"):
            net = stand_alone(Cell.parse(text), ChainNetConfig())
        assert sum(p.numel() for p in net.parameters()) == published[text]["params"], text


@quick
@given(cells)
def test_a_path_of_a_supernet_is_the_network_alone_gradients_included(cell):
    net = tiny_supernet()
    alone = stand_alone(cell, TINY)
    weights = net.state_dict()
    alone.load_state_dict({name: weights[name] for name in alone.state_dict()})
    check_path_is_network(net, alone, images(), cell)


@quick
@given(st.lists(cells, min_size=1, max_size=6), st.integers(1, 12))
def test_many_paths_together_give_what_each_gives_alone(several, keep):
    net = tiny_supernet(tracked_statistics=False).eval()
    check_many_paths(net, images(), several, keep=keep)


def test_an_identity_does_nothing_but_at_the_start_of_a_stage():
    net = supernet(TINY)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(net.blocks[1]["identity"](x), x)
    assert net.blocks[2]["identity"](x).shape == (2, 16, 2, 2)
    assert net(images(), Cell.parse("00000000")).shape == (6, 3)


def test_an_operation_that_a_network_lacks_is_named():
    net = supernet(TINY, ("identity", "mb3_k3"))
    with pytest.raises(ConfigError, match=r"block 3 .*offers identity, mb3_k3, not 'mb6_k5'"):
        net(images(), Cell.parse("00020000"))
