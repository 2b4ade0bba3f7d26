"""Moves of whole numbers as pure functions: exact conditional draws where there are few values, a random walk elsewhere.

The random walk steps up or down by k = ⌈s E⌉, E exponential. Counts that would become negative are reflected at −1/2: −1 is
0 again, −2 is 1. As many ways lead from x to y as back, so that Metropolis's ratio is that of the densities alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from kprob.backend import random
from kprob.samplers.kernels.impossible import impossible_if_nan
from kprob.types import Seed, Tensor


class IntegerWalk(NamedTuple):
    """The result of a step of the random walk.

    Attributes:
        value: Where the number stands now.
        accept_rate: Probability with which the proposal was accepted.
    """

    value: Tensor
    accept_rate: Tensor


def gibbs(seed: Seed, values: Tensor, log_density: Callable) -> Tensor:
    """Draws a number from its distribution conditional on everything else.

    Args:
        seed: A seed.
        values: All values that it may have (K,).
        log_density: From a value to the log-density.
    """
    number, dtype = int(values.shape[0]), keras.backend.standardize_dtype(values.dtype)

    def weigh(i: Tensor, logits: Tensor) -> tuple:
        value = impossible_if_nan(log_density(ops.take(values, i)))
        return i + 1, ops.where(ops.arange(number) == i, value, logits)

    start = ops.zeros((), "int32"), ops.zeros((number,), dtype)
    _, logits = ops.while_loop(lambda i, _: i < number, weigh, start)
    # The largest of the logits with Gumbel noise (Gumbel 1954).
    noise = -ops.log(-ops.log(random.uniform((number,), seed, dtype)))
    return ops.take(values, ops.argmax(logits + noise))


def walk(seed: Seed, value: Tensor, log_density: Callable, scale: Tensor, counts: bool) -> IntegerWalk:
    """Makes a step of the random walk.

    Args:
        seed: A seed.
        value: Where the number stands.
        log_density: From a value to the log-density.
        scale: About how far a step goes.
        counts: Whether the number is never negative.
    """
    dtype = keras.backend.standardize_dtype(value.dtype)
    length, side, luck = ops.unstack(random.uniform((3,), seed, dtype))
    step = ops.ceil(-scale * ops.log(length))
    proposal = value + ops.where(side < 0.5, -step, step)
    if counts:
        proposal = ops.where(proposal < 0.0, -1.0 - proposal, proposal)
    ratio = impossible_if_nan(log_density(proposal) - log_density(value))
    return IntegerWalk(ops.where(ops.log(luck) < ratio, proposal, value), ops.exp(ops.minimum(ratio, 0.0)))
