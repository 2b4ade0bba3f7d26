"""Many training steps in one compiled JAX program, over rows that lie on the device.

Keras's own stateless `train_step` runs inside `jax.lax.fori_loop`s, so that an epoch, or many, is one call.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras
import numpy as np

COMPILER_ERRORS: tuple = ()


def device_array(value) -> jax.Array:
    """Puts an array on the device."""
    return jnp.asarray(value)


def make_program(model: keras.Model, batch_size: int, num_rows: int | None, take: Callable, jit: bool) -> Callable:
    """Compiles epochs of training; see the TensorFlow twin of this function for the arguments."""
    full = 0 if num_rows is None else num_rows // batch_size
    rest = 0 if num_rows is None else num_rows % batch_size
    single = num_rows is None or batch_size >= num_rows

    def step(state, data, order, start, size):
        rows = None if single else jax.lax.dynamic_slice_in_dim(order, start, size)
        _, state = model.train_step(state, (take(data, rows),))
        return tuple(map(list, state))

    def epoch(state, data, order, first, last):
        *rest_of_state, metrics = state
        fresh = _reset(model, metrics)
        metrics = [jnp.where(first == 0, new, old) for new, old in zip(fresh, metrics, strict=True)]
        state = (*rest_of_state, metrics)
        if single:
            return step(state, data, order, 0, num_rows)

        def body(i, state):
            return step(state, data, order, i * batch_size, batch_size)

        state = jax.lax.fori_loop(first, jnp.minimum(last, full), body, state)
        if rest:
            state = jax.lax.cond(
                last > full, lambda s: step(s, data, order, full * batch_size, rest), lambda s: s, state
            )
        return state

    def program(state, data, orders, epochs, first, last):
        def body(e, carry):
            state, logs = carry
            state = epoch(state, data, orders[e], first, last)
            result = _results(model, state[-1])
            return state, {name: log.at[e].set(result[name].astype("float32")) for name, log in logs.items()}

        logs = {name: jnp.zeros(orders.shape[0], "float32") for name in _results(model, state[-1])}
        return jax.lax.fori_loop(0, epochs, body, (state, logs))

    compiled = jax.jit(program, donate_argnums=0)

    def run(data, orders, epochs: int, first: int, last: int) -> dict:
        groups = _state(model)
        # Copies are given away to the program, so that a failing call leaves the model's own arrays alive.
        state = tuple([jnp.array(variable.value, copy=True) for variable in group] for group in groups)
        state, logs = compiled(state, data, orders, epochs, first, last)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return {name: np.asarray(value) for name, value in logs.items()}

    return run


def make_evaluator(model: keras.Model) -> Callable:
    """Compiles one evaluation step: `evaluator(batch)` returns the logs of that batch alone."""

    @jax.jit
    def step(trainable, non_trainable, metrics, batch):
        state = (trainable, non_trainable, _reset(model, metrics))
        _, (_, non_trainable, metrics) = model.test_step(state, (batch,))
        return _results(model, metrics), non_trainable

    def run(batch) -> dict:
        trainable, non_trainable, _, metrics = _state(model)
        values = [[variable.value for variable in group] for group in (trainable, non_trainable, metrics)]
        logs, after = step(*values, batch)
        for variable, value in zip(non_trainable, after, strict=True):
            variable.assign(value)
        return {name: np.asarray(value) for name, value in logs.items()}

    return run


def _state(model: keras.Model):
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )


def _reset(model: keras.Model, values) -> list:
    variables = model.metrics_variables
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
        for metric in model.metrics:
            metric.reset_state()
    found = [scope.get_current_value(variable) for variable in variables]
    return [old if new is None else new for new, old in zip(found, values, strict=True)]


def _results(model: keras.Model, values) -> dict:
    with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, values, strict=True))):
        return model.get_metrics_result()


def is_distributed(model: keras.Model) -> bool:
    """Whether the model is spread over devices by TensorFlow's strategies: never on JAX."""
    return False


def num_replicas() -> int:
    """Returns the number of replicas that share a step: one, since on JAX arrays are sharded and the step isn't."""
    return 1
