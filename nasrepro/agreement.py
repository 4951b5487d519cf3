"""How far stand-alone accuracies agree: between seeds, with other tables, with plain counts."""

import numpy as np
import pandas as pd

from nasrepro.benchmarks import Table, selfmade
from nasrepro.benchmarks.selfmade import Curves
from nasrepro.stats import Interval, spearman_interval


def agreement(
    a: Table, column_a: str, b: Table, column_b: str, generator: np.random.Generator
) -> Interval:
    """Spearman correlation of two tables over the cells they share, at least two.

    Args:
        a: a table.
        column_a: name of its column.
        b: another table.
        column_b: name of its column.
        generator: draws the bootstrap's resamples of cells.
    """
    codes = np.intersect1d(a.codes, b.codes)
    pairs = [a.accuracy(codes, column_a), b.accuracy(codes, column_b)]
    return spearman_interval(np.column_stack(pairs), generator)


def statistics(curves: Curves, published: dict[str, Table]) -> pd.DataFrame:
    """Rank correlations of a benchmark's accuracies, each with its 95% interval over cells.

    Args:
        curves: its complete cells, at least two.
        published: other tables of the same space, by name: every column of those that share at
            least two cells is compared.

    Returns:
        Columns what, column (of the other table, else of this one), mean, ci_low, ci_high, n.
    """
    generator, table = np.random.default_rng(0), selfmade.table(curves)
    test = selfmade.column(curves, "test").name
    final = {"validation": curves.validation_accuracy[:, :, -1], "test": curves.test_accuracy}
    rows = []
    if curves.bench["seeds"] > 1:
        for split, accuracy in final.items():
            interval = spearman_interval(accuracy, generator)
            rows.append(("between seeds", selfmade.column(curves, split).name, *interval))
    for count in ("parameters", "flops"):
        pairs = np.column_stack([getattr(curves, count), table.values[test]])
        rows.append((count, test, *spearman_interval(pairs, generator)))
    for name, reference in published.items():
        if table.has(reference.codes).sum() > 1:
            for column in reference.values:
                rows.append((name, column, *agreement(table, test, reference, column, generator)))
    return pd.DataFrame(rows, columns=["what", "column", "mean", "ci_low", "ci_high", "n"])
