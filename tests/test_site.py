"""The built site, as a visitor meets it: links, and in a browser requests, maths, phones, errors.

Needs a site (`make book`); the tests in a browser also need an installed Chromium.
"""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from nasrepro import book, plain

SITE = book.BUILD / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.glob("book/**/*.html"))
STUDIES = [page for page in PAGES if "/_executed/" in page]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 1_800_000  # milliseconds; only a test that fails waits so long
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)

pytestmark = [
    pytest.mark.skipif(not PAGES, reason="no site: make book"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


class Links(HTMLParser):
    """The addresses that a page points to, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.addresses.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


@cache  # hundreds of claims link to the same few pages
def links_of(path: Path) -> Links:
    return Links(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_local_links_lead_somewhere(page: str) -> None:
    path = SITE / page
    links = links_of(path)
    for address in links.addresses:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        assert target.exists(), address
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in links_of(target).anchors, address


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_no_path_of_the_machine_that_built_them(page: str) -> None:
    text = (SITE / page).read_text(encoding="utf-8")
    assert str(book.paths.REPOSITORY) not in text
    assert str(Path.home()) + "/" not in text


def test_a_page_offers_a_notebook_that_any_program_shows() -> None:
    downloads = list((SITE / "_sources").rglob("*.ipynb"))
    assert len(downloads) == len(list(book.NOTEBOOKS.glob("*.py")))
    for path in downloads:
        node = nbformat.read(path, as_version=4)
        nbformat.validate(node)
        kinds = {kind for cell in node.cells for o in cell.get("outputs", []) for kind in o["data"]}
        assert not any("papermill" in kind for kind in kinds)
        text = "".join(cell.source for cell in node.cells if cell.cell_type == "markdown")
        assert not plain.ROLE.search(text) and "Executed with" in text


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("kind", ["Fig.", "Table"])
def test_numbers_of_figures_and_tables_begin_on_each_page(page: str, kind: str) -> None:
    text = (SITE / page).read_text(encoding="utf-8")
    numbers = re.findall(rf'<span class="caption-number">{re.escape(kind)} ([\d.]+) </span>', text)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line on the terminal for each."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the site is served: under a sub-path, as on a project's Pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=SITE.parent))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{SITE.name}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    """The installed Chromium."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_in_a_browser(browser, address: str, name: str) -> None:
    """On a phone: nothing from outside, no error, nothing wider than the screen, maths rendered."""
    problems: list[str] = []

    def watch(route) -> None:
        if route.request.url.startswith((address, "data:")):
            route.continue_()
        else:
            problems.append(f"asked for {route.request.url}")
            route.abort()

    page = browser.new_page(viewport={"width": 375, "height": 812})
    page.set_default_timeout(PATIENCE)
    page.route("**/*", watch)
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("response", lambda r: problems.append(r.url) if r.status >= 400 else None)
    page.goto(address + name, wait_until="networkidle")
    formulas = page.locator(".math").count()
    if formulas:
        page.wait_for_selector("mjx-container", state="attached")
    width = page.evaluate("document.documentElement.scrollWidth")
    broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    unrendered = page.locator("mjx-merror").count()
    page.close()
    assert problems == []
    assert broken == []
    assert unrendered == 0
    assert width <= 375
    if name == "book/definitions.html":
        assert formulas > 0, "the definitions have formulas"


@pytest.mark.parametrize("name", PAGES)
def test_pictures_in_a_page_are_read_on_a_phone(browser, address: str, name: str) -> None:
    """Their text is no smaller than ten pixels, they say what they show, and share no name."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE)
    page.goto(address + name, wait_until="load")
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    sizes = page.evaluate(
        "[...document.querySelectorAll('figure > svg text')].map(text => {"
        " const { a, b } = text.getScreenCTM();"  # turned text has its scale in both
        " return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b); })"
    )
    said = page.evaluate(
        "[...document.querySelectorAll('figure > svg')].map(svg => svg.ariaLabel || '')"
    )
    names = page.evaluate("[...document.querySelectorAll('figure [id]')].map(part => part.id)")
    page.close()
    assert min(sizes, default=10) > 9.9
    assert all(said)
    assert len(set(names)) == len(names)
    if name.startswith("book/_executed/"):
        assert said


def test_front_door_leads_to_the_index(browser, address: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_url("**/book/index.html")
    url, title = page.url, page.title()
    page.close()
    assert url == address + "book/index.html"
    assert "claim by claim" in title


@pytest.fixture
def opened(browser, address: str) -> Iterator[Callable]:
    """Opens an address of the site on a phone, with or without scripts."""
    contexts = []

    def open_page(name: str, scripts: bool = True):
        size = {"width": 390, "height": 844}
        contexts.append(browser.new_context(viewport=size, java_script_enabled=scripts))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address + name, wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_any_claims_verdict_is_two_clicks_away_and_beside_no_edge(opened) -> None:
    page = opened("book/index.html")
    page.locator("article a", has_text="Claims").first.click()
    verdicts = page.locator("details.claim .verdict")
    verdicts.first.wait_for()
    page.wait_for_load_state("load")  # claims come one after the other
    assert verdicts.count() == page.locator("details.claim").count() > 100
    edges = verdicts.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert max(edges) <= 390


def test_claims_are_filtered_and_an_address_unfolds_one(opened) -> None:
    page = opened("book/claims.html?paper=Laube#claim-yu-nodes")
    page.wait_for_selector("form.claim-filter:not([hidden])")
    shown = page.locator("details.claim:visible")
    assert page.locator("#claim-yu-nodes[open]").is_visible()  # filtered out, but asked for
    page.locator("select[name=verdict]").select_option("supported")
    kinds = shown.evaluate_all("all => all.map(one => [one.dataset.verdict, one.dataset.paper])")
    assert {tuple(kind) for kind in kinds} == {("supported", "Laube")}
    assert page.locator("form.claim-filter output").inner_text().startswith(f"{len(kinds)} of")


def test_without_scripts_claims_are_a_list_and_unfold(opened) -> None:
    page = opened("book/claims.html", scripts=False)
    claim = page.locator("details.claim").first
    assert claim.is_visible() and not page.locator("form.claim-filter").is_visible()
    claim.locator("summary").click()
    assert claim.locator("dl").is_visible()


@pytest.mark.parametrize("name", STUDIES)
def test_the_code_of_a_study_is_one_click_away(opened, name: str) -> None:
    page = opened(name, scripts=False)
    code = page.locator("article .cell_input").first
    assert not code.is_visible()
    page.locator("#show-code").check()
    assert code.is_visible()


def test_a_table_wider_than_the_page_is_reached_by_the_keyboard(opened) -> None:
    page = opened(STUDIES[0])
    page.locator("details.fold").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(part => (part.open = true))")
    page.wait_for_selector(".bd-article table[tabindex='0']")
    unlike = (
        """all => all.filter(t => (t.scrollWidth > t.clientWidth) != (t.tabIndex === 0)).length"""
    )
    assert page.locator(".bd-article table").evaluate_all(unlike) == 0


def test_the_search_finds_a_metric_and_shows_no_tex(opened) -> None:
    page = opened("search.html?q=sparse+Kendall")
    result = page.locator("ul.search a", has_text="Definitions").first
    result.wait_for()
    page.wait_for_function("document.querySelectorAll('ul.search p.context').length > 1")
    assert "\\(" not in page.locator("ul.search").inner_text()
