"""Running means of what is logged, and the first site that was not finite."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from kprob.types import Tensor

NAMES = ("elbo", "log_likelihood", "kl")


class Monitors:
    """The Keras metrics of a model: running means of what is logged, and the first term that was not finite.

    Attributes:
        means: By name, in the order of `NAMES`.
        non_finite: The first term that was not finite.
    """

    def __init__(self) -> None:
        self.means = {name: keras.metrics.Mean(name=name) for name in NAMES}
        self.non_finite = FirstNonFinite()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All of them."""
        return [*self.means.values(), self.non_finite]

    def rows(self) -> float:
        """Returns how many rows the means are about."""
        return float(keras.ops.convert_to_numpy(self.means[NAMES[0]].count))

    def first_fault(self) -> int:
        """Returns the number of the first term that was not finite, or of the first site with impossible values; or -1."""
        return int(keras.ops.convert_to_numpy(self.non_finite.result()))

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Runs a block that has a first fault of its own."""
        before = self.first_fault()
        self.non_finite.clear()
        try:
            yield
        finally:
            self.non_finite.first.assign(before)

    def update(self, values: dict[str, Tensor], weight: Any) -> None:
        """Adds values to the running means.

        Args:
            values: By name.
            weight: How much they count.
        """
        for name, mean in self.means.items():
            mean.update_state(values[name], sample_weight=weight)


class FirstNonFinite(keras.metrics.Metric):
    """Remembers the number of the first term that was NaN or infinite, and nothing after it; -1 while there is none."""

    def __init__(self, name: str = "first_non_finite", **kwargs: Any):
        super().__init__(name=name, dtype="int32", **kwargs)
        self.first = self.add_variable(shape=(), initializer=_minus_one, dtype="int32", name="first")

    def update_state(self, number: Tensor, sample_weight: Any = None) -> None:
        first = keras.ops.convert_to_tensor(self.first)
        self.first.assign(keras.ops.where(first < 0, number, first))

    def result(self) -> Tensor:
        return keras.ops.convert_to_tensor(self.first)

    def reset_state(self) -> None:
        # An epoch's start doesn't forget what came before it: `clear` does.
        return None

    def clear(self) -> None:
        """Forgets everything."""
        self.first.assign(-1)


def _minus_one(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
    return keras.ops.full(shape, -1, dtype=dtype)
