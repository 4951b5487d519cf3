"""The network of NAS-Bench-1Shot1: one whose cells hold every encoding of a space.

Zela et al. 2020, and their code, whose model differs from the benchmark's own networks: every
choice block has the channels of its stage, whatever is joined to the output; the cell's projected
input is concatenated there like the blocks, not added; what is not chosen is zero; and a 1x1
convolution brings the last cell's output down to the channels of a stage. Operations, stem and
stages are those of NAS-Bench-101.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.convolution import Conv2d
from nasrepro.nets.memo import Key, once
from nasrepro.nets.nb101 import KERNEL_SIZES, STAGES, ConvBNReLU, first, max_pool
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces.nb1shot1 import OPERATIONS, Cell, Subspace


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cells of a network have.

    Attributes:
        blocks: the operations of each inner vertex; () of one that is left out.
        readers: the vertices that can have the cell's input as theirs; the output is the last.
        outputs: the vertices that can be joined to the output, ascending; the input is 0.
    """

    blocks: tuple[tuple[str, ...], ...]
    readers: tuple[int, ...]
    outputs: tuple[int, ...]


class ChoiceCell(nn.Module):
    """The choice blocks of a cell and the projections of its input."""

    def __init__(self, offer: Offer, c_in: int, channels: int, config: CellNetConfig) -> None:
        super().__init__()
        self.outputs = offer.outputs
        self.channels = channels
        self.projections = nn.ModuleDict(
            {str(v): ConvBNReLU(c_in, channels, 1, config, first) for v in offer.readers}
        )
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: ConvBNReLU(channels, channels, KERNEL_SIZES[name], config, first)
                    for name in operations
                    if name in KERNEL_SIZES
                }
            )
            for operations in offer.blocks
        )

    @property
    def last(self) -> int:
        """The number of the output."""
        return len(self.blocks) + 1

    def forward(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Concatenate what can be joined to the output, with zeros for what is not.

        Args:
            x: (batch, channels, height, width).
            cell: the path.
            memo: what earlier cells computed from this same x; see `PathNetwork.after_stem`.
        """
        joined, *vertices = cell.path
        values: dict[int, Tensor] = {}
        keys: dict[int, Key] = {0: ()}
        for vertex, inner in enumerate(vertices, 1):
            if inner:
                sources, operation = inner
                key = (vertex, operation, *(keys[source] for source in sources))
                compute = partial(self._operate, vertex, operation, sources, x, values, memo)
                values[vertex], keys[vertex] = once(memo, key, compute)
        if 0 in joined:
            values[0] = self._project(self.last, x, memo)
        known = {vertex: values[vertex] for vertex in joined}
        blank = torch.zeros_like(known[joined[0]])
        return torch.cat([known.get(vertex, blank) for vertex in self.outputs], dim=1)

    def operate(self, vertex: int, operation: str, x: Tensor) -> Tensor:
        """An operation of a block on the sum of its inputs."""
        if operation not in KERNEL_SIZES:
            return max_pool(x)
        return self.blocks[vertex - 1][operation](x, self.channels, KERNEL_SIZES[operation])

    def project(self, vertex: int, x: Tensor) -> Tensor:
        """The cell's input as a vertex reads it."""
        return self.projections[str(vertex)](x, self.channels, 1)

    def _operate(
        self,
        vertex: int,
        operation: str,
        sources: Sequence[int],
        x: Tensor,
        values: dict[int, Tensor],
        memo: dict[Key, Tensor],
    ) -> Tensor:
        terms = [values[s] if s else self._project(vertex, x, memo) for s in sources]
        return self.operate(vertex, operation, sum(terms[1:], terms[0]))

    def _project(self, vertex: int, x: Tensor, memo: dict[Key, Tensor]) -> Tensor:
        return once(memo, ("projected", vertex), lambda: self.project(vertex, x))[0]


class Network(PathNetwork):
    """Stem, three stages of cells with max-pooling between them, convolution, mean, classifier."""

    def __init__(self, offer: Offer, config: CellNetConfig) -> None:
        super().__init__()
        if (config.kernels, config.narrowing) != ("separate", "first"):
            raise ConfigError(
                "the network of NAS-Bench-1Shot1 has separate kernels, and all of a block's "
                "channels in each path: take kernels='separate' and narrowing='first'"
            )
        self.offer = offer
        widths = [config.channels * 2**stage for stage in range(STAGES)]
        self.stem = ConvBNReLU(3, widths[0], 3, config, first)
        c_in = widths[0]
        stages = []
        for width in widths:
            cells = []
            for _ in range(config.cells_per_stage):
                cells.append(ChoiceCell(offer, c_in, width, config))
                c_in = width * len(offer.outputs)
            stages.append(nn.ModuleList(cells))
        self.stages = nn.ModuleList(stages)
        self.reduction = Conv2d(c_in, widths[-1], 1, bias=False)
        self.norm = nn.BatchNorm2d(
            widths[-1],
            momentum=config.statistics_momentum,
            affine=False,
            track_running_stats=config.tracked_statistics,
        )
        self.classifier = nn.Linear(widths[-1], config.num_classes)

    def through_stem(self, x: Tensor) -> Tensor:
        """What all paths read."""
        return self.stem(x, self.stem.conv.out_channels, 3)

    def after_stem(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path; in the first cell, paths share blocks and what leads to them."""
        for stage, cells in enumerate(self.stages):
            if stage > 0:
                x = F.max_pool2d(x, 2)
            for searched in cells:
                x = searched(x, cell, memo)
                memo = {}  # later cells read another input for every path
        return self.head(x)

    def head(self, x: Tensor) -> Tensor:
        """Logits of what the last cell made of the images."""
        return self.classifier(self.norm(self.reduction(x)).mean(dim=(2, 3)))

    def check_offers(self, cell: Cell) -> None:
        """Raise a ConfigError if the network lacks a block, an operation or an input of a cell."""
        wanted, offered = offer_of(cell), self.offer
        if len(wanted.blocks) != len(offered.blocks):
            raise ConfigError(
                f"this network has {len(offered.blocks)} choice blocks, {len(wanted.blocks)} "
                f"are needed for {cell}"
            )
        for vertex, (want, have) in enumerate(zip(wanted.blocks, offered.blocks, strict=True), 1):
            if not set(want) <= set(have):
                raise ConfigError(
                    f"choice block {vertex} of this network offers {', '.join(have) or 'nothing'}, "
                    f"not {want[0]}"
                )
        for what in ("readers", "outputs"):
            if lacking := set(getattr(wanted, what)) - set(getattr(offered, what)):
                vertices = ", ".join(map(str, sorted(lacking)))
                raise ConfigError(f"this network has no {what} {vertices}, needed for {cell}")


def supernet(config: CellNetConfig, subspace: Subspace) -> Network:
    """A supernet of every encoding of a space."""
    inner = range(1, subspace.blocks + 1)
    return Network(
        Offer((OPERATIONS,) * len(inner), (*inner, subspace.blocks + 1), (0, *inner)), config
    )


def offer_of(cell: Cell) -> Offer:
    """What the network of one encoding has: nothing of its loose ends."""
    joined, *vertices = cell.path
    readers = [vertex for vertex, inner in enumerate(vertices, 1) if inner and 0 in inner[0]]
    return Offer(
        blocks=tuple((inner[1],) if inner else () for inner in vertices),
        readers=(*readers, *([len(vertices) + 1] if 0 in joined else [])),
        outputs=joined,
    )


def stand_alone(cell: Cell, config: CellNetConfig) -> Network:
    """The network of one encoding on its own: the supernet of a single path."""
    return Network(offer_of(cell), config)


def extract(supernet: Network, cell: Cell, config: CellNetConfig) -> Network:
    """The network of an encoding on its own with a copy of its path's weights in the supernet.

    Convolutions that read a cell's output keep the inputs that the path joins to it.

    Raises:
        ConfigError: if the supernet lacks the path.
    """
    supernet.check_offers(cell)
    alone = stand_alone(cell, config)
    of, kept = supernet.offer.outputs, alone.offer.outputs
    places = [of.index(vertex) for vertex in kept]
    weights = supernet.state_dict()
    alone.load_state_dict(
        {
            name: _inputs(weights[name], value.shape, places, len(of))
            for name, value in alone.state_dict().items()
        }
    )
    return alone


def _inputs(weight: Tensor, shape: torch.Size, places: Sequence[int], of: int) -> Tensor:
    """The weights of some parts of a concatenation of equally many channels each."""
    if weight.shape == shape:
        return weight
    return weight.unflatten(1, (of, -1))[:, places].flatten(1, 2)
