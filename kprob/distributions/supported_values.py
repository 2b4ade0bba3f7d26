"""Which values are possible under a distribution: its support, the bijector onto it, whether it contains a value, all values.

Wrappers (`Independent`, `BatchBroadcast`, `Masked`, `TransformedDistribution`, `MixtureSameFamily`) are looked through,
so that what kprob knows of a family holds inside them too.
"""

from keras import ops

from kprob.backend import tfb, tfd
from kprob.distributions.properties import is_discrete
from kprob.distributions.registry import family_of, is_a
from kprob.distributions.supports.finite import combinations
from kprob.distributions.supports.support import Support, numbers
from kprob.distributions.wrappers import PLAIN, TRANSPARENT, component_of, is_any, split_independent
from kprob.errors import SiteError, explain
from kprob.types import ArrayLike, Distribution, Tensor


def support_of(distribution: Distribution) -> tuple[Support | None, Distribution]:
    """Returns a distribution's support, or None where it isn't known, and the distribution inside that has it."""
    family = family_of(distribution)
    if family is not None and family.support is not None:
        return family.support, distribution
    component = component_of(distribution)
    if component is not None:
        return support_of(component)
    return support_of(distribution.distribution) if is_any(distribution, TRANSPARENT) else (None, distribution)


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
        mixed = component_of(distribution) is not None and not support.fixed
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
    family = family_of(distribution)
    if family is not None and family.support is not None:
        return family.support.contains(distribution, value)
    if is_a(distribution, tfd.Independent):
        return _all(contains(distribution.distribution, value), split_independent(distribution)[1])
    if is_a(distribution, tfd.Sample):
        inner = distribution.distribution
        sampled = len(distribution.event_shape) - len(inner.event_shape)
        return None if len(inner.batch_shape) else _all(contains(inner, value), sampled)
    if is_a(distribution, tfd.TransformedDistribution):
        return _image_contains(distribution, value)
    component = component_of(distribution)
    if component is not None:
        return _component_contains(distribution, component, value)
    return contains(distribution.distribution, value) if is_any(distribution, PLAIN) else None


def _all(inside: Tensor | None, ndims: int) -> Tensor | None:
    return inside if inside is None or not ndims else ops.all(inside, axis=tuple(range(-ndims, 0)))


def _image_contains(distribution: Distribution, value: ArrayLike) -> Tensor | None:
    # A bijector of numbers may have an inverse for more than its values, as the square root has, and takes the others back
    # elsewhere. Those of vectors may be networks, of which this would be too much to ask.
    bijector = distribution.bijector
    inverse = bijector.inverse(value)
    inside = contains(distribution.distribution, inverse)
    if inside is None or bijector.forward_min_event_ndims or len(distribution.event_shape):
        return inside
    value = numbers(distribution, value)
    again = bijector.forward(inverse + ops.zeros_like(inverse))  # another tensor: bijectors remember what they inverted
    same = ops.abs(again - value) <= 1e-3 * ops.abs(value) + 1e-6
    return ops.logical_and(inside, same)


def _component_contains(distribution: Distribution, component: Distribution, value: ArrayLike) -> Tensor | None:
    # A value of any component; of a Markov chain at every step.
    event_ndims = len(component.event_shape)
    inside = contains(component, ops.expand_dims(value, -1 - event_ndims))
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
