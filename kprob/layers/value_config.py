"""A constructor's value as a config that Keras can write, and back: numbers, arrays, functions, distributions."""

from typing import Any

import keras
import numpy as np

from kprob.backend import is_tensor, tfd


def value_config(value: Any) -> Any:
    """Returns a value that Keras can write: arrays for tensors, plain numbers for scalars."""
    if is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    if isinstance(value, np.ndarray):
        return value.item() if value.ndim == 0 else value
    if callable(value) or isinstance(value, tfd.Distribution):
        return keras.saving.serialize_keras_object(value)
    return list(value) if isinstance(value, list | tuple) else value


def restored_value(value: Any) -> Any:
    """Returns what `value_config` wrote."""
    written = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if written else value
