"""Operations on JAX."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import keras
import tensorflow_probability.substrates.jax as tfp  # importable only after `apply_patches`

from kprob.backend.look_ups import LookUp, line_of_frames
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
    return RecordedLookUps(function, variables)


# A user's look-ups on JAX, which clamps an index that is out of range or makes NaN of it.
# The recorded computation is gone through operation by operation, and compiled with the bounds of the indices as its only
# results: XLA drops everything else.
_INLINED = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "remat",
    "remat2",
    "checkpoint",
)


class RecordedLookUps:
    """Finds the look-ups of a function's run.

    Args:
        function: The function of tensors.
        variables: Returns the variables that it reads.
    """

    def __init__(self, function: Callable, variables: Callable[[], Sequence[keras.Variable]]):
        self.function, self.variables = function, variables
        self.programs: dict[Any, tuple[Callable | None, list[tuple[int, str]]]] = {}

    def __call__(self, argument: Any) -> list[LookUp]:
        values = [variable.value for variable in self.variables()]
        leaves, structure = jax.tree.flatten(argument)
        key = (structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves))
        if key not in self.programs:
            self.programs[key] = self._compiled(values, argument)
        program, places = self.programs[key]
        if program is None:
            return []
        bounds = jax.device_get(program(values, argument))
        return [LookUp(int(b[0]), int(b[1]), length, line) for b, (length, line) in zip(bounds, places, strict=True)]

    def _compiled(self, values: list, argument: Any) -> tuple[Callable | None, list[tuple[int, str]]]:
        def stateless(values: list, argument: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(self.variables(), values, strict=True))):
                return self.function(argument)

        recorded = jax.make_jaxpr(stateless)(values, argument)
        bounds: list[jax.Array] = []
        places: list[tuple[int, str]] = []
        if not _looks_up(recorded.jaxpr):
            return None, places

        def program(values: list, argument: Any) -> list[jax.Array]:
            bounds.clear()
            places.clear()
            _go_through(
                recorded.jaxpr, recorded.consts, jax.tree.leaves((values, argument)), None, False, bounds, places
            )
            return list(bounds)

        compiled = jax.jit(program)
        compiled(values, argument)  # which fills `places`
        return (compiled, places) if places else (None, places)


def _looks_up(jaxpr: Any) -> bool:
    return any(
        equation.primitive.name in ("gather", "dynamic_slice")
        or any(_looks_up(inner) for inner, _ in [_inside(equation)] if inner is not None)
        for equation in jaxpr.eqns
    )


def _inside(equation: Any) -> tuple[Any, Sequence[Any]]:
    if equation.primitive.name not in _INLINED:
        return None, ()
    inner: Any = next((equation.params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in equation.params), None)
    return (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())


def _go_through(
    jaxpr: Any, constants: Sequence, arguments: Sequence, line: str | None, nested: bool, bounds: list, places: list
) -> list:
    values = dict(zip(jaxpr.constvars, constants, strict=True)) | dict(zip(jaxpr.invars, arguments, strict=True))

    def read(variable: Any) -> Any:
        return variable.val if hasattr(variable, "val") else values[variable]

    for equation in jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        inner, inner_constants = _inside(equation)
        # What is inside of a compiled function was recorded where it was first called, not here.
        own = line if nested else _line(equation)
        if inner is not None:
            results = _go_through(inner, inner_constants, operands, own, True, bounds, places)
        else:
            if own is not None:
                _note(equation, operands, own, bounds, places)
            options = equation.primitive.get_bind_params(equation.params)
            functions, options = options if isinstance(options, tuple) else ((), options)  # a pair up to JAX 0.9
            results = equation.primitive.bind(*functions, *operands, **options)
            results = results if equation.primitive.multiple_results else [results]
        values |= dict(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _note(equation: Any, operands: Sequence, line: str, bounds: list, places: list) -> None:
    name, options = equation.primitive.name, equation.params
    if name == "gather" and "CLIP" not in str(options["mode"]):
        axes, indices = options["dimension_numbers"].start_index_map, operands[1]
        columns = [(axis, indices[..., i]) for i, axis in enumerate(axes)]
    elif name == "dynamic_slice":
        columns = list(enumerate(operands[1:]))
    else:
        return
    for axis, index in columns:
        # A slice may begin where it still ends inside.
        length = operands[0].shape[axis] - options["slice_sizes"][axis] + 1
        if jnp.size(index):
            index = jnp.asarray(index)
            bounds.append(jnp.stack([jnp.min(index), jnp.max(index)]).astype("int32"))
            places.append((length, line))


def _line(equation: Any) -> str | None:
    traceback = equation.source_info.traceback
    if traceback is None:
        return None
    return line_of_frames((frame.file_name, frame.line_num) for frame in traceback.frames)
