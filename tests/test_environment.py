"""pyproject.toml, requirements.lock and environment.yml agree."""

import importlib.metadata
import re
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nasrepro.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = ("book", "test", "cluster", "official")


def locked() -> dict[str, str]:
    """Name and version of every package in the lock file."""
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins), "only exact public versions"
    versions = dict(pin.split("==") for pin in pins)
    assert len(versions) == len(pins), "a package is pinned twice"
    return {canonicalize_name(name): version for name, version in versions.items()}


def declared() -> list[Requirement]:
    """What pyproject.toml asks for, with every extra."""
    groups = (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    return [Requirement(text) for group in groups for text in group]


def test_extras_are_those_the_documentation_names():
    assert set(PROJECT["optional-dependencies"]) == set(EXTRAS)


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_lock_file_satisfies_the_project(requirement):
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in requirements.lock"
    assert requirement.specifier.contains(version)


def test_torch_is_pinned_and_torchvision_is_not_used():
    assert locked()["torch"] == "2.13.0"
    assert "torchvision" not in locked()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need other packages")
def test_lock_file_is_complete():
    """Everything the project needs, and what that needs, is pinned.

    What torch needs is left out: it differs between its builds for CPU and GPU.
    """
    versions = locked()
    pending = [(r.name, extra) for r in declared() for extra in ("", *r.extras)]
    seen = set()
    while pending:
        name, extra = pending.pop()
        if (canonicalize_name(name), extra) in seen or canonicalize_name(name) == "torch":
            continue
        seen.add((canonicalize_name(name), extra))
        assert canonicalize_name(name) in versions, f"{name} is not in requirements.lock"
        for text in importlib.metadata.requires(name) or []:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                pending += [(need.name, e) for e in ("", *need.extras)]


def test_conda_environment_uses_the_lock_file():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock", "-e ."]
    assert "python=3.11" in conda
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains("3.11")
    assert not [name for name in conda if canonicalize_name(name.split("=")[0]) in locked()]
