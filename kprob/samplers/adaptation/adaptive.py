"""A transition whose step size and mass matrix are tuned while it warms up."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.numerics import select
from kprob.samplers.adaptation import mass_matrix, step_size
from kprob.samplers.adaptation.windows import windows
from kprob.samplers.sampler import Info, Kernel
from kprob.types import Seed, Tensor

_LITTLE = 1.0  # of the logarithm of a standard deviation


class AdaptiveState(NamedTuple):
    """State of a chain that tunes itself.

    Attributes:
        position: Unconstrained numbers (d,).
        iteration: Transitions so far.
        step: Of dual averaging.
        scale: Standard deviations (d,), or a Cholesky factor (d, d).
        moments: Of the positions in this window.
        known: What the transition handed on to the next one, such as the gradient at the position.
    """

    position: Tensor
    iteration: Tensor
    step: step_size.StepSize
    scale: Tensor
    moments: mass_matrix.Moments
    known: Any = ()


class Tuning(NamedTuple):
    """How a kernel tunes itself.

    Attributes:
        num_warmup: Transitions that tune.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability wanted.
        dense_mass: Whether the mass matrix is full.
    """

    num_warmup: int
    step_size: float
    target_accept_rate: float
    dense_mass: bool = False


def adaptive_kernel(transition: Callable, log_density: Callable, tuning: Tuning) -> Kernel:
    """Returns a kernel that tunes itself while it warms up.

    Args:
        transition: `(seed, z, log_density, step_size) -> (z, Info)`, a transition in scaled coordinates.
        log_density: From a vector to a scalar.
        tuning: How.
    """

    def move(seed: Seed, position: Tensor, known: tuple, scale: Tensor, size: Tensor) -> tuple[Tensor, tuple, Info]:
        z = mass_matrix.to_coordinates(scale, position)
        z, info = transition(seed, z, lambda z: log_density(mass_matrix.to_position(scale, z)), size)
        return mass_matrix.to_position(scale, z), known, info

    return tuned(move, lambda _: (), tuning)


def tuned(move: Callable, know: Callable, tuning: Tuning) -> Kernel:
    """Returns a kernel that tunes itself, from a move that scales positions itself.

    Args:
        move: `(seed, position, known, scale, step_size) -> (position, known, Info)`.
        know: `(position) -> known`, what a first move needs to know.
        tuning: How.
    """
    num_warmup, dense = tuning.num_warmup, tuning.dense_mass
    slow, closing = windows(num_warmup)
    slow, closing = np.append(slow, False), np.append(closing, False)
    last = np.flatnonzero(closing)[-1] if closing.sum() > 1 else num_warmup

    def init(vector: Tensor) -> AdaptiveState:
        vector = ops.convert_to_tensor(vector)
        dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
        step = step_size.start(ops.convert_to_tensor(np.log(tuning.step_size), dtype))
        scale = ops.eye(size, dtype=dtype) if dense else ops.ones((size,), dtype)
        moments = mass_matrix.no_moments(size, dense, dtype)
        return AdaptiveState(vector, ops.zeros((), "int32"), step, scale, moments, know(vector))

    def step(seed: Seed, state: AdaptiveState) -> tuple[AdaptiveState, Info]:
        warming = state.iteration < num_warmup
        log_size = ops.where(warming, state.step.log_now, state.step.log_average) if num_warmup else state.step.log_now
        position, known, info = move(seed, state.position, state.known, state.scale, ops.exp(log_size))
        moved = state._replace(position=position, iteration=state.iteration + 1, known=known)
        if not num_warmup:
            return moved, info
        step, scale, moments = ops.cond(
            warming,
            lambda: tune(moved, state.iteration, info.accept_rate),
            lambda: (state.step, state.scale, state.moments),
        )
        return moved._replace(step=step, scale=scale, moments=moments), info

    def tune(state: AdaptiveState, iteration: Tensor, accept_rate: Tensor) -> tuple:
        step = step_size.update(state.step, accept_rate, tuning.target_accept_rate)
        if not closing.any():
            return step, state.scale, state.moments
        index = ops.minimum(iteration, num_warmup)
        counts = ops.take(ops.convert_to_tensor(slow), index)
        closes = ops.take(ops.convert_to_tensor(closing), index)
        moments = select(counts, mass_matrix.add(state.moments, state.position), state.moments)
        scale = ops.cond(closes, lambda: mass_matrix.scale_of(moments), lambda: state.scale)
        empty = mass_matrix.Moments(*(ops.zeros_like(value) for value in moments))
        # The last mass matrix mostly differs little from the one before; not if the chain moved elsewhere in between.
        same = ops.logical_and(iteration >= last, mass_matrix.change(state.scale, scale) < _LITTLE)
        begun = select(same, step_size.go_on(step), step_size.start(step.log_now))
        return select(closes, begun, step), scale, select(closes, empty, moments)

    return Kernel(init, step)
