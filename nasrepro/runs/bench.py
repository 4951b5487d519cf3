"""Making a benchmark: which cells are trained, how, and the packed file of it.

Runs are kept in a folder, one file per run, like those of supernets, and packed into one Parquet
file; a run that is in either of them is not computed again. The folder is not tracked, the packed
file is.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nasrepro import agreement
from nasrepro.benchmarks import OTHERS, Table, load_table, ready_tables, selfmade
from nasrepro.benchmarks.selfmade import CURVES, Packed
from nasrepro.canonical import canonical_json, to_csv
from nasrepro.errors import ConfigError, DataError, meant
from nasrepro.evaluate import EvaluateConfig, check_batches, check_fits
from nasrepro.nets.config import CellNetConfig, ChainNetConfig, NetConfig
from nasrepro.paths import exists, result, results_dir, results_dirs
from nasrepro.runs.config import changed, from_dict, to_dict
from nasrepro.runs.execute import execute
from nasrepro.runs.families import check_parts, family_of
from nasrepro.runs.kinds import STANDALONE
from nasrepro.runs.locks import failures, locked
from nasrepro.runs.parts import AnyCells, AnyNet, CellsConfig, DataConfig, DrawnCells
from nasrepro.runs.record import Measurement, Record, from_values, head_values
from nasrepro.runs.setup import check_inputs
from nasrepro.runs.standalone import ARRAYS, StandaloneConfig
from nasrepro.runs.store import Store, write_atomically
from nasrepro.spaces import SPACES, AnyCell, AnySubspace, name_of
from nasrepro.spaces.macro import Subspace as MacroSubspace
from nasrepro.spaces.nb101 import Subspace as CellSubspace
from nasrepro.spaces.nb201 import Subspace
from nasrepro.train import TrainConfig

MEASURED = tuple(field.name for field in fields(Measurement))


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a benchmark there is."""

    runs: int  # that it will have
    packed: int
    loose: int  # in the folder, not packed yet
    diverged: int
    complete: int  # cells all of whose runs are stored and none diverged
    cells: int
    cpu_seconds: float  # of the stored runs
    computing: int = 0  # now, by whatever client
    failures: Mapping[str, str] = field(default_factory=dict)  # why missing runs failed, by key

    def __str__(self) -> str:
        """The line for the command line."""
        stored = self.packed + self.loose
        text = (
            f"{stored} of {self.runs} runs stored ({self.packed} packed, {self.diverged} "
            f"diverged), {self.complete} of {self.cells} cells complete"
        )
        if now := [
            f"{count} {what}"
            for count, what in ((self.computing, "being computed"), (len(self.failures), "failed"))
            if count
        ]:
            text += f"; {', '.join(now)}"
        if not stored:
            return text
        mean, missing = self.cpu_seconds / stored, self.runs - stored
        text += f"; {mean:.1f} CPU seconds per run"
        return f"{text}, about {mean * missing / 3600:.2g} CPU hours to go" if missing else text


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark to make: its cells, its seeds, and what all runs share.

    Its cells are the connected ones of a random sample of its space, in the order in which they
    were drawn: nothing that is measured decides which they are, and a longer list begins with a
    shorter one.
    """

    name: str
    data: DataConfig
    net: AnyNet
    train: TrainConfig
    evaluate: EvaluateConfig
    seeds: int
    cells: int | None = None  # the largest number of them; None: all
    subspace: AnySubspace = field(default_factory=Subspace)
    fixed: tuple[tuple[int, str], ...] = ()  # places of one operation in all cells: edges, blocks
    sample: AnyCells = field(default_factory=CellsConfig)  # the supernets' own by default

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise ConfigError(
                f"a benchmark's name has small letters, digits and dashes, found {self.name!r}"
            )
        if self.name in OTHERS:
            raise ConfigError(f"{self.name} is a published table; choose another name")
        check_parts(self.subspace, self.net, self.sample)
        space = SPACES[self.space]
        for place, operation in self.fixed:
            space.check_operations([operation])
            if place not in range(space.PLACES):
                raise ConfigError(
                    f"a cell of {space.TITLE} has {space.PLACES} places whose operation can be "
                    f"fixed, counted from 0; found {place}"
                )
        if self.seeds < 1 or (self.cells is not None and self.cells < 1):
            raise ConfigError(
                "a benchmark has at least 1 cell and 1 seed, "
                f"found cells={self.cells}, seeds={self.seeds}"
            )
        check_fits(self.evaluate, self.net.tracked_statistics, self.data.train_images)
        check_batches(self.evaluate, self.data.validation_images)

    def __str__(self) -> str:
        """The sentence for the command line."""
        size = f" at {self.data.size}x{self.data.size} pixels" if self.data.size else ""
        return (
            f"{SPACES[self.space].TITLE} cells on {self.data.name}{size}, "
            f"{self.data.train_images:,} training images, {self.train.epochs} epochs, {self.net}; "
            f"{self.seeds} seed(s) per cell"
        )

    @property
    def space(self) -> str:
        """A key of `SPACES`."""
        return name_of(self.subspace)

    def config(self, cell: AnyCell, seed: int) -> StandaloneConfig:
        """One run."""
        return StandaloneConfig(self.data, cell, self.net, self.train, self.evaluate, seed)

    def chosen_cells(self) -> list[AnyCell]:
        """The cells, in the order in which they are trained; ConfigError if there are none.

        A DataError says that the table from which the sample is drawn is not available.
        """
        chosen = [
            cell
            for cell in family_of(self.subspace).draw(self.subspace, self.sample)
            if all(cell.operations[place] == operation for place, operation in self.fixed)
        ][: self.cells]
        if not chosen:
            raise ConfigError(f"no cell of the sample of {self.name} is connected and as fixed")
        return chosen

    def configs(self) -> list[StandaloneConfig]:
        """The runs, all seeds of a cell next to each other: any beginning is a usable table."""
        return [
            self.config(cell, seed) for cell in self.chosen_cells() for seed in range(self.seeds)
        ]


DIGITS = DataConfig("digits", train_images=1_000, validation_images=250, size=8)
DIGITS_TRAIN = TrainConfig(epochs=10, batch_size=50, learning_rate=0.1, crop_padding=1)
DIGITS_EVALUATE = EvaluateConfig("tracked", batch_size=250)
BENCHES = {
    bench.name: bench
    for bench in (
        Bench(
            name=selfmade.NAME,
            data=DataConfig("cifar10", train_images=10_000, validation_images=2_500, size=16),
            # The network and training of study 1's cpu profile, on fewer images and for less long.
            net=NetConfig(channels=16, cells_per_stage=1),
            train=TrainConfig(
                epochs=10,
                batch_size=128,
                learning_rate=0.05,
                weight_decay=3e-3,
                crop_padding=2,
                precision="bfloat16",
            ),
            evaluate=EvaluateConfig("tracked", batch_size=500, precision="bfloat16"),
            seeds=2,
            cells=500,
        ),
        Bench(
            name="nb201-digits",
            data=DIGITS,
            net=NetConfig(channels=8, cells_per_stage=1),
            train=DIGITS_TRAIN,
            evaluate=DIGITS_EVALUATE,
            seeds=2,
            # 3^3 cells: a chain of three operations, and a pooling beside every part of it. With
            # Skip there, or 1x1 Conv in place of Pool, seeds hardly agree: all cells do well.
            subspace=Subspace.without("none", "nor_conv_1x1"),
            fixed=((1, "avg_pool_3x3"), (3, "avg_pool_3x3"), (4, "avg_pool_3x3")),
        ),
        # To begin with in the other spaces: as many random cells of each.
        Bench(
            name="nb101-digits",
            data=DIGITS,
            net=CellNetConfig(channels=8, cells_per_stage=1, statistics_momentum=0.1),
            train=DIGITS_TRAIN,
            evaluate=DIGITS_EVALUATE,
            seeds=2,
            subspace=CellSubspace(),
            sample=DrawnCells(count=27, table=None),
        ),
        Bench(
            name="macro-digits",
            data=DIGITS,
            net=ChainNetConfig(channels=8, last_channels=64),
            train=DIGITS_TRAIN,
            evaluate=DIGITS_EVALUATE,
            seeds=2,
            subspace=MacroSubspace(),
            sample=DrawnCells(count=27, table=None),
        ),
    )
}


# ---- which benchmark


def find(name: str) -> Bench:
    """A benchmark of the library or of the user; ConfigError that lists them if there is none."""
    if name in BENCHES:
        return BENCHES[name]
    path = definition(name)
    if not exists(path):
        raise ConfigError(
            f"unknown benchmark {name!r}{meant(name, names())}; there are {', '.join(names())}; "
            "make one of your own after another: "
            f"nasrepro bench build {name} --like nb201-digits -p train.epochs=20"
        )
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")), Bench)
    except (OSError, ValueError, ConfigError) as error:
        raise DataError(f"{path} defines no benchmark ({error}); delete it") from None


def names() -> list[str]:
    """Names of the library's benchmarks and of the user's."""
    return [*BENCHES, *selfmade.names_of(".json")]


def define(name: str, like: str, changes: Mapping[str, Any]) -> Bench:
    """A user's own benchmark after another one; it is kept, so that its name finds it again.

    Args:
        name: a new one.
        like: name of a benchmark that there is.
        changes: values by dotted paths, e.g. `{"train.epochs": 20}`.

    Raises:
        ConfigError: if a path or a value does not fit, the benchmark has no cells, or the name
            stands for something else.
    """
    if "name" in changes:
        raise ConfigError(f"the benchmark is named {name!r} already; leave out -p name=...")
    bench = changed(find(like), {"name": name, **changes})
    bench.configs()  # before it is kept: a sample can be empty
    before = find(name) if name in names() else None
    if before != bench:
        if before and (name in BENCHES or has_runs(before)):
            raise ConfigError(f"{name} is another benchmark already; choose another name")
        write_atomically(_own(f"{name}.json"), canonical_json(to_dict(bench)) + "\n")
    return bench


def has_runs(bench: Bench) -> bool:
    """Whether a run of a benchmark is stored, packed or not."""
    return exists(selfmade.location(bench.name)) or bool(store(bench).stored_keys())


def definition(name: str) -> Path:
    """Where the definition of a user's own benchmark lies."""
    return result(selfmade.FOLDER, f"{name}.json")


def _own(name: str) -> Path:
    """Where a file or folder of a benchmark is written."""
    return results_dir() / selfmade.FOLDER / name


# ---- its runs


def store(bench: Bench) -> Store:
    """The runs in the folder, one file per run."""
    own, *behind = (folder / selfmade.FOLDER / bench.name for folder in results_dirs())
    return Store(own, STANDALONE, tuple(behind))


def build(
    bench: Bench,
    runs: int | None = None,
    workers: int = 0,
    device: str = "cpu",
    scheduler: str | None = None,
) -> None:
    """Compute the runs that are missing, and pack all there are; see `execute`.

    Args:
        bench: what to build.
        runs: the largest number to compute of those that are neither packed nor in the folder;
            None for all, 0 to pack only.
        workers: as in `execute`.
        device: as in `execute`.
        scheduler: as in `execute`; what its workers need is not asked of this machine.

    Raises:
        ConfigError: before anything is computed, if the definition or the device does not fit, or
            there is no such cluster.
        DataError: before, too, if the images are not available, or a stored run is damaged or does
            not belong.
        NasreproError: if a run failed; the others are stored and packed.
    """
    done, folder = packed(bench), store(bench)
    missing = [config for config in bench.configs() if config.key not in done]
    if runs is not None:
        missing = [c for c in missing if not exists(folder.path(c.key))][:runs]
    if missing and scheduler is None:
        check_inputs(missing, device)
    try:
        execute(missing, STANDALONE.compute, folder, workers, device, scheduler=scheduler)
    finally:
        pack(bench)


def pack(bench: Bench) -> None:
    """Write the packed file anew if the folder has runs that it lacks, and its statistics.

    Raises:
        DataError: if a stored run is damaged or does not belong.
    """
    done, path = packed(bench), _own(f"{bench.name}.parquet")
    records = stored(bench, done)
    more = len(records) > len(done)
    if more:
        rows = [to_row(record) for record in records]
        write_atomically(path, selfmade.to_bytes(Packed(bench.space, to_dict(bench), rows)))
    elif not exists(path):
        return  # all is in a store that is only read
    enough = progress(bench).complete > 1  # for a correlation
    if enough and (more or others(bench.space)):
        save_statistics(bench.name)


def packed(bench: Bench) -> dict[str, Record]:
    """The packed runs by their key; DataError if the file is damaged or they do not belong."""
    path = selfmade.location(bench.name)
    if not exists(path):
        return {}
    contents = selfmade.read(path)
    if different := sorted(
        part
        for part in ("data", "net", "train", "evaluate")
        if contents.bench.get(part) != to_dict(bench)[part]
    ):
        raise DataError(
            f"{path} was built with other settings ({', '.join(different)}); move it away, "
            f"or define a benchmark of another name"
        )
    records = {record.key: record for record in (from_row(row, bench) for row in contents.rows)}
    if strange := records.keys() - {config.key for config in bench.configs()}:
        raise DataError(
            f"{path} has {len(strange)} runs of cells or seeds that do not belong to {bench.name}; "
            "move it away"
        )
    if len(records) < len(contents.rows):
        raise DataError(f"{path} has a run more than once; move it away")
    return records


def stored(bench: Bench, done: Mapping[str, Record]) -> list[Record]:
    """All runs there are, packed or not, in the benchmark's order."""
    folder = store(bench)
    records = (done.get(c.key) or folder.load(c.key) for c in bench.configs())
    return [record for record in records if record is not None]


def progress(bench: Bench) -> Progress:
    """How much of a benchmark there is; DataError as `build`."""
    done, folder = packed(bench), store(bench)
    records = stored(bench, done)
    ok = Counter(record.config.cell for record in records if record.status == "ok")
    missing = {config.key for config in bench.configs()} - {record.key for record in records}
    return Progress(
        runs=len(records) + len(missing),
        packed=len(done),
        loose=len(records) - len(done),
        diverged=sum(record.status == "diverged" for record in records),
        complete=sum(count == bench.seeds for count in ok.values()),
        cells=len(bench.chosen_cells()),
        cpu_seconds=sum(record.measurement.cpu_seconds for record in records),
        computing=len(locked(folder) & missing),
        failures={key: why for key, why in failures(folder).items() if key in missing},
    )


def verify(bench: Bench) -> Iterator[str]:
    """Every problem of the packed file and of the runs in the folder."""
    try:
        packed(bench)
    except DataError as error:
        yield str(error)
    folder = store(bench)
    for _, problem in folder.verify():
        yield problem
    known = {config.key for config in bench.configs()}
    for key in folder.stored_keys():
        if key not in known:
            yield f"{folder.path(key)} does not belong to {bench.name}; delete it"


def to_row(record: Record) -> dict[str, Any]:
    """A record as a row of the packed file; what a diverged run lacks is None."""
    values = head_values(record)
    measurement = values["measurement"]
    return {
        "cell": str(record.config.cell),
        "seed": record.config.seed,
        "status": record.status,
        **{name: [epoch[name] for epoch in values["history"]] for name in CURVES},
        **{name: record.arrays[name].item() if name in record.arrays else None for name in ARRAYS},
        **{name: measurement.get(name) for name in MEASURED},
        "versions": canonical_json(measurement["versions"]),
    }


def from_row(row: Mapping[str, Any], bench: Bench) -> Record:
    """The record of a row; DataError if the row is none."""
    try:
        cell = SPACES[bench.space].Cell.parse(row["cell"])
        epochs = zip(*(row[name] for name in CURVES), strict=True)
        measurement = {name: row[name] for name in MEASURED if row.get(name) is not None}
        values = {
            "config": to_dict(bench.config(cell, row["seed"])),
            "status": row["status"],
            "history": [dict(zip(CURVES, epoch, strict=True)) for epoch in epochs],
            "measurement": measurement | {"versions": json.loads(row["versions"])},
        }
        arrays = {name: np.asarray(row[name]) for name in ARRAYS if row[name] is not None}
        return from_values(values, arrays, STANDALONE)
    except (ConfigError, DataError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"a packed row of {bench.name} is not a run: {error}") from None


# ---- its statistics


def others(space: str) -> dict[str, Table]:
    """The tables of a space that others published and that are on this machine, by name.

    An official file counts once `load_table` has converted it, which can take a quarter of an hour.
    """
    return {name: load_table(name) for name in ready_tables() if OTHERS.get(name) == space}


def statistics(name: str) -> pd.DataFrame:
    """Noise ceiling, baselines and agreement with the tables that are here.

    Raises:
        DataError: if there is no packed file, it is damaged, or has fewer than two complete cells.
    """
    curves = selfmade.load_curves(name)
    return agreement.statistics(curves, others(curves.space))


def save_statistics(name: str) -> None:
    """Keep the statistics beside the packed file, for machines without the tables of others."""
    write_atomically(_own(f"{name}.csv"), to_csv(statistics(name)))


def stored_statistics(name: str) -> pd.DataFrame:
    """The statistics kept beside the packed file; DataError if there are none."""
    path = selfmade.location(name).with_suffix(".csv")
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"no statistics of {name} can be read ({error}); nasrepro bench build {name}"
        ) from None
