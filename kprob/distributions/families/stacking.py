"""Several distributions of one family side by side: a mixture's components, a Markov chain's states.

Their axis stands between the plates and the axes of one value: parameters of the inner family have the shape
`plates + (number,) + event_shape`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kprob.backend import tfd
from kprob.distributions.broadcasting import broadcast_batch
from kprob.distributions.family import Family, Parameter
from kprob.errors import SiteError, explain
from kprob.types import Distribution, Shape, Tensor


def known_ndims(family: Family) -> int:
    """Returns how many axes a value of a family has, where the family is to be a part of another.

    Args:
        family: A family.

    Raises:
        SiteError: Only its distributions know, since it was made of a TFP class that isn't registered.
    """
    if family.event_ndims is None:
        raise SiteError(
            explain(
                f"{family.name} can't be the family of a part of another distribution: the axes of its values aren't known.",
                expected="a family that has a layer",
                fix=f"register it by kprob.distributions.register_family(Family({family.name!r}, ...)), or pass a whole "
                "distribution to layers.RandomVariable(kprob.tfd.MixtureSameFamily)",
            )
        )
    return family.event_ndims


@dataclasses.dataclass(frozen=True)
class Stack:
    """Distributions of a family, stacked along an axis of components or states.

    Attributes:
        inner: The family.
        names: Names of its parameters in the family that the stack is a part of.
        extra: Axes of one value beyond the inner family's own, along which elements are independent.
        setting: Name of the setting that is the number of components or states.
        time_ndims: Axes of time, which come before those of one step's value.
    """

    inner: Family
    names: Mapping[str, str]
    extra: int
    setting: str
    time_ndims: int = 0

    def parameters(self) -> dict[str, Parameter]:
        """Returns the inner family's parameters with the axis of the stack and one for each further axis of one value."""
        return {
            self.names[name]: dataclasses.replace(
                parameter,
                event_ndims=1 + self.extra + parameter.event_ndims,
                shape=self._shape_of(parameter),
                relate=self._renamed(parameter.relate),
                # Components that start alike stay alike.
                spread=1.0 if parameter.constraint in ("real", "ordered", "unit_vector") else 0.1,
            )
            for name, parameter in self.inner.parameters.items()
        }

    def _shape_of(self, parameter: Parameter) -> Callable[[Shape, Mapping[str, object]], Shape]:
        def shape(event: Shape, settings: Mapping[str, object]) -> Shape:
            event = event[self.time_ndims :]
            own = parameter.own_shape(event[self.extra :], settings)
            return (settings[self.setting], *event[: self.extra], *own)

        return shape

    def _renamed(self, relate: Callable | None) -> Callable | None:
        if relate is None:
            return None
        names = self.names.items()
        return lambda value, others: relate(value, {name: others[new] for name, new in names if new in others})

    def event(self, shapes: Mapping[str, Shape], settings: Mapping[str, object]) -> Shape:
        """Returns the shape of one value of a component as far as the parameters' shapes tell."""
        # Axes beyond the inner family's come from the first parameter that has them.
        lead: Shape = (None,) * self.extra
        own = {}
        for name, parameter in self.inner.parameters.items():
            shape = shapes.get(self.names[name])
            if shape is None:
                continue
            ndims = parameter.event_ndims
            own[name] = shape[max(0, len(shape) - ndims) :]
            if self.extra and len(shape) >= ndims + self.extra:
                lead = tuple(shape[len(shape) - ndims - self.extra : len(shape) - ndims])
        return (*lead, *self.inner.own_event(own, settings))

    def distribution(self, values: Mapping[str, Any]) -> Distribution:
        """Returns the stacked distributions of parameters and settings."""
        inner_names = {new: name for name, new in self.names.items()}
        distribution = self.inner.constructor(**{inner_names.get(name, name): value for name, value in values.items()})
        return tfd.Independent(distribution, self.extra) if self.extra else distribution


def infer_number(
    parameters: Mapping[str, Parameter], weights: Iterable[str], shapes: Mapping[str, Shape], setting: str
) -> dict[str, object]:
    """Returns the number of components or states where the shapes of parameters tell it.

    It is the last axis of the first of the weights that has a shape, else the axis of the stack of another parameter.

    Args:
        parameters: Parameters of the whole family.
        weights: Names of the components' or states' own logits or probs.
        shapes: Shapes of the parameters that have a value.
        setting: Name of the setting that is the number.
    """
    for name in weights:
        if shapes.get(name):
            return {setting: shapes[name][-1]}
    for name, shape in shapes.items():
        ndims = parameters[name].event_ndims
        if name not in weights and len(shape) >= ndims and shape[len(shape) - ndims] != 1:
            return {setting: shape[len(shape) - ndims]}
    return {}


def broadcast_parameters(parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Broadcasts the batch axes of all parameters to their common shape; settings stay as they are."""
    tensors: dict[str, Tensor] = {name: value for name, value in values.items() if name in parameters}
    ndims = {name: parameters[name].event_ndims for name in tensors}
    return {**values, **broadcast_batch(tensors, ndims)}
