"""Positions by site, as one vector and back."""

import math
from collections.abc import Mapping

import keras

from kprob.types import Shape, Tensor


def flatten(position: Mapping[str, Tensor], dtype: str, batch_ndims: int = 0) -> Tensor:
    """Puts the arrays of a position behind each other.

    Args:
        position: Arrays by site.
        dtype: Type of the vector.
        batch_ndims: Leading axes that all arrays share, such as that of chains, and that stay.
    """
    arrays = [keras.ops.convert_to_tensor(value, dtype=dtype) for value in position.values()]
    flat = [keras.ops.reshape(array, (*array.shape[:batch_ndims], -1)) for array in arrays]
    return keras.ops.concatenate(flat, axis=-1)


def unflatten(vector: Tensor, shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """Cuts the last axis of an array into arrays of shapes, by name; leading axes stay."""
    position, start = {}, 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        position[name] = keras.ops.reshape(vector[..., start:end], (*vector.shape[:-1], *shape))
        start = end
    return position
