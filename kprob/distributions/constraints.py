"""Constraints of parameters: from any real number, a network's output, to a value that the parameter may have.

Floors keep a scale or a rate away from zero, where densities and their gradients are infinite.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from kprob.backend import tfb

FLOOR = 1e-5


@dataclass(frozen=True)
class Constraint:
    """A set of values with a differentiable map onto it.

    Attributes:
        forward: From unconstrained numbers onto the set.
        inverse: From the set to unconstrained numbers.
        size: From the shape of one value to the shape of the unconstrained numbers behind it.
    """

    forward: Callable
    inverse: Callable
    size: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda shape: shape


def _positive():
    return tfb.Chain([tfb.Shift(FLOOR), tfb.Softplus()])


def _simplex_forward(x):
    return keras.ops.softmax(x, axis=-1)


def _triangle_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    *lead, rows, _ = shape
    return (*lead, rows * (rows + 1) // 2)


CONSTRAINTS: dict[str, Constraint] = {
    "real": Constraint(lambda x: x, lambda y: y),
    "positive": Constraint(lambda x: _positive().forward(x), lambda y: _positive().inverse(y)),
    "unit": Constraint(lambda x: tfb.Sigmoid().forward(x), lambda y: tfb.Sigmoid().inverse(y)),
    "simplex": Constraint(_simplex_forward, lambda y: keras.ops.log(y)),
    "lower_triangular": Constraint(
        lambda x: tfb.FillScaleTriL(diag_shift=FLOOR).forward(x),
        lambda y: tfb.FillScaleTriL(diag_shift=FLOOR).inverse(y),
        _triangle_size,
    ),
}


def get_constraint(name: str) -> Constraint:
    """Returns a constraint by name."""
    return CONSTRAINTS[name]
