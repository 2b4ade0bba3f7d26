"""Shapes of parameters: the batch axes before a parameter's own, and the broadcasting of both."""

from collections.abc import Iterable, Mapping

import numpy as np
from keras import ops

from kprob.backend import static_shape
from kprob.types import ArrayLike, Shape, Tensor


def shape_of(value: ArrayLike) -> Shape:
    """Returns the static shape of a tensor, an array or a number."""
    return tuple(static_shape(value)) if hasattr(value, "shape") else np.shape(value)


def split_shape(shape: Shape, ndims: int) -> tuple[Shape, Shape]:
    """Splits a shape into the batch axes and the last `ndims` axes; a shorter shape has no batch axes."""
    lead = max(0, len(shape) - ndims)
    return tuple(shape[:lead]), tuple(shape[lead:])


def common_sizes(shapes: Iterable[Shape], dynamic: Iterable[Shape]) -> Shape:
    """Returns the common shape of broadcast shapes: an int, or a tensor where an axis is only known when running.

    Args:
        shapes: Static shapes, which broadcast.
        dynamic: The same with tensors for unknown axes.
    """
    pairs = list(zip(shapes, dynamic, strict=True))
    rank = max((len(shape) for shape, _ in pairs), default=0)
    common = []
    for axis in range(-rank, 0):
        sizes = [(shape[axis], actual[axis]) for shape, actual in pairs if len(shape) >= -axis]
        longer = [(static, actual) for static, actual in sizes if static != 1]
        known = [static for static, _ in longer if static is not None]
        common.append(known[0] if known else longer[0][1] if longer else 1)
    return tuple(common)


def common_batch(values: Mapping[str, Tensor], ndims: Mapping[str, int]) -> Shape:
    """Returns the common batch shape of parameters with `ndims` axes of their own; unknown axes as tensors."""
    static = [split_shape(shape_of(value), ndims[name])[0] for name, value in values.items()]
    dynamic = [split_shape(tuple(ops.shape(value)), ndims[name])[0] for name, value in values.items()]
    return common_sizes(static, dynamic)


def broadcast_batch(values: Mapping[str, Tensor], ndims: Mapping[str, int]) -> dict[str, Tensor]:
    """Broadcasts the batch axes of all parameters to their common shape."""
    batch = common_batch(values, ndims)
    return {name: broadcast_value(value, batch, ndims[name]) for name, value in values.items()}


def broadcast_value(value: Tensor, batch: Shape, ndims: int) -> Tensor:
    """Broadcasts the batch axes of one parameter; its last `ndims` axes stay."""
    own = split_shape(tuple(ops.shape(value)), ndims)[1]
    if split_shape(shape_of(value), ndims)[0] == tuple(batch):
        return value
    return ops.broadcast_to(value, (*batch, *own))
