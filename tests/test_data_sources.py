"""Files from outside: where they are looked for, and what happens when they are not right."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasrepro.data import sources
from nasrepro.data.sources import SOURCES, Source
from nasrepro.errors import DataError

CONTENT = b"cell,accuracy\n0,91.5\n"
REAL_DATA = os.environ.get("NASREPRO_DATA", "")  # before the tests set their own
NOWHERE = "http://127.0.0.1:9/table.csv"  # the discard port, where nobody listens


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder and a cache of the test's own, and no proxy in between."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def table(*urls: str) -> Source:
    return Source(
        name="table",
        filename="table.csv",
        urls=urls,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        licence="MIT",
        bytes=len(CONTENT),
        description="A small table.",
    )


class Site:
    """A web server on this machine that answers every request in the same way."""

    def __init__(self, body: bytes, status: int = 200, promised: int | None = None):
        self.requests: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(promised or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/table.csv"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(CONTENT) as site:
        yield site


def cached_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache").rglob("*") if path.is_file())


def test_the_registry_is_well_formed():
    for name, source in SOURCES.items():
        assert source.name == name
        assert len(source.sha256) == 64 and int(source.sha256, 16)
        assert source.bytes > 0 and source.licence and source.description.endswith(".")
        assert all(url.startswith("https://") for url in source.urls)
        assert Path(source.filename).name == source.filename
    assert len({source.filename for source in SOURCES.values()}) == len(SOURCES)


def test_importing_the_registry_does_not_import_torch_or_pooch():
    code = "import sys, nasrepro.data.sources; print({'torch', 'pooch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_download_is_kept_and_asked_for_once(folders, site):
    first, second = sources.fetch(table(site.url)), sources.fetch(table(site.url))
    assert first == second == folders / "cache" / "downloads" / "table.csv"
    assert first.read_bytes() == CONTENT
    assert len(site.requests) == 1


def test_the_readers_own_folder_comes_before_the_cache_and_the_network(folders, site):
    sources.fetch(table(site.url))
    local = folders / "data" / "table.csv"
    local.write_bytes(CONTENT)
    assert sources.locate(table()) == local
    assert sources.fetch(table(site.url)) == local
    assert len(site.requests) == 1


def test_without_a_data_folder_the_cache_is_used(monkeypatch, site):
    monkeypatch.delenv("NASREPRO_DATA")
    assert sources.locate(table()) is None
    assert sources.fetch(table(site.url)) == sources.locate(table())


def test_a_data_folder_that_does_not_exist_is_an_error(folders, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(folders / "typo"))
    with pytest.raises(
        DataError, match=r"\$NASREPRO_DATA is .*typo, which is not a folder that can be searched"
    ):
        sources.fetch(table())


@pytest.mark.parametrize("name", ["exists", "access"])
def test_a_data_folder_that_cannot_be_searched_is_an_error(monkeypatch, name):
    """Itself, or what leads to it: as the system answers whoever is not root."""
    monkeypatch.setattr(sources if name == "exists" else sources.os, name, lambda *asked: False)
    with pytest.raises(DataError, match=r"not a folder that can be searched; correct it"):
        sources.locate(table())


@pytest.mark.parametrize("where", ["data", "cache/downloads"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:-5], "expected 21 bytes, found 16"),
        (b"", "expected 21 bytes, found 0"),
        (CONTENT.replace(b"91", b"99"), "expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"),
    ],
    ids=["truncated", "empty", "altered"],
)
def test_a_damaged_file_is_named_and_never_used(folders, site, where, content, message):
    path = folders / where / "table.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        sources.fetch(table(site.url))
    assert str(path) in str(error.value) and "delete it" in str(error.value)
    assert not site.requests


def test_a_folder_under_the_name_of_a_file_is_an_error(folders):
    (folders / "data" / "table.csv").mkdir()
    with pytest.raises(DataError, match=r"table\.csv"):
        sources.fetch(table())


def test_without_a_network_one_error_names_the_ways(folders):
    with pytest.raises(DataError) as error:
        sources.fetch(table(NOWHERE))
    assert error.value.__suppress_context__ or error.value.__context__ is None
    message = str(error.value)
    assert "no answer" in message and NOWHERE in message
    assert "table.csv" in message and "$NASREPRO_DATA" in message
    assert cached_files(folders) == []


def test_a_file_without_an_address_says_what_it_is(folders):
    with pytest.raises(DataError, match=r"A small table\..*\$NASREPRO_DATA"):
        sources.fetch(table())


def test_the_second_address_is_tried(site):
    assert sources.fetch(table(NOWHERE, site.url)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"body": b"<html>log in</html>"}, "what it sent does not have sha256"),
        ({"body": b"gone", "status": 404}, "404"),
        ({"body": CONTENT[:5], "promised": len(CONTENT)}, "no answer|sha256"),
    ],
    ids=["login page", "not found", "broken off"],
)
def test_a_wrong_answer_leaves_nothing_behind(folders, answer, message):
    with Site(**answer) as site, pytest.raises(DataError, match=message):
        sources.fetch(table(site.url))
    assert cached_files(folders) == []


def test_a_cache_that_cannot_be_written_is_named(folders, site):
    (folders / "cache").write_text("a file, not a folder")
    with pytest.raises(DataError, match=r"set \$NASREPRO_CACHE to another folder"):
        sources.fetch(table(site.url))


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("nb")])
def test_the_real_tables_are_the_registered_ones(name, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", REAL_DATA)
    path = sources.locate(SOURCES[name])
    if path is None:
        pytest.skip(f"{SOURCES[name].filename} is not on this machine")
    sources.verify(path, SOURCES[name])
