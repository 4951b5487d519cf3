"""How runs were made, in words."""

import pytest

from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.pages.settings import describe_runs
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies.correlations import design
from nasrepro.studies.subspaces import PROFILES


@pytest.mark.parametrize("profile", PROFILES)
def test_the_description_says_what_the_configs_say(profile):
    config: SupernetConfig = next(iter(design(profile)))
    text = " ".join(describe_runs(list(design(profile)), PROFILES[profile].nets)["value"])
    for number in (config.data.train_images, config.data.validation_images, config.cells.random):
        assert f"{number:,}" in text
    assert f"{config.train.epochs} epochs, batches of {config.train.batch_size}" in text
    assert config.sampler in text


def test_networks_of_every_space_are_described():
    shown = [str(net) for net in (NetConfig(), CellNetConfig(), ChainNetConfig())]
    assert shown == [
        "16 channels, 5 cell(s) per stage",
        "16 channels, 3 cell(s) per stage",
        "32 channels in the stem, 1,280 in the last convolution",
    ]
