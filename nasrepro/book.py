"""Build the book: execute the notebooks, write the pages that code supplies, lay out the site.

A notebook is executed away from the site and moved there whole, so that a failed one leaves what
was there before. It is executed again when something it depends on changed: its source, the
library, the lock file, the records, or which benchmark tables and external files are here. A
failure is never kept.

Any number of notebooks can run at once; builds of the book take turns.

Papermill, jupytext and Jupyter Book are needed only here and imported only where they are used.
"""

import asyncio
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nasrepro import benchmarks, paths
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import ConfigError, DataError, NasreproError, meant
from nasrepro.files import whole_file
from nasrepro.parameters import check_parameters, default_parameters
from nasrepro.plain import caption_numbers, plain
from nasrepro.studies import of_notebook

NOTEBOOKS = paths.REPOSITORY / "notebooks"
EXECUTED = paths.REPOSITORY / "book" / "_executed"
BUILD = paths.REPOSITORY / "_build"
LOCK_FILE = paths.REPOSITORY / "requirements.lock"
AT_ONCE = 3  # notebooks that are executed; each takes about 1 GB


def build(report: Callable[[str], None] = print) -> Path:
    """Build the whole book from the stored records; nothing is trained.

    The records are those of the book's own store, unless another one is named: runs of one's own
    do not change the book. Another build of this clone is waited for.

    Args:
        report: is told each step, in one line.

    Returns:
        The first page of the site.

    Raises:
        NasreproError: if the file of a table is damaged, a cell of a notebook fails, or a page has
            a warning.
    """
    paths.use_book_results()
    with building(report):
        return _build(report)


@contextmanager
def building(report: Callable[[str], None]) -> Iterator[None]:
    """The time in which no other process builds the book of this clone; says whom it waits for."""

    def sign(descriptor: int) -> None:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())

    path = BUILD / "build.lock"
    try:
        BUILD.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, fallback_to_soft=False, on_acquired=sign)
        try:
            lock.acquire(timeout=1)  # by then its holder has signed
        except Timeout:
            holder = path.read_text(encoding="utf-8")
            report(f"waiting for {holder}, which is building this book")
            lock.acquire()
    except OSError as error:
        raise DataError(
            f"cannot lock {path} ({error.strerror}); build the book in a clone that can be written"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _build(report: Callable[[str], None]) -> Path:
    """Build the book, while nobody else does."""
    fetch_tables(report)
    outputs = {path: EXECUTED / f"{path.stem}.ipynb" for path in sorted(NOTEBOOKS.glob("*.py"))}
    _execute_changed(outputs, report)
    for stale in set(EXECUTED.glob("*.ipynb")) - set(outputs.values()):
        stale.unlink()
    from nasrepro.pages import generated  # imports torch: slow

    generated.write_all(EXECUTED, {path.stem: execution(path) for path in outputs.values()})
    return lay_out(report)


def _execute_changed(outputs: Mapping[Path, Path], report: Callable[[str], None]) -> None:
    """Execute the notebooks for which something changed, several at once.

    Each kernel is a process, and a thread waits for it. If a notebook fails, the others are
    executed and kept; if this process is interrupted, the kernels end with it.
    """
    import psutil

    ours = psutil.Process()
    others, changed = set(ours.children()), list[tuple]()
    for notebook, output in outputs.items():
        key = cache_key(notebook)
        if stored_key(output) == key:
            report(f"{notebook.stem}: nothing changed since it was executed")
        else:
            report(f"{notebook.stem}: to be executed, which takes a minute or more")
            changed.append((notebook, {}, output, key))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = [pool.submit(_execute_in_thread, *words) for words in changed]
        try:
            for future in as_completed(begun):
                executed = future.result()
                report(f"{executed.stem}: executed in {execution(executed)['seconds']:.0f} s")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for kernel in set(ours.children()) - others:
                kernel.kill()
            raise


def _execute_in_thread(*words: Any) -> Path:
    """`execute_notebook`, and close the event loop that Jupyter leaves in each thread."""
    try:
        return execute_notebook(*words)
    finally:
        with suppress(RuntimeError):  # it failed before there was a loop
            asyncio.get_event_loop().close()


def notebooks() -> dict[str, tuple[str, dict[str, Any]]]:
    """The book's notebooks by name: the title, and the parameters with their defaults."""
    import jupytext

    found = {}
    for path in sorted(NOTEBOOKS.glob("*.py")):
        node = jupytext.read(path)
        titles = (re.search(r"^# (.+)$", cell.source, re.MULTILINE) for cell in node.cells)
        title = next((match[1] for match in titles if match), path.stem)
        found[path.stem] = (title, default_parameters(node))
    return found


def run(
    notebook: str, parameters: Mapping[str, Any], report: Callable[[str], None] = print
) -> Path:
    """Execute one study with other parameters; the book is left as it is.

    The runs that it asks for are computed before, and shown while they are.

    Args:
        notebook: file name without suffix, e.g. "01_correlations".
        parameters: values for the names in the notebook's first code cell.
        report: is told each step, in one line.

    Returns:
        The executed notebook, in `_build/runs/`, for `publish`.

    Raises:
        ConfigError: if there is no such notebook or parameter, or it takes other values.
        NasreproError: if a cell fails.
    """
    import jupytext

    source = NOTEBOOKS / f"{notebook}.py"
    if not source.is_file():
        names = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
        raise ConfigError(
            f"unknown notebook {notebook!r}{meant(notebook, names)}; "
            f"the notebooks are {', '.join(names) or 'none'}"
        )
    defaults = default_parameters(jupytext.read(source))
    check_parameters(notebook, defaults, parameters)
    fetch_tables(report)
    _compute(of_notebook(notebook), defaults | dict(parameters))
    report(f"executing {notebook}, which takes a minute or more")
    return execute_notebook(source, parameters, BUILD / "runs" / f"{notebook}.ipynb")


def _compute(study: str, values: Mapping[str, Any]) -> None:
    """Compute what a notebook would, outside of it, where one sees how far it is."""
    if values.get("workers"):
        from nasrepro.studies.results import compute_missing  # imports torch: slow

        compute_missing(study, values["profile"], None, values["workers"], values["device"])


def publish(executed: Path) -> Path:
    """Lay an executed notebook out as a page of its own, and make it one that any program shows.

    Where the book is built, the page's links to other pages lead there.

    Args:
        executed: of `run`; replaced by what `plain` makes of it.

    Returns:
        The first file of the page's folder, which lies beside the notebook.

    Raises:
        NasreproError: if Jupyter Book fails.
    """
    site = executed.with_suffix("")
    with tempfile.TemporaryDirectory(prefix="nasrepro-") as folder:
        _jupyter_book(_one_page(executed, Path(folder)))
        shutil.rmtree(site, ignore_errors=True)
        shutil.move(Path(folder) / "_build" / "html", site)
    shutil.copy(offer_plain(executed, site), executed)
    return site / "index.html"


def _one_page(executed: Path, folder: Path) -> Path:
    """A folder with the sources of a book of one notebook and the references."""
    import yaml

    book = paths.REPOSITORY / "book"
    prose = [path.name for path in book.glob("*.md") if path.name != "references.md"]
    shutil.copytree(book, folder / "book", ignore=shutil.ignore_patterns("_executed", *prose))
    page = folder / "book" / "_executed" / executed.name
    page.parent.mkdir()
    shutil.copy(executed, page)
    config = yaml.safe_load((paths.REPOSITORY / "_config.yml").read_text(encoding="utf-8"))
    settings = config["sphinx"]["config"]
    settings["extensions"].append("built_book")  # beside the others in book/_ext
    settings |= {
        "built_book": str(BUILD / "html"),
        "built_page": str(executed.with_suffix("")),
    }
    contents = {
        "format": "jb-book",
        "root": f"book/_executed/{executed.stem}",
        "chapters": [{"file": "book/references"}],
    }
    for name, values in (("_config.yml", config), ("_toc.yml", contents)):
        (folder / name).write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def offer_plain(executed: Path, site: Path) -> Path:
    """Let the download button of a notebook's page give what `plain` makes of it.

    Args:
        executed: the notebook.
        site: the folder with its page.

    Returns:
        What the button gives.
    """
    import nbformat

    place = f"book/_executed/{executed.stem}"
    numbers = caption_numbers((site / f"{place}.html").read_text(encoding="utf-8"))
    text = nbformat.writes(plain(nbformat.read(executed, as_version=4), numbers))
    download = site / "_sources" / f"{place}.ipynb"
    download.write_text(text, encoding="utf-8")
    return download


def fetch_tables(report: Callable[[str], None] = print) -> None:
    """Get the benchmark tables that can be downloaded; say so if one is not available.

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
        NasreproError: if a cell fails; what ran of the notebook is in `_build/partial/`.
    """
    import jupytext
    import nbformat

    from nasrepro import kernel

    node = jupytext.read(source)
    node.metadata.setdefault("kernelspec", kernel.SPEC)
    start = time.perf_counter()
    executed = kernel.run_cells(node, parameters, source.stem, BUILD / "partial" / output.name)
    _tidy(executed)
    executed.metadata["nasrepro"] = {
        "key": key,
        "seconds": round(time.perf_counter() - start, 1),
        "parameters": default_parameters(node) | dict(parameters),
    }
    with whole_file(output, "make room") as file:
        file.write(nbformat.writes(executed).encode())
    return output


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
    digest = hashlib.sha256()
    local = [name for name, source in SOURCES.items() if locate(source)]
    for part in (platform.python_version(), *benchmarks.available_tables(), "sources", *local):
        digest.update(f"{part}\n".encode())
    for name, path in _dependencies(notebook):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def _dependencies(notebook: Path) -> Iterator[tuple[str, Path]]:
    """The files that a page depends on, each with a name that is the same on every machine."""
    yield "notebook", notebook
    yield "lock", LOCK_FILE
    library, results = Path(__file__).parent, paths.results_dir()
    published = (path for path in library.glob("published/*") if path.is_file())
    for path in sorted({*library.rglob("*.py"), *published}):
        yield f"library/{path.relative_to(library).as_posix()}", path
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results)
        # A dot: a record being written, or a lock.
        if not any(part.startswith(".") for part in name.parts) and path.is_file():
            yield f"results/{name.as_posix()}", path


def stored_key(output: Path) -> str | None:
    """The key under which a notebook was executed; None if it was not, or its file is damaged."""
    return execution(output).get("key")


def execution(output: Path) -> dict[str, Any]:
    """What `execute_notebook` noted: key, seconds, parameters; empty if nothing."""
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
    _jupyter_book(paths.REPOSITORY, "-W", "-n", "--keep-going")
    for executed in sorted(EXECUTED.glob("*.ipynb")):
        offer_plain(executed, site)
    report(f"site: built in {time.perf_counter() - start:.0f} s")
    return site / "index.html"


def _jupyter_book(source: Path, *options: str) -> None:
    """Run Jupyter Book in a folder; NasreproError with what it said if it fails."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    done = subprocess.run(
        [*command, "build", str(source), "-q", *options], capture_output=True, text=True
    )
    if done.returncode != 0:
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr or done.stdout)  # no colours
        raise NasreproError(f"Jupyter Book found problems:\n{said}")
