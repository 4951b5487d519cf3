"""Configs as plain values and back, the key that they give, and copies with other values.

A config is a frozen dataclass. A field that is younger than stored records is declared with
`canonical.later`; a union is read as the one class whose fields fit and that accepts the values.
"""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from numbers import Real
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from nasrepro.canonical import canonical_json, digest
from nasrepro.errors import ConfigError, meant

# Raised when a config of the same text means something else, so that old records no longer match.
SCHEMA = 1

T = TypeVar("T")


@cache  # equal configs have one key, and a page asks for each many times
def key_of(config: Any) -> str:
    """Name of a config's record: 16 hexadecimal digits of the canonical JSON's SHA-256."""
    return digest({"schema": SCHEMA, "config": to_dict(config)})[:16]


class RunConfig:
    """What the configs of all kinds of run have."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """Name of the record."""
        return key_of(self)

    @property
    def needed_table(self) -> str | None:
        """The table without which it cannot be run, if there is one."""
        return None

    @property
    def needed_list(self) -> str | None:
        """The list of cells without which it cannot be run, if there is one."""
        return None


def to_dict(config: Any) -> dict[str, Any]:
    """Plain dictionaries, lists, numbers and texts of a config or another dataclass.

    A whole number in a field of reals is written as a real: equal configs, equal texts.
    """
    same = _converter.structure(_converter.unstructure(config), type(config))
    return _converter.unstructure(same)


def from_dict(values: Any, kind: type[T]) -> T:
    """The dataclass of plain values; ConfigError unless they are all its fields and no others."""
    config = _structured(values, kind, kind.__name__)
    if missing := sorted(_names(_converter.unstructure(config)) - _names(values)):
        raise ConfigError(f"these values do not fit {kind.__name__}: {', '.join(missing)} missing")
    return config


def changed(config: T, changes: Mapping[str, Any]) -> T:
    """A copy of a config with other values.

    Args:
        config: a frozen dataclass.
        changes: values by dotted paths, e.g. `{"train.epochs": 20}`; a dataclass or plain values.

    Raises:
        ConfigError: if there is no such field, or a value does not fit.
    """
    return _changed(config, changes, "")


def _changed(config: Any, changes: Mapping[str, Any], where: str) -> Any:
    known = [f.name for f in fields(config)] if is_dataclass(config) else []
    hints = get_type_hints(type(config))
    top: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        name, dot, rest = path.partition(".")
        if config is None:
            whole = where.removesuffix(".")
            raise ConfigError(f"{whole} is None: give all of it, not {where + path} alone")
        if name not in known:
            has = f"{type(config).__name__} has {', '.join(known) or 'none'}"
            raise ConfigError(f"there is no setting {where + path!r}{meant(name, known)}; {has}")
        if dot:
            inner.setdefault(name, {})[rest] = value
        else:
            top[name] = _fitting(value, hints[name], where + path)
    for name, part in inner.items():
        top[name] = _changed(getattr(config, name), part, f"{where}{name}.")
    return replace(config, **top)


def _fitting(value: Any, hint: Any, name: str) -> Any:
    """A dataclass as it is, or plain values as what a field takes; ConfigError if it does not."""
    if not is_dataclass(value):
        plain = _converter.unstructure(value)
        try:
            canonical_json(plain)
        except ValueError:  # which has no text for it, and so no key
            raise ConfigError(f"{name} takes finite numbers, found {value!r}") from None
        return _structured(plain, hint, name)
    kinds = [kind for kind in get_args(hint) or (hint,) if _is_class(kind)]
    if not isinstance(value, tuple(kinds)):
        wanted = " or ".join(kind.__name__ for kind in kinds) or hint
        raise ConfigError(f"{name} takes {wanted}, found {type(value).__name__}")
    return value


def _structured(values: Any, kind: Any, name: str) -> Any:
    """Values as a type; ConfigError that says why not."""
    try:
        return _converter.structure(values, kind)
    except ConfigError:
        raise
    except Exception as error:
        reasons = "; ".join(cattrs.transform_error(error, path=name))
        raise ConfigError(f"these values do not fit {name}: {reasons}") from error


def _names(values: Any, path: str = "") -> set[str]:
    """The names of all fields inside plain values, e.g. `.train.epochs`."""
    if isinstance(values, list | tuple):
        return set().union(*(_names(value, path) for value in values))
    if not isinstance(values, dict):
        return {path}
    return set().union(*(_names(value, f"{path}.{name}") for name, value in values.items()))


@cache
def _fields(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """The names that values of a class have always had, and all that they may have."""
    known = frozenset(f.name for f in fields(kind))
    return known - {f.name for f in fields(kind) if f.metadata.get("later")}, known


# One strict converter: an unknown or missing field of a stored config is an error.
_converter = cattrs.Converter(forbid_extra_keys=True)

# What a value must be to stand in a field of a type: "false" is no bool, and 20.7 no int.
STRICT: Mapping[type, type] = {bool: bool, int: Real, float: Real, str: str}


def _structure_strictly(value: Any, kind: type) -> Any:
    """A value of a simple type, or an equal number of another; TypeError for any other."""
    fits = isinstance(value, STRICT[kind]) and (isinstance(value, bool) == (kind is bool))
    if not fits or (kind is int and value % 1 != 0):
        raise TypeError(f"expected {kind.__name__}, found {value!r}")
    return kind(value)


for _kind in STRICT:
    _converter.register_structure_hook(_kind, _structure_strictly)


def _structure_texts(value: Any, kind: Any) -> tuple[str, ...]:
    """Several texts; TypeError for one, whose letters are none."""
    if isinstance(value, str):
        raise TypeError(f"expected a list of texts, found {value!r}")
    return tuple(_structure_strictly(text, str) for text in value)


_converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _structure_texts)


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _is_union_of_classes(kind: Any) -> bool:
    union = get_origin(kind) in (Union, types.UnionType)
    return union and all(_is_class(m) or m is types.NoneType for m in get_args(kind))


@_converter.register_unstructure_hook_factory(_is_class)
def _unstructure_class(kind: type) -> Any:
    """Leave out the later fields at their default."""
    first, known = _fields(kind)
    later: dict[str, Any] = {name: override(omit_if_default=True) for name in known - first}
    return make_dict_unstructure_fn(kind, _converter, **later)


def _structure_one_of(values: Any, union: Any) -> Any:
    """Values as the one class of a union whose fields fit and that accepts them, or none."""
    if values is None and types.NoneType in get_args(union):
        return None
    names = frozenset(values) if isinstance(values, Mapping) else frozenset()
    kinds = {kind: _fields(kind) for kind in get_args(union) if _is_class(kind)}
    accepted, refused = [], []
    for kind, (first, known) in kinds.items():
        if first <= names <= known:
            try:
                accepted.append(_converter.structure(values, kind))
            except Exception as error:
                refused.append(error)
    if len(accepted) == 1:
        return accepted[0]
    if accepted:
        classes = ", ".join(type(config).__name__ for config in accepted)
        raise ConfigError(
            f"{values} can be read as each of {classes}; a field must tell them apart"
        )
    if refused:
        raise refused[0]
    differences = [
        f"{kind.__name__} (missing: {', '.join(sorted(first - names)) or 'none'}; "
        f"unknown: {', '.join(sorted(names - known)) or 'none'})"
        for kind, (first, known) in kinds.items()
    ]
    raise ConfigError(f"the fields {', '.join(sorted(names))} fit none of {', '.join(differences)}")


_converter.register_structure_hook_func(_is_union_of_classes, _structure_one_of)
