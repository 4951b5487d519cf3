"""The single supernets of Oh, Lee & Ham (2025): JSON logs of one run each, as one table.

A log says the accuracy that a trained supernet gave to each of a fifth of NAS-Bench-201's cells, by
the authors' `search_all.py` on the 10,000 test images of CIFAR-10.
"""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nasrepro.data.git import read_commit
from nasrepro.data.pourchot import content_sha256
from nasrepro.errors import ConfigError, DataError
from nasrepro.files import whole_file
from nasrepro.spaces.nb201 import NUM_CELLS, Cell

if TYPE_CHECKING:
    import pandas as pd

REPOSITORY = "https://github.com/cvlab-yonsei/Few-Shot-NAS"
COMMIT = "52e34e97"
FOLDER = "cell_based/SuperNet/logs"
LOG = re.compile(r"(seed-\d+-.*baseline-.*)_[0-4]")  # a single supernet and a fifth of the cells

SUPERNETS = "supernets_191x15625.parquet"
# `content_sha256` of what `convert` makes.
CONTENT = "03f17dec2ef4d6488e5bb2ee7f33f1dc3347ceff502f0538fb77a07386364ecb"
CELLS = "ArchitectureString"  # name of the table's index


def make(folder: Path) -> None:
    """Write the table of the single supernets into a folder, from the authors' repository.

    Raises:
        DataError: if the repository cannot be fetched, is not as expected, or the folder cannot be
            written.
    """
    frame = convert(read_commit(REPOSITORY, COMMIT, FOLDER))
    if (found := content_sha256(frame)) != CONTENT:
        raise DataError(
            f"{REPOSITORY} at {COMMIT} did not give the table {SUPERNETS} that is expected: its "
            f"content has sha256 {found}, not {CONTENT}; please report it"
        )
    with whole_file(folder / SUPERNETS, "set $NASREPRO_CACHE to another folder") as file:
        frame.to_parquet(file)


def convert(files: Iterable[tuple[str, bytes]]) -> "pd.DataFrame":
    """The table of the single supernets from the contents of the logs.

    Args:
        files: path and content; those whose name is not `LOG` are passed over.

    Returns:
        Accuracies in percent, float64: one column a run, by name; one row a cell, in the order of
        `Cell.code`, under its text.

    Raises:
        DataError: if a log is not as expected, or a run has not all cells exactly once.
    """
    import pandas as pd  # only needed here, and slow to import

    runs: dict[str, dict[int, float]] = defaultdict(dict)
    for path, content in files:
        if log := LOG.fullmatch(PurePosixPath(path).name):
            part, known = _accuracies(path, content), runs[log[1]]
            if part.keys() & known.keys():
                raise DataError(f"{path} has cells that another log of {log[1]} has, too")
            known |= part
    for name, accuracies in runs.items():
        if len(accuracies) != NUM_CELLS:
            raise DataError(f"expected {NUM_CELLS:,} cells of {name}, found {len(accuracies):,}")
    if not runs:
        raise DataError(f"{REPOSITORY} has no log of a single supernet in {FOLDER}")
    cells = pd.Index([str(Cell.from_code(code)) for code in range(NUM_CELLS)], name=CELLS)
    columns = {
        name: [runs[name][code] for code in range(NUM_CELLS)]  # in the order of the codes
        for name in sorted(runs)
    }
    return pd.DataFrame(columns, index=cells)


def _accuracies(path: str, content: bytes) -> dict[int, float]:
    """The accuracies of one log by `Cell.code`."""
    try:
        log = json.loads(content)
        found = {_code(genotype): float(accuracy) for genotype, accuracy in log.items()}
    except (ValueError, TypeError, AttributeError, SyntaxError, ConfigError) as error:
        raise DataError(f"{path} is not a log of accuracies as expected ({error!r})") from None
    if len(found) != len(log):
        raise DataError(f"{path} has a cell more than once")
    return found


@cache  # every run has the same cells
def _code(genotype: str) -> int:
    """`Cell.code` of a cell as the logs write it.

    >>> cell = Cell.from_code(
    ...     _code("[(('none', 0),), (('none', 0), ('none', 1)), "
    ...           "(('skip_connect', 0), ('none', 1), ('avg_pool_3x3', 2))]")
    ... )
    >>> str(cell)
    '|none~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|'
    """
    nodes = ast.literal_eval(genotype)
    texts = ["".join(f"{operation}~{source}|" for operation, source in node) for node in nodes]
    return Cell.parse("+".join(f"|{text}" for text in texts)).code
