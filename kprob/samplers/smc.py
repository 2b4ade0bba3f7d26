"""Tempered sequential Monte Carlo: from the prior to the posterior by way of many particles, and the evidence."""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.options import check_flag
from kprob.samplers.adaptation.tuned_kernel import TuningOptions, move_in_coordinates, tuned_kernel
from kprob.samplers.argument_checks import check_choice, check_rate
from kprob.samplers.kernels import metropolis
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.tempering import TemperingOptions
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor

MOVES = ("hmc", "random_walk")


@register
class SMC(Sampler):
    """Tempered sequential Monte Carlo: particles of the prior, brought to the posterior through powers of the likelihood.

        p_t(z) ∝ p(z) p(x | z)^t,        0 = t_0 < t_1 < ... < 1

    Each temperature is as far from the last one as leaves an effective sample size of `target_ess`; then particles are
    resampled by weight, and moved. Use it for the evidence (`model.log_evidence`), and for posteriors with
    several modes. Each temperature is an epoch of `fit`.

    Args:
        num_particles: Particles, which are the draws in the end.
        num_chains: Independent populations: how far their evidence spreads gives its standard error.
        moves: "hmc" or "random_walk".
        num_moves: Moves of each particle at each temperature.
        num_leapfrog_steps: Steps of a Hamiltonian move.
        target_ess: Effective sample size, as a share of the particles, that decides on the next temperature.
        target_accept_rate: Acceptance probability that the step size is tuned to from one temperature to the next; by
            default 0.8 for "hmc" and 0.25 for "random_walk".
        dense_mass: Whether moves follow the particles' full covariance rather than a diagonal.
        dtype: "float32", or "float64" where that has too few digits (see `Sampler`).

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.samplers.SMC(num_particles=500))
        model.fit({"sensor": 18.0}, verbose=0)
        assert abs(model.log_evidence + 2.6237) < 0.3
        ```

    Reference:
        Neal (2001), "Annealed importance sampling"; Del Moral, Doucet and Jasra (2006), "Sequential Monte Carlo samplers";
        Jasra, Stephens, Doucet and Tsagaris (2011), "Inference for Lévy-driven stochastic volatility models via adaptive
        sequential Monte Carlo".
    """

    population = True

    def __init__(
        self,
        num_particles: int = 1000,
        num_chains: int = 2,
        *,
        moves: str = "hmc",
        num_moves: int = 5,
        num_leapfrog_steps: int = 5,
        target_ess: float = 0.5,
        target_accept_rate: float | None = None,
        dense_mass: bool = False,
        dtype: str = "float32",
    ):
        check_count("num_particles", num_particles, 1, CompileError)
        super().__init__(0, num_particles, num_chains, init="prior", block_size=num_particles, dtype=dtype)
        check_choice(self, "moves", moves, MOVES)
        check_count("num_moves", num_moves, 1, CompileError)
        check_count("num_leapfrog_steps", num_leapfrog_steps, 1, CompileError)
        check_rate(target_ess, "target_ess")
        check_flag("dense_mass", dense_mass, CompileError)
        if target_accept_rate is not None:
            check_rate(target_accept_rate)
        self.moves, self.num_moves, self.num_leapfrog_steps = moves, num_moves, num_leapfrog_steps
        self.target_ess, self.target_accept_rate, self.dense_mass = target_ess, target_accept_rate, dense_mass

    @property
    def num_particles(self) -> int:
        """Particles of a population."""
        return self.num_samples

    @property
    def accept_rate(self) -> float:
        """Acceptance probability that the step size is tuned to."""
        if self.target_accept_rate is not None:
            return self.target_accept_rate
        return 0.8 if self.moves == "hmc" else 0.25

    def first_step_size(self, size: int) -> float:
        """Returns the step size of the first moves, in standard deviations, in some dimensions."""
        return 0.5 * size**-0.25 if self.moves == "hmc" else 2.4 / math.sqrt(size)

    def tempering_options(self) -> TemperingOptions:
        """Returns how particles go from one temperature to the next."""
        return TemperingOptions(self.move, self.num_moves, self.target_ess, self.accept_rate, self.dense_mass)

    def move(self, seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> metropolis.MetropolisMove:
        """Moves a particle once."""
        if self.moves == "hmc":
            return metropolis.hamiltonian(seed, z, target, step_size, self.num_leapfrog_steps)
        return metropolis.random_walk(seed, z, target, step_size)

    def kernel(self, log_density: Callable) -> Kernel:
        """Returns the particles' move at one temperature, with a step size of its own."""

        def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
            move = self.move(seed, z, target, step_size)
            zero = ops.zeros_like(step_size)
            rate = metropolis.accept_rate(move)
            return move.position, Info(move.log_density, rate, step_size, zero + 1.0, zero, zero, move.energy)

        move = move_in_coordinates(transition, proper(log_density))
        return tuned_kernel(move, TuningOptions(0, 0.5, self.accept_rate))

    def get_config(self) -> dict[str, Any]:
        return {
            "num_particles": self.num_particles,
            "num_chains": self.num_chains,
            "moves": self.moves,
            "num_moves": self.num_moves,
            "num_leapfrog_steps": self.num_leapfrog_steps,
            "target_ess": self.target_ess,
            "target_accept_rate": self.target_accept_rate,
            "dense_mass": self.dense_mass,
            "dtype": self.dtype,
        }
