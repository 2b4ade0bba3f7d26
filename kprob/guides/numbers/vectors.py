"""Vectors of a latent's numbers: shapes flattened and put back, products with matrices; any leading axes."""

import math

from keras import ops

from kprob.types import Tensor


def flatten(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns a value whose last axes, which have a given shape, are flattened into one."""
    lead = ops.shape(value)[: len(value.shape) - len(shape)]
    return value if len(shape) == 1 else ops.reshape(value, (*lead, math.prod(shape)))


def unflatten(vector: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns the value whose numbers are a vector: its last axis becomes axes of a given shape."""
    return vector if len(shape) == 1 else ops.reshape(vector, (*ops.shape(vector)[:-1], *shape))


def matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    """Returns a matrix times a vector."""
    return ops.matmul(matrix, vector[..., None])[..., 0]


def solve_lower_triangular(tril: Tensor, vector: Tensor) -> Tensor:
    """Returns L⁻¹ times a vector."""
    if tril.shape[-1] == 1:
        return vector / tril[..., 0]
    lead = ops.shape(vector)[:-1]
    if len(lead) > len(tril.shape) - 2:
        tril = ops.broadcast_to(tril, (*lead, *tril.shape[-2:]))
    return ops.solve_triangular(tril, vector[..., None], lower=True)[..., 0]
