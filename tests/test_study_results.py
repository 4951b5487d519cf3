"""What a study will cost, in which precision it was computed, and its statistics as they were."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from records import arrays

from nasrepro.benchmarks import available_tables
from nasrepro.errors import DataError
from nasrepro.runs.config import changed
from nasrepro.runs.finetune import FinetuneConfig
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import results as results_module
from nasrepro.studies import study
from nasrepro.studies.results import (
    Plan,
    precision_of,
    save_statistics,
    statistics_dir,
    stored_statistics,
)

ABOUT = Measurement(2.0, 3.0, 99.0, 1, 1, 1, "cpu", 1, "cpu", {})
ONE = changed(
    SupernetConfig(),
    {
        "train.epochs": 10,
        "data.train_images": 1_000,
        "cells.random": 50,
        "evaluate.batch_norm": "batch",
    },
)


def record(config: SupernetConfig = ONE, **about: object) -> Record:
    return Record(config, "ok", (), arrays([1], [1]), dataclasses.replace(ABOUT, **about))


@pytest.mark.parametrize(
    ("change", "train", "evaluate"),
    [
        ({"seed": 1}, 1, 1),
        ({"train.epochs": 30}, 3, 1),
        ({"train.learning_rate": 0.1, "train.gradient_clip": 5.0, "sampler": "uniform"}, 1, 1),
        ({"data.train_images": 500}, 0.5, 1),
        ({"cells.random": 100}, 1, 2),
        ({"data.validation_images": 2_500}, 1, 0.5),
        ({"train.epochs": 20, "cells.random": 25}, 2, 0.5),
    ],
)
def test_a_missing_run_costs_what_its_images_cost_in_stored_ones(change, train, evaluate):
    """Two stored runs, of 2 and 4 seconds of training and 3 of evaluation."""
    stored = [record(), record(changed(ONE, {"seed": 9}), train_seconds=4.0)]
    seconds, unknown = Plan(stored, [changed(ONE, change)]).seconds_missing()
    assert unknown == 0 and seconds == pytest.approx(train * 3 + evaluate * 3)


def test_a_busy_machine_does_not_make_a_forecast_longer():
    """Of 2 and 3 seconds on the clock, half was computed; a GPU is waited for."""
    missing = [changed(ONE, {"seed": 1})]
    busy = Plan([record(cpu_seconds=2.5)], missing)
    assert busy.seconds_missing()[0] == pytest.approx(2.5)
    gpu = Plan([record(cpu_seconds=2.5, device="NVIDIA H100")], missing)
    assert gpu.seconds_missing()[0] == pytest.approx(5)


def fine_tuned(change, train_seconds=4.0, supernet_seconds=30.0):
    config = FinetuneConfig(changed(ONE, {"cells.random": 5}), steps=10, validated=(0, 10))
    config = changed(config, {"batch_size": 10, **change})
    measured = dataclasses.replace(ABOUT, train_seconds=train_seconds)
    return Record(config, "ok", (), {"supernet_seconds": np.asarray(supernet_seconds)}, measured)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{"order": 1}], 4 + 3),  # the supernet is trained already
        # Beside 2 x 5,000 images, batches of 10 at 7 steps, of 20 steps at 9.
        ([{"steps": 20}], 8 + 3 * 10_090 / 10_070),
        ([{"supernet.seed": 1}], 30 + 4 + 3),
        ([{"supernet.seed": 1}, {"supernet.seed": 1, "order": 1}], 30 + 2 * (4 + 3)),  # once
        ([{"supernet.seed": 1, "epochs": 0}], 4 + 3),  # begins without any training
        ([{"supernet.seed": 1, "supernet.train.epochs": 20}], 60 + 4 + 3),
        ([{"validated": [10]}], 4 + 3 * 5_070 / 10_070),
    ],
)
def test_a_supernet_that_fine_tunings_share_costs_once(changes, expected):
    missing = [fine_tuned(change).config for change in changes]
    seconds, unknown = Plan([fine_tuned({})], missing).seconds_missing()
    assert unknown == 0 and seconds == pytest.approx(expected)


def test_paths_that_do_not_learn_have_a_cost_of_their_own():
    frozen = {"learning_rate": 0.0, "validated": [0]}
    seconds, unknown = Plan([fine_tuned({})], [fine_tuned(frozen).config]).seconds_missing()
    assert unknown == 1
    stored = [fine_tuned({}), fine_tuned(frozen, train_seconds=1.0)]
    missing = [fine_tuned({**frozen, "order": 1}).config]
    seconds, unknown = Plan(stored, missing).seconds_missing()
    assert unknown == 0 and seconds == pytest.approx(1 + 3)


@pytest.mark.parametrize(
    "change",
    [
        {"net.channels": 8},
        {"data.size": 16},
        {"train.batch_size": 64},
        {"train.precision": "bfloat16"},
        {"evaluate.batch_size": 100},
    ],
)
def test_what_makes_an_image_slower_or_faster_is_not_known_before_a_run(change):
    plan = Plan([record()], [changed(ONE, change), changed(ONE, {"seed": 1})])
    seconds, unknown = plan.seconds_missing()
    assert unknown == 1 and seconds == pytest.approx(5)


def test_records_are_counted_by_the_precision_that_was_computed():
    half = changed(ONE, {"train.precision": "bfloat16"})
    stored = [record(half), record(half, bfloat16=True), record(half, bfloat16=False), record()]
    assert list(map(precision_of, stored)) == ["bfloat16", "bfloat16", "float32", "float32"]
    assert Plan(stored, []).precisions() == {"bfloat16": 2, "float32": 2}


@pytest.mark.parametrize(("device", "in_vain"), [("cuda:1", False), ("cpu", True)])
def test_what_asks_for_bfloat16_in_vain_is_said_before_it_is_computed(device, in_vain, monkeypatch):
    monkeypatch.setattr(results_module, "multiplies_bfloat16", lambda kind: kind == "cuda")
    half = changed(ONE, {"train.precision": "bfloat16"})
    assert Plan([], [half, ONE]).asked_in_vain(device) == in_vain
    assert not Plan([record(half)], [ONE]).asked_in_vain(device)


def test_what_diverged_early_does_not_make_a_forecast_shorter():
    early = dataclasses.replace(record(train_seconds=0.1), status="diverged")
    missing = [changed(ONE, {"seed": 1})]
    assert (
        Plan([record(), early], missing).seconds_missing()
        == Plan([record()], missing).seconds_missing()
    )


def test_statistics_that_are_damaged_are_named(results):
    save_statistics("correlations", "smoke", {"runs": pd.DataFrame({"value": [0.5]})})
    (file,) = statistics_dir("correlations", "smoke").glob("*.csv")
    file.write_bytes(b"")
    with pytest.raises(DataError, match=r"runs\.csv cannot be read .*collect them again"):
        stored_statistics("correlations", "smoke")


def test_labels_that_look_like_numbers_or_nothing_are_read_as_texts(results):
    frame = pd.DataFrame({"subspace": ["None", "NA"], "top": ["10", "25"], "value": [0.5, None]})
    save_statistics("correlations", "smoke", {"runs": frame})
    found = stored_statistics("correlations", "smoke")["runs"]
    assert found["subspace"].tolist() == ["None", "NA"] and found["top"].tolist() == ["10", "25"]
    assert found["value"].isna().tolist() == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["training-tricks", "sotl", "sotl-darts"])
def test_stored_statistics_are_those_of_the_stored_records(name):
    """Of the studies that are being computed: a page without the tables is up to date."""
    if study(name).table_of("cpu") not in available_tables():
        pytest.skip("the table is not on this machine; set NASREPRO_DATA")
    computed, stored = (
        function(name, "cpu")
        for function in (results_module.compute_statistics, results_module.stored_statistics)
    )
    assert set(computed) <= set(stored)
    for frame, rows in computed.items():
        assert results_module.to_csv(stored[frame]) == results_module.to_csv(rows), frame
