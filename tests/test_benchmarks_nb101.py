"""The published part of NAS-Bench-101, the authors' supernets, and NAS-Bench-Macro."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasrepro.benchmarks import available_tables, load_table, macro, nb101
from nasrepro.data import pourchot
from nasrepro.data.sources import SOURCES
from nasrepro.errors import DataError
from nasrepro.spaces import macro as macro_space
from nasrepro.spaces.nb101 import SUBSPACES, Cell, module_hash
from nasrepro.spaces.nb101_codes import unique_codes
from nasrepro.studies.appraisal import as_printed, published_table3, rank_correlations, table3

FILES = ("nb101-sample", "nb101-supernets", "nb-macro")
CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(os.environ.get("NASREPRO_DATA", "not set"))
    if missing := [name for name in FILES if not (folder / SOURCES[name].filename).is_file()]:
        pytest.skip(f"set NASREPRO_DATA to a folder with the files of {', '.join(missing)}")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def raw(data) -> pd.DataFrame:
    return pd.read_parquet(data / SOURCES["nb101-sample"].filename)


@pytest.fixture(scope="module")
def sample(data) -> pd.DataFrame:
    return nb101.read_sample(data / SOURCES["nb101-sample"].filename)


@pytest.fixture(scope="module")
def evaluations(data, sample) -> pd.DataFrame:
    return nb101.read_supernets(data / SOURCES["nb101-supernets"].filename, sample)


# The sample.


def test_every_cell_of_the_sample_stands_there_in_canonical_form(sample):
    assert len(sample) == len(set(sample["code"])) == 151_644
    assert np.isin(sample["code"], unique_codes()).all()


def test_cells_have_the_hash_that_the_benchmark_gave_them(raw, sample):
    for row in range(0, len(raw), 500):
        assert module_hash(Cell.from_code(int(sample["code"][row]))) == raw["hash"][row]


@pytest.mark.slow
def test_every_cell_has_the_hash_that_the_benchmark_gave_it(raw, sample):
    codes = sample["code"].tolist()
    assert [module_hash(Cell.from_code(code)) for code in codes] == raw["hash"].tolist()


def test_first_row_as_it_stands_in_the_file(sample):
    """Upper triangle 100110 10000 1001 010 10 1, operations 02001."""
    first = sample.iloc[0]
    matrix = np.zeros((7, 7), dtype=int)
    for a, row in enumerate(("100110", "10000", "1001", "010", "10", "1")):
        matrix[a, a + 1 :] = [int(bit) for bit in row]
    cell = Cell.from_code(int(first["code"]))
    assert cell == Cell.from_matrix(matrix, (CONV3, POOL, CONV3, CONV3, CONV1))
    assert first["params"] == 8_555_530
    accuracies = [first[f"{split}_{run}"] for split in ("validation", "test") for run in (0, 1, 2)]
    counts = [9_227, 9_231, 9_290, 9_197, 9_176, 9_201]
    assert accuracies == pytest.approx([100 * count / 9_984 for count in counts])
    assert first["seconds_1"] == pytest.approx(1_768.250977)


def test_table_is_the_mean_of_three_runs_and_says_that_it_is_a_sample(data, sample, monkeypatch):
    assert "nb101-sample" in available_tables()
    table = load_table("nb101-sample")
    expected = sample[["test_0", "test_1", "test_2"]].mean(axis=1)
    codes = sample["code"].to_numpy()
    assert table.accuracy(codes, "cifar10-test-108") == pytest.approx(expected)
    column = table.column("cifar10-validation-108")
    sentence = "CIFAR-10 validation accuracy after 108 epochs, mean of three runs, percent"
    assert str(column) == sentence
    assert "9,984" in column.detail and "151,644 of 423,624" in column.detail
    monkeypatch.setenv("NASREPRO_DATA", str(data / "nowhere"))
    assert load_table("nb101-sample").codes.tolist() == codes.tolist()  # from the cache
    assert table.cell_at(0) == Cell.from_code(int(codes[0]))
    with pytest.raises(DataError, match="151,644 cells, but none with code 7"):
        table.rows([codes[0], 7])


def test_as_many_distinct_means_as_sums_of_counts(data, raw, sample):
    """Means of shares in floating point would be 8,389 and 8,414."""
    table = load_table("nb101-sample")
    for split, name, distinct in (("validation", "val", 5_836), ("test", "test", 5_774)):
        sums = raw[[f"{name}{run}" for run in (0, 1, 2)]].astype(int).sum(axis=1)
        means = table.values[f"cifar10-{split}-108"]
        assert len(np.unique(sums)) == len(np.unique(means)) == distinct
        assert means.tolist() == (100 * sums / (3 * 9_984)).tolist()
        assert sample[split].tolist() == means.tolist()


def write(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adj_upper": "10"}, "expected 3 digits of 01, found '10'"),
        ({"adj_upper": "112"}, "expected 3 digits of 01, found '112'"),
        ({"ops": "10"}, "expected 1 digits of 012, found '10'"),
        ({"adj_upper": "100"}, "is not the canonical code"),
        ({"val0": 9_985 * 3}, "expected percentages from 0 to 100"),
    ],
)
def test_damaged_sample(tmp_path, raw, change, message):
    one = raw[raw["n"] == 3].iloc[:1].assign(**change)
    with pytest.raises(DataError, match=message):
        nb101.read_table(write(tmp_path, one))


def test_sample_with_a_cell_twice(tmp_path, raw):
    with pytest.raises(DataError, match=r"expected distinct cells, found 1 = .* more than once"):
        nb101.read_table(write(tmp_path, raw.iloc[[3, 4, 3]]))


def test_files_that_are_no_such_table(tmp_path, raw):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"cannot read .*table\.parquet as a Parquet table"):
        nb101.read_sample(path)
    with pytest.raises(DataError, match="expected the columns adj_upper, time2"):
        nb101.read_sample(write(tmp_path, raw.drop(columns=["adj_upper", "time2"]).iloc[:5]))


def test_without_the_file_the_error_says_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setattr(pourchot, "REPOSITORY", str(tmp_path / "repository"))
    with pytest.raises(DataError) as error:
        load_table("nb101-sample")
    for part in ("git failed", str(tmp_path / "repository"), SOURCES["nb101-sample"].filename):
        assert part in str(error.value)


# The authors' supernets.


def test_supernets_were_evaluated_on_cells_of_their_spaces(evaluations):
    assert len(evaluations) == 210_000
    sizes = evaluations.groupby(["space", "method", "seed"]).size()
    assert len(sizes) == 7 * 6 * 5 and set(sizes) == {1_000}
    for space, rows in evaluations.groupby("space"):
        assert SUBSPACES[space].mask(rows["code"].to_numpy()).all()


def test_evaluations_are_joined_to_the_right_cells(sample, evaluations):
    truth = sample.set_index("code")
    for _, row in evaluations.iloc[::20_011].iterrows():
        runs = truth.loc[row["code"], ["validation_0", "validation_1", "validation_2"]]
        assert row["validation"] == pytest.approx(runs.mean())


def test_evaluations_of_another_sample_are_refused(data, sample):
    path = data / SOURCES["nb101-supernets"].filename
    with pytest.raises(DataError, match="expected rows of a sample of 1,000 cells"):
        nb101.read_supernets(path, sample.iloc[:1_000])


def test_evaluations_of_an_unknown_space_are_named(tmp_path, sample):
    frame = pd.DataFrame(
        {"method": ["magic"], "space": ["5"], "seed": [0], "arch_row": [0], "supernet_val_acc": [1]}
    )
    with pytest.raises(DataError, match="unknown spaces or methods 5, magic"):
        nb101.read_supernets(write(tmp_path, frame), sample)


def test_table_3_of_the_paper_comes_out(evaluations):
    """All means, all asterisks, and all intervals but one, which is printed wider than it is."""
    computed = table3(rank_correlations(evaluations))
    same = as_printed(computed).set_index(["space", "method"])
    assert len(same) == len(computed) == 42
    assert same["mean"].all() and same["n"].all()
    assert computed["n"].value_counts().to_dict() == {5: 37, 4: 5}
    other = ("A_FULL^RES", "S-K + P-R")
    assert same.index[~same["ci"]].tolist() == [other]
    ci = computed.set_index(["space", "method"])["ci"]
    assert ci[other] < 0.005 < published_table3().set_index(["space", "method"])["ci"][other]


def test_table_3_on_supernets_worked_by_hand():
    """Correlations 1, -1 and none: mean 0, sd 1 with divisor 2, so 1.96 / sqrt(2)."""
    runs = {0: [1, 2, 3], 1: [3, 2, 1], 2: [5, 5, 5]}
    frame = pd.DataFrame(
        [
            {"space": "A_1", "method": "M", "seed": seed, "proxy": proxy, "validation": truth}
            for seed, proxies in runs.items()
            for proxy, truth in zip(proxies, (10, 20, 30), strict=True)
        ]
    )
    (row,) = table3(rank_correlations(frame)).itertuples(index=False)
    assert (row.space, row.method, row.n) == ("A_1", "M", 2)
    assert (row.mean, row.ci) == pytest.approx((0, 1.959964 / 2**0.5))


# NAS-Bench-Macro.


@pytest.fixture
def networks(data) -> dict:
    return json.loads((data / SOURCES["nb-macro"].filename).read_text())


def test_macro_is_complete_and_means_agree_with_those_of_the_file(data, networks):
    table = load_table("nb-macro")
    assert len(table) == 6_561
    assert [str(cell) for cell in table.cells] == list(networks)
    means = [entry["mean_acc"] for entry in networks.values()]
    np.testing.assert_allclose(table.values["cifar10-test-50"], means)
    assert str(table.cell_at(int(np.argmax(means)))) == "22212220"
    assert len(table.subset(("mb3_k3", "mb6_k5"))) == 2**8


def test_macro_means_are_those_of_whole_images(data):
    """The file's means, of 32 bits, take 2,331 values; the sums of counts 1,655."""
    sums = load_table("nb-macro").values["cifar10-test-50"] * 300
    assert np.abs(sums - np.rint(sums)).max() < 1e-8
    assert len(np.unique(load_table("nb-macro").values["cifar10-test-50"])) == 1_655


def test_macro_networks_that_are_one_were_trained_once(data):
    table = load_table("nb-macro")
    canonical = [macro_space.canonical(cell).code for cell in table.cells]
    accuracies = table.accuracy(canonical, "cifar10-test-50")
    np.testing.assert_array_equal(accuracies, table.values["cifar10-test-50"])
    assert len(set(canonical)) == 3_969


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n.pop("00000000"), r"expected 6,561 networks .* shape \(6560, 3\)"),
        (lambda n: n.update({"0": n.pop("00000000")}), "expected 8 digits"),
        (lambda n: n["00000000"].pop("test_acc"), "test_acc"),
        (lambda n: n["00000000"]["test_acc"].pop(), "not the table of NAS-Bench-Macro"),
        (lambda n: n["00000000"].update(test_acc=[101.0] * 3), "shares of 10,000, found 1.01"),
        (lambda n: n["00000000"].update(test_acc=[90.005] * 3), "shares of 10,000, found 0.9000"),
    ],
)
def test_damaged_macro(tmp_path, networks, change, message):
    change(networks)
    path = tmp_path / "macro.json"
    path.write_text(json.dumps(networks))
    with pytest.raises(DataError, match=message):
        macro.read_json(path)


def test_macro_that_is_no_json(tmp_path):
    path = tmp_path / "macro.json"
    path.write_bytes(b'{"00000000": {"test_acc": [1')
    with pytest.raises(DataError, match="not the table of NAS-Bench-Macro"):
        macro.read_json(path)
    path.write_text("[1, 2]")
    with pytest.raises(DataError, match="not the table of NAS-Bench-Macro"):
        macro.read_json(path)
