"""ImageNet16: the downsampled ImageNet of NAS-Bench-201, from files the user has.

There is no address to fetch it from without an account; its authors publish md5 sums.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrepro import paths
from nasrepro.data.cifar import Arrays
from nasrepro.data.pickles import ARRAYS, restricted_load
from nasrepro.errors import DataError
from nasrepro.files import naming

TRAIN_MD5 = {
    "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
    "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
    "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
    "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
    "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
    "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
    "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
    "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
    "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
    "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
}
TEST_MD5 = {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"}

# Byte strings in pickles that Python 3 wrote for Python 2.
_ALLOWED = ARRAYS | {("_codecs", "encode")}


def load_imagenet16(
    num_classes: int = 120,
    train_md5: dict[str, str] = TRAIN_MD5,
    test_md5: dict[str, str] = TEST_MD5,
) -> Arrays:
    """The first classes of ImageNet16, from `$NASREPRO_DATA/ImageNet16`.

    NAS-Bench-201 validates and tests on two halves of the published validation images; here
    they are the test images, undivided.

    Args:
        num_classes: how many classes to keep; their labels become 0..num_classes-1.
        train_md5: names of the training batches, in order, and their md5 sums.
        test_md5: the same for the validation batch.

    Returns:
        Images [n, 16, 16, 3] and labels [n], all uint8.

    Raises:
        DataError: if a file is missing or not the one expected.
    """
    return Arrays(*_load(train_md5, num_classes), *_load(test_md5, num_classes))


def _load(md5_of: dict[str, str], num_classes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = zip(*(_load_batch(*item, num_classes) for item in md5_of.items()), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _load_batch(
    filename: str, md5: str, num_classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images [n, 16, 16, 3] and labels [n] of the wanted classes in one checked file."""
    path = (paths.data_dir() or Path("$NASREPRO_DATA")) / "ImageNet16" / filename
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror}); put the files of ImageNet16 as published "
            "with NAS-Bench-201 in a folder ImageNet16 and set $NASREPRO_DATA to the folder above"
        ) from None
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise DataError(f"{path} is damaged: expected md5 {md5}, found {actual}; get it again")
    with naming(path):
        batch = restricted_load(io.BytesIO(content), _ALLOWED, "latin1")
    try:
        images = np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 16, 16)
        labels = np.asarray(batch["labels"])
        keep = (labels >= 1) & (labels <= num_classes)
        pixels = np.ascontiguousarray(images[keep].transpose(0, 2, 3, 1))
        return pixels, (labels[keep] - 1).astype(np.uint8)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not as expected ({error!r})") from None
