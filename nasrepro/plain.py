"""An executed notebook that any program shows: its text as it reads on the page.

The text of a page refers to what the notebook measured, and to other parts, in the notation of
MyST (`{glue:md}`, `{numref}`, ...), and glued values have types of papermill's own. JupyterLab and
GitHub know neither. Here the values stand in the text, and every output has an ordinary type.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

GLUED = "scrapbook"  # the metadata of a glued output
# How JupyterLab folds what the page folds.
FOLDED = {
    "hide-input": "source_hidden",
    "remove-input": "source_hidden",
    "hide-output": "outputs_hidden",
    "remove-output": "outputs_hidden",
}
TEXTS = ("text/markdown", "text/html", "text/latex", "text/plain")  # the first that a value has

ROLE = re.compile(r"\{([a-z][\w:.-]*)\}(`+)(.+?)\2", re.DOTALL)
TITLED = re.compile(r"(.+?)\s*<([^<>]+)>", re.DOTALL)  # text <target>
TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
DIRECTIVE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:.-]+)\}(?P<argument>.*)\n(?P<body>(?:.*\n)*?)(?P=fence)$",
    re.MULTILINE,
)
OPTION = re.compile(r"^:([\w-]+):(.*)\n", re.MULTILINE)
NOTES = ("note", "tip", "hint", "important", "warning", "caution", "seealso", "admonition")


def plain(node: Any, numbers: Mapping[str, str]) -> Any:
    """A copy of an executed notebook with ordinary text and outputs.

    Args:
        node: as `nbformat` reads it; glued values are taken from its outputs.
        numbers: of figures and tables by label, e.g. "Fig. 3", as `caption_numbers` finds them.
    """
    node = deepcopy(node)
    text = _Text(glued_values(node), numbers)
    for cell in node.cells:
        if cell.cell_type == "markdown":
            cell.source = text.plain(cell.source)
            if text.images:
                cell.attachments, text.images = text.images, {}
        elif cell.cell_type == "code":
            cell.outputs = list(_outputs(cell, text))
            folded = {FOLDED[tag]: True for tag in cell.metadata.get("tags", []) if tag in FOLDED}
            if folded:
                cell.metadata["jupyter"] = cell.metadata.get("jupyter", {}) | folded
    node.cells.insert(1, _provenance(node))
    return node


def glued_values(node: Any) -> dict[str, dict[str, Any]]:
    """What a notebook glued: by name, contents by ordinary MIME type."""
    found = {}
    for cell in node.cells:
        for output in cell.get("outputs", []):
            if (about := output.get("metadata", {}).get(GLUED)) is not None:
                prefix = about.get("mime_prefix", "")
                data = {kind.removeprefix(prefix): part for kind, part in output.data.items()}
                found[about["name"]] = data
    return found


def caption_numbers(html: str) -> dict[str, str]:
    """The numbers of a built page's figures and tables by label.

    >>> caption_numbers('<figure id="fig-x"><span class="caption-number">Fig. 1 </span></figure>')
    {'fig-x': 'Fig. 1'}
    """
    parser = _Captions()
    parser.feed(html)
    return parser.numbers


class _Captions(HTMLParser):
    """Notes the number of each caption, and whose it is."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, str] = {}
        self._label = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("figure", "table", "div") and values.get("id"):
            self._label = values["id"] or ""
        self._inside = "caption-number" in (values.get("class") or "").split()

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.numbers.setdefault(self._label, data.strip())
            self._inside = False


def _outputs(cell: Any, text: "_Text") -> Iterator[Any]:
    """The ordinary outputs of a cell; what it glued for the text alone is shown there."""
    for output in cell.outputs:
        if output.get("metadata", {}).get(GLUED, {}).get("mime_prefix"):
            continue
        if "text/markdown" in output.get("data", {}):
            output.data["text/markdown"] = text.plain(output.data["text/markdown"])
        # An image of its own: JupyterLab and GitHub take SVG out of Markdown.
        yield from (_display({"image/svg+xml": picture}) for picture in text.pictures)
        text.pictures.clear()
        yield output
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if "caption" in figure:
        caption = text.caption(figure.get("name", ""), figure["caption"])
        yield _display({"text/markdown": caption})


def _display(data: dict[str, Any]) -> Any:
    from nbformat import v4  # only where notebooks are

    return v4.new_output("display_data", data)


def _provenance(node: Any) -> Any:
    """A cell that says what the text was written with."""
    from nbformat import v4

    parameters = node.metadata.get("nasrepro", {}).get("parameters", {})
    given = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    said = (
        f"*Executed with {given or 'no parameters'}. Numbers and tables in the text are of that "
        "execution; cells executed again change only what stands below them. "
        "`nasrepro book run` writes all of it anew.*"
    )
    return v4.new_markdown_cell(said, id="executed-with")


@dataclass
class _Text:
    """Turns MyST into Markdown."""

    glued: Mapping[str, Mapping[str, Any]]
    numbers: Mapping[str, str]
    images: dict[str, dict[str, Any]] = field(default_factory=dict)  # that the text placed
    pictures: list[str] = field(default_factory=list)  # SVG that it had inside

    def plain(self, source: str) -> str:
        """A text without notation that only MyST has."""
        source = DIRECTIVE.sub(self._directive, source)
        source = ROLE.sub(self._role, source)
        return TARGET.sub(r'<a id="\1"></a>', source)

    def caption(self, label: str, text: str) -> str:
        """A caption under its number."""
        number = self.numbers.get(label, "")
        anchor = f'<a id="{label}"></a>' if label else ""
        return f"{anchor}**{number}.** {self.plain(text)}" if number else anchor + self.plain(text)

    def value(self, name: str) -> str:
        """What was glued under a name, as text of a Markdown cell."""
        data = self.glued.get(name, {})
        if kind := next((kind for kind in data if kind.startswith("image/")), None):
            self.images[name] = {kind: data[kind]}
            return f"![{name}](attachment:{name})"
        return next(
            (self.plain(_joined(data[kind])) for kind in TEXTS if kind in data), f"`{name}`"
        )

    def _role(self, match: re.Match[str]) -> str:
        role, content = match[1], match[3]
        if role.startswith("glue"):
            return self.value(content.partition(":")[0])
        titled = TITLED.fullmatch(content)
        title, target = (titled[1], titled[2]) if titled else ("", content)
        if role == "numref":
            return f"[{title.replace('%s', '') or self.numbers.get(target, target)}](#{target})"
        if role.startswith("cite"):
            return f"({'; '.join(map(_cited, content.split(',')))})"
        if role == "math":
            return f"${content}$"
        return title or target.rpartition("/")[2]

    def _directive(self, match: re.Match[str]) -> str:
        name, argument = match["name"], match["argument"].strip()
        options = dict(OPTION.findall(match["body"]))
        body = OPTION.sub("", match["body"]).strip("\n")
        make: dict[str, Callable[[], str]] = {
            "math": lambda: f"$$\n{body}\n$$",
            "code-block": lambda: f"```{argument}\n{body}\n```",
            "code": lambda: f"```{argument}\n{body}\n```",
            "raw": lambda: body if argument == "html" else "",
            "image": lambda: f"![{options.get('alt', '').strip()}]({argument})",
        }
        if name.startswith("glue"):
            return self.value(argument)
        if name in make:
            return make[name]()
        if name == "inline-figure":
            picture, _, words = body.partition("\n+++\n")
            if not picture.startswith("<svg"):
                return f"{picture}\n\n{self.caption(argument, words)}"
            self.pictures.append(picture)
            return self.caption(argument, words)
        if name in ("table", "list-table", "figure"):
            label = options.get("name", "").strip()
            return f"{self.caption(label, argument)}\n\n{self.plain(body)}"
        if name in NOTES or name == "dropdown":
            head = argument or name.capitalize()
            return "\n".join(
                f"> {line}" for line in (f"**{head}**", "", *self.plain(body).split("\n"))
            )
        return "\n\n".join(filter(None, (argument and f"**{argument}**", self.plain(body))))


def _cited(key: str) -> str:
    """A key of the bibliography, for people.

    >>> _cited("laube2020")
    'Laube 2020'
    """
    return re.sub(r"^(\D+?)(\d{4}\w?)$", lambda found: f"{found[1].capitalize()} {found[2]}", key)


def _joined(content: str | list[str]) -> str:
    return content if isinstance(content, str) else "".join(content)
