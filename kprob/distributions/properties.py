"""Whether a distribution is discrete, and whether gradients flow through its draws."""

import keras

from kprob.backend import tfd
from kprob.distributions.registry import family_of, is_a
from kprob.distributions.wrappers import TRANSPARENT, component_of, is_any
from kprob.types import Distribution

# TFP's mark of discrete distributions, which it doesn't export.
_DISCRETE = next(cls for cls in tfd.Poisson.__mro__ if cls.__name__ == "DiscreteDistributionMixin")


def is_discrete(distribution: Distribution) -> bool:
    """Whether a distribution's values are discrete.

    Args:
        distribution: A TFP distribution.
    """
    family, component = family_of(distribution), component_of(distribution)
    if component is not None:
        return is_discrete(component)
    if family is not None:
        return family.discrete
    if is_any(distribution, (*TRANSPARENT, tfd.TransformedDistribution)):
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
    if is_any(distribution, (tfd.Independent, tfd.BatchBroadcast, tfd.Masked)):
        return is_reparameterized(distribution.distribution)
    return distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED
