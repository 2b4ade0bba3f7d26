"""How many steps a chain takes to forget where it was, from the means of batches of steps.

The mean of n steps varies by τ times as much as that of n independent draws; the mean of a batch does too.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from kprob.numerics import select
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

    steps: mass_matrix.RunningMoments
    batches: mass_matrix.RunningMoments
    total: Tensor
    count: Tensor


def no_batches(size: int, dtype: str) -> BatchMeans:
    """Returns the moments of no steps."""
    empty = mass_matrix.no_moments(size, False, dtype)
    return BatchMeans(empty, empty, ops.zeros((size,), dtype), ops.zeros((), dtype))


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


class MeasuringWindow:
    """The transitions of a warm-up in which batch means are taken: long batches, and enough of them.

    Args:
        begin: The first of the transitions.
        end: The first one after them.
    """

    def __init__(self, begin: int, end: int):
        self.begin, self.end = begin, end
        self._batch = max(1, int(np.sqrt(end - begin)))

    def measures(self, iteration: Tensor) -> Tensor:
        """Returns whether a transition's steps count."""
        return ops.logical_and(iteration >= self.begin, iteration < self.end)

    def closed(self, iteration: Tensor, means: BatchMeans) -> BatchMeans:
        """Returns the moments after a transition, which may end a batch."""
        ends = ops.logical_and(self.measures(iteration), (iteration - self.begin) % self._batch == self._batch - 1)
        return select(ends, close(means), means)

    def is_over(self, iteration: Tensor, means: BatchMeans) -> Tensor:
        """Returns whether a transition is the last one, and there were batches enough to go by."""
        return ops.logical_and(iteration == self.end - 1, means.batches.count > 3)
