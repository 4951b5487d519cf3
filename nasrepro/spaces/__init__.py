"""Search spaces: encode, parse, enumerate, sample. No torch here."""

from nasrepro.errors import ConfigError
from nasrepro.spaces import macro, nb101, nb201

# Each has OPERATIONS, a class Cell (code, from_code), check_codes, uses_only, neighbours, counts.
SPACES = {"nb101": nb101, "nb201": nb201, "macro": macro}
AnyCell = nb101.Cell | nb201.Cell | macro.Cell


def counts(name: str) -> list[tuple[str, int]]:
    """Name and size of a space and its subspaces, counted by enumeration.

    Raises:
        ConfigError: if there is no such space; it lists those there are.
    """
    if name not in SPACES:
        raise ConfigError(f"unknown space {name!r}; the spaces are {', '.join(SPACES)}")
    return list(SPACES[name].counts())
