"""Networks without a search space, for tuning hyper-parameters: an MLP, and a small VGG."""

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from nasrepro.errors import ConfigError


@dataclass(frozen=True, slots=True)
class MlpConfig:
    """Layers of equal width with ReLU (SoTL thesis, 4.1.1)."""

    hidden: int = 1_000
    layers: int = 1
    num_classes: int = 10

    def __post_init__(self) -> None:
        if min(self.hidden, self.layers) < 1:
            raise ConfigError(
                f"an MLP has at least one layer of one unit, found {self.layers} of {self.hidden}"
            )


@dataclass(frozen=True, slots=True)
class VggConfig:
    """3x3 convolutions with ReLU, the image halved after each: VGG in small, without BN."""

    channels: int = 16  # of the first convolution, doubled with each
    convolutions: int = 3
    num_classes: int = 10

    def __post_init__(self) -> None:
        if min(self.channels, self.convolutions) < 1:
            raise ConfigError(
                "a VGG has at least one convolution of one channel, "
                f"found {self.convolutions} of {self.channels}"
            )


def build(config: MlpConfig | VggConfig, channels: int, size: int) -> nn.Sequential:
    """The network for images of `channels` channels and `size` x `size` pixels.

    Raises:
        ConfigError: if a VGG halves the images more often than they can be.
    """
    if isinstance(config, MlpConfig):
        widths = [channels * size**2, *[config.hidden] * config.layers]
        hidden = [
            part
            for inside, outside in pairwise(widths)
            for part in (nn.Linear(inside, outside), nn.ReLU())
        ]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(widths[-1], config.num_classes))
    if size < 2**config.convolutions:
        raise ConfigError(
            f"{config.convolutions} convolutions halve images of at least "
            f"{2**config.convolutions} pixels, found {size}"
        )
    widths = [channels, *(config.channels * 2**i for i in range(config.convolutions))]
    blocks = [
        part
        for inside, outside in pairwise(widths)
        for part in (nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    ]
    left = (size >> config.convolutions) ** 2 * widths[-1]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(left, config.num_classes))
