"""Mends what `tf.vectorized_map` forgets: that shapes are constants.

Under XLA TensorFlow puts a vectorized map into a function of its own. Where the gradient of that function computes a shape
from anything but constants, all arguments of the function are taken for compile-time constants, the data too, and the
program is compiled again at every call: 100 milliseconds for a step of one.

Two operations do it: reductions, whose axes are moved up by one inside the graph; and looking up rows by index, whose
gradient is sparse and carries its shape along. Both have converters here that use numbers. They stand in for TensorFlow's
own only where the numbers are known; in another TensorFlow, without this registry, all stays as it was.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

REDUCTIONS = ("Sum", "Prod", "Max", "Min", "Mean", "All", "Any")


@functools.cache
def keep_shapes_static() -> None:
    """Puts the converters into TensorFlow's registry, once."""
    try:
        from tensorflow.python.ops.parallel_for import pfor
    except ImportError:  # pragma: no cover - a later TensorFlow
        return
    converters = getattr(pfor, "_pfor_converter_registry", {})
    for name in REDUCTIONS:
        if name in converters:
            converters[name] = _reduction(getattr(tf, f"reduce_{name.lower()}"), converters[name], pfor.wrap)
    if "GatherV2" in converters:
        converters["GatherV2"] = _lookup(converters["GatherV2"], pfor.wrap)


def _reduction(reduce: Callable, usual: Callable, wrap: Callable) -> Callable:
    def convert(given):
        axes = tf.get_static_value(given.unstacked_input(1))
        if axes is None:
            return usual(given)
        moved = axes + (axes >= 0)
        return wrap(reduce(given.stacked_input(0), moved, keepdims=given.get_attr("keep_dims")), True)

    return convert


def _lookup(usual: Callable, wrap: Callable) -> Callable:
    def convert(given):
        table, table_stacked, _ = given.input(0)
        index, index_stacked, _ = given.input(1)
        axis = tf.get_static_value(given.unstacked_input(2))
        known = axis is not None and axis == 0 and table.shape.is_fully_defined()
        if table_stacked or not index_stacked or not known or given.get_attr("batch_dims"):
            return usual(given)
        return wrap(_rows(table, index), True)

    return convert


@tf.custom_gradient
def _rows(table: tf.Tensor, index: tf.Tensor):
    def gradient(upstream):
        number = table.shape[0]
        rows = tf.reshape(upstream, (-1, *table.shape[1:]))
        return tf.math.unsorted_segment_sum(rows, tf.reshape(index, (-1,)), number), None

    return tf.gather(table, index), gradient
