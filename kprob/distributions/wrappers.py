"""Distributions around others: which of them there are, and what is inside."""

from collections.abc import Iterable

from kprob.backend import tfd
from kprob.distributions.registry import is_a
from kprob.types import Distribution

# Distributions that only move or repeat axes of the batch of the one inside.
_AXES = (tfd.Independent, tfd.BatchBroadcast)
# Distributions whose values are arrays of values of the distribution inside.
PLAIN = (tfd.BatchBroadcast, tfd.Sample, tfd.Masked)
TRANSPARENT = (tfd.Independent, *PLAIN)


def is_any(distribution: Distribution, classes: Iterable[type]) -> bool:
    """Whether a distribution is of one of some TFP classes."""
    return any(is_a(distribution, cls) for cls in classes)


def split_independent(distribution: Distribution) -> tuple[Distribution, int]:
    """Takes `Independent` off.

    Args:
        distribution: A TFP distribution.

    Returns:
        The distribution inside, and the number of its batch axes that `Independent` made part of a value.
    """
    return _split(distribution, (tfd.Independent,))


def split_axes(distribution: Distribution) -> tuple[Distribution, int]:
    """Takes off what only moves or repeats axes: `Independent` and `BatchBroadcast`.

    Args:
        distribution: A TFP distribution.

    Returns:
        The distribution inside, and the number of its batch axes that are part of a value.
    """
    return _split(distribution, _AXES)


def unwrapped(distribution: Distribution, *, samples: bool = False) -> Distribution:
    """Returns the distribution inside those that only move or repeat axes.

    Args:
        distribution: A TFP distribution.
        samples: Whether `Sample` is one of these.
    """
    wrappers = (*_AXES, tfd.Sample) if samples else _AXES
    while is_any(distribution, wrappers):
        distribution = distribution.distribution
    return distribution


def component_of(distribution: Distribution) -> Distribution | None:
    """Returns the distribution of a mixture's components or of a Markov chain's observations; None for any other."""
    if is_a(distribution, tfd.MixtureSameFamily):
        return distribution.components_distribution
    return distribution.observation_distribution if is_a(distribution, tfd.HiddenMarkovModel) else None


def _split(distribution: Distribution, wrappers: tuple[type, ...]) -> tuple[Distribution, int]:
    event_ndims = 0
    while is_any(distribution, wrappers):
        inner = distribution.distribution
        event_ndims += len(distribution.event_shape) - len(inner.event_shape)
        distribution = inner
    return distribution, event_ndims
