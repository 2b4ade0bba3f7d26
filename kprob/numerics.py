"""Small arithmetic on tensors and arrays that many parts need: one home for each function."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.types import Tensor

LOG_2_PI = math.log(2.0 * math.pi)


def to_numpy(values: Any) -> Any:
    """Returns a tensor as a NumPy array that may be written to; a structure of tensors as the same structure of arrays."""
    if hasattr(values, "shape"):  # not by the tree, which takes longer than the copy: a sampler's threads come here
        return np.array(ops.convert_to_numpy(values))
    if isinstance(values, list):
        return [to_numpy(value) for value in values]
    return keras.tree.map_structure(lambda value: np.array(ops.convert_to_numpy(value)), values)


def select(condition: Tensor, chosen: Any, otherwise: Any) -> Any:
    """Returns, number by number, one structure of tensors where a condition holds and another one elsewhere."""
    return keras.tree.map_structure(lambda a, b: ops.where(condition, a, b), chosen, otherwise)


def log_mean_exp(values: Tensor) -> Tensor:
    """Returns log mean exp over the first axis, without overflow: of a NumPy array in NumPy, at its own precision."""
    if not isinstance(values, np.ndarray):
        return ops.logsumexp(values, axis=0) - math.log(values.shape[0])
    largest = np.max(values, axis=0)
    safe = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.mean(np.exp(values - safe), axis=0))


def log_sum_exp(log: Tensor, axis: int) -> Tensor:
    """Returns log Σ exp along an axis: -inf where all terms are, and then with a gradient of 0 instead of NaN."""
    top = ops.stop_gradient(ops.max(log, axis=axis, keepdims=True))
    top = ops.where(ops.isfinite(top), top, ops.zeros_like(top))
    total = ops.sum(ops.exp(log - top), axis=axis)
    possible = total > 0
    finite = ops.log(ops.where(possible, total, ops.ones_like(total))) + ops.squeeze(top, axis)
    return ops.where(possible, finite, ops.full_like(finite, -float("inf")))
