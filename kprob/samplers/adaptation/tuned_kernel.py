"""A kernel whose step size and mass matrix are tuned while it warms up."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
from keras import ops

from kprob.numerics import select
from kprob.samplers.adaptation import mass_matrix, step_size
from kprob.samplers.adaptation.windows import WarmupWindows
from kprob.samplers.kernels.coordinates import to_coordinates, to_position
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.types import Seed, Tensor

_LITTLE = 1.0  # of the logarithm of a standard deviation


class TunedState(NamedTuple):
    """State of a chain that tunes itself.

    Attributes:
        position: Unconstrained numbers (d,).
        iteration: Transitions so far.
        step: Of dual averaging.
        scale: Standard deviations (d,), or a Cholesky factor (d, d).
        moments: Of the positions in this window.
        known: What a transition remembers for the next one, such as the gradient at the position.
    """

    position: Tensor
    iteration: Tensor
    step: step_size.DualAveraging
    scale: Tensor
    moments: mass_matrix.RunningMoments
    known: Any = ()


class TuningOptions(NamedTuple):
    """How a kernel tunes itself.

    Attributes:
        num_warmup: Transitions that tune.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability to tune to.
        dense_mass: Whether the mass matrix is full.
        cautious: Whether the step size begins anew with the last mass matrix, as Stan's does. Over the few transitions that
            are left it swings, the more so the more acceptance varies, and its average lies below what would meet the
            target: a margin for places that are harder than those that warm-up has seen. Else the average goes on, over
            many more transitions, and meets the target.
    """

    num_warmup: int
    step_size: float
    target_accept_rate: float
    dense_mass: bool = False
    cautious: bool = False


class TunableMove(Protocol):
    """A transition whose scale and step size are arguments, and which may remember something for the next one."""

    def __call__(
        self, seed: Seed, position: Tensor, known: Any, scale: Tensor, step_size: Tensor
    ) -> tuple[Tensor, Any, Info]:
        """Returns the next position, what is known there, and the transition's `Info`."""


def move_in_coordinates(transition: Callable, log_density: Callable) -> TunableMove:
    """Returns the move, which remembers nothing, of a transition in scaled coordinates.

    Args:
        transition: `(seed, z, log_density, step_size) -> (z, Info)`.
        log_density: From a position to a scalar.
    """

    def move(seed: Seed, position: Tensor, known: Any, scale: Tensor, step_size: Tensor) -> tuple[Tensor, Any, Info]:
        z = to_coordinates(scale, position)
        z, info = transition(seed, z, lambda z: log_density(to_position(scale, z)), step_size)
        return to_position(scale, z), known, info

    return move


def remember_nothing(position: Tensor) -> tuple:
    """Returns what most moves know at a position."""
    return ()


def tuned_kernel(move: TunableMove, options: TuningOptions, remember: Callable = remember_nothing) -> Kernel:
    """Returns a kernel that tunes a move while it warms up.

    Args:
        move: The move.
        options: How to tune it.
        remember: `(position) -> known`, what the move needs to know at a position where none has ended.
    """
    num_warmup, dense = options.num_warmup, options.dense_mass
    windows = WarmupWindows(num_warmup)
    last = windows.ends[-1] if len(windows.ends) > 1 else num_warmup

    def init(vector: Tensor) -> TunedState:
        vector = ops.convert_to_tensor(vector)
        dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
        step = step_size.start(ops.convert_to_tensor(np.log(options.step_size), dtype))
        scale = ops.eye(size, dtype=dtype) if dense else ops.ones((size,), dtype)
        moments = mass_matrix.no_moments(size, dense, dtype)
        return TunedState(vector, ops.zeros((), "int32"), step, scale, moments, remember(vector))

    def step(seed: Seed, state: TunedState) -> tuple[TunedState, Info]:
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

    def tune(state: TunedState, iteration: Tensor, accept_rate: Tensor) -> tuple:
        step = step_size.update(state.step, accept_rate, options.target_accept_rate)
        if not windows.ends:
            return step, state.scale, state.moments
        counts, closes = windows.at(iteration)
        moments = select(counts, mass_matrix.add(state.moments, state.position), state.moments)
        scale = ops.cond(closes, lambda: mass_matrix.scale_of(moments), lambda: state.scale)
        empty = keras.tree.map_structure(ops.zeros_like, moments)
        begun = step_size.start(step.log_now)
        if not options.cautious:
            # The last mass matrix mostly differs little from the one before; not if the chain moved elsewhere in between.
            same = ops.logical_and(iteration >= last, mass_matrix.change(state.scale, scale) < _LITTLE)
            begun = select(same, step_size.go_on(step), begun)
        return select(closes, begun, step), scale, select(closes, empty, moments)

    def refresh(state: TunedState) -> TunedState:
        return state._replace(known=remember(state.position))

    return Kernel(init, step, refresh)
