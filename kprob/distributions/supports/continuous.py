"""Supports of continuous distributions: numbers, intervals, vectors, the simplex, matrices.

Their bijectors are exponentials and logistic functions rather than softplus, as in Stan: a step in unconstrained space is
then a factor.
"""

from collections.abc import Callable
from typing import TypeAlias

from keras import ops

from kprob.backend import tfb
from kprob.distributions.supports.bijectors import Interval, Stereographic
from kprob.distributions.supports.support import Support, numbers
from kprob.types import ArrayLike, Distribution, Tensor

# Rows of a simplex or a unit vector in float32 are off by about this much.
TOLERANCE = 1e-4

Bound: TypeAlias = Callable[[Distribution], Tensor]


def half_line(bound: Bound, closed: bool = True) -> Support:
    """Numbers above a bound that the distribution has."""

    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        value, low = numbers(distribution, value), bound(distribution)
        inside = value >= low if closed else value > low
        return ops.logical_and(inside, ops.isfinite(value))

    def bijector(distribution: Distribution) -> tfb.Bijector:
        return tfb.Chain([tfb.Shift(bound(distribution)), tfb.Exp()])

    return Support("numbers above a bound", contains, bijector, fixed=False)


def interval(low: Bound, high: Bound, closed: bool = True) -> Support:
    """Numbers between two bounds that the distribution has; a bound may be infinite."""

    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        value, a, b = numbers(distribution, value), low(distribution), high(distribution)
        above, below = (value >= a, value <= b) if closed else (value > a, value < b)
        return ops.logical_and(ops.logical_and(above, below), ops.isfinite(value))

    return Support("numbers between two bounds", contains, lambda d: Interval(low(d), high(d)), fixed=False)


def _positive(closed: bool) -> Support:
    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        value = numbers(distribution, value)
        inside = value >= 0.0 if closed else value > 0.0
        return ops.logical_and(inside, ops.isfinite(value))

    return Support("positive numbers", contains, lambda d: tfb.Exp())


def _all_events(condition: Tensor) -> Tensor:
    return ops.all(condition, axis=-1)


def _simplex_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    return ops.logical_and(_all_events(value > 0.0), ops.abs(ops.sum(value, axis=-1) - 1.0) <= TOLERANCE)


def _unit_vector_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    return ops.abs(ops.sum(value * value, axis=-1) - 1.0) <= TOLERANCE


def _cholesky_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    lower = ops.all(ops.abs(value - ops.tril(value)) <= TOLERANCE, axis=(-2, -1))
    units = _all_events(ops.abs(ops.sum(value * value, axis=-1) - 1.0) <= TOLERANCE)
    positive = _all_events(ops.diagonal(value, axis1=-2, axis2=-1) > 0.0)
    return ops.logical_and(ops.logical_and(lower, units), positive)


def _definite_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    finite = ops.all(ops.isfinite(value), axis=(-2, -1))
    # Nothing has the eigenvalues of NaN.
    value = ops.where(finite[..., None, None], value, ops.zeros_like(value))
    size = ops.max(ops.abs(value), axis=(-2, -1), keepdims=True)
    skew = ops.abs(value - ops.swapaxes(value, -1, -2)) <= TOLERANCE * size
    return ops.logical_and(ops.all(skew, axis=(-2, -1)), _all_events(ops.eigh(value)[0] > 0.0))


def _factor_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    size = ops.max(ops.abs(value), axis=(-2, -1), keepdims=True)
    lower = ops.all(ops.abs(value - ops.tril(value)) <= TOLERANCE * size, axis=(-2, -1))
    return ops.logical_and(lower, _all_events(ops.diagonal(value, axis1=-2, axis2=-1) > 0.0))


def _correlation_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    ones = _all_events(ops.abs(ops.diagonal(value, axis1=-2, axis2=-1) - 1.0) <= TOLERANCE)
    return ops.logical_and(ones, _definite_contains(distribution, value))


def either(is_one: Callable[[Distribution], bool], one: Support, other: Support) -> Support:
    """Returns a support that is one or another, by what a distribution was made with.

    Args:
        is_one: Whether a distribution has the first one.
        one: The first.
        other: The second, whose name it has.
    """

    def contains(distribution: Distribution, value: ArrayLike) -> Tensor:
        return (one if is_one(distribution) else other).contains(distribution, value)

    def bijector(distribution: Distribution) -> tfb.Bijector:
        own = one if is_one(distribution) else other
        return own.bijector(distribution) if own.bijector is not None else None

    return Support(other.name, contains, bijector)


REAL = Support("real numbers", lambda d, x: ops.isfinite(numbers(d, x)), lambda d: tfb.Identity())
REAL_VECTOR = Support("real vectors", lambda d, x: _all_events(ops.isfinite(numbers(d, x))), lambda d: tfb.Identity())
REAL_MATRIX = Support(
    "real matrices", lambda d, x: ops.all(ops.isfinite(numbers(d, x)), axis=(-2, -1)), lambda d: tfb.Identity()
)
POSITIVE = _positive(closed=False)
NONNEGATIVE = _positive(closed=True)
UNIT = Support(
    "numbers between 0 and 1",
    lambda d, x: ops.logical_and(numbers(d, x) > 0.0, numbers(d, x) < 1.0),
    lambda d: tfb.Sigmoid(),
)
CLOSED_UNIT = Support(
    "numbers between 0 and 1",
    lambda d, x: ops.logical_and(numbers(d, x) >= 0.0, numbers(d, x) <= 1.0),
    lambda d: tfb.Sigmoid(),
)
# Any number stands for its angle: the density has period 2 pi.
ANGLE = Support(
    "angles", lambda d, x: ops.isfinite(numbers(d, x)), lambda d: tfb.Sigmoid(low=-3.1415926, high=3.1415926)
)
SIMPLEX = Support("simplex", _simplex_contains, lambda d: tfb.IteratedSigmoidCentered())
UNIT_VECTOR = Support("unit vectors", _unit_vector_contains, lambda d: Stereographic())
CORRELATION_CHOLESKY = Support(
    "Cholesky factors of correlation matrices", _cholesky_contains, lambda d: tfb.CorrelationCholesky()
)
CORRELATION = Support(
    "correlation matrices",
    _correlation_contains,
    lambda d: tfb.Chain([tfb.CholeskyOuterProduct(), tfb.CorrelationCholesky()]),
)
POSITIVE_DEFINITE = Support(
    "positive definite matrices",
    _definite_contains,
    lambda d: tfb.Chain([tfb.CholeskyOuterProduct(), tfb.FillScaleTriL(diag_bijector=tfb.Exp(), diag_shift=None)]),
)
CHOLESKY_FACTOR = Support(
    "Cholesky factors of positive definite matrices",
    _factor_contains,
    lambda d: tfb.FillScaleTriL(diag_bijector=tfb.Exp(), diag_shift=None),
)
