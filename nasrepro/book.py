"""Build the book: execute the notebooks, write the pages that code supplies, lay out the site.

A notebook is executed away from the site and moved there whole, so that a failed one leaves what
was there before. It is executed again when something it depends on changed: its source, the
library, the lock file, the records, or which benchmark tables and external files are here. A
failure is never kept.

Papermill, jupytext and Jupyter Book are needed only here and imported only where they are used.
"""

import ast
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nasrepro import benchmarks, paths
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError, DataError, NasreproError
from nasrepro.pages import generated

NOTEBOOKS = paths.REPOSITORY / "notebooks"
EXECUTED = paths.REPOSITORY / "book" / "_executed"
BUILD = paths.REPOSITORY / "_build"
LOCK_FILE = paths.REPOSITORY / "requirements.lock"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def build(report: Callable[[str], None] = print) -> Path:
    """Build the whole book from the stored records; nothing is trained.

    Args:
        report: is told each step, one line each.

    Returns:
        The first page of the site.

    Raises:
        NasreproError: if the file of a table is damaged, a cell of a notebook fails, or a page has
            a warning.
    """
    fetch_tables(report)
    outputs = {path: EXECUTED / f"{path.stem}.ipynb" for path in sorted(NOTEBOOKS.glob("*.py"))}
    for notebook, output in outputs.items():
        key = cache_key(notebook)
        if stored_key(output) == key:
            report(f"{notebook.stem}: nothing changed since it was executed")
            continue
        start = time.perf_counter()
        execute_notebook(notebook, {}, output, key)
        report(f"{notebook.stem}: executed in {time.perf_counter() - start:.0f} s")
    for stale in set(EXECUTED.glob("*.ipynb")) - set(outputs.values()):
        stale.unlink()
    generated.write_all(EXECUTED, {path.stem: execution(path) for path in outputs.values()})
    return lay_out(report)


def run(notebook: str, parameters: Mapping[str, Any]) -> Path:
    """Execute one study with other parameters; the book is left as it is.

    Args:
        notebook: file name without suffix, e.g. "01_correlations".
        parameters: values for the names in the notebook's first code cell.

    Returns:
        The executed notebook, in `_build/runs/`.

    Raises:
        ConfigError: if there is no such notebook or parameter.
        NasreproError: if a cell fails.
    """
    source = NOTEBOOKS / f"{notebook}.py"
    if not source.is_file():
        names = ", ".join(sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
        raise ConfigError(f"unknown notebook {notebook!r}; the notebooks are {names or 'none'}")
    fetch_tables()
    return execute_notebook(source, parameters, BUILD / "runs" / f"{notebook}.ipynb")


def fetch_tables(report: Callable[[str], None] = print) -> None:
    """Get the benchmark tables that can be downloaded; say so if one cannot be had.

    Raises:
        DataError: if the file of a table is here, but damaged.
    """
    for name in benchmarks.TABLES:
        if name not in SOURCES:
            continue
        try:
            benchmarks.load_table(name)
        except DataError as error:
            if locate(SOURCES[name]):  # pages would fail on it
                raise
            report(f"without the table {name}, pages show stored statistics: {error}")


def execute_notebook(
    source: Path, parameters: Mapping[str, Any], output: Path, key: str | None = None
) -> Path:
    """Execute a py:percent notebook and put the result in place, or leave the place alone.

    Args:
        source: the notebook.
        parameters: values for the names in its cell tagged `parameters`.
        output: the .ipynb file to write.
        key: what `stored_key` will tell of the file.

    Returns:
        `output`.

    Raises:
        ConfigError: if a parameter is not known.
        NasreproError: if a cell fails; what ran of the notebook is in `_build/partial/`.
    """
    import jupytext
    import nbformat

    node = jupytext.read(source)
    node.metadata.setdefault("kernelspec", KERNEL)
    known = default_parameters(node)
    if unknown := [name for name in parameters if name not in known]:
        raise ConfigError(
            f"{source.stem} has no parameter {', '.join(unknown)}; "
            f"its parameters are {', '.join(known) or 'none'}"
        )
    partial = BUILD / "partial" / output.name
    partial.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    executed = _papermill(node, partial, dict(parameters), source.stem)
    _tidy(executed)
    executed.metadata["nasrepro"] = {
        "key": key,
        "seconds": round(time.perf_counter() - start, 1),
        "parameters": known | dict(parameters),
        "numbers": glued(executed),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(executed, partial)
    partial.replace(output)
    return output


def default_parameters(node: Any) -> dict[str, Any]:
    """Names and values assigned in the cell tagged `parameters`: plain `name = literal` lines."""
    tagged = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", [])]
    return {
        target.id: ast.literal_eval(statement.value)
        for cell in tagged
        for statement in ast.parse(cell.source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _papermill(node: Any, partial: Path, parameters: dict[str, Any], name: str) -> Any:
    """Run papermill on a notebook; NasreproError with the failing cell and its error."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    try:
        return papermill.execute_notebook(
            node,
            partial,
            parameters,
            kernel_name=KERNEL["name"],
            progress_bar=False,
            cwd=paths.REPOSITORY,
            config=Config(KernelManager={"transport": "ipc"}),  # no open port
        )
    except PapermillExecutionError as error:
        lines = error.source.strip().splitlines()
        raise NasreproError(
            f"{name}, cell {error.cell_index + 1}, beginning with\n    {lines[0] if lines else ''}"
            f"\nfailed: {error.ename}: {error.evalue}\nThe traceback is in {partial}."
        ) from None
    except DeadKernelError as error:
        raise NasreproError(f"{name}: its kernel died; was memory short? ({error})") from None


def glued(node: Any) -> dict[str, str]:
    """What an executed notebook glued: the text of each key, as Markdown where it has one."""
    found = {}
    for cell in node.cells:
        for output in cell.get("outputs", []):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                data = {kind.rpartition("/")[2]: text for kind, text in output["data"].items()}
                found[name] = data.get("markdown", data.get("plain"))
    return found


def _tidy(node: Any) -> None:
    """Hide the injected parameters, and forget what papermill noted: paths of this machine."""
    node.metadata.pop("papermill", None)
    for cell in node.cells:
        cell.metadata.pop("papermill", None)
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]


def cache_key(notebook: Path) -> str:
    """SHA-256 of all that a notebook's output depends on."""
    found = hashlib.sha256()
    here = [name for name, source in SOURCES.items() if locate(source)]
    for part in (platform.python_version(), *benchmarks.available_tables(), "sources", *here):
        found.update(f"{part}\n".encode())
    for name, path in _dependencies(notebook):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        found.update(f"{name} {content}\n".encode())
    return found.hexdigest()


def _dependencies(notebook: Path) -> Iterator[tuple[str, Path]]:
    """The files that a page depends on, each with a name that is the same on every machine."""
    yield "notebook", notebook
    yield "lock", LOCK_FILE
    library, results = Path(__file__).parent, paths.results_dir()
    published = (path for path in library.glob("published/*") if path.is_file())
    for path in sorted({*library.rglob("*.py"), *published}):
        yield f"library/{path.relative_to(library).as_posix()}", path
    for path in sorted(results.rglob("*")):
        if path.is_file() and not path.name.startswith("."):  # a dot: a record being written
            yield f"results/{path.relative_to(results).as_posix()}", path


def stored_key(output: Path) -> str | None:
    """The key under which a notebook was executed; None if it was not, or its file is damaged."""
    return execution(output).get("key")


def execution(output: Path) -> dict[str, Any]:
    """What `execute_notebook` noted: key, seconds, parameters, numbers; empty if nothing."""
    try:
        return json.loads(output.read_text(encoding="utf-8"))["metadata"]["nasrepro"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def lay_out(report: Callable[[str], None] = print) -> Path:
    """Run Jupyter Book, where every warning is an error; returns the first page of the site.

    Always from nothing: Sphinx does not repeat the warnings of pages it has built before.
    """
    start = time.perf_counter()
    site = BUILD / "html"
    for folder in (site, BUILD / ".doctrees"):
        shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    options = ["build", str(paths.REPOSITORY), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    if done.returncode != 0:
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout)  # no colours
        raise NasreproError(f"Jupyter Book found problems:\n{said}")
    report(f"site: built in {time.perf_counter() - start:.0f} s")
    return site / "index.html"
