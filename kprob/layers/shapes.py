"""Event shapes and the broadcasting of parameters to them."""

import keras
import numpy as np

from kprob.checks import broadcast_static, broadcasts
from kprob.errors import SiteError, explain


def normalize_event_shape(event_shape) -> tuple[int, ...] | None:
    """Turns an int or a sequence of ints into a tuple; None stays.

    Raises:
        SiteError: It is neither.
    """
    if event_shape is None:
        return None
    try:
        shape = (event_shape,) if isinstance(event_shape, int | np.integer) else tuple(event_shape)
        valid = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in shape)
    except TypeError:
        shape, valid = event_shape, False
    if not valid or isinstance(event_shape, bool | str):
        raise SiteError(
            explain(
                "The event shape of a random variable is its first argument.",
                received=repr(event_shape),
                expected="a positive int or a tuple of them, as in Dense(units)",
                fix="give parameters by keyword: layers.Normal(3, loc=0.0, scale=1.0)",
            )
        )
    return tuple(int(n) for n in shape)


def batch_shape_of(family, values) -> tuple:
    """Returns the common static batch shape of parameters."""
    shapes = []
    for name, value in values.items():
        shape = tuple(value.shape)
        shapes.append(shape[: len(shape) - family.parameters[name].event_ndims])
    return broadcast_static(shapes)


def broadcast_batch(site: str, family, values, extra):
    """Broadcasts one parameter so that the common batch shape ends with the event's own axes.

    Raises:
        SiteError: A parameter doesn't broadcast to the event shape.
    """
    if not extra:
        return values
    for name, value in values.items():
        shape = tuple(value.shape)
        batch = shape[: len(shape) - family.parameters[name].event_ndims]
        if not broadcasts(batch[-len(extra) :], extra):
            raise SiteError(
                explain(
                    f"Parameter `{name}` of random variable `{site}` doesn't fit its event shape.",
                    received=f"shape {shape}",
                    expected=f"a shape that ends with {extra}, or broadcasts to it, aligned right",
                    fix="change `event_shape` of the layer, or the parameter; a parameter with one value per row needs "
                    "an axis of length 1 for each axis of the event: x[:, None]",
                )
            )
    common = batch_shape_of(family, values)
    if len(common) >= len(extra) and tuple(common[-len(extra) :]) == tuple(extra):
        return values
    name = next(iter(values))
    value, ndims = values[name], family.parameters[name].event_ndims
    shape = list(keras.ops.shape(value))
    batch, own = shape[: len(shape) - ndims], shape[len(shape) - ndims :]
    lead = batch[: max(0, len(batch) - len(extra))]
    return {**values, name: keras.ops.broadcast_to(value, (*lead, *extra, *own))}
