"""Relaxed coins and categories whose densities stay finite where their values are next to 0 or 1.

At a low temperature most draws are within a rounding error of a corner, where the density of the value is infinite, and on
the scale of its logit (or logarithm) it is nothing special (Maddison and others 2017, appendix C.3). So a draw keeps to
values whose logit is still known. Its gradient goes on as if it had not been stopped: out there log-densities are straight
lines in the logit, the slope is the same, and q isn't drawn into a corner because nothing there would call it back.
"""

import keras
from keras import ops

from kprob.backend import tfd
from kprob.types import Tensor

# By type: the largest logit at which 1 − sigmoid has a digit, and the next one at which it isn't 0 yet.
_LARGEST_LOGITS = {"float64": (36.0, 36.7), "float16": (6.9, 7.6), "bfloat16": (4.8, 5.5)}
# And the smallest logarithms whose exponential is no 0.
_SMALLEST_LOGS = {"float16": (-9.0, -9.5)}


class RelaxedBernoulli(tfd.RelaxedBernoulli):
    """`tfd.RelaxedBernoulli` with a finite density at 0 and 1: that of the nearest value whose logit is known."""

    def _log_prob(self, y, **options):
        # Wider than draws are, so that the gradient at the limit of draws isn't cut.
        low, high = _limits(y)[1]
        return super()._log_prob(ops.clip(y, ops.sigmoid(low), ops.sigmoid(high)), **options)


class RelaxedOneHotCategorical(tfd.RelaxedOneHotCategorical):
    """`tfd.RelaxedOneHotCategorical` with a finite density where an element is 0."""

    def _log_prob(self, y, **options):
        return super()._log_prob(ops.maximum(y, ops.exp(_limits(y)[1][0])), **options)


def unsaturated_sigmoid(logits: Tensor) -> Tensor:
    """Returns sigmoid(logits), never 0 or 1, with the gradient of values that could be as near to them as they like."""
    low, high = _limits(logits)[0]
    return ops.sigmoid(_stopped(logits, ops.clip(logits, low, high)))


def unsaturated_softmax(logits: Tensor) -> Tensor:
    """Returns softmax(logits) over the last axis, no element of it 0, with the gradient of unlimited values."""
    logs = ops.log_softmax(logits, axis=-1)
    return ops.exp(_stopped(logs, ops.maximum(logs, _limits(logs)[0][0])))


def _stopped(value: Tensor, limited: Tensor) -> Tensor:
    return value + ops.stop_gradient(limited - value)


def _limits(like: Tensor) -> list[tuple[Tensor, Tensor]]:
    # Of draws, and of any value: the lowest logit, or logarithm, and the highest.
    dtype = keras.backend.standardize_dtype(like.dtype)
    low, high = _SMALLEST_LOGS.get(dtype, (-80.0, -85.0)), _LARGEST_LOGITS.get(dtype, (15.9, 16.6))
    return [(ops.cast(low[i], dtype), ops.cast(high[i], dtype)) for i in range(2)]
