"""What the compiled loops of training share: how rows fall into steps, and the running mean of logs.

The loops themselves are each backend's own; this is plain arithmetic, the same on arrays of both.
"""

from collections.abc import Callable
from typing import Any

import keras

BLOCK = 16


class EpochLoops:
    """Loops over the steps of epochs, from the inside out: a step, an epoch, a block of epochs, the blocks of a call.

    Args:
        loss: `(batch, training)` gives the loss, its logs, and the number of the first term that isn't finite.
        model: What is trained.
        width: Number of logs.
        batch_size: Rows of a step.
        num_rows: Rows of the data, or None where it has no rows.
        take: `(data, rows)` gives the batch of these rows.
    """

    def __init__(
        self, loss: Callable, model: keras.Model, width: int, batch_size: int, num_rows: int | None, take: Callable
    ):
        self.evaluate, self.model, self.width = loss, model, width
        self.batch_size, self.take = batch_size, take
        self.rows = num_rows or 1
        self.full, self.rest = divmod(self.rows, batch_size)
        self.single = num_rows is None or batch_size >= num_rows


def restart(carry: tuple, going_on: Any) -> tuple:
    """Returns the carry of a new epoch, or the same one where `going_on` is 1 and not 0."""
    totals, count, bad = carry
    return totals * going_on, count * going_on, bad


def mean(carry: tuple) -> Any:
    """Returns the logs' mean over the rows so far."""
    totals, count, _ = carry
    return totals / count
