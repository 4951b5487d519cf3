"""What the networks of all spaces do alike: take one path through themselves, or many."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from nasrepro.nets.memo import MEMO_SIZE, Key, Recent
from nasrepro.spaces import AnyPath


class PathNetwork(nn.Module, ABC):
    """A network in which architectures are paths; a space says what follows its stem."""

    stem: nn.Module
    classifier: nn.Linear

    @property
    def positions(self) -> int:
        """How many searched cells follow each other; one, where paths are no repeated cells."""
        return 1

    def forward(self, x: Tensor, cell: AnyPath) -> Tensor:
        """Logits of one path.

        Args:
            x: normalised images, (batch, 3, height, width).
            cell: the path.

        Returns:
            Logits, (batch, classes).

        Raises:
            ConfigError: if the network does not offer what the path needs.
        """
        return next(self.forward_many(x, [cell]))

    def forward_many(
        self, x: Tensor, cells: Iterable[AnyPath], keep: int = MEMO_SIZE
    ) -> Iterator[Tensor]:
        """Logits of many paths on the same images, sharing what they have in common.

        The stem is computed once; so is what paths in a row share where they begin, with all that
        leads to it. Sorted by `path`, they share most.

        Args:
            x: normalised images, (batch, 3, height, width).
            cells: the paths.
            keep: tensors kept for later paths, at least 1.

        Yields:
            Logits of each path, (batch, classes), equal to `forward`'s.

        Raises:
            ConfigError: if the network does not offer what a path needs.
        """
        x, memo = self.through_stem(x), Recent(keep)
        for cell in cells:
            self.check_offers(cell)
            yield self.after_stem(x, cell, memo)

    def through_stem(self, x: Tensor) -> Tensor:
        """What all paths read."""
        return self.stem(x)

    @abstractmethod
    def after_stem(self, x: Tensor, cell: Any, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path the network offers.

        Args:
            x: what the stem made of the images.
            cell: the path.
            memo: what earlier paths computed from this same x, and where this one leaves what it
                computes.
        """

    @abstractmethod
    def check_offers(self, cell: Any) -> None:
        """Raise a ConfigError that says what a path needs and the network does not offer."""
