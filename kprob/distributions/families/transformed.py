"""The family of a bijector's images of another family's values."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from kprob.backend import tfb, tfd
from kprob.distributions.families.stacking import known_ndims
from kprob.distributions.family import Family, Parameter
from kprob.types import Distribution, Shape


def transformed_family(inner: Family, bijector: tfb.Bijector) -> Family:
    """Returns the family of `bijector(x)` where x is of an inner family.

    Args:
        inner: Family of the base variable.
        bijector: A TFP bijector. Where it acts on vectors, the elements of a scalar base are independent.

    Returns:
        A family with the parameters of the inner one.
    """
    inner_ndims = known_ndims(inner)
    extra = max(0, bijector.forward_min_event_ndims - inner_ndims)
    event_ndims = inner_ndims + extra + bijector.inverse_min_event_ndims - bijector.forward_min_event_ndims

    def base_event(event: Shape) -> Shape:
        if None in event or not event:
            return (None,) * (inner_ndims + extra)
        return tuple(bijector.inverse_event_shape(event))

    def shape_of(parameter: Parameter) -> Callable[[Shape, Mapping[str, object]], Shape]:
        def shape(event: Shape, settings: Mapping[str, object]) -> Shape:
            base = base_event(event)
            return (*base[:extra], *parameter.own_shape(base[extra:], settings))

        return shape

    def event(shapes: Mapping[str, Shape], settings: Mapping[str, object]) -> Shape:
        base: Shape = (None,) * (inner_ndims + extra)
        for name, shape in shapes.items():
            ndims = inner.parameters[name].event_ndims
            if extra and len(shape) >= ndims + extra:
                base = (*shape[len(shape) - ndims - extra : len(shape) - ndims], *(None,) * inner_ndims)
        if not extra:
            base = inner.own_event(shapes, settings)
        return (None,) * event_ndims if None in base else tuple(bijector.forward_event_shape(base))

    def constructor(**values: Any) -> Distribution:
        base = inner.constructor(**values)
        return tfd.TransformedDistribution(tfd.Independent(base, extra) if extra else base, bijector)

    parameters = {
        name: dataclasses.replace(parameter, event_ndims=parameter.event_ndims + extra, shape=shape_of(parameter))
        for name, parameter in inner.parameters.items()
    }
    from_event = inner.from_event
    return dataclasses.replace(
        inner,
        name="TransformedDistribution",
        constructor=constructor,
        parameters=parameters,
        event_ndims=event_ndims,
        event=event,
        from_event=None if from_event is None else lambda shape: from_event(base_event(shape)),
        square=False,
        distribution_class=None,
        sampler=None,
        support=None,
    )
