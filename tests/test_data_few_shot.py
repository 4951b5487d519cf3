"""The logs of the few-shot authors' single supernets become one table of all cells."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from repositories import commit

from nasrepro.data import few_shot, sources
from nasrepro.data.few_shot import CELLS, FOLDER, convert
from nasrepro.data.pourchot import content_sha256
from nasrepro.data.sources import SOURCES
from nasrepro.errors import DataError
from nasrepro.spaces.nb201 import EDGES, NUM_CELLS, OPERATIONS, Cell

NAME = "seed-7-opt5-wotrash-baseline-5-64-250"


def genotype(cell: Cell) -> str:
    """A cell as the authors' program writes it."""
    nodes = [
        tuple(
            (operation, source)
            for (source, target), operation in zip(EDGES, cell.operations, strict=True)
            if target == node
        )
        for node in (1, 2, 3)
    ]
    return str(nodes)


def logs(name: str, accuracy) -> dict[str, bytes]:
    """Five logs by path, each of the cells that have one operation on the first edge."""
    found = {}
    for part, first in enumerate(OPERATIONS):
        cells = (Cell((first, *rest)) for rest in itertools.product(OPERATIONS, repeat=5))
        log = {genotype(cell): accuracy(cell) for cell in cells}
        found[f"{FOLDER}/{name}_{part}"] = json.dumps(log).encode()
    return found


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return logs(NAME, lambda cell: cell.code / 200)


def test_a_genotype_is_written_as_in_the_logs():
    """The second key of a log in the repository."""
    cell = Cell(("none",) * 5 + ("skip_connect",))
    second = "[(('none', 0),), (('none', 0), ('none', 1)), (('none', 0), ('none', 1), "
    assert genotype(cell) == second + "('skip_connect', 2))]"


def test_five_logs_become_a_column_in_the_order_of_the_codes(files):
    others = {
        f"{FOLDER}/gt_c10": b"not JSON",
        f"{FOLDER}/seed-0-last_arch320": b"{}",
        f"{FOLDER}/seed-7-opt5-wotrash-decom5-5-64-250_0": b"{}",  # several supernets
    }
    found = convert(reversed((files | others).items()))
    assert list(found) == [NAME] and found.index.name == CELLS
    assert found.index[1] == str(Cell.from_code(1))
    assert found[NAME].tolist() == [code / 200 for code in range(NUM_CELLS)]


def changed(files: dict[str, bytes], part: int, content: bytes) -> dict[str, bytes]:
    return files | {f"{FOLDER}/{NAME}_{part}": content}


def test_logs_that_are_not_as_expected_are_named(files):
    first = files[f"{FOLDER}/{NAME}_0"]
    for content in (b"{", b"[]", b'{"[]": 1}', b'{"print(1)": 1}', first[:-1]):
        with pytest.raises(DataError, match="_3 is not a log of accuracies"):
            convert(changed(files, 3, content).items())
    with pytest.raises(DataError, match=r"_3 has cells that another log"):
        convert(changed(files, 3, first).items())
    with pytest.raises(DataError, match=r"expected 15,625 cells of .*, found 12,500"):
        convert(changed(files, 3, b"{}").items())
    with pytest.raises(DataError, match="no log of a single supernet"):
        convert([("a/README.md", b"")])


@pytest.fixture
def published(tmp_path, monkeypatch, files):
    """The repository with one run, known by the beginning of its commit's name."""
    name = commit(tmp_path / "repository", files | {"README.md": b"more"})
    monkeypatch.setattr(few_shot, "COMMIT", name[:8])
    monkeypatch.setattr(few_shot, "REPOSITORY", str(tmp_path / "repository"))
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))


def test_the_table_is_made_from_the_repository_and_its_content_checked(
    published, monkeypatch, files
):
    with pytest.raises(DataError, match=r"cannot make nb201-supernets: .* its content has sha256"):
        sources.fetch(SOURCES["nb201-supernets"])
    assert not sources.downloads_dir().exists()
    monkeypatch.setattr(few_shot, "CONTENT", content_sha256(convert(files.items())))
    path = sources.fetch(SOURCES["nb201-supernets"])
    pd.testing.assert_frame_equal(pd.read_parquet(path), convert(files.items()))


def test_an_unknown_beginning_of_a_name_is_no_commit(published, monkeypatch):
    monkeypatch.setattr(few_shot, "COMMIT", "0" * 8)
    with pytest.raises(DataError, match="git failed"):
        sources.fetch(SOURCES["nb201-supernets"])


def test_the_prepared_table_has_the_content_that_is_made():
    """Its single supernets, in the order of the codes."""
    if (path := sources.locate(SOURCES["nb201-supernets"])) is None:
        pytest.skip("set NASREPRO_DATA to a folder with the table of supernets")
    frame = pd.read_parquet(path)
    names = sorted(name for name in frame if few_shot.LOG.fullmatch(f"{name}_0"))
    cells = [str(Cell.from_code(code)) for code in range(NUM_CELLS)]
    assert len(names) == 31
    assert content_sha256(frame.loc[cells, names].astype(np.float64)) == few_shot.CONTENT
