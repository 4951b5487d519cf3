"""Searches, their regret over time, and equal budgets."""

import os
from fractions import Fraction
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrepro.benchmarks import load_table
from nasrepro.data.sources import SOURCES
from nasrepro.search import (
    Curves,
    best_of_drawn,
    by_proxy,
    expected_best,
    expected_top,
    greedy_search,
    incumbents,
    neighbourhood,
    random_search,
    regret_at,
    regret_curves,
    regularised_evolution,
)
from nasrepro.spaces import nb201
from nasrepro.spaces.nb201 import Subspace

quick = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def table():
    folder = Path(os.environ.get("NASREPRO_DATA", "not set"))
    if not (folder / SOURCES["nb201-200epochs"].filename).is_file():
        pytest.skip("set NASREPRO_DATA to a folder with the table nb201-200epochs")
    return load_table("nb201-200epochs")


# Random search.


@quick
@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 4), seeds)
def test_random_search_meets_distinct_cells(cells, evaluations, runs, seed):
    order = random_search(cells, evaluations, runs, np.random.default_rng(seed))
    assert order.shape == (runs, min(cells, evaluations))
    assert all(len(set(run)) == len(run) and set(run) <= set(range(cells)) for run in order)


def test_random_search_takes_every_cell_equally_often():
    """1,000 runs of 5 of 20 cells: each 250 times, with a standard deviation of 13.7."""
    order = random_search(20, 5, 1_000, np.random.default_rng(0))
    counts = np.bincount(order.ravel(), minlength=20)
    assert counts.sum() == 5_000 and abs(counts - 250).max() < 5 * 13.7


def test_mean_regret_of_random_search_is_what_order_statistics_say():
    """The best of k out of n = 9 ranks without replacement is expected at (n + 1) / (k + 1)."""
    accuracy = np.arange(9.0)
    order = random_search(9, 4, 20_000, np.random.default_rng(1))
    regret = regret_curves(order, accuracy, accuracy, np.ones(9)).regret.mean(axis=0)
    assert regret == pytest.approx([10 / (k + 1) - 1 for k in (1, 2, 3, 4)], abs=0.06)


# Greedy search.


def ring(size):
    """Each cell between two others."""
    return lambda row: np.array([(row - 1) % size, (row + 1) % size])


def test_greedy_search_worked_by_hand():
    """A ring of six with peaks at 0 and 3: from 1 or 5 to 0; then what is not known yet."""
    scores = [9, 1, 2, 5, 4, 3]
    for order in greedy_search(scores, ring(6), 6, 200, np.random.default_rng(0)):
        start, *others = order.tolist()
        first = {0: {1, 5}, 1: {0, 2}, 2: {1, 3}, 3: {2, 4}, 4: {3, 5}, 5: {0, 4}}[start]
        assert set(others[:2]) == first
        after = {1: 5, 2: 4, 4: 2, 5: 1}  # what the second step adds; from a peak a restart
        if start in after:
            assert others[2] == after[start]


def test_greedy_search_evaluates_neighbours_in_random_order():
    firsts = greedy_search(np.zeros(5), ring(5), 2, 400, np.random.default_rng(3))
    steps = (firsts[:, 1] - firsts[:, 0]) % 5
    assert set(steps) == {1, 4} and abs((steps == 1).sum() - 200) < 5 * 10


@quick
@given(st.lists(st.integers(0, 5), min_size=3, max_size=25), st.integers(1, 30), seeds)
def test_greedy_search_is_a_permutation_and_ends_on_plateaus(scores, evaluations, seed):
    generator = np.random.default_rng(seed)
    (order,) = greedy_search(scores, ring(len(scores)), evaluations, 1, generator)
    assert len(order) == len(set(order)) == min(evaluations, len(scores))
    assert set(order) <= set(range(len(scores)))


def test_greedy_search_finds_the_best_of_a_smooth_space_before_random_search_does():
    """A hundred runs each on the sums of six digits in base four: one peak, 4,096 cells."""
    operations = nb201.OPERATIONS[:4]
    codes = np.array([cell.code for cell in Subspace(operations).cells()])
    digits = codes[:, None] // 5 ** np.arange(6) % 5
    height = digits.sum(axis=1).astype(float)
    around, generator = neighbourhood("nb201", codes), np.random.default_rng(2)
    climbed = greedy_search(height, around, 130, 100, generator)
    drawn = random_search(len(codes), 130, 100, generator)
    top = int(height.argmax())
    assert (climbed == top).any(axis=1).all()
    assert (drawn == top).any(axis=1).sum() < 20


@pytest.mark.parametrize("masked", [(), ("none",), ("none", "avg_pool_3x3")])
def test_neighbourhood_is_that_of_the_space(masked):
    subspace = Subspace.without(*masked)
    codes = np.array([cell.code for cell in subspace.cells()])[::-1]
    around = neighbourhood("nb201", codes)
    for row in (0, 17, len(codes) - 1):
        cell = nb201.Cell.from_code(int(codes[row]))
        expected = {other.code for other in nb201.neighbours(cell, subspace)} | {cell.code}
        assert set(codes[around(row)].tolist()) == expected
        assert len(around(row)) == len(expected)


def test_a_cell_far_from_all_others_is_its_own_neighbour():
    codes = np.array([0, 15_624])
    assert neighbourhood("nb201", codes)(1).tolist() == [1]


# Regret over time.


@quick
@given(st.integers(1, 12), seeds)
def test_incumbent_is_the_best_so_far(cells, seed):
    generator = np.random.default_rng(seed)
    validation = generator.integers(0, 4, cells)
    (order,) = random_search(cells, cells, 1, generator)
    (found,) = incumbents(order[None], validation)
    for t, cell in enumerate(found):
        seen = order[: t + 1].tolist()
        assert cell == max(seen, key=lambda c: validation[c])  # max, too, keeps the first of equals


def test_curves_of_two_runs_with_costs_of_their_own():
    order = np.array([[2, 0], [1, 2]])
    curves = regret_curves(order, [1, 3, 2], [5.0, 7.0, 6.5], [10, 20, 30], before=[0, 100])
    assert curves.time.tolist() == [[30, 40], [120, 150]]
    assert curves.regret.tolist() == [[0.5, 0.5], [0, 0]]
    assert regret_curves(order, [1, 3, 2], [5, 7, 6], [1, 1, 1], best=9).regret.min() == 2


def test_a_perfect_proxy_has_no_regret_and_its_negative_the_most():
    accuracy = np.array([3.0, 1.0, 4.0, 2.0])
    order = random_search(4, 4, 5, np.random.default_rng(0))
    for proxy, first in ((accuracy, 0), (-accuracy, 3)):
        curves = regret_curves(by_proxy(order, proxy), accuracy, accuracy, np.ones(4))
        assert (curves.regret[:, 0] == first).all() and (curves.regret[:, -1] == 0).all()


@quick
@given(scores=st.lists(st.integers(0, 3), min_size=1, max_size=7), data=st.data())
def test_the_best_of_a_draw_is_counted_over_all_draws(scores, data):
    """Every subset is as probable; its best ones share it."""
    drawn = data.draw(st.integers(1, len(scores)))
    subsets = list(combinations(range(len(scores)), drawn))
    expected = np.zeros(len(scores))
    for subset in subsets:
        best = [row for row in subset if scores[row] == max(scores[r] for r in subset)]
        expected[best] += 1 / len(best) / len(subsets)
    assert best_of_drawn(scores, drawn) == pytest.approx(expected, abs=1e-12)


def test_the_best_of_a_draw_is_that_of_many_drawn_searches():
    """Twenty scores of which some are equal; 40,000 searches that draw six."""
    generator = np.random.default_rng(0)
    scores, regret = generator.integers(0, 12, 20).astype(float), generator.random(20)
    order = by_proxy(random_search(20, 6, 40_000, generator), scores)
    found = regret[order[:, 0]]
    exact = best_of_drawn(scores, 6) @ regret
    assert exact == pytest.approx(found.mean(), abs=4 * found.std() / 200)


def test_chances_of_large_draws_are_those_of_binomial_coefficients():
    """C(N - j, k - 1) / C(N, k) for 200 of 1,000 and 369 of 15,625 cells."""
    for n, k in ((1_000, 200), (15_625, 369), (50, 50), (50, 1)):
        chances = best_of_drawn(-np.arange(n), k)
        assert chances.sum() == pytest.approx(1, abs=1e-12)
        for j in (1, 2, 7, 40):
            exact = Fraction(comb(n - j, k - 1), comb(n, k))
            assert chances[j - 1] == pytest.approx(float(exact), rel=1e-10, abs=0)


def test_more_or_fewer_than_there_are_cannot_be_drawn():
    for drawn in (0, 4):
        with pytest.raises(ValueError, match=f"drawn: expected 1 to 3, found {drawn}"):
            best_of_drawn([1, 2, 3], drawn)


def test_what_random_search_finds_on_average():
    """After each training as by the chances of the best; after all, the best's; and as drawn."""
    generator = np.random.default_rng(1)
    scores, values = generator.integers(0, 40, 60).astype(float), generator.random(60)
    means = expected_best(scores, values, 100)
    chances = [best_of_drawn(scores, n + 1) @ values for n in range(60)]
    assert means.shape == (60,) and means == pytest.approx(chances, abs=1e-12)
    assert means[0] == pytest.approx(values.mean())
    assert means[-1] == pytest.approx(values[scores == scores.max()].mean())
    found = values[incumbents(random_search(60, 60, 20_000, generator), scores)]
    error = found.std(axis=0).max() / 20_000**0.5
    assert np.abs(found.mean(axis=0) - means).max() < 5 * error


def test_the_best_few_of_those_drawn_are_as_all_draws_have_them():
    generator = np.random.default_rng(2)
    scores, values = generator.integers(0, 4, 8).astype(float), generator.random(8)
    for picked in (1, 2, 3):
        # Of equal scores, each is picked as often: the mean over all orders of them.
        means = []
        for drawn in combinations(range(8), 4):
            ranked = sorted(drawn, key=lambda i: -scores[i])
            last = scores[ranked[picked - 1]]
            above = [i for i in drawn if scores[i] > last]
            equal = [i for i in drawn if scores[i] == last]
            share = (picked - len(above)) / len(equal)
            means.append((values[above].sum() + share * values[equal].sum()) / picked)
        found = expected_top(scores, values, drawn=4, picked=picked)
        assert found == pytest.approx(np.mean(means), abs=1e-12)
    best = expected_best(scores, values, 8)
    assert [expected_top(scores, values, n + 1, 1) for n in range(8)] == pytest.approx(best)
    with pytest.raises(ValueError, match="picked=3, drawn=2"):
        expected_top(scores, values, drawn=2, picked=3)


def test_equal_budget():
    guided = Curves(np.array([[10.0, 11.0], [12.0, 13.0]]), np.array([[1.0, 0.0], [2.0, 0.0]]))
    assert regret_at(guided, 12).tolist() == [0, 2], "a training that ends just then counts"
    with pytest.raises(ValueError, match=r"budget of 11.* first training of 1 of 2 runs"):
        regret_at(guided, 11)


def test_without_validation_noise_regret_of_the_real_table_never_rises(table):
    accuracy = table.values["cifar10-test-200"]
    order = random_search(len(table), 500, 20, np.random.default_rng(0))
    regret = regret_curves(order, accuracy, accuracy, np.ones(len(table))).regret
    assert (np.diff(regret, axis=1) <= 0).all() and regret.min() >= 0
    best = accuracy.max() - accuracy[order].max(axis=1)
    assert regret[:, -1] == pytest.approx(best)


def test_greedy_search_beats_random_search_on_the_real_table(table):
    """After 400 trainings of NAS-Bench-201's cells, ten runs each."""
    accuracy = table.values["cifar10-test-200"]
    generator, around = np.random.default_rng(0), neighbourhood("nb201", table.codes)
    greedy = greedy_search(accuracy, around, 400, 10, generator)
    drawn = random_search(len(table), 400, 10, generator)
    ends = [
        regret_curves(order, accuracy, accuracy, np.ones(len(table))).regret[:, -1]
        for order in (greedy, drawn)
    ]
    assert ends[0].mean() < ends[1].mean()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: random_search(0, 1, 1, g), "cells: expected at least 1, found 0"),
        (lambda g: random_search(5, 0, 1, g), "evaluations: expected at least 1, found 0"),
        (lambda g: greedy_search([1, 2], ring(2), 1, 0, g), "runs: expected at least 1, found 0"),
        (lambda g: greedy_search([1, np.nan], ring(2), 1, 1, g), "finite numbers, found 1"),
        (lambda g: regret_curves(np.array([[0]]), [1], [1], [0]), "times above zero, found 0"),
        (lambda g: regret_curves(np.array([[0]]), [1], [5], [1], best=4), "at least 5.0, .* 4"),
    ],
)
def test_errors_say_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def test_same_seed_same_search():
    def both(seed):
        g = np.random.default_rng(seed)
        return random_search(50, 9, 2, g).tolist(), greedy_search(
            np.arange(50) % 7, ring(50), 9, 2, g
        ).tolist()

    assert both(0) == both(0) != both(1)


def test_evolution_changes_one_place_at_a_time_and_forgets_the_oldest():
    """On a ring whose score rises to the right, every child neighbours a cell still alive."""
    size = 30
    ring = [np.array([(n - 1) % size, (n + 1) % size]) for n in range(size)]
    rng = np.random.default_rng(0)
    orders = regularised_evolution(np.arange(size), ring.__getitem__, 60, 3, rng, 5, 2)
    assert orders.shape == (3, 60)
    for order in orders:
        for place in range(5, 60):
            alive = order[place - 5 : place]
            assert any(order[place] in ring[parent] for parent in alive)
    again = regularised_evolution(
        np.arange(size), ring.__getitem__, 60, 3, np.random.default_rng(0), 5, 2
    )
    assert (again == orders).all()
    with pytest.raises(ValueError, match="at most 4, found 5"):
        regularised_evolution([1, 2], ring.__getitem__, 4, 1, rng, 5)
