"""What others measured: supernets and single trainings, of NAS-Bench-201 but for one."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from nasrepro.benchmarks import few_shot_supernets, nb201_seeds, snapshots, zero_cost
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import DataError
from nasrepro.nets.nb201 import count_parameters
from nasrepro.spaces.nb201 import NUM_CELLS, Cell

SINGLE = "seed-5-opt5-wotrash-baseline-16-64-250-balanced"
CELLS = [str(Cell.from_code(code)) for code in range(NUM_CELLS)]


def real(name: str):
    if (path := locate(SOURCES[name])) is None:
        pytest.skip(f"set NASREPRO_DATA to a folder with {SOURCES[name].filename}")
    return path


# ---- supernets


def written(tmp_path, **columns):
    """A file of some runs, its rows in reverse order."""
    path = tmp_path / "runs.parquet"
    frame = pd.DataFrame({k.replace("_", "-"): v for k, v in columns.items()}, index=CELLS)
    frame.iloc[::-1].to_parquet(path)
    return path


def test_a_run_that_repeats_another_is_dropped_and_a_single_supernet_kept(tmp_path):
    ramp = np.arange(NUM_CELLS) / 100 % 100
    other = np.where(np.arange(NUM_CELLS) == 7, 50, ramp)
    runs = few_shot_supernets.read_runs(
        written(tmp_path, **{"a-last": ramp, SINGLE: ramp, "b": other})
    )
    assert list(runs) == [SINGLE, "b"]
    assert runs["b"][[6, 7, 8]].tolist() == [0.06, 50, 0.08]


def test_a_supernet_is_told_by_its_name_and_counted_in_images():
    runs = pd.DataFrame({SINGLE: [9.999999995, 46.18999996], "seed-5-last10064": 0.5})
    found = few_shot_supernets.supernets(runs.set_axis([3, 1]))
    assert found.to_dict("list") == {
        "run": [SINGLE] * 2,
        "channels": [16] * 2,
        "batch": [64] * 2,
        "epochs": [250] * 2,
        "balanced": [True] * 2,
        "split": [""] * 2,
        "seed": [5] * 2,
        "code": [3, 1],
        "proxy": [10, 46.19],
    }


def test_supernets_that_are_not_as_expected_are_refused(tmp_path):
    (tmp_path / "cut").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a table of supernets"):
        few_shot_supernets.read_runs(tmp_path / "cut")
    path = written(tmp_path, a=np.zeros(NUM_CELLS))
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(DataError, match="expected each of 15,625 cells once"):
        few_shot_supernets.read_runs(path)
    for wrong in (12.345, -1.0, 101.0, np.nan):
        with pytest.raises(DataError, match="expected shares of 10,000"):
            few_shot_supernets.supernets(pd.DataFrame({SINGLE: [50, wrong]}))
    with pytest.raises(DataError, match="found none"):
        few_shot_supernets.supernets(pd.DataFrame({"a": [50.0]}))


def test_a_split_supernet_has_limits_or_a_copy_at_random():
    names = {
        "seed-0-opt5-wotrash-decom5-4-10-20-30-64-500": (4, "10-20-30", 64, 500, False),
        "seed-0-opt5-wotrash-decom5-8-15-64-750-balanced": (8, "15", 64, 750, True),
        "seed-0-opt5-wotrash-decom5-5-15-20-128-1000rand": (5, "random", 128, 1000, False),
        "seed-0-opt5-wotrash-baseline-16-128-1000": (16, "", 128, 1000, False),
    }
    found = few_shot_supernets.supernets(pd.DataFrame(dict.fromkeys(names, 50.0), index=[7]))
    columns = ["channels", "split", "batch", "epochs", "balanced"]
    rows = found.set_index("run")[columns].itertuples(name=None)
    assert {run: tuple(row) for run, *row in rows} == names


def test_the_published_supernets_are_thirty_one_single_ones():
    path = real("nb201-supernets")
    runs = few_shot_supernets.read_runs(path)
    stored = set(pd.read_parquet(path))
    assert len(stored) in (191, 31) and len(stored) - runs.shape[1] == (len(stored) == 191)
    found = few_shot_supernets.supernets(runs)
    singles = found[found["split"] == ""]
    assert len(singles) == 31 * NUM_CELLS
    keys = ["channels", "batch", "epochs", "balanced"]
    counts = singles.drop_duplicates("run").groupby(keys).size()
    assert counts.to_dict() == {
        (5, 64, 250, False): 3,
        (5, 64, 250, True): 2,
        (5, 128, 1000, False): 5,
        (5, 128, 1000, True): 5,
        **{(16, 64, epochs, False): 3 for epochs in (250, 500, 750, 1000)},
        (16, 128, 1000, False): 4,
    }
    disconnected = singles[singles["code"] == 0]
    assert disconnected["proxy"].eq(10).all()  # one class of ten


# ---- single trainings


def entries() -> dict:
    """A file's content: a training of as many images as a cell's code, and a better one."""
    keys = {code: np.base_repr(code, 5).zfill(6)[::-1] for code in range(NUM_CELLS)}
    return {key: {"val_acc": [code / 250, 70.0]} for code, key in keys.items()}


def dumped(tmp_path, content: object):
    path = tmp_path / "seeds.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_trainings_are_counted_in_images_and_a_repeated_one_once(tmp_path):
    content = entries()
    content["100000"] = {"val_acc": [40.00000001, 41, 40.00000001]}
    found = nb201_seeds.read_seeds(dumped(tmp_path, content)).set_index(["code", "run"])
    assert found.loc[1]["accuracy"].tolist() == [40, 41]
    assert found.loc[6250]["accuracy"].tolist() == [25, 70]
    assert len(found) == 2 * NUM_CELLS


def test_trainings_that_are_not_as_expected_are_refused(tmp_path):
    def refused(change: dict, match: str) -> None:
        with pytest.raises(DataError, match=match):
            nb201_seeds.read_seeds(dumped(tmp_path, entries() | change))

    refused({"10000": {"val_acc": []}}, "not a table of NAS-Bench-201's trainings")
    refused({"100000": {}}, "not a table of NAS-Bench-201's trainings")
    refused({"100000": {"val_acc": ["high"]}}, "not a table of NAS-Bench-201's trainings")
    refused({"100000": {"val_acc": [50.001]}}, "expected shares of 25,000")
    refused({"100000": {"val_acc": [100.004]}}, "expected shares of 25,000")
    refused({"100000": print}, r"asks for builtins\.print")
    with pytest.raises(DataError, match="expected 15,625 cells, found 1"):
        nb201_seeds.read_seeds(dumped(tmp_path, {"000000": {"val_acc": [50]}}))


def test_the_real_trainings():
    """The best cell of the file by its mean, 91.6067, has key 333132; most cells have three."""
    seeds = nb201_seeds.read_seeds(real("nb201-seeds"))
    means = seeds.groupby("code")["accuracy"].mean()
    best = Cell.from_code(int(means.idxmax()))
    three, one = "nor_conv_3x3", "skip_connect"
    assert best.operations == (three, three, three, one, three, "nor_conv_1x1")
    assert means.max() == pytest.approx(91.6067, abs=1e-4)
    runs = seeds.groupby("code").size().value_counts()
    assert runs.to_dict() == {1: 3, 2: 7_518, 3: 8_104}


# ---- scores of untrained networks


def test_scores_of_untrained_networks_are_of_the_cells_that_their_keys_name():
    """Parameters agree only in the right order of edges and with the right operations."""
    scores = zero_cost.read_scores(real("nb201-zero-cost"))
    parameters = scores[scores["score"] == "params"]
    assert len(parameters) == parameters["code"].nunique() == 724
    counted = count_parameters(parameters["code"].to_numpy())
    assert (parameters["value"] * 1e6).to_numpy() == pytest.approx(counted)
    assert scores.groupby("score").size().to_dict() == dict.fromkeys(zero_cost.SCORES, 724)
    assert scores["seconds"].between(0, 60).all()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        json.dumps({"cifar100": {}}),
        json.dumps({"cifar10": {"(0, 1, 2, 3, 4)": {}}}),
        json.dumps({"cifar10": {"(0, 1, 2, 3, 4, 0)": {"nwot": {"score": 1}}}}),
        json.dumps({"cifar10": {"(0, 1, 2, 3, 4, 9)": {}}}),
    ],
)
def test_a_file_that_has_no_such_scores_is_refused(tmp_path, content):
    path = tmp_path / "scores.json"
    path.write_text(content)
    with pytest.raises(DataError, match="is not a table of zero-cost scores"):
        zero_cost.read_scores(path)
    with pytest.raises(DataError, match="cannot read"):
        zero_cost.read_scores(tmp_path / "none.json")


# ---- states of one supernet


def test_states_are_consecutive_and_in_percent():
    states = snapshots.read_states(real(snapshots.NAME))
    assert states.shape == (128, 64) and (states.index[0], states.index[-1]) == (39_073, 39_200)
    assert states.loc[39_073, 0] == pytest.approx(51.3)
    truth = snapshots.read_truth(real(snapshots.TRUTH))
    assert truth[0] == pytest.approx(70.139) and truth.argmax() == 59


def states_file(tmp_path, steps, networks=64, value="0.5"):
    path = tmp_path / "states.csv"
    rows = [f"{step}," + ",".join([value] * networks) for step in steps]
    path.write_text("\n".join(["," + ",".join(map(str, range(networks))), *rows]))
    return path


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"steps": [3, 5]}, "expected consecutive steps"),
        ({"steps": [3, 4], "networks": 63}, "expected accuracies of networks 0 to 63"),
        ({"steps": [3, 4], "value": ""}, "expected accuracies of networks 0 to 63"),
        ({"steps": [3, 4], "value": "x"}, "is not a table of accuracies"),
    ],
)
def test_states_that_are_not_whole_are_refused(tmp_path, made, message):
    good = snapshots.read_states(states_file(tmp_path, [3, 4]))
    assert good.index.tolist() == [3, 4] and (good == 50).all(axis=None)
    with pytest.raises(DataError, match=message):
        snapshots.read_states(states_file(tmp_path, **made))


@pytest.mark.parametrize(
    ("text", "message"), [("0.5\n0.6\n", "found 2"), ("half\n", "is not a list of accuracies")]
)
def test_a_truth_of_other_networks_is_refused(tmp_path, text, message):
    path = tmp_path / "truth.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        snapshots.read_truth(path)
