"""What the engine asks of any TFP distribution: a draw, the bijector of its support, whether a value is possible.

Wrappers (`Independent`, `BatchBroadcast`, `TransformedDistribution`) are looked through, so that a fast sampler of a
family is used inside them too.
"""

import keras

from kprob.backend import tfb, tfd
from kprob.distributions.family import Distribution, family_of


def draw(distribution: Distribution, sample_shape, seed):
    """Draws from a distribution, differentiably where it is reparameterised.

    Args:
        distribution: A TFP distribution.
        sample_shape: Leading shape of independent draws; entries may be tensors.
        seed: A seed of `kprob.backend.random`.

    Returns:
        Values of shape `sample_shape + batch_shape + event_shape`.
    """
    if isinstance(distribution, tfd.Independent):
        return draw(distribution.distribution, sample_shape, seed)
    if type(distribution) is tfd.TransformedDistribution:
        return distribution.bijector.forward(draw(distribution.distribution, sample_shape, seed))
    family = family_of(distribution)
    if family is not None and family.sampler is not None:
        return family.sampler(distribution, tuple(sample_shape), seed)
    return distribution.sample(sample_shape, seed=seed)


def support_bijector(distribution: Distribution):
    """Returns the bijector from unconstrained values onto the support of a continuous distribution."""
    if isinstance(distribution, tfd.Independent | tfd.BatchBroadcast | tfd.Sample):
        return support_bijector(distribution.distribution)
    family = family_of(distribution)
    if family is not None and family.support is not None:
        return family.support(distribution)
    bijector = distribution.experimental_default_event_space_bijector()
    return tfb.Identity() if bijector is None else bijector


def contains(distribution: Distribution, value):
    """Whether values lie in the support, elementwise; None where that isn't known."""
    if isinstance(distribution, tfd.Independent | tfd.BatchBroadcast | tfd.Sample):
        return contains(distribution.distribution, value)
    family = family_of(distribution)
    if family is None or family.contains is None:
        return None
    return family.contains(distribution, value)


def enumerate_support(distribution: Distribution):
    """Returns all values of a discrete distribution with finite support along a new first axis, else None."""
    if isinstance(distribution, tfd.Independent | tfd.BatchBroadcast | tfd.Sample):
        return enumerate_support(distribution.distribution)
    family = family_of(distribution)
    return None if family is None or family.enumerate is None else family.enumerate(distribution)


def is_discrete(distribution: Distribution) -> bool:
    """Whether a distribution's values are discrete."""
    while isinstance(distribution, tfd.Independent | tfd.BatchBroadcast | tfd.Sample | tfd.Masked):
        distribution = distribution.distribution
    family = family_of(distribution)
    if family is not None:
        return family.discrete
    return not keras.backend.is_float_dtype(keras.backend.standardize_dtype(distribution.dtype))


def is_reparameterized(distribution: Distribution) -> bool:
    """Whether gradients flow through draws to the parameters."""
    return distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED
