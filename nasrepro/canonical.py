"""The one text of some plain values or of a table, and a checksum."""

import hashlib
import io
import json
from dataclasses import field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to import
    import pandas as pd


def canonical_json(values: Any) -> str:
    """The one JSON text of some values: sorted keys, no spaces."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(values: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()


def to_csv(frame: "pd.DataFrame") -> str:
    """CSV with six significant digits, the same on every machine."""
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False, float_format="%.6g", lineterminator="\n")
    return buffer.getvalue()


def later(default: Any) -> Any:
    """A dataclass field that is younger than stored records: its default is what they were made by.

    At its default it is left out of the canonical text, so that their keys stay what they are.

    Args:
        default: an immutable value.
    """
    return field(default=default, metadata={"later": True})
