"""Families of transformed variables: a bijector's image of another family."""

import dataclasses

from kprob.backend import tfb, tfd
from kprob.distributions.families.components import require_known_axes
from kprob.distributions.family import Family, Parameter


def transformed_family(inner: Family, bijector: tfb.Bijector) -> Family:
    """Returns the family of `bijector(x)` where x is of an inner family.

    Args:
        inner: Family of the base variable.
        bijector: A TFP bijector. Where it acts on vectors, the elements of a scalar base are independent.

    Returns:
        A family with the parameters of the inner one.
    """
    require_known_axes(inner)
    extra = max(0, bijector.forward_min_event_ndims - inner.event_ndims)
    event_ndims = inner.event_ndims + extra + bijector.inverse_min_event_ndims - bijector.forward_min_event_ndims

    def base_event(event):
        if None in event or not event:
            return (None,) * (inner.event_ndims + extra)
        return tuple(bijector.inverse_event_shape(event))

    def shape_of(parameter: Parameter):
        def shape(event, settings):
            base = base_event(event)
            return (*base[:extra], *parameter.own_shape(base[extra:], settings))

        return shape

    def event(shapes, settings):
        base = (None,) * (inner.event_ndims + extra)
        for name, shape in shapes.items():
            ndims = inner.parameters[name].event_ndims
            if extra and len(shape) >= ndims + extra:
                base = (*shape[len(shape) - ndims - extra : len(shape) - ndims], *(None,) * inner.event_ndims)
        if not extra:
            base = inner.own_event(shapes, settings)
        return (None,) * event_ndims if None in base else tuple(bijector.forward_event_shape(base))

    def constructor(**values):
        base = inner.constructor(**values)
        return tfd.TransformedDistribution(tfd.Independent(base, extra) if extra else base, bijector)

    parameters = {
        name: dataclasses.replace(parameter, event_ndims=parameter.event_ndims + extra, shape=shape_of(parameter))
        for name, parameter in inner.parameters.items()
    }
    return dataclasses.replace(
        inner,
        name="TransformedDistribution",
        constructor=constructor,
        parameters=parameters,
        event_ndims=event_ndims,
        event=event,
        from_event=None if inner.from_event is None else lambda e: inner.from_event(base_event(e)),
        square=False,
        distribution_class=None,
        sampler=None,
        support=None,
    )
