"""What `fit` maximises: a function of the two networks' traces."""

from collections.abc import Callable

import keras

from kprob.effects import Trace
from kprob.errors import CompileError, explain
from kprob.objectives.estimation.draw_runs import DrawRuns
from kprob.objectives.estimation.objective_values import ObjectiveValues, mean_over_draws
from kprob.objectives.estimation.score_function import score_of, unreparameterized_latents
from kprob.saving import decode, encode, register
from kprob.types import Tensor


@register
class Objective:
    """Base class of objectives.

    To subclass, override `call`. An objective sees the traces and nothing else: densities by `trace.log_prob()` (a
    scalar, or one number per draw) and `trace.log_prob_rows()`, sites by `trace["z"]`, and the same runs under other
    conditions by `trace.frozen()`, `trace.detached()`, `generative_trace.simulated()`. Where the objective of several
    draws isn't the mean of the objective of each, override `MultiSampleObjective` instead.

    Args:
        num_samples: Draws of the latents for each evaluation.
    """

    #: Whether q may run once for all draws: not where q's distributions are compared with p's, draw by draw.
    shares_inference = True

    def __init__(self, num_samples: int = 1):
        if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples < 1:
            raise CompileError(
                explain(
                    f"{type(self).__name__} needs a number of draws.",
                    received=f"num_samples={num_samples!r}",
                    expected="a positive int",
                    fix=f"write {type(self).__name__}(num_samples=1)",
                )
            )
        self.num_samples = num_samples

    @property
    def label(self) -> str:
        """The objective's name, for messages."""
        return type(self).__name__

    @property
    def takes_folded_draws(self) -> bool:
        """Whether its methods understand traces that stand for several draws. What a user overrides is for one draw."""
        methods = ("call", "values", "elbo", "weigh", "bound")
        own = (getattr(type(self), name, None) for name in methods)
        return all(method is None or method.__module__.partition(".")[0] == "kprob" for method in own)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Keras layers that hold what the objective learns; they become part of the model."""
        return []

    def build(self, generative_trace: Trace, inference_trace: Trace) -> None:
        """Makes the variables of `layers`; called when the model is built."""

    def __call__(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        """Returns the estimate whose gradient is followed, averaged over draws: a scalar."""
        value = self.call(generative_trace, inference_trace)
        self._check_value(value, generative_trace.num_draws)
        return keras.ops.mean(value)

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        """Returns the estimate: a scalar, or one number per draw."""
        raise NotImplementedError(f"{type(self).__name__} must override `call(generative_trace, inference_trace)`.")

    def run(self, runs: DrawRuns) -> ObjectiveValues:
        """Has the networks run for as many draws as the objective needs, and returns what it makes of them.

        Args:
            runs: Runs the networks on a batch.
        """
        if self.num_samples == 1 or (runs.foldable and self.takes_folded_draws):
            return runs.in_one_run(self.values, self.num_samples, self.shares_inference)
        return mean_over_draws(runs.one_by_one(self.values, self.num_samples))

    def values(self, generative_trace: Trace, inference_trace: Trace) -> ObjectiveValues:
        """Returns what is maximised and what is logged, of the draws of one run."""
        value = self(generative_trace, inference_trace)
        log_likelihood = keras.ops.mean(generative_trace.log_prob(observed_names(generative_trace)))
        elbo = self.elbo(generative_trace, inference_trace, value)
        return ObjectiveValues(value, elbo, log_likelihood, log_likelihood - elbo, {})

    def learn(self, signals: dict[str, Tensor]) -> None:
        """Learns from a step of training by averages rather than by gradients.

        Args:
            signals: The signals that `values` returned, averaged over draws.
        """

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        """Returns the evidence lower bound that is logged; `value` is the objective's own."""
        return keras.ops.mean(generative_trace.log_prob() - inference_trace.log_prob())

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"num_samples": self.num_samples}

    @classmethod
    def from_config(cls, config: dict) -> "Objective":
        """Makes the objective from `get_config`'s result."""
        return cls(**config)

    def _check_value(self, value: Tensor, num_draws: int | None) -> None:
        shape = None if value is None else tuple(getattr(value, "shape", ()))
        if shape in ((), (num_draws,)):
            return
        raise CompileError(
            explain(
                f"The objective {self.label} must return one number.",
                received="None" if shape is None else f"shape {shape}",
                expected="a scalar" + (f", or one number for each of the {num_draws} draws" if num_draws else ""),
                fix="return the result, and sum over rows: `trace.log_prob()` does, by the rules of plates",
            )
        )


@register
class FunctionObjective(Objective):
    """A plain function of the two traces as an objective: its mean over the draws of q is maximised.

    Where a latent can't be reparameterised (a coin, a category), the score function's share of the gradient is added;
    the function's value stays what it is.

    Args:
        function: `function(generative_trace, inference_trace)` returns a scalar to be maximised, for one draw.
    """

    def __init__(self, function: Callable[[Trace, Trace], Tensor]):
        super().__init__(1)
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    @property
    def label(self) -> str:
        return self.__name__

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        value = self.function(generative_trace, inference_trace)
        unreparameterized = unreparameterized_latents(inference_trace)
        if value is None or not unreparameterized:
            return value
        # As they were drawn: what masks and scales make of their densities is the function's own affair.
        score = sum(keras.ops.sum(score_of(site)) for site in unreparameterized)
        return value + keras.ops.stop_gradient(value) * (score - keras.ops.stop_gradient(score))

    def get_config(self) -> dict:
        return {"function": encode(self.function, "the objective")}

    @classmethod
    def from_config(cls, config: dict) -> "FunctionObjective":
        return cls(decode(config["function"]))


def observed_names(trace: Trace) -> list[str]:
    """Returns the names of the sites that make the log-likelihood: observed ones and factors."""
    return [site.name for site in trace.weighed_sites() if site.observed or site.is_factor]
