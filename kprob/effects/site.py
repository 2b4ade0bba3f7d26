"""The two records that everything else is about: a site, a named random choice, and a plate, an axis of independence."""

from dataclasses import dataclass, field
from typing import Any

import keras

from kprob import distributions
from kprob.types import Tensor


@dataclass(slots=True, eq=False)
class Plate:
    """An axis along which sites are independent.

    Attributes:
        name: Its name.
        size: Its length; an int, or a tensor where TensorFlow only knows it when running.
        is_data: Whether it is the data plate, axis 0.
        scale: Factor of the log-densities inside: rows of the whole data set per row of the batch.
        weights: Weight of each row, or None.
        indices: Which rows of the whole data set these are, or None.
        is_time: Whether elements follow each other: the plate of a `scan`.
    """

    name: str
    size: Any = None
    is_data: bool = False
    scale: Any = 1.0
    weights: Any = None
    indices: Any = None
    is_time: bool = False


@dataclass(slots=True, eq=False)
class Site:
    """A named random choice, as a network's run met it.

    Attributes:
        name: Unique within the run.
        kind: "sample", "param", "deterministic" or "factor".
        distribution: TFP distribution of a "sample" site; its batch shape broadcasts to the plates.
        value: Its value, of shape `plate_shape + event_shape`.
        observed: Whether the value is given rather than drawn.
        plates: The plates around it, outermost first.
        scale: Factor of its log-density by handlers; plates have their own.
        mask: Which elements count, broadcasting to the plates, or None for all.
        seed: Seed of its draw.
        hidden: Set by `block`: handlers outside don't see the site.
        intervened: Set by `do`: the value is fixed from outside and has no density.
    """

    name: str
    kind: str
    distribution: Any = None
    value: Any = None
    observed: bool = False
    plates: tuple[Plate, ...] = ()
    scale: Any = 1.0
    mask: Any = None
    seed: Any = None
    hidden: bool = False
    intervened: bool = False
    constraint: str = "real"
    cached_log_prob: Any = field(default=None, repr=False)

    @property
    def in_data_plate(self) -> bool:
        """Whether the site has a value for each row of the data."""
        return any(plate.is_data for plate in self.plates)

    @property
    def event_ndims(self) -> int:
        """Number of axes of one value."""
        return len(self.value.shape) - len(self.plates)

    def log_prob(self) -> Tensor:
        """Returns the log-density of the value, scaled and masked by handlers: shape `plate_shape`."""
        if self.cached_log_prob is None:
            self.cached_log_prob = self._log_prob()
        return self.cached_log_prob

    def _log_prob(self) -> Tensor:
        if self.kind == "factor":
            log_prob = self.value
        elif self.kind != "sample" or self.intervened:
            return keras.ops.zeros(())
        else:
            log_prob = distributions.log_prob(self.distribution, self.value)
        if self.mask is not None:
            log_prob = keras.ops.where(self.mask, log_prob, keras.ops.zeros_like(log_prob))
        return log_prob if isinstance(self.scale, float) and self.scale == 1.0 else log_prob * self.scale
