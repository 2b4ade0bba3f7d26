"""Streams of batches on TensorFlow: `tf.data` datasets that yield the engine's batches."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from kprob.backend.pipelines import rows_of_pipeline


def is_dataset(value: object) -> bool:
    return isinstance(value, tf.data.Dataset)


def map_dataset(dataset: tf.data.Dataset, function: Callable, check: Callable) -> tf.data.Dataset:
    def mapped(*element: Any) -> tuple[dict[str, Any]]:
        batch = function(element if len(element) > 1 else element[0])
        flat, weights = batch["rows"], batch.get("weights")
        names, optional = list(flat), [] if weights is None else [weights]

        def run(*arrays: np.ndarray) -> np.ndarray:
            check(dict(zip(names, arrays, strict=False)), arrays[-1] if optional else None)
            return np.zeros((), "int32")  # TensorFlow wants a value

        # It has a state, so that the pipeline runs it although nothing uses its value; and before anything else is done.
        with tf.control_dependencies([tf.numpy_function(run, [*flat.values(), *optional], tf.int32)]):
            return (tf.nest.map_structure(tf.identity, batch),)

    return dataset.map(mapped).prefetch(2)


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
    return rows_of_pipeline(dataset)
