"""Stand-alone ("ground truth") accuracies behind one interface.

table = load_table("nb201-200epochs")
table.accuracy([cell.code], "cifar10-test-200")
"""

from nasrepro.benchmarks import compact, macro, nb101, nb101_official, nb201, official
from nasrepro.benchmarks.table import Column, Table
from nasrepro.data.sources import SOURCES, fetch, locate
from nasrepro.errors import ConfigError

__all__ = ["TABLES", "Column", "Table", "available_tables", "load_table"]

_READERS = {  # by the name of the source: how to read it, its columns, its space
    "nb201-200epochs": (nb201.read_csv, tuple(nb201.CSV.values()), "nb201"),
    "nb201-12epochs": (nb201.read_frame, tuple(nb201.FRAME.values()), "nb201"),
    nb101.NAME: (nb101.read_table, nb101.COLUMNS, "nb101"),
    macro.NAME: (macro.read_json, macro.COLUMNS, "macro"),
}
_OFFICIAL = {official.NAME: official, nb101_official.NAME: nb101_official}
TABLES = (*_READERS, *_OFFICIAL)


def load_table(name: str) -> Table:
    """Load a table from the cache, else from its source.

    Args:
        name: "nb201-200epochs", "nb201-12epochs" and "nb-macro" are fetched if need be,
            "nb101-sample" must be there; "nb201-official" and "nb101-official" are converted, once,
            from a file that the user has.

    Raises:
        ConfigError: if the name is not in `TABLES`.
        DataError: if the source cannot be had or is not as expected.
    """
    if name in _OFFICIAL:
        return _OFFICIAL[name].load()
    if name not in _READERS:
        raise ConfigError(f"unknown table {name!r}; the tables are {', '.join(TABLES)}")
    source = SOURCES[name]
    read, columns, space = _READERS[name]
    return compact.load(name, source.sha256, columns, lambda: read(fetch(source)), space)


def available_tables() -> tuple[str, ...]:
    """Names of the tables that need no download."""
    here = [
        name
        for name in _READERS
        if compact.location(name, SOURCES[name].sha256).exists() or locate(SOURCES[name])
    ]
    return (*here, *(name for name, module in _OFFICIAL.items() if module.preferred()))
