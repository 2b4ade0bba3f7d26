"""Draws from kprob's own uniform and normal numbers: the same eagerly, in graphs and under XLA, and quick there.

Each takes a distribution, the sample and batch shape wanted, to which the distribution's parameters broadcast, and a
seed; all are differentiable in the parameters where the distribution is continuous.
"""

import math

from keras import ops

from kprob.backend import random
from kprob.distributions.corrected import relaxed
from kprob.types import Distribution, Seed, Shape, Tensor

# Next to 0 and to 1 in float32.
_TINY, _BELOW_ONE = 1e-37, 1.0 - 6e-8


def inside_unit(value: Tensor) -> Tensor:
    """Keeps numbers that rounding took to 0 or 1 inside the open interval, where densities are finite."""
    return ops.clip(value, _TINY, _BELOW_ONE)


def _uniform(distribution, shape, seed):
    return random.uniform(shape, seed, distribution.dtype)


def _exponential_noise(shape, seed, dtype):
    return -ops.log(random.uniform(shape, seed, dtype))


def _logistic_noise(shape, seed, dtype):
    u = random.uniform(shape, seed, dtype)
    return ops.log(u) - ops.log1p(-u)


def _gumbel_noise(shape, seed, dtype):
    return -ops.log(_exponential_noise(shape, seed, dtype))


def _cauchy_noise(shape, seed, dtype):
    return ops.tan(math.pi * (random.uniform(shape, seed, dtype) - 0.5))


def normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · N(0, 1)."""
    return distribution.loc + distribution.scale * random.normal(shape, seed, distribution.dtype)


def log_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """exp of a normal number."""
    return ops.exp(normal(distribution, shape, seed))


def half_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · |N(0, 1)|."""
    return distribution.scale * ops.abs(random.normal(shape, seed, distribution.dtype))


def cauchy(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · tan(π (u - 1/2))."""
    return distribution.loc + distribution.scale * _cauchy_noise(shape, seed, distribution.dtype)


def half_cauchy(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · |Cauchy(0, 1)|."""
    return distribution.loc + distribution.scale * ops.abs(_cauchy_noise(shape, seed, distribution.dtype))


def laplace(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · (a signed exponential number)."""
    u = 2.0 * _uniform(distribution, shape, seed) - 1.0
    return distribution.loc - distribution.scale * ops.sign(u) * ops.log1p(-ops.abs(u))


def logistic(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · log(u / (1 - u))."""
    return distribution.loc + distribution.scale * _logistic_noise(shape, seed, distribution.dtype)


def gumbel(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc - scale · log(-log u)."""
    return distribution.loc + distribution.scale * _gumbel_noise(shape, seed, distribution.dtype)


def uniform(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """low + (high - low) · u."""
    return distribution.low + (distribution.high - distribution.low) * _uniform(distribution, shape, seed)


def exponential(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """-log(u) / rate."""
    return _exponential_noise(shape, seed, distribution.dtype) / distribution.rate


def weibull(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · (-log u)^(1 / concentration)."""
    noise = _exponential_noise(shape, seed, distribution.dtype)
    return distribution.scale * ops.exp(ops.log(noise) / distribution.concentration)


def pareto(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · u^(-1 / concentration)."""
    noise = _exponential_noise(shape, seed, distribution.dtype)
    return distribution.scale * ops.exp(noise / distribution.concentration)


def kumaraswamy(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """(1 - (1 - u)^(1 / b))^(1 / a)."""
    noise = _exponential_noise(shape, seed, distribution.dtype)
    inner = inside_unit(-ops.expm1(-noise / distribution.concentration0))
    return inside_unit(ops.exp(ops.log(inner) / distribution.concentration1))


def triangular(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The inverse of the distribution function, a root on either side of the peak."""
    low, high, peak = distribution.low, distribution.high, distribution.peak
    u, width = _uniform(distribution, shape, seed), high - low
    left = u * width < peak - low
    # The argument of the root that isn't used is replaced, since the root's slope is infinite at 0.
    rising = ops.sqrt(ops.where(left, u * width * (peak - low), ops.ones_like(u)))
    falling = ops.sqrt(ops.where(left, ops.ones_like(u), (1.0 - u) * width * (high - peak)))
    return ops.where(left, low + rising, high - falling)


def exponentially_modified_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """A normal number plus an exponential one."""
    seeds = random.split(seed, 2)
    noise = _exponential_noise(shape, seeds[1], distribution.dtype)
    return normal(distribution, shape, seeds[0]) + noise / distribution.rate


def horseshoe(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale · |Cauchy(0, 1)| · N(0, 1)."""
    seeds = random.split(seed, 2)
    shrinkage = ops.abs(_cauchy_noise(shape, seeds[0], distribution.dtype))
    return distribution.scale * shrinkage * random.normal(shape, seeds[1], distribution.dtype)


def deterministic(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The location itself."""
    return ops.broadcast_to(distribution.loc, (*shape, *distribution.event_shape))


def bernoulli(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Whether u < probs."""
    probs = distribution.probs_parameter()
    return ops.cast(random.uniform(shape, seed, probs.dtype) < probs, distribution.dtype)


def geometric(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """floor(log(u) / log(1 - probs))."""
    logits = distribution.logits_parameter()
    noise = _exponential_noise(shape, seed, logits.dtype)
    return ops.cast(ops.floor(noise / ops.softplus(logits)), distribution.dtype)


def class_index(logits: Tensor, shape: Shape, seed: Seed) -> Tensor:
    """Draws classes from logits (..., K) by Gumbel noise: int32 of a shape."""
    noise = _gumbel_noise((*shape, logits.shape[-1]), seed, logits.dtype)
    return ops.cast(ops.argmax(logits + noise, axis=-1), "int32")


def categorical(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The class with the largest logit after Gumbel noise."""
    return ops.cast(class_index(distribution.logits_parameter(), shape, seed), distribution.dtype)


def one_hot_categorical(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """A categorical draw as a vector."""
    logits = distribution.logits_parameter()
    return ops.one_hot(class_index(logits, shape, seed), logits.shape[-1], dtype=distribution.dtype)


def ordered_logistic(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The number of cutpoints below a logistic number."""
    latent = distribution.loc + _logistic_noise(shape, seed, distribution.loc.dtype)
    above = latent[..., None] > distribution.cutpoints
    return ops.sum(ops.cast(above, distribution.dtype), axis=-1)


def finite_discrete(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The outcome of a categorical draw."""
    logits = distribution.logits_parameter()
    mask = ops.one_hot(class_index(logits, shape, seed), logits.shape[-1], dtype=distribution.dtype)
    return ops.sum(mask * distribution.outcomes, axis=-1)


def relaxed_bernoulli(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """sigmoid((logits + logistic noise) / temperature)."""
    logits = distribution.logits_parameter()
    noise = _logistic_noise(shape, seed, logits.dtype)
    return relaxed.relaxed_sigmoid((logits + noise) / distribution.temperature)


def relaxed_one_hot(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """softmax((logits + Gumbel noise) / temperature)."""
    logits = distribution.logits_parameter()
    noise = _gumbel_noise((*shape, logits.shape[-1]), seed, logits.dtype)
    return relaxed.relaxed_softmax((logits + noise) / distribution.temperature[..., None])


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
