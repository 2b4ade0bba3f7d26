"""From the parameters of one call to the distribution: the part of a random-variable layer that has no weights and no state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kprob.backend import batch_shape, is_tensor, tfd
from kprob.checks import broadcast_static
from kprob.distributions import Family, Parameter
from kprob.distributions.broadcasting import shape_of
from kprob.errors import SiteError, explain, names
from kprob.layers.argument_checks import check_complete, check_value
from kprob.layers.event_shapes import as_event, batch_shapes, fit_event, fit_own_axes
from kprob.types import Distribution, Shape


@dataclass(frozen=True)
class DistributionBuilder:
    """Makes the distribution of a random variable.

    Attributes:
        site: Name of the random variable, for messages.
        family: Its family.
        event_shape: Shape of one value, or None where the parameters tell.
        settings: Settings of the family; what is None may follow from the parameters.
        dtype: Type of the density.
    """

    site: str
    family: Family
    event_shape: tuple[int, ...] | None
    settings: Mapping[str, object]
    dtype: str

    def convert(self, name: str, value: Any) -> Any:
        """Returns a parameter in the type of the density, after a check of what it is."""
        if isinstance(value, keras.KerasTensor):
            return value
        check_value(self.site, name, value, self.family.parameters[name])
        return _converted(value, self.family.parameters[name], self.dtype)

    def known_settings(self, shapes: Mapping[str, Shape]) -> dict[str, object]:
        """Returns the settings; those left open may follow from the parameters, such as the number of classes."""
        settings = dict(self.settings)
        if self.family.infer is not None:
            settings |= {k: v for k, v in self.family.infer(shapes).items() if settings[k] is None}
        return settings

    def learned_shape(self, name: str, values: Mapping[str, Any]) -> tuple[int, ...]:
        """Returns the shape of a learned parameter for one element of the plates.

        Args:
            name: Name of the parameter.
            values: The parameters that aren't learned.

        Raises:
            SiteError: It doesn't follow from the event shape and the settings.
        """
        family, settings = self.family, self.known_settings(_shapes(family_tensors(self.family, values)))
        ndims = family.own_ndims
        event: Shape = (None,) * ndims if self.event_shape is None else self.event_shape
        extra, own = event[: len(event) - ndims], event[len(event) - ndims :]
        parameter = family.parameters[name]
        shape = (*extra, *parameter.own_shape(own, settings)) if parameter.tensor else (None,)
        if None in shape:
            unknown = [setting for setting in family.settings if settings[setting] is None]
            settings_text = "".join(f", {setting}=..." for setting in unknown)
            raise SiteError(
                explain(
                    f"Parameter `{name}` of random variable `{self.site}` can't be learned: its shape isn't known.",
                    received=f"event_shape={self.event_shape}",
                    expected=f"an event shape{' and ' + names(unknown) if unknown else ''}, from which it follows",
                    fix=f"write layers.{family.name}(event_shape{settings_text}), or pass {name}=...",
                )
            )
        return shape

    def related(self, learned: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
        """Returns all values: each learned one that is relative to others is moved to where these are."""
        completed, _ = self._completed({**others, **learned})
        for name, parameter in self.family.parameters.items():
            if name in learned and parameter.relate is not None:
                completed[name] = parameter.relate(completed[name], completed)
        return {name: completed[name] for name in (*others, *learned)}

    def make(self, values: Mapping[str, Any], num_plates: int) -> Distribution:
        """Returns the distribution of parameters, whose event shape is the layer's.

        Args:
            values: The parameters that have a value; standard values are filled in.
            num_plates: Number of open plates, whose axes come first.

        Raises:
            SiteError: A parameter is missing, or its shape doesn't fit.
        """
        family = self.family
        values, missing = self._completed(values)
        check_complete(self.site, family, values, missing)
        values = {name: self.convert(name, value) for name, value in values.items()}
        tensors = family_tensors(family, values)
        settings = self.known_settings(_shapes(tensors))
        own_event = self._own_event(_shapes(tensors), settings)
        own_shapes = {name: family.parameters[name].own_shape(own_event, settings) for name in tensors}
        tensors = fit_own_axes(self.site, family, own_shapes, tensors)
        if family.event_ndims is None:
            return self._of_unknown_event(family.constructor(**{**values, **tensors}), num_plates)
        extra = self._extra_ndims(batch_shapes(family, _shapes(tensors)), num_plates)
        if self.event_shape is not None:
            tensors = fit_event(self.site, family, tensors, self.event_shape[:extra])
        if family.from_event is not None:
            settings |= family.from_event(own_event)
        distribution = family.constructor(**{**values, **tensors}, **settings)
        return as_event(self.site, distribution, self.event_shape, extra)

    def output_shape(self, values: Mapping[str, Any], leads: Iterable[Shape] = ()) -> Shape:
        """Returns the shape of a value without making it: the batch axes of the parameters, then the event's.

        Args:
            values: The parameters that have a value, which may be symbolic.
            leads: Further batch shapes, such as that of features.
        """
        shapes = _shapes(family_tensors(self.family, values))
        own = self._own_event(shapes, self.known_settings(shapes))
        extra = () if self.event_shape is None else self.event_shape[: len(self.event_shape) - len(own)]
        batch = broadcast_static([*batch_shapes(self.family, shapes), *((*lead, *extra) for lead in leads), extra])
        return (*batch, *own)

    def _completed(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        shapes = _shapes(family_tensors(self.family, values))
        settings = self.known_settings(shapes)
        return self.family.complete(values, self._own_event(shapes, settings), settings)

    def _own_event(self, shapes: Mapping[str, Shape], settings: Mapping[str, object]) -> Shape:
        # Shape of one value of the family itself, without the axes that `event_shape` has in front.
        if self.event_shape is None:
            return self.family.own_event(shapes, settings)
        return self.event_shape[len(self.event_shape) - self.family.own_ndims :]

    def _extra_ndims(self, batches: Iterable[Shape], num_plates: int) -> int:
        # Batch axes that are part of one value.
        if self.event_shape is not None:
            return len(self.event_shape) - self.family.own_ndims
        return max(0, len(broadcast_static(batches)) - num_plates)

    def _of_unknown_event(self, distribution: Distribution, num_plates: int) -> Distribution:
        # A family of which only the distribution itself knows the axes of one value.
        if distribution.batch_shape.rank is None:
            return distribution
        batch = tuple(distribution.batch_shape)
        if self.event_shape is None:
            return as_event(self.site, distribution, None, max(0, len(batch) - num_plates))
        extra = self.event_shape[: max(0, len(self.event_shape) - len(distribution.event_shape))]
        if extra and batch[max(0, len(batch) - len(extra)) :] != extra:
            lead = batch_shape(distribution)[: max(0, len(batch) - len(extra))]
            distribution = tfd.BatchBroadcast(distribution, (*lead, *extra))
        return as_event(self.site, distribution, self.event_shape, len(extra))


def family_tensors(family: Family, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters that are tensors, rather than distributions or functions."""
    return {name: value for name, value in values.items() if family.parameters[name].tensor}


def _converted(value: Any, parameter: Parameter, dtype: str) -> Any:
    # Tensors stay tensors; numbers become NumPy arrays, which are known before running, such as the `total_count` that says
    # how many values there are.
    if not parameter.tensor:
        return value
    if not is_tensor(value):
        array = np.asarray(value)
        return array if parameter.keep_integers and array.dtype.kind in "iu" else array.astype(dtype)
    if parameter.keep_integers and keras.backend.is_int_dtype(keras.backend.standardize_dtype(value.dtype)):
        return keras.ops.convert_to_tensor(value)
    return keras.ops.cast(value, dtype)


def _shapes(values: Mapping[str, Any]) -> dict[str, Shape]:
    return {name: shape_of(value) for name, value in values.items()}
