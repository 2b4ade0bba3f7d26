"""Draws of counts, and of 0 and 1."""

from keras import ops

from kprob.backend import random, tfd
from kprob.distributions.sampling.draw import draw, draw_shape
from kprob.distributions.sampling.noise import exponential_noise
from kprob.types import Distribution, Seed, Shape, Tensor


def bernoulli(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Whether u < probs."""
    probs = distribution.probs_parameter()
    return ops.cast(random.uniform(shape, seed, probs.dtype) < probs, distribution.dtype)


def geometric(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """floor(log(u) / log(1 - probs))."""
    logits = distribution.logits_parameter()
    noise = exponential_noise(shape, seed, logits.dtype)
    return ops.cast(ops.floor(noise / ops.softplus(logits)), distribution.dtype)


def negative_binomial(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """A Poisson count with a gamma rate. TFP's own sampler can't be compiled by XLA."""
    seeds = random.split(seed, 2)
    logits = ops.broadcast_to(distribution.logits_parameter(), shape)
    total = ops.broadcast_to(distribution.total_count, shape)
    rate = draw(tfd.Gamma(total, log_rate=-logits), (), seeds[0])
    return tfd.Poisson(rate).sample(seed=seeds[1])


def inflated(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The inflated value with its probability, else a draw of the distribution inside."""
    seeds = random.split(seed, 2)
    probs = distribution.cat.probs_parameter()[..., 0]
    values = draw_shape(distribution.distribution, shape, seeds[0])
    at_loc = random.uniform(shape, seeds[1], probs.dtype) < probs
    return ops.where(at_loc, ops.cast(distribution.inflated_loc, values.dtype), values)
