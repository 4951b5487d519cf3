"""How runs were made, in words: from their configs and records."""

import pandas as pd

from nasrepro.data.cell_lists import LISTS
from nasrepro.evaluate import EvaluateConfig
from nasrepro.runs.bench import Bench
from nasrepro.runs.parts import AnyCells, DataConfig, DrawnCells, DrawnEncodings, ListedCells
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.spaces import SPACES
from nasrepro.studies.results import precision_of, seconds
from nasrepro.train import TrainConfig


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
    if isinstance(cells, DrawnEncodings):
        besides = f", none of the list {cells.besides}" if cells.besides else ""
        return f"{cells.count:,} random of those in {cells.table or 'the space'}{besides}"
    if isinstance(cells, ListedCells):
        known = f" that {cells.table} has" if cells.table else ""
        return f"the {LISTS[cells.listed].count:,} of the list {cells.listed}{known}"
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
        + (f"label smoothing {train.label_smoothing:g}, " if train.label_smoothing else "")
        + train.precision
        + (" where the processor multiplies it" if train.precision == "bfloat16" else ""),
        "augmentation": f"random crop after padding {train.crop_padding} pixels, random flip"
        + (", AutoAugment" if train.augmentation == "autoaugment" else ""),
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
    """On which processors the runs were computed, in which precision, and how long one took."""
    places: dict[str, list[Record]] = {}
    for record in records:
        place = f"{record.measurement.cpu} in {precision_of(record)}"
        places.setdefault(place, []).append(record)
    return "; ".join(
        f"{len(runs)} runs on {place}, {_minutes(runs)}" for place, runs in places.items()
    )


def _minutes(records: list[Record]) -> str:
    times = [seconds(record) for record in records]
    return (
        f"{min(times) / 60:.1f} to {max(times) / 60:.1f} minutes a run, "
        f"{sum(times) / 3600:.1f} hours in all"
    )
