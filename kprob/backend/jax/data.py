"""Streams of batches on JAX: Python iterators that yield the engine's batches of NumPy arrays."""

from collections.abc import Callable, Iterable

import keras


def is_dataset(value) -> bool:
    """Whether a value is a `tf.data.Dataset`, told by its looks, so that TensorFlow needn't be there."""
    return hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator")


def map_dataset(dataset, function: Callable):
    """Not on JAX: batches of a dataset are read as NumPy arrays instead."""
    raise NotImplementedError("JAX reads tf.data datasets as NumPy arrays.")


def dataset_of(batches: Callable[[], Iterable[dict]], example: dict, number: int | None, whole: tuple[str, ...]):
    """Makes a data set that Keras's loop can run over again and again; see the TensorFlow twin for the arguments."""
    return _Batches(batches, number)


class _Batches(keras.utils.PyDataset):
    # Keras asks for batches by number; they come in order, so an iterator serves.
    def __init__(self, batches, number):
        super().__init__()
        self.batches, self.number, self.iterator = batches, number, None

    @property
    def num_batches(self):
        return self.number

    def __getitem__(self, index):
        if index == 0 or self.iterator is None:
            self.iterator = iter(self.batches())
        try:
            return (next(self.iterator),)
        except StopIteration:
            self.iterator = iter(self.batches())
            return (next(self.iterator),)


def count_rows(dataset) -> int | None:
    """Returns the rows of a batched dataset where every batch but the last has as many; None where that can't be told."""
    batches = int(dataset.cardinality())
    if batches < 1:
        return None
    first = _rows(next(iter(dataset.as_numpy_iterator())))
    last = _rows(next(iter(dataset.skip(batches - 1).as_numpy_iterator())))
    return first * (batches - 1) + last


def _rows(element) -> int:
    return len(next(leaf for leaf in keras.tree.flatten(element) if leaf is not None))
