"""A small plot of one claim: the paper's number and ours with their intervals, as SVG."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nasrepro.claims import Region

WIDTH, LANE, MARGIN, LABELS = 240, 12, 6, 12  # in pixels


@dataclass(frozen=True, slots=True)
class Mark:
    """A number of a plot, with its interval if it has one.

    Attributes:
        kind: of its symbol, a class of the style sheet: "paper", "ours" or "others".
        value: in the unit of the claim's quantity.
        low: lower end of the interval; NaN for none.
        high: its upper end.
    """

    kind: str
    value: float
    low: float = math.nan
    high: float = math.nan


def interval_plot(marks: Sequence[Mark], region: Region) -> str:
    """One line a mark over the shaded region in which the claim holds; empty without a mark.

    Args:
        marks: those without a value are left out.
        region: of the claim; its finite ends are labelled.
    """
    marks = [mark for mark in marks if math.isfinite(mark.value)]
    if not marks:
        return ""
    ends = [end for end in (region.low, region.high) if math.isfinite(end)]
    numbers = [number for mark in marks for number in (mark.value, mark.low, mark.high)]
    scale = Scale.of([*numbers, *ends])
    bottom = LANE * len(marks)
    left, right = scale.at(region.low), scale.at(region.high)
    parts = [
        f'<rect class="holds" x="{left:.1f}" y="0" width="{max(right - left, 2):.1f}" '
        f'height="{bottom}"/>',
        *(_bound(scale.at(end), bottom) for end in ends),
        *(_label(x, text, bottom) for x, text in _labels(ends, scale)),
        *(_line(mark, scale, LANE * i + LANE / 2) for i, mark in enumerate(marks)),
    ]
    return (
        f'<svg class="interval" viewBox="0 0 {WIDTH} {bottom + LABELS}" width="{WIDTH}" '
        f'height="{bottom + LABELS}" aria-hidden="true">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers to places from left to right."""

    low: float
    high: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Scale":
        """One that shows all finite numbers, with some room beside them."""
        shown = [number for number in numbers if math.isfinite(number)]
        room = 0.08 * (max(shown) - min(shown)) or 1.0
        return cls(min(shown) - room, max(shown) + room)

    def at(self, number: float) -> float:
        """The place of a number, at the edge if it is beyond.

        >>> Scale(0, 1).at(0.5), Scale(0, 1).at(float("-inf"))
        (120.0, 6.0)
        """
        share = (min(max(number, self.low), self.high) - self.low) / (self.high - self.low)
        return MARGIN + share * (WIDTH - 2 * MARGIN)


def _bound(x: float, bottom: float) -> str:
    """An end of the region: a thin line."""
    return f'<line class="bound" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom}"/>'


def _labels(ends: Sequence[float], scale: Scale) -> list[tuple[float, str]]:
    """The numbers of the region's ends and their places; one for two that are close together."""
    if len(ends) == 2 and scale.at(ends[1]) - scale.at(ends[0]) < WIDTH / 4:
        low, high = ends
        text = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
        return [((scale.at(low) + scale.at(high)) / 2, text)]
    return [(scale.at(end), f"{end:.3g}") for end in ends]


def _label(x: float, text: str, bottom: float) -> str:
    """A number below the plot, inside of its width."""
    anchor = "start" if x < WIDTH / 6 else "end" if x > WIDTH * 5 / 6 else "middle"
    return f'<text x="{x:.1f}" y="{bottom + 10}" text-anchor="{anchor}">{text}</text>'


def _line(mark: Mark, scale: Scale, y: float) -> str:
    """A number as a symbol, its interval as a line through it."""
    x = scale.at(mark.value)
    bar = ""
    if math.isfinite(mark.low) and mark.low < mark.high:
        low, high = scale.at(mark.low), scale.at(mark.high)
        bar = f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>'
    symbol = (
        f'<path d="M{x:.1f} {y - 5}l5 5l-5 5l-5 -5z"/>'
        if mark.kind == "paper"
        else f'<circle cx="{x:.1f}" cy="{y}" r="4"/>'
    )
    return f'<g class="{mark.kind}">{bar}{symbol}</g>'
