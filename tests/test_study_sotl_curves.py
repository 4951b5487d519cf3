"""Study 4 on real curves: rankings, intervals, and files of others."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from nasrepro import sotl
from nasrepro.benchmarks import Table, learning, load_table
from nasrepro.benchmarks.learning import Learning
from nasrepro.claims import interval_of, read_claims
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import DataError
from nasrepro.studies import audit, sotl_claims, sotl_curves
from nasrepro.studies.sotl_curves import after, compare, first_reached, rank, shown

here = {name: locate(source) is not None for name, source in SOURCES.items()}
FILES = (*learning.READERS, learning.PRINTED, "sotl-cells", "nb201-200epochs", "nb201-12epochs")
needs_files = pytest.mark.skipif(
    not all(here[name] for name in FILES), reason="needs the files of others"
)


# ---- rankings


def test_a_ranking_is_spearmans_at_every_epoch():
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(60, 3)), rng.normal(size=60)
    scores[:10, 1] = 0.0  # ties
    found = rank(scores, truth)
    expected = [spearmanr(scores[:, epoch], truth).statistic for epoch in range(3)]
    assert found.found == pytest.approx(expected)
    assert found.resampled.shape == (sotl_curves.RESAMPLES, 3) and len(found.draws) == 0


def test_intervals_have_about_the_width_that_theory_gives():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=2_000)
    ranking = rank((truth + rng.normal(size=2_000))[:, None], truth)
    low, high = np.percentile(ranking.resampled[:, 0], [2.5, 97.5])
    rho = ranking.found[0]
    half = 1.96 * np.sqrt((1 + rho**2 / 2) / 2_000) * (1 - rho**2)  # Bonett and Wright
    assert high - low == pytest.approx(2 * half, rel=0.15)
    # Draws of 200 scatter as such intervals do.
    assert ranking.draws.std(ddof=1) == pytest.approx(half / 1.96 * np.sqrt(10), rel=0.7)


def made_up(seed: int) -> Learning:
    """Losses that tell the truth more and more; accuracies without any."""
    rng = np.random.default_rng(seed)
    truth = np.arange(40.0)
    noise = rng.normal(size=(40, 12)) * 40 / np.arange(1, 13)
    trajectory = {
        sotl.LOSS: 100 - truth[:, None] + noise,
        sotl.VALIDATION_ACCURACY: rng.normal(size=(40, 12)),
        sotl.PARAMETERS: truth[:, None],
    }
    return Learning("made up", trajectory, truth, "truth")


def test_estimators_that_lack_their_array_are_left_out_and_seeds_are_averaged():
    one, other = made_up(0), made_up(1)
    found = compare("both", [one, other], one.truth, "truth", every_epoch=True)
    assert set(found.rankings) == {"SoTL", "SoTL-EMA", "SoTL-E", "ValAcc", "parameters"}
    assert found.rankings["parameters"].found == pytest.approx([1.0])
    alone = [compare("one", [each], each.truth, "t", True).rankings for each in (one, other)]
    mean = (alone[0]["SoTL-E"].found + alone[1]["SoTL-E"].found) / 2
    assert found.rankings["SoTL-E"].found == pytest.approx(mean)
    by_last_loss = spearmanr(-one.trajectory[sotl.LOSS][:, 3], one.truth).statistic
    assert alone[0]["SoTL-E"].found[3] == pytest.approx(by_last_loss)


def test_an_epoch_is_found_where_not_all_are_shown():
    one = made_up(0)
    one.trajectory[sotl.LOSS][:, 11] = -one.truth  # the last of twelve is shown, the 11th is not
    found = compare("one", [one], one.truth, "truth")
    assert found.epochs.tolist() == [*range(1, 11), 12]
    curves = {name: ranking.found for name, ranking in found.rankings.items()}
    assert curves["SoTL-E"][-1] == pytest.approx(1.0)
    # There is one number of parameters for all epochs.
    assert after("parameters", 10)(curves) == curves["parameters"][0] == pytest.approx(1.0)
    assert after("SoTL-E", 10)(curves) == curves["SoTL-E"][9]
    rows = pd.DataFrame(sotl_curves.curve_rows(found))
    assert rows[rows["estimator"] == "SoTL"]["epoch"].tolist() == found.epochs.tolist()
    assert rows[rows["estimator"] == "parameters"]["epoch"].tolist() == [1]


def test_a_level_is_reached_once_and_never_by_what_is_not_known():
    curve = np.array([np.nan, 0.95, 0.8, 0.99])
    assert first_reached(curve) == 2 and first_reached(curve, 0.97) == 4
    assert first_reached(curve, 1.0) == 5
    assert shown(120)[-3:].tolist() == [100, 110, 120]


# ---- files of others


def test_logs_of_a_language_are_those_that_are_complete(tmp_path):
    def log(status: str, epochs: int, loss: float) -> str:
        losses = {f"{part}_losses": [loss] * epochs for part in ("train", "val", "test")}
        return json.dumps({"status": status, "num_params": 7, **losses})

    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as logs:
        logs.writestr("a.json", log("OK", 50, 4.5))
        logs.writestr("b.json", log("loss is nan!", 50, 4.5))
        logs.writestr("c.json", log("OK", 12, 4.5))
    found = learning.read_wikitext(path)
    assert len(found) == 1 and found.truth.tolist() == [-4.5]
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match="is not a file of logs"):
        learning.read_wikitext(path)


@pytest.mark.parametrize("reader", [learning.read_naap, learning.read_nb201, learning.read_ptb])
def test_another_file_is_refused(tmp_path, reader):
    (tmp_path / "file").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"is not (the|a) table"):
        reader(tmp_path / "file")


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="odd: expected finite numbers of the same networks"):
        Learning("odd", {sotl.LOSS: np.array([[np.nan]])}, np.array([1.0]), "truth")
    with pytest.raises(DataError, match="of the same networks"):
        Learning("odd", {sotl.LOSS: np.ones((2, 1))}, np.ones(3), "truth")


@needs_files
def test_what_the_files_say():
    """Facts that others found in the same files."""
    frames = sotl_curves.statistics(load_table("nb201-200epochs"))
    facts = frames["scratch_facts"].set_index("name")["mean"]
    assert facts["ptb-10-ValLoss"] == pytest.approx(0.94, abs=0.005)
    assert facts["ptb-10-SoTL"] == pytest.approx(0.85, abs=0.005)
    assert facts["ptb-10-parameters"] == pytest.approx(0.06, abs=0.005)
    assert facts["validation-120-official"] == pytest.approx(0.91, abs=0.005)
    exact = frames["exact"].set_index("name")["value"]
    table = [exact[f"parameters {truth}"] for truth in sotl_curves.TRUTHS]
    assert table == pytest.approx([0.7875, 0.7725, 0.7376], abs=1e-4)
    assert exact["12 epochs validation spearman"] == pytest.approx(0.77, abs=0.005)
    assert exact["12 epochs test pearson"] == pytest.approx(0.94, abs=0.005)
    first = frames["printed_curves"].set_index(["estimator", "dataset"])["first_90"]
    assert first["SoTL-E"].to_dict() == {"ImageNet16-120": 25, "CIFAR-10": 19, "CIFAR-100": 17}
    assert first["ValAcc"].to_dict() == {"ImageNet16-120": 125, "CIFAR-10": 125, "CIFAR-100": 124}
    curves = frames["scratch"]
    assert curves["spearman"].between(curves["ci_low"] - 0.02, curves["ci_high"] + 0.02).all()

    found = sotl_claims.quantities(frames)
    assert set(found) <= set(read_claims("sotl"))
    assert interval_of(found["sotl-scratch-90-others"]).mean == 25

    rows = audit.thesis(frames["printed_curves"], frames["exact"])
    agrees = rows.set_index(["where", "how"])["agrees"]
    assert agrees["4.2.1, figure 4.4a", "last epoch alone"]
    assert not agrees["4.2.1, figure 4.4a", "sum of all epochs"]
    assert rows[rows["where"] == "table 4.5"]["agrees"].all()
    assert agrees["4.2.1, figure 4.4b", "validation spearman, all cells"]  # .77, "around" .75
    assert not agrees["4.2.1, figure 4.4b", "validation pearson, all cells"]
    assert agrees["4.2.1, figure 4.5a", "last epoch alone"]  # 17, "within about" 20
    assert not agrees["4.2.1, figure 4.5b", "last epoch alone"]
    twice = rows[rows["statement"].str.startswith("parameters of the MLP")]
    assert twice["agrees"].tolist() == [False, True]


def test_without_any_curve_there_is_no_frame(results, monkeypatch, tmp_path):
    monkeypatch.setenv("NASREPRO_DATA", str(tmp_path))
    monkeypatch.setenv("NASREPRO_CACHE", str(tmp_path))
    nothing = Table("none", np.empty(0, np.int64), (), {})
    assert sotl_curves.statistics(nothing) == {}


def test_without_files_the_rest_of_the_audit_is_there():
    rows = audit.thesis(pd.DataFrame(), pd.DataFrame())
    assert set(rows["where"]) == {"4.1.1"}
