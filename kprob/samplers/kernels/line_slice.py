"""A slice of the density along a random line, as a pure function (Neal 2003)."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from kprob.backend import random
from kprob.types import Seed, Tensor

_MAX_TRIES = 100


class SlicePoint(NamedTuple):
    """A point drawn from a slice.

    Attributes:
        z: The point (d,).
        log_density: Log-density there.
        tries: Evaluations of the density that it took.
    """

    z: Tensor
    log_density: Tensor
    tries: Tensor


def line_slice(seed: Seed, z: Tensor, value: Tensor, target: Callable, width: float, max_steps: int) -> SlicePoint:
    """Draws a point from the part of a random line where the density is above a random level.

    A bracket around the point is stepped out until its ends are below the level, then shrunk to points tried in vain.

    Args:
        seed: A seed.
        z: The point (d,).
        value: Its log-density.
        target: From a vector to its log-density.
        width: Width of the first bracket.
        max_steps: Widths by which the bracket grows at most.
    """
    dtype = keras.backend.standardize_dtype(z.dtype)
    direction = random.normal(tuple(z.shape), random.fold_in(seed, 0), dtype)
    direction = direction / ops.sqrt(ops.sum(ops.square(direction)))
    level, place, share = ops.unstack(random.uniform((3,), random.fold_in(seed, 1), dtype))
    level = value + ops.log(level)
    # Neal's limit: the steps are shared at random between the two sides, which keeps the move reversible.
    left_steps = ops.cast(ops.floor(share * max_steps), "int32")
    zero = ops.zeros((), "int32")

    def grow(end: Tensor, sign: float, steps: Tensor) -> tuple:
        def above(count: Tensor, end: Tensor) -> Tensor:
            return ops.logical_and(count < steps, target(z + end * direction) > level)

        return ops.while_loop(above, lambda count, end: (count + 1, end + sign * width), (zero, end))

    left_tries, left = grow(-place * width, -1.0, left_steps)
    right_tries, right = grow((1.0 - place) * width, 1.0, max_steps - 1 - left_steps)

    def shrink(count: Tensor, left: Tensor, right: Tensor, at: Tensor, _: Tensor) -> tuple:
        unit = ops.reshape(random.uniform((1,), random.fold_in(random.fold_in(seed, 2), count), dtype), ())
        at = left + unit * (right - left)
        after = target(z + at * direction)
        return count + 1, ops.where(at < 0, at, left), ops.where(at < 0, right, at), at, after

    # The level lies below the point itself, so a bracket that shrinks to it ends; the bound is for rounding.
    start = (zero, left, right, ops.zeros((), dtype), ops.full_like(value, -float("inf")))
    tries, _, _, at, after = ops.while_loop(
        lambda count, left, right, at, after: ops.logical_and(count < _MAX_TRIES, after < level), shrink, start
    )
    inside = after >= level
    moved = ops.where(inside, z + at * direction, z)
    return SlicePoint(moved, ops.where(inside, after, value), left_tries + right_tries + tries)
