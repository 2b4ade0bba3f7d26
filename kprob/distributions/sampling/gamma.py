"""Draws from gamma distributions and what is made of them, from kprob's own random numbers.

Marsaglia and Tsang's (2000) method with a fixed number of proposals instead of a loop: the same draws eagerly, in
graphs and under XLA, and quick to compile. Gradients are implicit (Figurnov, Mohamed and Mnih 2018): with F the
distribution function and p the density, dx/da = -(dF/da) / p.
"""

import math
from collections.abc import Callable

from keras import ops

from kprob.backend import gradients, random, tfd
from kprob.distributions.sampling.noise import TINY, inside_unit
from kprob.types import Distribution, Seed, Shape, Tensor

# At most 5 % of proposals are refused, so that one draw in 60 million finds all of these refused and is the mode.
_PROPOSALS = 6


def log_gamma(concentration: Tensor, shape: Shape, seed: Seed, dtype: str) -> Tensor:
    """Returns logarithms of gamma numbers with rate 1.

    Args:
        concentration: The concentration, which broadcasts to the shape.
        shape: Shape of the draws.
        seed: A seed.
        dtype: Type of the draws.
    """
    seeds = random.split(seed, 3)
    concentration = ops.broadcast_to(ops.cast(concentration, dtype), shape)
    # Below 1, Gamma(a) is Gamma(a + 1) times u^(1 / a), in logarithms, since it may be too small for a float.
    small = concentration < 1.0
    raised = ops.where(small, concentration + 1.0, concentration)
    noise = random.normal((_PROPOSALS, *shape), seeds[0], dtype)
    uniform = random.uniform((_PROPOSALS, *shape), seeds[1], dtype)
    value = _with_gradient(raised, _accepted(ops.stop_gradient(raised), noise, uniform))
    boost = ops.log(random.uniform(shape, seeds[2], dtype)) / ops.where(small, concentration, ops.ones_like(raised))
    return ops.log(value) + ops.where(small, boost, ops.zeros_like(boost))


def _accepted(concentration: Tensor, noise: Tensor, uniform: Tensor) -> Tensor:
    # The first proposal that is accepted.
    d = concentration - 1.0 / 3.0
    cube = (1.0 + noise / ops.sqrt(9.0 * d)) ** 3
    safe = ops.maximum(cube, TINY)
    accepted = ops.log(uniform) < 0.5 * noise**2 + d - d * cube + d * ops.log(safe)
    accepted = ops.logical_and(cube > 0.0, accepted)
    value = ops.ones_like(d)
    for k in reversed(range(_PROPOSALS)):
        value = ops.where(accepted[k], safe[k], value)
    return ops.stop_gradient(d * value)


@ops.custom_gradient
def _with_gradient(concentration: Tensor, value: Tensor) -> tuple[Tensor, Callable]:
    # The value itself, with its derivative with respect to the concentration.
    def backward(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
        upstream = arguments[0] if upstream is None else upstream

        def distribution_function(concentration: Tensor) -> Tensor:
            return ops.sum(tfd.Gamma(concentration, ops.ones_like(concentration)).cdf(value))

        _, (slope,) = gradients(distribution_function, concentration)
        density = tfd.Gamma(concentration, ops.ones_like(concentration)).prob(value)
        return -upstream * slope / ops.maximum(density, TINY), ops.zeros_like(value)

    return value, backward


def gamma(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Gamma(concentration) / rate."""
    logs = log_gamma(distribution.concentration, shape, seed, distribution.dtype)
    log_rate = distribution.log_rate
    logs = logs - (ops.log(distribution.rate) if log_rate is None else log_rate)
    return ops.maximum(ops.exp(logs), TINY)


def chi2(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """2 · Gamma(df / 2)."""
    logs = log_gamma(0.5 * distribution.df, shape, seed, distribution.dtype)
    return ops.maximum(2.0 * ops.exp(logs), TINY)


def inverse_gamma(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """scale / Gamma(concentration)."""
    return distribution.scale * ops.exp(-log_gamma(distribution.concentration, shape, seed, distribution.dtype))


def beta(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """g / (g + h) with two gamma numbers."""
    seeds, dtype = random.split(seed, 2), distribution.dtype
    first = log_gamma(distribution.concentration1, shape, seeds[0], dtype)
    second = log_gamma(distribution.concentration0, shape, seeds[1], dtype)
    return inside_unit(ops.sigmoid(first - second))


def dirichlet(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Gamma numbers divided by their sum."""
    concentration = distribution.concentration
    logs = log_gamma(concentration, (*shape, concentration.shape[-1]), seed, distribution.dtype)
    return ops.maximum(ops.softmax(logs, axis=-1), TINY)


def _student_noise(df: Tensor, shape: Shape, seed: Seed, dtype: str) -> Tensor:
    # What a normal number is multiplied by: 1 / sqrt(chi2 / df).
    return ops.exp(0.5 * (ops.log(0.5 * df) - log_gamma(0.5 * df, shape, seed, dtype)))


def student_t(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · N(0, 1) / sqrt(Chi2(df) / df)."""
    seeds, dtype = random.split(seed, 2), distribution.dtype
    noise = random.normal(shape, seeds[0], dtype) * _student_noise(distribution.df, shape, seeds[1], dtype)
    return distribution.loc + distribution.scale * noise


def half_student_t(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · |t|."""
    seeds, dtype = random.split(seed, 2), distribution.dtype
    noise = random.normal(shape, seeds[0], dtype) * _student_noise(distribution.df, shape, seeds[1], dtype)
    return distribution.loc + distribution.scale * ops.abs(noise)


def multivariate_student_t(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """loc + scale · N(0, I) / sqrt(Chi2(df) / df), for a linear operator `scale`."""
    seeds, dtype = random.split(seed, 2), distribution.dtype
    noise = random.normal((*shape, distribution.scale.range_dimension), seeds[0], dtype)
    factor = _student_noise(distribution.df, shape, seeds[1], dtype)
    return distribution.loc + distribution.scale.matvec(noise * factor[..., None])


def wishart(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """L A Aᵀ Lᵀ, or its factor L A, with Bartlett's lower-triangular A: normal numbers below roots of chi-squared ones."""
    tril = distribution.scale.to_dense()
    size, dtype, seeds = tril.shape[-1], tril.dtype, random.split(seed, 2)
    df = distribution.df[..., None] - ops.arange(size, dtype=dtype)
    roots = ops.exp(0.5 * (math.log(2.0) + log_gamma(0.5 * df, (*shape, size), seeds[0], dtype)))
    below = ops.tril(random.normal((*shape, size, size), seeds[1], dtype), k=-1)
    factor = ops.matmul(tril, below + roots[..., None] * ops.eye(size, dtype=dtype))
    if distribution.input_output_cholesky:
        return factor
    return ops.matmul(factor, ops.swapaxes(factor, -1, -2))


def lkj_cholesky(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Row by row, by the onion method: a direction at random, and a length whose square is a beta number."""
    size, dtype = distribution.dimension, distribution.dtype
    rows = [ops.concatenate([ops.ones((*shape, 1), dtype), ops.zeros((*shape, size - 1), dtype)], axis=-1)]
    seeds = random.split(seed, 2 * size)
    for row in range(1, size):
        concentration = distribution.concentration + 0.5 * (size - 1 - row)
        square = beta(tfd.Beta(ops.full_like(concentration, 0.5 * row), concentration), shape, seeds[2 * row])
        direction = random.normal((*shape, row), seeds[2 * row + 1], dtype)
        direction = direction / ops.sqrt(ops.sum(direction**2, axis=-1, keepdims=True))
        left = ops.sqrt(square)[..., None] * direction
        right = ops.zeros((*shape, size - 1 - row), dtype)
        rows.append(ops.concatenate([left, ops.sqrt(1.0 - square)[..., None], right], axis=-1))
    return ops.stack(rows, axis=-2)
