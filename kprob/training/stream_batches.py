"""Batches for Keras's own loop: of a stream, and of arrays where steps must be taken one at a time.

A batch's first tensor says how many rows it has: Keras weighs a step by it. Of a dict Keras takes the tensors in the order
of their names, so that `batch_rows` and `index` come first.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from kprob.backend import data as backend_data
from kprob.data import Data, to_array
from kprob.data.streams import DatasetStream, Stream, parts_of_element, rows_of_element
from kprob.engine import Networks, find_structure, named_data, prepare_data
from kprob.errors import DataError, explain, names

WHOLE_KEYS = ("num_data", "whole")


class StreamBatches:
    """The batches of a stream, by the names that a model gives them.

    Args:
        networks: The model's networks.
        stream: The stream.
        num_data: Rows of the whole data set, where the user says so.
    """

    def __init__(self, networks: Networks, stream: Stream, num_data: int | None):
        self.networks, self.stream = networks, stream
        self.first = stream.first()
        self.num_batches = stream.num_batches()
        self.num_data = num_data or stream.num_rows()

    @property
    def can_be_reread(self) -> bool:
        """Whether all data can be gone through once more."""
        return self.stream.repeats and (self.num_data is not None or self.num_batches is not None)

    def require_num_data(self) -> None:
        """Raises where the number of rows is needed and not known."""
        sites = find_structure(self.networks).sites.values()
        outside = [site.name for site in sites if site.is_random and not site.in_data_plate]
        if self.num_data is None and outside:
            raise DataError(
                explain(
                    "A stream of unknown length can't be weighed against what is outside the data plate.",
                    received=f"a {self.stream.kind} without a known number of rows; outside: {names(outside)}",
                    expected="the number of rows of the whole data set",
                    fix="pass num_data=, as in fit(stream, num_data=1_000_000)",
                )
            )

    def dataset(self) -> Any:
        """Returns what Keras's loop runs over."""
        if isinstance(self.stream, DatasetStream) and keras.backend.backend() == "tensorflow":
            return backend_data.map_dataset(self.stream.source, self._batch)
        return backend_data.dataset_of(self._batches, self._numpy(self.first), self.num_batches, WHOLE_KEYS)

    def first_data(self) -> Data:
        """Returns the first batch as data, checked."""
        return self._data(self.first)

    def data(self) -> Iterator[Data]:
        """Yields one pass over the stream as data, up to the number of rows where that is known."""
        seen = 0
        for element in self.stream.elements():
            yield self._data(element)
            seen += rows_of_element(element)
            if self.num_data is not None and seen >= self.num_data:
                return

    def _data(self, element: Any) -> Data:
        x, y, weights = parts_of_element(element)
        arrays = {k: np.asarray(v) for k, v in x.items()} if isinstance(x, dict) else np.asarray(x)
        return prepare_data(self.networks, arrays, y, weights)

    def _batches(self) -> Iterator[dict]:
        for element in self.stream.elements():
            yield self._numpy(element)
        self.stream.end_pass()

    def _named(self, element: Any) -> tuple[dict, Any]:
        x, y, weights = parts_of_element(element)
        if not isinstance(x, dict) or y is not None:
            x = named_data(self.networks, x, y)
        return dict(x), weights

    def _batch(self, element: Any) -> dict:
        # Runs inside a graph of tf.data: tensors in, tensors out.
        rows, weights = self._named(element)
        return self._assemble({name: _float32(value) for name, value in rows.items()}, weights)

    def _numpy(self, element: Any) -> dict:
        rows, weights = self._named(element)
        rows = {name: to_array(name, value) for name, value in rows.items()}
        return self._assemble(rows, None if weights is None else np.asarray(weights, "float32"))

    def _assemble(self, rows: dict, weights: Any) -> dict:
        first = next(iter(rows.values()))
        batch = {
            "batch_rows": first[(slice(None), *[0] * (len(first.shape) - 1))],
            "num_data": np.full((1,), self.num_data or 1, "float32"),
            "rows": rows,
            "whole": {},
        }
        return batch if weights is None else {**batch, "weights": weights}


class EpochEnds(keras.callbacks.Callback):
    """What happens at the ends of epochs beside the user's callbacks, and before them; a callback for Keras's loop.

    At the start it draws the order of the rows: only then are the model's variables there on JAX. At the end it adds
    validation to the logs, and raises where the objective isn't finite.

    Args:
        check: `(logs, epoch)` raises where the loss isn't finite.
        validate: Returns validation logs, or None.
        every: Keras's `validation_freq`.
        order: Returns the order of the rows for the coming epoch.
    """

    def __init__(self, check: Callable, validate: Callable | None, every: Any, order: Callable = lambda: None):
        super().__init__()
        self.check, self.validate, self.every, self.order, self.rows = check, validate, every, order, None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.rows = self.order()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.check(logs, epoch)
        if self.validate is not None and self.model._should_eval(epoch, self.every):
            logs.update({f"val_{name}": value for name, value in self.validate().items()})


def array_dataset(data: Data, size: int, order: Callable[[], np.ndarray | None]) -> Any:
    """Makes what Keras's loop runs over of arrays: the same rows in the same order as the compiled loop takes them.

    Args:
        data: The data.
        size: Rows of a batch.
        order: Returns the order of the rows in the current epoch, or None before the first.
    """
    number = -(-data.num_rows // size) if data.num_rows else 1

    def batches() -> Iterator[dict]:
        if data.num_rows is None:
            yield _numpy_batch(data, None)
            return
        rows = order()
        rows = np.arange(data.num_rows, dtype="int32") if rows is None else rows
        for start in range(0, data.num_rows, size):
            yield _numpy_batch(data, rows[start : start + size])

    example = _numpy_batch(data, None if data.num_rows is None else np.arange(1, dtype="int32"))
    return backend_data.dataset_of(batches, example, number, WHOLE_KEYS)


def _numpy_batch(data: Data, rows: np.ndarray | None) -> dict:
    number = np.full((1,), data.num_rows or 1, "float32")
    if rows is None:
        return {"num_data": number, "rows": {}, "whole": data.whole}
    batch = {"index": rows, "num_data": number, "rows": {n: v[rows] for n, v in data.rows.items()}, "whole": data.whole}
    return batch if data.weights is None else {**batch, "weights": data.weights[rows]}


def _float32(value: Any) -> Any:
    # As arrays in memory: floats in Keras's float type, everything else as it is.
    dtype = keras.backend.standardize_dtype(value.dtype)
    wanted = keras.config.floatx()
    return value if dtype == wanted or not keras.backend.is_float_dtype(dtype) else keras.ops.cast(value, wanted)
