"""What runs measured, beside the truth: evaluations, metrics of each run, means over runs.

The same for every study: which runs they are, and what they are called, is in a `Design`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import ttest_ind

from nasrepro import metrics
from nasrepro.benchmarks import Table
from nasrepro.effects import welch_test
from nasrepro.rounding import mean_of
from nasrepro.runs.families import family_of
from nasrepro.runs.parts import AnyCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import CODES, CORRECT, LOSS, SupernetConfig
from nasrepro.spaces import SPACES, AnySubspace, name_of
from nasrepro.stats import (
    Interval,
    Student,
    difference,
    difference_interval,
    fisher_correlation,
    holm,
    level,
    mean_correlation,
    mean_interval,
)
from nasrepro.studies.design import Design, label_names

K = TypeVar("K")  # what names a comparison

TOP_NS = (10, 25, 50, 150, 250, 500)  # sizes of the true top N (Laube 3.2)
SHARE = 0.1  # of the truly best cells, within which tau is taken
TOP = "top_10_accuracy"  # of the best ten by proxy
CHANCE = 20.0  # percent, over ten classes: a supernet below it does not generalise (Laube 6)
CORRELATIONS = (  # metrics between -1 and 1, as `tau_top_N` is
    *("kendall_tau_a", "kendall_tau_b", "sparse_kendall_tau", "spearman", "pearson"),
    *("spearman_connected", "pearson_connected", "tau_a"),
)
OBSERVED = ("code", "proxy", "loss", "truth", "random", "connected")
NOTHING = Interval(np.nan, np.nan, np.nan, 0)


def proxies(record: Record) -> pd.DataFrame:
    """What one supernet says of its cells; no rows of a diverged one.

    Returns:
        Columns code (ascending), proxy: percent of the validation images, loss: mean cross-entropy
        over them, NaN in older records.
    """
    codes, images = record.arrays[CODES], record.config.data.validation_images
    return pd.DataFrame(
        {
            "code": codes,
            "proxy": 100 * record.arrays[CORRECT] / images,
            "loss": record.arrays.get(LOSS, np.full(len(codes), np.nan)),
        }
    )


def observe(records: Iterable[Record], design: Design, table: Table, column: str) -> pd.DataFrame:
    """One row per run and evaluated cell of a table: its proxy and its stand-alone accuracy.

    Args:
        records: of the design.
        design: what each is called.
        table: stand-alone accuracies; cells that it lacks are left out.
        column: of the table.

    Returns:
        The labels of the design, seed, code, proxy and loss as in `proxies`, truth (percent),
        random (whether the cell is of the random sample), connected.
    """
    sample = cache(sample_codes)  # many runs have the same one
    frames = [observe_run(r, table, column, sample).assign(**design[r.config]) for r in records]
    names = [*label_names(design), "seed", *OBSERVED]
    return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)


def sample_codes(subspace: AnySubspace, cells: AnyCells) -> np.ndarray:
    """Codes of the random sample of a run, int64 [n], in the order in which they were drawn."""
    sample = family_of(subspace).sample(subspace, cells)
    return np.array([cell.code for cell in sample], dtype=np.int64)


def observe_run(
    record: Record,
    table: Table,
    column: str,
    sample: Callable[[AnySubspace, AnyCells], np.ndarray] = sample_codes,
) -> pd.DataFrame:
    """The rows of `observe` of one run, without labels."""
    config, evaluations = record.config, proxies(record)
    # All, unless the table has a part of the space only.
    known = evaluations[table.has(evaluations["code"])].reset_index(drop=True)
    codes = known["code"].to_numpy(np.int64)
    return known.assign(
        seed=config.seed,
        truth=table.accuracy(codes, column),
        random=np.isin(codes, sample(config.subspace, config.cells)),
        connected=SPACES[name_of(config.subspace)].connected(codes),
    )


def measure_runs(
    records: Iterable[Record], design: Design, observations: pd.DataFrame, top_ns: Sequence[int]
) -> pd.DataFrame:
    """Every metric of every run, and whether it diverged.

    Args:
        records: of the design.
        design: what each is called.
        observations: what `observe` gives for them.
        top_ns: sizes of true top N, of which those count that a run evaluated whole.

    Returns:
        The labels of the design, seed, metric, value: one row a metric; of a diverged run only
        that it did.
    """
    labels = label_names(design)
    observed = dict(list(observations.groupby([*labels, "seed"])))
    rows = []
    for record in records:
        run = {**design[record.config], "seed": record.config.seed}
        values = {"diverged": float(record.status == "diverged")}
        if record.status != "diverged":
            whole = whole_tops(record.config, top_ns)
            values |= run_metrics(observed[tuple(run[name] for name in [*labels, "seed"])], whole)
        rows += [{**run, "metric": name, "value": value} for name, value in values.items()]
    return pd.DataFrame(rows, columns=[*labels, "seed", "metric", "value"])


def whole_tops(config: SupernetConfig, top_ns: Sequence[int]) -> list[int]:
    """The sizes of true top N that a run evaluates whole; none without a table."""
    return [n for n in top_ns if n <= getattr(config.cells, "top", 0)]


def run_metrics(run: pd.DataFrame, top_ns: Sequence[int]) -> dict[str, float]:
    """Every metric of one run.

    The rank metrics are over the random sample, or its connected cells. `tau_top_N` (Kendall's
    tau-a) and `mean_top_N` are over the true top N of the subspace; `tau_a` is Laube's, of this run
    alone. `mean_connected` is the mean prediction of the sample's connected cells, for disconnected
    ones are at chance whatever a supernet has learned.

    Args:
        run: the rows of `observe` of one run.
        top_ns: sizes of the true top N that the run evaluated whole; none without a table.
    """
    sample = run[run["random"]]
    proxy, truth = sample["proxy"].to_numpy(), sample["truth"].to_numpy()
    # Connected by their own accuracy would be circular: by their edges.
    connected = sample["connected"].to_numpy(bool)
    values = {
        "kendall_tau_a": metrics.kendall_tau(proxy, truth, "a"),
        "kendall_tau_b": metrics.kendall_tau(proxy, truth, "b"),
        "sparse_kendall_tau": metrics.sparse_kendall_tau(proxy, truth),
        "spearman": metrics.spearman(proxy, truth),
        "pearson": metrics.pearson(proxy, truth),
        "top_10_accuracy": metrics.top_k_accuracy(proxy, truth, k=10),
        "mean_prediction": float(mean_of(proxy)),
        "mean_connected": float(proxy[connected].mean()) if connected.any() else np.nan,
        "std_prediction": float(proxy.std(ddof=1)),
        "share_wrongly_at_chance": float(((proxy <= CHANCE) & (truth > CHANCE)).mean()),
        "spearman_connected": metrics.spearman(proxy[connected], truth[connected]),
        "pearson_connected": metrics.pearson(proxy[connected], truth[connected]),
    }
    if not top_ns:
        return values
    curve = metrics.top_n_curve(run["proxy"], run["truth"], top_ns, variant="a")
    values |= {f"tau_top_{n}": float(tau) for n, tau in zip(top_ns, curve.tau, strict=True)}
    means = zip(top_ns, curve.mean_prediction, strict=True)
    values |= {f"mean_top_{n}": float(mean) for n, mean in means}
    return values | {"tau_a": metrics.tau_a(top_ns, curve.mean_prediction)}


def rank_metrics(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """How well a ranking of cells is that of the truth.

    Args:
        predicted: proxy accuracies or parameter counts, shape (n,), n at least 20.
        truth: stand-alone accuracies, percent, shape (n,).

    Returns:
        Spearman's, Kendall's (tau-b) and the sparse correlation, tau-b within the true top tenth,
        and the true accuracy of the best of the predicted top 10.
    """
    tenth = [round(SHARE * len(truth))]
    return {
        "spearman": metrics.spearman(predicted, truth),
        "kendall_tau_b": metrics.kendall_tau(predicted, truth),
        "sparse_kendall_tau": metrics.sparse_kendall_tau(predicted, truth),
        "tau_top_tenth": float(metrics.top_n_curve(predicted, truth, tenth).tau[0]),
        TOP: metrics.top_k_accuracy(predicted, truth, k=10),
    }


def is_correlation(metric: str) -> bool:
    """Whether a metric lies between -1 and 1."""
    return metric in CORRELATIONS or metric.startswith("tau_top_")


def summarise(
    runs: pd.DataFrame,
    keys: Sequence[str],
    value: str = "value",
    correlation: Callable[[tuple], bool] = lambda key: True,
) -> pd.DataFrame:
    """Mean and 95% interval over runs.

    Args:
        runs: one row a run, or a run and metric; NaN where it failed.
        keys: names of the columns that tell groups of runs apart.
        value: name of the column with the numbers.
        correlation: whether the numbers of a key are correlations; then the interval ends where
            correlations do.

    Returns:
        The keys, mean, ci_low, ci_high, n, failed: runs without a number, which are left out.
    """
    rows = []
    for key, group in runs.groupby(list(keys), sort=False)[value]:
        counted = group.dropna()
        interval = mean_correlation if correlation(key) else mean_interval
        found = interval(counted) if len(counted) else NOTHING
        rows.append((*key, *found, len(group) - len(counted)))
    numbers = {"mean": float, "ci_low": float, "ci_high": float, "n": int, "failed": int}
    found = pd.DataFrame(rows, columns=[*keys, *numbers])
    return found.astype(runs[list(keys)].dtypes.to_dict() | numbers)  # also if it is empty


def agreement_of_seeds(observations: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Spearman correlation between the proxies of two runs that differ in the seed alone.

    Args:
        observations: what `observe` gives; those of the random sample count.
        labels: names of the columns that tell settings apart.

    Returns:
        The labels, seed_a, seed_b, spearman.
    """
    rows = []
    sample = observations[observations["random"]]
    for key, group in sample.groupby(list(labels), sort=False):
        by_seed = group.pivot(index="code", columns="seed", values="proxy")
        rows += [
            (*key, a, b, metrics.spearman(by_seed[a], by_seed[b]))
            for a, b in combinations(by_seed.columns, 2)
        ]
    return pd.DataFrame(rows, columns=[*labels, "seed_a", "seed_b", "spearman"])


def contrast(values: ArrayLike, baseline: ArrayLike) -> Student | None:
    """By how much runs of one setting lie above those of another: `stats.difference`.

    Runs of two settings are independent, whether their seeds are the same or not.

    Args:
        values: of a metric, one a run; NaN where it failed.
        baseline: of the setting that is subtracted, likewise.

    Returns:
        None if one of them has no run.
    """
    a, b = (pd.Series(side, dtype=float).dropna() for side in (values, baseline))
    return difference(a, b) if len(a) and len(b) else None


def contrasts(compared: Mapping[K, Sequence[ArrayLike]]) -> dict[K, Student]:
    """`contrast` of each two settings, by name, as far as there are runs of both."""
    return {name: gain for name, both in compared.items() if (gain := contrast(*both))}


def level_of(values: pd.Series) -> Student | None:
    """The mean over runs, NaN where one failed; None without a run."""
    known = values.dropna()
    return level(known) if len(known) else None


def levels(values: Mapping[str, pd.Series]) -> dict[str, Student]:
    """`level_of` the runs of each setting, by name, as far as there are any."""
    return {name: mean for name, each in values.items() if (mean := level_of(each))}


def equivalence(
    runs: pd.DataFrame, pairs: Iterable[tuple[str, str]], margins: Mapping[str, float]
) -> pd.DataFrame:
    """Which settings differ by less than a margin, by two one-sided tests of Welch (Schuirmann).

    Args:
        runs: one row a run and metric; columns setting, seed, metric, value.
        pairs: a setting, and the one that it is compared with.
        margins: the difference in a metric that would not matter, above 0; no other metric is
            looked at.

    Returns:
        Columns setting, against, metric, margin, difference (of the means), n (runs of the
        setting), p (the larger of the two: the difference lies within the margins), p_holm over
        the pairs of a metric; NaN where one of them has fewer than two runs.
    """
    rows = []
    known = runs[runs["metric"].isin(margins)]
    for metric, setting, against, values, baseline in _compared(known, pairs):
        margin, found = margins[metric], difference(values, baseline)
        p = np.nan
        if found.error > 0:
            above = ttest_ind(values + margin, baseline, equal_var=False, alternative="greater")
            below = ttest_ind(values - margin, baseline, equal_var=False, alternative="less")
            p = float(max(above.pvalue, below.pvalue))
        rows.append((setting, against, metric, margin, found.mean, len(values), p))
    names = ["setting", "against", "metric", "margin", "difference", "n", "p"]
    frame = pd.DataFrame(rows, columns=names)
    frame["p_holm"] = frame.groupby("metric")["p"].transform(holm)
    return frame


def effects(runs: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """What each setting changes, metric by metric, against another one.

    Args:
        runs: one row a run and metric; columns setting, seed, metric, value.
        pairs: a setting, and the one that it is compared with.

    Returns:
        Columns setting, against, metric, baseline and value (means over the runs of each),
        difference with Welch's 95% interval (ci_low, ci_high), p_holm, n (runs of the setting) and
        n_baseline: p of Welch's test, by Holm's method over the pairs of settings of a metric; NaN
        where one of them has fewer than two runs.
    """
    rows = []
    for metric, setting, against, values, baseline in _compared(runs, pairs):
        counts = len(values), len(baseline)
        gain, low, high, _ = difference_interval(values, baseline)
        p = welch_test(values, baseline).p if min(counts) > 1 else np.nan
        means = baseline.mean(), values.mean()
        rows.append((setting, against, metric, *means, gain, low, high, p, *counts))
    names = ["setting", "against", "metric", "baseline", "value", "difference"]
    names += ["ci_low", "ci_high", "p", "n", "n_baseline"]
    frame = pd.DataFrame(rows, columns=names)
    frame.insert(names.index("n"), "p_holm", frame.groupby("metric")["p"].transform(holm))
    return frame.drop(columns="p")


def _compared(
    runs: pd.DataFrame, pairs: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str, str, np.ndarray, np.ndarray]]:
    """Metric, setting, against, and the values of both, of the pairs of which both have runs."""
    pairs = list(pairs)
    for metric, group in runs.dropna().groupby("metric", sort=False):
        of = {name: rows.to_numpy() for name, rows in group.groupby("setting")["value"]}
        for setting, against in pairs:
            if setting in of and against in of:
                yield str(metric), setting, against, of[setting], of[against]


def judges(runs: pd.DataFrame, judged: Sequence[str]) -> pd.DataFrame:
    """How far what can be measured of a supernet tells what is found with it (Yu, figure 9).

    Over settings, each with its means over seeds.

    Args:
        runs: columns setting, metric, value.
        judged: metrics.

    Returns:
        Columns metric_a, metric_b, spearman, ci_low, ci_high (Fisher's), n (settings): of each two
        of them, over at least four settings.
    """
    mine = runs[runs["metric"].isin(judged)]
    means = mine.pivot_table(index="setting", columns="metric", values="value").dropna()
    rows = [
        (a, b, *fisher_correlation(means[a], means[b]).interval())
        for a, b in combinations(judged, 2)
        if len(means) > 3 and {a, b} <= set(means)
    ]
    names = ["metric_a", "metric_b", "spearman", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=names)
