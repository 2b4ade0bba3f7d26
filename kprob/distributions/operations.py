"""What the engine asks of any TFP distribution: the bijector of its support, whether a value is possible, all values.

Wrappers (`Independent`, `BatchBroadcast`, `Masked`, `TransformedDistribution`, `MixtureSameFamily`) are looked through,
so that what kprob knows of a family holds inside them too.
"""

import keras
from keras import ops

from kprob.backend import tfb, tfd
from kprob.distributions.corrected.relaxed import bernoulli_log_prob, one_hot_log_prob
from kprob.distributions.family import family_of, is_a
from kprob.distributions.supports.enumeration import combinations
from kprob.distributions.supports.supports import Support
from kprob.distributions.wrappers import split_wrappers
from kprob.errors import SiteError, explain
from kprob.types import ArrayLike, Distribution, Tensor

# Distributions whose values are arrays of values of the distribution inside.
_PLAIN = (tfd.BatchBroadcast, tfd.Sample, tfd.Masked)
_TRANSPARENT = (tfd.Independent, *_PLAIN)
# TFP's mark of discrete distributions, which it doesn't export.
_DISCRETE = next(cls for cls in tfd.Poisson.__mro__ if cls.__name__ == "DiscreteDistributionMixin")


def _is_any(distribution, classes) -> bool:
    return any(is_a(distribution, cls) for cls in classes)


def split_independent(distribution: Distribution) -> tuple[Distribution, int]:
    """Takes `Independent` off.

    Args:
        distribution: A TFP distribution.

    Returns:
        The distribution inside, and the number of its batch axes that `Independent` made part of a value.
    """
    return split_wrappers(distribution, (tfd.Independent,))


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


def _part(distribution) -> Distribution | None:
    # The distribution of which a mixture's or a Markov chain's values are.
    if is_a(distribution, tfd.MixtureSameFamily):
        return distribution.components_distribution
    return distribution.observation_distribution if is_a(distribution, tfd.HiddenMarkovModel) else None


def support_of(distribution: Distribution) -> tuple[Support | None, Distribution]:
    """Returns a distribution's support, or None where it isn't known, and the distribution inside that has it."""
    family = family_of(distribution)
    if family is not None and family.support is not None:
        return family.support, distribution
    part = _part(distribution)
    if part is not None:
        return support_of(part)
    return support_of(distribution.distribution) if _is_any(distribution, _TRANSPARENT) else (None, distribution)


def support_name(distribution: Distribution) -> str | None:
    """Returns what a distribution's values are ("positive numbers", "simplex", ...), or None where it isn't known.

    Args:
        distribution: A TFP distribution.
    """
    support, _ = support_of(distribution)
    return None if support is None else support.name


def support_bijector(distribution: Distribution) -> tfb.Bijector:
    """Returns the bijector from unconstrained values onto the support of a continuous distribution.

    Args:
        distribution: A TFP distribution.

    Raises:
        SiteError: There is none, since values are discrete, a single point, or of several supports.
    """
    support, inner = support_of(distribution)
    bijector = None
    if support is not None:
        mixed = _part(distribution) is not None and not support.fixed
        bijector = None if support.bijector is None or mixed else support.bijector(inner)
    elif is_a(inner, tfd.TransformedDistribution) and not is_discrete(inner):
        bijector = tfb.Chain([inner.bijector, support_bijector(inner.distribution)])
    elif family_of(inner) is None and not is_discrete(inner):
        bijector = inner.experimental_default_event_space_bijector()
    if bijector is None:
        raise SiteError(
            explain(
                f"Values of a {type(inner).__name__} can't be made of unconstrained real numbers.",
                expected="a continuous distribution whose support is the same for every part of it",
                fix="sum the variable out, or give it a distribution of its own in `inference`",
            )
        )
    return bijector


def contains(distribution: Distribution, value: ArrayLike) -> Tensor | None:
    """Whether values are possible.

    Args:
        distribution: A TFP distribution.
        value: Values, whose shape broadcasts with `batch_shape + event_shape`.

    Returns:
        A boolean for each element of the batch; None where the support isn't known.
    """
    support = family_of(distribution).support if family_of(distribution) is not None else None
    if support is not None:
        return support.contains(distribution, value)
    if is_a(distribution, tfd.Independent):
        return _all(contains(distribution.distribution, value), split_independent(distribution)[1])
    if is_a(distribution, tfd.Sample):
        inner = distribution.distribution
        sampled = len(distribution.event_shape) - len(inner.event_shape)
        return None if len(inner.batch_shape) else _all(contains(inner, value), sampled)
    if is_a(distribution, tfd.TransformedDistribution):
        return contains(distribution.distribution, distribution.bijector.inverse(value))
    part = _part(distribution)
    if part is not None:
        return _contains_part(distribution, part, value)
    return contains(distribution.distribution, value) if _is_any(distribution, _PLAIN) else None


def _all(inside, ndims: int):
    return inside if inside is None or not ndims else ops.all(inside, axis=tuple(range(-ndims, 0)))


def _contains_part(distribution, part, value):
    # A value of any component; of a Markov chain at every step.
    event_ndims = len(part.event_shape)
    inside = contains(part, ops.expand_dims(value, -1 - event_ndims))
    inside = inside if inside is None else ops.any(inside, axis=-1)
    return _all(inside, len(distribution.event_shape) - event_ndims)


def enumerate_support(distribution: Distribution) -> Tensor | None:
    """Returns all values of a discrete distribution with finite support along a new first axis.

    Args:
        distribution: A TFP distribution.

    Returns:
        Shape `(number of values, 1, ..., 1) + event_shape`, with a 1 for each axis of the batch; None where the support
        isn't finite, isn't known before running, or has more than a few thousand values.
    """
    family = family_of(distribution)
    if family is not None and family.support is not None:
        return None if family.support.values is None else family.support.values(distribution)
    if is_a(distribution, tfd.Independent):
        inner, event = distribution.distribution, tuple(distribution.event_shape)
        values = enumerate_support(inner)
        if values is None or None in event or len(inner.event_shape):
            return None
        return combinations(values, len(distribution.batch_shape), event)
    if is_a(distribution, tfd.BatchBroadcast) or is_a(distribution, tfd.Masked):
        values = enumerate_support(distribution.distribution)
        extra = len(distribution.batch_shape) - len(distribution.distribution.batch_shape)
        return values if values is None else ops.reshape(values, (values.shape[0], *[1] * extra, *values.shape[1:]))
    return None


def is_discrete(distribution: Distribution) -> bool:
    """Whether a distribution's values are discrete.

    Args:
        distribution: A TFP distribution.
    """
    family, part = family_of(distribution), _part(distribution)
    if part is not None:
        return is_discrete(part)
    if family is not None:
        return family.discrete
    if _is_any(distribution, (*_TRANSPARENT, tfd.TransformedDistribution)):
        return is_discrete(distribution.distribution)
    if isinstance(distribution, _DISCRETE) or is_a(distribution, tfd.PoissonLogNormalQuadratureCompound):
        return True
    return not keras.backend.is_float_dtype(keras.backend.standardize_dtype(distribution.dtype))


def is_reparameterized(distribution: Distribution) -> bool:
    """Whether gradients flow through draws to the parameters.

    Args:
        distribution: A TFP distribution.
    """
    family = family_of(distribution)
    if family is not None and family.reparameterized:
        return True
    if _is_any(distribution, (tfd.Independent, tfd.BatchBroadcast, tfd.Masked)):
        return is_reparameterized(distribution.distribution)
    return distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED
