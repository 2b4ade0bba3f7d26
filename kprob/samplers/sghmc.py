"""Stochastic gradient Hamiltonian Monte Carlo."""

from typing import Any

from keras import ops

from kprob.samplers.argument_checks import check_rate
from kprob.samplers.stochastic_gradient_sampler import StochasticGradientSampler
from kprob.saving import register
from kprob.types import Tensor


@register
class SGHMC(StochasticGradientSampler):
    """Stochastic gradient Hamiltonian Monte Carlo: a velocity with friction, on `batch_size` rows at a time.

        v ← (1 - α) v + η · gradient + √(2 α η) · noise        x ← x + v

    The velocity averages the gradients' noise, so that it gets further than `SGLD` with the same number of gradients.

    Args:
        num_warmup: Transitions of each chain that are thrown away.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: η of the draws that are kept.
        first_step_size: Where η starts, to fall during the warm-up; ten times `step_size` by default.
        friction: α, between 0 and 1.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.SGHMC(step_size=1e-4).friction == 0.1
        ```

    Reference:
        Chen, Fox and Guestrin (2014), "Stochastic gradient Hamiltonian Monte Carlo".
    """

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 1e-4,
        first_step_size: float | None = None,
        friction: float = 0.1,
        **options: Any,
    ):
        super().__init__(
            num_warmup, num_samples, num_chains, step_size=step_size, first_step_size=first_step_size, **options
        )
        check_rate(friction, "friction")
        self.friction = friction

    def move(self, position: Tensor, velocity: Tensor, gradient: Tensor, step_size: Tensor, noise: Tensor) -> tuple:
        spread = ops.sqrt(2.0 * self.friction * step_size)
        velocity = (1.0 - self.friction) * velocity + step_size * gradient + spread * noise
        return position + velocity, velocity

    def get_config(self) -> dict:
        return {**super().get_config(), "friction": self.friction}
