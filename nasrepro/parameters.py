"""The parameters of a notebook: their names, and the values that each of them takes."""

import ast
from collections.abc import Callable, Mapping
from typing import Any

from nasrepro.errors import ConfigError, meant
from nasrepro.studies import of_notebook, study

KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def default_parameters(node: Any) -> dict[str, Any]:
    """Names and values assigned in the cell tagged `parameters`: plain `name = literal` lines."""
    tagged = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", [])]
    return {
        target.id: ast.literal_eval(statement.value)
        for cell in tagged
        for statement in ast.parse(cell.source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def check_parameters(notebook: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check the values that somebody gives for a notebook's parameters.

    Args:
        notebook: file name without suffix, e.g. "01_correlations".
        known: its parameters and their defaults.
        given: the values.

    Raises:
        ConfigError: if there is no parameter of a name, or it takes other values; it names the
            parameter, what it takes and what was given.
    """
    for name, value in given.items():
        if name not in known:
            raise ConfigError(
                f"{notebook} has no parameter {name}{meant(name, known)}; "
                f"its parameters are {', '.join(known) or 'none'}"
            )
        kind = type(known[name])
        if type(value) is not kind and (kind, type(value)) != (float, int):
            raise ConfigError(
                f"{notebook}: {name} takes {KINDS.get(kind, kind.__name__)}, "
                f"e.g. {known[name]!r}; found {value!r}"
            )
        try:
            if name in RANGES:
                RANGES[name](notebook, value)
        except ConfigError as error:
            raise ConfigError(f"{notebook}: {name}: {error}") from None


def _profile(notebook: str, value: str) -> None:
    """A profile of the notebook's study; it lists them itself."""
    study(of_notebook(notebook)).design(value, 1)


def _workers(notebook: str, value: int) -> None:
    """Local processes, none for what is stored."""
    if value < 0:
        raise ConfigError(f"it takes 0 or more local processes, found {value}")


def _device(notebook: str, value: str) -> None:
    """A device of this machine."""
    from nasrepro.runs.machine import check_device  # imports torch, which takes seconds

    check_device(value)


RANGES: dict[str, Callable[[str, Any], None]] = {
    "profile": _profile,
    "workers": _workers,
    "device": _device,
}
