"""TensorFlow: TFP, compiled functions, maps over draws, gradients."""

import contextlib
from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from kprob.backend.tensorflow.vectorizing import keep_shapes_static

__all__ = [
    "accumulate",
    "batch_shape",
    "compile_function",
    "executing_eagerly",
    "find_influences",
    "gradients",
    "is_tensor",
    "map_draws",
    "softplus",
    "static_shape",
    "tfp",
    "vectorized_map",
    "wide_numbers",
]


def executing_eagerly() -> bool:
    """Whether operations run at once, rather than being recorded in a graph."""
    return tf.executing_eagerly()


def wide_numbers() -> contextlib.AbstractContextManager:
    """Returns a context in which this thread may use numbers of 64 bits: TensorFlow always may."""
    return contextlib.nullcontext()


def is_tensor(value) -> bool:
    """Whether a value is a tensor of the backend or a Keras variable."""
    return isinstance(value, tf.Tensor | tf.Variable | keras.Variable)


def static_shape(value) -> tuple[int | None, ...]:
    """Returns the shape as known before running: `None` where an axis is only known when running."""
    return tuple(value.shape)


def compile_function(function: Callable, variables: Callable = lambda: (), jit: bool = False) -> Callable:
    """Compiles a function of tensors; it is traced once per structure and shape of its arguments.

    Args:
        function: The function; it may read Keras variables and must not write them.
        variables: Returns the variables that `function` reads. TensorFlow finds them itself; JAX needs them.
        jit: Whether to compile with XLA.
    """
    del variables
    compiled = tf.function(function, jit_compile=jit, reduce_retracing=False, autograph=False)
    # Every model has its own, made of the same lines here: TensorFlow takes them for one that is traced again and again.
    compiled._omit_frequent_tracing_warning = True
    return compiled


def map_draws(function: Callable, draws, variables):
    """Runs a function once per draw and stacks what it returns along a new first axis.

    Args:
        function: From what belongs to one draw, such as a seed, to a structure of tensors.
        draws: A tensor or a structure of them, draws along axis 0, such as seeds (S, 2).
        variables: Variables that the function may update; TensorFlow finds them itself.
    """
    del variables
    one = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), draws)
    once = tf.function(function, autograph=False)
    outputs = once.get_concrete_function(one).structured_outputs
    signature = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), outputs)
    return tf.map_fn(once, draws, fn_output_signature=signature)


def gradients(function: Callable, *arguments):
    """Returns the value of a scalar function and its gradients with respect to its arguments; 0 where it has none."""
    arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
    return value, tape.gradient(value, arguments, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def batch_shape(distribution) -> tuple:
    """Returns a distribution's batch shape: ints, and scalar tensors for axes that are only known when running."""
    static = distribution.batch_shape
    if static.is_fully_defined():
        return tuple(static)
    running = distribution.batch_shape_tensor()
    return tuple(running[i] if size is None else size for i, size in enumerate(static))


# Operations that look at a tensor's shape or type and not at its numbers.
_SHAPES_ONLY = ("Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike")


def find_influences(function: Callable, inputs: dict) -> dict[str, set[str]]:
    """Finds which inputs of a function its outputs can depend on, from the recorded computation.

    Args:
        function: From tensors by name to tensors by name.
        inputs: Tensors by name.

    Returns:
        Names of inputs by name of output: all that have an influence, perhaps some that have none.
    """
    found: dict[str, set[str]] = {}

    def recorded(*values):
        given = dict(zip(inputs, values, strict=True))
        sources = {value.op.name: {name} for name, value in given.items()}
        outputs = {name: tf.convert_to_tensor(value) for name, value in function(given).items()}
        for op in tf.compat.v1.get_default_graph().get_operations():
            if op.name not in sources:
                parts = () if op.type in _SHAPES_ONLY else op.inputs
                sources[op.name] = set().union(*(sources.get(part.op.name, ()) for part in parts))
        found.update({name: sources.get(value.op.name, set()) for name, value in outputs.items()})
        return list(outputs.values())

    specs = [tf.TensorSpec(value.shape, value.dtype) for value in inputs.values()]
    tf.function(recorded, autograph=False).get_concrete_function(*specs)
    return found


def vectorized_map(function: Callable, elements: tf.Tensor, variables):
    """Runs `function(element)` for all elements at once, by operations with one more axis.

    Args:
        function: From an element to a structure of tensors.
        elements: Elements along the first axis.
        variables: Variables that the function reads; TensorFlow finds them itself.
    """
    del variables
    keep_shapes_static()
    return tf.vectorized_map(function, elements)


def accumulate(function: Callable, initial, elements):
    """Runs `state = function(state, element)` for one element after the other and stacks the states.

    Args:
        function: From a state and an element to the next state, a structure of tensors.
        initial: The state before the first element.
        elements: Elements along the first axis of a structure of tensors.
    """
    # In a graph, whatever is outside: thousands of steps would take seconds otherwise.
    return tf.function(lambda: tf.scan(function, elements, initializer=initial), autograph=False)()


def softplus(value: tf.Tensor) -> tf.Tensor:
    """Returns log(1 + exp(value))."""
    return tf.math.softplus(value)
