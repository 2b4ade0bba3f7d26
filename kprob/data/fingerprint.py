"""What tells the data that draws are of from other data."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from kprob.data.batch import Data


def fingerprint(data: Data, weights: Iterable = ()) -> str:
    """Returns what tells this data, and the weights that positions depend on, from others."""
    own = [(variable.path, keras.ops.convert_to_numpy(variable)) for variable in weights]
    return of_arrays([*data.rows.items(), *data.whole.items(), ("weights", data.weights), *own])


def of_arrays(arrays: Iterable[tuple[str, Any]]) -> str:
    """Returns what tells arrays, by name and in their order, from others; what is None doesn't count."""
    total = 0
    for name, value in arrays:
        if value is not None:
            total = zlib.crc32(f"{name} {value.shape} {value.dtype}".encode(), total)
            total = zlib.crc32(np.ascontiguousarray(value).data, total)
    return f"{total:08x}"


def of_each(rows: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Returns what tells each of some arrays from others, by name, in whatever type its numbers are."""
    return {name: of_arrays([("", np.asarray(value, "float32"))]) for name, value in rows.items()}
