"""The folders that variables name."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from nasrepro import paths


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_a_variable_that_names_nothing_counts_as_unset(monkeypatch, value):
    for name in paths.VARIABLES:
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    paths.make_variables_absolute()
    assert paths.results_dir() == paths.cache_dir() / "results"
    assert paths.cache_dir() == platformdirs.user_cache_path("nasrepro")
    assert paths.data_dir() is None


def test_variables_keep_their_meaning_in_another_folder(tmp_path, monkeypatch):
    """In this process and in those it starts, as a notebook's kernel."""
    places = (tmp_path / "results", tmp_path / "cache", tmp_path / "elsewhere" / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name, place in zip(paths.VARIABLES, places, strict=True):
        monkeypatch.setenv(name, os.path.relpath(place))
    paths.make_variables_absolute()
    monkeypatch.chdir("/")
    asked = "from test_paths import *; print(*folders(), sep='\\n')"
    answer = subprocess.run(
        [sys.executable, "-c", asked],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    for found in (folders(), map(Path, answer.stdout.split())):
        assert tuple(path.resolve() for path in found) == places


def folders() -> tuple[Path | None, ...]:
    return paths.results_dir(), paths.cache_dir(), paths.data_dir()


def test_a_folder_that_may_not_be_searched_has_no_files_for_us(tmp_path, monkeypatch):
    (tmp_path / "a.npz").touch()
    assert paths.files(tmp_path, "*.npz") == [tmp_path / "a.npz"]

    def refuse(*asked):
        raise PermissionError

    monkeypatch.setattr(Path, "glob", refuse)
    monkeypatch.setattr(Path, "stat", refuse)
    assert paths.files(tmp_path, "*.npz") == [] and not paths.exists(tmp_path)
