"""Image data sets as tensors in memory, and the split every run trains and validates on."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nasrepro.data import cifar, imagenet16, mnist
from nasrepro.errors import ConfigError, meant

NAMES = ("cifar10", "cifar100", "digits", "imagenet16-120", "mnist")
GREY = ("digits", "mnist")  # the same in three channels, so that networks need no change

# Decides which images are held out, and the order of the rest. Other numbers, other results.
SPLIT_SEED = 2021
HELD_OUT = 5_000

Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A data set as published.

    Attributes:
        name: one of `NAMES`.
        train_images: uint8 [n, 3, height, width].
        train_labels: int64 [n].
        test_images: uint8 [m, 3, height, width].
        test_labels: int64 [m].
        mean: of each channel, in units where 255 is 1.
        std: of each channel, in the same units.
        num_classes: labels are 0..num_classes-1.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: Triple
    std: Triple
    num_classes: int


@dataclass(frozen=True, eq=False)
class Split:
    """What one run trains and validates on, at its resolution and on its device.

    Attributes:
        train_images: uint8 [n, 3, size, size].
        train_labels: int64 [n].
        validation_images: uint8 [m, 3, size, size].
        validation_labels: int64 [m].
        mean: of each channel, in units where 255 is 1.
        std: of each channel, in the same units.
        num_classes: labels are 0..num_classes-1.
    """

    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor
    mean: Triple
    std: Triple
    num_classes: int


def load_images(name: str) -> ImageSet:
    """Load a data set, fetching it if need be.

    Args:
        name: one of `NAMES`.

    Raises:
        ConfigError: if the name is unknown.
        DataError: if its files are damaged or not available.
    """
    if name == "cifar10":
        return _image_set(
            name,
            cifar.load_cifar10(),
            mean=(0.49139968, 0.48215841, 0.44653091),
            std=(0.24703223, 0.24348513, 0.26158784),
            num_classes=10,
        )
    if name == "cifar100":
        return _image_set(
            name,
            cifar.load_cifar100(),
            mean=(129.3 / 255, 124.1 / 255, 112.4 / 255),
            std=(68.2 / 255, 65.4 / 255, 70.4 / 255),
            num_classes=100,
        )
    if name == "imagenet16-120":
        return _image_set(
            name,
            imagenet16.load_imagenet16(num_classes=120),
            mean=(122.68 / 255, 116.66 / 255, 104.01 / 255),
            std=(63.22 / 255, 61.26 / 255, 65.09 / 255),
            num_classes=120,
        )
    if name == "digits":
        return _digits()
    if name == "mnist":
        return _mnist()
    raise ConfigError(
        f"unknown data set {name!r}{meant(name, NAMES)}; the data sets are {', '.join(NAMES)}"
    )


def split(
    images: ImageSet,
    train_images: int,
    validation_images: int,
    size: int | None = None,
    device: torch.device | str = "cpu",
) -> Split:
    """Choose the training and validation images of a run; test images are never among them.

    The same 5,000 training images (a fifth of a set with fewer than 25,000) are held out in every
    run, as in Laube's table 1; as many as are asked for in a run that validates on more. Validation
    takes the first of them, training the first of the others, in one fixed random order: a smaller
    set is part of a larger one, whatever the device.

    Args:
        images: the data set.
        train_images: how many to train on.
        validation_images: how many held-out images to validate on.
        size: height and width to shrink to, by averaging; None keeps the images as they are.
        device: where the tensors go.

    Raises:
        ConfigError: if more images are asked for than there are, or a larger size.
    """
    total = len(images.train_labels)
    held_out = max(HELD_OUT, validation_images) if total >= 5 * HELD_OUT else total // 5
    _check_count("validation", validation_images, min(held_out, total), images.name)
    _check_count("training", train_images, total - held_out, images.name)
    order = torch.randperm(total, generator=torch.Generator().manual_seed(SPLIT_SEED))
    train = order[held_out : held_out + train_images]
    validation = order[:validation_images]
    return Split(
        train_images=resize(images.train_images[train], size).to(device),
        train_labels=images.train_labels[train].to(device),
        validation_images=resize(images.train_images[validation], size).to(device),
        validation_labels=images.train_labels[validation].to(device),
        mean=images.mean,
        std=images.std,
        num_classes=images.num_classes,
    )


def held_out_test(
    images: ImageSet, size: int | None = None, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """All test images and their labels, for networks that are trained on their own.

    Args:
        images: the data set.
        size: height and width to shrink to, as in `split`.
        device: where the tensors go.

    Returns:
        Images, uint8 [m, 3, size, size], and labels, int64 [m].

    Raises:
        ConfigError: if the size does not fit.
    """
    return resize(images.test_images, size).to(device), images.test_labels.to(device)


def resize(images: Tensor, size: int | None) -> Tensor:
    """Shrink images by averaging over areas, rounded to the nearest integer (halves to even).

    Args:
        images: uint8 [n, channels, height, width].
        size: new height and width, or None to keep them.

    Returns:
        uint8 [n, channels, size, size], contiguous.

    Raises:
        ConfigError: if the size is not positive, or larger than the images.
    """
    height, width = images.shape[-2:]
    if size is None or (height, width) == (size, size):
        return images.contiguous()
    if not 1 <= size <= min(height, width):
        raise ConfigError(
            f"images of {height}x{width} pixels can be shrunk to 1 to {height}, found size={size}"
        )
    shrunk = torch.empty(*images.shape[:-2], size, size, dtype=torch.uint8)
    for chunk, out in zip(images.split(1_000), shrunk.split(1_000), strict=True):
        out.copy_(functional.adaptive_avg_pool2d(chunk.float(), size).round_())
    return shrunk


def _check_count(part: str, wanted: int, available: int, name: str) -> None:
    if not 0 <= wanted <= available:
        raise ConfigError(f"{name} has {available:,} {part} images, asked for {wanted:,}")


def _image_set(
    name: str, arrays: cifar.Arrays, mean: Triple, std: Triple, num_classes: int
) -> ImageSet:
    """Tensors [n, 3, height, width] that share the memory of the arrays [n, height, width, 3]."""
    return ImageSet(
        name=name,
        train_images=torch.from_numpy(arrays.train_images).permute(0, 3, 1, 2),
        train_labels=torch.from_numpy(arrays.train_labels).long(),
        test_images=torch.from_numpy(arrays.test_images).permute(0, 3, 1, 2),
        test_labels=torch.from_numpy(arrays.test_labels).long(),
        mean=mean,
        std=std,
        num_classes=num_classes,
    )


def _digits() -> ImageSet:
    """scikit-learn's bundled 1,797 handwritten digits of 8x8 pixels; the last 360 are the test set.

    Grey values 0..16 become 0..255, the same in three channels, so that networks need no change.
    """
    from sklearn.datasets import load_digits  # slow to import

    bundled = load_digits()
    grey = np.rint(bundled.images * (255 / 16)).astype(np.uint8)
    pixels: NDArray[np.uint8] = np.repeat(grey[..., None], 3, axis=-1)
    labels = bundled.target.astype(np.uint8)
    train = slice(None, -360)
    mean, std = float(grey[train].mean()) / 255, float(grey[train].std()) / 255
    arrays = cifar.Arrays(pixels[train], labels[train], pixels[-360:], labels[-360:])
    return _image_set("digits", arrays, mean=(mean,) * 3, std=(std,) * 3, num_classes=10)


def _mnist() -> ImageSet:
    """MNIST, whose three channels share their memory."""
    arrays = mnist.load_mnist()
    train, test = (
        torch.from_numpy(images.copy())[:, None].expand(-1, 3, -1, -1)
        for images in (arrays.train_images, arrays.test_images)
    )
    return ImageSet(
        name="mnist",
        train_images=train,
        train_labels=torch.from_numpy(arrays.train_labels.astype(np.int64)),
        test_images=test,
        test_labels=torch.from_numpy(arrays.test_labels.astype(np.int64)),
        mean=(0.1307,) * 3,
        std=(0.3081,) * 3,
        num_classes=10,
    )
