"""What study 4's estimators tell of the paths that are trained on (SoTL thesis 4.2).

Beside the thesis' estimators stand cross-entropy of validation images, accuracy of training images,
and the parameter count.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from nasrepro import metrics, sotl
from nasrepro.benchmarks import Table
from nasrepro.column_correlations import correlations, partial, ranks, together, weighted
from nasrepro.runs import finetune
from nasrepro.runs.finetune import FinetuneConfig
from nasrepro.runs.record import Record
from nasrepro.stats import Interval, mean_correlation, mean_interval
from nasrepro.studies.design import Design, Labels, in_order
from nasrepro.studies.finetuning import LABELS, SPACE, SPOS, THESIS, TRAINED
from nasrepro.studies.trajectories import CIFAR10, TRUTHS, Observed, observe

TOP = 10  # cells whose mean accuracy is the thesis' top-10
RUN = [*LABELS, "seed"]
KIND = ["trainer", "start", "rate"]
# Texts, whatever they look like.
TEXTS = (
    *(*LABELS, "truth", "estimator", "other", "images", "measure", "group", "space", "quantity"),
    "sample",
)

REPORTED = (0, 1, 10, 50, 100, 300)  # steps of the statistics that have all truths
ESTIMATORS = (
    *("SoTL", "TLMini", "sum of training accuracies"),
    *("ValAcc", "ValLoss", "ValAccMini", "ValLossMini"),
    *("SoG", "SoG (code)", "SoGN", "SoGN (code)"),
)
CURVES = ("SoTL", "TLMini")  # of every run; the others' curves of the SPOS runs alone
# Ways to write one estimator down; NASLib calls the last loss SoTL-E.
VARIANTS = (
    *((sotl.estimator("SoTL"), sotl.estimator(name)) for name in ("SoTL-EMA", "SoTL-EMA (NASLib)")),
    *((sotl.estimator("SoTL"), sotl.windowed(window)) for window in (50, 10, 1)),
    *((sotl.estimator(name), sotl.estimator(f"{name} (code)")) for name in ("SoG", "SoGN")),
)
WINDOW = 20  # steps over which losses of groups of cells are averaged
SUMS = ((1, 100), (101, 200), (201, 300))  # steps over which TLMini's correlation is averaged
RESAMPLES = 1_000  # of cells and supernets

Rows = Iterator[tuple]


# ---- statistics


def statistics(
    records: Iterable[Record], wanted: Design, table: Table, columns: Mapping[str, str] = TRUTHS
) -> dict[str, pd.DataFrame]:
    """What the fine-tunings of a design measured, by the truths of a table's columns.

    Each frame begins with the labels of a run (trainer; start: trained or untrained; rate; batch;
    order) and seed, unless it says otherwise. A diverged supernet has rows in `usage` alone, as a
    run has that `of_equal_weights` leaves out.

    Returns:
        runs: truth (parameters: SoTL-P and its like), estimator, step, spearman, top10 (mean
            accuracy of the ten cells that it puts first, percent);
        curves: estimator, step, spearman, with CIFAR-10;
        windows: first, last, spearman: of TLMini with CIFAR-10, mean over these steps; SPOS;
        beyond: estimator, step, partial, gain: Spearman with CIFAR-10 given parameters, and how
            much better the sum of both ranks ranks than parameters alone;
        resampled: trainer, start, rate, estimator, step, quantity (spearman, partial, gain), mean,
            ci_low, ci_high, n (supernets): intervals over cells and supernets at once;
        frozen: images (training, augmented: in the order of fine-tuning; training: the first of
            them as they are; validation), measure (loss, accuracy), normalised (images of the
            batch that normalises), seen (images), spearman, partial: of paths as they are, with
            CIFAR-10, by what is averaged;
        losses: truth, group (all, best tenth, median tenth), step (last of 20), loss: mean; SPOS;
        variants: estimator, other, step, spearman: between two ways to write one estimator down;
        parameters: truth, spearman, n (cells), without labels: of the count itself;
        usage: cells, diverged, left_out, supernet_images (of its training, times paths),
            supernet_seconds, seconds_100 (100 steps of a path), seconds_1000 (a look at 1,000
            validation images by a path), cpu_seconds.
    """
    mine = in_order(records, wanted)
    alike = of_equal_weights(mine)
    observed = [observe(record, table, columns) for record in alike if record.status == "ok"]
    main = [run for run in observed if _is_main(wanted[run.config])]
    parts: dict[str, tuple[Callable[[Observed], Rows], Sequence[Observed]]] = {
        "runs": (_spearmans, observed),
        "curves": (_curves, observed),
        "windows": (_windows, main),
        "beyond": (_beyond, observed),
        "frozen": (_frozen, [run for run in observed if run.config.frozen]),
        "losses": (_losses, main),
        "variants": (_variants, [run for run in observed if not run.config.frozen]),
    }
    frames = {
        name: _frame(name, wanted, ((run.config, row) for run in runs for row in measure(run)))
        for name, (measure, runs) in parts.items()
    }
    kept = {record.config for record in alike}
    used = ((record.config, _usage(record, record.config not in kept)) for record in mine)
    return {
        **frames,
        "resampled": resampled(observed, wanted),
        "parameters": _of_parameters(observed),
        "usage": _frame("usage", wanted, used),
    }


def of_equal_weights(records: Sequence[Record]) -> list[Record]:
    """The runs that begin with the weights that most runs of their supernet begin with.

    A config does not decide weights to the last bit: another kind of processor rounds differently,
    and a training ends elsewhere, which its losses show. What runs of two such supernets differ by
    is not what they were made to tell; of equally many, the first count.
    """
    trainings: dict[tuple, Counter] = {}
    for record in records:
        begun = record.config.supernet, record.config.epochs
        trainings.setdefault(begun, Counter())[record.history] += 1
    usual = {begun: counts.most_common(1)[0][0] for begun, counts in trainings.items()}
    return [r for r in records if r.history == usual[r.config.supernet, r.config.epochs]]


def _frame(name: str, wanted: Design, rows: Iterable[tuple[FinetuneConfig, tuple]]) -> pd.DataFrame:
    """Rows of runs behind the labels of each."""
    values = [
        (*(wanted[config][label] for label in LABELS), config.seed, *row) for config, row in rows
    ]
    return pd.DataFrame(values, columns=[*RUN, *COLUMNS[name]])


def _is_main(labels: Labels) -> bool:
    """Whether a run is one of SPOS as the thesis shows them, or its like without learning."""
    return (labels["trainer"], labels["start"], labels["order"]) == (SPOS, TRAINED, "0")


def _said(run: Observed) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """What each estimator says after the reported steps: name, steps, scores [cells, steps]."""
    for name in ESTIMATORS:
        if (found := run.scores(sotl.estimator(name))) is not None:
            steps, scores = found
            chosen = np.isin(steps, REPORTED) | (steps == steps[-1])
            yield name, steps[chosen], scores[:, chosen]


def _spearmans(run: Observed) -> Rows:
    first = run.config.order == 0  # of others the truth of the images is enough
    top = min(TOP, len(run.parameters))
    for estimator, steps, scores in _said(run):
        for name, truth in run.truths.items():
            if not first and name != CIFAR10:
                continue
            tops = [metrics.top_k_mean(column, truth, top) for column in ranks(scores).T]
            for row in zip(steps, correlations(scores, truth), tops, strict=True):
                yield name, estimator, *row


def _curves(run: Observed) -> Rows:
    """Of SPOS with the first order of images all estimators, of others those of losses."""
    every = run.config.supernet.sampler == "uniform" and run.config.order == 0
    for name in ESTIMATORS if every else CURVES:
        if (found := run.scores(sotl.estimator(name))) is not None:
            steps, scores = found
            chosen = np.isin(steps, finetune.points(run.config.steps))
            values = correlations(scores[:, chosen], run.truths[CIFAR10])
            for row in zip(steps[chosen], values, strict=True):
                yield name, *row


def _windows(run: Observed) -> Rows:
    steps, losses = run.curve(sotl.LOSS) or (np.array([]), np.empty((0, 0)))
    values = correlations(-losses, run.truths[CIFAR10])
    for first, last in SUMS:
        if last <= len(steps):
            yield first, last, float(values[first - 1 : last].mean())


def _beyond(run: Observed) -> Rows:
    truth, parameters = run.truths[CIFAR10], run.parameters
    alone = correlations(parameters[:, None], truth)
    for estimator, steps, scores in _said(run):
        given = partial(correlations(scores, truth), correlations(scores, parameters), alone)
        gain = correlations(together(scores, parameters), truth) - alone
        for row in zip(steps, given, gain, strict=True):
            yield estimator, *row


def _frozen(run: Observed) -> Rows:
    """What the first images say, of each kind that a run has looked at."""
    arrays, size, whole = run.arrays, run.config.batch_size, run.config.data.validation_images
    trained = np.full(run.config.steps, size)
    in_batches, at_once = run.config.validation_sizes, np.array([whole])
    at_most = min(run.config.evaluate.batch_size, whole)
    looks: list[tuple[str, str, np.ndarray, str, int]] = [
        (finetune.LOSS, finetune.CORRECT, trained, "training, augmented", size),
        (finetune.PLAIN_LOSS, finetune.PLAIN_CORRECT, in_batches, "training", size),
        (finetune.BATCHES_LOSS, finetune.BATCHES_CORRECT, in_batches, "validation", size),
        (finetune.WHOLE_LOSS, finetune.WHOLE_CORRECT, at_once, "validation", at_most),
    ]
    rows = [
        row
        for loss, correct, sizes, images, normalised in looks
        if loss in arrays
        for row in _averaged(arrays[loss], arrays[correct], sizes, images, normalised)
    ]
    truth, parameters = run.truths[CIFAR10], run.parameters
    alone = correlations(parameters[:, None], truth)
    for *about, scores in rows:
        found = correlations(scores[:, None], truth)
        given = partial(found, correlations(scores[:, None], parameters), alone)
        yield *about, float(found[0]), float(given[0])


def _averaged(
    loss: np.ndarray, correct: np.ndarray, sizes: np.ndarray, images: str, normalised: int
) -> Iterator[tuple[str, str, int, int, np.ndarray]]:
    """What the first batches say together, by both measures, more is better: [cells] each."""
    seen = np.cumsum(sizes)
    for count in (*(n for n in finetune.POINTS if 0 < n < len(sizes)), len(sizes)):
        about = (normalised, int(seen[count - 1]))
        losses = (loss[:, :count].astype(np.float64) * sizes[:count]).sum(axis=1)
        yield images, "loss", *about, -losses
        yield images, "accuracy", *about, correct[:, :count].sum(axis=1).astype(np.float64)


def _losses(run: Observed) -> Rows:
    """Figure 4.8: mean losses of groups of cells; a loss that is not finite is left out."""
    loss = run.arrays[finetune.LOSS].astype(np.float64)
    loss[~np.isfinite(loss)] = np.nan
    for name in run.accuracies:
        order = np.argsort(-run.truths[name], kind="stable")
        tenth = max(1, len(order) // 10)
        middle = (len(order) - tenth) // 2
        groups = {
            "all": order,
            "best tenth": order[:tenth],
            "median tenth": order[middle : middle + tenth],
        }
        for group, cells in groups.items():
            for last in range(WINDOW, loss.shape[1] + 1, WINDOW):
                yield name, group, last, float(np.nanmean(loss[cells, last - WINDOW : last]))


def _variants(run: Observed) -> Rows:
    for name, other in VARIANTS:
        one, another = (run.scores(estimator) for estimator in (name, other))
        if one is not None and another is not None:
            last = -1
            rho = correlations(one[1][:, [last]], another[1][:, last])
            yield name.name, other.name, int(one[0][last]), float(rho[0])


def _usage(record: Record, left_out: bool) -> tuple:
    """Seconds are by the clock, of a process that had the machine for itself or not."""
    config, measured = record.config, record.measurement
    cells = record.arrays.get(finetune.CODES, np.array([]))
    steps = measured.train_images_per_second / config.batch_size
    # Older records count whole looks alone, so the paths are told by the steps that they took.
    paths = measured.train_seconds * steps / config.steps
    looked = paths * config.evaluated_per_path
    return (
        len(cells),
        float(record.status == "diverged"),
        float(left_out),
        config.supernet.trained_images,
        float(record.arrays[finetune.SUPERNET_SECONDS]),
        100 / steps if steps else np.nan,
        1_000 * measured.evaluate_seconds / looked if looked else np.nan,
        measured.cpu_seconds,
    )


def _of_parameters(observed: Sequence[Observed]) -> pd.DataFrame:
    """How the count ranks the cells of the first run."""
    rows = [
        (
            name,
            float(correlations(run.parameters[:, None], run.truths[name])[0]),
            len(run.parameters),
        )
        for run in observed[:1]
        for name in run.accuracies
    ]
    return pd.DataFrame(rows, columns=COLUMNS["parameters"])


# ---- intervals over cells and supernets


def resampled(observed: Sequence[Observed], wanted: Design) -> pd.DataFrame:
    """What each estimator tells, alone and beside parameters, resampling cells and supernets."""
    kinds: dict[tuple, list[Observed]] = {}
    for run in observed:
        labels = wanted[run.config]
        if labels["order"] == "0" and run.config.batch_size == _batch_of(observed):
            kinds.setdefault(tuple(labels[name] for name in KIND), []).append(run)
    rows = [
        (*kind, name, step, quantity, *interval)
        for kind, runs in kinds.items()
        for name, step, scores in _shared(runs)
        for quantity, interval in _intervals(scores, runs[0]).items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS["resampled"])


def _batch_of(observed: Sequence[Observed]) -> int:
    """The batch size of the first run, which is that of the thesis' tables."""
    return observed[0].config.batch_size


def _shared(runs: Sequence[Observed]) -> Iterator[tuple[str, int, np.ndarray]]:
    """What an estimator says in each of some runs: name, step, scores [supernets, cells]."""
    said: dict[tuple[str, int], list[np.ndarray]] = {}
    for run in runs:
        for name, steps, scores in _said(run):
            for step, column in zip(steps.tolist(), scores.T, strict=True):
                said.setdefault((name, step), []).append(column)
    for (name, step), columns in said.items():
        yield name, step, np.array(columns)


def _intervals(scores: np.ndarray, run: Observed) -> dict[str, Interval]:
    """Percentile intervals over cells and supernets, both drawn anew, of ranks among all cells.

    Args:
        scores: of each supernet, [supernets, cells].
        run: with the truth.
    """
    generator = np.random.default_rng(0)
    supernets, cells = scores.shape
    chosen = generator.multinomial(cells, np.full(cells, 1 / cells), size=RESAMPLES)
    nets = generator.multinomial(supernets, np.full(supernets, 1 / supernets), size=RESAMPLES)
    weights = np.concatenate([np.ones((1, cells)), chosen])
    counts = np.concatenate([np.ones((1, supernets)), nets])
    truth, parameters = ranks(run.truths[CIFAR10]), ranks(run.parameters)
    said = ranks(scores.T)
    both = ranks(together(scores.T, run.parameters))
    with_truth = weighted(said, truth, weights)
    alone = weighted(parameters[:, None], truth, weights)
    found = {
        "spearman": with_truth,
        "partial": partial(with_truth, weighted(said, parameters, weights), alone),
        "gain": weighted(both, truth, weights) - alone,
    }
    return {
        name: _interval((values * counts).sum(axis=1) / supernets, supernets)
        for name, values in found.items()
    }


def _interval(values: np.ndarray, n: int) -> Interval:
    """The first value, and the middle 95% of the others."""
    if not np.isfinite(values).all():
        return Interval(float(values[0]), np.nan, np.nan, n)
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high), n)


# ---- tables


def tables(statistics: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of section 4.2, from the statistics alone.

    Returns:
        estimators: trainer, space, sample (of its cells), start, rate, batch, truth, estimator,
            step, spearman, ci_low, ci_high, top10, top10_low, top10_high, n (supernets; orders of
            one are averaged);
        learning: trainer, rate, batch, estimator, step, spearman, top10, partial with an interval
            each: by how much learning is better than the same paths that do not learn, over the
            same images in the same order; paired by supernet;
        orders: trainer, start, rate, estimator, step, deviation: of Spearman between orders of the
            images, root mean square over supernets; between: between supernets, of the orders'
            means; n (orders); supernets.
    """
    return {
        "estimators": estimators(statistics["runs"]),
        "learning": learning(statistics["runs"], statistics["beyond"]),
        "orders": orders(statistics["runs"]),
    }


def estimators(runs: pd.DataFrame, space: str = SPACE, sample: str = THESIS) -> pd.DataFrame:
    """Mean over supernets and its interval: see `tables`; of a sample of one space."""
    rows = []
    for key, group in _by_supernet(runs, ["spearman", "top10"]).groupby(SETTING, sort=False):
        spearman, top10 = mean_or_none(group["spearman"]), mean_or_none(group["top10"], False)
        rows.append((key[0], space, sample, *key[1:], *spearman[:3], *top10[:3], len(group)))
    return pd.DataFrame(rows, columns=COLUMNS["estimators"])


def learning(runs: pd.DataFrame, beyond: pd.DataFrame) -> pd.DataFrame:
    """What learning adds, with CIFAR-10: see `tables`."""
    measures = ["spearman", "top10", "partial"]
    given = beyond.assign(truth=CIFAR10).drop(columns="gain")
    both = runs[runs["truth"] == CIFAR10].merge(given)
    pairs = [*(name for name in RUN if name != "rate"), "estimator", "step"]
    frozen = both[both["rate"] == "0"].set_index(pairs)[measures]
    learned = both[both["rate"] != "0"].set_index([*pairs, "rate"])[measures]
    gains = learned.sub(frozen).dropna(how="all").reset_index().assign(truth=CIFAR10)
    gains = gains[gains["start"] == TRAINED]
    rows = []
    for key, group in _by_supernet(gains, measures).groupby(SETTING, sort=False):
        trainer, _, rate, batch, _, estimator, step = key
        found = [mean_or_none(group[name], False)[:3] for name in measures]
        rows.append((trainer, rate, batch, estimator, step, *sum(found, ()), len(group)))
    return pd.DataFrame(rows, columns=COLUMNS["learning"])


def orders(runs: pd.DataFrame) -> pd.DataFrame:
    """How much the order of the images matters, with CIFAR-10: see `tables`."""
    mine = runs[(runs["truth"] == CIFAR10)].dropna(subset="spearman")
    rows = []
    for key, group in mine.groupby(["trainer", "start", "rate", "estimator", "step"], sort=False):
        if (n := group["order"].nunique()) > 1:
            of_supernet = group.groupby("seed")["spearman"]
            within, between = of_supernet.var().mean() ** 0.5, of_supernet.mean().std()
            rows.append((*key, within, between, n, len(of_supernet)))
    return pd.DataFrame(rows, columns=COLUMNS["orders"])


def _by_supernet(runs: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """The mean over orders of each supernet's runs."""
    return runs.groupby([*SETTING, "seed"], sort=False)[list(measures)].mean().reset_index()


def mean_or_none(values: pd.Series, correlation: bool = True) -> Interval:
    """Mean and interval over supernets, of those that have a value."""
    known = values.dropna()
    if known.empty:
        return Interval(np.nan, np.nan, np.nan, 0)
    return (mean_correlation if correlation else mean_interval)(known)


SETTING = ["trainer", "start", "rate", "batch", "truth", "estimator", "step"]
COLUMNS = {
    "runs": ["truth", "estimator", "step", "spearman", "top10"],
    "curves": ["estimator", "step", "spearman"],
    "windows": ["first", "last", "spearman"],
    "beyond": ["estimator", "step", "partial", "gain"],
    "frozen": ["images", "measure", "normalised", "seen", "spearman", "partial"],
    "losses": ["truth", "group", "step", "loss"],
    "variants": ["estimator", "other", "step", "spearman"],
    "usage": [
        *("cells", "diverged", "left_out", "supernet_images", "supernet_seconds"),
        *("seconds_100", "seconds_1000", "cpu_seconds"),
    ],
    "parameters": ["truth", "spearman", "n"],
    "resampled": [*KIND, "estimator", "step", "quantity", "mean", "ci_low", "ci_high", "n"],
    "estimators": [
        *("trainer", "space", "sample", "start", "rate", "batch", "truth", "estimator", "step"),
        *("spearman", "ci_low", "ci_high", "top10", "top10_low", "top10_high", "n"),
    ],
    "learning": [
        *("trainer", "rate", "batch", "estimator", "step"),
        *("spearman", "ci_low", "ci_high", "top10", "top10_low", "top10_high"),
        *("partial", "partial_low", "partial_high", "n"),
    ],
    "orders": [
        *("trainer", "start", "rate", "estimator", "step"),
        *("deviation", "between", "n", "supernets"),
    ],
}
STATISTICS = (
    *("runs", "curves", "windows", "beyond", "resampled", "frozen", "losses", "variants"),
    *("parameters", "usage"),
)
TABLES = (*STATISTICS, "estimators", "learning", "orders")
