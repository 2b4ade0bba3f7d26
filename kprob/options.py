"""Contracts of options: numbers, flags, units of layers, and counts that may be left out.

An option that is out of its range is refused where it is given, in the same words everywhere; `checks.check_count` is
the contract of a count.
"""

import math
from numbers import Real

import numpy as np

from kprob.checks import check_count
from kprob.errors import KprobError, explain


def check_optional_count(what: str, value: object, at_least: int = 1, error: type[KprobError] = KprobError) -> None:
    """Raises where what may be a number of things, or None, is neither.

    Args:
        what: Name of the argument.
        value: What came.
        at_least: The smallest number allowed.
        error: Class of the error.
    """
    if value is not None:
        check_count(what, value, at_least, error)


def check_number(
    what: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    ends: str = "",
    example: float = 0.1,
    error: type[KprobError] = KprobError,
) -> None:
    """Raises where what should be a finite number in an interval isn't one.

    Args:
        what: Name of the argument.
        value: What came.
        low: The interval's lower end.
        high: The interval's upper end.
        ends: Which ends belong to the interval: "[", "]", or "[]" for both.
        example: A number that could be written.
        error: Class of the error.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        at_end = (number == low and "[" in ends) or (number == high and "]" in ends)
        if math.isfinite(number) and (at_end or low < number < high):
            return
    kind = _interval_text(low, high, ends)
    raise error(_refused(what, value, kind, kind, f"write {what}={example}"))


def check_units(what: str, value: object, error: type[KprobError] = KprobError) -> None:
    """Raises where what should be the units of hidden layers isn't a list of positive ints.

    Args:
        what: Name of the argument.
        value: What came.
        error: Class of the error.
    """
    listed = list(value) if isinstance(value, list | tuple | np.ndarray) else [None]
    if any(isinstance(units, bool) or not isinstance(units, int | np.integer) or units < 1 for units in listed):
        expected = "a tuple or list of positive ints"
        raise error(_refused(what, value, "the units of each hidden layer", expected, f"write {what}=(32, 32)"))


def check_flag(what: str, value: object, error: type[KprobError] = KprobError) -> None:
    """Raises where what should be True or False is neither.

    Args:
        what: Name of the argument.
        value: What came.
        error: Class of the error.
    """
    if not isinstance(value, bool | int | np.bool_) or value not in (False, True):
        expected = "True or False"
        raise error(_refused(what, value, expected, expected, f"write {what}=True, or leave it out"))


def _refused(what: str, value: object, must_be: str, expected: str, fix: str) -> str:
    return explain(f"`{what}` must be {must_be}.", received=f"{what}={value!r}", expected=expected, fix=fix)


def _interval_text(low: float, high: float, ends: str) -> str:
    if high == math.inf:
        if low == -math.inf:
            return "a finite number"
        return (
            "a positive number"
            if low == 0 and not ends
            else f"a number {f'of {low:g} or more' if ends else f'above {low:g}'}"
        )
    if low == -math.inf:
        return f"a number {f'of {high:g} or less' if ends else f'below {high:g}'}"
    if len(ends) == 1:
        without = high if ends == "[" else low
        return f"a number from {low:g} to {high:g}, without {without:g} itself"
    return f"a number {'from' if ends else 'between'} {low:g} {'to' if ends else 'and'} {high:g}"
