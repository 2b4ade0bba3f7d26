"""The evidence lower bound with a weight on its divergence.   E_q[log p(x | z)] − β Σ_z max(λ, KL(q(z) ‖ p(z)))"""

from dataclasses import replace

import keras

from kprob import checks
from kprob.effects import Site, Trace
from kprob.errors import CompileError
from kprob.objectives.elbo import ELBO
from kprob.objectives.estimation.coefficient import Coefficient
from kprob.objectives.estimation.density_terms import DensityTerm, total
from kprob.objectives.estimation.divergences import grouped_terms
from kprob.objectives.estimation.score_function import score_function_term
from kprob.objectives.objective import Objective
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor

stop = keras.ops.stop_gradient


@register
class BetaELBO(ELBO):
    """Evidence lower bound whose divergence counts β times, and only from some nats on.

    β > 1 asks for simpler codes, β < 1 for better reconstructions; raised from 0 to 1 during the fit, by
    `kprob.callbacks.Annealing`, it keeps codes from being given up at the start. Free bits do too: a latent whose divergence,
    averaged over the rows of a batch, is below `free_bits` isn't pushed further down. Divergences are in closed form where
    TFP knows them. The ELBO that is logged is the true one.

    Args:
        beta: β, the weight to start with; a Keras variable, `objective.beta`.
        free_bits: λ, nats of each latent (of each row, where it belongs to one) that cost the same as none.
        num_samples: Draws for each evaluation.

    Example:
        ```python
        import kprob

        objective = kprob.objectives.BetaELBO(beta=4.0, free_bits=0.5)
        assert float(objective.beta.numpy()) == 4.0
        ```

    Reference:
        Higgins and others (2017), "beta-VAE: learning basic visual concepts with a constrained variational framework";
        Kingma and others (2016), "Improved variational inference with inverse autoregressive flow", arXiv:1606.04934.
    """

    shares_inference = False

    def __init__(self, beta: float = 1.0, free_bits: float = 0.0, num_samples: int = 1):
        super().__init__(num_samples)
        for name, value in (("beta", beta), ("free_bits", free_bits)):
            check_number(name, value, 0.0, ends="[", example=1.0, error=CompileError)
        self.start, self.free_bits = float(beta), float(free_bits)
        self.coefficient = Coefficient(self.start, "beta")

    @property
    def beta(self) -> keras.Variable:
        """The weight of the divergence."""
        return self.coefficient.value

    @property
    def layers(self) -> list[keras.layers.Layer]:
        return [self.coefficient]

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        terms, free = self._terms(generative_trace, inference_trace)
        value = total(terms, inference_trace.num_draws)
        return value - free + score_function_term(terms, generative_trace, inference_trace)

    def cost_terms(self, generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
        return self._terms(generative_trace, inference_trace)[0]

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return Objective.elbo(self, generative_trace, inference_trace, value)

    def get_config(self) -> dict:
        return {**super().get_config(), "beta": self.start, "free_bits": self.free_bits}

    def _terms(self, generative_trace: Trace, inference_trace: Trace) -> tuple[list[DensityTerm], Tensor]:
        # The terms, and what the free bits of those latents cost that are below them.
        beta, free = keras.ops.convert_to_tensor(self.beta), 0.0
        terms, groups = grouped_terms(generative_trace, inference_trace)
        for name, group in groups.items():
            site = inference_trace[name]
            number = _count(site, inference_trace.num_draws)
            divergence = -keras.ops.mean(total(group, inference_trace.num_draws)) / number
            active = stop(keras.ops.cast(divergence >= self.free_bits, "float32")) if self.free_bits else 1.0
            terms += [replace(term, coefficient=term.coefficient * beta * active) for term in group]
            free = free + beta * (1.0 - active) * self.free_bits * number
        return terms, free


def _count(site: Site, num_draws: int | None) -> Tensor:
    # Rows of the whole data set, or one.
    if not site.in_data_plate:
        return 1.0
    plate = site.plates[0]
    known = checks.known_size(plate.size)
    size = keras.ops.cast(plate.size, "float32") if known is None else float(known)
    return plate.scale * size / (num_draws or 1)
