"""Coordinates z with position = scale · z, in which all directions are about equally wide: samplers move in them.

A scale is a vector of standard deviations (d,), or a Cholesky factor (d, d).
"""

from keras import ops

from kprob.types import Tensor


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
