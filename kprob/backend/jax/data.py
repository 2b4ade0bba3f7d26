"""Streams of batches on JAX: Python iterators that yield the engine's batches of NumPy arrays."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras


def is_dataset(value: object) -> bool:
    # Known by two attributes of `tf.data.Dataset`, so that TensorFlow needn't be installed.
    return hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator")


def map_dataset(dataset: Any, function: Callable) -> Any:
    raise NotImplementedError("JAX reads tf.data datasets as NumPy arrays.")


def dataset_of(
    batches: Callable[[], Iterable[dict[str, Any]]], example: dict[str, Any], number: int | None, whole: tuple[str, ...]
) -> keras.utils.PyDataset:
    return _BatchSequence(batches, number)


class _BatchSequence(keras.utils.PyDataset):
    # Keras asks for batches by number, in order, so an iterator serves.
    def __init__(self, batches: Callable[[], Iterable[dict[str, Any]]], number: int | None):
        super().__init__()
        self.batches, self.number = batches, number
        self.iterator: Iterator[dict[str, Any]] | None = None

    @property
    def num_batches(self) -> int | None:
        return self.number

    def __getitem__(self, index: int) -> tuple[dict[str, Any]]:
        if index == 0 or self.iterator is None:
            self.iterator = iter(self.batches())
        try:
            return (next(self.iterator),)
        except StopIteration:
            self.iterator = iter(self.batches())
            return (next(self.iterator),)


def count_rows(dataset: Any) -> int | None:
    # Every batch but the last has as many rows as the first one.
    batches = int(dataset.cardinality())
    if batches < 1:
        return None
    first = _rows(next(iter(dataset.as_numpy_iterator())))
    last = _rows(next(iter(dataset.skip(batches - 1).as_numpy_iterator())))
    return first * (batches - 1) + last


def _rows(element: Any) -> int:
    return len(next(leaf for leaf in keras.tree.flatten(element) if leaf is not None))
