"""The evidence lower bound with divergences in closed form.   E_q[log p(x | z)] − KL(q(z) ‖ p(z))"""

from kprob.effects import Trace
from kprob.objectives.elbo import ELBO
from kprob.objectives.estimation.density_terms import DensityTerm, terms_of
from kprob.objectives.estimation.divergences import divergences_of
from kprob.saving import register
from kprob.types import Tensor


@register
class AnalyticKLELBO(ELBO):
    """Evidence lower bound with KL divergences in closed form where TFP knows them.

    For each latent, E_q[log q(z) − log p(z | parents)] is exact given the parents; the rest is estimated by draws. Masks and
    scales count as they do in `ELBO`, in whichever network they stand.
    Its gradient has less variance than `ELBO`'s far from the posterior, and more close to it.

    Args:
        num_samples: Draws for each evaluation.
        baseline: For latents that can't be reparameterised (see `ELBO`).

    Example:
        ```python
        import kprob

        assert kprob.objectives.AnalyticKLELBO(num_samples=2).num_samples == 2
        ```

    Reference:
        Kingma and Welling (2014), "Auto-encoding variational Bayes", appendix B.
    """

    shares_inference = False

    def cost_terms(self, generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
        exact = divergences_of(generative_trace, inference_trace)
        known = {term.site.name for term in exact}
        sampled = terms_of(generative_trace, inference_trace)
        return [*(term for term in sampled if term.site.name not in known), *exact]

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return value
