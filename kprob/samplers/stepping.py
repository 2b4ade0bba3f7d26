"""What samplers share that tune a step size and a mass matrix as Stan does."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.errors import CompileError, explain
from kprob.samplers.adaptation.adaptive import Tuning, adaptive_kernel
from kprob.samplers.kernels.moves import Move, accept_rate
from kprob.samplers.nuts import check_rate, proper
from kprob.samplers.sampler import Info, Kernel, Sampler
from kprob.types import Seed, Tensor


class Stepping(Sampler):
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
        check_rate(self, target_accept_rate)
        check_positive(self, "step_size", step_size)
        self.step_size, self.target_accept_rate, self.dense_mass = step_size, target_accept_rate, dense_mass

    @abstractmethod
    def move(self, seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> Move:
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

        return adaptive_kernel(
            transition,
            proper(log_density),
            Tuning(self.num_warmup, self.step_size, self.target_accept_rate, self.dense_mass),
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "dense_mass": self.dense_mass,
        }


def check_positive(sampler: Sampler, argument: str, value: object) -> None:
    """Raises where an argument isn't a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < float("inf"):
        raise CompileError(
            explain(
                f"{type(sampler).__name__}'s `{argument}` is a positive number.",
                received=f"{argument}={value!r}",
                expected="a number above 0",
                fix=f"write {argument}=0.1",
            )
        )
