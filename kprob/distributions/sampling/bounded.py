"""Draws of numbers between two bounds. Beta's are in `gamma`, the truncated normal's with its density in `corrected`."""

from keras import ops

from kprob.backend import random
from kprob.distributions.sampling.noise import exponential_noise, inside_unit
from kprob.types import Distribution, Seed, Shape, Tensor


def uniform(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """low + (high - low) · u."""
    return distribution.low + (distribution.high - distribution.low) * random.uniform(shape, seed, distribution.dtype)


def triangular(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The inverse of the distribution function, a root on either side of the peak."""
    low, high, peak = distribution.low, distribution.high, distribution.peak
    u, width = random.uniform(shape, seed, distribution.dtype), high - low
    left = u * width < peak - low
    # The argument of the root that isn't used is replaced, since the root's slope is infinite at 0.
    rising = ops.sqrt(ops.where(left, u * width * (peak - low), ops.ones_like(u)))
    falling = ops.sqrt(ops.where(left, ops.ones_like(u), (1.0 - u) * width * (high - peak)))
    return ops.where(left, low + rising, high - falling)


def kumaraswamy(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """(1 - (1 - u)^(1 / b))^(1 / a)."""
    noise = exponential_noise(shape, seed, distribution.dtype)
    inner = inside_unit(-ops.expm1(-noise / distribution.concentration0))
    return inside_unit(ops.exp(ops.log(inner) / distribution.concentration1))
