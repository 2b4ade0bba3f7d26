"""Other values that a site, an argument or a weight might have, to see what changes with it.

NaN comes first: it shows wherever the value goes, however small its effect. But comparisons, indices and `relu` can
swallow a NaN, and integers have none: so other possible values follow, far ends among them. They are drawn only where
that is cheap: the samplers that reject and try again take seconds to compile on JAX.
"""

from collections.abc import Iterator

import numpy as np

from kprob import distributions
from kprob.backend import random
from kprob.distributions.wrappers import unwrapped
from kprob.effects import Site
from kprob.numerics import to_numpy
from kprob.types import Distribution

_DRAWS = 32
_MAX_SUPPORT = 8
# How far to go in unconstrained space: for a positive number a factor of 20, for a real one any usual scale too.
_STEPS = (-3.0, 3.0, -300.0, 300.0)


def perturbed_values(site: Site) -> Iterator[np.ndarray]:
    """Yields other values of a site of a run, of the same shape and type.

    Args:
        site: The site, with its value and, where it is random, its distribution.
    """
    value = to_numpy(site.value)
    if not site.is_random:
        yield from perturbed_arrays(value)
        return
    yield from _nan(value)
    try:
        others = _possible(site, value)
    except Exception:  # noqa: BLE001  (an odd distribution is no reason to give up)
        others = list(perturbed_arrays(value))
    for other in others:
        yield np.broadcast_to(other, value.shape).astype(value.dtype)


def perturbed_arrays(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yields other arrays of the same shape and type; integers in their own range first, then outside it."""
    yield from _nan(array)
    if array.dtype.kind == "b":
        yield ~array
        return
    if array.size:
        yield (array.min() + array.max() - array).astype(array.dtype)
    if array.ndim:
        yield array[::-1]
    one = np.ones((), array.dtype)
    yield array - one
    yield array + one


def _nan(array: np.ndarray) -> Iterator[np.ndarray]:
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        yield np.full_like(array, np.nan)


def _possible(site: Site, value: np.ndarray) -> list[np.ndarray]:
    distribution = site.distribution
    if distributions.is_discrete(distribution):
        return _discrete(distribution, value)
    inner = unwrapped(distribution)
    family = distributions.family_of(inner)
    if family is not None and family.sampler is not None:
        lead = value.shape[: value.ndim - len(distribution.batch_shape) - len(distribution.event_shape)]
        draws = to_numpy(distributions.draw(distribution, (_DRAWS, *lead), random.seed(1)))
        if len(inner.event_shape):
            return list(draws[:4])
        return [draws.min(axis=0), draws.max(axis=0), draws[0], draws[1]]
    bijector = distributions.support_bijector(distribution)
    unconstrained = bijector.inverse(site.value)
    return [to_numpy(bijector.forward(unconstrained + step)) for step in _STEPS]


def _discrete(distribution: Distribution, value: np.ndarray) -> list[np.ndarray]:
    support = distributions.enumerate_support(distribution)
    if support is not None:
        support = to_numpy(support)
        indices = np.linspace(0, len(support) - 1, min(len(support), _MAX_SUPPORT)).astype(int)
        return [support[i] for i in indices]
    fewer = np.maximum(value, 1) - 1
    return [np.zeros_like(value), value + 1, fewer, 2 * value + 10, np.flip(value)]
