"""A user's look-ups on TensorFlow, which refuses an index that is out of range, unless XLA compiles it: then it clamps.

The function is recorded in a graph whose only results are the bounds of the indices: nothing else runs.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kprob.backend.look_ups import LookUp, line_of_frames


class LookUps:
    """Finds the look-ups of a function's run.

    Args:
        function: The function of tensors.
    """

    def __init__(self, function: Callable):
        self.function = function
        self.places: dict[Any, list[str]] = {}
        self.program = tf.function(self._bounds, reduce_retracing=False, autograph=False)
        self.program._omit_frequent_tracing_warning = True

    def __call__(self, argument: Any) -> list[LookUp]:
        bounds = self.program(argument)
        lines = self.places[_key(argument)]
        numbers = [[int(number) for number in found] for found in bounds]
        return [LookUp(low, high, length, line) for (low, high, length), line in zip(numbers, lines, strict=True)]

    def _bounds(self, argument: Any) -> list[tf.Tensor]:
        with keras.StatelessScope():  # nothing is written to variables
            self.function(argument)
        bounds: list[tf.Tensor] = []
        lines: list[str] = []
        for operation in list(tf.compat.v1.get_default_graph().get_operations()):
            if operation.type not in _INDICES:
                continue
            line = line_of_frames((f.filename, f.lineno) for f in reversed(list(operation.traceback)))
            for index, length in _INDICES[operation.type](operation) if line is not None else ():
                if index.shape.num_elements() != 0:
                    index = tf.cast(index, tf.int64)
                    bounds.append(tf.stack([tf.reduce_min(index), tf.reduce_max(index), tf.cast(length, tf.int64)]))
                    lines.append(str(line))
        self.places[_key(argument)] = lines
        return bounds


def _key(argument: Any) -> Any:
    return tuple((tuple(t.shape), t.dtype) for t in tf.nest.flatten(argument))


def _gather(operation: tf.Operation) -> list[tuple[tf.Tensor, tf.Tensor]]:
    table, index, axis = operation.inputs
    return [(index, tf.shape(table)[axis])]


def _gather_many(operation: tf.Operation) -> list[tuple[tf.Tensor, tf.Tensor]]:
    table, index = operation.inputs
    return [(index[..., i], tf.shape(table)[i]) for i in range(index.shape[-1] or 0)]


def _element(operation: tf.Operation) -> list[tuple[tf.Tensor, tf.Tensor]]:
    # x[k] of a number k that is only known when running.
    table, begin = operation.inputs[:2]
    if (
        operation.get_attr("ellipsis_mask")
        or operation.get_attr("new_axis_mask")
        or tf.get_static_value(begin) is not None
    ):
        return []
    taken = operation.get_attr("shrink_axis_mask")
    axes = [axis for axis in range(begin.shape[0] or 0) if taken >> axis & 1]
    lengths = tf.shape(table)
    return [(tf.where(begin[i] < 0, begin[i] + tf.cast(lengths[i], begin.dtype), begin[i]), lengths[i]) for i in axes]


_INDICES: dict[str, Callable] = {"GatherV2": _gather, "GatherNd": _gather_many, "StridedSlice": _element}
