"""Streams of batches on JAX: Python iterators that yield the engine's batches of NumPy arrays."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

# Keras takes an adapter as it is. None of its public sources can say that it ends, and not where: a PyDataset without a
# length never does, and a generator can't begin again.
from keras.src.trainers.data_adapters.data_adapter import DataAdapter

from kprob.backend.pipelines import is_repeated, rows_of_pipeline


def is_dataset(value: object) -> bool:
    # Known by two attributes of `tf.data.Dataset`, so that TensorFlow needn't be installed.
    return hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator")


def map_dataset(dataset: Any, function: Callable, check: Callable) -> Any:
    raise NotImplementedError("JAX reads tf.data datasets as NumPy arrays.")


def dataset_of(
    batches: Callable[[], Iterable[dict[str, Any]]], example: dict[str, Any], number: int | None, whole: tuple[str, ...]
) -> Any:
    return _Batches(batches, number)


class _Batches(DataAdapter):
    def __init__(self, batches: Callable[[], Iterable[dict[str, Any]]], number: int | None):
        self.batches, self.number = batches, number

    def get_jax_iterator(self) -> Iterator[tuple[dict[str, Any]]]:
        return ((batch,) for batch in self.batches())

    @property
    def num_batches(self) -> int | None:
        return self.number

    @property
    def batch_size(self) -> None:
        return None


def count_rows(dataset: Any) -> int | None:
    rows = rows_of_pipeline(dataset)
    if rows is not None or is_repeated(dataset):
        return rows
    # Every batch but the last has as many rows as the first one.
    batches = int(dataset.cardinality())
    if batches < 1:
        return None
    first = _rows(next(iter(dataset.as_numpy_iterator())))
    last = _rows(next(iter(dataset.skip(batches - 1).as_numpy_iterator())))
    return first * (batches - 1) + last


def _rows(element: Any) -> int:
    return len(next(leaf for leaf in keras.tree.flatten(element) if leaf is not None))
