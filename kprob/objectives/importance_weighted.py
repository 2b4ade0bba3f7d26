"""The importance-weighted bound.   E[log (1/K) Σ_k w_k],  w_k = p(x, z_k) / q(z_k)"""

import keras

from kprob.effects import Trace
from kprob.errors import CompileError, did_you_mean, explain
from kprob.numerics import log_mean_exp
from kprob.objectives.estimation.score_function import unreparameterized_latents, zero_with_gradient
from kprob.objectives.multi_sample import LogProb, MultiSampleObjective, normalized
from kprob.saving import register
from kprob.types import Tensor

stop = keras.ops.stop_gradient
ESTIMATORS = ("doubly_reparameterized", "plain")


@register
class ImportanceWeightedELBO(MultiSampleObjective):
    """Importance-weighted evidence lower bound, which comes to log p(x) as the number of draws grows.

    Where every latent is inside the data plate each row has a bound of its own, else the model as a whole has one.

    The plain gradient for q drowns in its own noise as the number of draws grows (Rainforth and others 2018). The doubly
    reparameterised one doesn't: with normalised weights ŵ it is Σ ŵ_k² ∂log w_k/∂z_k ∂z_k/∂φ for q's parameters, and
    Σ ŵ_k ∂log w_k/∂θ, as ever, for p's. Latents that can't be reparameterised have score-function gradients, each draw
    with a baseline made of the others (Mnih and Rezende 2016).

    Args:
        num_samples: Draws of the bound.
        estimator: "doubly_reparameterized" or "plain". It changes the gradient, not the bound.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.objectives.ImportanceWeightedELBO(num_samples=5), "adam")
        model.fit({"sensor": 18.0}, epochs=2, verbose=0)
        ```

    Reference:
        Burda, Grosse and Salakhutdinov (2016), "Importance weighted autoencoders", arXiv:1509.00519; Tucker, Lawson, Gu and
        Maddison (2019), "Doubly reparameterized gradient estimators for Monte Carlo objectives", arXiv:1810.04152.
    """

    def __init__(self, num_samples: int = 5, estimator: str = "doubly_reparameterized"):
        super().__init__(num_samples)
        if estimator not in ESTIMATORS:
            raise CompileError(
                explain(
                    f"There is no estimator {estimator!r}.{did_you_mean(estimator, ESTIMATORS)}",
                    received=f"estimator={estimator!r}",
                    expected=" or ".join(repr(name) for name in ESTIMATORS),
                    fix=f"write ImportanceWeightedELBO({num_samples}, estimator={ESTIMATORS[0]!r})",
                )
            )
        self.estimator = estimator

    def weigh(self, generative_trace: Trace, inference_trace: Trace, log_prob: LogProb) -> dict:
        log_p = log_prob(generative_trace)
        if self.estimator == "plain" or unreparameterized_latents(inference_trace):
            return {"log_weights": log_p - log_prob(inference_trace)}
        if generative_trace.num_draws is None:  # one of several runs: the weights of the others aren't known yet
            frozen = log_prob(inference_trace.frozen())
            return {"log_weights": log_p - frozen, "path": log_prob(generative_trace.frozen()) - frozen}
        log_weights = stop(log_p - log_prob(inference_trace))
        factors = normalized(log_weights)
        weighted = log_prob(generative_trace.damped(factors)) - log_prob(inference_trace.damped(factors))
        return {"log_weights": log_weights, "weighted": weighted}

    def bound(self, arrays: dict) -> Tensor:
        log_weights = arrays["log_weights"]
        weights = normalized(log_weights)
        if "weighted" in arrays:
            # On its way to q's draws the gradient is multiplied by ŵ once more: one pass serves p's parameters and q's.
            gradient = weights * arrays["weighted"]
        elif "path" in arrays:
            # q's draws are in both terms, so that ŵ + (ŵ² − ŵ) = ŵ² is left of their weights; p's parameters in the first.
            gradient = weights * log_weights + (keras.ops.square(weights) - weights) * arrays["path"]
        else:
            return log_mean_exp(log_weights)
        return stop(log_mean_exp(log_weights)) + zero_with_gradient(keras.ops.sum(gradient, axis=0))

    def get_config(self) -> dict:
        return {**super().get_config(), "estimator": self.estimator}
