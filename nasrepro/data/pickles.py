"""Pickles from outside, read without letting them call anything but a few named constructors.

A pickle can name any function and have it called. Here it may only name what is on a list.
"""

import pickle
import warnings
from collections.abc import Collection
from io import BufferedIOBase
from typing import Any

import numpy as np

from nasrepro.errors import DataError

# What a pickled dictionary of plain NumPy arrays names; `numpy.core` is the old `numpy._core`.
ARRAYS = frozenset(
    (module, name)
    for module, name in [
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
    ]
)
# The same with single NumPy numbers.
NUMBERS = ARRAYS | {("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that finds only the globals on its list, under the names the pickle uses."""

    def __init__(self, file: BufferedIOBase, allowed: Collection[tuple[str, str]], encoding: str):
        super().__init__(file, encoding=encoding)
        self.allowed = frozenset(allowed)

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.allowed:
            raise DataError(
                f"the pickle asks for {module}.{name}, which is not on the list of what it may "
                "use; it is damaged or hostile, so it was not read any further"
            )
        if module.startswith("numpy.core"):
            module = "numpy._core" + module.removeprefix("numpy.core")
        return super().find_class(module, name)


def restricted_load(
    file: BufferedIOBase, allowed: Collection[tuple[str, str]], encoding: str = "ASCII"
) -> Any:
    """Read one pickle that may only name the globals of a list.

    Args:
        file: open binary file, read from its current position.
        allowed: pairs (module, name), spelt as in the pickle; `ARRAYS` for plain NumPy
            arrays.
        encoding: how byte strings of Python 2 become text; "bytes" leaves them as bytes.

    Returns:
        The object.

    Raises:
        DataError: if the pickle names another global, or is not a readable pickle.

    >>> import io, pickle
    >>> restricted_load(io.BytesIO(pickle.dumps({"a": [1, 2]})), allowed=())
    {'a': [1, 2]}
    >>> restricted_load(io.BytesIO(pickle.dumps(print)), allowed=ARRAYS)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nasrepro.errors.DataError: the pickle asks for builtins.print, which is not on the list of...
    """
    try:
        with warnings.catch_warnings():
            # NumPy 2.4.0 to 2.4.4 warn of the integer `align` in dtypes pickled long ago.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            return RestrictedUnpickler(file, allowed, encoding).load()
    except (DataError, MemoryError, OSError):
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DataError(
            f"not a readable pickle ({type(error).__name__}: {error}); delete the file and "
            "fetch it again"
        ) from None
