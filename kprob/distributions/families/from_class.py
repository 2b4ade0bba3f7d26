"""A family made from any class of TFP distributions, by what TFP itself says of its parameters."""

import functools
import inspect
from typing import Any

from kprob.backend import tfb, tfd
from kprob.distributions.family import Family, Parameter, matrix, vector
from kprob.distributions.registry import families
from kprob.errors import SiteError, explain

_NOT_PARAMETERS = ("self", "validate_args", "allow_nan_stats", "name", "parameters", "kwargs")


@functools.cache
def family_from_class(distribution_class: Any) -> Family:
    """Returns the registered family of a TFP class, else one made of TFP's own parameter properties.

    Args:
        distribution_class: A class of TFP distributions.

    Raises:
        SiteError: It is a joint distribution, of several variables.
    """
    name = distribution_class.__name__
    arguments = _arguments(distribution_class)
    registered = families().get(name)
    if registered is not None and getattr(tfd, name, None) is distribution_class:
        if set(registered.parameters) <= set(arguments):
            return registered
    if issubclass(distribution_class, tfd.JointDistribution):
        raise SiteError(
            explain(
                f"A {name} is a model of several variables, not one random variable.",
                fix="write it as a network, with one random variable for each part",
            )
        )
    try:
        properties = distribution_class.parameter_properties()
    except NotImplementedError:
        properties = {}
    parameters = {
        argument: _parameter(properties.get(argument), default is not inspect.Parameter.empty)
        for argument, default in arguments.items()
    }
    learned = [n for n, p in parameters.items() if p.tensor and properties[n].is_preferred]
    return Family(
        name, distribution_class, parameters, tuple(learned), event_ndims=None, distribution_class=distribution_class
    )


def _arguments(distribution_class: Any) -> dict[str, object]:
    signature = inspect.signature(distribution_class.__init__)
    kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and not p.name.startswith("_")]
    return {p.name: p.default for p in kept if p.name not in _NOT_PARAMETERS}


def _parameter(properties: Any, optional: bool) -> Parameter:
    # What isn't a tensor, or whose axes depend on other arguments, is passed on as it is.
    ndims = None if properties is None or not properties.is_tensor else properties.event_ndims
    if not isinstance(ndims, int):
        return Parameter(optional=optional, tensor=False)
    constraint = constraint_name(properties)
    shape = {1: vector, 2: matrix}.get(ndims) if constraint in ("lower_triangular", "simplex") else None
    return Parameter(None, constraint, ndims, shape, optional=optional)


def constraint_name(properties: Any) -> str:
    """Returns the name of the constraint that TFP's properties of a parameter amount to.

    Args:
        properties: A `tfp.util.ParameterProperties`.
    """
    try:
        bijector = properties.default_constraining_bijector_fn()
    except (NotImplementedError, TypeError):
        return "real"
    for cls, name in (
        (tfb.Softplus, "positive"),
        (tfb.Sigmoid, "unit"),
        (tfb.FillScaleTriL, "lower_triangular"),
        (tfb.SoftmaxCentered, "simplex"),
        (tfb.Ascending, "ordered"),
    ):
        if isinstance(bijector, cls):
            return name
    return "real"
