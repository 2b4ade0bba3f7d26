"""The checks of what a random-variable layer is made with and called with. All raise a `SiteError` that says how to mend it.

`site` is the name of the random variable in each.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kprob.backend import is_tensor
from kprob.distributions import Family, Parameter
from kprob.distributions.possible_parameters import allowed_values, known
from kprob.errors import SiteError, did_you_mean, explain, names
from kprob.layers.parameter_sources import learnable


def check_positional(class_name: str, number: int, method: Callable) -> None:
    """Raises where a layer got more arguments by position than it takes.

    Args:
        class_name: Name of the layer's class.
        number: Number of arguments by position, without `self`.
        method: The method that takes them.
    """
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    accepted = [p for p in inspect.signature(method).parameters.values() if p.kind in by_position]
    if number > len(accepted) - 1:
        raise SiteError(
            explain(
                f"layers.{class_name} takes its parameters by keyword.",
                received=f"{number} arguments by position",
                expected="at most the event shape by position in the constructor, and features in the call",
                fix="write layers.Normal(3, loc=0.0, scale=1.0), or x(loc=0.0, scale=1.0)",
            )
        )


def check_names(site: str, family: Family, parameters: Iterable[str]) -> None:
    """Raises where a name is no parameter of the family, or two exclude each other."""
    parameters = tuple(parameters)
    for name in parameters:
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
            if rival in parameters:
                raise SiteError(
                    explain(
                        f"Random variable `{site}` got both `{name}` and `{rival}`.",
                        received=names(parameters),
                        expected=f"one of {names((name, rival))}",
                        fix="leave one of them out",
                    )
                )


def check_not_none(site: str, values: Mapping[str, Any]) -> None:
    """Raises where a parameter of a call is None, as a function returns that has no `return`."""
    for name, value in values.items():
        if value is None:
            raise SiteError(
                explain(
                    f"Parameter `{name}` of random variable `{site}` is None.",
                    received=f"{name}=None",
                    expected="a tensor or a number",
                    fix=f"leave {name} out for its standard value; where a function made it, see that it has a `return`",
                )
            )


def check_value(site: str, name: str, value: Any, parameter: Parameter) -> None:
    """Raises where a parameter that isn't a tensor is no number, or outside its constraint.

    A tensor is looked at with the distribution that is made of it, but for a covariance matrix: that fails before.
    """
    if not parameter.tensor or isinstance(value, keras.KerasTensor):
        return
    if is_tensor(value) and parameter.constraint != "positive_definite":
        return
    try:
        array = known(value) if is_tensor(value) else np.asarray(value, dtype="float64")
    except (TypeError, ValueError) as error:
        raise SiteError(
            explain(
                f"What came for parameter `{name}` of random variable `{site}` is no number.",
                received=f"{str(value)[:80]} of type {type(value).__name__}",
                expected='a number, an array, a tensor, or "learned" for a free variable',
                fix=f"pass a value: a random variable is called first, {name}=variable(), and a distribution is drawn "
                "from by kprob.sample",
            )
        ) from error
    allowed = allowed_values(parameter)
    if (
        array is not None
        and allowed is not None
        and array.ndim >= allowed.event_ndims
        and not np.all(allowed.holds(array))
    ):
        raise SiteError(
            explain(
                f"Parameter `{name}` of random variable `{site}` is outside its constraint.",
                received=f"{name}={np.array2string(array, threshold=8)}",
                expected=allowed.expected,
                fix=f'{allowed.mend}; or learn it: {name}="learned"',
            )
        )


def check_complete(site: str, family: Family, values: Mapping[str, Any], missing: Sequence[str]) -> None:
    """Raises where parameters come from nowhere.

    Args:
        site: Name of the random variable.
        family: Its family.
        values: The parameters that something gives.
        missing: Names of those that nothing gives.
    """
    if not missing:
        return
    needed = [" or ".join(f"`{n}`" for n in (name, *family.rivals(name))) for name in missing]
    heads = ", or features for learned heads" if set(missing) <= set(learnable(family, ())) else ""
    unsized = [name for name, value in family.settings.items() if value is None]
    size = f" (with `event_shape`{' or ' + names(unsized) if unsized else ''} a standard value may be known)"
    vectors = any(family.parameters[name].standard is not None for name in missing)
    raise SiteError(
        explain(
            f"Random variable `{site}` lacks parameters.",
            received=names(values),
            expected=f"{family.name} also needs {', '.join(needed)}{size if vectors else ''}",
            fix=f"pass {missing[0]}=... in the call or the constructor{heads}",
        )
    )


def check_features(site: str, features: Any, without_heads: bool) -> None:
    """Raises where features are a number, or come to a layer that was built without heads.

    Args:
        site: Name of the random variable.
        features: What came by position.
        without_heads: Whether the layer could have heads and an earlier call built it without.
    """
    if len(np.shape(features)) == 0:
        raise SiteError(
            explain(
                f"Random variable `{site}` got a number as features.",
                received=repr(features),
                expected="a tensor (..., F) of features by position, or parameters by keyword",
                fix="write the parameter's name, such as loc=..., if the number is a parameter",
            )
        )
    if without_heads:
        raise SiteError(
            explain(
                f"Random variable `{site}` got features, but was built without heads by an earlier call.",
                received="features",
                expected="calls of one kind: all with features or none",
                fix="use two layers with the same `name` in the two networks",
            )
        )


def check_made_once(site: str, class_name: str, has_weights: bool, has_name: bool) -> None:
    """Raises where a layer that each run makes anew needs weights or a name that last.

    Args:
        site: Name of the random variable.
        class_name: Name of the layer's class.
        has_weights: Whether the layer is to learn something.
        has_name: Whether the user named it.
    """
    if has_weights or not has_name:
        raise SiteError(
            explain(
                f"Random variable `{site}` was made inside a network.",
                received=f"layers.{class_name}(...) in the network's code, where every run makes a new one",
                expected="a layer that is made once, whose weights and name stay",
                fix="make it in `__init__` (or outside the function) and call it in the network; without weights, "
                'kprob.sample("name", distribution) does the same',
            )
        )
