"""The published tables of the cells that runs evaluate."""

from nasrepro.benchmarks import Table, load_table
from nasrepro.errors import ConfigError
from nasrepro.spaces import SPACES, AnySubspace, name_of

# Spaces whose cells the table of another one knows, by its codes.
KNOWN_BY = {"nb1shot1": "nb101"}


def table_of_cells(subspace: AnySubspace, name: str) -> Table:
    """A table that knows the cells of a subspace.

    Args:
        subspace: of any space.
        name: of the table.

    Raises:
        ConfigError: if it is of another space, whose codes stand for other cells.
        DataError: if it is not available.
    """
    table, space = load_table(name), name_of(subspace)
    if table.space != (wanted := KNOWN_BY.get(space, space)):
        raise ConfigError(
            f"{name} is a table of {SPACES[table.space].TITLE}; cells of {SPACES[wanted].TITLE} "
            "are drawn from a table of theirs"
        )
    return table
