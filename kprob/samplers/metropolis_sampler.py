"""What samplers with one Metropolis proposal per transition share."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.errors import CompileError
from kprob.options import check_flag
from kprob.samplers.adaptation.tuned_kernel import TuningOptions, move_in_coordinates, tuned_kernel
from kprob.samplers.argument_checks import check_positive, check_rate
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.metropolis import MetropolisMove, accept_rate
from kprob.samplers.sampler import Sampler
from kprob.types import Seed, Tensor


class MetropolisSampler(Sampler):
    """Base class of samplers with one proposal per transition, of a tuned length.

    To subclass, override `move(seed, z, target, step_size)`.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability that the step size is tuned to.
        dense_mass: Whether the mass matrix is a full one rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).
    """

    within_gibbs = True

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 0.1,
        target_accept_rate: float = 0.5,
        dense_mass: bool = False,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_rate(target_accept_rate)
        check_positive("step_size", step_size)
        check_flag("dense_mass", dense_mass, CompileError)
        self.step_size, self.target_accept_rate, self.dense_mass = step_size, target_accept_rate, dense_mass

    @abstractmethod
    def move(self, seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> MetropolisMove:
        """Makes one proposal, in coordinates in which all directions are about equally wide."""

    def kernel(self, log_density: Callable) -> Kernel:
        def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
            move = self.move(seed, z, target, step_size)
            info = Info(
                log_density=move.log_density,
                accept_rate=accept_rate(move),
                step_size=step_size,
                num_steps=ops.ones_like(step_size),
                tree_depth=ops.zeros_like(step_size),
                diverging=ops.zeros_like(step_size),
                energy=move.energy,
            )
            return move.position, info

        options = TuningOptions(self.num_warmup, self.step_size, self.target_accept_rate, self.dense_mass)
        return tuned_kernel(move_in_coordinates(transition, proper(log_density)), options)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "dense_mass": self.dense_mass,
        }
