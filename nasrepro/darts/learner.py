"""The weights of a supernet, and how they are trained."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from nasrepro.train import TrainConfig, autocast, learning_rate, make_optimizer

Batch = tuple[Tensor, Tensor]  # normalised images and labels
Parameters = dict[str, Tensor]


class Learner:
    """A supernet and the optimiser of its weights: they take steps, and can be put back.

    Args:
        net: called as `net(images, weights)`.
        config: schedule and optimiser.
        steps: of the whole training, which the learning rate is scheduled over.
    """

    def __init__(self, net: nn.Module, config: TrainConfig, steps: int) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config = config
        self.optimizer = make_optimizer(net, config)
        self.steps = steps
        self.losses: list[Tensor] = []  # of each step so far, before it

    @property
    def progress(self) -> float:
        """The share of the training that is over."""
        return len(self.losses) / self.steps

    def rate(self, ahead: int = 0) -> float:
        """The learning rate of the next step, or of one that lies so many steps ahead."""
        return learning_rate((len(self.losses) + ahead) / self.steps, self.config)

    def logits(self, batch: Batch, weights: Tensor, parameters: Parameters | None = None) -> Tensor:
        """Of a batch, with the supernet's own parameters or others."""
        images, _ = batch
        with autocast(images.device, self.config.precision):
            if parameters is None:
                return self.net(images, weights).float()
            return functional_call(self.net, parameters, (images, weights)).float()

    def loss(self, batch: Batch, weights: Tensor, parameters: Parameters | None = None) -> Tensor:
        """Mean cross-entropy of a batch."""
        return F.cross_entropy(self.logits(batch, weights, parameters), batch[1])

    def step(self, batch: Batch, weights: Tensor) -> None:
        """Train on a batch; whatever else the weights depend on receives its gradient, too."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(batch, weights)
        loss.backward()
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.losses.append(loss.detach())

    def parameters(self) -> Parameters:
        """The supernet's, by name."""
        return dict(self._named())

    def momenta(self) -> Parameters:
        """The momentum of each parameter, zero before the first step."""
        state = self.optimizer.state
        known = {name: state.get(p, {}).get("momentum_buffer") for name, p in self._named()}
        return {
            name: torch.zeros_like(p) if known[name] is None else known[name]
            for name, p in self._named()
        }

    def stepped(
        self, parameters: Parameters, momenta: Parameters, gradients: Sequence[Tensor], rate: float
    ) -> tuple[Parameters, Parameters]:
        """Parameters and momenta after a step of SGD, without clipping, as a function of them."""
        groups = self.optimizer.param_groups
        decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
        decays = {name: decay[id(p)] for name, p in self._named()}
        moved = {
            name: self.config.momentum * momenta[name] + gradient + decays[name] * parameters[name]
            for name, gradient in zip(parameters, gradients, strict=True)
        }
        return {name: p - rate * moved[name] for name, p in parameters.items()}, moved

    def kept(self) -> Any:
        """What `restore` puts back: weights, momentum and the number of steps."""
        state = self.net.state_dict(), self.optimizer.state_dict()
        return *copy.deepcopy(state), len(self.losses)

    def restore(self, kept: Any) -> None:
        """Put back what was kept."""
        weights, optimizer, done = kept
        self.net.load_state_dict(weights)
        self.optimizer.load_state_dict(optimizer)
        del self.losses[done:]

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        return list(self.net.named_parameters())


def widened(learner: Learner, net: nn.Module, generator: torch.Generator) -> Learner:
    """A learner of a wider network that goes on where that of a narrower one stands.

    Each new row of a tensor, in each of its dimensions, is a copy of an old one that is drawn, and
    so is its momentum: as DrNAS' authors widen a network. What it computes does change.

    Args:
        learner: of the narrower network.
        net: with the same parameters, each at least as large in every dimension.
        generator: draws the rows; on the CPU.
    """
    wider = Learner(net, learner.config, learner.steps)
    wider.losses = learner.losses
    for old, new in zip(learner.net.parameters(), net.parameters(), strict=True):
        rows = [
            torch.cat([torch.arange(few), torch.randint(few, (many - few,), generator=generator)])
            for few, many in zip(old.shape, new.shape, strict=True)
        ]
        with torch.no_grad():
            new.copy_(_copied(old, rows))
        wider.optimizer.state[new] = {
            name: _copied(value, rows) if value.shape == old.shape else value
            for name, value in learner.optimizer.state[old].items()
        }
    return wider


def _copied(values: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """The rows of a tensor that are named for each of its dimensions."""
    for dimension, chosen in enumerate(rows):
        values = values.index_select(dimension, chosen.to(values.device))
    return values
