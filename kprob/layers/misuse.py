"""Checks of how a random-variable layer is made and called."""

import inspect

import keras
import numpy as np

from kprob.backend import is_tensor
from kprob.distributions.family import Parameter
from kprob.errors import SiteError, explain

_TOLERANCE = 1e-3


def check_positional(name: str, given: int, function) -> None:
    """Raises where a layer got more arguments by position than it takes.

    Args:
        name: Name of the layer's class.
        given: Number of arguments by position, without `self`.
        function: The method that takes them.
    """
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    allowed = (
        sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds) - 1
    )
    if given > allowed:
        raise SiteError(
            explain(
                f"layers.{name} takes its parameters by keyword.",
                received=f"{given} arguments by position",
                expected="at most the event shape by position in the constructor, and features in the call",
                fix="write layers.Normal(3, loc=0.0, scale=1.0), or x(loc=0.0, scale=1.0)",
            )
        )


def check_given(site: str, values: dict) -> None:
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


def check_parameter(site: str, name: str, value, parameter: Parameter) -> None:
    """Raises where a parameter that isn't a tensor is no number, or outside its constraint.

    Args:
        site: Name of the random variable.
        name: Name of the parameter.
        value: What came.
        parameter: What is known of the parameter.
    """
    if not parameter.tensor or is_tensor(value) or isinstance(value, keras.KerasTensor):
        return
    try:
        array = np.asarray(value, dtype="float64")
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
    # The constraint of a parameter that is related to another is that of their difference.
    wanted = _violated(array, "real" if parameter.relate else parameter.constraint)
    if wanted is not None:
        raise SiteError(
            explain(
                f"Parameter `{name}` of random variable `{site}` is outside its constraint.",
                received=f"{name}={np.array2string(array, threshold=8)}",
                expected=wanted,
                fix=f'correct it, or learn it: {name}="learned"',
            )
        )


def check_made_outside(layer, has_weights: bool) -> None:
    """Raises where a layer that was made inside a network's run can't do there what is asked of it."""
    if has_weights or not layer.explicit_name:
        raise SiteError(
            explain(
                f"Random variable `{layer.site_name}` was made inside a network.",
                received=f"layers.{type(layer).__name__}(...) in the network's code, where every run makes a new one",
                expected="a layer that is made once, whose weights and name stay",
                fix="make it in `__init__` (or outside the function) and call it in the network; without weights, "
                'kprob.sample("name", distribution) does the same',
            )
        )


def _violated(array: np.ndarray, constraint: str) -> str | None:
    # A scale or a rate of 0 is a limit that can be drawn from.
    if np.isnan(array).any():
        return "a number, not NaN"
    if constraint == "positive" and (array < 0).any():
        return "a positive number"
    if constraint == "at_least_one" and (array < 1).any():
        return "a number of 1 or more"
    if constraint == "unit" and ((array < 0) | (array > 1)).any():
        return "a number from 0 to 1"
    if constraint == "simplex" and ((array < 0).any() or (abs(array.sum(-1) - 1) > _TOLERANCE).any()):
        return "numbers from 0 to 1 that sum to 1 along the last axis"
    return None
