"""The two records that everything else is about: a site, a named choice of a network, and a plate, an axis of independence.

A site is of a kind: what a network declares (a random variable, a parameter, ...), or what a primitive only asks the
handlers for (a seed, a state's past). Handlers have a method for each kind; everyone else asks `site.is_random` and the like.
"""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import keras

from kprob import distributions
from kprob.effects.density_weights import check_fits, one_for_each_element
from kprob.types import Tensor


class SiteKind(Enum):
    """What a site is. The words are those that summaries show."""

    SAMPLE = "sample"
    PARAM = "param"
    DETERMINISTIC = "deterministic"
    FACTOR = "factor"
    MODULE = "module"  # a network that becomes part of the model
    SCAN = "scan"  # steps along time, which a handler may take over
    SEED = "seed"  # a seed that a primitive needs
    STATE_BEFORE = "state before"  # the value that a state along time had one step earlier

    def __str__(self) -> str:
        return self.value


class HasKind:
    """The questions about its kind that a site answers, and so does a description of one."""

    __slots__ = ()
    kind: SiteKind

    @property
    def is_random(self) -> bool:
        """Whether it is a random variable, observed or latent."""
        return self.kind is SiteKind.SAMPLE

    @property
    def is_deterministic(self) -> bool:
        """Whether its value follows from those of others."""
        return self.kind is SiteKind.DETERMINISTIC

    @property
    def is_variable(self) -> bool:
        """Whether it is a random variable or follows from some: what queries return."""
        return self.is_random or self.is_deterministic

    @property
    def is_factor(self) -> bool:
        """Whether it is a number added to the log-density."""
        return self.kind is SiteKind.FACTOR

    @property
    def is_param(self) -> bool:
        """Whether it is a learned parameter."""
        return self.kind is SiteKind.PARAM

    @property
    def is_weighed(self) -> bool:
        """Whether it is of a kind that has a log-density."""
        return self.is_random or self.is_factor

    @property
    def is_declared(self) -> bool:
        """Whether a network declares it, so that traces keep it; the other kinds are questions to the handlers."""
        return self.is_variable or self.is_factor or self.is_param


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
        num_draws: Draws that the run stands for; the rows of each follow those of the one before.
    """

    name: str
    size: Any = None
    is_data: bool = False
    scale: Any = 1.0
    weights: Any = None
    indices: Any = None
    is_time: bool = False
    num_draws: int = 1

    def of_one_draw(self) -> "Plate":
        """Returns the plate as a network sees it, which is written for one draw."""
        if self.num_draws == 1:
            return self
        size = self.size // self.num_draws
        weights, indices = (None if rows is None else rows[:size] for rows in (self.weights, self.indices))
        return replace(self, size=size, weights=weights, indices=indices, num_draws=1)


@dataclass(slots=True, eq=False)
class Site(HasKind):
    """A named choice of a network, as a run met it.

    Attributes:
        name: Unique within the run.
        kind: What it is.
        distribution: TFP distribution of a random variable; its batch shape broadcasts to the plates.
        value: Its value, of shape `plate_shape + event_shape`.
        observed: Whether the value is given rather than drawn.
        plates: The plates around it, outermost first.
        scale: Factor of its log-density by handlers; plates have their own.
        mask: Which elements count, broadcasting to the plates, or None for all; numbers other than 0 and 1 are impossible.
        seed: Seed of its draw.
        hidden: Set by `block`: handlers outside don't see the site.
        intervened: Set by `do`: the value is fixed from outside and has no density.
        initial: Value that a parameter starts at.
        constraint: Name of a parameter's constraint.
        cached_log_prob: The log-density, once it was asked for.
    """

    name: str
    kind: SiteKind
    distribution: Any = None
    value: Any = None
    observed: bool = False
    plates: tuple[Plate, ...] = ()
    scale: Any = 1.0
    mask: Any = None
    seed: Any = None
    hidden: bool = False
    intervened: bool = False
    initial: Any = None
    constraint: str = "real"
    cached_log_prob: Any = field(default=None, repr=False)

    @property
    def is_latent(self) -> bool:
        """Whether it is a random variable whose value nobody gave: neither observed nor fixed by `do`."""
        return self.is_random and not self.observed and not self.intervened

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

    def log_prob_of_elements(self) -> Tensor:
        """Returns `log_prob` with a number for each element of the plates; zeros where the site has no density."""
        sizes = tuple(plate.size for plate in self.plates)
        return keras.ops.broadcast_to(self.log_prob(), sizes) if sizes else self.log_prob()

    def masked(self, log_prob: Tensor, otherwise: float = 0.0) -> Tensor:
        """Returns a log-density of the site with another number where the mask is False.

        Args:
            log_prob: The log-density of elements of the plates.
            otherwise: What stands for an element that doesn't count.
        """
        if self.mask is None:
            return log_prob
        check_fits(self, self.mask, "mask")
        hidden = keras.ops.full_like(log_prob, otherwise)
        if keras.backend.standardize_dtype(self.mask.dtype) == "bool":
            return keras.ops.where(self.mask, log_prob, hidden)
        impossible = keras.ops.full_like(log_prob, float("nan"))
        return keras.ops.where(self.mask == 1, log_prob, keras.ops.where(self.mask == 0, hidden, impossible))

    def _log_prob(self) -> Tensor:
        if self.is_factor:
            log_prob = self.value
        elif not self.is_random or self.intervened:
            return keras.ops.zeros(())
        else:
            log_prob = distributions.log_prob(self.distribution, self.value)
        log_prob = self.masked(log_prob)
        if not (isinstance(self.scale, float) and self.scale == 1.0):
            check_fits(self, self.scale, "scale")
            log_prob = log_prob * (
                self.scale if isinstance(self.scale, float) else keras.ops.cast(self.scale, log_prob.dtype)
            )
        return one_for_each_element(self, log_prob)
