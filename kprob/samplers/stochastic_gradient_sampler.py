"""What samplers that follow the gradient of a few rows of the data at a time share."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from kprob.backend import gradients, random
from kprob.samplers.argument_checks import check_positive
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.not_a_number import nan_like
from kprob.samplers.sampler import Sampler
from kprob.types import Seed, Tensor


class StochasticGradientState(NamedTuple):
    """State of a chain.

    Attributes:
        position: Unconstrained numbers (d,).
        iteration: Transitions so far.
        velocity: (d,); zeros where the sampler has none.
    """

    position: Tensor
    iteration: Tensor
    velocity: Tensor


class StochasticGradientSampler(Sampler):
    """Base class of samplers whose transitions see `batch_size` random rows (an argument of `fit`).

    Nothing is rejected: draws are only right if steps are small compared with the posterior's width, and the gradient's
    noise is small compared with theirs. The step size falls during the warm-up, from `first_step_size` to `step_size`, and
    stays there.

    To subclass, override `move(position, velocity, gradient, step_size, noise)`.

    Args:
        num_warmup: Transitions of each chain that are thrown away.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Step size of the draws that are kept.
        first_step_size: Where it starts; ten times `step_size` by default.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).
    """

    minibatches = True

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 1e-3,
        first_step_size: float | None = None,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_positive("step_size", step_size)
        if first_step_size is not None:
            check_positive("first_step_size", first_step_size)
        self.step_size, self.first_step_size = step_size, first_step_size

    @abstractmethod
    def move(self, position: Tensor, velocity: Tensor, gradient: Tensor, step_size: Tensor, noise: Tensor) -> tuple:
        """Returns the next position and velocity; `noise` is standard normal."""

    def kernel(self, log_density: Callable) -> Kernel:
        target = proper(log_density)
        first = 10.0 * self.step_size if self.first_step_size is None else self.first_step_size
        falling = first / self.step_size

        def init(vector: Tensor) -> StochasticGradientState:
            vector = ops.convert_to_tensor(vector)
            return StochasticGradientState(vector, ops.zeros((), "int32"), ops.zeros_like(vector))

        def step(seed: Seed, state: StochasticGradientState) -> tuple[StochasticGradientState, Info]:
            dtype = keras.backend.standardize_dtype(state.position.dtype)
            past = ops.minimum(ops.cast(state.iteration, dtype) / max(self.num_warmup, 1), 1.0)
            size = self.step_size * falling ** (1.0 - past) if self.num_warmup else self.step_size * ops.ones_like(past)
            value, (gradient,) = gradients(target, state.position)
            noise = random.normal(tuple(state.position.shape), seed, dtype)
            position, velocity = self.move(state.position, state.velocity, gradient, size, noise)
            outside = ops.logical_not(ops.all(ops.isfinite(position)))
            # Where a step leaves the density, the chain stays and loses its velocity.
            position = ops.where(outside, state.position, position)
            velocity = ops.where(outside, ops.zeros_like(velocity), velocity)
            info = Info(
                log_density=value,
                accept_rate=1.0 - ops.cast(outside, "float32"),
                step_size=size,
                num_steps=ops.ones_like(size),
                tree_depth=ops.zeros_like(size),
                diverging=ops.cast(outside, "float32"),
                energy=nan_like(size),
            )
            return StochasticGradientState(position, state.iteration + 1, velocity), info

        return Kernel(init, step)

    def get_config(self) -> dict:
        return {**super().get_config(), "step_size": self.step_size, "first_step_size": self.first_step_size}
