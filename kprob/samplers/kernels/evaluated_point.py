"""A position with its log-density and gradient, which a sampler remembers rather than compute them twice."""

from collections.abc import Callable
from typing import NamedTuple

from kprob.backend import gradients
from kprob.samplers.kernels.impossible import impossible_if_nan
from kprob.types import Tensor


class EvaluatedPoint(NamedTuple):
    """A position with its log-density and gradient.

    Attributes:
        position: Unconstrained numbers (d,).
        slope: Gradient of the log-density (d,).
        log_density: At the position.
    """

    position: Tensor
    slope: Tensor
    log_density: Tensor


def evaluate(position: Tensor, log_density: Callable) -> EvaluatedPoint:
    """Returns the point at a position; NaN counts as -inf: the place is impossible, and no reason to stop."""
    value, (slope,) = gradients(log_density, position)
    return EvaluatedPoint(position, slope, impossible_if_nan(value))
