"""The output of a symbolic call of a family whose shapes only its distribution knows."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

# Two lengths that no axis has by chance.
_STAND_INS = (83, 97)


def symbolic_output(output_spec: Callable, features: Any, parameters: Mapping[str, Any]) -> keras.KerasTensor:
    """Returns what a symbolic call gives where only running it tells, and axes of unknown length may be among the inputs.

    TFP wants to know every length, so each unknown one is taken for two numbers in turn: an axis of the output that
    differs is unknown too.

    Args:
        output_spec: `(features, **parameters)` returns the output of inputs whose shapes are known.
        features: Features, or nothing.
        parameters: Parameters by name.
    """
    first, second = (
        output_spec(_sized(features, number), **{k: _sized(v, number) for k, v in parameters.items()})
        for number in _STAND_INS
    )
    shape = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
    return keras.KerasTensor(shape, dtype=first.dtype)


def _sized(value: Any, number: int) -> Any:
    if not isinstance(value, keras.KerasTensor):
        return value
    return keras.KerasTensor([number if size is None else size for size in value.shape], dtype=value.dtype)
