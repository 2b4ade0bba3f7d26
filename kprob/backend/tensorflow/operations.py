"""Operations on TensorFlow."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from kprob.backend.look_ups import LookUp, line_of_frames
from kprob.backend.patches import keep_shapes_static
from kprob.types import Distribution, Shape

__all__ = [
    "accumulate",
    "batch_shape",
    "compile_function",
    "executing_eagerly",
    "find_influences",
    "gradients",
    "is_tensor",
    "look_ups",
    "map_draws",
    "softplus",
    "static_shape",
    "tfp",
    "vectorized_map",
    "wide_numbers",
]

# Operations that look at a tensor's shape or type and not at its numbers.
_SHAPES_ONLY = ("Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike")


def executing_eagerly() -> bool:
    return tf.executing_eagerly()


def wide_numbers() -> contextlib.AbstractContextManager[None]:
    # Every thread always may.
    return contextlib.nullcontext()


def is_tensor(value: object) -> bool:
    return isinstance(value, tf.Tensor | tf.Variable | keras.Variable)


def static_shape(value: tf.Tensor) -> tuple[int | None, ...]:
    return tuple(value.shape)


def compile_function(
    function: Callable, variables: Callable[[], Sequence[keras.Variable]] = lambda: (), jit: bool = False
) -> Callable:
    del variables  # TensorFlow finds them itself
    compiled = tf.function(function, jit_compile=jit, reduce_retracing=False, autograph=False)
    # Every model has its own function, made by the same lines: TensorFlow would warn of one that is traced again and again.
    compiled._omit_frequent_tracing_warning = True
    return compiled


def map_draws(function: Callable, draws: Any, variables: Sequence[keras.Variable]) -> Any:
    del variables  # TensorFlow finds them itself
    one = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), draws)
    once = tf.function(function, autograph=False)
    outputs = once.get_concrete_function(one).structured_outputs
    signature = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), outputs)
    return tf.map_fn(once, draws, fn_output_signature=signature)


def vectorized_map(function: Callable, elements: tf.Tensor, variables: Sequence[keras.Variable]) -> Any:
    del variables  # TensorFlow finds them itself
    keep_shapes_static()
    return tf.vectorized_map(function, elements)


def accumulate(function: Callable, initial: Any, elements: Any) -> Any:
    # In a graph, even where operations run at once: thousands of steps would take seconds otherwise.
    return compile_function(lambda: tf.scan(function, elements, initializer=initial))()


def gradients(function: Callable, *arguments: tf.Tensor) -> tuple[tf.Tensor, Sequence[tf.Tensor]]:
    arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
    return value, tape.gradient(value, arguments, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def batch_shape(distribution: Distribution) -> Shape:
    static = distribution.batch_shape
    if static.is_fully_defined():
        return tuple(static)
    running = distribution.batch_shape_tensor()
    return tuple(running[i] if size is None else size for i, size in enumerate(static))


def find_influences(function: Callable, inputs: dict[str, tf.Tensor]) -> dict[str, set[str]]:
    influences: dict[str, set[str]] = {}

    def recorded(*values: tf.Tensor) -> list[tf.Tensor]:
        named = dict(zip(inputs, values, strict=True))
        sources: dict[str, set[str]] = {value.op.name: {name} for name, value in named.items()}
        outputs = {name: tf.convert_to_tensor(value) for name, value in function(named).items()}
        for op in tf.compat.v1.get_default_graph().get_operations():
            if op.name not in sources:
                operands = () if op.type in _SHAPES_ONLY else op.inputs
                sources[op.name] = set().union(*(sources.get(operand.op.name, ()) for operand in operands))
        influences.update({name: sources.get(value.op.name, set()) for name, value in outputs.items()})
        return list(outputs.values())

    specs = [tf.TensorSpec(value.shape, value.dtype) for value in inputs.values()]
    tf.function(recorded, autograph=False).get_concrete_function(*specs)
    return influences


def softplus(value: tf.Tensor) -> tf.Tensor:
    return tf.math.softplus(value)


def look_ups(
    function: Callable, variables: Callable[[], Sequence[keras.Variable]] = lambda: ()
) -> Callable[[Any], list[LookUp]]:
    del variables  # TensorFlow finds them itself
    return GraphLookUps(function)


# A user's look-ups on TensorFlow, which refuses an index that is out of range, unless XLA compiles it: then it clamps.
# The function is recorded in a graph whose only results are the bounds of the indices: nothing else runs.
class GraphLookUps:
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
