"""Search spaces: encode, parse, enumerate, sample. No torch here."""

from nasrepro.errors import ConfigError, meant
from nasrepro.spaces import darts, macro, nb1shot1, nb101, nb201

# Each has TITLE, OPERATIONS, PLACES (operations that every cell has at least), check_operations,
# check_codes, uses_only, connected, neighbours, counts, and the classes Cell (code, from_code,
# parse) and Subspace.
# NAS-Bench-1Shot1's cells are those of NAS-Bench-101, which comes first.
SPACES = {"nb101": nb101, "nb201": nb201, "macro": macro, "darts": darts, "nb1shot1": nb1shot1}
AnyCell = nb101.Cell | nb201.Cell | macro.Cell | darts.Cell
AnyPath = AnyCell | nb201.CellPerPosition  # that a network can be trained on
AnySubspace = nb201.Subspace | nb101.Subspace | macro.Subspace | darts.Subspace | nb1shot1.Subspace


def name_of(part: AnyCell | AnySubspace) -> str:
    """The name in `SPACES` of the space of a cell or a subspace.

    >>> name_of(nb201.Subspace())
    'nb201'
    """
    return next(
        name for name, space in SPACES.items() if isinstance(part, space.Cell | space.Subspace)
    )


def counts(name: str) -> list[tuple[str, int]]:
    """Name and size of a space and its subspaces, counted by enumeration where that can be done.

    Raises:
        ConfigError: if there is no such space; it lists those there are.
    """
    if name not in SPACES:
        raise ConfigError(
            f"unknown space {name!r}{meant(name, SPACES)}; the spaces are {', '.join(SPACES)}"
        )
    return list(SPACES[name].counts())
