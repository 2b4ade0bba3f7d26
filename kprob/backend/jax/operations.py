"""JAX: TFP's JAX substrate, compiled functions, maps over draws, gradients."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras

# TFP 0.25 reads a table that JAX 0.10 has moved (tensorflow/probability#2040); its home is looked up again here.
if not hasattr(jax.interpreters.xla, "pytype_aval_mappings"):
    jax.interpreters.xla.pytype_aval_mappings = jax._src.core.pytype_aval_mappings

import tensorflow_probability.substrates.jax as tfp  # noqa: E402

__all__ = [
    "accumulate",
    "batch_shape",
    "compile_function",
    "executing_eagerly",
    "find_influences",
    "gradients",
    "is_tensor",
    "map_draws",
    "softplus",
    "static_shape",
    "tfp",
    "vectorized_map",
    "wide_numbers",
]


def executing_eagerly() -> bool:
    """Whether operations run at once, rather than being recorded by a transformation."""
    return not isinstance(jnp.zeros(()) + jnp.zeros(()), jax.core.Tracer)


def wide_numbers():
    """Returns a context in which this thread may use numbers of 64 bits."""
    return jax.enable_x64(True)


def is_tensor(value) -> bool:
    """Whether a value is a tensor of the backend or a Keras variable."""
    return isinstance(value, jax.Array | keras.Variable)


def static_shape(value) -> tuple[int | None, ...]:
    """Returns the shape; JAX always knows it."""
    return tuple(value.shape)


def compile_function(function: Callable, variables: Callable = lambda: (), jit: bool = False) -> Callable:
    """Compiles a function of arrays; it is traced once per structure and shape of its arguments.

    Args:
        function: The function; it may read Keras variables and must not write them.
        variables: Returns the variables that `function` reads: JAX would otherwise take their values of today for ever.
        jit: Accepted for the sake of TensorFlow; JAX always compiles.
    """
    del jit

    def stateless(values, *arguments):
        with keras.StatelessScope(state_mapping=list(zip(variables(), values, strict=True))):
            return function(*arguments)

    compiled = jax.jit(stateless)
    return lambda *arguments: compiled([variable.value for variable in variables()], *arguments)


def map_draws(function: Callable, draws, variables):
    """Runs a function once per draw and stacks what it returns along a new first axis.

    Args:
        function: From what belongs to one draw, such as a seed, to a structure of arrays.
        draws: An array or a structure of them, draws along axis 0, such as seeds (S, 2).
        variables: Variables that the function reads or updates: of others it would see the values of today for ever.
            Updates inside a map can't leave it and are dropped.
    """
    values = [(variable, variable.value) for variable in variables]

    def once(draw):
        with keras.StatelessScope(state_mapping=values):
            return function(draw)

    return jax.lax.map(once, draws)


def gradients(function: Callable, *arguments):
    """Returns the value of a scalar function and its gradients with respect to its arguments."""
    value, found = jax.value_and_grad(function, argnums=tuple(range(len(arguments))))(*arguments)
    return value, found


def batch_shape(distribution) -> tuple:
    """Returns a distribution's batch shape; JAX always knows it."""
    return tuple(distribution.batch_shape)


def find_influences(function: Callable, inputs: dict) -> dict[str, set[str]]:
    """Finds which inputs of a function its outputs can depend on, from the recorded computation.

    Args:
        function: From arrays by name to arrays by name.
        inputs: Arrays by name.

    Returns:
        Names of inputs by name of output: all that have an influence, perhaps some that have none.
    """
    order = list(inputs)
    keys: list[str] = []

    def listed(*values):
        found = function(dict(zip(order, values, strict=True)))
        keys[:] = list(found)
        return [found[key] for key in keys]

    recorded = jax.make_jaxpr(listed)(*(inputs[name] for name in order)).jaxpr
    sources = {variable: {name} for variable, name in zip(recorded.invars, order, strict=True)}

    def of(variables) -> set[str]:
        return set().union(*(sources.get(v, ()) for v in variables if not hasattr(v, "val")))

    for equation in recorded.eqns:
        reached = of(equation.invars)
        sources |= {variable: reached for variable in equation.outvars}
    return {key: of([variable]) for key, variable in zip(keys, recorded.outvars, strict=True)}


def vectorized_map(function: Callable, elements: jax.Array, variables):
    """Runs `function(element)` for all elements at once, by operations with one more axis.

    Args:
        function: From an element to a structure of arrays.
        elements: Elements along the first axis.
        variables: Variables that the function reads (see `map_draws`). Updates inside can't leave it and are dropped.
    """
    values = [(variable, variable.value) for variable in variables]

    def once(element):
        with keras.StatelessScope(state_mapping=values):
            return function(element)

    return jax.vmap(once)(elements)


def accumulate(function: Callable, initial, elements):
    """Runs `state = function(state, element)` for one element after the other and stacks the states.

    Args:
        function: From a state and an element to the next state, a structure of arrays.
        initial: The state before the first element.
        elements: Elements along the first axis of a structure of arrays.
    """

    def once(state, element):
        following = function(state, element)
        return following, following

    return jax.lax.scan(once, initial, elements)[1]


def softplus(value: jax.Array) -> jax.Array:
    """Returns log(1 + exp(value)), in a form whose gradient takes a third of the time of `jax.nn.softplus`'s."""
    # At 0 both parts take the derivative from the right, so that their sum has the right one.
    return jnp.where(value >= 0.0, value, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(value)))
