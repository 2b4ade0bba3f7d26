"""Patches of other packages' faults, each with the version it is for and the reason.

Importing this module changes nothing: each patch is a function. `kprob.backend` calls `apply_patches` once, before it imports the
backend's modules; TensorFlow's converters are put in place when `vectorized_map` first runs. When a fault is mended upstream, its
function here goes.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

_XLA_OPTION = "xla_cpu_small_while_loop_byte_threshold"
_XLA_BYTES = 1_000_000
_REDUCTIONS = ("Sum", "Prod", "Max", "Min", "Mean", "All", "Any")


def apply_patches(backend: str) -> None:
    """Applies what a backend needs before it is imported.

    Args:
        backend: Name of the Keras backend.
    """
    compile_small_loops_whole()
    if backend == "jax":
        restore_aval_mappings()


def compile_small_loops_whole() -> None:
    """Makes XLA compile small loops on the CPU in one piece, unless the user has set options of this kind.

    For: XLA of TensorFlow 2.21 and of JAX 0.10. XLA calls every operation of a loop's body by itself, which takes ten times as
    long as the operation where it is about a few numbers, as in the trajectories of a sampler. It compiles loops that touch up
    to 1 KB in one piece; with this option also larger ones, which moreover compile sooner. XLA reads the option before it first
    compiles.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_extra_options={_XLA_OPTION}={_XLA_BYTES}".strip()


def restore_aval_mappings() -> None:
    """Puts a table of JAX where TFP's JAX substrate looks for it.

    For: TFP 0.25 with JAX 0.10, which has moved the table (tensorflow/probability#2040). Without it TFP can't be imported.
    """
    import jax

    if not hasattr(jax.interpreters.xla, "pytype_aval_mappings"):
        jax.interpreters.xla.pytype_aval_mappings = jax._src.core.pytype_aval_mappings


@functools.cache
def keep_shapes_static() -> None:
    """Makes `tf.vectorized_map` remember that shapes are constants.

    For: TensorFlow 2.21. Under XLA it puts a vectorized map into a function of its own. Where the gradient of that function
    computes a shape from anything but constants, all arguments of the function are taken for compile-time constants, the data
    too, and the program is compiled again at every call: 100 milliseconds for a step that takes one.

    Two operations do it: reductions, whose axes are moved up by one inside the graph; and looking up rows by index, whose
    gradient is sparse and carries its shape along. Both get converters that use numbers. They replace TensorFlow's own only where
    the numbers are known; a TensorFlow without this registry stays as it is.
    """
    try:
        from tensorflow.python.ops.parallel_for import pfor
    except ImportError:  # pragma: no cover - a later TensorFlow
        return
    import tensorflow as tf

    converters = getattr(pfor, "_pfor_converter_registry", {})
    for name in _REDUCTIONS:
        if name in converters:
            converters[name] = _reduction(getattr(tf, f"reduce_{name.lower()}"), converters[name], pfor.wrap)
    if "GatherV2" in converters:
        converters["GatherV2"] = _lookup(converters["GatherV2"], pfor.wrap)


def _reduction(reduce: Callable, usual: Callable, wrap: Callable) -> Callable:
    import tensorflow as tf

    def convert(operation: Any) -> Any:
        axes = tf.get_static_value(operation.unstacked_input(1))
        if axes is None:
            return usual(operation)
        moved = axes + (axes >= 0)
        return wrap(reduce(operation.stacked_input(0), moved, keepdims=operation.get_attr("keep_dims")), True)

    return convert


def _lookup(usual: Callable, wrap: Callable) -> Callable:
    import tensorflow as tf

    @tf.custom_gradient
    def rows(table: Any, index: Any) -> tuple[Any, Callable]:
        def gradient(upstream: Any) -> tuple[Any, None]:
            number = table.shape[0]
            flat = tf.reshape(upstream, (-1, *table.shape[1:]))
            return tf.math.unsorted_segment_sum(flat, tf.reshape(index, (-1,)), number), None

        return tf.gather(table, index), gradient

    def convert(operation: Any) -> Any:
        table, table_stacked, _ = operation.input(0)
        index, index_stacked, _ = operation.input(1)
        axis = tf.get_static_value(operation.unstacked_input(2))
        known = axis is not None and axis == 0 and table.shape.is_fully_defined()
        if table_stacked or not index_stacked or not known or operation.get_attr("batch_dims"):
            return usual(operation)
        return wrap(rows(table, index), True)

    return convert
