"""Microcanonical Langevin Monte Carlo."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.numerics import select
from kprob.samplers.adaptation import batch_means, energy_error, mass_matrix
from kprob.samplers.adaptation.energy_error import EnergyErrorTuning
from kprob.samplers.adaptation.windows import WarmupWindows
from kprob.samplers.argument_checks import check_positive
from kprob.samplers.kernels import isokinetic
from kprob.samplers.kernels.coordinates import to_position, to_slope
from kprob.samplers.kernels.evaluated_point import evaluate
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.isokinetic import PhasePoint
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.not_a_number import nan_like
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor

# Of the warm-up: until when the scale is learned, and from when the time to forget is measured.
_SCALED, _MEASURED = 0.6, 0.7
_FORGET = 0.4  # of the distance between independent draws


class MCLMCState(NamedTuple):
    """State of a chain of MCLMC.

    Attributes:
        position: Unconstrained numbers (d,).
        iteration: Transitions so far.
        direction: Unit vector (max(d, 2),).
        scale: Standard deviations (d,).
        length: Distance over which the direction is forgotten, in scaled coordinates.
        tuning: Of the step size.
        moments: Of the positions in this window.
        means: Of the steps by which the length is measured.
        log_density: At the position.
        slope: Gradient there (d,).
    """

    position: Tensor
    iteration: Tensor
    direction: Tensor
    scale: Tensor
    length: Tensor
    tuning: EnergyErrorTuning
    moments: mass_matrix.RunningMoments
    means: batch_means.BatchMeans
    log_density: Tensor
    slope: Tensor


@register
class MCLMC(Sampler):
    """Microcanonical Langevin Monte Carlo: a path of constant energy, whose direction is slowly forgotten.

    No proposal is rejected, so that steps are long and cheap; the price is a bias, which `energy_variance` bounds. Use
    it for many latents; `AdjustedMCLMC` has no bias. While warming up, the step size is tuned to the energy's variance,
    the scale to the latents' standard deviations, and the length to the distance between independent draws.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        num_steps: Steps of a transition, with a gradient each; the last one is the draw. Four are enough where the latents
            are about independent, dozens pay where one of them moves only when all others do.
        energy_variance: Variance of the energy's error per latent that the step size is tuned to.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.MCLMC(num_steps=20).num_steps == 20
        ```

    Reference:
        Robnik, De Luca, Silverstein and Seljak (2023), "Microcanonical Hamiltonian Monte Carlo".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        num_steps: int = 10,
        energy_variance: float = 5e-4,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_count("num_steps", num_steps, 1, CompileError)
        check_positive("energy_variance", energy_variance)
        self.num_steps, self.energy_variance = num_steps, energy_variance

    def kernel(self, log_density: Callable) -> Kernel:
        log_density = proper(log_density)
        schedule = _MCLMCSchedule(self.num_warmup)

        def init(vector: Tensor) -> MCLMCState:
            vector = ops.convert_to_tensor(vector)
            dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
            wide = max(size, 2)
            start = evaluate(vector, log_density)
            # Any direction does: the first transition draws another one.
            direction = ops.ones((wide,), dtype) / np.sqrt(wide).astype(dtype)
            return MCLMCState(
                vector,
                ops.zeros((), "int32"),
                direction,
                ops.ones((size,), dtype),
                ops.convert_to_tensor(np.sqrt(wide), dtype),
                energy_error.start(wide, dtype),
                mass_matrix.no_moments(size, False, dtype),
                batch_means.no_batches(size, dtype),
                start.log_density,
                start.slope,
            )

        def step(seed: Seed, state: MCLMCState) -> tuple[MCLMCState, Info]:
            state, info = self._transition(seed, state, log_density, schedule)
            return (schedule.tuned(state) if self.num_warmup else state), info

        return Kernel(init, step)

    def _transition(
        self, seed: Seed, state: MCLMCState, log_density: Callable, schedule: "_MCLMCSchedule"
    ) -> tuple[MCLMCState, Info]:
        size, wide = int(state.position.shape[0]), int(state.direction.shape[0])
        target = isokinetic.widened(lambda z: log_density(to_position(state.scale, z)), size)
        tunes = state.iteration < schedule.measuring.begin
        measures = schedule.measuring.measures(state.iteration)
        z = isokinetic.widen(state.position / state.scale, random.fold_in(seed, 0))
        dtype = keras.backend.standardize_dtype(z.dtype)
        fresh = isokinetic.any_direction(wide, random.fold_in(seed, 1), dtype)
        direction = ops.where(state.iteration == 0, fresh, state.direction)
        slope = to_slope(state.scale, state.slope)
        phase = PhasePoint(z, direction, *isokinetic.widen_known(z, state.log_density, slope))

        def once(i: Tensor, phase: PhasePoint, tuning: EnergyErrorTuning, means: Any, failures: Tensor) -> tuple:
            key = random.fold_in(random.fold_in(seed, 2), i)
            moved, error = isokinetic.leapfrog(phase, target, tuning.step_size)
            ended = ops.logical_not(ops.isfinite(error))
            # Back the way it came, where the density ends.
            moved = select(ended, phase._replace(direction=-phase.direction), moved)
            turned = isokinetic.refresh(moved.direction, key, tuning.step_size, state.length)
            tuned = energy_error.update(tuning, ops.where(ended, 0.0, error), ended, self.energy_variance * wide)
            means = select(measures, batch_means.add(means, moved.z[:size]), means)
            failures = failures + ops.cast(ended, "float32")
            return i + 1, moved._replace(direction=turned), select(tunes, tuned, tuning), means, failures

        start = (ops.zeros((), "int32"), phase, state.tuning, state.means, ops.zeros((), "float32"))
        _, phase, tuning, means, failures = ops.while_loop(lambda i, *_: i < self.num_steps, once, start)
        log_density, slope = isokinetic.narrow_known(phase, size)
        info = Info(
            log_density=log_density,
            accept_rate=1.0 - failures / self.num_steps,
            step_size=tuning.step_size,
            num_steps=ops.full_like(failures, self.num_steps),
            tree_depth=ops.zeros_like(failures),
            diverging=ops.cast(ops.logical_and(failures > 0, ops.logical_not(tunes)), "float32"),
            energy=nan_like(failures),
        )
        position = to_position(state.scale, phase.z[:size])
        moved = state._replace(position=position, direction=phase.direction, tuning=tuning, means=means)
        moved = moved._replace(log_density=log_density, slope=slope / state.scale)
        return moved._replace(iteration=state.iteration + 1), info

    def get_config(self) -> dict:
        return {**super().get_config(), "num_steps": self.num_steps, "energy_variance": self.energy_variance}


class _MCLMCSchedule:
    # What is tuned when, in a warm-up of a length.
    def __init__(self, num_warmup: int):
        measured = int(_MEASURED * num_warmup) if num_warmup >= 20 else num_warmup
        self.measuring = batch_means.MeasuringWindow(measured, num_warmup)
        self._windows = WarmupWindows(num_warmup, int(_SCALED * num_warmup))

    def tuned(self, state: MCLMCState) -> MCLMCState:
        before = state.iteration - 1
        counts, closes = self._windows.at(before)
        dtype, wide = keras.backend.standardize_dtype(state.position.dtype), int(state.direction.shape[0])
        moments = select(counts, mass_matrix.add(state.moments, state.position), state.moments)
        scale, moments = mass_matrix.renewed(closes, state.scale, moments)
        means = self.measuring.closed(before, state.means)
        forget = _FORGET * state.tuning.step_size * batch_means.steps_to_forget(means)
        # A measurement by few batches is rough: not below a step, nor far from what a normal distribution wants.
        length = ops.clip(forget, 0.3 * np.sqrt(wide), 10.0 * np.sqrt(wide))
        return state._replace(
            scale=scale,
            moments=moments,
            tuning=select(closes, energy_error.start(wide, dtype), state.tuning),
            means=means,
            length=ops.where(self.measuring.is_over(before, means), ops.cast(length, dtype), state.length),
        )
