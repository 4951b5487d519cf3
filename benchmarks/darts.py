"""Differentiable searches: what an epoch of each algorithm takes, against first-order DARTS.

The networks, batches and images of study 5's profile `cpu`, with made-up pixels.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import torch
from timing import entry, in_turns

from nasrepro.darts.algorithm import Phase
from nasrepro.darts.search import initial_alphas, search
from nasrepro.data.images import Split
from nasrepro.nets.relaxed import SHAPE, RelaxedNetwork, relaxed_supernet
from nasrepro.runs.config import changed
from nasrepro.runs.search import SearchConfig
from nasrepro.studies.darts import FIRST, LONGER, PROFILES, design
from nasrepro.train import initialise

BATCHES, TURNS = 25, 3


def entries() -> Iterable[dict]:
    """Every algorithm of the study that takes another time than first-order DARTS could."""
    configs: dict[str, SearchConfig] = {}
    for config, labels in design("cpu", 1).items():
        configs.setdefault(labels["setting"], config)
    del configs[LONGER]
    what = f"a search over {BATCHES} batches of {PROFILES['cpu'].base.train.batch_size} images"
    seconds = in_turns({name: partial(epoch, config) for name, config in configs.items()}, TURNS)
    for name in configs:
        if name != FIRST:
            yield entry(name, what, seconds, FIRST, name)


def epoch(config: SearchConfig) -> None:
    """One epoch of few batches, or one of each phase of fewer, without a look at the network."""
    phases = tuple(replace(phase, epochs=1) for phase in config.algorithm.phases)
    epochs = len(phases) or 1
    images = BATCHES // epochs * config.train.batch_size
    one = {"train.epochs": epochs, "algorithm.warmup_epochs": 0}
    short = changed(config, one | {"algorithm.phases": phases})
    generators = [torch.Generator().manual_seed(seed) for seed in range(5)]
    shape = (2 * images, 3, config.data.size, config.data.size)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generators[0])
    labels = torch.randint(10, (2 * images,), generator=generators[0])
    first, second = slice(images), slice(images, None)
    split = Split(
        *(pixels[first], labels[first], pixels[second], labels[second]),
        *((0.5,) * 3, (0.25,) * 3, 10),
    )

    def build(phase: Phase) -> RelaxedNetwork:
        net = relaxed_supernet(config.net, generators[1], phase.share)
        initialise(net, generators[1])
        return net

    alphas = initial_alphas(SHAPE, short.algorithm, generators[1])
    for _ in search(build, alphas, split, short.train, short.algorithm, *generators[2:]):
        pass
