"""Estimators of an architecture's quality from how its training goes: SoTL and its rivals.

All are pure functions along the last axis of an array, e.g. (cells, steps), and give what the
estimator says after each step: a minibatch when a path of a supernet is trained on (SoTL thesis
4.2), an epoch when a network is trained from scratch (4.2.1). A loss is the mean cross-entropy of
the images of a step before the step's update, never smoothed; sums of accuracies take the place of
sums of losses where a table has no losses, under another name.

Where the authors' published code, or a peer's, computes something else than the text says, both
are here, by different names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from nasrepro.errors import ConfigError, meant

EMA_DECAY = 0.999  # of Ru et al. 2021
PEER_WEIGHT = 0.99  # of NASLib, per epoch


def sotl(losses: ArrayLike) -> np.ndarray:
    """Sum over training losses: of all steps so far (SoTL thesis 2.3, 3.1; Ru et al. 2021).

    Args:
        losses: shape (..., steps).

    Returns:
        The same shape; less is better.

    >>> sotl([[2.0, 1.0, 0.5]]).tolist()
    [[2.0, 3.0, 3.5]]
    """
    return np.cumsum(np.asarray(losses, dtype=np.float64), axis=-1)


def sotl_e(losses: ArrayLike, window: int) -> np.ndarray:
    """SoTL-E: the sum over the last `window` steps, e.g. the minibatches of an epoch, or 1 epoch.

    Args:
        losses: shape (..., steps).
        window: how many steps; where there are fewer so far, all of them.

    Returns:
        The same shape; less is better.

    Raises:
        ConfigError: if the window is no step long.

    >>> sotl_e([4.0, 2.0, 1.0, 0.5], window=2).tolist()
    [4.0, 6.0, 3.0, 1.5]
    >>> sotl_e([1e17, np.inf, 1.0, 2.0], window=1).tolist()  # what is past is forgotten
    [1e+17, inf, 1.0, 2.0]
    """
    if window < 1:
        raise ConfigError(f"SoTL-E sums over at least 1 step, found window={window}")
    values = np.asarray(losses, dtype=np.float64)
    early = sotl(values[..., :window])
    if values.shape[-1] <= window:
        return early
    # Summed window by window: a difference of sums would keep what large losses have rounded away.
    late = sliding_window_view(values[..., 1:], window, axis=-1).sum(axis=-1)
    return np.concatenate([early, late], axis=-1)


def sotl_ema(losses: ArrayLike, decay: float = EMA_DECAY) -> np.ndarray:
    """SoTL-EMA: the sum in which a loss counts decay^k after k further steps (Ru et al. 2021).

    Args:
        losses: shape (..., steps).
        decay: from 0, which leaves the last loss alone, to 1, which is SoTL.

    Returns:
        The same shape; less is better.

    Raises:
        ConfigError: if the decay lies outside.

    >>> sotl_ema([4.0, 2.0, 1.0], decay=0.5).tolist()
    [4.0, 4.0, 3.0]
    """
    _check_share(decay)
    return _recursive(losses, lambda total, loss: decay * total + loss)


def summed_ema(losses: ArrayLike, weight: float = PEER_WEIGHT) -> np.ndarray:
    """What NASLib calls SoTL-EMA: the sum of all moving averages so far, almost SoTL itself.

    Args:
        losses: shape (..., steps).
        weight: of the newest loss in the average, which begins at the first loss.

    Returns:
        The same shape; less is better.

    Raises:
        ConfigError: if the weight lies outside 0 to 1.

    The averages are 4, 3 and 2:

    >>> summed_ema([4.0, 2.0, 1.0], weight=0.5).tolist()
    [4.0, 7.0, 9.0]
    """
    _check_share(weight)
    return sotl(_recursive(losses, lambda average, loss: (1 - weight) * average + weight * loss))


def last(values: ArrayLike) -> np.ndarray:
    """The newest value alone: TLMini of losses, ValAccMini of a minibatch's accuracies, ValAcc.

    Also what NASLib calls SoTL-E, "SoTLE": the loss of the last epoch.

    >>> last([4.0, 2.0]).tolist()
    [4.0, 2.0]
    """
    return np.asarray(values, dtype=np.float64)


def sog(gradients: ArrayLike) -> np.ndarray:
    """Sum of gradients, as the thesis has it (4.2.4): accumulated, then summed with their signs.

    Args:
        gradients: of each step, shape (..., steps, parameters).

    Returns:
        Shape (..., steps); more is better.

    >>> sog([[1.0, -2.0], [3.0, 1.0]]).tolist()
    [-1.0, 3.0]
    """
    return _accumulated(gradients).sum(axis=-1)


def sog_l1(gradients: ArrayLike) -> np.ndarray:
    """What the authors' code takes for SoG: the L1 norm of the accumulated gradient.

    There it is the sum of the norms of each parameter tensor, which is the same number. Their
    accumulator leaves out the first step, and counts all others but the newest twice; this one
    counts each step once.

    Args:
        gradients: of each step, shape (..., steps, parameters).

    Returns:
        Shape (..., steps); more is better.

    >>> sog_l1([[1.0, -2.0], [3.0, 1.0]]).tolist()
    [3.0, 5.0]
    """
    return np.abs(_accumulated(gradients)).sum(axis=-1)


def sogn(gradients: ArrayLike) -> np.ndarray:
    """Sum of gradient norms, as the thesis has it (4.2.4): the L1 norm of each step, added up.

    Args:
        gradients: of each step, shape (..., steps, parameters).

    Returns:
        Shape (..., steps); more is better.

    >>> sogn([[1.0, -2.0], [3.0, 1.0]]).tolist()
    [3.0, 7.0]
    """
    return sotl(np.abs(np.asarray(gradients, dtype=np.float64)).sum(axis=-1))


def sogn_l2(gradients: ArrayLike) -> np.ndarray:
    """What the authors' code takes for SoGN: the L2 norm of the whole gradient, added up.

    There each step but the first is added twice, which leaves ranks very nearly as they are; here
    once.

    Args:
        gradients: of each step, shape (..., steps, parameters).

    Returns:
        Shape (..., steps); more is better.

    >>> sogn_l2([[3.0, -4.0], [0.0, 1.0]]).tolist()
    [5.0, 6.0]
    """
    return sotl(np.linalg.norm(np.asarray(gradients, dtype=np.float64), axis=-1))


def _check_share(weight: float) -> None:
    if not 0 <= weight <= 1:
        raise ConfigError(f"the weight of SoTL-EMA lies between 0 and 1, found {weight}")


def _accumulated(gradients: ArrayLike) -> np.ndarray:
    return np.cumsum(np.asarray(gradients, dtype=np.float64), axis=-2)


def _recursive(
    losses: ArrayLike, update: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Each step's value from the one before and the step's loss; the first is the loss."""
    values = np.array(losses, dtype=np.float64)
    for step in range(1, values.shape[-1]):
        values[..., step] = update(values[..., step - 1], values[..., step])
    return values


# What a trajectory can hold: arrays of shape (cells, steps), each with steps of its own.
LOSS, ACCURACY = "loss", "accuracy"  # of the training images of each step, before its update
VALIDATION_LOSS, VALIDATION_ACCURACY = "validation_loss", "validation_accuracy"
MINI_LOSS, MINI_ACCURACY = "validation_mini_loss", "validation_mini_accuracy"  # of one minibatch
# What `sog` to `sogn_l2` give, for a trajectory has no room for the gradients themselves.
SOG, SOG_L1, SOGN, SOGN_L2 = "sog", "sog_l1", "sogn", "sogn_l2"
PARAMETERS = "parameters"  # shape (cells, 1)


@dataclass(frozen=True)
class Estimator:
    """One way to rank cells by their trajectories.

    Attributes:
        name: in tables.
        reads: the name of the array.
        curve: from the array, shape (cells, steps), to what it says after each step.
        less_is_better: whether it is a loss.
    """

    name: str
    reads: str
    curve: Callable[[ArrayLike], np.ndarray]
    less_is_better: bool = False


ESTIMATORS = {
    estimator.name: estimator
    for estimator in (
        Estimator("SoTL", LOSS, sotl, less_is_better=True),
        Estimator("SoTL-EMA", LOSS, sotl_ema, less_is_better=True),
        Estimator("SoTL-EMA (NASLib)", LOSS, summed_ema, less_is_better=True),
        Estimator("TLMini", LOSS, last, less_is_better=True),
        Estimator("sum of training accuracies", ACCURACY, sotl),
        Estimator("TAMini", ACCURACY, last),
        Estimator("ValAcc", VALIDATION_ACCURACY, last),
        Estimator("ValLoss", VALIDATION_LOSS, last, less_is_better=True),
        Estimator("ValAccMini", MINI_ACCURACY, last),
        Estimator("ValLossMini", MINI_LOSS, last, less_is_better=True),
        Estimator("SoG", SOG, last),
        Estimator("SoG (code)", SOG_L1, last),
        Estimator("SoGN", SOGN, last),
        Estimator("SoGN (code)", SOGN_L2, last),
        Estimator("parameters", PARAMETERS, last),
    )
}


def windowed(window: int) -> Estimator:
    """SoTL-E over some steps, as an estimator."""
    return Estimator(
        f"SoTL-E ({window})", LOSS, lambda losses: sotl_e(losses, window), less_is_better=True
    )


def estimator(name: str) -> Estimator:
    """The estimator of a name; ConfigError that lists them if there is none."""
    if name not in ESTIMATORS:
        raise ConfigError(
            f"unknown estimator {name!r}{meant(name, ESTIMATORS)}; "
            f"choose from {', '.join(ESTIMATORS)}"
        )
    return ESTIMATORS[name]


def scores(trajectory: Mapping[str, ArrayLike], chosen: Estimator) -> np.ndarray:
    """What an estimator says of each cell after each step: more is better.

    Args:
        trajectory: arrays by their names, shape (cells, steps).
        chosen: the estimator.

    Returns:
        Shape (cells, steps), with the steps of the array that it reads.

    Raises:
        ConfigError: if the trajectory lacks that array.

    >>> losses = [[2.0, 1.0], [1.0, 1.0]]
    >>> scores({"loss": losses}, estimator("SoTL")).tolist()
    [[-2.0, -3.0], [-1.0, -2.0]]
    """
    if chosen.reads not in trajectory:
        raise ConfigError(
            f"{chosen.name} needs {chosen.reads!r}; this trajectory has {', '.join(trajectory)}"
        )
    found = chosen.curve(trajectory[chosen.reads])
    return -found if chosen.less_is_better else found
