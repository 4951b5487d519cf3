"""Study 5 on DARTS' space: its design, what cells are, and its claims, worked by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_space_darts import DARTS
from test_study_darts import record_of as nb201_record
from test_study_darts import shortest

from nasrepro import plots
from nasrepro.benchmarks import nb201
from nasrepro.benchmarks.table import Table
from nasrepro.claims import read_claims
from nasrepro.nets.darts import count_parameters
from nasrepro.pages import darts_space as page
from nasrepro.pages import sotl_darts as whole_page
from nasrepro.pages.inputs import Inputs
from nasrepro.published import read
from nasrepro.runs.config import changed
from nasrepro.runs.kinds import SEARCH, store_of
from nasrepro.runs.record import Measurement, Record
from nasrepro.runs.search import SearchConfig, SearchEpoch, run_search, selected
from nasrepro.runs.standalone import StandaloneConfig
from nasrepro.spaces.darts import S2
from nasrepro.studies import darts, darts_claims, darts_space, results, sotl_darts
from nasrepro.studies.darts import (
    DRNAS,
    FIRST,
    FROZEN_TRAINING,
    FROZEN_VALIDATION,
    SECOND,
    SOTL,
    SOTL_DRNAS,
)
from nasrepro.studies.darts_space import (
    DEEP,
    DEEP_FIRST,
    FROZEN_PDARTS,
    PDARTS,
    PROFILES,
    RANDOM,
    S2_NAME,
    SOTL_PDARTS,
    WHOLE,
)
from nasrepro.studies.design import PART

ABOUT = Measurement(30, 10, 20, 1, 1, 100, "cpu", 1, "cpu", {})


def settings(profile: str) -> dict[tuple[str, str], SearchConfig]:
    """The first search of each space and setting."""
    design = darts_space.searches(profile, 1)
    return {(its["space"], its["setting"]): config for config, its in design.items()}


def search_record(config: SearchConfig, epochs: int) -> Record:
    """A search of S2 that selects skips throughout."""
    alphas = np.zeros((epochs, 28, 2), np.float32)
    kept = {
        "alphas": alphas,
        "gradients": -alphas,
        "steps": np.full(epochs, 4),
        "spectrum_epochs": np.array([1, 2]),
        "spectra": np.array([[[1.0], [2.0]], [[3.0], [5.0]]]),
    }
    history = tuple(SearchEpoch(1.0, 1.0, 250, 2.0, 125) for _ in range(epochs))
    return Record(config, "ok", history, kept, ABOUT)


# ---- design


def test_both_spaces_are_searched_by_these_settings_one_by_pdarts_and_s2_by_a_deep_supernet():
    known = settings("cpu")
    others = (PDARTS, SOTL_PDARTS, FROZEN_PDARTS, DRNAS, SOTL_DRNAS, SECOND)
    assert set(known) == {
        *((space, name) for space in (WHOLE, S2_NAME) for name in darts_space.SEARCHED),
        *((WHOLE, name) for name in others),
        *((S2_NAME, name) for name in (DEEP, DEEP_FIRST)),
    }
    assert len(darts_space.searches("cpu")) == PROFILES["cpu"].seeds * len(known)
    deep, plain = known[S2_NAME, DEEP], known[S2_NAME, SOTL]
    assert deep == changed(plain, {"net.cells": 10}) and plain.net.cells == 4
    assert all((c.subspace == S2) == (space == S2_NAME) for (space, _), c in known.items())


def test_frozen_alphas_differ_from_what_they_control_in_what_they_say():
    known = settings("cpu")
    for frozen, like in ((FROZEN_TRAINING, SOTL), (FROZEN_VALIDATION, FIRST)):
        algorithm, of = known[WHOLE, frozen].algorithm, known[WHOLE, like].algorithm
        assert algorithm.learning_rate == algorithm.initial_noise == 0
        assert (algorithm.gradient, algorithm.steps) == (of.gradient, of.steps)


def test_pdarts_is_that_of_its_authors():
    search = settings("paper")[WHOLE, SOTL_PDARTS]
    algorithm = search.algorithm
    assert [phase.cells for phase in algorithm.phases] == [5, 11, 17]
    assert [phase.operations for phase in algorithm.phases] == [None, 5, 3]
    assert [phase.skip_dropout for phase in algorithm.phases] == [0, 0.4, 0.7]
    assert [len(part) for part in algorithm.stretches(75)] == [1, 1, 1]  # each begins anew
    assert (search.train.epochs, algorithm.warmup_epochs, algorithm.most_skips) == (75, 10, 2)
    assert (algorithm.gradient, algorithm.steps) == ("training", 100)
    frozen = settings("paper")[WHOLE, FROZEN_PDARTS].algorithm
    assert frozen.learning_rate == 0 and frozen.phases == algorithm.phases
    small = settings("cpu")[WHOLE, PDARTS]
    shares = [p.operations * p.cells for p in small.algorithm.phases if p.operations]
    assert max(shares) <= 8 * small.net.cells == 32  # no more work a step than DARTS
    assert small.algorithm.warmup_epochs / 10 == algorithm.warmup_epochs / 25
    assert small.spectrum_epochs[-1] == small.train.epochs == 30
    assert search.spectrum_epochs[-1] == 75


@pytest.mark.parametrize("profile", ["cpu", "paper"])
@pytest.mark.parametrize("space", [WHOLE, S2_NAME])
def test_drnas_waits_for_a_fifth_of_the_epochs(profile, space):
    base = PROFILES[profile].searches[space]
    assert PROFILES[profile].warmup_epochs == base.train.epochs / 5


@pytest.mark.parametrize("profile", ["cpu", "paper"])
@pytest.mark.parametrize("space", [WHOLE, S2_NAME])
def test_alphas_are_updated_four_times_an_epoch_by_sums_and_as_far_as_elsewhere(profile, space):
    base, period = PROFILES[profile].searches[space], PROFILES[profile].periods[space]
    batches = base.data.train_images // base.train.batch_size
    assert -(-batches // period) == 4
    other = darts.PROFILES[profile].base
    others = other.data.train_images // other.train.batch_size * other.train.epochs
    farthest = batches * base.train.epochs * base.algorithm.learning_rate
    assert farthest == pytest.approx(others * other.algorithm.learning_rate)


def test_the_paper_profile_is_table_b1():
    base = PROFILES["paper"].searches[WHOLE]
    train, algorithm = base.train, base.algorithm
    assert (train.batch_size, train.epochs, train.weight_decay) == (64, 50, 3e-4)
    assert (train.learning_rate, train.final_learning_rate) == (0.025, 0.001)
    assert (algorithm.learning_rate, algorithm.weight_decay) == (3e-4, 1e-3)
    assert (base.net.channels, base.net.cells, PROFILES["paper"].deep) == (16, 8, 20)
    assert PROFILES["paper"].periods[WHOLE] == 100


def test_the_study_has_these_parts_and_each_run_is_of_one():
    design = sotl_darts.design("cpu")
    counts = pd.Series([labels[PART] for labels in design.values()]).value_counts()
    assert counts["nb201"] == len(darts.design("cpu"))
    assert counts["alone"] >= 40


# ---- runs


def test_the_cell_of_a_stored_search_joins_the_networks_alone(results):
    config = settings("smoke")[S2_NAME, FIRST]
    before = darts_space.networks("smoke")
    assert len(before) == 2 and config in sotl_darts.design("smoke")
    store_of(SEARCH).save(record := search_record(config, 2))
    cell = selected(record)[-1]
    (new,) = darts_space.networks("smoke").keys() - before.keys()
    assert isinstance(new, StandaloneConfig) and new.cell == cell
    alone = Record(new, "ok", (), measured(5_000), ABOUT)
    found = sotl_darts.statistics([record, alone], "smoke", None)
    row = found["retrained"].iloc[0]
    assert (row["space"], row["setting"], row["search"]) == (S2_NAME, FIRST, 0)
    assert row["accuracy"] == 50 and row["cell"] == str(cell)
    assert found["searches"]["cell"].item() == str(cell)
    tables = sotl_darts.tables(found)
    assert set(tables) <= set(sotl_darts.TABLES)
    assert "epochs" not in tables and len(tables["space_epochs"]) == 2


def step_of_the_paper_profile(space: str, setting: str) -> None:
    """As few images and epochs as there can be; the networks and algorithms are the paper's."""
    config = settings("paper")[space, setting]
    phases = shortest(config.algorithm)
    small = {
        "data.name": "digits",
        "data.train_images": 4,
        "data.validation_images": 4,
        "data.size": 8,
        "train.batch_size": 4,
        "train.epochs": len(phases) or 1,
        "algorithm.warmup_epochs": 0,
        "algorithm.phases": phases,
        "evaluated": 4,
        "evaluate.batch_size": 4,
        "spectrum_every": 0,
    }
    record = run_search(changed(config, small))
    assert record.status == "ok" and len(record.history) == (len(phases) or 1)


@pytest.mark.parametrize("setting", [name for space, name in settings("paper") if space == S2_NAME])
def test_searches_of_the_paper_profile_build_and_step_on_s2(setting):
    step_of_the_paper_profile(S2_NAME, setting)


@pytest.mark.slow
@pytest.mark.parametrize("setting", [name for space, name in settings("paper") if space == WHOLE])
def test_searches_of_the_paper_profile_build_and_step_on_all_operations(setting):
    step_of_the_paper_profile(WHOLE, setting)


# ---- statistics


def test_a_cell_is_described_by_its_operations_and_its_graph():
    found = darts_space.describe(DARTS)
    assert (found["skips"], found["pools"], found["parameterless"]) == (5, 5, 10)
    assert (found["separable"], found["dilated"]) == (5, 1)
    assert (found["depth"], found["width"]) == (3, 3.5)
    assert (found["depth_reduction"], found["width_reduction"]) == (3, 2.5)
    assert found["parameters"] == count_parameters(np.array([DARTS.code]))[0]


def test_searches_of_both_spaces_are_rows_of_one_table(monkeypatch):
    monkeypatch.setattr(darts, "available_tables", lambda: ())
    first = next(iter(darts.design("cpu", 1)))
    skips = ("skip_connect",) * 6
    truth = np.linspace(10, 94, 15_625)
    columns = tuple(nb201.CSV.values())
    table = Table(darts.TABLE, np.arange(15_625), columns, {c.name: truth for c in columns})
    records = [
        nb201_record(first, [darts.Cell(skips)]),
        search_record(settings("cpu")[S2_NAME, SOTL], 2),
    ]
    found = sotl_darts.statistics(records, "cpu", table)
    rows = found["searches"].set_index("space")
    assert rows.loc[darts.SPACE, "skips"] == 6 and rows.loc[S2_NAME, "skips"] == 16
    assert rows.loc[S2_NAME, ["eigenvalue_training", "eigenvalue_validation"]].tolist() == [3, 5]
    assert rows.loc[S2_NAME, "depth"] == 2 and rows.loc[S2_NAME, "width"] == 4
    tables = sotl_darts.tables(found)
    assert set(tables["settings"]["setting"]) == {FIRST}  # of NAS-Bench-201 alone
    assert set(tables["space_settings"]["setting"]) == {SOTL}
    assert set(tables) - set(sotl_darts.TABLES) == set()


def test_searches_that_never_looked_at_the_hessian_are_rows_of_an_empty_table():
    record = search_record(settings("smoke")[S2_NAME, FIRST], 2)
    unmeasured = {"spectrum_epochs": np.zeros(0, int), "spectra": np.zeros((0, 2, 1))}
    record = replace(record, arrays=record.arrays | unmeasured)
    found = darts_space.statistics([record], "smoke")
    assert len(found["space_spectra"]) == 0
    assert np.isnan(found["searches"]["eigenvalue_training"].item())
    assert "s2-eigenvalue" not in darts_claims.quantities(found)


def measured(correct: int) -> dict[str, np.ndarray]:
    """The arrays of a network alone."""
    numbers = {"test_correct": correct, "test_images": 10_000, "parameters": 7}
    return {name: np.asarray(number) for name, number in numbers.items()}


# ---- claims


def frames() -> dict[str, pd.DataFrame]:
    """Two seeds of each setting: DARTS with ten skips, SoTL-DARTS with none, deep with three."""
    made_of = {(S2_NAME, FIRST): 10, (S2_NAME, SOTL): 0, (S2_NAME, DEEP): 3}
    made_of |= {(WHOLE, FIRST): 8, (WHOLE, SOTL): 2}
    rows = [
        {
            **{"space": space, "setting": setting, "seed": seed, "status": "ok"},
            **{"skips": skips + seed, "parameterless": skips, "depth": 5 - skips // 4},
            "depth_reduction": 5 - skips // 3,
        }
        for (space, setting), skips in made_of.items()
        for seed in (0, 1)
    ]
    searches = pd.DataFrame(rows)
    spectra = pd.concat(
        [
            searches.assign(epoch=epoch, training=0.1 * epoch, validation=1.0 * epoch)
            for epoch in (1, 5)
        ]
    )
    accuracy = {FIRST: 50.0, SOTL: 52.0, RANDOM: 51.0}
    retrained = pd.DataFrame(
        [
            {"space": WHOLE, "setting": setting, "search": search, "cell": f"{setting}{search}"}
            | {"seed": seed, "status": "ok", "accuracy": value + seed}
            for setting, value in accuracy.items()
            for search in ((np.nan,) if setting == RANDOM else (0, 1))
            for seed in (0, 1)
        ]
    )
    return {"searches": searches, "space_spectra": spectra, "retrained": retrained}


def test_claims_compare_two_settings_over_their_searches():
    found = darts_claims.quantities(frames())
    values = {claim: quantity.interval().mean for claim, quantity in found.items()}
    assert values == {
        "darts-space-few-skips": -6,
        "darts-space-deeper": 2,  # by 2 in normal cells, by 2 in reduction cells
        "s2-no-skips": 0.5,
        "s2-fewer-skips": -10,
        "s2-deep-skips": 3,
        "s2-eigenvalue": pytest.approx(0.4),
        "s2-eigenvalue-darts": pytest.approx(4),
        "darts-space-eigenvalue": pytest.approx(0.4),
        "darts-space-eigenvalue-darts": pytest.approx(4),
        "darts-space-eigenvalue-more": pytest.approx(-3.6),
        "darts-eight-layers": 2,
    }
    assert set(values) <= set(read_claims(darts_claims.FILE))
    of_one = {"s2-no-skips", *darts_claims.RISES_THERE}
    counts = {claim: quantity.interval().n for claim, quantity in found.items()}
    assert counts == {claim: 2 if claim in of_one else 4 for claim in found}


def test_pdarts_is_judged_by_the_skips_that_it_keeps_and_by_its_cells_alone():
    statistics = frames()
    rows = pd.DataFrame(
        {"space": WHOLE, "setting": SOTL_PDARTS, "seed": [0, 1], "status": "ok"}
        | {"skips": [0, 1], "skips_left": [0.25, 0.75]}
    )
    statistics["searches"] = pd.concat([statistics["searches"], rows], ignore_index=True)
    alone = statistics["retrained"]
    mine = alone[alone["setting"] == SOTL].assign(setting=SOTL_PDARTS, accuracy=49.0)
    statistics["retrained"] = pd.concat([alone, mine], ignore_index=True)
    found = darts_claims.quantities(statistics)
    assert found["pdarts-no-skips"].interval().mean == 0.5
    assert found["pdarts-skips-go-early"].interval().mean == 0.5
    assert found["sotl-pdarts-eight-layers"].interval().mean == pytest.approx(49 - 50.5)
    assert found["darts-eight-layers"].interval().mean == 2
    assert "sotl-drnas-eight-layers" not in found


def test_claims_of_cells_alone_are_those_of_the_printed_table():
    rows = read("sotl_darts_tables").query("table == 4.8 and measure == 'accuracy with 8 layers'")
    printed = rows.set_index("algorithm")["value"]
    names = {FIRST: "DARTS (first-order)", SECOND: "DARTS (second-order)"}
    claims = read_claims(darts_claims.FILE)
    for claim, (a, b) in darts_claims.ALONE.items():
        expected = printed[names.get(a, a)] - printed[names.get(b, b)]
        assert claims[claim].printed == pytest.approx(expected, abs=0.005), claim
    assert set(darts_claims.OF_DARTS_SPACE) <= set(claims)
    compared = {name for pair in darts_claims.ALONE.values() for name in pair}
    assert compared <= {setting for space, setting in settings("cpu") if space == WHOLE}


def test_skips_that_are_left_are_a_share_of_all_edges():
    record = search_record(settings("cpu")[S2_NAME, FIRST], 2)
    assert darts_space.skips_left(record) == 1
    alphas = record.arrays["alphas"].copy()
    alphas[1, :7, 0] = -np.inf
    left = replace(record, arrays=record.arrays | {"alphas": alphas})
    assert darts_space.skips_left(left) == 21 / 28


def test_a_diverged_search_counts_in_no_claim():
    statistics = frames()
    statistics["searches"].loc[statistics["searches"]["setting"] == FIRST, "status"] = "diverged"
    assert "s2-fewer-skips" not in darts_claims.quantities(statistics)
    assert "s2-deep-skips" in darts_claims.quantities(statistics)


# ---- page


def inputs(**known: pd.DataFrame) -> Inputs:
    """Inputs without records."""
    return Inputs("sotl-darts", "cpu", results.Plan([], []), known)


def test_tables_of_the_page_have_a_row_a_search_and_a_column_a_space():
    more = {"depth_reduction": 3, "width": 3.5, "width_reduction": 2.5, "largest_alpha": 0.1}
    more |= {
        "skips_left": 1.0,
        "eigenvalue_training": 0.5,
        "eigenvalue_validation": 0.25,
        "seconds": 90.0,
    }
    searches = frames()["searches"].assign(**more)
    nb201 = pd.DataFrame([{"space": darts.SPACE, "setting": FIRST, "status": "ok"}])
    given = inputs(searches=pd.concat([nb201, searches], ignore_index=True))
    shown = page.searches_table(page.searches_of(given))
    assert len(shown) == 10 and shown["skips of 16"].tolist()[:2] == ["10", "11"]
    assert shown["minutes"].iloc[0] == "1.5" and shown["width, normal"].iloc[0] == "3.5"
    setting = page.setting(inputs()).set_index("setting")
    assert list(setting) == [WHOLE, S2_NAME]
    assert setting.loc["operations", S2_NAME] == "Skip, 3x3 sep"
    assert setting.loc["steps that SoTL-DARTS sums over", WHOLE] == "7"


def test_every_setting_of_a_space_says_how_its_alphas_are_found():
    table = page.algorithms(inputs()).set_index(["space", "setting"])
    assert len(table) == len(settings("cpu"))
    text = table.loc[(WHOLE, SOTL_PDARTS), "alphas"]
    assert "then 10 epochs with the 3 strongest operations, 9 cells, dropout of skips" in text
    assert text.endswith("at most 2 skips in the normal cell")
    assert table.loc[(WHOLE, SOTL_PDARTS), "epochs"] == "30"
    assert (S2_NAME, PDARTS) not in table.index


def test_the_cells_of_the_first_seed_are_drawn_with_an_arrow_for_each_operation():
    rows = frames()["searches"].assign(cell=str(DARTS))
    drawn = page.cells_of(inputs(searches=rows))
    assert drawn["cell"].nunique() == 2 * 2 * 2  # spaces, settings, kinds of cell
    assert "S2: SoTL-DARTS, reduction 8" in page.cells_finding(drawn)
    axes = plots.cell_graphs(drawn, plots.DARTS_MARKS).axes
    assert len(axes[0].texts) == 8 and axes[0].get_title() == "S2: DARTS, normal"


def test_cells_alone_are_means_of_their_trainings():
    shown = page.retrained_table(frames()["retrained"]).set_index("setting")
    assert shown.loc[FIRST].tolist() == [WHOLE, "2", "50.50 [50.50, 50.50]"]
    assert shown.loc[RANDOM, "n"] == "1"


def test_parts_of_the_design_are_named_by_the_spaces_of_a_table():
    rows = frames()["searches"]
    assert whole_page.parts_of("searches", rows) == [sotl_darts.SPACE]
    both = pd.concat([rows, rows[:1].assign(space=darts.SPACE)])
    assert whole_page.parts_of("searches", both) == [sotl_darts.NB201, sotl_darts.SPACE]
    assert whole_page.parts_of("epochs", rows.drop(columns="space")) == [sotl_darts.NB201]
    assert whole_page.parts_of("alone", rows) == []
