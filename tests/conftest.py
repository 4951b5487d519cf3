"""What every test shares."""

import os
from pathlib import Path

import pytest

# Before torch is imported: the networks here are so small that threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, for this process and those it starts."""
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"
