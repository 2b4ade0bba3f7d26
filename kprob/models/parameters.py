"""The parameters and networks that a model's networks name themselves, by `kprob.param` and `kprob.module`."""

import keras
import numpy as np

from kprob.distributions import get_constraint
from kprob.effects import Handler, Site
from kprob.errors import SiteError, explain


class Parameters(Handler):
    """Gives `param` sites their variables and makes `module` networks part of the model.

    Args:
        model: The model that owns them.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self.model = model

    def on_site(self, site: Site) -> None:
        if site.kind == "module":
            self._module(site)
        elif site.kind == "param" and site.value is None:
            constraint = get_constraint(site.constraint)
            site.value = constraint.forward(keras.ops.convert_to_tensor(self._variable(site, constraint)))

    def _module(self, site: Site) -> None:
        known = self.model.modules
        if site.name in known and known[site.name] is not site.value:
            raise SiteError(
                explain(
                    f"Network `{site.name}` is another layer than in the run before.",
                    received=f"{site.value!r}",
                    expected=f"{known[site.name]!r}",
                    fix="make the layer once, outside the network, and pass it in",
                )
            )
        if site.name not in known:
            known[site.name] = site.value

    def _variable(self, site: Site, constraint) -> keras.Variable:
        variables = self.model.__dict__["_named_parameters"]
        if site.name not in variables:
            init = np.asarray(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(site.distribution)), "float32")
            start = keras.ops.convert_to_numpy(constraint.inverse(keras.ops.convert_to_tensor(init)))
            variable = self.model.add_weight(shape=start.shape, initializer="zeros", name=site.name)
            variable.assign(start)
            variables[site.name] = variable
        return variables[site.name]
