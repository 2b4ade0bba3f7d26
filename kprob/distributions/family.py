"""What kprob knows of a family of distributions beyond what TFP says: the entry that a new one needs.

A `Family` names the constructor, the parameters with their constraints and standard values, the support of its
values and a fast way to draw. `layers` makes a random-variable layer of an entry; `draw`, `support_bijector` and
`contains` work on any TFP distribution and look entries up in the `registry` by its class.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kprob.distributions.sets import NumberSet
from kprob.distributions.supports.support import Support
from kprob.types import Distribution, Shape


@dataclass(frozen=True)
class Relation:
    """What a parameter must be beside others.

    Attributes:
        expected: It in words, for messages.
        holds: `(value, others) -> boolean` for each value, on NumPy arrays; `others` are the parameters by name.
        needs: Names of those that it looks at.
    """

    expected: str
    holds: Callable[[np.ndarray, Mapping[str, np.ndarray]], np.ndarray]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Attributes:
        standard: Value where the user gives none: a number, or a function of the parameter's shape; `None` where there
            is no natural one.
        constraint: Name in `CONSTRAINTS`: "real", "positive", "simplex", "lower_triangular", ...
        event_ndims: Axes of one value of the parameter (0 for a scalar, 1 for `probs` of a categorical one, ...).
        shape: `(event_shape, settings) -> shape` of one value of the parameter, from the shape of one value of the
            variable and the settings of its layer; an entry is None where it doesn't follow from these. Needed where
            `event_ndims` isn't 0.
        relate: `(value, others) -> value`: moves a learned value to where it belongs beside the parameters before it,
            such as the upper bound of an interval above the lower one.
        spread: Standard deviation of the noise that a learned value starts with, where equal starts are a trap.
        optional: Whether it may be left out without a standard value.
        tensor: Whether it is a tensor; a distribution or a function is passed on as it is.
        keep_integers: Whether integers stay integers rather than becoming floats.
        start: Where learning starts where there is no standard value: a number, or a function of the shape.
        allowed: The numbers that it may be, where these aren't those of its constraint.
        relation: What it must be beside others, or None.
    """

    standard: float | Callable | None = None
    constraint: str = "real"
    event_ndims: int = 0
    shape: Callable[[Shape, Mapping[str, object]], Shape] | None = None
    relate: Callable | None = None
    spread: float = 0.0
    optional: bool = False
    tensor: bool = True
    keep_integers: bool = False
    start: float | Callable | None = None
    allowed: NumberSet | None = None
    relation: Relation | None = None

    def own_shape(self, event: Shape, settings: Mapping[str, object]) -> Shape:
        """Returns the shape of one value of the parameter; entries that aren't known are None."""
        if self.event_ndims == 0:
            return ()
        if self.shape is None:
            return (None,) * self.event_ndims
        return tuple(self.shape(event, settings))

    def standard_value(self, shape: Shape) -> np.ndarray | None:
        """Returns the standard value for a shape, or None where there is none or the shape isn't known."""
        return None if self.standard is None or None in shape else _fill(self.standard, shape)

    def start_value(self, shape: Shape) -> np.ndarray | None:
        """Returns where learning starts, or None where that is left to the constraint."""
        start = self.start if self.standard is None else self.standard
        return None if start is None else _fill(start, shape)


def _fill(value: float | Callable, shape: Shape) -> np.ndarray:
    filling = np.asarray(value(shape) if callable(value) else value, dtype="float32")
    return np.broadcast_to(filling, shape)


@dataclass(frozen=True)
class Family:
    """One family of distributions.

    Attributes:
        name: Its name, that of its layer.
        constructor: Makes the TFP distribution from keyword parameters and settings.
        parameters: Its parameters by TFP's names; those that a `relate` needs come before it.
        learned: Parameters that a head gives where the user names none; all of them by default.
        alternatives: Groups of parameters of which just one is given, the first being the one that a head gives and
            that has the standard value.
        event_ndims: Axes of one value of the variable (1 for vectors such as Dirichlet's); None where only the
            distribution knows.
        event: `(shapes, settings) -> event shape` from the shapes of the parameters that have a value; by default the
            last axes of the first one that has enough of them.
        infer: `shapes -> settings` that follow from the shapes of the parameters that have a value, where the user
            leaves these settings out.
        from_event: `event_shape -> settings` of the constructor that follow from the shape of one value.
        square: Whether one value is a square matrix, so that an event shape may be given as an int.
        discrete: Whether values are discrete.
        dtype: Type of the values of a family of integers; None for floats, discrete ones too.
        distribution_class: TFP class that `constructor` returns (for the look-up from a distribution).
        reparameterized: Whether draws of `sampler` are differentiable where TFP's own aren't.
        sampler: `(distribution, shape, seed) -> values` where it is faster than TFP's own; `shape` is the sample and
            batch shape, to which the distribution's own batch shape broadcasts.
        support: What values are possible.
        settings: Constructor arguments that aren't tensors, with their standard values.
        covariance: What makes the covariance matrix that a distribution computes itself, in words for messages: it may be
            singular though each parameter is right. None where there is none.
    """

    name: str
    constructor: Callable[..., Distribution]
    parameters: Mapping[str, Parameter]
    learned: tuple[str, ...] | None = None
    alternatives: tuple[tuple[str, ...], ...] = ()
    event_ndims: int | None = 0
    event: Callable[[Mapping[str, Shape], Mapping[str, object]], Shape] | None = None
    infer: Callable[[Mapping[str, Shape]], Mapping[str, object]] | None = None
    from_event: Callable[[Shape], Mapping[str, object]] | None = None
    square: bool = False
    discrete: bool = False
    dtype: str | None = None
    distribution_class: type | None = None
    sampler: Callable | None = None
    reparameterized: bool = False
    support: Support | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    covariance: str | None = None

    @property
    def own_ndims(self) -> int:
        """Axes of one value as far as the family knows: none where only the distribution does."""
        return self.event_ndims or 0

    def rivals(self, name: str) -> tuple[str, ...]:
        """Returns the parameters that can't have a value beside `name`."""
        for group in self.alternatives:
            if name in group:
                return tuple(other for other in group if other != name)
        return ()

    def needed(self) -> tuple[str, ...]:
        """Returns the parameters that a distribution needs: the first of each group of alternatives, the rest all."""
        later = {name for group in self.alternatives for name in group[1:]}
        return tuple(name for name, p in self.parameters.items() if name not in later and not p.optional)

    def complete(
        self, values: Mapping[str, object], event: Shape = (), settings: Mapping[str, object] | None = None
    ) -> tuple[dict[str, object], list[str]]:
        """Fills standard values in.

        Args:
            values: The parameters that have a value.
            event: Shape of one value of the variable, as far as it is known.
            settings: Settings of the layer.

        Returns:
            All parameters that have a value or a standard value, and the names of those that have neither.
        """
        completed, missing = dict(values), []
        for name in self.needed():
            if name in completed or any(rival in completed for rival in self.rivals(name)):
                continue
            shape = self.parameters[name].own_shape(event, self.settings if settings is None else settings)
            value = self.parameters[name].standard_value(shape)
            if value is None:
                missing.append(name)
            else:
                completed[name] = value
        return completed, missing

    def own_event(self, shapes: Mapping[str, Shape], settings: Mapping[str, object]) -> Shape:
        """Returns the shape of one value as far as the parameters' shapes tell."""
        if self.event is not None:
            return self.event(shapes, settings)
        if self.event_ndims:
            for name, shape in shapes.items():
                if name in self.parameters and self.parameters[name].event_ndims >= self.event_ndims <= len(shape):
                    return tuple(shape)[-self.event_ndims :]
        return (None,) * self.own_ndims


def vector(event: Shape, settings: Mapping[str, object]) -> Shape:
    """Shape of a parameter that is as long as the variable."""
    return event[-1:] or (None,)


def matrix(event: Shape, settings: Mapping[str, object]) -> Shape:
    """Shape of a parameter that is a square matrix with a row for each element of the variable."""
    return 2 * vector(event, settings)


def sized(*names: str) -> Callable[[Shape, Mapping[str, object]], Shape]:
    """Shape of a parameter whose axes are settings of the layer, such as `num_classes`."""
    return lambda event, settings: tuple(settings[name] for name in names)
