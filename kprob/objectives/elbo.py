"""The evidence lower bound, as an essay.

Bayes' rule wants log p(x) = log ∫ p(x, z) dz, which nobody can compute. For any density q(z) that we can draw from,

    log p(x) ≥ E_q[ log p(x, z) − log q(z) ]   =: ELBO,

with equality when q is the posterior: the gap is KL(q ‖ p(z | x)). So we raise the ELBO, in the parameters of q to come
close to the posterior and in those of p to explain the data. One draw z of q gives an unbiased estimate: run the
inference network, replay its values in the generative network, subtract the two log-densities. That is `call` below.

Its gradient must be unbiased too. Where a draw is a differentiable function of q's parameters (a location plus a scale
times noise), differentiating through the draw is all there is to do (Kingma and Welling 2014; Rezende, Mohamed and
Wierstra 2014). Where it isn't (a coin, a category), the draw's own dependence on the parameters is lost, and the score
function brings it back (see `score_function.py`): it is added as a term that is zero in value and has that gradient.
"""

from collections.abc import Mapping

import keras

from kprob.effects import Trace
from kprob.objectives.baselines.baseline import Baseline
from kprob.objectives.baselines.baselines import Baselines
from kprob.objectives.estimation.density_terms import DensityTerm, terms_of, total
from kprob.objectives.estimation.objective_values import ObjectiveValues
from kprob.objectives.estimation.score_function import score_function_term, signal_of, unreparameterized_latents
from kprob.objectives.objective import Objective
from kprob.saving import decode, encode, register
from kprob.types import Tensor


@register
class ELBO(Objective):
    """Evidence lower bound E_q[log p(x, z) − log q(z)], estimated by draws of q.

    The estimate's variance vanishes as q comes to the posterior, where every single draw gives the log-evidence.

    Args:
        num_samples: Draws for each evaluation.
        baseline: For latents that can't be reparameterised: a baseline, such as `kprob.objectives.MovingAverageBaseline()`, or a
            dict of them by name of the latent.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.ELBO(num_samples=10), "adam")
        history = model.fit({"sensor": 18.0}, epochs=2, verbose=0)
        assert set(history.history) == {"loss", "elbo", "log_likelihood", "kl"}
        ```

    Reference:
        Jordan, Ghahramani, Jaakkola and Saul (1999), "An introduction to variational methods for graphical models".
    """

    def __init__(self, num_samples: int = 1, baseline: Baseline | Mapping[str, Baseline] | None = None):
        super().__init__(num_samples)
        self.baseline = baseline
        self.baselines = None if baseline is None else Baselines(baseline)

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        terms = self.cost_terms(generative_trace, inference_trace)
        value = total(terms, inference_trace.num_draws)  # log p − log q: [S] or scalar
        return value + score_function_term(terms, generative_trace, inference_trace, self.baselines)

    def cost_terms(self, generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
        """Returns the terms whose sum is the estimate."""
        return terms_of(generative_trace, inference_trace)

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return value

    @property
    def layers(self) -> list[keras.layers.Layer]:
        return [] if self.baselines is None else self.baselines.layers

    def build(self, generative_trace: Trace, inference_trace: Trace) -> None:
        if self.baselines is not None:
            self.baselines.make(unreparameterized_latents(inference_trace), generative_trace, inference_trace)

    def values(self, generative_trace: Trace, inference_trace: Trace) -> ObjectiveValues:
        values = super().values(generative_trace, inference_trace)
        if self.baselines is None:
            return values
        terms = self.cost_terms(generative_trace, inference_trace)
        unreparameterized = unreparameterized_latents(inference_trace)
        signals = {site.name: keras.ops.mean(signal_of(site, terms, inference_trace)) for site in unreparameterized}
        return values._replace(signals=signals)

    def learn(self, signals: dict[str, Tensor]) -> None:
        if self.baselines is not None:
            for name, signal in signals.items():
                self.baselines.learn(name, keras.ops.stop_gradient(signal))

    def get_config(self) -> dict:
        config = super().get_config()
        return config if self.baseline is None else {**config, "baseline": encode(self.baseline, "the baseline")}

    @classmethod
    def from_config(cls, config: dict) -> "ELBO":
        return cls(**{name: decode(value) for name, value in config.items()})
