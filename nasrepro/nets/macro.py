"""Networks of the NAS-Bench-Macro space: supernet and stand-alone network from the same modules.

A chain of eight blocks between a stem and a last convolution (Su et al. 2021, as in the benchmark's
training script); the first block of each stage halves the image and doubles the channels.
"""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nasrepro.errors import ConfigError
from nasrepro.nets.config import ChainNetConfig
from nasrepro.nets.convolution import Conv2d
from nasrepro.nets.memo import Key, once
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces.macro import NUM_BLOCKS, OPERATIONS, STAGES, Cell

# Of an inverted residual: how many times as many channels inside, and the size of the kernel.
SHAPES = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}


def conv_bn(
    c_in: int, c_out: int, kernel: int, config: ChainNetConfig, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution and batch normalisation."""
    return nn.Sequential(
        Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out, affine=config.affine, track_running_stats=config.tracked_statistics),
    )


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widened, a depthwise convolution, narrowed; ReLU only inside.

    Args:
        c_in: channels of the input.
        c_out: channels of the output; where they are as many, the input is added.
        operation: a key of `SHAPES`.
        config: batch normalisation.
    """

    def __init__(self, c_in: int, c_out: int, operation: str, config: ChainNetConfig) -> None:
        super().__init__()
        expansion, kernel = SHAPES[operation]
        inside, stride = c_in * expansion, 1 if c_in == c_out else 2
        self.residual = c_in == c_out
        self.layers = nn.Sequential(
            conv_bn(c_in, inside, 1, config),
            nn.ReLU(),
            conv_bn(inside, inside, kernel, config, stride, groups=inside),
            nn.ReLU(),
            conv_bn(inside, c_out, 1, config),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def candidate(operation: str, c_in: int, c_out: int, config: ChainNetConfig) -> nn.Module:
    """The module of an operation; the identity is a 1x1 convolution where the shape changes."""
    if operation in SHAPES:
        return InvertedResidual(c_in, c_out, operation, config)
    return nn.Identity() if c_in == c_out else conv_bn(c_in, c_out, 1, config, stride=2)


class Network(PathNetwork):
    """The chain with some candidate operations in each block.

    With all operations in all blocks it is a supernet, with one in each a stand-alone network.

    Args:
        choices: for each of the eight blocks, its candidate operations.
        config: width, classes and batch normalisation.
    """

    def __init__(self, choices: Sequence[Sequence[str]], config: ChainNetConfig) -> None:
        super().__init__()
        widths = [config.channels]
        for stage, blocks in enumerate(STAGES, 1):
            widths += [config.channels * 2**stage] * blocks
        self.stem = nn.Sequential(conv_bn(3, config.channels, 3, config), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.ModuleDict({op: candidate(op, c_in, c_out, config) for op in ops})
            for ops, (c_in, c_out) in zip(choices, itertools.pairwise(widths), strict=True)
        )
        self.last = nn.Sequential(conv_bn(widths[-1], config.last_channels, 1, config), nn.ReLU())
        self.classifier = nn.Linear(config.last_channels, config.num_classes)

    def after_stem(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path; paths share the blocks with which they begin."""
        for block, operation in enumerate(cell.operations):
            begins = cell.operations[: block + 1]
            x, _ = once(memo, begins, partial(self.blocks[block][operation], x))
        return self.classifier(self.last(x).mean(dim=(2, 3)))

    def check_offers(self, cell: Cell) -> None:
        """Raise a ConfigError if the network lacks an operation of the path."""
        for block, (operation, offered) in enumerate(
            zip(cell.operations, self.blocks, strict=True)
        ):
            if operation not in offered:
                raise ConfigError(
                    f"block {block} of this network offers {', '.join(offered)}, not {operation!r}"
                )


def supernet(config: ChainNetConfig, operations: Sequence[str] = OPERATIONS) -> Network:
    """A supernet with the given operations in all eight blocks."""
    return Network([operations] * NUM_BLOCKS, config)


def stand_alone(cell: Cell, config: ChainNetConfig) -> Network:
    """The network of one path on its own: the supernet of a single path."""
    return Network([(operation,) for operation in cell.operations], config)


def extract(supernet: Network, cell: Cell, config: ChainNetConfig) -> Network:
    """The stand-alone network of a path with a copy of its weights in the supernet.

    Raises:
        ConfigError: if the supernet lacks an operation of the path.
    """
    supernet.check_offers(cell)
    alone, weights = stand_alone(cell, config), supernet.state_dict()
    alone.load_state_dict({key: weights[key] for key in alone.state_dict()})
    return alone


def count_parameters(codes: np.ndarray, config: ChainNetConfig | None = None) -> np.ndarray:
    """Trainable parameters of stand-alone networks, as the benchmark counts them.

    Args:
        codes: of networks, integer [n].
        config: of the networks; None for the benchmark's own.

    Returns:
        int64 [n].

    >>> count_parameters(np.array([0, 6560])).tolist()
    [387882, 2932586]
    """
    with torch.device("meta"):  # shapes without values
        net = supernet(config or ChainNetConfig())
    always = sum(map(_size, (net.stem, net.last, net.classifier)))
    return always + _of_blocks(
        codes, [[_size(block[op]) for op in OPERATIONS] for block in net.blocks]
    )


def count_flops(
    codes: np.ndarray, size: int = 32, config: ChainNetConfig | None = None
) -> np.ndarray:
    """Floating-point operations of one image's forward pass, as PyTorch's own counter has them.

    Those of convolutions and of the classifier: a multiplication and an addition are two. The
    benchmark counts both as one.

    Args:
        codes: of networks, integer [n].
        size: height and width of the images.
        config: of the networks; None for the benchmark's own.

    Returns:
        int64 [n].

    >>> count_flops(np.array([0, 6560])).tolist()
    [15426560, 211321856]
    """
    with torch.device("meta"), torch.no_grad():
        net = supernet(config or ChainNetConfig()).eval()
        x, always = _flops(net.stem, torch.empty(1, 3, size, size))
        blocks = []
        for block in net.blocks:
            results = [_flops(block[op], x) for op in OPERATIONS]
            blocks.append([count for _, count in results])
            x = results[0][0]  # all operations give the same shape
        for module in (net.last, lambda y: net.classifier(y.mean(dim=(2, 3)))):
            x, count = _flops(module, x)
            always += count
    return always + _of_blocks(codes, blocks)


def _of_blocks(codes: np.ndarray, counts: Sequence[Sequence[int]]) -> np.ndarray:
    """Sums over the blocks of networks, [n], of what each operation of a block counts for."""
    place_values = len(OPERATIONS) ** np.arange(NUM_BLOCKS)[::-1]
    digits = codes[:, None] // place_values % len(OPERATIONS)
    return np.array(counts)[np.arange(NUM_BLOCKS), digits].sum(axis=1)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _flops(module: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, int]:
    """What a module makes of an input, and at which cost."""
    counter = FlopCounterMode(display=False)
    with counter:
        y = module(x)
    return y, counter.get_total_flops()
