"""The divergence of each latent, in closed form where TFP knows it.   −KL(q(z) ‖ p(z | parents))"""

import keras

from kprob.distributions import entropy, kl_divergence
from kprob.effects import Site, SiteKind, Trace
from kprob.objectives.estimation.density_terms import DensityTerm, latents_of, terms_of
from kprob.types import Tensor


def divergences_of(generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
    """Returns −KL(q ‖ p) as terms for each latent whose divergence TFP knows in closed form.

    One term where p and q weigh the latent alike. Masks and scales that stand in one of them alone act on its density only:
    then E_q[log p(z)] = −KL(q ‖ p) − H(q) is one term and the entropy H(q) = −E_q[log q(z)] the other, each weighed by its
    own network; a latent whose entropy isn't known has no terms here.
    """
    terms = []
    for site in latents_of(inference_trace):
        if site.name not in generative_trace or not generative_trace[site.name].is_random:
            continue
        p_site = generative_trace[site.name]
        divergence = kl_divergence(site.distribution, p_site.distribution)
        if divergence is None:
            continue
        # They depend on the latents drawn before in either network, and not on the latent's own draw.
        latents = _before(site.name, generative_trace) | _before(site.name, inference_trace)
        seen = frozenset(latents & {latent.name for latent in latents_of(inference_trace)})
        if _weighed_alike(site, p_site):
            terms.append(DensityTerm(inference_trace, _in_place_of(site, divergence), seen, -1.0))
            continue
        own_entropy = entropy(site.distribution)
        if own_entropy is not None:
            terms.append(DensityTerm(generative_trace, _in_place_of(p_site, divergence + own_entropy), seen, -1.0))
            terms.append(DensityTerm(inference_trace, _in_place_of(site, own_entropy), seen, 1.0))
    return terms


def grouped_terms(
    generative_trace: Trace, inference_trace: Trace
) -> tuple[list[DensityTerm], dict[str, list[DensityTerm]]]:
    """Returns the terms of the ELBO: those of the data, and by latent those of minus its divergence."""
    exact: dict[str, list[DensityTerm]] = {}
    for term in divergences_of(generative_trace, inference_trace):
        exact.setdefault(term.site.name, []).append(term)
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


def _weighed_alike(site: Site, other: Site) -> bool:
    if site.mask is None and other.mask is None and isinstance(site.scale, float) and isinstance(other.scale, float):
        return site.scale == other.scale
    return site.mask is other.mask and site.scale is other.scale


def _in_place_of(site: Site, value: Tensor) -> Site:
    # It takes the place of the site's log-density, so that plates, masks and weights act on it alike.
    sizes = tuple(plate.size for plate in site.plates)
    value = keras.ops.broadcast_to(value, sizes) if sizes else value
    return Site(site.name, SiteKind.FACTOR, value=value, plates=site.plates, scale=site.scale, mask=site.mask)
