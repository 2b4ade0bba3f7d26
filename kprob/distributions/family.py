"""What kprob knows of a family of distributions beyond what TFP says: the entry that a new one needs.

A `Family` names the constructor, the parameters with their constraints and standard values, how to draw fast, the
bijector of the support and which values are possible. `layers` makes a random-variable layer of an entry; `draw`,
`support_bijector` and `contains` work on any TFP distribution and look entries up by its class.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kprob.backend import tfp

Distribution = tfp.distributions.Distribution


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Attributes:
        standard: Value where the user gives none; `None` where there is no natural one.
        constraint: Name in `constraints`: "real", "positive", "unit", "simplex", "lower_triangular", ...
        event_ndims: Axes of one value of the parameter (0 for a scalar, 1 for `probs` of a categorical one, ...).
        shape: `(event_shape, settings) -> shape` of one value of the parameter, from the shape of one value of the
            variable and the settings of its layer; needed where
            `event_ndims` isn't 0 for heads and free parameters.
    """

    standard: float | None = None
    constraint: str = "real"
    event_ndims: int = 0
    shape: Callable[[tuple[int, ...], Mapping[str, object]], tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Family:
    """One family of distributions.

    Attributes:
        name: Its name, that of its layer.
        constructor: Makes the TFP distribution from keyword parameters.
        parameters: Its parameters by TFP's names. A learned head is made for those in `learned`.
        learned: Parameters that a head (or `"learned"`) gives where the user names none; all of them by default.
        alternatives: Groups of parameters of which just one is given, the first being the one that a head gives.
        event_ndims: Axes of one value of the variable (1 for vectors such as Dirichlet's).
        discrete: Whether values are discrete.
        dtype: Type of the values of a discrete family.
        distribution_class: TFP class that `constructor` returns (for the look-up from a distribution).
        sampler: `(distribution, sample_shape, seed) -> values` where it is faster than TFP's own.
        support: `distribution -> bijector` from unconstrained values; TFP's default where it is None.
        contains: `(distribution, value) -> bool` for each element of the batch; True everywhere where it is None.
        enumerate: `distribution -> values` with all values along axis 0, for finite supports.
        settings: Constructor arguments that aren't tensors, with their standard values.
    """

    name: str
    constructor: Callable[..., Distribution]
    parameters: Mapping[str, Parameter]
    learned: tuple[str, ...] | None = None
    alternatives: tuple[tuple[str, ...], ...] = ()
    event_ndims: int = 0
    discrete: bool = False
    dtype: str | None = None
    distribution_class: type | None = None
    sampler: Callable | None = None
    support: Callable | None = None
    contains: Callable | None = None
    enumerate: Callable | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    def rivals(self, name: str) -> tuple[str, ...]:
        """Returns the other parameters of which only one of the group can be given together with `name`."""
        for group in self.alternatives:
            if name in group:
                return tuple(other for other in group if other != name)
        return ()

    def complete(self, parameters: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
        """Fills standard values in.

        Args:
            parameters: What the user gave.

        Returns:
            The parameters with standard values, and the names of those that have none and weren't given.
        """
        completed, missing = dict(parameters), []
        for name, parameter in self.parameters.items():
            rivals = self.rivals(name)
            if name in completed or any(rival in completed for rival in rivals):
                continue
            if parameter.standard is not None:
                completed[name] = parameter.standard
            elif not any(self.parameters[rival].standard is not None for rival in rivals):
                missing.append(name)
        missing = [name for name in missing if not any(rival in missing[: missing.index(name)] for rival in self.rivals(name))]
        return completed, missing


_FAMILIES: dict[str, Family] = {}
_BY_CLASS: dict[type, Family] = {}


def register_family(family: Family) -> Family:
    """Adds a family to the registry and returns it."""
    _FAMILIES[family.name] = family
    if family.distribution_class is not None:
        _BY_CLASS.setdefault(family.distribution_class, family)
    return family


def families() -> dict[str, Family]:
    """Returns all registered families by name."""
    return dict(_FAMILIES)


def get_family(name: str) -> Family:
    """Returns the family of a name."""
    return _FAMILIES[name]


def family_of(distribution: Distribution) -> Family | None:
    """Returns the entry of a distribution's class, or None where there is none."""
    for cls in type(distribution).__mro__:
        if cls in _BY_CLASS:
            return _BY_CLASS[cls]
    return None
