"""Supernets of others, measured by hand-made rankings and on the real file."""

import numpy as np
import pandas as pd
import pytest

from nasrepro.benchmarks import Column, Table, available_tables, few_shot_supernets, load_table
from nasrepro.data.sources import SOURCES, locate
from nasrepro.spaces.nb201 import Subspace, connected
from nasrepro.studies import published_supernets
from nasrepro.studies.published_supernets import (
    COLUMN,
    TABLE,
    groups_of,
    measure,
    measure_found,
    of_all,
    tables,
)

NO_ZERO, NO_POOL = Subspace.without("none"), Subspace.without("avg_pool_3x3")


def by_hand(proxies: dict[str, np.ndarray]) -> tuple[pd.DataFrame, Table]:
    """Supernets of the cells with Zero and Skip only, whose truth is the order of their codes."""
    codes = np.array([sum(5**edge * (bits >> edge & 1) for edge in range(6)) for bits in range(64)])
    column = Column("cifar10", "test", 200, "one seed", "", "by hand")
    table = Table("by hand", codes, (column,), {COLUMN: np.arange(64) + 10.0})
    frames = [
        pd.DataFrame({"run": run, "code": codes, "proxy": proxy}) for run, proxy in proxies.items()
    ]
    evaluations = pd.concat(frames, ignore_index=True)
    evaluations["seed"] = evaluations["run"].str[-1].astype(int)
    evaluations["balanced"] = evaluations["run"].str.startswith("b")
    evaluations["split"] = np.where(evaluations["run"].str.startswith("s"), "15-20", "")
    return evaluations.assign(channels=5, batch=64, epochs=250), table


def test_a_perfect_and_a_reversed_supernet():
    up = np.arange(64)
    evaluations, table = by_hand({"a0": up, "a1": -up, "b0": up})
    found = measure(evaluations, table, [Subspace()])
    runs = found["published_runs"].set_index(["setting", "seed", "cells", "metric"])["value"]
    for metric in ("spearman", "kendall_tau_b", "sparse_kendall_tau", "tau_top_tenth"):
        assert runs["5-64-250", 0, "all", metric] == pytest.approx(1)
        assert runs["5-64-250", 1, "connected", metric] == pytest.approx(-1)
    assert runs["5-64-250", 0, "all", "top_10_accuracy"] == 73
    assert runs["5-64-250", 1, "all", "top_10_accuracy"] == 19  # the ten worst
    published = tables(found)["published"].set_index(["setting", "cells", "metric"])
    first = published.loc["5-64-250", "all", "spearman"]
    assert (first["mean"], first["n"]) == (pytest.approx(0), 2)
    assert published.loc["5-64-250-balanced", "all", "spearman"]["n"] == 1
    # The cells have no weights: the parameter count is constant and ranks nothing.
    counted = found["published_parameters"].set_index(["cells", "metric"])
    assert np.isnan(counted.loc[("all", "spearman"), "value"])
    assert counted.loc[("all", "spearman"), "n"] == 64
    assert "top_10_accuracy" not in counted.index.get_level_values("metric")


def test_within_the_true_top_tenth_only_the_best_cells_count():
    """Six of 64 cells: their order is reversed, that of the others is right."""
    proxy = np.concatenate([np.arange(58), 100 - np.arange(6)])
    evaluations, table = by_hand({"a0": proxy})
    runs = measure(evaluations, table, [Subspace()])["published_runs"]
    values = runs[runs["cells"] == "all"].set_index("metric")["value"]
    assert values["tau_top_tenth"] == pytest.approx(-1)
    assert values["kendall_tau_b"] == pytest.approx(1 - 2 * 15 / (64 * 63 / 2))


def test_connected_cells_are_a_group_of_their_own_where_some_are_not():
    codes = np.arange(5**6)
    assert {name: mask.sum() for name, mask in groups_of(codes, NO_ZERO).items()} == {"all": 4_096}
    groups = groups_of(codes, NO_POOL)
    assert groups["all"].sum() == 4_096
    assert groups["connected"].sum() == (groups["all"] & connected(codes)).sum() < 4_096


def test_a_split_supernet_is_compared_with_the_single_ones():
    """64 cells, all drawn: the final accuracy is that of the best three by proxy."""
    up = np.arange(64)
    swapped = np.where(up == 63, 0, up)  # the best cell is among the worst
    evaluations, table = by_hand({"a0": swapped, "s0": up, "a1": up, "s1": up, "s2": up})
    found = of_all({"published_all": measure_found(evaluations, table)})
    splits = found["published_splits"].query("cells == 'all'").set_index("metric")
    assert set(splits["what"]) == {"split 15-20"} and set(splits["n"]) == {3}
    assert set(splits["n_baseline"]) == {2}
    assert splits.loc["final_accuracy", "baseline"] == pytest.approx((71 + 72) / 2)
    assert splits.loc["final_accuracy", "value"] == pytest.approx((71 + 72 + 73) / 3)
    assert splits.loc["mean_prediction", "difference"] == pytest.approx(63 / 64 / 2)
    assert found["published_judges"].empty, "two settings have no correlation"


def test_nothing_is_measured_without_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    assert published_supernets.statistics([Subspace()]) == {}
    assert published_supernets.all_of_them() == {}
    assert tables({}) == of_all({}) == {}


def test_published_supernets_rank_the_whole_space_as_known():
    if TABLE not in available_tables() or not locate(SOURCES[few_shot_supernets.NAME]):
        pytest.skip("set NASREPRO_DATA to a folder with the supernets and the table")
    evaluations = few_shot_supernets.load().query("split == ''")
    found = measure(evaluations, load_table(TABLE), [Subspace()])
    published = tables(found)["published"].query("metric == 'spearman' and cells == 'all'")
    by_setting = published.set_index("setting")
    expected = {
        "5-128-1000": (0.901, 5),
        "5-128-1000-balanced": (0.916, 5),
        "5-64-250": (0.819, 3),
        "5-64-250-balanced": (0.908, 2),
        "16-64-250": (0.785, 3),
        "16-64-500": (0.849, 3),
        "16-64-750": (0.855, 3),
        "16-64-1000": (0.862, 3),
        "16-128-1000": (0.873, 4),
    }
    assert by_setting["n"].to_dict() == {setting: n for setting, (_, n) in expected.items()}
    for setting, (mean, _) in expected.items():
        assert by_setting.loc[setting, "mean"] == pytest.approx(mean, abs=6e-4), setting


def test_states_that_err_in_turn_are_right_on_average(monkeypatch):
    """Right and reversed in turn, the right one by more: four of them together are right."""
    truth = np.arange(64.0)
    states = pd.DataFrame([(3 if step % 2 == 0 else -1) * truth for step in range(128)])
    found = published_supernets.averaged_states(states, truth).set_index("averaged")
    assert found["n"].tolist() == [128, 125, 113, 65] and set(found["networks"]) == {64}
    assert found.loc[1, ["mean", "least", "largest"]].tolist() == pytest.approx([0, -1, 1])
    assert found.loc[4, ["mean", "least", "largest"]].tolist() == pytest.approx([1, 1, 1])
    monkeypatch.setattr(published_supernets, "locate", lambda source: None)
    assert published_supernets.single_states() == {}


def test_one_state_of_a_real_supernet_tells_little():
    if not (found := published_supernets.single_states()):
        pytest.skip("set NASREPRO_DATA to a folder with deeper_insights_*")
    by_count = found["published_states"].set_index("averaged")
    one = by_count.loc[1, ["mean", "least", "largest"]].round(2).tolist()
    assert one == [0.67, 0.14, 0.91]
    assert by_count.loc[64, "least"] > 0.8
