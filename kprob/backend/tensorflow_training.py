"""Many training steps in one compiled TensorFlow program, over rows that lie on the device.

Keras's loop calls one compiled function per step; for a small model nearly all the time goes into calling it. Here the
steps run inside `tf.while_loop`s, so that an epoch, or many, is one call. XLA makes one kernel of a loop whose buffers
are small, which is why full-batch epochs write their logs into short blocks first: tenfold in speed for small models.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

COMPILER_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.NotFoundError)
BLOCK = 16


def make_program(model, batch_size: int, num_rows: int | None, take: Callable, jit: bool) -> Callable:
    """Compiles epochs of training.

    Args:
        model: A compiled model, with `loss_and_logs` and `log_names`.
        batch_size: Rows of a step.
        num_rows: Rows of the data set, or None where it is one batch without rows.
        take: `(data, rows) -> batch`, the batch of some rows (None for all).
        jit: Whether to compile with XLA.

    Returns:
        `program(data, orders, epochs, first, last, carry)`: runs the steps from `first` to `last` of each of `epochs`
        epochs, whose rows come in the order of `orders[epoch]`. It returns the logs, an array (epochs, names), and what
        to `carry` into the next call: the sums of the epoch so far and the number of the first term that wasn't finite.
    """
    full = 0 if num_rows is None else num_rows // batch_size
    rest = 0 if num_rows is None else num_rows % batch_size
    single = num_rows is None or batch_size >= num_rows
    width = len(model.log_names)

    def step(data, order, start, size, carry):
        rows = None if single else tf.slice(order, [start], [size])
        batch = take(data, rows)
        with tf.GradientTape() as tape:
            loss, logs, bad = model.loss_and_logs(batch)
            scaled = model.optimizer.scale_loss(loss)
        variables = model.trainable_weights
        model.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return _add(carry, logs, bad, float(size or 1))

    def epoch(data, order, first, last, carry):
        totals, count, bad = carry
        fresh = tf.cast(first > 0, tf.float32)
        carry = (totals * fresh, count * fresh, bad)
        if single:
            return step(data, order, 0, num_rows, carry)
        start = tf.cast(first, tf.int32)
        _, carry = tf.while_loop(
            lambda i, _: i < tf.minimum(last, full),
            lambda i, c: (i + 1, step(data, order, i * batch_size, batch_size, c)),
            (start, carry),
        )
        if rest:
            carry = tf.cond(last > full, lambda: step(data, order, full * batch_size, rest, carry), lambda: carry)
        return carry

    def block(data, orders, done, number, first, last, carry):
        def body(e, logs, carry):
            carry = epoch(data, orders[0 if single else done + e], first, last, carry)
            return e + 1, tf.tensor_scatter_nd_update(logs, [[e]], [_mean(carry)]), carry

        start = (tf.constant(0), tf.zeros((BLOCK, width)), carry)
        return tf.while_loop(lambda e, *_: e < number, body, start)[1:]

    @tf.function(jit_compile=jit, reduce_retracing=False, autograph=False)
    def program(data, orders, epochs, first, last, carry):
        blocks = -(-int(orders.shape[0]) // BLOCK)

        def body(b, logs, carry):
            number = tf.minimum(BLOCK, epochs - b * BLOCK)
            found, carry = block(data, orders, b * BLOCK, number, first, last, carry)
            return b + 1, logs.write(b, found), carry

        logs = tf.TensorArray(tf.float32, size=blocks, element_shape=(BLOCK, width))
        used = (epochs + BLOCK - 1) // BLOCK
        _, logs, carry = tf.while_loop(lambda b, *_: b < used, body, (tf.constant(0), logs, carry))
        return tf.reshape(logs.stack(), (blocks * BLOCK, width)), carry

    def run(data, orders, epochs: int, first: int, last: int, carry):
        numbers = (tf.constant(n, tf.int32) for n in (epochs, first, last))
        carry = tuple(tf.convert_to_tensor(c) for c in carry)
        logs, carry = program(data, tf.convert_to_tensor(orders), *numbers, carry)
        return logs.numpy()[:epochs], tuple(c.numpy() for c in carry)

    return run


def _add(carry, logs, bad, rows: float):
    totals, count, first = carry
    return totals + logs * rows, count + rows, tf.where(first < 0, bad, first)


def _mean(carry):
    totals, count, _ = carry
    return totals / count


def make_evaluator(model: keras.Model) -> Callable:
    """Compiles one evaluation: `evaluator(batch)` returns the logs of that batch alone."""

    @tf.function(reduce_retracing=False, autograph=False)
    def evaluate(batch):
        return model.loss_and_logs(batch, training=False)[1]

    return lambda batch: dict(zip(model.log_names, evaluate(batch).numpy(), strict=True))


def is_distributed(model: keras.Model) -> bool:
    """Whether the model was made under a strategy that spreads it over several devices."""
    return model.distribute_strategy.num_replicas_in_sync > 1


def num_replicas() -> int:
    """Returns the number of replicas that share a step."""
    return tf.distribute.get_strategy().num_replicas_in_sync
