"""Log-densities that are no number: such a place is impossible (-inf), and no reason to stop."""

from collections.abc import Callable

from keras import ops

from kprob.types import Tensor


def impossible_if_nan(value: Tensor) -> Tensor:
    """Returns -inf in place of NaN."""
    return ops.where(ops.isnan(value), ops.full_like(value, -float("inf")), value)


def proper(log_density: Callable) -> Callable:
    """Returns a log-density that is -inf where another one is NaN."""
    return lambda z: impossible_if_nan(log_density(z))
