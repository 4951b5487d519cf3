"""What every test shares."""

import os
import sys
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


# Those whose files take longest begin first, so that no process is left with one of them.
LONGEST = ("test_pages", "test_book", "test_execute", "test_study_correlations", "test_runs_search")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first; mark what may compute with torch: `make test-avx2` runs it."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
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
