"""One run of a guide: the data, the latents drawn so far, and what the guide keeps for those to come."""

from collections.abc import Callable
from typing import Any

import keras

from kprob import checks
from kprob.effects import Plate
from kprob.errors import DataError, explain


class Run:
    """One run of a guide. It is made anew for each, and nothing of it outlives the run.

    Args:
        data: Arrays by name, for encoders.
        num_data: Rows of the data set that the guide was made for.
    """

    def __init__(self, data: dict, num_data: int | None):
        self.data, self.num_data = data, num_data
        self.plate: Plate | None = None
        self.latent = ""
        self.memo: dict[Any, Any] = {}
        self._drawn: dict[str, tuple] = {}

    def enter(self, latent: str, plate: Plate | None) -> None:
        """Notes which latent comes next, and the data plate that it is in."""
        self.latent, self.plate = latent, plate

    def add(self, latent: str, bijector, value) -> None:
        """Notes the value that a latent has in this run."""
        self._drawn[latent] = (bijector, value)

    def value(self, latent: str):
        """Returns the unconstrained value of a latent that has come already."""
        bijector, value = self._drawn[latent]
        return bijector.inverse(value)

    def once(self, key, make: Callable):
        """Returns what `make()` returns, made once in a run."""
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]

    def rows(self, table):
        """Returns the rows of a table that belong to the rows of the batch; all of it outside the data plate."""
        table = keras.ops.convert_to_tensor(table)
        if self.plate is None:
            return table
        if self.plate.indices is not None:
            return keras.ops.take(table, self.plate.indices, axis=0)
        size = checks.known_size(self.plate.size)
        if size is not None and size != self.num_data:
            raise DataError(
                explain(
                    f"Latent `{self.latent}` has parameters of its own for each row of the data that the model was "
                    "fitted to.",
                    received=f"{size} rows",
                    expected=f"the {self.num_data} rows of the fit",
                    fix="give the guide an encoder, or write `inference` with one, which gives a posterior for any row",
                )
            )
        return table
