"""The truncated normal distribution, right also where a bound is infinite or far out.

TFP's has NaN gradients at an infinite bound. Here everything is computed in the lower tail, where the distribution
function is accurate: an interval above the mean is mirrored.
"""

import math

from keras import ops

from kprob.backend import random, tfd
from kprob.types import Distribution, Seed, Shape, Tensor

# Standard deviations beyond which a normal number never lies.
_ALL = 1e4


class TruncatedNormal(tfd.TruncatedNormal):
    """`tfd.TruncatedNormal` with a log-density that is differentiable at infinite bounds."""

    def _log_prob(self, x: Tensor) -> Tensor:
        low, high, _ = _standard_bounds(self)
        standard = tfd.Normal(ops.zeros_like(self.loc), ops.ones_like(self.scale))
        below, up_to = standard.log_cdf(low), standard.log_cdf(high)
        normalizer = up_to + ops.log1p(-ops.exp(below - up_to))
        inside = ops.logical_and(x >= self.low, x <= self.high)
        log_prob = tfd.Normal(self.loc, self.scale).log_prob(ops.where(inside, x, self.loc)) - normalizer
        return ops.where(inside, log_prob, ops.cast(-math.inf, log_prob.dtype))


def truncated_normal(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Draws by the inverse of the distribution function.

    Far out, where the distribution function underflows, its logarithm is inverted by Newton's steps.

    Args:
        distribution: A truncated normal distribution.
        shape: The sample and batch shape.
        seed: A seed.
    """
    low, high, mirrored = _standard_bounds(distribution)
    standard = tfd.Normal(ops.zeros_like(distribution.loc), ops.ones_like(distribution.scale))
    u = random.uniform(shape, seed, distribution.dtype)
    log_p = ops.logaddexp(standard.log_cdf(low) + ops.log1p(-u), standard.log_cdf(high) + ops.log(u))
    z = _normal_quantile(standard, log_p)
    value = distribution.loc + distribution.scale * ops.where(mirrored, -z, z)
    return ops.clip(value, distribution.low, distribution.high)


def _standard_bounds(distribution: Distribution) -> tuple[Tensor, Tensor, Tensor]:
    # Bounds in standard deviations, mirrored where most of the interval is above the mean, and whether they are.
    low = _standardized(distribution, distribution.low, -_ALL)
    high = _standardized(distribution, distribution.high, _ALL)
    mirrored = low + high > 0.0
    return ops.where(mirrored, -high, low), ops.where(mirrored, -low, high), mirrored


def _standardized(distribution: Distribution, bound: Tensor, infinite: float) -> Tensor:
    # An infinite bound becomes one far away, so that its gradient is 0 and not NaN.
    finite = ops.isfinite(bound)
    bound = ops.where(finite, bound, ops.zeros_like(bound))
    return ops.where(finite, (bound - distribution.loc) / distribution.scale, ops.cast(infinite, bound.dtype))


def _normal_quantile(standard: Distribution, log_p: Tensor) -> Tensor:
    far = log_p < -20.0
    near = standard.quantile(ops.exp(ops.where(far, -ops.ones_like(log_p), log_p)))
    log_p = ops.where(far, log_p, -30.0 * ops.ones_like(log_p))
    z = -ops.sqrt(-2.0 * log_p - ops.log(-4.0 * math.pi * log_p))
    for _ in range(3):
        z = ops.stop_gradient(z)
        gap = standard.log_cdf(z) - log_p
        z = z - gap * ops.exp(standard.log_cdf(z) - standard.log_prob(z))
    return ops.where(far, z, near)
