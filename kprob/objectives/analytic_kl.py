"""The evidence lower bound with divergences in closed form.   E_q[log p(x | z)] − KL(q(z) ‖ p(z))"""

import keras

from kprob.distributions import kl_divergence
from kprob.effects import Site, SiteKind, Trace
from kprob.objectives.elbo import ELBO
from kprob.objectives.terms import Term, latents_of, terms_of
from kprob.saving import register
from kprob.types import Tensor


@register
class AnalyticKLELBO(ELBO):
    """Evidence lower bound with KL divergences in closed form where TFP knows them.

    For each latent, E_q[log q(z) − log p(z | parents)] is exact given the parents; the rest is estimated by draws.
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

    def cost_terms(self, generative_trace: Trace, inference_trace: Trace) -> list[Term]:
        divergences = {term.site.name: term for term in divergences_of(generative_trace, inference_trace)}
        sampled = terms_of(generative_trace, inference_trace)
        return [*(term for term in sampled if term.site.name not in divergences), *divergences.values()]

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return value


def divergences_of(generative_trace: Trace, inference_trace: Trace) -> list[Term]:
    """Returns −KL(q ‖ p) as a term for each latent whose divergence TFP knows in closed form."""
    found = []
    for site in latents_of(inference_trace):
        divergence = _divergence_site(site, generative_trace)
        if divergence is not None:
            # It depends on the latents drawn before in either network, and not on its own draw.
            latents = _before(site.name, generative_trace) | _before(site.name, inference_trace)
            latents &= {latent.name for latent in latents_of(inference_trace)}
            found.append(Term(inference_trace, divergence, frozenset(latents), -1.0))
    return found


def _before(name: str, trace: Trace) -> set[str]:
    order = list(trace)
    return set(order[: order.index(name)])


def _divergence_site(site: Site, generative_trace: Trace) -> Site | None:
    # The divergence takes the place of the site's log-density, so that plates, masks and weights act on it alike.
    if site.name not in generative_trace or not generative_trace[site.name].is_random:
        return None
    divergence = kl_divergence(site.distribution, generative_trace[site.name].distribution)
    if divergence is None:
        return None
    sizes = tuple(plate.size for plate in site.plates)
    value = keras.ops.broadcast_to(divergence, sizes) if sizes else divergence
    return Site(site.name, SiteKind.FACTOR, value=value, plates=site.plates, scale=site.scale, mask=site.mask)
