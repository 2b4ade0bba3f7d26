"""Operations on JAX."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import keras
import tensorflow_probability.substrates.jax as tfp  # importable only after `apply_patches`

from kprob.backend.jax.look_ups import LookUps
from kprob.backend.look_ups import LookUp
from kprob.types import Distribution, Shape

__all__ = [
    "accumulate",
    "batch_shape",
    "compile_function",
    "executing_eagerly",
    "find_influences",
    "gradients",
    "is_tensor",
    "look_ups",
    "map_draws",
    "softplus",
    "static_shape",
    "tfp",
    "vectorized_map",
    "wide_numbers",
]


def executing_eagerly() -> bool:
    return not isinstance(jnp.zeros(()) + jnp.zeros(()), jax.core.Tracer)


def wide_numbers() -> AbstractContextManager[Any]:
    return jax.enable_x64(True)


def is_tensor(value: object) -> bool:
    return isinstance(value, jax.Array | keras.Variable)


def static_shape(value: jax.Array) -> tuple[int | None, ...]:
    return tuple(value.shape)


def compile_function(
    function: Callable, variables: Callable[[], Sequence[keras.Variable]] = lambda: (), jit: bool = False
) -> Callable:
    del jit  # JAX always compiles with XLA

    def stateless(values: list, *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables(), values, strict=True))):
            return function(*arguments)

    compiled = jax.jit(stateless)
    return lambda *arguments: compiled([variable.value for variable in variables()], *arguments)


def map_draws(function: Callable, draws: Any, variables: Sequence[keras.Variable]) -> Any:
    return jax.lax.map(_with_values(function, variables), draws)


def vectorized_map(function: Callable, elements: jax.Array, variables: Sequence[keras.Variable]) -> Any:
    return jax.vmap(_with_values(function, variables))(elements)


def _with_values(function: Callable, variables: Sequence[keras.Variable]) -> Callable:
    # The values that variables have now, as constants of the map; without the scope, updates inside it would leak tracers.
    values = [(variable, variable.value) for variable in variables]

    def once(element: Any) -> Any:
        with keras.StatelessScope(state_mapping=values):
            return function(element)

    return once


def accumulate(function: Callable, initial: Any, elements: Any) -> Any:
    def once(state: Any, element: Any) -> tuple[Any, Any]:
        following = function(state, element)
        return following, following

    return jax.lax.scan(once, initial, elements)[1]


def gradients(function: Callable, *arguments: jax.Array) -> tuple[jax.Array, Sequence[jax.Array]]:
    return jax.value_and_grad(function, argnums=tuple(range(len(arguments))))(*arguments)


def batch_shape(distribution: Distribution) -> Shape:
    return tuple(distribution.batch_shape)


def find_influences(function: Callable, inputs: dict[str, jax.Array]) -> dict[str, set[str]]:
    order = list(inputs)
    keys: list[str] = []

    def listed(*values: jax.Array) -> list[jax.Array]:
        outputs = function(dict(zip(order, values, strict=True)))
        keys[:] = list(outputs)
        return [outputs[key] for key in keys]

    recorded = jax.make_jaxpr(listed)(*(inputs[name] for name in order)).jaxpr
    sources: dict[Any, set[str]] = {variable: {name} for variable, name in zip(recorded.invars, order, strict=True)}

    def sources_of(variables: Iterable[Any]) -> set[str]:
        # Constants, which have a `val`, come from no input.
        return set().union(*(sources.get(v, ()) for v in variables if not hasattr(v, "val")))

    for equation in recorded.eqns:
        reached = sources_of(equation.invars)
        sources |= {variable: reached for variable in equation.outvars}
    return {key: sources_of([variable]) for key, variable in zip(keys, recorded.outvars, strict=True)}


def softplus(value: jax.Array) -> jax.Array:
    # The gradient of this form takes a third of the time of `jax.nn.softplus`'s. At 0 both terms take the derivative from the
    # right, so that their sum has the right one.
    return jnp.where(value >= 0.0, value, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(value)))


def look_ups(
    function: Callable, variables: Callable[[], Sequence[keras.Variable]] = lambda: ()
) -> Callable[[Any], list[LookUp]]:
    return LookUps(function, variables)
