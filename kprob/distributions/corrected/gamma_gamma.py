"""The gamma distribution whose rate is a gamma number too: a beta-prime distribution with a scale.

    Var = r² a (a + b − 1) / ((b − 1)² (b − 2)),   a the concentration, b and r those of the rate

TFP's variance is that of the mean of x given its rate, without the variance of x about it.
"""

import math

from keras import ops

from kprob.backend import tfd
from kprob.types import Tensor


class GammaGamma(tfd.GammaGamma):
    """`tfd.GammaGamma` with its variance."""

    def _variance(self) -> Tensor:
        a, b = ops.convert_to_tensor(self.concentration), ops.convert_to_tensor(self.mixing_concentration)
        variance = self.mixing_rate**2 * a * (a + b - 1.0) / ((b - 1.0) ** 2 * (b - 2.0))
        return ops.where(b > 2.0, variance, ops.cast(math.nan, variance.dtype))
