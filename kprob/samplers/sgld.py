"""Stochastic gradient Langevin dynamics."""

from keras import ops

from kprob.samplers.stochastic_gradient_sampler import StochasticGradientSampler
from kprob.saving import register
from kprob.types import Tensor


@register
class SGLD(StochasticGradientSampler):
    """Stochastic gradient Langevin dynamics:   x + ε/2 · gradient + √ε · noise, on `batch_size` rows at a time.

    Use it for data that are too many for each transition to see them all; `step_size` must be small compared with the
    posterior's variances.

    Args:
        num_warmup: Transitions of each chain that are thrown away.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: ε of the draws that are kept.
        first_step_size: Where ε starts, to fall during the warm-up; ten times `step_size` by default.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import numpy as np
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def mean():
            mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
            with kprob.plate("data"):
                kprob.sample("x", tfd.Normal(mu, 1.0))

        model = mean().compile(kprob.samplers.SGLD(num_warmup=300, num_samples=300, num_chains=1, step_size=1e-3))
        model.fit({"x": np.full(100, 3.0)}, batch_size=20, verbose=0)
        assert abs(model.posterior("mu").mean() - 3.0) < 0.3
        ```

    Reference:
        Welling and Teh (2011), "Bayesian learning via stochastic gradient Langevin dynamics".
    """

    def move(self, position: Tensor, velocity: Tensor, gradient: Tensor, step_size: Tensor, noise: Tensor) -> tuple:
        return position + 0.5 * step_size * gradient + ops.sqrt(step_size) * noise, velocity
