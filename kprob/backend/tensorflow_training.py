"""Many training steps in one compiled TensorFlow program, over rows that lie on the device.

Keras's loop calls one compiled function per step; for a small model nearly all the time goes into calling it. Here the
model's own `train_step` runs inside `tf.while_loop`s, so that an epoch, or many, is one call.
"""

from collections.abc import Callable

import keras
import tensorflow as tf


def device_array(value) -> tf.Tensor:
    """Puts an array on the device."""
    return tf.convert_to_tensor(value)


def make_program(model: keras.Model, batch_size: int, num_rows: int | None, take: Callable, jit: bool) -> Callable:
    """Compiles epochs of training.

    Args:
        model: A compiled model; its `train_step` and metrics are used as they are.
        batch_size: Rows of a step.
        num_rows: Rows of the data set, or None where it is one batch without rows.
        take: `(data, rows) -> batch`, the batch of some rows (None for all).
        jit: Whether to compile with XLA.

    Returns:
        `program(data, orders, epochs, first, last)`: runs the steps from `first` to `last` of each of `epochs` epochs,
        whose rows come in the order of `orders[epoch]`, and returns the logs of each: a dict of arrays as long as
        `orders`. The partial batch is the last step.
    """
    full = 0 if num_rows is None else num_rows // batch_size
    rest = 0 if num_rows is None else num_rows % batch_size
    single = num_rows is None or batch_size >= num_rows

    def step(data, order, start, size):
        rows = None if single else tf.slice(order, [start], [size])
        # A dataset hands (x,) to train_step.
        return model.train_step((take(data, rows),))

    def epoch(data, order, first, last):
        tf.cond(first == 0, lambda: _reset(model), lambda: None)
        if single:
            step(data, order, 0, num_rows)
            return _results(model)

        def body(i):
            step(data, order, i * batch_size, batch_size)
            return (i + 1,)

        tf.while_loop(lambda i: i < tf.minimum(last, full), body, (first,))
        if rest:
            tf.cond(last > full, lambda: _discard(step(data, order, full * batch_size, rest)), lambda: None)
        return _results(model)

    @tf.function(jit_compile=jit, reduce_retracing=False, autograph=False)
    def program(data, orders, epochs, first, last):
        capacity = int(orders.shape[0])
        names = list(model.get_metrics_result())

        def body(e, logs):
            result = epoch(data, orders[e], first, last)
            values = tf.stack([tf.cast(result[name], tf.float32) for name in names])
            return e + 1, logs.write(e, values)

        logs = tf.TensorArray(tf.float32, size=capacity, element_shape=(len(names),))
        zero = tf.constant(0, tf.int32)
        _, logs = tf.while_loop(lambda e, _: e < epochs, body, (zero, logs))
        return dict(zip(names, tf.unstack(logs.stack(), axis=1), strict=True))

    def run(data, orders, epochs: int, first: int, last: int) -> dict:
        arguments = (tf.constant(n, tf.int32) for n in (epochs, first, last))
        return {name: value.numpy() for name, value in program(data, orders, *arguments).items()}

    return run


def _reset(model: keras.Model) -> None:
    for metric in model.metrics:
        metric.reset_state()


def _results(model: keras.Model) -> dict:
    return model.get_metrics_result()


def _discard(_logs) -> None:
    return None




COMPILER_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.NotFoundError)


def make_evaluator(model: keras.Model) -> Callable:
    """Compiles one evaluation step: `evaluator(batch)` returns the logs of that batch alone."""

    @tf.function(reduce_retracing=False, autograph=False)
    def step(batch):
        _reset(model)
        return model.test_step((batch,))

    return lambda batch: {name: value.numpy() for name, value in step(batch).items()}


def is_distributed(model: keras.Model) -> bool:
    """Whether the model was made under a strategy that spreads it over several devices."""
    return model.distribute_strategy.num_replicas_in_sync > 1


def num_replicas() -> int:
    """Returns the number of replicas that share a step."""
    return tf.distribute.get_strategy().num_replicas_in_sync
