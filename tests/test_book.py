"""Executing notebooks: parameters, failures, the cache; and what the book's sources promise."""

import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import typer
import yaml

from nasrepro import benchmarks, book, cli, kernel, metrics, paths
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError, DataError, NasreproError
from nasrepro.parameters import check_parameters
from nasrepro.paths import REPOSITORY
from nasrepro.studies import NAMES, study
from nasrepro.studies import results as study_results

PATIENCE = 1_800  # seconds; only a test that fails waits so long

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
number = 1

# %%
"""

PARAMETERS = "profile = 'cpu'; workers = 0; device = 'cpu'"

# Papermill and the Jupyter client use what newer Pythons and libraries deprecate.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A book of no pages in an empty folder."""
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    monkeypatch.setattr(book, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(book, "EXECUTED", tmp_path / "book" / "_executed")
    monkeypatch.setattr(book, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(book, "LOCK_FILE", tmp_path / "requirements.lock")
    monkeypatch.setattr(book, "fetch_tables", lambda report=print: None)
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    book.NOTEBOOKS.mkdir()
    book.LOCK_FILE.write_text("numpy==2.4.6\n")
    (tmp_path / "results").mkdir()
    return tmp_path


def write_notebook(name: str, code: str) -> Path:
    path = book.NOTEBOOKS / f"{name}.py"
    path.write_text(HEADER + code)
    return path


def outputs(path: Path) -> list[str]:
    """The printed texts of an executed notebook."""
    cells = json.loads(path.read_text())["cells"]
    return [
        "".join(output["text"])
        for cell in cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    ]


def test_parameters_are_injected_and_hidden(workspace):
    write_notebook("01_tiny", "print(number + 1)\n")
    path = book.run("01_tiny", {"number": 41})
    assert outputs(path) == ["42\n"]
    tags = [cell["metadata"].get("tags", []) for cell in json.loads(path.read_text())["cells"]]
    assert ["injected-parameters", "hide-input"] in tags
    assert not book.EXECUTED.exists(), "the book is left alone"
    assert str(workspace) not in path.read_text(), "no path of this machine goes on a page"


def test_an_executed_notebook_is_a_page_and_an_ordinary_notebook(workspace):
    """Its links to other pages lead to the built book."""
    write_notebook(
        "01_tiny",
        "from IPython.display import Markdown\nfrom myst_nb import glue\n"
        "glue('answer', Markdown(f'{number + 1}'), display=False)\n"
        "# %% [markdown]\n# # Title\n#\n# It is {glue:md}`answer`: {doc}`what <../status>`.\n#\n"
        '# <p><a class="on" href="../status.html#now">now</a>, '
        '<a class="off" href="../lost.html">lost</a></p>\n',
    )
    shutil.copy(REPOSITORY / "_config.yml", workspace)
    hidden = shutil.ignore_patterns("_executed", "__pycache__")
    shutil.copytree(REPOSITORY / "book", workspace / "book", ignore=hidden)
    executed = book.run("01_tiny", {"number": 41})
    built = book.BUILD / "html" / "book" / "status.html"
    built.parent.mkdir(parents=True)
    built.touch()
    assert book.publish(executed) == book.BUILD / "runs" / "01_tiny" / "index.html"
    page = book.BUILD / "runs" / "01_tiny" / "book" / "_executed" / "01_tiny.html"
    text = page.read_text()
    assert "<p>It is 42: <a" in text
    (link,) = re.findall(r'href="([^"]*status.html)"', text)
    assert (page.parent / link).resolve() == built
    assert f'<a class="on" href="{link}#now">' in text
    assert '<a class="off" >lost</a>' in text, "a page that is not built is no link"
    cells = json.loads(executed.read_text())["cells"]
    assert "It is 42: what." in "".join(cells[-1]["source"])
    assert not any(cell.get("outputs") for cell in cells)
    (download,) = (book.BUILD / "runs" / "01_tiny" / "_sources").rglob("*.ipynb")
    assert download.read_bytes() == executed.read_bytes()


def test_runs_that_a_notebook_asks_for_are_computed_before(workspace, monkeypatch):
    write_notebook("01_regret", "print(profile, workers)\n")
    source = book.NOTEBOOKS / "01_regret.py"
    source.write_text(source.read_text().replace("number = 1", PARAMETERS))
    asked: list[tuple] = []
    monkeypatch.setattr(study_results, "compute_missing", lambda *words: asked.append(words))
    monkeypatch.setattr(book, "execute_notebook", lambda *words: asked.append(words[1:2]))
    book.run("01_regret", {})
    book.run("01_regret", given := {"workers": 2, "profile": "smoke"})
    assert asked == [({},), ("regret", "smoke", None, 2, "cpu"), (given,)]


def test_the_book_shows_its_own_store_whatever_somebody_ran(workspace, monkeypatch):
    monkeypatch.setattr(book, "_build", lambda report: paths.results_dirs())
    for variable, store in (("", "results"), (str(workspace / "mine"), "mine")):
        monkeypatch.setenv("NASREPRO_RESULTS", variable)
        assert book.build(print) == (workspace / store,)


@pytest.mark.slow
def test_studies_are_executed_with_the_smallest_profile(tmp_path, monkeypatch):
    """A page made for what the book shows must not fail on what a newcomer runs first."""
    configs = [config for name in NAMES for config in study(name).design("smoke")]
    tables = {study(name).table_of("smoke") for name in NAMES} | {c.needed_table for c in configs}
    lists = {config.needed_list for config in configs} - {None}
    if tables - {None} - set(benchmarks.available_tables()) or (
        lists and locate(SOURCES["sotl-cells"]) is None
    ):
        pytest.skip("not all published tables and lists are on this machine; set NASREPRO_DATA")
    monkeypatch.setattr(book, "BUILD", tmp_path / "_build")
    monkeypatch.setenv("NASREPRO_RESULTS", str(tmp_path / "results"))
    for notebook in sorted(path.stem for path in book.NOTEBOOKS.glob("*.py")):
        executed = book.run(notebook, {"profile": "smoke", "workers": 2})
        assert not re.search(r"\| *nan *\|", executed.read_text()), "no table shows a bare nan"


@pytest.fixture
def start(workspace) -> Iterator[Callable[[str], subprocess.Popen]]:
    """Starts other processes that work on the same book, and can be talked to."""
    places = (
        "from pathlib import Path\nfrom nasrepro import book, paths\n"
        f"workspace = paths.REPOSITORY = Path({str(workspace)!r})\n"
        "book.NOTEBOOKS, book.BUILD = workspace / 'notebooks', workspace / '_build'\n"
        "book.fetch_tables = lambda report: None\n"
    )
    running = []

    def begin(script: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{places}{script}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()


@pytest.fixture
def meeting(workspace) -> list[str]:
    """Names of two notebooks, each of which waits in its cell for the other."""
    codes = {
        "01_tiny": "open('a', 'w').close(); open('b').read(); print('met')\n",
        "02_tiny": "open('a').read(); open('b', 'w').close(); print('met')\n",
    }
    os.mkfifo(workspace / "a")
    os.mkfifo(workspace / "b")
    for name, code in codes.items():
        write_notebook(name, code)
    return list(codes)


def test_a_build_executes_notebooks_at_once(meeting, monkeypatch):
    monkeypatch.setattr(book, "lay_out", lambda report: None)
    book.build()
    for name in meeting:
        assert outputs(book.EXECUTED / f"{name}.ipynb") == ["met\n"]


def test_a_notebook_that_fails_spoils_no_other(workspace):
    write_notebook("01_tiny", "raise ValueError('too few cells')\n")
    write_notebook("02_tiny", "print(number)\n")
    with pytest.raises(NasreproError, match="01_tiny, cell"):
        book.build()
    assert [path.name for path in book.EXECUTED.glob("*")] == ["02_tiny.ipynb"]


def test_notebooks_are_run_by_several_people_at_once(meeting, start):
    processes = [start(f"book.run({name!r}, {{}})") for name in meeting]
    for name, process in zip(meeting, processes, strict=True):
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        assert outputs(book.BUILD / "runs" / f"{name}.ipynb") == ["met\n"]


def test_an_interrupted_build_ends_with_its_kernels(workspace, start):
    """They are in sessions of their own, so that the terminal does not interrupt them."""
    os.mkfifo(workspace / "a")
    write_notebook(
        "01_tiny", "import os; open('a', 'w').write(str(os.getpid())); open('a').read()\n"
    )
    process = start("book.EXECUTED = workspace / '_executed'\nbook.build()")
    kernel_process = psutil.Process(int((workspace / "a").read_text()))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert errors.endswith("KeyboardInterrupt\n")
    kernel_process.wait(PATIENCE)
    assert not list((workspace / "_executed").glob("*"))


def test_a_running_notebook_leaves_nothing_in_the_repository(workspace):
    write_notebook("01_tiny", "import os; print(*sorted(os.listdir()))\n")
    before = sorted(path.name for path in workspace.iterdir())
    assert outputs(book.run("01_tiny", {})) == [" ".join(before) + "\n"]
    assert sorted(path.name for path in workspace.iterdir()) == sorted([*before, "_build"])
    assert [path.name for path in book.BUILD.rglob("*")] == ["runs", "01_tiny.ipynb"]


def test_the_kernel_is_this_interpreter_with_no_settings_of_the_user(workspace, monkeypatch):
    """Whatever kernel of the same name, or start-up file, the user has."""
    spec = workspace / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["false"], "display_name": "", "language": "python"}))
    startup = workspace / "ipython" / "profile_default" / "startup" / "mine.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("mine = True\n")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(workspace / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(workspace / "ipython"))
    write_notebook("01_tiny", "import sys; print(sys.executable, 'mine' in globals())\n")
    assert outputs(book.run("01_tiny", {})) == [f"{sys.executable} False\n"]


def test_a_long_path_of_temporary_files_is_no_obstacle(workspace, monkeypatch):
    """The path of a socket has about 100 characters at most."""
    folder = workspace / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(kernel.tempfile, "tempdir", str(folder))
    write_notebook("01_tiny", "print(number)\n")
    assert outputs(book.run("01_tiny", {})) == ["1\n"]
    assert list(folder.iterdir()) == []


def test_a_kernel_that_ends_before_it_has_begun_is_one_sentence(workspace, monkeypatch):
    monkeypatch.setattr(kernel, "make_ipkernel_cmd", lambda: [sys.executable, "-c", ""])
    write_notebook("01_tiny", "print(number)\n")
    with pytest.raises(NasreproError, match="01_tiny: its kernel died"):
        book.run("01_tiny", {})


def test_a_build_waits_for_another_and_says_for_whom(workspace, start, monkeypatch):
    monkeypatch.setattr(book, "lay_out", lambda report: workspace)
    other = start("with book.building(print): print('begun', flush=True); input()")
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        if line.startswith("waiting"):
            other.stdin.write("\n")
            other.stdin.flush()

    assert other.stdout.readline() == "begun\n"
    book.build(report)
    _, errors = other.communicate(timeout=PATIENCE)
    assert other.returncode == 0, errors
    assert said == [
        f"waiting for process {other.pid} on {platform.node()}, which is building this book"
    ]
    book.build(said.append)
    assert len(said) == 1, "nobody builds now"


def test_a_clone_that_cannot_be_written_is_one_sentence(workspace):
    book.BUILD.write_text("no folder")
    with pytest.raises(DataError, match=r"cannot lock .*build\.lock .*; build the book in a clone"):
        book.build()


def test_a_relative_folder_is_the_same_in_the_kernel(workspace, monkeypatch):
    write_notebook("01_tiny", "from nasrepro.paths import *; print(results_dir(), data_dir())\n")
    (workspace / "here").mkdir()
    monkeypatch.chdir(workspace / "here")
    monkeypatch.setenv("NASREPRO_RESULTS", "records")
    monkeypatch.setenv("NASREPRO_DATA", "")
    monkeypatch.setattr(book, "publish", lambda executed: executed)
    monkeypatch.setattr(sys, "argv", ["nasrepro", "book", "run", "01_tiny"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    printed = outputs(book.BUILD / "runs" / "01_tiny.ipynb")
    assert printed == [f"{workspace / 'here' / 'records'} None\n"]


def test_unknown_parameter_is_an_error(workspace):
    write_notebook("01_tiny", "print(number)\n")
    with pytest.raises(
        ConfigError,
        match=r"no parameter nmuber \(did you mean number\?\); its parameters are number",
    ):
        book.run("01_tiny", {"nmuber": 2})


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("workers", "two", "workers takes a whole number, e.g. 0; found 'two'"),
        ("workers", 2.5, "workers takes a whole number, e.g. 0; found 2.5"),
        ("workers", True, "workers takes a whole number, e.g. 0; found True"),
        ("workers", None, "workers takes a whole number, e.g. 0; found None"),
        ("workers", -1, "workers: it takes 0 or more local processes, found -1"),
        ("profile", 1, "profile takes a text, e.g. 'cpu'; found 1"),
        ("profile", "big", "profile: unknown profile 'big'; choose from smoke,"),
        ("device", 0, "device takes a text, e.g. 'cpu'; found 0"),
        ("device", "gpu", "device: cannot compute on 'gpu'; this machine has cpu"),
    ],
)
@pytest.mark.parametrize("notebook", [path.stem for path in book.NOTEBOOKS.glob("*.py")])
def test_values_of_parameters_are_checked_before_anything_else(
    monkeypatch, notebook, parameter, value, sentence
):
    monkeypatch.setattr(book, "fetch_tables", lambda report: pytest.fail("it fetched tables"))
    with pytest.raises(ConfigError, match=f"{notebook}: {re.escape(sentence)}"):
        book.run(notebook, {parameter: value})


def test_values_that_a_parameter_takes_are_not_refused():
    known = {"profile": "cpu", "workers": 0, "device": "cpu", "rate": 0.5, "sparse": False}
    given = {"profile": "smoke", "workers": 2, "device": "cpu", "rate": 1, "sparse": True}
    check_parameters("01_correlations", known, given)
    check_parameters("01_correlations", known, {})


def test_unknown_notebook_is_an_error(workspace):
    write_notebook("01_tiny", "print(number)\n")
    with pytest.raises(ConfigError, match=r"unknown notebook '02_tiny'.*01_tiny"):
        book.run("02_tiny", {})


def test_failing_cell_leaves_nothing_or_what_was_there(workspace):
    source = write_notebook("01_tiny", "raise ValueError('too few cells')\n")
    output = book.EXECUTED / "01_tiny.ipynb"
    with pytest.raises(NasreproError, match=r"01_tiny, cell 2.*\n.*\n.*ValueError: too few cells"):
        book.execute_notebook(source, {}, output)
    assert not output.exists()
    output.parent.mkdir(parents=True)
    output.write_text("before")
    with pytest.raises(NasreproError):
        book.execute_notebook(source, {}, output)
    assert output.read_text() == "before"


def test_build_executes_only_what_changed(workspace, monkeypatch):
    monkeypatch.setattr(book, "lay_out", lambda report: workspace)
    notebook = write_notebook("01_tiny", "print('first')\n")
    book.EXECUTED.mkdir(parents=True)
    (book.EXECUTED / "00_gone.ipynb").write_text("{}")
    said: list[str] = []
    book.build(said.append)
    book.build(said.append)
    notebook.write_text(notebook.read_text().replace("first", "second"))
    book.build(said.append)
    words = [line.split(": ")[1].split(" ")[0] for line in said]
    assert words == ["to", "executed", "nothing", "to", "executed"]
    assert outputs(book.EXECUTED / "01_tiny.ipynb") == ["second\n"]
    assert not (book.EXECUTED / "00_gone.ipynb").exists(), "its notebook is gone"


def test_cache_key_changes_with_what_a_page_depends_on(workspace, monkeypatch):
    notebook = write_notebook("01_tiny", "print(number)\n")
    record = workspace / "results" / "records" / "0123.json"
    record.parent.mkdir()
    monkeypatch.setattr(book, "locate", lambda source: None)
    keys = [book.cache_key(notebook)]
    record.write_text("{}")
    keys.append(book.cache_key(notebook))
    record.write_text("[]")
    keys.append(book.cache_key(notebook))
    book.LOCK_FILE.write_text("numpy==2.4.7\n")
    keys.append(book.cache_key(notebook))
    monkeypatch.setattr(book.benchmarks, "available_tables", lambda: ("another",))
    keys.append(book.cache_key(notebook))
    monkeypatch.setattr(book, "locate", lambda source: source.name == "nb101-supernets")
    keys.append(book.cache_key(notebook))
    assert len(set(keys)) == len(keys)
    (record.parent / ".0123.json.half").write_text("{")
    assert book.cache_key(notebook) == keys[-1], "a record being written is none yet"


def test_damaged_notebook_counts_as_not_executed(tmp_path):
    path = tmp_path / "01_tiny.ipynb"
    assert book.stored_key(path) is None
    for text in ("{", "[]", '{"metadata": {}}'):
        path.write_text(text)
        assert book.stored_key(path) is None


def test_warning_on_a_page_fails_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    monkeypatch.setattr(book, "BUILD", tmp_path / "_build")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "_config.yml").write_text("only_build_toc_files: true\n")
    (tmp_path / "index.md").write_text("# Title\n\n{doc}`nowhere`\n")
    with pytest.raises(NasreproError, match=r"index.md:3: WARNING: unknown document"):
        book.lay_out(print)


def test_table_of_contents_lists_what_exists():
    toc = yaml.safe_load((paths.REPOSITORY / "_toc.yml").read_text())
    entries = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    executed = sorted(Path(entry).name for entry in entries if "_executed" in entry)
    notebooks = sorted(path.stem for path in (paths.REPOSITORY / "notebooks").glob("*.py"))
    assert executed == notebooks
    pages = {entry for entry in (*entries, toc["root"]) if "_executed" not in entry}
    assert pages == {f"book/{path.stem}" for path in (paths.REPOSITORY / "book").glob("*.md")}


def test_every_metric_has_its_place_on_the_definitions_page():
    page = (paths.REPOSITORY / "book" / "definitions.md").read_text()
    functions = [
        name
        for name, value in vars(metrics).items()
        if getattr(value, "__module__", None) == "nasrepro.metrics"
        and callable(value)
        and not isinstance(value, type)
        and not name.startswith("_")
        and name != "finite_vector"
    ]
    assert len(functions) > 5
    for name in functions:
        before, directive, _ = page.partition(f".. autofunction:: {name}\n")
        assert directive, f"{name} is missing"
        assert before.rpartition("\n##")[2].count("$$") == 2, f"{name} has no formula"


def bash_blocks() -> list[str]:
    """The commands that the README and the pages tell a reader to type, block by block."""
    pages = [paths.REPOSITORY / "README.md", *(paths.REPOSITORY / "book").glob("*.md")]
    texts = [path.read_text(encoding="utf-8").replace("\\\n", "") for path in pages]
    return [block for text in texts for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("block", bash_blocks())
def test_commands_on_pages_are_there(block):
    makefile = (paths.REPOSITORY / "Makefile").read_text()
    for line in block.splitlines():
        program, *words = shlex.split(line, comments=True) or [""]
        if program == "make":
            assert f"\n{words[0]}:" in makefile, line
        if Path(program).name != "nasrepro":
            continue
        assert program == ".venv/bin/nasrepro" or "conda activate" in block, line
        command = typer.main.get_command(cli.app)
        while hasattr(command, "commands"):
            name, *words = words
            command = command.commands[name]
        command.make_context(name, words)  # raises where an option or an argument does not fit


def test_a_table_that_cannot_be_had_is_told_and_no_error(monkeypatch):
    def load(name: str) -> None:
        raise DataError("no answer")

    monkeypatch.setattr(book.benchmarks, "load_table", load)
    monkeypatch.setattr(book, "locate", lambda source: None)
    said: list[str] = []
    book.fetch_tables(said.append)
    assert len(said) == sum(name in SOURCES for name in book.benchmarks.TABLES) > 2
    assert all("pages show stored statistics: no answer" in line for line in said)


def test_a_damaged_table_stops_the_book_with_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    path = tmp_path / SOURCES["nb201-200epochs"].filename
    path.write_text("cut")
    said: list[str] = []
    with pytest.raises(DataError, match=f"{path} is not the file of nb201-200epochs.*delete it"):
        book.build(said.append)
    assert said == []


def test_no_notebook_is_tracked_as_ipynb():
    tracked = [
        path
        for folder in ("book", "notebooks", "nasrepro", "tests", "results")
        for path in (paths.REPOSITORY / folder).rglob("*.ipynb")
        if "_executed" not in path.parts
    ]
    assert not tracked
