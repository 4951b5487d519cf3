"""What many paths have in common, computed once while they are evaluated on the same images."""

from collections.abc import Callable

from torch import Tensor

Key = tuple  # names a value inside a cell: nested tuples of what leads to it
MEMO_SIZE = 24  # tensors kept while many cells are evaluated: the values of two or three cells


class Recent(dict):
    """A dictionary that forgets its oldest entry when it grows beyond a size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def __setitem__(self, key: Key, value: Tensor) -> None:
        super().__setitem__(key, value)
        if len(self) > self.size:
            del self[next(iter(self))]


def once(memo: dict[Key, Tensor], key: Key, compute: Callable[[], Tensor]) -> tuple[Tensor, Key]:
    """The value of a key, computed if the memo lacks it, and the key; it is now the newest entry.

    What is computed and what is not depends on the keys alone: evaluations of the same cells in the
    same order go in step.
    """
    if (value := memo.pop(key, None)) is None:
        value = compute()
    memo[key] = value
    return value, key
