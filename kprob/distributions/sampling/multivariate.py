"""Draws of normal vectors; other vectors and matrices are made of gamma numbers, in `gamma`."""

from keras import ops

from kprob.backend import random
from kprob.types import Distribution, Seed, Shape, Tensor


def linear_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · N(0, I), for a linear operator `scale`."""
    size = distribution.event_shape[-1]
    size = distribution.event_shape_tensor()[-1] if size is None else size
    noise = random.normal((*shape, size), seed, distribution.dtype)
    value = distribution.scale.matvec(noise)
    return value if distribution.loc is None else distribution.loc + value


def low_rank_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + sqrt(diagonal) · N(0, I) + factor · N(0, I)."""
    seeds = random.split(seed, 2)
    factor = distribution.cov_operator.u
    diagonal = distribution.cov_operator.base_operator.diag_part()
    own = random.normal((*shape, diagonal.shape[-1]), seeds[0], distribution.dtype)
    common = random.normal((*shape, factor.shape[-1]), seeds[1], distribution.dtype)
    value = ops.sqrt(diagonal) * own + ops.matmul(factor, common[..., None])[..., 0]
    return value if distribution.loc is None else distribution.loc + value
