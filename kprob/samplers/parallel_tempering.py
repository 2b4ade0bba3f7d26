"""Parallel tempering: replicas of a chain at temperatures that swap places, so that one gets from mode to mode."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.numerics import select
from kprob.samplers.adaptation import mass_matrix, step_size
from kprob.samplers.adaptation.windows import WarmupWindows
from kprob.samplers.argument_checks import check_positive, check_rate
from kprob.samplers.kernels import metropolis
from kprob.samplers.kernels.coordinates import to_position
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.replica_exchange import exchange
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor


class ParallelTemperingState(NamedTuple):
    """State of a chain and its replicas.

    Attributes:
        position: Unconstrained numbers of the replica at temperature one (d,).
        iteration: Transitions so far.
        replicas: Positions at all temperatures, the first one's at one (replicas, d).
        step: Of dual averaging, for each replica.
        scale: Standard deviations (d,).
        moments: Of the positions in this window.
    """

    position: Tensor
    iteration: Tensor
    replicas: Tensor
    step: step_size.DualAveraging
    scale: Tensor
    moments: mass_matrix.RunningMoments


@register
class ParallelTempering(Sampler):
    """Parallel tempering with Hamiltonian moves: chains on p(z)^β for falling β, of which neighbours swap places.

    Use it for posteriors with modes far apart. The hottest replica must get from one mode to the other by itself:
    lower `lowest_power` until it does, and use more replicas where few swaps are accepted.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains, with replicas of their own.
        num_replicas: Powers β, from 1 down to `lowest_power` by equal factors.
        lowest_power: β of the hottest replica.
        num_leapfrog_steps: Steps of a trajectory.
        step_size: Where the step sizes start.
        target_accept_rate: Acceptance probability that each replica's step size is tuned to.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.ParallelTempering(num_replicas=4).num_replicas == 4
        ```

    Reference:
        Geyer (1991), "Markov chain Monte Carlo maximum likelihood"; Syed, Bouchard-Côté, Deligiannidis and Doucet (2022),
        "Non-reversible parallel tempering".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        num_replicas: int = 6,
        lowest_power: float = 0.02,
        num_leapfrog_steps: int = 8,
        step_size: float = 0.1,
        target_accept_rate: float = 0.8,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_count("num_replicas", num_replicas, 2, CompileError)
        check_count("num_leapfrog_steps", num_leapfrog_steps, 1, CompileError)
        check_rate(lowest_power, "lowest_power")
        check_positive("step_size", step_size)
        check_rate(target_accept_rate)
        self.num_replicas, self.lowest_power, self.num_leapfrog_steps = num_replicas, lowest_power, num_leapfrog_steps
        self.step_size, self.target_accept_rate = step_size, target_accept_rate

    def kernel(self, log_density: Callable) -> Kernel:
        log_density, number = proper(log_density), self.num_replicas
        powers = self.lowest_power ** (np.arange(number) / (number - 1.0))
        windows = WarmupWindows(self.num_warmup)

        def init(vector: Tensor) -> ParallelTemperingState:
            vector = ops.convert_to_tensor(vector)
            dtype, size = keras.backend.standardize_dtype(vector.dtype), int(vector.shape[0])
            start = step_size.start(ops.convert_to_tensor(np.log(self.step_size) - 0.5 * np.log(powers), dtype))
            replicas = ops.repeat(vector[None], number, axis=0)
            moments = mass_matrix.no_moments(size, False, dtype)
            return ParallelTemperingState(
                vector, ops.zeros((), "int32"), replicas, start, ops.ones((size,), dtype), moments
            )

        def step(seed: Seed, state: ParallelTemperingState) -> tuple[ParallelTemperingState, Info]:
            betas = ops.convert_to_tensor(powers, keras.backend.standardize_dtype(state.position.dtype))
            warming = state.iteration < self.num_warmup
            log_sizes = state.step.log_now
            if self.num_warmup:
                log_sizes = ops.where(warming, log_sizes, state.step.log_average)
            sizes = ops.exp(log_sizes)
            replicas, values, rates, energy = self._moved(seed, state, log_density, betas, sizes)
            order = exchange(values, betas, state.iteration, random.fold_in(seed, number))
            replicas = ops.take(replicas, order, axis=0)
            info = Info(
                log_density=ops.take(values, order, axis=0)[0],
                accept_rate=rates[0],
                step_size=sizes[0],
                num_steps=ops.full_like(sizes[0], number * self.num_leapfrog_steps),
                tree_depth=ops.zeros_like(sizes[0]),
                diverging=ops.zeros_like(sizes[0]),
                energy=energy,
            )
            moved = state._replace(position=replicas[0], iteration=state.iteration + 1, replicas=replicas)
            return (tuned(moved, rates) if self.num_warmup else moved), info

        def tuned(state: ParallelTemperingState, rates: Tensor) -> ParallelTemperingState:
            before = state.iteration - 1
            counts, closes = windows.at(before)
            updated = step_size.update(state.step, rates, self.target_accept_rate)
            step = select(before < self.num_warmup, updated, state.step)
            moments = select(counts, mass_matrix.add(state.moments, state.position), state.moments)
            scale, moments = mass_matrix.renewed(closes, state.scale, moments)
            return state._replace(
                step=select(closes, step_size.start(step.log_now), step), scale=scale, moments=moments
            )

        return Kernel(init, step)

    def _moved(
        self, seed: Seed, state: ParallelTemperingState, log_density: Callable, betas: Tensor, sizes: Tensor
    ) -> tuple:
        def once(i: Tensor, replicas: Tensor, values: Tensor, rates: Tensor, energies: Tensor) -> tuple:
            beta = betas[i]

            def target(z: Tensor) -> Tensor:
                return beta * log_density(to_position(state.scale, z))

            z = state.replicas[i] / state.scale
            move = metropolis.hamiltonian(random.fold_in(seed, i), z, target, sizes[i], self.num_leapfrog_steps)
            return (
                i + 1,
                ops.slice_update(replicas, (i, ops.zeros_like(i)), (move.position * state.scale)[None]),
                ops.slice_update(values, (i,), (move.log_density / beta)[None]),
                ops.slice_update(rates, (i,), metropolis.accept_rate(move)[None]),
                ops.slice_update(energies, (i,), move.energy[None]),
            )

        empty = ops.zeros_like(betas)
        start = (ops.zeros((), "int32"), state.replicas, empty, empty, empty)
        _, replicas, values, rates, energies = ops.while_loop(lambda i, *_: i < self.num_replicas, once, start)
        return replicas, values, rates, energies[0]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_replicas": self.num_replicas,
            "lowest_power": self.lowest_power,
            "num_leapfrog_steps": self.num_leapfrog_steps,
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
        }
