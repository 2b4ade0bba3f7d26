"""Microcanonical Langevin Monte Carlo with Metropolis's correction."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.numerics import select
from kprob.samplers.adaptation import batch_means
from kprob.samplers.adaptation.tuned_kernel import TunedState, TuningOptions, move_in_coordinates, tuned_kernel
from kprob.samplers.argument_checks import check_positive, check_rate
from kprob.samplers.kernels import isokinetic
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.kernel import MAX_ENERGY_ERROR, Info, Kernel
from kprob.samplers.kernels.not_a_number import nan_like
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor

_TUNED = 0.7  # of the warm-up; in the rest the length is measured
_FORGET = 0.4  # of the distance between independent draws


class AdjustedMCLMCState(NamedTuple):
    """State of a chain of adjusted MCLMC.

    Attributes:
        position: Unconstrained numbers (d,).
        iteration: Transitions so far.
        inner: State of the step size and the scale.
        length: Mean length of a trajectory, in scaled coordinates.
        means: Of the positions by which the length is measured.
    """

    position: Tensor
    iteration: Tensor
    inner: TunedState
    length: Tensor
    means: batch_means.BatchMeans


@register
class AdjustedMCLMC(Sampler):
    """Microcanonical trajectories of random lengths, accepted or not: no bias, at the price of smaller steps.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability that the step size is tuned to.
        max_steps: Steps of a trajectory at most.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.AdjustedMCLMC(num_samples=500).target_accept_rate == 0.9
        ```

    Reference:
        Robnik, De Luca, Silverstein and Seljak (2023), "Microcanonical Hamiltonian Monte Carlo"; Robnik, Cohn-Gordon and
        Seljak (2025), "Metropolis adjusted microcanonical Hamiltonian Monte Carlo".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 0.5,
        target_accept_rate: float = 0.9,
        max_steps: int = 200,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_rate(target_accept_rate)
        check_positive("step_size", step_size)
        check_count("max_steps", max_steps, 1, CompileError)
        self.step_size, self.target_accept_rate, self.max_steps = step_size, target_accept_rate, max_steps

    def kernel(self, log_density: Callable) -> Kernel:
        tuned = int(_TUNED * self.num_warmup)
        measuring = batch_means.MeasuringWindow(tuned, self.num_warmup)

        def inner(length: Tensor) -> Kernel:
            def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
                return self._transition(seed, z, target, step_size, length)

            options = TuningOptions(tuned, self.step_size, self.target_accept_rate)
            return tuned_kernel(move_in_coordinates(transition, proper(log_density)), options)

        def init(vector: Tensor) -> AdjustedMCLMCState:
            vector = ops.convert_to_tensor(vector)
            dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
            length = ops.convert_to_tensor(np.sqrt(max(size, 2)), dtype)
            means = batch_means.no_batches(size, dtype)
            return AdjustedMCLMCState(vector, ops.zeros((), "int32"), inner(length).init(vector), length, means)

        def step(seed: Seed, state: AdjustedMCLMCState) -> tuple[AdjustedMCLMCState, Info]:
            now = state.iteration
            moved, info = inner(state.length).step(seed, state.inner)
            state = AdjustedMCLMCState(moved.position, now + 1, moved, state.length, state.means)
            if tuned == self.num_warmup:
                return state, info
            means = batch_means.add(state.means, moved.position)
            means = measuring.closed(now, select(measuring.measures(now), means, state.means))
            # A measurement by few batches is rough: never below what is good for a normal distribution.
            factor = ops.clip(_FORGET * batch_means.steps_to_forget(means), 1.0, 8.0)
            length = ops.where(measuring.is_over(now, means), state.length * factor, state.length)
            return state._replace(means=means, length=length), info

        return Kernel(init, step)

    def _transition(
        self, seed: Seed, z: Tensor, target: Callable, step_size: Tensor, length: Tensor
    ) -> tuple[Tensor, Info]:
        size, dtype = int(z.shape[0]), keras.backend.standardize_dtype(z.dtype)
        keys = [random.fold_in(seed, i) for i in range(3)]
        wide = isokinetic.widened(target, size)
        direction = isokinetic.any_direction(max(size, 2), keys[0], dtype)
        begun = isokinetic.begin(isokinetic.widen(z, keys[1]), direction, wide)
        # A new random length each time keeps trajectories from closing on themselves.
        share, luck = ops.unstack(random.uniform((2,), keys[2], dtype))
        steps = ops.clip(ops.ceil(2.0 * share * length / step_size), 1.0, float(self.max_steps))

        def once(i: Tensor, phase: isokinetic.PhasePoint, error: Tensor) -> tuple:
            phase, more = isokinetic.leapfrog(phase, wide, step_size)
            return i + 1.0, phase, error + more

        zero = ops.zeros((), dtype)
        _, phase, error = ops.while_loop(
            lambda i, phase, error: ops.logical_and(i < steps, ops.isfinite(error)), once, (zero, begun, zero)
        )
        ratio = ops.where(ops.isfinite(error), -error, ops.full_like(error, -float("inf")))
        accepted = ops.log(luck) < ratio
        info = Info(
            log_density=ops.where(accepted, phase.log_density, begun.log_density),
            accept_rate=ops.exp(ops.minimum(ratio, 0.0)),
            step_size=step_size,
            num_steps=steps,
            tree_depth=ops.zeros_like(error),
            diverging=ops.cast(ratio < -MAX_ENERGY_ERROR, "float32"),
            energy=nan_like(error),
        )
        return ops.where(accepted, phase.z[:size], z), info

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "max_steps": self.max_steps,
        }
