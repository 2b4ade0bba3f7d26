"""Constructor arguments of models: recorded when the model is made, written to its config, and read from there.

Keras's configs are JSON: tuples come back as lists, keys as strings, and layers as dicts. Here all come back unchanged.
"""

import contextlib
import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from kprob.errors import ArchiveError, explain

_PLAIN = (str, int, float, bool, type(None))
_TUPLE, _PAIRS = "__tuple__", "__pairs__"
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
            values |= bound.arguments.get(name, {})
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            if name in bound.arguments:
                problem = f"`{name}` of its constructor has no name to give it by"
        elif name in bound.arguments:
            values[name] = bound.arguments[name]
        elif isinstance(parameter.default, _PLAIN):
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


def encode(value: Any, what: str = "the value") -> Any:
    """Returns a value as JSON can hold it.

    Args:
        value: Numbers, strings, arrays, Keras objects, named functions, and lists, tuples and dicts of them.
        what: What it is, for messages.

    Raises:
        ArchiveError: It is something else.
    """
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple):
        return {"class_name": _TUPLE, "config": {"items": [encode(item, what) for item in value]}}
    if isinstance(value, list):
        return [encode(item, what) for item in value]
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and "class_name" not in value:
            return {key: encode(item, what) for key, item in value.items()}
        pairs = [[encode(key, what), encode(item, what)] for key, item in value.items()]
        return {"class_name": _PAIRS, "config": {"items": pairs}}
    if isinstance(value, types.FunctionType):
        return _encode_function(value, what)
    try:
        return keras.saving.serialize_keras_object(value)
    except (TypeError, NotImplementedError, ValueError, AttributeError) as error:
        raise ArchiveError(_cannot_encode(value, what)) from error


def decode(value: Any) -> Any:
    """Returns the value that `encode` wrote."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind == _TUPLE:
        return tuple(decode(item) for item in value["config"]["items"])
    if kind == _PAIRS:
        return {decode(key): decode(item) for key, item in value["config"]["items"]}
    if kind is not None and "config" in value:
        return keras.saving.deserialize_keras_object(value)
    return {key: decode(item) for key, item in value.items()}


def _encode_function(function: types.FunctionType, what: str) -> dict:
    name = function.__name__
    if name == "<lambda>":
        raise ArchiveError(_cannot_encode(function, what))
    for module in ("ops", "activations"):
        # Keras finds its own functions again by their public names alone.
        if getattr(getattr(keras, module), name, None) is function:
            return {"class_name": "function", "config": name, "module": f"keras.{module}", "registered_name": name}
    # Keras forgets the module, which a message about a missing function wants to name.
    return {**keras.saving.serialize_keras_object(function), "module": function.__module__}


def _cannot_encode(value: object, what: str) -> str:
    is_lambda = isinstance(value, types.FunctionType)
    return explain(
        f"A model can't be saved: {what} can't be written down.",
        received=f"{'a lambda' if is_lambda else type(value).__name__}: {str(value)[:80]}",
        expected="numbers, strings, arrays, Keras objects, functions with a name, and lists, tuples and dicts of them",
        fix="write it as a function with `def`" if is_lambda else "override get_config and from_config of the model",
    )
