"""The log-density of a value under any TFP distribution."""

from keras import ops

from kprob.backend import tfd
from kprob.distributions.corrected.relaxed import bernoulli_log_prob, one_hot_log_prob
from kprob.distributions.registry import is_a
from kprob.distributions.wrappers import split_independent
from kprob.types import Distribution, Tensor


def log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    """Returns the log-density of a value; of a relaxed coin or category on the scale on which it is finite.

    Args:
        distribution: A TFP distribution.
        value: A value.
    """
    inner, ndims = split_independent(distribution)
    if is_a(inner, tfd.RelaxedBernoulli):
        each = bernoulli_log_prob(inner, value)
    elif is_a(inner, tfd.RelaxedOneHotCategorical):
        each = one_hot_log_prob(inner, value)
    else:
        return distribution.log_prob(value)
    return ops.sum(each, axis=tuple(range(-ndims, 0))) if ndims else each
