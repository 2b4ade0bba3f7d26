"""Constructor arguments of models: recorded when the model is made, written to its config, and read from there."""

import contextlib
import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from kprob.errors import ArchiveError, explain
from kprob.saving.encoding import PLAIN, decode, encode
from kprob.saving.plain_content import MAX_DEPTH

_POLICY = "dtype_policy_of_layers"


@dataclass(frozen=True)
class Arguments:
    """What a model was made with.

    Attributes:
        values: Arguments by name.
        policy: Keras's dtype policy at that time, which the layers that the constructor makes take on.
        problem: Why the arguments can't be passed again by name, or None.
    """

    values: dict[str, Any]
    policy: str
    problem: str | None = None


def record_arguments(cls: type, args: tuple, kwargs: Mapping[str, Any]) -> Arguments:
    """Returns the arguments of a constructor's call, those that have simple standard values included."""
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        # The call itself is about to fail, with Python's own message.
        return Arguments({}, keras.config.dtype_policy().name)
    values: dict[str, Any] = {}
    problem = None
    for name, parameter in list(signature.parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            values |= _as_given(bound.arguments.get(name, {}))
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            if name in bound.arguments:
                problem = f"`{name}` of its constructor has no name to give it by"
        elif name in bound.arguments:
            values[name] = _as_given(bound.arguments[name])
        elif type(parameter.default) in PLAIN:
            values[name] = parameter.default
    return Arguments(values, keras.config.dtype_policy().name, problem)


def config_of(model: keras.Model, arguments: Arguments, strict: bool = True) -> dict[str, Any]:
    """Returns the config of a model that was made with some arguments.

    Args:
        model: The model.
        arguments: What it was made with.
        strict: Whether all arguments must be written down; else those that can't be are left to the model's own
            `get_config`, which called this one.

    Raises:
        ArchiveError: An argument can't be written down.
    """
    cls = type(model).__name__
    if arguments.problem is not None and strict:
        raise ArchiveError(
            explain(
                f"`{cls}` can't be saved: {arguments.problem}.",
                expected="a constructor without *args and positional-only arguments",
                fix="give the arguments names, or override get_config and from_config",
            )
        )
    _check_functions(cls, arguments.values)
    config = {}
    for name, value in arguments.values.items():
        with contextlib.nullcontext() if strict else contextlib.suppress(ArchiveError):
            config[name] = encode(value, f"argument `{name}` of {cls}")
    takes = inspect.signature(type(model).__init__).parameters
    if "name" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        config["name"] = model.name
    if arguments.policy != "float32":
        config[_POLICY] = arguments.policy
    return config


def model_from_config(cls: type, config: Mapping[str, Any]) -> keras.Model:
    """Makes a model from `config_of`'s result."""
    config = dict(config)
    policy, before = config.pop(_POLICY, None), keras.config.dtype_policy()
    values = {name: decode(value) for name, value in config.items()}
    if policy is None:
        return cls(**values)
    keras.config.set_dtype_policy(policy)
    try:
        return cls(**values)
    finally:
        keras.config.set_dtype_policy(before)


def _as_given(value: Any) -> Any:
    # A constructor may take things out of the lists that it gets: what was given is written down, not what is left of it.
    try:
        if type(value) in (list, tuple):
            return type(value)(_as_given(item) for item in value)
        if type(value) is dict:
            return {key: _as_given(item) for key, item in value.items()}
    except RecursionError:  # it contains itself, and can't be saved
        return value
    return set(value) if type(value) is set else value


def _check_functions(cls: str, values: Mapping[str, Any]) -> None:
    # A file has names of functions, and whoever loads it gives one function a name.
    found: dict[str, types.FunctionType] = {}
    for function in _functions_in(values):
        name = keras.saving.get_registered_name(function)
        if found.setdefault(name, function) is not function and name != "<lambda>":
            raise ArchiveError(
                explain(
                    f"`{cls}` can't be saved: two functions among its constructor's arguments have one name.",
                    received=f"two functions named `{name}`",
                    expected="a name for each, by which the functions are found when the model is loaded",
                    fix="write two functions with `def`, under different names",
                )
            )


def _functions_in(value: Any, depth: int = 0) -> Iterator[types.FunctionType]:
    if isinstance(value, types.FunctionType):
        yield value
    elif isinstance(value, list | tuple | Mapping) and depth < MAX_DEPTH:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _functions_in(item, depth + 1)
