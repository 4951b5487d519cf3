"""Study 2's page: tables and figures from tables worked by hand."""

import math

import pandas as pd
import pytest

from nasrepro.pages import tricks as page
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.text import runs_of_both
from nasrepro.published import read
from nasrepro.studies import channels, results
from nasrepro.studies.protocols import PARAMETERS
from nasrepro.studies.tricks import FACTORS, FAIR, SPACE, UNIFORM

NAN = math.nan


def inputs(profile: str = "cpu", **frames: pd.DataFrame) -> Inputs:
    """Inputs without records."""
    return Inputs("training-tricks", profile, results.Plan([], []), frames)


def factor_rows(*rows: tuple) -> pd.DataFrame:
    names = ["factor", "metric", "difference", "ci_low", "ci_high", "p_holm", "n"]
    return pd.DataFrame(rows, columns=names).assign(paper="Yu C.3", space=SPACE, n_baseline=5)


def test_narrow_supernets_stand_side_by_side_as_narrow_less_wide():
    """Of published ones the wider setting is the first: sign and bounds turn round."""
    published = pd.DataFrame(
        {
            "what": ["channels 5 to 16", "epochs 250 to 500"],
            "setting": "16-64-250",
            "against": "5-64-250",
            "cells": "connected",
            "metric": "sparse_kendall_tau",
            "value": 0.6,
            "difference": -0.02,
            "ci_low": -0.1,
            "ci_high": 0.05,
            "n": 3,
            "n_baseline": 5,
        }
    )
    rows = factor_rows(("channels /4", "s_kdt", -0.3, NAN, NAN, NAN, 1))
    ours = pd.concat([rows, factor_rows(("WSBN", "s_kdt", 0.1, NAN, NAN, NAN, 1))])
    frames = {"factors": ours.assign(baseline=0.25), "published_factors": published}
    found = page.narrow(inputs(**frames)).set_index(["whose", "channels"])
    assert found.loc[("Yu, table 11", "channels /2")].tolist() == ["3, averaged", "0.74", "-0.07"]
    others = found.loc[("published supernets", "16-64-250 to 5-64-250")]
    assert others.tolist() == [runs_of_both(3, 5), "0.60", "0.02 [-0.05, 0.10]"]
    assert found.loc[("ours", "channels /4")].tolist() == [
        runs_of_both(1, 5),
        "0.25",
        "-0.30 [no interval]",
    ]
    assert len(found) == 4, "Yu prints two"
    del frames["published_factors"]
    assert len(page.narrow(inputs(**frames))) == 3, "without the published supernets"


def test_split_supernets_are_missing_where_all_at_hand_are_single():
    empty = pd.DataFrame(columns=["cells", "metric"])
    at_hand = inputs(published_all=pd.DataFrame({"setting": ["5-64-250"]}), published_splits=empty)
    with pytest.raises(Absent, match="no split one is among them"):
        page.split_supernets(at_hand)


def test_a_factor_is_a_row_with_its_differences():
    rows = factor_rows(
        ("WSBN", "s_kdt", -0.1, -0.2, -0.004, 0.03, 3),
        ("WSBN", "mean_prediction", -2.04, -3, -1, 0.0001, 3),
        ("WSBN", "cpu_seconds", 5, 4, 6, 0.5, 3),
        ("OFA kernel", "s_kdt", -0.3, NAN, NAN, NAN, 1),
    )
    first, second = page.factors_table(rows).to_dict("records")
    assert first == {
        "factor": "WSBN",
        "paper": "Yu C.3",
        "n": runs_of_both(3, 5),
        "proxy accuracy, %": "-2.0 [-3.0, -1.0], p < 0.001",
        "s-KdT": "-0.10 [-0.20, 0.00], p 0.030",
    }
    assert second["s-KdT"] == "-0.30 [no interval]" and second["proxy accuracy, %"] == "–"


def test_the_noise_is_that_between_seeds_of_a_baseline():
    runs = pd.DataFrame(
        [
            *((FAIR, seed, "spearman", value) for seed, value in enumerate([0.4, 0.5, 0.6])),
            (UNIFORM, 0, "spearman", 0.2),
        ],
        columns=["setting", "seed", "metric", "value"],
    )
    (row,) = page.noise(inputs(runs=runs)).to_dict("records")
    assert (row["baseline"], row["n"], row["standard deviation"]) == (FAIR, "3", "0.100")
    # Noncentral t with 6 degrees of freedom about d sqrt(15 / 8), power 0.8: d = 2.459.
    assert row["difference found 4 times in 5"] == "0.25"
    with pytest.raises(Absent, match="the noise is not known yet"):
        page.noise(inputs(runs=runs[runs["setting"] == UNIFORM]))


def test_printed_effects_stand_beside_those_of_the_same_name():
    """All that Yu prints of this space, but for numbers of epochs and cells that ours differ in."""
    ours = factor_rows(*((f.name, "s_kdt", 0.1, NAN, NAN, NAN, 1) for f in FACTORS))
    rows = page.effects(inputs(factors=ours))
    assert set(rows["source"]) == {"ours", "printed"}
    printed = rows[rows["source"] == "printed"].set_index("factor")["mean"]
    assert printed["OFA kernel"] == pytest.approx(0.574 - 0.740)
    assert printed["tracked statistics"] == pytest.approx(-0.417 - 0.718)
    assert printed.index.is_unique
    theirs = read("yu_factors")
    theirs = theirs[(theirs["space"] == SPACE) & (theirs["metric"] == "s-KdT")].dropna(
        subset=["baseline", "value"]
    )
    named = set(theirs["setting"].replace(page.NAMES_OF_YU)) - {""}
    missing = {name for name in named - set(printed.index) if not name.startswith("epochs")}
    assert missing == {"learning rate x0.4", "learning rate x6", "cells a stage -2"}


def test_printed_effects_on_channels_stand_beside_those_of_the_same_cells():
    ours = factor_rows(*((f.name, "s_kdt", 0.1, NAN, NAN, NAN, 1) for f in channels.FACTORS))
    rows = page.effects(inputs(factors=ours))
    printed = rows[rows["source"] == "printed"].set_index("factor")["mean"]
    expected = {
        channels.INTERPOLATED: 0.37 - 0.22,
        channels.SHUFFLED: 0.17 - 0.22,
        channels.DISABLED[1]: 0.435 - 0.173,
        channels.DISABLED[2]: 0.426 - 0.206,
        channels.DISABLED[3]: 0.487 - 0.242,
        channels.DISABLED[4]: 0.493 - 0.270,
    }
    assert printed.to_dict() == pytest.approx(expected)


def test_what_a_setting_has_no_number_of_is_a_dash():
    rows = pd.DataFrame(
        [
            (FAIR, "spearman", 0.5, 0.4, 0.6, 3),
            (FAIR, "tau_a", 0.2, 0.1, 0.3, 3),
            (channels.FIXED, "spearman", 0.4, 0.3, 0.5, 2),
        ],
        columns=["setting", "metric", "mean", "ci_low", "ci_high", "n"],
    )
    first, second = page.settings_table(rows).to_dict("records")
    assert first["tau_a"] == "0.20 [0.10, 0.30]" and second["tau_a"] == "–"
    assert (second["n"], second["Spearman"]) == ("2", "0.40 [0.30, 0.50]")


def test_a_figure_of_single_seeds_says_that_noise_is_not_known():
    single = factor_rows(("WSBN", "s_kdt", -0.1, NAN, NAN, NAN, 1))
    rows = page.effects(inputs(factors=single))
    assert "what of that is noise is not known yet" in page.beyond_noise(rows)
    several = factor_rows(
        ("WSBN", "s_kdt", -0.1, -0.2, -0.05, 0.1, 3), ("OFA kernel", "s_kdt", 0.1, -0.1, 0.3, 1, 3)
    )
    rows = page.effects(inputs(factors=several))
    assert page.beyond_noise(rows) == "Of 2 factors, 1 change s-KdT by their whole interval."
    both = pd.concat([rows, page.effects(inputs(factors=single.assign(factor="no Zero")))])
    assert page.beyond_noise(both) == (
        "Of 2 factors, 1 change s-KdT by their whole interval. 1 more have no interval yet."
    )


def test_an_asterisk_marks_what_remains_by_holms_method():
    rows = factor_rows(
        ("WSBN", "s_kdt", -0.1, -0.2, -0.05, 0.04, 3), ("OFA kernel", "s_kdt", 0.1, 0.0, 0.3, 1, 3)
    )
    found = page.effects(inputs(factors=rows))
    assert set(found["factor"]) == {"WSBN *", "OFA kernel"}
    assert found.set_index(["factor", "source"]).index.is_unique


def test_published_supernets_are_compared_over_connected_cells():
    rows = pd.DataFrame(
        {
            "what": "epochs 250 to 500",
            "setting": "16-64-500",
            "against": "16-64-250",
            "cells": ["connected", "all"],
            "metric": "spearman",
            "baseline": [0.77, 0.1],
            "value": [0.84, 0.2],
            "difference": [0.07, 0.1],
            "ci_low": [0.04, 0],
            "ci_high": [0.1, 0.2],
            "p_holm": 0.1,
            "n": 3,
            "n_baseline": 2,
        }
    )
    found = pd.concat(
        [rows, rows.assign(metric="sparse_kendall_tau"), rows.assign(metric="tau_top_tenth")]
    )
    (row,) = page.published_table(found).to_dict("records")
    assert (row["from"], row["to"], row["n"]) == ("16-64-250", "16-64-500", runs_of_both(3, 2))
    assert row["Spearman"] == "0.77, 0.07 [0.04, 0.10]"


def protocol_rows(*rows: tuple) -> pd.DataFrame:
    names = ["training", "minutes", "supernets", "score", "metric", "mean", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*names, "n", "budget", "chosen"])


def test_the_chosen_protocols_stand_beside_the_number_of_parameters():
    rows = protocol_rows(
        ("balanced", 1, 3, "accuracy", "spearman", 0.7, 0.65, 0.75, 5, 3, True),
        ("balanced", 1, 3, "accuracy", "cpu_seconds", 183, 170, 190, 5, 3, True),
        ("uniform", 3, 1, "accuracy", "spearman", 0.5, 0.4, 0.6, 5, 3, False),
        (PARAMETERS, 0, 0, PARAMETERS, "spearman", 0.75, NAN, NAN, 1, 1, False),
    )
    chosen, parameters = page.recipes(inputs(recipes=rows)).to_dict("records")
    assert chosen == {
        "protocol": "3 x 1 min, balanced, by accuracy",
        "for": "3 min, chosen",
        "n": "5",
        "Spearman": "0.70 [0.65, 0.75]",
        "core-minutes": "3.0",
    }
    assert (parameters["protocol"], parameters["for"]) == (PARAMETERS, "–")
    assert (parameters["Spearman"], parameters["core-minutes"]) == ("0.75", "–")
    assert len(page.protocols_table(rows)) == 3
    with pytest.raises(Absent, match="No protocol has all of its repetitions yet"):
        page.recipes(inputs(recipes=rows.assign(chosen=False)))


def test_scores_of_untrained_networks_come_best_first():
    rows = pd.DataFrame(
        [
            ("flops", "spearman", 0.7, 9),
            ("flops", "partial_spearman", NAN, 9),
            ("nwot", "spearman", 0.8, 9),
            ("nwot", "partial_spearman", 0.5, 9),
            ("nwot", "seconds", 0.567, 9),
        ],
        columns=["score", "metric", "value", "n"],
    )
    best, other = page.zero_cost_table(rows).to_dict("records")
    assert (best["score"], best["n"], best["seconds a cell"]) == ("nwot", "9", "0.57")
    assert (other["Spearman"], other["Spearman given parameters"]) == ("0.70", "–")


def test_a_profile_of_a_paper_has_its_own_spaces_and_no_recipes():
    spaces = {name: list(page.setting(inputs(name)))[1:] for name in ("paper", "paper-yu")}
    assert spaces == {"paper": [SPACE], "paper-yu": [SPACE, channels.SPACE]}
    for table in ("tricks-recipes", "tricks-protocols"):
        with pytest.raises(Absent, match="the profiles smoke and cpu have them"):
            page.TABLES[table].rows(inputs("paper"))


def test_states_of_a_supernet_are_shown_with_their_number():
    rows = pd.DataFrame(
        [(1, 0.674, 0.136, 0.908, 128, 64)],
        columns=["averaged", "mean", "least", "largest", "n", "networks"],
    )
    (row,) = page.states_table(rows).to_dict("records")
    assert row == {
        "states averaged": "1",
        "networks": "64",
        "n": "128",
        "mean Spearman": "0.67",
        "least Spearman": "0.14",
        "largest Spearman": "0.91",
    }
    table = page.TABLES["tricks-states"]
    with pytest.raises(Absent):
        table.rows(inputs())


def test_only_what_both_tests_find_within_the_margin_is_called_equivalent():
    names = ["factor", "against", "metric", "margin", "difference", "n", "p", "p_holm"]
    rows = pd.DataFrame(
        [
            ("WSBN", UNIFORM, "s_kdt", 0.05, 0.021, 3, 0.02, 0.04),
            ("OFA kernel", UNIFORM, "s_kdt", 0.05, 0.0, 3, 0.4, 0.4),
        ],
        columns=names,
    )
    (row,) = page.equivalent(inputs(equivalent=rows)).to_dict("records")
    assert (row["factor"], row["metric"], row["margin"]) == ("WSBN", "s-KdT", "± 0.05")
    assert (row["difference"], row["n"]) == ("0.02", "3")
    with pytest.raises(Absent, match="No factor is found within a margin"):
        page.equivalent(inputs(equivalent=rows[1:]))
    with pytest.raises(Absent, match="No factor has two seeds yet"):
        page.equivalent(inputs(equivalent=rows.assign(p=NAN)))


def test_judges_are_named_as_in_other_tables():
    names = ["metric_a", "metric_b", "spearman", "ci_low", "ci_high", "n"]
    rows = pd.DataFrame([("s_kdt", "s_kdt_by_loss", 0.5, 0.2, 0.7, 50)], columns=names)
    (row,) = page.judges_table(rows).to_dict("records")
    assert row == {
        "of a supernet": "s-KdT",
        "with": "s-KdT by cross-entropy",
        "Spearman": "0.50 [0.20, 0.70]",
        "n": "50",
    }


def test_both_spaces_say_how_their_supernets_are_trained():
    rows = page.setting(inputs()).set_index("setting")
    assert list(rows) == ["NAS-Bench-201", "NAS-Bench-101"] and not rows.isna().any(axis=None)
    assert rows.loc["sampling"].tolist() == ["strictly-fair", "uniform"]
