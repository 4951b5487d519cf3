"""The tables of stand-alone accuracies: known facts, faults in the sources, the cache."""

import csv
import io
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nasrepro.benchmarks import (
    TABLES,
    Column,
    Table,
    available_tables,
    compact,
    load_table,
    macro,
    nb101,
    nb101_official,
    nb201,
    nb301,
    official,
    selfmade,
)
from nasrepro.data import sources
from nasrepro.data.pickles import restricted_load
from nasrepro.errors import ConfigError, DataError
from nasrepro.spaces.nb201 import Cell, Subspace, canonical_string, is_connected

SMALL = ("nb201-200epochs", "nb201-12epochs")
COLUMN = Column("cifar10", "test", 200, "one seed", "", "a test")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and no benchmark of our own: no test depends on what was there before."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NASREPRO_CACHE", str(folder))
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    return folder


@pytest.fixture(scope="module")
def data() -> Path:
    """The folder of the real tables."""
    folder = Path(os.environ.get("NASREPRO_DATA", "not set"))
    missing = [SMALL[i] for i in (0, 1) if not (folder / filename(SMALL[i])).is_file()]
    if missing:
        pytest.skip(f"set NASREPRO_DATA to a folder with the files of {', '.join(missing)}")
    return folder


@pytest.fixture(scope="module")
def table(data: Path) -> Table:
    return nb201.read_csv(data / filename("nb201-200epochs"))


@pytest.fixture(scope="module")
def short_table(data: Path) -> Table:
    return nb201.read_frame(data / filename("nb201-12epochs"))


def filename(name: str) -> str:
    return sources.SOURCES[name].filename


def small_table(codes=(7, 3, 15_624), values=(10.0, 20.0, 30.0)) -> Table:
    return Table("small", np.array(codes), (COLUMN,), {COLUMN.name: np.array(values)})


# The interface, on a table small enough to check by hand.


def test_lookup_by_code_keeps_the_shape():
    accuracies = small_table().accuracy([[3, 7], [15_624, 3]], "cifar10-test-200")
    np.testing.assert_array_equal(accuracies, [[20.0, 10.0], [30.0, 20.0]])
    assert small_table().accuracy([], "cifar10-test-200").shape == (0,)


def test_index_and_cell_are_inverse():
    table = small_table()
    assert [table.index_of(cell) for cell in table.cells] == [0, 1, 2]
    assert [table.cell_at(index) for index in range(3)] == table.cells
    for index in (-1, 3):
        with pytest.raises(ConfigError, match=rf"lies in 0\.\.2, found {index}"):
            table.cell_at(index)


def test_unknown_column_lists_the_known():
    with pytest.raises(ConfigError, match="'svhn'; its columns are cifar10-test-200"):
        small_table().accuracy([3], "svhn")


@pytest.mark.parametrize("code", [-1, 0, 15_625, 10**9])
def test_unknown_cell(code):
    with pytest.raises(DataError, match=f"3 cells, but none with code {code}"):
        small_table().accuracy([3, code], "cifar10-test-200")


def test_what_a_table_has_is_known_of_codes_in_any_order_and_shape():
    table = small_table([9, 3, 400], [1.0, 2.0, 3.0])
    asked = np.array([[400, 4, 3], [15_624, 0, 9]])
    assert table.has(asked).tolist() == [[True, False, True], [False, False, True]]
    assert not table.has([]).size and table.has(9)


def test_subset_agrees_with_a_loop_over_cells():
    cells = [Cell(("none",) * 6), Cell(("skip_connect",) * 6), Cell(("nor_conv_1x1",) * 6)]
    cells.append(Cell(("none", "skip_connect") * 3))
    table = small_table([cell.code for cell in cells], [1.0, 2.0, 3.0, 4.0])
    expected = [cells[0].code, cells[1].code, cells[3].code]
    assert table.subset(("none", "skip_connect")).tolist() == expected
    assert table.subset(()).tolist() == []
    with pytest.raises(ConfigError, match="unknown operation 'conv'"):
        table.subset(("none", "conv"))


def test_a_table_does_not_change():
    with pytest.raises(ValueError, match="read-only"):
        small_table().values["cifar10-test-200"][0] = 99


@pytest.mark.parametrize(
    ("codes", "values", "message"),
    [
        ([3, 5, 3], [1.0, 2.0, 3.0], "expected distinct cells, found .* at index 0"),
        ([3, 15_625], [1.0, 2.0], "lies in 0..15624"),
        ([3, -1], [1.0, 2.0], "lies in 0..15624, found -1"),
        ([3, 5], [1.0, np.nan], "from 0 to 100, found nan at index 1"),
        ([3, 5], [np.inf, 1.0], "from 0 to 100, found inf at index 0"),
        ([3, 5], [1.0, 100.1], "from 0 to 100, found 100.1 at index 1"),
        ([3, 5], [1.0], "expected 2 numbers"),
    ],
)
def test_impossible_tables_are_refused(codes, values, message):
    with pytest.raises(DataError, match=message):
        small_table(codes, values)


def test_unknown_table_lists_the_known():
    with pytest.raises(ConfigError, match="'nb301'; the tables are nb201-200epochs, nb201-12epoch"):
        load_table("nb301")


# Known facts about the real tables.


def test_best_cells_are_those_of_the_benchmark(table):
    best = {name: (int(v.argmax()), round(v.max(), 4)) for name, v in table.values.items()}
    assert best == {
        "cifar10-test-200": (6111, 94.3733),
        "cifar100-test-200": (9930, 73.5133),
        "imagenet16-120-test-200": (857, 47.3111),
    }
    assert table.index_of(table.cell_at(6111)) == 6111


def test_first_row_as_it_stands_in_the_file(table):
    text = (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
        "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert str(table.cell_at(0)) == text
    accuracies = [float(table.accuracy(Cell.parse(text).code, column)) for column in table.values]
    assert accuracies == pytest.approx([85.8633, 52.9133, 26.6333], abs=5e-5)


def test_all_cells_are_there_and_how_many_are_connected(table):
    assert sorted(table.codes.tolist()) == list(range(15_625))
    assert sum(map(is_connected, table.cells)) == 15_284
    assert len(table.subset(("skip_connect", "nor_conv_1x1", "nor_conv_3x3"))) == 3**6
    expected = {cell.code for cell in Subspace(("none", "nor_conv_3x3")).cells()}
    assert set(table.subset(("none", "nor_conv_3x3")).tolist()) == expected


def test_equivalence_classes_are_those_of_the_file(table, data):
    with (data / filename("nb201-200epochs")).open(newline="") as file:
        published = [row["UniqueString"] for row in csv.DictReader(file)]
    computed = [canonical_string(cell) for cell in table.cells]
    pairs = set(zip(computed, published, strict=True))
    assert len(pairs) == len(set(computed)) == len(set(published)) == 6_466


def test_short_table_has_the_same_order_and_other_trainings(table, short_table):
    np.testing.assert_array_equal(short_table.codes, table.codes)
    best = {name: (int(v.argmax()), round(v.max(), 3)) for name, v in short_table.values.items()}
    assert best["cifar10-test-12"] == (5374, 89.16)
    assert best["cifar10-validation-12"] == (13714, 84.892)
    assert set(best) == {
        f"{dataset}-{split}-12"
        for dataset in ("cifar10", "cifar100", "imagenet16-120")
        for split in ("validation", "test")
    }


@pytest.mark.parametrize(
    ("column", "images", "seeds"),
    [
        ("cifar10-test-200", 10_000, (1, 2, 3)),
        ("cifar100-test-200", 5_000, (1, 2, 3)),
        ("imagenet16-120-test-200", 3_000, (1, 2, 3)),
        ("cifar10-validation-12", 25_000, (2,)),
        ("cifar10-test-12", 10_000, (1,)),
        ("cifar100-validation-12", 5_000, (1,)),
        ("cifar100-test-12", 5_000, (1,)),
        ("imagenet16-120-validation-12", 3_000, (1,)),
        ("imagenet16-120-test-12", 3_000, (1,)),
    ],
)
def test_values_are_counts_of_the_images_and_seeds_named(table, short_table, column, images, seeds):
    values = (table if column in table.values else short_table).values[column]
    counts = [values / 100 * images * n for n in seeds]
    off = np.min([np.abs(count - np.round(count)) for count in counts], axis=0)
    assert off.max() < 1e-3


def test_sentences_for_figures(table, short_table):
    sentence = "CIFAR-10 test accuracy after 200 epochs, mean of the benchmark's seeds, percent"
    assert str(table.column("cifar10-test-200")) == sentence
    sentence = "CIFAR-10 validation accuracy after 12 epochs, mean of two seeds, percent"
    assert str(short_table.column("cifar10-validation-12")) == sentence
    assert "trained on the other 25,000" in short_table.column("cifar10-validation-12").detail


# Faults in the sources.


@pytest.fixture(scope="module")
def lines(data: Path) -> list[str]:
    return (data / filename("nb201-200epochs")).read_text().splitlines(keepends=True)


def write_csv(folder: Path, lines: list[str]) -> Path:
    path = folder / "nats_bench.csv"
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ls: ls[:9_000], "expected 15,625 cells, found 8,999"),
        (lambda ls: [*ls[:-1], ls[-1][:30]], "expected a number in every row"),
        (lambda ls: [*ls[:-1], ls[-1][:70]], "cell 15624: .*a NAS-Bench-201 cell has 6"),
        (lambda ls: [*ls[:-1], ls[1]], "expected distinct cells, found .* first at index 0"),
        (lambda ls: [*ls[:-1], "nan" + ls[-1][ls[-1].index(",") :]], "found nan at index 15624"),
        (lambda ls: [*ls[:-1], "100.5" + ls[-1][ls[-1].index(",") :]], "found 100.5 at index"),
        (lambda ls: [*ls[:-1], ls[-1].replace("~", "-", 1)], "cell 15624: "),
        (lambda ls: ls[1:], "expected ArchitectureString"),
        (lambda ls: [], "expected ArchitectureString.* found none"),
    ],
)
def test_damaged_csv(tmp_path, lines, change, message):
    with pytest.raises(DataError, match=message) as error:
        nb201.read_csv(write_csv(tmp_path, change(lines)))
    assert str(tmp_path / "nats_bench.csv") in str(error.value)


def test_csv_that_is_not_text(tmp_path):
    path = tmp_path / "nats_bench.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="as a CSV table"):
        nb201.read_csv(path)


def test_altered_csv_fails_its_checksum(tmp_path, lines, monkeypatch):
    altered = lines[1].replace("8", "9", 1)
    write_csv(tmp_path, [lines[0], altered, *lines[2:]])
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    with pytest.raises(DataError, match="expected sha256"):
        load_table("nb201-200epochs")


class Hostile:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_pickle_with_a_forbidden_global_is_not_run(tmp_path):
    path = tmp_path / "mini-bench-arch-cell-accs.pd"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataError, match=rf"{path}: .*system, which is not on the list"):
        nb201.read_frame(path)


@pytest.mark.parametrize("content", [{"arch": [0]}, [1, 2], 3])
def test_pickle_of_something_else(tmp_path, content):
    path = tmp_path / "mini-bench-arch-cell-accs.pd"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="expected"):
        nb201.read_frame(path)


def test_allow_list_is_minimal(data):
    """Without any one of its own entries the real pickle cannot be read."""
    content = (data / filename("nb201-12epochs")).read_bytes()
    for entry in nb201.FRAME_GLOBALS - nb201.ARRAYS:
        with pytest.raises(DataError, match=r"\.".join(entry)):
            restricted_load(io.BytesIO(content), nb201.FRAME_GLOBALS - {entry})


READERS = {
    "nb201-200epochs": nb201.read_csv,
    "nb201-12epochs": nb201.read_frame,
    nb101.NAME: nb101.read_table,
    macro.NAME: macro.read_json,
}


@pytest.mark.parametrize("name", READERS)
def test_a_cut_file_is_named_and_so_is_one_that_is_not_there(data, tmp_path, name):
    path = tmp_path / filename(name)
    with pytest.raises(DataError, match=str(path)):
        READERS[name](path)
    whole = (data / filename(name)).read_bytes()
    for share in (0, 0.1, 0.5, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=str(path)):
            READERS[name](path)


# The cache.


@pytest.mark.parametrize("name", SMALL)
def test_second_load_needs_no_source_and_is_equal(data, name, monkeypatch, tmp_path):
    assert name in available_tables()
    first = load_table(name)
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    assert name in available_tables()
    second = load_table(name)
    np.testing.assert_array_equal(first.codes, second.codes)
    assert first.columns == second.columns
    for column in first.values:
        np.testing.assert_array_equal(first.values[column], second.values[column])


def test_small_tables_do_not_import_torch_nor_the_cache_pandas(data):
    for name in SMALL:
        load_table(name)
    code = (
        "import resource, sys; import numpy; kib = 1 if sys.platform == 'linux' else 1024\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "from nasrepro.benchmarks import load_table\n"
        f"tables = [load_table(name) for name in {SMALL}]\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert not {'torch', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert (after - before) / kib < 100 * 1024, after - before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def make_small(cache: Path) -> Path:
    compact.load("small", "key", (COLUMN,), small_table)
    path = compact.location("small", "key")
    assert path.is_relative_to(cache)
    return path


def fail() -> Table:
    raise DataError("the source is gone")


def test_damaged_cache_is_rebuilt_or_said_to_be_lost(cache):
    """Cut or changed anywhere, the file is read right, or built again, or an error; never half."""
    path = make_small(cache)
    whole = path.read_bytes()
    spots = range(0, len(whole), 7)
    damaged = [whole[:cut] for cut in spots]
    damaged += [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in spots]
    for content in damaged:
        path.write_bytes(content)
        try:
            table = compact.load("small", "key", (COLUMN,), fail)
        except DataError as error:
            assert str(error) == "the source is gone"
        else:
            assert table.codes.tolist() == [7, 3, 15_624]
            assert table.values[COLUMN.name].tolist() == [10.0, 20.0, 30.0]
    path.write_bytes(whole[:-20])
    compact.load("small", "key", (COLUMN,), small_table)
    assert path.read_bytes() == whole


def test_a_killed_writer_leaves_nothing(cache, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        make_small(cache)
    assert list((cache / "tables").iterdir()) == []


def test_another_source_is_converted_again(cache):
    make_small(cache)
    other = compact.load("small", "other", (COLUMN,), lambda: small_table(values=(1.0, 2.0, 3.0)))
    assert other.values[COLUMN.name].tolist() == [1.0, 2.0, 3.0]
    assert len(list((cache / "tables").iterdir())) == 2


@pytest.mark.parametrize("name", ["cache", "c" * 300], ids=["a file", "too long"])
def test_a_cache_that_cannot_be_written_is_said_once_and_done_without(
    data, tmp_path, monkeypatch, capsys, name
):
    """In a folder whose name is a file's, or which the system does not look up."""
    cache = tmp_path / name
    if name == "cache":
        cache.write_text("a file where the folder should be")
    monkeypatch.setenv("NASREPRO_CACHE", str(cache))
    monkeypatch.setenv("NASREPRO_DATA", str(data))
    assert set(SMALL) <= set(available_tables())
    for table in (*SMALL, *SMALL):
        assert len(load_table(table)) == 15_625
    (said,) = capsys.readouterr().err.splitlines()
    assert re.sub(r"\(.*\)", "()", said) == (
        f"nasrepro: the cache {cache} cannot be written (): every command converts what it reads "
        "anew; set $NASREPRO_CACHE to another folder"
    )


def test_no_source_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    assert available_tables() == ()
    assert sorted(TABLES) == sorted(
        [
            *(*SMALL, nb101.NAME, macro.NAME, official.NAME, nb101_official.NAME),
            *(selfmade.NAME, nb301.NAME),
        ]
    )
    with pytest.raises(DataError, match=r"NAS-Bench-201-v1_1-096897\.pth or NATS-tss"):
        load_table("nb201-official")
