"""What is inside a distribution that only gives axes another meaning: `Independent`, `BatchBroadcast`."""

from kprob.backend import tfd
from kprob.distributions.family import is_a
from kprob.types import Distribution

WRAPPERS = (tfd.Independent, tfd.BatchBroadcast)


def unwrapped(distribution: Distribution, wrappers: tuple[type, ...] = WRAPPERS) -> Distribution:
    """Returns the distribution inside all wrappers.

    Args:
        distribution: A TFP distribution.
        wrappers: Classes to take off.
    """
    while any(is_a(distribution, wrapper) for wrapper in wrappers):
        distribution = distribution.distribution
    return distribution


def split_wrappers(distribution: Distribution, wrappers: tuple[type, ...] = WRAPPERS) -> tuple[Distribution, int]:
    """Takes all wrappers off.

    Args:
        distribution: A TFP distribution.
        wrappers: Classes to take off.

    Returns:
        The distribution inside, and the number of its batch axes that the wrappers made part of a value.
    """
    inner = unwrapped(distribution, wrappers)
    return inner, len(distribution.event_shape) - len(inner.event_shape)
