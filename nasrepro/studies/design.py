"""What a study runs: configs, each with labels that say what it stands for in tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from nasrepro.errors import ConfigError, meant
from nasrepro.runs.config import changed
from nasrepro.runs.record import Record

Labels = dict[str, str]
Design = dict[Any, Labels]  # by config, in the order in which runs matter
PART = "part"  # the label that `merged` adds


@dataclass(frozen=True)
class Times:
    """A change of a number in proportion: of a whole number to the nearest one.

    >>> Times(0.2)(0.025), Times(0.25)(2)  # no trace of binary fractions
    (0.005, 0)
    """

    factor: float

    def __call__(self, value: float) -> float:
        """The changed number."""
        product = value * self.factor
        return round(product) if isinstance(value, int) else float(f"{product:.12g}")

    def __str__(self) -> str:
        return f"x{self.factor:.3g}"


@dataclass(frozen=True)
class Share:
    """A change to a share of another whole number of the config, at least one.

    >>> from types import SimpleNamespace
    >>> Share(0.02, of="epochs")(SimpleNamespace(epochs=250))
    5
    """

    share: float
    of: str  # dotted path

    def __call__(self, config: Any) -> int:
        """The new number."""
        return max(1, round(attrgetter(self.of)(config) * self.share))

    def __str__(self) -> str:
        return f"{self.share:.0%} of {self.of}"


@dataclass(frozen=True)
class Factor:
    """A change of one thing in a baseline: a training trick, or another value of a setting.

    Attributes:
        name: in tables.
        baseline: the setting that it changes, and is compared with.
        where: it comes from: paper and section.
        change: values by dotted paths, as `changed` takes them; or a `Times` of what is there, or a
            `Share` of something else.
    """

    name: str
    baseline: str
    where: str
    change: Mapping[str, Any]


def settings_of(root: str, config: Any, factors: Iterable[Factor]) -> dict[str, Any]:
    """The config of each setting: factors may change what earlier factors have changed.

    Args:
        root: name of the setting that is no factor.
        config: its config.
        factors: each after its baseline.

    Raises:
        ConfigError: if a baseline is unknown, a name is given twice, or a change does not fit.
    """
    known = {root: config}
    for factor in factors:
        if factor.baseline not in known:
            raise ConfigError(
                f"factor {factor.name!r} changes {factor.baseline!r}, which is no setting before it"
            )
        if factor.name in known:
            raise ConfigError(f"two settings are named {factor.name!r}")
        before = known[factor.baseline]
        new = {path: _value(before, path, value) for path, value in factor.change.items()}
        known[factor.name] = changed(before, new)
    return known


def _value(config: Any, path: str, change: Any) -> Any:
    if isinstance(change, Times):
        return change(attrgetter(path)(config))
    return change(config) if isinstance(change, Share) else change


def check_asked(profile: str, known: Iterable[str], seeds: int | None) -> None:
    """Check what a design is asked for.

    Args:
        profile: a name.
        known: the names of the study's profiles.
        seeds: at most so many of each setting; None for the profile's own.

    Raises:
        ConfigError: if there is no such profile, or fewer than one seed is asked for.
    """
    if profile not in known:
        known = list(known)
        raise ConfigError(
            f"unknown profile {profile!r}{meant(profile, known)}; choose from {', '.join(known)}"
        )
    if seeds is not None and seeds < 1:
        raise ConfigError(f"at least one seed is needed, found seeds={seeds}")


def labelled(runs: Iterable[tuple[Any, Labels]]) -> Design:
    """A design of some configs and their labels.

    Raises:
        ConfigError: if two configs have the same labels and seed, so that their results would be
            pooled, or a config has two labels, so that it would be counted twice.
    """
    design: Design = {}
    configs: dict[tuple, Any] = {}
    for config, labels in runs:
        if config in design:
            raise ConfigError(
                f"run {config.key} is in a design twice: as {_text(design[config])} "
                f"and as {_text(labels)}"
            )
        same = (*sorted(labels.items()), config.seed)
        if same in configs:
            raise ConfigError(
                f"runs {configs[same].key} and {config.key} are both {_text(labels)}, seed "
                f"{config.seed}; give them labels that tell them apart"
            )
        design[config], configs[same] = labels, config
    return design


def merged(**parts: Design) -> Design:
    """One design of several, with one more label, `PART`; ConfigError as `labelled`."""
    return labelled(
        (config, {PART: part, **labels})
        for part, design in parts.items()
        for config, labels in design.items()
    )


def label_names(design: Design) -> list[str]:
    """The names of all labels, in the order in which they first come."""
    return list(dict.fromkeys(name for labels in design.values() for name in labels))


def in_order(records: Iterable[Record], design: Iterable[Any]) -> list[Record]:
    """The records of a design, in its order, which tables and figures keep."""
    by_config = {record.config: record for record in records}
    return [by_config[config] for config in design if config in by_config]


def _text(labels: Labels) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in labels.items()) or "without labels"
