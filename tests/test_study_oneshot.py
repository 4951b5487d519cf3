"""Study 4 in NAS-Bench-1Shot1: its design, a whole tiny run, and claims on frames made by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nasrepro import metrics
from nasrepro.benchmarks import available_tables, load_table
from nasrepro.claims import interval_of, read_claims
from nasrepro.data.sources import SOURCES, locate
from nasrepro.nets.nb1shot1 import supernet
from nasrepro.nets.nb101 import count_parameters
from nasrepro.pages import sotl as page
from nasrepro.pages.inputs import Absent, Inputs
from nasrepro.pages.sotl import supernets
from nasrepro.runs import finetune
from nasrepro.runs.config import changed, from_dict, to_dict
from nasrepro.runs.families import family_of, make_sampler
from nasrepro.runs.finetune import FinetuneConfig, run_finetune
from nasrepro.runs.parts import DrawnEncodings, ListedCells
from nasrepro.spaces.nb1shot1 import Subspace, architectures
from nasrepro.spaces.nb101_codes import in_space
from nasrepro.studies import estimates, oneshot, results, sotl, sotl_supernets
from nasrepro.studies.finetuning import SPOS, THESIS
from nasrepro.studies.oneshot import COMBINED, DRAWN, design
from nasrepro.train import TrainConfig, initialise, updates

tabled = pytest.mark.skipif(oneshot.TABLE not in available_tables(), reason="needs the table")

# ---- the design


def test_the_spaces_come_last_in_the_study():
    parts = [labels["part"] for labels in sotl.design("cpu").values()]
    first = parts.index(sotl.ONE_SHOT)
    assert set(parts[first:]) == {sotl.ONE_SHOT} and sotl.ONE_SHOT not in parts[:first]


@pytest.mark.parametrize("profile", oneshot.PROFILES)
def test_every_run_that_learns_has_its_like_that_does_not(profile):
    wanted = design(profile)
    keys = {
        config: (*(v for k, v in labels.items() if k != "rate"), config.seed)
        for config, labels in wanted.items()
    }
    frozen = {keys[config]: config for config in wanted if config.frozen}
    for config in wanted:
        twin = frozen[keys[config]]
        assert twin.supernet == config.supernet and twin.steps == config.steps
        assert from_dict(to_dict(config), FinetuneConfig) == config


def test_three_spaces_two_samples_and_their_rates():
    wanted = design("cpu")
    counts = Counter((labels["trainer"], labels["sample"]) for labels in wanted.values())
    assert counts == {(SPOS, THESIS): 18, (SPOS, DRAWN): 6}
    assert {config.seed for config in list(wanted)[:15]} == {0}  # all of one before two
    for config, labels in wanted.items():
        space = config.supernet.subspace.space
        cells = config.supernet.cells
        if labels["sample"] == THESIS:
            assert cells == ListedCells(f"sotl-1shot1-{space}", table="nb101-sample")
        else:
            assert cells == DrawnEncodings(200, besides=f"sotl-1shot1-{space}")
        assert labels["space"] == f"1Shot1 space {space}"
    # Both samples are of the same supernet, whose weights are trained once.
    spos = {c.supernet for c, labels in wanted.items() if labels["trainer"] == SPOS}
    assert len({changed(s, {"cells": DrawnEncodings()}) for s in spos}) == 3 * 2


def test_the_papers_profile_is_table_b1_and_its_trainers():
    wanted = design("paper", seeds=1)
    trainers = {labels["trainer"]: config.supernet for config, labels in wanted.items()}
    assert {name: config.paths_per_batch for name, config in trainers.items()} == {
        **{SPOS: 1, "MultiPath": 4, "Reptile": 4, "Metaprox": 4, COMBINED: 16}
    }
    assert trainers[SPOS].train == TrainConfig(
        epochs=50,
        batch_size=64,
        learning_rate=0.025,
        final_learning_rate=0.001,
        weight_decay=3e-4,
        momentum=0.9,
    )
    assert {labels["space"] for labels in wanted.values()} == {str(Subspace(n)) for n in (1, 2, 3)}


@pytest.mark.parametrize("trainer", oneshot.OWN_TRAINERS)
def test_every_trainer_of_the_paper_takes_a_step(trainer):
    config = next(c for c, labels in design("paper", 1).items() if labels["trainer"] == trainer)
    subspace, generator = config.supernet.subspace, torch.Generator().manual_seed(0)
    net = supernet(config.net, subspace)
    initialise(net, generator)
    before = [weights.detach().clone() for weights in net.parameters()]
    images = torch.randn(4, 3, 8, 8, generator=generator)
    sampler = make_sampler(config.supernet.sampler, subspace)
    stream = iter([(images, torch.tensor([0, 1, 2, 3]))] * sampler.group_size)
    steps = updates(net, stream, sampler, config.supernet.train, np.random.default_rng(0), 10)
    assert all(np.isfinite(float(shown.loss)) for shown in next(steps))
    assert any((a != b).any() for a, b in zip(before, net.parameters(), strict=True))


# ---- a whole run


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Two rates of SPOS in space 1 and one of the combined trainer, made smaller still."""
    wanted = design("smoke")
    chosen = [
        config
        for config, labels in wanted.items()
        if labels["space"] == "1Shot1 space 1"
        and labels["sample"] == THESIS
        and labels["rate"] in ("0", "0.01")
    ]
    small = {
        "supernet.train.epochs": 1,
        "supernet.data.train_images": 60,
        "supernet.data.validation_images": 60,
        "supernet.cells": DrawnEncodings(14, seed=3, table=None),
        "steps": 2,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASREPRO_RESULTS", str(tmp_path_factory.mktemp("results")))
        return {
            config: run_finetune(
                changed(config, small | {"validated": (0,) if config.frozen else (1, 2)})
            )
            for config in chosen
        }


def test_a_record_has_the_codes_of_encodings_of_the_space(records):
    for record in records.values():
        codes = record.arrays[finetune.CODES]
        assert record.status == "ok" and len(codes) == 14
        assert np.isin(codes, Subspace(1).codes()).all() and in_space(architectures(codes)).all()
        assert np.isfinite(record.arrays[finetune.LOSS]).all()


@tabled
def test_statistics_of_runs_are_of_the_architectures_that_the_table_has(records):
    wanted = {record.config: design("smoke")[config] for config, record in records.items()}
    found = oneshot.statistics(records.values(), wanted)
    assert set(found) == {oneshot.PREFIX + name for name in oneshot.FRAMES}
    runs = found["oneshot_runs"]
    assert set(runs["space"]) == {"1Shot1 space 1"} and set(runs["sample"]) == {THESIS}
    assert set(runs["trainer"]) == {SPOS, COMBINED}
    assert set(runs["truth"]) == {"cifar10", "parameters"}
    n = found["oneshot_parameters"]["n"].item()
    assert 3 <= n < 14
    made = sotl.tables(found)
    assert set(made) | {"oneshot_cells"} >= {"estimators", *oneshot.TABLES}
    assert list(made["estimators"]) == estimates.COLUMNS["estimators"]
    given = Inputs("sotl", "smoke", results.Plan([], []), made)
    table = page.TABLES["sotl-oneshot"].rows(given)
    assert set(table["cells"]) == {str(n)} and len(table) == 3  # two rates, and one
    beside = page.TABLES["sotl-table42"].rows(given)
    assert list(beside) == ["space", "trainer", "estimator", "printed", "ours", "n"]
    assert len(beside) == 3 * 5 * 4  # spaces, trainers, estimators
    with pytest.raises(Absent):
        page.TABLES["sotl-estimators"].rows(given)
    assert page.parts_of("estimators", made["estimators"]) == (sotl.ONE_SHOT,)


def test_without_runs_the_study_has_no_such_frames():
    assert oneshot.statistics([], design("smoke")) == {}
    given = Inputs("sotl", "cpu", results.Plan([], []), {})
    for name in ("sotl-oneshot", "sotl-table42", "sotl-oneshot-learning"):
        with pytest.raises(Absent):
            page.TABLES[name].rows(given)


@tabled
@pytest.mark.skipif(locate(SOURCES["sotl-cells"]) is None, reason="needs the lists")
def test_the_thesis_cells_are_counted_without_any_run():
    """90, 82 and 78 of 200 are known; they are of 47, 58 and 44 architectures."""
    rows = oneshot.counted()["oneshot_cells"]
    assert rows["known"].tolist() == [90, 82, 78] and set(rows["listed"]) == {200}
    assert rows["encodings"].tolist() == [197, 199, 200]
    assert rows["architectures"].tolist() == [127, 165, 147]
    assert rows["known_architectures"].tolist() == [47, 58, 44]
    shown = supernets.listed_table(rows).set_index("space")
    assert shown["as printed"].tolist() == ["0.79", "0.81", "0.78"]
    codes = architectures(np.array([cell.code for cell in known_cells(1)]))
    table = load_table(oneshot.TABLE)
    expected = metrics.spearman(count_parameters(codes), table.accuracy(codes, "cifar10-test-108"))
    assert rows["spearman"].iloc[0] == pytest.approx(expected)


def known_cells(space: int) -> list:
    """What a run on the thesis' cells evaluates."""
    listed = ListedCells(f"sotl-1shot1-{space}", table=oneshot.TABLE)
    return family_of(Subspace(space)).select(Subspace(space), listed)


# ---- claims

SEEDS = (0, 1, 2)


def rows_of(space: int, estimator: str, step: int, rate: str, value: float, **more) -> list[dict]:
    labels = {"trainer": SPOS, "start": "trained", "rate": rate, "batch": "64", "order": "0"}
    return [
        {
            "space": f"1Shot1 space {space}",
            "sample": THESIS,
            **labels,
            "seed": seed,
            "truth": "cifar10",
            "estimator": estimator,
            "step": step,
            "spearman": value + 0.01 * seed,
            "top10": 93 + value + seed * (10 if estimator == "ValAcc" else 1),
        }
        | more
        for seed in SEEDS
    ]


@pytest.fixture
def runs() -> pd.DataFrame:
    rows = []
    for space in (1, 2, 3):
        rows += rows_of(space, "SoTL", 100, "0.01", 0.5 - 0.1 * space)
        rows += rows_of(space, "SoTL", 100, "0.001", 0.45 - 0.1 * space)
        rows += rows_of(space, "SoTL", 100, "0.01", 0.7, truth="parameters")
        rows += rows_of(space, "ValAcc", 0, "0", 0.1)
        rows += rows_of(space, "ValAcc", 100, "0.01", 0.3)
        rows += rows_of(space, "ValAccMini", 0, "0.01", 0.2)
        rows += rows_of(space, "SoG", 100, "0.01", 0.6)
        rows += rows_of(space, "SoG", 100, "0.01", 0.65, truth="parameters")
        rows += rows_of(space, "SoGN", 100, "0.01", 0.5 - 0.1 * space)
        rows += rows_of(space, "SoTL", 100, "0.01", -9.0, sample=DRAWN)  # not the thesis'
        for place, trainer in enumerate(("MultiPath", "Reptile", "Metaprox", oneshot.COMBINED)):
            value = 0.7 + 0.05 * place - 0.1 * space
            rows += rows_of(space, "SoTL", 100, "0.001", value, trainer=trainer)
    return pd.DataFrame(rows)


def test_claims_on_the_spaces_are_found_and_paired_by_supernet(runs):
    of_201 = runs[runs["space"] == "1Shot1 space 1"].drop(columns=["space", "sample"])
    of_201 = of_201[of_201["spearman"] > -1].assign(spearman=lambda rows: rows["spearman"] + 0.2)
    found = sotl_supernets.quantities({"oneshot_runs": runs, "runs": of_201})
    values = {claim: interval_of(quantity).mean for claim, quantity in found.items()}
    mine = {claim for claim in read_claims("sotl") if "1shot1" in claim}
    others = {"sotl-1shot1-cost", *(f"sotl-best-rises-least-1shot1-{n}" for n in (1, 2, 3))}
    assert mine - others <= set(found)  # those are of other frames
    expected = {
        **{"sotl-1shot1-1": 0.3, "sotl-1shot1-2": 0.2, "sotl-1shot1-3": 0.1},
        "sotl-1shot1-low-3": 0.11,
        "sotl-1shot1-level-1": 0.41,
        "sotl-1shot1-below-201": 0.4,
        "sotl-1shot1-below-201-1": 0.2,
        "sotl-1shot1-below-201-2": 0.3,
        "sotl-1shot1-valaccmini-3": 0.0,
        "sotl-valacc-tuned-top10-1shot1-1": 0.2,
        "sotl-rate-top10-1shot1-2": 0.05,
        "sotl-sog-sogn-1shot1-2": 0.3,
        "sotl-sog-parameters-1shot1-3": 0.05,
        "sotl-1shot1-93": 94.2,  # space 3: 93.2, 94.2, 95.2
        "sotl-1shot1-steady": 0.1,
        "sotl-valacc-tuned-1shot1-2": 0.2,
        "sotl-rate-1shot1-1": 0.05,
        "sotl-sog-sotl-1shot1-3": 0.4,
        "sotl-sotl-parameters-1": 0.4,
        "sotl-1shot1-variants": 0.2,  # MultiPath
        "sotl-1shot1-combined": 0.05,  # beside Metaprox
    }
    for claim, value in expected.items():
        assert values[claim] == pytest.approx(value), claim


def test_claims_need_what_they_are_about(runs):
    one = sotl_supernets.quantities({"oneshot_runs": runs[runs["space"] == "1Shot1 space 1"]})
    assert "sotl-1shot1-1" in one and "sotl-1shot1-level-1" in one
    lacking = {"sotl-1shot1-2", "sotl-1shot1-93", "sotl-sotl-parameters-1", "sotl-1shot1-below-201"}
    lacking |= {"sotl-1shot1-variants", "sotl-1shot1-combined"}
    assert not lacking & set(one)
    of_drawn = runs[runs["sample"] == DRAWN]
    assert sotl_supernets.quantities({"oneshot_runs": of_drawn}) == {}


def test_losses_are_compared_over_all_spaces_that_were_run():
    def losses(space: int, high: float) -> pd.DataFrame:
        rows = [
            {"space": f"1Shot1 space {space}", "sample": THESIS, "rate": rate, "group": "all"}
            | {"batch": "64", "truth": "cifar10", "seed": seed, "step": step, "loss": value}
            for rate, value in (("0.01", high), ("0.001", 1.0))
            for seed in SEEDS
            for step in range(20, 301, 20)
        ]
        return pd.DataFrame(rows)

    frame = pd.concat([losses(1, 1.5), losses(3, 1.2)])
    found = sotl_supernets.quantities({"oneshot_losses": frame})
    assert interval_of(found["sotl-loss-rates"]).mean == pytest.approx(0.2)
    best = losses(3, 1.2).assign(group="best tenth")
    best["loss"] += 0.001 * best["step"]  # by .24 from step 20 to the mean of 220 to 300
    rises = sotl_supernets.quantities({"oneshot_losses": pd.concat([frame, best])})
    assert interval_of(rises["sotl-best-rises-least-1shot1-3"]).mean == pytest.approx(0.24)
    assert "sotl-best-rises-least-1shot1-1" not in rises
    both = {"oneshot_losses": frame, "losses": losses(1, 1.1).drop(columns=["space", "sample"])}
    assert interval_of(sotl_supernets.quantities(both)["sotl-loss-rates"]).mean == pytest.approx(
        0.1
    )


def test_a_fine_tuning_costs_what_the_dearest_space_does():
    def cost(space: int, seconds: float) -> pd.DataFrame:
        labels = {"trainer": SPOS, "start": "trained", "rate": "0.01", "batch": "64", "order": "0"}
        about = {"space": f"1Shot1 space {space}", "sample": THESIS, "supernet_images": 1}
        return pd.DataFrame(
            [about | labels | {"seed": 0, "seconds_100": seconds, "seconds_1000": 0.2}]
        )

    frame = pd.concat([cost(n, seconds) for n, seconds in ((1, 2.0), (2, 4.0), (3, 3.0))])
    found = sotl_supernets.quantities({"oneshot_usage": frame})
    assert interval_of(found["sotl-1shot1-cost"]).mean == pytest.approx(4.0 / 5)
    assert sotl_supernets.quantities({"oneshot_usage": cost(1, 2.0)}) == {}


def test_multipath_and_metaprox_train_four_paths_from_the_same_weights():
    (config,) = {
        config.supernet
        for config, labels in design("smoke").items()
        if labels["trainer"] == COMBINED
    }
    spos = {c.supernet for c, labels in design("smoke").items() if labels["trainer"] == SPOS}
    same = replace(config.train, batches="separate", adaptation=None)
    assert same in {supernet.train for supernet in spos}
    assert (config.sampler, config.train.batches) == ("uniform-4", "shared")
    assert config.train.adaptation.inner_steps == 4 and config.train.adaptation.strength == 10
