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
from kprob.samplers.adaptation import correlation, mass_matrix
from kprob.samplers.adaptation.windows import windows
from kprob.samplers.kernels import isokinetic
from kprob.samplers.kernels.moves import nan_like
from kprob.samplers.kernels.trajectory import evaluate
from kprob.samplers.nuts import proper
from kprob.samplers.sampler import Info, Kernel, Sampler
from kprob.samplers.stepping import check_positive
from kprob.saving import register
from kprob.types import Seed, Tensor

# Of the warm-up: until when the scale is learned, and from when the time to forget is measured.
_SCALED, _MEASURED = 0.6, 0.7
_MEMORY = 10.0, 150.0  # steps that count for the step size: a quarter of all, within these bounds
_TRUST = 1.5
_FORGET = 0.4  # of the distance between independent draws


class StepTuning(NamedTuple):
    """How the step size is found: from the errors of the energy, whose variance grows with its sixth power.

    Attributes:
        step_size: The step size.
        largest: No step size is above it: there the density ended.
        weighted: Weighted sum of error² / step_size⁶.
        weight: Sum of the weights.
        count: Steps that are summed up.
    """

    step_size: Tensor
    largest: Tensor
    weighted: Tensor
    weight: Tensor
    count: Tensor


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
        means: Of the steps by which the length is found.
        log_density: At the position.
        slope: Gradient there (d,).
    """

    position: Tensor
    iteration: Tensor
    direction: Tensor
    scale: Tensor
    length: Tensor
    tuning: StepTuning
    moments: mass_matrix.Moments
    means: correlation.BatchMeans
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
        check_positive(self, "energy_variance", energy_variance)
        self.num_steps, self.energy_variance = num_steps, energy_variance

    def kernel(self, log_density: Callable) -> Kernel:
        log_density = proper(log_density)
        schedule = _Schedule(self.num_warmup)

        def init(vector: Tensor) -> MCLMCState:
            vector = ops.convert_to_tensor(vector)
            dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
            wide = max(size, 2)
            start = evaluate(vector, log_density)
            # Any direction does: it is drawn anew in the first transition.
            direction = ops.ones((wide,), dtype) / np.sqrt(wide).astype(dtype)
            return MCLMCState(
                vector,
                ops.zeros((), "int32"),
                direction,
                ops.ones((size,), dtype),
                ops.convert_to_tensor(np.sqrt(wide), dtype),
                _start_tuning(wide, dtype),
                mass_matrix.no_moments(size, False, dtype),
                correlation.no_batches(size, dtype),
                start.log_density,
                start.slope,
            )

        def step(seed: Seed, state: MCLMCState) -> tuple[MCLMCState, Info]:
            state, info = self._transition(seed, state, log_density, schedule)
            return (schedule.tuned(state) if self.num_warmup else state), info

        return Kernel(init, step)

    def _transition(
        self, seed: Seed, state: MCLMCState, log_density: Callable, schedule: "_Schedule"
    ) -> tuple[MCLMCState, Info]:
        size, wide = int(state.position.shape[0]), int(state.direction.shape[0])
        target = isokinetic.widened(lambda z: log_density(mass_matrix.to_position(state.scale, z)), size)
        tunes, measures = state.iteration < schedule.measured, schedule.measures(state.iteration)
        z = isokinetic.widen(state.position / state.scale, random.fold_in(seed, 0))
        dtype = keras.backend.standardize_dtype(z.dtype)
        fresh = isokinetic.any_direction(wide, random.fold_in(seed, 1), dtype)
        direction = ops.where(state.iteration == 0, fresh, state.direction)
        slope = mass_matrix.to_slope(state.scale, state.slope)
        phase = isokinetic.Phase(z, direction, *isokinetic.widen_known(z, state.log_density, slope))

        def once(i: Tensor, phase: isokinetic.Phase, tuning: StepTuning, means: Any, failures: Tensor) -> tuple:
            key = random.fold_in(random.fold_in(seed, 2), i)
            moved, error = isokinetic.leapfrog(phase, target, tuning.step_size)
            ended = ops.logical_not(ops.isfinite(error))
            # Back the way it came, where the density ends.
            moved = select(ended, phase._replace(direction=-phase.direction), moved)
            turned = isokinetic.refresh(moved.direction, key, tuning.step_size, state.length)
            found = _tune(tuning, ops.where(ended, 0.0, error), ended, self.energy_variance * wide)
            means = select(measures, correlation.add(means, moved.z[:size]), means)
            failures = failures + ops.cast(ended, "float32")
            return i + 1, moved._replace(direction=turned), select(tunes, found, tuning), means, failures

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
        position = mass_matrix.to_position(state.scale, phase.z[:size])
        moved = state._replace(position=position, direction=phase.direction, tuning=tuning, means=means)
        moved = moved._replace(log_density=log_density, slope=slope / state.scale)
        return moved._replace(iteration=state.iteration + 1), info

    def get_config(self) -> dict:
        return {**super().get_config(), "num_steps": self.num_steps, "energy_variance": self.energy_variance}


class _Schedule:
    # What is tuned when, in a warm-up of a length.
    def __init__(self, num_warmup: int):
        self.num_warmup = num_warmup
        self.measured = int(_MEASURED * num_warmup) if num_warmup >= 20 else num_warmup
        self.batch = correlation.batch_length(num_warmup - self.measured)
        slow, closing = windows(int(_SCALED * num_warmup))
        rest = num_warmup + 1 - len(slow)
        self.slow, self.closing = np.append(slow, np.zeros(rest, bool)), np.append(closing, np.zeros(rest, bool))

    def measures(self, iteration: Tensor) -> Tensor:
        return ops.logical_and(iteration >= self.measured, iteration < self.num_warmup)

    def tuned(self, state: MCLMCState) -> MCLMCState:
        before = state.iteration - 1
        index = ops.minimum(before, self.num_warmup)
        counts = ops.take(ops.convert_to_tensor(self.slow), index)
        closes = ops.take(ops.convert_to_tensor(self.closing), index)
        dtype, wide = keras.backend.standardize_dtype(state.position.dtype), int(state.direction.shape[0])
        moments = select(counts, mass_matrix.add(state.moments, state.position), state.moments)
        empty = mass_matrix.no_moments(int(state.position.shape[0]), False, dtype)
        ends = ops.logical_and(self.measures(before), (before - self.measured) % self.batch == self.batch - 1)
        means = select(ends, correlation.close(state.means), state.means)
        forget = _FORGET * state.tuning.step_size * correlation.steps_to_forget(means)
        # A measurement by few batches is rough: not below a step, nor far from what a normal distribution wants.
        length = ops.clip(forget, 0.3 * np.sqrt(wide), 10.0 * np.sqrt(wide))
        last = ops.logical_and(before == self.num_warmup - 1, means.batches.count > 3)
        return state._replace(
            scale=ops.where(closes, mass_matrix.scale_of(moments), state.scale),
            moments=select(closes, empty, moments),
            tuning=select(closes, _start_tuning(wide, dtype), state.tuning),
            means=means,
            length=ops.where(last, ops.cast(length, dtype), state.length),
        )


def _start_tuning(wide: int, dtype: str) -> StepTuning:
    zero = ops.zeros((), dtype)
    largest = ops.full((), float("inf"), dtype)
    return StepTuning(ops.convert_to_tensor(0.25 * np.sqrt(wide), dtype), largest, zero, zero, zero)


def _tune(tuning: StepTuning, error: Tensor, ended: Tensor, wanted: float) -> StepTuning:
    # Robnik et al. (2023): each step tells how large one would have been whose error is as wanted. A chain that began where
    # nearly every step ends must not stay with the size that it needed to get away: what was before an end is forgotten.
    ratio = ops.square(error) / wanted + 1e-8
    weight = ops.exp(-0.5 * ops.square(ops.log(ratio) / (6.0 * _TRUST)))
    memory = ops.clip(0.25 * tuning.count, *_MEMORY)
    keep = (memory - 1.0) / (memory + 1.0)
    largest = ops.where(ended, 0.8 * tuning.step_size, 1.02 * tuning.largest)
    weighted = keep * tuning.weighted + weight * ratio / tuning.step_size**6
    total = keep * tuning.weight + weight
    best = (ops.maximum(weighted, 1e-30) / ops.maximum(total, 1e-30)) ** (-1.0 / 6.0)
    moved = StepTuning(ops.minimum(best, largest), largest, weighted, total, tuning.count + 1.0)
    zero = ops.zeros_like(total)
    return select(ended, StepTuning(largest, largest, zero, zero, zero), moved)
