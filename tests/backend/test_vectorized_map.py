"""On TensorFlow: a vectorized map inside a compiled loop takes its data as arguments, never as constants."""

import keras
import numpy as np
import pytest

from kprob.backend import vectorized_map

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX has no such trouble"),
]

ROWS = 123
FUNCTIONS = {
    "sum": lambda number, rows, table: keras.ops.sum(keras.ops.square(rows * number - table[0])),
    "largest of each row": lambda number, rows, table: keras.ops.max(keras.ops.stack([rows, rows * number]), axis=0),
    "lookup": lambda number, rows, table: rows * keras.ops.take(table, keras.ops.cast(number, "int32"), axis=0),
    "lookup of vectors": lambda number, rows, table: keras.ops.mean(
        keras.ops.take(keras.ops.stack([table, table], -1), keras.ops.cast(number, "int32")[None], axis=0)
        * rows[:, None],
        axis=-1,
    ),
}


def program(function):
    """Steps of gradient ascent whose objective is a sum over a vectorized map, as enumeration makes them."""
    import tensorflow as tf

    def run(data, steps, table):
        def step(i, table):
            with tf.GradientTape() as tape:
                tape.watch(table)
                terms = vectorized_map(lambda number: function(number, data, table), tf.range(4.0), ())
                objective = tf.reduce_sum(tf.square(terms))
            found = tape.gradient(objective, table, unconnected_gradients="zero")
            return i + 1, table + 0.01 * tf.convert_to_tensor(found)

        return tf.while_loop(lambda i, _: i < steps, step, (0, table))[1]

    return tf.function(run, jit_compile=True, autograph=False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_data_are_no_constants(name):
    import tensorflow as tf

    data = tf.constant(np.linspace(-1.0, 1.0, ROWS), "float32")
    arguments = data, tf.constant(3), tf.constant([0.1, 0.2, 0.3, 0.4])
    text = program(FUNCTIONS[name]).experimental_get_compiler_ir(*arguments)(stage="hlo")
    assert any(f"f32[{ROWS}]" in line and " parameter(" in line for line in text.splitlines())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_numbers(name):
    import tensorflow as tf

    data = tf.constant(np.linspace(-1.0, 1.0, ROWS), "float32")
    table = tf.constant([0.1, -0.2, 0.3, 0.4])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(table)
        numbers = tf.range(4.0)
        found = vectorized_map(lambda number: FUNCTIONS[name](number, data, table), numbers, ())
        expected = tf.stack([FUNCTIONS[name](numbers[i], data, table) for i in range(4)])
        found, expected = tf.reduce_sum(tf.square(found)), tf.reduce_sum(tf.square(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    left, right = (tape.gradient(value, table) for value in (found, expected))
    if left is not None or right is not None:
        np.testing.assert_allclose(tf.convert_to_tensor(left), tf.convert_to_tensor(right), rtol=1e-5)
