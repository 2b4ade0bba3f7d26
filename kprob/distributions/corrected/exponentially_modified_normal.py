"""The sum of a normal and an exponential number, whose density keeps its digits however large rate · scale is.

    z = (x − μ) / σ,   k = λ σ,   u = k − z,   log p = log λ − z² / 2 + log(erfcx(u / √2) / 2)

For u < 0 the last two are k (k / 2 − z) + log Φ(−u). TFP has this form everywhere, and for large k loses all that is smaller
than k² by the digits of a float.
"""

import math

from keras import ops

from kprob.backend import tfd, tfp
from kprob.types import Tensor


class ExponentiallyModifiedGaussian(tfd.ExponentiallyModifiedGaussian):
    """`tfd.ExponentiallyModifiedGaussian` with an exact log-density."""

    def _log_prob(self, x: Tensor) -> Tensor:
        rate, scale = ops.convert_to_tensor(self.rate), ops.convert_to_tensor(self.scale)
        z, k = (x - self.loc) / scale, rate * scale
        u = k - z
        left, none = u > 0.0, ops.zeros_like(u)
        near = -0.5 * z * z + tfp.math.logerfcx(ops.where(left, u, none) / math.sqrt(2.0)) - math.log(2.0)
        standard = tfd.Normal(none, ops.ones_like(u))
        far = k * (0.5 * k - z) + standard.log_cdf(ops.where(left, none, -u))
        return ops.log(rate) + ops.where(left, near, far)
