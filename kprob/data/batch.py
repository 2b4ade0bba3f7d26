"""Data as the engine sees it: rows, what belongs to no row, weights; and batches of it.

A batch is a dict of tensors, the one thing that travels through Keras's loops and compiled programs:

    index     (B,)  which rows of the data set these are, or
    batch_rows (B,) anything of a row, where they are those of a stream
    num_data  (1,)  rows of the whole data set
    rows      by name, (B, ...)
    weights   (B,)  sample weights, where there are any
    whole     by name

`index` sorts first: Keras weighs a step's loss by the first axis of the first tensor, the rows of the batch.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kprob.backend import float_type, random
from kprob.types import Seed, Tensor

FINGERPRINT_BYTES = 10_000_000
KERAS_BATCH_SIZE = 32
MAX_FOLDED_ROWS = 100_000  # of a batch in which each row stands once for each draw


@dataclass
class Data:
    """A data set by name.

    Attributes:
        rows: Arrays with one entry per row.
        whole: Arrays that belong to no row.
        num_rows: Rows, or None where the model has no data plate.
        weights: A weight per row, or None.
    """

    rows: dict[str, np.ndarray] = field(default_factory=dict)
    whole: dict[str, np.ndarray] = field(default_factory=dict)
    num_rows: int | None = None
    weights: np.ndarray | None = None

    def fingerprint(self) -> tuple | None:
        """Returns what tells this data from other data, or None where it is too large to be read through."""
        arrays = [*self.rows.items(), *self.whole.items()]
        if sum(value.nbytes for _, value in arrays) > FINGERPRINT_BYTES:
            return None
        return tuple(
            (name, value.shape, value.dtype.name, zlib.crc32(np.ascontiguousarray(value).data))
            for name, value in arrays
        )

    def take(self, rows: Any) -> "Data":
        """Returns some of the rows: a slice or an array of indices."""
        weights = None if self.weights is None else self.weights[rows]
        taken = {name: value[rows] for name, value in self.rows.items()}
        number = None if self.num_rows is None else _length(rows, self.num_rows)
        return Data(taken, self.whole, number, weights)


def is_batch(value: object) -> bool:
    """Whether something is a batch, rather than a user's data by name."""
    parts = (value.get("rows"), value.get("whole")) if isinstance(value, dict) and "num_data" in value else ()
    return bool(parts) and all(isinstance(part, dict) for part in parts)


def batch_of(data: Data, num_data: int | None = None, with_index: bool = True) -> dict:
    """Returns all of a data set as one batch of tensors.

    Args:
        data: The data.
        num_data: Rows of the whole data set, where `data` is only a part of it.
        with_index: Whether rows are known by their index in the data set that was fitted.
    """
    convert = keras.ops.convert_to_tensor
    number = num_data or data.num_rows or 1
    batch = {"num_data": convert(np.full((1,), number, float_type()))}
    if data.num_rows is not None and with_index:
        batch["index"] = convert(np.arange(data.num_rows, dtype="int32"))
    batch["rows"] = {name: convert(value) for name, value in data.rows.items()}
    if data.weights is not None:
        batch["weights"] = convert(data.weights)
    batch["whole"] = {name: convert(value) for name, value in data.whole.items()}
    return batch


def batches_of(data: Data, size: int, num_data: int | None = None, indices: np.ndarray | None = None) -> Iterator[dict]:
    """Yields a data set batch by batch, in order; where it has no rows, all of it as one batch.

    Args:
        data: The data.
        size: Rows of a batch; the last one may have fewer.
        num_data: Rows of the data set that each batch stands for; where it's left out a batch stands for its own rows,
            so that over all batches each row counts once.
        indices: Which rows of the fitted data set these are; by default the first ones, in order.
    """
    for start in range(0, data.num_rows or 1, size):
        part = data if data.num_rows is None else data.take(slice(start, start + size))
        batch = batch_of(part, num_data)
        if part.num_rows is not None:
            end = start + part.num_rows
            index = np.arange(start, end) if indices is None else indices[start:end]
            batch["index"] = keras.ops.convert_to_tensor(index.astype("int32"))
        yield batch


def take_rows(batch: dict, number: int, seed: Seed) -> dict:
    """Returns a batch of some rows of another one, drawn with replacement; it still knows how many rows there are."""
    total = rows_of(batch)
    share = random.uniform((number,), seed)
    rows = keras.ops.minimum(keras.ops.cast(share * keras.ops.cast(total, share.dtype), "int32"), total - 1)
    taken = {name: keras.ops.take(batch[name], rows, axis=0) for name in ("index", "weights") if name in batch}
    return {
        **batch,
        **taken,
        "rows": {name: keras.ops.take(value, rows, axis=0) for name, value in batch["rows"].items()},
    }


def rows_of(batch: dict) -> Any:
    """Returns the number of rows of a batch: an int, a tensor where it isn't known, or None without a data plate."""
    if batch.get("rows"):
        return keras.ops.shape(next(iter(batch["rows"].values())))[0]
    if "index" in batch:
        return keras.ops.shape(batch["index"])[0]
    return None


def is_of_stream(batch: dict) -> bool:
    """Whether a batch is one of a stream, whose rows nobody has seen before."""
    return "batch_rows" in batch


def data_of(batch: dict) -> dict:
    """Returns all data of a batch by name, rows or not."""
    return {**batch.get("whole", {}), **batch.get("rows", {})}


def repeat_rows(batch: dict, num_draws: int | None) -> dict:
    """Returns a batch with its rows repeated once per draw, the draws outermost."""
    if num_draws is None:
        return batch

    def repeat(value: Tensor) -> Tensor:
        return keras.ops.tile(value, (num_draws, *[1] * (len(value.shape) - 1)))

    repeated = {**batch, "rows": {name: repeat(value) for name, value in batch.get("rows", {}).items()}}
    for name in ("index", "weights"):
        if name in batch:
            repeated[name] = repeat(batch[name])
    return repeated


def _length(rows: Any, number: int) -> int:
    return len(range(*rows.indices(number))) if isinstance(rows, slice) else len(rows)
