"""Study 4's trainings from scratch: their design, a tiny run, and statistics worked by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from nasrepro.benchmarks import Table, nb201
from nasrepro.claims import Student, interval_of, read_claims
from nasrepro.nets.nb201 import count_parameters, extract, supernet
from nasrepro.runs import finetune
from nasrepro.runs.config import from_dict, to_dict
from nasrepro.runs.finetune import FinetuneConfig, points, run_finetune
from nasrepro.runs.record import Measurement, Record
from nasrepro.samplers import Fixed
from nasrepro.spaces.nb201 import Cell
from nasrepro.studies import sotl, sotl_claims, sotl_scratch
from nasrepro.studies.sotl_scratch import EPOCHS, PROFILES, at_end, design, statistics
from nasrepro.train import initialise, updates

# ---- the design


@pytest.mark.parametrize("profile", PROFILES)
def test_cells_begin_untrained_and_are_trained_as_the_benchmark_does(profile):
    wanted = design(profile)
    assert len(wanted) == PROFILES[profile].seeds == len({c.supernet.seed for c in wanted})
    for config in wanted:
        assert config.epochs == 0 and config.order == config.seed and config.net.affine
        train = config.train
        assert (train.learning_rate, train.final_learning_rate) == (0.1, 0.0)
        assert (train.momentum, train.nesterov, train.weight_decay) == (0.9, True, 5e-4)
        assert config.steps == EPOCHS * (config.data.train_images // config.batch_size)
        assert config.validated[-1] == config.steps
        assert from_dict(to_dict(config), FinetuneConfig) == config
    assert len(design(profile, seeds=1)) == 1


def test_the_cpu_design_has_a_point_after_each_epoch():
    (config,) = design("cpu", seeds=1)
    an_epoch = PROFILES["cpu"].steps_per_epoch
    assert {epoch * an_epoch for epoch in range(1, EPOCHS + 1)} <= set(points(config.steps))


@pytest.mark.parametrize("profile", ["cpu", "paper"])
def test_a_path_of_an_untrained_supernet_takes_a_step(profile):
    (config,) = design(profile, seeds=1)
    net = supernet(config.net)
    initialise(net, torch.Generator().manual_seed(0))
    cell = Cell(("nor_conv_3x3", "skip_connect", "avg_pool_3x3", "none", "nor_conv_1x1", "none"))
    alone = extract(net, cell, config.net).train()
    before = alone.classifier.weight.clone()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    stream, rng = iter([(images, torch.tensor([3, 7]))]), np.random.default_rng(0)
    ((shown,),) = updates(alone, stream, Fixed(cell), config.train, rng, config.steps)
    assert torch.isfinite(shown.loss) and not torch.equal(alone.classifier.weight, before)


def test_they_are_a_part_of_the_study():
    parts = {config: labels["part"] for config, labels in sotl.design("cpu").items()}
    assert {parts[config] for config in design("cpu")} == {sotl.SCRATCH}


# ---- statistics

CODES = np.array([30, 400, 900, 2_000, 5_000, 7_777, 9_000, 12_000, 15_000, 15_600])
TRUTH = np.linspace(80.0, 91.0, len(CODES))


def table_of(codes: np.ndarray, accuracy: np.ndarray) -> Table:
    """A table with the same accuracies in each column."""
    columns = tuple(nb201.CSV.values())
    return Table("some cells", codes, columns, {column.name: accuracy for column in columns})


TABLE = table_of(CODES, TRUTH)


def made_up(config: FinetuneConfig) -> Record:
    """Losses as the truth has it after half of the training; SoG as parameters, SoGN against it."""
    curve, half = np.array(points(config.steps)), config.steps // 2
    losses = np.repeat((100 - TRUTH)[:, None], config.steps, axis=1)
    losses[:, :half] *= -1
    size = np.repeat(count_parameters(CODES)[:, None] * 1.0, len(curve), axis=1)
    worse = np.repeat(-TRUTH[:, None], len(curve), axis=1)
    validated = np.array(config.validated)
    arrays = {
        **{finetune.CODES: CODES, finetune.LOSS: losses, finetune.CURVE: curve},
        **{finetune.SOG: size, finetune.SOG_L1: size, finetune.SOGN: worse},
        **{finetune.SOGN_L2: -size, finetune.VALIDATED: validated},
        finetune.WHOLE_LOSS: np.repeat(-TRUTH[:, None], len(validated), axis=1),
        finetune.WHOLE_CORRECT: np.repeat(np.arange(20, 30)[:, None], len(validated), axis=1),
        finetune.SUPERNET_SECONDS: np.asarray(0.0),
    }
    about = Measurement(2.0, 1.0, 7.5, 600.0, 400.0, 99.0, "cpu", 1, "A", {})
    return Record(config, "ok", (), arrays, about)


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    wanted = design("smoke")
    return statistics([made_up(config) for config in wanted], wanted, TABLE)


def test_rankings_after_each_epoch_by_hand(frames):
    rows = frames["gradients"].query("seed == 0").set_index(["estimator", "epoch"])
    # The loss of the last epoch is wrong in the first half and right in the second; the sum of all
    # is never right before the end, where both halves cancel.
    assert rows.loc[("SoTL-E", 1), "spearman"] == pytest.approx(-1)
    assert rows.loc[("SoTL-E", EPOCHS), "spearman"] == pytest.approx(1)
    assert rows.loc[("SoTL", 15), "spearman"] == pytest.approx(-1)
    assert rows.loc[("SoGN", EPOCHS), "spearman"] == pytest.approx(-1)
    assert rows.loc[("SoG", EPOCHS), "size"] == pytest.approx(1)
    count = rows.loc["parameters"]
    assert count.index.tolist() == list(range(1, EPOCHS + 1))
    assert rows.loc[("SoG", EPOCHS), "spearman"] == pytest.approx(count["spearman"].iloc[0])
    # What is the parameter count itself says nothing given it.
    assert np.isnan(rows.loc[("SoG", EPOCHS), "partial"])
    assert rows.loc["ValAcc"].index.tolist() == [1, EPOCHS]
    assert set(rows["n"]) == {len(CODES)}


def test_what_it_cost_and_how_well_cells_learnt(frames):
    row = frames["gradients_usage"].iloc[0]
    assert row["accuracy"] == pytest.approx(24.5)  # 20 to 29 of 100 images
    assert (row["lowest"], row["highest"]) == pytest.approx((20.9, 28.1))
    assert row["cpu_seconds"] == 7.5


def test_claims_are_paired_by_seed_after_the_last_epoch(frames):
    rows = frames["gradients"].copy()
    later = (rows["seed"] == 1) & (rows["estimator"] == "SoGN") & (rows["epoch"] == EPOCHS)
    rows.loc[later, "spearman"] = 0.0
    found = sotl_claims.from_scratch(rows)
    # SoG is the parameter count here, so nothing is left of it given that.
    assert set(found) == set(sotl_claims.GRADIENTS) - {"sotl-sog-scratch-beyond"}
    assert set(sotl_claims.GRADIENTS) <= set(read_claims("sotl"))
    size = at_end(rows, "spearman")["SoG"]
    expected = [size[0] + 1, size[1]]
    gap = found["sotl-sog-scratch"]
    assert isinstance(gap, Student) and gap.n == 2
    assert interval_of(gap).mean == pytest.approx(np.mean(expected))
    level = interval_of(found["sotl-sog-scratch-level"])
    assert level.mean == pytest.approx(size.mean())
    assert interval_of(found["sotl-sog-scratch-parameters"]).mean == pytest.approx(0)


def test_without_runs_there_is_no_frame():
    assert statistics([], design("smoke"), TABLE) == {}


def test_a_tiny_run_has_all_that_the_statistics_read():
    (config,) = design("smoke", seeds=1)
    record = run_finetune(config)
    codes = record.arrays[finetune.CODES]
    table = table_of(codes, np.arange(len(codes), dtype=float))
    rows = statistics([record], design("smoke"), table)["gradients"]
    names = {*sotl_scratch.ESTIMATORS, "SoTL-E", "parameters"}
    assert set(rows["estimator"]) == names == set(rows[rows["epoch"] == EPOCHS]["estimator"])
    assert len(record.arrays[finetune.CODES]) == 10
