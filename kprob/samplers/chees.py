"""ChEES-HMC: Hamiltonian Monte Carlo of many chains that find the length of their trajectories together."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import gradients, precision, random, vectorized_map
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.numerics import select
from kprob.samplers.adaptation import mass_matrix, step_size
from kprob.samplers.adaptation.windows import windows
from kprob.samplers.nuts import check_rate
from kprob.samplers.sampler import Info, Kernel, Sampler, unflatten
from kprob.samplers.stepping import check_positive
from kprob.saving import register
from kprob.types import Seed, Tensor

_RATE, _SECOND_DECAY = 0.025, 0.95  # of Adam, on the length's logarithm
_BITS = 20
_DIVERGENCE = 1000.0


class Length(NamedTuple):
    """State of Adam on the logarithm of the trajectories' length: scalars."""

    log_now: Tensor
    log_average: Tensor
    square: Tensor
    count: Tensor


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
    step: step_size.StepSize
    length: Length
    scale: Tensor
    moments: mass_matrix.Moments


@register
class ChEES(Sampler):
    """Hamiltonian Monte Carlo for accelerators: many chains in step, one trajectory length, which they learn together.

    NUTS's trees have a length for each chain, so that side by side all wait for the longest. Here all chains make as many
    steps; the length is tuned so that the distance from the centre changes as much as it can. Use some dozens of chains.

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
        check_positive(self, "step_size", step_size)
        check_rate(self, target_accept_rate)
        check_count("max_steps", max_steps, 1, CompileError)
        self.step_size, self.target_accept_rate, self.max_steps = step_size, target_accept_rate, max_steps

    def init(self, position: Mapping[str, Tensor], log_density: Callable) -> ChEESState:
        """Returns the state of chains that start at positions.

        Args:
            position: Unconstrained numbers by site, chains along the first axis.
            log_density: From such a dict of one chain to a scalar.
        """
        given = {name: ops.convert_to_tensor(value, dtype=self.dtype) for name, value in position.items()}
        shapes = {name: tuple(value.shape[1:]) for name, value in given.items()}
        kernel = self.kernel(lambda u: vectorized_map(lambda one: log_density(unflatten(one, shapes)), u, ()))
        self._bound = kernel, shapes
        with precision(self.dtype):
            return kernel.init(ops.concatenate([ops.reshape(v, (v.shape[0], -1)) for v in given.values()], axis=1))

    def position(self, state: ChEESState) -> dict[str, Tensor]:
        """Returns the positions of a state by site, chains along the first axis."""
        shapes, found, start = self._require_bound()[1], {}, 0
        for name, shape in shapes.items():
            end = start + int(np.prod(shape))
            found[name] = ops.reshape(state.position[:, start:end], (-1, *shape))
            start = end
        return found

    def kernel(self, log_density: Callable) -> Kernel:
        """Returns the transition of all chains.

        Args:
            log_density: From positions (chains, d) to numbers (chains,).
        """
        slow, closing = (np.append(flags, False) for flags in windows(self.num_warmup))

        def init(positions: Tensor) -> ChEESState:
            positions = ops.convert_to_tensor(positions)
            dtype, size = keras.backend.standardize_dtype(positions.dtype), int(positions.shape[1])
            log_step = ops.convert_to_tensor(np.log(self.step_size), dtype)
            zero = ops.zeros((), dtype)
            length = Length(zero, zero, zero, zero)  # a standard deviation
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
            index, warming = ops.minimum(before, self.num_warmup), before < self.num_warmup
            counts = ops.take(ops.convert_to_tensor(slow), index)
            closes = ops.take(ops.convert_to_tensor(closing), index)
            step = select(warming, step_size.update(state.step, rate, self.target_accept_rate), state.step)
            moments = select(counts, _add_all(state.moments, state.position), state.moments)
            return state._replace(
                step=select(closes, step_size.start(step.log_now), step),
                length=select(warming, _lengthened(state.length, slope), state.length),
                scale=ops.where(closes, mass_matrix.scale_of(moments), state.scale),
                moments=select(closes, keras.tree.map_structure(ops.zeros_like, moments), moments),
            )

        return Kernel(init, step)

    def _transition(self, seed: Seed, state: ChEESState, log_density: Callable, size: Tensor, length: Tensor) -> tuple:
        dtype = keras.backend.standardize_dtype(state.position.dtype)
        chains = int(state.position.shape[0])

        def target(z: Tensor) -> Tensor:
            value = log_density(z * state.scale)
            return ops.where(ops.isnan(value), ops.full_like(value, -float("inf")), value)

        def slope_of(z: Tensor) -> Tensor:
            return gradients(lambda z: ops.sum(target(z)), z)[1][0]

        time = _halton(state.iteration, dtype) * 2.0 * length
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
        ratio = ops.where(ops.isnan(ratio), ops.full_like(ratio, -float("inf")), ratio)
        rates = ops.exp(ops.minimum(ratio, 0.0))
        accepted = ops.log(random.uniform((chains,), random.fold_in(seed, 1), dtype)) < ratio
        moved = ops.where(accepted[:, None], x, z)
        info = Info(
            log_density=ops.where(accepted, after, before),
            accept_rate=rates,
            step_size=size,
            num_steps=steps,
            tree_depth=ops.zeros_like(size),
            diverging=ops.cast(ratio < -_DIVERGENCE, "float32"),
            energy=energy,
        )
        harmonic = 1.0 / ops.mean(1.0 / ops.maximum(rates, 1e-6))
        found = state._replace(position=moved * state.scale, iteration=state.iteration + 1)
        return found, info, harmonic, time * _criterion_slope(z, x, q, rates)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "max_steps": self.max_steps,
        }


def _criterion_slope(z: Tensor, x: Tensor, q: Tensor, rates: Tensor) -> Tensor:
    # d/dt of the change in the estimator of the expected square, E (|x - m|² - |z - m|²)² / 4.
    finite = ops.all(ops.isfinite(x), axis=-1)
    x = ops.where(finite[:, None], x, z)
    weights = ops.where(finite, rates, ops.zeros_like(rates))
    shares = weights / ops.maximum(ops.sum(weights), 1e-10)
    centred = x - ops.sum(shares[:, None] * x, axis=0)
    begun = z - ops.mean(z, axis=0)
    change = ops.sum(ops.square(centred), axis=-1) - ops.sum(ops.square(begun), axis=-1)
    each = change * ops.sum(centred * ops.where(finite[:, None], q, ops.zeros_like(q)), axis=-1)
    return ops.sum(shares * each)


def _lengthened(length: Length, slope: Tensor) -> Length:
    # Adam uphill on the logarithm; the average is what stays after the warm-up.
    slope = ops.where(ops.isfinite(slope), slope, ops.zeros_like(slope))
    count = length.count + 1.0
    square = _SECOND_DECAY * length.square + (1.0 - _SECOND_DECAY) * ops.square(slope)
    unbiased = square / (1.0 - _SECOND_DECAY**count)
    log_now = length.log_now + ops.clip(_RATE * slope / (ops.sqrt(unbiased) + 1e-8), -0.35, 0.35)
    share = count**-0.5
    return Length(log_now, share * log_now + (1.0 - share) * length.log_average, square, count)


def _halton(iteration: Tensor, dtype: str) -> Tensor:
    # Van der Corput's sequence: the binary digits of a count, mirrored at the point. It fills (0, 1) evenly.
    powers = ops.convert_to_tensor(2 ** np.arange(_BITS, dtype="int32"))
    digits = ops.cast(((iteration + 1) // powers) % 2, dtype)
    return ops.sum(digits / ops.cast(2 * powers, dtype))


def _add_all(moments: mass_matrix.Moments, positions: Tensor) -> mass_matrix.Moments:
    # Chan, Golub and LeVeque (1983): two sets' moments put together.
    number = float(positions.shape[0])
    mean = ops.mean(positions, axis=0)
    squares = ops.sum(ops.square(positions - mean), axis=0)
    count = moments.count + number
    away = mean - moments.mean
    return mass_matrix.Moments(
        count,
        moments.mean + away * (number / count),
        moments.squares + squares + ops.square(away) * (moments.count * number / count),
    )
