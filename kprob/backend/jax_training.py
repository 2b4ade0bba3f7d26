"""Many training steps in one compiled JAX program, over rows that lie on the device.

The steps run inside `jax.lax.fori_loop`s, so that an epoch, or many, is one call. See the TensorFlow twin of this module.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras
import numpy as np

COMPILER_ERRORS: tuple = ()
BLOCK = 16


def make_program(model, batch_size: int, num_rows: int | None, take: Callable, jit: bool) -> Callable:
    """Compiles epochs of training; see the TensorFlow twin of this function for arguments and result."""
    del jit
    full = 0 if num_rows is None else num_rows // batch_size
    rest = 0 if num_rows is None else num_rows % batch_size
    single = num_rows is None or batch_size >= num_rows
    width = len(model.log_names)

    def loss(trainable, non_trainable, optimizer, batch):
        value, logs, bad, non_trainable = _stateless_loss(model, trainable, non_trainable, batch, training=True)
        with keras.StatelessScope(state_mapping=list(zip(model.optimizer.variables, optimizer, strict=True))):
            scaled = model.optimizer.scale_loss(value)
        return scaled, (logs, bad, non_trainable)

    def step(state, data, order, start, size, carry):
        trainable, non_trainable, optimizer = state
        rows = None if single else jax.lax.dynamic_slice_in_dim(order, start, size)
        gradient = jax.grad(loss, has_aux=True)
        found, (logs, bad, non_trainable) = gradient(trainable, non_trainable, optimizer, take(data, rows))
        trainable, optimizer = model.optimizer.stateless_apply(optimizer, found, trainable)
        return (list(trainable), list(non_trainable), list(optimizer)), _add(carry, logs, bad, float(size or 1))

    def epoch(state, data, order, first, last, carry):
        totals, count, bad = carry
        fresh = jnp.where(first > 0, 1.0, 0.0)
        carry = (totals * fresh, count * fresh, bad)
        if single:
            return step(state, data, order, 0, num_rows, carry)
        state, carry = jax.lax.fori_loop(
            first,
            jnp.minimum(last, full),
            lambda i, c: step(c[0], data, order, i * batch_size, batch_size, c[1]),
            (state, carry),
        )
        if rest:
            partial = (state, carry)
            return jax.lax.cond(
                last > full, lambda c: step(c[0], data, order, full * batch_size, rest, c[1]), lambda c: c, partial
            )
        return state, carry

    def program(state, data, orders, epochs, first, last, carry):
        blocks = -(-orders.shape[0] // BLOCK)

        def block_body(b, outer):
            state, logs, carry = outer

            def body(e, inner):
                state, block, carry = inner
                state, carry = epoch(state, data, orders[0 if single else b * BLOCK + e], first, last, carry)
                return state, block.at[e].set(_mean(carry)), carry

            number = jnp.minimum(BLOCK, epochs - b * BLOCK)
            state, block, carry = jax.lax.fori_loop(0, number, body, (state, jnp.zeros((BLOCK, width)), carry))
            return state, jax.lax.dynamic_update_slice(logs, block, (b * BLOCK, 0)), carry

        used = (epochs + BLOCK - 1) // BLOCK
        return jax.lax.fori_loop(0, used, block_body, (state, jnp.zeros((blocks * BLOCK, width)), carry))

    compiled = jax.jit(program, donate_argnums=0)

    def run(data, orders, epochs: int, first: int, last: int, carry):
        groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        # Copies are given away to the program, so that a failing call leaves the model's own arrays alive.
        state = tuple([jnp.array(variable.value, copy=True) for variable in group] for group in groups)
        state, logs, carry = compiled(state, data, orders, epochs, first, last, carry)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return np.asarray(logs)[:epochs], tuple(np.asarray(c) for c in carry)

    return run


def _stateless_loss(model, trainable, non_trainable, batch, training: bool):
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = [*trainable, *non_trainable]
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)), collect_losses=True) as scope:
        loss, logs, bad = model.loss_and_logs(batch, training=training)
    after = [scope.get_current_value(variable) for variable in model.non_trainable_variables]
    after = [old if new is None else new for new, old in zip(after, non_trainable, strict=True)]
    return loss, logs, bad, after


def _add(carry, logs, bad, rows: float):
    totals, count, first = carry
    return totals + logs * rows, count + rows, jnp.where(first < 0, bad, first)


def _mean(carry):
    totals, count, _ = carry
    return totals / count


def make_evaluator(model: keras.Model) -> Callable:
    """Compiles one evaluation: `evaluator(batch)` returns the logs of that batch alone."""

    @jax.jit
    def evaluate(trainable, non_trainable, batch):
        _, logs, _, after = _stateless_loss(model, trainable, non_trainable, batch, training=False)
        return logs, after

    def run(batch) -> dict:
        groups = (model.trainable_variables, model.non_trainable_variables)
        logs, after = evaluate(*[[variable.value for variable in group] for group in groups], batch)
        for variable, value in zip(model.non_trainable_variables, after, strict=True):
            variable.assign(value)
        return dict(zip(model.log_names, np.asarray(logs), strict=True))

    return run


def is_distributed(model: keras.Model) -> bool:
    """Whether the model is spread over devices by TensorFlow's strategies: never on JAX."""
    return False


def num_replicas() -> int:
    """Returns the number of replicas that share a step: one, since on JAX arrays are sharded and the step isn't."""
    return 1
