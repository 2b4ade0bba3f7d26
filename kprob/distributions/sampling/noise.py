"""Standard noise from kprob's own uniform numbers, of which the other draws are made."""

import math

from keras import ops

from kprob.backend import random
from kprob.types import Seed, Shape, Tensor

# Next to 0 and to 1 in float32.
TINY, BELOW_ONE = 1e-37, 1.0 - 6e-8


def inside_unit(value: Tensor) -> Tensor:
    """Keeps numbers that rounding took to 0 or 1 inside the open interval, where densities are finite."""
    return ops.clip(value, TINY, BELOW_ONE)


def exponential_noise(shape: Shape, seed: Seed, dtype: str) -> Tensor:
    """-log u."""
    return -ops.log(random.uniform(shape, seed, dtype))


def logistic_noise(shape: Shape, seed: Seed, dtype: str) -> Tensor:
    """log(u / (1 - u))."""
    u = random.uniform(shape, seed, dtype)
    return ops.log(u) - ops.log1p(-u)


def gumbel_noise(shape: Shape, seed: Seed, dtype: str) -> Tensor:
    """-log(-log u)."""
    return -ops.log(exponential_noise(shape, seed, dtype))


def cauchy_noise(shape: Shape, seed: Seed, dtype: str) -> Tensor:
    """tan(π (u - 1/2))."""
    return ops.tan(math.pi * (random.uniform(shape, seed, dtype) - 0.5))
