"""AutoAugment's policy for CIFAR-10 (Cubuk et al. 2018, appendix), image by image with Pillow.

An image takes one of 25 pairs of operations, each of them with its own chance. Magnitudes stand for
ten evenly spaced values from none to the largest, as in PyTorch's implementations; TensorFlow's
first one moves less and takes factors from a tenth on.
"""

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

# Each pair: operation, chance, magnitude from 0 to 9 (0 where the operation has none).
POLICY = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("color", 0.9, 9), ("equalize", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)
LARGEST = 9  # magnitude
SHIFT = 150 / 331  # of the image: the largest translation
DEGREES, SHEAR, FACTOR = 30.0, 0.3, 0.9  # the largest rotation, shear, and change of a factor


def auto_augment(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Change every image by a pair of operations of the policy, all pairs alike.

    Args:
        batch: uint8 [n, 3, height, width], on any device; Pillow works on the CPU.
        generator: draws n integers, 2 n chances and 2 n signs, whatever comes of them.

    Returns:
        uint8 [n, 3, height, width]
    """
    count, device = len(batch), generator.device
    pairs = torch.randint(len(POLICY), (count,), generator=generator, device=device).tolist()
    chances = torch.rand((count, 2), generator=generator, device=device).tolist()
    signs = (2 * torch.randint(2, (count, 2), generator=generator, device=device) - 1).tolist()
    images = batch.permute(0, 2, 3, 1).cpu().numpy()
    augmented = np.stack(
        [_changed(*drawn) for drawn in zip(images, pairs, chances, signs, strict=True)]
    )
    return torch.from_numpy(augmented).permute(0, 3, 1, 2).contiguous().to(batch.device)


def _changed(pixels: np.ndarray, pair: int, chances: list[float], signs: list[int]) -> np.ndarray:
    """One image, uint8 [height, width, 3], by a pair of the policy."""
    image = Image.fromarray(pixels)
    for (name, chance, magnitude), drawn, sign in zip(POLICY[pair], chances, signs, strict=True):
        if drawn < chance:
            image = apply(image, name, magnitude, sign)
    return np.asarray(image)


def apply(image: Image.Image, name: str, magnitude: int, sign: int) -> Image.Image:
    """One operation on an image.

    Args:
        image: RGB.
        name: of `OPERATIONS`.
        magnitude: from 0 to 9.
        sign: 1 or -1: to either side, of the operations that have two.
    """
    return OPERATIONS[name](image, magnitude / LARGEST, sign)


def equalize(image: Image.Image) -> Image.Image:
    """Spread the levels of each channel evenly.

    Pillow's own function counts whole pixels a level, so of images with fewer than 256 pixels it
    leaves all as they are; where its counts are whole without rounding, this one does the same.
    """
    levels = []
    for channel in np.asarray(image).reshape(-1, 3).T:
        counts = np.bincount(channel, minlength=256)
        step = (len(channel) - counts[channel.max()]) / 255  # pixels a level
        below = np.cumsum(counts) - counts
        spread = below / step + 0.5 if step else np.arange(256)
        levels += np.minimum(spread, 255).astype(int).tolist()
    return image.point(levels)


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    """Nearest pixels; what comes from outside is black, as in `augment.random_crop`."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


# From an image, a magnitude from 0 to 1 and a sign to the image.
OPERATIONS: dict[str, Callable[[Image.Image, float, int], Image.Image]] = {
    "shear_y": lambda x, m, sign: _affine(x, 1, 0, 0, sign * SHEAR * m, 1, 0),
    "translate_x": lambda x, m, sign: _affine(x, 1, 0, -sign * int(SHIFT * x.width * m), 0, 1, 0),
    "translate_y": lambda x, m, sign: _affine(x, 1, 0, 0, 0, 1, -sign * int(SHIFT * x.height * m)),
    "rotate": lambda x, m, sign: x.rotate(sign * DEGREES * m),
    "brightness": lambda x, m, sign: ImageEnhance.Brightness(x).enhance(1 + sign * FACTOR * m),
    "color": lambda x, m, sign: ImageEnhance.Color(x).enhance(1 + sign * FACTOR * m),
    "contrast": lambda x, m, sign: ImageEnhance.Contrast(x).enhance(1 + sign * FACTOR * m),
    "sharpness": lambda x, m, sign: ImageEnhance.Sharpness(x).enhance(1 + sign * FACTOR * m),
    "posterize": lambda x, m, sign: ImageOps.posterize(x, 8 - round(4 * m)),
    "solarize": lambda x, m, sign: ImageOps.solarize(x, ceil(255 * (1 - m))),
    "autocontrast": lambda x, m, sign: ImageOps.autocontrast(x),
    "equalize": lambda x, m, sign: equalize(x),
    "invert": lambda x, m, sign: ImageOps.invert(x),
}
