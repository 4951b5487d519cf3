"""What a study's page is made of besides figures: tables and numbers in Markdown."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from nasrepro.evaluate import EvaluateConfig
from nasrepro.runs.bench import Bench
from nasrepro.runs.parts import AnyCells, DataConfig, DrawnCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces import SPACES
from nasrepro.train import TrainConfig


def with_interval(mean: float, low: float, high: float, digits: int = 2) -> str:
    """A mean and its interval.

    >>> with_interval(0.512, 0.4, 0.623)
    '0.51 [0.40, 0.62]'
    >>> with_interval(0.512, float("nan"), float("nan"))
    '0.51 [no interval]'
    >>> with_interval(-0.001, -0.01, 0.01)  # no minus before a zero
    '0.00 [-0.01, 0.01]'
    """
    if math.isnan(mean):
        return "–"
    if math.isnan(low):
        return f"{mean:z.{digits}f} [no interval]"
    return f"{mean:z.{digits}f} [{low:z.{digits}f}, {high:z.{digits}f}]"


def markdown_table(frame: pd.DataFrame, caption: str, name: str) -> str:
    """A numbered MyST table with a caption; texts as they are.

    Args:
        frame: what to show, columns named as in the table's head.
        caption: one or two sentences.
        name: label for references.
    """
    body = frame.to_markdown(index=False, disable_numparse=True)
    return f"```{{table}} {caption}\n:name: {name}\n\n{body}\n```"


def claims_table(claims: pd.DataFrame, whose: str) -> pd.DataFrame:
    """The columns a reader of a claims table wants, as text.

    Args:
        claims: what `claims.judge` gives.
        whose: head of the column of what was found.
    """
    return pd.DataFrame(
        {
            **_stated(claims),
            f"{whose}, 95% interval": _found(claims),
            "n": claims["n"].astype(str),
            "verdict": claims["verdict"],
        }
    )


def _found(claims: pd.DataFrame) -> list[str]:
    """The quantity of each claim, with its interval unless it is an exact count."""
    return [
        f"{row.ours:.2f} (exact)"
        if row.counted and row.n
        else with_interval(row.ours, row.ci_low, row.ci_high)
        for row in claims.itertuples()
    ]


def _stated(claims: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns of a claims table that are the same whatever was found."""
    return {
        "claim": claims["statement"] + " (" + claims["where"] + ")",
        "paper": claims["reported"],
        "we compute (the claim holds if)": claims["quantity"] + " (" + claims["holds if"] + ")",
    }


def claims_of_both(judged: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The same claims judged on several sources, e.g. the authors' supernets and ours, as text.

    Args:
        judged: what `claims.judge` gives, by source.
    """
    columns = _stated(next(iter(judged.values())))
    for source, claims in judged.items():
        columns[f"{source}: 95% interval, verdict"] = [
            f"{found}, n = {row.n}: {row.verdict}" if row.n else row.verdict
            for found, row in zip(_found(claims), claims.itertuples(), strict=True)
        ]
    return pd.DataFrame(columns)


def table3_grid(table: pd.DataFrame, cell: Callable[[Any], str]) -> pd.DataFrame:
    """A table like Pourchot's table 3: a row a space, a column a method.

    Args:
        table: space, method and what `cell` needs, one row a space and method.
        cell: the text of a row.
    """
    texts = table.assign(text=[cell(row) for row in table.itertuples()])
    spaces, methods = texts["space"].unique(), texts["method"].unique()
    grid = texts.pivot(index="space", columns="method", values="text")
    return grid.loc[spaces, methods].fillna("–").rename_axis(columns=None).reset_index()


def plus_minus(row: Any) -> str:
    """A cell of the authors' table 3: mean, ±, an asterisk for each of five that failed."""
    return f"{row.mean:.2f} ± {row.ci:.2f}{'*' * (5 - row.n)}"


def with_count(row: Any) -> str:
    """A mean, its interval, n; an asterisk for each supernet that failed."""
    return f"{with_interval(row.mean, row.ci_low, row.ci_high)}, n = {row.n}{'*' * row.failed}"


def comparison_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Regret of searches with and without weight sharing, as text.

    Args:
        rows: of `comparisons` of study 3; where all supernets failed, there are only counts.
    """

    def text(column: str, digits: int) -> list[str]:
        return ["–" if math.isnan(value) else f"{value:.{digits}f}" for value in rows[column]]

    return pd.DataFrame(
        {
            "space": rows["space"],
            "without": rows["baseline"],
            "with": rows["guided"],
            "supernets × searches": [
                f"{row.supernets}{'*' * row.failed} × {row.guided_runs // max(row.supernets, 1)}"
                for row in rows.itertuples()
            ],
            "trainings without": text("baseline_trainings", 1),
            "regret without": text("baseline_regret", 2),
            "regret with": text("guided_regret", 2),
            "difference": [
                with_interval(row.difference, row.ci_low, row.ci_high) for row in rows.itertuples()
            ],
            "trainings to match": [
                "–"
                if not row.supernets
                else f"{row.trainings_to_match:.0f}"
                if row.trainings_to_match > 0
                else "more than searched"
                for row in rows.itertuples()
            ],
        }
    )


def effects_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Effect sizes with every interval and p, as text, in the form of Pourchot's tables 4 and 5.

    Args:
        rows: of `comparisons` of study 3, with at least one supernet each.
    """
    cells = [
        {
            "space": row.space,
            "column": f"{row.baseline} - {row.guided}_ws",
            "n": f"{row.supernets}{'*' * row.failed}",
            "difference ± deviation": f"{row.difference:.2f} ± {row.deviation:.2f}",
            "d, noncentral t": with_interval(row.d, row.t_low, row.t_high),
            "d, bootstrap": with_interval(row.d, row.bootstrap_low, row.bootstrap_high),
            "p, Welch": _p_value(row.p_welch),
            "p, Student": _p_value(row.p_student),
            "P": f"{row.superiority:.2f}",
        }
        for row in rows.itertuples()
    ]
    return pd.DataFrame(cells)


def _p_value(p: float) -> str:
    if math.isnan(p):
        return "–"
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def greedy_table(searches: pd.DataFrame) -> pd.DataFrame:
    """Random and greedy search, as text; `searches` is the table of that name of study 3."""
    return pd.DataFrame(
        {
            "trainings": searches["trainings"].astype(str),
            "random": [f"{value:.3f}" for value in searches["random"]],
            "greedy": [f"{value:.3f}" for value in searches["greedy"]],
            "random less greedy": [
                with_interval(row.difference, row.ci_low, row.ci_high, 3)
                for row in searches.itertuples()
            ],
        }
    )


def recomputed_table(frame: pd.DataFrame, texts: dict[str, str], digits: int = 2) -> pd.DataFrame:
    """A table of `studies.audit`, as text.

    Args:
        frame: what to show.
        texts: its columns and their heads, in order.
        digits: of numbers, after the point.
    """

    def text(value: object) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    return frame[list(texts)].map(text).rename(columns=texts)


def settings_table(tried: pd.DataFrame) -> pd.DataFrame:
    """The settings that were tried, as text; `tried` is the table of that name of study 1."""
    return pd.DataFrame(
        {
            "subspace": tried["subspace"],
            "sampler": [
                f"{row.sampler} (the grid's)" if row.in_grid else row.sampler
                for row in tried.itertuples()
            ],
            "batch": tried["batch_size"].astype(str),
            "rate": [f"{rate:g}" for rate in tried["learning_rate"]],
            "decay": [f"{decay:g}" for decay in tried["weight_decay"]],
            "epochs": tried["epochs"].astype(str),
            "Spearman": [
                with_interval(row.mean_, row.ci_low, row.ci_high)
                for row in tried.rename(columns={"mean": "mean_"}).itertuples()
            ],
            "n": tried["n"].astype(str),
        }
    )


def interval_grid(summary: pd.DataFrame, metrics: dict[str, str], digits: int = 2) -> pd.DataFrame:
    """Mean and interval of some metrics, one row a subspace and size.

    `n` counts the runs that did not diverge; each asterisk behind it is one that did.

    Args:
        summary: subspace, size, metric, mean, ci_low, ci_high, n.
        metrics: metric and the head of its column.
        digits: after the point.
    """
    rows = []
    for (subspace, size), group in summary.groupby(["subspace", "size"], sort=False):
        by_metric = group.set_index("metric")
        cells = {
            head: with_interval(*by_metric.loc[metric, ["mean", "ci_low", "ci_high"]], digits)
            for metric, head in metrics.items()
            if metric in by_metric.index
        }
        diverged = round(by_metric.loc["diverged", "mean"] * by_metric.loc["diverged", "n"])
        count = f"{by_metric.loc['diverged', 'n'] - diverged}{'*' * diverged}"
        rows.append({"subspace": subspace, "size": size, "n": count, **cells})
    return pd.DataFrame(rows)


def pooled_tau_a_column(pooled: pd.DataFrame) -> pd.DataFrame:
    """Laube's tau_a of the mean over seeds, as text; `pooled` is the table tau_a of study 1."""
    texts = [f"{value:.2f}" for value in pooled["tau_a"]]
    return pooled[["subspace", "size"]].assign(**{"Laube's tau_a, of the mean": texts})


def own_truth_grid(rows: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations by two truths and their difference, as text.

    Args:
        rows: the table own_truth of study 1.
        gains: its table own_gain.
    """
    heads = {"own": "with our own benchmark", "table": "with the published table"}
    texts = rows.assign(
        text=[with_interval(*row) for row in rows[["mean", "ci_low", "ci_high"]].to_numpy()],
        truth=rows["truth"].map(heads),
    )
    keys = ["subspace", "size", "cells", "n"]
    grid = texts.pivot(index=keys, columns="truth", values="text")[list(heads.values())]
    grid = grid.loc[pd.MultiIndex.from_frame(texts[keys].drop_duplicates())]  # in their order
    by_key = gains.set_index(["subspace", "size"])[["mean", "ci_low", "ci_high"]]
    grid["difference, interval over cells"] = [
        with_interval(*by_key.loc[(subspace, size)]) for subspace, size, *_ in grid.index
    ]
    return grid.rename_axis(columns=None).reset_index().astype(str)


def half_precision_grid(rows: pd.DataFrame) -> pd.DataFrame:
    """What evaluation in half precision changes, as text; `rows` is study 1's half_precision."""
    texts = rows.assign(
        text=[
            with_interval(*row, digits=4) for row in rows[["mean", "ci_low", "ci_high"]].to_numpy()
        ],
        **{name: [f"{count:,}" for count in rows[name]] for name in ("images", "cells")},
    )
    keys = ["images", "cells", "n"]
    grid = texts.pivot(index=keys, columns="what", values="text")[["agreement", "change"]]
    grid = grid.loc[pd.MultiIndex.from_frame(texts[keys].drop_duplicates())]  # in their order
    heads = {
        "agreement": "bfloat16 with float32",
        "change": "with the truth: float32 less bfloat16",
    }
    return grid.rename(columns=heads).rename_axis(columns=None).reset_index().astype(str)


def whole_table(rows: pd.DataFrame) -> pd.DataFrame:
    """How supernets rank all cells of a space, as text; `rows` is the table whole of study 3."""
    return pd.DataFrame(
        {
            "space": rows["space"],
            "n": [f"{row.n}{'*' * row.failed}" for row in rows.itertuples()],
            "supernets": [
                with_interval(*row) for row in rows[["mean", "ci_low", "ci_high"]].to_numpy()
            ],
            **{
                head: ["–" if math.isnan(value) else f"{value:.2f}" for value in rows[name]]
                for name, head in {"parameters": "parameters", "flops": "FLOPs"}.items()
            },
        }
    )


def describe_runs(configs: list[SupernetConfig], nets: dict) -> pd.DataFrame:
    """How the runs were made, from their configs: one row a setting they share.

    Args:
        configs: of one profile.
        nets: the profile's networks by size.
    """
    first = configs[0]
    rows = {
        "networks": "; ".join(f"{name}: {net}" for name, net in nets.items()),
        **describe_protocol(first.data, first.train, first.evaluate),
        "sampling": first.sampler,
        "cells evaluated": describe_cells(first.cells),
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def describe_cells(cells: AnyCells) -> str:
    """Which cells of its subspace a run evaluates."""
    if isinstance(cells, DrawnCells):
        return f"{cells.count:,} random of those in {cells.table or 'the space'}"
    top = f" and the true top {cells.top}" if cells.top else ""
    return f"{cells.random:,} random (all, if fewer){top}"


def describe_protocol(
    data: DataConfig, train: TrainConfig, evaluate: EvaluateConfig
) -> dict[str, str]:
    """How a network is trained and evaluated, one entry a setting."""
    size = f"averaged down to {data.size}x{data.size} pixels" if data.size else "at full size"
    return {
        "images": f"{data.name}, {data.train_images:,} to train and {data.validation_images:,} "
        f"held out to validate, {size}",
        "batch normalisation": "scale and shift learned; evaluated with the statistics of "
        + {
            "batch": f"the validation batch ({evaluate.batch_size} images)",
            "tracked": "training (running mean)",
            "calibrated": f"{evaluate.calibration_batches} training batches for each cell",
        }[evaluate.batch_norm],
        "training": f"{train.epochs} epochs, batches of {train.batch_size}, "
        f"{'RMSprop' if train.rmsprop else 'SGD'} with momentum {train.momentum:g}"
        f"{' (Nesterov)' if train.nesterov else ''}, "
        f"learning rate {train.learning_rate:g} to {train.final_learning_rate:g} by a cosine, "
        f"weight decay {train.weight_decay:g}, "
        + (f"gradients clipped to norm {train.gradient_clip:g}, " if train.gradient_clip else "")
        + train.precision,
        "augmentation": f"random crop after padding {train.crop_padding} pixels, random flip",
    }


def describe_bench(bench: Bench) -> pd.DataFrame:
    """What all runs of a self-made benchmark share, from its definition: one row a setting."""
    rows = {
        "cells": f"{len(bench.chosen_cells()):,} connected cells of "
        f"{SPACES[bench.space].TITLE}, drawn at random",
        "seeds": f"{bench.seeds} a cell",
        "networks": str(bench.net),
        **describe_protocol(bench.data, bench.train, bench.evaluate),
    }
    return pd.DataFrame(rows.items(), columns=["setting", "value"])


def machine(records: list[Record]) -> str:
    """Where and with what the runs were computed, and how long one took."""
    places: dict[str, list[float]] = {}
    for found in (record.measurement for record in records):
        versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
        place = f"{found.device} ({found.cpu}, {found.threads} thread(s) each; {versions})"
        places.setdefault(place, []).append(found.train_seconds + found.evaluate_seconds)
    return "; ".join(
        f"{len(seconds)} runs on {place}, {min(seconds) / 60:.1f} to {max(seconds) / 60:.1f} "
        f"minutes a run, {sum(seconds) / 3600:.1f} hours in all"
        for place, seconds in places.items()
    )
