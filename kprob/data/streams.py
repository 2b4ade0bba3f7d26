"""Data that comes in batches: a class for each kind of source."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kprob.backend import data as backend_data
from kprob.backend.pipelines import is_repeated
from kprob.errors import DataError, explain


class Stream(ABC):
    """A source of batches.

    To subclass, override what is abstract, and enter the class in `STREAMS`.

    Args:
        source: What the user passed.
    """

    #: Whether it can be gone through more than once.
    repeats = True
    #: What sources of this kind are called, rather than by their class.
    word = ""

    def __init__(self, source: Any):
        self.source = source

    @staticmethod
    @abstractmethod
    def accepts(x: object) -> bool:
        """Whether something is a source of this kind."""

    @property
    def kind(self) -> str:
        """What the source is called in messages."""
        return self.word or type(self.source).__name__

    @abstractmethod
    def elements(self) -> Iterator:
        """Returns one pass over the batches, as the source gives them."""

    @abstractmethod
    def num_batches(self) -> int | None:
        """Returns the number of batches of a pass, or None where nobody knows it."""

    @property
    def endless(self) -> bool:
        """Whether a pass is known to have no end."""
        return False

    @property
    def shows_each_row_once(self) -> bool:
        """Whether a pass has as many rows as the data set, or nobody knows that it hasn't."""
        return True

    @abstractmethod
    def num_rows(self) -> int | None:
        """Returns the number of rows of a pass, or None where nobody knows it."""

    def first(self) -> Any:
        """Returns the first batch, which the pass that follows still has."""
        for element in self.elements():
            return element
        raise self.no_batches()

    def no_batches(self) -> DataError:
        """Returns the error on a stream without a batch."""
        return DataError(
            explain(
                f"The {self.kind} has no batches."
                if self.repeats
                else f"The {self.kind} is empty, or has ended before.",
                received=f"a {self.kind} that gives nothing",
                expected="at least one batch",
                fix="check how the data was loaded or filtered"
                + ("" if self.repeats else ", and make it anew for each fit: it can be gone through once"),
            )
        )

    def end_pass(self) -> None:  # noqa: B027  (most sources needn't know)
        """Tells the source that a pass has ended."""


class DatasetStream(Stream):
    """A `tf.data.Dataset`."""

    word = "tf.data.Dataset"

    @staticmethod
    def accepts(x: object) -> bool:
        return backend_data.is_dataset(x)

    def elements(self) -> Iterator:
        return self.source.as_numpy_iterator()

    def num_batches(self) -> int | None:
        number = int(self.source.cardinality())
        return number if number >= 0 else None

    @property
    def endless(self) -> bool:
        return int(self.source.cardinality()) == INFINITE

    @property
    def shows_each_row_once(self) -> bool:
        return not is_repeated(self.source)

    def num_rows(self) -> int | None:
        return backend_data.count_rows(self.source)


class SequenceStream(Stream):
    """A Keras `PyDataset`."""

    word = "PyDataset"

    @staticmethod
    def accepts(x: object) -> bool:
        return isinstance(x, keras.utils.PyDataset)

    def first(self) -> Any:
        if self.num_batches() == 0:
            raise self.no_batches()
        return self.source[0]

    def elements(self) -> Iterator:
        number = self.num_batches()
        return (self.source[i] for i in (itertools.count() if number is None else range(number)))

    def num_batches(self) -> int | None:
        try:
            return None if self.source.num_batches is None else int(self.source.num_batches)
        except NotImplementedError:  # of a class without a length
            return None

    @property
    def endless(self) -> bool:
        return self.num_batches() is None

    def num_rows(self) -> int | None:
        batches = self.num_batches()
        if batches is None:
            return None
        if batches == 0:
            raise self.no_batches()
        return rows_of_element(self.source[0]) * (batches - 1) + rows_of_element(self.source[batches - 1])

    def end_pass(self) -> None:
        self.source.on_epoch_end()


class LoaderStream(Stream):
    """A torch `DataLoader`, or what has the same attributes."""

    word = "DataLoader"

    @staticmethod
    def accepts(x: object) -> bool:
        return hasattr(x, "dataset") and hasattr(x, "batch_size")

    def elements(self) -> Iterator:
        return iter(self.source)

    def num_batches(self) -> int | None:
        return _length(self.source)

    @property
    def shows_each_row_once(self) -> bool:
        sampled = _length(getattr(self.source, "sampler", None))
        return not getattr(self.source, "drop_last", False) and sampled in (None, self.num_rows())

    def num_rows(self) -> int | None:
        # A sampler of a subset has the rows of a part of the data set.
        subset = _length(getattr(getattr(self.source, "sampler", None), "indices", None))
        return _length(self.source.dataset) if subset is None else subset


class IteratorStream(Stream):
    """A generator, or another iterator: it can be gone through once."""

    repeats = False

    def __init__(self, source: Any):
        super().__init__(source)
        self._pending: list = []

    @staticmethod
    def accepts(x: object) -> bool:
        return hasattr(x, "__next__")

    def first(self) -> Any:
        if not self._pending:
            for element in self.source:
                self._pending.append(element)
                return element
            raise self.no_batches()
        return self._pending[0]

    def elements(self) -> Iterator:
        while self._pending:
            yield self._pending.pop()
        yield from self.source

    def num_batches(self) -> int | None:
        return None

    def num_rows(self) -> int | None:
        return None


INFINITE = -1  # what `tf.data` says of a dataset without an end
STREAMS: list[type[Stream]] = [DatasetStream, SequenceStream, LoaderStream, IteratorStream]


def stream_of(x: object) -> Stream | None:
    """Returns data that comes in batches as a stream, or None where it doesn't."""
    return next((kind(x) for kind in STREAMS if kind.accepts(x)), None)


def parts_of_element(element: Any) -> tuple:
    """Returns what a source's batch has: x, y and weights, of which the last two may be None."""
    if isinstance(element, list):
        element = tuple(element)
    if isinstance(element, tuple) and len(element) <= 3:
        x, y, weights = (*element, None, None)[:3]
        return x, y, weights
    return element, None, None


def rows_of_element(element: Any) -> int:
    """Returns the number of rows of a source's batch."""
    x, _, _ = parts_of_element(element)
    return len(np.asarray(next(iter(x.values()))) if isinstance(x, dict) else x)


def _length(value: Any) -> int | None:
    try:
        return len(value)
    except (TypeError, NotImplementedError):  # torch's loaders of streams have the method and not the length
        return None
