"""The triangular distribution, differentiable also where its peak is one of its ends, where TFP's gradients are NaN."""

import math

from keras import ops

from kprob.backend import tfd
from kprob.types import Tensor


class Triangular(tfd.Triangular):
    """`tfd.Triangular` with finite gradients where the peak is at an end."""

    def _log_prob(self, x: Tensor) -> Tensor:
        low, high, peak = (ops.convert_to_tensor(end) for end in (self.low, self.high, self.peak))
        one = ops.ones_like(x + low + high + peak)
        left = ops.logical_and(x < peak, x > low)
        right = ops.logical_and(x > peak, x < high)
        # log of the share of the way up, with numbers in the other branches whose logarithms are harmless.
        up = ops.log(ops.where(left, x - low, one)) - ops.log(ops.where(left, peak - low, one))
        down = ops.log(ops.where(right, high - x, one)) - ops.log(ops.where(right, high - peak, one))
        log_prob = math.log(2.0) - ops.log(high - low) + up + down
        inside = ops.logical_or(ops.logical_or(left, right), ops.equal(x, peak))
        return ops.where(inside, log_prob, ops.cast(-math.inf, log_prob.dtype))
