"""Study 2 on NAS-Bench-101: settings that change the channels and nothing else, claims by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from nasrepro.benchmarks import available_tables, load_table, nb101
from nasrepro.nets.nb101 import supernet, vertex_channels
from nasrepro.runs.config import changed
from nasrepro.runs.nb101 import drawn_cells
from nasrepro.runs.parts import DrawnCells
from nasrepro.runs.supernet import part_of, run
from nasrepro.spaces.nb101 import SUBSPACES, Cell
from nasrepro.stats import Student
from nasrepro.studies import appraisal, channels, tricks, tricks_claims
from nasrepro.studies.channels import DISABLED, FIXED, INTERPOLATED, RANDOM, SHUFFLED, SIZES
from nasrepro.studies.design import settings_of


def settings(profile: str = "cpu") -> dict:
    return settings_of(FIXED, channels.base(profile), channels.FACTORS)


def test_the_baseline_is_study_1s_of_the_whole_space_but_for_its_normalisation():
    ours, theirs = channels.base("cpu"), appraisal.PROFILES["cpu"].base
    assert ours.subspace == SUBSPACES["A_FULL"] and ours.net.narrowing == "first"
    assert ours.evaluate.batch_norm == "batch" and not ours.net.tracked_statistics
    back = {
        "subspace": theirs.subspace,
        "net.tracked_statistics": True,
        "train.precision": "bfloat16",
        "evaluate": theirs.evaluate,
    }
    assert changed(ours, back) == theirs


def test_random_cells_are_as_many_as_those_with_so_many_outputs():
    assert {k: SUBSPACES[f"A_{k}"].size for k in SIZES} == SIZES
    found = settings()
    for k, size in SIZES.items():
        assert found[RANDOM[k]] == changed(found[FIXED], {"trained_cells": size})
        assert found[DISABLED[k]] == changed(found[FIXED], {"subspace": SUBSPACES[f"A_{k}"]})


def test_two_settings_narrow_their_paths_in_another_way():
    found, generator = settings(), torch.Generator()
    for name, narrowing in {SHUFFLED: "shuffled", INTERPOLATED: "interpolated"}.items():
        assert found[name] == changed(found[FIXED], {"net.narrowing": narrowing})
        net = supernet(found[name].net, found[name].subspace, generator)
        fixed = supernet(found[FIXED].net, found[FIXED].subspace)
        assert net.state_dict().keys() == fixed.state_dict().keys()


@pytest.mark.parametrize("k", SIZES)
def test_without_dynamic_channels_a_path_takes_all_channels_of_a_vertex(k):
    """But for one where they do not divide evenly, in A_3."""
    codes = np.random.default_rng(0).choice(SUBSPACES[f"A_{k}"].codes(), 50, replace=False)
    width = channels.base("cpu").net.channels
    used: set[int] = set()
    for code in codes:
        used |= set(vertex_channels(Cell.from_code(int(code)).matrix[None], width)[0, 1:-1])
    assert used == ({5, 6} if k == 3 else {width // k})


def test_a_random_part_holds_the_cells_that_are_evaluated():
    config = changed(settings()[RANDOM[4]], {"cells": DrawnCells(count=500, table=None), "seed": 1})
    part, evaluated = part_of(config), [c.code for c in drawn_cells(config.subspace, config.cells)]
    assert len(np.unique(part)) == SIZES[4] and np.isin(evaluated, part).all()
    assert np.isin(part, SUBSPACES["A_FULL"].codes()).all()
    assert not np.array_equal(np.sort(part), np.sort(part_of(changed(config, {"seed": 2}))))


def test_what_supernets_of_this_space_measure(monkeypatch):
    if not {nb101.NAME, tricks.TABLE} <= set(available_tables()):
        pytest.skip("the tables nb101-sample and nb201-200epochs are not on this machine")
    monkeypatch.setattr(tricks, "exact", lambda *_: pd.DataFrame())  # of the other space, and slow
    for name in ("statistics", "all_of_them"):
        monkeypatch.setattr(tricks.published_supernets, name, lambda *_: {})
    chosen = (SHUFFLED, DISABLED[4])
    records = [
        run(config)
        for config, labels in tricks.design("smoke", seeds=1).items()
        if labels["setting"] in chosen
    ]
    found = tricks.statistics(records, "smoke", load_table(tricks.TABLE))
    runs = found["runs"].pivot(index="metric", columns="setting", values="value")
    assert set(runs.columns) == set(chosen)
    for metric in ("spearman", "s_kdt", "final_accuracy", "parameters_less_spearman"):
        assert runs.loc[metric].notna().all()
    assert not any(name.startswith(("bias_", "spearman_cifar")) for name in runs.index)
    assert (runs.loc["final_accuracy"] > 20).all()
    assert set(found["pooled"]["setting"]) == set(chosen)
    assert found["runs"]["value"].dtype == float, "whatever parts of the study have no run"


def values(numbers: dict[tuple[str, str], list[float]]) -> tricks_claims.Values:
    rows = [
        (setting, seed, metric, value)
        for (metric, setting), found in numbers.items()
        for seed, value in enumerate(found)
    ]
    names = ["setting", "seed", "metric", "value"]
    return tricks_claims.values_of(pd.DataFrame(rows, columns=names))


def test_disabled_channels_are_averaged_over_four_subspaces_and_counted():
    """Gains .1, .3 in A_1 to A_3 and -.2, -.2 in A_4: .2 thrice and -.2 on average, of 16 runs."""
    numbers = {}
    for k in SIZES:
        numbers["s_kdt", RANDOM[k]] = [0.2, 0.3]
        gains = [-0.2, -0.2] if k == 4 else [0.1, 0.3]
        numbers["s_kdt", DISABLED[k]] = [0.2 + gains[0], 0.3 + gains[1]]
    found = tricks_claims.disabled(values(numbers))
    assert set(found) == {"yu-disable-s-kdt", "yu-disable-each"}
    mean = found["yu-disable-s-kdt"]
    assert isinstance(mean, Student) and mean.mean == pytest.approx(0.1) and mean.n == 16
    assert found["yu-disable-each"].mean == 3
    del numbers["s_kdt", RANDOM[2]]
    assert tricks_claims.disabled(values(numbers)) == {}
