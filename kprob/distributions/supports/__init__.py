"""Supports: what a family says of its possible values. Constants, and functions that make a support of a bound or a total."""

from kprob.distributions.supports.continuous import (
    ANGLE,
    CHOLESKY_FACTOR,
    CLOSED_UNIT,
    CORRELATION,
    CORRELATION_CHOLESKY,
    NONNEGATIVE,
    POSITIVE,
    POSITIVE_DEFINITE,
    REAL,
    REAL_MATRIX,
    REAL_VECTOR,
    SIMPLEX,
    UNIT,
    UNIT_VECTOR,
    half_line,
    interval,
)
from kprob.distributions.supports.discrete import (
    BINARY,
    BINARY_VECTOR,
    COUNT_FROM_ONE,
    INTEGER,
    ONE_HOT,
    PERMUTATION,
    classes,
    count_vectors,
    counts,
)
from kprob.distributions.supports.support import Support
from kprob.namespaces import listing

__all__ = [
    "ANGLE",
    "BINARY",
    "BINARY_VECTOR",
    "CHOLESKY_FACTOR",
    "CLOSED_UNIT",
    "CORRELATION",
    "CORRELATION_CHOLESKY",
    "COUNT_FROM_ONE",
    "INTEGER",
    "NONNEGATIVE",
    "ONE_HOT",
    "PERMUTATION",
    "POSITIVE",
    "POSITIVE_DEFINITE",
    "REAL",
    "REAL_MATRIX",
    "REAL_VECTOR",
    "SIMPLEX",
    "Support",
    "UNIT",
    "UNIT_VECTOR",
    "classes",
    "count_vectors",
    "counts",
    "half_line",
    "interval",
]
__dir__ = listing(__all__)
