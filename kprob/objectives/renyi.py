"""Rényi's bound.   E[1/(1 − α) log (1/K) Σ_k w_k^(1 − α)]"""

import keras

from kprob.errors import CompileError
from kprob.numerics import log_mean_exp
from kprob.objectives.multi_sample import MultiSampleObjective
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor


@register
class RenyiELBO(MultiSampleObjective):
    """Rényi's variational bound: from mass-covering (small α) to mode-seeking (large α).

    α = 0 is the importance-weighted bound and α = 1 the ELBO. For α ≥ 0 and many draws it is below log p(x); for α < 0 it
    may be above.

    Args:
        alpha: α, any number.
        num_samples: Draws of the bound.

    Example:
        ```python
        import kprob

        objective = kprob.objectives.RenyiELBO(alpha=0.5, num_samples=10)
        assert objective.get_config() == {"num_samples": 10, "alpha": 0.5}
        ```

    Reference:
        Li and Turner (2016), "Rényi divergence variational inference", arXiv:1602.02311.
    """

    def __init__(self, alpha: float = 0.5, num_samples: int = 5):
        super().__init__(num_samples)
        check_number("alpha", alpha, example=0.5, error=CompileError)
        self.alpha = float(alpha)

    def bound(self, arrays: dict) -> Tensor:
        log_weights, power = arrays["log_weights"], 1.0 - self.alpha
        if power == 0.0:
            return keras.ops.mean(log_weights, axis=0)
        return log_mean_exp(power * log_weights) / power

    def get_config(self) -> dict:
        return {**super().get_config(), "alpha": self.alpha}
