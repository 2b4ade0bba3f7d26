"""The registry of families: by name, and by the class of a distribution."""

from kprob.distributions.family import Family
from kprob.errors import SiteError, did_you_mean, explain
from kprob.types import Distribution

_FAMILIES: dict[str, Family] = {}
_BY_CLASS: dict[type, Family] = {}


def register_family(family: Family, by_name: bool = True) -> Family:
    """Adds a family to the registry and returns it.

    Args:
        family: The family; one of the same name is replaced.
        by_name: Whether it is found by its name, as a layer's family is, or only by the class of a distribution.
    """
    if by_name:
        _FAMILIES[family.name] = family
    if family.distribution_class is not None:
        _BY_CLASS.setdefault(_broadest(family.distribution_class), family)
    return family


def families() -> dict[str, Family]:
    """Returns all registered families by name."""
    return dict(_FAMILIES)


def get_family(name: str) -> Family:
    """Returns the registered family of a name.

    Args:
        name: Name of the family, that of its layer.

    Raises:
        SiteError: There is none of that name.
    """
    if name not in _FAMILIES:
        raise SiteError(
            explain(
                f"There is no family of distributions called {name!r}.{did_you_mean(name, _FAMILIES)}",
                received=repr(name),
                expected=f"a class of TFP distributions or one of {', '.join(sorted(_FAMILIES))}",
                fix="pass the class itself, such as kprob.tfd.Skellam",
            )
        )
    return _FAMILIES[name]


def family_of(distribution: Distribution) -> Family | None:
    """Returns the entry of a distribution's class, or None where there is none.

    Args:
        distribution: A TFP distribution.
    """
    for cls in type(distribution).__mro__:
        if cls in _BY_CLASS:
            return _BY_CLASS[cls]
    return None


def is_a(distribution: Distribution, distribution_class: type) -> bool:
    """Whether a distribution is of a TFP class, or a subclass of it.

    Args:
        distribution: A TFP distribution.
        distribution_class: A class of `kprob.tfd`.
    """
    return isinstance(distribution, _broadest(distribution_class))


def _broadest(cls: type) -> type:
    # Around a distribution that TensorFlow can't see as a composite tensor, TFP's `Independent(...)` makes an
    # `_Independent`, which is the base of `Independent` and no instance of it; so with other wrappers.
    base = cls.__mro__[1]
    return base if base.__name__ == f"_{cls.__name__}" else cls
