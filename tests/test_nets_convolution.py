"""The convolution of all networks: strided 1x1 kernels."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nasrepro.nets.convolution import Conv2d
from nasrepro.runs.families import FAMILIES
from nasrepro.spaces import SPACES

SHAPES = [(channels, size) for channels in (1, 2, 4, 8, 12) for size in (7, 8)]


@pytest.mark.parametrize(("channels", "size"), SHAPES)
def test_outputs_and_gradients_are_those_of_the_strided_convolution(channels, size):
    """In float64, whose kernels are others than those with the fault."""
    generator = torch.Generator().manual_seed(0)
    convolution = Conv2d(channels, 3, 1, stride=2, dtype=torch.float64)
    x = torch.randn(2, channels, size, size, generator=generator, dtype=torch.float64)
    results = []
    for function in (
        convolution,
        lambda x: F.conv2d(x, convolution.weight, convolution.bias, stride=2),
    ):
        images = x.clone().requires_grad_()
        y = function(images)
        gradients = torch.autograd.grad((y**2).sum(), [images, *convolution.parameters()])
        results.append((y, *gradients))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 1), (1, 1, 0), (5, 1, 2), (1, 2, 1)]
)
def test_other_convolutions_are_pytorchs(kernel, stride, padding):
    convolution = Conv2d(3, 4, kernel, stride, padding)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = F.conv2d(x, convolution.weight, convolution.bias, stride, padding)
    assert torch.equal(convolution(x), expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_network_has_this_convolution(name):
    """Of all spaces, so that no strided 1x1 convolution reaches PyTorch's own."""
    family, subspace = FAMILIES[name], SPACES[name].Subspace()
    cell = subspace.sample(np.random.default_rng(0))
    nets = [
        family.supernet(family.net(), subspace, torch.Generator()),
        family.stand_alone(cell, family.net()),
    ]
    for net in nets:
        found = [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)]
        assert found and all(type(module) is Conv2d for module in found)


STEPS = """
import torch
from nasrepro.nets.convolution import Conv2d
convolution = Conv2d(4, 8, 1, stride=2, bias=False).to(memory_format=torch.channels_last)
for _ in range(60):
    x = torch.randn(32, 4, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    convolution(x).square().sum().backward()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the C library of Linux to check memory")
def test_sixty_steps_leave_memory_alone_without_avx512():
    """In a separate process: PyTorch 2.13.0's own convolution ends it with a signal."""
    limits = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    checks = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env=os.environ | limits | checks,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
