"""How long it takes until work can begin: importing, images, tables."""

import subprocess
import sys
import time
from collections.abc import Iterable
from functools import partial

from timing import Work, entry, in_turns

from nasrepro.benchmarks import load_table, nb201
from nasrepro.data.images import load_images
from nasrepro.data.sources import SOURCES, fetch


def entries() -> Iterable[dict]:
    """Importing against importing torch; a table from the cache against its source."""
    imports = {"import torch": "torch", "import nasrepro": "nasrepro"}
    ways: dict[str, Work] = {
        name: partial(start_python, f"import {module}") for name, module in imports.items()
    }
    what = "a new Python process"
    yield entry("importing", what, in_turns(ways, 5, time.perf_counter), *ways)
    name = "nb201-200epochs"
    ways = {
        "from the CSV": partial(nb201.read_csv, fetch(SOURCES[name])),
        "from the cache": partial(load_table, name),
    }
    yield entry("the 15,625-cell table", "200 epochs", in_turns(ways, 5), *ways)
    ways = {
        "in a new process": partial(start_python, "from nasrepro.data.images import load_images"),
        "in a new process, with CIFAR-10": partial(
            start_python, "from nasrepro.data.images import load_images; load_images('cifar10')"
        ),
    }
    load_images("cifar10")  # once, so that nothing is downloaded below
    seconds = in_turns(ways, 5, time.perf_counter)
    yield entry("CIFAR-10", "60,000 images, their checksum included", seconds, *ways)


def start_python(code: str) -> None:
    """Run some code in a Python process of its own."""
    subprocess.run([sys.executable, "-c", code], check=True)
