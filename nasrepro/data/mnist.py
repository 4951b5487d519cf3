"""MNIST: handwritten digits as arrays, from the original IDX files in a package of npm."""

import numpy as np
from numpy.typing import NDArray

from nasrepro.data import sources
from nasrepro.data.cifar import Arrays, read_members
from nasrepro.data.sources import SOURCES, Source
from nasrepro.errors import DataError

FOLDER = "package/data"
IMAGES, LABELS = 0x803, 0x801  # magic numbers: unsigned bytes of three axes, of one


def load_mnist(source: Source = SOURCES["mnist"]) -> Arrays:
    """Images [n, 28, 28] and labels [n] of MNIST, 60,000 to train and 10,000 to test.

    Raises:
        DataError: if the package cannot be had, or is damaged.
    """
    path = sources.fetch(source)
    sources.verify(path, source)  # what npm has just brought, too
    parts = [
        f"{FOLDER}/{part}-{what}-ubyte"
        for part in ("train", "t10k")
        for what in ("images-idx3", "labels-idx1")
    ]
    found = read_members(path, parts)
    arrays = [read_idx(found[name], IMAGES if "images" in name else LABELS, name) for name in parts]
    return Arrays(*arrays)


def read_idx(content: bytes, magic: int, name: str) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes.

    Args:
        content: of the file.
        magic: the number that it begins with, whose last byte is the number of axes.
        name: of the file, for errors.

    Raises:
        DataError: if it is another file, or cut.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), LABELS, "labels").tolist()
    [7, 9]
    """
    head = np.frombuffer(content[: 4 + 4 * (magic & 0xFF)], dtype=">u4")
    values = np.frombuffer(content, dtype=np.uint8, offset=min(len(content), head.nbytes))
    if len(head) != 1 + (magic & 0xFF) or head[0] != magic or head[1:].prod() != values.size:
        raise DataError(f"{name} is not an IDX file of unsigned bytes, or is cut")
    return values.reshape(head[1:])
