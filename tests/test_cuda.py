"""A GPU computes what a CPU does: gradients, supernets of every space, networks on their own.

Skipped where there is none. Both draw the same numbers, so that runs differ by rounding alone. Only
the gradients, in double precision, are compared closely: in single precision a value near zero may
lie on either side of a ReLU's kink.
"""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from nasrepro.darts.algorithm import Phase
from nasrepro.darts.gradients import GRADIENTS
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import NetConfig
from nasrepro.runs.config import changed
from nasrepro.runs.families import FAMILIES
from nasrepro.runs.finetune import run_finetune
from nasrepro.runs.parts import DrawnEncodings
from nasrepro.runs.search import SearchConfig, run_search
from nasrepro.runs.standalone import run_standalone
from nasrepro.runs.supernet import SupernetConfig, run
from nasrepro.spaces import SPACES
from nasrepro.train import initialise, multiplies_bfloat16
from nasrepro.updates import MetaMinibatchProx, Reptile
from tests.test_finetune import CONFIG as FINETUNED
from tests.test_finetune import FROZEN
from tests.test_nets_relaxed_nb1shot1 import TINY as ONE_SHOT
from tests.test_nets_tricks import ALL_TRICKS, BATCH, BOTH, WSBN
from tests.test_runs import TINY
from tests.test_runs_darts import TINY as DARTS
from tests.test_runs_macro import TINY as MACRO
from tests.test_runs_nb101 import TINY as NB101
from tests.test_runs_nb101 import VARIANTS
from tests.test_runs_search import DARTS as SEARCHED
from tests.test_runs_search import LOOKING as SEARCH
from tests.test_standalone import TINY as ALONE

pytestmark = [
    pytest.mark.usefixtures("results"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
DEVICE = "cuda"
NETS = {
    "nb201": NetConfig(**BATCH),
    "nb201, transformers": NetConfig(**BATCH, transformers=BOTH),
    "nb201, WSBN": NetConfig(**BATCH, **WSBN),
    "nb201, projected": NetConfig(**BATCH, kernels="projected"),
    "nb101": NB101.net,
    "macro": MACRO.net,
    "darts": DARTS.net,
    "nb1shot1": ONE_SHOT.net,
}
FEW = changed(TINY, {"train.batch_size": 8})
RUNS = {
    "nb201": TINY,
    "nb201, strictly fair": dataclasses.replace(FEW, sampler="strictly-fair"),
    "nb201, tracked": changed(TINY, {"evaluate.batch_norm": "tracked"}),
    "nb201, calibrated": changed(
        TINY, {"evaluate.batch_norm": "calibrated", "evaluate.calibration_batches": 1}
    ),
    "nb201, every trick": dataclasses.replace(TINY, net=ALL_TRICKS),
    "nb201, topology": dataclasses.replace(TINY, topology="per position"),
    "nb201, FairNAS": changed(
        FEW, {"sampler": "strictly-fair", "train.gradients": "mean", "train.batches": "shared"}
    ),
    "nb201, Reptile": changed(FEW, {"train.adaptation": Reptile(outer_rate=0.5)}),
    "nb201, Metaprox": changed(FEW, {"train.adaptation": MetaMinibatchProx(penalty="norm")}),
    "macro": MACRO,
    "darts": DARTS,
    "nb1shot1": dataclasses.replace(
        NB101, subspace=ONE_SHOT.subspace, net=ONE_SHOT.net, cells=DrawnEncodings(9, table=None)
    ),
    **{f"nb101, {name}": dataclasses.replace(NB101, **change) for name, change in VARIANTS.items()},
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def briefly(config: SupernetConfig) -> SupernetConfig:
    """One epoch of few updates at a low rate, in which rounding errors have little time to grow."""
    return changed(
        config, {"train.epochs": 1, "train.learning_rate": 0.01, "train.crop_padding": 1}
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("name", NETS)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_the_cpu(name, layout, seed):
    """In double precision, so that nothing but an error can make a difference."""
    space = name.partition(",")[0]
    subspace, family = SPACES[space].Subspace(), FAMILIES[space]
    net = family.supernet(NETS[name], subspace, seeded(2))
    initialise(net, seeded())
    (path,) = family.samplers["uniform"](subspace).draw(np.random.default_rng(seed))
    x, y = torch.randn(8, 3, 8, 8, generator=seeded(1)).double(), torch.arange(8)

    def gradients(device: str) -> list[torch.Tensor]:
        there = copy.deepcopy(net).double().to(device).to(memory_format=layout)
        logits = there(x.to(device).contiguous(memory_format=layout), path)
        loss = F.cross_entropy(logits, y.to(device))
        found = torch.autograd.grad(loss, list(there.parameters()), materialize_grads=True)
        return [each.cpu() for each in found]

    torch.testing.assert_close(gradients(DEVICE), gradients("cpu"), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", RUNS)
def test_a_supernet_is_that_of_the_cpu_up_to_rounding(name):
    config = briefly(RUNS[name])
    here, there = run(config, "cpu"), run(config, DEVICE)
    assert there.status == here.status == "ok"
    assert there.measurement.device == torch.cuda.get_device_name()
    np.testing.assert_array_equal(there.arrays["codes"], here.arrays["codes"])
    np.testing.assert_allclose(there.arrays["loss"], here.arrays["loss"], rtol=1e-2)
    for a, b in zip(there.history, here.history, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=2e-3)


@pytest.mark.parametrize("name", ["nb201", "nb201, every trick", "nb101, SINGLE-K", "macro"])
def test_the_same_config_gives_the_same_bits(name):
    first, second = run(RUNS[name], DEVICE), run(RUNS[name], DEVICE)
    assert first.history == second.history
    for array in first.arrays:
        np.testing.assert_array_equal(first.arrays[array], second.arrays[array])


def test_mixed_precision_is_computed_as_such_and_says_so():
    config = changed(
        briefly(TINY), {"train.precision": "bfloat16", "evaluate.precision": "bfloat16"}
    )
    record, exact = run(config, DEVICE), run(briefly(TINY), DEVICE)
    assert record.measurement.bfloat16 == multiplies_bfloat16("cuda")
    np.testing.assert_allclose(record.arrays["loss"], exact.arrays["loss"], rtol=0.1)
    assert not np.array_equal(record.arrays["loss"], exact.arrays["loss"])


@pytest.mark.parametrize("config", [FINETUNED, FROZEN], ids=["learning", "frozen"])
def test_a_fine_tuning_is_that_of_the_cpu_up_to_rounding(config):
    config = changed(config, {"epochs": 0, "learning_rate": config.learning_rate / 10})
    here, there = run_finetune(config, "cpu"), run_finetune(config, DEVICE)
    assert there.status == here.status == "ok" and there.arrays.keys() == here.arrays.keys()
    for name in ("loss", "validation_loss", "validation_mini_loss"):
        np.testing.assert_allclose(there.arrays[name], here.arrays[name], rtol=5e-3)
    if not config.frozen:
        np.testing.assert_allclose(there.arrays["sogn"], here.arrays["sogn"], rtol=1e-2)


@pytest.mark.parametrize(
    "mode", [EvaluateConfig("tracked"), EvaluateConfig("batch", batch_size=25)]
)
def test_a_network_on_its_own_is_that_of_the_cpu_up_to_rounding(mode):
    config = changed(ALONE, {"train.epochs": 1, "train.learning_rate": 0.01, "evaluate": mode})
    here, there = run_standalone(config, "cpu"), run_standalone(config, DEVICE)
    assert there.status == here.status == "ok"
    for a, b in zip(there.history, here.history, strict=True):
        assert dataclasses.astuple(a)[0] == pytest.approx(dataclasses.astuple(b)[0], rel=2e-3)


@pytest.mark.parametrize("gradient", sorted(GRADIENTS.keys() - {"reinforce"}))  # counts images
def test_a_search_is_that_of_the_cpu_up_to_rounding(gradient):
    """Alphas are frozen: Adam follows the sign of a gradient, however small."""
    config = changed(
        SEARCH,
        {
            "train.epochs": 1,
            "train.learning_rate": 0.01,
            "algorithm.gradient": gradient,
            "algorithm.learning_rate": 0.0,
        },
    )
    check_search(config)


def test_a_search_whose_choices_differ_in_length_is_that_of_the_cpu_up_to_rounding():
    slow = {"train.learning_rate": 0.01, "algorithm.learning_rate": 0.0, "spectrum_every": 1}
    check_search(changed(ONE_SHOT, slow))


@pytest.mark.parametrize(
    ("config", "phases"),
    [
        (SEARCH, (Phase(1, share=2), Phase(1, operations=3))),
        (SEARCHED, (Phase(1, cells=3, skip_dropout=0.5), Phase(1, cells=4))),
    ],
)
def test_a_search_in_phases_goes_on_as_on_the_cpu(config, phases):
    """What is drawn is drawn on the CPU, also where a network gets wider and for dropout."""
    config = changed(
        config,
        {
            "train.epochs": len(phases),
            "train.learning_rate": 0.01,
            "algorithm.phases": phases,
            "algorithm.learning_rate": 1e-5,
        },
    )
    here, there = run_search(config, "cpu"), run_search(config, DEVICE)
    assert there.status == here.status == "ok"
    for a, b in zip(there.history, here.history, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-2)
    kept = [np.isfinite(record.arrays["alphas"]).sum(axis=(1, 2)) for record in (here, there)]
    assert (kept[0] == kept[1]).all()


def check_search(config: SearchConfig) -> None:
    here, there = run_search(config, "cpu"), run_search(config, DEVICE)
    assert there.status == here.status == "ok"
    assert there.history[0].train_loss == pytest.approx(here.history[0].train_loss, rel=1e-3)
    for name, close in {"gradients": 1e-2, "spectra": 2e-2}.items():
        a, b = there.arrays[name], here.arrays[name]
        np.testing.assert_allclose(a, b, atol=close * np.abs(b).max())
