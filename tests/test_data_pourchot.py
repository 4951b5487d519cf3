"""The authors' pickles, rebuilt from the tables that were made of them, become those tables."""

import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from repositories import commit

from nasrepro.data import git, pourchot, sources
from nasrepro.data.git import read_commit
from nasrepro.data.pourchot import EPOCHS, IMAGES, RUNS, SAMPLE, SUPERNETS, content_sha256, convert
from nasrepro.data.sources import SOURCES
from nasrepro.errors import DataError
from nasrepro.spaces.nb101_codes import OPERATIONS

KEYS = ["method", "space", "seed"]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    folder = Path(os.environ.get("NASREPRO_DATA", "not set"))
    if missing := [name for name in (SAMPLE, SUPERNETS) if not (folder / name).is_file()]:
        pytest.skip(f"set NASREPRO_DATA to a folder with {', '.join(missing)}")
    return {name: pd.read_parquet(folder / name) for name in (SAMPLE, SUPERNETS)}


def evaluation(cell, proxy: float) -> dict:
    """One entry of a pickle, from a row of the sample: what `eval_supernet` of the authors adds."""
    matrix = np.zeros((cell.n, cell.n), dtype=np.int64)
    matrix[np.triu_indices(cell.n, 1)] = [int(bit) for bit in cell.adj_upper]
    inner = [OPERATIONS[int(digit)] for digit in cell.ops]
    fixed = {
        "module_adjacency": matrix,
        "module_operations": ["input", *inner, "output"],
        "trainable_parameters": cell.params,
    }

    def share(count: int) -> float:  # TensorFlow computed it with 32 bits
        return float(np.float32(count / IMAGES))

    runs = [
        {
            "halfway_training_time": 0.0,
            "final_training_time": float(getattr(cell, f"time{run}")),
            "final_train_accuracy": 1.0,
            "final_validation_accuracy": share(getattr(cell, f"val{run}")),
            "final_test_accuracy": share(getattr(cell, f"test{run}")),
        }
        for run in RUNS
    ]
    return {
        "architecture": (matrix, np.array([2.0] * len(inner))),
        "full_metrics": (fixed, {EPOCHS: runs}),
        "bench_metrics": runs,
        "proxy_metrics": {"final_validation_accuracy": np.float64(proxy)},
    }


def dumped(value: object) -> bytes:
    """A pickle as Python 3.7 with NumPy 1 wrote it."""
    return pickle.dumps(value, protocol=3).replace(b"numpy._core.", b"numpy.core.")


def rebuilt(tables: dict[str, pd.DataFrame], chosen: pd.DataFrame) -> dict[str, bytes]:
    """The pickles of some evaluations of the tables, by path."""
    cells = list(tables[SAMPLE].itertuples())
    pickles = {}
    for key, rows in chosen.groupby(KEYS, observed=True, sort=False):
        evaluations = [
            evaluation(cells[row], proxy)
            for row, proxy in zip(rows["arch_row"], rows["supernet_val_acc"], strict=True)
        ]
        folders = "/".join(map(str, key))
        pickles[f"results_paper/{folders}/eval_results.pkl"] = dumped(evaluations)
    return pickles


@pytest.fixture
def published(tmp_path, monkeypatch) -> Callable[[dict[str, bytes]], Path]:
    """Publishes files as the authors' repository; the folder of the cache where they will come."""

    def publish(files: dict[str, bytes]) -> Path:
        repository = tmp_path / "repository"
        monkeypatch.setattr(pourchot, "COMMIT", commit(repository, files))
        monkeypatch.setattr(pourchot, "REPOSITORY", str(repository))
        monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
        monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
        return sources.downloads_dir()

    return publish


# From pickles to tables.


def test_two_supernets_become_their_part_of_the_tables(tables):
    all_rows = tables[SUPERNETS]
    wanted = {("avg-3_ft_bn", "1", 3), ("s-k+p-r_ft_bn", "full_0", 0)}
    chosen = all_rows[[key in wanted for key in all_rows[KEYS].itertuples(index=False, name=None)]]
    converted = convert(reversed(rebuilt(tables, chosen).items()))
    rows = np.unique(chosen["arch_row"])
    expected = tables[SAMPLE].iloc[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(converted[SAMPLE], expected, check_dtype=False)
    assert [str(t) for t in converted[SAMPLE].dtypes[4:]] == [str(t) for t in expected.dtypes[4:]]
    evaluations = converted[SUPERNETS].astype({"method": str, "space": str})
    again = chosen.assign(arch_row=np.searchsorted(rows, chosen["arch_row"]))
    pd.testing.assert_frame_equal(
        evaluations,
        again.astype({"method": str, "space": str}).reset_index(drop=True),
        check_dtype=False,
    )


@pytest.mark.slow
def test_all_supernets_become_the_tables(tables, published):
    folder = published(rebuilt(tables, tables[SUPERNETS]))
    pourchot.make(folder)
    for name, checksum in pourchot.CONTENTS.items():
        assert content_sha256(pd.read_parquet(folder / name)) == checksum


def first(tables: dict[str, pd.DataFrame]) -> dict:
    return evaluation(next(tables[SAMPLE].itertuples()), 0.5)


def without(*path: str) -> Callable[[dict], None]:
    def change(entry: dict) -> None:
        for name in path[:-1]:
            entry = entry[name]
        del entry[path[-1]]

    return change


def wrong_run(**values: float) -> Callable[[dict], None]:
    return lambda entry: entry["full_metrics"][1][EPOCHS][1].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("full_metrics"), "KeyError"),
        (without("proxy_metrics", "final_validation_accuracy"), "KeyError"),
        (lambda entry: entry["full_metrics"][1][EPOCHS].pop(), "2 runs"),
        (lambda entry: entry["full_metrics"][0]["module_operations"].pop(), "a matrix of shape"),
        (wrong_run(final_test_accuracy=0.12345), "0.12345 is not a share of 9984 images"),
        (wrong_run(final_test_accuracy="high"), "TypeError"),
    ],
)
def test_an_evaluation_that_is_not_as_expected_is_named(tables, change, message):
    entry = first(tables)
    change(entry)
    with pytest.raises(DataError, match=r"m/1/0/eval_results\.pkl is not a list of") as caught:
        convert([("m/1/0/eval_results.pkl", dumped([entry]))])
    assert message in str(caught.value)


def test_a_pickle_that_would_call_something_is_not_read():
    with pytest.raises(DataError, match=r"asks for builtins\.print"):
        convert([("m/1/0/eval_results.pkl", dumped([print]))])


# From the repository into the cache.


def test_only_the_evaluations_are_read_and_other_content_is_refused(tables, published):
    files = {
        "results_paper/avg-3_ft_bn/1/0/eval_results.pkl": dumped([first(tables)]),
        "results_paper/avg-3_ft_bn/1/0/params_dict.pkl": dumped(print),
    }
    folder = published(files)
    with pytest.raises(DataError, match=r"cannot make nb101-sample: .* its content has sha256"):
        sources.fetch(SOURCES["nb101-sample"])
    assert not folder.exists()


def test_what_was_made_is_found_and_checked_by_its_content(tables, published, monkeypatch):
    entry = first(tables)
    pickles = {"results_paper/avg-3_ft_bn/1/0/eval_results.pkl": dumped([entry])}
    made = convert(pickles.items())
    contents = {name: content_sha256(frame) for name, frame in made.items()}
    published(pickles)
    monkeypatch.setattr(pourchot, "CONTENTS", contents)
    frames = {}
    for name in ("nb101-sample", "nb101-supernets"):
        source = sources.SOURCES[name]
        small = dataclasses.replace(source, content_sha256=contents[source.filename])
        path = sources.fetch(small)
        assert sources.fetch(small) == path == sources.locate(small)
        frames[source.filename] = pd.read_parquet(path)
        frames[source.filename].iloc[:0].to_parquet(path)
        with pytest.raises(DataError, match=r"is not the file of .* or any with content"):
            sources.fetch(small)
        path.write_bytes(b"PAR1 and nothing else")
        with pytest.raises(DataError, match=r"or any with content \w+, found none"):
            sources.fetch(small)
    for name, frame in made.items():
        pd.testing.assert_frame_equal(frames[name], frame, check_dtype=False)


def test_the_prepared_tables_have_the_content_that_is_expected(tables):
    assert {name: content_sha256(frame) for name, frame in tables.items()} == pourchot.CONTENTS


def test_content_is_names_types_values_and_order_not_what_wrote_them(tables):
    frame = tables[SAMPLE].iloc[:50]
    checksums = {
        content_sha256(frame),
        content_sha256(frame.rename(columns={"ops": "operations"})),
        content_sha256(frame.astype({"val0": np.int64})),
        content_sha256(frame.assign(val0=frame["val0"] + 1)),
        content_sha256(frame.iloc[::-1]),
        content_sha256(frame.assign(ops=frame["ops"].iloc[::-1].to_numpy())),
    }
    assert len(checksums) == 6
    assert content_sha256(frame.astype({"ops": object}).set_index(frame.index + 1)) in checksums
    assert content_sha256(frame.astype({"ops": "category"})) == content_sha256(frame)


# Git.


def test_files_of_a_commit(tmp_path):
    name = commit(tmp_path / "r", {"a/b/1": b"one", "a/2": b"\x00two", "c/3": b"three"})
    commit_later = {"a/2": b"changed"}
    commit(tmp_path / "r", commit_later)
    assert dict(read_commit(str(tmp_path / "r"), name, "a")) == {"a/b/1": b"one", "a/2": b"\x00two"}


def test_what_is_not_there_is_named(tmp_path, monkeypatch):
    url = str(tmp_path / "r")
    name = commit(tmp_path / "r", {"a/1": b"one"})
    with pytest.raises(DataError, match=r"git failed .*b"):
        list(read_commit(url, name, "b"))
    with pytest.raises(DataError, match="git failed"):
        list(read_commit(url, "0" * 40, "a"))
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/r: no answer"):
        list(read_commit("http://127.0.0.1:9/r", name, "a"))
    monkeypatch.setattr(git.shutil, "which", lambda _: None)
    with pytest.raises(DataError, match="git, which is not installed"):
        list(read_commit(url, name, "a"))
