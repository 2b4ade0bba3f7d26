"""Variational inference by a divergence that adapts to the tails of the weights.   Σ_k ρ_k ∂log w_k/∂z_k ∂z_k/∂φ"""

import keras

from kprob.effects import Trace
from kprob.errors import CompileError
from kprob.objectives.estimation.score_function import zero_with_gradient
from kprob.objectives.multi_sample import LogProb, MultiSampleObjective, require_reparameterized
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor

stop = keras.ops.stop_gradient


@register
class TailAdaptive(MultiSampleObjective):
    """Minimises a divergence that covers all of the posterior, with weights of finite variance whatever the tails.

    Draws are weighted by the rank of w = p(x, z) / q(z) alone: ρ_k ∝ (share of draws with a weight of at least w_k)^β. For
    β = 0 this is the ELBO (its path derivative), for β = -1 the largest weight counts as much as all it exceeds.

    Args:
        num_samples: Draws that are ranked against each other.
        beta: β, at most 0.

    Example:
        ```python
        import kprob

        assert kprob.objectives.TailAdaptive(num_samples=20).beta == -1.0
        ```

    Reference:
        Wang, Liu and Liu (2018), "Variational inference with tail-adaptive f-divergence", arXiv:1810.11943.
    """

    def __init__(self, num_samples: int = 10, beta: float = -1.0):
        super().__init__(num_samples)
        check_number("beta", beta, example=-1.0, error=CompileError)
        self.beta = float(beta)

    def weigh(self, generative_trace: Trace, inference_trace: Trace, log_prob: LogProb) -> dict:
        require_reparameterized(self, inference_trace, "kprob.objectives.ReweightedWakeSleep")
        return {"log_weights": log_prob(generative_trace) - log_prob(inference_trace.frozen())}

    def bound(self, arrays: dict) -> Tensor:
        log_weights = stop(arrays["log_weights"])
        exceeds = keras.ops.expand_dims(log_weights, 0) >= keras.ops.expand_dims(log_weights, 1)  # [S, S, ...]
        share = keras.ops.mean(keras.ops.cast(exceeds, "float32"), axis=1)
        rho = keras.ops.power(share, self.beta)
        rho = rho / keras.ops.sum(rho, axis=0)
        gradient = keras.ops.sum(stop(rho) * arrays["log_weights"], axis=0)
        return keras.ops.mean(log_weights, axis=0) + zero_with_gradient(gradient)

    def get_config(self) -> dict:
        return {**super().get_config(), "beta": self.beta}
