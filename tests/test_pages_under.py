"""What stands under a figure or a table follows from what it read; the files of the site."""

import base64
import importlib.util
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from nasrepro import paths
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.under import commands, link_to, named_functions, parts, under
from nasrepro.studies import results, study

FRAMES = {
    "summary": pd.DataFrame({"size": ["S", "M"], "mean": [0.5, 0.6]}),
    "tau_a": pd.DataFrame({"tau_a": [1]}),
}


@pytest.fixture
def page() -> Inputs:
    design = study("correlations").design("smoke")
    stored = [SimpleNamespace(config=config, key=config.key) for config in design]
    return Inputs("correlations", "smoke", results.Plan(stored, []), FRAMES)


def small(inputs: Inputs) -> pd.DataFrame:
    return inputs.frame("summary", size="S")


def test_a_part_is_traced_to_the_rows_and_runs_that_it_read(page):
    rows, read = page.trace(small)
    assert rows["mean"].tolist() == [0.5]
    assert {name: len(frame) for name, frame in read.frames.items()} == {"summary": 1}
    asked = [record.config for record in page.plan.stored[:2]]
    _, other = page.trace(lambda inputs: inputs.records(asked) and inputs.frames["tau_a"])
    assert list(other.frames) == ["tau_a"] and list(other.records) == [c.key for c in asked]
    assert list(read.frames) == ["summary"]  # what was traced before stays as it is
    _, nothing = page.trace(lambda inputs: "summary" in inputs.frames)
    assert nothing.frames == {}


def test_runs_are_those_of_the_parts_behind_a_table(page):
    _, read = page.trace(small)
    module = SimpleNamespace(parts_of=lambda name, rows: ["nb101"] if len(rows) == 1 else [])
    total = len(study("correlations").design("smoke"))
    assert sum(parts(page, read, SimpleNamespace()).values()) == total  # unless it is said
    assert set(parts(page, read, module)) <= {"nb101"}
    assert commands(page, read) == ["nasrepro study table correlations summary --profile smoke"]


def test_the_block_has_data_command_code_and_claims(page):
    _, read = page.trace(small)
    module = SimpleNamespace(SHOWS={"tab-x": ("mask-zero-tau",)})
    block = under("tab-x", [small], read, page, module, {"tab-x.csv": ("text/csv", "a\n1\n")})
    (data,) = re.findall(r'download="summary.csv" href="data:text/csv;base64,([^"]*)"', block)
    assert base64.b64decode(data).decode() == "size,mean\nS,0.5\n"
    assert 'href="#claim-mask-zero-tau"' in block and "tests/test_pages_under.py, line" in block
    assert "```python\n" in block and 'return inputs.frame("summary", size="S")' in block
    head, code, end = block.split("\n\n", 1)[0], block, block.rsplit("\n\n", 1)[1]
    assert "\n\n" not in head and code.count("```") == 2 and end == "</details>"


def test_of_a_lambda_the_functions_that_it_calls_are_shown():
    shown = named_functions(lambda inputs: link_to("a", "text/csv", commands(inputs, None)))
    assert shown[1:] == [link_to, commands]
    assert named_functions(small) == [small]


def test_files_that_links_carry_become_files_of_the_site(tmp_path):
    path = paths.REPOSITORY / "book" / "_ext" / "local_pages.py"
    spec = importlib.util.spec_from_file_location("local_pages", path)
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    body = "<summary>1 <a href='#t'><b>Table</b></a></summary>"
    body += f'<h1>T</h1>{link_to("a.csv", "text/csv", "x")}<div class="cell_input docutils">'
    context = {"body": body}
    extension.finish(SimpleNamespace(outdir=tmp_path), "book/_executed/a", "", context, None)
    (file,) = (tmp_path / "_files").iterdir()
    assert file.read_text() == "x" and f'href="../../_files/{file.name}"' in context["body"]
    assert context["body"].startswith("<summary>1 <b>Table</b></summary>")
    assert context["body"].count('id="show-code"') == 1 and "base64" not in context["body"]
    env = SimpleNamespace(toc_fignumbers={"a": {"table": {"t": (7,), "u": (9,)}}})
    extension.number_within_pages(None, env)
    assert env.toc_fignumbers["a"]["table"] == {"t": (1,), "u": (2,)}
