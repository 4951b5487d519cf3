"""How far stand-alone accuracies agree: between seeds, with other tables, with plain counts."""

import numpy as np
import pandas as pd

from nasrepro.benchmarks import Table, selfmade
from nasrepro.benchmarks.selfmade import Curves
from nasrepro.stats import Interval, spearman_interval


def agreement(
    one: Table, column: str, other: Table, its_column: str, generator: np.random.Generator
) -> Interval:
    """Spearman correlation of two tables over the cells they share, at least two.

    Args:
        one: a table, and the name of its column.
        column: its column.
        other: another table.
        its_column: the other's column.
        generator: draws the bootstrap's resamples of cells.
    """
    codes = np.intersect1d(one.codes, other.codes)
    pairs = [one.accuracy(codes, column), other.accuracy(codes, its_column)]
    return spearman_interval(np.column_stack(pairs), generator)


def statistics(found: Curves, others: dict[str, Table]) -> pd.DataFrame:
    """What can be said of a benchmark, each with its 95% interval over cells.

    Args:
        found: its complete cells, at least two.
        others: tables of others on the same space, by their name: every column of those that share
            at least two cells is compared.

    Returns:
        Columns what, column (of the other table, else of this one), mean, ci_low, ci_high, n.
    """
    generator, own = np.random.default_rng(0), selfmade.table(found)
    test = selfmade.column(found, "test").name
    final = {"validation": found.validation_accuracy[:, :, -1], "test": found.test_accuracy}
    rows = []
    if found.bench["seeds"] > 1:
        for split, accuracy in final.items():
            interval = spearman_interval(accuracy, generator)
            rows.append(("between seeds", selfmade.column(found, split).name, *interval))
    for what in ("parameters", "flops"):
        pairs = np.column_stack([getattr(found, what), own.values[test]])
        rows.append((what, test, *spearman_interval(pairs, generator)))
    for name, other in others.items():
        if np.isin(other.codes, own.codes).sum() > 1:
            for its in other.values:
                rows.append((name, its, *agreement(own, test, other, its, generator)))
    return pd.DataFrame(rows, columns=["what", "column", "mean", "ci_low", "ci_high", "n"])
