"""Sphinx extension: numbered figures whose picture is in the page, and so takes its colours.

The directive has the figure's label as its argument, and in it HTML, a line `+++`, and a caption.
"""

from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CUT = "+++"


class InlineFigure(SphinxDirective):
    """A figure of HTML with a caption; what follows the caption's paragraph is its legend."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict] = {}

    def run(self) -> list[nodes.Node]:
        """The figure, known by its label."""
        cut = self.content.data.index(CUT)
        picture = nodes.raw("", "\n".join(self.content.data[:cut]), format="html")
        text = nodes.Element()
        self.state.nested_parse(self.content[cut + 1 :], self.content_offset + cut + 1, text)
        first, *rest = text.children
        figure = nodes.figure("", picture, nodes.caption("", "", *first.children))
        if rest:
            figure += nodes.legend("", *rest)
        self.options["name"] = self.arguments[0]
        self.add_name(figure)
        self.set_source_info(figure)
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive `inline-figure`."""
    app.add_directive("inline-figure", InlineFigure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
