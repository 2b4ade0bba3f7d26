"""The parameters and networks that a model's networks name themselves, by `kprob.param` and `kprob.module`."""

from dataclasses import dataclass, field
from typing import NamedTuple

import keras
import numpy as np

from kprob.distributions import Constraint, get_constraint
from kprob.effects import Handler, Site
from kprob.engine.host import Host
from kprob.errors import SiteError, explain


class Declaration(NamedTuple):
    """How a network declares a parameter."""

    shape: tuple[int, ...]
    constraint: object


@dataclass(slots=True)
class NamedParameters:
    """The parameters that a model's networks have declared by `kprob.param`.

    Attributes:
        variables: Their unconstrained values, by name.
        declarations: How they were declared first, by name.
    """

    variables: dict[str, keras.Variable] = field(default_factory=dict)
    declarations: dict[str, Declaration] = field(default_factory=dict)


class ParameterHandler(Handler):
    """Gives `param` sites their variables and makes `module` networks part of the model.

    Args:
        host: The model that owns the variables.
        parameters: Those that there are.
    """

    of_model = True

    def __init__(self, host: Host, parameters: NamedParameters):
        super().__init__()
        self.host, self.parameters = host, parameters

    def on_param(self, site: Site) -> None:
        if site.value is None:
            constraint = get_constraint(site.constraint)
            site.value = constraint.forward(keras.ops.convert_to_tensor(self._variable(site, constraint)))

    def on_module(self, site: Site) -> None:
        known = self.host.modules
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
        if self.host.built:
            raise SiteError(
                explain(
                    f"Parameter `{site.name}` is declared for the first time after the model was built.",
                    received=f'kprob.param("{site.name}", ...) in a branch that no run had taken before',
                    expected="every parameter in the first runs",
                    fix="declare the parameter before the branch",
                )
            )

    def _variable(self, site: Site, constraint: Constraint) -> keras.Variable:
        variables, declarations = self.parameters.variables, self.parameters.declarations
        if site.name not in variables:
            self._check_new(site)
            variables[site.name] = self._made(site, constraint)
            declarations[site.name] = _declaration(site)
        before = declarations[site.name]
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

    def _made(self, site: Site, constraint: Constraint) -> keras.Variable:
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
        return self.host.add_weight(
            shape=start.shape,
            initializer=lambda shape, dtype: keras.ops.cast(start, dtype),
            name=site.name,
            autocast=False,
        )


def _declaration(site: Site) -> Declaration:
    return Declaration(tuple(np.shape(site.initial)), site.constraint)
