"""The divergence of each latent, in closed form where TFP knows it.   −KL(q(z) ‖ p(z | parents))"""

import keras

from kprob.distributions import kl_divergence
from kprob.effects import Site, SiteKind, Trace
from kprob.objectives.estimation.density_terms import DensityTerm, latents_of, terms_of


def divergences_of(generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
    """Returns −KL(q ‖ p) as a term for each latent whose divergence TFP knows in closed form."""
    terms = []
    for site in latents_of(inference_trace):
        divergence = _kl_divergence(site, generative_trace)
        if divergence is not None:
            # It depends on the latents drawn before in either network, and not on its own draw.
            latents = _before(site.name, generative_trace) | _before(site.name, inference_trace)
            latents &= {latent.name for latent in latents_of(inference_trace)}
            terms.append(DensityTerm(inference_trace, divergence, frozenset(latents), -1.0))
    return terms


def grouped_terms(
    generative_trace: Trace, inference_trace: Trace
) -> tuple[list[DensityTerm], dict[str, list[DensityTerm]]]:
    """Returns the terms of the ELBO: those of the data, and by latent those of minus its divergence."""
    exact = {term.site.name: [term] for term in divergences_of(generative_trace, inference_trace)}
    latents = {site.name for site in latents_of(inference_trace)}
    rest: list[DensityTerm] = []
    groups = dict(exact)
    for term in terms_of(generative_trace, inference_trace):
        if term.site.name not in latents:
            rest.append(term)
        elif term.site.name not in exact:
            groups.setdefault(term.site.name, []).append(term)
    return rest, groups


def _before(name: str, trace: Trace) -> set[str]:
    order = list(trace)
    return set(order[: order.index(name)])


def _kl_divergence(site: Site, generative_trace: Trace) -> Site | None:
    # The divergence takes the place of the site's log-density, so that plates, masks and weights act on it alike.
    if site.name not in generative_trace or not generative_trace[site.name].is_random:
        return None
    divergence = kl_divergence(site.distribution, generative_trace[site.name].distribution)
    if divergence is None:
        return None
    sizes = tuple(plate.size for plate in site.plates)
    value = keras.ops.broadcast_to(divergence, sizes) if sizes else divergence
    return Site(site.name, SiteKind.FACTOR, value=value, plates=site.plates, scale=site.scale, mask=site.mask)
