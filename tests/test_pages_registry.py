"""The registry of claims, and their cards."""

import json
import math
import re
from importlib import resources

import pandas as pd
import pytest

from nasrepro import cli
from nasrepro.claims import Region, judge, read_claims
from nasrepro.errors import ConfigError
from nasrepro.pages import cards, registry
from nasrepro.pages.intervals import WIDTH, Mark, Scale, interval_plot
from nasrepro.stats import Interval
from nasrepro.studies import CLAIMS, NAMES


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return registry.registry()


def placed(**found: Interval) -> pd.DataFrame:
    judged = pd.DataFrame(judge("laube", found)).assign(source="ours")
    return registry.placed("correlations", judged).set_index("claim", drop=False)


def test_every_file_of_claims_belongs_to_one_study(rows):
    files = [path.name for path in resources.files("nasrepro.published").iterdir()]
    named = [f"{file}.toml" for files in CLAIMS.values() for file in files]
    assert sorted(named) == sorted(name for name in files if name.endswith(".toml"))
    assert CLAIMS.keys() == set(NAMES)
    read = [claim for files in CLAIMS.values() for file in files for claim in read_claims(file)]
    assert rows["id"].tolist() == read and rows["id"].is_unique and rows["anchor"].is_unique


def test_a_statement_stands_on_its_own_wherever_it_is_listed(rows):
    follows = r"(So|Nor|But|And|Such|With it|They|Those|The same)\b|There,"
    assert rows[rows["statement"].str.match(follows)]["statement"].tolist() == []


def test_claims_of_a_study_without_a_record_are_listed_as_not_run():
    tricks = registry.claims_of("training-tricks", "smoke")
    assert set(tricks["paper"]) == {"Laube", "Yu", "Zhang"}
    assert set(tricks["verdict"]) == {"not run"} and set(tricks["n"]) == {0}


def test_the_registry_has_what_is_asked_for(rows):
    of = rows.set_index("id").loc["oneshot-A_1"]
    assert (of["paper"], of["study"], of["status"]) == ("Pourchot", "regret", "supported")
    assert of["ci_low"] <= of["value"] <= of["ci_high"] and of["n"] > 0
    assert of["anchor"] == "book/_executed/03_regret.html#claim-oneshot-A_1"


def test_the_command_line_lists_claims_as_json(rows, capsys, monkeypatch):
    status = rows[rows["paper"] == "Yu"]["status"].iloc[0]
    monkeypatch.setattr(registry, "registry", lambda: rows)  # takes its time
    words = ["nasrepro", "claims", "list", "--paper", "Yu", "--status", status, "--json"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    listed = json.loads(capsys.readouterr().out)
    wanted = rows[(rows["paper"] == "Yu") & (rows["status"] == status)]
    assert not stop.value.code and [each["id"] for each in listed] == wanted["id"].tolist()
    assert registry.entries(rows[rows["n"] == 0])[0]["interval"] == [None, None]
    with pytest.raises(
        ConfigError, match="no claim has the paper 'Ju', only Laube, Pourchot, SoTL, Yu"
    ):
        registry.chosen(rows, paper="Ju", status=None)


# ---- cards


def test_a_card_shows_verdict_paper_and_ours_before_anything_is_unfolded():
    row = placed(**{"mask-zero-tau_a": Interval(-0.6, -1.1, -0.2, 10)}).loc["mask-zero-tau_a"]
    text = cards.card(row.to_dict(), {}, ["fig-topn"])
    summary = re.search(r"<summary>(.*)</summary>", text, re.DOTALL)[1]
    assert 'id="claim-mask-zero-tau_a"' in text
    words = re.sub(r"<[^>]+>", " ", summary).split()
    assert words[:2] == ["✓", "supported"]
    shown = " ".join(words)
    assert (
        "Laube 4.1, figure 4 tau_a -1 (S)" in shown
        and "ours -0.60 [-1.10, -0.20] , n = 10" in shown
    )
    assert 'class="paper"' in summary and "corrected after results" not in summary
    assert "its quantity corrected after results had been seen" in text
    assert "\n\nShown in {numref}`fig-topn`.\n\n" in text


def test_a_card_has_the_corrected_p_where_it_is_known_and_other_data_beside_ours():
    row = placed(**{"tau-rises": Interval(0.1, -0.1, 0.3, 5)}).loc["tau-rises"].to_dict()
    other = {**row, "ours": 0.2, "ci_low": 0.1, "verdict": "supported"}
    text = cards.card(row | {"p_holm": 0.034}, {"theirs": other}, [])
    assert "Holm&#x27;s method over all claims of its file</dt><dd>0.034</dd>" in text
    assert "<b>theirs</b>" in text and "n = 5</span>, supported" in text
    assert "Holm" not in cards.card(row | {"p_holm": math.nan}, {}, [])


def test_a_claim_that_is_not_run_has_no_number_of_ours():
    text = cards.card(placed().loc["tau-rises"].to_dict(), {}, [])
    assert "○</span> not run" in text and "n = 0" not in text and "<svg" not in text


def test_filters_offer_what_there_is():
    form = cards.filters(placed())
    assert "<option>not run</option><option" not in form  # not testable here comes before
    assert 'name="verdict"' in form and 'name="paper"' not in form
    assert "supported" not in form and form.startswith('<form class="claim-filter" hidden>')


def test_html_that_markdown_would_end_has_no_blank_line_within():
    text = cards.cards(placed(), {}, {})
    assert all(part.count("<summary>") == part.count("</dl>") for part in text.split("\n\n"))


# ---- the plot


def test_a_plot_shades_the_region_and_draws_each_mark():
    plot = interval_plot([Mark("paper", 1.0), Mark("ours", 0.5, 0.0, 1.0)], Region(low=0))
    scale = Scale.of([0, 0.5, 1])
    assert f'<rect class="holds" x="{scale.at(0):.1f}"' in plot
    assert f'cx="{WIDTH / 2:.1f}"' in plot and plot.count("<path") == 1
    assert f'x1="{scale.at(0):.1f}" y1="18.0" x2="{scale.at(1):.1f}"' in plot


def test_ends_of_a_region_that_are_close_share_a_label():
    far = interval_plot([Mark("ours", 0.5)], Region(0, 1))
    close = interval_plot([Mark("ours", 100.0)], Region(0, 1))
    assert far.count("<text") == 2
    assert close.count("<text") == 1 and ">0 to 1</text>" in close


def test_a_plot_needs_a_number():
    assert interval_plot([Mark("ours", math.nan)], Region(low=0)) == ""
    assert "<svg" in interval_plot([Mark("ours", 0.0, 0.0, 0.0)], Region(0, 0))
