"""Augmentation of whole batches by tensor operations, every draw from an explicit generator.

The usual CIFAR pipeline is `normalise(random_flip(random_crop(batch, 4, g), g), mean, std)`.
Random numbers are drawn on the generator's device, so a CPU generator gives the same crops and
flips whatever device the images are on.
"""

import torch
from torch import Tensor
from torch.nn import functional


def random_crop(batch: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Pad every image with black on all sides, then cut out a window of the original size.

    Padding is done on raw pixels, as torchvision's `RandomCrop` before `Normalize`: the border is
    black, not the mean colour.

    Args:
        batch: uint8 [n, channels, height, width].
        padding: pixels on each side; 0 returns the batch as it is and draws nothing.
        generator: draws 2 n integers, rows first.

    Returns:
        uint8 [n, channels, height, width]
    """
    if padding == 0:
        return batch
    count, _, height, width = batch.shape
    corners = torch.randint(
        2 * padding + 1, (2, count), generator=generator, device=generator.device
    )
    rows, columns = corners.to(batch.device)
    padded = functional.pad(batch, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=batch.device), :, rows, columns]


def random_flip(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability one half.

    Args:
        batch: [n, channels, height, width], any type.
        generator: draws n bits.

    Returns:
        The same shape and type.
    """
    flip = torch.randint(2, (len(batch),), generator=generator, device=generator.device).bool()
    return torch.where(flip.to(batch.device)[:, None, None, None], batch.flip(3), batch)


def normalise(batch: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Turn pixels into numbers of mean 0 and standard deviation 1 in each channel.

    Args:
        batch: uint8 [n, channels, height, width].
        mean: of each channel, in units where 255 is 1.
        std: of each channel, in the same units.

    Returns:
        float32 [n, channels, height, width].
    """
    centre = torch.tensor(mean, device=batch.device)[:, None, None] * 255
    scale = torch.tensor(std, device=batch.device)[:, None, None] * 255
    return batch.float().sub_(centre).div_(scale)
