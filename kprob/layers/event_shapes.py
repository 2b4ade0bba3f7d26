"""Event shapes, and the broadcasting of parameters to them: NumPy's rule, aligned right."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import keras
import numpy as np

from kprob.backend import tfd
from kprob.checks import broadcast_static, broadcasts, shapes_fit
from kprob.distributions import Family, get_constraint
from kprob.distributions.broadcasting import broadcast_value, common_batch, shape_of, split_shape
from kprob.errors import SiteError, explain
from kprob.types import Distribution, Shape, Tensor

EventShape: TypeAlias = int | Sequence[int] | None


def normalize_event_shape(event_shape: EventShape, family: Family) -> tuple[int, ...] | None:
    """Turns an int or a sequence of ints into a tuple; None stays.

    Args:
        event_shape: What the user gave. For square matrices an int is the number of rows.
        family: The family.

    Raises:
        SiteError: It is neither, or has fewer axes than one value of the family.
    """
    if event_shape is None:
        return None
    try:
        if isinstance(event_shape, int | np.integer):
            shape: tuple = (event_shape,) * (2 if family.square else 1)
        else:
            shape = tuple(event_shape)
        valid = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in shape)
    except TypeError:
        shape, valid = (), False
    if not valid or isinstance(event_shape, bool | str):
        raise SiteError(
            explain(
                "The event shape of a random variable is its first argument.",
                received=repr(event_shape),
                expected="a positive int or a tuple of them, as in Dense(units)",
                fix="give parameters by keyword: layers.Normal(3, loc=0.0, scale=1.0)",
            )
        )
    if len(shape) < family.own_ndims:
        raise SiteError(
            explain(
                f"One value of {family.name} has more axes than this event shape.",
                received=f"event_shape={event_shape}",
                expected=f"at least {family.own_ndims} axes",
                fix=f"write layers.{family.name}{('(dimension)', '((rows, columns))')[family.own_ndims > 1]}",
            )
        )
    return tuple(int(n) for n in shape)


def batch_shapes(family: Family, shapes: Mapping[str, Shape]) -> list[Shape]:
    """Returns the batch axes of parameters from their static shapes."""
    return [split_shape(shape, family.parameters[name].event_ndims)[0] for name, shape in shapes.items()]


def fit_own_axes(
    site: str, family: Family, own_shapes: Mapping[str, Shape], values: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Broadcasts each parameter's own axes, as far as their lengths are known.

    Raises:
        SiteError: A parameter's axes don't fit the event shape or the settings.
    """
    return {
        name: _fit_one(site, family, name, own_shapes[name], value) if family.parameters[name].event_ndims else value
        for name, value in values.items()
    }


def _fit_one(site: str, family: Family, name: str, own_shape: Shape, value: Tensor) -> Tensor:
    parameter = family.parameters[name]
    own = split_shape(shape_of(value), parameter.event_ndims)[1]
    # The axes of a simplex or a matrix are one thing: only what is in front of them may be repeated.
    core = get_constraint(parameter.constraint).event_ndims
    whole = own_shape[len(own_shape) - core :]
    unknown = None in own_shape[: len(own_shape) - len(own)]
    if not unknown and broadcasts(own, own_shape) and shapes_fit(own[len(own) - core :] if core else (), whole):
        if own == own_shape or None in own_shape:
            return value
        lead = split_shape(tuple(keras.ops.shape(value)), parameter.event_ndims)[0]
        return broadcast_value(value, (*lead, *own_shape), 0)
    expected = tuple("?" if n is None else n for n in own_shape)
    raise SiteError(
        explain(
            f"Parameter `{name}` of random variable `{site}` doesn't fit.",
            received=f"shape {shape_of(value)}",
            expected=f"a shape that ends with {expected}".replace("'", ""),
            fix="change the parameter, or `event_shape` and the settings of the layer",
        )
    )


def fit_event(site: str, family: Family, values: Mapping[str, Tensor], extra: tuple[int, ...]) -> dict[str, Tensor]:
    """Broadcasts one parameter so that the common batch shape ends with the axes of the event beyond the family's own.

    Raises:
        SiteError: A parameter doesn't broadcast to the event shape.
    """
    shapes = {name: shape_of(value) for name, value in values.items()}
    for (name, shape), batch in zip(shapes.items(), batch_shapes(family, shapes), strict=True):
        if not broadcasts(batch[max(0, len(batch) - len(extra)) :], extra):
            raise SiteError(
                explain(
                    f"Parameter `{name}` of random variable `{site}` doesn't fit its event shape.",
                    received=f"shape {shape}",
                    expected=f"a shape that ends with {extra}, or broadcasts to it, aligned right",
                    fix="change `event_shape` of the layer, or the parameter; a parameter with one value per row needs "
                    "an axis of length 1 for each axis of the event: x[:, None]",
                )
            )
    common = broadcast_static(batch_shapes(family, shapes))
    if not extra or common[max(0, len(common) - len(extra)) :] == extra or not values:
        return dict(values)
    ndims = {name: family.parameters[name].event_ndims for name in values}
    batch = common_batch(values, ndims)
    batch = (*batch[: max(0, len(batch) - len(extra))], *extra)
    # A tensor rather than a number, which the distribution may want to know before running.
    name = next((n for n, v in values.items() if not isinstance(v, np.ndarray)), next(iter(values)))
    return {**values, name: broadcast_value(values[name], batch, ndims[name])}


def as_event(site: str, distribution: Distribution, event_shape: tuple[int, ...] | None, extra: int) -> Distribution:
    """Makes the last batch axes part of one value, and checks the shape of one value.

    Raises:
        SiteError: It isn't the layer's event shape.
    """
    independent = tfd.Independent(distribution, extra) if extra else distribution
    own = tuple(independent.event_shape)
    if event_shape is not None and not shapes_fit(own, event_shape):
        raise SiteError(
            explain(
                f"The parameters of random variable `{site}` don't fit its event shape.",
                received=f"parameters for values of shape {own}",
                expected=f"event shape {event_shape}",
                fix="change `event_shape` of the layer, or the parameters",
            )
        )
    return independent
