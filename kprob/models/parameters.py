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

    def on_param(self, site: Site) -> None:
        if site.value is None:
            constraint = get_constraint(site.constraint)
            site.value = constraint.forward(keras.ops.convert_to_tensor(self._variable(site, constraint)))

    def on_module(self, site: Site) -> None:
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

    def _check_new(self, site: Site) -> None:
        if self.model.built:
            raise SiteError(
                explain(
                    f"Parameter `{site.name}` is declared for the first time after the model was built.",
                    received=f'kprob.param("{site.name}", ...) in a branch that no run had taken before',
                    expected="every parameter in the first runs",
                    fix="declare the parameter before the branch",
                )
            )

    def _variable(self, site: Site, constraint) -> keras.Variable:
        variables = self.model.__dict__["_named_parameters"]
        if site.name not in variables:
            self._check_new(site)
            init = np.asarray(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(site.initial)), "float32")
            start = keras.ops.convert_to_numpy(constraint.inverse(keras.ops.convert_to_tensor(init)))
            back = keras.ops.convert_to_numpy(constraint.forward(keras.ops.convert_to_tensor(start)))
            if not (np.isfinite(start).all() and np.allclose(back, init, rtol=1e-3, atol=1e-4)):
                raise SiteError(
                    explain(
                        f"Parameter `{site.name}` starts outside its constraint.",
                        received=f"{np.array2string(init, threshold=8)}",
                        expected=f'a value that is "{site.constraint}"',
                        fix=f'change the initial value, kprob.param("{site.name}", init, ...), or the constraint',
                    )
                )
            # An initializer, not `assign`: inside a StatelessScope that would be dropped.
            variables[site.name] = self.model.add_weight(
                shape=start.shape,
                initializer=lambda shape, dtype: keras.ops.cast(start, dtype),
                name=site.name,
                autocast=False,
            )
            self.model.__dict__["_declared_parameters"][site.name] = _declaration(site)
        before = self.model.__dict__["_declared_parameters"][site.name]
        if before != _declaration(site):
            raise SiteError(
                explain(
                    f"Parameter `{site.name}` is declared in two ways.",
                    received="shape {}, constraint {!r}, after shape {}, constraint {!r}".format(
                        *_declaration(site), *before
                    ),
                    expected="one shape and one constraint for each name: both networks share a parameter of one name",
                    fix="give the second parameter another name",
                )
            )
        return variables[site.name]


def _declaration(site: Site) -> tuple:
    return tuple(np.shape(site.initial)), site.constraint
