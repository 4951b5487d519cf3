"""Study 5's rankings of DARTS' space: by supernets, by their paths trained on, by likeness."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from records import arrays

from nasrepro.benchmarks import nb301
from nasrepro.benchmarks.table import Table
from nasrepro.metrics import spearman
from nasrepro.nets.darts import count_parameters
from nasrepro.pages import darts_space as page
from nasrepro.pages import sotl_darts as whole_page
from nasrepro.runs import finetune
from nasrepro.runs.config import changed
from nasrepro.runs.darts import drawn_cells
from nasrepro.runs.finetune import FinetuneConfig, run_finetune
from nasrepro.runs.parts import DrawnCells
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces.darts import Cell, Subspace, in_common
from nasrepro.studies import darts_ranked, darts_space, finetuning, sotl_darts
from nasrepro.studies.darts_ranked import RANKED
from nasrepro.studies.design import PART

ABOUT = Measurement(30, 10, 20, 1, 1, 100, "cpu", 1, "cpu", {})
CODES = np.arange(30, dtype=np.int64) * 10**9 + 7


@pytest.fixture
def predict(monkeypatch):
    """Makes a table of predictions for some cells, and no file with other scores."""

    def make(predicted: np.ndarray) -> Table:
        values = {nb301.COLUMNS[0].name: predicted}
        table = Table(nb301.NAME, CODES[: len(predicted)], nb301.COLUMNS, values, space="darts")
        monkeypatch.setattr(darts_ranked, "load_table", lambda name: table)
        monkeypatch.setattr("nasrepro.runs.tables.load_table", lambda name: table)
        return table

    monkeypatch.setattr(darts_ranked, "available_tables", lambda: (nb301.NAME,))
    monkeypatch.setattr(darts_ranked, "locate", lambda source: None)
    return make


def test_the_study_has_supernets_for_both_truths_and_paths_of_one_of_them():
    design = sotl_darts.design("cpu")
    parts = pd.Series([labels[PART] for labels in design.values()]).value_counts()
    assert (parts[sotl_darts.RANKED], parts[sotl_darts.TUNED]) == (6, 2)
    ranked = [c for c in design if isinstance(c, SupernetConfig)]
    assert {config.needed_table for config in ranked} == {nb301.NAME, None}
    tuned = [c for c in design if isinstance(c, FinetuneConfig)]
    assert [config.frozen for config in tuned] == [True, False]
    assert all(replace(c.supernet, cells=ranked[0].cells) == ranked[0] for c in tuned)


@pytest.mark.parametrize("profile", ["cpu", "paper"])
def test_paths_are_trained_on_as_in_study_4(profile):
    theirs = finetuning.PROFILES[profile]
    for config in darts_ranked.tunings(profile):
        assert (config.batch_size, config.momentum) == (theirs.batch_size, 0.9)
        assert config.learning_rate in finetuning.RATES
        assert config.steps == theirs.short


def test_a_supernet_is_ranked_by_the_predictions_for_the_cells_that_it_evaluated(
    predict, monkeypatch
):
    predicted = np.linspace(91, 94, 30)
    predict(predicted)
    config = next(iter(darts_ranked.supernets("cpu")))
    config = replace(config, cells=replace(config.cells, count=30))
    assert config.cells.table == nb301.NAME
    monkeypatch.setattr(darts_ranked, "supernets", lambda profile: {config: {}})
    record = Record(config, "ok", (), arrays(CODES, list(range(100, 700, 20))), ABOUT)
    (row,) = darts_ranked.statistics([record], "cpu", {})["ranks"].to_dict("records")
    assert (row["ranker"], row["cells"], row["spearman"]) == (RANKED, 30, pytest.approx(1))
    assert row["top_10_accuracy"] == predicted[-1]
    long = darts_ranked.tables({"ranks": pd.DataFrame([row])})["rankings"]
    assert long.set_index("metric").loc["kendall_tau_b", "mean"] == pytest.approx(1)
    shown = page.rankings_table(long)
    assert shown["ranked by"].tolist() == [RANKED] and "Spearman" in shown
    assert shown["truth"].tolist() == [darts_ranked.SURROGATE]


def test_estimators_of_study_4_rank_the_paths_that_are_trained_on(predict, results, monkeypatch):
    """The predictions are such that the frozen paths' losses rank them without a mistake."""
    predict(np.zeros(30))
    cells = DrawnCells(30, table=nb301.NAME)
    design = {
        changed(config, {"supernet.cells": cells}): labels
        for config, labels in darts_ranked.tunings("smoke").items()
    }
    frozen, trained = map(run_finetune, design)
    predict(90 - frozen.arrays[finetune.LOSS].astype(np.float64).sum(axis=1))
    monkeypatch.setattr(darts_ranked, "tunings", lambda profile: design)
    ranks = darts_ranked.statistics([trained, frozen], "smoke", {})["ranks"]
    by = ranks.set_index("ranker")["spearman"]
    steps = frozen.config.steps
    assert by[f"SoTL, {steps} steps, rate 0"] == pytest.approx(1)
    assert len(by) == 3 + len(darts_ranked.ESTIMATORS)  # frozen paths have no gradients
    assert f"SoGN (code), {steps} steps, rate 0.01" in by and (ranks["cells"] == 30).all()


def test_a_search_ranks_cells_by_what_they_have_in_common_with_its_own(predict):
    """The predictions are that number, so that the right cell ranks them without a mistake."""
    cell = Cell.from_code(int(CODES[3]))
    predict(in_common(CODES, cell.code).astype(float))
    rows = {"space": [darts_space.WHOLE, "S2", "S2"], "setting": ["one", "two", "three"]}
    frame = pd.DataFrame(rows).assign(cell=str(cell), seed=1, status=["ok", "ok", "diverged"])
    found = darts_ranked.statistics([], "cpu", {"searches": frame})["ranks"]
    assert found["spearman"].tolist() == [pytest.approx(1)] * 2
    names = [f"likeness to the cell of one, {darts_space.WHOLE}"]
    assert found["ranker"].tolist() == [*names, "likeness to the cell of two, S2"]


def test_cells_have_in_common_what_is_equal_place_by_place():
    codes = np.random.default_rng(0).integers(0, 10**18, 20)
    cells = [Cell.from_code(int(code)) for code in codes]

    def pairs(cell: Cell) -> set:
        return {
            (kind, place // 2, *each)
            for kind in ("normal", "reduction")
            for place, each in enumerate(getattr(cell, kind))
        }

    for cell in cells:
        shared = [len(pairs(cell) & pairs(other)) for other in cells]
        assert in_common(codes, cell.code).tolist() == shared


def test_a_supernet_is_ranked_by_the_accuracies_of_random_cells_alone():
    """It ranks them the wrong way round here."""
    cells = drawn_cells(Subspace(), darts_space.random_cells("cpu"))
    config = next(c for c in darts_ranked.supernets("cpu") if c.needed_table is None)
    codes = sorted(cell.code for cell in cells)
    record = Record(config, "ok", (), arrays(codes, list(range(500, 900, 20))), ABOUT)
    alone = pd.DataFrame(
        {
            "setting": darts_space.RANDOM,
            "status": "ok",
            "cell": [str(Cell.from_code(code)) for code in codes] * 2,
            "accuracy": [90 - place + seed for seed in (0, 0.1) for place in range(20)],
        }
    )
    found = darts_ranked.statistics([record], "cpu", {"retrained": alone})["ranks"]
    ranks = found.set_index("ranker")
    assert ranks.loc[RANKED, "spearman"] == pytest.approx(-1)
    assert set(ranks["cells"]) == {20} and set(ranks["truth"]) == {darts_ranked.MEASURED}
    wanted = spearman(count_parameters(np.array(codes)), -np.arange(20))
    assert ranks.loc["params", "spearman"] == pytest.approx(wanted)


def test_rankings_rest_on_all_of_these_runs():
    parts = whole_page.parts_of("rankings", pd.DataFrame({"truth": []}))
    assert parts == [sotl_darts.RANKED, sotl_darts.TUNED, sotl_darts.SPACE]
