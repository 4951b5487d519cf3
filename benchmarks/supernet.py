"""Training and evaluation of the NAS-Bench-201 supernet: the library against two plain ways.

Plain is `plain.py`: one architecture at a time, in fp32 with PyTorch's memory layout, or in bf16
with autocast and channels-last images. All ways have equal weights, images and architectures, and
one thread.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import plain
import torch
from timing import Work, entry, in_turns
from torch import Tensor
from torch.nn import functional as F

from nasrepro.nets.config import NetConfig
from nasrepro.nets.nb101 import max_pool
from nasrepro.nets.nb201 import Network, average_pool, supernet
from nasrepro.nets.stacked import forward_stacked
from nasrepro.spaces.nb201 import Cell, Subspace
from nasrepro.train import TrainConfig, autocast, initialise, make_optimizer

COMPARED = (
    ("plain fp32", "library bf16"),
    ("plain bf16", "library bf16"),
    ("plain fp32", "library fp32"),
)


@dataclass(frozen=True)
class Case:
    """A network, its images, and how many architectures are trained and evaluated."""

    name: str
    net: NetConfig
    size: int  # height and width of the images
    batch_size: int
    steps: int  # of training, one architecture each
    evaluated: int  # architectures, on one batch
    turns: int

    def __str__(self) -> str:
        return (
            f"{self.net.channels} channels, {self.net.cells_per_stage} cells a stage, "
            f"{self.size}x{self.size} pixels, batch {self.batch_size}"
        )


CASES = (
    Case("small", NetConfig(16, 1, tracked_statistics=False), 16, 128, 30, 500, 5),
    Case("large", NetConfig(16, 5, tracked_statistics=False), 32, 64, 8, 100, 3),
)


def entries() -> Iterable[dict]:
    """Every comparison of this file, as rows of `results/bench.json`."""
    for case in CASES:
        yield from training(case)
        yield from evaluation(case)
    yield average_pooling()
    yield max_pooling()
    yield stacking()


def training(case: Case) -> Iterable[dict]:
    """Forward, loss, backward and update, one random architecture a step."""
    cells = random_cells(case.steps)
    ways = {
        "plain fp32": trainer(case, cells, plain.forward, "float32"),
        "plain bf16": trainer(case, cells, plain.forward, "bfloat16", plain.autocast),
        "library fp32": trainer(case, cells, Network.forward, "float32"),
        "library bf16": trainer(case, cells, Network.forward, "bfloat16"),
    }
    yield from compare(f"training, {case.name}", str(case), ways, case, len(cells))


def evaluation(case: Case) -> Iterable[dict]:
    """Logits of many random architectures on one batch."""
    cells = random_cells(case.evaluated)
    ways = {
        "plain fp32": evaluator(case, cells, one_by_one, "float32"),
        "plain bf16": evaluator(case, cells, one_by_one, "bfloat16", plain.autocast),
        "library fp32": evaluator(case, cells, shared, "float32"),
        "library bf16": evaluator(case, cells, shared, "bfloat16"),
    }
    what = f"{case}, {len(cells)} random architectures"
    yield from compare(f"evaluation, {case.name}", what, ways, case, len(cells))


def compare(
    name: str, what: str, ways: dict[str, Work], case: Case, batches: int
) -> Iterable[dict]:
    """The rows of four ways that were timed in turns."""
    seconds = in_turns(ways, case.turns)
    for baseline, way in COMPARED:
        yield entry(name, what, seconds, baseline, way, images=batches * case.batch_size)


def stacking() -> dict:
    """Many architectures in one batch, as on a GPU, against one after the other."""
    case, cells = CASES[0], random_cells(64)
    functions = {"one after the other": shared, "stacked": stacked}
    ways = {name: evaluator(case, cells, way, "bfloat16") for name, way in functions.items()}
    what = f"{case}, {len(cells)} random architectures, bf16"
    images = len(cells) * case.batch_size
    return entry("stacked evaluation", what, in_turns(ways, case.turns), *ways, images=images)


Pool = Callable[[Tensor], Tensor]


def average_pooling() -> dict:
    """3x3 average pooling forward and backward: PyTorch's against a depthwise convolution."""
    x = torch.randn(128, 16, 16, 16, dtype=torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    upstream = torch.ones_like(x)
    usual = partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)

    def work(pool: Pool) -> None:
        for _ in range(100):
            torch.autograd.grad(pool(x), x, upstream)

    pools: dict[str, Pool] = {"avg_pool2d": usual, "depthwise convolution": average_pool}
    ways = {name: partial(work, pool) for name, pool in pools.items()}
    what = "forward and backward, 16 channels, 16x16 pixels, batch 128, bf16, channels last"
    return entry("average pooling", what, in_turns(ways, 7), *ways)


def max_pooling() -> dict:
    """3x3 max-pooling without gradients: PyTorch's against maxima of shifted images."""
    x = torch.randn(250, 5, 16, 16, dtype=torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last)
    usual = partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)

    def work(pool: Pool) -> None:
        with torch.inference_mode():
            for _ in range(50):
                pool(x)

    pools: dict[str, Pool] = {"max_pool2d": usual, "shifted maxima": max_pool}
    ways = {name: partial(work, pool) for name, pool in pools.items()}
    what = "without gradients, 5 channels, 16x16 pixels, batch 250, bf16, channels last"
    return entry("max-pooling", what, in_turns(ways, 7), *ways)


def random_cells(count: int) -> list[Cell]:
    """The same random connected architectures for every way."""
    generator = np.random.default_rng(0)
    return [Subspace().sample(generator, connected=True) for _ in range(count)]


def prepare(case: Case, layout: torch.memory_format, device: str) -> tuple[Network, Tensor, Tensor]:
    """A supernet in training mode, a batch of noise and its labels, on a device."""
    generator = torch.Generator().manual_seed(0)
    net = supernet(case.net)
    initialise(net, generator)
    shape = (case.batch_size, 3, case.size, case.size)
    images = torch.randn(shape, generator=generator)
    labels = torch.randint(case.net.num_classes, (case.batch_size,), generator=generator)
    net = net.train().to(device).to(memory_format=layout)  # type: ignore[call-overload]
    return net, images.to(device).contiguous(memory_format=layout), labels.to(device)


def layout_of(forward: Callable, precision: str) -> torch.memory_format:
    """Plain fp32 keeps PyTorch's layout; everything else is channels-last."""
    usual = forward in (plain.forward, one_by_one) and precision == "float32"
    return torch.contiguous_format if usual else torch.channels_last


def trainer(
    case: Case,
    cells: list[Cell],
    forward: Callable,
    precision: str,
    mixed: Callable = autocast,
    device: str = "cpu",
) -> Work:
    """A function that makes one update per cell, in the mixed precision of a function."""
    net, images, labels = prepare(case, layout_of(forward, precision), device)
    optimizer = make_optimizer(net, TrainConfig(learning_rate=0.01))

    def work() -> None:
        for cell in cells:
            optimizer.zero_grad(set_to_none=True)
            with mixed(images.device, precision):
                logits = forward(net, images, cell)
            F.cross_entropy(logits.float(), labels).backward()
            optimizer.step()

    return work


def evaluator(
    case: Case,
    cells: list[Cell],
    logits_of: Callable,
    precision: str,
    mixed: Callable = autocast,
    device: str = "cpu",
) -> Work:
    """A function that computes the logits of every cell, normalised with the batch's statistics."""
    net, images, _ = prepare(case, layout_of(logits_of, precision), device)

    def work() -> None:
        with torch.inference_mode(), mixed(images.device, precision):
            logits_of(net, images, cells)

    return work


def one_by_one(net: Network, images: Tensor, cells: list[Cell]) -> None:
    """The plain way: each architecture on its own, in the order given."""
    for cell in cells:
        plain.forward(net, images, cell)


def shared(net: Network, images: Tensor, cells: list[Cell]) -> None:
    """As `nasrepro.evaluate` does on a CPU: twins once, neighbours share what they can."""
    for _ in net.forward_many(images, distinct(cells)):
        pass


def stacked(net: Network, images: Tensor, cells: list[Cell]) -> None:
    """As `nasrepro.evaluate` does on a GPU."""
    forward_stacked(net, images, distinct(cells))


def distinct(cells: list[Cell]) -> list[Cell]:
    """One cell of each path, in the order in which neighbours share most."""
    paths = {cell.path: cell for cell in cells}
    return [paths[path] for path in sorted(paths)]
