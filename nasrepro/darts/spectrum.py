"""Eigenvalues of the Hessian of the alphas."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn import functional as F

from nasrepro.darts.learner import Batch


def architecture_spectrum(
    net: nn.Module,
    alphas: Tensor,
    mean: Callable[[Tensor], Tensor],
    batch: Batch,
    largest: int | None = None,
) -> np.ndarray:
    """Eigenvalues of the Hessian of a loss by the alphas, ascending, float64 (alphas,).

    By automatic differentiation, one product of Hessian and vector for each alpha, as Zela et al.
    2019 have it: it does not see the kinks of ReLU, which a difference over a finite distance
    would. A softmax leaves one direction of each edge without effect, so that as many are zero.

    Args:
        net: called as `net(images, weights)`; batch normalisation takes the batch's statistics.
        alphas: (edges, operations).
        mean: from alphas to the weights that are differentiated, as `Relaxation.mean`.
        batch: normalised images and labels.
        largest: so many of the eigenvalues, the largest, to a thousandth, by Lanczos' method, which
            takes fewer products; None: all.
    """
    images, labels = batch

    def loss(flat: Tensor) -> Tensor:
        weights = mean(flat.view_as(alphas))
        return F.cross_entropy(net(images, weights).float(), labels).cpu()

    flat = alphas.detach().flatten()
    if largest is not None:
        return _largest_eigenvalues(loss, flat, largest)
    hessian = torch.autograd.functional.hessian(loss, flat)
    return np.linalg.eigvalsh(((hessian + hessian.T) / 2).double().numpy())


def _largest_eigenvalues(loss: Callable[[Tensor], Tensor], at: Tensor, count: int) -> np.ndarray:
    """Of the Hessian of a function, ascending; from a fixed first vector."""
    at = at.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at), at, create_graph=True)

    def product(vector: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(vector.ravel()).to(gradient)
        return torch.autograd.grad(gradient, at, given, retain_graph=True)[0].double().numpy()

    size = len(at)
    hessian = LinearOperator((size, size), matvec=product, dtype=np.float64)
    first = np.random.default_rng(0).standard_normal(size)
    found = eigsh(hessian, count, which="LA", v0=first, tol=1e-3, return_eigenvectors=False)
    return np.sort(found)
