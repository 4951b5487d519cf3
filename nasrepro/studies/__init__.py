"""The studies, one module each: `grid` lists its runs, `statistics` and `tables` its results."""

from types import ModuleType

from nasrepro.errors import ConfigError

NAMES = ("correlations", "regret")


def study(name: str) -> ModuleType:
    """The module of a study; ConfigError that lists the studies if there is none of that name."""
    if name not in NAMES:
        raise ConfigError(f"unknown study {name!r}; the studies are {', '.join(NAMES)}")
    from importlib import import_module

    return import_module(f"nasrepro.studies.{name}")
