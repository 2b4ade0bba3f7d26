"""Where a parameter's value comes from, which of several sources wins, and which parameters are left to heads."""

from collections.abc import Iterable, Mapping
from typing import Any

from kprob.distributions import Family

LEARNED = "learned"


def is_learned(value: object) -> bool:
    """Whether a parameter is to be a free variable."""
    return isinstance(value, str) and value == LEARNED


def without_rivals(family: Family, values: Mapping[str, Any], overriding: Iterable[str]) -> dict[str, Any]:
    """Returns the values that no overriding parameter replaces or excludes."""
    names = set(overriding)
    return {k: v for k, v in values.items() if k not in names and names.isdisjoint(family.rivals(k))}


def learnable(family: Family, taken: Iterable[str]) -> tuple[str, ...]:
    """Returns the parameters that heads give where those in `taken` come from elsewhere."""
    taken = set(taken)
    free: list[str] = []
    for name in family.needed() if family.learned is None else family.learned:
        if name not in taken and not any(rival in taken or rival in free for rival in family.rivals(name)):
            free.append(name)
    return tuple(free)
