"""No verdict hangs on a random seed of ours: the same under others as in the stored statistics."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nasrepro import benchmarks, claims
from nasrepro.benchmarks import macro, nb101
from nasrepro.data.sources import SOURCES, fetch
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb201 import Subspace
from nasrepro.studies import appraisal, comparison, complete_spaces, regret, results
from nasrepro.studies.comparison import Protocol

TRAININGS = comparison.paper_trainings(Subspace().size)  # the last number that a claim asks for


@pytest.fixture(scope="module", autouse=True)
def files():
    if missing := [*regret.missing_files(), *needed()]:
        pytest.skip(f"{', '.join(missing)} not on this machine; set NASREPRO_DATA")


def needed() -> list[str]:
    return [n for n in (regret.TABLE, macro.NAME) if n not in benchmarks.available_tables()]


@pytest.fixture(scope="module")
def authors() -> tuple[pd.DataFrame, pd.DataFrame]:
    sample = nb101.read_sample(fetch(SOURCES[nb101.NAME]))
    supernets = nb101.read_supernets(fetch(SOURCES["nb101-supernets"]), sample)
    return sample, supernets[supernets["method"] == appraisal.BASELINE]


def verdicts(frames: dict[str, pd.DataFrame]) -> dict[str, str]:
    judged = claims.judge("pourchot_search", regret.quantities(frames))
    return {row["claim"]: row["verdict"] for row in judged}


def searches(protocol: Protocol) -> Iterable[pd.DataFrame]:
    """Random less greedy search on the complete benchmarks."""
    for name, column, benchmark, space in (
        (regret.TABLE, regret.COLUMN, "nb201", Subspace()),
        (macro.NAME, macro.COLUMNS[0].name, "macro", MacroSubspace()),
    ):
        table = benchmarks.load_table(name)
        accuracy = table.accuracy(table.codes, column)
        cells = complete_spaces.Complete(benchmark, str(space), table.codes, accuracy)
        generator = np.random.default_rng(protocol.seed)
        yield complete_spaces.search_complete(cells, [], {}, protocol, generator)[1]


def drawn_again(
    authors: tuple[pd.DataFrame, pd.DataFrame], protocol: Protocol
) -> dict[str, pd.DataFrame]:
    """All that the claims of study 3 are judged by, with the seed of a protocol."""
    found = regret.nb101_statistics(*authors, protocol)
    return {
        "comparisons": found["comparisons_nb101"],
        "searches": pd.concat(searches(protocol), ignore_index=True),
        "ranks": appraisal.rank_correlations(authors[1]).assign(benchmark="nb101"),
    }


def compared_with_stored(authors, protocol: Protocol) -> None:
    stored = results.stored_statistics("regret", "cpu")
    kinds = {kind: regret.gather(stored, kind) for kind in ("comparisons", "searches", "ranks")}
    expected = verdicts(kinds)
    assert set(expected.values()) == {"supported", "undecided", "not run"}
    assert verdicts(drawn_again(authors, protocol)) == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_verdicts_of_study_3_stay_with_a_fifth_of_the_draws(authors, seed):
    few = Protocol(draws=4_000, evaluations=TRAININGS, points=2, resamples=9, seed=seed)
    compared_with_stored(authors, few)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 13))
def test_verdicts_of_study_3_are_those_of_any_seed(authors, seed):
    protocol = replace(
        regret.PROFILES["cpu"], evaluations=TRAININGS, points=2, resamples=9, seed=seed
    )
    compared_with_stored(authors, protocol)


def test_expectations_of_supernets_do_not_know_the_seed(authors):
    """Regrets, budgets: everything of the guided side; only the baseline's runs are drawn."""
    sample, supernets = authors
    some = supernets[supernets["space"].isin(["A_4", "A_FULL^NRES"])]
    protocol = Protocol(runs=2, draws=10, evaluations=5, points=2, resamples=9)
    one, other = (
        regret.nb101_statistics(sample, some, replace(protocol, seed=seed))["comparisons_nb101"]
        for seed in (0, 1)
    )
    exact = ["guided_regret", "budget", "trainings_to_match"]
    pd.testing.assert_frame_equal(one[exact], other[exact])
    assert one["baseline_regret"].tolist() != other["baseline_regret"].tolist()
