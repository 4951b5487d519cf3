"""Study 5 on NAS-Bench-1Shot1: its design, a whole tiny search, and claims worked by hand."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nasrepro.benchmarks import available_tables, load_table
from nasrepro.claims import interval_of
from nasrepro.pages import sotl_darts as page
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.runs.config import changed
from nasrepro.runs.parts import DataConfig
from nasrepro.runs.search import run_search
from nasrepro.spaces.nb1shot1 import Cell, Subspace, architectures
from nasrepro.studies import darts, darts_claims, darts_oneshot, results, sotl_darts
from nasrepro.studies.darts import EXACT, FIRST, FROZEN_TRAINING, FROZEN_VALIDATION, SHORT, SOTL
from nasrepro.studies.darts_oneshot import OTHER, SPACES, THIRD, describe, design
from nasrepro.studies.design import PART

tabled = pytest.mark.skipif(darts_oneshot.TABLE not in available_tables(), reason="no table")


def configs(profile: str, space: str = THIRD) -> dict:
    wanted = design(profile, 1)
    return {labels["setting"]: c for c, labels in wanted.items() if labels["space"] == space}


# ---- the design


def test_each_space_has_these_settings_and_they_come_last():
    wanted = design("cpu")
    settings = [FIRST, SOTL, FROZEN_TRAINING, FROZEN_VALIDATION, OTHER]
    assert [(c.seed, labels["space"], labels["setting"]) for c, labels in wanted.items()] == [
        (seed, space, setting)
        for seed in (0, 1)
        for space in SPACES.values()
        for setting in settings
    ]
    parts = [labels[PART] for labels in sotl_darts.design("cpu").values()]
    first = parts.index(sotl_darts.ONE_SHOT)
    assert set(parts[first:]) == {sotl_darts.ONE_SHOT}


@pytest.mark.parametrize("profile", ["cpu", "paper"])
def test_sotl_darts_updates_its_alphas_four_times_an_epoch(profile):
    config = configs(profile)[SOTL]
    steps = config.data.train_images // config.train.batch_size
    assert -(-steps // config.algorithm.steps) == 4
    other = configs(profile)[OTHER]
    assert other.algorithm.steps == max(2, config.algorithm.steps // 10)
    assert other.train.batch_size == 32


def test_first_order_darts_can_move_alphas_as_far_as_on_nas_bench_201():
    def farthest(config) -> float:
        steps = config.data.train_images // config.train.batch_size
        return steps * config.train.epochs * config.algorithm.learning_rate

    assert farthest(configs("cpu")[FIRST]) == pytest.approx(farthest(darts.PROFILES["cpu"].base))


def test_the_paper_profile_is_table_b1_and_has_exact_gradients_in_the_third_space():
    config = configs("paper")[FIRST]
    train, algorithm = config.train, config.algorithm
    assert (train.batch_size, train.epochs, train.weight_decay) == (64, 50, 3e-4)
    assert (algorithm.learning_rate, algorithm.weight_decay) == (3e-4, 1e-3)
    assert configs("paper")[SOTL].algorithm.steps == 100
    assert {SHORT, EXACT} <= set(configs("paper"))
    assert not {SHORT, EXACT} & set(configs("paper", SPACES[1]))


@pytest.mark.parametrize("setting", [FIRST, SOTL, OTHER, EXACT])
def test_a_search_of_the_paper_profile_builds_and_steps(setting):
    small = {
        "data": DataConfig("digits", train_images=4, validation_images=4, size=8),
        "train.batch_size": 2,
        "train.epochs": 1,
        "evaluated": 4,
        "spectrum_every": 0,
    }
    assert run_search(changed(configs("paper")[setting], small)).status == "ok"


def test_what_a_cell_is_made_of():
    """Vertex 4 is a loose end; the longest path is 0-1-2-3-5."""
    edges = ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 4), (1, 4), (0, 5), (3, 5))
    cell = Cell(edges, (*("conv3x3-bn-relu",) * 2, "conv1x1-bn-relu", "maxpool3x3"))
    assert cell in Subspace(1)
    parameters = describe(cell).pop("parameters")
    assert describe(cell) == {
        **{"convolutions3": 2, "convolutions1": 1, "pools": 1, "loose_ends": 1, "depth": 4},
        "parameters": parameters,
    }


# ---- a whole search


@pytest.fixture(scope="module")
def record():
    wanted = design("smoke")
    config = next(c for c, labels in wanted.items() if labels == dict(setting=SOTL, space=THIRD))
    small = {"data.train_images": 60, "data.validation_images": 60, "evaluated": 20}
    return config, run_search(changed(config, small | {"train.epochs": 1}))


@tabled
def test_a_search_is_a_row_with_the_accuracy_that_the_sample_has(record):
    original, run = record
    wanted = {run.config: design("smoke")[original]}
    found = darts_oneshot.statistics([run], wanted)
    (row,) = found["oneshot_searches"].to_dict("records")
    cell = Cell.parse(row["cell"])
    table, code = load_table(darts_oneshot.TABLE), architectures(np.array([cell.code]))
    if np.isin(code, table.codes).all():
        assert row["cifar10"] == pytest.approx(table.accuracy(code, darts_oneshot.COLUMN)[0])
    else:
        assert np.isnan(row["cifar10"])
    assert cell in Subspace(3) and (row["space"], row["setting"]) == (THIRD, SOTL)
    assert describe(cell).items() <= row.items()
    made = sotl_darts.tables(found)
    assert set(made) <= set(sotl_darts.TABLES) and len(made["searches"]) == 1
    given = Inputs("sotl-darts", "smoke", results.Plan([], []), made)
    (shown,) = page.TABLES["darts-oneshot-searches"].rows(given).to_dict("records")
    assert shown["cell"].count("(") == 6 and shown["depth"] == str(row["depth"])
    (printed,) = page.TABLES["darts-oneshot-printed"].rows(given).to_dict("records")
    assert printed["as printed, %"] == "87.87 ± 0.00" and printed["known"] in ("0 of 1", "1 of 1")
    assert len(page.FIGURES["darts-oneshot-depth"].data(given)) == 1
    assert page.parts_of("searches", made["searches"]) == [sotl_darts.ONE_SHOT]


@tabled
def test_accuracies_of_encodings_are_those_of_their_architectures():
    accuracy = darts_oneshot.known_accuracies()
    table = load_table(darts_oneshot.TABLE)
    known = set(table.codes.tolist())
    generator = np.random.default_rng(0)
    cells = [Subspace(2).sample(generator) for _ in range(30)]
    codes = architectures(np.array([cell.code for cell in cells])).tolist()
    for cell, code in zip(cells, codes, strict=True):
        assert np.isnan(accuracy(cell)) == (code not in known)
        if code in known:
            assert accuracy(cell) == table.accuracy(np.array([code]), darts_oneshot.COLUMN)[0]


def test_without_searches_everything_says_so():
    assert darts_oneshot.statistics([], design("smoke")) == {}
    given = Inputs("sotl-darts", "cpu", results.Plan([], []), {})
    for name in ("darts-oneshot-printed", "darts-oneshot-searches"):
        with pytest.raises(Absent):
            page.TABLES[name].rows(given)
    said = page.TABLES["darts-oneshot-setting"].rows(given).set_index("setting")["value"]
    assert said["steps that SoTL-DARTS sums over"] == "13" and "3,200" in said["images"]


def test_courses_are_drawn_and_put_into_words():
    epochs = pd.DataFrame(
        {"space": THIRD, "setting": SOTL, "seed": 0, "epoch": epoch, "depth": 3.0, "cifar10": value}
        for epoch, value in ((1, 90.0), (2, np.nan), (3, 92.0))
    )
    spectra = pd.DataFrame(
        {"space": THIRD, "setting": setting, "seed": 0, "epoch": 3, "training": 5, "validation": 7}
        for setting in (SOTL, FIRST, FROZEN_VALIDATION, FROZEN_TRAINING)
    )
    made = {"oneshot_epochs": epochs, "oneshot_spectra": spectra}
    given = Inputs("sotl-darts", "cpu", results.Plan([], []), made)
    rows = page.FIGURES["darts-oneshot-accuracy"].data(given)
    assert rows["epoch"].tolist() == [1, 3]
    drawing = page.FIGURES["darts-oneshot-eigenvalues"]
    assert drawing.data(given)["eigenvalue"].tolist() == [5, 7, 7, 5]
    assert isinstance(drawing.draw(drawing.data(given)), Figure)
    assert "SoTL-DARTS 5.000" in drawing.finding(drawing.data(given))
    unknown = {"oneshot_epochs": epochs.assign(cifar10=np.nan)}
    with pytest.raises(Absent):
        page.FIGURES["darts-oneshot-accuracy"].data(
            Inputs("sotl-darts", "cpu", results.Plan([], []), unknown)
        )


# ---- claims


def frames() -> dict[str, pd.DataFrame]:
    values = {  # accuracy, depth, 3x3 convolutions of three seeds
        FIRST: ([93.0, 93.2, np.nan], [2, 2, 3], [5, 5, 4]),
        SOTL: ([88.0, 88.4, 90.0], [6, 6, 6], [5, 4, 5]),
        OTHER: ([92.0, np.nan, 92.0], [3, 3, 3], [5, 5, 5]),
    }
    searches = [
        {"space": space, "setting": setting, "seed": seed, "status": "ok"}
        | {"cifar10": accuracy, "depth": depth, "convolutions3": count}
        for space, more in ((THIRD, 0), (SPACES[1], 9))
        for setting, columns in values.items()
        for seed, (accuracy, depth, count) in enumerate(zip(*columns, strict=True))
        for depth in [depth + more]
    ]
    spectra = [
        {"space": THIRD, "setting": setting, "seed": seed, "epoch": epoch}
        | {"training": training * epoch, "validation": validation * epoch}
        for setting, training, validation in ((SOTL, -1.0, 50.0), (FIRST, 70.0, 2.0))
        for seed in range(3)
        for epoch in (1, 11)
    ]
    return {
        "oneshot_searches": pd.DataFrame(searches),
        "oneshot_spectra": pd.DataFrame(spectra),
    }


def test_most_claims_are_of_the_third_space():
    found = darts_claims.quantities(frames())
    expected = {
        "oneshot1-below-darts": (88.8 - 93.1, 5),  # one cell of the six is unknown
        "oneshot1-operations": (14 / 3, 3),
        "oneshot1-deeper": (11 / 3, 6),
        "oneshot1-shorter-sums": (92 - 88.8, 5),
        "oneshot1-eigenvalue": (-10.0, 3),
        "oneshot1-eigenvalue-darts": (20.0, 3),
        "oneshot1-below-darts-1": (88.8 - 93.1, 5),
        "oneshot1-shorter-sums-1": (92 - 88.8, 5),
    }
    got = {c: (interval_of(q).mean, interval_of(q).n) for c, q in found.items()}
    assert {c: (pytest.approx(mean), n) for c, (mean, n) in expected.items()} == got
    assert darts_claims.quantities({}) == {}


def test_eigenvalues_need_two_measured_epochs():
    given = frames()
    one = given["oneshot_spectra"].query("epoch == 1")
    found = darts_claims.quantities(given | {"oneshot_spectra": one})
    assert "oneshot1-eigenvalue" not in found and "oneshot1-deeper" in found
