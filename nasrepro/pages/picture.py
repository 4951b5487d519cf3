"""For newcomers, in words and a picture: a cell, the supernet of all cells, and a path in it."""

from collections.abc import Iterable
from html import escape
from itertools import combinations

NODES = {0: (16, 80), 1: (66, 20), 2: (126, 20), 3: (176, 80)}  # as in NAS-Bench-201
EDGES = tuple(combinations(NODES, 2))
OPERATIONS = 5  # on each edge of the supernet
CELL = (0, 3, 1, 2, 4, 3)  # the operation of each edge in the example
WIDTH, HEIGHT = 192, 120
TITLES = ("a cell", "the supernet", "the cell's path")
WORDS = (
    "Three graphs of four nodes and six edges: in a cell each edge has one operation, in the "
    "supernet all five, and a path is one of the five on each edge."
)


PRIMER = (
    "**New to this?** A *cell* is a small graph whose edges carry operations; copies of it, "
    "stacked, make a network. A *supernet* has every operation on every edge, with one set of "
    "weights for all cells; the *path* of a cell is its part of the supernet. Each training step "
    "takes one path or a few, and afterwards the supernet judges any cell by its path in seconds, "
    "where training it alone takes hours. That is worth something if both put cells into the same "
    "order: a rank correlation is 1 if they do, 0 if the orders have nothing to do with each other."
)


def primer() -> str:
    """A paragraph and the picture, as MyST text."""
    return f"{PRIMER}\n\n{picture()}"


def picture() -> str:
    """The three graphs side by side, as HTML without an empty line; colours in the style sheet."""
    cell = dict(zip(EDGES, CELL, strict=True))
    lines = (
        [_line(edge, 2, op, "on") for edge, op in cell.items()],
        [_line(edge, op, op, "on") for edge in EDGES for op in range(OPERATIONS)],
        [
            _line(edge, op, op, "on" if op == cell[edge] else "off")
            for edge in EDGES
            for op in range(OPERATIONS)
        ],
    )
    graphs = "".join(_graph(*of) for of in zip(TITLES, lines, strict=True))
    return f'<div class="primer" role="img" aria-label="{escape(WORDS)}">{graphs}</div>'


def _graph(title: str, lines: Iterable[str]) -> str:
    nodes = "".join(f'<circle cx="{x}" cy="{y}" r="7"/>' for x, y in NODES.values())
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(lines)}'
        f'{nodes}<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">{title}</text></svg>'
    )


def _line(edge: tuple[int, int], place: int, operation: int, state: str) -> str:
    """An operation of an edge: the lines of one edge bend to different sides."""
    (x1, y1), (x2, y2) = (NODES[node] for node in edge)
    bend = 9 * (place - (OPERATIONS - 1) / 2)
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    x = (x1 + x2) / 2 - bend * (y2 - y1) / length
    y = (y1 + y2) / 2 + bend * (x2 - x1) / length
    path = f"M{x1} {y1}Q{x:.1f} {y:.1f} {x2} {y2}"
    return f'<path class="operation-{operation} {state}" d="{path}"/>'
