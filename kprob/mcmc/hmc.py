"""Hamiltonian Monte Carlo with trajectories of a fixed number of steps."""

from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.backend import tfp
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.mcmc.adaptive import adaptive_kernel
from kprob.mcmc.nuts import check_rate, proper
from kprob.mcmc.sampler import Info, Kernel, Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor

_DIVERGENCE = 1000.0


@register
class HMC(Sampler):
    """Hamiltonian Monte Carlo: proposals by trajectories of `num_leapfrog_steps` steps.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        num_leapfrog_steps: Steps of a trajectory.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability that the step size is tuned to.
        dense_mass: Whether the mass matrix is a full one rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.HMC(num_leapfrog_steps=5).num_chains == 4
        ```

    Reference:
        Duane, Kennedy, Pendleton and Roweth (1987), "Hybrid Monte Carlo"; Neal (2011), "MCMC using Hamiltonian dynamics".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        num_leapfrog_steps: int = 10,
        step_size: float = 0.1,
        target_accept_rate: float = 0.8,
        dense_mass: bool = False,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_count("num_leapfrog_steps", num_leapfrog_steps, 1, CompileError)
        check_rate(self, target_accept_rate)
        self.num_leapfrog_steps, self.step_size = num_leapfrog_steps, step_size
        self.target_accept_rate, self.dense_mass = target_accept_rate, dense_mass

    def kernel(self, log_density: Callable) -> Kernel:
        def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
            hmc = tfp.mcmc.HamiltonianMonteCarlo(target, step_size, self.num_leapfrog_steps)
            z, found = hmc.one_step(z, hmc.bootstrap_results(z), seed=seed)
            ratio = ops.where(ops.isnan(found.log_accept_ratio), -float("inf"), found.log_accept_ratio)
            momentum = found.proposed_results.final_momentum
            kinetic = 0.5 * sum(ops.sum(ops.square(part)) for part in momentum)
            log_density = found.accepted_results.target_log_prob
            return z, Info(
                log_density=log_density,
                accept_rate=ops.exp(ops.minimum(ratio, 0.0)),
                step_size=step_size,
                num_steps=ops.full_like(step_size, self.num_leapfrog_steps),
                tree_depth=ops.zeros_like(step_size),
                diverging=ops.cast(ratio < -_DIVERGENCE, "float32"),
                energy=kinetic - found.proposed_results.target_log_prob,
            )

        return adaptive_kernel(
            transition,
            proper(log_density),
            self.num_warmup,
            self.step_size,
            self.target_accept_rate,
            self.dense_mass,
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_leapfrog_steps": self.num_leapfrog_steps,
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "dense_mass": self.dense_mass,
        }
