"""Marks of Python values: two values with equal marks are the same to a network that reads them."""

import marshal
import zlib
from collections import deque
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

DEPTH = 8
SEQUENCES = (list, tuple, set, frozenset, deque)
# The version of `marshal` that knows no references, of which equal values may have different ones.
_VERSION = 2


class Same:
    """An object as a mark: equal to itself alone. It is kept, so that no other object gets its address.

    Args:
        value: The object.
    """

    __slots__ = ("value",)

    def __init__(self, value: object):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def mark_of(value: Any, depth: int = DEPTH) -> Hashable:
    """Returns the mark of a value: of numbers, texts, arrays and containers by what is in them, of other objects themselves.

    Args:
        value: The value.
        depth: Containers inside each other that are looked into.
    """
    if depth == 0:
        return Same(value)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        # A float's own text, since one that is no number isn't even equal to itself.
        return type(value).__name__, repr(value) if isinstance(value, float | complex) else value
    if isinstance(value, np.ndarray | np.generic):
        return _mark_of_array(np.asarray(value))
    if isinstance(value, Mapping):
        return _marshalled(dict(value)) or tuple(
            (mark_of(k, depth - 1), mark_of(v, depth - 1)) for k, v in value.items()
        )
    if isinstance(value, SEQUENCES):
        return _marshalled(list(value)) or (type(value).__name__, *(mark_of(item, depth - 1) for item in value))
    if hasattr(value, "to_numpy"):  # a data frame, or a column of one
        return _mark_of_array(np.asarray(value.to_numpy()))
    return Same(value)


def _marshalled(container: list | dict) -> Hashable:
    # Numbers and texts at the speed of C; None where there are others in it.
    try:
        return marshal.dumps(container, _VERSION)
    except ValueError:
        return None


def _mark_of_array(array: np.ndarray) -> Hashable:
    if array.dtype == object:
        return mark_of(array.tolist(), 2)
    return array.dtype.str, array.shape, zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)
