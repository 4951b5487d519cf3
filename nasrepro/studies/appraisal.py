"""Pourchot's own supernets, and the numbers printed from them."""

from importlib import resources

import numpy as np
import pandas as pd
from scipy import stats

from nasrepro.benchmarks import nb101
from nasrepro.data.sources import SOURCES, locate
from nasrepro.metrics import spearman


def missing_files() -> list[str]:
    """Names of the sources of the authors' supernets that are not on this machine."""
    return [name for name in (nb101.NAME, "nb101-supernets") if not locate(SOURCES[name])]


def table3(ranks: pd.DataFrame) -> pd.DataFrame:
    """Pourchot's table 3 from the rank correlations of the authors' supernets.

    A supernet that predicts the same for every cell has no rank correlation and is left out, as in
    the paper, which marks the cell with an asterisk. The printed ± is z sd / sqrt(n) with the
    normal quantile z = 1.96 and the standard deviation with divisor n: for five supernets 1.58
    times narrower than Student's interval, which `nasrepro.stats` gives.

    Args:
        ranks: columns space, method, seed, spearman; see `rank_correlations`.

    Returns:
        Columns space, method, mean, ci (half of the interval), n (supernets that count), one row
        for each space and method in the order of `ranks`.
    """
    by_cell = ranks.dropna().groupby(["space", "method"], sort=False)["spearman"]
    table = by_cell.agg(mean="mean", n="count")
    table["ci"] = stats.norm.ppf(0.975) * by_cell.std(ddof=0) / np.sqrt(table["n"])
    return table[["mean", "ci", "n"]].reset_index()


def rank_correlations(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlation of proxy and validation accuracy of each supernet of the authors.

    The truth is the validation accuracy as the mean of three runs.

    Args:
        evaluations: columns space, method, seed, proxy, validation; see
            `benchmarks.nb101.load_supernets`.

    Returns:
        Columns space, method, seed, spearman: NaN for a supernet that predicts a constant.
    """
    return (
        evaluations.groupby(["space", "method", "seed"], sort=False)[["proxy", "validation"]]
        .apply(lambda run: spearman(run["proxy"], run["validation"]))
        .rename("spearman")
        .reset_index()
    )


def published_table3() -> pd.DataFrame:
    """Pourchot's table 3 as printed: columns space, method, mean, ci, n."""
    return published("table3")


def published(name: str) -> pd.DataFrame:
    """Numbers that Pourchot prints, from `published/pourchot_<name>.csv`."""
    file = resources.files("nasrepro.published") / f"pourchot_{name}.csv"
    with file.open(encoding="utf-8") as text:
        return pd.read_csv(text, comment="#")
