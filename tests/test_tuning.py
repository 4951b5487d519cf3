"""Trainings that tune their learning rate: exact gradients, updates by hand, records."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn import functional as F

from nasrepro import cli
from nasrepro.errors import ConfigError
from nasrepro.hypergradients import gradient_after, sgd, unroll
from nasrepro.nets.plain import MlpConfig, VggConfig, build
from nasrepro.pages import generated
from nasrepro.runs.kinds import TUNING, kind_of, store_of
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Measurement, Record, from_bytes, to_bytes
from nasrepro.runs.tuning import PLAIN, TuneConfig, TuningConfig, run_tuning, updated
from nasrepro.studies import sotl
from nasrepro.studies.sotl_synthetic import TUNED
from nasrepro.train import initialise

DIGITS = DataConfig("digits", train_images=120, validation_images=50)
SMALL = TuningConfig(
    DIGITS, MlpConfig(hidden=8), TuneConfig(unroll=5), replace(PLAIN, epochs=3, batch_size=20)
)


@pytest.mark.parametrize(
    "net", [MlpConfig(hidden=5, layers=2), VggConfig(channels=2, convolutions=2)]
)
def test_the_gradient_of_the_rate_is_that_of_finite_differences(net):
    generator = torch.Generator().manual_seed(0)
    module = build(net, channels=1, size=8)
    initialise(module, generator)
    module.double()
    batches = [
        (torch.randn(6, 1, 8, 8, generator=generator, dtype=torch.float64), torch.arange(6))
        for _ in range(4)
    ]

    def loss(weights, rate, batch):
        return F.cross_entropy(functional_call(module, dict(weights), (batch[0],)), batch[1])

    weights = {name: value.detach() for name, value in module.named_parameters()}

    def outcome(rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        rate = torch.tensor(rate, dtype=torch.float64)
        found = unroll(sgd(loss), weights, rate, batches[:3])
        return found.total, loss(found.weights, rate, batches[3])

    rate, h = torch.tensor(0.05, dtype=torch.float64), 1e-6
    found = unroll(sgd(loss), weights, rate, batches[:3])
    exact = found.gradient, gradient_after(loss, found, rate, batches[3])
    numeric = [
        (up - down) / (2 * h) for up, down in zip(outcome(0.05 + h), outcome(0.05 - h), strict=True)
    ]
    assert [g.item() for g in exact] == pytest.approx([n.item() for n in numeric], rel=1e-6)


def test_two_steps_give_the_gradient_of_baydin():
    """Equation 4.2: minus the product of two gradients that follow each other."""
    matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    step = sgd(lambda weights, rate, _: weights["w"] @ matrix @ weights["w"] / 2)
    first = torch.tensor([1.0, -2.0])
    slope = matrix @ first
    second = matrix @ (first - 0.1 * slope)
    found = unroll(step, {"w": first}, torch.tensor(0.1), range(2))
    assert found.gradient.item() == pytest.approx(-(slope @ second).item())


def test_an_update_descends_is_clipped_and_never_reaches_zero():
    rate, tune = torch.tensor(0.05), TuneConfig(rate=0.01)
    assert updated(rate, torch.tensor(-2.0), tune)[0].item() == pytest.approx(0.07)
    assert updated(rate, torch.tensor(-50.0), tune)[0].item() == pytest.approx(0.15)
    new, halved = updated(rate, torch.tensor(50.0), tune)
    assert (new.item(), halved) == (pytest.approx(0.025), True)


@pytest.mark.torch
def test_a_run_is_recorded_whole_and_again_the_same():
    record = run_tuning(SMALL)
    assert record.status == "ok" and len(record.history) == 3
    # 3 epochs of 6 batches: 18 steps, in three windows of five and one of three.
    assert record.arrays["rates"].shape == (5,) and record.arrays["halved"].shape == (4,)
    assert record.history[-1].learning_rate == record.arrays["rates"][-1] > PLAIN.learning_rate
    assert record.history[-1].train_loss < record.history[0].train_loss
    again = run_tuning(SMALL)
    assert again.history == record.history
    assert from_bytes(to_bytes(record), TUNING) == record
    assert kind_of(SMALL) is TUNING


@pytest.mark.torch
def test_without_an_update_the_training_is_plain_sgd():
    """Whatever is unrolled: the rate stays, and all see the same batches."""
    plain = replace(SMALL, tune=TuneConfig(unroll=2, rate=0.0))
    longer = replace(plain, tune=TuneConfig(unroll=6, rate=0.0))
    assert run_tuning(plain).history == run_tuning(longer).history
    assert set(run_tuning(plain).arrays["rates"]) == {np.float32(1e-3).item()}


@pytest.mark.torch
def test_the_loss_that_is_descended_matters():
    by_validation = replace(SMALL, tune=TuneConfig(unroll=5, loss="validation"))
    found = run_tuning(by_validation)
    assert found.status == "ok"
    assert found.arrays["rates"][1] != run_tuning(SMALL).arrays["rates"][1]


@pytest.mark.torch
def test_a_run_that_diverges_ends_and_says_so():
    wild = replace(SMALL, train=replace(SMALL.train, learning_rate=1e30), tune=TuneConfig(rate=0.0))
    record = run_tuning(wild)
    assert record.status == "diverged" and len(record.history) < 3
    assert math.isfinite(record.measurement.train_seconds)


@pytest.mark.torch
def test_a_vgg_runs_on_colour_images_size():
    record = run_tuning(replace(SMALL, net=VggConfig(channels=4, convolutions=2)))
    assert record.status == "ok" and record.arrays["test_images"] == 360


def test_stored_runs_are_listed_with_what_they_have(results, capsys, monkeypatch):
    """They have neither cells nor a sampler."""
    about = Measurement(60, 1, 1, 1, 1, 1, "cpu", 1, "cpu", {})
    config = next(c for c, its in sotl.design("smoke").items() if its["part"] == sotl.TUNING)
    store_of(TUNING).save(Record(config, "ok", (), {}, about))
    monkeypatch.setattr("sys.argv", ["nasrepro", "runs", "list"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    line = capsys.readouterr().out
    assert not stop.value.code and f"{config.key}  own   ok        {TUNING.name}  digits" in line
    page = generated.records({"04_sotl_vs_validation": {"parameters": {"profile": "smoke"}}})
    assert "## sotl, tuning" in page and "MLP; T = 2" in page
    assert "2 epochs, batch 30, rate 0.001, float32" in page


@pytest.mark.torch
@pytest.mark.parametrize("network", ["mlp", "vgg"])
def test_the_papers_networks_take_an_update(network):
    """At full size, with two images a batch."""
    config = getattr(TUNED["paper"], network)
    channels, size = (1, 28) if network == "mlp" else (3, 32)
    module = build(config.net, channels, size)
    generator = torch.Generator().manual_seed(0)
    initialise(module, generator)
    batches = [
        (torch.randn(2, channels, size, size, generator=generator), torch.tensor([0, 1]))
        for _ in range(2)
    ]

    def loss(weights, rate, batch):
        return F.cross_entropy(functional_call(module, dict(weights), (batch[0],)), batch[1])

    weights = {name: value.detach() for name, value in module.named_parameters()}
    rate = torch.tensor(config.train.learning_rate)
    gradient = unroll(sgd(loss), weights, rate, batches).gradient
    new, _ = updated(rate, gradient, config.tune)
    assert gradient.isfinite() and new > 0 and new != rate


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="unroll at least 2 steps, found unroll=1"):
        TuneConfig(unroll=1)
    with pytest.raises(ConfigError, match="unknown loss 'test'"):
        TuneConfig(loss="test")
    for name, value in (("momentum", 0.9), ("label_smoothing", 0.1), ("crop_padding", 4)):
        with pytest.raises(ConfigError, match=rf"take train\.{name}=0.*, not {value}"):
            replace(SMALL, train=replace(SMALL.train, **{name: value}))
    with pytest.raises(ConfigError, match="less than a batch of 200"):
        replace(SMALL, train=replace(SMALL.train, batch_size=200))
    with pytest.raises(ConfigError, match="halve images of at least 16 pixels, found 8"):
        build(VggConfig(convolutions=4), channels=1, size=8)


def test_the_papers_mlp_has_less_than_half_of_the_parameters_that_it_names():
    """Section 4.1.1 has 1.8 million, which two layers have."""
    counts = [
        sum(p.numel() for p in build(MlpConfig(layers=layers), 1, 28).parameters())
        for layers in (1, 2)
    ]
    assert counts == [795_010, 1_796_010]
