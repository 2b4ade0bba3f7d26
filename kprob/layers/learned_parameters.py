"""The parameters that a layer learns: by heads, which make them of features, or as free variables.

Both start where the parameter has the family's standard value, whatever the features.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.distributions import Family, get_constraint
from kprob.types import ArrayLike, Shape, Tensor


class StartAt(keras.initializers.Initializer):
    """Unconstrained numbers behind a value, with noise where equal starts are a trap.

    Args:
        constraint: Name of the parameter's constraint.
        value: Value of the parameter; None for zeros.
        spread: Standard deviation of the noise.
        flat: Whether the numbers are to be one vector.
    """

    def __init__(self, constraint: str, value: ArrayLike, spread: float = 0.0, flat: bool = False):
        self.constraint, self.value, self.spread, self.flat = constraint, value, spread, flat

    def __call__(self, shape: Shape, dtype: str | None = None, **kwargs: Any) -> Tensor:
        start = ops.zeros(shape, dtype)
        if self.value is not None:
            raw = get_constraint(self.constraint).inverse(ops.convert_to_tensor(self.value, dtype="float32"))
            start = ops.cast(ops.reshape(raw, shape) if self.flat else raw, dtype)
        if self.spread:
            start = start + keras.initializers.RandomNormal(stddev=self.spread)(shape, dtype)
        return start

    def get_config(self) -> dict[str, Any]:
        value = None if self.value is None else np.asarray(self.value).tolist()
        return {"constraint": self.constraint, "value": value, "spread": self.spread, "flat": self.flat}


def free_weight(family: Family, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Returns the arguments of `add_weight` for a free parameter of a shape."""
    parameter = family.parameters[name]
    start = StartAt(parameter.constraint, parameter.start_value(shape), parameter.spread)
    size = get_constraint(parameter.constraint).size(shape)
    # A 16-bit policy of a layer around this one is for networks.
    return {"shape": size, "initializer": start, "name": name, "autocast": False}


def make_head(
    family: Family, name: str, shape: tuple[int, ...], features_shape: Shape, dtype_policy: keras.DTypePolicy
) -> keras.layers.Dense:
    """Returns a built dense layer from features to the unconstrained numbers behind a parameter."""
    parameter = family.parameters[name]
    size = get_constraint(parameter.constraint).size(shape)
    start = StartAt(parameter.constraint, parameter.start_value(shape), parameter.spread, flat=True)
    units = int(np.prod(size, dtype=int))
    head = keras.layers.Dense(units, name=f"{name}_head", dtype=dtype_policy, bias_initializer=start)
    head.build(features_shape)
    return head


def head_value(
    family: Family, name: str, head: keras.layers.Dense, features: Tensor, shape: tuple[int, ...], dtype: str
) -> Tensor:
    """Returns the parameter that a head makes of features (..., F)."""
    constraint = get_constraint(family.parameters[name].constraint)
    single = len(features.shape) == 1  # Dense wants a batch axis
    raw = ops.cast(head(features[None] if single else features), dtype)
    raw = raw[0] if single else raw
    return constraint.forward(ops.reshape(raw, (*ops.shape(raw)[:-1], *constraint.size(shape))))
