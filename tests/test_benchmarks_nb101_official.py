"""The official NAS-Bench-101 file, on tiny ones of the same structure that the tests write."""

import base64
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from nasrepro.benchmarks import available_tables, compact, load_table, nb101_official
from nasrepro.data.tfrecord import read_records
from nasrepro.errors import DataError
from nasrepro.spaces import SPACES
from nasrepro.spaces.nb101 import Cell, module_hash

CELLS = (
    Cell(((0, 1),), ()),
    Cell(((0, 1), (0, 2), (1, 2)), ("maxpool3x3",)),
    Cell(((0, 1), (0, 2), (1, 3), (2, 3)), ("conv3x3-bn-relu", "conv1x1-bn-relu")),
)


def crc32c(content: bytes) -> int:
    """CRC-32C bit by bit, from its polynomial."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32)


def framed(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + masked(length) + content + masked(content)


def doubles(*values: float) -> bytes:
    """Fields 1, 2, ... of kind 1 (eight bytes)."""
    return b"".join(bytes([n << 3 | 1]) + struct.pack("<d", v) for n, v in enumerate(values, 1))


def metrics(validation: float, test: float) -> bytes:
    """A ModelMetrics message: three evaluations, parameters, total time."""
    path = b"model.ckpt"
    final = doubles(108.0, 1769.1, 1.0, validation, test) + bytes([6 << 3 | 2, len(path)]) + path
    evaluations = (doubles(0.0, 0.0, 0.1, 0.1, 0.1), doubles(54.0, 884.5, 0.9, 0.8, 0.7), final)
    message = b"".join(bytes([1 << 3 | 2, len(e)]) + e for e in evaluations)
    message += bytes([2 << 3 | 0, 0b1000_1010, 0b1001_1000, 0b1000_1010, 0b0000_0100])
    return message + bytes([3 << 3 | 1]) + struct.pack("<d", 1800.0)


def row(cell: Cell, validation: float, test: float, epochs: int = 108, **other: str) -> bytes:
    content = {
        "hash": module_hash(cell),
        "epochs": epochs,
        "matrix": "".join(map(str, cell.matrix.ravel())),
        "operations": ",".join(("input", *cell.operations, "output")),
        "metrics": base64.b64encode(metrics(validation, test)).decode(),
    }
    return json.dumps(list((content | other).values())).encode()


def rows() -> list[bytes]:
    """Three runs of three cells, not one cell after the other, and shorter runs in between."""
    runs = [
        row(cell, 0.25 * i + run / 128, i / 8) for run in (0, 1, 2) for i, cell in enumerate(CELLS)
    ]
    return [*runs[:4], row(CELLS[0], 0.99, 0.99, epochs=36), *runs[4:]]


def write(path: Path, records: list[bytes]) -> Path:
    path.write_bytes(b"".join(map(framed, records)))
    return path


@pytest.fixture
def file(tmp_path) -> Path:
    return write(tmp_path / "nasbench_full.tfrecord", rows())


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))


def test_the_checksum_of_the_tests_is_crc32c():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of its definition


def test_records_are_read_with_their_places(tmp_path):
    path = write(tmp_path / "any.tfrecord", [b"first", b"", b"third"])
    assert list(read_records(path)) == [(0, b"first"), (21, b""), (37, b"third")]


def test_means_of_three_runs_are_read(file):
    table = nb101_official.read_tfrecord(file)
    codes = [cell.code for cell in CELLS]
    validation = table.accuracy(codes, "cifar10-validation-108")
    assert validation.tolist() == [0.78125, 25.78125, 50.78125]
    assert table.accuracy(codes, "cifar10-test-108").tolist() == [0.0, 12.5, 25.0]
    assert "all 423,624 cells" in table.column("cifar10-test-108").detail
    assert table.column("cifar10-test-108").source == "nasbench_full.tfrecord"


def test_a_cell_in_another_numbering_is_the_same_cell(tmp_path):
    swapped = Cell(CELLS[2].edges, CELLS[2].operations[::-1])
    assert swapped.code != CELLS[2].code
    path = write(tmp_path / "swapped.tfrecord", [row(swapped, 0.5, 0.25)] * 3)
    assert nb101_official.read_tfrecord(path).codes.tolist() == [CELLS[2].code]


def test_a_cut_file_is_an_error_wherever_it_is_cut(tmp_path):
    path = write(tmp_path / "cut.tfrecord", [b"first", b"second"])
    whole = path.read_bytes()
    for end in range(1, len(whole)):
        path.write_bytes(whole[:end])
        if end == 21:  # a file may end where a record does
            assert len(list(read_records(path))) == 1
            continue
        start = 0 if end < 21 else 21
        message = rf"the record at byte {start} is damaged, the file ends within it"
        with pytest.raises(DataError, match=message):
            list(read_records(path))


def test_a_changed_byte_is_an_error_wherever_it_is(tmp_path):
    path = write(tmp_path / "changed.tfrecord", [b"first", b"second"])
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        start = 0 if at < 21 else 21
        part = "length" if at - start < 12 else "content"
        message = f"the record at byte {start} is damaged, its {part} has another checksum"
        with pytest.raises(DataError, match=message):
            list(read_records(path))


@pytest.mark.parametrize(
    "record",
    [
        b"\xff\xfe",
        b"[1, 2]",
        b"3",
        row(CELLS[0], 0.5, 0.5, matrix="011"),
        row(CELLS[0], 0.5, 0.5, matrix="0x00"),
        row(CELLS[0], 0.5, 0.5, matrix="0010"),
        row(CELLS[0], 0.5, 0.5, operations="output,input"),
        row(CELLS[1], 0.5, 0.5, operations="input,conv5x5,output"),
        row(CELLS[0], 0.5, 0.5, metrics="!"),
        row(CELLS[0], 0.5, 0.5, metrics=""),
        row(CELLS[0], 0.5, 0.5, metrics=base64.b64encode(metrics(0.5, 0.5)[:-3]).decode()),
        row(CELLS[0], 0.5, 0.5, metrics=base64.b64encode(b"\x0b").decode()),
        row(CELLS[0], 0.5, 0.5, metrics=base64.b64encode(b"\x08\x80").decode()),
    ],
)
def test_a_record_that_is_no_run_is_named_by_its_place(tmp_path, record):
    first = rows()[0]
    path = write(tmp_path / "odd.tfrecord", [first, record])
    place = f"{len(framed(first)):,}"
    with pytest.raises(
        DataError, match=f"the record at byte {place} is not a run of NAS-Bench-101"
    ):
        nb101_official.read_tfrecord(path)


def test_a_cell_without_its_three_runs_is_named(tmp_path):
    path = write(tmp_path / "few.tfrecord", rows()[:-1])
    message = f"expected 3 runs of 108 epochs of each cell, found 2 of {module_hash(CELLS[2])}"
    with pytest.raises(DataError, match=message):
        nb101_official.read_tfrecord(path)


def test_impossible_accuracies_are_refused(tmp_path):
    path = write(tmp_path / "high.tfrecord", [row(CELLS[0], 1.5, 0.5)] * 3)
    with pytest.raises(DataError, match=r"expected shares of 9,984, found 1\.5"):
        nb101_official.read_tfrecord(path)


def test_means_of_equal_sums_are_equal_numbers(tmp_path):
    """548 + 2,314 + 21 = 1,424 + 1,438 + 21; as shares of 32 bits the means differ."""
    groups = ((548, 2_314, 21), (1_424, 1_438, 21))
    shares = np.array(groups, dtype=np.float32) / np.float32(9_984)
    assert len(set(shares.astype(np.float64).mean(axis=1))) == 2
    records = [
        row(cell, float(share), 0.5)
        for cell, its_shares in zip(CELLS, shares, strict=False)
        for share in its_shares
    ]
    table = nb101_official.read_tfrecord(write(tmp_path / "ties.tfrecord", records))
    means = table.values["cifar10-validation-108"].tolist()
    assert means == [100 * 2_883 / 29_952] * 2


def test_accuracies_that_are_no_shares_of_the_images_are_refused(tmp_path):
    path = write(tmp_path / "odd.tfrecord", [row(CELLS[0], 0.9000001, 0.5)] * 3)
    with pytest.raises(DataError, match=r"odd\.tfrecord, accuracies: .* of 9,984, found 0.9"):
        nb101_official.read_tfrecord(path)


def test_an_incomplete_file_is_not_the_benchmark(file):
    assert nb101_official.NAME in available_tables()
    with pytest.raises(DataError, match="expected 423,624 cells, found 3; the file is incomplete"):
        load_table("nb101-official")


def test_the_table_is_converted_once(file, monkeypatch):
    monkeypatch.setattr(SPACES["nb101"], "NUM_CELLS", len(CELLS))
    first = load_table("nb101-official")
    assert compact.location("nb101-official", file.name).exists()
    file.unlink()
    second = load_table("nb101-official")
    np.testing.assert_array_equal(first.codes, second.codes)
    assert second.space == "nb101"
    for column in first.values:
        np.testing.assert_array_equal(first.values[column], second.values[column])


def test_the_smaller_file_is_preferred(file):
    assert nb101_official.preferred() == "nasbench_full.tfrecord"
    file.with_name("nasbench_only108.tfrecord").write_bytes(b"")
    assert nb101_official.preferred() == "nasbench_only108.tfrecord"


def test_no_file_at_all(tmp_path):
    with pytest.raises(DataError, match=r"nasbench_only108\.tfrecord or nasbench_full\.tfrecord"):
        load_table("nb101-official")
    with pytest.raises(DataError, match="cannot read"):
        list(read_records(tmp_path / "none.tfrecord"))


def test_a_missing_package_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(DataError, match="pip install google-crc32c"):
        list(read_records(file))
