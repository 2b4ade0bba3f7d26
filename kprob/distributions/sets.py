"""The numbers that a parameter may be, as NumPy sees them: what a user gave is looked at once, before anything runs.

A scale or a rate of 0 is a limit that can be drawn from, and counts. Sums and symmetries hold up to rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_TOLERANCE = 1e-3


@dataclass(frozen=True)
class NumberSet:
    """A set of numbers, vectors or matrices.

    Attributes:
        expected: What they are, for messages.
        holds: Whether values are such: from an array to a boolean for each value.
        mend: How a user makes one, for messages.
        event_ndims: Axes of one value.
    """

    expected: str
    holds: Callable[[np.ndarray], np.ndarray]
    mend: str
    event_ndims: int = 0


def _is_simplex(array: np.ndarray) -> np.ndarray:
    return (array >= 0).all(-1) & (np.abs(array.sum(-1) - 1) <= _TOLERANCE)


def _is_lower_triangular(array: np.ndarray) -> np.ndarray:
    above = np.abs(np.triu(array, 1)).max((-2, -1), initial=0.0)
    return above <= _TOLERANCE * np.abs(array).max((-2, -1), initial=0.0)


def _is_positive_definite(array: np.ndarray) -> np.ndarray:
    if array.shape[-1] != array.shape[-2]:
        return np.zeros(array.shape[:-2], bool)
    skew = np.abs(array - np.swapaxes(array, -1, -2)).max((-2, -1), initial=0.0)
    symmetric = skew <= _TOLERANCE * np.abs(array).max((-2, -1), initial=0.0)
    return symmetric & np.reshape([_has_cholesky(one) for one in array.reshape(-1, *array.shape[-2:])], symmetric.shape)


def _has_cholesky(matrix: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _has_length_one(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs((array * array).sum(-1) - 1) <= 10 * _TOLERANCE)


def _is_known(array: np.ndarray) -> np.ndarray:
    return ~np.isnan(array)


REAL = NumberSet(
    "a number, not NaN", _is_known, "look where the NaN comes from: a logarithm or a root of a negative number"
)
FINITE = NumberSet("a finite number", np.isfinite, "look where it comes from: a division by 0, or a logarithm of 0")
POSITIVE = NumberSet(
    "a positive number",
    lambda x: (x >= 0) & np.isfinite(x),
    "make one of any number by keras.ops.exp or keras.ops.softplus",
)
AT_LEAST_ONE = NumberSet(
    "a number of 1 or more", lambda x: (x >= 1) & np.isfinite(x), "make one by 1 + keras.ops.softplus"
)
UNIT = NumberSet(
    "a number from 0 to 1", lambda x: (x >= 0) & (x <= 1), "pass logits=..., or make one by keras.ops.sigmoid"
)
SIMPLEX = NumberSet(
    "numbers from 0 to 1 that sum to 1 along the last axis", _is_simplex, "pass logits=..., or divide by their sum", 1
)
ORDERED = NumberSet("numbers in ascending order", lambda x: np.asarray((np.diff(x) >= 0).all(-1)), "sort them", 1)
UNIT_VECTOR = NumberSet(
    "a vector of length 1",
    _has_length_one,
    "divide it by its length, keras.ops.normalize(x)",
    1,
)
LOWER_TRIANGULAR = NumberSet(
    "a lower triangular matrix, zero above its diagonal",
    _is_lower_triangular,
    "pass keras.ops.cholesky(covariance), or the covariance itself to tfd.MultivariateNormalFullCovariance",
    2,
)
POSITIVE_DEFINITE = NumberSet(
    "a symmetric and positive definite matrix",
    _is_positive_definite,
    "pass the covariances of all pairs; where rounding makes it singular, as that of near points of a Gaussian process, "
    "add a little to the diagonal, 1e-4 * keras.ops.eye(n)",
    2,
)
COUNT = NumberSet("a whole number of 0 or more", lambda x: (x >= 0) & (x == np.floor(x)), "round it")
