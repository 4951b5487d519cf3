"""Numbers and tables of pages as text."""

import math

import pandas as pd
import pytest

from nasrepro.claims import decides, exact, judge
from nasrepro.pages.text import (
    claims_of_both,
    claims_table,
    decides_table,
    interval_grid,
    numbered_table,
    recomputed_table,
    with_interval,
)
from nasrepro.stats import Interval, Student


def summary_rows(**metrics: tuple[float, float, float, int]) -> pd.DataFrame:
    rows = [("no Zero", "S", name, *values) for name, values in metrics.items()]
    columns = ["subspace", "size", "metric", "mean", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def test_a_diverged_run_is_an_asterisk_and_not_counted():
    summary = summary_rows(diverged=(0.4, 0.0, 1.0, 5), spearman=(0.5, 0.4, 0.6, 3))
    table = interval_grid(summary, {"spearman": "Spearman"})
    assert table.iloc[0].to_dict() == {
        "subspace": "no Zero",
        "size": "S",
        "n": "3**",
        "Spearman": "0.50 [0.40, 0.60]",
    }


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.123, 0.1, 0.15), "0.12 [0.10, 0.15]"),
        ((1.0, 1.0, 1.0), "1.00 [1.00, 1.00]"),  # runs that agree are no exact count
        ((0.5, math.nan, math.nan), "0.50 [no interval]"),
        ((math.nan,) * 3, "–"),
    ],
)
def test_a_number_never_stands_without_its_interval(interval, text):
    assert with_interval(*interval) == text


def test_why_a_claim_cannot_be_tested_stands_beside_its_verdict():
    found = {"mask-zero-tau": Interval(0.5, 0.4, 0.6, 5)}
    judged = pd.DataFrame(judge("laube", found))
    verdicts = claims_table(judged, "ours")["verdict"]
    both = claims_of_both({"ours": judged})["ours: 95% interval, verdict"]
    for texts in (verdicts, both):
        by_claim = texts.set_axis(judged["claim"])
        assert by_claim["medium-fails"].startswith("not testable here: evaluated with")
        assert by_claim["mask-zero-tau_a"] == "not run"
    assert verdicts.set_axis(judged["claim"])["mask-zero-tau"] == "supported"


def test_what_was_added_or_corrected_after_results_were_seen_is_marked():
    judged = pd.DataFrame(judge("laube", {}))
    shown = claims_table(judged, "ours")["claim"].set_axis(judged["claim"])
    assert shown["mask-zero-skip"].endswith("(4.1, figure 4; added after results)")
    assert shown["mask-both"].endswith("(4.1, figure 4; corrected after results)")
    both = "(4.1, figure 2; added after results; corrected after results)"
    assert shown["tau-rises"].endswith(both)
    assert shown["mask-zero-tau"].endswith("space. (4.1, figure 2)")


def test_p_stands_beside_a_verdict_and_by_holms_method_where_there_is_one():
    found = {
        "mask-zero-tau": Student(3.0, 1.0, 8, 10),  # p = 0.0171
        "mask-zero-skip": Student(0.1, 1.0, 8, 10),
        "conv3-half": exact(0.5, 500),
    }
    judged = pd.DataFrame(judge("laube", found))
    shown = claims_table(judged, "ours").set_axis(judged["claim"])
    assert shown.loc["mask-zero-tau", ["p", "p, Holm"]].tolist() == ["0.017", "0.034"]
    assert shown.loc["conv3-half", ["p", "p, Holm"]].tolist() == ["–", "–"]
    both = claims_of_both({"ours": judged})["ours: 95% interval, verdict"].set_axis(judged["claim"])
    assert both["mask-zero-tau"] == (
        "3.00 [0.69, 5.31], n = 10, p = 0.017 (by Holm = 0.034): supported"
    )
    assert both["conv3-half"] == "0.50 (exact), n = 500: supported"


def test_what_a_design_can_decide_is_two_chances_a_truth():
    found = {"same-level": Student(0.03, 0.02, math.inf, 6)}
    shown = decides_table(pd.DataFrame(decides("pourchot_ranking", found))).iloc[0]
    # ± 0.0392 leaves ± 0.0108 of ± 0.05: 0.54 errors on either side of 0, 0.04 and 1.04 of 0.01.
    assert shown["truth zero"] == "41.1% / 0.0% (at 0)"
    assert shown["truth as printed"] == "36.7% / 0.0% (at 0.01)"
    assert shown["truth at the region's edge"] == "2.4% / 2.5% (at 0.05)"
    assert shown["supported 4 times in 5 at"] == "nothing"


def test_a_table_is_numbered_and_keeps_its_texts():
    table = numbered_table(pd.DataFrame({"n": ["007"], "x": ["> 0"]}), "What.", "tab-x")
    lines = table.splitlines()
    assert lines[:2] == ["```{table} What.", ":name: tab-x"]
    assert "007" in table and "> 0" in table  # neither parsed as a number nor changed
    assert lines[-1] == "```"


def test_recomputed_numbers_are_text_and_truths_are_words():
    frame = pd.DataFrame({"d": [0.444], "where": ["5.2"], "agrees": [True], "other": [1]})
    shown = recomputed_table(frame, {"where": "place", "d": "d", "agrees": "agrees"})
    assert shown.to_dict("records") == [{"place": "5.2", "d": "0.44", "agrees": "yes"}]
