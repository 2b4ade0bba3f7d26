"""Python's and NumPy's own types in saved configs: each as a name and what JSON can hold, and back to an equal value.

JSON has text, numbers, lists, and dicts with text as keys. Whatever else comes as a constructor's argument is either here, or
one of Keras's own objects, or an error.
"""

import base64
import collections
import datetime
import decimal
import fractions
import pathlib
import types
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Encode = Callable[[Any], Any]


class _Codec(NamedTuple):
    # The name in files, what is written of a value (given what encodes its parts), and the value of that.
    name: str
    write: Callable[[Any, Encode], Any]
    read: Callable[[Any], Any]


def _text_of(text: Callable[[Any], str], read: Callable[[str], Any]) -> tuple[Callable, Callable]:
    return lambda value, encode: text(value), read


def _parts_of(parts: Callable[[Any], Sequence], make: Callable[[list], Any]) -> tuple[Callable, Callable]:
    return lambda value, encode: [encode(part) for part in parts(value)], make


def _sorted(values: Any) -> list:
    # A set has no order; a file is to be the same each time.
    return sorted(values, key=lambda value: (type(value).__name__, repr(value)))


def _pairs(mapping: Any) -> list:
    return [list(pair) for pair in mapping.items()]


def _bounds(value: range | slice) -> list:
    return [value.start, value.stop, value.step]


_PATHS = (pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath)
_BASE64 = _text_of(lambda v: base64.b64encode(v).decode("ascii"), base64.b64decode)

# By exact type: what is derived from one of these is something else.
CODECS: dict[type, _Codec] = {
    set: _Codec("__set__", *_parts_of(_sorted, set)),
    frozenset: _Codec("__frozenset__", *_parts_of(_sorted, frozenset)),
    collections.deque: _Codec(
        "__deque__", *_parts_of(lambda v: [list(v), v.maxlen], lambda parts: collections.deque(*parts))
    ),
    collections.OrderedDict: _Codec("__ordered_dict__", *_parts_of(_pairs, collections.OrderedDict)),
    collections.Counter: _Codec("__counter__", *_parts_of(_pairs, lambda pairs: collections.Counter(dict(pairs)))),
    types.MappingProxyType: _Codec(
        "__mapping__", *_parts_of(_pairs, lambda pairs: types.MappingProxyType(dict(pairs)))
    ),
    range: _Codec("__range__", *_parts_of(_bounds, lambda parts: range(*parts))),
    slice: _Codec("__slice_of__", *_parts_of(_bounds, lambda parts: slice(*parts))),
    types.EllipsisType: _Codec("__dots__", lambda value, encode: "...", lambda text: Ellipsis),
    complex: _Codec("__complex__", *_parts_of(lambda v: [v.real, v.imag], lambda parts: complex(*parts))),
    bytes: _Codec("__base64__", *_BASE64),
    bytearray: _Codec("__bytearray__", _BASE64[0], lambda text: bytearray(base64.b64decode(text))),
    decimal.Decimal: _Codec("__decimal__", *_text_of(str, decimal.Decimal)),
    fractions.Fraction: _Codec("__fraction__", *_text_of(str, fractions.Fraction)),
    uuid.UUID: _Codec("__uuid__", *_text_of(str, uuid.UUID)),
    datetime.date: _Codec("__date__", *_text_of(datetime.date.isoformat, datetime.date.fromisoformat)),
    datetime.datetime: _Codec("__datetime__", *_text_of(datetime.datetime.isoformat, datetime.datetime.fromisoformat)),
    datetime.time: _Codec("__time__", *_text_of(datetime.time.isoformat, datetime.time.fromisoformat)),
    datetime.timedelta: _Codec(
        "__timedelta__",
        *_parts_of(lambda v: [v.days, v.seconds, v.microseconds], lambda parts: datetime.timedelta(*parts)),
    ),
    **{
        kind: _Codec(f"__{kind.__name__.lower()}__", *_text_of(str, kind))  # a path of another system can't be made
        for kind in _PATHS
    },
}
_READERS = {codec.name: codec.read for codec in CODECS.values()}
_ARRAY, _SCALAR, _DTYPE = "__array__", "__scalar__", "__dtype__"


def encode_standard(value: Any, encode: Encode) -> dict | None:
    """Returns a value of Python's or NumPy's own types as JSON can hold it, or None where it is of no such type.

    Args:
        value: The value.
        encode: Encodes the values inside it.
    """
    if _has_rules(value):
        return None
    codec = CODECS.get(type(value))
    if codec is not None:
        return _named(codec.name, codec.write(value, encode))
    if isinstance(value, np.dtype):
        return _named(_DTYPE, _plain_dtype(value)) if _plain_dtype(value) else None
    if type(value) is np.ndarray or isinstance(value, np.generic):
        kind = _plain_dtype(value.dtype)
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        name = _SCALAR if isinstance(value, np.generic) else _ARRAY
        return _named(name, {"dtype": kind, "shape": list(value.shape), "data": data}) if kind else None
    return None


def decode_standard(kind: Any, content: Any, decode: Callable[[Any], Any]) -> tuple[Any] | None:
    """Returns the one value that `encode_standard` wrote under a name, or None where the name is none of its own."""
    if kind in _READERS:
        return (_READERS[kind](decode(content["value"])),)
    if kind == _DTYPE:
        return (np.dtype(content["value"]),)
    if kind in (_ARRAY, _SCALAR):
        stored = content["value"]
        flat = np.frombuffer(base64.b64decode(stored["data"]), np.dtype(stored["dtype"]))
        array = flat.reshape(stored["shape"]).copy()
        return (array[()] if kind == _SCALAR else array,)
    return None


def _named(name: str, content: Any) -> dict:
    return {"class_name": name, "config": {"value": content}}


def _plain_dtype(dtype: np.dtype) -> str | None:
    # A text that says all of it, if there is one: not for records, nor for references to Python's objects.
    for text in (dtype.str, dtype.name):
        try:
            if dtype.kind != "O" and np.dtype(text) == dtype:
                return text
        except TypeError:
            continue
    return None


def _has_rules(value: Any) -> bool:
    # A time zone with its summers and winters, of which a time tells today's hours alone.
    zone = getattr(value, "tzinfo", None)
    return zone is not None and type(zone) is not datetime.timezone
