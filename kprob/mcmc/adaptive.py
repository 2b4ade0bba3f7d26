"""A transition whose step size and mass matrix are tuned while it warms up."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.mcmc import mass_matrix, step_size
from kprob.mcmc.sampler import Info, Kernel
from kprob.mcmc.windows import windows
from kprob.types import Seed, Tensor


class AdaptiveState(NamedTuple):
    """State of a chain that tunes itself.

    Attributes:
        position: Unconstrained numbers (d,).
        iteration: Transitions so far.
        step: Of dual averaging.
        scale: Standard deviations (d,), or a Cholesky factor (d, d).
        moments: Of the positions in this window.
    """

    position: Tensor
    iteration: Tensor
    step: step_size.StepSize
    scale: Tensor
    moments: mass_matrix.Moments


def adaptive_kernel(
    transition: Callable,
    log_density: Callable,
    num_warmup: int,
    initial_step_size: float,
    target_accept_rate: float,
    dense: bool,
    adapt_mass: bool = True,
) -> Kernel:
    """Returns a kernel that tunes itself during the first `num_warmup` transitions.

    Args:
        transition: `(seed, z, log_density, step_size) -> (z, Info)`, a transition in scaled coordinates.
        log_density: From a vector to a scalar.
        num_warmup: Transitions that tune.
        initial_step_size: Where the step size starts.
        target_accept_rate: Acceptance probability wanted.
        dense: Whether the mass matrix is full.
        adapt_mass: Whether it is learned.
    """
    slow, closing = windows(num_warmup) if adapt_mass else (np.zeros(num_warmup, bool),) * 2
    slow, closing = np.append(slow, False), np.append(closing, False)

    def init(vector: Tensor) -> AdaptiveState:
        vector = ops.convert_to_tensor(vector)
        dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
        step = step_size.start(ops.convert_to_tensor(np.log(initial_step_size), dtype))
        scale = ops.eye(size, dtype=dtype) if dense else ops.ones((size,), dtype)
        return AdaptiveState(vector, ops.zeros((), "int32"), step, scale, mass_matrix.no_moments(size, dense, dtype))

    def step(seed: Seed, state: AdaptiveState) -> tuple[AdaptiveState, Info]:
        warming = state.iteration < num_warmup
        size = (
            ops.exp(ops.where(warming, state.step.log_now, state.step.log_average))
            if num_warmup
            else (ops.exp(state.step.log_now))
        )
        z = mass_matrix.to_coordinates(state.scale, state.position)
        z, info = transition(seed, z, lambda z: log_density(mass_matrix.to_position(state.scale, z)), size)
        position = mass_matrix.to_position(state.scale, z)
        moved = state._replace(position=position, iteration=state.iteration + 1)
        if not num_warmup:
            return moved, info
        return _tuned(moved, state.iteration, warming, info), info

    def _tuned(state: AdaptiveState, iteration: Tensor, warming: Tensor, info: Info) -> AdaptiveState:
        index = ops.minimum(iteration, num_warmup)
        counts = ops.take(ops.convert_to_tensor(slow), index)
        closes = ops.take(ops.convert_to_tensor(closing), index)
        step = _where(warming, step_size.update(state.step, info.accept_rate, target_accept_rate), state.step)
        moments = _where(counts, mass_matrix.add(state.moments, state.position), state.moments)
        if not closing.any():
            return state._replace(step=step, moments=moments)
        scale = ops.cond(closes, lambda: mass_matrix.scale_of(moments), lambda: state.scale)
        empty = mass_matrix.Moments(*(ops.zeros_like(value) for value in moments))
        return state._replace(
            step=_where(closes, step_size.start(step.log_now), step),
            scale=scale,
            moments=_where(closes, empty, moments),
        )

    return Kernel(init, step)


def _where(condition: Tensor, new: Any, old: Any) -> Any:
    return type(new)(*(ops.where(condition, a, b) for a, b in zip(new, old, strict=True)))
