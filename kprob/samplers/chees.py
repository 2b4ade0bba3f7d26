"""ChEES-HMC: Hamiltonian Monte Carlo of many chains that learn the length of their trajectories together."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import gradients, precision, random, vectorized_map
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.numerics import select
from kprob.samplers.adaptation import mass_matrix, step_size, trajectory_length
from kprob.samplers.adaptation.windows import WarmupWindows
from kprob.samplers.argument_checks import check_positive, check_rate
from kprob.samplers.kernels.impossible import impossible_if_nan
from kprob.samplers.kernels.kernel import MAX_ENERGY_ERROR, Info, Kernel
from kprob.samplers.positions import flatten, unflatten
from kprob.samplers.sampler import BoundKernel, Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor


class ChEESState(NamedTuple):
    """State of all chains.

    Attributes:
        position: Unconstrained numbers (chains, d).
        iteration: Transitions so far.
        step: Of dual averaging.
        length: Of the trajectories.
        scale: Standard deviations (d,).
        moments: Of the positions of all chains in this window.
    """

    position: Tensor
    iteration: Tensor
    step: step_size.DualAveraging
    length: trajectory_length.TrajectoryLength
    scale: Tensor
    moments: mass_matrix.RunningMoments


@register
class ChEES(Sampler):
    """Hamiltonian Monte Carlo for accelerators: many chains in step, one trajectory length, which they learn together.

    NUTS's trees have a length for each chain, so that chains side by side all wait for the longest. Here all chains make
    the same number of steps; the length is tuned so that the distance from the centre changes as much as it can. Use some
    dozens of chains.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Where the step size starts.
        target_accept_rate: Harmonic mean of the acceptance probabilities that the step size is tuned to.
        max_steps: Steps of a trajectory at most.
        **options: `init`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.ChEES().num_chains == 64
        ```

    Reference:
        Hoffman, Radul and Sountsov (2021), "An adaptive-MCMC scheme for setting trajectory lengths in Hamiltonian Monte
        Carlo".
    """

    ensemble = True

    def __init__(
        self,
        num_warmup: int = 500,
        num_samples: int = 200,
        num_chains: int = 64,
        *,
        step_size: float = 0.1,
        target_accept_rate: float = 0.651,
        max_steps: int = 500,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_positive("step_size", step_size)
        check_rate(target_accept_rate)
        check_count("max_steps", max_steps, 1, CompileError)
        self.step_size, self.target_accept_rate, self.max_steps = step_size, target_accept_rate, max_steps

    def init(self, position: Mapping[str, Tensor], log_density: Callable) -> ChEESState:
        """Returns the state of chains that start at positions.

        Args:
            position: Unconstrained numbers by site, chains along the first axis.
            log_density: From such a dict of one chain to a scalar.
        """
        shapes = {name: tuple(ops.shape(value))[1:] for name, value in position.items()}
        kernel = self.kernel(lambda u: vectorized_map(lambda one: log_density(unflatten(one, shapes)), u, ()))
        self._bound = BoundKernel(kernel, shapes)
        with precision(self.dtype):
            return kernel.init(flatten(position, self.dtype, batch_ndims=1))

    def kernel(self, log_density: Callable) -> Kernel:
        """Returns the transition of all chains.

        Args:
            log_density: From positions (chains, d) to numbers (chains,).
        """
        windows = WarmupWindows(self.num_warmup)

        def init(positions: Tensor) -> ChEESState:
            positions = ops.convert_to_tensor(positions)
            dtype, size = keras.backend.standardize_dtype(positions.dtype), int(positions.shape[1])
            log_step = ops.convert_to_tensor(np.log(self.step_size), dtype)
            length = trajectory_length.start(dtype)
            moments = mass_matrix.no_moments(size, False, dtype)
            count, scale = ops.zeros((), "int32"), ops.ones((size,), dtype)
            return ChEESState(positions, count, step_size.start(log_step), length, scale, moments)

        def step(seed: Seed, state: ChEESState) -> tuple[ChEESState, Info]:
            warming = state.iteration < self.num_warmup
            size, length = state.step.log_now, state.length.log_now
            if self.num_warmup:
                size = ops.where(warming, size, state.step.log_average)
                length = ops.where(warming, length, state.length.log_average)
            state, info, rate, slope = self._transition(seed, state, log_density, ops.exp(size), ops.exp(length))
            return (tuned(state, rate, slope) if self.num_warmup else state), info

        def tuned(state: ChEESState, rate: Tensor, slope: Tensor) -> ChEESState:
            before = state.iteration - 1
            counts, closes = windows.at(before)
            warming = before < self.num_warmup
            step = select(warming, step_size.update(state.step, rate, self.target_accept_rate), state.step)
            moments = select(counts, mass_matrix.add_all(state.moments, state.position), state.moments)
            scale, moments = mass_matrix.renewed(closes, state.scale, moments)
            return state._replace(
                step=select(closes, step_size.start(step.log_now), step),
                length=select(warming, trajectory_length.update(state.length, slope), state.length),
                scale=scale,
                moments=moments,
            )

        return Kernel(init, step)

    def _transition(self, seed: Seed, state: ChEESState, log_density: Callable, size: Tensor, length: Tensor) -> tuple:
        dtype = keras.backend.standardize_dtype(state.position.dtype)
        chains = int(state.position.shape[0])

        def target(z: Tensor) -> Tensor:
            return impossible_if_nan(log_density(z * state.scale))

        def slope_of(z: Tensor) -> Tensor:
            return gradients(lambda z: ops.sum(target(z)), z)[1][0]

        time = trajectory_length.halton(state.iteration, dtype) * 2.0 * length
        steps = ops.clip(ops.ceil(time / size), 1.0, float(self.max_steps))
        z = state.position / state.scale
        p = random.normal(tuple(z.shape), random.fold_in(seed, 0), dtype)
        before = target(z)

        def leapfrog(i: Tensor, x: Tensor, q: Tensor, slope: Tensor) -> tuple:
            q = q + 0.5 * size * slope
            x = x + size * q
            slope = slope_of(x)
            return i + 1.0, x, q + 0.5 * size * slope, slope

        start = (ops.zeros((), dtype), z, p, slope_of(z))
        _, x, q, _ = ops.while_loop(lambda i, *_: i < steps, leapfrog, start)
        after = target(x)
        energy = 0.5 * ops.sum(ops.square(p), axis=-1) - before
        ratio = energy - 0.5 * ops.sum(ops.square(q), axis=-1) + after
        ratio = impossible_if_nan(ratio)
        rates = ops.exp(ops.minimum(ratio, 0.0))
        accepted = ops.log(random.uniform((chains,), random.fold_in(seed, 1), dtype)) < ratio
        moved = ops.where(accepted[:, None], x, z)
        info = Info(
            log_density=ops.where(accepted, after, before),
            accept_rate=rates,
            step_size=size,
            num_steps=steps,
            tree_depth=ops.zeros_like(size),
            diverging=ops.cast(ratio < -MAX_ENERGY_ERROR, "float32"),
            energy=energy,
        )
        harmonic = 1.0 / ops.mean(1.0 / ops.maximum(rates, 1e-6))
        moved_state = state._replace(position=moved * state.scale, iteration=state.iteration + 1)
        return moved_state, info, harmonic, time * trajectory_length.criterion_slope(z, x, q, rates)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "max_steps": self.max_steps,
        }
