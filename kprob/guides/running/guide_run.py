"""One run of a guide: the data, the values of the latents so far, and what the guide keeps for the later ones."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import keras

from kprob import checks
from kprob.effects import Plate
from kprob.errors import DataError, explain
from kprob.types import Bijector, Tensor

T = TypeVar("T")


class GuideRun:
    """One run of a guide, made anew for each: nothing outlives the run.

    Args:
        data: Arrays by name, for encoders.
        num_data: Rows of the data set that the guide was made for.
    """

    def __init__(self, data: dict, num_data: int | None):
        self.data, self.num_data = data, num_data
        self.plate: Plate | None = None
        self.latent = ""
        self.cache: dict[Any, Any] = {}
        self._values: dict[str, tuple[Bijector, Tensor]] = {}

    def enter(self, latent: str, plate: Plate | None) -> None:
        """Notes which latent comes next, and the data plate that it is in."""
        self.latent, self.plate = latent, plate

    def add(self, latent: str, bijector: Bijector, value: Tensor) -> None:
        """Notes the value that a latent has in this run."""
        self._values[latent] = (bijector, value)

    def value(self, latent: str) -> Tensor:
        """Returns the unconstrained value of a latent that came before."""
        bijector, value = self._values[latent]
        return bijector.inverse(value)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Returns the result of `make()`, which is called once in a run."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def rows(self, table: Tensor) -> Tensor:
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
