"""Supports of distributions: which values are possible, and a bijector from unconstrained numbers onto them.

Exponentials and logistic functions rather than softplus, as in Stan: a step in unconstrained space is then a factor.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from kprob.backend import tfb
from kprob.distributions.supports.bijectors import Interval, Stereographic
from kprob.types import ArrayLike, Distribution, Tensor

# Rows of a simplex or a unit vector in float32 are off by about this much.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Support:
    """The values that are possible under a distribution.

    Attributes:
        name: What they are, for messages and to compare two supports.
        contains: `(distribution, value) -> bool` for each element of the batch.
        bijector: `distribution -> bijector` from unconstrained numbers; None where there is none.
        values: `distribution -> all values along axis 0`, for finite supports; it returns None where there are too
            many or they differ within the batch.
        fixed: Whether it is the same for all parameters.
    """

    name: str
    contains: Callable
    bijector: Callable | None = None
    values: Callable | None = None
    fixed: bool = True


def numbers(distribution: Distribution, value: ArrayLike) -> Tensor:
    """Returns values as floats of the distribution's precision, so that they can be compared with its parameters."""
    dtype = keras.backend.standardize_dtype(distribution.dtype)
    return ops.cast(ops.convert_to_tensor(value), dtype if keras.backend.is_float_dtype(dtype) else "float32")


def is_count(value: Tensor) -> Tensor:
    """Whether each number is one of 0, 1, 2, ..."""
    return ops.logical_and(ops.equal(value, ops.floor(value)), value >= 0.0)


def _all_events(condition):
    return ops.all(condition, axis=-1)


def _sums_to(value, total):
    return ops.abs(ops.sum(value, axis=-1) - total) <= TOLERANCE


def half_line(bound: Callable, closed: bool = True) -> Support:
    """Numbers above a bound that the distribution has."""

    def contains(distribution, value):
        value, low = numbers(distribution, value), bound(distribution)
        inside = value >= low if closed else value > low
        return ops.logical_and(inside, ops.isfinite(value))

    def bijector(distribution):
        return tfb.Chain([tfb.Shift(bound(distribution)), tfb.Exp()])

    return Support("numbers above a bound", contains, bijector, fixed=False)


def interval(low: Callable, high: Callable, closed: bool = True) -> Support:
    """Numbers between two bounds that the distribution has; a bound may be infinite."""

    def contains(distribution, value):
        value, a, b = numbers(distribution, value), low(distribution), high(distribution)
        above, below = (value >= a, value <= b) if closed else (value > a, value < b)
        return ops.logical_and(ops.logical_and(above, below), ops.isfinite(value))

    return Support("numbers between two bounds", contains, lambda d: Interval(low(d), high(d)), fixed=False)


def _positive(closed: bool) -> Support:
    def contains(distribution, value):
        value = numbers(distribution, value)
        inside = value >= 0.0 if closed else value > 0.0
        return ops.logical_and(inside, ops.isfinite(value))

    return Support("positive numbers", contains, lambda d: tfb.Exp())


def _simplex_contains(distribution, value):
    value = numbers(distribution, value)
    return ops.logical_and(_all_events(value > 0.0), _sums_to(value, 1.0))


def _unit_vector_contains(distribution, value):
    value = numbers(distribution, value)
    return ops.abs(ops.sum(value * value, axis=-1) - 1.0) <= TOLERANCE


def _cholesky_contains(distribution, value):
    value = numbers(distribution, value)
    lower = ops.all(ops.abs(value - ops.tril(value)) <= TOLERANCE, axis=(-2, -1))
    units = _all_events(ops.abs(ops.sum(value * value, axis=-1) - 1.0) <= TOLERANCE)
    positive = _all_events(ops.diagonal(value, axis1=-2, axis2=-1) > 0.0)
    return ops.logical_and(ops.logical_and(lower, units), positive)


def _definite_contains(distribution, value):
    value = numbers(distribution, value)
    size = ops.max(ops.abs(value), axis=(-2, -1), keepdims=True)
    skew = ops.abs(value - ops.swapaxes(value, -1, -2)) <= TOLERANCE * size
    return ops.logical_and(ops.all(skew, axis=(-2, -1)), _all_events(ops.eigh(value)[0] > 0.0))


def counts(total: Callable | None = None, values: Callable | None = None) -> Support:
    """Integers from 0, up to a total that the distribution has where one is given."""

    def contains(distribution, value):
        value = numbers(distribution, value)
        return is_count(value) if total is None else ops.logical_and(is_count(value), value <= total(distribution))

    return Support("counts" if total is None else "counts up to a total", contains, values=values)


def classes(number: Callable, values: Callable) -> Support:
    """Integers from 0 to one below the number of classes that the distribution has."""

    def contains(distribution, value):
        value = numbers(distribution, value)
        return ops.logical_and(is_count(value), value < float(number(distribution)))

    return Support("classes", contains, values=values)


def one_hot(values: Callable) -> Support:
    """Vectors with a single one among zeros."""

    def contains(distribution, value):
        value = numbers(distribution, value)
        binary = _all_events(ops.logical_or(value == 0.0, value == 1.0))
        return ops.logical_and(binary, ops.sum(value, axis=-1) == 1.0)

    return Support("one-hot vectors", contains, values=values)


def count_vectors(total: Callable) -> Support:
    """Vectors of counts with the total that the distribution has."""

    def contains(distribution, value):
        value = numbers(distribution, value)
        return ops.logical_and(_all_events(is_count(value)), _sums_to(value, total(distribution)))

    return Support("vectors of counts with a total", contains)


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
# Any number stands for its angle: the density has period 2 pi.
ANGLE = Support(
    "angles", lambda d, x: ops.isfinite(numbers(d, x)), lambda d: tfb.Sigmoid(low=-3.1415926, high=3.1415926)
)
SIMPLEX = Support("simplex", _simplex_contains, lambda d: tfb.IteratedSigmoidCentered())
UNIT_VECTOR = Support("unit vectors", _unit_vector_contains, lambda d: Stereographic())
CORRELATION_CHOLESKY = Support(
    "Cholesky factors of correlation matrices", _cholesky_contains, lambda d: tfb.CorrelationCholesky()
)
POSITIVE_DEFINITE = Support(
    "positive definite matrices",
    _definite_contains,
    lambda d: tfb.Chain([tfb.CholeskyOuterProduct(), tfb.FillScaleTriL(diag_bijector=tfb.Exp(), diag_shift=None)]),
)
BINARY = Support(
    "0 and 1",
    lambda d, x: ops.logical_or(numbers(d, x) == 0.0, numbers(d, x) == 1.0),
    values=lambda d: ops.reshape(ops.arange(2, dtype=d.dtype), (2, *[1] * len(d.batch_shape))),
)
