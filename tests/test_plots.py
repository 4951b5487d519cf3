"""Figures: what is drawn is what the tables hold, and the SVG is fit for a page."""

import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nasrepro import plots
from nasrepro.spaces.nb201 import OPERATIONS

SVG = "{http://www.w3.org/2000/svg}"


def points(axis) -> list[tuple[list[float], list[np.ndarray]]]:
    """Of each series with error bars: the means, and both ends of each bar."""
    return [
        (series.lines[0].get_xdata().tolist(), [s[:, 0] for s in series.lines[2][0].get_segments()])
        for series in axis.containers
    ]


BASELINE = pd.DataFrame(
    {
        "subspace": ["a", "b"],
        "mean": [0.2, 0.4],
        "ci_low": [0.1, np.nan],
        "ci_high": [0.3, np.nan],
        "n": [5, 1],
        "parameter_count": [0.7, 0.8],
        "between_seeds": [0.9, np.nan],
    }
)
USAGE = pd.DataFrame(
    [
        (subspace, top, operation, value)
        for subspace, value in (("full", 0.5), ("no A", 0.45), ("no B", 0.9))
        for top in ("10", "all")
        for operation in OPERATIONS
    ],
    columns=["subspace", "top", "operation", "value"],
)


LINES = pd.DataFrame(
    [
        (panel, line, x, mean, mean - 0.1, mean + 0.1)
        for panel in ("first", "second")
        for line, mean in (("a", 0.5), ("b", 0.7))
        for x in (1, 10)
    ],
    columns=["panel", "line", "x", "mean", "ci_low", "ci_high"],
)


def curves(**columns) -> pd.DataFrame:
    """Two lines of two points, of one space."""
    searches = ["RS", "RS", "RS with weight sharing", "RS with weight sharing"]
    frame = pd.DataFrame({"space": "A", "search": searches, "time": [1, 50, 5, 20]})
    frame = frame.assign(regret=[4.0, 1.0, 3.0, 2.0], ci_low=0.5, ci_high=5.0)
    return frame.assign(**{"one_shot": 5.0, "at_one_shot": [2.5, 2.5, 3.0, 3.0]} | columns)


def test_points_are_drawn_where_the_table_says():
    axis = plots.floor_and_ceiling(BASELINE).axes[0]
    ((means, bars),) = points(axis)
    assert means == [0.2, 0.4]
    assert bars[0].tolist() == pytest.approx([0.1, 0.3])
    assert bars[1].tolist() == [0.4, 0.4]  # one run: no bar
    assert [0.7, 0.8] in [list(line.get_xdata()) for line in axis.lines]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a (5)", "b (1)"]


def test_lines_of_the_top_n_are_those_of_the_subspace_beside_the_first():
    rows = pd.DataFrame(
        {
            "subspace": ["full", "full", "b", "b"],
            "top": ["10", "random"] * 2,
            "tau": [0.1, 0.2, 0.3, 0.4],
            "mean_prediction": [50.0, 51.0, 52.0, 53.0],
        }
    )
    for name in ("tau", "mean_prediction"):
        rows[f"{name}_low"], rows[f"{name}_high"] = rows[name] - 0.1, rows[name] + 0.1
    axes = plots.top_n_lines(rows).axes
    drawn = [[line.get_ydata().tolist() for line in axis.lines[:2]] for axis in axes]
    assert drawn == [
        [[0.1, 0.2], [0.1, 0.2]],
        [[50.0, 51.0], [50.0, 51.0]],
        [[0.1, 0.2], [0.3, 0.4]],
        [[50.0, 51.0], [52.0, 53.0]],
    ]
    assert len({axis.get_ylim() for axis in axes[::2]}) == 1, "panels share their scales"


def test_the_mask_that_changes_most_stands_out():
    figure = plots.usage_lines(USAGE)
    colours = {line.get_ydata()[0]: line.get_color() for line in figure.axes[0].lines}
    assert colours == {0.45: plots.PALE, 0.5: plots.BLUE, 0.9: plots.ORANGE}
    assert [text.get_text() for text in figure.axes[-1].texts] == ["full", "no B", "other masks"]


def test_regret_is_marked_at_the_one_shot_time_and_shown_as_long_as_supernets_guide():
    axis = plots.regret_curves(curves(), "trainings").axes[0]
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines]
    alone, dot, guided, other, mark = lines
    assert alone == ([1], [4.0]), "at 50, no search with a supernet goes on"
    assert guided == ([5, 20], [3.0, 2.0])
    assert (dot, other) == (([5.0], [2.5]), ([5.0], [3.0]))
    assert mark[0] == [5.0, 5.0]
    assert "one-shot" in axis.texts[0].get_text()


def test_without_weight_sharing_all_is_shown_and_nothing_marked():
    rows = curves(one_shot=np.nan, at_one_shot=np.nan).query("search == 'RS'")
    axis = plots.regret_curves(rows, "trainings").axes[0]
    assert axis.lines[0].get_xdata().tolist() == [1, 50] and not axis.texts


def test_lines_keep_their_mark_in_every_panel():
    whole = LINES.drop(LINES.index[(LINES["panel"] == "second") & (LINES["line"] == "a")])
    first, second = plots.line_panels(whole, "epoch", "Spearman", None, "x").axes
    assert [line.get_color() for line in first.lines[:2]] == [plots.BLUE, plots.ORANGE]
    assert second.lines[1].get_color() == plots.ORANGE
    assert second.lines[1].get_ydata().tolist() == [0.7, 0.7]
    assert (first.get_title(), first.get_xscale()) == ("first", "log")
    marks = {"a": {"color": plots.PINK}, "b": {"color": plots.GREEN}}
    (one,) = plots.line_panels(LINES[:4], "epoch", "Spearman", marks).axes
    assert one.lines[0].get_color() == plots.PINK and one.get_title() == ""


@pytest.fixture(scope="module")
def shown() -> dict[str, str]:
    """The SVG of some figures, by label."""
    draw = {
        "fig-floor": lambda: plots.floor_and_ceiling(BASELINE),
        "fig-usage": lambda: plots.usage_lines(USAGE),
        "fig-curves": lambda: plots.regret_curves(curves(), "trainings"),
        "fig-lines": lambda: plots.line_panels(LINES, "epoch", "Spearman"),
    }
    return {label: plots.svg(make, label, "All of 3.") for label, make in draw.items()}


def test_every_picture_says_what_it_shows_in_the_colours_of_the_page(shown):
    for text in shown.values():
        root = ElementTree.fromstring(text)
        assert (root.get("role"), root.get("aria-label")) == ("img", "All of 3.")
        assert "\n" not in text and "DejaVu" not in text
        assert not list(root.iter(f"{SVG}style")), "would hold for the whole page"
        colours = re.findall(r"(?:fill|stroke): ([^;\"]+)", text)
        assert set(colours) <= {"none", "currentColor"} | {
            f"var(--plot-{name}, {colour})" for name, colour in plots.COLOURS.items()
        }


def test_no_text_is_smaller_than_ten_pixels_on_a_phone(shown):
    for text in shown.values():
        width = float(ElementTree.fromstring(text).get("viewBox").split()[2])
        sizes = {float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", text)}
        assert sizes and min(sizes) * 358 / width >= 10, "of 390 pixels, 32 are margins"


def test_numbers_on_logarithmic_axes_are_text_and_no_formula(shown):
    rows = pd.DataFrame({"panel": "", "line": "a", "x": [1, 1e4], "mean": [1e-3, 1.0]})
    rows = rows.assign(ci_low=np.nan, ci_high=np.nan)
    drawn = plots.svg(lambda: plots.line_panels(rows, "x", "y", None, "xy"), "log", "log")
    assert "0.001" in drawn.replace("−", "-") and "100" in drawn
    assert not any("mathdefault" in text for text in (drawn, *shown.values()))


def test_no_two_pictures_of_the_book_share_a_name(shown):
    ids = [name for text in shown.values() for name in re.findall(r' id="([^"]+)"', text)]
    assert len(ids) == len(set(ids)) > 0
    for text in shown.values():
        assert set(re.findall(r'(?:url\(|href=")#(\w+)', text)) == set(
            re.findall(r' id="([^"]+)"', text)
        )


def test_a_picture_is_the_same_each_time_it_is_drawn():
    def draw() -> Figure:
        return plots.regret_curves(curves(), "trainings")

    first = plots.svg(draw, "a", "Alt.")
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9}):  # as a user may have set it
        assert plots.svg(draw, "a", "Alt.") == first
    assert plots.svg(draw, "b", "Alt.") != first


def test_a_course_is_a_line_a_seed_in_the_panel_of_its_setting():
    rows = pd.DataFrame(
        [("a", 0, 1, 5.0), ("a", 0, 2, 7.0), ("a", 1, 1, 6.0), ("b", 0, 1, 8.0)],
        columns=["setting", "seed", "epoch", "skips"],
    )
    figure = plots.search_courses(rows, "skips", "skips", 0.0)
    first, second = figure.axes
    assert [line.get_ydata()[0] for line in first.lines] == [5.0, 6.0, 0.0]
    assert first.lines[0].get_xdata().tolist() == [1, 2]
    assert (first.get_title(), second.get_title()) == ("a", "b")
    assert len(plots.search_courses(rows, "skips", "skips", None).axes[0].lines) == 2


def test_levels_stand_upright_behind_points_within_percent():
    rows = pd.DataFrame(
        {
            "setting": ["x", "y", "x"],
            "source": ["ours", "ours", "printed"],
            "mean": [90.0, 60.0, 80.0],
            "ci_low": [80.0, -40.0, np.nan],
            "ci_high": [100.0, 160.0, np.nan],
        }
    )
    axis = plots.levels(rows, {"six skips": 54.3}, "accuracy").axes[0]
    ours, printed = (series.lines[0].get_xdata().tolist() for series in axis.containers)
    assert ours == [90.0, 60.0] and printed[0] == 80.0
    assert 54.3 in [line.get_xdata()[0] for line in axis.lines]
    assert axis.get_xlim()[0] >= 0 and axis.get_xlim()[1] <= 100


def test_an_interval_far_wider_than_all_effects_leaves_the_figure():
    rows = pd.DataFrame(
        {
            "factor": ["a", "b"],
            "source": "ours",
            "mean": [0.1, -0.2],
            "ci_low": [-9.0, -0.25],
            "ci_high": [9.2, -0.1],
        }
    )
    with_wide, without = (
        plots.effect_sizes(known, "factor", "").axes[0].get_xlim() for known in (rows, rows[1:])
    )
    assert with_wide == pytest.approx((-0.3, 0.3))
    assert -0.3 < without[0] < -0.25 and 0 < without[1] < 0.3
