"""Streams of batches on TensorFlow: `tf.data` datasets that yield the engine's batches."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf


def is_dataset(value: object) -> bool:
    return isinstance(value, tf.data.Dataset)


def map_dataset(dataset: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    return dataset.map(lambda *element: (function(element if len(element) > 1 else element[0]),)).prefetch(2)


def dataset_of(
    batches: Callable[[], Iterable[dict[str, Any]]], example: dict[str, Any], number: int | None, whole: tuple[str, ...]
) -> tf.data.Dataset:
    def spec(key: str, value: Any) -> tf.TensorSpec:
        value = np.asarray(value)
        return tf.TensorSpec(value.shape if key in whole else (None, *value.shape[1:]), value.dtype)

    signature = {
        key: {k: spec(key, v) for k, v in value.items()} if isinstance(value, dict) else spec(key, value)
        for key, value in example.items()
    }
    dataset = tf.data.Dataset.from_generator(lambda: ((batch,) for batch in batches()), output_signature=(signature,))
    return dataset if number is None else dataset.apply(tf.data.experimental.assert_cardinality(number))


def count_rows(dataset: tf.data.Dataset) -> int | None:
    # Without running it: back through the maps that keep the number of elements, to the rows that were put into batches.
    batches = int(dataset.cardinality())
    if batches < 0:
        return None
    current = dataset
    while True:
        inputs = current._inputs()
        if type(current).__name__.lstrip("_") in ("BatchDataset", "ParallelBatchDataset") and len(inputs) == 1:
            rows, size = int(inputs[0].cardinality()), int(tf.get_static_value(current._batch_size))
            dropped = bool(tf.get_static_value(current._drop_remainder))
            return None if rows < 0 else (rows // size) * size if dropped else rows
        if len(inputs) != 1 or int(inputs[0].cardinality()) != batches:
            return None
        current = inputs[0]
