"""Reweighted wake-sleep.   θ: Σ_k ŵ_k ∇ log p(x, z_k),   φ: Σ_k ŵ_k ∇ log q(z_k)"""

import keras

from kprob.effects import Trace
from kprob.numerics import log_mean_exp
from kprob.objectives.estimation.score_function import zero_with_gradient
from kprob.objectives.multi_sample import LogProb, MultiSampleObjective, normalized
from kprob.saving import register
from kprob.types import Tensor

stop = keras.ops.stop_gradient


@register
class ReweightedWakeSleep(MultiSampleObjective):
    """Reweighted wake-sleep: p and q both learn from weighted draws, through which no gradient flows.

    p's parameters climb the importance-weighted bound; q's fall down the divergence KL(posterior ‖ q), which covers all of
    the posterior rather than a part of it (the wake-phase update of q). Draws needn't be differentiable, so that discrete
    latents are as good as continuous ones, without a score function's variance.

    Args:
        num_samples: Draws that are weighted against each other.

    Example:
        ```python
        import kprob

        assert kprob.objectives.ReweightedWakeSleep(num_samples=20).num_samples == 20
        ```

    Reference:
        Bornschein and Bengio (2015), "Reweighted wake-sleep", arXiv:1406.2751.
    """

    def __init__(self, num_samples: int = 10):
        super().__init__(num_samples)

    def weigh(self, generative_trace: Trace, inference_trace: Trace, log_prob: LogProb) -> dict:
        log_p, log_q = log_prob(generative_trace.detached()), log_prob(inference_trace.detached())
        return {"log_weights": log_p - log_q, "sum": log_p + log_q}

    def bound(self, arrays: dict) -> Tensor:
        # Two gradients in one sum: p has no parameter of q, nor q one of p, since the draws stand still. What both share
        # follows both.
        weights = normalized(arrays["log_weights"])
        gradient = keras.ops.sum(weights * arrays["sum"], axis=0)
        return stop(log_mean_exp(arrays["log_weights"])) + zero_with_gradient(gradient)

    def score_function_term(self, arrays: dict, value: Tensor, score: Tensor) -> Tensor:
        return keras.ops.zeros(())
