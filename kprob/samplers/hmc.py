"""Hamiltonian Monte Carlo with trajectories of about as many steps as asked for."""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.backend import random, tfp
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.options import check_flag, check_number
from kprob.samplers.adaptation.tuned_kernel import TuningOptions, move_in_coordinates, tuned_kernel
from kprob.samplers.argument_checks import check_positive, check_rate
from kprob.samplers.kernels.impossible import impossible_if_nan, proper
from kprob.samplers.kernels.kernel import MAX_ENERGY_ERROR, Info, Kernel
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor


@register
class HMC(Sampler):
    """Hamiltonian Monte Carlo: proposals by trajectories of about `num_leapfrog_steps` steps.

    Trajectories that all have one length come back to where they began wherever that length is a period of the motion, and
    the chain stands still. So each trajectory draws its own number of steps, uniformly from those at most `jitter` away.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        num_leapfrog_steps: Steps of a trajectory, on average.
        jitter: Share of `num_leapfrog_steps` by which a trajectory may have fewer or more steps; 0 for always as many.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability that the step size is tuned to.
        dense_mass: Whether the mass matrix is a full one rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.HMC(num_leapfrog_steps=5).num_chains == 4
        ```

    Reference:
        Duane, Kennedy, Pendleton and Roweth (1987), "Hybrid Monte Carlo"; Neal (2011), "MCMC using Hamiltonian dynamics".
    """

    within_gibbs = True

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        num_leapfrog_steps: int = 10,
        jitter: float = 0.5,
        step_size: float = 0.1,
        target_accept_rate: float = 0.8,
        dense_mass: bool = False,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_count("num_leapfrog_steps", num_leapfrog_steps, 1, CompileError)
        check_number("jitter", jitter, 0.0, 1.0, ends="[]", example=0.5, error=CompileError)
        check_positive("step_size", step_size)
        check_rate(target_accept_rate)
        check_flag("dense_mass", dense_mass, CompileError)
        self.num_leapfrog_steps, self.jitter, self.step_size = num_leapfrog_steps, jitter, step_size
        self.target_accept_rate, self.dense_mass = target_accept_rate, dense_mass

    def kernel(self, log_density: Callable) -> Kernel:
        def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
            steps = self._steps(random.fold_in(seed, 0))
            hmc = tfp.mcmc.HamiltonianMonteCarlo(target, step_size, steps)
            z, results = hmc.one_step(z, hmc.bootstrap_results(z), seed=seed)
            ratio = impossible_if_nan(results.log_accept_ratio)
            momentum = results.proposed_results.final_momentum
            kinetic = 0.5 * sum(ops.sum(ops.square(part)) for part in momentum)
            return z, Info(
                log_density=results.accepted_results.target_log_prob,
                accept_rate=ops.exp(ops.minimum(ratio, 0.0)),
                step_size=step_size,
                num_steps=ops.zeros_like(step_size) + ops.cast(steps, step_size.dtype),
                tree_depth=ops.zeros_like(step_size),
                diverging=ops.cast(ratio < -MAX_ENERGY_ERROR, "float32"),
                energy=kinetic - results.proposed_results.target_log_prob,
            )

        options = TuningOptions(self.num_warmup, self.step_size, self.target_accept_rate, self.dense_mass)
        return tuned_kernel(move_in_coordinates(transition, proper(log_density)), options)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_leapfrog_steps": self.num_leapfrog_steps,
            "jitter": self.jitter,
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "dense_mass": self.dense_mass,
        }

    def _steps(self, seed: Seed) -> int | Tensor:
        low = max(1, math.ceil((1.0 - self.jitter) * self.num_leapfrog_steps))
        high = 2 * self.num_leapfrog_steps - low  # so that the mean is what was asked for
        if low == high:
            return self.num_leapfrog_steps
        share = ops.reshape(random.uniform((1,), seed), ())
        return ops.minimum(low + ops.cast(share * (high - low + 1), "int32"), high)
