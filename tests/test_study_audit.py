"""What Pourchot prints, against what follows from it."""

import re

import pandas as pd
import pytest

from nasrepro import claims
from nasrepro.effects import p_of_effect, superiority
from nasrepro.stats import Interval
from nasrepro.studies import audit, comparison
from nasrepro.studies.appraisal import published


@pytest.fixture(scope="module")
def effects():
    return audit.effects()


def test_tables_4_and_5_have_every_space_and_pair_of_searches(effects):
    assert len(effects) == 28 and effects["space"].nunique() == 7
    assert set(effects.groupby(["space", "baseline", "guided"]).size()) == {1}
    named = [re.sub("_bs|_ws", "", column).split(" - ") for column in effects["column"]]
    assert named == effects[["baseline", "guided"]].to_numpy().tolist()
    assert set(effects.loc[effects["table"] == 4, "baseline"]) == {"RS"}
    assert set(effects.loc[effects["table"] == 5, "baseline"]) == {"GS"}


def test_every_printed_effect_is_its_mean_over_its_deviation(effects):
    assert effects["d_agrees"].all()


def test_every_printed_p_but_one_follows_from_its_effect(effects):
    """d = 0.44 on A_FULL: t = 0.44 sqrt(20) = 1.968 with 123 degrees of freedom gives p = 0.051."""
    (odd,) = effects[~effects["p_agrees"]].itertuples()
    assert (odd.space, odd.column, odd.p) == ("A_FULL", "RS_bs - RS_ws", 0.06)
    assert p_of_effect(odd.d, 100, 25) == pytest.approx(0.0513, abs=1e-4)
    assert odd.p_high < 0.055
    assert f"{p_of_effect(odd.d, 100, 24):.2f}" == "0.06", "24 searches would give it"


def test_significance_and_interval_of_an_effect_agree(effects):
    outside = (effects["ci_low"] > 0) | (effects["ci_high"] < 0)
    significant = [p_of_effect(d, 100, 25) < 0.05 for d in effects["d"]]
    assert outside.tolist() == significant


def test_a_wrong_printed_number_is_found(monkeypatch):
    changed = published("effects")
    changed.loc[0, "d"] = -0.58
    changed.loc[1, "p"] = 0.02
    tables = {"effects": changed, "design": published("design")}
    monkeypatch.setattr(audit, "published", tables.__getitem__)
    found = audit.effects()
    assert found["d_agrees"].tolist() == [False, *[True] * 27]
    assert not found["p_agrees"][1]


def test_greedy_search_against_random_search_from_tables_4_and_5():
    """A_4: -0.68 - 0.30; A_2, the worst: 0.36 - 1.67; A_FULL^RES, the best: 0.33 - 0.78."""
    found = audit.greedy_against_random()
    assert found[["A_4", "A_2", "A_FULL^RES"]].tolist() == pytest.approx([-0.98, -1.31, -0.45])
    assert (found.min(), found.max()) == (found["A_2"], found["A_FULL^RES"])
    assert len(found) == 7 and (found < 0).all()


def test_claims_of_small_quantities_need_narrow_intervals():
    """Intervals of d of half widths 0.9 and 0.4; no correlation: tanh(1.96 sqrt(1.06 / 4))."""
    quantities = {
        "effect-A_3": Interval(0.1, -0.8, 1.0, 5),
        "effect-A_2": Interval(0.7, 0.3, 1.1, 25),
        "no-link": Interval(0.9, 0.4, 1.0, 7),
        "oneshot-A_1": Interval(1.0, 0.5, 1.5, 5),
    }
    found = audit.precision(pd.DataFrame(claims.judge("pourchot_search", quantities)))
    assert found["n"].tolist() == [5, 25, 7]
    assert found["half"].tolist() == pytest.approx([0.9, 0.4, 0.766], abs=1e-3)
    assert found["room"].tolist() == pytest.approx([-0.4, 0.1, -0.266], abs=1e-3)


def test_only_one_printed_probability_of_superiority_follows_from_its_effect():
    """Phi(-0.85 / sqrt 2) = Phi(-0.601) = 0.274; Phi(0.311) = 0.622; Phi(0.771) = 0.780."""
    found = audit.superiorities().set_index("space")
    middle = (found["percent_low"] + found["percent_high"]) / 2
    assert middle.round(1).to_dict() == {"A_FULL": 62.2, "A_1": 78.0, "A_4": 27.4}
    assert found["agrees"].to_dict() == {"A_FULL": False, "A_1": True, "A_4": False}
    assert f"{superiority(0.4):.0%}" == "61%", "as the text has it around d = 0.44"


def test_effects_are_pooled_with_the_weights_of_the_runs_that_the_paper_has():
    (plan,) = published("design").itertuples()
    assert comparison.RUNS == (plan.baseline, plan.guided) == (100, 25)


def test_25_runs_do_not_find_every_medium_effect():
    values = audit.design()["value"].to_list()
    assert values == pytest.approx([0.602, 0.631, 47, 0.809], abs=1e-3)


def test_numbers_of_the_text():
    found = audit.texts()
    assert set(found["id"]) == set(published("text")["id"])
    rows = [(row.id, round(float(row.computed), 3), bool(row.agrees)) for row in found.itertuples()]
    assert rows == [
        ("size-correlation", -0.714, True),
        ("size-p", 0.071, True),
        ("no-residual-loss", 17.857, False),
        ("no-residual-size", 19.125, False),
        ("bns-gain", 192.414, False),
        ("bns-gain", 273.501, True),
        ("bns-ratio", 2.924, True),
        ("bns-ratio", 3.735, False),
        ("greedy-beaten", 6, True),
        ("greedy-sharing", 3, True),
        ("wider-range", 0.21, False),  # 0.25 with BNS-FT
        ("drawn", 67_824, True),
        ("covered", 81_020, False),  # more than are drawn
    ]
