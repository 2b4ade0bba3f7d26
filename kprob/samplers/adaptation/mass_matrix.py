"""The scale of the latents, learned while warming up: a diagonal, or a full covariance.

Samplers move in coordinates z with position = scale · z, in which all directions are about equally wide.
"""

from typing import NamedTuple

from keras import ops

from kprob.types import Tensor


class Moments(NamedTuple):
    """Running mean and sum of squares (or of outer products) of positions (Welford 1962)."""

    count: Tensor
    mean: Tensor
    squares: Tensor


def no_moments(size: int, dense: bool, dtype: str) -> Moments:
    """Returns the moments of no positions."""
    shape = (size, size) if dense else (size,)
    return Moments(ops.zeros((), dtype), ops.zeros((size,), dtype), ops.zeros(shape, dtype))


def add(moments: Moments, position: Tensor) -> Moments:
    """Returns the moments with one more position."""
    count = moments.count + 1.0
    before = position - moments.mean
    mean = moments.mean + before / count
    after = position - mean
    dense = len(moments.squares.shape) == 2
    product = before[:, None] * after[None, :] if dense else before * after
    return Moments(count, mean, moments.squares + product)


def scale_of(moments: Moments) -> Tensor:
    """Returns standard deviations (d,), or a Cholesky factor (d, d), drawn a little to 0.001 as Stan does."""
    count = moments.count
    covariance = moments.squares / ops.maximum(count - 1.0, 1.0)
    share = count / (count + 5.0)
    if len(covariance.shape) == 1:
        return ops.sqrt(share * covariance + 1e-3 * (1.0 - share))
    identity = ops.eye(covariance.shape[0], dtype=covariance.dtype)
    return ops.cholesky(share * covariance + 1e-3 * (1.0 - share) * identity)


def change(before: Tensor, after: Tensor) -> Tensor:
    """Returns by how much scales differ: the largest distance between logarithms of standard deviations."""
    widths = [
        scale if len(scale.shape) == 1 else ops.sqrt(ops.sum(ops.square(scale), axis=1)) for scale in (before, after)
    ]
    return ops.max(ops.abs(ops.log(widths[1] / widths[0])))


def to_position(scale: Tensor, z: Tensor) -> Tensor:
    """Returns the position of coordinates."""
    return scale * z if len(scale.shape) == 1 else ops.sum(scale * z[None, :], axis=-1)


def to_coordinates(scale: Tensor, position: Tensor) -> Tensor:
    """Returns the coordinates of a position."""
    if len(scale.shape) == 1:
        return position / scale
    return ops.solve_triangular(scale, position[:, None], lower=True)[:, 0]


def to_slope(scale: Tensor, slope: Tensor) -> Tensor:
    """Returns the gradient by coordinates that belongs to one by positions."""
    return scale * slope if len(scale.shape) == 1 else ops.sum(scale * slope[:, None], axis=0)
