"""The length of Hamiltonian trajectories that many chains learn together: stochastic gradient ascent on ChEES.

ChEES is the change in the estimator of the expected square, E (|x - m|² - |z - m|²)² / 4, between the ends z and x of
trajectories with mean m.

Reference:
    Hoffman, Radul and Sountsov (2021), "An adaptive-MCMC scheme for setting trajectory lengths in Hamiltonian Monte Carlo".
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from kprob.types import Tensor

_RATE, _SECOND_DECAY = 0.025, 0.95  # of Adam, on the length's logarithm
_BITS = 20


class TrajectoryLength(NamedTuple):
    """State of Adam on the logarithm of the trajectories' length: scalars."""

    log_now: Tensor
    log_average: Tensor
    square: Tensor
    count: Tensor


def start(dtype: str) -> TrajectoryLength:
    """Returns the state before the first transition: a length of one standard deviation."""
    zero = ops.zeros((), dtype)
    return TrajectoryLength(zero, zero, zero, zero)


def update(length: TrajectoryLength, slope: Tensor) -> TrajectoryLength:
    """Returns the state after a transition: a step of Adam uphill; the average is what stays after the warm-up.

    Args:
        length: The state.
        slope: Derivative of the criterion by the length's logarithm.
    """
    slope = ops.where(ops.isfinite(slope), slope, ops.zeros_like(slope))
    count = length.count + 1.0
    square = _SECOND_DECAY * length.square + (1.0 - _SECOND_DECAY) * ops.square(slope)
    unbiased = square / (1.0 - _SECOND_DECAY**count)
    log_now = length.log_now + ops.clip(_RATE * slope / (ops.sqrt(unbiased) + 1e-8), -0.35, 0.35)
    share = count**-0.5
    return TrajectoryLength(log_now, share * log_now + (1.0 - share) * length.log_average, square, count)


def criterion_slope(z: Tensor, x: Tensor, momentum: Tensor, rates: Tensor) -> Tensor:
    """Returns the derivative of ChEES by the time that trajectories take.

    Args:
        z: Where they begin, (chains, d).
        x: Where they end.
        momentum: Momenta there.
        rates: Acceptance probabilities, (chains,).
    """
    finite = ops.all(ops.isfinite(x), axis=-1)
    x = ops.where(finite[:, None], x, z)
    weights = ops.where(finite, rates, ops.zeros_like(rates))
    shares = weights / ops.maximum(ops.sum(weights), 1e-10)
    centred = x - ops.sum(shares[:, None] * x, axis=0)
    begun = z - ops.mean(z, axis=0)
    change = ops.sum(ops.square(centred), axis=-1) - ops.sum(ops.square(begun), axis=-1)
    each = change * ops.sum(centred * ops.where(finite[:, None], momentum, ops.zeros_like(momentum)), axis=-1)
    return ops.sum(shares * each)


def halton(iteration: Tensor, dtype: str) -> Tensor:
    """Returns a number of van der Corput's sequence: the binary digits of a count, mirrored at the point.

    It fills (0, 1) evenly.
    """
    powers = ops.convert_to_tensor(2 ** np.arange(_BITS, dtype="int32"))
    digits = ops.cast(((iteration + 1) // powers) % 2, dtype)
    return ops.sum(digits / ops.cast(2 * powers, dtype))
