"""From alphas to the weights of operations."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn import functional as F

Relax = Callable[[Tensor], Tensor]  # from alphas to the weights of one forward pass


@dataclass(frozen=True)
class Relaxation:
    """How alphas become weights.

    Attributes:
        weights: from alphas (edges, operations), the share of the search that is over and a
            generator to the weights of one forward pass, of the same shape.
        mean: the weights that stand for all draws.
        paths: operations that are computed on each edge; None: all.
        drawn: whether two calls give different weights.
        leaves_out: whether it can leave out alternatives: see `among`.
    """

    weights: Callable[[Tensor, float, torch.Generator], Tensor]
    mean: Callable[[Tensor], Tensor]
    paths: int | None = None
    drawn: bool = True
    leaves_out: bool = False


def softmax(alphas: Tensor) -> Tensor:
    """DARTS (SoTL thesis, equation 3.8)."""
    return alphas.softmax(dim=-1)


def among(alphas: Tensor, offered: Tensor | None) -> Tensor:
    """Alphas that stand for no alternative are minus infinity, of which relaxations make zeros.

    Args:
        alphas: (choices, alternatives).
        offered: which of them stand for one, bool of the same shape; None: all.
    """
    return alphas if offered is None else alphas.masked_fill(~offered, -math.inf)


def strongest(scores: Tensor, count: int) -> Tensor:
    """Which alternatives of each choice have the largest scores, bool; the first of equal ones.

    Args:
        scores: (choices, alternatives).
        count: of alternatives that a choice keeps.

    >>> strongest(torch.tensor([[0.1, 0.3, 0.2], [0.0, 0.0, 0.0]]), 2).tolist()
    [[False, True, True], [True, True, False]]
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, order[:, :count], True)


def concentrations(alphas: Tensor) -> Tensor:
    """Those of DrNAS' Dirichlet distributions, ELU + 1 (Chen et al. 2021)."""
    return F.elu(alphas) + 1


def dirichlet(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """DrNAS: drawn from a Dirichlet distribution on each edge, with pathwise gradients.

    Some weights of such a draw, divided by their sum, are drawn from the Dirichlet distribution of
    these alone: so the authors leave out operations (Chen et al. 2021).
    """
    left_out = alphas.isneginf()
    beta = concentrations(alphas).masked_fill(left_out, 1.0)
    with torch.random.fork_rng(devices=[]):  # its draws take no generator
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        drawn = Dirichlet(beta.cpu()).rsample().to(beta)  # the same on every device
    if not left_out.any():
        return drawn
    kept = drawn.masked_fill(left_out, 0.0)
    return kept / kept.sum(dim=-1, keepdim=True)


def gumbel(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """GDAS: one operation an edge, drawn by the Gumbel trick (Dong & Yang 2019).

    Its weight is 1 and passes on the gradient of a softmax whose temperature falls from 10 to 0.1.
    The others are not computed, so their weights send none.
    """
    temperature = 10 + (0.1 - 10) * progress
    noise = -torch.empty_like(alphas).exponential_(generator=generator).log()
    soft = ((alphas.log_softmax(dim=-1) + noise) / temperature).softmax(dim=-1)
    hard = F.one_hot(soft.argmax(dim=-1), soft.shape[-1]).to(soft)
    return hard - soft.detach() + soft


def categorical(alphas: Tensor, progress: float, generator: torch.Generator) -> Tensor:
    """One operation an edge, drawn by the softmax, without a gradient."""
    chosen = torch.multinomial(alphas.detach().softmax(dim=-1), 1, generator=generator)[:, 0]
    return F.one_hot(chosen, alphas.shape[-1]).to(alphas)


def _mean_of_dirichlet(alphas: Tensor) -> Tensor:
    beta = concentrations(alphas)
    return beta / beta.sum(dim=-1, keepdim=True)


RELAXATIONS: Mapping[str, Relaxation] = {
    "softmax": Relaxation(
        lambda alphas, *_: softmax(alphas), softmax, drawn=False, leaves_out=True
    ),
    "dirichlet": Relaxation(dirichlet, _mean_of_dirichlet, leaves_out=True),
    "gumbel": Relaxation(gumbel, softmax, paths=1),
    "categorical": Relaxation(categorical, softmax, paths=1),
}
# Names of those that can leave out alternatives, for messages.
LEAVING_OUT = " or ".join(repr(name) for name, each in RELAXATIONS.items() if each.leaves_out)
