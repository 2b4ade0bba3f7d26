"""Many training steps in one compiled TensorFlow program, over rows that lie on the device.

Keras's loop calls one compiled function per step; for a small model nearly all the time goes into calling it. Here the
steps run inside `tf.while_loop`s, so that an epoch, or many, is one call. XLA makes one kernel of a loop whose buffers
are small, which is why full-batch epochs write their logs into short blocks first: tenfold in speed for small models.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kprob.backend.epoch_loops import BLOCK, EpochLoops, mean, restart
from kprob.backend.tensorflow.operations import compile_function

COMPILER_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.NotFoundError)


def make_program(
    loss: Callable, model: keras.Model, width: int, batch_size: int, num_rows: int | None, take: Callable, jit: bool
) -> Callable:
    loops = _Loops(loss, model, width, batch_size, num_rows, take)
    program = compile_function(loops.program, jit=jit)

    def run(data: dict, orders: Any, epochs: int, first: int, last: int, carry: tuple) -> Any:
        numbers = (tf.constant(n, tf.int32) for n in (epochs, first, last))
        carry = tuple(tf.convert_to_tensor(c) for c in carry)
        logs, carry = program(data, tf.convert_to_tensor(orders), *numbers, carry)
        return logs.numpy()[:epochs], tuple(c.numpy() for c in carry)

    return run


class _Loops(EpochLoops):
    def step(self, data: dict, order: Any, start: Any, size: int, carry: tuple) -> Any:
        rows = None if self.single else tf.slice(order, [start], [size])
        with tf.GradientTape() as tape:
            loss, logs, bad = self.evaluate(self.take(data, rows), training=True)
            scaled = self.model.optimizer.scale_loss(loss)
        variables = self.model.trainable_weights
        if variables:  # all latents may be summed out, and all parameters known
            self.model.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return _add(carry, logs, bad, float(size))

    def epoch(self, data: dict, order: Any, first: Any, last: Any, carry: tuple) -> Any:
        carry = restart(carry, tf.cast(first > 0, tf.float32))
        if self.single:
            return self.step(data, order, 0, self.rows, carry)
        size, full = self.batch_size, self.full
        _, carry = tf.while_loop(
            lambda i, _: i < tf.minimum(last, full),
            lambda i, c: (i + 1, self.step(data, order, i * size, size, c)),
            (tf.cast(first, tf.int32), carry),
        )
        if self.rest:
            done = carry
            carry = tf.cond(last > full, lambda: self.step(data, order, full * size, self.rest, done), lambda: done)
        return carry

    def block(self, data: dict, orders: Any, done: Any, number: Any, first: Any, last: Any, carry: tuple) -> Any:
        def body(e: Any, logs: Any, carry: tuple) -> Any:
            carry = self.epoch(data, orders[0 if self.single else done + e], first, last, carry)
            return e + 1, tf.tensor_scatter_nd_update(logs, [[e]], [mean(carry)]), carry

        start = (tf.constant(0), tf.zeros((BLOCK, self.width)), carry)
        return tf.while_loop(lambda e, *_: e < number, body, start)[1:]

    def program(self, data: dict, orders: Any, epochs: Any, first: Any, last: Any, carry: tuple) -> Any:
        blocks = -(-int(orders.shape[0]) // BLOCK)

        def body(b: Any, logs: Any, carry: tuple) -> Any:
            number = tf.minimum(BLOCK, epochs - b * BLOCK)
            found, carry = self.block(data, orders, b * BLOCK, number, first, last, carry)
            return b + 1, logs.write(b, found), carry

        logs = tf.TensorArray(tf.float32, size=blocks, element_shape=(BLOCK, self.width))
        used = (epochs + BLOCK - 1) // BLOCK
        _, logs, carry = tf.while_loop(lambda b, *_: b < used, body, (tf.constant(0), logs, carry))
        return tf.reshape(logs.stack(), (blocks * BLOCK, self.width)), carry


def _add(carry: tuple, logs: Any, bad: Any, rows: float) -> tuple:
    totals, count, first = carry
    return totals + logs * rows, count + rows, tf.where(first < 0, bad, first)


def make_evaluator(loss: Callable, model: keras.Model) -> Callable:

    def evaluate(batch: dict) -> Any:
        return loss(batch, training=False)[1]

    if not model.run_eagerly:
        evaluate = compile_function(evaluate)
    return lambda batch: evaluate(batch).numpy()


def is_distributed(model: keras.Model) -> bool:
    """Whether the model was made under a strategy that spreads it over several devices."""
    return model.distribute_strategy.num_replicas_in_sync > 1


def num_replicas() -> int:
    """Returns the number of replicas that share a step."""
    return tf.distribute.get_strategy().num_replicas_in_sync
