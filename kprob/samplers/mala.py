"""The Metropolis-adjusted Langevin algorithm."""

from collections.abc import Callable
from typing import Any

from kprob.samplers.kernels import metropolis
from kprob.samplers.metropolis_sampler import MetropolisSampler
from kprob.saving import register
from kprob.types import Seed, Tensor


@register
class MALA(MetropolisSampler):
    """The Metropolis-adjusted Langevin algorithm: one noisy step up the gradient, accepted or not.

    Use it where a gradient is expensive and a single step is enough; NUTS mixes better on nearly everything.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Where the step size, the standard deviation of the noise, starts.
        target_accept_rate: Acceptance probability that the step size is tuned to; 0.574 is best in many dimensions.
        dense_mass: Whether steps follow a full covariance rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.MALA(num_samples=500).target_accept_rate == 0.574
        ```

    Reference:
        Roberts and Tweedie (1996), "Exponential convergence of Langevin distributions and their discrete approximations".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 0.1,
        target_accept_rate: float = 0.574,
        dense_mass: bool = False,
        **options: Any,
    ):
        super().__init__(
            num_warmup,
            num_samples,
            num_chains,
            step_size=step_size,
            target_accept_rate=target_accept_rate,
            dense_mass=dense_mass,
            **options,
        )

    def move(self, seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> metropolis.MetropolisMove:
        return metropolis.langevin(seed, z, target, step_size)
