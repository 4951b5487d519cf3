"""What the page of a study is made from, as far as it is on this machine."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from nasrepro import benchmarks
from nasrepro.benchmarks import OFFICIAL, official_curves
from nasrepro.data.sources import SOURCES, locate
from nasrepro.errors import NasreproError
from nasrepro.paths import exists
from nasrepro.runs.bench import BENCHES
from nasrepro.runs.record import Record
from nasrepro.runs.supernet import SupernetConfig
from nasrepro.studies import results, study
from nasrepro.studies.design import in_order
from nasrepro.studies.results import Plan

T = TypeVar("T")


class Absent(NasreproError):
    """What a part of a page is made from is not here; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a part of a page was made from: tables of the study, as far as it read them, and runs.

    Attributes:
        frames: the rows of each table.
        records: of runs that were read themselves, by key.
    """

    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)


class Frames(Mapping[str, pd.DataFrame]):
    """Tables that note which of them are read."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], read: Read) -> None:
        self._frames, self._read = frames, read

    def __getitem__(self, name: str) -> pd.DataFrame:
        frame = self._read.frames[name] = self._frames[name]
        return frame

    def __contains__(self, name: object) -> bool:
        return name in self._frames

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the page of a study is made from, in one profile, as far as it is here."""

    study: str
    profile: str
    plan: Plan
    frames: Mapping[str, pd.DataFrame]  # the study's `tables`; none if there are no statistics
    read: Read = field(default_factory=Read)  # so far by the part that is made now
    # What `once` has made, and what each read.
    made: dict[Callable[..., Any], tuple[Any, Read]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", Frames(self.frames, self.read))

    def trace(self, make: Callable[["Inputs"], Any]) -> tuple[Any, Read]:
        """What a function of the inputs returns, and what it read."""
        self.read.frames.clear()
        self.read.records.clear()
        made = make(self)
        return made, Read(dict(self.read.frames), dict(self.read.records))

    def once(self, make: Callable[[Mapping[str, pd.DataFrame]], T]) -> T:
        """What a function of the frames returns, computed where a page first asks for it."""
        if make not in self.made:
            read = Read()
            self.made[make] = make(Frames(self.frames, read)), read
        found, read = self.made[make]
        self.read.frames.update(read.frames)
        return found

    def records(self, configs: Iterable[SupernetConfig]) -> list[Record]:
        """The stored records of some runs, in the order of the configs."""
        found = in_order(self.plan.stored, configs)
        self.read.records.update({record.key: record for record in found})
        return found

    def frame(self, name: str, needs: Iterable[str] = (), **equal: object) -> pd.DataFrame:
        """Some rows of one of the study's tables, at least one.

        Args:
            name: of the table.
            needs: files and benchmark tables that it is made from, besides the profile's own table.
            equal: the value that each of these columns has.

        Raises:
            Absent: if there is no such row.
        """
        frame = self.frames.get(name, pd.DataFrame())
        for column, value in equal.items() if len(frame) else ():
            frame = frame[frame[column] == value]
        if frame.empty:
            raise self.absent(needs)
        self.read.frames[name] = frame
        return frame

    def benchmark(self, name: str) -> benchmarks.Table:
        """A benchmark table; Absent if it is not on this machine."""
        if not is_here(name):
            raise Absent(how_to_get([name]))
        return benchmarks.load_table(name)

    def absent(self, needs: Iterable[str] = ()) -> Absent:
        """The error of what is not here because of missing files or, if these are here, runs."""
        if not self.frames:
            needs = (study(self.study).table_of(self.profile), *needs)
        lacking = [name for name in dict.fromkeys(needs) if not is_here(name)]
        said = [how_to_get(lacking)] if lacking else []
        if not lacking or not self.plan.stored:
            command = f"nasrepro study run {self.study} --profile {self.profile}"
            said.append(f"Not run yet in the profile {self.profile}: `{command}` computes it.")
        return Absent(" ".join(said))


def is_here(name: str) -> bool:
    """Whether a benchmark table or an external file is on this machine.

    Curves of an official file are once they are read from it, which takes a quarter of an hour.
    """
    if name in benchmarks.available_tables():
        return True
    if name == official_curves.NAME:
        return official_curves.converted() is not None
    return name in SOURCES and locate(SOURCES[name]) is not None


def how_to_get(names: Iterable[str]) -> str:
    """What is missing, and what a reader can do, as text with commands in backticks.

    >>> print(how_to_get(["nb-macro"]))  # doctest: +ELLIPSIS
    Not on this machine: nb-macro. `nasrepro data fetch nb-macro` gets it; or put the file ...
    """
    names = list(names)
    said = [f"Not on this machine: {', '.join(names)}."]
    fetched = [name for name in names if name in SOURCES]
    if fetched:
        files = ", ".join(SOURCES[name].filename for name in fetched)
        what = ("it", "the file") if len(fetched) == 1 else ("them", "the files")
        said.append(
            f"`nasrepro data fetch {' '.join(fetched)}` gets {what[0]}; or put {what[1]} {files} "
            "into a folder and set NASREPRO_DATA to it."
        )
    for name in names:
        if name in BENCHES:
            said.append(f"`nasrepro bench build {name}` makes it.")
        elif name in OFFICIAL:
            said.append(
                f"It is read from {' or '.join(OFFICIAL[name])}, the benchmark's own file: put one "
                f"into a folder and set NASREPRO_DATA to it; `nasrepro data fetch {name}` reads it."
            )
    return " ".join(said)


def read_inputs(name: str, profile: str) -> Inputs:
    """What there is of a study in a profile; ConfigError if it has no such profile."""
    plan = results.plan(name, profile)
    statistics = statistics_at_hand(plan, name, profile)
    frames = study(name).tables(statistics) if statistics else {}
    return Inputs(name, profile, plan, frames)


def statistics_at_hand(plan: Plan, name: str, profile: str) -> dict[str, pd.DataFrame]:
    """A study's statistics: computed from records and tables, else stored, else none."""
    if plan.stored and is_here(study(name).table_of(profile)):
        return results.known_statistics(name, profile)
    if exists(results.statistics_dir(name, profile)):
        return results.stored_statistics(name, profile)
    return {}
