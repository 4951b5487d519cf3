"""Sphinx extension: MathJax from the site itself, so that pages make no outside request.

The package `sphinx-mathjax-offline` carries MathJax; only the part that turns TeX into HTML is
copied: one script, the TeX packages it may load, and its fonts.
"""

import importlib.metadata
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset

PACKAGE = "sphinx-mathjax-offline"
PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")


def mathjax_folder() -> Path:
    """MathJax inside the installed package, whose name is no identifier to import."""
    files = importlib.metadata.files(PACKAGE) or []
    script = next(file for file in files if file.name == PARTS[0])
    return Path(script.locate()).parent


def copy_parts(app: Sphinx, error: Exception | None) -> None:
    """Copy the parts into the site once it is built."""
    if error is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        folder = target / part if (source / part).is_dir() else (target / part).parent
        copy_asset(str(source / part), str(folder))


def setup(app: Sphinx) -> dict[str, bool]:
    """Point Sphinx at the local copy."""
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("build-finished", copy_parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
