"""Values in saved configs: what comes back equal is written, and anything else is an error that says how to mend it.

Keras's configs are JSON: tuples come back as lists, keys as strings, and layers as dicts. Here all come back unchanged.
"""

import contextlib
import enum
import operator
import types
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from kprob.errors import ArchiveError, explain
from kprob.saving.standard_types import decode_standard, encode_standard

PLAIN = (str, int, float, bool, type(None))
_TUPLE, _PAIRS, _TENSOR = "__tuple__", "__pairs__", "__tensor_of__"
_MAX_BITS = 14_000  # of an integer that Python reads from text
# Types of numbers that Keras writes to the last bit.
_EXACT = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
# Where Keras shows its functions.
_KERAS_MODULES = (
    *("ops", "activations", "losses", "metrics", "random", "utils", "initializers", "constraints", "regularizers"),
    *("ops.image", "ops.linalg", "ops.nn", "ops.numpy"),
)


def encode(value: Any, what: str = "the value") -> Any:
    """Returns a value as JSON can hold it.

    Args:
        value: Numbers, strings, arrays, times, paths, Keras objects, named functions, and lists, tuples, sets and dicts of
            them.
        what: What it is, for messages.

    Raises:
        ArchiveError: It is something else.
    """
    try:
        return _encode(value, what)
    except RecursionError as error:
        raise ArchiveError(
            _message("a value that contains itself, or a thousand values inside each other", what)
        ) from error


def decode(value: Any) -> Any:
    """Returns the value that `encode` wrote."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind is None or "config" not in value:
        return {key: decode(item) for key, item in value.items()}
    if kind == _TUPLE:
        return tuple(decode(item) for item in value["config"]["items"])
    if kind == _PAIRS:
        return {decode(key): decode(item) for key, item in value["config"]["items"]}
    if kind == _TENSOR:
        return keras.ops.convert_to_tensor(decode(value["config"]["value"]))
    standard = decode_standard(kind, value["config"], decode)
    return keras.saving.deserialize_keras_object(value) if standard is None else standard[0]


def _encode(value: Any, what: str) -> Any:
    if type(value) in PLAIN:
        if type(value) is int and value.bit_length() > _MAX_BITS:
            raise ArchiveError(_message("an integer of thousands of digits", what, "give it as a text, str(...)"))
        return value
    if type(value) is tuple:
        return {"class_name": _TUPLE, "config": {"items": [_encode(item, what) for item in value]}}
    if type(value) is list or _is_tracked(value, list):
        return [_encode(item, what) for item in value]
    if type(value) is dict or _is_tracked(value, dict):
        if all(type(key) is str for key in value) and "class_name" not in value:
            return {key: _encode(item, what) for key, item in value.items()}
        pairs = [[_encode(key, what), _encode(item, what)] for key, item in value.items()]
        return {"class_name": _PAIRS, "config": {"items": pairs}}
    if isinstance(value, types.FunctionType):
        return _encode_function(value, what)
    if keras.ops.is_tensor(value) or _is_array_of_keras(value):
        return _encode_numbers(value, what)
    standard = encode_standard(value, lambda part: _encode(part, what))
    return _encode_object(value, what) if standard is None else standard


def _is_tracked(value: object, kind: type) -> bool:
    # Keras turns lists and dicts that become attributes of a layer into its own.
    return isinstance(value, kind) and type(value).__module__.split(".")[0] == "keras"


def _is_array_of_keras(value: Any) -> bool:
    # Arrays that Keras writes so that they come back as they were.
    simple = type(value) is np.ndarray and value.size > 0 and value.ndim > 0 and value.dtype.isnative
    return simple and value.dtype.name in _EXACT


def _encode_numbers(value: Any, what: str) -> Any:
    try:
        if type(value) is np.ndarray:
            return keras.saving.serialize_keras_object(value)
        if hasattr(value, "assign"):
            raise ArchiveError(_message(f"a variable, {type(value).__name__}", what, "make it in the constructor"))
        if hasattr(value, "to_tensor") or hasattr(value, "dense_shape"):  # ragged or sparse
            raise ArchiveError(_message(f"a {type(value).__name__}", what, "give the arrays that it is made of"))
        array = np.asarray(keras.ops.convert_to_numpy(value))
        if array.size and (array.dtype.name in _EXACT or array.dtype.name == "bfloat16"):
            return keras.saving.serialize_keras_object(value)
        standard = encode_standard(array, lambda part: _encode(part, what))
    except (TypeError, NotImplementedError) as error:
        raise ArchiveError(_cannot_encode(value, what)) from error
    if standard is None:
        raise ArchiveError(_cannot_encode(value, what))
    return {"class_name": _TENSOR, "config": {"value": standard}}


def _encode_function(function: types.FunctionType, what: str) -> dict:
    name = function.__name__
    if name == "<lambda>":
        raise ArchiveError(_message(f"a lambda: {function}", what, "write it as a function with `def`"))
    if function.__module__.split(".")[0] == "keras":
        return _encode_keras_function(function, what)
    # Keras forgets the module, which a message about a missing function wants to name.
    return {**keras.saving.serialize_keras_object(function), "module": function.__module__}


def _encode_keras_function(function: types.FunctionType, what: str) -> dict:
    # Keras finds its own functions again by their public names alone, and not all of them.
    name = function.__name__
    for module in _KERAS_MODULES:
        if getattr(operator.attrgetter(module)(keras), name, None) is function:
            config = {"class_name": "function", "config": name, "module": f"keras.{module}", "registered_name": name}
            with contextlib.suppress(TypeError, ValueError):
                if keras.saving.deserialize_keras_object(config) is function:
                    return config
    fix = "write a function with `def` that calls it, and give that"
    raise ArchiveError(_message(f"a function that Keras doesn't find again, {name}", what, fix))


def _encode_object(value: Any, what: str) -> Any:
    if type(value).__name__ == "DType" and type(value).__module__.startswith("tensorflow."):
        return value.name  # equal to it
    if isinstance(value, type) or not (hasattr(value, "get_config") and hasattr(type(value), "from_config")):
        raise ArchiveError(_cannot_encode(value, what))
    try:
        return keras.saving.serialize_keras_object(value)
    except (TypeError, NotImplementedError, ValueError, AttributeError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(_cannot_encode(value, what)) from error


def _cannot_encode(value: object, what: str) -> str:
    return _message(f"{_kind_of(value)}: {str(value)[:80]}", what, _mend(value))


def _kind_of(value: object) -> str:
    if isinstance(value, type):
        return "a class"
    return "a module" if isinstance(value, types.ModuleType) else type(value).__name__


def _mend(value: object) -> str:
    """How to pass what can't be written down."""
    if isinstance(value, type):
        return f'give its name, "{value.__name__}", and look the class up in the constructor'
    if isinstance(value, types.ModuleType):
        return f'import it in the constructor, or give its name, "{value.__name__}"'
    if isinstance(value, enum.Enum):
        return f"give its value, {value.value!r}, and make the {type(value).__name__} in the constructor"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "give a plain tuple, tuple(...), or a dict, value._asdict()"
    if hasattr(value, "__dataclass_fields__"):
        return "give a dict, dataclasses.asdict(...), or override get_config and from_config of the model"
    if hasattr(value, "to_numpy"):
        return "give its numbers, value.to_numpy()"
    if isinstance(value, np.ma.MaskedArray):
        return "give the numbers and the mask apart, value.data and value.mask"
    if isinstance(value, np.ndarray):
        return "give an array of plain numbers"
    if isinstance(value, np.random.Generator):
        return "give a seed, and make the generator in the constructor"
    if isinstance(value, Iterator):
        return "give a list, list(...)"
    for kind in (str, int, float, list, tuple, dict):
        if isinstance(value, kind):
            return f"give a plain {kind.__name__}, {kind.__name__}(...)"
    if isinstance(value, Mapping):
        return "give a plain dict, dict(...)"
    if callable(value) and not isinstance(value, keras.layers.Layer):
        return "write a function with `def` that calls it, and give that"
    return "give what it is made from, or override get_config and from_config of the model"


def _message(received: str, what: str, fix: str = "give something plainer") -> str:
    return explain(
        f"A model can't be saved: {what} can't be written down.",
        received=received,
        expected="numbers, strings, arrays, times, paths, Keras objects, functions with a name, and lists, tuples, sets "
        "and dicts of them",
        fix=fix,
    )
