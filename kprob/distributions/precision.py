"""A distribution in double precision."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob.backend import is_tensor
from kprob.types import Distribution


def to_float64(distribution: Distribution) -> Distribution:
    """Returns a distribution whose parameters, and those of what it is made of, are float64 where they were floats.

    Numbers that are no tensors yet keep all their digits.

    Args:
        distribution: A TFP distribution.
    """
    wide = _wide(distribution)
    if _is_float32(wide.dtype):
        # Whole numbers alone: TFP takes them for float32.
        wide = wide.copy(**_whole_numbers(wide))
    return wide


def _wide(value: Any) -> Any:
    # The same object where nothing changes: bijectors find the inverse of a value that they made by its identity.
    if isinstance(getattr(value, "parameters", None), Mapping):
        changed = {}
        for name, part in value.parameters.items():
            wide = _wide(part)
            if wide is not part:
                changed[name] = wide
        return _remade(value, changed) if changed else value
    if is_tensor(value) or isinstance(value, np.ndarray | np.generic):
        dtype = keras.backend.standardize_dtype(value.dtype)
        if dtype == "float64" or not keras.backend.is_float_dtype(dtype):
            return value
        return keras.ops.cast(value, "float64") if is_tensor(value) else value.astype("float64")
    if isinstance(value, float):
        return np.float64(value)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        if _are_floats(value):
            return np.array(value, "float64")  # TFP reads the type of an array, and ignores that of numbers in a list
        parts = [_wide(part) for part in value]
        same = all(new is old for new, old in zip(parts, value, strict=True))
        return value if same else tuple(parts) if isinstance(value, tuple) else parts
    return np.float64 if _is_float32(value) else value


def _remade(value: Any, changed: Mapping[str, Any]) -> Any:
    if hasattr(value, "copy"):
        return value.copy(**changed)
    return type(value)(**{**value.parameters, **changed})  # a linear operator


def _whole_numbers(distribution: Distribution) -> dict[str, np.ndarray]:
    try:
        names = type(distribution).parameter_properties()
    except NotImplementedError:
        return {}
    values = {name: distribution.parameters.get(name) for name in names}
    arrays = {name: np.asarray(v) for name, v in values.items() if isinstance(v, int | list | tuple | np.ndarray)}
    return {name: array.astype("float64") for name, array in arrays.items() if array.dtype.kind in "iu"}


def _are_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(_are_floats(part) for part in value)
    return isinstance(value, float | np.floating)


def _is_float32(value: Any) -> bool:
    # A type, as TensorFlow, NumPy or a string says it.
    if not isinstance(value, str | type | np.dtype) and not hasattr(value, "as_numpy_dtype"):
        return False
    try:
        return keras.backend.standardize_dtype(value) == "float32"
    except (ValueError, TypeError):
        return False
