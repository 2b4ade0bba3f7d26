"""What a random-variable layer does with the parameters it is given: checks of names, types, what is missing."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from kprob.backend import is_tensor
from kprob.distributions import Family, Parameter
from kprob.errors import SiteError, did_you_mean, explain, names

LEARNED = "learned"


def is_learned(value: object) -> bool:
    """Whether a parameter is to be a free variable."""
    return isinstance(value, str) and value == LEARNED


def check_names(site: str, family: Family, given: Iterable[str]) -> None:
    """Raises where a name is no parameter, or two exclude each other."""
    given = tuple(given)
    for name in given:
        if name not in family.parameters:
            known = (*family.parameters, *family.settings)
            raise SiteError(
                explain(
                    f"Random variable `{site}` has no parameter `{name}`.",
                    received=f"{name!r}",
                    expected=f"parameters of {family.name}: {names(known)}.{did_you_mean(name, known)}",
                    fix="use TFP's name of the parameter",
                )
            )
        for rival in family.rivals(name):
            if rival in given:
                raise SiteError(
                    explain(
                        f"Random variable `{site}` got both `{name}` and `{rival}`.",
                        received=names(given),
                        expected=f"one of {names((name, rival))}",
                        fix="leave one of them out",
                    )
                )


def without_rivals(family: Family, values: Mapping[str, Any], given: Iterable[str]) -> dict[str, Any]:
    """Returns the values that no given parameter replaces or excludes."""
    given = tuple(given)
    return {k: v for k, v in values.items() if k not in given and not any(r in given for r in family.rivals(k))}


def learnable(family: Family, taken: Iterable[str]) -> tuple[str, ...]:
    """Returns the parameters that heads give where those in `taken` come from elsewhere."""
    taken = set(taken)
    free: list[str] = []
    for name in family.needed() if family.learned is None else family.learned:
        if name not in taken and not any(rival in taken or rival in free for rival in family.rivals(name)):
            free.append(name)
    return tuple(free)


def as_parameter(value: Any, parameter: Parameter, dtype: str) -> Any:
    """Returns a parameter in the type of the density: tensors stay tensors, the rest become NumPy arrays.

    A number stays one that is known before running, such as the `total_count` that says how many values there are.
    """
    if not parameter.tensor:
        return value
    if not is_tensor(value):
        array = np.asarray(value)
        return array if parameter.keep_integers and array.dtype.kind in "iu" else array.astype(dtype)
    if parameter.keep_integers and keras.backend.is_int_dtype(keras.backend.standardize_dtype(value.dtype)):
        return keras.ops.convert_to_tensor(value)
    return keras.ops.cast(value, dtype)


def missing_message(
    site: str, family: Family, values: Mapping[str, Any], missing: list[str], learned: tuple[str, ...]
) -> str:
    """Returns the message for parameters that nothing gives."""
    wanted = [" or ".join(f"`{n}`" for n in (name, *family.rivals(name))) for name in missing]
    heads = ", or features for learned heads" if set(missing) <= set(learned) else ""
    unsized = [name for name, value in family.settings.items() if value is None]
    size = f" (with `event_shape`{' or ' + names(unsized) if unsized else ''} a standard value may be known)"
    vectors = any(family.parameters[name].standard is not None for name in missing)
    return explain(
        f"Random variable `{site}` lacks parameters.",
        received=names(values),
        expected=f"{family.name} also needs {', '.join(wanted)}{size if vectors else ''}",
        fix=f"pass {missing[0]}=... in the call or the constructor{heads}",
    )


def features_message(site: str, features: object) -> str:
    """Returns the message for a number where features belong."""
    return explain(
        f"Random variable `{site}` got a number as features.",
        received=repr(features),
        expected="a tensor (..., F) of features by position, or parameters by keyword",
        fix="write the parameter's name, such as loc=..., if the number is a parameter",
    )


def headless_message(site: str) -> str:
    """Returns the message for features that come after a call without them."""
    return explain(
        f"Random variable `{site}` got features, but was built without heads by an earlier call.",
        received="features",
        expected="calls of one kind: all with features or none",
        fix="use two layers with the same `name` in the two networks",
    )
