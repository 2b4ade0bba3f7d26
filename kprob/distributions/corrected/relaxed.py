"""Relaxed coins and categories whose densities are exact where their values are 0 or 1 to the last digit.

At a low temperature most draws are within a rounding error of a corner. Their density there says how far they are from it,
which the value can't tell any more, and its logit (or the logarithms of a vector's elements) can: densities are taken on
that scale (Maddison and others 2017, appendix C). So a draw is remembered with its logit, as TFP's bijectors remember what
they made a value of, for as long as the value lives. A value that comes from elsewhere has the logit that its digits give.
"""

import weakref
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kprob.backend import softplus, tfd
from kprob.types import Distribution, Tensor

# By type, the largest logit at which 1 − sigmoid has a digit, and the smallest logarithm whose exponential is no 0.
_LARGEST_LOGIT = {"float64": 36.0, "float16": 6.9, "bfloat16": 4.8}
_SMALLEST_LOG = {"float16": -9.0}

_REMEMBERED: dict[int, tuple[weakref.ref, Tensor]] = {}


class RelaxedBernoulli(tfd.RelaxedBernoulli):
    """`tfd.RelaxedBernoulli` with a density on the scale of the logit."""

    def _log_prob(self, y: Tensor, **options: Any) -> Tensor:
        return bernoulli_log_prob(self, y)


class RelaxedOneHotCategorical(tfd.RelaxedOneHotCategorical):
    """`tfd.RelaxedOneHotCategorical` with a density on the scale of the elements' logarithms."""

    def _log_prob(self, y: Tensor, **options: Any) -> Tensor:
        return one_hot_log_prob(self, y)


def bernoulli_log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    """Returns the log-density of a relaxed Bernoulli variable: the logit's, which is logistic, and the change of scale."""
    z = recall(value)
    if z is None:
        low, high = _limits(value)
        inside = ops.clip(value, ops.exp(low), ops.sigmoid(high + 0.7))
        z = ops.log(inside) - ops.log1p(-inside)
    temperature = distribution.temperature
    u = distribution.logits_parameter() - temperature * z
    return ops.log(temperature) + u - 2.0 * softplus(u) + softplus(z) + softplus(-z)


def one_hot_log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    """Returns the log-density of a relaxed categorical variable: that of the logarithms, and the change of scale."""
    logs = recall(value)
    if logs is None:
        logs = ops.log(ops.maximum(value, ops.exp(_limits(value)[0] - 0.5)))
    return distribution.distribution.log_prob(logs) - ops.sum(logs, axis=-1)


def relaxed_sigmoid(logits: Tensor) -> Tensor:
    """Returns sigmoid(logits), never 0 or 1, and remembers the logits."""
    low, high = _limits(logits)
    return remember(ops.sigmoid(_stopped(logits, ops.clip(logits, low, high))), logits)


def relaxed_softmax(logits: Tensor) -> Tensor:
    """Returns softmax(logits) over the last axis, no element of it 0, and remembers the logarithms."""
    logs = ops.log_softmax(logits, axis=-1)
    return remember(ops.exp(_stopped(logs, ops.maximum(logs, _limits(logs)[0]))), logs)


def remember(value: Tensor, logits: Tensor) -> Tensor:
    """Returns a value, of which the logit, or the logarithms, are known from now on."""
    key = id(value)
    _REMEMBERED[key] = (weakref.ref(value, lambda _: _REMEMBERED.pop(key, None)), logits)
    return value


def recall(value: Tensor) -> Tensor | None:
    """Returns the logit, or the logarithms, that a value was made of, or None where that isn't known."""
    entry = _REMEMBERED.get(id(value))
    return entry[1] if entry is not None and entry[0]() is value else None


def rearrange(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """Returns `function(value)`, a rearrangement of a draw's elements, with what was remembered of it rearranged too.

    Args:
        function: From a tensor to one of the same elements, whatever it does to their gradients.
        value: A value of a site.
    """
    logits, result = recall(value), function(value)
    return result if logits is None or result is value else remember(result, function(logits))


def _stopped(value: Tensor, limited: Tensor) -> Tensor:
    # With the gradient of a value that isn't limited.
    return value + ops.stop_gradient(limited - value)


def _limits(like: Tensor) -> tuple[Tensor, Tensor]:
    dtype = keras.backend.standardize_dtype(like.dtype)
    low, high = _SMALLEST_LOG.get(dtype, -80.0), _LARGEST_LOGIT.get(dtype, 15.9)
    return ops.cast(low, dtype), ops.cast(high, dtype)
