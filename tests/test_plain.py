"""Executed notebooks that any program shows."""

import re

import jupytext
import nbformat
import pytest
from nbformat import v4

from nasrepro import book
from nasrepro.plain import ROLE, caption_numbers, glued_values, plain

RECORD = "application/papermill.record/"
NUMBERS = {"tab-x": "Table 2", "fig-y": "Fig. 7"}
TABLE = "```{table} Cells of {cite:p}`ying2019`.\n:name: tab-x\n\n| a |\n|---|\n| 1 |\n```"


def glue(name: str, **data: str):
    """An output as `myst_nb.glue` writes it for the text alone."""
    about = {"scrapbook": {"name": name, "mime_prefix": RECORD}}
    values = {RECORD + kind.replace("_", "/"): value for kind, value in data.items()}
    return v4.new_output("display_data", values, metadata=about)


def notebook(*texts: str):
    """A notebook that glues a number, a table, a picture and a card, with texts behind it."""
    code = v4.new_code_cell(
        "page = ...",
        outputs=[
            glue("n", text_plain="<Markdown>", text_markdown="**5**"),
            glue("table", text_markdown=TABLE),
            glue("plot", image_png="aGVsbG8=", text_plain="<Figure>"),
            glue("card", text_html="<b>supported</b>", text_plain="<HTML>"),
            v4.new_output("stream", name="stdout", text="printed"),
        ],
        metadata={"tags": ["hide-input"]},
    )
    figure = v4.new_code_cell(
        "page.figure('y')",
        outputs=[v4.new_output("display_data", {"image/svg+xml": "<svg/>"})],
        metadata={"mystnb": {"figure": {"name": "fig-y", "caption": "Of {glue:md}`n` seeds."}}},
    )
    return v4.new_notebook(cells=[code, figure, *map(v4.new_markdown_cell, texts)])


def texts(node) -> list[str]:
    return [cell.source for cell in node.cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{glue:md}`n` seeds, {glue:text}`n:.2f`", "**5** seeds, **5**"),
        ("{numref}`fig-y`, {numref}`tab-x`", "[Fig. 7](#fig-y), [Table 2](#tab-x)"),
        ("{cite:p}`ying2019,laube2020`", "(Ying 2019; Laube 2020)"),
        ("{doc}`the page <../definitions>`, {doc}`../status`", "the page, status"),
        ("(here)=\n# Title", '<a id="here"></a>\n# Title'),
        ("{math}`x_1` and {strange}`words`", "$x_1$ and words"),
        ("a {b} `c`, $\\frac{a}{b}$", "a {b} `c`, $\\frac{a}{b}$"),
        (
            "```{glue:md} table\n:format: myst\n```",
            '<a id="tab-x"></a>**Table 2.** Cells of (Ying 2019).\n\n| a |\n|---|\n| 1 |',
        ),
        ("```{glue:} card\n```", "<b>supported</b>"),
        ("```{note}\nOne {glue:md}`n`\n```", "> **Note**\n> \n> One **5**"),
        ("::::{grid} 2\n:gutter: 3\n\n:::{card} A\nwords\n:::\n::::", "**2**\n\n**A**\n\nwords"),
        ("```bash\nnasrepro book run x\n```", "```bash\nnasrepro book run x\n```"),
    ],
)
def test_text_reads_as_on_the_page(source, expected):
    assert texts(plain(notebook(source), NUMBERS))[1] == expected


def test_outputs_have_ordinary_types():
    node = notebook("```{glue:figure} plot\n```")
    before = nbformat.writes(node)
    made = plain(node, NUMBERS)
    nbformat.validate(made)
    assert nbformat.writes(node) == before and RECORD not in nbformat.writes(made)
    code, figure = (cell for cell in made.cells if cell.cell_type == "code")
    assert [output.output_type for output in code.outputs] == ["stream"]
    assert code.metadata["jupyter"] == {"source_hidden": True} and "jupyter" not in figure.metadata
    picture, caption = figure.outputs
    assert picture.data == {"image/svg+xml": "<svg/>"}
    assert caption.data == {"text/markdown": '<a id="fig-y"></a>**Fig. 7.** Of **5** seeds.'}
    assert made.cells[-1].source == "![plot](attachment:plot)"
    assert made.cells[-1].attachments == {"plot": {"image/png": "aGVsbG8="}}


def test_glued_values_are_found_by_name():
    assert glued_values(notebook())["n"] == {"text/plain": "<Markdown>", "text/markdown": "**5**"}


def test_numbers_are_those_of_the_page_whatever_a_figure_holds():
    page = (
        '<figure id="fig-y"><svg id="g1"><path id="p"/></svg><figcaption><p>'
        '<span class="caption-number">Fig. 7 </span>words</p></figcaption></figure>'
        '<table id="tab-x"><caption><span class="caption-number">Table 2 </span></caption></table>'
    )
    assert caption_numbers(page) == NUMBERS


@pytest.mark.parametrize("path", sorted(book.NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_no_notation_of_the_book_is_left_in_a_study(path):
    for text in texts(plain(jupytext.read(path), {})):
        assert not ROLE.search(text) and not re.search(
            r"^(```|:::)\{|^\(.*\)=$", text, re.MULTILINE
        )


def test_a_picture_inside_the_text_of_an_output_becomes_an_output_of_its_own():
    inside = "````{inline-figure} fig-y\n<svg><path/></svg>\n+++\nTaus of {glue:md}`n` seeds.\n````"
    folded = f":::::{{dropdown}} {{numref}}`fig-y`: taus\n:class-container: fold\n\n{inside}\n:::::"
    for text in (inside, folded):
        node = notebook()
        placed = v4.new_output("display_data", {"text/markdown": text, "text/plain": "shown"})
        node.cells.append(v4.new_code_cell("page.figure('y')", outputs=[placed]))
        picture, words = plain(node, NUMBERS).cells[-1].outputs
        assert picture.data == {"image/svg+xml": "<svg><path/></svg>"}
        assert "**Fig. 7.** Taus of **5** seeds." in words.data["text/markdown"]
        assert "svg" not in words.data["text/markdown"]
    missing = inside.replace("<svg><path/></svg>", '<p class="absent">not here</p>')
    node.cells[-1].outputs[0].data["text/markdown"] = missing
    (words,) = plain(node, NUMBERS).cells[-1].outputs
    assert '<p class="absent">not here</p>' in words.data["text/markdown"]
