"""Stand-alone ("ground truth") accuracies behind one interface.

Those that others published, and those that were measured here.

table = load_table("nb201-200epochs")
table.accuracy([cell.code], "cifar10-test-200")
"""

from nasrepro.benchmarks import (
    compact,
    macro,
    nb101,
    nb101_official,
    nb201,
    nb301,
    official,
    official_curves,
    selfmade,
)
from nasrepro.benchmarks.table import Column, Table
from nasrepro.data.sources import SOURCES, fetch, locate
from nasrepro.errors import ConfigError, meant
from nasrepro.paths import exists

__all__ = [
    "OFFICIAL",
    "OTHERS",
    "TABLES",
    "Column",
    "Table",
    "available_tables",
    "load_table",
    "ready_tables",
]

_READERS = {  # by the name of the source: how to read it, its columns, its space
    "nb201-200epochs": (nb201.read_csv, tuple(nb201.CSV.values()), "nb201"),
    "nb201-12epochs": (nb201.read_frame, tuple(nb201.FRAME.values()), "nb201"),
    nb101.NAME: (nb101.read_table, nb101.COLUMNS, "nb101"),
    macro.NAME: (macro.read_json, macro.COLUMNS, "macro"),
    nb301.NAME: (nb301.read_json, nb301.COLUMNS, "darts"),
}
_OFFICIAL = {official.NAME: official, nb101_official.NAME: nb101_official}
# The files that each of these is read from, one of which only a user can get; the second is no
# table.
OFFICIAL = {
    official.NAME: tuple(official.READERS),
    official_curves.NAME: official_curves.FILES,
    nb101_official.NAME: nb101_official.FILES,
}
# What others measured, and of which space.
OTHERS = {name: space for name, (_, _, space) in _READERS.items()} | {
    official.NAME: "nb201",
    nb101_official.NAME: "nb101",
}
TABLES = (*OTHERS, selfmade.NAME)


def load_table(name: str) -> Table:
    """Load a table from the cache, else from its source.

    Args:
        name: "nb201-200epochs", "nb201-12epochs", "nb101-sample", "nb-macro" and "nb301-surrogate"
            are fetched if need be; "nb201-official" and "nb101-official" are converted, once, from
            a file that the user has; "nb201-selfmade" and what else was built by `nasrepro bench
            build` comes from its packed file.

    Raises:
        ConfigError: if the name is neither in `TABLES` nor that of a packed benchmark.
        DataError: if the source is not available or not as expected.
    """
    if name in _OFFICIAL:
        return _OFFICIAL[name].load()
    if name not in _READERS:
        packed = {selfmade.NAME, *selfmade.available()}
        if name not in packed:
            names = [*OTHERS, *sorted(packed)]
            raise ConfigError(
                f"unknown table {name!r}{meant(name, names)}; the tables are {', '.join(names)}"
            )
        return selfmade.load(name)
    source = SOURCES[name]
    read, columns, space = _READERS[name]
    return compact.load(name, source.sha256, columns, lambda: read(fetch(source)), space)


def available_tables() -> tuple[str, ...]:
    """Names of the tables that need no download, those that others published first."""
    local = [
        name
        for name in _READERS
        if exists(compact.location(name, SOURCES[name].sha256)) or locate(SOURCES[name])
    ]
    official = [name for name, module in _OFFICIAL.items() if module.preferred()]
    return (*local, *official, *selfmade.available())


def ready_tables() -> tuple[str, ...]:
    """Those of `available_tables` that do not wait for the conversion of an official file."""
    return tuple(name for name in available_tables() if name not in _OFFICIAL or _converted(name))


def _converted(name: str) -> bool:
    """Whether an official table comes from its converted file."""
    file = _OFFICIAL[name].preferred()
    return file is not None and exists(compact.location(name, file))
