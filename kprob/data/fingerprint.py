"""What tells the data that draws are of from other data."""

import zlib
from collections.abc import Iterable

import keras
import numpy as np

from kprob.data.batch import Data


def fingerprint(data: Data, weights: Iterable = ()) -> str:
    """Returns what tells this data, and the weights that positions depend on, from others."""
    total = 0
    own = [(variable.path, keras.ops.convert_to_numpy(variable)) for variable in weights]
    for name, value in [*data.rows.items(), *data.whole.items(), ("weights", data.weights), *own]:
        if value is not None:
            total = zlib.crc32(f"{name} {value.shape} {value.dtype}".encode(), total)
            total = zlib.crc32(np.ascontiguousarray(value).data, total)
    return f"{total:08x}"
