"""All values of finite supports, along a new first axis."""

import itertools

import keras
import numpy as np
from keras import ops

from kprob.backend import is_tensor
from kprob.types import ArrayLike, Distribution, Tensor

# A sum over more values than this is better taken another way.
MOST_VALUES = 4096


def static_number(value: ArrayLike) -> float | None:
    """Returns the number that all elements of a parameter are, or None where they differ or aren't known yet."""
    try:
        distinct = np.unique(keras.ops.convert_to_numpy(value) if is_tensor(value) else np.asarray(value))
    except Exception:  # A value inside a graph or a transformation; each backend has its own error for it.
        return None
    return float(distinct[0]) if len(distinct) == 1 else None


def indices(distribution: Distribution, number: int) -> Tensor:
    """Returns 0 ... number - 1, with an axis of length 1 for each axis of the batch."""
    values = ops.arange(number, dtype=keras.backend.standardize_dtype(distribution.dtype))
    return ops.reshape(values, (number, *[1] * len(distribution.batch_shape)))


def up_to_total(distribution: Distribution) -> Tensor | None:
    """Returns the counts from 0 to the total, where that is one known number."""
    total = static_number(distribution.parameters["total_count"])
    return None if total is None or total >= MOST_VALUES else indices(distribution, int(total) + 1)


def combinations(values: Tensor, batch_ndims: int, event_shape: tuple[int, ...]) -> Tensor | None:
    """Returns all arrays whose elements are any of the values of one element, or None where there are too many.

    Args:
        values: Values of one element, shape `(number, 1, ..., 1)`.
        batch_ndims: Axes of the batch.
        event_shape: Shape of the arrays.
    """
    number, elements = values.shape[0], int(np.prod(event_shape))
    if number is None or number**elements > MOST_VALUES:
        return None
    index = np.array(list(itertools.product(range(number), repeat=elements)), dtype="int32")
    flat = ops.take(ops.reshape(values, (number,)), ops.reshape(index, (-1,)), axis=0)
    return ops.reshape(flat, (len(index), *[1] * batch_ndims, *event_shape))
