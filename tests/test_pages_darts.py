"""Study 5's page: tables and figures from tables worked by hand."""

import math

import pandas as pd

from nasrepro import plots
from nasrepro.pages import darts as page
from nasrepro.pages.inputs import Inputs
from nasrepro.pages.text import runs_of_both
from nasrepro.spaces.nb201 import Cell
from nasrepro.studies import darts, results
from nasrepro.studies.darts import FIRST, FROZEN_TRAINING, SIX_CONVOLUTIONS, SOTL

NAN = math.nan


def inputs(**frames: pd.DataFrame) -> Inputs:
    """Inputs without records."""
    return Inputs("sotl-darts", "cpu", results.Plan([], []), frames)


def settings(*rows: tuple) -> pd.DataFrame:
    names = ["setting", "metric", "mean", "ci_low", "ci_high", "n", "failed"]
    return pd.DataFrame([(*row, 0) for row in rows], columns=names)


def test_ours_stand_beside_the_printed_table():
    rows = settings((FIRST, "cifar10", 54.3, 54.3, 54.3, 5), ("mine", "cifar10", 90.0, NAN, NAN, 1))
    (row,) = page.printed_table(inputs(settings=rows)).to_dict("records")
    assert row["setting"] == FIRST and row["as printed, %"] == "59.84 (7.84)" and row["n"] == "5"
    assert row["ours, %"] == "54.30 [54.30, 54.30]"


def test_a_setting_is_a_row_with_its_metrics_in_order():
    rows = settings(
        (SOTL, "skips", 1.25, 1, 1.5, 4),
        (SOTL, "cifar10", 93.0, 92, 94, 4),
        (SOTL, "cpu_seconds", 600.4, NAN, NAN, 4),
    )
    table = page.settings_table(rows, page.SHOWN)
    assert list(table) == ["setting", "n", "CIFAR-10, %", "skips"]
    cost = page.settings_table(rows, page.COSTS)
    assert cost["processor seconds"].item() == "600 [no interval]"


def test_an_effect_names_what_it_changes():
    rows = pd.DataFrame(
        [
            (SOTL, FIRST, "skips", -5.0, -6.0, -4.0, 0.01, 5, 3),
            (SOTL, FIRST, "cpu_seconds", *[1.0] * 4, 5, 3),
        ],
        columns=[
            *("setting", "against", "metric", "difference", "ci_low", "ci_high", "p_holm"),
            *("n", "n_baseline"),
        ],
    )
    (row,) = page.effects_table(rows).to_dict("records")
    assert row == {
        "setting": SOTL,
        "changes": FIRST,
        "n": runs_of_both(5, 3),
        "skips": "-5.0 [-6.0, -4.0], p 0.010",
    }


def epochs(setting: str, values: list[float], seed: int = 0) -> pd.DataFrame:
    rows = [(setting, seed, epoch, value) for epoch, value in enumerate(values, 1)]
    return pd.DataFrame(rows, columns=["setting", "seed", "epoch", "cifar10"])


def test_courses_are_of_the_settings_that_the_study_is_about_in_their_order():
    rows = pd.concat([epochs(FROZEN_TRAINING, [90, 93]), epochs("GDAS", [1]), epochs(FIRST, [80])])
    shown = page.courses(inputs(epochs=rows))
    assert list(dict.fromkeys(shown["setting"])) == [FIRST, FROZEN_TRAINING]


def test_a_course_ends_with_the_mean_over_seeds_of_the_last_epoch():
    rows = pd.concat([epochs(FIRST, [90, 50]), epochs(FIRST, [70, 60, 58], seed=1)])
    finding = page.at_the_end("cifar10", "Accuracy", 1)(rows)
    assert finding == f"Accuracy at the end, mean over seeds: {FIRST} 54.0."


def test_eigenvalues_are_those_on_the_images_of_the_gradient():
    names = ["setting", "seed", "epoch", "training", "validation"]
    rows = pd.DataFrame(
        [(FIRST, 0, 1, 1.0, 2.0), (FIRST, 0, 50, 9.0, 1.5), (SOTL, 0, 1, 3.0, 4.0)], columns=names
    )
    found = page.spectra(inputs(spectra=rows))
    assert found["eigenvalue"].tolist() == [2.0, 1.5, 3.0]
    assert page.spectra_finding(found).endswith("rises in 0 of 2 searches.")


def test_settings_are_counted_against_the_cell_that_takes_no_search():
    alone = pd.DataFrame({"choice": [SIX_CONVOLUTIONS, "six skips"], "cifar10": [93.76, 54.3]})
    rows = settings((FIRST, "cifar10", 54.3, NAN, NAN, 1), (SOTL, "cifar10", 94.4, NAN, NAN, 1))
    found = page.accuracies(inputs(settings=rows, alone=alone))
    assert found["source"].value_counts().to_dict() == {"ours": 2, "printed": 2, "alone": 2}
    assert page.beside_capacity(found).startswith("1 of 2 settings")
    assert page.draw_accuracies(found).axes[0].get_xlim()[1] <= 100


def test_a_search_is_a_row_with_its_cell_in_words():
    cell = Cell(("skip_connect",) * 5 + ("nor_conv_3x3",))
    row = {"setting": FIRST, "seed": 3, "cell": str(cell), "skips": 5, "depth": 3}
    row |= {"cifar10": 54.3, "cifar100": 15.6, "imagenet16": 16.3}
    row |= {"largest_alpha": 0.1, "seconds": 90.0}
    (shown,) = page.searches_table(pd.DataFrame([row])).to_dict("records")
    assert shown["cell"].endswith("Skip, 3x3 Conv") and shown["minutes"] == "1.5"


def test_every_setting_says_how_its_alphas_are_found():
    table = page.algorithms(inputs())
    assert len(table) == len(darts.factors(darts.PROFILES["cpu"])) + 1
    frozen = table.set_index("setting").loc[FROZEN_TRAINING, "alphas"]
    assert "frozen" in frozen and "25 steps" in frozen and "replayed" not in frozen


def test_the_cell_that_most_seeds_end_with_is_drawn():
    skips, convolutions = Cell(("skip_connect",) * 6), Cell(("nor_conv_3x3",) * 5 + ("none",))
    cells = [convolutions, skips, skips]
    rows = pd.DataFrame(
        {
            "setting": FIRST,
            "space": darts.SPACE,
            "status": "ok",
            "cell": [str(cell) for cell in cells],
        }
    )
    found = page.last_cells(inputs(searches=rows))
    assert found["cell"].unique().tolist() == [f"{FIRST}: 2 of 3"]
    assert set(found["operation"]) == {"skip_connect"} and len(found) == 6
    assert page.cells_finding(found).endswith(f"{FIRST} 6.")
    drawn = plots.cell_graphs(page.last_cells(inputs(searches=rows[:1]))).axes[0]
    assert len(drawn.texts) == 5  # an arrow for each edge but that with Zero
