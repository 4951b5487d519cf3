"""Which paths study 4 trains on: its designs, and what each trainer takes."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrepro.nets.nb201 import supernet
from nasrepro.runs.families import make_sampler
from nasrepro.studies.finetuning import OWN_RATE, PROFILES, TRAINERS, design
from nasrepro.studies.sotl_supernets import TUNED
from nasrepro.train import TrainConfig, initialise, updates


@pytest.mark.parametrize("profile", PROFILES)
def test_every_run_that_learns_has_its_like_that_does_not(profile):
    wanted = design(profile)
    frozen = {
        (*tuple(v for k, v in labels.items() if k != "rate"), config.seed): config
        for config, labels in wanted.items()
        if config.frozen
    }
    for config, labels in wanted.items():
        twin = frozen[(*tuple(v for k, v in labels.items() if k != "rate"), config.seed)]
        assert twin.supernet == config.supernet and twin.epochs == config.epochs
        assert twin.steps >= min(config.steps, PROFILES[profile].short)


def test_the_design_has_one_supernet_of_every_kind_before_two_of_any():
    seeds = [config.seed for config in design("cpu")]
    assert seeds == sorted(seeds) and set(seeds) == {0, 1, 2}
    assert len(design("cpu", seeds=1)) * 3 - 2 * 4 == len(seeds)  # four orders at a rate of one
    trainers = Counter(labels["trainer"] for labels in design("cpu", seeds=1).values())
    assert set(trainers) == set(TRAINERS) == set(OWN_RATE)
    assert {config.order for config in design("cpu")} == set(range(5))
    # Several workers can begin at once, none waiting for the supernet that another one trains.
    first = list(design("cpu"))[: len(TRAINERS)]
    assert len({config.supernet for config in first}) == len(TRAINERS)


def test_a_trainer_differs_from_spos_as_the_thesis_says():
    runs = design("cpu", seeds=1)
    supernets = {labels["trainer"]: c.supernet for c, labels in runs.items()}
    spos = supernets["SPOS"]
    assert {name: config.paths_per_batch for name, config in supernets.items()} == {
        "SPOS": 1,
        "FairNAS": 5,
        "MultiPath": 4,
        "Reptile": 4,
        "Metaprox": 4,
    }
    for config in supernets.values():
        same = replace(config.train, gradients="sum", batches="separate", adaptation=None)
        assert same == spos.train and config.net == spos.net and config.data == spos.data
    assert supernets["Metaprox"].train.adaptation.strength == 10


def test_the_papers_profile_is_table_b1():
    base = PROFILES["paper"].base
    assert base.train == TrainConfig(
        epochs=100,
        batch_size=64,
        learning_rate=0.025,
        final_learning_rate=0.001,
        momentum=0.9,
        weight_decay=5e-4,
    )
    runs = design("paper")
    assert {c.steps for c, labels in runs.items() if labels["batch"] == "64"} == {300}
    assert {labels["rate"] for labels in runs.values()} == {"0", "0.001", "0.01"}
    assert {labels["batch"] for labels in runs.values()} == {"64", "128", "256"}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_trainer_of_the_paper_takes_a_step(trainer):
    runs = design("paper", seeds=1)
    config = next(c for c, labels in runs.items() if labels["trainer"] == trainer).supernet
    net = supernet(config.net)
    initialise(net, torch.Generator().manual_seed(0))
    sampler = make_sampler(config.sampler, config.subspace)
    generator = torch.Generator().manual_seed(1)
    batch = (torch.randn(2, 3, 32, 32, generator=generator), torch.tensor([3, 7]))
    before = net.classifier.weight.clone()
    loop = updates(
        net.train(), itertools.repeat(batch), sampler, config.train, np.random.default_rng(0), 390
    )
    shown = next(loop)
    assert len(shown) == sampler.group_size
    assert all(torch.isfinite(each.loss) for each in shown)
    assert not torch.equal(net.classifier.weight, before)


@pytest.mark.parametrize("profile", ["cpu", "paper"])
def test_paths_are_evaluated_after_the_steps_that_claims_are_about(profile):
    for config, labels in design(profile).items():
        assert config.steps >= TUNED.step
        assert labels["rate"] == "0" or TUNED.step in config.validated
