"""The generalised extreme-value distribution, right also at concentration 0, where it is Gumbel's.

    z = (x − μ) / σ,   log t = −log(1 + ξ z) / ξ, or −z where ξ = 0,   log p = (ξ + 1) log t − t − log σ

At ξ = 0 TFP gives no density to x ≤ μ − σ: it has the bound of ξ = 1 there.
"""

import math

from keras import ops

from kprob.backend import tfd
from kprob.types import Tensor


class GeneralizedExtremeValue(tfd.GeneralizedExtremeValue):
    """`tfd.GeneralizedExtremeValue` whose density at concentration 0 is Gumbel's everywhere."""

    def _log_prob(self, x: Tensor) -> Tensor:
        shape, scale = ops.convert_to_tensor(self.concentration), ops.convert_to_tensor(self.scale)
        z = (x - self.loc) / scale
        flat = ops.equal(shape, 0.0)
        inside = ops.logical_or(flat, z * shape > -1.0)
        # Numbers that are right in either branch keep the gradients of the other finite.
        curved = ops.where(flat, ops.ones_like(shape), shape)
        safe = ops.where(ops.logical_and(inside, ops.logical_not(flat)), z * curved, ops.zeros_like(z))
        log_t = ops.where(flat, -z, -ops.log1p(safe) / curved)
        log_prob = (shape + 1.0) * log_t - ops.exp(log_t) - ops.log(scale)
        return ops.where(inside, log_prob, ops.cast(-math.inf, log_prob.dtype))
