"""Designs of studies: labels that tell runs apart, factors that change one thing."""

from dataclasses import replace

import pytest

from nasrepro.errors import ConfigError
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import NAMES, study
from nasrepro.studies.design import (
    PART,
    Factor,
    Times,
    in_order,
    label_names,
    labelled,
    merged,
    settings_of,
)
from nasrepro.train import TrainConfig

ONE = SupernetConfig()
CLIPPED = replace(ONE.train, gradient_clip=5.0)
TRICK = Factor("clip", "plain", "here", {"train.gradient_clip": 5.0})


def test_a_design_keeps_its_order_and_labels():
    runs = [(replace(ONE, seed=seed), {"setting": "plain"}) for seed in (2, 0, 1)]
    design = labelled(runs)
    assert list(design.items()) == runs
    assert label_names(design) == ["setting"]


def test_two_configs_of_equal_labels_would_be_pooled_and_are_refused():
    runs = [(ONE, {"setting": "plain"}), (replace(ONE, train=CLIPPED), {"setting": "plain"})]
    with pytest.raises(ConfigError, match=f"{ONE.key} and .* are both setting 'plain', seed 0"):
        labelled(runs)
    assert len(labelled([runs[0], (replace(ONE, train=CLIPPED), {"setting": "clip"})])) == 2


def test_one_config_of_two_labels_would_be_counted_twice_and_is_refused():
    with pytest.raises(ConfigError, match=f"run {ONE.key} is in a design twice"):
        labelled([(ONE, {"setting": "plain"}), (ONE, {"setting": "again"})])
    with pytest.raises(ConfigError, match=r"in a design twice: as part 'a'.* and as part 'b'"):
        merged(a=labelled([(ONE, {})]), b=labelled([(ONE, {})]))


def test_parts_are_labelled_by_their_names():
    other = replace(ONE, seed=1)
    design = merged(a=labelled([(ONE, {"x": "1"})]), b=labelled([(other, {"y": "2"})]))
    assert design == {ONE: {PART: "a", "x": "1"}, other: {PART: "b", "y": "2"}}
    assert label_names(design) == [PART, "x", "y"]


def test_a_factor_changes_what_it_says_and_nothing_else():
    settings = settings_of("plain", ONE, [TRICK])
    assert settings == {"plain": ONE, "clip": replace(ONE, train=CLIPPED)}
    with pytest.raises(ConfigError, match=r"no setting 'train.clip'"):
        settings_of("plain", ONE, [Factor("wrong", "plain", "here", {"train.clip": 1})])


def test_factors_change_what_earlier_ones_have_changed():
    longer = Factor("longer", "plain", "here", {"epochs": Times(2)})
    both = Factor("both", "longer", "here", {"epochs": Times(1.5), "learning_rate": Times(0.2)})
    found = settings_of("plain", TrainConfig(epochs=3), [longer, both])
    shown = [(c.epochs, c.learning_rate) for c in found.values()]
    assert shown == [(3, 0.025), (6, 0.025), (9, 0.005)]
    with pytest.raises(ConfigError, match="'longer', which is no setting before it"):
        settings_of("plain", TrainConfig(), [both])
    with pytest.raises(ConfigError, match="two settings are named 'longer'"):
        settings_of("plain", TrainConfig(), [longer, longer])


def test_records_come_in_the_order_of_the_design():
    class Stored:
        def __init__(self, config):
            self.config = config

    configs = [replace(ONE, seed=seed) for seed in range(4)]
    stored = [Stored(configs[i]) for i in (3, 1, 0)]
    assert [r.config.seed for r in in_order(stored, configs)] == [0, 1, 3]


@pytest.mark.parametrize("name", NAMES)
def test_every_study_has_what_a_study_has(name):
    module = study(name)
    for profile in module.PROFILES:
        design = module.design(profile)
        assert len({config.key for config in design}) == len(design)
        assert isinstance(module.table_of(profile), str)
        assert set(module.design(profile, 1)) <= set(design)
