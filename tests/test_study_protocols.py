"""The recipe: protocols, chosen on one half of the cells and reported on the other."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from records import arrays

from nasrepro import recipes
from nasrepro.benchmarks import available_tables, load_table
from nasrepro.cli import app
from nasrepro.errors import ConfigError, NasreproError
from nasrepro.metrics import spearman
from nasrepro.nets.nb201 import count_parameters
from nasrepro.runs.config import changed
from nasrepro.runs.kinds import SUPERNET, store_of
from nasrepro.runs.supernet import run
from nasrepro.spaces.nb201 import Cell, is_connected
from nasrepro.studies import protocols, tricks
from nasrepro.studies.protocols import (
    BALANCED,
    CHOICE,
    MEMBERS,
    MINUTES,
    PROTOCOLS,
    REPORT,
    SCORES,
    SEEDS,
    Protocol,
    best,
    design,
    halves,
    members,
)
from nasrepro.studies.results import stored_statistics


def test_a_protocol_has_the_same_number_of_repetitions_and_none_shares_a_supernet():
    for protocol in PROTOCOLS:
        repetitions = [members(protocol, "cpu", seed) for seed in range(SEEDS)]
        assert {len(each) for each in repetitions} == {protocol.supernets}
        configs = [config for each in repetitions for config in each]
        assert len(set(configs)) == len(configs)
        assert set(configs) <= set(design("cpu"))
        assert protocol.budget in MINUTES and protocol.budget >= protocol.minutes


def test_the_design_has_no_supernet_that_no_protocol_takes():
    taken = {c for p in PROTOCOLS for seed in range(SEEDS) for c in members(p, "cpu", seed)}
    assert set(design("cpu")) == taken
    first = {c for p in PROTOCOLS for c in members(p, "cpu", 0)}
    assert set(list(design("cpu"))[: len(first)]) == first == set(design("cpu", seeds=1))
    assert set(design("cpu")) <= set(tricks.design("cpu"))
    assert {config.needed_table for config in design("cpu")} == {None}


@pytest.mark.parametrize("minutes", MINUTES)
def test_trainings_of_a_time_differ_in_what_they_say(minutes):
    known = protocols.trainings("cpu", minutes)
    root = known[BALANCED]
    assert (root.sampler, root.net.channels, root.train.batch_size) == ("per-size", 5, 32)
    assert known["uniform"] == changed(root, {"sampler": "uniform"})
    wide = known["balanced, 8 channels"]
    assert wide.net.channels == 8 and wide.train.epochs < root.train.epochs
    assert known["balanced, rate x2"] == changed(root, {"train.learning_rate": 0.05})
    large = known["balanced, batch 64"].train
    assert (large.batch_size, large.learning_rate) == (64, 0.05)
    assert large.epochs > root.train.epochs


def test_longer_trainings_see_more_images():
    images = [protocols.base("cpu", minutes).trained_images for minutes in MINUTES]
    assert all(2.5 <= b / a <= 4 for a, b in pairwise(images))


def test_halves_are_of_one_size_and_have_no_cell_in_common():
    choice, report = halves(protocols.base("cpu", 1)).values()
    assert len(choice) == len(report) == 500 and not set(choice) & set(report)
    assert all(is_connected(Cell.from_code(code)) for code in (*choice, *report))
    assert halves(protocols.base("cpu", 10)) == {CHOICE: choice, REPORT: report}


LOSS, ACCURACY, PARAMETERS = np.array([1.0, 2.0, 3.0]), np.array([60, 70, 80]), np.array([5, 9, 7])


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("cross-entropy", [3, 2, 1]),
        ("accuracy", [1, 2, 3]),
        ("cross-entropy and parameters", [3 + 1, 2 + 3, 1 + 2]),
    ],
)
def test_scores_rank_better_cells_higher(score, expected):
    found = SCORES[score](LOSS, ACCURACY, PARAMETERS)
    assert spearman(found, expected) == 1


def record(config, codes, loss, correct):
    """A record with given proxies."""
    from test_runs import made_up

    values = arrays(codes, correct) | {"loss": np.array(loss, np.float32)}
    return made_up(config, arrays=values)


def test_proxies_of_several_supernets_are_averaged():
    config, codes = protocols.base("smoke", 1), [3, 700, 9_000]
    found = protocols.scores(
        [record(config, codes, [1, 2, 3], [9, 8, 7]), record(config, codes, [3, 1, 1], [5, 5, 5])],
        "cross-entropy",
    )
    assert found.index.tolist() == codes and found.tolist() == [-2, -1.5, -2]


def rows(values: dict[tuple[Protocol, str], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (p.training, p.minutes, p.supernets, p.score, half, seed, "spearman", value)
            for (p, half), numbers in values.items()
            for seed, value in enumerate(numbers)
        ],
        columns=["training", "minutes", "supernets", "score", "half", "seed", "metric", "value"],
    )


def test_the_best_for_a_time_is_chosen_on_one_half_and_reported_on_the_other():
    one, other = Protocol(3, BALANCED, 1, "accuracy"), Protocol(3, "uniform", 1, "cross-entropy")
    three = Protocol(1, BALANCED, MEMBERS, "accuracy")  # for three minutes, too
    rivals = [p for p in PROTOCOLS if p.budget == 3]
    unfinished = Protocol(1, BALANCED, 1, "accuracy")  # as are all others of its time
    values = {
        **{(rival, half): [0.2] * SEEDS for rival in rivals for half in (CHOICE, REPORT)},
        (one, CHOICE): [0.5, 0.6, 0.7, 0.6, 0.6],
        (one, REPORT): [0.1] * 5,
        (other, CHOICE): [0.4] * 5,
        (other, REPORT): [0.9] * 5,
        (three, CHOICE): [0.55] * 5,
        (three, REPORT): [0.8, 0.8, 0.8, 0.8, 0.3],
        (unfinished, CHOICE): [0.9] * 4,
        (unfinished, REPORT): [0.9] * 4,
    }
    assert best(rows(values)) == {3: one}
    table = protocols.reported(rows(values)).set_index(
        ["minutes", "training", "supernets", "score"]
    )
    assert table.loc[(3, BALANCED, 1, "accuracy"), "mean"] == pytest.approx(0.1)
    assert table["chosen"].sum() == 1 and table.loc[(3, BALANCED, 1, "accuracy"), "chosen"]
    assert table.loc[(1, BALANCED, MEMBERS, "accuracy"), "mean"] == pytest.approx(0.7)


def test_a_repetition_counts_when_all_of_its_supernets_are_there():
    if tricks.TABLE not in available_tables():
        pytest.skip("the table nb201-200epochs is not on this machine")
    known = [run(config) for config in members(Protocol(1, BALANCED, 3, "accuracy"), "smoke", 0)]
    table = load_table(tricks.TABLE)
    found = protocols.statistics(known, "smoke", table, tricks.COLUMN)
    counts = Counter(found.loc[found["metric"] == "spearman", "supernets"])
    assert counts == {1: 3 * 3 * 2, 3: 3 * 2, 0: 2}  # by scores and halves; parameters
    of_parameters = found.query("supernets == 0 and metric == 'spearman'").set_index("half")
    report = halves(protocols.base("smoke", 1))[REPORT]
    assert of_parameters.loc[REPORT, "value"] == pytest.approx(
        spearman(count_parameters(np.array(report)), table.accuracy(report, tricks.COLUMN))
    )
    (config,) = {r.config for r in known if r.config.seed == 1}
    codes = halves(config)[REPORT]
    (middle,) = [r for r in known if r.config.seed == 1]
    proxies = pd.Series(middle.arrays["correct"], middle.arrays["codes"]).loc[codes]
    alone = found.query("supernets == 1 and score == 'accuracy' and seed == 1")
    chosen = alone[alone["half"] == REPORT]
    value = chosen.set_index("metric").loc["spearman", "value"]
    assert value == pytest.approx(spearman(proxies, table.accuracy(codes, tricks.COLUMN)))
    seconds = found[(found["metric"] == "cpu_seconds") & (found["supernets"] == 3)]["value"]
    assert seconds.unique() == pytest.approx(sum(r.measurement.cpu_seconds for r in known))
    fewer = protocols.statistics(known[1:], "smoke", table, tricks.COLUMN)
    assert set(fewer["supernets"]) == {0, 1}
    assert protocols.statistics([], "smoke", table, tricks.COLUMN).empty


def test_untrained_networks_are_ranked_by_the_scores_that_others_computed(monkeypatch):
    if tricks.TABLE not in available_tables():
        pytest.skip("the table nb201-200epochs is not on this machine")
    codes = np.arange(0, 15_625, 100)
    truth = load_table(tricks.TABLE).accuracy(codes, tricks.COLUMN)
    made = pd.DataFrame({"code": codes, "score": "perfect", "value": truth, "seconds": 2.0})
    monkeypatch.setattr(protocols, "locate", lambda source: "here")
    monkeypatch.setattr(protocols.scores_of_untrained, "load", lambda: made)
    found = protocols.zero_cost(load_table(tricks.TABLE), tricks.COLUMN).set_index("metric")
    assert found.loc["spearman", "value"] == pytest.approx(1)
    assert found.loc["seconds", "value"] == 2
    connected = sum(is_connected(Cell.from_code(int(code))) for code in codes)
    assert set(found["n"]) == {connected} and connected < len(codes)
    monkeypatch.setattr(protocols, "locate", lambda source: None)
    assert protocols.zero_cost(load_table(tricks.TABLE), tricks.COLUMN).empty


# ---- the command


def test_a_recipe_ranks_the_cells_of_its_supernets(results):
    found = recipes.rank(1, seed=2, profile="smoke", progress=False)
    assert len(found) == 60 and (found["rank"].diff().dropna() >= 0).all()
    assert (found["cross_entropy"] > 0).all() and found["accuracy"].between(0, 100).all()
    codes = np.array([Cell.parse(text).code for text in found["cell"]])
    assert found["parameters"].tolist() == count_parameters(codes).tolist()
    score = -found["cross_entropy"].rank() + found["parameters"].rank()
    assert spearman(score, -found["rank"]) == pytest.approx(1)
    pd.testing.assert_frame_equal(found, recipes.rank(1, seed=2, profile="smoke", progress=False))
    record = store_of(SUPERNET).records()[0]
    with pytest.raises(NasreproError, match="diverged and ranks nothing; take another seed"):
        recipes.ranking([replace(record, status="diverged", arrays={})], "loss")


@pytest.mark.parametrize(
    ("minutes", "options", "message"),
    [
        (5, {}, "there are recipes for 1, 3, 10 minutes, found 5"),
        (1, {"seed": -1}, "a seed is a whole number from 0, found -1"),
        (1, {"profile": "huge"}, "unknown profile 'huge'; choose from smoke, cpu"),
        (1, {"profile": "smoke", "device": "abacus"}, "abacus"),
    ],
)
def test_what_there_is_no_recipe_for_is_refused(results, minutes, options, message):
    with pytest.raises(ConfigError, match=message):
        recipes.rank(minutes, **options)


def test_a_time_has_no_choice_before_all_of_its_protocols_are_there():
    values = {(p, CHOICE): [0.5] * SEEDS for p in PROTOCOLS if p.budget == 3}
    assert set(best(rows(values))) == {3}
    *_, last = values
    assert best(rows({**values, last: [0.5] * (SEEDS - 1)})) == {}


def test_the_recipes_are_what_the_stored_runs_choose():
    chosen = best(stored_statistics("training-tricks", "cpu")["protocols"])
    assert chosen and {minutes: recipes.RECIPES[minutes] for minutes in chosen} == chosen


def test_the_command_prints_the_best_cells(results, capsys):
    app(["rank", "--minutes", "1", "--profile", "smoke", "--show", "4"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "rank,cell,cross_entropy,accuracy,parameters" and len(lines) == 5
