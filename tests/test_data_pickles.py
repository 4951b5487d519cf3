"""Pickles from outside may only name what is on a list."""

import contextlib
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrepro.data.pickles import ARRAYS, restricted_load
from nasrepro.errors import DataError


class RunsCommand:
    """Unpickled without care, this runs a shell command."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_and_arrays_are_read(protocol):
    value = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2], "name": "a"}
    # `_codecs.encode` and `_frombuffer` are how Python 3 writes bytes under some protocols.
    allowed = ARRAYS | {("_codecs", "encode"), ("numpy._core.numeric", "_frombuffer")}
    loaded = restricted_load(io.BytesIO(pickle.dumps(value, protocol)), allowed)
    assert np.array_equal(loaded["data"], value["data"])
    assert (loaded["labels"], loaded["name"]) == ([1, 2], "a")


def test_the_old_name_of_a_numpy_module_still_works():
    content = pickle.dumps(np.arange(3, dtype=np.uint8), protocol=3)
    assert b"cnumpy._core.multiarray\n" in content
    old = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert restricted_load(io.BytesIO(old), ARRAYS).tolist() == [0, 1, 2]


def test_a_hostile_pickle_runs_nothing(tmp_path: Path):
    witness = tmp_path / "ran"
    content = pickle.dumps({"data": RunsCommand(f"touch {witness}")})
    with pytest.raises(DataError, match=r"asks for (posix|nt)\.system, which is not on the list"):
        restricted_load(io.BytesIO(content), ARRAYS)
    assert not witness.exists()


def test_a_dotted_name_does_not_reach_through_an_allowed_module():
    content = b"\x80\x04\x8c\x05numpy\x8c\x0adtype.type\x93."
    with pytest.raises(DataError, match=r"asks for numpy\.dtype\.type"):
        restricted_load(io.BytesIO(content), ARRAYS)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_data_error(content):
    # MemoryError: a length that no memory holds.
    with contextlib.suppress(DataError, MemoryError):
        restricted_load(io.BytesIO(content), ARRAYS)


def test_a_truncated_pickle_says_so():
    content = pickle.dumps(np.zeros(100))[:-20]
    with pytest.raises(DataError, match="not a readable pickle"):
        restricted_load(io.BytesIO(content), ARRAYS | {("numpy._core.numeric", "_frombuffer")})
