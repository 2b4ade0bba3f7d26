"""What a `tf.data` pipeline tells of itself without being run. TensorFlow need not be imported for it."""

from typing import Any

_BATCHED = ("BatchDataset", "ParallelBatchDataset")


def rows_of_pipeline(dataset: Any) -> int | None:
    """Returns the rows of the data set that a pipeline makes batches of, each counted once, or None where it doesn't say.

    It goes back through the maps that keep the number of elements, to the rows that were put into batches. What is
    repeated is the same data set again.

    Args:
        dataset: A `tf.data.Dataset` of batches.
    """
    current = dataset
    while True:
        inputs = current._inputs()
        if len(inputs) != 1:
            return None
        if _kind(current) == "RepeatDataset":
            current = inputs[0]
            continue
        if _kind(current) in _BATCHED:
            rows, size = int(_unrepeated(inputs[0]).cardinality()), int(current._batch_size)
            dropped = bool(current._drop_remainder)
            return None if rows < 0 else (rows // size) * size if dropped else rows
        if int(current.cardinality()) < 0 or int(inputs[0].cardinality()) != int(current.cardinality()):
            return None
        current = inputs[0]


def is_repeated(dataset: Any) -> bool:
    """Whether a pipeline goes through its data more than once in a pass."""
    return any(_kind(step) == "RepeatDataset" for step in _steps(dataset))


def _steps(dataset: Any) -> list:
    steps = [dataset]
    for step in steps:
        steps.extend(step._inputs())
    return steps


def _unrepeated(dataset: Any) -> Any:
    # Back to before a repetition, as far as the number of elements is kept on the way.
    current = dataset
    while True:
        inputs = current._inputs()
        if len(inputs) != 1:
            return dataset
        if _kind(current) == "RepeatDataset":
            return _unrepeated(inputs[0])
        if int(current.cardinality()) != int(inputs[0].cardinality()):
            return dataset
        current = inputs[0]


def _kind(dataset: Any) -> str:
    return type(dataset).__name__.lstrip("_")
