"""Networks of the NAS-Bench-101 space: supernet and stand-alone network from the same modules.

The macro skeleton is the benchmark's (Ying et al. 2019, figure 1): stem, three stages of searched
cells with max-pooling between them, mean over the image, classifier. A cell sums what reaches a
vertex and concatenates what reaches its output; what comes from its input is projected.

A vertex of the supernet is the vertex of that number in the numbering of the path's cell, as in
Pourchot's code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.errors import ConfigError
from nasrepro.nets.config import CellNetConfig
from nasrepro.nets.convolution import Conv2d
from nasrepro.nets.memo import Key, once
from nasrepro.nets.paths import PathNetwork
from nasrepro.spaces.nb101 import Cell, Subspace
from nasrepro.spaces.nb101_codes import MAX_VERTICES, OPERATIONS, decode

STAGES = 3
KERNEL_SIZES = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}  # the other operation has no weights
OUTPUT = "output"  # names the projection that joins a cell's input to its output

# From weights [out, in, k, k] or feature maps [batch, channels, h, w], fewer along dimension 1.
Choose = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, slots=True)
class Slot:
    """What a vertex offers: operations (the output has none), channels, a projected input."""

    operations: tuple[str, ...]
    channels: int
    projected: bool

    def is_in(self, other: "Slot") -> bool:
        """Whether the other offers all that this one does."""
        return (
            set(self.operations) <= set(other.operations)
            and self.channels <= other.channels
            and self.projected <= other.projected
        )


def first(x: Tensor, channels: int) -> Tensor:
    """The first channels, as the benchmark's own networks drop one that is too many."""
    return x[:, :channels]


def interpolated(x: Tensor, channels: int) -> Tensor:
    """Means over neighbouring channels, which overlap where they do not divide evenly."""
    if channels == x.shape[1]:
        return x
    shares = F.adaptive_avg_pool1d(torch.eye(x.shape[1], device=x.device), channels)
    return F.conv2d(x, shares.T[:, :, None, None].to(x.dtype))


@dataclass(frozen=True)
class Shuffled:
    """Some of the channels in random order, drawn anew each time."""

    generator: torch.Generator

    def __call__(self, x: Tensor, channels: int) -> Tensor:
        """The chosen channels; all, as they are, where none is left out."""
        if channels == x.shape[1]:
            return x
        order = torch.randperm(x.shape[1], generator=self.generator)
        return x[:, order[:channels].to(x.device)]


class PartialBatchNorm(nn.BatchNorm2d):
    """Batch normalisation of the first channels where its input has fewer than it has."""

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        if channels == self.num_features:
            return super().forward(x)
        tracks = self.training and self.track_running_stats and self.running_mean is not None
        batches = self.num_batches_tracked
        if tracks and batches is not None:
            batches.add_(1)
        uses_running = self.running_mean is not None and (tracks or not self.training)
        mean, var, scale, shift = (
            None if parameter is None else parameter[:channels]
            for parameter in (
                self.running_mean if uses_running else None,
                self.running_var if uses_running else None,
                self.weight,
                self.bias,
            )
        )
        cumulative = tracks and self.momentum is None and batches is not None
        share = 1 / int(batches) if cumulative else self.momentum or 0.0
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(x, mean, var, scale, shift, by_batch, share, self.eps)


class ConvBNReLU(nn.Module):
    """Convolution, batch normalisation and ReLU, with as few channels as a path has."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, config: CellNetConfig, choose: Choose
    ) -> None:
        super().__init__()
        self.choose = choose
        self.conv = Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        self.bn = PartialBatchNorm(
            c_out,
            momentum=config.statistics_momentum,
            affine=config.affine,
            track_running_stats=config.tracked_statistics,
        )

    def forward(self, x: Tensor, channels: int, kernel: int) -> Tensor:
        """Channels that `choose` makes of all; the inner part of the kernel if a smaller is asked.

        Yu (section 4.4) and his code choose among a kernel's inputs and its normalised outputs.
        """
        weight = self.choose(_middle(self.conv.weight, kernel), x.shape[1])
        if self.choose is first:  # it can come before what treats channels apart
            return F.relu(self.bn(F.conv2d(x, weight[:channels], padding=kernel // 2)))
        return self.choose(F.relu(self.bn(F.conv2d(x, weight, padding=kernel // 2))), channels)


class SearchedCell(nn.Module):
    """The candidate operations of each vertex, and the projections of the cell's input."""

    def __init__(
        self, slots: Sequence[Slot], c_in: int, config: CellNetConfig, choose: Choose
    ) -> None:
        super().__init__()
        self.width = slots[-1].channels
        self.vertices = nn.ModuleList(
            nn.ModuleDict(_operations(slot, config, choose)) for slot in slots[:-1]
        )
        names = [*map(str, range(1, len(slots))), OUTPUT]
        self.projections = nn.ModuleDict(
            {
                name: ConvBNReLU(c_in, slot.channels, 1, config, choose)
                for name, slot in zip(names, slots, strict=True)
                if slot.projected
            }
        )

    def forward(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Concatenate what the output's inputs bring, and add the projected input if it is one.

        Args:
            x: (batch, channels, height, width).
            cell: the path.
            memo: what earlier cells computed from this same x, and where this one leaves what it
                computes. A value's key is the channels and operations that lead to it.
        """
        inputs, *vertices = cell.path
        channels = vertex_channels(cell.matrix[None], self.width)[0].tolist()
        values, keys = [x], [()]
        for vertex, (sources, operation) in enumerate(vertices, 1):
            width = channels[vertex]
            key = (vertex, operation, width, *(keys[source] for source in sources))
            compute = partial(self._operate, vertex, operation, sources, values, width, memo)
            value, key = once(memo, key, compute)
            values.append(value)
            keys.append(key)
        concatenated = [values[source] for source in inputs if source]
        terms = [torch.cat(concatenated, dim=1)] if concatenated else []
        if 0 in inputs:
            terms.append(self._project(OUTPUT, x, self.width, memo))
        return sum(terms[1:], terms[0])

    def _operate(
        self,
        vertex: int,
        operation: str,
        sources: Sequence[int],
        values: Sequence[Tensor],
        width: int,
        memo: dict[Key, Tensor],
    ) -> Tensor:
        """What a vertex makes of the values of its sources; the cell's input is projected first."""
        terms = [first(values[source], width) for source in sources if source]
        if 0 in sources:
            terms.append(self._project(str(vertex), values[0], width, memo))
        x = sum(terms[1:], terms[0])
        if operation not in KERNEL_SIZES:
            return max_pool(x)
        return self.vertices[vertex - 1][operation](x, x.shape[1], KERNEL_SIZES[operation])

    def _project(self, name: str, x: Tensor, width: int, memo: dict[Key, Tensor]) -> Tensor:
        return once(memo, (name, width), lambda: self.projections[name](x, width, 1))[0]


class Network(PathNetwork):
    """The macro skeleton with what each vertex of its cells offers.

    Args:
        slots: from the channels of a stage to what its cells' inner vertices and output offer.
        config: width, depth, classes and batch normalisation.
        choose: how a path takes fewer channels than a vertex offers.
    """

    def __init__(
        self,
        slots: Callable[[int], Sequence[Slot]],
        config: CellNetConfig,
        choose: Choose = first,
    ) -> None:
        super().__init__()
        self.slots, self.choose = slots, choose
        widths = [config.channels * 2**stage for stage in range(STAGES)]
        self.stem = ConvBNReLU(3, widths[0], 3, config, choose)
        self.stages = nn.ModuleList(
            nn.ModuleList(
                SearchedCell(slots(width), width if index else c_in, config, choose)
                for index in range(config.cells_per_stage)
            )
            for c_in, width in zip([widths[0], *widths], widths, strict=False)
        )
        self.classifier = nn.Linear(widths[-1], config.num_classes)

    def through_stem(self, x: Tensor) -> Tensor:
        """What all paths read."""
        return self.stem(x, self.stem.conv.out_channels, 3)

    def after_stem(self, x: Tensor, cell: Cell, memo: dict[Key, Tensor]) -> Tensor:
        """Logits of a path; in the first cell, paths share vertices and what leads to them."""
        for stage, searched_cells in enumerate(self.stages):
            if stage > 0:
                x = F.max_pool2d(x, 2)
            for searched in searched_cells:
                x = searched(x, cell, memo)
                memo = {}  # later cells read another input for every path
        return self.classifier(x.mean(dim=(2, 3)))

    def check_offers(self, cell: Cell) -> None:
        """Raise a ConfigError if the network lacks an operation, an input or channels of a cell."""
        for width in (searched[0].width for searched in self.stages):
            *offered, output = self.slots(width)
            *wanted, wanted_output = cell_slots(cell, width)
            if len(wanted) > len(offered):
                raise ConfigError(
                    f"this network has {len(offered)} inner vertices, too few for {cell}"
                )
            wants, haves = (*wanted, wanted_output), (*offered[: len(wanted)], output)
            for vertex, (want, have) in enumerate(zip(wants, haves, strict=True), 1):
                if not want.is_in(have):
                    raise ConfigError(f"vertex {vertex} of this network offers {have}, not {want}")


def supernet(
    config: CellNetConfig,
    subspace: Subspace,
    generator: torch.Generator | None = None,
) -> Network:
    """A supernet of every cell of a subspace.

    Args:
        config: width, depth, batch normalisation, and what paths share.
        subspace: with a fixed number of outputs, all its cells have equally many channels on every
            vertex, but for one that a remainder adds.
        generator: draws the channels of a config whose narrowing is "shuffled"; on the CPU.

    Raises:
        ConfigError: if channels are shuffled and there is no generator.
    """
    chooses: dict[str, Choose] = {"first": first, "interpolated": interpolated}
    if generator is not None:
        chooses["shuffled"] = Shuffled(generator)
    if config.narrowing not in chooses:
        raise ConfigError(f"narrowing={config.narrowing!r} needs a generator")
    outputs = subspace.outputs or 1

    def slots(width: int) -> list[Slot]:
        inner = Slot(OPERATIONS, -(-width // outputs), projected=True)
        return [inner] * (MAX_VERTICES - 2) + [Slot((), width, projected=True)]

    return Network(slots, config, chooses[config.narrowing])


def cell_slots(cell: Cell, width: int) -> list[Slot]:
    """What the stand-alone network of a cell offers in a stage of that width."""
    channels = vertex_channels(cell.matrix[None], width)[0].tolist()
    operations = [*((operation,) for operation in cell.operations), ()]
    return [
        Slot(operation, count, (0, vertex) in cell.edges)
        for vertex, (operation, count) in enumerate(zip(operations, channels[1:], strict=True), 1)
    ]


def stand_alone(cell: Cell, config: CellNetConfig) -> Network:
    """The network of one cell on its own: the supernet of a single path."""
    return Network(lambda width: cell_slots(cell, width), config)


def extract(supernet: Network, cell: Cell, config: CellNetConfig) -> Network:
    """The stand-alone network of a cell with a copy of its path's weights in the supernet.

    Raises:
        ConfigError: if the network lacks the cell, or its paths do not have separate weights.
    """
    supernet.check_offers(cell)
    if supernet.choose is not first:
        raise ConfigError("a path has separate weights only where it takes the first channels")
    alone = stand_alone(cell, config)
    weights = supernet.state_dict()
    alone.load_state_dict(
        {key: _part(weights[key], value.shape) for key, value in alone.state_dict().items()}
    )
    return alone


def max_pool(x: Tensor) -> Tensor:
    """3x3 max-pooling with stride 1.

    PyTorch's also finds where each maximum lies, for gradients, and is slow where channels are few.
    Without gradients, maxima of the shifted images are several times faster on the CPU.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return F.max_pool2d(x, 3, stride=1, padding=1)
    for dimension in (2, 3):
        pixels = x.shape[dimension] - 1
        after, before = x.narrow(dimension, 1, pixels), x.narrow(dimension, 0, pixels)
        x = x.clone()
        for start, shifted in ((0, after), (1, before)):
            part = x.narrow(dimension, start, pixels)
            torch.maximum(part, shifted, out=part)
    return x


def vertex_channels(matrices: np.ndarray, width: int) -> np.ndarray:
    """The channels of every vertex, as the benchmark computes them.

    Those joined to the output share its channels, the first ones one more where they do not divide
    evenly; any other has as many as the widest of the vertices it leads to.

    Args:
        matrices: of pruned cells with equally many vertices, integer [n, vertices, vertices].
        width: channels of the output.

    Returns:
        int64 [n, vertices]; of the input, 0: its channels are not the cell's to choose.

    >>> both = Cell(((0, 1), (1, 2), (0, 3), (1, 3), (2, 3)), ("maxpool3x3",) * 2)
    >>> vertex_channels(both.matrix[None], 15)
    array([[ 0,  8,  7, 15]])
    """
    last = matrices.shape[1] - 1
    joined = matrices[:, 1:last, last].astype(np.int64)
    outputs = np.maximum(joined.sum(axis=1, keepdims=True), 1)
    more = np.cumsum(joined, axis=1) <= width % outputs
    channels = np.zeros((len(matrices), last + 1), dtype=np.int64)
    channels[:, last] = width
    channels[:, 1:last] = joined * (width // outputs + more)
    for vertex in range(last - 2, 0, -1):
        targets = matrices[:, vertex, vertex + 1 : last] * channels[:, vertex + 1 : last]
        widest = targets.max(axis=1)
        channels[:, vertex] = np.where(joined[:, vertex - 1], channels[:, vertex], widest)
    return channels


def count_parameters(
    codes: np.ndarray, channels: int = 128, cells_per_stage: int = 3, classes: int = 10
) -> np.ndarray:
    """Trainable parameters of pruned cells' stand-alone networks, as the benchmark counts them.

    Args:
        codes: of pruned cells, int64 [n].
        channels: of the stem.
        cells_per_stage: searched cells in each of the three stages.
        classes: of the classifier.

    Returns:
        int64 [n].
    """
    counts = np.empty(len(codes), dtype=np.int64)
    for rows, matrices, operations in decode(codes):
        sizes = np.array([KERNEL_SIZES.get(operation, 0) for operation in OPERATIONS])[operations]
        total = 3 * 9 * channels + 2 * channels
        for stage in range(STAGES):
            width = channels * 2**stage
            before = width // 2 if stage else width
            by_vertex = vertex_channels(matrices, width)
            inner = by_vertex[:, 1:-1]
            convolutions = (sizes**2 * inner**2 + 2 * inner * (sizes > 0)).sum(axis=1)
            projected = (matrices[:, 0, 1:] * by_vertex[:, 1:]).sum(axis=1)  # channels
            inputs = before + (cells_per_stage - 1) * width
            total = total + cells_per_stage * convolutions
            total = total + projected * (inputs + 2 * cells_per_stage)
        counts[rows] = total + width * classes + classes
    return counts


def _operations(slot: Slot, config: CellNetConfig, choose: Choose) -> dict[str, ConvBNReLU]:
    """The convolutions of a vertex by name; with a single kernel, the widest one for all names."""
    sizes = {name: KERNEL_SIZES[name] for name in slot.operations if name in KERNEL_SIZES}
    if config.kernels == "single" and sizes:
        shared = ConvBNReLU(slot.channels, slot.channels, max(sizes.values()), config, choose)
        return dict.fromkeys(sizes, shared)
    return {
        name: ConvBNReLU(slot.channels, slot.channels, size, config, choose)
        for name, size in sizes.items()
    }


def _middle(weight: Tensor, kernel: int) -> Tensor:
    """The inner part of a kernel, [out, in, kernel, kernel]."""
    margin = (weight.shape[2] - kernel) // 2
    return weight[:, :, margin : margin + kernel, margin : margin + kernel]


def _part(weight: Tensor, shape: torch.Size) -> Tensor:
    """The first channels of a weight or statistic, and the inner part of its kernel."""
    part = weight[tuple(slice(size) for size in shape[:2])]
    return _middle(part, shape[2]) if len(shape) == 4 else part
