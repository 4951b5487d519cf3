"""Study 2: factors that change one thing, effects worked by hand."""

import dataclasses
import math
from collections import Counter

import pandas as pd
import pytest
from scipy import stats

from nasrepro.errors import ConfigError
from nasrepro.runs.config import to_dict
from nasrepro.studies import tricks
from nasrepro.studies.design import Factor, settings_of
from nasrepro.studies.measure import effects
from nasrepro.studies.tricks import BASELINES, FACTORS, FAIR, PROFILES, design


def flat(values: dict, path: str = "") -> dict:
    """Plain values by their dotted paths."""
    found = {}
    for name, value in values.items():
        inner = flat(value, f"{path}{name}.") if isinstance(value, dict) else {path + name: value}
        found |= inner
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_a_factor_changes_what_it_says_and_nothing_else(profile):
    settings = settings_of(FAIR, PROFILES[profile].base, FACTORS)
    for factor in FACTORS:
        before = flat(to_dict(settings[factor.baseline]))
        after = flat(to_dict(settings[factor.name]))
        changed = {path for path in before | after if before.get(path) != after.get(path)}
        assert changed == set(factor.change), factor.name


def test_the_design_has_one_seed_of_every_setting_before_two_of_any():
    labels = [labels["setting"] for labels in design("cpu").values()]
    seeds = [config.seed for config in design("cpu")]
    assert seeds == sorted(seeds) and len(set(labels[: len(FACTORS) + 1])) == len(FACTORS) + 1
    assert Counter(labels) == {f.name: 3 for f in FACTORS} | dict.fromkeys(BASELINES, 5)
    assert {config.seed for config in design("cpu", seeds=1)} == {0}
    assert {config.cells for config in design("cpu")} == {PROFILES["cpu"].base.cells}


def test_a_factor_that_is_another_ones_is_refused(monkeypatch):
    same = Factor("twice", FACTORS[-1].baseline, "here", dict(FACTORS[-1].change))
    monkeypatch.setattr(tricks, "FACTORS", (*FACTORS, same))
    with pytest.raises(ConfigError, match="in a design twice"):
        design("smoke")
    with pytest.raises(ConfigError, match="unknown profile 'huge'"):
        design("huge")


def runs_of(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        (setting, seed, "spearman", value)
        for setting, numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    return pd.DataFrame(rows, columns=["setting", "seed", "metric", "value"])


def test_effects_are_paired_by_seed_and_corrected_over_the_family():
    """Differences .1, .2, .3 and 0, .01, -.01; the baseline's fourth seed has no partner."""
    values = {FAIR: [0.5, 0.2, 0.4, 0.9], "a": [0.6, 0.4, 0.7], "b": [0.5, 0.21, 0.39]}
    found = effects(runs_of(values), {"a": FAIR, "b": FAIR}).set_index("setting")
    a, b = found.loc["a"], found.loc["b"]
    assert (a.n, a.baseline, a.value) == (3, pytest.approx(1.1 / 3), pytest.approx(1.7 / 3))
    half = stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert (a.difference, a.ci_low, a.ci_high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))
    p_a = 2 * stats.t.sf(0.2 / (0.1 / math.sqrt(3)), 2)
    assert a.p_holm == pytest.approx(2 * p_a)  # the smaller of two
    assert (b.difference, b.p_holm) == pytest.approx((0, 1), abs=1e-12)


def test_one_seed_gives_a_difference_without_interval_or_p():
    found = effects(runs_of({FAIR: [0.5, 0.6], "a": [0.7]}), {"a": FAIR, "unrun": FAIR})
    (found,) = found.itertuples()
    assert found.setting == "a" and found.difference == pytest.approx(0.2) and found.n == 1
    assert math.isnan(found.ci_low) and math.isnan(found.p_holm)


def test_tables_have_the_columns_that_users_ask_for():
    values = {FAIR: [0.5, 0.6], **{factor.name: [0.5, 0.7] for factor in FACTORS}}
    tables = tricks.tables({"runs": runs_of(values)})
    assert tuple(tables) == tricks.TABLES
    assert list(tables["factors"]) == [
        *("factor", "setting", "paper", "space", "metric"),
        *("baseline", "value", "difference", "ci_low", "ci_high", "p_holm", "n"),
    ]
    row = tables["factors"].set_index("factor").loc["gradient clipping"]
    assert (row.setting, row.paper) == ("train.gradient_clip=5.0", "Laube 4.3")


def test_the_baseline_is_what_the_paper_trains_with_at_a_smaller_scale():
    train = PROFILES["cpu"].base.train
    smaller = {"epochs", "batch_size", "crop_padding"}
    defaults = dataclasses.replace(train, **{n: getattr(type(train)(), n) for n in smaller})
    assert defaults == type(train)()  # the defaults are Laube's table 1
