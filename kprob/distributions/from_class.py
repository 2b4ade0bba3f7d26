"""A family made from any class of TFP distributions, by what TFP itself says of its parameters."""

import functools

from kprob.backend import tfb
from kprob.distributions.family import Family, Parameter, families


@functools.cache
def family_from_class(distribution_class: type) -> Family:
    """Returns the registered family of a TFP class, else one made of TFP's own parameter properties."""
    for family in families().values():
        if family.distribution_class is distribution_class:
            return family
    parameters = {}
    for name, properties in distribution_class.parameter_properties().items():
        if properties.is_tensor:
            parameters[name] = Parameter(None, _constraint_name(properties), int(properties.event_ndims or 0))
    return Family(distribution_class.__name__, distribution_class, parameters, distribution_class=distribution_class)


def _constraint_name(properties) -> str:
    try:
        bijector = properties.default_constraining_bijector_fn()
    except (NotImplementedError, TypeError):
        return "real"
    if isinstance(bijector, tfb.Softplus):
        return "positive"
    return "unit" if isinstance(bijector, tfb.Sigmoid) else "real"
