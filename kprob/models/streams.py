"""Data through Keras's own loop: streams of batches, and arrays where steps must be taken one at a time."""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from kprob.backend import data as backend_data
from kprob.data import Data, to_array
from kprob.errors import DataError, explain, names
from kprob.models import building

WHOLE_KEYS = ("num_data", "whole")


def is_stream(x) -> bool:
    """Whether data comes in batches: a dataset, a `PyDataset`, a torch `DataLoader` or a generator."""
    return (
        backend_data.is_dataset(x)
        or isinstance(x, keras.utils.PyDataset)
        or (hasattr(x, "dataset") and hasattr(x, "batch_size"))
        or hasattr(x, "__next__")
    )


class Stream:
    """A stream of batches, as batches of the engine.

    Args:
        model: The model, whose names the elements are given.
        x: The stream.
        num_data: Rows of the whole data set, where the user says so.
    """

    def __init__(self, model, x, num_data: int | None):
        self.model, self.x = model, x
        self.pending: list = []
        self.first = self._first()
        self.num_batches = self._num_batches()
        self.num_data = num_data or self._count()

    def require_num_data(self) -> None:
        """Raises where the number of rows is needed and not known."""
        sites = self.model.structure().sites.values()
        outside = [site.name for site in sites if site.is_random and not site.in_data_plate]
        if self.num_data is None and outside:
            raise DataError(
                explain(
                    "A stream of unknown length can't be weighed against what is outside the data plate.",
                    received=f"a {type(self.x).__name__} without a known number of rows; outside: {names(outside)}",
                    expected="the number of rows of the whole data set",
                    fix="pass num_data=, as in fit(stream, num_data=1_000_000)",
                )
            )

    def dataset(self):
        """Returns what Keras's loop runs over."""
        if backend_data.is_dataset(self.x) and keras.backend.backend() == "tensorflow":
            return backend_data.map_dataset(self.x, self._batch)
        return backend_data.dataset_of(self._batches, self._numpy(self.first), self.num_batches, WHOLE_KEYS)

    def first_data(self) -> Data:
        """Returns the first batch as data, checked."""
        x, y, weight = self._parts(self.first)
        return self.model.prepare_data(_numpy_named(x), y, weight)

    def data(self) -> Iterator[Data]:
        """Yields one pass over the stream as data, up to the number of rows where that is known."""
        seen = 0
        for element in self._elements():
            x, y, weight = self._parts(element)
            yield self.model.prepare_data(_numpy_named(x), y, weight)
            seen += self._rows(element)
            if self.num_data is not None and seen >= self.num_data:
                return

    def _first(self):
        if hasattr(self.x, "__next__"):
            self.pending.append(next(self.x))
            return self.pending[0]
        if isinstance(self.x, keras.utils.PyDataset):
            return self.x[0]
        return next(iter(self._elements()))

    def _elements(self) -> Iterator:
        if backend_data.is_dataset(self.x):
            return self.x.as_numpy_iterator()
        if isinstance(self.x, keras.utils.PyDataset):
            return (self.x[i] for i in range(len(self.x)))
        return iter(self.x)

    def _batches(self) -> Iterator[dict]:
        while self.pending:
            yield self._numpy(self.pending.pop())
        for element in self._elements():
            yield self._numpy(element)
        if isinstance(self.x, keras.utils.PyDataset):
            self.x.on_epoch_end()

    def _num_batches(self) -> int | None:
        if backend_data.is_dataset(self.x):
            number = int(self.x.cardinality())
            return number if number >= 0 else None
        return len(self.x) if hasattr(self.x, "__len__") else None

    def _count(self) -> int | None:
        if backend_data.is_dataset(self.x):
            return backend_data.count_rows(self.x)
        if hasattr(self.x, "dataset") and hasattr(self.x.dataset, "__len__"):
            return len(self.x.dataset)
        if isinstance(self.x, keras.utils.PyDataset) and self.num_batches is not None:
            size = self._rows(self.first)
            return size * (self.num_batches - 1) + self._rows(self.x[self.num_batches - 1])
        return None

    def _rows(self, element) -> int:
        x, _, _ = self._parts(element)
        return len(next(iter(_numpy_named(x).values())) if isinstance(x, dict) else x)

    def _parts(self, element):
        x, y, weight = element if isinstance(element, tuple) and len(element) == 3 else (element, None, None)
        if isinstance(element, list):
            element = tuple(element)
        if isinstance(element, tuple) and len(element) < 3:
            x, y = element if len(element) == 2 else (element[0], None)
        return x, y, weight

    def _named(self, element) -> tuple[dict, object]:
        x, y, weight = self._parts(element)
        if not isinstance(x, dict) or y is not None:
            x = self.model.name_data(x, y)
        return dict(x), weight

    def _batch(self, element) -> dict:
        # Runs inside a graph of tf.data: tensors in, tensors out.
        rows, weight = self._named(element)
        return self._assemble({name: _float32(value) for name, value in rows.items()}, weight)

    def _numpy(self, element) -> dict:
        rows, weight = self._named(element)
        rows = {name: to_array(name, value) for name, value in rows.items()}
        return self._assemble(rows, None if weight is None else np.asarray(weight, "float32"))

    def _assemble(self, rows: dict, weight) -> dict:
        first = next(iter(rows.values()))
        # Sorts first: Keras weighs a step by the rows of the first tensor.
        count = first[(slice(None), *[0] * (len(first.shape) - 1))]
        batch = {
            "batch_rows": count,
            "num_data": np.full((1,), self.num_data or 1, "float32"),
            "rows": rows,
            "whole": {},
        }
        return batch if weight is None else {**batch, "weights": weight}


class Epochs(keras.callbacks.Callback):
    """What happens at the ends of epochs beside the user's callbacks, and before them; a callback for Keras's loop.

    At the start it draws the order of the rows: only then are the model's variables there on JAX. At the end it adds
    validation to the logs, and raises where the objective isn't finite.

    Args:
        check: `(logs, epoch)` raises where the loss isn't finite.
        validate: Returns validation logs, or None.
        every: Keras's `validation_freq`.
        order: Returns the order of the rows for the coming epoch.
    """

    def __init__(self, check: Callable, validate: Callable | None, every, order: Callable = lambda: None):
        super().__init__()
        self.check, self.validate, self.every, self.order, self.rows = check, validate, every, order, None

    def on_epoch_begin(self, epoch, logs=None):
        self.rows = self.order()

    def on_epoch_end(self, epoch, logs=None):
        self.check(logs, epoch)
        if self.validate is not None and self.model._should_eval(epoch, self.every):
            logs.update({f"val_{name}": value for name, value in self.validate().items()})


def array_dataset(data: Data, size: int, order: Callable):
    """Makes what Keras's loop runs over of arrays: the same rows in the same order as the compiled loop takes them.

    Args:
        data: The data.
        size: Rows of a batch.
        order: Returns the order of the rows in the current epoch, or None before the first.
    """
    number = -(-data.num_rows // size) if data.num_rows else 1

    def batches():
        if data.num_rows is None:
            yield _numpy_batch(data, None)
            return
        rows = order()
        rows = np.arange(data.num_rows, dtype="int32") if rows is None else rows
        for start in range(0, data.num_rows, size):
            yield _numpy_batch(data, rows[start : start + size])

    example = _numpy_batch(data, None if data.num_rows is None else np.arange(1, dtype="int32"))
    return backend_data.dataset_of(batches, example, number, WHOLE_KEYS)


def _numpy_batch(data: Data, rows) -> dict:
    number = np.full((1,), data.num_rows or 1, "float32")
    if rows is None:
        return {"num_data": number, "rows": {}, "whole": data.whole}
    batch = {"index": rows, "num_data": number, "rows": {n: v[rows] for n, v in data.rows.items()}, "whole": data.whole}
    return batch if data.weights is None else {**batch, "weights": data.weights[rows]}


def _numpy_named(x):
    return {name: np.asarray(value) for name, value in x.items()} if isinstance(x, dict) else np.asarray(x)


def _float32(value):
    # As arrays in memory: floats in Keras's float type, everything else as it is.
    dtype = keras.backend.standardize_dtype(value.dtype)
    wanted = keras.config.floatx()
    return value if dtype == wanted or not keras.backend.is_float_dtype(dtype) else keras.ops.cast(value, wanted)


def build(model, stream: Stream) -> None:
    """Builds a model from the first batch of a stream."""
    data = stream.first_data()
    stream.require_num_data()
    building.build(model, data, stream.num_data)
