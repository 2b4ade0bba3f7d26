"""How many steps a chain takes to forget where it was, from the means of batches of steps.

The mean of n steps varies by τ times as much as that of n independent draws; the mean of a batch does too.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from kprob.samplers.adaptation import mass_matrix
from kprob.types import Tensor


class BatchMeans(NamedTuple):
    """Running moments of steps and of the means of batches of them.

    Attributes:
        steps: Moments of all positions.
        batches: Moments of the batches' means.
        total: Sum of the positions in this batch (d,).
        count: Positions in this batch.
    """

    steps: mass_matrix.Moments
    batches: mass_matrix.Moments
    total: Tensor
    count: Tensor


def no_batches(size: int, dtype: str) -> BatchMeans:
    """Returns the moments of no steps."""
    empty = mass_matrix.no_moments(size, False, dtype)
    return BatchMeans(empty, empty, ops.zeros((size,), dtype), ops.zeros((), dtype))


def batch_length(number: int) -> int:
    """Returns how many of a number of transitions make a batch: long ones, and enough of them."""
    return max(1, int(np.sqrt(number)))


def add(means: BatchMeans, position: Tensor) -> BatchMeans:
    """Returns the moments with one more step."""
    return BatchMeans(mass_matrix.add(means.steps, position), means.batches, means.total + position, means.count + 1.0)


def close(means: BatchMeans) -> BatchMeans:
    """Returns the moments after the end of a batch."""
    batches = mass_matrix.add(means.batches, means.total / ops.maximum(means.count, 1.0))
    return BatchMeans(means.steps, batches, ops.zeros_like(means.total), ops.zeros_like(means.count))


def steps_to_forget(means: BatchMeans) -> Tensor:
    """Returns τ, steps per independent draw, the mean of all coordinates."""
    length = means.steps.count / ops.maximum(means.batches.count, 1.0)
    within = means.steps.squares / ops.maximum(means.steps.count - 1.0, 1.0)
    between = means.batches.squares / ops.maximum(means.batches.count - 1.0, 1.0)
    return ops.mean(length * between / ops.maximum(within, 1e-30))
