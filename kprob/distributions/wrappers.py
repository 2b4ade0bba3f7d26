"""Distributions around others: which of them there are, and what is inside."""

from collections.abc import Iterable

from kprob.backend import tfd
from kprob.distributions.registry import is_a
from kprob.types import Distribution

# Distributions that only move or repeat axes of the batch of the one inside.
WRAPPERS = (tfd.Independent, tfd.BatchBroadcast)
# The distribution of arrays of independent values of the one inside.
SAMPLE = tfd.Sample
# Distributions whose values are arrays of values of the distribution inside.
PLAIN = (tfd.BatchBroadcast, SAMPLE, tfd.Masked)
TRANSPARENT = (tfd.Independent, *PLAIN)


def is_any(distribution: Distribution, classes: Iterable[type]) -> bool:
    """Whether a distribution is of one of some TFP classes."""
    return any(is_a(distribution, cls) for cls in classes)


def unwrapped(distribution: Distribution, wrappers: tuple[type, ...] = WRAPPERS) -> Distribution:
    """Returns the distribution inside all wrappers.

    Args:
        distribution: A TFP distribution.
        wrappers: Classes to take off; by default those that only move or repeat axes of the batch.
    """
    while is_any(distribution, wrappers):
        distribution = distribution.distribution
    return distribution


def split_wrappers(distribution: Distribution, wrappers: tuple[type, ...] = WRAPPERS) -> tuple[Distribution, int]:
    """Takes all wrappers off.

    Args:
        distribution: A TFP distribution.
        wrappers: Classes to take off; by default those that only move or repeat axes of the batch.

    Returns:
        The distribution inside, and the number of its batch axes that the wrappers made part of a value.
    """
    inner = unwrapped(distribution, wrappers)
    return inner, len(distribution.event_shape) - len(inner.event_shape)


def split_independent(distribution: Distribution) -> tuple[Distribution, int]:
    """Takes `Independent` off.

    Args:
        distribution: A TFP distribution.

    Returns:
        The distribution inside, and the number of its batch axes that `Independent` made part of a value.
    """
    return split_wrappers(distribution, (tfd.Independent,))


def component_of(distribution: Distribution) -> Distribution | None:
    """Returns the distribution of a mixture's components or of a Markov chain's observations; None for any other."""
    if is_a(distribution, tfd.MixtureSameFamily):
        return distribution.components_distribution
    return distribution.observation_distribution if is_a(distribution, tfd.HiddenMarkovModel) else None
