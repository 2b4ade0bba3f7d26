"""Draws of positive numbers; those that are made of gamma numbers are in `gamma`."""

from keras import ops

from kprob.backend import random
from kprob.distributions.sampling.noise import cauchy_noise, exponential_noise
from kprob.distributions.sampling.real import normal
from kprob.types import Distribution, Seed, Shape, Tensor


def log_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """exp of a normal number."""
    return ops.exp(normal(distribution, shape, seed))


def half_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · |N(0, 1)|."""
    return distribution.scale * ops.abs(random.normal(shape, seed, distribution.dtype))


def half_cauchy(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · |Cauchy(0, 1)|."""
    return distribution.loc + distribution.scale * ops.abs(cauchy_noise(shape, seed, distribution.dtype))


def exponential(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """-log(u) / rate."""
    return exponential_noise(shape, seed, distribution.dtype) / distribution.rate


def weibull(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · (-log u)^(1 / concentration)."""
    noise = exponential_noise(shape, seed, distribution.dtype)
    return distribution.scale * ops.exp(ops.log(noise) / distribution.concentration)


def pareto(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · u^(-1 / concentration)."""
    noise = exponential_noise(shape, seed, distribution.dtype)
    return distribution.scale * ops.exp(noise / distribution.concentration)
