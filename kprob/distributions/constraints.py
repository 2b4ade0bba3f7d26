"""Constraints of parameters: from any real numbers, a network's output, to values that the parameter may have.

Floors keep a scale or a rate away from zero, where densities and their gradients are infinite. What a user gives may be at
that limit: `sets` says which numbers a parameter may be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from kprob.backend import tfp
from kprob.distributions import sets
from kprob.distributions.sets import NumberSet
from kprob.types import ArrayLike, Tensor

FLOOR = 1e-5
_EDGE = 1e-7


@dataclass(frozen=True)
class Constraint:
    """A set of values with a differentiable map onto it.

    Attributes:
        forward: From unconstrained numbers onto the set.
        inverse: From the set to unconstrained numbers.
        allowed: The numbers that a parameter may be.
        size: From the shape of one value to the shape of the unconstrained numbers behind it.
        event_ndims: Axes that one value has at least: 1 for vectors such as a simplex, 2 for matrices.
    """

    forward: Callable
    inverse: Callable
    allowed: NumberSet = sets.REAL
    size: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple
    event_ndims: int = 0


def _identity(x: Tensor) -> Tensor:
    return x


def _inverse_softplus(y: Tensor) -> Tensor:
    # log(exp(y) - 1) without overflow for large y.
    return y + ops.log(-ops.expm1(-y))


def _above(bound: float, allowed: NumberSet) -> Constraint:
    return Constraint(
        lambda x: ops.softplus(x) + bound, lambda y: _inverse_softplus(ops.convert_to_tensor(y) - bound), allowed
    )


def _unit_forward(x: Tensor) -> Tensor:
    # In float32 a sigmoid reaches 1 at 17, and log(1 - 1) is -inf.
    return ops.clip(ops.sigmoid(x), _EDGE, 1.0 - _EDGE)


def _unit_inverse(y: ArrayLike) -> Tensor:
    y = ops.convert_to_tensor(y)
    return ops.log(y) - ops.log1p(-y)


def _triangle_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    *lead, rows, _ = shape
    return (*lead, rows * (rows + 1) // 2)


def _with_diagonal(matrix: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    diagonal = ops.diagonal(matrix, axis1=-2, axis2=-1)
    eye = ops.eye(matrix.shape[-1], dtype=matrix.dtype)
    return matrix * (1.0 - eye) + function(diagonal)[..., None] * eye


def _tril_forward(x: Tensor) -> Tensor:
    return _with_diagonal(tfp.math.fill_triangular(x), lambda d: ops.softplus(d) + FLOOR)


def _tril_inverse(y: ArrayLike) -> Tensor:
    y = ops.convert_to_tensor(y)
    return tfp.math.fill_triangular_inverse(_with_diagonal(y, lambda d: _inverse_softplus(d - FLOOR)))


def _definite_forward(x: Tensor) -> Tensor:
    tril = _tril_forward(x)
    return ops.matmul(tril, ops.swapaxes(tril, -1, -2))


def _definite_inverse(y: ArrayLike) -> Tensor:
    return _tril_inverse(ops.cholesky(ops.convert_to_tensor(y)))


def _ordered_forward(x: Tensor) -> Tensor:
    return ops.concatenate([x[..., :1], x[..., :1] + ops.cumsum(ops.softplus(x[..., 1:]) + FLOOR, axis=-1)], axis=-1)


def _ordered_inverse(y: ArrayLike) -> Tensor:
    y = ops.convert_to_tensor(y)
    return ops.concatenate([y[..., :1], _inverse_softplus(y[..., 1:] - y[..., :-1] - FLOOR)], axis=-1)


def _unit_vector(x: Tensor) -> Tensor:
    return x / ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True) + keras.backend.epsilon() ** 2)


CONSTRAINTS: dict[str, Constraint] = {
    "real": Constraint(_identity, _identity),
    "positive": _above(FLOOR, sets.POSITIVE),
    "at_least_one": _above(1.0, sets.AT_LEAST_ONE),
    "unit": Constraint(_unit_forward, _unit_inverse, sets.UNIT),
    "simplex": Constraint(lambda x: ops.softmax(x, axis=-1), ops.log, sets.SIMPLEX, event_ndims=1),
    "ordered": Constraint(_ordered_forward, _ordered_inverse, sets.ORDERED, event_ndims=1),
    "unit_vector": Constraint(_unit_vector, _identity, sets.UNIT_VECTOR, event_ndims=1),
    "lower_triangular": Constraint(_tril_forward, _tril_inverse, sets.LOWER_TRIANGULAR, _triangle_size, event_ndims=2),
    "positive_definite": Constraint(
        _definite_forward, _definite_inverse, sets.POSITIVE_DEFINITE, _triangle_size, event_ndims=2
    ),
}


def get_constraint(name: str) -> Constraint:
    """Returns a constraint by name.

    Args:
        name: A key of `CONSTRAINTS`.
    """
    return CONSTRAINTS[name]
