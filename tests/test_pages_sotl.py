"""The page of study 4: what it makes of its frames, of which most have no run yet."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nasrepro import plots
from nasrepro.pages import sotl as page
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.page import stored_of
from nasrepro.pages.sotl import scratch, supernets, synthetic
from nasrepro.published import read
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.tuning import TuningEpoch
from nasrepro.studies import estimates, finetuning, results, sotl, sotl_synthetic

NAN = math.nan


def inputs(profile: str = "cpu", **frames: pd.DataFrame) -> Inputs:
    return Inputs("sotl", profile, results.Plan([], []), frames)


def estimators(*rows: tuple) -> pd.DataFrame:
    columns = ["trainer", "start", "rate", "batch", "truth", "estimator", "step", "spearman"]
    found = pd.DataFrame(rows, columns=columns)
    more = {"ci_low": 0.6, "ci_high": 0.8, "top10": 92.5, "top10_low": 92, "top10_high": 93, "n": 3}
    return found.assign(**more, space="NAS-Bench-201", sample="the thesis'")


ROWS = estimators(
    ("SPOS", "trained", "0.01", "64", "cifar10", "SoTL", 100, 0.71),
    ("SPOS", "trained", "0.01", "64", "cifar10", "SoTL", 300, 0.99),
    ("SPOS", "trained", "0", "64", "cifar10", "ValAcc", 0, 0.65),
    ("SPOS", "trained", "0.01", "256", "cifar10", "SoTL", 100, 0.11),
    ("SPOS", "trained", "0.01", "64", "imagenet16", "SoTL", 100, 0.55),
    ("FairNAS", "trained", "0.001", "64", "cifar10", "SoTL", 100, 0.81),
)


def test_what_ranks_a_supernets_cells_is_a_row_a_trainer_and_rate():
    rows = supernets.of_trainers(ROWS, "spearman", "cifar10", 2).to_dict("records")
    assert [(row["trainer"], row["rate"]) for row in rows] == [
        ("SPOS", "0.01"),
        ("SPOS", "0"),
        ("FairNAS", "0.001"),
    ]
    assert (rows[0]["SoTL"], rows[0]["ValAcc"]) == ("0.71 [0.60, 0.80]", "–")
    assert rows[1]["ValAcc"] == "0.65 [0.60, 0.80]"
    top = supernets.of_trainers(ROWS, "top10", "cifar10", 1)
    assert top["SoTL"].iloc[0] == "92.5 [92.0, 93.0]"


def test_table_4_1_stands_beside_ours_at_its_own_rates():
    rows = supernets.beside_printed(ROWS).set_index(["truth", "trainer", "estimator"])
    assert len(rows) == len(read("sotl_tables").query("where == 'table 4.1'")) / 2
    assert rows.loc[("CIFAR-10", "SPOS", "SoTL")].tolist() == [
        *("0.78 ± 0.06", "0.71 [0.60, 0.80]", "3")
    ]
    assert rows.loc[("CIFAR-10", "SPOS", "ValAcc"), "ours"] == "0.65 [0.60, 0.80]"
    assert rows.loc[("ImageNet16-120", "SPOS", "SoTL"), "ours"] == "0.55 [0.60, 0.80]"
    assert rows.loc[("CIFAR-10", "Reptile", "SoTL"), "ours"] == "–"


def test_what_learning_adds_is_shown_after_100_minibatches():
    interval = dict.fromkeys(("ci_low", "ci_high", "partial_low", "partial_high"), 0.1)
    row = {
        **{"trainer": "SPOS", "rate": "0.01", "batch": "64", "estimator": "SoTL", "step": 100},
        **{"spearman": 0.02, "partial": -0.03, "top10": 0.5, "top10_low": NAN, "top10_high": NAN},
        **interval,
        "n": 3,
    }
    assert set(row) == set(estimates.COLUMNS["learning"])
    rows = supernets.learning_table(
        pd.DataFrame([row, row | {"step": 300}, row | {"batch": "256"}] * 2)
    )
    assert len(rows) == 2
    shown = rows.iloc[0].tolist()
    assert shown[4:] == ["0.02 [0.10, 0.10]", "-0.03 [0.10, 0.10]", "0.50 [no interval]"]


def test_the_text_says_what_ranks_paths_and_what_learning_adds_as_far_as_it_was_run():
    row = {
        **{"trainer": "SPOS", "rate": "0.01", "batch": "64", "estimator": "SoTL", "step": 100},
        **{"spearman": -0.04, "ci_low": -0.1, "ci_high": 0.02, "partial": NAN, "n": 3},
        **{"partial_low": NAN, "partial_high": NAN},
    }
    learning = pd.DataFrame([row, row | {"trainer": "Reptile", "spearman": 0.5}])
    some = inputs(estimators=ROWS, learning=learning)
    said = {name: text(some) for name, text in supernets.NUMBERS.items()}
    assert said == {
        "left-out": "0",
        "frozen": "not run",
        "learned": "0.71 [0.60, 0.80] (n = 3)",
        "validation-accuracy": "0.65 [0.60, 0.80] (n = 3)",
        "validation-loss": "not run",
        "learning-adds": "-0.04 [-0.10, 0.02] (n = 3)",
        "learning-adds-given": "– (n = 3)",
    }
    assert {text(inputs()) for text in supernets.NUMBERS.values()} == {"not run", "0"}
    usage = pd.DataFrame({"left_out": [0.0, 1.0, 1.0]})
    assert supernets.left_out(inputs(usage=usage, oneshot_usage=usage[:2])) == "3"


def test_estimators_beside_parameters():
    row = {
        **{"trainer": "SPOS", "start": "trained", "rate": "0", "estimator": "ValLoss", "step": 0},
        **{"mean": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 3},
    }
    rows = pd.DataFrame(
        [row | {"quantity": name} for name in ("spearman", "partial", "gain")]
        + [row | {"quantity": "gain", "step": 50}]
    )
    (found,) = supernets.beyond_table(rows).to_dict("records")
    assert found["given parameters"] == found["gain of both over parameters"]
    assert (found["supernet"], found["step"], found["n"]) == ("trained", "0", "3")


def test_paths_that_do_not_learn_by_loss_and_accuracy():
    row = {
        **{"trainer": "SPOS", "start": "trained", "rate": "0", "batch": "64", "order": "0"},
        **{"images": "train", "normalised": 64, "seen": 6_400, "partial": 0.1},
    }
    rows = pd.DataFrame(
        row | {"measure": measure, "seed": seed, "spearman": value}
        for measure, value in (("loss", 0.7), ("accuracy", 0.5))
        for seed in (0, 1)
    )
    (found,) = supernets.frozen_table(rows).to_dict("records")
    assert (found["how many"], found["loss"]) == ("6,400", "0.70 [0.70, 0.70]")
    assert found["n"] == "2"
    assert found["accuracy"] == "0.50 [0.50, 0.50]"


def test_orders_variants_and_costs():
    orders = pd.DataFrame(
        {
            **{"trainer": "SPOS", "start": "trained", "rate": "0.01", "estimator": "SoTL"},
            **{"step": [100], "deviation": 0.05, "between": 0.02, "n": 5},
            "supernets": 2,
        }
    )
    assert supernets.orders_table(orders).iloc[0].tolist()[-2:] == ["0.050", "0.020"]
    variants = pd.DataFrame(
        {
            **{"batch": "64", "estimator": "SoG", "other": "SoG (code)", "rate": "0.01"},
            "spearman": [0.5, 0.7],
        }
    )
    (found,) = supernets.variants_table(variants).to_dict("records")
    assert found["Spearman"].startswith("0.60 [") and found["n"] == "2"
    usage = pd.DataFrame(
        {
            **{"trainer": "SPOS", "start": "trained", "rate": "0.01", "batch": "64", "order": "0"},
            **{"supernet_images": [1_200_000], "supernet_seconds": 600.0},
            **{"seconds_100": 1.5, "seconds_1000": 0.1},
        }
    )
    assert supernets.usage_table(usage).iloc[0].tolist()[3:] == ["1,200,000", "600", "1.50", "2.50"]


def test_a_collection_is_shown_early_half_way_and_late():
    rows = pd.DataFrame(
        [
            ("naap-440", "t", "SoTL", epoch, epoch / 100, epoch / 100 - 0.1, epoch / 100 + 0.1, 440)
            for epoch in (1, 5, 10, 50, 100)
        ]
        + [("naap-440", "t", "parameters", 1, 0.8, 0.7, 0.9, 440)],
        columns=[
            *("source", "truth", "estimator", "epoch"),
            *("spearman", "ci_low", "ci_high", "n"),
        ],
    )
    sotl_row, count = scratch.scratch_table(rows).to_dict("records")
    assert sotl_row["after a tenth"] == "0.10 [0.00, 0.20]"
    assert sotl_row["at the end"] == "1.00 [0.90, 1.10]"
    assert (count["after a tenth"], count["at the end"]) == ("–", "0.80 [0.70, 0.90]")
    drawn = scratch.scratch(inputs(scratch=rows))
    flat = drawn[drawn["line"] == "parameters"]
    assert flat["x"].tolist() == [1, 100] and set(flat["mean"]) == {0.8}


def test_a_finding_says_where_losses_are_ahead():
    rows = pd.DataFrame(
        [
            (panel, line, x, mean)
            for panel, values in (("A", (0.5, 0.4)), ("B", (0.5, 0.6)))
            for line, mean in zip(("SoTL-E", "ValAcc"), values, strict=True)
            for x in (1, 10)
        ],
        columns=["panel", "line", "x", "mean"],
    )
    assert "ahead of validation in A; behind it in B" in scratch.scratch_finding(rows)


@pytest.fixture(scope="module")
def toys() -> dict[str, pd.DataFrame]:
    return sotl_synthetic.statistics([], "smoke")


def test_toys_are_drawn_and_put_into_words(toys):
    found = inputs(**toys)
    for name in ("sotl-degrees", "sotl-starts", "sotl-maxdeg"):
        drawing = page.FIGURES[name]
        rows = drawing.data(found)
        assert isinstance(drawing.draw(rows), Figure)
        assert drawing.finding(rows).endswith(".")
    shown = page.TABLES["sotl-evidence"].rows(found)
    assert shown["degree"].tolist() == [str(degree) for degree in sotl_synthetic.DEGREES]
    starts = page.TABLES["sotl-maxdeg"].rows(found)
    assert len(starts) == len(sotl_synthetic.STARTS) + 6
    assert page.NUMBERS["maxdeg-twice"](found) == synthetic.distance(sotl_synthetic.TWICE)(found)


def test_a_training_that_diverged_has_an_asterisk():
    rows = pd.DataFrame(
        [
            ("MLP", "T = 2", 0, "diverged", 0.0),
            ("MLP", "T = 2", 0, "final", 95.0),
            ("MLP", "T = 2", 1, "diverged", 1.0),
        ],
        columns=["network", "setting", "seed", "metric", "value"],
    )
    (found,) = synthetic.tuning_table(rows).to_dict("records")
    assert (found["n"], found["final accuracy, %"]) == ("1*", "95.0 [no interval]")
    assert synthetic.tuned("T = 2")(inputs(tuning=rows)) == "95.0 (one seed)"
    assert synthetic.tuned("T = 250")(inputs(tuning=rows)) == "not run"


def test_supernets_are_drawn_beside_paths_that_do_not_learn():
    row = {"trainer": "SPOS", "start": "trained", "batch": "64", "order": "0", "estimator": "SoTL"}
    rows = pd.DataFrame(
        row | {"rate": rate, "seed": seed, "step": step, "spearman": 0.5 + float(rate)}
        for rate in ("0.01", "0")
        for seed in (0, 1)
        for step in (1, 100)
    )
    drawn = supernets.supernet_lines(inputs(curves=rows))
    assert set(drawn["n"]) == {2} and len(drawn) == 4
    assert supernets.supernet_finding(drawn) == (
        "After 100 minibatches SoTL ranks at 0.51 (trained, rate 0.01), 0.50 (trained, rate 0)."
    )
    assert isinstance(plots.line_panels(drawn, "x", "y", None, "x"), Figure)


def test_the_audit_is_there_with_one_of_its_sources_alone():
    exact = pd.DataFrame([("parameters CIFAR-10", 0.7875, 200)], columns=["name", "value", "n"])
    rows = scratch.audit_table(inputs(exact=exact))
    assert rows["agrees"].tolist() == ["yes", "no", "yes"]
    with pytest.raises(Absent):
        scratch.audit_table(inputs())


def test_runs_are_counted_by_their_part():
    total = len(finetuning.design("cpu"))
    assert stored_of(sotl.SUPERNETS)(inputs()) == f"0 of {total}"
    assert page.parts_of("tuning", pd.DataFrame()) == (sotl.TUNING,)
    assert page.parts_of("scratch", pd.DataFrame()) == ()
    assert page.parts_of("estimators", ROWS) == (sotl.SUPERNETS,)


def test_columns_of_numbers_do_not_share_names_with_labels(toys):
    """What is stored is read again by `sotl.TEXTS`, whichever part of the study a frame is of."""
    design = sotl_synthetic.design("smoke")
    config = next(iter(design))
    history = (TuningEpoch(1.0, 1.0, 90, 0.1),)
    arrays = {"halved": np.array([True, False]), "clipped": np.array([True, False])}
    about = Measurement(1, 1, 1, 1, 1, 1, "cpu", 1, "cpu", {})
    record = Record(config, "ok", history, arrays | {"test_images": np.asarray(100)}, about)
    frames = toys | sotl_synthetic.statistics([record], "smoke")
    assert {"tuning", "rates"} <= set(frames)
    for frame in frames.values():
        texts = {name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])}
        assert texts == set(frame) & set(sotl.TEXTS)


def test_gradients_of_cells_trained_from_scratch_are_a_figure_and_a_table():
    def row(seed: int, name: str, epoch: int, spearman: float, partial: float = NAN) -> dict:
        size = 1.0 if name == "parameters" else 0.3
        values = {"spearman": spearman, "partial": partial, "size": size, "n": 200}
        return {"seed": seed, "estimator": name, "epoch": epoch, **values}

    rows = pd.DataFrame(
        [
            row(seed, name, epoch, value + epoch / 100, 0.2)
            for seed in (0, 1)
            for name, value in (("SoG", 0.5), ("SoGN", 0.3))
            for epoch in (1, 20)
        ]
        + [row(seed, "parameters", epoch, 0.8) for seed in (0, 1) for epoch in (1, 20)]
    )
    found = scratch.gradient_table(rows).set_index("estimator")
    assert found.loc["SoG", "epoch 20"] == "0.70 [0.70, 0.70]"
    assert found.loc["SoG", "epoch 5"] == "–"
    assert found.loc["SoG", "given parameters"] == "0.20 [0.20, 0.20]"
    assert found.loc["parameters", ["given parameters", "with parameters"]].tolist() == ["–", "–"]
    assert set(found["n"]) == {"2"}
    drawing = page.FIGURES["sotl-gradients"]
    drawn = drawing.data(inputs(gradients=rows))
    assert drawn["line"].unique().tolist() == ["SoG", "SoGN", "parameters"]
    assert isinstance(drawing.draw(drawn), Figure)
    said = "After 20 epochs: SoG 0.70, SoGN 0.50, parameters 0.80."
    assert drawing.finding(drawn) == said
    assert page.parts_of("gradients", rows) == (sotl.SCRATCH,)
    usage = pd.DataFrame({"accuracy": [44.0, 46.0], "lowest": 30.0, "highest": 50.0})
    known = page.NUMBERS["learnt"](inputs(gradients_usage=usage))
    assert known.startswith("the cells come to 45 percent of the validation images, a tenth")
    assert "not known" in page.NUMBERS["learnt"](inputs())
