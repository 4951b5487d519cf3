"""Pages and the notebooks that place them: each thing is there, whatever is missing.

The notebooks are read and not executed: what they name must be what their page's module has.
"""

import ast
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import jupytext
import pandas as pd
import pytest
from matplotlib.figure import Figure
from records import arrays

from nasrepro import paths, studies
from nasrepro.claims import VERDICTS, read_claims
from nasrepro.errors import ConfigError
from nasrepro.pages import (
    darts_oneshot,
    darts_space,
    generated,
    of_study,
    registry,
)
from nasrepro.pages.drawing import Drawing
from nasrepro.pages.inputs import Absent, Inputs, how_to_get, read_inputs
from nasrepro.pages.page import MISSING, NOTHING, Page, Table, compose, rows_of
from nasrepro.runs.kinds import kind_of, store_of
from nasrepro.runs.record import Measurement, Record
from nasrepro.studies import of_notebook, results, sotl_claims, study
from nasrepro.studies.design import PART

NOTEBOOKS = sorted((paths.REPOSITORY / "notebooks").glob("*.py"))
SHOWN = [of_notebook(path.stem) for path in NOTEBOOKS]  # studies that have a page


# ---- notebooks


@dataclass(frozen=True)
class Notebook:
    """What a notebook's text names, and its code."""

    path: Path

    @property
    def cells(self) -> list:
        return jupytext.read(self.path).cells

    @property
    def code(self) -> list[str]:
        return [cell.source for cell in self.cells if cell.cell_type == "code"]

    @property
    def prose(self) -> str:
        return "\n\n".join(cell.source for cell in self.cells if cell.cell_type == "markdown")

    def placed(self, kind: str) -> list[str]:
        """The names in all calls of one kind, "figure" or "table"."""
        return re.findall(rf'^page\.{kind}\("([\w-]+)"\)$', "\n".join(self.code), re.MULTILINE)

    @property
    def module(self) -> ModuleType:
        """That of the study of its name."""
        return of_study(self.study)

    @property
    def study(self) -> str:
        return of_notebook(self.path.stem)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> Notebook:
    return Notebook(request.param)


def logic(code: str) -> list[str]:
    """The statements of a cell that do more than place: all but imports of this library and calls.

    The arguments of a call are names and literals.
    """

    def placed(value: ast.expr) -> bool:
        return isinstance(value, ast.Call) and all(
            isinstance(argument, ast.Name | ast.Constant)
            for argument in (*value.args, *(keyword.value for keyword in value.keywords))
        )

    def allowed(statement: ast.stmt) -> bool:
        match statement:
            case ast.ImportFrom(module=module):
                return (module or "").partition(".")[0] == "nasrepro"
            case ast.Expr(value=value) | ast.Assign(targets=[ast.Name()], value=value):
                return placed(value)
        return False

    return [ast.unparse(part) for part in ast.parse(code).body if not allowed(part)]


@pytest.mark.parametrize(
    "code",
    [
        "import pandas as pd",
        "from pandas import DataFrame",
        "if page: page.figure('a')",
        "def helper(): ...",
        "for name in names: page.figure(name)",
        "rows = [name for name in names]",
        "page.figure('a' + 'b')",
        "page.figure([name for name in names][0])",
        "show(page.figure('a'))",
        "total = 1 + 1",
        "tables['a']",
    ],
)
def test_logic_in_a_cell_is_found(code):
    assert logic(code)


def test_a_notebook_only_places(notebook):
    parameters, *others = notebook.code
    assert all(
        isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for statement in ast.parse(parameters).body
    )
    assert [found for code in others for found in logic(code)] == []
    prepared, *figures = others
    assert f'pages.prepare("{notebook.study}", profile, workers, device)' in prepared
    assert all(len(ast.parse(code).body) == 1 for code in figures)


def test_every_number_of_a_notebook_is_one_of_its_page(notebook):
    named = re.findall(r"\{glue:md\}`([\w-]+)`", notebook.prose)
    parts = (notebook.module.TABLES | notebook.module.FIGURES).values()
    captions = [part.caption for part in parts]
    in_captions = re.findall(r"\{([\w-]+)\}", " ".join(captions))
    known = {f"{notebook.study}-{name}" for name in notebook.module.NUMBERS}
    assert set(named) <= known
    assert set(in_captions) <= set(notebook.module.NUMBERS)
    assert known - set(named) <= {f"{notebook.study}-{name}" for name in in_captions}, "unused"


def test_every_part_is_placed_once_and_claims_come_first(notebook):
    assert sorted(notebook.placed("table")) == sorted(notebook.module.TABLES)
    assert notebook.placed("figure") == list(notebook.module.FIGURES)
    assert notebook.code[2:4] == ["page.primer()", "page.claims()"]


def test_a_part_names_claims_and_parts_of_the_design_that_there_are(notebook):
    known = {claim for file in studies.CLAIMS[notebook.study] for claim in read_claims(file)}
    shown = notebook.module.SHOWS
    assert {claim for claims in shown.values() for claim in claims} <= known
    assert set(shown) <= set(labels(notebook))
    design = study(notebook.study).design("cpu")
    parts = {its.get(PART, "") for its in design.values()}
    for name, frame in as_stored(notebook.study).inputs.frames.items():
        assert set(notebook.module.parts_of(name, frame)) <= parts


@cache  # several tests look at it
def as_stored(study_name: str) -> Page:
    """The page of a study on a machine with no file of others."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.delenv("NASREPRO_DATA", raising=False)
        patch.setenv("NASREPRO_CACHE", folder)
        return compose(read_inputs(study_name, "cpu"), of_study(study_name))


def labels(notebook: Notebook) -> list[str]:
    return [
        *(f"fig-{name}" for name in notebook.module.FIGURES),
        *(f"tab-{name}" for name in notebook.module.TABLES),
    ]


def test_at_most_seven_figures_of_a_page_are_unfolded(notebook):
    assert 0 < sum(drawing.shown for drawing in notebook.module.FIGURES.values()) <= 7


def test_references_lead_to_labels_that_are_always_there():
    notebooks = [Notebook(path) for path in NOTEBOOKS]
    known = [label for each in notebooks for label in labels(each)]
    assert [label for label, count in Counter(known).items() if count > 1] == []
    prose = [each.prose for each in notebooks]
    prose += [path.read_text() for path in (paths.REPOSITORY / "book").glob("*.md")]
    references = re.findall(r"\{numref\}`(?:[^`<]*<)?([\w-]+)>?`", "\n".join(prose))
    assert len(references) > 20
    assert set(references) <= set(known)


# ---- pages, with less and less of what they are made from


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """A machine with no file of others."""
    monkeypatch.delenv("NASREPRO_DATA", raising=False)
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path / "cache"))


def save_smoke(name: str) -> None:
    """Made-up records of the first runs of a study's profile `smoke`, with one that diverged."""
    about = Measurement(1, 1, 1, 1, 1, 1, "cpu", 1, "cpu", {})
    configs = list(study(name).design("smoke"))
    for config, status in zip(configs, ("ok", "ok", "diverged"), strict=False):
        kind = kind_of(config)
        measured = arrays([0, 1, 2], [50, 60, 70]) if status == "ok" else arrays()
        known = {name: array for name, array in measured.items() if name in kind.arrays}
        store_of(kind).save(Record(config, status, (), known, about))


@pytest.fixture(params=SHOWN)
def name(request) -> str:
    return request.param


def messages(page) -> dict[str, str | None]:
    """What is missing of each of a page's figures, None of one that is there."""
    texts = {}
    for figure_name in page.module.FIGURES:
        text = page.figure(figure_name).text
        assert f"{{inline-figure}} fig-{figure_name}\n<" in text
        missing = re.search(r'<p class="absent">(.*)</p>', text)
        assert (missing is None) == ("<svg" in text)
        texts[figure_name] = missing and re.sub("</?code>", "`", missing[1])
    return texts


def rows_by_table(page) -> dict[str, pd.DataFrame]:
    return {name: rows_of(table, page.inputs) for name, table in page.module.TABLES.items()}


def test_without_files_a_page_shows_what_is_stored(no_data, name):
    if not paths.exists(results.statistics_dir(name, "cpu")):
        pytest.skip("no run of it is stored yet")
    page = as_stored(name)
    assert [number for number, text in page.numbers.items() if text in (NOTHING, "")] == []
    missing = {figure: text for figure, text in messages(page).items() if text}
    empty = {table for table, rows in rows_by_table(page).items() if list(rows) == [MISSING]}
    if name == "correlations":
        assert missing.keys() == {"scatter", "bias", "spaces"} and empty == set()
        assert "`nasrepro data fetch nb201-200epochs`" in missing["scatter"]
        assert "nb101-sample nb101-supernets` gets them" in missing["bias"]
    else:
        unfinished = {  # tables of which no run is stored, or whose file nobody can fetch
            "regret": {"greedy-nb101-official"},
            "training-tricks": set(),
            "sotl": {"sotl-gradients", "sotl-official"},
            "sotl-darts": {"darts-retrained"},
        }
        begun: set[str] = set()  # figures of parts of which some runs are stored
        made_from = {"runs": "sotl-supernets", "gradients": "sotl-gradients"}
        of_sotl = made_from.items() if name == "sotl" else ()
        not_run = {figure for frame, figure in of_sotl if frame not in page.inputs.frames}
        if name == "sotl-darts":
            parts = {"space_epochs": darts_space.FIGURES, "oneshot_epochs": darts_oneshot.FIGURES}
            lacking = [of for frame, of in parts.items() if frame not in page.inputs.frames]
            not_run = {figure for figures in lacking for figure in figures}
            begun = {figure for figures in parts.values() for figure in figures} - not_run
        assert not_run <= missing.keys()
        assert missing.keys() - not_run <= (begun if page.inputs.plan.missing else set())
        assert empty <= unfinished[name]


def test_without_records_and_statistics_everything_says_how_to_get_it(no_data, results, name):
    page = compose(read_inputs(name, "cpu"), of_study(name))
    command = f"`nasrepro study run {name} --profile cpu` computes it"
    assert all(command in text for text in messages(page).values())
    decided = ("supported", "contradicted", "undecided")
    assert {page.numbers[verdict] for verdict in decided} == {"0"}
    rest = int(page.numbers["not-run"]) + int(page.numbers["not-testable-here"])
    assert rest == int(page.numbers["claims"]) > 0
    missing = [
        rows[MISSING].item() for rows in rows_by_table(page).values() if list(rows) == [MISSING]
    ]
    assert len(missing) > 4 and all(command in text for text in missing if "too few" not in text)


def test_with_records_of_smoke_alone_a_page_is_whole(no_data, results, name):
    save_smoke(name)
    page = compose(read_inputs(name, "smoke"), of_study(name))
    assert page.numbers["runs-stored"] in ("2", "3")
    assert all(
        "Not on this machine: nb201-200epochs" in text
        for text in messages(page).values()
        if "size M" not in text
    )


def test_a_caption_names_numbers_and_a_missing_part_spoils_no_other():
    def absent(page):
        raise Absent("Fetch it.")

    module = SimpleNamespace(
        NUMBERS={"n": lambda page: 3, "unknown": absent},
        TABLES={
            "whole": Table(
                "Over {n} runs.", lambda page: pd.DataFrame({"a": ["1", "nan", "-0.00"]})
            ),
            "missing": Table("Of {unknown} cells.", absent),
        },
        FIGURES={
            "whole": Drawing(
                lambda page: pd.DataFrame({"a": [2]}),
                lambda rows: Figure(),
                lambda rows: f"There are {rows['a'].item()}.",
                "Over {n} runs.",
                shown=False,
            ),
            "missing": Drawing(absent, absent, absent, "Of {unknown} cells."),
        },
    )
    page = compose(Inputs("regret", "cpu", results.Plan([], []), {}), module)
    assert page.numbers == {"n": "3", "unknown": "–"}
    captions = [page.caption(table) for table in module.TABLES.values()]
    assert captions == ["Over 3 runs.", "Of – cells."]
    tables = {name: rows.to_dict("list") for name, rows in rows_by_table(page).items()}
    assert tables == {"whole": {"a": ["1", "–", "0.00"]}, "missing": {MISSING: ["Fetch it."]}}
    whole, missing = (page.figure(name).text for name in module.FIGURES)
    assert '<p class="absent">Fetch it.</p>' in missing and "Of – cells." in missing
    assert "\n+++\nThere are 2.\n\nOver 3 runs.\n" in whole
    assert 'aria-label="There are 2."' in whole
    assert whole.startswith(":::::{dropdown} {numref}`fig-whole`: There are 2.")
    assert missing.startswith("````{inline-figure} fig-missing")


def test_an_error_that_is_no_absence_is_not_hidden():
    module = SimpleNamespace(NUMBERS={"n": lambda page: 1 / 0}, TABLES={}, FIGURES={})
    with pytest.raises(ZeroDivisionError):
        compose(Inputs("regret", "cpu", results.Plan([], []), {}), module)


def test_rows_of_a_frame_are_chosen_or_missing(no_data):
    frames = {"curves": pd.DataFrame({"benchmark": ["nb201", "macro"], "time": [1, 2]})}
    inputs = Inputs("regret", "cpu", results.Plan([], []), frames)
    assert inputs.frame("curves", benchmark="macro")["time"].tolist() == [2]
    with pytest.raises(Absent, match=r"Not on this machine: nb-macro.*Not run yet"):
        inputs.frame("curves", ["nb-macro"], benchmark="nb101")
    with pytest.raises(
        Absent, match=r"^Not run yet in the profile cpu: `nasrepro study run regret"
    ):
        inputs.frame("searches")


def test_how_to_get_names_every_kind_of_source():
    text = how_to_get(["nb-macro", "nb101-official", "nb201-digits"])
    assert "`nasrepro data fetch nb-macro` gets it" in text
    assert "nasbench_only108.tfrecord or nasbench_full.tfrecord" in text
    assert "`nasrepro bench build nb201-digits` makes it" in text


def test_an_unknown_study_has_no_page():
    with pytest.raises(ConfigError, match="the studies are correlations, training-tricks, regret"):
        of_study("generated")
    for name in set(studies.NAMES) - set(SHOWN):
        with pytest.raises(ConfigError, match=f"the study {name} has no page yet"):
            of_study(name)


# ---- verdicts, counted


def test_verdicts_are_counted():
    claims = pd.DataFrame({"verdict": ["supported", "not run", "supported", "undecided"]})
    assert registry.count(claims) == [4, 2, 0, 1, 0, 1]


def test_the_registry_agrees_with_the_pages(no_data):
    for name in SHOWN:
        numbers = as_stored(name).numbers
        keys = ["claims", *(verdict.replace(" ", "-") for verdict in VERDICTS)]
        counts = registry.count(registry.claims_of(name, "cpu"))
        assert [str(count) for count in counts] == [numbers[key] for key in keys]


def test_a_study_without_statistics_has_not_run_its_claims(no_data, results):
    for name in studies.NAMES:
        known = [claim for file in studies.CLAIMS[name] for claim in read_claims(file).values()]
        needing_more = len(sotl_claims.untestable({})) if name == "sotl" else 0
        never = sum(bool(claim.untestable) for claim in known) + needing_more
        counts = registry.count(registry.claims_of(name, "cpu"))
        assert counts == [len(known), 0, 0, 0, never, len(known) - never]


def test_verdicts_of_all_studies_lead_to_their_claims(no_data, results):
    executions = {"03_regret": {"parameters": {"profile": "cpu"}}, "02_to_come": {}}
    text = generated.verdicts(generated._claims(executions), executions)
    total = len(read_claims("pourchot_search"))
    assert f"* {{doc}}`/book/_executed/03_regret`: {total} claims<br>" in text
    badge = '"claims.html?study=regret&amp;verdict=not+run">○ '
    assert f"{badge}{total} not run</a>\n" in text and "supported" not in text
    assert "training-tricks, without a page yet" in text and "to_come" not in text
