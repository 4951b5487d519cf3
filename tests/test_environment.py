"""pyproject.toml, requirements.lock, environment.yml and Makefile agree; how make installs."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import settings
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


def versions_of_python() -> list[str]:
    """The versions of Python that pyproject.toml asks for."""
    specifier = Requirement(f"python{PROJECT['requires-python']}").specifier
    return [version for minor in range(30) if specifier.contains(version := f"3.{minor}")]


def test_make_and_the_workflow_take_the_versions_of_the_project():
    (filtered,) = re.findall(
        r"\$\(filter (3[\d. ]+),", (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    )
    assert filtered.split() == versions_of_python()
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "book.yml").read_text())
    tried = workflow["jobs"]["build"]["strategy"]["matrix"]["python"]
    assert tried == [versions_of_python()[0], versions_of_python()[-1]]


def test_conda_environment_uses_the_lock_file():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock", "-e ."]
    (python,) = [name for name in conda if name.startswith("python=")]
    assert python.partition("=")[2] in versions_of_python()
    assert not [name for name in conda if canonicalize_name(name.split("=")[0]) in locked()]


def test_no_test_measures_time():
    """It would fail where the machine is busy."""
    clocks = re.compile(r"time\.(sleep|time|monotonic|perf_counter|process_time)\(")
    tests = Path(__file__).parent.glob("*.py")
    assert [path.name for path in tests if clocks.search(path.read_text(encoding="utf-8"))] == []
    assert settings.default.deadline is None


# ---- make, with programs that stand in for Pythons

PYTHON = """#!/bin/sh
case "$*" in
  "-c "*) echo {version};;
  "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
  "-m pip "*) {pip};;
esac
"""
BROKEN = "#!/bin/sh\nexit 127\n"  # as what a version manager leaves for a version not chosen


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what make needs, and a path on which there is no Python yet."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("rm", "mkdir", "cp", "touch"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    return tmp_path


def put(program: Path, version: str, pip: str = "true") -> None:
    """A program that answers as a Python of a version; "broken" for one that cannot run."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(BROKEN if version == "broken" else PYTHON.format(version=version, pip=pip))
    program.chmod(0o755)


def install(checkout: Path, *words: str) -> tuple[int, str]:
    """Exit status of `make .venv/.installed`, and what it complained of."""
    done = subprocess.run(
        [shutil.which("make"), ".venv/.installed", *words],
        cwd=checkout,
        env={"PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def installed(checkout: Path) -> str:
    """The version of the Python in .venv."""
    assert (checkout / ".venv" / ".installed").exists()
    answer = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-c", ""], capture_output=True, text=True
    )
    return answer.stdout.strip()


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3.11": "3.11", "python3.12": "3.12", "python3.13": "3.13"}, "3.13"),
        ({"python3.11": "3.11", "python3.12": "3.12", "python3": "3.14"}, "3.12"),
        ({"python3.13": "broken", "python3.12": "broken", "python3.11": "3.11"}, "3.11"),
        ({"python3": "3.12"}, "3.12"),
    ],
)
def test_the_newest_python_that_fits_is_taken(checkout, pythons, chosen):
    for name, version in pythons.items():
        put(checkout / "bin" / name, version)
    assert install(checkout)[0] == 0
    assert installed(checkout) == chosen


@pytest.mark.parametrize(
    ("pythons", "asked", "sentence"),
    [
        ({}, [], "found no Python 3.11, 3.12 or 3.13: install one"),
        ({"python3": "3.14", "python3.12": "broken"}, [], "found no Python 3.11, 3.12 or 3.13"),
        (
            {"python3.10": "3.10", "python3.11": "3.11"},
            ["PYTHON=python3.10"],
            "python3.10 is no Python 3.11, 3.12 or 3.13: install one, or say where it is",
        ),
        ({"python3.11": "3.11"}, ["PYTHON=pythn"], "pythn is no Python 3.11, 3.12 or 3.13"),
    ],
)
def test_no_other_python_makes_anything(checkout, pythons, asked, sentence):
    for name, version in pythons.items():
        put(checkout / "bin" / name, version)
    before = sorted(checkout.iterdir())
    code, said = install(checkout, *asked)
    assert code != 0 and said.startswith(sentence) and len(said.splitlines()) == 2
    assert sorted(checkout.iterdir()) == before


def test_an_environment_of_a_version_that_does_not_fit_is_made_anew(checkout):
    put(checkout / "bin" / "python3.12", "3.12")
    put(checkout / ".venv" / "bin" / "python", "3.10")
    (checkout / ".venv" / "of-the-other").touch()
    (checkout / ".venv" / ".installed").touch()
    assert install(checkout)[0] == 0
    assert installed(checkout) == "3.12"
    assert not (checkout / ".venv" / "of-the-other").exists()


def test_an_environment_is_made_anew_only_for_another_version_that_is_asked_for(checkout):
    put(checkout / "bin" / "python3.11", "3.11")
    assert install(checkout)[0] == 0
    put(checkout / "bin" / "python3.13", "3.13")
    assert install(checkout)[0] == 0
    assert installed(checkout) == "3.11"
    assert install(checkout, "PYTHON=python3.13")[0] == 0
    assert installed(checkout) == "3.13"
    assert install(checkout, "PYTHON=python3.10")[0] != 0
    assert installed(checkout) == "3.13"


def test_a_half_made_environment_is_made_anew(checkout):
    put(checkout / "bin" / "python3.13", "3.13", pip="touch .venv/half; exit 1")
    assert install(checkout)[0] != 0
    assert not (checkout / ".venv" / ".installed").exists()
    put(checkout / "bin" / "python3.13", "3.13")
    assert install(checkout)[0] == 0
    assert installed(checkout) == "3.13"
    assert not (checkout / ".venv" / "half").exists()


def test_an_update_of_the_lock_file_keeps_the_environment(checkout):
    put(checkout / "bin" / "python3.13", "3.13", pip="touch .venv/updated")
    assert install(checkout)[0] == 0
    (checkout / ".venv" / "updated").unlink()
    (checkout / ".venv" / "kept").touch()
    os.utime(checkout / ".venv" / ".installed", (0, 0))
    assert install(checkout)[0] == 0
    assert (checkout / ".venv" / "kept").exists() and (checkout / ".venv" / "updated").exists()
