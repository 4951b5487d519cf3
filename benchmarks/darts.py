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
from nasrepro.nets.config import NetConfig
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
    pixel_draws, net_draws, *image_draws = (torch.Generator().manual_seed(s) for s in range(5))
    net_config = config.net
    assert isinstance(net_config, NetConfig)  # of NAS-Bench-201, as all of this design
    size = config.data.size or 32
    shape = (2 * images, 3, size, size)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=pixel_draws)
    labels = torch.randint(10, (2 * images,), generator=pixel_draws)
    first, second = slice(images), slice(images, None)
    split = Split(
        *(pixels[first], labels[first], pixels[second], labels[second]),
        *((0.5,) * 3, (0.25,) * 3, 10),
    )

    def build(phase: Phase) -> RelaxedNetwork:
        net = relaxed_supernet(net_config, net_draws, phase.share)
        initialise(net, net_draws)
        return net

    alphas = initial_alphas(SHAPE, short.algorithm, net_draws)
    training, validation, draws = image_draws
    for _ in search(
        build, alphas, split, short.train, short.algorithm, training, validation, draws
    ):
        pass
