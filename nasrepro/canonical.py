"""The one text of some plain values, and its checksum."""

import hashlib
import json
from typing import Any


def canonical_json(values: Any) -> str:
    """The one JSON text of some values: sorted keys, no spaces."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(values: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()
