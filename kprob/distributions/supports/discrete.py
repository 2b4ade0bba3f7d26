"""Supports of discrete distributions: counts, classes, one-hot vectors, 0 and 1."""

from collections.abc import Callable
from typing import TypeAlias

from keras import ops

from kprob.distributions.supports.continuous import TOLERANCE
from kprob.distributions.supports.finite import indices
from kprob.distributions.supports.support import Support, numbers
from kprob.types import ArrayLike, Distribution, Tensor

AllValues: TypeAlias = Callable[[Distribution], Tensor | None]


def _is_count(value: Tensor) -> Tensor:
    whole = ops.logical_and(ops.equal(value, ops.floor(value)), ops.isfinite(value))
    return ops.logical_and(whole, value >= 0.0)


def _is_positive_count(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    return ops.logical_and(_is_count(value), value >= 1.0)


def counts(total: Callable[[Distribution], Tensor] | None = None, values: AllValues | None = None) -> Support:
    """Integers from 0, up to a total that the distribution has where one is given."""

    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        value = numbers(distribution, value)
        return _is_count(value) if total is None else ops.logical_and(_is_count(value), value <= total(distribution))

    return Support("counts" if total is None else "counts up to a total", contains, values=values)


def classes(number: Callable[[Distribution], int]) -> Support:
    """Integers from 0 to one below the number of classes that the distribution has."""

    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        value = numbers(distribution, value)
        return ops.logical_and(_is_count(value), value < float(number(distribution)))

    return Support("classes", contains, values=lambda d: indices(d, number(d)))


def count_vectors(total: Callable[[Distribution], Tensor]) -> Support:
    """Vectors of counts with the total that the distribution has."""

    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        value = numbers(distribution, value)
        right_total = ops.abs(ops.sum(value, axis=-1) - total(distribution)) <= TOLERANCE
        return ops.logical_and(ops.all(_is_count(value), axis=-1), right_total)

    return Support("vectors of counts with a total", contains)


def _one_hot_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    binary = ops.all(ops.logical_or(value == 0.0, value == 1.0), axis=-1)
    return ops.logical_and(binary, ops.sum(value, axis=-1) == 1.0)


def _one_hot_values(distribution: Distribution) -> Tensor:
    number = distribution.event_shape[-1]
    ones = ops.eye(number, dtype=distribution.dtype)
    return ops.reshape(ones, (number, *[1] * len(distribution.batch_shape), number))


def _permutation_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    places = ops.arange(value.shape[-1], dtype=value.dtype)
    return ops.all(ops.equal(ops.sort(value, axis=-1), places), axis=-1)


def _integer_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    return ops.logical_and(ops.equal(value, ops.floor(value)), ops.isfinite(value))


INTEGER = Support("integers", _integer_contains)
COUNT_FROM_ONE = Support("counts from 1", _is_positive_count)
PERMUTATION = Support("permutations of 0, 1, ...", _permutation_contains)
BINARY_VECTOR = Support(
    "vectors of 0 and 1",
    lambda d, x: ops.all(ops.logical_or(numbers(d, x) == 0.0, numbers(d, x) == 1.0), axis=-1),
)
ONE_HOT = Support("one-hot vectors", _one_hot_contains, values=_one_hot_values)
BINARY = Support(
    "0 and 1",
    lambda d, x: ops.logical_or(numbers(d, x) == 0.0, numbers(d, x) == 1.0),
    values=lambda d: ops.reshape(ops.arange(2, dtype=d.dtype), (2, *[1] * len(d.batch_shape))),
)
