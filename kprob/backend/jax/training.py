"""Many training steps in one compiled JAX program, over rows that lie on the device.

The steps run inside `jax.lax.fori_loop`s, so that an epoch, or many, is one call. See the TensorFlow twin of this module.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from kprob.backend.epoch_loops import BLOCK, EpochLoops, mean, restart

COMPILER_ERRORS: tuple = ()


def make_program(
    loss: Callable, model: keras.Model, width: int, batch_size: int, num_rows: int | None, take: Callable, jit: bool
) -> Callable:
    del jit
    # Nothing is donated: a failing call leaves the model's own arrays alive, and a copy to give away takes as much memory.
    compiled = jax.jit(_Loops(loss, model, width, batch_size, num_rows, take).program)

    def run(data: dict, orders: Any, epochs: int, first: int, last: int, carry: tuple) -> Any:
        groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        state = tuple([variable.value for variable in group] for group in groups)
        state, logs, carry = compiled(state, data, orders, epochs, first, last, carry)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return np.asarray(logs)[:epochs], tuple(np.asarray(c) for c in carry)

    return run


class _Loops(EpochLoops):
    def loss(self, trainable: list, non_trainable: list, optimizer: list, batch: dict) -> Any:
        model = self.model
        value, logs, bad, non_trainable = _stateless_loss(
            self.evaluate, model, trainable, non_trainable, batch, training=True
        )
        with keras.StatelessScope(state_mapping=list(zip(model.optimizer.variables, optimizer, strict=True))):
            scaled = model.optimizer.scale_loss(value)
        return scaled, (logs, bad, non_trainable)

    def step(self, state: Any, data: dict, order: Any, start: Any, size: int, carry: tuple) -> Any:
        trainable, non_trainable, optimizer = state
        rows = None if self.single else jax.lax.dynamic_slice_in_dim(order, start, size)
        gradient = jax.grad(self.loss, has_aux=True)
        found, (logs, bad, non_trainable) = gradient(trainable, non_trainable, optimizer, self.take(data, rows))
        if trainable:  # all latents may be summed out, and all parameters known
            trainable, optimizer = _apply(self.model, optimizer, found, trainable)
        return (list(trainable), list(non_trainable), list(optimizer)), _add(carry, logs, bad, float(size))

    def epoch(self, state: Any, data: dict, order: Any, first: Any, last: Any, carry: tuple) -> Any:
        carry = restart(carry, jnp.where(first > 0, 1.0, 0.0))
        if self.single:
            return self.step(state, data, order, 0, self.rows, carry)
        size, full = self.batch_size, self.full
        both = jax.lax.fori_loop(
            first,
            jnp.minimum(last, full),
            lambda i, c: self.step(c[0], data, order, i * size, size, c[1]),
            (state, carry),
        )
        if not self.rest:
            return both
        return jax.lax.cond(
            last > full, lambda c: self.step(c[0], data, order, full * size, self.rest, c[1]), lambda c: c, both
        )

    def block(
        self, state: Any, data: dict, orders: Any, done: Any, number: Any, first: Any, last: Any, carry: tuple
    ) -> Any:
        def body(e: Any, inner: tuple) -> Any:
            state, logs, carry = inner
            state, carry = self.epoch(state, data, orders[0 if self.single else done + e], first, last, carry)
            return state, logs.at[e].set(mean(carry)), carry

        return jax.lax.fori_loop(0, number, body, (state, jnp.zeros((BLOCK, self.width)), carry))

    def program(self, state: Any, data: dict, orders: Any, epochs: Any, first: Any, last: Any, carry: tuple) -> Any:
        blocks = -(-orders.shape[0] // BLOCK)

        def body(b: Any, outer: tuple) -> Any:
            state, logs, carry = outer
            number = jnp.minimum(BLOCK, epochs - b * BLOCK)
            state, found, carry = self.block(state, data, orders, b * BLOCK, number, first, last, carry)
            return state, jax.lax.dynamic_update_slice(logs, found, (b * BLOCK, 0)), carry

        used = (epochs + BLOCK - 1) // BLOCK
        return jax.lax.fori_loop(0, used, body, (state, jnp.zeros((blocks * BLOCK, self.width)), carry))


def _apply(model: keras.Model, optimizer: list, gradients: list, trainable: list) -> tuple[list, list]:
    # Keras's own step takes all variables that the optimizer was built with; some may have been frozen since.
    variables = model.trainable_variables
    if len(variables) == len(model.optimizer._trainable_variables):
        result: tuple[list, list] = model.optimizer.stateless_apply(optimizer, gradients, trainable)
        return result
    values = [*zip(variables, trainable, strict=True), *zip(model.optimizer.variables, optimizer, strict=True)]
    with keras.StatelessScope(state_mapping=values) as scope:
        model.optimizer.apply(gradients, variables)
    after = [scope.get_current_value(variable) for variable, _ in values]
    return after[: len(variables)], after[len(variables) :]


def _stateless_loss(
    evaluate: Callable, model: keras.Model, trainable: list, non_trainable: list, batch: dict, training: bool
) -> Any:
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = [*trainable, *non_trainable]
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)), collect_losses=True) as scope:
        loss, logs, bad = evaluate(batch, training=training)
    after = [scope.get_current_value(variable) for variable in model.non_trainable_variables]
    after = [old if new is None else new for new, old in zip(after, non_trainable, strict=True)]
    return loss, logs, bad, after


def _add(carry: tuple, logs: Any, bad: Any, rows: float) -> tuple:
    totals, count, first = carry
    return totals + logs * rows, count + rows, jnp.where(first < 0, bad, first)


def make_evaluator(loss: Callable, model: keras.Model) -> Callable:

    def evaluate(trainable: list, non_trainable: list, batch: dict) -> Any:
        _, logs, _, after = _stateless_loss(loss, model, trainable, non_trainable, batch, training=False)
        return logs, after

    program: Callable = evaluate if model.run_eagerly else jax.jit(evaluate)

    def run(batch: dict) -> np.ndarray:
        groups = (model.trainable_variables, model.non_trainable_variables)
        logs, after = program(*[[variable.value for variable in group] for group in groups], batch)
        for variable, value in zip(model.non_trainable_variables, after, strict=True):
            variable.assign(value)
        return np.asarray(logs)

    return run


def is_distributed(model: keras.Model) -> bool:
    """Whether the model is spread over devices by TensorFlow's strategies: never on JAX."""
    return False


def num_replicas() -> int:
    """Returns the number of replicas that share a step: one, since on JAX arrays are sharded and the step isn't."""
    return 1
