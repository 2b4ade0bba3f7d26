"""The scale of the latents, learned while warming up: a diagonal, or a full covariance (see `kernels/coordinates.py`)."""

from typing import NamedTuple

import keras
from keras import ops

from kprob.numerics import select
from kprob.types import Tensor


class RunningMoments(NamedTuple):
    """Running mean and sum of squares (or of outer products) of positions (Welford 1962)."""

    count: Tensor
    mean: Tensor
    squares: Tensor


def no_moments(size: int, dense: bool, dtype: str) -> RunningMoments:
    """Returns the moments of no positions."""
    shape = (size, size) if dense else (size,)
    return RunningMoments(ops.zeros((), dtype), ops.zeros((size,), dtype), ops.zeros(shape, dtype))


def add(moments: RunningMoments, position: Tensor) -> RunningMoments:
    """Returns the moments with one more position."""
    count = moments.count + 1.0
    before = position - moments.mean
    mean = moments.mean + before / count
    after = position - mean
    dense = len(moments.squares.shape) == 2
    product = before[:, None] * after[None, :] if dense else before * after
    return RunningMoments(count, mean, moments.squares + product)


def add_all(moments: RunningMoments, positions: Tensor) -> RunningMoments:
    """Returns the moments (of a diagonal) with the positions of several chains, (chains, d)."""
    # Chan, Golub and LeVeque (1983): two sets' moments put together.
    number = float(positions.shape[0])
    mean = ops.mean(positions, axis=0)
    squares = ops.sum(ops.square(positions - mean), axis=0)
    count = moments.count + number
    away = mean - moments.mean
    return RunningMoments(
        count,
        moments.mean + away * (number / count),
        moments.squares + squares + ops.square(away) * (moments.count * number / count),
    )


def scale_of(moments: RunningMoments) -> Tensor:
    """Returns standard deviations (d,), or a Cholesky factor (d, d), shrunk a little towards 0.001 as Stan does."""
    count = moments.count
    covariance = moments.squares / ops.maximum(count - 1.0, 1.0)
    share = count / (count + 5.0)
    if len(covariance.shape) == 1:
        return ops.sqrt(share * covariance + 1e-3 * (1.0 - share))
    identity = ops.eye(covariance.shape[0], dtype=covariance.dtype)
    return ops.cholesky(share * covariance + 1e-3 * (1.0 - share) * identity)


def renewed(closes: Tensor, scale: Tensor, moments: RunningMoments) -> tuple[Tensor, RunningMoments]:
    """Returns the scale and the moments after a transition: where it ends a window, those of a new window."""
    empty = keras.tree.map_structure(ops.zeros_like, moments)
    return ops.where(closes, scale_of(moments), scale), select(closes, empty, moments)


def change(before: Tensor, after: Tensor) -> Tensor:
    """Returns by how much scales differ: the largest distance between logarithms of standard deviations."""
    widths = [
        scale if len(scale.shape) == 1 else ops.sqrt(ops.sum(ops.square(scale), axis=1)) for scale in (before, after)
    ]
    return ops.max(ops.abs(ops.log(widths[1] / widths[0])))
