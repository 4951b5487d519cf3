"""Searches as runs: whole records, the same numbers again, and what cannot be searched."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from nasrepro.darts.algorithm import Algorithm, Phase
from nasrepro.darts.gradients import GRADIENTS
from nasrepro.darts.relaxations import RELAXATIONS, strongest
from nasrepro.errors import ConfigError
from nasrepro.evaluate import EvaluateConfig
from nasrepro.nets.config import CellNetConfig, DartsNetConfig, NetConfig
from nasrepro.nets.relaxed_darts import discretise
from nasrepro.runs.config import changed, from_dict, to_dict
from nasrepro.runs.kinds import KINDS, SEARCH, kind_of
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.record import Record, from_bytes, to_bytes
from nasrepro.runs.search import ARRAYS, SearchConfig, ends_with, run_search, selected
from nasrepro.spaces import darts, nb1shot1, nb101
from nasrepro.spaces.nb201 import OPERATIONS, Subspace
from nasrepro.train import TrainConfig

TINY = SearchConfig(
    data=DataConfig("digits", train_images=48, validation_images=40, size=8),
    net=NetConfig(
        channels=2, cells_per_stage=1, affine=False, tracked_statistics=False, affine_around=True
    ),
    train=TrainConfig(epochs=3, batch_size=16, learning_rate=0.1, crop_padding=1),
    algorithm=Algorithm(learning_rate=0.05),
    evaluate=EvaluateConfig("batch", batch_size=20),
    evaluated=30,
    spectrum_every=0,
    spectrum_images=16,
)
LOOKING = replace(TINY, spectrum_every=2)
CELLS = DartsNetConfig(
    channels=2, cells=3, affine=False, tracked_statistics=False, affine_around=True
)
DARTS = replace(TINY, subspace=darts.S2, net=CELLS)
CELL_NET = CellNetConfig(channels=2, cells_per_stage=1, tracked_statistics=False)
FROZEN = changed(TINY, {"algorithm.learning_rate": 0.0, "algorithm.gradient": "training"})


@pytest.fixture(scope="module")
def record() -> Record:
    return run_search(LOOKING)


def test_a_record_has_an_entry_of_each_epoch_and_of_each_look(record):
    arrays = record.arrays
    assert set(arrays) == set(ARRAYS) and record.status == "ok"
    assert arrays["alphas"].shape == arrays["gradients"].shape == (3, 6, 5)
    assert arrays["steps"].tolist() == [3, 3, 3]
    assert arrays["spectrum_epochs"].tolist() == [1, 2]
    assert arrays["spectra"].shape == (2, 2, 30)
    assert all(0 <= epoch.path_correct <= 30 for epoch in record.history)
    assert record.measurement.train_seconds > 0 and record.measurement.peak_memory_mb > 0


def test_a_record_is_read_as_it_was_written(record):
    assert kind_of(LOOKING) is SEARCH and SEARCH in KINDS
    assert from_bytes(to_bytes(record), SEARCH) == record
    assert from_dict(to_dict(LOOKING), SearchConfig) == LOOKING


def test_the_same_config_gives_the_same_record(record):
    again = run_search(TINY)
    assert again.history == record.history
    for name in ("alphas", "gradients", "steps"):
        np.testing.assert_array_equal(again.arrays[name], record.arrays[name])
    other = run_search(replace(TINY, seed=1))
    assert (other.arrays["alphas"] != record.arrays["alphas"]).any()


def test_looking_leaves_the_search_as_it_is(record):
    alone = run_search(replace(TINY, evaluated=20))
    np.testing.assert_array_equal(alone.arrays["alphas"], record.arrays["alphas"])
    assert alone.arrays["spectra"].shape == (0, 2, 30)


def test_the_cell_is_the_largest_alpha_of_each_edge(record):
    for cell, alphas in zip(selected(record), record.arrays["alphas"], strict=True):
        assert cell.operations == tuple(OPERATIONS[n] for n in alphas.argmax(axis=1))


def test_frozen_alphas_stay_and_the_cell_follows_all_gradients_so_far():
    frozen = run_search(FROZEN)
    alphas, gradients = frozen.arrays["alphas"], frozen.arrays["gradients"]
    assert (alphas == alphas[0]).all()
    for epoch, cell in enumerate(selected(frozen)):
        summed = gradients[: epoch + 1].sum(axis=0)
        assert cell.operations == tuple(OPERATIONS[n] for n in summed.argmin(axis=1))


def test_a_search_that_diverges_keeps_what_it_has():
    wild = changed(
        TINY, {"train.learning_rate": 1e20, "train.final_learning_rate": 1e20, "train.epochs": 9}
    )
    found = run_search(wild)
    assert found.status == "diverged"
    assert len(found.arrays["alphas"]) == len(found.history) < 9
    assert from_bytes(to_bytes(found), SEARCH).status == "diverged"


PAIRS = [  # of relaxations and gradients that go together
    *product(("softmax", "dirichlet", "gumbel"), ("training", "validation")),
    *product(("softmax",), ("finite differences", "exact product", "unrolled")),
    ("categorical", "reinforce"),
]


@pytest.mark.parametrize(
    ("relaxation", "gradient"), sorted({*product(RELAXATIONS, GRADIENTS)} - {*PAIRS})
)
def test_other_pairs_are_refused(relaxation, gradient):
    with pytest.raises(ConfigError, match=r"they are drawn|go together"):
        Algorithm(relaxation=relaxation, gradient=gradient)


@pytest.mark.parametrize(("relaxation", "gradient"), PAIRS)
def test_every_algorithm_that_there_is_makes_a_record(relaxation, gradient):
    algorithm = Algorithm(relaxation=relaxation, gradient=gradient, learning_rate=0.01)
    found = run_search(changed(TINY, {"algorithm": algorithm, "train.epochs": 1}))
    assert found.status == "ok" and torch.tensor(found.arrays["alphas"]).isfinite().all()


def test_darts_space_is_searched_over_some_operations_or_all():
    looking = changed(
        DARTS,
        {"train.epochs": 2, "spectrum_every": 2, "spectrum_largest": 2, "spectrum_images": 4},
    )
    record = run_search(looking)
    assert record.status == "ok" and record.arrays["alphas"].shape == (2, 28, 2)
    assert record.arrays["spectra"].shape == (2, 2, 2)
    assert from_bytes(to_bytes(record), SEARCH) == record
    assert from_dict(to_dict(looking), SearchConfig) == looking
    assert all(cell in darts.S2 for cell in selected(record))
    assert ends_with(record) == selected(record)[-1]
    whole = run_search(changed(DARTS, {"subspace": darts.Subspace(), "train.epochs": 1}))
    assert whole.arrays["alphas"].shape == (1, 28, 8)
    assert all(isinstance(cell, darts.Cell) for cell in selected(whole))


def test_the_cell_of_frozen_alphas_does_not_depend_on_the_size_of_gradients():
    """Edges compete by their softmax, which would be 1 for all if sums were taken as alphas."""
    record = run_search(changed(DARTS, {"algorithm.learning_rate": 0.0, "train.epochs": 1}))
    arrays = dict(record.arrays)
    larger = replace(record, arrays=arrays | {"gradients": 1024 * arrays["gradients"]})
    assert selected(larger) == selected(record)


PHASES = (Phase(2, share=2), Phase(1, operations=3, share=1))
DEEPER = (Phase(1, cells=3), Phase(2, operations=5, cells=4, skip_dropout=0.5))


def test_a_search_in_phases_is_a_record_of_what_is_left():
    config = changed(LOOKING, {"algorithm.relaxation": "dirichlet", "algorithm.phases": PHASES})
    assert config.algorithm.phases == PHASES
    assert from_dict(to_dict(config), SearchConfig) == config
    record = run_search(config)
    assert from_bytes(to_bytes(record), SEARCH) == record and record.status == "ok"
    alphas = torch.from_numpy(record.arrays["alphas"])
    assert (alphas[2].isfinite() == strongest(alphas[1], 3)).all()
    assert np.isfinite(record.arrays["spectra"]).all()
    assert selected(record)[-1].operations == tuple(OPERATIONS[n] for n in alphas[2].argmax(1))
    frozen = run_search(changed(FROZEN, {"algorithm.phases": PHASES}))
    left = np.isfinite(frozen.arrays["alphas"][-1])
    chosen = [OPERATIONS.index(operation) for operation in ends_with(frozen).operations]
    assert left[range(6), chosen].all() and left.sum() == 18


def test_a_search_gets_deeper_with_fewer_operations_and_few_skips():
    config = changed(
        replace(DARTS, subspace=darts.Subspace()),
        {
            "algorithm.phases": DEEPER,
            "algorithm.most_skips": 0,
            "algorithm.gradient": "training",
            "data.train_images": 16,
            "evaluated": 4,
        },
    )
    record = run_search(config)
    assert record.status == "ok" and from_dict(to_dict(config), SearchConfig) == config
    alphas = record.arrays["alphas"]
    assert [np.isfinite(a).sum() for a in alphas] == [28 * 8, 28 * 5, 28 * 5]
    for cell in selected(record):
        assert "skip_connect" not in [operation for operation, _ in cell.normal]
    again = run_search(config)
    assert again.history == record.history and (again.arrays["alphas"] == alphas).all()
    frozen = run_search(changed(config, {"algorithm.learning_rate": 0.0}))
    summed = frozen.arrays["gradients"][1:].sum(axis=0)  # since it began anew
    scores = np.where(np.isfinite(frozen.arrays["alphas"][-1]), -(2.0**-20) * summed, -np.inf)
    wanted = discretise(torch.from_numpy(scores), darts.OPERATIONS, most_skips=0)
    assert ends_with(frozen) == selected(frozen)[-1] == wanted


def test_what_a_space_cannot_have_in_phases_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"NAS-Bench-201 cannot have phases with cells and skip_"):
        changed(TINY, {"algorithm.phases": DEEPER})
    with pytest.raises(ConfigError, match="cannot have phases with most_skips; it can have op"):
        changed(TINY, {"algorithm.most_skips": 2})
    with pytest.raises(ConfigError, match="keeps some of the 2 operations of an edge, not 5"):
        changed(DARTS, {"algorithm.phases": DEEPER})
    with pytest.raises(ConfigError, match="share=4 does not divide the 2 channels"):
        changed(TINY, {"algorithm.phases": (Phase(3, share=4),)})
    one_shot = replace(TINY, subspace=nb1shot1.Subspace(1), net=CELL_NET)
    with pytest.raises(ConfigError, match="phases with operations and share; it can have epochs"):
        changed(one_shot, {"algorithm.phases": PHASES})


def test_what_a_space_cannot_have_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"is there for NAS-Bench-201, .*, not for NAS-Bench-101"):
        SearchConfig(subspace=nb101.Subspace(), net=CellNetConfig())
    with pytest.raises(ConfigError, match="all of NAS-Bench-201 only"):
        replace(TINY, subspace=Subspace(("none", "skip_connect")))
    with pytest.raises(ConfigError, match="fewer eigenvalues than the 30 alphas"):
        replace(TINY, spectrum_largest=30)
    with pytest.raises(ConfigError, match="40 validation images are there, not 50"):
        replace(TINY, evaluated=50)
    with pytest.raises(ConfigError, match="gradient_clip=None"):
        changed(TINY, {"algorithm.gradient": "unrolled", "train.gradient_clip": 5.0})


def test_forecasts_count_passes_and_operations():
    assert TINY.trained_images == 3 * 48 * 2 * 5  # first-order DARTS: two passes of five
    single = changed(TINY, {"algorithm.relaxation": "gumbel"})
    assert single.trained_images == 3 * 48 * 2
    assert DARTS.trained_images == 3 * 48 * 2 * 2  # S2 has two operations, the whole space eight
    assert replace(DARTS, subspace=darts.Subspace()).trained_images == 3 * 48 * 2 * 8
    in_phases = changed(TINY, {"algorithm.phases": PHASES})
    assert in_phases.trained_images == 48 * 2 * (2 * 5 / 2 + 1 * 3)
    deeper = changed(replace(DARTS, subspace=darts.Subspace()), {"algorithm.phases": DEEPER})
    assert deeper.trained_images == round(48 * 2 * (1 * 8 + 2 * 5 * 4 / 3))
    assert SearchConfig().spectrum_epochs == [1, *range(10, 251, 10)]
