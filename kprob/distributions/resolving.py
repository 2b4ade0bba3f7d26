"""From what a user names a family by to the family, and back to what a config names it by."""

from typing import Any, TypeAlias

import keras

from kprob.backend import tfd
from kprob.distributions.families.from_class import family_from_class
from kprob.distributions.family import Family
from kprob.distributions.registry import families, get_family
from kprob.errors import SiteError, explain

FamilyLike: TypeAlias = Any  # a `Family`, the name of one, a class of TFP distributions or of layers


def resolve_family(family: FamilyLike) -> Family:
    """Returns the family that a user names.

    Args:
        family: A `Family`, the name of a registered one or of a TFP class, or a class of TFP distributions.

    Raises:
        SiteError: It is none of these, or a joint distribution.
    """
    if isinstance(family, Family):
        return family
    if isinstance(family, str):
        if family in families():
            return get_family(family)
        cls = getattr(tfd, family, None) or keras.saving.get_registered_object(family)
        return get_family(family) if cls is None else family_from_class(cls)
    if isinstance(family, type) and issubclass(family, tfd.Distribution):
        return family_from_class(family)
    # A layer's class stands for its family: layers.Normal for "Normal".
    if isinstance(family, type) and family.__name__ in families():
        return get_family(family.__name__)
    raise SiteError(
        explain(
            "The first argument of a random variable of any family is the family.",
            received=f"{family!r} of type {type(family).__name__}",
            expected="a class of TFP distributions such as kprob.tfd.Skellam, or a name such as 'Normal'",
            fix="pass the class, not a distribution made of it, and give its parameters by keyword",
        )
    )


def family_key(family: Family) -> str:
    """Returns the string that `resolve_family` finds a family by, for configs.

    Args:
        family: A family.
    """
    cls = family.distribution_class
    if family.name in families() or cls is None or getattr(tfd, family.name, None) is cls:
        return family.name
    return keras.saving.get_registered_name(cls)
