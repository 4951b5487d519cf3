"""From the store to a study's tables: what is there, what is missing, what it says."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from nasrepro.benchmarks import Table, available_tables, load_table
from nasrepro.canonical import to_csv
from nasrepro.errors import ConfigError, DataError, NasreproError
from nasrepro.paths import results_dir
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.config import RunConfig
from nasrepro.runs.execute import execute
from nasrepro.runs.locks import failures, locked
from nasrepro.runs.run import check_inputs, run
from nasrepro.runs.store import Record, supernets, write_atomically
from nasrepro.studies import study


@dataclass(frozen=True)
class Plan:
    """What a study has and lacks."""

    stored: list[Record]
    missing: list[RunConfig]
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

        A run costs what the mean stored run with the same network, images, schedule and number of
        cells took; it is unknown until one such run is stored.
        """
        known: dict[tuple, list[float]] = {}
        for record in self.stored:
            known.setdefault(_cost_class(record.config), []).append(seconds(record))
        times = [known.get(_cost_class(config)) for config in self.missing]
        return sum(sum(t) / len(t) for t in times if t), sum(not t for t in times)


def _cost_class(config: RunConfig) -> tuple:
    return (config.data, config.net, config.train, config.evaluate, config.cells)


def seconds(record: Record) -> float:
    """Training and evaluation of a run, in seconds."""
    return record.measurement.train_seconds + record.measurement.evaluate_seconds


def plan(name: str, profile: str, seeds: int | None = None) -> Plan:
    """The stored records and the missing runs of a study, in the order of its grid."""
    stored, missing, store = [], [], supernets()
    for config in study(name).grid(profile, seeds):
        record = store.load(config.key)
        if record is None:
            missing.append(config)
        else:
            stored.append(record)
    keys = {config.key for config in missing}
    failed = {key: why for key, why in failures(store).items() if key in keys}
    return Plan(stored, missing, frozenset(locked(store) & keys), failed)


def compute_missing(
    name: str,
    profile: str,
    seeds: int | None = None,
    workers: int = 0,
    device: str = "cpu",
    scheduler: str | None = None,
) -> list[Record]:
    """The records of a study's grid, after computing those that the store lacks; see `execute`.

    Raises:
        NasreproError: as `check_inputs` before anything is computed, unless a scheduler's workers
            compute; as `execute`.
    """
    grid, store = study(name).grid(profile, seeds), supernets()
    missing = [config for config in grid if not store.path(config.key).exists()]
    if missing and scheduler is None:
        check_inputs(missing, device)
    return execute(grid, run, store, workers, device, scheduler=scheduler)


def statistics_dir(name: str, profile: str) -> Path:
    """Folder of the stored statistics of a study."""
    return results_dir() / "statistics" / name / profile


def compute_statistics(name: str, profile: str) -> dict[str, pd.DataFrame]:
    """A study's statistics from the stored records and the benchmark table.

    Raises:
        DataError: if the store has no run of it, or the table cannot be had.
    """
    module = study(name)
    if not plan(name, profile).stored:
        raise DataError(
            f"no run of {name} is stored for profile {profile}; "
            f"compute some: nasrepro study run {name} --profile {profile}"
        )
    return module.statistics(supernets().records(), profile, _truth(name, profile))


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
    """Which profiles need no table of others, and what they need."""
    ways = []
    for profile, chosen in study("correlations").PROFILES.items():
        if chosen.table in BENCHES:
            built = chosen.table in available_tables()
            before = "" if built else f"nasrepro bench build {chosen.table}, then "
            ways.append(
                f"{before}nasrepro study run correlations --profile {profile} "
                f"(only images: {chosen.base.data.name})"
            )
    return f"without that table: {'; or '.join(ways)}"


def save_statistics(name: str, profile: str, frames: dict[str, pd.DataFrame]) -> None:
    """Keep statistics as CSV beside the records, for machines without the benchmark table."""
    for table, frame in frames.items():
        write_atomically(statistics_dir(name, profile) / f"{table}.csv", to_csv(frame))


def stored_statistics(name: str, profile: str) -> dict[str, pd.DataFrame]:
    """The statistics kept beside the records; DataError if there are none."""
    files = sorted(statistics_dir(name, profile).glob("*.csv"))
    if not files:
        raise DataError(
            f"no statistics of {name} are stored for profile {profile}; with the benchmark table "
            f"at hand, compute them: nasrepro study run {name} --profile {profile}"
        )
    text = {
        "subspace": str,
        "size": str,
        "metric": str,
        "top": str,
        "operation": str,
        "sampler": str,
    }
    return {file.stem: pd.read_csv(file, dtype=text) for file in files}


def known_statistics(name: str, profile: str) -> dict[str, pd.DataFrame]:
    """A study's statistics: computed as far as its tables are on this machine, else stored.

    Raises:
        DataError: if nothing can be computed and nothing is stored.
    """
    if study(name).table_of(profile) not in available_tables():
        return stored_statistics(name, profile)
    computed = compute_statistics(name, profile)
    stored = statistics_dir(name, profile).is_dir()
    return (stored_statistics(name, profile) if stored else {}) | computed


def table(name: str, profile: str, wanted: str) -> pd.DataFrame:
    """One table of a study, from `known_statistics`.

    Raises:
        ConfigError: if the study has no table of that name; it lists those it has.
    """
    tables = study(name).tables(known_statistics(name, profile))
    if wanted not in tables:
        raise ConfigError(f"{name} has no table {wanted!r}; its tables are {', '.join(tables)}")
    return tables[wanted]
