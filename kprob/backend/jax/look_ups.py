"""A user's look-ups on JAX, which clamps an index that is out of range or makes NaN of it.

The recorded computation is gone through operation by operation, and compiled with the bounds of the indices as its only
results: XLA drops everything else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from kprob.backend.look_ups import LookUp, line_of_frames

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


class LookUps:
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
