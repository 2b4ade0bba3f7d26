"""TensorFlow: TFP, compiled functions, maps over draws, gradients."""

from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_probability as tfp

__all__ = [
    "batch_shape",
    "compile_function",
    "executing_eagerly",
    "gradients",
    "is_tensor",
    "map_draws",
    "static_shape",
    "tfp",
]


def executing_eagerly() -> bool:
    """Whether operations run at once, rather than being recorded in a graph."""
    return tf.executing_eagerly()


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
    return tf.function(function, jit_compile=jit, reduce_retracing=False, autograph=False)


def map_draws(function: Callable, draws, variables=()):
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
    """Returns the value of a scalar function and its gradients with respect to its arguments."""
    arguments = tf.nest.map_structure(tf.convert_to_tensor, arguments)
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
    return value, tape.gradient(value, arguments)


def batch_shape(distribution) -> tuple:
    """Returns a distribution's batch shape: ints, and scalar tensors for axes that are only known when running."""
    static = distribution.batch_shape
    if static.is_fully_defined():
        return tuple(static)
    running = distribution.batch_shape_tensor()
    return tuple(running[i] if size is None else size for i, size in enumerate(static))
