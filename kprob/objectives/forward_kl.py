"""The inclusive divergence on simulated data.   E_p(x, z)[log q(z | x)]"""

import keras

from kprob.effects import Trace
from kprob.objectives.objective import Objective
from kprob.saving import register
from kprob.types import Tensor


@register
class ForwardKL(Objective):
    """Trains q on data that p simulates: the amortised posterior for any data that p can make.

    Each step draws latents and data from p, as many rows as a batch has, and raises log q of these latents given these
    data. That is minus KL(p(z | x) ‖ q(z | x)), averaged over p's data, but for a constant: it covers the whole posterior.
    Nothing of p need be differentiable, nor its density be known. The data given to `fit` are used for their shapes and
    covariates, and for the ELBO that is logged. p itself isn't trained.

    Args:
        num_samples: Simulated data sets for each evaluation.

    Example:
        ```python
        import kprob

        assert kprob.objectives.ForwardKL(num_samples=8).num_samples == 8
        ```

    Reference:
        Papamakarios and Murray (2016), "Fast ε-free inference of simulation models with Bayesian conditional density
        estimation", arXiv:1605.06376; Le, Kosiorek, Siddharth, Teh and Wood (2019), "Revisiting reweighted wake-sleep".
    """

    shares_inference = False

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        # Held draws have no score-function share: p isn't trained, and q only judges them.
        return inference_trace.on(generative_trace.simulated()).log_prob()

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.stop_gradient(generative_trace.log_prob() - inference_trace.log_prob()))
