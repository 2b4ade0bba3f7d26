"""The attributes of a model: random variables are named after theirs."""

from collections.abc import Mapping

from kprob.errors import SiteError, explain
from kprob.layers import RandomVariable

# Attributes that Keras and kprob set on models, beside those of the class.
_TAKEN = frozenset(
    "built compiled guide history inference inputs loss modules name objective_state optimizer outputs "
    "seed_generator".split()
)


def claim_names(model, attribute: str, value) -> None:
    """Names random variables after the attribute of the model that holds them.

    Args:
        model: The model.
        attribute: Name of the attribute.
        value: A random variable, a list or dict of some, or anything else.

    Raises:
        SiteError: The attribute has another meaning.
    """
    if isinstance(value, RandomVariable):
        found = {attribute: value}
    elif isinstance(value, list | tuple):
        found = {f"{attribute}_{i}": item for i, item in enumerate(value)}
    elif isinstance(value, Mapping):
        found = {f"{attribute}_{key}": item for key, item in value.items()}
    else:
        return
    for site_name, variable in found.items():
        if isinstance(variable, RandomVariable):
            _require_free(model, attribute, variable)
            if variable.owner_name is None:
                variable.owner_name = site_name


def _require_free(model, attribute: str, variable: RandomVariable) -> None:
    if attribute in _TAKEN or getattr(type(model), attribute, None) is not None:
        raise SiteError(
            explain(
                f"A random variable can't be the attribute `{attribute}`: the model itself uses it.",
                received=f"self.{attribute} = {type(variable).__name__}(...)",
                expected="another attribute",
                fix=f'write self.{attribute}_ = layers.{type(variable).__name__}(..., name="{attribute}")',
            )
        )


def require_initialised(model) -> None:
    """Raises where a subclass forgot to call its base class's constructor."""
    name = type(model).__name__
    if "_objective" not in model.__dict__:
        raise SiteError(
            explain(
                f"{name} was made without its base class.",
                received=f"{name}.__init__, which doesn't call super().__init__",
                expected="super().__init__(**kwargs) as the first line of __init__",
                fix="write def __init__(self, ..., **kwargs): super().__init__(**kwargs)",
            )
        )
