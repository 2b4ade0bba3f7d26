"""Learned parameters: heads, which make them of features, and free ones, which are variables.

Both start where the parameter has the family's standard value, whatever the features.
"""

import keras
import numpy as np
from keras import ops

from kprob.distributions import Family, get_constraint
from kprob.errors import SiteError, explain, names


class StartAt(keras.initializers.Initializer):
    """Unconstrained numbers behind a value, with noise where equal starts are a trap.

    Args:
        constraint: Name of the parameter's constraint.
        value: Value of the parameter; None for zeros.
        spread: Standard deviation of the noise.
        flat: Whether the numbers are wanted as one vector.
    """

    def __init__(self, constraint: str, value, spread: float = 0.0, flat: bool = False):
        self.constraint, self.value, self.spread, self.flat = constraint, value, spread, flat

    def __call__(self, shape, dtype=None, **kwargs):
        start = ops.zeros(shape, dtype)
        if self.value is not None:
            raw = get_constraint(self.constraint).inverse(ops.convert_to_tensor(self.value, dtype="float32"))
            start = ops.cast(ops.reshape(raw, shape) if self.flat else raw, dtype)
        if self.spread:
            start = start + keras.initializers.RandomNormal(stddev=self.spread)(shape, dtype)
        return start

    def get_config(self):
        value = None if self.value is None else np.asarray(self.value).tolist()
        return {"constraint": self.constraint, "value": value, "spread": self.spread, "flat": self.flat}


def value_shape(site: str, family: Family, name: str, event_shape, settings) -> tuple[int, ...]:
    """Returns the shape of a learned parameter for one element of the plates.

    Raises:
        SiteError: It doesn't follow from the event shape and the settings.
    """
    parameter = family.parameters[name]
    ndims = family.event_ndims or 0
    event = (None,) * ndims if event_shape is None else event_shape
    extra, own = event[: len(event) - ndims], event[len(event) - ndims :]
    shape = (*extra, *parameter.own_shape(own, settings)) if parameter.tensor else (None,)
    if None in shape:
        unknown = [setting for setting in family.settings if settings[setting] is None]
        given = "".join(f", {setting}=..." for setting in unknown)
        raise SiteError(
            explain(
                f"Parameter `{name}` of random variable `{site}` can't be learned: its shape isn't known.",
                received=f"event_shape={event_shape}",
                expected=f"an event shape{' and ' + names(unknown) if unknown else ''}, from which it follows",
                fix=f"write layers.{family.name}(event_shape{given}), or pass {name}=...",
            )
        )
    return shape


def make_head(family: Family, name: str, shape: tuple[int, ...], features_shape, dtype_policy) -> keras.layers.Dense:
    """Returns a built dense layer from features to the unconstrained numbers behind a parameter."""
    parameter = family.parameters[name]
    size = get_constraint(parameter.constraint).size(shape)
    start = StartAt(parameter.constraint, parameter.start_value(shape), parameter.spread, flat=True)
    units = int(np.prod(size, dtype=int))
    head = keras.layers.Dense(units, name=f"{name}_head", dtype=dtype_policy, bias_initializer=start)
    head.build(features_shape)
    return head


def head_value(family: Family, name: str, head, features, shape: tuple[int, ...], dtype: str):
    """Returns the parameter that a head makes of features (..., F)."""
    constraint = get_constraint(family.parameters[name].constraint)
    single = len(features.shape) == 1  # Dense wants a batch axis
    raw = ops.cast(head(features[None] if single else features), dtype)
    raw = raw[0] if single else raw
    return constraint.forward(ops.reshape(raw, (*ops.shape(raw)[:-1], *constraint.size(shape))))


def related(family: Family, learned: dict, others: dict) -> dict:
    """Moves learned values to where they belong beside the other parameters."""
    values = {**others, **learned}
    for name, parameter in family.parameters.items():
        if name in learned and parameter.relate is not None:
            values[name] = parameter.relate(values[name], values)
    return values
