"""Draws of real numbers."""

from keras import ops

from kprob.backend import random
from kprob.distributions.sampling.noise import cauchy_noise, exponential_noise, gumbel_noise, logistic_noise
from kprob.types import Distribution, Seed, Shape, Tensor


def normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · N(0, 1)."""
    return distribution.loc + distribution.scale * random.normal(shape, seed, distribution.dtype)


def cauchy(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · tan(π (u - 1/2))."""
    return distribution.loc + distribution.scale * cauchy_noise(shape, seed, distribution.dtype)


def laplace(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · (a signed exponential number)."""
    u = 2.0 * random.uniform(shape, seed, distribution.dtype) - 1.0
    return distribution.loc - distribution.scale * ops.sign(u) * ops.log1p(-ops.abs(u))


def logistic(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · log(u / (1 - u))."""
    return distribution.loc + distribution.scale * logistic_noise(shape, seed, distribution.dtype)


def gumbel(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc - scale · log(-log u)."""
    return distribution.loc + distribution.scale * gumbel_noise(shape, seed, distribution.dtype)


def exponentially_modified_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """A normal number plus an exponential one."""
    seeds = random.split(seed, 2)
    noise = exponential_noise(shape, seeds[1], distribution.dtype)
    return normal(distribution, shape, seeds[0]) + noise / distribution.rate


def horseshoe(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · |Cauchy(0, 1)| · N(0, 1)."""
    seeds = random.split(seed, 2)
    shrinkage = ops.abs(cauchy_noise(shape, seeds[0], distribution.dtype))
    return distribution.scale * shrinkage * random.normal(shape, seeds[1], distribution.dtype)


def deterministic(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The location itself."""
    return ops.broadcast_to(distribution.loc, (*shape, *distribution.event_shape))
