"""Handlers that give discrete latents the values of one run of the network."""

from collections.abc import Callable, Mapping

import keras

from kprob.effects import Handler, Site
from kprob.engine.enumeration.summed_variable import SummedVariable, past_name
from kprob.types import Tensor


class AssignValues(Handler):
    """Gives the discrete latents their values of one run.

    Args:
        variables: The latents, by name.
        number: `(site, variable) -> number of its value`: a scalar, or one number for each row.
        compact: Whether the data plate's axis has length 1.
    """

    def __init__(self, variables: Mapping[str, SummedVariable], number: Callable, compact: bool = False):
        super().__init__()
        self.variables, self.number, self.compact = variables, number, compact

    def on_sample(self, site: Site) -> None:
        self._give_value(site, site.name)

    def on_state_before(self, site: Site) -> None:
        self._give_value(site, past_name(site.name))

    def _give_value(self, site: Site, name: str) -> None:
        if site.value is None and name in self.variables:
            variable = self.variables[name]
            site.value = value_of(site, variable, self.number(site, variable), self.compact)


class AssignPast(Handler):
    """Gives states along time their values one step earlier.

    Args:
        values: By name of the variable (see `past_name`).
    """

    def __init__(self, values: Mapping[str, Tensor]):
        super().__init__()
        self.values = values

    def on_state_before(self, site: Site) -> None:
        site.value = self.values.get(past_name(site.name))


def value_of(site: Site, variable: SummedVariable, number: int | Tensor, compact: bool = False) -> Tensor:
    """Returns a site's value of a number, or of a number for each row, repeated over its plates."""
    values = keras.ops.cast(keras.ops.convert_to_tensor(variable.values), site.distribution.dtype)
    picked = keras.ops.take(values, keras.ops.minimum(number, variable.number - 1), axis=0)
    event = tuple(variable.values.shape[1:])
    sizes = tuple(1 if compact and plate.is_data else plate.size for plate in site.plates)
    plate_ndims = len(picked.shape) - len(event)
    for _ in range(len(sizes) - plate_ndims):
        picked = keras.ops.expand_dims(picked, plate_ndims)
    return keras.ops.broadcast_to(picked, (*sizes, *event))
