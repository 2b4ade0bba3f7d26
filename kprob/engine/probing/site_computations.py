"""What a run computed for a site, as plain arrays: two runs are compared by them.

A site's distribution is looked through down to its tensors: `Independent`, `BatchBroadcast`, transformed and mixture
distributions, bijectors and linear operators all keep theirs in `parameters`. What can't be looked into, such as a
function, shows in the log-density.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from kprob.backend import is_tensor
from kprob.effects import Site
from kprob.numerics import to_numpy

SiteComputation: TypeAlias = dict[str, np.ndarray | str]

_NUMBERS = (bool, int, float, complex, np.ndarray, np.generic)
# Names and types say nothing about values.
_SKIPPED = ("name", "dtype", "validate_args", "allow_nan_stats")
_TOLERANCE = 1e-6


def computation_of(site: Site, own_value: Any = None) -> SiteComputation:
    """Returns the numbers that a network computed for a site.

    Args:
        site: The site, complete.
        own_value: The value that the network itself gave it, or None where it was drawn.

    Returns:
        Arrays, and names of classes, by their place in the distribution.
    """
    parts: SiteComputation = {}
    for place, thing in (("value", own_value), ("mask", site.mask), ("scale", site.scale)):
        _look(parts, place, thing)
    if site.is_random and not _look(parts, "distribution", site.distribution):
        _add_log_prob(parts, site)
    return parts


def differs(before: SiteComputation, after: SiteComputation) -> bool:
    """Whether two runs computed different numbers for a site."""
    if before.keys() != after.keys():
        return True
    return any(_unequal(before[place], after[place]) for place in before)


def has_nan(parts: SiteComputation) -> bool:
    """Whether a NaN is among the numbers."""
    return any(_is_float(part) and bool(np.isnan(part).any()) for part in parts.values())


def is_finite(parts: SiteComputation) -> bool:
    """Whether all of the numbers are finite."""
    return all(bool(np.isfinite(part).all()) for part in parts.values() if _is_float(part))


def _look(parts: SiteComputation, place: str, thing: Any) -> bool:
    # Adds the arrays inside a thing; False where a part of it can't be looked into.
    if thing is None or isinstance(thing, str | bytes | type):
        return True
    if isinstance(thing, _NUMBERS) or is_tensor(thing):
        parts[place] = _comparable(thing)
        return True
    if isinstance(thing, Mapping):
        children = {key: value for key, value in thing.items() if key not in _SKIPPED}
    elif isinstance(thing, list | tuple):
        children = dict(enumerate(thing))
    elif isinstance(getattr(thing, "parameters", None), Mapping):
        parts[place] = type(thing).__name__
        children = {k: v for k, v in thing.parameters.items() if k not in _SKIPPED}
    else:
        return False
    return all([_look(parts, f"{place}/{key}", child) for key, child in children.items()])


def _add_log_prob(parts: SiteComputation, site: Site) -> None:
    try:
        parts["log_prob"] = _comparable(site.distribution.log_prob(site.value))
    except Exception:  # noqa: BLE001  (a density that fails in one of two runs is a difference too)
        pass


def _comparable(thing: Any) -> np.ndarray:
    array = to_numpy(thing)
    # NumPy has no arithmetic of its own for bfloat16.
    return array.astype("float32") if array.dtype.kind == "V" or array.dtype.name == "bfloat16" else array


def _is_float(part: np.ndarray | str) -> TypeGuard[np.ndarray]:
    return isinstance(part, np.ndarray) and part.dtype.kind in "fc"


def _unequal(a: np.ndarray | str, b: np.ndarray | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return type(a) is not type(b) or a != b
    if a.shape != b.shape or a.dtype != b.dtype:
        return True
    if not _is_float(a):
        return not np.array_equal(a, b)
    return not np.allclose(a, b, rtol=_TOLERANCE, atol=0.0, equal_nan=True)
