"""Batches for Keras's own loop: of a stream, and of arrays where steps must be taken one at a time.

A batch's first tensor says how many rows it has: Keras weighs a step by it. Of a dict Keras takes the tensors in the order
of their names, so that `batch_rows` and `index` come first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kprob.backend import data as backend_data
from kprob.backend import random
from kprob.data import Data, Whole, batch_of, to_array
from kprob.data.streams import DatasetStream, Stream, parts_of_element, rows_of_element
from kprob.engine import Networks, find_structure, named_data, prepare_data
from kprob.engine.checking.impossible_values import first_impossible
from kprob.errors import DataError, KprobError, explain, names
from kprob.training.batch_checks import BatchChecks
from kprob.training.impossible_data import check_possible
from kprob.training.stream_checks import check_num_data, check_pass, ended

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
        self.counted = stream.num_rows()
        check_num_data(stream, num_data, self.counted)
        self.num_data = num_data or self.counted
        self.whole: frozenset[str] = frozenset()
        self._checks: BatchChecks | None = None

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
            return backend_data.map_dataset(self.stream.source, self._batch, self.checks.check)
        return backend_data.dataset_of(self._batches, self._numpy(self.first), self.num_batches, WHOLE_KEYS)

    def first_data(self) -> Data:
        """Returns the first batch as data, checked."""
        data = self._data(self.first)
        x, _, _ = parts_of_element(self.first)
        self.whole = (
            frozenset(name for name, value in x.items() if isinstance(value, Whole)) if is_named(x) else frozenset()
        )
        return data

    @property
    def checks(self) -> BatchChecks:
        """The checks of all batches against the first one."""
        if self._checks is None:
            batch = self._assembled(self.first)
            structure = find_structure(self.networks)
            most = self.num_data if self.stream.shows_each_row_once else None
            weighted = "weights" in batch
            self._checks = BatchChecks(structure, self.stream.kind, batch["rows"], weighted, most)
        return self._checks

    def begin_pass(self, steps: int | None) -> None:
        """Begins an epoch.

        Args:
            steps: Batches that it takes, where that is said: it may begin and end anywhere in the stream then.
        """
        self.checks.restart()
        self.checks.counts = steps is None

    def end_pass(self, steps: int | None) -> None:
        """Checks, after an epoch, that it has shown the rows that it should.

        Args:
            steps: Batches that it takes, where that is said.
        """
        if steps is None and self.checks.batches:
            check_pass(self.stream, self.checks.rows, self.num_data)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raises what is wrong with a batch in kprob's words, where it comes out of a pipeline in others."""
        try:
            yield
        except KprobError:
            raise
        except Exception:
            if self.checks.error is not None:
                raise self.checks.error from None
            self._check_recent()
            raise

    def _check_recent(self) -> None:
        # TensorFlow's own kernels refuse some impossible values, such as labels out of range, in the middle of a step.
        for rows in self.checks.recent:
            data = Data(dict(rows), self._assembled(self.first)["whole"], len(next(iter(rows.values()))))
            trace = self.networks.run_generative(batch_of(data, self.num_data), random.seed(0))
            sites = find_structure(self.networks).random_sites()
            fault = first_impossible(trace, sites, stream=True)
            check_possible(self.networks, -1 if fault is None else int(keras.ops.convert_to_numpy(fault)))

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
        return prepare_data(self.networks, x, y, weights)

    def _batches(self) -> Iterator[dict]:
        self.checks.restart()  # Keras looks at the first batch and then begins again
        for element in self.stream.elements():
            yield self._numpy(element)
        self.stream.end_pass()

    def _named(self, element: Any) -> tuple[dict, Any]:
        x, y, weights = parts_of_element(element)
        if not is_named(x) or y is not None:
            x = named_data(self.networks, x, y)
        return dict(x), weights

    def _batch(self, element: Any) -> dict:
        # Runs inside a graph of tf.data: tensors in, tensors out.
        named, weights = self._named(element)
        rows = {name: _float32(value) for name, value in named.items()}
        for name, value in rows.items():
            if value.shape.rank is None:  # the checks see to it that it is as in the first batch
                value.set_shape((None, *self.checks.shapes.get(name, ())))
        return self._assemble(rows, weights)

    def _numpy(self, element: Any) -> dict:
        try:
            batch = self._assembled(element)
        except KprobError as error:
            self.checks.error = error
            raise
        self.checks.check(batch["rows"], batch.get("weights"))
        return batch

    def _assembled(self, element: Any) -> dict:
        named, weights = self._named(element)
        arrays = {
            name: to_array(name, value.value if isinstance(value, Whole) else value) for name, value in named.items()
        }
        whole = {name: arrays.pop(name) for name in self.whole if name in arrays}
        batch = self._assemble(
            arrays, None if weights is None else to_array("sample_weight", weights).astype("float32")
        )
        return {**batch, "whole": whole}

    def _assemble(self, rows: dict, weights: Any) -> dict:
        batch = {
            "batch_rows": _one_number_per_row(next(iter(rows.values()))),
            "num_data": np.full((1,), self.num_data or 1, "float32"),
            "rows": rows,
            "whole": {},
        }
        return batch if weights is None else {**batch, "weights": weights}


class StreamEpochs:
    """Sees that every epoch of a stream has the batches and the rows that it should.

    Args:
        batches: The stream's batches.
        optimizer: What counts the steps.
        seen: Returns how many rows the logs of an epoch are about.
        steps: Batches of an epoch, where the user says so.
    """

    def __init__(self, batches: StreamBatches, optimizer: Any, seen: Callable[[], float], steps: int | None):
        self.batches, self.optimizer, self.seen, self.steps = batches, optimizer, seen, steps
        self.before = 0

    def begin(self) -> None:
        """Begins an epoch."""
        self.batches.begin_pass(self.steps)
        self.before = int(self.optimizer.iterations)

    def end(self, epoch: int, stopped: bool) -> None:
        """Ends an epoch.

        Args:
            epoch: Its number.
            stopped: Whether a callback has ended it early.

        Raises:
            DataError: The stream ran out of batches, or showed other rows than it should.
        """
        stream = self.batches.stream
        if not self.seen():
            raise ended(stream, 0, self.steps, epoch)
        taken = int(self.optimizer.iterations) - self.before
        if self.steps is not None and 0 < taken < self.steps and not stream.repeats and not stopped:
            raise ended(stream, taken, self.steps, epoch)
        if not stopped:
            self.batches.end_pass(self.steps)


class EpochEnds(keras.callbacks.Callback):
    """What happens at the ends of epochs beside the user's callbacks, and before them; a callback for Keras's loop.

    At the start it draws the order of the rows: only then are the model's variables there on JAX. At the end it adds
    validation to the logs, and raises where the objective isn't finite.

    Args:
        check: `(logs, epoch)` raises where the loss isn't finite.
        validate: Returns validation logs, or None.
        every: Keras's `validation_freq`.
        order: Returns the order of the rows for the coming epoch.
        watch: What is asked at the beginning and the end of an epoch of a stream, or None.
    """

    def __init__(
        self,
        check: Callable,
        validate: Callable | None,
        every: Any,
        order: Callable = lambda: None,
        watch: "StreamEpochs | None" = None,
    ):
        super().__init__()
        self.check, self.validate, self.every, self.order, self.rows = check, validate, every, order, None
        self.watch = watch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.rows = self.order()
        if self.watch is not None:
            self.watch.begin()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.watch is not None:
            self.watch.end(epoch, self.model.stop_training)
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


def is_named(x: Any) -> bool:
    """Whether a batch has its data by name."""
    return isinstance(x, dict)


def _one_number_per_row(value: Any) -> Any:
    return value[(slice(None), *[0] * (len(value.shape) - 1))]


def _float32(value: Any) -> Any:
    # As arrays in memory: floats in Keras's float type, everything else as it is.
    dtype = keras.backend.standardize_dtype(value.dtype)
    wanted = keras.config.floatx()
    return value if dtype == wanted or not keras.backend.is_float_dtype(dtype) else keras.ops.cast(value, wanted)
