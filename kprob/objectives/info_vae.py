"""InfoVAE.   E_q[log p(x | z)] − (1 − α) KL(q(z | x) ‖ p(z)) − (α + λ − 1) MMD²(q(z), p(z))"""

from dataclasses import replace

import keras

from kprob.effects import Trace
from kprob.errors import CompileError, explain
from kprob.objectives.elbo import ELBO
from kprob.objectives.estimation.density_terms import DensityTerm, latents_of, total
from kprob.objectives.estimation.divergences import grouped_terms
from kprob.objectives.estimation.kernels import Kernel, get_kernel
from kprob.objectives.multi_sample import require_reparameterized
from kprob.objectives.objective import Objective
from kprob.options import check_number
from kprob.saving import encode, register
from kprob.types import Tensor


@register
class InfoVAE(ELBO):
    """An autoencoder's bound that compares all codes of a batch with the prior, rather than each row's posterior alone.

    The ELBO is highest where codes say nothing of the data, if the decoder can do without. Here the divergence of each
    row's posterior counts 1 − α, and the maximum mean discrepancy between the codes of the batch and draws of the prior
    α + λ − 1: codes must look like the prior as a whole, and may say as much as they like. The ELBO that is logged is
    the true one.

    Args:
        alpha: α; 0 keeps the ELBO's own divergence, 1 drops it.
        scale: λ, how much the discrepancy counts.
        kernel: "rbf", "linear" or a kernel.
        num_samples: Draws for each evaluation.

    Example:
        ```python
        import kprob

        assert kprob.objectives.InfoVAE(alpha=0.5, scale=10.0).alpha == 0.5
        ```

    Reference:
        Zhao, Song and Ermon (2019), "InfoVAE: balancing learning and inference in variational autoencoders",
        arXiv:1706.02262.
    """

    shares_inference = False

    def __init__(self, alpha: float = 0.0, scale: float = 10.0, kernel: str | Kernel = "rbf", num_samples: int = 1):
        super().__init__(num_samples)
        check_number("alpha", alpha, example=0.0, error=CompileError)
        check_number("scale", scale, 0.0, ends="[", example=10.0, error=CompileError)
        self.alpha, self.scale, self.kernel = float(alpha), float(scale), get_kernel(kernel)

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        require_reparameterized(self, inference_trace, "kprob.objectives.BetaELBO")
        value = total(self.cost_terms(generative_trace, inference_trace), inference_trace.num_draws)
        return value - self._discrepancy(generative_trace, inference_trace)

    def cost_terms(self, generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
        terms, groups = grouped_terms(generative_trace, inference_trace)
        weight = 1.0 - self.alpha
        return terms + [replace(t, coefficient=t.coefficient * weight) for group in groups.values() for t in group]

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return Objective.elbo(self, generative_trace, inference_trace, value)

    def get_config(self) -> dict:
        own = {"alpha": self.alpha, "scale": self.scale, "kernel": encode(self.kernel, "the kernel")}
        return {**super().get_config(), **own}

    def _discrepancy(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        latents = latents_of(inference_trace)
        self._require_rows(latents)
        simulated = generative_trace.simulated()
        codes = _joined([site.value for site in latents])
        prior = keras.ops.stop_gradient(_joined([simulated[site.name].value for site in latents]))
        plate, draws = latents[0].plates[0], inference_trace.num_draws or 1
        number = plate.scale * keras.ops.cast(keras.ops.shape(codes)[0], "float32") / draws
        return (self.alpha + self.scale - 1.0) * number * squared_discrepancy(codes, prior, self.kernel)

    def _require_rows(self, latents: list) -> None:
        outside = [site.name for site in latents if not site.in_data_plate]
        if outside or not latents:
            raise CompileError(
                explain(
                    f"{type(self).__name__} compares the codes of many rows with the prior.",
                    received=f"latent `{outside[0]}` outside the data plate" if outside else "no latent",
                    expected="latents inside the data plate alone",
                    fix="use kprob.ELBO or kprob.objectives.BetaELBO",
                )
            )


@register
class MMD(InfoVAE):
    """The autoencoder that is held to the prior by the maximum mean discrepancy alone: `InfoVAE` with α = 1.

    Args:
        scale: λ, how much the discrepancy counts.
        kernel: "rbf", "linear" or a kernel.
        num_samples: Draws for each evaluation.

    Example:
        ```python
        import kprob

        assert kprob.objectives.MMD(scale=100.0).alpha == 1.0
        ```

    Reference:
        Zhao, Song and Ermon (2019), "InfoVAE: balancing learning and inference in variational autoencoders",
        arXiv:1706.02262; Gretton, Borgwardt, Rasch, Schölkopf and Smola (2012), "A kernel two-sample test".
    """

    def __init__(self, scale: float = 10.0, kernel: str | Kernel = "rbf", num_samples: int = 1):
        super().__init__(1.0, scale, kernel, num_samples)

    def get_config(self) -> dict:
        return {name: value for name, value in super().get_config().items() if name != "alpha"}


def squared_discrepancy(first: Tensor, second: Tensor, kernel: Kernel) -> Tensor:
    """Returns the squared maximum mean discrepancy of two samples, shapes (n, D) and (m, D); never negative."""
    scale = kernel.scale(second)
    within = keras.ops.mean(kernel.matrix(first, first, scale)) + keras.ops.mean(kernel.matrix(second, second, scale))
    return within - 2.0 * keras.ops.mean(kernel.matrix(first, second, scale))


def _joined(values: list) -> Tensor:
    flat = [keras.ops.reshape(value, (keras.ops.shape(value)[0], -1)) for value in values]
    return flat[0] if len(flat) == 1 else keras.ops.concatenate(flat, axis=-1)
