"""How random variables get their names: each that has none of its own is named after the attribute of the model that holds it."""

from collections.abc import Mapping

import keras

from kprob.errors import SiteError, explain
from kprob.layers.random_variable import RandomVariable

# Attributes that Keras and kprob set on models, beside those of the class.
_TAKEN = frozenset(
    "built compiled guide history inference inputs loss modules name objective_state optimizer outputs "
    "seed_generator".split()
)


def claim_names(model: keras.Model, attribute: str, value: object) -> None:
    """Names random variables after the attribute of the model that holds them.

    Args:
        model: The model.
        attribute: Name of the attribute.
        value: A random variable, a list or dict of some, or anything else.

    Raises:
        SiteError: The attribute has another meaning.
    """
    for name, variable in _named_items(attribute, value).items():
        if isinstance(variable, RandomVariable):
            _require_free(type(model), attribute, variable)
            variable.name_after(name)


def _named_items(attribute: str, value: object) -> dict[str, object]:
    if isinstance(value, RandomVariable):
        return {attribute: value}
    if isinstance(value, list | tuple):
        return {f"{attribute}_{i}": item for i, item in enumerate(value)}
    if isinstance(value, Mapping):
        return {f"{attribute}_{key}": item for key, item in value.items()}
    return {}


def _require_free(model_class: type, attribute: str, variable: RandomVariable) -> None:
    if attribute in _TAKEN or getattr(model_class, attribute, None) is not None:
        raise SiteError(
            explain(
                f"A random variable can't be the attribute `{attribute}`: the model itself uses it.",
                received=f"self.{attribute} = {type(variable).__name__}(...)",
                expected="another attribute",
                fix=f'write self.{attribute}_ = layers.{type(variable).__name__}(..., name="{attribute}")',
            )
        )
