"""Other values that a site, an argument or a weight might have, to see what changes with it.

NaN comes first: it shows wherever the value goes, however small its effect. But comparisons, indices and `relu` can
swallow a NaN, and it isn't there for integers: so other possible values follow, the far ends among them.
"""

from collections.abc import Iterator

import keras
import numpy as np

from kprob import distributions
from kprob.backend import random
from kprob.effects import Site

_DRAWS = 32
_MAX_SUPPORT = 8


def other_values(site: Site, seed) -> Iterator[np.ndarray]:
    """Yields other values of a site of a run, of the same shape and type.

    Args:
        site: The site, with its value and, where it is random, its distribution.
        seed: A seed.
    """
    value = to_numpy(site.value)
    if site.kind != "sample":
        yield from other_arrays(value)
        return
    yield from _nan(value)
    for other in _possible(site, value.shape, seed):
        yield other.astype(value.dtype)


def other_arrays(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yields other arrays of the same shape and type; integers stay in their range first, then leave it."""
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


def to_numpy(value) -> np.ndarray:
    """Returns a value as an array."""
    return np.asarray(keras.ops.convert_to_numpy(value))


def _nan(array: np.ndarray) -> Iterator[np.ndarray]:
    # "V" is how NumPy sees bfloat16.
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        yield np.full_like(array, np.nan)


def _possible(site: Site, shape: tuple[int, ...], seed) -> list[np.ndarray]:
    distribution = site.distribution
    try:
        if distributions.is_discrete(distribution):
            support = distributions.enumerate_support(distribution)
            if support is not None and len(support) <= _MAX_SUPPORT:
                return [np.broadcast_to(to_numpy(one), shape) for one in support]
        lead = shape[: len(shape) - len(distribution.batch_shape) - len(distribution.event_shape)]
        draws = to_numpy(distributions.draw(distribution, (_DRAWS, *lead), random.fold_in(seed, 1)))
    except Exception:  # noqa: BLE001  (a distribution that can't be drawn from still has its NaN)
        return []
    if _is_univariate(distribution):
        return [draws.min(axis=0), draws.max(axis=0), draws[0], draws[1]]
    return list(draws[:4])


def _is_univariate(distribution) -> bool:
    # Whether each number of a value may be changed on its own.
    while type(distribution).__name__.strip("_") in ("Independent", "BatchBroadcast", "Sample"):
        distribution = distribution.distribution
    return len(distribution.event_shape) == 0
