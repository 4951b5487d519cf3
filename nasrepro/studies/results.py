"""From the store to a study's tables: what is there, what is missing, what it says.

Of any study and any kind of run: what a study consists of is in `studies.Study`.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nasrepro.benchmarks import Table, available_tables, load_table
from nasrepro.canonical import to_csv
from nasrepro.errors import ConfigError, DataError, NasreproError, meant
from nasrepro.paths import exists, result, results_dir
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.execute import execute
from nasrepro.runs.finetune import SUPERNET_SECONDS, FinetuneConfig
from nasrepro.runs.kinds import KINDS, kind_of, store_of
from nasrepro.runs.locks import failures, locked
from nasrepro.runs.record import Record
from nasrepro.runs.setup import check_inputs
from nasrepro.runs.store import write_atomically
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import NAMES, study
from nasrepro.train import multiplies_bfloat16


@dataclass(frozen=True)
class Plan:
    """What a study has and lacks."""

    stored: list[Record]
    missing: list[Any]  # configs
    computing: frozenset[str] = frozenset()  # keys of the missing that are being computed now
    failures: dict[str, str] = field(default_factory=dict)  # why the missing failed, by key

    @property
    def seconds_stored(self) -> float:
        """What the stored runs took, in seconds of one process each."""
        return sum(seconds(record) for record in self.stored)

    @property
    def peak_memory_mb(self) -> float | None:
        """The largest memory a stored run took, in units of 10^6 bytes; None if none is stored."""
        return max((record.measurement.peak_memory_mb for record in self.stored), default=None)

    def seconds_left(self) -> float | None:
        """The time until all is stored, with as many at once as now; None if it is not known."""
        seconds, unknown = self.seconds_missing()
        if not self.missing:
            return 0.0
        return None if unknown or not self.computing else seconds / len(self.computing)

    def seconds_missing(self) -> tuple[float, int]:
        """What the missing runs will take, and how many there are whose cost is unknown.

        Training and evaluation take the mean time of an image and path in stored runs of the same
        work (`work`), so that e.g. another learning rate or number of epochs costs what is known.
        That is the time on a machine that does nothing else: see `quiet_share`. A supernet that
        several runs begin with is trained once.
        """
        rates: dict[tuple, list[float]] = defaultdict(list)
        for record in self.stored:
            if record.status == "diverged":  # and ended before its time
                continue
            spent = [record.measurement.train_seconds, record.measurement.evaluate_seconds]
            parts = list(work(record.config).items())
            if begun_with(record.config):
                parts += beginning(record.config).items()
                spent.append(float(record.arrays[SUPERNET_SECONDS]))
            share = quiet_share(record)
            for (kind, images), time in zip(parts, spent, strict=True):
                if images:
                    rates[kind].append(share * time / images)
        means = {kind: sum(found) / len(found) for kind, found in rates.items()}
        trained = {begun_with(record.config) for record in self.stored}
        begun = {begun_with(config): config for config in self.missing}
        costs = [work(config) for config in self.missing]
        unknown = sum(not cost.keys() <= means.keys() for cost in costs)
        costs += [beginning(begun[supernet]) for supernet in begun.keys() - trained - {None}]
        known = [cost for cost in costs if cost.keys() <= means.keys()]
        total = sum(means[kind] * images for cost in known for kind, images in cost.items())
        return total, unknown

    def precisions(self) -> dict[str, int]:
        """How many stored runs were computed in each precision of training."""
        return dict(Counter(map(precision_of, self.stored)))

    def asked_in_vain(self, device: str) -> bool:
        """Whether a missing run asks for bfloat16, which a device here does not multiply."""
        asked = any(config.train.precision == "bfloat16" for config in self.missing)
        return asked and not multiplies_bfloat16(device.partition(":")[0])


def work(config: Any) -> dict[tuple, int]:
    """The training and the evaluation of a run: what decides the time of an image, and how many.

    Returns:
        The numbers of images, times paths, each by what it depends on besides.
    """
    frozen = getattr(config, "frozen", False)  # paths that do not learn take less
    network = (type(config), frozen, config.net, config.data.size, config.data.name)
    train, evaluate = config.train, config.evaluate
    return {
        ("train", *network, train.batch_size, train.precision, type(train.rmsprop)): (
            config.trained_images
        ),
        ("evaluate", *network, evaluate): config.evaluated_images,
    }


def begun_with(config: Any) -> SupernetConfig | None:
    """The supernet that has to be trained before a run, which others may begin with, too."""
    starts = isinstance(config, FinetuneConfig) and config.epochs != 0
    return config.supernet if starts else None


def beginning(config: FinetuneConfig) -> dict[tuple, int]:
    """What the training of a run's supernet is for `work`, all of it."""
    (training, images), _ = work(config.supernet).items()
    return {training: images}


def seconds(record: Record) -> float:
    """Training and evaluation of a run, in seconds."""
    return record.measurement.train_seconds + record.measurement.evaluate_seconds


def quiet_share(record: Record) -> float:
    """The share of its time on the clock that a run computed: less than 1 on a busy machine.

    Not known, and called 1, of a run with several threads, which computes more seconds than pass,
    and of one on a GPU, which it waits for.
    """
    known = record.measurement.device == "cpu" and seconds(record) > 0
    return min(1.0, record.measurement.cpu_seconds / seconds(record)) if known else 1.0


def precision_of(record: Record) -> str:
    """The precision in which a run was trained, which can be another than its config asks for."""
    asked = record.config.train.precision
    return "float32" if record.measurement.bfloat16 is False else asked


def plan(name: str, profile: str, seeds: int | None = None) -> Plan:
    """The stored records and the missing runs of a study, in the order of its design."""
    stored: list[Record] = []
    missing: list[Any] = []
    for config in study(name).design(profile, seeds):
        record = store_of(kind_of(config)).load(config.key)
        if record is None:
            missing.append(config)
        else:
            stored.append(record)
    keys = {config.key for config in missing}
    stores = [store_of(kind) for kind in KINDS]
    computing = frozenset().union(*map(locked, stores)) & keys
    failed = {key: why for s in stores for key, why in failures(s).items() if key in keys}
    return Plan(stored, missing, computing, failed)


def count_stored(name: str, profile: str) -> tuple[int, int]:
    """How many runs of a study are stored, and how many it has; no record is read."""
    configs = study(name).design(profile)
    return sum(exists(store_of(kind_of(c)).path(c.key)) for c in configs), len(configs)


def compute_missing(
    name: str,
    profile: str,
    seeds: int | None = None,
    workers: int = 0,
    device: str = "cpu",
    scheduler: str | None = None,
    progress: bool = True,
) -> int:
    """Compute the runs of a study's design that the stores lack; see `execute`.

    What joins the design when others are stored, e.g. the cells that searches end with, comes after
    them.

    Returns:
        How many there were.

    Raises:
        NasreproError: as `check_inputs` before anything is computed, unless a scheduler's workers
            compute; as `execute`.
    """
    known: set[Any] = set()
    lacked = 0
    while new := [config for config in study(name).design(profile, seeds) if config not in known]:
        missing = [c for c in new if not exists(store_of(kind_of(c)).path(c.key))]
        if missing and scheduler is None:
            check_inputs(missing, device)
        for kind in KINDS:
            mine = [config for config in new if kind_of(config) is kind]
            execute(mine, kind.compute, store_of(kind), workers, device, progress, scheduler)
        known.update(new)
        lacked += len(missing)
    return lacked


def statistics_dir(name: str, profile: str) -> Path:
    """Folder of the stored statistics of a study, or where they would be written."""
    return result("statistics", name, profile)


def compute_statistics(name: str, profile: str) -> dict[str, pd.DataFrame]:
    """A study's statistics from the stored records and the benchmark table.

    Raises:
        DataError: if the store has no run of it, or the table cannot be had.
    """
    found = plan(name, profile)
    if not found.stored:
        raise DataError(
            f"no run of {name} is stored for profile {profile}; "
            f"compute some: nasrepro study run {name} --profile {profile}"
        )
    kinds = dict.fromkeys(kind_of(record.config) for record in found.stored)
    records = [record for kind in kinds for record in store_of(kind).records()]
    return study(name).statistics(records, profile, _truth(name, profile))


def collect(name: str, profile: str) -> Path | None:
    """Keep the statistics of the runs there are, for machines without the benchmark table.

    Returns:
        Their folder; None if no run lies in the store that is written to: then the statistics of
        the store behind it stand.

    Raises:
        DataError: as `compute_statistics`.
    """
    places = [(store_of(kind_of(config)), config.key) for config in study(name).design(profile)]
    begun = any(exists(store.path(key)) for store, key in places)
    if begun and not any(store.has(key) for store, key in places):
        return None
    return save_statistics(name, profile, compute_statistics(name, profile))


def _truth(name: str, profile: str) -> Table:
    """The table that is the truth of a profile; DataError that says what works without it."""
    table = study(name).table_of(profile)
    try:
        return load_table(table)
    except NasreproError as error:
        mend = f"build it: nasrepro bench build {table}" if table in BENCHES else _without_others()
        raise DataError(
            f"the runs of {name} are stored, but their statistics need the table {table}: {error}; "
            f"{mend}"
        ) from None


def _without_others() -> str:
    """Which profiles of which studies need no table of others, and what they need."""
    ways = []
    for name in NAMES:
        for profile in study(name).PROFILES:
            if (table := study(name).table_of(profile)) in BENCHES:
                built = table in available_tables()
                before = "" if built else f"nasrepro bench build {table}, then "
                images = ", ".join(sorted({c.data.name for c in study(name).design(profile)}))
                ways.append(
                    f"{before}nasrepro study run {name} --profile {profile} (only images: {images})"
                )
    return f"without that table: {'; or '.join(ways)}"


def save_statistics(name: str, profile: str, frames: dict[str, pd.DataFrame]) -> Path:
    """Write statistics as CSV beside the records; returns their folder."""
    folder = results_dir() / "statistics" / name / profile
    for table, frame in frames.items():
        write_atomically(folder / f"{table}.csv", to_csv(frame))
    return folder


def stored_statistics(name: str, profile: str) -> dict[str, pd.DataFrame]:
    """The statistics kept beside the records; DataError if there are none."""
    files = sorted(statistics_dir(name, profile).glob("*.csv"))
    if not files:
        raise DataError(
            f"no statistics of {name} are stored for profile {profile}; with the benchmark table "
            f"at hand, compute them: nasrepro study run {name} --profile {profile}"
        )
    return {file.stem: _read_csv(file) for file in files}


def _read_csv(file: Path) -> pd.DataFrame:
    """A frame as it was stored: labels are texts, also those that look like numbers or nothing.

    Raises:
        DataError: if it cannot be read.
    """
    types = dict.fromkeys(study(file.parent.parent.name).TEXTS, str)
    try:
        return pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # also what pandas raises
        raise DataError(
            f"the stored statistics in {file} cannot be read ({error}); bring the file back, or "
            "collect them again: nasrepro study collect"
        ) from error


def known_statistics(name: str, profile: str) -> dict[str, pd.DataFrame]:
    """A study's statistics: computed as far as its tables are on this machine, else stored.

    Raises:
        DataError: if nothing can be computed and nothing is stored.
    """
    if study(name).table_of(profile) not in available_tables():
        return stored_statistics(name, profile)
    computed = compute_statistics(name, profile)
    stored = exists(statistics_dir(name, profile))
    return (stored_statistics(name, profile) if stored else {}) | computed


def table(name: str, profile: str, wanted: str) -> pd.DataFrame:
    """One table of a study, from `known_statistics`.

    Raises:
        ConfigError: if the study has no table of that name; it lists those it has.
    """
    tables = study(name).tables(known_statistics(name, profile))
    if wanted not in tables:
        raise ConfigError(
            f"{name} has no table {wanted!r}{meant(wanted, tables)}; "
            f"its tables are {', '.join(tables)}"
        )
    return tables[wanted]
