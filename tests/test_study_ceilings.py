"""Noise ceilings: formulas worked by hand, and the values of the benchmarks' trainings."""

import numpy as np
import pandas as pd
import pytest

from nasrepro import metrics
from nasrepro.benchmarks import nb101, nb201_seeds
from nasrepro.data.pourchot import RUNS
from nasrepro.data.sources import SOURCES, fetch, locate
from nasrepro.spaces.nb201 import Subspace
from nasrepro.studies import ceilings
from nasrepro.studies.ceilings import reliability, spearman_brown

NO_ZERO = Subspace.without("none")


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_reliability_of_a_mean_is_the_correlation_of_two_means(k):
    """Two means of k variables that correlate by r: k^2 r over the variance k + k (k - 1) r."""
    r = 0.3
    assert spearman_brown(r, k) == pytest.approx(k**2 * r / (k + k * (k - 1) * r))


def test_reliability_of_normal_trainings_is_that_of_means_and_its_root_the_ceiling():
    """On ranks of 20,000 cells, whose noise is half as large as their spread."""
    generator = np.random.default_rng(0)
    truth = generator.normal(size=20_000)
    runs = truth[:, None] + generator.normal(scale=0.5, size=(20_000, 6))
    found = reliability(runs)
    means = runs[:, :3].mean(axis=1), runs[:, 3:].mean(axis=1)
    assert found["between means of three"] == pytest.approx(metrics.spearman(*means), abs=0.01)
    ceiling = metrics.spearman(truth, means[0])
    assert found["ceiling of a mean of three"] == pytest.approx(ceiling, abs=0.01)
    ceiling = metrics.spearman(truth, runs[:, 0])
    assert found["ceiling of one run"] == pytest.approx(ceiling, abs=0.01)


def test_trainings_that_agree_leave_no_noise_and_opposite_ones_no_ceiling():
    runs = np.arange(5.0)
    assert list(reliability(np.column_stack([runs, runs])).values()) == pytest.approx([1] * 6)
    found = reliability(np.column_stack([runs, -runs]))
    assert found["between runs"] == pytest.approx(-1)
    assert found["ceiling of one run"] == found["ceiling of a mean of three"] == 0


def test_cells_with_two_trainings_are_grouped_by_their_mean():
    """Of codes 0 to 4 the first edge alone differs, so that none is connected; 3 has one run."""
    rows = [(0, 0, 91), (0, 1, 88), (1, 0, 92), (1, 1, 90), (1, 2, 10), (2, 0, 95), (2, 1, 96)]
    rows += [(3, 0, 99), (4, 0, 90.5), (4, 1, 89.5)]
    seeds = pd.DataFrame(rows, columns=["code", "run", "accuracy"])
    found = ceilings.nb201_ceilings(seeds, [Subspace(), NO_ZERO])
    frame = pd.DataFrame(found, columns=ceilings.COLUMNS).query("what == 'between runs'")
    by_cells = frame.set_index("cells")
    assert by_cells["n"].to_dict() == {"all operations": 4, "above 90%": 2}  # not exactly 90
    # Ranks 2, 3, 4, 1 and 1, 3, 4, 2: two differ by one.
    assert by_cells.loc["all operations", "value"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert by_cells.loc["above 90%", "value"] == pytest.approx(1)


def test_there_are_no_ceilings_without_files(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    assert ceilings.statistics([Subspace()]) == {}


# ---- the real trainings


def values(rows: list[tuple], **equal: str) -> dict[str, float]:
    frame = pd.DataFrame(rows, columns=ceilings.COLUMNS)
    for column, value in equal.items():
        frame = frame[frame[column] == value]
    return frame.set_index("what")["value"].to_dict()


def test_trainings_of_nas_bench_201_agree_less_at_the_top():
    if locate(SOURCES[nb201_seeds.NAME]) is None:
        pytest.skip("set NASREPRO_DATA to a folder with the single trainings")
    rows = ceilings.nb201_ceilings(nb201_seeds.load(), [NO_ZERO])
    assert values(rows, cells="all operations")["between runs"] == pytest.approx(0.988, abs=6e-4)
    assert values(rows, cells="above 90%")["between runs"] == pytest.approx(0.785, abs=6e-4)
    assert {row[-1] for row in rows if row[2] == "all operations"} == {15_622}
    assert {row[-1] for row in rows if row[2] == str(NO_ZERO)} == {4_095}


def test_trainings_of_nas_bench_101_and_their_means():
    if locate(SOURCES[nb101.NAME]) is None:
        pytest.skip("set NASREPRO_DATA to a folder with the sample of NAS-Bench-101")
    sample = nb101.read_sample(fetch(SOURCES[nb101.NAME]))
    rows = ceilings.nb101_ceilings(sample)
    test = values(rows, accuracy="test", cells="A_FULL")
    assert (round(test["lowest pair"], 2), round(test["highest pair"], 2)) == (0.96, 0.98)
    validation = values(rows, accuracy="validation", cells="A_FULL")
    assert validation["ceiling of a mean of three"] == pytest.approx(0.997, abs=5e-4)
    # What the formula says of one training and the mean of the two others is so, on ranks.
    runs = sample[[f"validation_{run}" for run in RUNS]].to_numpy()
    alone = [metrics.spearman(runs[:, i], np.delete(runs, i, 1).mean(axis=1)) for i in RUNS]
    r = validation["between runs"]
    assert np.mean(alone) == pytest.approx((r * spearman_brown(r, 2)) ** 0.5, abs=2e-3)
