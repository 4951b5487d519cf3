"""What every test shares."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported: the networks here are so small that threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The published records, whatever runs of their own somebody has.
os.environ["NASREPRO_RESULTS"] = str(Path(__file__).parents[1] / "results")

# No example is too slow: how long it takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Mark what may compute with torch: `make test-avx2` runs it."""
    for item in items:
        if isinstance(item, pytest.Function) and uses_torch(item.module):
            item.add_marker("torch")


def uses_torch(module: ModuleType) -> bool:
    """Whether a module has torch, or something of a module that has it."""
    names = {
        getattr(value, "__module__", None) or getattr(value, "__name__", None)
        for value in vars(module).values()
    }
    modules = [sys.modules[name] for name in names if name in sys.modules]
    return any("torch" in vars(each) for each in (module, *modules))


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, for this process and those it starts."""
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"
