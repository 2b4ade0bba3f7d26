"""Random-walk Metropolis."""

from collections.abc import Callable
from typing import Any

from kprob.samplers.kernels import metropolis
from kprob.samplers.metropolis_sampler import MetropolisSampler
from kprob.saving import register
from kprob.types import Seed, Tensor


@register
class RandomWalkMetropolis(MetropolisSampler):
    """Random-walk Metropolis: normal steps without a gradient, accepted or not.

    Use it where there is no gradient; every other sampler mixes better.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Where the step's standard deviation starts.
        target_accept_rate: Acceptance probability that the step size is tuned to: 0.44 is best in one dimension, 0.234 in
            many.
        dense_mass: Whether steps follow a full covariance rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.RandomWalkMetropolis(num_samples=500).target_accept_rate == 0.3
        ```

    Reference:
        Metropolis et al. (1953), "Equation of state calculations by fast computing machines"; Gelman, Roberts and Gilks
        (1996), "Efficient Metropolis jumping rules".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 0.1,
        target_accept_rate: float = 0.3,
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
        return metropolis.random_walk(seed, z, target, step_size)
