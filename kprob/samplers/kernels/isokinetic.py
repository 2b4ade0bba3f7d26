"""Isokinetic dynamics: the momentum is a direction u on the unit sphere, turned uphill by the gradient g of log p.

    dx/dt = u        du/dt = (1 - u uᵀ) g / (d - 1)

Along it, ΔE = (d - 1) Δlog(cosh δ + e·u sinh δ) - Δ log p is 0, and in steps of a finite size nearly so. The sphere of one
dimension is two points, on which nothing turns: there a second coordinate, standard normal, keeps the first company.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from kprob.backend import gradients, random
from kprob.types import Seed, Tensor


class PhasePoint(NamedTuple):
    """A point of a trajectory.

    Attributes:
        z: Coordinates (D,).
        direction: Unit vector (D,).
        log_density: At `z`.
        slope: Gradient at `z` (D,).
    """

    z: Tensor
    direction: Tensor
    log_density: Tensor
    slope: Tensor


def widened(target: Callable, size: int) -> Callable:
    """Returns the log-density of at least two coordinates."""
    if size > 1:
        return target
    return lambda z: target(z[:size]) - 0.5 * ops.sum(ops.square(z[size:]))


def widen(z: Tensor, seed: Seed) -> Tensor:
    """Returns at least two coordinates; one that is added is drawn, which leaves the others' distribution as it is."""
    if z.shape[0] > 1:
        return z
    return ops.concatenate([z, random.normal((1,), seed, keras.backend.standardize_dtype(z.dtype))])


def widen_known(z: Tensor, log_density: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Returns log-density and gradient at widened coordinates from those of the coordinates proper."""
    added = z[slope.shape[0] :]
    return log_density - 0.5 * ops.sum(ops.square(added)), ops.concatenate([slope, -added])


def narrow_known(phase: PhasePoint, size: int) -> tuple[Tensor, Tensor]:
    """Returns log-density and gradient of the coordinates proper at a point."""
    return phase.log_density + 0.5 * ops.sum(ops.square(phase.z[size:])), phase.slope[:size]


def any_direction(size: int, seed: Seed, dtype: str) -> Tensor:
    """Returns a direction, uniform on the sphere."""
    return _unit(random.normal((size,), seed, dtype))


def begin(z: Tensor, direction: Tensor, target: Callable) -> PhasePoint:
    """Returns the first point of a trajectory."""
    value, (slope,) = gradients(target, z)
    return PhasePoint(z, direction, value, slope)


def leapfrog(phase: PhasePoint, target: Callable, step_size: Tensor) -> tuple[PhasePoint, Tensor]:
    """Makes a step, with one gradient.

    Returns:
        The new point, and the error of the energy.
    """
    direction, first = _turn(phase.direction, phase.slope, 0.5 * step_size)
    z = phase.z + step_size * direction
    value, (slope,) = gradients(target, z)
    direction, second = _turn(direction, slope, 0.5 * step_size)
    return PhasePoint(z, direction, value, slope), first + second - (value - phase.log_density)


def refresh(direction: Tensor, seed: Seed, step_size: Tensor, length: Tensor) -> Tensor:
    """Mixes a direction with noise, so that it is forgotten over a length."""
    size = direction.shape[0]
    share = ops.sqrt((ops.exp(2.0 * step_size / length) - 1.0) / size)
    noise = random.normal((size,), seed, keras.backend.standardize_dtype(direction.dtype))
    return _unit(direction + share * noise)


def _turn(direction: Tensor, slope: Tensor, step_size: Tensor) -> tuple[Tensor, Tensor]:
    # The exact flow of the direction under a constant gradient, in a form that doesn't overflow.
    dims = direction.shape[0] - 1.0
    norm = ops.sqrt(ops.sum(ops.square(slope)) + 1e-30)
    uphill = slope / norm
    delta = step_size * norm / dims
    along = ops.sum(uphill * direction)
    decay = ops.exp(-delta)
    turned = uphill * (1.0 - decay) * (1.0 + decay + along * (1.0 - decay)) + 2.0 * decay * direction
    gain = delta - 0.6931472 + ops.log(1.0 + along + (1.0 - along) * ops.square(decay))
    return _unit(turned), dims * gain


def _unit(vector: Tensor) -> Tensor:
    return vector / ops.sqrt(ops.sum(ops.square(vector)))
